/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/store-files.h"
#include "base/boot.h"
#include "base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define NUMBER_SIZE 24 /* digits of 64 bits, and more */

void pt_store_chain_clear(PtStoreChain *chain)
{
        g_clear_pointer(&chain->numbers, g_array_unref);
}

/* The name of a folder: digits as we print them. */
static bool parse_number(const char *text, uint64_t *ret)
{
        guint64 number;

        if (text[0] == '0' || !g_ascii_string_to_unsigned(text, 10, 1, INT64_MAX, &number, NULL))
                return false;
        *ret = number;
        return true;
}

static int compare_numbers(gconstpointer a, gconstpointer b)
{
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

int pt_store_scan(int revisions_fd, bool all, GArray **ret)
{
        g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        pt_cleanup(pt_closedirp) DIR *dir = NULL;
        pt_auto_fd int fd = openat(revisions_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct dirent *entry;

        if (fd < 0 || !(dir = fdopendir(fd)))
                return -errno;
        pt_steal_fd(&fd);
        for (errno = 0; (entry = readdir(dir)); errno = 0) {
                g_autofree char *meta = g_strconcat(entry->d_name, "/" PT_STORE_META, NULL);
                uint64_t number;
                struct stat st;

                if (parse_number(entry->d_name, &number) &&
                    (all || fstatat(revisions_fd, meta, &st, AT_SYMLINK_NOFOLLOW) >= 0))
                        g_array_append_val(numbers, number);
        }
        if (errno != 0)
                return -errno;
        g_array_sort(numbers, compare_numbers);
        *ret = g_steal_pointer(&numbers);
        return 0;
}

int pt_store_read_link(int revisions_fd, const char *name, uint64_t *ret)
{
        char target[NUMBER_SIZE + 1];
        ssize_t n = readlinkat(revisions_fd, name, target, NUMBER_SIZE);

        if (n < 0)
                return errno == EINVAL ? -EBADMSG : -errno;
        target[n] = '\0';
        return parse_number(target, ret) ? 0 : -EBADMSG;
}

/* Opens a file of the chain, or says why not. */
static int open_slice(const PtStoreReader *reader, uint64_t number, const char *daemon,
                      PtDiagnostics *diag)
{
        g_autofree char *path = g_strdup_printf("%" PRIu64 "/%s.ndjson", number, daemon);
        int fd = openat(reader->revisions_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r = -errno;

        if (fd >= 0)
                return fd;
        pt_diag_error(diag, "revision-unreadable", NULL, "revisions/%s cannot be opened: %s", path,
                      g_strerror(-r));
        return r;
}

static const char *text_of(const PtStoreReader *reader, uint64_t number, const char *daemon)
{
        return reader->text ? reader->text(reader->ctx, number, daemon) : NULL;
}

static int read_header(const PtStoreReader *reader, uint64_t number, const char *daemon,
                       PtDiagnostics *diag, PtSliceHeader *ret, uint64_t *ret_size)
{
        const char *text = text_of(reader, number, daemon);
        char head[PT_SLICE_HEADER_MAX];
        pt_auto_fd int fd = -EBADF;
        struct stat st;
        ssize_t n;
        int r;

        if (text) {
                *ret_size = strlen(text);
                return pt_slice_header(text, strlen(text), ret);
        }
        fd = open_slice(reader, number, daemon, diag);
        if (fd < 0)
                return fd;
        n = pread(fd, head, sizeof(head), 0);
        r = n < 0 || fstat(fd, &st) < 0 ? -errno : pt_slice_header(head, (size_t) n, ret);
        if (r < 0) {
                pt_diag_error(
                        diag, "revision-damaged", NULL,
                        "revisions/%" PRIu64
                        "/%s.ndjson does not begin as a slice or delta: it was cut or changed",
                        number, daemon);
                return r;
        }
        *ret_size = (uint64_t) st.st_size;
        return 0;
}

/* The index of the newest revision that is not after `number`, or -1. */
static int index_of(const GArray *numbers, uint64_t number)
{
        int i = (int) numbers->len - 1;

        while (i >= 0 && g_array_index(numbers, uint64_t, i) > number)
                i--;
        return i;
}

int pt_store_walk(const PtStoreReader *reader, uint64_t number, const char *daemon,
                  PtDiagnostics *diag, PtStoreChain *ret, uint64_t *ret_bad)
{
        pt_cleanup(pt_store_chain_clear)
                PtStoreChain chain = {.numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
        PtSliceHeader header;
        PtDigest wanted;

        *ret_bad = number;
        for (int i = index_of(reader->numbers, number); i >= 0; i--) {
                uint64_t size = 0, at = g_array_index(reader->numbers, uint64_t, i);
                int r;

                if (chain.numbers->len == 0 && at != number)
                        break;
                *ret_bad = at;
                r = read_header(reader, at, daemon, diag, &header, &size);
                if (r < 0)
                        return r;
                if (chain.numbers->len == 0)
                        chain.root = header.root;
                else if (!pt_digest_equal(&header.root, &wanted)) {
                        /* Either may be wrong; if it is the older one, it will not be whole by
                         * itself. */
                        *ret_bad = g_array_index(chain.numbers, uint64_t, chain.numbers->len - 1);
                        pt_diag_error(diag, "revision-damaged", NULL,
                                      "revisions/%" PRIu64
                                      "/%s.ndjson is not based on revision %" PRIu64,
                                      *ret_bad, daemon, at);
                        return -EBADMSG;
                }
                g_array_append_val(chain.numbers, at);
                if (!header.delta) {
                        chain.snapshot_size = size;
                        *ret = chain;
                        chain.numbers = NULL;
                        return 0;
                }
                chain.delta_size += size;
                wanted = header.base;
        }
        pt_diag_error(diag, "revision-damaged", NULL,
                      "revision %" PRIu64 " of %s rests on a snapshot that is no longer there",
                      number, daemon);
        return -EBADMSG;
}

static int apply_delta(const PtStoreReader *reader, uint64_t number, const char *daemon,
                       PtDiagnostics *diag, PtSlice **slice)
{
        g_autofree char *content = NULL;
        g_autoptr(PtSlice) next = NULL;
        const char *text = text_of(reader, number, daemon);
        size_t size;
        int r;

        if (text) {
                size = strlen(text);
        } else {
                pt_auto_fd int fd = open_slice(reader, number, daemon, diag);

                r = fd < 0 ? fd : pt_read_all(fd, PT_SLICE_FILE_MAX, &content, &size);
                if (r < 0)
                        return r;
                text = content;
        }
        r = pt_delta_apply(*slice, text, size, diag, &next);
        if (r < 0)
                return r;
        pt_slice_unref(*slice);
        *slice = g_steal_pointer(&next);
        return 0;
}

static int read_snapshot(const PtStoreReader *reader, uint64_t number, const char *daemon,
                         PtDiagnostics *diag, PtSlice **ret)
{
        const char *text = text_of(reader, number, daemon);
        pt_auto_fd int fd = -EBADF;

        if (text)
                return pt_delta_apply(NULL, text, strlen(text), diag, ret);
        fd = open_slice(reader, number, daemon, diag);
        return fd < 0 ? fd : pt_slice_read(fd, diag, ret);
}

int pt_store_read(const PtStoreReader *reader, uint64_t number, const char *daemon,
                  PtDiagnostics *diag, PtSlice **ret, uint64_t *ret_bad)
{
        pt_cleanup(pt_store_chain_clear) PtStoreChain chain = {0};
        g_autoptr(PtSlice) slice = NULL;
        int r = pt_store_walk(reader, number, daemon, diag, &chain, ret_bad);

        for (unsigned i = r < 0 ? 0 : chain.numbers->len; i > 0; i--) {
                uint64_t at = g_array_index(chain.numbers, uint64_t, i - 1);

                *ret_bad = at;
                pt_diag_set_subject(diag, "revisions/%" PRIu64 "/%s.ndjson", at, daemon);
                r = slice ? apply_delta(reader, at, daemon, diag, &slice)
                          : read_snapshot(reader, at, daemon, diag, &slice);
                pt_diag_set_subject(diag, NULL);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&slice);
        return 0;
}

/*
 * Newest first, but `skip`, until one is whole. A file that is bad spoils every chain through it: the search
 * goes on below it. -ENOENT: there is no file of this daemon at all.
 */
static int read_newest(const PtStoreReader *reader, uint64_t number, uint64_t skip,
                       const char *daemon, PtDiagnostics *diag, PtSlice **ret, uint64_t *ret_number)
{
        int result = -ENOENT;

        for (int i = index_of(reader->numbers, number); i >= 0;
             i = index_of(reader->numbers, number)) {
                uint64_t bad;
                int r;

                *ret_number = g_array_index(reader->numbers, uint64_t, i);
                if (*ret_number == skip) {
                        number = skip - 1;
                        continue;
                }
                r = pt_store_read(reader, *ret_number, daemon, diag, ret, &bad);
                /* Of what is newer than this program, an older revision is no good replacement. */
                if (r >= 0 || r == -EPROTONOSUPPORT)
                        return MIN(r, 0);
                if (r != -ENOENT || bad != *ret_number)
                        result = -EBADMSG;
                number = bad - 1;
        }
        return result;
}

/* What the machine boots with: `decided`, unless that waits to be confirmed since an earlier boot.
 * True when something is wrong with what tells. */
static bool choose(int revisions_fd, uint64_t decided, PtDiagnostics *diag, uint64_t *ret,
                   uint64_t *ret_skip)
{
        PtStoreUnconfirmed unconfirmed;
        char boot_id[PT_BOOT_ID_MAX];
        uint64_t confirmed = 0;
        int r = pt_store_read_unconfirmed(revisions_fd, &unconfirmed),
            link = pt_store_read_link(revisions_fd, PT_STORE_CONFIRMED, &confirmed);

        if (r == -ENOENT)
                return false;
        if (r >= 0 && unconfirmed.revision != decided) {
                *ret_skip = unconfirmed.revision; /* it was taken back */
                return false;
        }
        if (r < 0) {
                /* It was there for a reason, which may still hold. */
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revisions/" PT_STORE_UNCONFIRMED " was changed after it was written "
                              "(%s): what is confirmed is used",
                              g_strerror(-r));
                if (link >= 0)
                        *ret = confirmed;
                return true;
        }
        if (link >= 0 && confirmed == decided)
                return false;
        r = pt_boot_id(boot_id);
        if (r >= 0 && strcmp(boot_id, unconfirmed.boot_id) == 0)
                return false;
        *ret = unconfirmed.confirmed;
        if (confirmed == unconfirmed.confirmed)
                return false;
        pt_diag_error(diag, "revision-damaged", NULL,
                      "revisions/" PT_STORE_CONFIRMED " does not name revision %" PRIu64
                      ", which is the confirmed one",
                      unconfirmed.confirmed);
        return true;
}

/* The revision that a daemon should have in force, 0: the empty one; and one that it should not
 * fall back to. True when something is wrong with what tells. */
static bool find_wanted(const PtStoreReader *reader, const char *path, PtDiagnostics *diag,
                        uint64_t *ret, uint64_t *ret_skip)
{
        const GArray *numbers = reader->numbers;
        uint64_t decided = 0, wanted;
        int r = pt_store_read_link(reader->revisions_fd, PT_STORE_DECIDED, &decided), at;
        bool wrong = r < 0;

        if (r < 0) {
                decided = g_array_index(numbers, uint64_t, numbers->len - 1);
                pt_diag_error(diag, "revision-damaged", NULL,
                              "%s/" PT_STORE_DECIDED
                              " does not name a revision: %s; the newest one is used",
                              path, g_strerror(-r));
        }
        wanted = decided;
        wrong = choose(reader->revisions_fd, decided, diag, &wanted, ret_skip) || wrong;
        at = index_of(numbers, wanted);
        if (wanted > 0 && (at < 0 || g_array_index(numbers, uint64_t, at) != wanted))
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revision %" PRIu64 " was %s and is missing", wanted,
                              wanted == decided ? "decided" : "confirmed");
        *ret = wanted;
        return wrong;
}

int pt_store_read_slice(const char *state_dir, const char *daemon, PtDiagnostics *diag,
                        PtSlice **ret, uint64_t *ret_revision, bool *ret_damaged)
{
        g_autofree char *path = g_build_filename(state_dir, "revisions", NULL);
        pt_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autoptr(GArray) numbers = NULL;
        PtStoreReader reader = {.revisions_fd = fd};
        uint64_t wanted, found, skip = 0;
        bool wrong;
        int r = fd < 0 ? -errno : pt_store_scan(fd, false, &numbers);

        if (r == -ENOENT)
                return r;
        if (r < 0) {
                pt_diag_error(diag, "cannot-read", NULL, "%s cannot be read: %s", path,
                              g_strerror(-r));
                return r;
        }
        if (numbers->len == 0) {
                if (pt_store_read_link(fd, PT_STORE_DECIDED, &wanted) == -ENOENT)
                        return -ENOENT;
                pt_diag_error(diag, "revision-damaged", NULL,
                              "%s has a link " PT_STORE_DECIDED ", and no revision", path);
                return -EBADMSG;
        }
        reader.numbers = numbers;
        wrong = find_wanted(&reader, path, diag, &wanted, &skip);
        if (wanted == 0) /* nothing was in force before the one that waits to be confirmed */
                return -ENOENT;
        r = read_newest(&reader, wanted, skip, daemon, diag, ret, &found);
        if (r < 0)
                return r;
        *ret_revision = found;
        *ret_damaged = found != wanted || wrong;
        if (*ret_damaged)
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revision %" PRIu64 " of %s is used instead", found, daemon);
        return 0;
}
