/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/store-files.h"
#include "base/io.h"
#include "base/log.h"
#include "kind/json.h"
#include "txn/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define META_MAX (PT_DOCUMENT_MAX + 4096)
#define UNCONFIRMED_MAX 4096

/* Without the group the daemon cannot read its file, but nothing decided is lost: a warning, once.
 */
static void set_group(int fd, gid_t gid, bool *warned)
{
        if (gid == PT_STORE_NO_GROUP || fchown(fd, (uid_t) -1, gid) >= 0 || *warned)
                return;
        pt_log(LOG_WARNING,
               "files of revisions cannot be given to the group %u: %s; its daemon may not be able "
               "to read them",
               gid, g_strerror(errno));
        *warned = true;
}

static int make_folder(int revisions_fd, uint64_t number)
{
        g_autofree char *name = g_strdup_printf("%" PRIu64, number);
        int fd;

        if (mkdirat(revisions_fd, name, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(revisions_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0755) <
            0) { /* daemons of other users pass through it, whatever the umask says */
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

typedef struct Content {
        const char *text; /* or */
        const PtSlice *slice;
        mode_t mode;
} Content;

/* A new file beside `name`, renamed over it: a name in a folder always stands for whole content. */
static int write_file(int folder, const char *name, gid_t gid, bool *warned, const Content *content,
                      bool sync)
{
        g_autofree char *temporary = g_strconcat(name, ".tmp", NULL);
        pt_auto_fd int fd = openat(folder, temporary,
                                   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = content->text ? pt_write_all(fd, content->text, strlen(content->text))
                          : pt_slice_write(content->slice, fd);
        if (r >= 0) {
                set_group(fd, gid, warned);
                if (fchmod(fd, content->mode) < 0 || (sync && fsync(fd) < 0) ||
                    renameat(folder, temporary, folder, name) < 0 || (sync && fsync(folder) < 0))
                        r = -errno;
        }
        if (r < 0)
                (void) unlinkat(folder, temporary, 0);
        return r;
}

int pt_store_write_slice(int revisions_fd, uint64_t number, const char *daemon, gid_t gid,
                         bool *warned, const char *text, const PtSlice *slice, bool sync)
{
        g_autofree char *name = g_strconcat(daemon, ".ndjson", NULL);
        pt_auto_fd int folder = make_folder(revisions_fd, number);
        int r;

        if (folder < 0)
                return folder;
        r = write_file(folder, name, gid, warned, &(Content){text, slice, 0640}, sync);
        if (r < 0)
                return r;
        return sync && fsync(revisions_fd) < 0 ? -errno : 0;
}

typedef enum FileState {
        FILE_RIGHT,
        FILE_UNFINISHED, /* it is not there, or all that is there is right: a crash left it so */
        FILE_CHANGED,
} FileState;

/* What a file was given and a power cut may take away: its end, and blocks that become zeros. */
static FileState compare(const char *present, size_t size, const char *text, size_t text_size)
{
        FileState state = size == text_size ? FILE_RIGHT : FILE_UNFINISHED;

        if (size > text_size)
                return FILE_CHANGED;
        for (size_t i = 0; i < size; i++) {
                if (present[i] == text[i])
                        continue;
                if (present[i] != '\0')
                        return FILE_CHANGED;
                state = FILE_UNFINISHED;
        }
        return state;
}

static FileState check_file(int folder, const char *name, const char *text)
{
        pt_auto_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        g_autofree char *content = NULL;
        size_t size;

        if (fd < 0)
                return errno == ENOENT ? FILE_UNFINISHED : FILE_CHANGED;
        if (pt_read_all(fd, strlen(text), &content, &size) < 0)
                return FILE_CHANGED;
        return compare(content, size, text, strlen(text));
}

/* Whether the file is a snapshot that has taken the place of the delta. What is in it is seen when
 * it is read. */
static bool is_snapshot(int folder, const char *name, const char *text, const PtDigest *root)
{
        pt_auto_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char head[PT_SLICE_HEADER_MAX];
        PtSliceHeader header;
        ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

        if (pt_slice_header(text, strlen(text), &header) < 0 || !header.delta)
                return false;
        return n >= 0 && pt_slice_header(head, (size_t) n, &header) >= 0 && !header.delta &&
               pt_digest_equal(&header.root, root);
}

static void tell_changed(PtDiagnostics *diag, uint64_t number, const char *name)
{
        pt_diag_error(diag, "revision-damaged", NULL,
                      "revisions/%" PRIu64
                      "/%s was changed after it was written; it is written again from the journal",
                      number, name);
}

/* meta.json is a journal of its own, of one record or two. */
static int write_meta(int folder, const PtStoreRevision *revision, bool *warned,
                      PtDiagnostics *check)
{
        g_autofree char *record = pt_store_record_format(revision, false);
        g_autoptr(GString) text = g_string_new(NULL);
        static const PtDigest none;
        PtDigest digest;

        pt_journal_format(record, &none, text, &digest);
        if (revision->info.confirm_usec > 0 && revision->info.confirmed_usec > 0) {
                g_autofree char *confirmed = pt_store_record_confirmed(revision);

                pt_journal_format(confirmed, &digest, text, &digest);
        }
        switch (check ? check_file(folder, PT_STORE_META, text->str) : FILE_UNFINISHED) {
        case FILE_RIGHT:
                return 0;
        case FILE_UNFINISHED:
                break;
        case FILE_CHANGED:
                tell_changed(check, revision->info.number, PT_STORE_META);
                break;
        }
        return write_file(folder, PT_STORE_META, PT_STORE_NO_GROUP, warned,
                          &(Content){.text = text->str, .mode = 0640}, false);
}

static int write_text(int folder, const PtStoreRevision *revision, const PtStoreSlice *slice,
                      bool *warned, PtDiagnostics *check)
{
        g_autofree char *name = g_strconcat(slice->daemon, ".ndjson", NULL);
        FileState state = check ? check_file(folder, name, slice->text) : FILE_UNFINISHED;

        if (state == FILE_RIGHT || (check && is_snapshot(folder, name, slice->text, &slice->root)))
                return 0;
        if (state == FILE_CHANGED)
                tell_changed(check, revision->info.number, name);
        return write_file(folder, name, slice->gid, warned,
                          &(Content){.text = slice->text, .mode = 0640}, false);
}

int pt_store_write_revision(int revisions_fd, PtStoreRevision *revision, bool *warned,
                            PtDiagnostics *check)
{
        pt_auto_fd int folder = make_folder(revisions_fd, revision->info.number);

        if (folder < 0)
                return folder;
        for (unsigned i = 0; i < revision->slices->len; i++) {
                const PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);
                int r = slice->text ? write_text(folder, revision, slice, warned, check) : 0;

                if (r < 0)
                        return r;
        }
        return write_meta(folder, revision, warned, check);
}

static int sync_file(int folder, const char *name)
{
        pt_auto_fd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int pt_store_sync_revision(int revisions_fd, const PtStoreRevision *revision)
{
        pt_auto_fd int folder = make_folder(revisions_fd, revision->info.number);
        int r;

        if (folder < 0)
                return folder;
        r = sync_file(folder, PT_STORE_META);
        for (unsigned i = 0; i < revision->slices->len && r >= 0; i++) {
                const PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);
                g_autofree char *name = g_strconcat(slice->daemon, ".ndjson", NULL);

                r = sync_file(folder, name);
                if (r ==
                    -ENOENT) /* damage that was there before is no reason to keep the journal */
                        r = 0;
        }
        return r >= 0 && fsync(folder) < 0 ? -errno : r;
}

int pt_store_write_link(int revisions_fd, const char *name, uint64_t number)
{
        g_autofree char *target = g_strdup_printf("%" PRIu64, number),
                        *temporary = g_strconcat(name, ".tmp", NULL);

        if (unlinkat(revisions_fd, temporary, 0) < 0 && errno != ENOENT)
                return -errno;
        if (symlinkat(target, revisions_fd, temporary) < 0 ||
            renameat(revisions_fd, temporary, revisions_fd, name) < 0)
                return -errno;
        return 0;
}

int pt_store_write_unconfirmed(int revisions_fd, const PtStoreUnconfirmed *unconfirmed)
{
        g_autofree char *record = pt_store_unconfirmed_format(unconfirmed);
        g_autoptr(GString) line = g_string_new(NULL);
        static const PtDigest none;
        PtDigest digest;
        bool warned = false;

        pt_journal_format(record, &none, line, &digest);
        return write_file(revisions_fd, PT_STORE_UNCONFIRMED, PT_STORE_NO_GROUP, &warned,
                          &(Content){.text = line->str, .mode = 0644}, true);
}

int pt_store_read_unconfirmed(int revisions_fd, PtStoreUnconfirmed *ret)
{
        g_autofree char *line = NULL;
        pt_auto_json *record = NULL;
        PtDigest digest, prev;
        size_t size;
        int r = pt_read_file(revisions_fd, PT_STORE_UNCONFIRMED, UNCONFIRMED_MAX, &line, &size);

        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;
        if (size == 0 || line[size - 1] != '\n' ||
            pt_journal_verify(line, size - 1, &digest, &prev, &record) < 0)
                return -EBADMSG;
        return pt_store_unconfirmed_parse(record, ret);
}

/* The second record of meta.json, which must follow the first. */
static int parse_confirmed(const char *line, size_t size, const PtDigest *first,
                           PtRevision *revision)
{
        pt_auto_json *record = NULL;
        PtDigest digest, prev;
        uint64_t number;

        if (size == 0 || line[size - 1] != '\n' ||
            pt_journal_verify(line, size - 1, &digest, &prev, &record) < 0 ||
            !pt_digest_equal(&prev, first) ||
            strcmp(pt_store_record_type(record), "confirmed") != 0 ||
            !pt_store_record_number(record, "number", &number) || number != revision->number ||
            !pt_store_record_number(record, "timeUSec", &revision->confirmed_usec))
                return -EBADMSG;
        return 0;
}

int pt_store_read_meta(int revisions_fd, uint64_t number, PtStoreRevision **ret)
{
        g_autofree char *path = g_strdup_printf("%" PRIu64 "/" PT_STORE_META, number), *line = NULL;
        g_autoptr(PtStoreRevision) revision = NULL;
        pt_auto_json *json = NULL;
        PtDigest digest, prev;
        size_t size, first;
        const char *newline;
        int r = pt_read_file(revisions_fd, path, META_MAX, &line, &size);

        if (r < 0)
                return r;
        newline = memchr(line, '\n', size);
        if (!newline)
                return -EBADMSG;
        first = (size_t) (newline - line);
        if (pt_journal_verify(line, first, &digest, &prev, &json) < 0 ||
            pt_store_record_parse(json, &revision) < 0 || revision->info.number != number)
                return -EBADMSG;
        if (revision->info.confirm_usec == 0)
                revision->info.confirmed_usec = revision->info.time_usec;
        if (first + 1 < size &&
            (revision->info.confirm_usec == 0 ||
             parse_confirmed(newline + 1, size - first - 1, &digest, &revision->info) < 0))
                return -EBADMSG;
        *ret = g_steal_pointer(&revision);
        return 0;
}

int pt_store_delete(int revisions_fd, uint64_t number)
{
        g_autofree char *name = g_strdup_printf("%" PRIu64, number);
        pt_cleanup(pt_closedirp) DIR *dir = NULL;
        const struct dirent *entry;
        int folder = openat(revisions_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (folder < 0)
                return errno == ENOENT ? 0 : -errno;
        dir = fdopendir(folder);
        if (!dir) {
                close(folder);
                return -ENOMEM;
        }
        if (unlinkat(folder, PT_STORE_META, 0) < 0 && errno != ENOENT)
                return -errno;
        while ((entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    unlinkat(folder, entry->d_name, 0) < 0)
                        return -errno;
        return unlinkat(revisions_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
