/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "migration.h"

#include "audit.h"
#include "bus-config.h"
#include "manager.h"

#include "base/log.h"
#include "event/backoff.h"

#include <string.h>

#define AUTHOR "configd"
#define RETRY_MIN_USEC PT_USEC_PER_SEC
#define RETRY_MAX_USEC (60 * PT_USEC_PER_SEC)

struct Migration {
        Manager *manager;
        bool needed;  /* there may be objects of older versions */
        bool resting; /* until the back-off is over */
        PtBackoff *backoff;
        char *trouble;
};

static void on_backoff(void *userdata)
{
        Migration *migration = userdata;

        migration->resting = false;
        manager_wake(migration->manager);
}

int migration_new(Manager *manager, Migration **ret)
{
        g_autofree Migration *migration = g_new0(Migration, 1);
        int r;

        migration->manager = manager;
        r = pt_backoff_new(manager->event, RETRY_MIN_USEC, RETRY_MAX_USEC, on_backoff, migration,
                           &migration->backoff);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&migration);
        return 0;
}

void migration_free(Migration *migration)
{
        if (!migration)
                return;
        pt_backoff_free(migration->backoff);
        g_free(migration->trouble);
        g_free(migration);
}

static int stop_at_older(const PtObject *object, void *userdata)
{
        return pt_object_is_older(object);
}

void migration_update(Migration *migration, const Changes *changes)
{
        if (!changes)
                migration->needed = pt_slice_foreach(migration->manager->running, NULL,
                                                     stop_at_older, NULL) > 0;
        for (guint i = 0; changes && i < changes->list->len; i++) {
                const ObjectChange *change = changes_get(changes, i);

                /* A revert, to what an older version wrote. */
                if (change->after && pt_object_is_older(change->after))
                        migration->needed = true;
        }
}

void migration_hurry(Migration *migration)
{
        migration->resting = false;
        pt_backoff_reset(migration->backoff);
}

bool migration_is_due(const Migration *migration)
{
        PtConfirm waits;

        /* What waits to be confirmed may be taken back, and only then is it known what is to be
         * migrated. */
        return migration->needed && !migration->resting &&
               !pt_store_unconfirmed(migration->manager->store, &waits);
}

const char *migration_trouble(const Migration *migration)
{
        return migration->trouble;
}

/* Takes the text; NULL: none. Told once, however often it is tried. */
static void set_trouble(Migration *migration, char *trouble)
{
        bool same = g_strcmp0(migration->trouble, trouble) == 0;

        g_free(migration->trouble);
        migration->trouble = trouble;
        if (same)
                return;
        if (trouble)
                pt_log(LOG_WARNING, "%s", trouble);
        bus_config_state_changed(migration->manager);
}

static void failed(Migration *migration, const PtDiagnostics *diag)
{
        const PtDiagnostic *first = NULL;

        for (size_t i = 0; !first && i < pt_diag_count(diag); i++)
                if (pt_diag_get(diag, i)->severity == PT_SEVERITY_ERROR)
                        first = pt_diag_get(diag, i);
        set_trouble(migration,
                    g_strdup_printf("what an older version stored is in force as it is, and cannot "
                                    "be migrated yet: %s%s%s",
                                    first ? first->subject : "",
                                    first && *first->subject ? ": " : "",
                                    first ? first->text : "it was refused"));
        migration->resting = pt_backoff_arm(migration->backoff) >= 0;
}

static void on_done(const Reply *reply, void *userdata)
{
        Migration *migration = userdata;

        if (!reply) /* the process ends */
                return;
        if (!reply->accepted) {
                failed(migration, reply->diag);
                return;
        }
        pt_backoff_reset(migration->backoff);
        set_trouble(migration, NULL);
        manager_wake(migration->manager);
}

typedef struct Renewal {
        PtSlice *candidate;
        PtDiagnostics *diag;
        GString *versions; /* "patronus.testservice/v3, ..." */
        int result;
} Renewal;

static void note_version(GString *versions, const char *version)
{
        if (!strstr(versions->str, version))
                g_string_append_printf(versions, "%s%s", versions->len ? ", " : "", version);
}

static int renew(const PtObject *object, void *userdata)
{
        Renewal *renewal = userdata;
        g_autoptr(PtObject) copy = NULL;

        if (!pt_object_is_older(object))
                return 0;
        copy = pt_object_copy(object, NULL);
        pt_diag_set_subject(renewal->diag, "%s/%s", object->kind->name, object->name);
        if (pt_object_check(copy, renewal->diag) < 0)
                renewal->result = -EINVAL;
        pt_object_seal(copy);
        pt_slice_put(renewal->candidate, copy);
        note_version(renewal->versions, object->kind->api_version);
        return 0;
}

void migration_start(Migration *migration)
{
        Manager *manager = migration->manager;
        g_autoptr(PtSlice) candidate = pt_slice_clone(manager->running);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) versions = g_string_new(NULL);
        Renewal renewal = {candidate, diag, versions, 0};
        g_autofree char *comment = NULL;

        (void) pt_slice_foreach(manager->running, NULL, renew, &renewal);
        migration->needed = versions->len > 0;
        if (!migration->needed) {
                set_trouble(migration, NULL);
                return;
        }
        if (renewal.result < 0) {
                failed(migration, diag);
                return;
        }
        comment = g_strdup_printf("migrated to %s", versions->str);
        commit_start(manager,
                     &(CommitRequest){
                             .base = manager->running,
                             .base_revision = manager->revision,
                             .candidate = candidate,
                             .uid = geteuid(),
                             .author = AUTHOR,
                             .comment = comment,
                             .audit = audit_entry_of_configd("Migrate", comment),
                             .force = true, /* it says the same by other words */
                             .confirm = {.mode = CONFIRM_NEVER},
                     },
                     on_done, migration);
}
