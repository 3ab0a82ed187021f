/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Moving an object of an ordered kind: to before or after another one, or to either end. Positions
 * alone change, and as few as possible: the object's own where there is a gap, else those of the
 * shortest run of neighbours that makes room.
 */

#include "txn/slice.h"

typedef enum MoveWhere {
        MOVE_BEFORE,
        MOVE_AFTER,
        MOVE_FIRST,
        MOVE_LAST,
        MOVE_MAX,
        MOVE_INVALID = -EINVAL,
} MoveWhere;

/* "before", "after", "first", "last". */
MoveWhere move_where_from_string(const char *text);

/*
 * `other` is used with MOVE_BEFORE and MOVE_AFTER. -ENOENT if one of the two does not exist;
 * -EINVAL with diagnostics when the kind has no order, when the kind's order_field puts the two in
 * an order that no position changes, or when there is no room.
 */
int move_object(PtSlice *candidate, const PtKind *kind, const char *name, MoveWhere where,
                const char *other, PtDiagnostics *diag);
