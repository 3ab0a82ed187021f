/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to emit.c and touched.c: what a batch touched, recorded while it is made. */

#include "emit.h"

/* Tells how much is coming, so that a sample is spread over all of it. */
void fw_touched_expect(FwTouched *touched, const FwLayout *layout);
void fw_touched_chain(FwTouched *touched, const char *chain, const FirewallRule *const *rules,
                      unsigned n);
void fw_touched_element(FwTouched *touched, const char *map, const void *key, size_t len,
                        const FirewallRule *rule);
/* A key that leaves, unless it comes again. `begins`: with it a range began, and others may have
 * it now. */
void fw_touched_gone(FwTouched *touched, const char *map, const void *key, size_t len, bool begins);
/* A set that has so many entries afterwards, intervals counted as one. */
void fw_touched_set(FwTouched *touched, const char *set, size_t entries);
/* The same of an element of an alias's set, which has no tag: `flags` as in the kernel. Who calls
 * picks the sample. */
void fw_touched_member(FwTouched *touched, const char *set, const void *key, size_t len,
                       uint32_t flags, bool gone);
