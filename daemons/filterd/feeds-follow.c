/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which feeds a slice asks for. */

#include "feeds-internal.h"

#include "base/log.h"

#include <string.h>
#include <sys/inotify.h>

/* What a slice asks for. */

static void hash_list(PtHasher *hasher, const char *what, const PtList *list, size_t size)
{
        pt_hasher_add(hasher, what, strlen(what) + 1);
        for (unsigned i = 0; i < list->n; i++) {
                const char *item = (const char *) list->items + i * size;

                if (size == sizeof(char *))
                        item = *(char *const *) (const void *) item;
                pt_hasher_add(hasher, item, size == sizeof(char *) ? strlen(item) + 1 : size);
        }
}

static void hash_text(PtHasher *hasher, const char *text)
{
        pt_hasher_add(hasher, text ?: "", strlen(text ?: "") + 1);
}

static void config_of(const FwFeeds *feeds, const Alias *alias, FwLiveSort sort, PtDigest *ret)
{
        const FwAliasBox *box = fw_alias_box(alias);
        const FilterSettings *settings = fw_feeds_settings(feeds);
        PtHasher *hasher = pt_hasher_new();
        int numbers[] = {alias->type, box->url.format, (int) fw_url_column(&box->url),
                         box->url.separator, box->invert};

        pt_hasher_add(hasher, numbers, sizeof(numbers));
        switch (sort) {
        case FW_LIVE_URL:
                hash_text(hasher, box->url.url);
                hash_text(hasher, box->url.path);
                break;
        case FW_LIVE_NAMES:
                hash_list(hasher, "names", &box->names, sizeof(char *));
                break;
        case FW_LIVE_LOCAL:
                hash_list(hasher, "interfaces", &box->interfaces, sizeof(char *));
                for (unsigned i = 0; i < alias->hosts6.n; i++) {
                        const FwHost6 *host = &((const FwHost6 *) alias->hosts6.items)[i];

                        hash_text(hasher, host->interface);
                        pt_hasher_add(hasher, host->suffix.lo, sizeof(host->suffix.lo));
                }
                break;
        case FW_LIVE_PLACES:
                hash_list(hasher, "countries", &box->countries, sizeof(char *));
                hash_list(hasher, "continents", &box->continents, sizeof(int));
                hash_list(hasher, "asns", &box->asns, sizeof(uint32_t));
                hash_text(hasher, fw_settings_geoip_database(settings));
                hash_text(hasher, fw_settings_asn_database(settings));
                break;
        case FW_LIVE_SORT_MAX:
        case FW_LIVE_SORT_INVALID:
                g_assert_not_reached();
        }
        pt_hasher_end(hasher, ret);
}

typedef struct Follow {
        FwFeeds *feeds;
        GHashTable *wanted; /* keys */
        unsigned left_out;
} Follow;

static void follow_feed(Follow *follow, const Alias *alias, FwLiveSort sort)
{
        FwFeeds *feeds = follow->feeds;
        g_autofree char *key = fw_feed_key(alias->object.name, sort);
        FwFeed *feed = g_tree_lookup(feeds->feeds, key);
        PtDigest config;

        if (!feed && g_tree_nnodes(feeds->feeds) >= (int) FW_FEEDS_MAX) {
                follow->left_out++;
                return;
        }
        feed = feed ?: fw_feed_new(feeds, alias->object.name, sort);
        config_of(feeds, alias, sort, &config);
        if (!pt_digest_equal(&feed->wanted, &config)) {
                feed->wanted = config;
                feed->due_usec = 0;
        }
        if (feed->names)
                fw_feed_forget_names(feed, alias);
        if (sort == FW_LIVE_URL && feed->due_usec != 0)
                feed->due_usec = MIN(feed->due_usec,
                                     fw_feeds_now() + fw_url_refresh(&fw_alias_box(alias)->url));
        g_hash_table_add(follow->wanted, g_steal_pointer(&key));
}

static int follow_alias(const PtObject *object, void *userdata)
{
        const Alias *alias = (const Alias *) object;

        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++)
                if (fw_alias_asks(alias, sort))
                        follow_feed(userdata, alias, sort);
        return 0;
}

/* Feeds that nothing asks for any more. Their contents are in no alias already. */
static void forget_others(FwFeeds *feeds, GHashTable *wanted)
{
        g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
        FwLive *next = NULL;

        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node; node = g_tree_node_next(node))
                if (!g_hash_table_contains(wanted, g_tree_node_key(node)))
                        g_ptr_array_add(gone, g_strdup(g_tree_node_key(node)));
        for (unsigned i = 0; i < gone->len; i++) {
                const FwFeed *feed = g_tree_lookup(feeds->feeds, g_ptr_array_index(gone, i));

                if (fw_live_get(feeds->live, feed->alias, feed->sort)) {
                        next = next ?: fw_live_copy(feeds->live);
                        fw_live_remove(next, feed->alias, feed->sort);
                }
                (void) g_tree_remove(feeds->feeds, g_ptr_array_index(gone, i));
        }
        if (!next)
                return;
        fw_live_unref(feeds->live);
        feeds->live = next;
        feeds->config.changed(feeds->config.userdata);
}

static int database_changed(sd_event_source *source, const struct inotify_event *event,
                            void *userdata)
{
        FwFeeds *feeds = userdata;
        const FilterSettings *settings = fw_feeds_settings(feeds);
        g_autofree char *countries = g_path_get_basename(fw_settings_geoip_database(settings));
        g_autofree char *asns = g_path_get_basename(fw_settings_asn_database(settings));

        /* Others write into the folder too, as whoever prepares the file beside its place. */
        if (event->len == 0 || strcmp(event->name, countries) == 0 ||
            strcmp(event->name, asns) == 0)
                fw_feeds_hurry(feeds, FW_LIVE_PLACES);
        return 0;
}

static void watch(FwFeeds *feeds, unsigned i, const char *database)
{
        g_autofree char *folder = g_path_get_dirname(database);

        feeds->watches[i] = sd_event_source_disable_unref(feeds->watches[i]);
        (void) sd_event_add_inotify(feeds->config.event, &feeds->watches[i], folder,
                                    IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR, database_changed,
                                    feeds);
}

static bool asks_for_places(const FwFeeds *feeds)
{
        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node; node = g_tree_node_next(node))
                if (((const FwFeed *) g_tree_node_value(node))->sort == FW_LIVE_PLACES)
                        return true;
        return false;
}

void fw_feeds_follow(FwFeeds *feeds, PtSlice *slice)
{
        g_autoptr(GHashTable) wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        Follow follow = {feeds, wanted, 0};

        if (feeds->slice == slice)
                return;
        pt_slice_ref(slice);
        pt_slice_unref(feeds->slice);
        feeds->slice = slice;
        (void) pt_slice_foreach(slice, &pt_kind_alias, follow_alias, &follow);
        if (follow.left_out > 0)
                pt_log(LOG_ERR, "%u sources of aliases are not asked: at most %u are",
                       follow.left_out, FW_FEEDS_MAX);
        forget_others(feeds, wanted);
        if (asks_for_places(feeds)) {
                watch(feeds, 0, fw_settings_geoip_database(fw_feeds_settings(feeds)));
                watch(feeds, 1, fw_settings_asn_database(fw_feeds_settings(feeds)));
        }
        fw_feeds_tell_stale(feeds);
        fw_feeds_arm(feeds);
}
