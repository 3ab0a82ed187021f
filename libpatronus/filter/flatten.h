/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What an alias holds of one sort, with all that it includes: an ascending sequence of disjoint
 * spans of numbers between which there is a gap. Overlapping and adjacent entries are one span.
 * Datasets are read as the sequence goes on, and are never in memory as a whole.
 *
 *         r = fw_flat_new(&source, "bad-hosts", FW_SET_IPV4, diag, &flat);
 *         while (r >= 0 && (r = fw_flat_next(flat, &span)) > 0)
 *                 ...
 *
 * A number is an address, a port or a MAC, its bytes in network byte order as one integer.
 */

#include "filter/live.h"
#include "txn/slice.h"

__extension__ typedef unsigned __int128 FwNumber;

#define FW_NUMBER_BYTES_MAX 16
FwNumber fw_number_read(const uint8_t *bytes, size_t len);
void fw_number_write(FwNumber number, size_t len, uint8_t *ret);
FwNumber fw_number_max(size_t len); /* the last one of so many bytes */

typedef struct FwSpan {
        FwNumber lo, hi; /* inclusive */
} FwSpan;

/* A sort of entries; an alias has a set in the kernel for each that it can hold. */
typedef enum FwSetPart {
        FW_SET_IPV4,
        FW_SET_IPV6,
        FW_SET_PORTS,
        FW_SET_MACS,
        FW_SET_PART_MAX,
        FW_SET_PART_INVALID = -EINVAL,
} FwSetPart;

size_t fw_part_key_len(FwSetPart part); /* bytes of a number: 4, 16, 2, 6 */
bool fw_part_of_type(FwSetPart part, FwAliasType type);

typedef struct FwSource {
        const PtSlice *slice;
        const char *state_dir; /* where the datasets are; NULL: there are none */
        FwLive *live;          /* what was found out at run time; NULL: nothing */
} FwSource;

/* Datasets of one alias with all that it includes, those that sources of it may have at run time
 * counted: each is an open file while it is read. */
#define FW_FLAT_DATASETS_MAX 128

/* The alias and what it includes, each once: borrowed Alias objects. Those that the slice does not
 * have are left out. */
GPtrArray *fw_flat_closure(const PtSlice *slice, const char *alias);
/*
 * Whether all datasets of these aliases can be read and are what their names say. -ENOENT, -EBADMSG
 * and others with a diagnostic ("dataset-missing", "dataset-broken"), -E2BIG for more than
 * FW_FLAT_DATASETS_MAX.
 */
int fw_flat_verify(const FwSource *source, const GPtrArray *closure, PtDiagnostics *diag);

typedef struct FwFlat FwFlat;
/* `closure` must have been verified. Errors of opening a dataset. */
int fw_flat_new(const FwSource *source, const GPtrArray *closure, FwSetPart part, FwFlat **ret);
void fw_flat_free(FwFlat *flat);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwFlat, fw_flat_free)
/* > 0: a span; 0: that was all; -EBADMSG or others: a dataset cannot be read. */
int fw_flat_next(FwFlat *flat, FwSpan *ret);
/* How many spans it has given until now, and how many numbers these hold (of addresses in networks,
 * there may be more than fit). */
size_t fw_flat_spans(const FwFlat *flat);
size_t fw_flat_numbers(const FwFlat *flat);
/* Whether the last of them ends with the last number there is. */
bool fw_flat_reaches_end(const FwFlat *flat);

/*
 * What has to be removed and added to get from one sequence to another, in ascending order each.
 * Either may be NULL: nothing. `spans`: a span that grows or shrinks is removed and added; else
 * only the numbers are reported that differ, however they are grouped.
 */
typedef void (*FwDiffer)(const FwSpan *span, bool added, void *userdata);
int fw_flat_compare(FwFlat *before, FwFlat *after, bool spans, FwDiffer each, void *userdata);
