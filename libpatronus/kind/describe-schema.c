/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include "kind/yaml.h"
#include <string.h>

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

static void add_text(struct json_object *json, const char *key, const char *text)
{
        json_object_object_add(json, key, json_object_new_string(text));
}

static struct json_object *text_schema(const char *pattern, const char *doc)
{
        struct json_object *schema = json_object_new_object();

        pt_schema_text(schema, pattern);
        add_text(schema, "description", doc);
        return schema;
}

static struct json_object *fields_schema(const PtField *fields);

static void add_list(const PtField *field, struct json_object *schema)
{
        struct json_object *items;

        if (pt_field_items(field)) {
                items = fields_schema(field->fields);
        } else {
                items = json_object_new_object();
                field->type->schema(field, items);
        }
        add_text(schema, "type", "array");
        json_object_object_add(schema, "items", items);
        json_object_object_add(schema, "minItems", json_object_new_int64(1));
        json_object_object_add(
                schema, "maxItems",
                json_object_new_int64(field->max_items ? field->max_items : PT_LIST_MAX));
        if (!(field->flags & PT_F_ORDERED))
                json_object_object_add(schema, "uniqueItems", json_object_new_boolean(true));
}

static void add_example(const PtField *field, struct json_object *schema)
{
        struct json_object *example, *examples;

        if (!field->example ||
            pt_yaml_parse("example", field->example, strlen(field->example), NULL, &example) < 0)
                return;
        examples = json_object_new_array();
        json_object_array_add(examples, example);
        json_object_object_add(schema, "examples", examples);
}

static struct json_object *field_schema(const PtField *field)
{
        struct json_object *schema, *value;

        if (pt_field_nested(field)) {
                schema = fields_schema(field->fields);
        } else {
                schema = json_object_new_object();
                if (field->flags & PT_F_LIST)
                        add_list(field, schema);
                else
                        field->type->schema(field, schema);
        }
        add_text(schema, "description", field->doc);
        if (field->def && field->type->from_text &&
            field->type->from_text(field, field->def, &value) == 0)
                json_object_object_add(schema, "default", value);
        add_example(field, schema);
        if (field->flags & PT_F_DEPRECATED)
                json_object_object_add(schema, "deprecated", json_object_new_boolean(true));
        if (field->flags & PT_F_READONLY)
                json_object_object_add(schema, "readOnly", json_object_new_boolean(true));
        if (field->flags & PT_F_SECRET)
                json_object_object_add(schema, "writeOnly", json_object_new_boolean(true));
        add_text(schema, "x-patronus-impact", pt_impact_to_string(field->impact));
        return schema;
}

static struct json_object *fields_schema(const PtField *fields)
{
        struct json_object *schema = json_object_new_object(),
                           *properties = json_object_new_object(),
                           *required = json_object_new_array();

        for (const PtField *field = fields; field->name; field++) {
                json_object_object_add(properties, field->name, field_schema(field));
                if (field->flags & PT_F_REQUIRED)
                        json_object_array_add(required, json_object_new_string(field->name));
        }
        add_text(schema, "type", "object");
        json_object_object_add(schema, "properties", properties);
        json_object_object_add(schema, "required", required);
        json_object_object_add(schema, "additionalProperties", json_object_new_boolean(false));
        return schema;
}

static struct json_object *labels_schema(void)
{
        struct json_object *schema = json_object_new_object(), *values = json_object_new_object();

        pt_schema_text(values, "^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$");
        add_text(schema, "type", "object");
        add_text(schema, "description", "Words of your own to tell objects apart by.");
        json_object_object_add(schema, "maxProperties", json_object_new_int64(PT_LABELS_MAX));
        json_object_object_add(schema, "additionalProperties", values);
        return schema;
}

static struct json_object *metadata_schema(const PtKind *kind)
{
        struct json_object *schema = json_object_new_object(),
                           *properties = json_object_new_object(), *name = json_object_new_object(),
                           *description;

        pt_type_name.schema(NULL, name);
        add_text(name, "description",
                 "What the object is called; absent: a name that is made from its content.");
        description = text_schema(NULL, "What people should know about the object.");
        json_object_object_add(description, "maxLength", json_object_new_int64(PT_DESCRIPTION_MAX));
        json_object_object_add(properties, "name", name);
        json_object_object_add(properties, "description", description);
        json_object_object_add(properties, "labels", labels_schema());
        json_object_object_add(
                properties, "uid",
                text_schema("^[0-9a-f]{32}$",
                            "The object's identity across renames; given by the server."));
        if (kind->ordered) {
                struct json_object *position = json_object_new_object();

                add_text(position, "type", "integer");
                add_text(position, "description", "Its place in its file; given by the server.");
                json_object_object_add(position, "minimum", json_object_new_int64(1));
                json_object_object_add(properties, "position", position);
        }
        add_text(schema, "type", "object");
        json_object_object_add(schema, "properties", properties);
        json_object_object_add(schema, "additionalProperties", json_object_new_boolean(false));
        return schema;
}

static struct json_object *const_schema(const char *value)
{
        struct json_object *schema = json_object_new_object();

        add_text(schema, "const", value);
        return schema;
}

static bool has_required(const PtField *fields)
{
        for (const PtField *field = fields; field->name; field++)
                if (field->flags & PT_F_REQUIRED)
                        return true;
        return false;
}

static struct json_object *kind_schema(const PtKind *kind)
{
        struct json_object *schema = json_object_new_object(),
                           *properties = json_object_new_object(),
                           *required = json_object_new_array();

        json_object_array_add(required, json_object_new_string("apiVersion"));
        json_object_array_add(required, json_object_new_string("kind"));
        if (has_required(kind->fields))
                json_object_array_add(required, json_object_new_string("spec"));
        json_object_object_add(properties, "apiVersion", const_schema(kind->api_version));
        json_object_object_add(properties, "kind", const_schema(kind->name));
        json_object_object_add(properties, "metadata", metadata_schema(kind));
        json_object_object_add(properties, "spec", fields_schema(kind->fields));
        add_text(schema, "title", kind->name);
        add_text(schema, "description", kind->doc);
        add_text(schema, "type", "object");
        json_object_object_add(schema, "properties", properties);
        json_object_object_add(schema, "required", required);
        json_object_object_add(schema, "additionalProperties", json_object_new_boolean(false));
        return schema;
}

struct json_object *pt_kind_schema(const PtKind *kind)
{
        struct json_object *schema, *any, *defs;

        if (kind) {
                schema = kind_schema(kind);
                add_text(schema, "$schema", DIALECT);
                return schema;
        }
        schema = json_object_new_object();
        any = json_object_new_array();
        defs = json_object_new_object();
        for (const PtKind *const *known = pt_kinds(); *known; known++) {
                g_autofree char *place = g_strconcat("#/$defs/", (*known)->name, NULL);
                struct json_object *reference = json_object_new_object();

                add_text(reference, "$ref", place);
                json_object_array_add(any, reference);
                json_object_object_add(defs, (*known)->name, kind_schema(*known));
        }
        add_text(schema, "$schema", DIALECT);
        json_object_object_add(schema, "anyOf", any);
        json_object_object_add(schema, "$defs", defs);
        return schema;
}

void pt_kind_schema_digest(PtDigest *ret)
{
        pt_auto_json *schema = pt_kind_schema(NULL);
        g_autoptr(GString) text = g_string_new(NULL);

        pt_json_to_canonical(schema, text);
        pt_digest_of(text->str, text->len, ret);
}
