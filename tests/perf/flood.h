/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What flood.c and flood.bpf.c agree on. */

/* Each frame is this long, of either family. In its payload, whose last six bytes there is room for
 * behind any TCP header without options, are a mark and the frame's index, big endian: the sink
 * counts by it. */
#define FLOOD_FRAME 80
#define FLOOD_MARK 0x5046 /* bytes 74 and 75; the index is in bytes 76 to 79 */
#define FLOOD_FRAMES_MAX (1 << 20)
