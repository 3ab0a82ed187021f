/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/engine.h"

const char *pt_guarantee_to_string(PtGuarantee guarantee)
{
        static const char *const names[PT_GUARANTEE_MAX] = {
                [PT_GUARANTEE_ATOMIC] = "atomic",
                [PT_GUARANTEE_COMPENSATED] = "compensated",
                [PT_GUARANTEE_EVENTUAL] = "eventual",
        };

        return guarantee >= 0 && guarantee < PT_GUARANTEE_MAX ? names[guarantee] : NULL;
}
