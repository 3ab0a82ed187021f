/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to bridge*.c: tests of frames as expressions. */

#include "filter/frame.h"
#include "match-put.h"

#include <libnftnl/rule.h>

/* Whether a test is asked by a set, which *ret borrows the bounds of. */
bool fw_frame_test_set(const FwFrameTest *test, FwValueSet *ret);
/* Appends what a way of a rule asks. */
void fw_frame_way_put(const GArray *way, FwBridgeDirection direction, struct nftnl_rule *rule);
