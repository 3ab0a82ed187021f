/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Upkeep, off the commit path: snapshots, retention and a short journal. */

#include "txn/store-internal.h"

#include <inttypes.h>
#include <string.h>

/* Deltas of fewer bytes are read in a moment, however small the snapshot is. */
#define DELTA_SIZE_MIN (64U * 1024U)

static bool snapshot_due(const PtStore *store, const PtStoreDaemon *daemon, unsigned factor)
{
        if (daemon->measured != store->decided || daemon->deltas == 0)
                return false;
        return daemon->deltas >= (uint64_t) PT_STORE_DELTAS_MAX * factor ||
               daemon->delta_size > factor * MAX(daemon->snapshot_size / 2, DELTA_SIZE_MIN);
}

static unsigned count_state(const PtStore *store, PtRevisionState state)
{
        unsigned n = 0;

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);

                n += revision->info.state == state;
        }
        return n;
}

/* How many of `count` decided revisions are to be kept, the newest ones. */
static unsigned to_keep(const PtStore *store, unsigned count)
{
        uint64_t now = (uint64_t) g_get_real_time(),
                 since = now - MIN(now, PT_STORE_REVISIONS_DAY_USEC);
        unsigned older = 0;

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);

                if (revision->info.state != PT_REVISION_DECIDED)
                        continue;
                /* All that follow stay too: a chain has no holes. */
                if (pt_store_is_confirmed(revision) && revision->info.confirmed_usec >= since)
                        break;
                older++;
        }
        return CLAMP(count - older, PT_STORE_REVISIONS_KEPT, PT_STORE_REVISIONS_MAX);
}

/* Later than it could be by one chain, so that deletions come in batches. */
static bool retention_due(const PtStore *store, unsigned factor)
{
        unsigned count = count_state(store, PT_REVISION_DECIDED);

        return count > to_keep(store, count) + factor * PT_STORE_DELTAS_MAX;
}

static bool journal_due(const PtStore *store, unsigned factor)
{
        return pt_journal_size(store->journal) > (size_t) factor * PT_STORE_JOURNAL_MAX;
}

bool pt_store_overdue(const PtStore *store, unsigned factor)
{
        for (unsigned i = 0; i < store->daemons->len; i++)
                if (snapshot_due(store, g_ptr_array_index(store->daemons, i), factor))
                        return true;
        return retention_due(store, factor) || journal_due(store, factor);
}

/* The decided revision's delta of a daemon becomes a snapshot, in place. */
static int write_snapshot(PtStore *store, PtStoreDaemon *daemon)
{
        const PtStoreRevision *revision = pt_store_find(store, store->decided);
        g_autoptr(GArray) numbers = NULL;
        g_autoptr(PtSlice) slice = NULL;
        PtStoreReader reader;
        uint64_t bad;
        int r = 0;

        if (daemon->slice && pt_digest_equal(&daemon->whole, &revision->info.root)) {
                slice = pt_slice_ref(daemon->slice);
        } else {
                pt_store_reader(store, &reader, &numbers);
                r = pt_store_read(&reader, store->decided, daemon->name, NULL, &slice, &bad);
        }
        if (r >= 0)
                r = pt_store_write_slice(store->revisions_fd, store->decided, daemon->name,
                                         daemon->gid, &store->warned, NULL, slice, true);
        if (r >= 0)
                daemon->measured = 0; /* anew, at the next intent */
        return r;
}

/* The oldest revision whose files a revision needs; 0 if they are not whole. */
static uint64_t oldest_needed(const PtStore *store, const PtStoreRevision *revision)
{
        uint64_t oldest = revision->info.number;
        g_autoptr(GArray) numbers = NULL;
        PtStoreReader reader;

        pt_store_reader(store, &reader, &numbers);
        for (unsigned i = 0; i < revision->slices->len; i++) {
                const PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);
                pt_cleanup(pt_store_chain_clear) PtStoreChain chain = {0};
                uint64_t bad;

                if (pt_store_walk(&reader, revision->info.number, slice->daemon, NULL, &chain,
                                  &bad) < 0)
                        return 0;
                oldest =
                        MIN(oldest, g_array_index(chain.numbers, uint64_t, chain.numbers->len - 1));
        }
        return oldest;
}

static int delete_below(PtStore *store, uint64_t oldest)
{
        g_autofree char *record = pt_store_record_mark("retired", oldest);
        int r = pt_journal_append(store->journal, record);

        if (r < 0)
                return r;
        store->oldest = oldest;
        while (store->revisions->len > 0) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, 0);

                if (revision->info.number >= oldest)
                        break;
                r = pt_store_delete(store->revisions_fd, revision->info.number);
                if (r < 0)
                        return r;
                g_ptr_array_remove_index(store->revisions, 0);
        }
        return 0;
}

static int retire(PtStore *store)
{
        unsigned count = count_state(store, PT_REVISION_DECIDED),
                 beyond = count - to_keep(store, count);

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);
                uint64_t oldest;

                if (revision->info.state != PT_REVISION_DECIDED || beyond-- > 0)
                        continue;
                /* The oldest to keep. If its own files are not whole, older ones cannot help: the
                 * next one decides. */
                oldest = oldest_needed(store, revision);
                if (oldest > 0)
                        return delete_below(store, oldest);
                beyond = 0;
        }
        return 0;
}

int pt_store_sync(PtStore *store)
{
        for (unsigned i = 0; i < store->revisions->len; i++) {
                PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);
                int r;

                if (revision->info.state != PT_REVISION_DECIDED || revision->synced)
                        continue;
                r = pt_store_sync_revision(store->revisions_fd, revision);
                if (r < 0)
                        return r;
                revision->synced = true;
        }
        return fsync(store->revisions_fd) < 0 ? -errno : 0;
}

int pt_store_restart_journal(PtStore *store, const char *keep)
{
        const PtStoreRevision *decided =
                store->decided > 0 ? pt_store_find(store, store->decided) : NULL;
        g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(g_free);

        /* What is only in the journal must outlive a power cut without it. */
        int r = pt_store_sync(store);

        if (r < 0)
                return r;
        g_ptr_array_add(records, pt_store_record_mark("checkpoint", store->last));
        if (store->oldest > 0)
                g_ptr_array_add(records, pt_store_record_mark("retired", store->oldest));
        if (decided) {
                g_ptr_array_add(records, pt_store_record_format(decided, false));
                g_ptr_array_add(records, pt_store_record_decided(decided));
                if (decided->info.confirm_usec > 0 && decided->info.confirmed_usec > 0)
                        g_ptr_array_add(records, pt_store_record_confirmed(decided));
        }
        for (unsigned i = 0; i < store->told->len; i++) {
                uint64_t number = g_array_index(store->told, uint64_t, i);

                if (number >= store->oldest)
                        g_ptr_array_add(records,
                                        pt_store_record_mark(PT_STORE_RECORD_DAMAGED, number));
        }
        if (store->pending)
                g_ptr_array_add(records, pt_store_record_format(store->pending, true));
        g_ptr_array_add(records, NULL);
        return pt_journal_restart(store->journal, (const char *const *) records->pdata, keep);
}

int pt_store_tidy(PtStore *store)
{
        int r = pt_store_write_out(store, NULL);

        for (unsigned i = 0; i < store->daemons->len && r >= 0; i++) {
                PtStoreDaemon *daemon = g_ptr_array_index(store->daemons, i);

                if (snapshot_due(store, daemon, 1))
                        r = write_snapshot(store, daemon);
        }
        if (r >= 0 && retention_due(store, 1))
                r = retire(store);
        if (r >= 0 && journal_due(store, 1))
                r = pt_store_restart_journal(store, NULL);
        return r;
}
