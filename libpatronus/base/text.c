/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"

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
