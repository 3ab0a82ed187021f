/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/registry.h"

/* Nothing but the table is here: a program with another one links its own pt_kinds(), and this file
 * stays in the archive. */
const PtKind *const *pt_kinds(void)
{
        static const PtKind *const kinds[] = {PT_KINDS, NULL};

        return kinds;
}
