/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What one term of a rule (match.h) asks, for policy.c alone: spans on an axis, or a condition.
 */

#include "match.h"
#include "policy.h"

typedef struct FwKnownAlias {
        GArray *spans; /* FwSpan; NULL: it is a condition */
        char *key, *text;
        bool constant; /* nothing but the configuration fills it */
} FwKnownAlias;

/* What the policy knows of an alias: looked up once. */
const FwKnownAlias *fw_policy_alias(FwPolicy *policy, FwDimension dimension, int family,
                                    const char *name);
void fw_policy_alias_free(void *alias);

/* FW_AXIS_INVALID: what it asks is a condition. So is whatever else rules will ask one day. */
FwAxis fw_term_axis(FwDimension dimension);
/* What of a term lies on its axis, ascending: its own values, and aliases that are told by what they
 * hold. */
GArray *fw_term_spans(FwPolicy *policy, const FwTerm *term, int family);
/* The values of another term. The text says what is asked, and so it is the key as well. */
char *fw_term_text(const FwTerm *term, int family);
/* Whether no rule changes it on the packet's way. */
bool fw_term_is_fixed(FwDimension dimension);
