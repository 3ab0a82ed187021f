/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The journal of the revision store. The input is read as it is; then each of its lines becomes a
 * record of a journal whose digests are right, and a store is opened on that: whatever the records
 * say, the store comes up (or says that nothing is whole), takes a commit, and finds it again
 * without a complaint.
 */

#include "base/io.h"
#include "base/log.h"
#include "journal-fuzz.h"
#include "kinds/firewall/firewall.h"
#include "txn/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const PtKind *const kinds[] = {&pt_kind_firewall_rule, &pt_kind_zone, NULL};

static void ignore_record(struct json_object *record, void *userdata)
{
        (void) userdata;
        g_assert(record);
}

static void commit(PtStore *store)
{
        g_autoptr(PtSlice) before = NULL, after = NULL;
        PtRevision revision = {.number = pt_store_last(store) + 1};

        if (pt_store_pending(store) > 0)
                g_assert(pt_store_abort(store, pt_store_pending(store)) == 0);
        if (pt_store_last(store) >= INT64_MAX)
                return;
        if (pt_store_load(store, pt_store_decided(store), NULL, &before) < 0)
                before = pt_slice_new();
        after = pt_slice_clone(before);
        g_assert(pt_store_intend(store, &revision, before, after) == 0);
        g_assert(pt_store_decide(store, revision.number) == 0);
}

static void open_store(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), quiet = pt_diag_new();
        g_autoptr(PtStore) store = NULL;
        uint64_t decided, last;
        int r = pt_store_open(dir, diag, &store);

        g_assert(r == 0 || (r == -EBADMSG && pt_diag_errors(diag) > 0));
        if (r < 0)
                return;
        pt_store_add_daemon(store, "filterd", kinds, NULL);
        commit(store);
        decided = pt_store_decided(store);
        last = pt_store_last(store);
        g_clear_pointer(&store, pt_store_close);
        g_assert(pt_store_open(dir, quiet, &store) == 0);
        g_assert(pt_diag_errors(quiet) == 0);
        g_assert(pt_store_decided(store) == decided && pt_store_last(store) == last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *dir = fuzz_new_folder();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtJournalState state;

        pt_log_set_level(LOG_EMERG);
        pt_journal_parse((const char *) data, size, ignore_record, NULL, diag, &state);
        g_assert(state.good <= size);
        g_assert(pt_diag_errors(diag) == state.damaged);

        fuzz_write_journal(dir, data, size);
        open_store(dir);
        fuzz_remove_folder(dir);
        return 0;
}
