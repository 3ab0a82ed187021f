/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Names and words: what an object may be called, and which known word a typo was meant to be. */

#include "base/macros.h"

#define PT_NAME_MAX 63

/* [a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])? by bytes, in the C locale. */
bool pt_name_is_valid(const char *name);

/* The member of the NULL-terminated `words` nearest to `word`, or NULL when none is near
 * (Damerau-Levenshtein distance above a third of its length). The result points into `words`. */
const char *pt_nearest_word(const char *word, const char *const *words);

/* true if `data` is UTF-8 (RFC 3629) without NUL. */
bool pt_utf8_is_valid(const char *data, size_t size);

/*
 * A span of time as people write it: numbers with a unit, the largest first: "30s", "90m", "1h30m",
 * "2d12h", "1w". The units are w, d, h, m, s and ms. -EINVAL: it is not written so, or is 0; -ERANGE:
 * more than PT_DURATION_MAX_USEC.
 */
#define PT_DURATION_SYNTAX "a number with w, d, h, m, s or ms, or several: 30s, 10m, 1h30m, 2d"
#define PT_DURATION_MAX_USEC (366ULL * 24 * 3600 * 1000000)
int pt_duration_parse(const char *text, uint64_t *ret_usec);
/* Its two largest units, which is enough for people: "1h30m", "4d23h", "0s". Returns `buffer`. */
#define PT_DURATION_TEXT_MAX 32
const char *pt_duration_format(uint64_t usec, char buffer[static PT_DURATION_TEXT_MAX]);

/* Two lower-case digits a byte. */
void pt_hex_append(const uint8_t *bytes, size_t n, GString *out);
