/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Which boot of the machine this is, and how long ago it began: what a deadline that must survive
 * the process, but not the machine, is counted in. */

#include "base/macros.h"

#define PT_BOOT_ID_MAX 37 /* a UUID as text, with its NUL */

/* The kernel's random id of this boot (random(4), /proc/sys/kernel/random/boot_id). */
int pt_boot_id(char ret[static PT_BOOT_ID_MAX]);
/* Whether `text` is one: 36 hexadecimal digits and dashes. */
bool pt_boot_id_is_valid(const char *text);
/* CLOCK_BOOTTIME: goes on while the machine sleeps, and no clock setting moves it. */
uint64_t pt_boottime_usec(void);
