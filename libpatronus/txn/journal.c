/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/journal.h"
#include "base/io.h"
#include "kind/json.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_HEAD "{\"digest\":\""
#define LINE_PREV "\",\"prev\":\""
#define LINE_RECORD "\",\"record\":"
/* From here on the line is what its digest covers. */
#define COVERED_START (strlen(LINE_HEAD) + PT_DIGEST_HEX + strlen("\","))
#define RECORD_START                                                                               \
        (strlen(LINE_HEAD) + PT_DIGEST_HEX + strlen(LINE_PREV) + PT_DIGEST_HEX +                   \
         strlen(LINE_RECORD))

struct PtJournal {
        int dirfd; /* borrowed */
        int fd;
        char *name;
        size_t size;
        size_t damaged;
        PtDigest head, tail;
        size_t reserved; /* the disk has room up to here */
        bool failed;     /* the end of the file is not known any more */
};

void pt_journal_format(const char *record, const PtDigest *prev, GString *out, PtDigest *ret)
{
        g_autofree char *covered = NULL;
        char hex[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(prev, hex);
        covered = g_strconcat("\"prev\":\"", hex, LINE_RECORD, record, "}", NULL);
        pt_digest_of(covered, strlen(covered), ret);
        pt_digest_to_hex(ret, hex);
        g_string_append_printf(out, "%s%s\",%s\n", LINE_HEAD, hex, covered);
}

static bool hex_at(const char *line, size_t offset, PtDigest *ret)
{
        char hex[PT_DIGEST_HEX + 1];

        memcpy(hex, line + offset, PT_DIGEST_HEX);
        hex[PT_DIGEST_HEX] = '\0';
        return pt_digest_from_hex(hex, ret) >= 0;
}

static bool text_at(const char *line, size_t offset, const char *text)
{
        return memcmp(line + offset, text, strlen(text)) == 0;
}

int pt_journal_verify(const char *line, size_t size, PtDigest *ret_digest, PtDigest *ret_prev,
                      struct json_object **ret)
{
        const size_t digest_at = strlen(LINE_HEAD),
                     prev_at = digest_at + PT_DIGEST_HEX + strlen(LINE_PREV);
        pt_auto_json *json = NULL;
        PtDigest digest, prev, actual;

        if (size < RECORD_START + strlen("{}}") || !text_at(line, 0, LINE_HEAD) ||
            !text_at(line, digest_at + PT_DIGEST_HEX, LINE_PREV) ||
            !text_at(line, prev_at + PT_DIGEST_HEX, LINE_RECORD) || line[size - 1] != '}' ||
            !hex_at(line, digest_at, &digest) || !hex_at(line, prev_at, &prev))
                return -EBADMSG;
        pt_digest_of(line + COVERED_START, size - COVERED_START, &actual);
        if (!pt_digest_equal(&actual, &digest))
                return -EBADMSG;
        if (pt_json_parse(line + RECORD_START, size - RECORD_START - 1, NULL, &json) < 0 ||
            !json_object_is_type(json, json_type_object))
                return -EBADMSG;
        *ret_digest = digest;
        *ret_prev = prev;
        *ret = g_steal_pointer(&json);
        return 0;
}

void pt_journal_parse(const char *text, size_t size, PtJournalEach each, void *userdata,
                      PtDiagnostics *diag, PtJournalState *ret)
{
        PtJournalState state = {0};
        bool begun = false;
        bool linked = false; /* the line before was good, so that this one must follow it */

        for (size_t number = 1; state.good < size; number++) {
                const char *line = text + state.good,
                           *newline = memchr(line, '\n', size - state.good);
                size_t length = newline ? (size_t) (newline - line) : size - state.good;
                pt_auto_json *record = NULL;
                PtDigest digest, prev;

                if (!newline || (state.good + length + 1 == size && memchr(line, '\0', length))) {
                        state.torn = true;
                        break;
                }
                state.good += length + 1;
                if (pt_journal_verify(line, length, &digest, &prev, &record) < 0) {
                        linked = false;
                        state.damaged++;
                        pt_diag_error(diag, "journal-damaged", NULL,
                                      "record %zu of the journal was changed after it was written, "
                                      "and is ignored",
                                      number);
                        continue;
                }
                if (linked && !pt_digest_equal(&prev, &state.tail)) {
                        state.damaged++;
                        pt_diag_error(diag, "journal-damaged", NULL,
                                      "record %zu of the journal does not follow the record before "
                                      "it: records were "
                                      "changed, removed or inserted",
                                      number);
                }
                if (!begun)
                        state.head = prev;
                linked = begun = true;
                state.tail = digest;
                each(record, userdata);
        }
        *ret = state;
}

static int replay(PtJournal *journal, PtJournalEach each, void *userdata, PtDiagnostics *diag)
{
        g_autofree char *text = NULL;
        PtJournalState state;
        size_t size;
        int r = pt_read_all(journal->fd, PT_JOURNAL_FILE_MAX, &text, &size);

        if (r < 0)
                return r;
        pt_journal_parse(text, size, each, userdata, diag, &state);
        if (state.torn) {
                pt_diag_notice(diag, "journal-torn", NULL,
                               "the last %zu bytes of the journal were not written in full; "
                               "nothing depended on them",
                               size - state.good);
                if (ftruncate(journal->fd, (off_t) state.good) < 0 || fdatasync(journal->fd) < 0)
                        return -errno;
        }
        journal->size = state.good;
        journal->damaged = state.damaged;
        journal->head = state.head;
        journal->tail = state.tail;
        return 0;
}

int pt_journal_open(int dirfd, const char *name, PtJournalEach each, void *userdata,
                    PtDiagnostics *diag, PtJournal **ret)
{
        g_autoptr(PtJournal) journal = g_new0(PtJournal, 1);
        int r;

        journal->dirfd = dirfd;
        journal->name = g_strdup(name);
        journal->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = journal->fd < 0 ? -errno : replay(journal, each, userdata, diag);
        if (r >= 0 && journal->size == 0 &&
            fsync(dirfd) < 0) /* the name of a new file is not durable by itself */
                r = -errno;
        if (r < 0) {
                pt_diag_error(diag, "cannot-read", NULL, "the journal cannot be opened: %s",
                              g_strerror(-r));
                return r;
        }
        *ret = g_steal_pointer(&journal);
        return 0;
}

void pt_journal_close(PtJournal *journal)
{
        if (!journal)
                return;
        if (journal->fd >= 0)
                close(journal->fd);
        g_free(journal->name);
        g_free(journal);
}

size_t pt_journal_size(const PtJournal *journal)
{
        return journal->size;
}

const PtDigest *pt_journal_head(const PtJournal *journal)
{
        return &journal->head;
}

size_t pt_journal_damaged(const PtJournal *journal)
{
        return journal->damaged;
}

static int write_at_end(PtJournal *journal, const char *data, size_t size, bool sync)
{
        int r;

        if (lseek(journal->fd, (off_t) journal->size, SEEK_SET) < 0)
                return -errno;
        r = pt_write_all(journal->fd, data, size);
        if (r < 0 || !sync)
                return r;
        return fdatasync(journal->fd) < 0 ? -errno : 0;
}

static int append(PtJournal *journal, const char *record, bool sync)
{
        g_autoptr(GString) line = g_string_sized_new(strlen(record) + 256);
        PtDigest digest;
        int r;

        if (journal->failed)
                return -EIO;
        pt_journal_format(record, &journal->tail, line, &digest);
        r = write_at_end(journal, line->str, line->len, sync);
        if (r < 0) {
                /* Half a record, or one that may or may not be on disk, must not be found by the
                 * next start. */
                journal->failed = ftruncate(journal->fd, (off_t) journal->size) < 0 ||
                                  fdatasync(journal->fd) < 0;
                return r;
        }
        journal->size += line->len;
        journal->tail = digest;
        return 0;
}

int pt_journal_append(PtJournal *journal, const char *record)
{
        return append(journal, record, true);
}

int pt_journal_append_unsynced(PtJournal *journal, const char *record)
{
        return append(journal, record, false);
}

int pt_journal_sync(PtJournal *journal)
{
        return fdatasync(journal->fd) < 0 ? -errno : 0;
}

int pt_journal_reserve(PtJournal *journal, size_t size)
{
        if (journal->failed)
                return -EIO;
        if (journal->size + size <= journal->reserved)
                return 0;
        /* Twice as much: the next time comes later. */
        if (fallocate(journal->fd, FALLOC_FL_KEEP_SIZE, (off_t) journal->size, (off_t) (2 * size)) <
            0)
                return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
        journal->reserved = journal->size + 2 * size;
        return 0;
}

void pt_journal_tail(const PtJournal *journal, PtDigest *ret)
{
        *ret = journal->tail;
}

/* Whether the name still stands for the open file. */
static bool in_place(const PtJournal *journal)
{
        struct stat open_file, named;

        return fstat(journal->fd, &open_file) >= 0 &&
               fstatat(journal->dirfd, journal->name, &named, AT_SYMLINK_NOFOLLOW) >= 0 &&
               open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

int pt_journal_restart(PtJournal *journal, const char *const *records, const char *keep)
{
        g_autoptr(GString) text = g_string_new(NULL);
        PtDigest tail = journal->tail;
        pt_auto_fd int fd = -EBADF;
        int r;

        for (; *records; records++)
                pt_journal_format(*records, &tail, text, &tail);
        /* A link and not a rename: there is a journal at every moment. */
        if (keep && ((unlinkat(journal->dirfd, keep, 0) < 0 && errno != ENOENT) ||
                     linkat(journal->dirfd, journal->name, journal->dirfd, keep, 0) < 0))
                return -errno;
        r = pt_replace_file(journal->dirfd, journal->name, text->str, text->len, 0600);
        if (r >= 0) {
                fd = openat(journal->dirfd, journal->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
                r = fd < 0 ? -errno : 0;
        }
        if (r < 0) {
                journal->failed = !in_place(journal);
                return r;
        }
        close(journal->fd);
        journal->fd = pt_steal_fd(&fd);
        journal->size = text->len;
        journal->reserved = 0;
        journal->tail = tail;
        return 0;
}
