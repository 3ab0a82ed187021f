/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/json.h"

#include <stdlib.h>
#include <string.h>

void pt_canonical_string(const char *text, size_t size, GString *out)
{
        const char *end = text + size, *start = text;

        g_string_append_c(out, '"');
        for (const char *c = text; c < end; c++) {
                static const char letters[] = "btn\0fr"; /* of 0x08 to 0x0d */
                unsigned char byte = (unsigned char) *c;

                if (byte >= 0x20 && byte != '"' && byte != '\\')
                        continue;
                g_string_append_len(out, start, c - start);
                start = c + 1;
                if (byte >= 0x20)
                        g_string_append_printf(out, "\\%c", byte);
                else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b)
                        g_string_append_printf(out, "\\%c", letters[byte - 0x08]);
                else
                        g_string_append_printf(out, "\\u%04x", byte);
        }
        g_string_append_len(out, start, end - start);
        g_string_append_c(out, '"');
}

/*
 * RFC 8785, 3.2.3: keys are sorted as arrays of UTF-16 code units. UTF-8 sorts by code point, which
 * differs only where a surrogate pair (U+10000 and up, first byte 0xf0 and up) meets U+E000 to
 * U+FFFF (0xee, 0xef): those come last.
 */
static int utf16_rank(char c)
{
        unsigned char byte = (unsigned char) c;

        return byte == 0xee || byte == 0xef ? byte + 0x10 : byte;
}

static int compare_keys(const void *a, const void *b)
{
        const char *x = *(const char *const *) a, *y = *(const char *const *) b;

        while (*x && *x == *y) {
                x++;
                y++;
        }
        return utf16_rank(*x) - utf16_rank(*y);
}

static void object_to_canonical(struct json_object *json, GString *out)
{
        size_t n = (size_t) json_object_object_length(json), i = 0;
        g_autofree const char **keys = g_new(const char *, n + 1);

        json_object_object_foreach(json, key, value)
        {
                (void) value;
                keys[i++] = key;
        }
        qsort(keys, n, sizeof(*keys), compare_keys);
        g_string_append_c(out, '{');
        for (i = 0; i < n; i++) {
                if (i > 0)
                        g_string_append_c(out, ',');
                pt_canonical_string(keys[i], strlen(keys[i]), out);
                g_string_append_c(out, ':');
                pt_json_to_canonical(json_object_object_get(json, keys[i]), out);
        }
        g_string_append_c(out, '}');
}

void pt_canonical_integer(int64_t value, GString *out)
{
        char text[sizeof("-9223372036854775808")], *at = text + sizeof(text);
        uint64_t rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;

        do
                *--at = (char) ('0' + rest % 10);
        while (rest /= 10);
        if (value < 0)
                *--at = '-';
        g_string_append_len(out, at, text + sizeof(text) - at);
}

/* Recursion is as deep as the tree, and trees are made by parsers with a limit. */
void pt_json_to_canonical(struct json_object *json, GString *out)
{
        switch (json_object_get_type(json)) {
        case json_type_null:
                g_string_append(out, "null");
                return;
        case json_type_boolean:
                g_string_append(out, json_object_get_boolean(json) ? "true" : "false");
                return;
        case json_type_int:
                pt_canonical_integer(json_object_get_int64(json), out);
                return;
        case json_type_string:
                pt_canonical_string(json_object_get_string(json),
                                    (size_t) json_object_get_string_len(json), out);
                return;
        case json_type_array:
                g_string_append_c(out, '[');
                for (size_t i = 0; i < json_object_array_length(json); i++) {
                        if (i > 0)
                                g_string_append_c(out, ',');
                        pt_json_to_canonical(json_object_array_get_idx(json, i), out);
                }
                g_string_append_c(out, ']');
                return;
        case json_type_object:
                object_to_canonical(json, out);
                return;
        case json_type_double:
                break;
        }
        g_assert_not_reached(); /* no parser of ours makes a fraction */
}
