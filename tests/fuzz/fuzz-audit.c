/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The audit. Each line of the input becomes a record of a file whose digests are right: whatever the
 * records say, the audit opens, is listed and verified, takes an entry, and finds it again.
 */

#include "base/log.h"
#include "journal-fuzz.h"
#include "txn/audit.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *dir = fuzz_new_folder(), *folder = g_build_filename(dir, "audit", NULL);

        pt_log_set_level(LOG_EMERG);
        g_assert(mkdir(folder, 0700) == 0);
        fuzz_write_journal(folder, data, size);
        verify(dir);
        use(dir);
        fuzz_remove_folder(dir);
        return 0;
}
