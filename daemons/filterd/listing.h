/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Counters in pages, read from the kernel for just the rules of the page: a large map is never
 * dumped. The order is that of evaluation, class by class, translations before the filter; a rule
 * that several classes share comes once for each. A NAT rule that translates both ways is one row.
 */

#include "engine-nft.h"

#define FW_LIST_MAX 1000 /* rows of a page: well below 64 KiB with names of ordinary length */

typedef struct FwCounterRow {
        const char *kind;  /* "FirewallRule", "NatRule", or "" for what belongs to no object */
        const char *name;  /* "web"; "prologue/established", "default/lan/wan", "invalid/forward" */
        const char *klass; /* "lan/wan"; of a translation its zone, "wan" or "any"; or "" */
        uint64_t packets, bytes;
        bool carried;             /* begun at a value from before an edit or a move */
        const FirewallRule *rule; /* effective; NULL: no FirewallRule */
} FwCounterRow;

/*
 * Calls `each` for at most `limit` rows (and those of the fixed rules, first) after the cursor
 * `after` ("": the beginning), and gives the next cursor, "" at the end. -EINVAL: no such cursor;
 * -ENODATA: nothing is in force.
 */
int fw_list_counters(FwEngine *engine, const char *after, unsigned limit,
                     void (*each)(const FwCounterRow *row, void *userdata), void *userdata,
                     char **ret_next);
