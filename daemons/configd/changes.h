/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What differs between two slices: creates, then updates, then deletes, each sorted by (kind,
 * name). Every consumer of a candidate (validation, plan, reply, diff) works on this list, so that
 * its cost follows the change.
 */

#include "txn/slice.h"
#include <systemd/sd-bus.h>

typedef struct ObjectChange {
        const PtObject *before; /* NULL: created */
        const PtObject *after;  /* NULL: deleted */
} ObjectChange;

typedef struct Changes {
        PtSlice *before, *after; /* referenced; they own the objects in the list */
        GArray *list;            /* ObjectChange */
        unsigned created, updated, deleted;
} Changes;

Changes *changes_new(PtSlice *before, PtSlice *after);
void changes_free(Changes *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Changes, changes_free)

static inline const ObjectChange *changes_get(const Changes *changes, size_t i)
{
        return &g_array_index(changes->list, ObjectChange, i);
}
/* The object that stands for the change: the new one, or the deleted one. */
static inline const PtObject *change_object(const ObjectChange *change)
{
        return change->after ?: change->before;
}
/* "create", "update" or "delete". */
const char *change_op(const ObjectChange *change);

/* "FirewallRule/web, Zone/lan and 7 more": at most `max` by name; "" for none. The caller's. */
char *changes_names(const Changes *changes, unsigned max);
/* The list as JSON lines, as org.patronus.Config1.Diff gives it. Secrets are redacted. */
void changes_format(const Changes *changes, GString *out);
/* Answers a call of Diff with them, in a sealed memfd. */
int changes_reply(const Changes *changes, sd_bus_message *call);
