/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Public test suites, which are not part of this tree: in $PT_TEST_DATA, or in shared/data beside
 * it. */

#include "unit.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_SKIPPED 77

/* The folder of a suite, or NULL after saying why its test is skipped; the caller frees. */
static inline char *unit_suite_folder(const char *name)
{
        const char *data = g_getenv("PT_TEST_DATA");
        g_autofree char *folder =
                g_build_filename(data ? data : PT_SOURCE_ROOT "/../shared/data", name, NULL);

        if (g_file_test(folder, G_FILE_TEST_IS_DIR))
                return g_steal_pointer(&folder);
        printf("no test suite in %s; PT_TEST_DATA names the folder that has it\n", folder);
        return NULL;
}

static inline int unit_compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Paths of a folder's files, sorted. */
static inline GPtrArray *unit_suite_files(const char *folder)
{
        GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
        GDir *dir = g_dir_open(folder, 0, NULL);

        assert_non_null(dir);
        for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
                g_ptr_array_add(paths, g_build_filename(folder, name, NULL));
        g_dir_close(dir);
        g_ptr_array_sort(paths, unit_compare_names);
        return paths;
}

static inline bool unit_is_one_of(const char *word, const char *const *words)
{
        for (; *words; words++)
                if (strcmp(word, *words) == 0)
                        return true;
        return false;
}
