/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The journal of the revision store. The input is read as it is; then each of its lines becomes a
 * record of a journal whose digests are right, and a store is opened on that: whatever the records
 * say, the store comes up (or says that nothing is whole), takes a commit, and finds it again
 * without a complaint.
 */

#include "base/io.h"
#include "base/log.h"
#include "kinds/firewall/firewall.h"
#include "txn/journal.h"
#include "txn/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 50

static const PtKind *const kinds[] = {&pt_kind_firewall_rule, &pt_kind_zone, NULL};

static void ignore_record(struct json_object *record, void *userdata)
{
        (void) userdata;
        g_assert(record);
}

static void empty_folder(int fd, int depth)
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
                        empty_folder(below, depth + 1);
                        g_assert(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0);
                }
        }
        closedir(dir);
}

static void write_journal(const char *dir, const uint8_t *data, size_t size)
{
        g_autofree char *copy = g_strndup((const char *) data, size),
                        *path = g_build_filename(dir, "journal", NULL);
        g_auto(GStrv) records = g_strsplit(copy, "\n", RECORDS_MAX);
        g_autoptr(GString) text = g_string_new(NULL);
        PtDigest tail = {{0}};

        for (char **record = records; *record; record++)
                pt_journal_format(*record, &tail, text, &tail);
        g_assert(g_file_set_contents_full(path, text->str, (gssize) text->len,
                                          G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void commit(PtStore *store)
{
        g_autoptr(PtSlice) before = NULL, after = NULL;
        PtRevision revision = {.number = pt_store_last(store) + 1};

        if (pt_store_pending(store) > 0)
                g_assert(pt_store_abort(store, pt_store_pending(store)) == 0);
        if (pt_store_last(store) >= INT64_MAX)
                return;
        if (pt_store_load(store, pt_store_decided(store), NULL, &before) < 0)
                before = pt_slice_new();
        after = pt_slice_clone(before);
        g_assert(pt_store_intend(store, &revision, before, after) == 0);
        g_assert(pt_store_decide(store, revision.number) == 0);
}

static void open_store(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), quiet = pt_diag_new();
        g_autoptr(PtStore) store = NULL;
        uint64_t decided, last;
        int r = pt_store_open(dir, diag, &store);

        g_assert(r == 0 || (r == -EBADMSG && pt_diag_errors(diag) > 0));
        if (r < 0)
                return;
        pt_store_add_daemon(store, "filterd", kinds, NULL);
        commit(store);
        decided = pt_store_decided(store);
        last = pt_store_last(store);
        g_clear_pointer(&store, pt_store_close);
        g_assert(pt_store_open(dir, quiet, &store) == 0);
        g_assert(pt_diag_errors(quiet) == 0);
        g_assert(pt_store_decided(store) == decided && pt_store_last(store) == last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* In memory where that is possible: the store syncs a lot. */
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
        g_autofree char *dir = g_build_filename(parent, "fuzz-journal-XXXXXX", NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtJournalState state;

        pt_log_set_level(LOG_EMERG);
        pt_journal_parse((const char *) data, size, ignore_record, NULL, diag, &state);
        g_assert(state.good <= size);
        g_assert(pt_diag_errors(diag) == state.damaged);

        g_assert(g_mkdtemp(dir));
        write_journal(dir, data, size);
        open_store(dir);
        empty_folder(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
        g_assert(rmdir(dir) == 0);
        return 0;
}
