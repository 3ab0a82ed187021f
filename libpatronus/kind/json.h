/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * JSON (RFC 8259) in and out, and the canonical form (RFC 8785: keys sorted by UTF-16 code units,
 * integers only, no white space) in which objects are stored, compared and hashed.
 *
 * An object is {"apiVersion":..,"kind":..,"metadata":{"name":..,...},"spec":{...}}; present fields
 * only.
 */

#include "kind/kind.h"
#include <json-c/json.h>

#define PT_JSON_DEPTH_MAX 32                /* deeper nesting is refused */
#define PT_DOCUMENT_MAX (1024U * 1024U)     /* bytes of one object's document */
#define PT_INPUT_MAX (128U * 1024U * 1024U) /* bytes of one apply */
/* Of a document with a list that becomes a dataset: a million entries, two addresses of IPv6 each,
 * with indentation or quotes. The limit of values is what bounds the memory. */
#define PT_LARGE_DOCUMENT_MAX (96U * 1024U * 1024U)
#define PT_LARGE_VALUES_MAX (1024U * 1024U)

static inline void pt_json_putp(struct json_object **json)
{
        if (*json)
                json_object_put(*json);
}
#define pt_auto_json __attribute__((cleanup(pt_json_putp))) struct json_object

/*
 * Parses one JSON text. Refused with a diagnostic and -EINVAL: trailing text, duplicate keys at any
 * depth, invalid UTF-8, lone surrogates, NUL in strings, nesting beyond PT_JSON_DEPTH_MAX, numbers
 * that are not integers of 64 bits. -EFBIG above PT_DOCUMENT_MAX.
 */
int pt_json_parse(const char *text, size_t size, PtDiagnostics *diag, struct json_object **ret);
/* The same with the limits PT_LARGE_DOCUMENT_MAX and PT_LARGE_VALUES_MAX. */
int pt_json_parse_large(const char *text, size_t size, PtDiagnostics *diag,
                        struct json_object **ret);

typedef enum PtObjectFromFlags {
        PT_FROM_ALLOW_NAMELESS =
                1 << 0, /* no metadata.name: named after kind and digest of the spec, and labelled
                           PT_LABEL_SET=default unless it has that label; sets object->nameless */
} PtObjectFromFlags;

/* Builds and checks (pt_object_check) an unsealed object. All that is wrong is reported, not only
 * the first. A document of an older version is migrated, with a notice (kind/migrate.h). */
int pt_object_from_json(struct json_object *json, unsigned flags, PtDiagnostics *diag,
                        PtObject **ret);
/* A tree that the caller puts. Secrets are replaced by PT_SECRET_REDACTED unless `secrets`, and are
 * sealed then. */
struct json_object *pt_object_to_json(const PtObject *object, bool secrets);
/* Appends the canonical line, without newline. */
void pt_object_to_canonical(const PtObject *object, GString *out);
/*
 * Reads a canonical line back (faster: no kind->check, it was checked when it was made). One of an
 * older version is migrated, sealed with the line's own digest, and still writes that line
 * (PtMeta.stored). -EPROTONOSUPPORT: of a kind, or of a version of it, that is not known yet.
 */
int pt_object_from_canonical(const char *line, size_t size, PtDiagnostics *diag, PtObject **ret);
/* Appends RFC 8785 text of any tree (integers only). */
void pt_json_to_canonical(struct json_object *json, GString *out);
/* Appends a string in quotes, as RFC 8785 has it. */
void pt_canonical_string(const char *text, size_t size, GString *out);
/* Appends an integer in decimal; much faster than printf, and objects are full of them. */
void pt_canonical_integer(int64_t value, GString *out);
