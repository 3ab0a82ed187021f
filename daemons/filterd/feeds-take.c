/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What feeds give: whether it fits, what of it differs, and on to the disk. */

#include "feeds-internal.h"

#include "base/log.h"
#include "base/messages.h"
#include "filter/flatten.h"

#include <string.h>

/* Whether there is room for it: of every alias that holds this one. NULL, or why not. */

static uint64_t count_live(const FwFeeds *feeds, const Alias *alias, const FwFeed *feed,
                           uint64_t entries)
{
        uint64_t n = 0;

        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++) {
                g_autofree char *key = fw_feed_key(alias->object.name, sort);
                const FwFeed *other = g_tree_lookup(feeds->feeds, key);

                if (other == feed)
                        n += entries;
                else if (other)
                        n += other->entries;
        }
        return n + alias->addresses.n + alias->macs.n;
}

typedef struct Room {
        const FwFeed *feed;
        uint64_t entries;
        char *why;
} Room;

static int check_room(const PtObject *object, void *userdata)
{
        const Alias *alias = (const Alias *) object;
        Room *room = userdata;
        const FwFeeds *feeds = room->feed->feeds;
        g_autoptr(GPtrArray) closure = NULL;
        bool holds = false;
        uint64_t n = 0;

        if (alias->aliases.n == 0 && strcmp(object->name, room->feed->alias) != 0)
                return 0;
        closure = fw_flat_closure(feeds->slice, object->name);
        for (unsigned i = 0; i < closure->len; i++) {
                const Alias *part = g_ptr_array_index(closure, i);

                holds = holds || strcmp(part->object.name, room->feed->alias) == 0;
                n += count_live(feeds, part, room->feed, room->entries);
        }
        if (!holds || n <= FW_ALIAS_ENTRIES_MAX)
                return 0;
        room->why = g_strdup_printf("with it Alias/%s would have %" PRIu64
                                    " entries, at most %d; divide the list among several aliases",
                                    object->name, n, FW_ALIAS_ENTRIES_MAX);
        return 1;
}

static char *no_room(const FwFeed *feed, uint64_t entries)
{
        Room room = {.feed = feed, .entries = entries};

        (void) pt_slice_foreach(feed->feeds->slice, &pt_kind_alias, check_room, &room);
        return room.why;
}

/* What came. */

/* Of the names that were not answered one, and why; or NULL. */
static char *names_error(const FwFeed *feed)
{
        GHashTableIter iter;
        gpointer text;
        FwFeedName *name;

        g_hash_table_iter_init(&iter, feed->names);
        while (g_hash_table_iter_next(&iter, &text, (gpointer *) &name))
                if (name->error)
                        return g_strdup_printf("%s: %s", (const char *) text, name->error);
        return NULL;
}

void fw_feed_stored(FwFeed *feed, const FwStoring *storing, int result)
{
        FwFeeds *feeds = feed->feeds;
        g_autofree char *error = NULL;

        feed->storing = false;
        if (result < 0) {
                error = g_strdup_printf("what it gave cannot be stored: %s", strerror(-result));
                g_clear_pointer(&feed->etag, g_free);
                g_clear_pointer(&feed->modified, g_free);
        } else {
                feed->config = feed->asked;
                error = feed->names ? names_error(feed) : NULL;
                feeds->config.changed(feeds->config.userdata);
        }
        fw_feed_settle(feed, result >= 0, error);
}

static void log_change(const FwFeed *feed, const FwStoring *storing)
{
        const FwLiveItem *old = fw_live_get(feed->feeds->live, feed->alias, feed->sort);
        char before[PT_DIGEST_HEX + 1] = "none", after[PT_DIGEST_HEX + 1] = "list";
        g_autofree char *alias_field = g_strdup_printf("PATRONUS_NAME=%s", feed->alias);
        g_autofree char *before_field = NULL, *after_field = NULL;

        if (old)
                pt_digest_to_hex(&old->id, before);
        if (storing->dataset >= 0)
                pt_digest_to_hex(&storing->digest, after);
        before_field = g_strdup_printf("PATRONUS_DIGEST_BEFORE=%s", before);
        after_field = g_strdup_printf("PATRONUS_DIGEST=%s", after);
        pt_log_fields(LOG_INFO,
                      (const char *[]){PT_MESSAGE_ALIAS_REFRESHED, "PATRONUS_KIND=Alias",
                                       alias_field, before_field, after_field, NULL},
                      "Alias/%s: its %s gives %" PRIu64 " entries now, %" PRIu64 " before",
                      feed->alias, fw_live_sort_to_string(feed->sort), storing->entries,
                      feed->entries);
}

/* Contents that differ from what there is; takes them. */
static void put(FwFeed *feed, FwStoring *storing)
{
        log_change(feed, storing);
        feed->type = storing->type;
        feed->changed_usec = (uint64_t) g_get_real_time();
        feed->storing = true;
        fw_feeds_store(feed->feeds, storing);
}

static bool same_ranges(const FwFeed *feed, FwAliasType type, const GArray *ranges)
{
        g_autoptr(FwLive) scratch = fw_live_new("");
        const FwLiveItem *old = fw_live_get(feed->feeds->live, feed->alias, feed->sort);

        fw_live_set_ranges(scratch, feed->alias, feed->sort, type,
                           (const PtAddressRange *) (void *) ranges->data, ranges->len);
        return old && old->type == type && !old->digest[0] &&
               pt_digest_equal(&old->id, &fw_live_get(scratch, feed->alias, feed->sort)->id);
}

/* Takes the ranges. */
void fw_feed_put_ranges(FwFeed *feed, FwAliasType type, GArray *ranges, const char *error)
{
        g_autoptr(GArray) taken = ranges;
        g_autofree char *why = NULL;
        FwStoring *storing;

        if (same_ranges(feed, type, ranges)) {
                feed->config = feed->asked;
                fw_feed_settle(feed, false, error);
                return;
        }
        why = no_room(feed, ranges->len);
        if (why) {
                fw_feed_settle(feed, false, why);
                return;
        }
        storing = fw_storing_new(feed, type);
        storing->ranges = g_steal_pointer(&taken);
        storing->entries = ranges->len;
        put(feed, storing);
}

GArray *fw_feed_addresses(const FwFeed *feed)
{
        GArray *all = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
        GHashTableIter iter;
        FwFeedName *name;

        g_hash_table_iter_init(&iter, feed->names);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &name)) {
                guint room = FW_FETCH_ADDRESSES_ALL_MAX - all->len;

                if (name->addresses->len > 0)
                        g_array_append_vals(all, name->addresses->data,
                                            MIN(name->addresses->len, room));
        }
        return all;
}

static FwFeedName *get_name(FwFeed *feed, const char *text)
{
        FwFeedName *name = g_hash_table_lookup(feed->names, text);

        if (!name) {
                name = g_new0(FwFeedName, 1);
                name->addresses = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
                g_hash_table_insert(feed->names, g_strdup(text), name);
        }
        return name;
}

static void take_name(FwFeed *feed, const FwFetchLine *line)
{
        FwFeedName *name = g_hash_table_lookup(feed->names, line->name);
        uint64_t now = fw_feeds_now(), ttl;

        if (!name)
                return; /* the alias has it no more, or never had */
        ttl = CLAMP(line->ttl, FW_NAMES_FLOOR_SEC, FW_NAMES_CEILING_SEC);
        g_free(name->error);
        name->error = g_strdup(line->text);
        if (line->text) {
                name->due_usec = now + FW_FEED_RETRY_SEC * G_USEC_PER_SEC;
                return;
        }
        name->due_usec = now + ttl * G_USEC_PER_SEC;
        g_array_set_size(name->addresses, 0);
        if (line->addresses.n > 0)
                g_array_append_vals(name->addresses, line->addresses.items, line->addresses.n);
}

/* Names that are not asked for any more are gone at once, whoever answers. */
void fw_feed_forget_names(FwFeed *feed, const Alias *alias)
{
        const PtList *names = &fw_alias_box(alias)->names;
        g_autoptr(GHashTable) asked = g_hash_table_new(g_str_hash, g_str_equal);
        GHashTableIter iter;
        gpointer name;

        for (unsigned i = 0; i < names->n; i++) {
                g_hash_table_add(asked, ((char **) names->items)[i]);
                (void) get_name(feed, ((char **) names->items)[i]);
        }
        g_hash_table_iter_init(&iter, feed->names);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                if (!g_hash_table_contains(asked, name))
                        g_hash_table_iter_remove(&iter);
}

static void take_names(FwFeed *feed, const Alias *alias, const FwFeedAnswer *answer)
{
        g_autofree char *error = NULL;

        for (unsigned i = 0; i < answer->names->len; i++)
                take_name(feed, g_ptr_array_index(answer->names, i));
        error = names_error(feed);
        fw_feed_put_ranges(feed, (FwAliasType) alias->type, fw_feed_addresses(feed), error);
}

/* Why a dataset is not one for the alias, or NULL. */
static char *misfit(const FwFeed *feed, const Alias *alias, const PtDatasetHeader *header)
{
        bool macs = alias->type == FW_ALIAS_MAC;
        uint32_t entries = pt_dataset_header_entries(header);

        if (macs != (header->content == PT_DATASET_MACS) ||
            (alias->type == FW_ALIAS_HOST &&
             header->counts[PT_DATASET_RANGES4] + header->counts[PT_DATASET_RANGES6] > 0))
                return g_strdup("what patronus-fetch wrote is of another type than the alias");
        return no_room(feed, entries);
}

static void take_dataset(FwFeed *feed, const Alias *alias, FwFeedAnswer *answer)
{
        const FwLiveItem *old = fw_live_get(feed->feeds->live, feed->alias, feed->sort);
        g_autofree char *why = misfit(feed, alias, &answer->header);
        char digest[PT_DIGEST_HEX + 1];
        FwStoring *storing;

        g_ptr_array_unref(feed->problems);
        feed->problems = g_ptr_array_ref(answer->problems);
        feed->n_problems = answer->n_problems;
        if (why) {
                fw_feed_settle(feed, false, why);
                return;
        }
        g_free(feed->etag);
        g_free(feed->modified);
        feed->etag = g_steal_pointer(&answer->etag);
        feed->modified = g_steal_pointer(&answer->modified);
        pt_digest_to_hex(&answer->digest, digest);
        if (old && (int) old->type == alias->type && strcmp(old->digest, digest) == 0) {
                feed->config = feed->asked;
                fw_feed_settle(feed, false, NULL);
                return;
        }
        storing = fw_storing_new(feed, (FwAliasType) alias->type);
        storing->dataset = pt_steal_fd(&answer->dataset);
        storing->digest = answer->digest;
        storing->entries = pt_dataset_header_entries(&answer->header);
        put(feed, storing);
}

void fw_feed_answered(FwFeed *feed, FwFeedAnswer *taken)
{
        g_autoptr(FwFeedAnswer) answer = taken;
        const Alias *alias = fw_feed_alias(feed);

        fw_feed_end_job(feed);
        if (!alias || !pt_digest_equal(&feed->wanted, &feed->asked)) {
                feed->due_usec = 0; /* it answers another question than what is asked now */
                fw_feeds_arm(feed->feeds);
                return;
        }
        switch (answer->state) {
        case FW_FETCH_DONE:
                if (feed->sort == FW_LIVE_NAMES)
                        take_names(feed, alias, answer);
                else
                        take_dataset(feed, alias, answer);
                return;
        case FW_FETCH_UNCHANGED:
                fw_feed_settle(feed, false, NULL);
                return;
        case FW_FETCH_FAILED:
                fw_feed_settle(feed, false, answer->error ?: "patronus-fetch does not say why");
                return;
        case FW_FETCH_STATE_MAX:
        case FW_FETCH_STATE_INVALID:
                break;
        }
        g_assert_not_reached();
}
