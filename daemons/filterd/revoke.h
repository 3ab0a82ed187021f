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
 * For a child: it looks at a million connections in some seconds.
 */

#include "filter/flatten.h"
#include "netlink/connection.h"

typedef struct FwRevoke FwRevoke;
/* Policies that are remembered at most while connections are looked at, or are about to be. */
#define FW_REVOKE_BEFORE_MAX 16U
/* `before`: const PtSlice *, 1 to FW_REVOKE_BEFORE_MAX. Errors of fw_lists_new() and of sockets. */
int fw_revoke_new(const GPtrArray *before, const FwSource *after, int netns_fd, FwRevoke **ret);
void fw_revoke_free(FwRevoke *revoke);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwRevoke, fw_revoke_free)

bool fw_revoke_ends(FwRevoke *revoke, const PtConnection *connection);
