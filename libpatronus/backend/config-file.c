/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "backend/config-file.h"

#include "base/io.h"

#include <fcntl.h>
#include <string.h>

static bool is_word(const char *word)
{
        if (!word[0])
                return false;
        for (const char *p = word; *p; p++)
                if (!g_ascii_isgraph(*p) || *p == '#')
                        return false;
        return true;
}

int pt_config_file_put_words(GString *text, const char *const *words)
{
        for (const char *const *word = words; *word; word++)
                if (!is_word(*word))
                        return -EINVAL;
        for (const char *const *word = words; *word; word++)
                g_string_append_printf(text, "%s%s", word == words ? "" : " ", *word);
        g_string_append_c(text, '\n');
        return 0;
}

int pt_config_file_write(const char *path, const GString *text, mode_t mode)
{
        g_autofree char *before = NULL, *folder = g_path_get_dirname(path),
                        *name = g_path_get_basename(path);
        pt_auto_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        size_t size = 0;
        int r;

        if (dir < 0)
                return -errno;
        /* What is larger, or cannot be read, is another text. */
        if (pt_read_file(dir, name, text->len, &before, &size) == 0 && size == text->len &&
            memcmp(before, text->str, size) == 0)
                return 0;
        r = pt_replace_file(dir, name, text->str, text->len, mode);
        return r < 0 ? r : 1;
}
