/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* An object's metadata, in and out of JSON. Its name is the object's own and handled with it. */

#include "kind/json.h"

void pt_meta_free(PtMeta *meta);
PtMeta *pt_meta_copy(const PtMeta *meta); /* without `stored`; NULL when nothing else is set */

/* What "metadata" of a document said. `name` is borrowed from the tree, NULL if absent. */
typedef struct PtMetaInput {
        const char *name;
        uint32_t position;
        PtMeta *meta; /* the caller's; NULL when nothing but name and position was given */
} PtMetaInput;

/* Reads "metadata" (NULL: absent), reporting all that is wrong; `kind` may be NULL when it is
 * unknown. */
int pt_meta_from_json(const PtKind *kind, struct json_object *json, PtDiagnostics *diag,
                      PtMetaInput *ret);
struct json_object *pt_meta_to_json(const PtObject *object);
/* Appends what pt_meta_to_json() would give, in canonical form. */
void pt_meta_to_canonical(const PtObject *object, GString *out);

/* The uid that a name gives: the first half of SHA-256("kind/name"). */
void pt_uid_of(const PtKind *kind, const char *name, uint8_t ret[static 16]);
