/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why a packet met its verdict: one word for each way in which that is decided. The evaluator's
 * outcome names it, and so does the prefix under which the kernel logs what no rule of the
 * configuration decided (docs/LOGS.md):
 *
 *         drop/no-zone       fw_reason_prefix(FW_REASON_NO_ZONE)
 *
 * Names are for programs and never change; texts are for people.
 */

#include "kind/kind.h"

typedef enum FwReason {
        FW_REASON_RULE,      /* a rule decided, and is named beside it */
        FW_REASON_AUDIT,     /* a rule in audit mode would have decided */
        FW_REASON_DEFAULT,   /* no rule matched: the default of the zone */
        FW_REASON_LOCKOUT,   /* anti-lockout lets it in */
        FW_REASON_PROLOGUE,  /* passes before any rule: established, loopback, neighbours ... */
        FW_REASON_PANIC,     /* panic mode */
        FW_REASON_BAN,       /* a ban of its source or destination */
        FW_REASON_INVALID,   /* of no connection, and can begin none */
        FW_REASON_KILLED,    /* in the middle of a connection that was ended */
        FW_REASON_FRAGMENTS, /* a rule about fragments */
        FW_REASON_NO_ZONE,   /* by an interface of no zone */
        FW_REASON_ANTISPOOF, /* its source is not reached by the interface that it came by */
        FW_REASON_BOGONS,    /* its source is an address that no host of the internet has */
        FW_REASON_PRIVATE,   /* its source is a private address */
        FW_REASON_LIMIT,     /* beyond a limit of the rule that would let it pass */
        FW_REASON_BRIDGE,    /* no rule of bridges matched: the default of BridgeSettings */
        FW_REASON_OPENING,   /* its port was opened at run time */
        FW_REASON_MAX,
        FW_REASON_INVALID_NAME = -EINVAL,
} FwReason;

extern const PtChoice fw_reasons[];          /* indexed by FwReason */
const char *fw_reason_name(FwReason reason); /* "no-zone" */
const char *fw_reason_text(FwReason reason); /* "it came by, or goes to, an interface of no zone" */
/* What a line of the kernel begins with that was dropped or refused for this reason, "drop/NAME"; at
 * most PT_NFT_LOG_PREFIX_MAX bytes. */
const char *fw_reason_prefix(FwReason reason);
/* FW_REASON_INVALID_NAME: there is none of this name, which need not be terminated. */
FwReason fw_reason_find(const char *name, size_t size);
