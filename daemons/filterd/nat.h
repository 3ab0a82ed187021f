/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * NatRules as classes of a layout: a pure function of the slice, as layout.h says of rules. A
 * connection that arrives from a zone goes through the class "in/ZONE", one that leaves by it
 * through "out/ZONE"; a class holds the rules of its zone and those for any zone in order of
 * evaluation. Zones without rules of their own share "in/any" and "out/any", if there are any.
 * One-to-one and prefix rules are in both. Reflected forwards are also in the lists of other zones, in
 * "in/router" for the router's own programs, and in "back/any" for what leaves by the zone that it
 * came from.
 * What an entry must match is the NatRule's use (filter/nat-use.h).
 */

#include "filter/nat-use.h"
#include "layout.h"

#define FW_NAT_RULES_MAX 65536 /* each connection's first packet may pass them all */
/* Entries of all lists: a rule for any zone is in each zone's. */
#define FW_NAT_ENTRIES_MAX 262144
/* Rules that need a map, for a pool of several ranges or a range of ports that moves: the kernel looks
 * at all of them for each new one (net/netfilter/nf_tables_api.c, nf_tables_set_alloc_name). */
#define FW_NAT_MAPS_MAX 4096
/* Ports that all forwards of port ranges map: each is an element in the kernel. */
#define FW_NAT_PORTS_MAX 1048576

struct FwNat {
        GHashTable *scopes;  /* "in/wan" -> number of enabled rules */
        GHashTable *classes; /* "in/wan" -> FwClass; as many as scopes */
};

/* -E2BIG with a diagnostic when the slice is beyond a limit. */
int fw_nat_new(const FwNatPolicy *policy, PtDiagnostics *diag, FwNat **ret);
void fw_nat_free(FwNat *nat);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwNat, fw_nat_free)

/* The chain for what arrives from a zone ("router": its own programs), leaves by it, or goes back by
 * it; NULL: none. The caller's. */
char *fw_nat_chain(GHashTable *scopes, FwNatSide side, const char *zone);

/* A NatRule that differs, itself or in what NatSettings make of it. */
typedef struct FwNatChange {
        const NatRule *before, *after; /* NULL: there is none */
} FwNatChange;

/*
 * What changes of rules do: appends a FwClassChange for each class that differs, with a class of
 * its own in `after`. *ret_scopes: the new numbers of rules; *ret_dispatch is set (or left) when a
 * class came into being or ceased. Errors as fw_nat_new().
 */
int fw_nat_delta(const FwNat *nat, const FwNatPolicy *before, const FwNatPolicy *after,
                 const GArray *rules, GArray *changes, PtDiagnostics *diag, GHashTable **ret_scopes,
                 bool *ret_dispatch);
