/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "feeds-internal.h"

#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Due feeds begin a little later than they could, so that those of one moment are asked together
 * rather than each by a wake-up. */
#define ACCURACY_USEC (G_USEC_PER_SEC / 2)
/* Databases tell by inotify that they changed; this is for those that did not exist. */
#define PLACES_REFRESH_USEC (6 * UINT64_C(3600) * G_USEC_PER_SEC)
/* Feeds that a condition names. */
#define NAMED_MAX 3U

uint64_t fw_feeds_now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_BOOTTIME, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

char *fw_feed_key(const char *alias, FwLiveSort sort)
{
        return g_strdup_printf("%s/%u", alias, sort);
}

static void name_free(void *p)
{
        FwFeedName *name = p;

        g_array_unref(name->addresses);
        g_free(name->error);
        g_free(name);
}

FwFeed *fw_feed_new(FwFeeds *feeds, const char *alias, FwLiveSort sort)
{
        FwFeed *feed = g_new0(FwFeed, 1);

        feed->feeds = feeds;
        feed->alias = g_strdup(alias);
        feed->sort = sort;
        feed->problems = g_ptr_array_new_with_free_func(g_free);
        if (sort == FW_LIVE_NAMES)
                feed->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, name_free);
        g_tree_insert(feeds->feeds, fw_feed_key(alias, sort), feed);
        return feed;
}

void fw_feed_end_job(FwFeed *feed)
{
        if (!feed->job)
                return;
        fw_feed_job_free(g_steal_pointer(&feed->job));
        feed->feeds->running--;
}

static void feed_free(void *p)
{
        FwFeed *feed = p;

        fw_feed_end_job(feed);
        g_free(feed->alias);
        g_free(feed->error);
        g_free(feed->etag);
        g_free(feed->modified);
        g_ptr_array_unref(feed->problems);
        g_clear_pointer(&feed->names, g_hash_table_unref);
        g_free(feed);
}

const Alias *fw_feed_alias(const FwFeed *feed)
{
        return feed->feeds->slice ? (const Alias *) pt_slice_get(feed->feeds->slice, &pt_kind_alias,
                                                                 feed->alias)
                                  : NULL;
}

FwLive *fw_feeds_live(const FwFeeds *feeds)
{
        return feeds->live;
}

/* When. */

static int timer_fires(sd_event_source *source, uint64_t usec, void *userdata);

void fw_feeds_arm(FwFeeds *feeds)
{
        uint64_t next = UINT64_MAX;

        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node;
             node = g_tree_node_next(node)) {
                const FwFeed *feed = g_tree_node_value(node);

                if (!feed->job && !feed->storing)
                        next = MIN(next, feed->due_usec);
        }
        feeds->timer = sd_event_source_disable_unref(feeds->timer);
        if (next != UINT64_MAX)
                (void) sd_event_add_time(feeds->config.event, &feeds->timer, CLOCK_BOOTTIME, next,
                                         ACCURACY_USEC, timer_fires, feeds);
}

static uint64_t retry_after(const FwFeed *feed, uint64_t most)
{
        unsigned doubled = MIN(feed->failures > 0 ? feed->failures - 1 : 0, 16U);

        return MIN((uint64_t) FW_FEED_RETRY_SEC * G_USEC_PER_SEC << doubled, most);
}

/* The first of its names that is due. */
static uint64_t names_due(const FwFeed *feed)
{
        uint64_t due = UINT64_MAX;
        GHashTableIter iter;
        FwFeedName *name;

        g_hash_table_iter_init(&iter, feed->names);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *) &name))
                due = MIN(due, name->due_usec);
        return due;
}

static void plan_next(FwFeed *feed)
{
        const Alias *alias = fw_feed_alias(feed);
        uint64_t now = fw_feeds_now(), refresh = UINT64_MAX;

        if (!alias)
                return;
        switch (feed->sort) {
        case FW_LIVE_URL:
                refresh = fw_url_refresh(&fw_alias_box(alias)->url);
                break;
        case FW_LIVE_NAMES:
                feed->due_usec = names_due(feed);
                if (feed->failures == 0)
                        return;
                refresh = FW_NAMES_CEILING_SEC * G_USEC_PER_SEC;
                break;
        case FW_LIVE_PLACES:
                refresh = PLACES_REFRESH_USEC;
                break;
        case FW_LIVE_LOCAL:
                feed->due_usec = UINT64_MAX;
                if (feed->failures == 0)
                        return;
                refresh = FW_FEED_RETRY_SEC * G_USEC_PER_SEC;
                break;
        case FW_LIVE_SORT_MAX:
        case FW_LIVE_SORT_INVALID:
                g_assert_not_reached();
        }
        feed->due_usec = now + (feed->failures > 0 ? retry_after(feed, refresh) : refresh);
}

/* What there is to tell of all. */
void fw_feeds_tell_stale(FwFeeds *feeds)
{
        g_autoptr(GString) text = g_string_new(NULL);
        unsigned n = 0;

        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node;
             node = g_tree_node_next(node)) {
                const FwFeed *feed = g_tree_node_value(node);

                if (!feed->error || ++n > NAMED_MAX)
                        continue;
                g_string_append_printf(text, "%sAlias/%s (%s): %s", n > 1 ? "; " : "", feed->alias,
                                       fw_live_sort_to_string(feed->sort), feed->error);
        }
        if (n > NAMED_MAX)
                g_string_append_printf(text, "; and %u more", n - NAMED_MAX);
        feeds->config.stale(n, n > 0 ? text->str : NULL, feeds->config.userdata);
}

/* An answer was worked up: good with `error` NULL. */
void fw_feed_settle(FwFeed *feed, bool changed, const char *error)
{
        FwFeeds *feeds = feed->feeds;
        bool told = (feed->error != NULL) != (error != NULL) || g_strcmp0(feed->error, error) != 0;
        char *text = g_strdup(error);

        if (error && told)
                pt_log(LOG_WARNING, "Alias/%s: its %s cannot be refreshed: %s; what it had stays",
                       feed->alias, fw_live_sort_to_string(feed->sort), error);
        feed->failures = error ? feed->failures + 1 : 0;
        feed->checked_usec = (uint64_t) g_get_real_time();
        g_free(feed->error);
        feed->error = text;
        plan_next(feed);
        if (feed->again || !pt_digest_equal(&feed->wanted, &feed->asked)) {
                feed->again = false;
                feed->due_usec = 0;
        }
        if (told)
                fw_feeds_tell_stale(feeds);
        feeds->config.refreshed(feed->alias, feed->sort, changed, error, feeds->config.userdata);
        fw_feeds_arm(feeds);
}

/* Asking. */

const FilterSettings *fw_feeds_settings(const FwFeeds *feeds)
{
        return (const FilterSettings *) pt_slice_get(feeds->slice, &pt_kind_filter_settings,
                                                     "default");
}

static void ask_local(FwFeed *feed, const Alias *alias)
{
        GArray *ranges = NULL;
        int r = fw_local_find(alias, &ranges);

        if (r < 0) {
                fw_feed_settle(feed, false, "the addresses of interfaces cannot be read");
                return;
        }
        fw_feed_put_ranges(feed, (FwAliasType) alias->type, ranges, NULL);
}

static void ask(FwFeed *feed)
{
        const Alias *alias = fw_feed_alias(feed);
        FwFetchRequest request = {.present = UINT64_C(1) << FW_REQUEST_SORT,
                                  .sort = (int) feed->sort};
        bool same = pt_digest_equal(&feed->config, &feed->wanted);
        int r;

        feed->asked = feed->wanted;
        if (!alias) {
                feed->due_usec = UINT64_MAX;
                return;
        }
        if (feed->sort == FW_LIVE_LOCAL) {
                ask_local(feed, alias);
                return;
        }
        if (feed->sort == FW_LIVE_URL && same && feed->etag) {
                request.present |= UINT64_C(1) << FW_REQUEST_ETAG;
                request.etag = feed->etag;
        }
        if (feed->sort == FW_LIVE_URL && same && feed->modified) {
                request.present |= UINT64_C(1) << FW_REQUEST_MODIFIED;
                request.modified = feed->modified;
        }
        if (feed->sort == FW_LIVE_PLACES) {
                const FilterSettings *settings = fw_feeds_settings(feed->feeds);

                request.present |=
                        UINT64_C(1) << FW_REQUEST_DATABASE | UINT64_C(1) << FW_REQUEST_ASN_DATABASE;
                request.database = (char *) (uintptr_t) fw_settings_geoip_database(settings);
                request.asn_database = (char *) (uintptr_t) fw_settings_asn_database(settings);
        }
        r = fw_feed_job_start(feed, &request, alias, fw_feed_answered, &feed->job);
        if (r < 0) {
                g_autofree char *why = g_strdup_printf("%s cannot be reached: %s",
                                                       feed->feeds->helper, strerror(-r));

                fw_feed_settle(feed, false, why);
                return;
        }
        feed->feeds->running++;
}

static FwFeed *next_due(const FwFeeds *feeds, uint64_t now)
{
        FwFeed *first = NULL;

        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node;
             node = g_tree_node_next(node)) {
                FwFeed *feed = g_tree_node_value(node);

                if (feed->job || feed->storing || feed->due_usec > now)
                        continue;
                if (feed->sort != FW_LIVE_LOCAL && feeds->running >= FW_FEED_JOBS_MAX)
                        continue;
                if (!first || feed->due_usec < first->due_usec)
                        first = feed;
        }
        return first;
}

static int timer_fires(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwFeeds *feeds = userdata;
        uint64_t now = fw_feeds_now();
        FwFeed *feed;

        feeds->timer = sd_event_source_disable_unref(feeds->timer);
        while (feeds->slice && (feed = next_due(feeds, now)))
                ask(feed);
        /* The end of a job arms it anew. */
        if (feeds->running < FW_FEED_JOBS_MAX)
                fw_feeds_arm(feeds);
        return 0;
}

void fw_feeds_hurry(FwFeeds *feeds, FwLiveSort sort)
{
        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node;
             node = g_tree_node_next(node)) {
                FwFeed *feed = g_tree_node_value(node);

                if (feed->sort != sort)
                        continue;
                feed->again = feed->job || feed->storing;
                feed->due_usec = 0;
        }
        fw_feeds_arm(feeds);
}

int fw_feeds_refresh(FwFeeds *feeds, const char *alias)
{
        bool any = false;

        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++) {
                g_autofree char *key = fw_feed_key(alias, sort);
                FwFeed *feed = g_tree_lookup(feeds->feeds, key);

                if (!feed)
                        continue;
                any = true;
                /* All of it, whatever the server thinks that we have. */
                g_clear_pointer(&feed->etag, g_free);
                g_clear_pointer(&feed->modified, g_free);
                feed->again = feed->job || feed->storing;
                feed->due_usec = 0;
        }
        fw_feeds_arm(feeds);
        return any ? 0 : -ENOENT;
}

/* Telling. */

void fw_feeds_list(const FwFeeds *feeds, const char *alias, FwLiveSort sort,
                   bool (*each)(const FwFeedState *state, void *userdata), void *userdata)
{
        g_autofree char *key = alias ? fw_feed_key(alias, sort) : NULL;
        GTreeNode *node =
                key ? g_tree_upper_bound(feeds->feeds, key) : g_tree_node_first(feeds->feeds);
        uint64_t boot = fw_feeds_now(), real = (uint64_t) g_get_real_time();

        for (; node; node = g_tree_node_next(node)) {
                const FwFeed *feed = g_tree_node_value(node);
                const FwLiveItem *item = fw_live_get(feeds->live, feed->alias, feed->sort);
                char digest[PT_DIGEST_HEX + 1];
                FwFeedState state = {
                        .alias = feed->alias,
                        .sort = feed->sort,
                        .running = feed->job || feed->storing,
                        .entries = feed->entries,
                        .changed_usec = feed->changed_usec,
                        .checked_usec = feed->checked_usec,
                        .error = feed->error,
                        .problems = feed->problems,
                        .n_problems = feed->n_problems,
                };

                if (feed->due_usec != UINT64_MAX)
                        state.next_usec =
                                real + (feed->due_usec > boot ? feed->due_usec - boot : 0);
                if (item) {
                        pt_digest_to_hex(&item->id, digest);
                        state.digest = item->digest[0] ? item->digest : digest;
                }
                if (!each(&state, userdata))
                        return;
        }
}

/* The whole. */

static int compare_keys(const void *a, const void *b, void *userdata)
{
        return strcmp(a, b);
}

static void storing_free(void *p)
{
        fw_storing_free(p);
}

int fw_feeds_new(const FwFeedsConfig *config, FwFeeds **ret)
{
        g_autoptr(FwFeeds) feeds = g_new0(FwFeeds, 1);
        int r;

        feeds->config = *config;
        feeds->folder = g_strdup(config->folder);
        feeds->helper = g_strdup(config->helper);
        feeds->live = fw_live_new(config->folder);
        feeds->feeds = g_tree_new_full(compare_keys, NULL, g_free, feed_free);
        feeds->queue = g_ptr_array_new_with_free_func(storing_free);
        feeds->dir = -EBADF;
        if (mkdir(config->folder, 0700) < 0 && errno != EEXIST)
                return -errno;
        feeds->dir = open(config->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (feeds->dir < 0)
                return -errno;
        r = fw_feeds_load(feeds);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&feeds);
        return 0;
}

int fw_feeds_watch_local(FwFeeds *feeds)
{
        return feeds->local ? 0 : fw_local_new(feeds, &feeds->local);
}

void fw_feeds_free(FwFeeds *feeds)
{
        if (!feeds)
                return;
        fw_local_free(feeds->local);
        for (unsigned i = 0; i < G_N_ELEMENTS(feeds->watches); i++)
                sd_event_source_disable_unref(feeds->watches[i]);
        sd_event_source_disable_unref(feeds->writer);
        sd_event_source_disable_unref(feeds->timer);
        g_ptr_array_unref(feeds->queue);
        g_tree_unref(feeds->feeds);
        fw_live_unref(feeds->live);
        pt_slice_unref(feeds->slice);
        if (feeds->dir >= 0)
                close(feeds->dir);
        g_free(feeds->folder);
        g_free(feeds->helper);
        g_free(feeds);
}
