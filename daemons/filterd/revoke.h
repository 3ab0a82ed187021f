/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which connections a commit revokes: those that a policy before it let begin, and the one after it
 * does not, for certain. Several commits that come together are one look, and then there are several
 * policies before. A connection is asked about as the filter saw its first packet: its
 * destination after translation and its source before, between the zones that its mark says
 * (base/marks.h). What the mark does not tell, routes do.
 *
 * What is not known of a connection any more (marks, hardware addresses, lengths) leaves it alone, if
 * a rule asks for it; so does what neither policy explains: what is there for another reason.
 *
 * The same of rules with endConnections: of what such a rule let begin in a window of its schedule that
 * is over, and what is in force now does not.
 *
 * For a child: it looks at a million connections in some seconds.
 */

#include "openings.h"
#include "filter/flatten.h"
#include "filter/schedule.h"
#include "netlink/connection.h"

typedef struct FwRevoke FwRevoke;
/* Policies that are remembered at most while connections are looked at, or are about to be. */
#define FW_REVOKE_BEFORE_MAX 16U
/* What was in force: references. */
typedef struct FwRevokeBefore {
        PtSlice *slice;
        bool ended; /* only what rules with endConnections let begin that are not in force now; */
        FwTimes *
                times; /* by what schedules said, or NULL: it is not known, each may have been open */
} FwRevokeBefore;
FwRevokeBefore *fw_revoke_before_new(PtSlice *slice, bool ended, FwTimes *times);
void fw_revoke_before_free(void *before);
/* Whether any rule of the slice has endConnections. */
bool fw_revoke_may_end(const PtSlice *slice);

/* `before`: FwRevokeBefore, 1 to FW_REVOKE_BEFORE_MAX. `times`: what schedules say now. Errors of
 * fw_lists_new() and of sockets. */
int fw_revoke_new(const GPtrArray *before, const FwSource *after, FwTimes *times, int netns_fd,
                  FwRevoke **ret);
/* What lets in beside the policy that comes after; may be NULL. Borrowed. */
void fw_revoke_set_openings(FwRevoke *revoke, const FwOpenings *openings);
void fw_revoke_free(FwRevoke *revoke);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwRevoke, fw_revoke_free)

bool fw_revoke_ends(FwRevoke *revoke, const PtConnection *connection);
