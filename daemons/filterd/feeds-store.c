/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What feeds gave, on the disk: the index, a line of JSON for each feed (and for each name of one),
 * and the datasets that it names. A child writes, one at a time, first the dataset and then the
 * index: so the index never names what is not there.
 */

#include "feeds-internal.h"

#include "base/io.h"
#include "base/log.h"
#include "kind/field.h"
#include "kind/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Bytes of the index: as many feeds, some with lists. */
#define INDEX_MAX (64U * 1024U * 1024U)
/* A file that nobody names any more stays for those who began to read it. */
#define GRACE_SEC 600
#define COPY_SIZE 65536U

typedef struct Kept {
        uint64_t present;
        char *alias;
        int sort, type;
        char *config, *digest;
        uint32_t changed; /* seconds of CLOCK_REALTIME */
        uint32_t entries;
        char *etag, *modified;
        PtList ranges; /* PtAddressRange */
        char *name;
} Kept;

enum {
        KEPT_ALIAS,
        KEPT_SORT,
        KEPT_TYPE,
        KEPT_CONFIG,
        KEPT_DIGEST,
        KEPT_CHANGED,
        KEPT_ENTRIES,
        KEPT_ETAG,
        KEPT_MODIFIED,
        KEPT_RANGES,
        KEPT_NAME,
};

static const PtChoice sorts[] = {
        {"url", FW_LIVE_URL, ""},
        {"names", FW_LIVE_NAMES, ""},
        {"local", FW_LIVE_LOCAL, ""},
        {"places", FW_LIVE_PLACES, ""},
        {},
};

/* clang-format off */
static const PtField kept_rows[] = {
        [KEPT_ALIAS] = PT_FIELD(Kept, name, alias, "alias", PT_F_REQUIRED),
        [KEPT_SORT] = PT_FIELD(Kept, enum, sort, "sort", PT_F_REQUIRED, .choices = sorts),
        [KEPT_TYPE] = PT_FIELD(Kept, enum, type, "type", PT_F_REQUIRED, .choices = fw_alias_types),
        [KEPT_CONFIG] = PT_FIELD(Kept, dataset, config, "config", 0),
        [KEPT_DIGEST] = PT_FIELD(Kept, dataset, digest, "digest", 0),
        [KEPT_CHANGED] = PT_FIELD(Kept, u32, changed, "changed", 0),
        [KEPT_ENTRIES] = PT_FIELD(Kept, u32, entries, "entries", 0),
        [KEPT_ETAG] = PT_FIELD(Kept, string, etag, "etag", 0, .max = FW_FETCH_TEXT_MAX),
        [KEPT_MODIFIED] = PT_FIELD(Kept, string, modified, "modified", 0,
                .max = FW_FETCH_TEXT_MAX),
        [KEPT_RANGES] = PT_FIELD(Kept, address_range, ranges, "ranges", PT_F_LIST | PT_F_ORDERED,
                .max_items = FW_FETCH_ADDRESSES_ALL_MAX),
        [KEPT_NAME] = PT_FIELD(Kept, fqdn, name, "name", 0),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(kept_rows) == KEPT_NAME + 2);

static void kept_done(Kept *kept)
{
        pt_fields_done(kept_rows, kept, kept->present);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Kept, kept_done)

/* Writing. */

#define BIT(field) (UINT64_C(1) << (field))

static void write_line(const Kept *kept, GString *out)
{
        pt_fields_to_canonical(kept_rows, kept, kept->present, out);
        g_string_append_c(out, '\n');
}

static void write_names(const FwFeed *feed, const Kept *base, GString *out)
{
        GHashTableIter iter;
        gpointer name;
        FwFeedName *entry;

        g_hash_table_iter_init(&iter, feed->names);
        while (g_hash_table_iter_next(&iter, &name, (gpointer *) &entry)) {
                Kept kept = *base;

                kept.present = BIT(KEPT_ALIAS) | BIT(KEPT_SORT) | BIT(KEPT_TYPE) | BIT(KEPT_NAME);
                kept.name = name;
                if (entry->addresses->len > 0) {
                        kept.present |= BIT(KEPT_RANGES);
                        kept.ranges = (PtList){.items = entry->addresses->data,
                                               .n = entry->addresses->len};
                }
                write_line(&kept, out);
        }
}

typedef struct Indexer {
        const FwLive *live;
        GString *out;
} Indexer;

static gboolean index_feed(gpointer key, gpointer value, gpointer userdata)
{
        Indexer *indexer = userdata;
        const FwFeed *feed = value;
        const FwLiveItem *item = fw_live_get(indexer->live, feed->alias, feed->sort);
        char config[PT_DIGEST_HEX + 1];
        Kept kept = {
                .present = BIT(KEPT_ALIAS) | BIT(KEPT_SORT) | BIT(KEPT_TYPE) | BIT(KEPT_CONFIG) |
                           BIT(KEPT_CHANGED) | BIT(KEPT_ENTRIES),
                .alias = feed->alias,
                .sort = feed->sort,
                .config = config,
                .changed = (uint32_t) (feed->changed_usec / G_USEC_PER_SEC),
                .entries = (uint32_t) feed->entries,
                .etag = feed->etag,
                .modified = feed->modified,
        };

        if (!item)
                return FALSE;
        kept.type = (int) item->type;
        pt_digest_to_hex(&feed->config, config);
        kept.present |=
                (feed->etag ? BIT(KEPT_ETAG) : 0) | (feed->modified ? BIT(KEPT_MODIFIED) : 0);
        if (item->digest[0]) {
                kept.present |= BIT(KEPT_DIGEST);
                kept.digest = (char *) (uintptr_t) item->digest;
        } else if (feed->sort == FW_LIVE_LOCAL && item->ranges->len > 0) {
                kept.present |= BIT(KEPT_RANGES);
                kept.ranges = (PtList){.items = item->ranges->data, .n = item->ranges->len};
        }
        write_line(&kept, indexer->out);
        if (feed->names)
                write_names(feed, &kept, indexer->out);
        return FALSE;
}

static int copy_dataset(int dir, const FwStoring *storing)
{
        char name[PT_DIGEST_HEX + 1], bytes[COPY_SIZE];
        g_autofree char *temporary = NULL;
        pt_auto_fd int fd = -EBADF;
        off_t at = 0;
        ssize_t n;
        int r = 0;

        pt_digest_to_hex(&storing->digest, name);
        temporary = g_strdup_printf("%s.tmp", name);
        fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        while (r >= 0 && (n = pread(storing->dataset, bytes, sizeof(bytes), at)) > 0) {
                r = pt_write_all(fd, bytes, (size_t) n);
                at += n;
        }
        if (r >= 0 && (fsync(fd) < 0 || renameat(dir, temporary, dir, name) < 0))
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir, temporary, 0);
        return r;
}

static int write_all(int dir, const FwStoring *storing, const GString *index)
{
        int r = storing->dataset >= 0 ? copy_dataset(dir, storing) : 0;

        return r < 0 ? r : pt_replace_file(dir, FW_FEEDS_INDEX, index->str, index->len, 0600);
}

/* Files that nothing names, and that were not named for a while. */
static void tidy(FwFeeds *feeds)
{
        g_autoptr(GHashTable) named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        struct timespec now;
        struct dirent *entry;
        DIR *folder = fdopendir(openat(feeds->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

        if (!folder)
                return;
        for (GTreeNode *node = g_tree_node_first(feeds->feeds); node;
             node = g_tree_node_next(node)) {
                const FwFeed *feed = g_tree_node_value(node);
                const FwLiveItem *item = fw_live_get(feeds->live, feed->alias, feed->sort);

                if (item)
                        g_hash_table_add(named, g_strdup(item->digest));
        }
        clock_gettime(CLOCK_REALTIME, &now);
        while ((entry = readdir(folder))) {
                struct stat st;

                if (strlen(entry->d_name) < PT_DIGEST_HEX ||
                    g_hash_table_contains(named, entry->d_name) ||
                    fstatat(feeds->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (st.st_mtim.tv_sec + GRACE_SEC < now.tv_sec || st.st_mtim.tv_sec > now.tv_sec)
                        (void) unlinkat(feeds->dir, entry->d_name, 0);
        }
        closedir(folder);
}

FwStoring *fw_storing_new(const FwFeed *feed, FwAliasType type)
{
        FwStoring *storing = g_new0(FwStoring, 1);

        storing->key = fw_feed_key(feed->alias, feed->sort);
        storing->type = type;
        storing->dataset = -EBADF;
        return storing;
}

void fw_storing_free(FwStoring *storing)
{
        if (!storing)
                return;
        if (storing->dataset >= 0)
                close(storing->dataset);
        g_clear_pointer(&storing->ranges, g_array_unref);
        g_free(storing->key);
        g_free(storing);
}

/* With what is about to be stored. */
static FwLive *with(const FwFeeds *feeds, const FwFeed *feed, const FwStoring *storing)
{
        FwLive *next = fw_live_copy(feeds->live);
        char name[PT_DIGEST_HEX + 1];

        if (storing->dataset >= 0) {
                pt_digest_to_hex(&storing->digest, name);
                fw_live_set_dataset(next, feed->alias, feed->sort, storing->type, name);
        } else {
                fw_live_set_ranges(next, feed->alias, feed->sort, storing->type,
                                   (const PtAddressRange *) (void *) storing->ranges->data,
                                   storing->ranges->len);
        }
        return next;
}

/* What it had before may be read for a while yet: its file's time is that from which on nothing
 * names it. */
static void take_over(FwFeeds *feeds, const FwFeed *feed, const FwStoring *storing)
{
        const FwLiveItem *old = fw_live_get(feeds->live, feed->alias, feed->sort);
        FwLive *next = with(feeds, feed, storing);

        if (old && old->digest[0])
                (void) utimensat(feeds->dir, old->digest, NULL, AT_SYMLINK_NOFOLLOW);
        fw_live_unref(feeds->live);
        feeds->live = next;
}

static void pump(FwFeeds *feeds);

static void stored(FwFeeds *feeds, int result)
{
        FwStoring *storing = g_ptr_array_steal_index(feeds->queue, 0);
        FwFeed *feed = g_tree_lookup(feeds->feeds, storing->key);

        if (feed) {
                if (result < 0)
                        feed->entries = storing->entries_before;
                else
                        take_over(feeds, feed, storing);
                fw_feed_stored(feed, storing, result);
        }
        fw_storing_free(storing);
        tidy(feeds);
        pump(feeds);
}

static int writer_ended(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        FwFeeds *feeds = userdata;

        feeds->writer = sd_event_source_disable_unref(feeds->writer);
        stored(feeds, si->si_code != CLD_EXITED ? -EIO : -si->si_status);
        return 0;
}

static int start_writer(FwFeeds *feeds, const FwFeed *feed, const FwStoring *storing)
{
        g_autoptr(GString) index = g_string_new(NULL);
        g_autoptr(FwLive) next = with(feeds, feed, storing);
        Indexer indexer = {next, index};
        pid_t parent = getpid(), pid;

        g_tree_foreach(feeds->feeds, index_feed, &indexer);
        pid = fork();
        if (pid == 0) {
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                        _exit(EIO);
                _exit(-write_all(feeds->dir, storing, index));
        }
        return pid < 0 ? -errno
                       : sd_event_add_child(feeds->config.event, &feeds->writer, pid, WEXITED,
                                            writer_ended, feeds);
}

/* The next of those that wait. */
static void pump(FwFeeds *feeds)
{
        while (!feeds->writer && feeds->queue->len > 0) {
                FwStoring *storing = g_ptr_array_index(feeds->queue, 0);
                FwFeed *feed = g_tree_lookup(feeds->feeds, storing->key);
                int r;

                if (!feed) {
                        g_ptr_array_remove_index(feeds->queue, 0);
                        continue;
                }
                storing->entries_before = feed->entries;
                feed->entries = storing->entries;
                r = start_writer(feeds, feed, storing);
                if (r >= 0)
                        return;
                stored(feeds, r); /* which goes on with the next */
                return;
        }
}

void fw_feeds_store(FwFeeds *feeds, FwStoring *storing)
{
        g_ptr_array_add(feeds->queue, storing);
        pump(feeds);
}

/* Reading. */

/* Whether the file is there, whole, and fits. */
static bool is_whole(const FwFeeds *feeds, const char *digest)
{
        g_autoptr(PtDataset) dataset = NULL;
        PtDigest expected;
        int fd = openat(feeds->dir, digest, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return false;
        if (pt_digest_from_hex(digest, &expected) < 0) {
                close(fd);
                return false;
        }
        return pt_dataset_open_fd(fd, &expected, &dataset) == 0 && pt_dataset_verify(dataset) == 0;
}

static void load_name(FwFeed *feed, const Kept *kept)
{
        FwFeedName *name = g_new0(FwFeedName, 1);

        name->addresses = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
        if (kept->ranges.n > 0)
                g_array_append_vals(name->addresses, kept->ranges.items, kept->ranges.n);
        g_hash_table_replace(feed->names, g_strdup(kept->name), name);
}

static void load_contents(FwFeeds *feeds, FwFeed *feed, const Kept *kept)
{
        if (kept->digest && is_whole(feeds, kept->digest))
                fw_live_set_dataset(feeds->live, kept->alias, feed->sort, (FwAliasType) kept->type,
                                    kept->digest);
        else if (kept->digest)
                pt_log(LOG_WARNING, "what was kept of Alias/%s is damaged: it is asked for again",
                       kept->alias);
        else if (feed->sort == FW_LIVE_LOCAL)
                fw_live_set_ranges(feeds->live, kept->alias, feed->sort, (FwAliasType) kept->type,
                                   kept->ranges.items, kept->ranges.n);
        if (kept->config)
                (void) pt_digest_from_hex(kept->config, &feed->config);
        feed->changed_usec = (uint64_t) kept->changed * G_USEC_PER_SEC;
        feed->entries = kept->entries;
        if (fw_live_get(feeds->live, kept->alias, feed->sort)) {
                feed->etag = g_strdup(kept->etag);
                feed->modified = g_strdup(kept->modified);
        }
}

static int load_line(FwFeeds *feeds, const char *text, size_t size)
{
        g_autofree char *key = NULL;
        pt_auto_json *json = NULL;
        g_auto(Kept) kept = {0};
        FwFeed *feed;
        int r = pt_json_parse(text, size, NULL, &json);

        if (r >= 0)
                r = pt_fields_from_json(kept_rows, json, "", NULL, &kept, &kept.present);
        if (r < 0)
                return r;
        key = fw_feed_key(kept.alias, (FwLiveSort) kept.sort);
        feed = g_tree_lookup(feeds->feeds, key);
        if (!feed && g_tree_nnodes(feeds->feeds) >= (int) FW_FEEDS_MAX)
                return -E2BIG;
        feed = feed ?: fw_feed_new(feeds, kept.alias, (FwLiveSort) kept.sort);
        if (!kept.name)
                load_contents(feeds, feed, &kept);
        else if (feed->names)
                load_name(feed, &kept);
        feed->type = (FwAliasType) kept.type;
        return 0;
}

static gboolean gather(gpointer key, gpointer value, gpointer userdata)
{
        FwFeed *feed = value;

        if (feed->names && feed->changed_usec > 0) {
                g_autoptr(GArray) all = fw_feed_addresses(feed);

                fw_live_set_ranges(feed->feeds->live, feed->alias, feed->sort, feed->type,
                                   (const PtAddressRange *) (void *) all->data, all->len);
        }
        return FALSE;
}

int fw_feeds_load(FwFeeds *feeds)
{
        g_autofree char *text = NULL;
        size_t size, lines = 0;
        int r = pt_read_file(feeds->dir, FW_FEEDS_INDEX, INDEX_MAX, &text, &size);

        for (const char *at = text; r >= 0 && at < text + size;) {
                const char *end = memchr(at, '\n', (size_t) (text + size - at));

                lines++;
                r = end ? load_line(feeds, at, (size_t) (end - at)) : -EBADMSG;
                at = end ? end + 1 : text + size;
        }
        g_tree_foreach(feeds->feeds, gather, NULL);
        if (r < 0 && r != -ENOENT)
                pt_log(LOG_WARNING,
                       "the index of what aliases held cannot be read at line %zu (%s): what it "
                       "does not tell is asked for again",
                       lines, strerror(-r));
        return 0;
}
