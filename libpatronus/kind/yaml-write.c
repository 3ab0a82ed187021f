/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/yaml.h"

#include "kind/yaml-scalar.h"
#include <string.h>

/*
 * Block style with lists of scalars in flow style while they fit a line, as people write policies.
 * A string is plain only if every reader of YAML 1.1 or 1.2 takes it as that string; else it is in
 * double quotes, where YAML 1.2 takes JSON's escapes.
 */

#define LINE_WIDTH 80
#define INDENT 2

/* What YAML 1.1 readers take for booleans and nulls, besides YAML 1.2's. */
static bool is_yaml11_word(const char *text)
{
        static const char *const words[] = {"y",   "n",    "yes",  "no",   "on",
                                            "off", "null", "true", "false"};

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_ascii_strcasecmp(text, words[i]) == 0)
                        return true;
        return false;
}

/* Could be a number, date or time to some reader: all that begins like one, but for addresses
 * (three dots, or a length after "/") and port ranges (one "-" between digits). */
static bool looks_like_number(const char *text)
{
        size_t dots = 0, dashes = 0, others = 0;

        if (!g_ascii_isdigit(*text) && !strchr("+-.", *text))
                return false;
        for (const char *c = text; *c; c++) {
                dots += *c == '.';
                dashes += *c == '-';
                others += !g_ascii_isdigit(*c) && *c != '.' && *c != '-' && *c != '/';
        }
        if (others > 0 || !g_ascii_isdigit(*text))
                return true;
        if (dots == 3 || dots == 6) /* an IPv4 address, prefix or range */
                return dashes > 1;
        return dots > 0 || dashes != 1 || strchr(text, '/');
}

static bool is_plain(const char *text, size_t size)
{
        static const char marks[] = "._/*+@=~-";

        if (size == 0 || strlen(text) != size || pt_yaml_resolve(text, NULL) != PT_YAML_STRING ||
            is_yaml11_word(text) || looks_like_number(text))
                return false;
        /* The first character: no indicator; the rest: none that ends a plain scalar anywhere. */
        if (!g_ascii_isalnum(text[0]) && text[0] != '/')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!g_ascii_isalnum(text[i]) && !strchr(marks, text[i]))
                        return false;
        return true;
}

/*
 * JSON's escapes, and more: what YAML takes as a line break (U+0085, U+2028, U+2029), as a byte
 * order mark, or does not take at all (YAML 1.2.2, 5.1: DEL, C1 controls and the last two of the
 * plane).
 */
static void append_quoted(const char *text, size_t size, GString *out)
{
        g_autoptr(GString) json = g_string_sized_new(size + 2);

        pt_canonical_string(text, size, json);
        for (const char *c = json->str; *c; c = g_utf8_next_char(c)) {
                gunichar u = g_utf8_get_char(c);

                if ((u >= 0x7f && u < 0xa0) || u == 0x2028 || u == 0x2029 || u == 0xfeff ||
                    u == 0xfffe || u == 0xffff)
                        g_string_append_printf(out, "\\u%04x", u);
                else
                        g_string_append_unichar(out, u);
        }
}

static void string_to_yaml(const char *text, size_t size, GString *out)
{
        if (is_plain(text, size))
                g_string_append_len(out, text, (gssize) size);
        else
                append_quoted(text, size, out);
}

static void scalar_to_yaml(struct json_object *json, GString *out)
{
        if (json_object_is_type(json, json_type_string))
                string_to_yaml(json_object_get_string(json),
                               (size_t) json_object_get_string_len(json), out);
        else
                pt_json_to_canonical(json, out);
}

static bool is_scalar(struct json_object *json)
{
        return !json_object_is_type(json, json_type_object) &&
               !json_object_is_type(json, json_type_array);
}

static bool is_empty(struct json_object *json)
{
        return json_object_is_type(json, json_type_object) ? json_object_object_length(json) == 0
                                                           : json_object_array_length(json) == 0;
}

static bool all_scalars(struct json_object *array)
{
        for (size_t i = 0; i < json_object_array_length(array); i++)
                if (!is_scalar(json_object_array_get_idx(array, i)))
                        return false;
        return true;
}

void pt_json_to_flow(struct json_object *json, GString *out)
{
        if (json_object_is_type(json, json_type_array)) {
                g_string_append_c(out, '[');
                for (size_t i = 0; i < json_object_array_length(json); i++) {
                        if (i > 0)
                                g_string_append(out, ", ");
                        pt_json_to_flow(json_object_array_get_idx(json, i), out);
                }
                g_string_append_c(out, ']');
        } else if (json_object_is_type(json, json_type_object)) {
                const char *between = "";

                g_string_append_c(out, '{');
                json_object_object_foreach(json, key, value)
                {
                        g_string_append(out, between);
                        string_to_yaml(key, strlen(key), out);
                        g_string_append(out, ": ");
                        pt_json_to_flow(value, out);
                        between = ", ";
                }
                g_string_append_c(out, '}');
        } else {
                scalar_to_yaml(json, out);
        }
}

static size_t line_width(const GString *out)
{
        const char *newline = memrchr(out->str, '\n', out->len);

        return newline ? (size_t) (out->str + out->len - newline - 1) : out->len;
}

static void value_to_yaml(struct json_object *json, unsigned indent, GString *out);

static void indent_to(unsigned indent, GString *out)
{
        for (unsigned i = 0; i < indent; i++)
                g_string_append_c(out, ' ');
}

/* What follows "key:" or "-"; ends with a newline. */
static void member_to_yaml(struct json_object *json, unsigned indent, GString *out)
{
        size_t start = out->len;

        if (is_scalar(json) || is_empty(json)) {
                g_string_append_c(out, ' ');
                pt_json_to_flow(json, out);
                g_string_append_c(out, '\n');
                return;
        }
        if (json_object_is_type(json, json_type_array) && all_scalars(json)) {
                g_string_append_c(out, ' ');
                pt_json_to_flow(json, out);
                if (line_width(out) <= LINE_WIDTH) {
                        g_string_append_c(out, '\n');
                        return;
                }
                g_string_truncate(out, start);
        }
        g_string_append_c(out, '\n');
        value_to_yaml(json, indent + INDENT, out);
}

/* A mapping or list, each member on lines of its own. Recursion is as deep as the tree, which has a
 * limit. */
static void value_to_yaml(struct json_object *json, unsigned indent, GString *out)
{
        if (json_object_is_type(json, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(json); i++) {
                        indent_to(indent, out);
                        g_string_append_c(out, '-');
                        member_to_yaml(json_object_array_get_idx(json, i), indent, out);
                }
                return;
        }
        json_object_object_foreach(json, key, value)
        {
                indent_to(indent, out);
                string_to_yaml(key, strlen(key), out);
                g_string_append_c(out, ':');
                member_to_yaml(value, indent, out);
        }
}

void pt_json_to_yaml(struct json_object *json, GString *out)
{
        if (is_scalar(json) || is_empty(json)) {
                pt_json_to_flow(json, out);
                g_string_append_c(out, '\n');
                return;
        }
        value_to_yaml(json, 0, out);
}

void pt_object_to_yaml(const PtObject *object, bool secrets, GString *out)
{
        pt_auto_json *json = pt_object_to_json(object, secrets);

        g_string_append(out, "---\n");
        value_to_yaml(json, 0, out);
}
