/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The space that the cubes of one calculation (region.h) lie in: which zones there are, between
 * which addresses a difference is made, which conditions rules ask for; and back to what people
 * read. Made in two passes over all rules concerned:
 *
 *         space = fw_space_new(zones);
 *         fw_space_note(space, AF_INET, &span);        every span of addresses, in any order
 *         fw_space_settle(space);
 *         fw_space_span(space, axis, AF_INET, &span, &cube);
 *
 * Protocols, ports and ICMP types are their own numbers. Each cube is of one family, on both axes of
 * addresses: IPv4 comes first on them.
 */

#include "flatten.h"
#include "region.h"

typedef struct FwSpace {
        GPtrArray *zones; /* names, sorted; the router is the number after the last */
        GArray *starts;   /* FwNumber: where on the axes of addresses a place begins; IPv4 first */
        GArray *starts6;  /* the same of IPv6, until it is settled */
        uint32_t n4;
        GHashTable *known;     /* key of a condition -> its number + 1 */
        GPtrArray *conditions; /* what people read of each */
} FwSpace;

FwSpace *fw_space_new(GPtrArray *zones); /* takes it; char * */
void fw_space_free(FwSpace *space);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwSpace, fw_space_free)

void fw_space_note(FwSpace *space, int family, const FwSpan *span);
void fw_space_settle(FwSpace *space);

uint32_t fw_space_router(const FwSpace *space);
/* Its number on the axes of zones; the router too. -ENOENT. */
int fw_space_zone(const FwSpace *space, const char *name, uint32_t *ret);
/* All packets of a family, from and to any zone and the router. */
FwCube fw_space_all(const FwSpace *space, int family);
/* Narrows a cube of the family to a span on one axis. Spans of addresses must have been noted. */
void fw_space_narrow(const FwSpace *space, FwAxis axis, int family, const FwSpan *span,
                     FwCube *cube);
int fw_space_family(const FwSpace *space, const FwCube *cube);
/* The numbers on an axis, back. */
FwSpan fw_space_span(const FwSpace *space, FwAxis axis, const FwCube *cube);

/*
 * The bit of a condition: the same key is the same condition. `text` says for people what holds:
 * "mark 0x10/0xff". 0: there are FW_CONDITIONS_MAX already, and of this one nothing can be said.
 */
uint64_t fw_space_condition(FwSpace *space, const char *key, const char *text);
