/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* A packet mark to compare with: VALUE or VALUE/MASK, hexadecimal with 0x or decimal. */

static void mark_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *text = json_object_new_object();

        (void) field;
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(0));
        json_object_object_add(number, "maximum", json_object_new_int64(UINT32_MAX));
        pt_schema_text(text, "^(0x[0-9a-f]{1,8}|[0-9]+)(/(0x[0-9a-f]{1,8}|[0-9]+))?$");
        json_object_array_add(any, number);
        json_object_array_add(any, text);
        json_object_object_add(schema, "anyOf", any);
}

static int parse_number(const char *text, size_t size, uint32_t *ret)
{
        uint64_t value = 0;

        if (size < 3 || text[0] != '0' || text[1] != 'x') {
                int r = pt_parse_unsigned(text, size, UINT32_MAX, &value);

                if (r < 0)
                        return r;
        } else if (size > 10) {
                return -ERANGE;
        } else {
                for (size_t i = 2; i < size; i++) {
                        int digit = g_ascii_xdigit_value(text[i]);

                        if (digit < 0)
                                return -EINVAL;
                        value = value << 4 | (unsigned) digit;
                }
        }
        *ret = (uint32_t) value;
        return 0;
}

static int mark_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        g_autofree char *digits = NULL;
        const char *text = pt_json_text(json), *slash;
        PtMarkMatch mark = {.mask = UINT32_MAX};

        (void) field;
        if (!text && json_object_is_type(json, json_type_int))
                text = digits = g_strdup_printf("%" PRId64, json_object_get_int64(json));
        if (!text)
                return pt_wrong_type(json, pointer, diag, "write a mark (0x10) or 0x10/0xff");
        slash = strchr(text, '/');
        if (parse_number(text, slash ? (size_t) (slash - text) : strlen(text), &mark.value) < 0 ||
            (slash && parse_number(slash + 1, strlen(slash + 1), &mark.mask) < 0)) {
                pt_diag_error(diag, "invalid-mark", pointer,
                              "\"%s\" is not a mark; write a number up to 0xffffffff, and perhaps "
                              "a mask: 0x10/0xff",
                              text);
                return -EINVAL;
        }
        if (mark.value & ~mark.mask) {
                pt_diag_error(diag, "never-matches", pointer,
                              "%s has bits outside its mask, so that no packet matches; write "
                              "0x%x/0x%x",
                              text, mark.value & mark.mask, mark.mask);
                return -EINVAL;
        }
        *(PtMarkMatch *) value = mark;
        return 0;
}

static struct json_object *mark_to_json(const PtField *field, const void *value)
{
        const PtMarkMatch *mark = value;
        char text[sizeof("0x01234567/0x01234567")];

        (void) field;
        if (mark->mask == UINT32_MAX)
                g_snprintf(text, sizeof(text), "0x%x", mark->value);
        else
                g_snprintf(text, sizeof(text), "0x%x/0x%x", mark->value, mark->mask);
        return json_object_new_string(text);
}

static int mark_compare(const void *a, const void *b)
{
        const PtMarkMatch *x = a, *y = b;

        if (x->value != y->value)
                return x->value < y->value ? -1 : 1;
        return (x->mask > y->mask) - (x->mask < y->mask);
}

const PtType pt_type_mark = {
        .name = "mark",
        .signature = "s",
        .size = sizeof(PtMarkMatch),
        .syntax = "VALUE or VALUE/MASK, decimal or 0x",
        .schema = mark_schema,
        .from_json = mark_from_json,
        .to_json = mark_to_json,
        .from_text = pt_text_from_text,
        .compare = mark_compare,
};
