/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A chain in the kernel made to hold another list of rules: those that stay are not touched, so that
 * they keep their handles and counters. Handles are read just before, never kept.
 */

#include "counters.h"

/* One rule as the kernel has it. */
typedef struct FwKernelRule {
        uint64_t handle;
        FwTag tag; /* all zeros of a rule that is not ours */
        FwCount count;
        char *comment;
} FwKernelRule;

/* The rules of a chain in order, FwKernelRule. Errors as pt_nft_dump_rules(). */
int fw_kernel_read(PtNft *nft, const char *table, const char *chain, GArray **ret);
/* The same of another family than inet (NFPROTO_*). */
int fw_kernel_read_of(PtNft *nft, uint8_t family, const char *table, const char *chain,
                      GArray **ret);

static inline FwKernelRule *fw_kernel_rule(GArray *rules, int i)
{
        return &g_array_index(rules, FwKernelRule, i);
}

/* Whether it is a part of the tag's rule, in whatever state. */
bool fw_kernel_rule_is(const FwKernelRule *kernel, const FwTag *tag);

typedef struct FwResync {
        const char *table, *chain;
        GArray *kernel;   /* FwKernelRule: what is there */
        const int *match; /* rule of the new list -> kernel, or -1 */
        const bool *keep; /* whether it may stay where it is (sequence.h) */
        unsigned n;       /* of the new list */
} FwResync;

/* `make` gives a rule of the new list; `stale` says of one that may stay that it is another now. */
void fw_resync(PtNftBatch *batch, const FwResync *sync,
               struct nftnl_rule *(*make)(unsigned i, void *userdata),
               bool (*stale)(const FwKernelRule *kernel, unsigned i, void *userdata),
               void *userdata);
