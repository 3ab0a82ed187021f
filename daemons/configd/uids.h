/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which objects carry a uid of their own. Renaming leaves an object with the uid of its first name,
 * so a new object of that name needs another, and no two may ever share one: a rule in the kernel
 * is known by it. Few objects are renamed; looking through all of them at each change would cost
 * what the configuration does, so the index follows the running one.
 */

#include "changes.h"

typedef struct Uids Uids;

Uids *uids_new(void);
void uids_free(Uids *uids);

/*
 * The uids that objects of `slice` carry: 32 digits → PtObject, borrowed from the slice. Costs what
 * differs from `running`, plus the number of renamed objects.
 */
GHashTable *uids_stored(Uids *uids, PtSlice *running, const PtSlice *slice);
/* Gives a new, unsealed object a uid of its own if another one carries the uid of its name. The
 * same every time: an input that is applied again changes nothing. */
void uids_settle(GHashTable *stored, PtObject *object);
/* Refuses two objects with one uid; `stored` is of changes->before. 0, or -EINVAL with diagnostics.
 */
int uids_check(GHashTable *stored, const Changes *changes, PtDiagnostics *diag);
