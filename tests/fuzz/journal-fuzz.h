/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the fuzzers share that write a journal of records, whose digests are right, to disk. */

#include "txn/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RECORDS_MAX 50

/* In memory where that is possible: stores sync a lot. */
static inline char *fuzz_new_folder(void)
{
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
        char *dir = g_build_filename(parent, "fuzz-journal-XXXXXX", NULL);

        g_assert(g_mkdtemp(dir));
        return dir;
}

static inline void fuzz_empty_folder(int fd, int depth)
{
        const struct dirent *entry;
        DIR *dir = fdopendir(fd);

        g_assert(dir && depth < 4);
        while ((entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (unlinkat(dirfd(dir), entry->d_name, 0) < 0) {
                        int below = openat(dirfd(dir), entry->d_name,
                                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                        g_assert(below >= 0);
                        fuzz_empty_folder(below, depth + 1);
                        g_assert(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0);
                }
        }
        closedir(dir);
}

static inline void fuzz_remove_folder(const char *dir)
{
        fuzz_empty_folder(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
        g_assert(rmdir(dir) == 0);
}

/* Each line of the input becomes a record. */
static inline void fuzz_write_journal(const char *folder, const uint8_t *data, size_t size)
{
        g_autofree char *copy = g_strndup((const char *) data, size),
                        *path = g_build_filename(folder, "journal", NULL);
        g_auto(GStrv) records = g_strsplit(copy, "\n", RECORDS_MAX);
        g_autoptr(GString) text = g_string_new(NULL);
        PtDigest tail = {{0}};

        for (char **record = records; *record; record++)
                pt_journal_format(*record, &tail, text, &tail);
        g_assert(g_file_set_contents_full(path, text->str, (gssize) text->len,
                                          G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}
