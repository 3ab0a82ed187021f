/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/*
 * A whole host name (RFC 1123, 2.1; with "_", which is in many names of services): labels of at
 * most 63 bytes, 253 in all, without the dot at the end. It is kept in lower case, since letters
 * mean the same in either.
 */
#define FQDN_LABEL_MAX 63U
#define FQDN_MAX 253U
#define FQDN_PATTERN                                                                               \
        "^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"                                          \
        "(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)+$"

static void fqdn_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, FQDN_PATTERN);
        json_object_object_add(schema, "maxLength", json_object_new_int64(FQDN_MAX));
}

static const char *label_fault(const char *label, size_t size)
{
        if (size == 0)
                return "has an empty label; write it without a dot at either end";
        if (size > FQDN_LABEL_MAX)
                return "has a label of more than 63 bytes";
        if (label[0] == '-' || label[size - 1] == '-')
                return "has a label that begins or ends with -";
        for (size_t i = 0; i < size; i++)
                if (!g_ascii_isalnum(label[i]) && label[i] != '-' && label[i] != '_')
                        return "has a character other than letters, digits, - and _; write "
                               "international names as xn--...";
        return NULL;
}

/* What is wrong with a name, or NULL. */
static const char *fault(const char *text)
{
        const char *label = text, *last = text;
        bool digits = true;

        if (strlen(text) > FQDN_MAX)
                return "is longer than 253 bytes";
        while (label) {
                const char *dot = strchr(label, '.');
                const char *why = label_fault(label, dot ? (size_t) (dot - label) : strlen(label));

                if (why)
                        return why;
                last = label;
                label = dot ? dot + 1 : NULL;
        }
        if (last == text)
                return "has no dot; write the whole name";
        for (const char *c = last; *c; c++)
                digits = digits && g_ascii_isdigit(*c);
        return digits ? "is an address, not a name" : NULL;
}

static int fqdn_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json), *why;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a host name such as www.example.com");
        why = fault(text);
        if (why) {
                pt_diag_error(diag, "invalid-host-name", pointer, "\"%s\" %s", text, why);
                return -EINVAL;
        }
        *(char **) value = g_ascii_strdown(text, -1);
        return 0;
}

const PtType pt_type_fqdn = {
        .name = "fqdn",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "a whole host name (www.example.com)",
        .schema = fqdn_schema,
        .from_json = fqdn_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
