/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The chain of revisions. Each says what the digest of its parent is, the journal has the newest
 * one, and so nobody can change one in its folder without changing all later ones and the journal
 * too.
 */

#include "txn/store-internal.h"

#include <inttypes.h>

static bool is_zero(const PtDigest *digest)
{
        static const PtDigest none;

        return pt_digest_equal(digest, &none);
}

static bool follows(const PtRevision *revision, const PtRevision *before)
{
        if (revision->parent != before->number)
                return false;
        /* The chain began some time; what it has begun with goes on. */
        if (is_zero(&revision->parent_digest))
                return is_zero(&before->parent_digest);
        return pt_digest_equal(&revision->parent_digest, &before->digest);
}

static bool is_told(const PtStore *store, uint64_t number)
{
        for (unsigned i = 0; i < store->told->len; i++)
                if (g_array_index(store->told, uint64_t, i) == number)
                        return true;
        return false;
}

void pt_store_chain_told(PtStore *store, uint64_t number)
{
        if (!is_told(store, number))
                g_array_append_val(store->told, number);
}

/* Said once, and remembered, so that a change of tomorrow is not lost among those of yesterday. */
static void tell(PtStore *store, uint64_t number, PtDiagnostics *diag, char *text)
{
        g_autofree char *owned = text, *record = NULL;

        if (is_told(store, number))
                return;
        pt_diag_error(diag, "revision-damaged", NULL, "%s", owned);
        record = pt_store_record_mark(PT_STORE_RECORD_DAMAGED, number);
        if (pt_journal_append(store->journal, record) >= 0)
                pt_store_chain_told(store, number);
}

void pt_store_check_chain(PtStore *store, PtDiagnostics *diag)
{
        PtRevision *after = NULL;

        /* Newest first: what is known to be right tells of what came before it. */
        for (unsigned i = store->revisions->len; i > 0; i--) {
                PtStoreRevision *entry = g_ptr_array_index(store->revisions, i - 1);
                PtRevision *revision = &entry->info;

                if (revision->state != PT_REVISION_DECIDED)
                        continue;
                if (after && after->parent != revision->number)
                        tell(store, after->number, diag,
                             g_strdup_printf("revision %" PRIu64 " rests on revision %" PRIu64
                                             ", and the one before it in the history is %" PRIu64,
                                             after->number, after->parent, revision->number));
                else if (after && !follows(after, revision)) {
                        revision->damaged = true;
                        tell(store, revision->number, diag,
                             g_strdup_printf("revisions/%" PRIu64 "/" PT_STORE_META
                                             " was changed after it was written: it is not what "
                                             "revision %" PRIu64 " rests on",
                                             revision->number, after->number));
                }
                after = revision;
        }
}
