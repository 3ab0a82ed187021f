/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to evaluate.c and evaluate-nat.c. */

#include "filter/evaluate.h"

typedef struct FwEvaluation {
        const FwWorld *world;
        FwPacket packet;                     /* as the filter sees it, once it is translated */
        uint8_t source[16], destination[16]; /* the bytes of its addresses */
        FwOutcome outcome;
        const FirewallRule *fragment; /* a rule that may drop it as a fragment; NULL: none */
} FwEvaluation;

size_t fw_address_size(int family);
/* Finds where it goes, before and after the translation of its destination. Errors of `route`. */
int fw_evaluate_destination(FwEvaluation *evaluation);
/* How what passes leaves. Errors of reading aliases. */
int fw_evaluate_source(FwEvaluation *evaluation);
