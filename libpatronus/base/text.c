/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

/* Longer words get no suggestion: the distance costs length times length. */
#define WORD_MAX 64

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool pt_name_is_valid(const char *name)
{
        size_t size = strnlen(name, PT_NAME_MAX + 1);

        if (size == 0 || size > PT_NAME_MAX || !is_alnum(name[0]) || !is_alnum(name[size - 1]))
                return false;
        for (size_t i = 1; i + 1 < size; i++)
                if (!is_alnum(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-')
                        return false;
        return true;
}

/*
 * Damerau-Levenshtein distance, the restricted form (optimal string alignment), with the last
 * three rows of the matrix: a transposition looks two rows back.
 */
static unsigned word_distance(const char *a, size_t na, const char *b, size_t nb)
{
        unsigned rows[3][WORD_MAX + 1];

        for (size_t j = 0; j <= nb; j++)
                rows[0][j] = (unsigned) j;
        for (size_t i = 1; i <= na; i++) {
                unsigned *row = rows[i % 3];
                const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= nb; j++) {
                        unsigned cost = above[j - 1] + (a[i - 1] != b[j - 1]);

                        cost = MIN(cost, above[j] + 1);
                        cost = MIN(cost, row[j - 1] + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                cost = MIN(cost, above2[j - 2] + 1);
                        row[j] = cost;
                }
        }
        return rows[na % 3][nb];
}

const char *pt_nearest_word(const char *word, const char *const *words)
{
        size_t size = strnlen(word, WORD_MAX + 1);
        unsigned best = (unsigned) (size / 3) + 1;
        const char *nearest = NULL;

        if (size > WORD_MAX)
                return NULL;
        for (; *words; words++) {
                size_t other = strnlen(*words, WORD_MAX + 1);
                unsigned distance;

                if (other > WORD_MAX)
                        continue;
                distance = word_distance(word, size, *words, other);
                if (distance < best) {
                        best = distance;
                        nearest = *words;
                }
        }
        return nearest;
}

bool pt_utf8_is_valid(const char *data, size_t size)
{
        /* GLib's takes no NUL inside when it is given a length, which is what is promised here. */
        return g_utf8_validate_len(data, size, NULL);
}

/* Largest first. */
static const struct {
        const char *name;
        uint64_t usec;
} duration_units[] = {
        {"w", 7 * 86400 * 1000000ULL}, {"d", 86400 * 1000000ULL}, {"h", 3600 * 1000000ULL},
        {"m", 60 * 1000000ULL},        {"s", 1000000ULL},         {"ms", 1000ULL},
};

/* The unit whose whole name begins `text`; its index, or -EINVAL. */
static int duration_unit(const char *text, size_t *ret_size)
{
        size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz");

        for (unsigned i = 0; i < G_N_ELEMENTS(duration_units); i++)
                if (strlen(duration_units[i].name) == size &&
                    memcmp(duration_units[i].name, text, size) == 0) {
                        *ret_size = size;
                        return (int) i;
                }
        return -EINVAL;
}

int pt_duration_parse(const char *text, uint64_t *ret_usec)
{
        uint64_t sum = 0;
        int last = -1;

        if (!*text)
                return -EINVAL;
        while (*text) {
                uint64_t number = 0;
                size_t size;
                int unit;

                if (!g_ascii_isdigit(*text))
                        return -EINVAL;
                for (; g_ascii_isdigit(*text); text++) {
                        number = number * 10 + (uint64_t) (*text - '0');
                        if (number > PT_DURATION_MAX_USEC)
                                return -ERANGE;
                }
                unit = duration_unit(text, &size);
                if (unit <= last)
                        return -EINVAL;
                if (number > PT_DURATION_MAX_USEC / duration_units[unit].usec)
                        return -ERANGE;
                sum += number * duration_units[unit].usec;
                if (sum > PT_DURATION_MAX_USEC)
                        return -ERANGE;
                last = unit;
                text += size;
        }
        if (sum == 0)
                return -EINVAL;
        *ret_usec = sum;
        return 0;
}

const char *pt_duration_format(uint64_t usec, char buffer[static PT_DURATION_TEXT_MAX])
{
        int length = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(duration_units) && usec > 0; i++) {
                uint64_t number = usec / duration_units[i].usec;

                if (number == 0 && length == 0)
                        continue;
                usec %= duration_units[i].usec;
                if (number > 0)
                        (void) g_snprintf(buffer + length, (gulong) (PT_DURATION_TEXT_MAX - length),
                                          "%" PRIu64 "%s", number, duration_units[i].name);
                if (length > 0)
                        return buffer;
                length = (int) strlen(buffer);
        }
        if (length == 0)
                g_strlcpy(buffer, "0s", PT_DURATION_TEXT_MAX);
        return buffer;
}

void pt_hex_append(const uint8_t *bytes, size_t n, GString *out)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                g_string_append_c(out, digits[bytes[i] >> 4]);
                g_string_append_c(out, digits[bytes[i] & 15]);
        }
}
