/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/audit-internal.h"
#include "txn/journal.h"

#include "base/io.h"
#include "kind/json.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 4096 /* more were never kept */

typedef struct Verify {
        int dirfd;
        size_t newest_size;
        PtDiagnostics *diag;
        PtAuditCheck check;
        char *name; /* of the file that is read */
        uint64_t line;
        bool linked;     /* check.tail is of the line before, which is good */
        uint64_t number; /* of the entry before; 0: not known */
} Verify;

static void damaged(Verify *verify, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void damaged(Verify *verify, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        verify->check.damaged++;
        if (verify->line > 0)
                pt_diag_set_subject(verify->diag, "%s:%" PRIu64, verify->name, verify->line);
        else
                pt_diag_set_subject(verify->diag, "%s", verify->name);
        pt_diag_error(verify->diag, "audit-damaged", NULL, "%s", text);
        pt_diag_set_subject(verify->diag, NULL);
}

static void check_head(Verify *verify, const PtAuditHead *head, uint64_t file)
{
        if (verify->line != 1)
                damaged(verify, "a file's first line stands in the middle of one");
        else if (file > 0 && head->file != file)
                damaged(verify, "this is file %" PRIu64 " under another one's name", head->file);
        if (verify->number > 0 && head->first != verify->number + 1)
                damaged(verify, "it begins with entry %" PRIu64 " and not with %" PRIu64,
                        head->first, verify->number + 1);
        verify->number = head->first - 1;
}

static void check_entry(Verify *verify, const PtAuditEntry *entry)
{
        if (verify->line == 1)
                damaged(verify, "the file's first line is missing");
        if (verify->number > 0 && entry->number != verify->number + 1)
                damaged(verify, "entry %" PRIu64 " follows entry %" PRIu64, entry->number,
                        verify->number);
        verify->number = entry->number;
        if (verify->check.first == 0)
                verify->check.first = entry->number;
        verify->check.last = entry->number;
        verify->check.entries++;
}

static void check_line(Verify *verify, const char *line, size_t size, uint64_t file)
{
        pt_auto_json *record = NULL;
        g_autoptr(PtAuditEntry) entry = NULL;
        PtAuditHead head;
        PtDigest digest, prev;

        if (pt_journal_verify(line, size, &digest, &prev, &record) < 0) {
                damaged(verify, "this line was changed after it was written");
                verify->linked = false;
                verify->number = verify->line == 1 || verify->number == 0
                                         ? 0
                                         : verify->number + 1; /* it stood for one */
                return;
        }
        if (verify->linked && !pt_digest_equal(&prev, &verify->check.tail))
                damaged(verify, "this line does not follow the line before it: lines were changed, "
                                "removed or put in");
        verify->check.tail = digest;
        verify->linked = true;
        if (pt_audit_head_parse(record, &head) >= 0)
                check_head(verify, &head, file);
        else if (pt_audit_entry_parse(record, &entry) >= 0)
                check_entry(verify, entry);
        else
                damaged(verify, "this line is no entry");
}

static void check_text(Verify *verify, const char *text, size_t size, uint64_t file)
{
        size_t at = 0;

        while (at < size) {
                const char *newline = memchr(text + at, '\n', size - at);
                size_t length = newline ? (size_t) (newline - text) - at : size - at;

                verify->line++;
                if (newline)
                        check_line(verify, text + at, length, file);
                else
                        damaged(verify, "the line was cut off");
                at += length + 1;
        }
        verify->line = 0;
        if (size == 0)
                damaged(verify, "the file is empty");
}

/* `file` 0: the newest. */
static int check_file(Verify *verify, uint64_t file)
{
        g_autofree char *text = NULL;
        size_t size;
        int r;

        g_free(verify->name);
        verify->name = file > 0 ? pt_audit_file_name(file) : g_strdup(PT_AUDIT_NAME);
        verify->check.files++;
        r = pt_read_file(verify->dirfd, verify->name, PT_AUDIT_READ_MAX, &text, &size);
        if (r < 0 && r != -ENOENT && r != -EFBIG)
                return r;
        if (r == -ENOENT) {
                damaged(verify, "the file is missing");
        } else if (r == -EFBIG) {
                damaged(verify, "the file is larger than it was ever written");
        } else {
                check_text(verify, text, file > 0 ? size : MIN(size, verify->newest_size), file);
                return 0;
        }
        verify->linked = false;
        verify->number = 0;
        return 0;
}

/* What the newest file says of the others; false: nothing that can be read. */
static bool read_head(int dirfd, PtAuditHead *ret)
{
        g_autofree char *text = NULL;
        pt_auto_json *record = NULL;
        PtDigest digest, prev;
        const char *newline;
        size_t size;

        if (pt_read_file(dirfd, PT_AUDIT_NAME, PT_AUDIT_READ_MAX, &text, &size) < 0)
                return false;
        newline = memchr(text, '\n', size);
        return newline &&
               pt_journal_verify(text, (size_t) (newline - text), &digest, &prev, &record) >= 0 &&
               pt_audit_head_parse(record, ret) >= 0;
}

static int verify_files(Verify *verify)
{
        g_autoptr(GArray) files = pt_audit_files(verify->dirfd);
        PtAuditHead head = {0};
        int r;

        /* Without a head, what is there says what should be. */
        if (!read_head(verify->dirfd, &head) && files->len > 0) {
                head.oldest = g_array_index(files, uint64_t, 0);
                head.file = g_array_index(files, uint64_t, files->len - 1) + 1;
        }
        /* Whoever changed a file may have made the digests right again. */
        if (head.file - head.oldest > FILES_MAX || head.oldest > head.file) {
                verify->name = g_strdup(PT_AUDIT_NAME);
                damaged(verify, "its first line says that there are files %" PRIu64 " to %" PRIu64,
                        head.oldest, head.file);
                head.oldest = head.file;
        }
        for (uint64_t file = head.oldest; file > 0 && file < head.file; file++) {
                r = check_file(verify, file);
                if (r < 0)
                        return r;
        }
        return check_file(verify, 0);
}

int pt_audit_verify(const char *state_dir, size_t newest_size, PtDiagnostics *diag,
                    PtAuditCheck *ret)
{
        g_autofree char *path = g_build_filename(state_dir, PT_AUDIT_DIR, NULL);
        Verify verify = {.newest_size = newest_size, .diag = diag};
        int r;

        verify.dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (verify.dirfd < 0)
                return -errno;
        r = verify_files(&verify);
        close(verify.dirfd);
        g_free(verify.name);
        if (r < 0)
                return r;
        *ret = verify.check;
        return 0;
}
