/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who a kernel rule or element is, and what it has counted. A rule that a commit does not touch
 * keeps its kernel object and its counter; one that is edited or moves to another unit begins at
 * its last value, and is marked as carried.
 */

#include "kinds/firewall/firewall.h"
#include "netlink/nft.h"

/* Our part of the userdata of rules and elements; all bytes, so the layout is the same everywhere.
 */
typedef struct FwTag {
        uint8_t version; /* FW_TAG_VERSION */
        uint8_t flags;
        uint8_t part[2]; /* big endian: of a rule that is several in its chain (filter/match.h),
                            and whether it is one that goes before it */
        uint8_t uid[16];
        uint8_t generation[8]; /* first bytes of the object's digest: which state of the object this
                                  is */
} FwTag;
#define FW_TAG_VERSION 2
#define FW_TAG_CARRIED (1 << 0)

/* The rules before a part that log what the part matches, and that mark its connection: they have no
 * counter. */
#define FW_PART_LOG 0x8000U
#define FW_PART_SET 0x4000U
/* The rule before a part, and before the one that logs, that asks the rule's limits (limiter.h). */
#define FW_PART_LIMIT 0x2000U
/* The rule after a part that answers for the server: it has no counter, and lets pass what that
 * leaves. */
#define FW_PART_PASS 0x1000U

/*
 * What a log line begins with: which rule, and in which state of it, 54 characters.
 *
 *      rule/6f1ed002ab5595859014ebf0951522d9/0123456789abcdef
 *           uid                              generation
 */
char *fw_log_prefix(const FirewallRule *rule);

/* `part` with FW_PART_LOG, FW_PART_SET, FW_PART_LIMIT, FW_PART_PASS or none of them. */
void fw_tag_of(const FirewallRule *rule, unsigned part, bool carried, FwTag *ret);
bool fw_tag_same(const FwTag *a, const FwTag *b); /* uid, part and generation */
/* From a userdata; false: not ours. */
bool fw_tag_read(const void *userdata, size_t size, FwTag *ret);
bool fw_tag_read_rule(const struct nftnl_rule *rule, FwTag *ret);
bool fw_tag_read_element(struct nftnl_set_elem *element, FwTag *ret);

typedef struct FwCount {
        uint64_t packets, bytes;
} FwCount;

/* Last values by the chain of a class ("z_lan/wan") and uid. */
typedef struct FwCarry FwCarry;
FwCarry *fw_carry_new(void);
void fw_carry_free(FwCarry *carry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwCarry, fw_carry_free)
void fw_carry_add(FwCarry *carry, const char *chain, const uint8_t uid[static 16], uint64_t packets,
                  uint64_t bytes);
#define FW_CHAIN_KEPT "_kept"
#define FW_CHAIN_KEPT_NAT "_kept_nat"
/* Where counts wait that no class of the rule has (kept-counts.h), by the chain of a class: of translations
 * or of the filter. */
const char *fw_carry_kept(const char *chain);
/* In place of a class's chain that goes: whichever class of the rule asks first begins with it. */
const char *fw_carry_gone(const char *chain);
/* Takes values out, those that wait and those of classes that go too; false: nothing to carry.
 * `carry` may be NULL. */
bool fw_carry_take(FwCarry *carry, const char *chain, const uint8_t uid[static 16], FwCount *ret);
/* What nobody took. */
void fw_carry_foreach(const FwCarry *carry,
                      void (*each)(const char *chain, const uint8_t uid[static 16],
                                   const FwCount *count, void *userdata),
                      void *userdata);
/*
 * Everything that the table in the kernel has counted, for a replacement of the whole. Of another
 * layout, which may have other chains, all of them are read, and what no class of this one counted
 * goes to whichever class takes it first.
 */
int fw_carry_read_all(PtNft *nft, bool other_layout, FwCarry *carry);
/* Adds all elements of a map. */
int fw_carry_read_map(PtNft *nft, const char *chain, const char *map, FwCarry *carry);
