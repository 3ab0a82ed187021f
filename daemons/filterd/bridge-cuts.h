/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Whether rules of bridges may keep a connection's frames, or those by which its ends find each other,
 * from an interface of this machine that is a bridge. */

#include "cuts.h"
#include "filter/packet.h"

/* `packet`: the connection's first, to this machine. 1 with a reason for people (the caller's), 0, or
 * negative. */
int fw_bridge_cuts(const FwPlanned *planned, const FwPacket *packet, char **ret_why);
