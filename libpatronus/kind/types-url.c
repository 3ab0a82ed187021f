/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/*
 * The address of something that is fetched: http or https, with a host, of printable ASCII. User
 * names and passwords in it are refused: it is shown to everybody who may read the configuration.
 * Whoever fetches it parses it as a whole (RFC 3986).
 */
#define URL_MAX 2048U /* bytes; what browsers and servers commonly take */
#define URL_PATTERN "^https?://[^/?#@\"\\\\ ]+([/?][^#\"\\\\ ]*)?$"

static void url_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, URL_PATTERN);
        json_object_object_add(schema, "maxLength", json_object_new_int64(URL_MAX));
}

/* What is wrong with it, or NULL. */
static const char *fault(const char *text)
{
        const char *host = g_str_has_prefix(text, "https://")  ? text + strlen("https://")
                           : g_str_has_prefix(text, "http://") ? text + strlen("http://")
                                                               : NULL;
        size_t size;

        if (strlen(text) > URL_MAX)
                return "is longer than 2048 bytes";
        if (!host)
                return "does not begin with https:// or http://";
        for (const char *c = text; *c; c++)
                if (*c <= 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
                        return "has a character that must be written as %XX";
        if (strchr(text, '#'))
                return "has a #: leave it and what follows out";
        size = strcspn(host, "/?");
        if (memchr(host, '@', size))
                return "has a user name in it, which all who may read the configuration would see";
        return size == 0 || *host == ':' ? "has no host" : NULL;
}

static int url_from_json(const PtField *field, struct json_object *json, const char *pointer,
                         PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json), *why;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a URL such as https://lists.example.net/drop.txt");
        why = fault(text);
        if (why) {
                pt_diag_error(diag, "invalid-url", pointer, "\"%s\" %s", text, why);
                return -EINVAL;
        }
        *(char **) value = g_strdup(text);
        return 0;
}

const PtType pt_type_url = {
        .name = "url",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "a URL (https://lists.example.net/drop.txt)",
        .schema = url_schema,
        .from_json = url_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
