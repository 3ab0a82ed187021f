/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tables say to people and tools: schema, help, completion, diff, and field=value texts.
 */

#include "kind/json.h"

/* JSON Schema (draft 2020-12) of one kind, or with NULL of all ("$defs"). The caller puts it. */
struct json_object *pt_kind_schema(const PtKind *kind);
/* SHA-256 of the canonical schema of all kinds. */
void pt_kind_schema_digest(PtDigest *ret);
/* Help for KIND or KIND.field.path; -ENOENT with a diagnostic that suggests the nearest word. */
int pt_kind_explain(const char *path, PtDiagnostics *diag, GString *out);
/* What there is to know of a field besides its text: "type", "default", "refers to", …. A label ""
 * continues the last. */
typedef void (*PtPropertyFunc)(const char *label, const char *text, void *userdata);
void pt_field_foreach_property(const PtField *field, PtPropertyFunc each, void *userdata);
/* The fields that refer to objects of the kind: "FirewallRule.from, FirewallRule.to"; "": none. The
 * caller's. */
char *pt_kind_referrers(const PtKind *kind);
/* Candidates for the last word of `set KIND/NAME a.b=` and of `explain`: newline-separated words.
 */
void pt_kind_complete(const PtKind *kind, const char *word, GString *out);
/* How much of a value on the command line stays as it is while its end is completed: of a list all
 * up to the last comma. */
size_t pt_value_head(const PtField *field, const char *value);
/* Whether an item is in the first `size` bytes of "a,b,c". */
bool pt_value_has_item(const char *list, size_t size, const char *item);

/* One changed field. */
typedef struct PtChange {
        char *pointer; /* "/spec/destination/ports" */
        char *before;  /* compact YAML text, or NULL: absent */
        char *after;
        PtImpact impact;
} PtChange;
void pt_change_free(PtChange *change);
/* Array of PtChange between two objects of one kind; either may be NULL (creation, deletion). */
GPtrArray *pt_object_diff(const PtObject *before, const PtObject *after, bool secrets);

/*
 * Turns `destination.ports=80,443` into {"destination":{"ports":[80,443]}} merged into `json`; an
 * empty value puts a JSON null, which means unset. Checks the text by its type.
 */
int pt_fields_set_text(const PtField *fields, const char *assignment, PtDiagnostics *diag,
                       struct json_object *json);
/* Merges a patch as pt_fields_set_text makes it (RFC 7386: null removes) into an object's JSON
 * spec. */
void pt_json_merge(struct json_object *target, struct json_object *patch);
