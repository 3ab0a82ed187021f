/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Counters in pages, read from the kernel for just the rules of the page: a large map is never
 * dumped. The order is that of evaluation, class by class; a rule that several classes share comes
 * once for each.
 */

#include "engine-nft.h"

#define FW_LIST_MAX 1000 /* rows of a page: well below 64 KiB with names of ordinary length */

typedef struct FwCounterRow {
        const char *kind;  /* "FirewallRule", or "" for what belongs to no object */
        const char *name;  /* "web"; "prologue/established", "default/lan/wan", "invalid/forward" */
        const char *klass; /* "lan/wan", or "" */
        uint64_t packets, bytes;
        bool carried; /* begun at a value from before an edit or a move */
} FwCounterRow;

/*
 * Calls `each` for at most `limit` rows (and those of the fixed rules, first) after the cursor
 * `after` ("": the beginning), and gives the next cursor, "" at the end. -EINVAL: no such cursor;
 * -ENODATA: nothing is in force.
 */
int fw_list_counters(FwEngine *engine, const char *after, unsigned limit,
                     void (*each)(const FwCounterRow *row, void *userdata), void *userdata,
                     char **ret_next);
