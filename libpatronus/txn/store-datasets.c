/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The datasets beside the revisions: which of them the kept revisions need, and which can go. */

#include "txn/store-datasets.h"
#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPORARY ".tmp"

int pt_store_datasets_open(int dirfd)
{
        pt_auto_fd int fd = -EBADF;

        if (mkdirat(dirfd, PT_DATASET_FOLDER, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(dirfd, PT_DATASET_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* Daemons of other users pass through it, whatever the umask says. */
        if (fd < 0 || fchmod(fd, 0755) < 0)
                return -errno;
        return pt_steal_fd(&fd);
}

int pt_store_datasets_fd(const PtStore *store)
{
        return store->datasets_fd;
}

gid_t pt_store_datasets_gid(const PtStore *store)
{
        return store->datasets_shared ? PT_DATASET_NO_GROUP : store->datasets_gid;
}

int pt_store_open_dataset(const PtStore *store, const char *digest, PtDataset **ret)
{
        PtDigest expected;
        int fd;

        if (pt_digest_from_hex(digest, &expected) < 0)
                return -EINVAL;
        fd = openat(store->datasets_fd, digest, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return pt_dataset_open_fd(fd, &expected, ret);
}

/* References of a configuration: digest to number of rows that hold it. */

static GHashTable *new_references(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static int add_reference(const char *digest, const char *pointer, void *userdata)
{
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(userdata, digest));

        (void) pointer;
        g_hash_table_insert(userdata, g_strdup(digest), GUINT_TO_POINTER(n + 1));
        return 0;
}

static int drop_reference(const char *digest, const char *pointer, void *userdata)
{
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(userdata, digest));

        (void) pointer;
        if (n > 1)
                g_hash_table_insert(userdata, g_strdup(digest), GUINT_TO_POINTER(n - 1));
        else
                g_hash_table_remove(userdata, digest);
        return 0;
}

static int add_references(const PtObject *object, void *userdata)
{
        return pt_object_foreach_dataset(object, add_reference, userdata);
}

static int change_references(const PtObject *before, const PtObject *after, void *userdata)
{
        if (before)
                (void) pt_object_foreach_dataset(before, drop_reference, userdata);
        if (after)
                (void) pt_object_foreach_dataset(after, add_reference, userdata);
        return 0;
}

GHashTable *pt_store_dataset_references(const PtSlice *slice)
{
        GHashTable *references = new_references();

        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (pt_kind_has_dataset(*kind) && pt_slice_count(slice, *kind) > 0)
                        (void) pt_slice_foreach(slice, *kind, add_references, references);
        return references;
}

static GHashTable *copy_references(GHashTable *references)
{
        GHashTable *copy = new_references();
        GHashTableIter iter;
        void *digest, *n;

        g_hash_table_iter_init(&iter, references);
        while (g_hash_table_iter_next(&iter, &digest, &n))
                g_hash_table_insert(copy, g_strdup(digest), n);
        return copy;
}

static int compare_digests(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

int pt_store_datasets_intend(PtStore *store, PtStoreRevision *revision, const PtSlice *before,
                             const PtSlice *after)
{
        GHashTableIter iter;
        PtDigest root;
        void *digest;

        pt_slice_root(before, &root);
        if (!store->references || !pt_digest_equal(&root, &store->references_root)) {
                g_clear_pointer(&store->references, g_hash_table_unref);
                store->references = pt_store_dataset_references(before);
                store->references_root = root;
        }
        g_clear_pointer(&store->references_next, g_hash_table_unref);
        store->references_next = copy_references(store->references);
        pt_slice_compare(before, after, change_references, store->references_next);
        if (g_hash_table_size(store->references_next) > PT_STORE_DATASETS_MAX)
                return -EFBIG;
        g_hash_table_iter_init(&iter, store->references_next);
        while (g_hash_table_iter_next(&iter, &digest, NULL))
                g_ptr_array_add(revision->datasets, g_strdup(digest));
        g_ptr_array_sort(revision->datasets, compare_digests);
        return 0;
}

void pt_store_datasets_decide(PtStore *store, const PtStoreRevision *revision)
{
        if (!store->references_next)
                return;
        g_clear_pointer(&store->references, g_hash_table_unref);
        store->references = g_steal_pointer(&store->references_next);
        store->references_root = revision->info.root;
}

/* Files. */

static void count_revision(GHashTable *needed, const PtStoreRevision *revision)
{
        for (unsigned i = 0; i < revision->datasets->len; i++)
                (void) add_reference(g_ptr_array_index(revision->datasets, i), NULL, needed);
}

/* Digests that kept revisions or the intent need, to the number of those. */
static GHashTable *needed_by_revisions(const PtStore *store)
{
        GHashTable *needed = new_references();

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);

                if (revision->info.state == PT_REVISION_DECIDED)
                        count_revision(needed, revision);
        }
        if (store->pending)
                count_revision(needed, store->pending);
        return needed;
}

/* Calls `each` for the regular files of the folder, in no order. */
static int foreach_file(const PtStore *store,
                        int (*each)(const PtStore *store, const char *name, const struct stat *st,
                                    void *userdata),
                        void *userdata)
{
        pt_cleanup(pt_closedirp) DIR *dir = NULL;
        const struct dirent *entry;
        int fd = openat(store->datasets_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

        if (fd < 0)
                return -errno;
        dir = fdopendir(fd);
        if (!dir) {
                close(fd);
                return -ENOMEM;
        }
        while (r >= 0 && (entry = readdir(dir))) {
                struct stat st;

                if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                    S_ISREG(st.st_mode))
                        r = each(store, entry->d_name, &st, userdata);
        }
        return r;
}

static uint64_t time_of(const struct stat *st)
{
        return st->st_mtim.tv_sec < 0 ? 0
                                      : (uint64_t) st->st_mtim.tv_sec * G_USEC_PER_SEC +
                                                (uint64_t) st->st_mtim.tv_nsec / 1000;
}

static bool is_digest(const char *name)
{
        PtDigest digest;

        return pt_digest_from_hex(name, &digest) >= 0;
}

typedef struct Listing {
        GHashTable *needed;
        GPtrArray *list;
        GHashTable *found; /* digests, borrowed from the list */
} Listing;

static PtStoreDataset *add_entry(const Listing *listing, const char *digest)
{
        PtStoreDataset *entry = g_new0(PtStoreDataset, 1);

        memcpy(entry->digest, digest, sizeof(entry->digest));
        entry->revisions = GPOINTER_TO_UINT(g_hash_table_lookup(listing->needed, digest));
        g_ptr_array_add(listing->list, entry);
        return entry;
}

static int list_file(const PtStore *store, const char *name, const struct stat *st, void *userdata)
{
        const Listing *listing = userdata;
        g_autoptr(PtDataset) dataset = NULL;
        PtStoreDataset *entry;
        PtDigest digest;
        int fd;

        if (pt_digest_from_hex(name, &digest) < 0)
                return 0;
        entry = add_entry(listing, name);
        g_hash_table_add(listing->found, entry->digest);
        entry->time_usec = time_of(st);
        entry->size = (uint64_t) st->st_size;
        fd = openat(store->datasets_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        entry->damaged = fd < 0 || pt_dataset_open_fd(fd, &digest, &dataset) < 0;
        if (!entry->damaged)
                entry->header = *pt_dataset_header(dataset);
        return 0;
}

static int compare_entries(const void *a, const void *b)
{
        const PtStoreDataset *const *x = a, *const *y = b;

        return strcmp((*x)->digest, (*y)->digest);
}

int pt_store_list_datasets(const PtStore *store, GPtrArray **ret)
{
        g_autoptr(GHashTable) needed = needed_by_revisions(store);
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GHashTable) found = g_hash_table_new(g_str_hash, g_str_equal);
        Listing listing = {needed, list, found};
        int r = foreach_file(store, list_file, &listing);
        GHashTableIter iter;
        void *digest;

        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, needed);
        while (g_hash_table_iter_next(&iter, &digest, NULL))
                if (!g_hash_table_contains(found, digest)) /* lost */
                        add_entry(&listing, digest)->damaged = true;
        g_ptr_array_sort(list, compare_entries);
        *ret = g_steal_pointer(&list);
        return 0;
}

static int measure_file(const PtStore *store, const char *name, const struct stat *st,
                        void *userdata)
{
        uint64_t *totals = userdata;

        (void) store;
        (void) name;
        totals[0]++;
        totals[1] += (uint64_t) st->st_size;
        return 0;
}

int pt_store_datasets_room(const PtStore *store)
{
        uint64_t totals[2] = {};
        int r = foreach_file(store, measure_file, totals);

        if (r < 0)
                return r;
        return totals[0] >= PT_STORE_DATASETS_MAX || totals[1] >= PT_STORE_DATASETS_SIZE_MAX
                       ? -ENOSPC
                       : 0;
}

int pt_store_delete_dataset(PtStore *store, const char *digest)
{
        g_autoptr(GHashTable) needed = NULL;

        if (!is_digest(digest))
                return -ENOENT;
        needed = needed_by_revisions(store);
        if (g_hash_table_contains(needed, digest))
                return -EBUSY;
        return unlinkat(store->datasets_fd, digest, 0) < 0 ? -errno : 0;
}

typedef struct Collection {
        GHashTable *needed;
        uint64_t before_usec;
        bool (*used)(const char *digest, void *userdata);
        void *userdata;
        unsigned deleted, waiting;
} Collection;

static int collect_file(const PtStore *store, const char *name, const struct stat *st,
                        void *userdata)
{
        Collection *collection = userdata;
        bool digest = is_digest(name);

        if (digest ? g_hash_table_contains(collection->needed, name)
                   : !g_str_has_suffix(name, TEMPORARY))
                return 0;
        if (time_of(st) >= collection->before_usec) {
                collection->waiting++;
                return 0;
        }
        if (digest && collection->used && collection->used(name, collection->userdata)) {
                collection->waiting++;
                return 0;
        }
        if (unlinkat(store->datasets_fd, name, 0) < 0)
                return -errno;
        collection->deleted++;
        return 0;
}

int pt_store_collect_datasets(PtStore *store, uint64_t before_usec,
                              bool (*used)(const char *digest, void *userdata), void *userdata,
                              unsigned *ret_waiting)
{
        g_autoptr(GHashTable) needed = needed_by_revisions(store);
        Collection collection = {
                .needed = needed,
                .before_usec = before_usec,
                .used = used,
                .userdata = userdata,
        };
        int r = foreach_file(store, collect_file, &collection);

        if (r < 0)
                return r;
        if (collection.deleted > 0)
                pt_log(LOG_INFO, "deleted %u datasets that nothing refers to", collection.deleted);
        *ret_waiting = collection.waiting;
        return (int) collection.deleted;
}
