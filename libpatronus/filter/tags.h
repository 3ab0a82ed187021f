/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Tags of connections (FirewallRule.setTag, tagged) as bits of their labels (NF_CT_LABELS_MAX_SIZE
 * is 128 of them). A tag that stays keeps its bit whatever else a commit changes. What comes gets the
 * next bit that none had that goes in the same commit, all others before it comes round again: so
 * connections with a tag of old do not have another one of new.
 *
 *         r = fw_tags_new(slice, in_force, diag, &tags);
 *         mask = fw_tags_mask(tags, rule->box->tagged.items, rule->box->tagged.n);
 */

#include "filter/flatten.h"
#include "txn/slice.h"

#define FW_TAG_BITS 128
/* Half of them: those that a commit takes away and those that it brings have bits of their own. */
#define FW_TAGS_MAX 64

typedef struct FwTags FwTags;
/* Of all rules of a slice, in force or not. `before`: whose bits stay, or NULL. -E2BIG with a
 * diagnostic above FW_TAGS_MAX. */
int fw_tags_new(const PtSlice *slice, const FwTags *before, PtDiagnostics *diag, FwTags **ret);
FwTags *fw_tags_ref(FwTags *tags);
void fw_tags_unref(FwTags *tags);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwTags, fw_tags_unref)

/* The bit of a name, or -ENOENT. */
int fw_tags_bit(const FwTags *tags, const char *name);
/* The bits of several; names that there are not have none. */
FwNumber fw_tags_mask(const FwTags *tags, char *const *names, unsigned n);
bool fw_tags_same(const FwTags *a, const FwTags *b);

/* As they are kept: sorted by name, and the bit that is looked at first when the next one comes. */
unsigned fw_tags_count(const FwTags *tags);
const char *fw_tags_get(const FwTags *tags, unsigned index, unsigned *ret_bit);
unsigned fw_tags_next_bit(const FwTags *tags);
bool fw_tags_is_unused(const FwTags *tags); /* there never was one */
/* What was kept, read again: without names at first. -EINVAL: no such bit, or it is taken, or there are
 * too many. */
FwTags *fw_tags_new_empty(unsigned next_bit);
int fw_tags_add(FwTags *tags, const char *name, unsigned bit);
