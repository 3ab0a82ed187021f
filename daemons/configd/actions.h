/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Who may call what of configd (bus/access.h). */

#include "bus/access.h"

extern const PtAccessTable config_access;
