/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to dispatch.c and dispatch-nat.c: the lookups that lead from a packet to a zone's chain. */

#include "ruleset-internal.h"

#define CHAIN_PREROUTING_INTERFACE "p_prerouting_if"
#define CHAIN_POSTROUTING_INTERFACE "p_postrouting_if"

#define CHAIN_FRAGMENTS_OF "p_fragments"
#define CHAIN_FRAGMENTS_INTERFACE "p_fragments_if"

/* What an interval map is keyed by. */
typedef enum FwDispatchKey {
        FW_BY_INTERFACE,
        FW_BY_ADDRESS4,
        FW_BY_ADDRESS6,
        FW_BY_MAX,
} FwDispatchKey;

/* Where an interval leads: an element's verdict. Without a chain and with NFT_CONTINUE there is no
 * element. */
typedef struct FwTarget {
        int verdict;
        char *chain; /* owned */
} FwTarget;

/* What comes after the lookup by interface, for interfaces of no zone. Maps have no element for
 * them: nft prints the bounds of an interval between names as bytes that are no text. */
typedef enum FwRest {
        FW_REST_PASSES,  /* nothing: what follows decides */
        FW_REST_DROPS,   /* all that comes here is unassigned */
        FW_REST_UNZONED, /* what goes to an unassigned interface; the others get their default */
} FwRest;

/* What a map says for zone `index`, or for what belongs to no zone (-1). */
typedef FwTarget (*FwTargetFunc)(int index, FwDispatchKey key, const void *userdata);

typedef struct FwDispatch {
        FwStages *stages;
        PtNftBatch *batch; /* of the stages: the commit itself */
        const FwZones *zones;
        const GArray *pairs;
        GHashTable *nat;
        GHashTable *counts;
        const char *zoned; /* the set of interfaces that belong to a zone */
} FwDispatch;

typedef struct FwSide {
        const char *name;         /* of the maps */
        const char *chain;        /* where the lookups stand */
        const char *by_interface; /* chain that asks the interface when no address says it */
        bool out;
        bool comes_back; /* what a map has no element for goes on in the chain */
        FwRest rest;
        FwTargetFunc target_of;
        const void *userdata;
} FwSide;

/* The lookups of one side. */
void fw_dispatch_put_side(const FwDispatch *dispatch, const FwSide *side);
/* What no zone has: the address leads on to the interface. */
FwTarget fw_dispatch_rest(FwDispatchKey key, int verdict, const char *by_interface);
/* The caller's. */
char *fw_dispatch_zone_chain(char prefix, const char *zone);
void fw_dispatch_put_jump(const FwDispatch *dispatch, const char *chain, const char *target);

/* Whether what leaves by a zone has a chain of its own before the rules: it may go back where it
 * came from, or is masqueraded by the zone. */
bool fw_dispatch_has_leaving(const FwZone *zone, GHashTable *nat);
/* Fragments, where rules are about them: the base chain, and what leads to its classes. */
void fw_dispatch_put_fragments(const FwDispatch *dispatch);
/* Adds the chains of it. */
void fw_dispatch_add_fragments(const FwDispatchTo *to, GHashTable *chains);
/* Prerouting, postrouting, and the translation of what the router's own programs send. */
void fw_dispatch_put_nat(const FwDispatch *dispatch);
