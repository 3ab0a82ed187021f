/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <net/if.h>
#include <string.h>

/*
 * A network interface's name, or a glob: characters of a name and a "*" at the end, together at
 * most 15 bytes like a name. The kernel takes any byte but "/", ":" and white space
 * (net/core/dev.c, dev_valid_name()); this takes those that mean nothing to any shell, nft or
 * pattern.
 */
#define IFNAME_PATTERN "^[A-Za-z0-9._@+=~#-]{1,14}[A-Za-z0-9._@+=~#*-]?$"

static bool is_ifname_char(char c)
{
        return g_ascii_isalnum(c) || (c && strchr("._@+=~#-", c));
}

static void ifname_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, IFNAME_PATTERN);
}

static int ifname_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        const char *why = NULL;
        size_t size;

        (void) field;
        if (!text)
                return pt_wrong_type(
                        json, pointer, diag,
                        "write an interface name such as eth0, or a glob such as \"vlan*\"");
        size = strlen(text);
        if (size == 0)
                why = "is empty";
        else if (size >= IF_NAMESIZE)
                why = "is longer than 15 bytes";
        else if (strcmp(text, "*") == 0)
                why = "is every interface; write the beginning of the names before the *";
        else if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
                why = "is a name that the kernel refuses";
        for (size_t i = 0; !why && i < size; i++) {
                if (text[i] == '*' && i + 1 < size)
                        why = "has a * that is not at the end";
                else if (text[i] != '*' && !is_ifname_char(text[i]))
                        why = "has a character other than letters, digits and . _ @ + = ~ # -";
        }
        if (why) {
                pt_diag_error(diag, "invalid-interface", pointer, "\"%s\" %s", text, why);
                return -EINVAL;
        }
        *(char **) value = g_strdup(text);
        return 0;
}

const PtType pt_type_ifname = {
        .name = "ifname",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "an interface name (eth0), or a glob (vlan*)",
        .schema = ifname_schema,
        .from_json = ifname_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
