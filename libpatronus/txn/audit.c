/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/audit-internal.h"
#include "txn/journal.h"

#include "base/io.h"
#include "kind/json.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct PtAudit {
        int dirfd;
        PtJournal *journal;
        PtAuditHead head; /* of the newest file; file 0: it has none yet */
        uint64_t last, last_revision;
        bool synced;
        size_t file_max;
        unsigned files_max;
        uint64_t age_max_usec;
};

static void on_record(struct json_object *record, void *userdata)
{
        PtAudit *audit = userdata;
        g_autoptr(PtAuditEntry) entry = NULL;
        PtAuditHead head;

        if (pt_audit_head_parse(record, &head) >= 0) {
                audit->head = head;
                audit->last = MAX(audit->last, head.first - 1);
                audit->last_revision = MAX(audit->last_revision, head.revision);
        } else if (pt_audit_entry_parse(record, &entry) >= 0) {
                audit->last = MAX(audit->last, entry->number);
                audit->last_revision = MAX(audit->last_revision, entry->revision);
        }
}

/* What the file before the newest says: the newest may be new, or gone. */
static void read_before(PtAudit *audit, uint64_t file)
{
        g_autofree char *name = pt_audit_file_name(file), *text = NULL;
        PtAuditHead newest = audit->head;
        PtJournalState state;
        size_t size;

        if (pt_read_file(audit->dirfd, name, PT_AUDIT_READ_MAX, &text, &size) < 0)
                return;
        pt_journal_parse(text, size, on_record, audit, NULL, &state);
        audit->head = newest;
}

/* The first record of a new file. */
static int begin_file(PtAudit *audit, uint64_t file, uint64_t oldest)
{
        PtAuditHead head = {.file = file,
                            .first = audit->last + 1,
                            .oldest = oldest,
                            .revision = audit->last_revision,
                            .time_usec = (uint64_t) g_get_real_time()};
        g_autofree char *record = pt_audit_head_format(&head);
        int r = pt_journal_append(audit->journal, record);

        if (r >= 0)
                audit->head = head;
        return r;
}

static int open_files(PtAudit *audit, PtDiagnostics *diag)
{
        g_autoptr(GArray) files = pt_audit_files(audit->dirfd);
        uint64_t newest = files->len > 0 ? g_array_index(files, uint64_t, files->len - 1) : 0;
        int r;

        r = pt_journal_open(audit->dirfd, PT_AUDIT_NAME, on_record, audit, diag, &audit->journal);
        if (r < 0)
                return r;
        if (newest > 0 && audit->head.file == 0)
                read_before(audit, newest);
        if (pt_journal_size(audit->journal) == 0)
                return begin_file(audit, newest + 1,
                                  files->len > 0 ? g_array_index(files, uint64_t, 0) : newest + 1);
        if (audit->head.file == 0) { /* its first line is damaged, which verifying tells */
                audit->head.file = newest + 1;
                audit->head.oldest = files->len > 0 ? g_array_index(files, uint64_t, 0) : 1;
        }
        return 0;
}

int pt_audit_open(const char *state_dir, PtDiagnostics *diag, PtAudit **ret)
{
        g_autoptr(PtAudit) audit = g_new0(PtAudit, 1);
        g_autofree char *path = g_build_filename(state_dir, PT_AUDIT_DIR, NULL);
        int r;

        audit->synced = true;
        pt_audit_set_limits(audit, PT_AUDIT_FILE_MAX, PT_AUDIT_FILES_MAX, PT_AUDIT_AGE_MAX_USEC);
        pt_diag_set_subject(diag, "%s", PT_AUDIT_DIR);
        audit->dirfd = -EBADF;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                r = -errno;
        else {
                audit->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = audit->dirfd < 0 ? -errno : open_files(audit, diag);
        }
        pt_diag_set_subject(diag, NULL);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&audit);
        return 0;
}

void pt_audit_close(PtAudit *audit)
{
        if (!audit)
                return;
        if (audit->journal && !audit->synced)
                (void) pt_journal_sync(audit->journal);
        pt_journal_close(audit->journal);
        if (audit->dirfd >= 0)
                close(audit->dirfd);
        g_free(audit);
}

void pt_audit_set_limits(PtAudit *audit, size_t file_max, unsigned files_max, uint64_t age_usec)
{
        audit->file_max = file_max;
        audit->files_max = files_max;
        audit->age_max_usec = age_usec;
}

uint64_t pt_audit_last(const PtAudit *audit)
{
        return audit->last;
}

uint64_t pt_audit_last_revision(const PtAudit *audit)
{
        return audit->last_revision;
}

void pt_audit_tail(const PtAudit *audit, PtDigest *ret)
{
        pt_journal_tail(audit->journal, ret);
}

size_t pt_audit_size(const PtAudit *audit)
{
        return pt_journal_size(audit->journal);
}

bool pt_audit_is_synced(const PtAudit *audit)
{
        return audit->synced;
}

int pt_audit_ready(PtAudit *audit)
{
        return pt_journal_reserve(audit->journal, PT_AUDIT_RESERVE);
}

int pt_audit_append(PtAudit *audit, PtAuditEntry *entry)
{
        g_autofree char *record = NULL;
        int r;

        entry->number = audit->last + 1;
        if (entry->time_usec == 0)
                entry->time_usec = (uint64_t) g_get_real_time();
        record = pt_audit_entry_format(entry);
        r = pt_journal_append_unsynced(audit->journal, record);
        if (r < 0)
                return r;
        audit->last = entry->number;
        audit->last_revision = MAX(audit->last_revision, entry->revision);
        audit->synced = false;
        pt_journal_tail(audit->journal, &entry->digest);
        return 0;
}

/* When a file was written last; 0: it is not there. */
static uint64_t file_time(const PtAudit *audit, uint64_t file)
{
        g_autofree char *name = pt_audit_file_name(file);
        struct stat st;

        if (fstatat(audit->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        return (uint64_t) st.st_mtim.tv_sec * G_USEC_PER_SEC;
}

/* The oldest file to keep when the newest will be `newest`. */
static uint64_t oldest_to_keep(const PtAudit *audit, uint64_t newest)
{
        uint64_t now = (uint64_t) g_get_real_time(),
                 begin = now > audit->age_max_usec ? now - audit->age_max_usec : 0,
                 oldest = MAX(audit->head.oldest, 1);

        if (newest > audit->files_max)
                oldest = MAX(oldest, newest - audit->files_max + 1);
        while (oldest + 1 < newest && file_time(audit, oldest) < begin)
                oldest++; /* the one before the newest was written just now */
        return oldest;
}

static void remove_before(const PtAudit *audit, uint64_t oldest)
{
        g_autoptr(GArray) files = pt_audit_files(audit->dirfd);

        for (guint i = 0; i < files->len; i++) {
                uint64_t file = g_array_index(files, uint64_t, i);
                g_autofree char *name = pt_audit_file_name(file);

                if (file < oldest)
                        (void) unlinkat(audit->dirfd, name, 0);
        }
}

/* The newest file gets its number as its name, and another one goes on. */
static int rotate(PtAudit *audit)
{
        PtAuditHead head = {.file = audit->head.file + 1,
                            .first = audit->last + 1,
                            .revision = audit->last_revision,
                            .time_usec = (uint64_t) g_get_real_time()};
        g_autofree char *keep = pt_audit_file_name(audit->head.file), *record = NULL;
        int r;

        head.oldest = oldest_to_keep(audit, head.file);
        record = pt_audit_head_format(&head);
        r = pt_journal_restart(audit->journal, (const char *const[]){record, NULL}, keep);
        if (r < 0)
                return r;
        audit->head = head;
        remove_before(audit, head.oldest);
        return 0;
}

int pt_audit_sync(PtAudit *audit)
{
        int r;

        if (!audit->synced) {
                r = pt_journal_sync(audit->journal);
                if (r < 0)
                        return r;
                audit->synced = true;
        }
        return pt_journal_size(audit->journal) > audit->file_max ? rotate(audit) : 0;
}

/* Reading. */

/* The files from the newest on: their text, and which is next. */
typedef struct Reader {
        const PtAudit *audit;
        uint64_t file; /* 0: the newest comes next; else this one was last */
        uint64_t last; /* number of the last entry of what comes next */
        char *text;
        size_t size;
        uint64_t first; /* number of the first entry of it */
} Reader;

static void reader_clear(Reader *reader)
{
        g_free(reader->text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

static size_t line_length(const char *text, size_t size)
{
        const char *newline = memchr(text, '\n', size);

        return newline ? (size_t) (newline - text) : size;
}

/* By how many lines there are, for a file whose first line is damaged. */
static uint64_t first_by_lines(const Reader *reader)
{
        uint64_t lines = 0;

        for (size_t i = 0; i < reader->size; i++)
                lines += reader->text[i] == '\n';
        return lines < reader->last + 2 ? reader->last + 2 - lines : 1;
}

/* false: there is no older one. */
static bool next_file(Reader *reader)
{
        const PtAudit *audit = reader->audit;
        g_autofree char *name = NULL;
        pt_auto_json *record = NULL;
        PtAuditHead head;
        PtDigest digest, prev;

        if (reader->file == 0) {
                reader->last = audit->last;
                reader->file = audit->head.file;
                name = g_strdup(PT_AUDIT_NAME);
        } else {
                reader->last = reader->first - 1;
                name = pt_audit_file_name(--reader->file);
        }
        g_clear_pointer(&reader->text, g_free);
        if (reader->file == 0 || reader->last == 0 ||
            pt_read_file(audit->dirfd, name, PT_AUDIT_READ_MAX, &reader->text, &reader->size) < 0)
                return false;
        reader->first = first_by_lines(reader);
        if (pt_journal_verify(reader->text, line_length(reader->text, reader->size), &digest, &prev,
                              &record) >= 0 &&
            pt_audit_head_parse(record, &head) >= 0)
                reader->first = head.first;
        return true;
}

/* The start of the line that ends before `end`. */
static size_t line_start(const char *text, size_t end)
{
        const char *newline = end > 0 ? memrchr(text, '\n', end) : NULL;

        return newline ? (size_t) (newline - text) + 1 : 0;
}

static void list_file(const Reader *reader, uint64_t before, unsigned limit, GPtrArray *entries)
{
        size_t end = reader->size;
        uint64_t skip = before > 0 && reader->last >= before ? reader->last - before + 1 : 0;

        while (end > 0 && entries->len < limit) {
                size_t start = line_start(reader->text, --end); /* the newline at its end */
                pt_auto_json *record = NULL;
                PtAuditEntry *entry = NULL;
                PtDigest digest, prev;

                if (skip > 0) {
                        skip--;
                } else if (pt_journal_verify(reader->text + start, end - start, &digest, &prev,
                                             &record) >= 0 &&
                           pt_audit_entry_parse(record, &entry) >= 0) {
                        entry->digest = digest;
                        g_ptr_array_add(entries, entry);
                }
                end = start;
        }
}

int pt_audit_list(const PtAudit *audit, uint64_t before, unsigned limit, GPtrArray **ret)
{
        g_autoptr(GPtrArray) entries =
                g_ptr_array_new_with_free_func((GDestroyNotify) pt_audit_entry_free);
        g_auto(Reader) reader = {.audit = audit};

        while (entries->len < limit && next_file(&reader))
                if (before == 0 || reader.first < before)
                        list_file(&reader, before, limit, entries);
        *ret = g_steal_pointer(&entries);
        return 0;
}
