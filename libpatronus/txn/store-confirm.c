/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Confirmation: which revision is confirmed, what waits to be, and what the folder tells daemons of
 * both, in an order that a power cut cannot turn around: a link to a revision that has to be
 * confirmed never comes before `unconfirmed`, and `unconfirmed` never goes before the links that
 * make it needless.
 */

#include "txn/store-internal.h"
#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

bool pt_store_is_confirmed(const PtStoreRevision *revision)
{
        return revision->info.state == PT_REVISION_DECIDED &&
               (revision->info.confirm_usec == 0 || revision->info.confirmed_usec > 0);
}

uint64_t pt_store_confirmed(const PtStore *store)
{
        return store->confirmed;
}

/* The decided revision if it waits, or NULL. */
static PtStoreRevision *waiting(const PtStore *store)
{
        PtStoreRevision *revision =
                store->decided > 0 ? pt_store_find(store, store->decided) : NULL;

        return revision && !pt_store_is_confirmed(revision) ? revision : NULL;
}

bool pt_store_unconfirmed(const PtStore *store, PtConfirm *ret)
{
        const PtStoreRevision *revision = waiting(store);
        char boot_id[PT_BOOT_ID_MAX];

        if (!revision)
                return false;
        *ret = (PtConfirm){
                .revision = revision->info.number,
                .deadline_usec = revision->deadline_usec,
                /* Not knowing which boot this is, nobody can say that there is time left. */
                .other_boot = pt_boot_id(boot_id) < 0 || strcmp(boot_id, revision->boot_id) != 0,
        };
        return true;
}

int pt_store_confirm_intend(PtStore *store, PtStoreRevision *intent)
{
        int r;

        if (waiting(store))
                return -EBUSY;
        intent->boot_usec = pt_boottime_usec();
        r = pt_boot_id(intent->boot_id);
        /* What the machine would boot with must be there then. */
        if (r >= 0)
                r = pt_store_write_out(store, NULL);
        if (r >= 0)
                r = pt_store_sync(store);
        return r;
}

int pt_store_confirm_decide(PtStore *store, PtStoreRevision *revision)
{
        PtStoreUnconfirmed unconfirmed = {
                .revision = revision->info.number,
                .confirmed = store->confirmed,
        };

        revision->deadline_usec =
                (store->pending_replayed ? revision->boot_usec : pt_boottime_usec()) +
                revision->info.confirm_usec;
        unconfirmed.deadline_usec = revision->deadline_usec;
        memcpy(unconfirmed.boot_id, revision->boot_id, sizeof(unconfirmed.boot_id));
        return pt_store_write_unconfirmed(store->revisions_fd, &unconfirmed);
}

int pt_store_confirm(PtStore *store, uint64_t number)
{
        PtStoreRevision *revision = waiting(store);
        g_autofree char *record = NULL;
        int r;

        if (!revision || revision->info.number != number)
                return -EINVAL;
        revision->info.confirmed_usec = (uint64_t) g_get_real_time();
        record = pt_store_record_confirmed(revision);
        r = pt_journal_append(store->journal, record);
        if (r < 0) {
                revision->info.confirmed_usec = 0;
                return r;
        }
        store->confirmed = number;
        revision->unwritten = true;
        revision->synced = false;
        r = pt_store_write_out(store, NULL);
        if (r < 0)
                pt_log(LOG_ERR,
                       "revision %" PRIu64
                       " is confirmed and in the journal, but its files cannot be written: %s",
                       number, g_strerror(-r));
        return 0;
}

/* A link may be late, when a crash came, but never ahead of the journal. */
static int write_link(const PtStore *store, const char *name, uint64_t number, PtDiagnostics *check)
{
        uint64_t present = 0;

        if (check) {
                int r = pt_store_read_link(store->revisions_fd, name, &present);

                if (r >= 0 && present == number)
                        return 0;
                if ((r < 0 && r != -ENOENT) || present > number)
                        pt_diag_error(check, "revision-damaged", NULL,
                                      "the link revisions/%s was changed after it was written; it "
                                      "is written again from the journal",
                                      name);
        }
        if (number == 0)
                return 0;
        return pt_store_write_link(store->revisions_fd, name, number);
}

int pt_store_write_links(PtStore *store, PtDiagnostics *check)
{
        int r = write_link(store, PT_STORE_DECIDED, store->decided, check);

        if (r >= 0)
                r = write_link(store, PT_STORE_CONFIRMED, store->confirmed, check);
        if (r < 0 || waiting(store) || store->pending ||
            faccessat(store->revisions_fd, PT_STORE_UNCONFIRMED, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return r;
        /* Nobody falls back to what was never confirmed: what took its place is whole before. */
        r = pt_store_sync(store);
        return r >= 0 && unlinkat(store->revisions_fd, PT_STORE_UNCONFIRMED, 0) < 0 ? -errno : r;
}

int pt_store_check_unconfirmed(PtStore *store, PtDiagnostics *diag)
{
        const PtStoreRevision *revision = waiting(store);
        PtStoreUnconfirmed present, wanted;
        int r = pt_store_read_unconfirmed(store->revisions_fd, &present);

        if (r < 0 && r != -ENOENT)
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revisions/" PT_STORE_UNCONFIRMED " was changed after it was "
                              "written (%s)",
                              g_strerror(-r));
        if (!revision)
                return 0;
        wanted = (PtStoreUnconfirmed){
                .revision = revision->info.number,
                .confirmed = store->confirmed,
                .deadline_usec = revision->deadline_usec,
        };
        memcpy(wanted.boot_id, revision->boot_id, sizeof(wanted.boot_id));
        if (r >= 0 && present.revision == wanted.revision &&
            present.confirmed == wanted.confirmed &&
            present.deadline_usec == wanted.deadline_usec &&
            strcmp(present.boot_id, wanted.boot_id) == 0)
                return 0;
        if (r >= 0 || r == -ENOENT) /* it was durable before the decision */
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revisions/" PT_STORE_UNCONFIRMED " %s",
                              r >= 0 ? "is not what the journal says" : "is lost");
        return pt_store_write_unconfirmed(store->revisions_fd, &wanted);
}
