/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether a planned ruleset refuses new connections like an administrator's own: what
 * filter/evaluate.h says about the first packet of one, with what the kernel knows beside the
 * slice: by which interface the client comes (the one by which answers leave), its neighbour's
 * hardware address, and under which address and port it began (a connection that was translated is
 * asked for as it was before).
 *
 * Its port is another one each time, and which marks and code points packets carry is for others to
 * say: a ruleset that refuses on one of these, perhaps, refuses. Who is asked for a confirmation
 * once too often is better off than who is locked out.
 */

#include "bans.h"
#include "filter/effective.h"
#include "filter/live.h"
#include "txn/tuple.h"

typedef struct FwPlanned {
        PtSlice *slice;
        FwEffective *effective; /* of the slice's rules, perhaps of others' too */
        const FwBans *bans;     /* may be NULL */
        const char *state_dir;
        bool panic;   /* it is on, and stays so */
        FwLive *live; /* what aliases hold beside the slice; may be NULL */
        int netns_fd;
} FwPlanned;

/*
 * 1 with a reason for people (the caller's), 0, or negative with a reason: it cannot say.
 * -EPROTONOSUPPORT: not TCP; -EADDRNOTAVAIL: the client's address is one of the link, of which there
 * may be several; else there is no way back to the client.
 */
int fw_cuts(const FwPlanned *planned, const PtTuple *tuple, char **ret_why);
