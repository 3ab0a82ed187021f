/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/yaml-scalar.h"

#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
        for (; *words; words++)
                if (strcmp(text, *words) == 0)
                        return true;
        return false;
}

/* Digits of a base to a number: false if there are others or none. */
static bool digits_value(const char *text, unsigned base, bool *ret_overflow, uint64_t *ret)
{
        uint64_t value = 0;
        bool overflow = false;

        if (!*text)
                return false;
        for (; *text; text++) {
                int digit = g_ascii_xdigit_value(*text);

                if (digit < 0 || digit >= (int) base)
                        return false;
                if (__builtin_mul_overflow(value, (uint64_t) base, &value) ||
                    __builtin_add_overflow(value, (uint64_t) digit, &value))
                        overflow = true;
        }
        *ret_overflow = overflow;
        *ret = value;
        return true;
}

/* [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+ */
static PtYamlScalar resolve_integer(const char *text, int64_t *ret_number)
{
        bool negative = *text == '-', overflow;
        uint64_t value;

        if (g_str_has_prefix(text, "0x")) {
                if (!digits_value(text + 2, 16, &overflow, &value))
                        return PT_YAML_STRING;
        } else if (g_str_has_prefix(text, "0o")) {
                if (!digits_value(text + 2, 8, &overflow, &value))
                        return PT_YAML_STRING;
        } else if (!digits_value(*text == '-' || *text == '+' ? text + 1 : text, 10, &overflow,
                                 &value)) {
                return PT_YAML_STRING;
        }
        if (overflow || value > (uint64_t) INT64_MAX + negative)
                return PT_YAML_TOO_LARGE;
        if (ret_number)
                *ret_number = negative ? (int64_t) (0 - value) : (int64_t) value;
        return PT_YAML_INTEGER;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, [-+]?\.inf, \.nan */
static bool is_float(const char *text)
{
        static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
        static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
        const char digits[] = "0123456789";
        size_t whole, fraction = 0;

        if (is_one_of(text, nans))
                return true;
        if (*text == '-' || *text == '+')
                text++;
        if (is_one_of(text, infinities))
                return true;
        whole = strspn(text, digits);
        text += whole;
        if (*text == '.') {
                fraction = strspn(++text, digits);
                text += fraction;
        }
        if (whole + fraction == 0)
                return false;
        if (*text == 'e' || *text == 'E') {
                text++;
                if (*text == '-' || *text == '+')
                        text++;
                if (strspn(text, digits) == 0)
                        return false;
                text += strspn(text, digits);
        }
        return *text == '\0';
}

PtYamlScalar pt_yaml_resolve(const char *text, int64_t *ret_number)
{
        static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
        static const char *const trues[] = {"true", "True", "TRUE", NULL};
        static const char *const falses[] = {"false", "False", "FALSE", NULL};
        PtYamlScalar integer;

        if (*text && !strchr("~nNtTfF+-.0123456789", *text)) /* most words */
                return PT_YAML_STRING;
        if (is_one_of(text, nulls))
                return PT_YAML_NULL;
        if (is_one_of(text, trues))
                return PT_YAML_TRUE;
        if (is_one_of(text, falses))
                return PT_YAML_FALSE;
        integer = resolve_integer(text, ret_number);
        if (integer != PT_YAML_STRING)
                return integer;
        return is_float(text) ? PT_YAML_FLOAT : PT_YAML_STRING;
}
