/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Walking a C struct by its table: what all that derives from the tables shares. A struct is its
 * rows, the address of its first byte, and its presence bits (an object's `present`, or a nested
 * struct's first member).
 */

#include "kind/type.h"

/* Where the row's value is; NULL: in a box that is not there, so that nothing in it is set. */
static inline void *pt_field_value(const PtField *field, const void *base)
{
        char *box = field->box_size ? *(char *const *) ((const char *) base + field->box_offset)
                                    : (char *) base;

        return box ? box + field->offset : NULL;
}

/* The rows of a nested struct, or NULL: the row is a value or a list. */
static inline const PtField *pt_field_nested(const PtField *field)
{
        return field->flags & PT_F_LIST ? NULL : field->fields;
}

/* The rows of each struct of a list, or NULL: the row is something else. */
static inline const PtField *pt_field_items(const PtField *field)
{
        return field->flags & PT_F_LIST ? field->fields : NULL;
}

static inline uint64_t *pt_nested_present(void *nested)
{
        return nested;
}

/* The row called `name`, or NULL. */
const PtField *pt_fields_find(const PtField *fields, const char *name);
/* Names of the rows; the array is the caller's, the names are not. For pt_nearest_word(). */
const char **pt_fields_names(const PtField *fields);

/* Reads an object of members into a zeroed struct, reporting all that is wrong. What is read is
 * owned by the struct even on failure. */
int pt_fields_from_json(const PtField *fields, struct json_object *json, const char *pointer,
                        PtDiagnostics *diag, void *base, uint64_t *present);
/* A tree that the caller puts. */
struct json_object *pt_fields_to_json(const PtField *fields, const void *base, uint64_t present,
                                      bool secrets);
/* Appends what pt_fields_to_json() would give, in canonical form. */
void pt_fields_to_canonical(const PtField *fields, const void *base, uint64_t present,
                            GString *out);
/* Makes a bytewise copy of a struct own what it points to. */
void pt_fields_copy(const PtField *fields, void *to, const void *from, uint64_t present);
void pt_fields_done(const PtField *fields, void *base, uint64_t present);
/* Reports the required rows that are not in `seen`. */
int pt_fields_check_required(const PtField *fields, const char *pointer, uint64_t seen,
                             PtDiagnostics *diag);

/* One row's value, list or nested struct. */
struct json_object *pt_field_to_json(const PtField *field, const void *value, bool secrets);

/* The list of a PT_F_LIST row (types-list.c). */
int pt_list_from_json(const PtField *field, struct json_object *json, const char *pointer,
                      PtDiagnostics *diag, PtList *list);
void pt_list_copy(const PtField *field, PtList *to, const PtList *from);
void pt_list_done(const PtField *field, PtList *list);
static inline size_t pt_item_size(const PtField *field)
{
        return field->item_size ?: field->type->size;
}
static inline const void *pt_list_item(const PtField *field, const PtList *list, unsigned i)
{
        return (const char *) list->items + i * pt_item_size(field);
}
struct json_object *pt_list_item_to_json(const PtField *field, const void *item, bool secrets);

/* Says that `json` is of the wrong type and what is right ("write true or false"); returns -EINVAL.
 */
int pt_wrong_type(struct json_object *json, const char *pointer, PtDiagnostics *diag,
                  const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Appends "/" and `key` as RFC 6901 has it: "~" and "/" escaped. */
void pt_pointer_append(GString *pointer, const char *key);
/* "did you mean X?" or "known: a, b, c" for an unknown word; the caller frees. "" when `diag` takes
 * no more: nearness costs time, and a stranger can send a million unknown words. */
char *pt_suggestion(const PtDiagnostics *diag, const char *word, const char *const *words);

/* Types whose value is an owned char *: compare, copy and done (types-string.c). */
int pt_text_compare(const void *a, const void *b);
void pt_text_copy(const PtField *field, void *to, const void *from);
void pt_text_done(const PtField *field, void *value);
struct json_object *pt_text_to_json(const PtField *field, const void *value);
/* JSON string of any text (from_text of types that are written as text). */
int pt_text_from_text(const PtField *field, const char *text, struct json_object **ret);
/* The text of a JSON string without NUL inside, or NULL. */
const char *pt_json_text(struct json_object *json);
/* `text` as decimal integer without sign, spaces or leading zeros: -EINVAL if it is not one,
 * -ERANGE beyond max. */
int pt_parse_unsigned(const char *text, size_t size, uint64_t max, uint64_t *ret);
/* Six pairs of hex digits, between colons or hyphens. */
bool pt_mac_parse(const char *text, size_t size, PtMac *ret);
/* schema: {"type": "string", "pattern": pattern}; pattern may be NULL. */
void pt_schema_text(struct json_object *schema, const char *pattern);
