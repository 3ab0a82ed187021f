/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/json.h"

#include "base/text.h"
#include <string.h>

/*
 * RFC 8259 into json-c's tree. json-c's own tokener is not used because, even in its strict mode,
 * it keeps the last of two equal keys, takes control characters in strings, replaces lone
 * surrogates and takes numbers like "-" and "1.": what is refused here must be refused, and by the
 * same words everywhere.
 *
 * Recursive, at most PT_JSON_DEPTH_MAX deep. The text is known to be UTF-8 without NUL before the
 * first byte is read.
 */
typedef struct Parser {
        const char *text;
        const char *at;
        const char *end;
        PtDiagnostics *diag;
        unsigned refused; /* what is JSON but is not taken here */
        size_t values, values_max;
} Parser;

/* Of them so many are told: finding the line of each takes the time of the text before it. */
#define REFUSED_MAX 10

static int parse_value(Parser *p, unsigned depth, struct json_object **ret);

/* Where `at` is, for people: lines and columns from 1, columns in bytes. */
static int G_GNUC_PRINTF(4, 5)
        fail(Parser *p, const char *at, const char *code, const char *format, ...)
{
        g_autofree char *what = NULL;
        size_t line = 1;
        const char *start = p->text;
        va_list args;

        for (const char *c = p->text; c < at; c++)
                if (*c == '\n') {
                        line++;
                        start = c + 1;
                }
        va_start(args, format);
        what = g_strdup_vprintf(format, args);
        va_end(args);
        pt_diag_error(p->diag, code, NULL, "line %zu, column %td: %s", line, at - start + 1, what);
        return -EINVAL;
}

/* For what is JSON: reading goes on, so that all of it is told, and told apart from what is not. */
#define refuse(p, ...)                                                                             \
        do {                                                                                       \
                if ((p)->refused++ < REFUSED_MAX)                                                  \
                        fail(p, __VA_ARGS__);                                                      \
        } while (0)

static int unexpected(Parser *p, const char *wanted)
{
        if (p->at >= p->end)
                return fail(p, p->at, "json-syntax", "the text ends where %s should be", wanted);
        if (*p->at < 0x21 || *p->at > 0x7e)
                return fail(p, p->at, "json-syntax", "byte 0x%02x where %s should be",
                            (unsigned char) *p->at, wanted);
        return fail(p, p->at, "json-syntax", "\"%c\" where %s should be", *p->at, wanted);
}

static void skip_space(Parser *p)
{
        while (p->at < p->end &&
               (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
                p->at++;
}

static bool take(Parser *p, char c)
{
        if (p->at >= p->end || *p->at != c)
                return false;
        p->at++;
        return true;
}

static bool take_digits(Parser *p)
{
        const char *start = p->at;

        while (p->at < p->end && g_ascii_isdigit(*p->at))
                p->at++;
        return p->at > start;
}

static int parse_number(Parser *p, struct json_object **ret)
{
        const char *start = p->at, *digits;
        bool negative = take(p, '-'), fraction = false;
        uint64_t value = 0;

        digits = p->at;
        if (!take_digits(p))
                return unexpected(p, "a digit");
        if (*digits == '0' && p->at - digits > 1)
                return fail(p, start, "json-syntax", "a number with a leading zero; leave it out");
        for (const char *c = digits; c < p->at; c++) {
                unsigned digit = (unsigned char) *c - '0';

                if (value > (UINT64_C(1) << 63) / 10) {
                        value = UINT64_MAX; /* too large whatever follows */
                        break;
                }
                value = value * 10 + digit;
        }
        if (take(p, '.')) {
                fraction = true;
                if (!take_digits(p))
                        return unexpected(p, "a digit");
        }
        if (take(p, 'e') || take(p, 'E')) {
                fraction = true;
                if (!take(p, '+'))
                        take(p, '-');
                if (!take_digits(p))
                        return unexpected(p, "a digit");
        }
        if (fraction)
                refuse(p, start, "not-an-integer",
                       "a number with a fraction or an exponent; write a whole number");
        else if (value > (uint64_t) INT64_MAX + negative)
                refuse(p, start, "out-of-range",
                       "a number of more than 64 bits; no field takes one");
        *ret = json_object_new_int64(negative ? (int64_t) (0 - value) : (int64_t) value);
        return 0;
}

static int parse_hex4(Parser *p, uint32_t *ret)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < 4; i++) {
                if (p->at >= p->end || !g_ascii_isxdigit(*p->at))
                        return unexpected(p, "a hexadecimal digit");
                value = value << 4 | (uint32_t) g_ascii_xdigit_value(*p->at++);
        }
        *ret = value;
        return 0;
}

/* What follows "\u". */
static int parse_unicode(Parser *p, GString *out)
{
        const char *start = p->at - 2;
        uint32_t c, low;
        int r;

        r = parse_hex4(p, &c);
        if (r < 0)
                return r;
        if (c == 0) {
                refuse(p, start, "nul", "NUL in a string; leave it out");
                return 0;
        }
        if (c >= 0xd800 && c <= 0xdbff) {
                if (!take(p, '\\') || !take(p, 'u'))
                        return fail(p, start, "json-surrogate",
                                    "half a surrogate pair; write both halves");
                r = parse_hex4(p, &low);
                if (r < 0)
                        return r;
                if (low < 0xdc00 || low > 0xdfff)
                        return fail(p, start, "json-surrogate",
                                    "half a surrogate pair; write both halves");
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else if (c >= 0xdc00 && c <= 0xdfff) {
                return fail(p, start, "json-surrogate", "half a surrogate pair; write both halves");
        }
        g_string_append_unichar(out, c);
        return 0;
}

static int parse_escape(Parser *p, GString *out)
{
        static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
        const char *letter;

        if (take(p, 'u'))
                return parse_unicode(p, out);
        letter = p->at < p->end ? memchr(letters, *p->at, strlen(letters)) : NULL;
        if (!letter)
                return unexpected(p, "one of \" \\ / b f n r t u after a backslash");
        g_string_append_c(out, values[letter - letters]);
        p->at++;
        return 0;
}

/* A string without escapes is a part of the text; one with escapes is put together in `out`. */
static int parse_string(Parser *p, GString **out, const char **ret, size_t *ret_size)
{
        const char *start;

        if (!take(p, '"'))
                return unexpected(p, "a string in double quotes");
        start = p->at;
        for (;;) {
                int r;

                while (p->at < p->end && *p->at != '"' && *p->at != '\\' &&
                       (unsigned char) *p->at >= 0x20)
                        p->at++;
                if (p->at >= p->end)
                        return unexpected(p, "the quote that ends a string");
                if (*p->at == '"' && !*out) {
                        *ret = start;
                        *ret_size = (size_t) (p->at++ - start);
                        return 0;
                }
                if (!*out)
                        *out = g_string_new(NULL);
                g_string_append_len(*out, start, p->at - start);
                if (take(p, '"')) {
                        *ret = (*out)->str;
                        *ret_size = (*out)->len;
                        return 0;
                }
                if (!take(p, '\\'))
                        return fail(p, p->at, "json-syntax",
                                    "a control character (0x%02x) in a string; write \\u%04x",
                                    (unsigned char) *p->at, (unsigned char) *p->at);
                r = parse_escape(p, *out);
                if (r < 0)
                        return r;
                start = p->at;
        }
}

static int parse_text(Parser *p, struct json_object **ret)
{
        g_autoptr(GString) unescaped = NULL;
        const char *text;
        size_t size;
        int r;

        r = parse_string(p, &unescaped, &text, &size);
        if (r < 0)
                return r;
        *ret = json_object_new_string_len(text, (int) size);
        return 0;
}

static int parse_key(Parser *p, struct json_object *object, char **ret)
{
        g_autoptr(GString) unescaped = NULL;
        g_autofree char *key = NULL;
        const char *start, *text;
        size_t size;
        int r;

        skip_space(p);
        start = p->at;
        r = parse_string(p, &unescaped, &text, &size);
        if (r < 0)
                return r;
        key = g_strndup(text, size);
        if (json_object_object_get_ex(object, key, NULL))
                refuse(p, start, "duplicate-key", "\"%s\" is given twice; remove one", key);
        skip_space(p);
        if (!take(p, ':'))
                return unexpected(p, "\":\"");
        *ret = g_steal_pointer(&key);
        return 0;
}

static int parse_object(Parser *p, unsigned depth, struct json_object **ret)
{
        pt_auto_json *object = json_object_new_object();

        skip_space(p);
        if (take(p, '}'))
                goto done;
        do {
                g_autofree char *key = NULL;
                struct json_object *value;
                int r;

                r = parse_key(p, object, &key);
                if (r < 0)
                        return r;
                r = parse_value(p, depth, &value);
                if (r < 0)
                        return r;
                json_object_object_add_ex(object, key, value,
                                          p->refused > 0 ? 0 /* it may be there */
                                                         : JSON_C_OBJECT_ADD_KEY_IS_NEW);
        } while (take(p, ','));
        if (!take(p, '}'))
                return unexpected(p, "\",\" or \"}\"");
done:
        *ret = g_steal_pointer(&object);
        return 0;
}

static int parse_array(Parser *p, unsigned depth, struct json_object **ret)
{
        pt_auto_json *array = json_object_new_array_ext(4);

        skip_space(p);
        if (take(p, ']'))
                goto done;
        do {
                struct json_object *value;
                int r;

                r = parse_value(p, depth, &value);
                if (r < 0)
                        return r;
                json_object_array_add(array, value);
        } while (take(p, ','));
        if (!take(p, ']'))
                return unexpected(p, "\",\" or \"]\"");
done:
        *ret = g_steal_pointer(&array);
        return 0;
}

static int parse_word(Parser *p, const char *word)
{
        size_t size = strlen(word);

        if ((size_t) (p->end - p->at) < size || memcmp(p->at, word, size) != 0)
                return unexpected(p, "a value");
        p->at += size;
        return 0;
}

/* A value and the space around it. `depth` is that of what it is in. */
static int parse_value(Parser *p, unsigned depth, struct json_object **ret)
{
        struct json_object *value = NULL;
        int r;

        skip_space(p);
        if (p->at >= p->end)
                return unexpected(p, "a value");
        if (++p->values > p->values_max)
                return fail(p, p->at, "too-large", "more than %zu values", p->values_max);
        if ((*p->at == '{' || *p->at == '[') && depth >= PT_JSON_DEPTH_MAX)
                return fail(p, p->at, "too-deep", "nested deeper than %d", PT_JSON_DEPTH_MAX);
        switch (*p->at) {
        case '{':
                p->at++;
                r = parse_object(p, depth + 1, &value);
                break;
        case '[':
                p->at++;
                r = parse_array(p, depth + 1, &value);
                break;
        case '"':
                r = parse_text(p, &value);
                break;
        case 't':
                r = parse_word(p, "true");
                if (r == 0)
                        value = json_object_new_boolean(true);
                break;
        case 'f':
                r = parse_word(p, "false");
                if (r == 0)
                        value = json_object_new_boolean(false);
                break;
        case 'n':
                r = parse_word(p, "null"); /* json-c's null is NULL */
                break;
        default:
                if (*p->at != '-' && !g_ascii_isdigit(*p->at))
                        return unexpected(p, "a value");
                r = parse_number(p, &value);
                break;
        }
        if (r < 0)
                return r;
        skip_space(p);
        *ret = value;
        return 0;
}

static int parse(const char *text, size_t size, size_t limit, size_t values_max,
                 PtDiagnostics *diag, struct json_object **ret)
{
        Parser p = {text, text, text + size, diag, .values_max = values_max};
        pt_auto_json *value = NULL;
        int r;

        if (size > limit) {
                pt_diag_error(diag, "too-large", NULL, "%zu bytes are too many, at most %zu", size,
                              limit);
                return -EFBIG;
        }
        if (!pt_utf8_is_valid(text, size)) {
                pt_diag_error(diag, "not-utf8", NULL, "the text is not UTF-8 without NUL");
                return -EINVAL;
        }
        r = parse_value(&p, 0, &value);
        if (r < 0)
                return r;
        if (p.at < p.end)
                return unexpected(&p, "the end");
        if (p.refused > 0)
                return -EINVAL;
        *ret = g_steal_pointer(&value);
        return 0;
}

int pt_json_parse(const char *text, size_t size, PtDiagnostics *diag, struct json_object **ret)
{
        return parse(text, size, PT_DOCUMENT_MAX, SIZE_MAX, diag, ret);
}

int pt_json_parse_large(const char *text, size_t size, PtDiagnostics *diag,
                        struct json_object **ret)
{
        return parse(text, size, PT_LARGE_DOCUMENT_MAX, PT_LARGE_VALUES_MAX, diag, ret);
}
