/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tests of the store share: a state directory for each test, and commits of one line. */

#include "base/io.h"
#include "slice-unit.h"
#include "txn/journal.h"
#include "txn/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const PtKind *const unit_kinds[] = {&pt_kind_firewall_rule, &pt_kind_zone, NULL};
static const PtKind *const unit_zones[] = {&pt_kind_zone, NULL};

static inline int unit_remove_entry(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static inline void unit_remove(const char *path)
{
        assert_true(nftw(path, unit_remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

/*
 * *state is the path of a state directory that does not exist yet; in memory where that is
 * possible, since a store syncs thousands of times in these tests.
 */
static inline int unit_store_setup(void **state)
{
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
        g_autofree char *dir = g_build_filename(parent, "test-store-XXXXXX", NULL);

        if (!g_mkdtemp(dir))
                return -1;
        *state = g_build_filename(dir, "state", NULL);
        return 0;
}

static inline int unit_store_teardown(void **state)
{
        g_autofree char *parent = g_path_get_dirname(*state);

        unit_remove(parent);
        g_free(*state);
        return 0;
}

static inline void unit_copy_entries(const char *from, const char *to, int depth)
{
        g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);
        const char *name;

        assert_true(dir && depth < 4);
        assert_int_equal(mkdir(to, 0755), 0);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *source = g_build_filename(from, name, NULL),
                                *target = g_build_filename(to, name, NULL);
                g_autofree char *link = g_file_read_link(source, NULL), *content = NULL;
                size_t size;

                if (link) {
                        assert_int_equal(symlink(link, target), 0);
                } else if (g_file_test(source, G_FILE_TEST_IS_DIR)) {
                        unit_copy_entries(source, target, depth + 1);
                } else {
                        assert_true(g_file_get_contents(source, &content, &size, NULL));
                        assert_true(g_file_set_contents_full(target, content, (gssize) size,
                                                             G_FILE_SET_CONTENTS_NONE, 0640, NULL));
                }
        }
}

static inline void unit_copy_dir(const char *from, const char *to)
{
        unit_remove(to);
        unit_copy_entries(from, to, 0);
}

static inline char *unit_path(const char *dir, const char *name)
{
        return g_build_filename(dir, name, NULL);
}

static inline char *unit_read(const char *dir, const char *name, size_t *ret_size)
{
        g_autofree char *path = unit_path(dir, name);
        char *content = NULL;

        assert_int_equal(pt_read_file(AT_FDCWD, path, 1U << 30, &content, ret_size), 0);
        return content;
}

static inline void unit_write(const char *dir, const char *name, const void *data, size_t size)
{
        g_autofree char *path = unit_path(dir, name);
        pt_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(pt_write_all(fd, data, size), 0);
}

static inline void unit_print(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                print_message("%s: %s: %s\n", entry->subject, entry->code, entry->text);
        }
}

#define UNIT_OTHER_BOOT "01234567-89ab-cdef-0123-456789abcdef"

/* One line of a journal, as `unconfirmed` is, with another boot's id in it. */
static inline void unit_boot_again(const char *dir)
{
        g_autofree char *line = NULL, *boot = NULL;
        g_autoptr(GString) text = g_string_new(NULL), out = g_string_new(NULL);
        struct json_object *record = NULL;
        PtDigest digest, prev;
        size_t size;

        line = unit_read(dir, "revisions/unconfirmed", &size);
        assert_int_equal(pt_journal_verify(line, size - 1, &digest, &prev, &record), 0);
        json_object_object_add(record, "bootId", json_object_new_string(UNIT_OTHER_BOOT));
        g_string_assign(text, json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN));
        json_object_put(record);
        pt_journal_format(text->str, &prev, out, &digest);
        unit_write(dir, "revisions/unconfirmed", out->str, out->len);
}

/* One entry's subject and text contain `part`. */
static inline bool unit_said(const PtDiagnostics *diag, const char *part)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                if (strstr(entry->text, part) || strstr(entry->subject, part))
                        return true;
        }
        unit_print(diag);
        return false;
}

/* A store with the daemon filterd, opened without a complaint. */
static inline PtStore *unit_open(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtStore *store = NULL;
        int r = pt_store_open(dir, diag, &store);

        unit_print(diag);
        assert_int_equal(r, 0);
        assert_int_equal(pt_diag_count(diag), 0);
        pt_store_add_daemon(store, "filterd", unit_kinds, NULL);
        return store;
}

static inline int unit_intend(PtStore *store, uint64_t number, const PtSlice *before,
                              const PtSlice *after)
{
        PtRevision revision = {
                .number = number,
                .uid = 1000,
                .author = (char *) "alice",
                .comment = (char *) "a \"comment\"\n",
                .time_usec = 1700000000000000,
        };

        return pt_store_intend(store, &revision, before, after);
}

/* Commits the change of one rule and moves *slice on. */
static inline void unit_commit(PtStore *store, PtSlice **slice, const char *rule, unsigned priority)
{
        PtSlice *after = pt_slice_clone(*slice);
        uint64_t number = pt_store_last(store) + 1;

        unit_put(after, unit_rule(rule, priority));
        assert_int_equal(unit_intend(store, number, *slice, after), 0);
        assert_int_equal(pt_store_decide(store, number), 0);
        pt_slice_unref(*slice);
        *slice = after;
}

/* What a daemon finds must be this, undamaged. */
static inline void unit_assert_daemon(const char *dir, const char *daemon, const PtSlice *slice,
                                      uint64_t number)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) found = NULL;
        uint64_t revision = 0;
        bool damaged = true;
        int r = pt_store_read_slice(dir, daemon, diag, &found, &revision, &damaged);

        unit_print(diag);
        assert_int_equal(r, 0);
        assert_false(damaged);
        assert_int_equal(revision, number);
        assert_same_root(found, slice);
}

static inline void unit_assert_load(PtStore *store, uint64_t number, const PtSlice *slice)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) found = NULL;
        int r = pt_store_load(store, number, diag, &found);

        unit_print(diag);
        assert_int_equal(r, 0);
        assert_same_root(found, slice);
}
