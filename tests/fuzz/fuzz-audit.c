/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The audit. Each line of the input becomes a record of a file whose digests are right: whatever the
 * records say, the audit opens, is listed and verified, takes an entry, and finds it again.
 */

#include "base/log.h"
#include "txn/audit.h"
#include "txn/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 50

static void write_journal(const char *folder, const uint8_t *data, size_t size)
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

static void verify(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtAuditCheck check;

        g_assert(pt_audit_verify(dir, SIZE_MAX, diag, &check) == 0);
        g_assert(pt_diag_errors(diag) == check.damaged);
}

static void use(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) all = NULL, newest = NULL;
        g_autoptr(PtAudit) audit = NULL;
        PtAuditEntry entry = {.uid = 7, .method = (char *) "Commit"};

        g_assert(pt_audit_open(dir, diag, &audit) == 0);
        g_assert(pt_audit_list(audit, 0, 1000, &all) == 0);
        g_assert(pt_audit_append(audit, &entry) == 0);
        g_assert(entry.number == pt_audit_last(audit));
        g_assert(pt_audit_list(audit, 0, 1, &newest) == 0 && newest->len == 1);
        g_assert(((const PtAuditEntry *) g_ptr_array_index(newest, 0))->number == entry.number);
        pt_audit_set_limits(audit, 0, 2, 0);
        g_assert(pt_audit_sync(audit) == 0);
        verify(dir);
}

static void remove_folder(const char *path)
{
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(path, name, NULL);

                g_assert(unlink(file) == 0);
        }
        g_assert(rmdir(path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
        g_autofree char *dir = g_build_filename(parent, "fuzz-audit-XXXXXX", NULL), *folder = NULL;

        pt_log_set_level(LOG_EMERG);
        g_assert(g_mkdtemp(dir));
        folder = g_build_filename(dir, "audit", NULL);
        g_assert(mkdir(folder, 0700) == 0);
        write_journal(folder, data, size);
        verify(dir);
        use(dir);
        remove_folder(folder);
        g_assert(rmdir(dir) == 0);
        return 0;
}
