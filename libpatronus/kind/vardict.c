/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/vardict.h"

#include "kind/field.h"
#include "kind/meta.h"
#include <string.h>

/* Values of one message: a message may be 128 MiB of single bytes, and each would become a tree's
 * node. */
#define VARDICT_VALUES_MAX 65536U

/* Reads an integer, boolean or string into a value; -EINVAL for other D-Bus types, which are not
 * consumed. */
static int read_basic(sd_bus_message *m, char type, struct json_object **ret)
{
        union {
                uint8_t y;
                int b; /* sd-bus's boolean */
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                const char *s;
        } value;
        int r;

        if (!memchr("ybnqiuxtsog", type, strlen("ybnqiuxtsog")))
                return -EINVAL;
        r = sd_bus_message_read_basic(m, type, &value);
        if (r < 0)
                return r;
        switch (type) {
        case 'y':
                *ret = json_object_new_int64(value.y);
                return 0;
        case 'b':
                *ret = json_object_new_boolean(value.b);
                return 0;
        case 'n':
                *ret = json_object_new_int64(value.n);
                return 0;
        case 'q':
                *ret = json_object_new_int64(value.q);
                return 0;
        case 'i':
                *ret = json_object_new_int64(value.i);
                return 0;
        case 'u':
                *ret = json_object_new_int64(value.u);
                return 0;
        case 'x':
                *ret = json_object_new_int64(value.x);
                return 0;
        case 't':
                /* Nothing takes so much, and whatever reads the number says so. */
                *ret = json_object_new_int64((int64_t) MIN(value.t, (uint64_t) INT64_MAX));
                return 0;
        default:
                *ret = json_object_new_string(value.s);
                return 0;
        }
}

static int append_text(sd_bus_message *m, struct json_object *json)
{
        if (json_object_is_type(json, json_type_string))
                return sd_bus_message_append(m, "s", json_object_get_string(json));
        if (json_object_is_type(json, json_type_int)) {
                g_autofree char *text = g_strdup_printf("%" PRId64, json_object_get_int64(json));

                return sd_bus_message_append(m, "s", text);
        }
        return -EINVAL;
}

/* A value of a type as its D-Bus type. */
static int append_value(const PtField *field, struct json_object *json, sd_bus_message *m)
{
        char type = field->type->signature[0];
        int64_t number = json_object_get_int64(json);

        if (type == 's')
                return append_text(m, json);
        if (type == 'b')
                return json_object_is_type(json, json_type_boolean)
                               ? sd_bus_message_append(m, "b", json_object_get_boolean(json))
                               : -EINVAL;
        if (!json_object_is_type(json, json_type_int) || number < 0)
                return -EINVAL;
        if (type == 'y')
                return number <= UINT8_MAX ? sd_bus_message_append(m, "y", (uint8_t) number)
                                           : -ERANGE;
        if (type == 'q')
                return number <= UINT16_MAX ? sd_bus_message_append(m, "q", (uint16_t) number)
                                            : -ERANGE;
        return number <= UINT32_MAX ? sd_bus_message_append(m, "u", (uint32_t) number) : -ERANGE;
}

static int append_list(const PtField *field, struct json_object *json, sd_bus_message *m)
{
        g_autofree char *signature = g_strconcat("a", field->type->signature, NULL);
        int r;

        if (!json_object_is_type(json, json_type_array))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'v', signature);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', field->type->signature);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(json); i++) {
                struct json_object *item = json_object_array_get_idx(json, i);

                r = pt_field_items(field) ? pt_fields_append(field->fields, item, m)
                                          : append_value(field, item, m);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

/* A row's value as a variant. */
static int append_field(const PtField *field, struct json_object *json, sd_bus_message *m)
{
        int r;

        if (field->flags & PT_F_LIST)
                return append_list(field, json, m);
        r = sd_bus_message_open_container(m, 'v', field->type->signature);
        if (r < 0)
                return r;
        r = pt_field_nested(field) ? pt_fields_append(field->fields, json, m)
                                   : append_value(field, json, m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

int pt_fields_append(const PtField *fields, struct json_object *json, sd_bus_message *m)
{
        int r;

        if (!json_object_is_type(json, json_type_object))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        json_object_object_foreach(json, name, value)
        {
                const PtField *field = pt_fields_find(fields, name);

                if (!field)
                        return -EINVAL;
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r < 0)
                        return r;
                r = sd_bus_message_append(m, "s", name);
                if (r < 0)
                        return r;
                r = append_field(field, value, m);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

int pt_fields_append_entry(const char *name, const PtField *fields, struct json_object *json,
                           sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a{sv}");
        if (r >= 0)
                r = pt_fields_append(fields, json, m);
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static bool is_basic(const char *signature)
{
        return *signature && !signature[1] && strchr("ybnqiuxtsog", *signature);
}

static bool is_right_signature(const PtField *field, const char *contents)
{
        if (pt_field_nested(field))
                return strcmp(contents, "a{sv}") == 0;
        if (pt_field_items(field))
                return strcmp(contents, "aa{sv}") == 0;
        if (field->flags & PT_F_LIST)
                return contents[0] == 'a' &&
                       (is_basic(contents + 1) || strcmp(contents + 1, "v") == 0);
        return is_basic(contents);
}

/* A value: text means what it means on a command line, so that everything can be sent as a string.
 */
static int read_value(const PtField *field, sd_bus_message *m, char type, struct json_object **ret)
{
        pt_auto_json *json = NULL;
        int r;

        r = read_basic(m, type, &json);
        if (r < 0)
                return r;
        if (!json_object_is_type(json, json_type_string)) {
                *ret = g_steal_pointer(&json);
                return 0;
        }
        return field->type->from_text(field, json_object_get_string(json), ret);
}

/* An item that is a variant; *ret stays NULL when it is of no use, which is in `diag`. */
static int read_variant_item(const PtField *field, sd_bus_message *m, const char *pointer, size_t i,
                             PtDiagnostics *diag, struct json_object **ret)
{
        const char *contents;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (!is_basic(contents)) {
                g_autofree char *at = g_strdup_printf("%s/%zu", pointer, i);

                pt_diag_error(diag, "wrong-type", at, "D-Bus type \"%s\" was given; send \"%s\"",
                              contents, field->type->signature);
                return sd_bus_message_skip(m, "v");
        }
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        r = read_value(field, m, *contents, ret);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int read_fields(const PtField *fields, sd_bus_message *m, const char *pointer,
                       PtDiagnostics *diag, struct json_object **ret);

/* An item of a list: a value of the D-Bus type `item`, a variant, or a struct. */
static int read_item(const PtField *field, sd_bus_message *m, const char *item, const char *pointer,
                     size_t i, PtDiagnostics *diag, struct json_object **ret)
{
        g_autofree char *at = NULL;

        if (*item == 'v')
                return read_variant_item(field, m, pointer, i, diag, ret);
        if (!pt_field_items(field))
                return read_value(field, m, *item, ret);
        at = g_strdup_printf("%s/%zu", pointer, i);
        return read_fields(field->fields, m, at, diag, ret);
}

/* An array whose items are `item`: one basic type, structs, or variants. > 0: something in it was of no use.
 */
static int read_list(const PtField *field, sd_bus_message *m, const char *item, const char *pointer,
                     PtDiagnostics *diag, struct json_object **ret)
{
        pt_auto_json *array = json_object_new_array();
        int bad = 0, r;

        r = sd_bus_message_enter_container(m, 'a', item);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                size_t n = json_object_array_length(array);
                struct json_object *value = NULL;

                if (n > PT_LIST_MAX) { /* no list takes so many: the rest is not kept */
                        r = sd_bus_message_skip(m, item);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = read_item(field, m, item, pointer, n, diag, &value);
                if (r < 0)
                        return r;
                bad |= !value || (pt_field_items(field) && r > 0);
                json_object_array_add(array, value);
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&array);
        return bad;
}

/* The variant of a row. > 0: it was of no use, which is in `diag`. */
static int read_field(const PtField *field, sd_bus_message *m, const char *pointer,
                      PtDiagnostics *diag, struct json_object **ret)
{
        g_autofree char *contents = NULL;
        const char *peeked;
        int r, bad;

        r = sd_bus_message_peek_type(m, NULL, &peeked);
        if (r < 0)
                return r;
        contents = g_strdup(peeked); /* the message's memory moves on */
        if (!is_right_signature(field, contents)) {
                pt_diag_error(diag, "wrong-type", pointer,
                              "D-Bus type \"%s\" was given; send \"%s%s\"", contents,
                              field->flags & PT_F_LIST ? "a" : "", field->type->signature);
                r = sd_bus_message_skip(m, "v");
                return r < 0 ? r : 1;
        }
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        if (pt_field_nested(field))
                bad = read_fields(field->fields, m, pointer, diag, ret);
        else if (field->flags & PT_F_LIST)
                bad = read_list(field, m, contents + 1, pointer, diag, ret);
        else
                bad = read_value(field, m, *contents, ret);
        if (bad < 0)
                return bad;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : bad;
}

/* One member into `json`. > 0: it was of no use, which is in `diag`. */
static int read_member(const PtField *fields, sd_bus_message *m, GString *at, PtDiagnostics *diag,
                       struct json_object *json)
{
        struct json_object *value = NULL;
        const PtField *field;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        pt_pointer_append(at, name);
        field = pt_fields_find(fields, name);
        if (!field) {
                g_autofree const char **words = pt_fields_names(fields);
                g_autofree char *hint = pt_suggestion(diag, name, words);

                pt_diag_error(diag, "unknown-field", at->str, "unknown field \"%s\"; %s", name,
                              hint);
                r = sd_bus_message_skip(m, "v");
                return r < 0 ? r : 1;
        }
        if (json_object_object_get_ex(json, name, NULL)) {
                pt_diag_error(diag, "duplicate-key", at->str, "\"%s\" is given twice; remove one",
                              name);
                r = sd_bus_message_skip(m, "v");
                return r < 0 ? r : 1;
        }
        r = read_field(field, m, at->str, diag, &value);
        if (value)
                json_object_object_add(json, field->name, value);
        return r;
}

/* An a{sv} by the table: as deep as the tables are. > 0: something was of no use, which is in
 * `diag`. */
static int read_fields(const PtField *fields, sd_bus_message *m, const char *pointer,
                       PtDiagnostics *diag, struct json_object **ret)
{
        g_autoptr(GString) at = g_string_new(pointer);
        pt_auto_json *json = json_object_new_object();
        int bad = 0, r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                g_string_truncate(at, strlen(pointer));
                r = read_member(fields, m, at, diag, json);
                if (r < 0)
                        return r;
                bad |= r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&json);
        return bad;
}

int pt_fields_read(const PtField *fields, sd_bus_message *m, PtDiagnostics *diag,
                   struct json_object **ret)
{
        pt_auto_json *json = NULL;
        int r;

        r = read_fields(fields, m, "/spec", diag, &json);
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        *ret = g_steal_pointer(&json);
        return 0;
}

int pt_object_append(const PtObject *object, bool secrets, sd_bus_message *m)
{
        pt_auto_json *metadata = pt_meta_to_json(object);
        pt_auto_json *spec =
                pt_fields_to_json(object->kind->fields, object, object->present, secrets);
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "{sv}{sv}", "apiVersion", "s", object->kind->api_version,
                                  "kind", "s", object->kind->name);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < 2; i++) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r < 0)
                        return r;
                r = sd_bus_message_append(m, "s", i == 0 ? "metadata" : "spec");
                if (r < 0)
                        return r;
                r = sd_bus_message_open_container(m, 'v', "a{sv}");
                if (r < 0)
                        return r;
                r = i == 0 ? pt_vardict_append(metadata, m)
                           : pt_fields_append(object->kind->fields, spec, m);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

/* Without a table. */

typedef struct Budget {
        unsigned values; /* left */
} Budget;

static int read_any(sd_bus_message *m, unsigned depth, Budget *budget, struct json_object **ret);

static int read_any_members(sd_bus_message *m, const char *entry, unsigned depth, Budget *budget,
                            struct json_object *json)
{
        int r;

        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                struct json_object *value = NULL;
                const char *name;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r < 0)
                        return r;
                if (json_object_object_get_ex(json, name, NULL))
                        return -EINVAL;
                r = read_any(m, depth, budget, &value);
                if (r < 0)
                        return r;
                json_object_object_add(json, name, value);
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_any_items(sd_bus_message *m, unsigned depth, Budget *budget,
                          struct json_object *json)
{
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                struct json_object *value = NULL;

                r = read_any(m, depth, budget, &value);
                if (r < 0)
                        return r;
                json_object_array_add(json, value);
        }
        return MIN(r, 0);
}

/* An array whose contents are `contents`: a{sv} and a{ss} are objects. */
static int read_any_array(sd_bus_message *m, const char *contents, unsigned depth, Budget *budget,
                          struct json_object **ret)
{
        bool dict = strcmp(contents, "{sv}") == 0 || strcmp(contents, "{ss}") == 0;
        pt_auto_json *json = dict ? json_object_new_object() : json_object_new_array();
        char entry[3] = "";
        int r;

        if (depth == 0)
                return -EINVAL;
        if (dict)
                memcpy(entry, contents + 1, 2);
        r = sd_bus_message_enter_container(m, 'a', contents);
        if (r < 0)
                return r;
        r = dict ? read_any_members(m, entry, depth - 1, budget, json)
                 : read_any_items(m, depth - 1, budget, json);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&json);
        return 0;
}

static int read_any(sd_bus_message *m, unsigned depth, Budget *budget, struct json_object **ret)
{
        struct json_object *json = NULL;
        const char *contents;
        char type;
        int r;

        if (budget->values == 0)
                return -EFBIG;
        budget->values--;
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EINVAL;
        if (type == 'a') {
                g_autofree char *inside = g_strdup(contents);

                return read_any_array(m, inside, depth, budget, ret);
        }
        if (type != 'v')
                return read_basic(m, type, ret);
        if (depth == 0)
                return -EINVAL;
        r = sd_bus_message_enter_container(m, 'v', NULL);
        if (r < 0)
                return r;
        r = read_any(m, depth - 1, budget, &json);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0) {
                json_object_put(json);
                return r;
        }
        *ret = json;
        return 0;
}

int pt_vardict_read(sd_bus_message *m, unsigned depth, struct json_object **ret)
{
        Budget budget = {VARDICT_VALUES_MAX};
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0 || type != 'a' || strcmp(contents, "{sv}") != 0)
                return -EINVAL;
        return read_any(m, depth, &budget, ret);
}

/* The D-Bus type of a value; of null, none. */
static const char *any_signature(struct json_object *json)
{
        const char *item = NULL;

        switch (json_object_get_type(json)) {
        case json_type_boolean:
                return "b";
        case json_type_int:
                return "x";
        case json_type_string:
                return "s";
        case json_type_object:
                return "a{sv}";
        case json_type_array:
                /* Of strings, or of variants. */
                for (size_t i = 0; i < json_object_array_length(json); i++)
                        if (!json_object_is_type(json_object_array_get_idx(json, i),
                                                 json_type_string))
                                item = "av";
                return item ? item : "as";
        case json_type_null:
        case json_type_double:
                break;
        }
        return NULL;
}

static int append_any(struct json_object *json, sd_bus_message *m);

static int append_variant(struct json_object *json, sd_bus_message *m)
{
        const char *signature = any_signature(json);
        int r;

        if (!signature)
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'v', signature);
        if (r < 0)
                return r;
        r = append_any(json, m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_any_array(struct json_object *json, sd_bus_message *m)
{
        const char *signature = any_signature(json);
        int r;

        r = sd_bus_message_open_container(m, 'a', signature + 1);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(json); i++) {
                struct json_object *item = json_object_array_get_idx(json, i);

                r = signature[1] == 'v' ? append_variant(item, m) : append_any(item, m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

/* Recursion is as deep as the tree, and trees are made by parsers with a limit. */
static int append_any(struct json_object *json, sd_bus_message *m)
{
        switch (json_object_get_type(json)) {
        case json_type_boolean:
                return sd_bus_message_append(m, "b", json_object_get_boolean(json));
        case json_type_int:
                return sd_bus_message_append(m, "x", json_object_get_int64(json));
        case json_type_string:
                return sd_bus_message_append(m, "s", json_object_get_string(json));
        case json_type_object:
                return pt_vardict_append(json, m);
        case json_type_array:
                return append_any_array(json, m);
        case json_type_null:
        case json_type_double:
                break;
        }
        return -EINVAL;
}

int pt_vardict_append(struct json_object *json, sd_bus_message *m)
{
        int r;

        if (!json_object_is_type(json, json_type_object))
                return -EINVAL;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        json_object_object_foreach(json, name, value)
        {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r < 0)
                        return r;
                r = sd_bus_message_append(m, "s", name);
                if (r < 0)
                        return r;
                r = append_variant(value, m);
                if (r < 0)
                        return r;
                r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}
