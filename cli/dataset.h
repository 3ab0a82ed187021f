/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The datasets that configd has, for commands and completion. */

#include "call.h"

/* Calls `each` for all, by digest, as ListDatasets has them; a negative errno of it ends that. */
int ctl_datasets_each(Ctl *ctl, CtlCallFlags flags,
                      int (*each)(struct json_object *dataset, void *userdata), void *userdata);
