/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Pieces of a difference, melted into lines: on each axis, a line has a list of intervals. For
 * difference.c alone.
 */

#include "compare.h"

#include <json-c/json.h>

typedef enum FwChange {
        FW_CHANGE_ALLOWED,
        FW_CHANGE_DENIED,
        FW_CHANGE_ALLOWED_OTHERWISE, /* with other limits or helpers */
        FW_CHANGE_DENIED_OTHERWISE,  /* dropped, or rejected */
        FW_CHANGE_MAX,
        FW_CHANGE_INVALID = -EINVAL,
} FwChange;

/* Beside the axes of cubes: the family. */
#define FW_LINE_FAMILY FW_AXIS_MAX
#define FW_LINE_AXES (FW_AXIS_MAX + 1)

typedef struct FwPart {
        FwCube cube;
        FwPair pair;
} FwPart;

typedef struct FwRankSpan {
        uint32_t lo, hi; /* places on an axis; 0 and UINT32_MAX: all, of addresses of any family */
} FwRankSpan;

typedef struct FwLine {
        FwChange change;
        FwPair pair;                /* NULLs: of several */
        GArray *axes[FW_LINE_AXES]; /* FwRankSpan, ascending */
        uint64_t holds, fails;
} FwLine;

FwChange fw_change_of(const FwPair *pair);
/* Lines (GPtrArray of FwLine, in an order for people) of parts (GArray of FwPart). `deciders`: what
 * others decide are other lines. */
GPtrArray *fw_lines_new(const FwSpace *space, const GArray *parts, bool deciders);
struct json_object *fw_line_to_json(const FwSpace *space, const FwLine *line);
