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
