/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The configuration file of a program of others. Each syntax has a function that appends a line of
 * it, and refuses what the syntax cannot hold, since nothing that somebody configured may become
 * another directive.
 *
 *         g_autoptr(GString) text = g_string_new(NULL);
 *         r = pt_config_file_put_words(text, (const char *[]){"tun-device", name, NULL});
 *         if (r >= 0)
 *                 r = pt_config_file_write(path, text, 0640);        1: it is another one now
 */

#include "base/macros.h"

/* A line of words with blanks between them; comments begin with '#'. -EINVAL, and nothing is
 * appended: a word is empty, or has blanks, '#', or what is not printable ASCII. */
int pt_config_file_put_words(GString *text, const char *const *words);
/* Replaces the file at once, when it does not hold the text already. 1: it did not. */
int pt_config_file_write(const char *path, const GString *text, mode_t mode);
