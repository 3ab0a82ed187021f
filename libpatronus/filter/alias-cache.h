/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What aliases hold, kept for many questions: the spans of filter/flatten.h, searched and not read
 * anew for each packet. */

#include "filter/flatten.h"

typedef struct FwAliasCache FwAliasCache;
FwAliasCache *fw_alias_cache_new(const FwSource *source); /* borrows it */
void fw_alias_cache_free(FwAliasCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwAliasCache, fw_alias_cache_free)

/* Adds what an external alias holds now (FwSpan, in any order); negative: it cannot be read. */
typedef int (*FwExternalRead)(const char *alias, FwSetPart part, GArray *spans, void *userdata);
/* Who knows what external aliases hold; without, nobody does. */
void fw_alias_cache_set_external(FwAliasCache *cache, FwExternalRead read, void *userdata);

/* Whether what it holds is not known: it is external, and nobody was named who reads it. */
bool fw_alias_cache_is_unknown(const FwAliasCache *cache, const char *alias);
/*
 * The first span of the alias that reaches `value`, or one from 1 to 0 if none does. Errors of
 * reading datasets.
 */
int fw_alias_cache_find(FwAliasCache *cache, FwSetPart part, const char *alias, FwNumber value,
                        FwSpan *ret);
