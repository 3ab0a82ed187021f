/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "actions.h"

#include "bus-session.h"
#include "manager.h"

#include "kind/kind.h"

/* Whoever opens a session may edit; what the session then lets him see he wrote himself, or could
 * read. Its owner is checked by the handlers. */
static const PtAccessRow rows[] = {
        PT_MAY_CALL(CONFIG_INTERFACE, "OpenSession", CONFIG_EDIT),
        PT_MAY_CALL(CONFIG_INTERFACE, "Apply", CONFIG_COMMIT),
        PT_MAY_CALL(CONFIG_INTERFACE, "Revert", CONFIG_REVERT),
        PT_MAY_CALL(CONFIG_INTERFACE, "Confirm", CONFIG_COMMIT),
        /* Gives up what its caller asked for. */
        PT_MAY_CALL(CONFIG_INTERFACE, "Cancel", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "Get", CONFIG_READ, PT_ABOUT_OBJECT),
        PT_MAY_CALL(CONFIG_INTERFACE, "List", CONFIG_READ, PT_ABOUT_KIND),
        PT_MAY_CALL(CONFIG_INTERFACE, "Export", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "ExportSealed", SECRET_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "Diff", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "GetSlice", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "ListRevisions", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "GetRevision", CONFIG_READ),
        /* It names objects, users and where they came from, and no secrets: whoever may read the
         * configuration may read who changed it. */
        PT_MAY_CALL(CONFIG_INTERFACE, "ListAudit", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "VerifyAudit", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "RecordAudit", INTERNAL),
        PT_MAY_CALL(CONFIG_INTERFACE, "PutDataset", CONFIG_EDIT),
        PT_MAY_CALL(CONFIG_INTERFACE, "ListDatasets", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "ReadDataset", CONFIG_READ),
        PT_MAY_CALL(CONFIG_INTERFACE, "DeleteDataset", CONFIG_EDIT),
        PT_MAY_READ(CONFIG_INTERFACE, CONFIG_READ),
        PT_MAY_READ("", CONFIG_READ),
        PT_MAY_CALL(SESSION_INTERFACE, "Get", CONFIG_READ, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "List", CONFIG_READ, PT_ABOUT_KIND),
        PT_MAY_CALL(SESSION_INTERFACE, "Set", CONFIG_EDIT, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "Unset", CONFIG_EDIT, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "Delete", CONFIG_EDIT, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "Rename", CONFIG_EDIT, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "Move", CONFIG_EDIT, PT_ABOUT_OBJECT),
        PT_MAY_CALL(SESSION_INTERFACE, "Load", CONFIG_EDIT),
        PT_MAY_CALL(SESSION_INTERFACE, "Rebase", CONFIG_EDIT),
        PT_MAY_CALL(SESSION_INTERFACE, "Diff", CONFIG_READ),
        PT_MAY_CALL(SESSION_INTERFACE, "GetSlice", CONFIG_READ),
        PT_MAY_CALL(SESSION_INTERFACE, "Validate", CONFIG_READ),
        PT_MAY_CALL(SESSION_INTERFACE, "Plan", CONFIG_EDIT),
        PT_MAY_CALL(SESSION_INTERFACE, "Commit", CONFIG_COMMIT),
        PT_MAY_CALL(SESSION_INTERFACE, "Close", CONFIG_EDIT),
        {},
};

static const char *kind_name(const char *word)
{
        const PtKind *kind = pt_kind_find(word);

        return kind ? kind->name : NULL;
}

const PtAccessTable config_access = {rows, kind_name};
