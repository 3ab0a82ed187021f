/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include "kind/meta.h"
#include "kind/yaml.h"
#include "secret/envelope.h"
#include <string.h>

void pt_change_free(PtChange *change)
{
        if (!change)
                return;
        g_free(change->pointer);
        g_free(change->before);
        g_free(change->after);
        g_free(change);
}

static void free_change(gpointer change)
{
        pt_change_free(change);
}

static char *to_text(struct json_object *json)
{
        GString *out = g_string_new(NULL);

        pt_json_to_flow(json, out);
        return g_string_free(out, FALSE);
}

/* Takes what it is given; NULL is absent. */
static void add_change(GPtrArray *changes, const char *pointer, char *before, char *after,
                       PtImpact impact)
{
        PtChange *change = g_new0(PtChange, 1);

        change->pointer = g_strdup(pointer);
        change->before = before;
        change->after = after;
        change->impact = impact;
        g_ptr_array_add(changes, change);
}

/* One side of a comparison: a struct, or none. */
typedef struct Side {
        const void *base;
        uint64_t present;
} Side;

static const void *side_value(const Side *side, const PtField *fields, const PtField *field)
{
        return side->present >> (field - fields) & 1 ? pt_field_value(field, side->base) : NULL;
}

static Side nested_side(const void *value)
{
        return value ? (Side){value, *pt_nested_present((void *) value)} : (Side){NULL, 0};
}

static char *value_text(const PtField *field, const void *value, bool secrets)
{
        pt_auto_json *json = NULL;

        if (!value)
                return NULL;
        json = pt_field_to_json(field, value, secrets);
        return to_text(json);
}

/* Compared with their secrets, shown without, so that a changed secret is a change. */
static bool values_equal(const PtField *field, const void *a, const void *b)
{
        pt_auto_json *x = NULL, *y = NULL;

        if (!a || !b)
                return a == b;
        x = pt_field_to_json(field, a, true);
        y = pt_field_to_json(field, b, true);
        return json_object_equal(x, y);
}

static void diff_fields(const PtField *fields, const Side *before, const Side *after,
                        const char *pointer, bool secrets, GPtrArray *changes)
{
        for (const PtField *field = fields; field->name; field++) {
                const void *old = side_value(before, fields, field);
                const void *new = side_value(after, fields, field);
                g_autofree char *at = NULL;

                if (!old && !new)
                        continue;
                at = g_strconcat(pointer, "/", field->name, NULL);
                if (pt_field_nested(field)) {
                        Side x = nested_side(old), y = nested_side(new);

                        diff_fields(field->fields, &x, &y, at, secrets, changes);
                } else if (!values_equal(field, old, new)) {
                        add_change(changes, at, value_text(field, old, secrets),
                                   value_text(field, new, secrets), field->impact);
                }
        }
}

/* Metadata but for the name, which is the same or a creation's; nothing in it is felt by packets
 * but the position. */
static void diff_metadata(const PtObject *before, const PtObject *after, GPtrArray *changes)
{
        static const char *const members[] = {"description", "labels", "position", "uid"};
        pt_auto_json *old = before ? pt_meta_to_json(before) : NULL;
        pt_auto_json *new = after ? pt_meta_to_json(after) : NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
                struct json_object *x = json_object_object_get(old, members[i]);
                struct json_object *y = json_object_object_get(new, members[i]);
                g_autofree char *at = NULL;

                if (json_object_equal(x, y))
                        continue;
                at = g_strconcat("/metadata/", members[i], NULL);
                add_change(changes, at, x ? to_text(x) : NULL, y ? to_text(y) : NULL,
                           PT_IMPACT_LIVE);
        }
}

/* Secrets are known by their form: the table has no rows for what an older version called them. */
static bool is_sealed(struct json_object *json)
{
        const char *text = pt_json_text(json);

        return text && pt_sealed_text_is(text);
}

static char *json_text(struct json_object *json, bool secrets)
{
        pt_auto_json *redacted = NULL;

        if (secrets || !is_sealed(json))
                return to_text(json);
        redacted = json_object_new_string(PT_SECRET_REDACTED);
        return to_text(redacted);
}

/* What differs between two trees, by their leaves. Recursion is as deep as the trees, which a
 * parser with a limit made. */
static void diff_json(struct json_object *old, struct json_object *new, const char *pointer,
                      bool secrets, GPtrArray *changes)
{
        bool deep = json_object_is_type(old ?: new, json_type_object) &&
                    json_object_is_type(new ?: old, json_type_object);

        if (json_object_equal(old, new))
                return;
        if (!deep) {
                add_change(changes, pointer, old ? json_text(old, secrets) : NULL,
                           new ? json_text(new, secrets) : NULL, PT_IMPACT_LIVE);
                return;
        }
        for (unsigned side = 0; side < 2; side++) {
                struct json_object *tree = side == 0 ? old : new;

                if (!tree)
                        continue;
                json_object_object_foreach(tree, key, value)
                {
                        g_autoptr(GString) at = g_string_new(pointer);
                        struct json_object *other = NULL;

                        /* What both have was seen at the first. */
                        if (side == 1 && old && json_object_object_get_ex(old, key, NULL))
                                continue;
                        if (side == 0)
                                other = json_object_object_get(new, key);
                        pt_pointer_append(at, key);
                        diff_json(side == 0 ? value : NULL, side == 0 ? other : value, at->str,
                                  secrets, changes);
                }
        }
}

/* An object's document as it was stored. */
static struct json_object *stored_json(const PtObject *object)
{
        struct json_object *json = NULL;

        if (!object)
                return NULL;
        if (!pt_object_is_older(object))
                return pt_object_to_json(object, true);
        if (pt_json_parse(object->meta->stored, strlen(object->meta->stored), NULL, &json) < 0)
                g_error("a stored line cannot be read again"); /* it was */
        return json;
}

/* Between versions of a kind: what the documents say, since a migration changes just that. */
static void diff_versions(const PtObject *before, const PtObject *after, bool secrets,
                          GPtrArray *changes)
{
        static const char *const members[] = {"apiVersion", "spec"};
        pt_auto_json *old = stored_json(before), *new = stored_json(after);

        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
                g_autofree char *pointer = g_strconcat("/", members[i], NULL);

                diff_json(json_object_object_get(old, members[i]),
                          json_object_object_get(new, members[i]), pointer, secrets, changes);
        }
}

GPtrArray *pt_object_diff(const PtObject *before, const PtObject *after, bool secrets)
{
        GPtrArray *changes = g_ptr_array_new_with_free_func(free_change);
        Side old = {before, before ? before->present : 0};
        Side new = {after, after ? after->present : 0};

        g_assert(before || after);
        diff_metadata(before, after, changes);
        if (before && after &&
            strcmp(pt_object_api_version(before), pt_object_api_version(after)) != 0)
                diff_versions(before, after, secrets, changes);
        else
                diff_fields((before ? before : after)->kind->fields, &old, &new, "/spec", secrets,
                            changes);
        return changes;
}
