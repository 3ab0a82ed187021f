/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Who may call what of filterd (bus/access.h). */

#include "bus/access.h"

extern const PtAccessTable fw_access;
