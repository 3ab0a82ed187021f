/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A slice: a set of sealed objects indexed by (kind, name), with a Merkle root over
 * PT_SLICE_BUCKETS buckets by hash of (kind, name). A changed object rehashes its bucket and the
 * root, nothing else.
 *
 *   bucket index:   first two bytes, big endian, of SHA-256("kind/name"), modulo PT_SLICE_BUCKETS
 *   bucket digest:  SHA-256 over the digests of its objects in the order of
 *                   pt_object_compare_identity (an empty bucket: 32 zero bytes)
 *   root:           SHA-256 over the bucket digests
 *
 * pt_slice_clone() is O(buckets): buckets are shared and copied when one side writes. So a
 * session's candidate, the revision it is based on and what a daemon has in force cost what
 * differs.
 */

#include "kind/kind.h"

#define PT_SLICE_BUCKETS 1024
#define PT_SLICE_OBJECTS_MAX 2000000 /* objects of one configuration */

PtSlice *pt_slice_new(void);
PtSlice *pt_slice_ref(PtSlice *slice);
void pt_slice_unref(PtSlice *slice);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSlice, pt_slice_unref)
PtSlice *pt_slice_clone(const PtSlice *slice);

/* The sealed object, owned by the slice, or NULL. */
const PtObject *pt_slice_get(const PtSlice *slice, const PtKind *kind, const char *name);
/* Adds or replaces; takes its own reference. The object must be sealed. An equal one stays. */
void pt_slice_put(PtSlice *slice, const PtObject *object);
bool pt_slice_remove(PtSlice *slice, const PtKind *kind, const char *name);
/* Number of objects of a kind (NULL: of all). O(1). */
size_t pt_slice_count(const PtSlice *slice, const PtKind *kind);

/*
 * Every object of a kind (NULL: all), in no order; stops at a return other than 0 and returns it.
 * `each` must not change the slice.
 */
int pt_slice_foreach(const PtSlice *slice, const PtKind *kind,
                     int (*each)(const PtObject *object, void *userdata), void *userdata);
/* A new array of borrowed objects of a kind (NULL: all), sorted by pt_object_compare_identity. */
GPtrArray *pt_slice_sorted(const PtSlice *slice, const PtKind *kind);
/*
 * What differs, in no order: before NULL for a created object, after NULL for a deleted one.
 * O(buckets + differences) when one slice is a clone of the other.
 */
int pt_slice_compare(const PtSlice *before, const PtSlice *after,
                     int (*each)(const PtObject *before, const PtObject *after, void *userdata),
                     void *userdata);
void pt_slice_root(const PtSlice *slice, PtDigest *ret);
/* For check_set. */
PtLookup pt_slice_lookup(const PtSlice *slice);
/* The objects of the kinds (NULL-terminated array), in a new slice; O(buckets) when there are no
 * others. */
PtSlice *pt_slice_project(const PtSlice *slice, const PtKind *const *kinds);

/*
 * As text: NDJSON. The first line is a header, the rest is one canonical object a line, sorted by
 * (kind, name).
 *
 *   {"objects":2,"patronus":"slice","root":"<hex>"}
 *   {"apiVersion":...}
 *
 *   {"base":"<hex>","changed":1,"deleted":1,"patronus":"delta","root":"<hex>"}
 *   {"apiVersion":...}                                 changed and new objects
 *   {"delete":"FirewallRule/web"}                      deleted ones
 *
 * Reading checks every line, the counts, the order and the root: -EBADMSG with a diagnostic when
 * anything is off, -EFBIG beyond PT_SLICE_FILE_MAX, -ESTALE when a delta's base is not the given
 * slice, -EPROTONOSUPPORT when all is right and a newer version of ours wrote it.
 *
 * Objects of older versions keep their lines (PtMeta.stored), so roots are those of the text.
 */
#define PT_SLICE_FILE_MAX (1024U * 1024U * 1024U)

typedef struct PtSliceHeader {
        bool delta;
        PtDigest base; /* of a delta */
        PtDigest root;
        uint64_t objects; /* that follow: all of a slice, the changed ones of a delta */
        uint64_t deleted; /* of a delta */
} PtSliceHeader;
#define PT_SLICE_HEADER_MAX 512 /* bytes that hold any header */
/* Reads the header at the start of a text; -EBADMSG. */
int pt_slice_header(const char *text, size_t size, PtSliceHeader *ret);

int pt_slice_write(const PtSlice *slice, int fd);
void pt_slice_format(const PtSlice *slice, GString *out);
int pt_slice_read(int fd, PtDiagnostics *diag, PtSlice **ret);
/* The delta from `before` to `after` as NDJSON text; changed objects only. */
void pt_delta_format(const PtSlice *before, const PtSlice *after, GString *out);
/* Applies a delta (or takes a full slice, when the text is one) to `base` (NULL: empty), giving a
 * new slice. In both cases what is equal in `base` is the same object in the new slice: an engine
 * that keeps a pointer to an unchanged object keeps it rightly. */
int pt_delta_apply(const PtSlice *base, const char *text, size_t size, PtDiagnostics *diag,
                   PtSlice **ret);
/* The same from a descriptor, from where it stands, line by line: the text is never in memory. */
int pt_delta_read(const PtSlice *base, int fd, PtDiagnostics *diag, PtSlice **ret);
