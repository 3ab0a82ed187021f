/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/keys.h"

#include "base/digest.h"
#include "base/io.h"
#include "secret/crypto.h"
#include "secret/secret.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define KEYS "keys"
#define KEY "key"
#define PUBLIC "public"
#define COMPARE_KEY "compare-key"
#define LINE_MAX_SIZE 128
#define FOLDER_MODE 0755
#define PAIR_WORD "x25519-private-v1:"
#define PUBLIC_WORD "x25519-public-v1:"
#define COMPARE_WORD "hmac-sha256-v1:"

static void set_public(PtPublicKey *key, const uint8_t bytes[static PT_KEY_SIZE])
{
        PtDigest digest;

        memcpy(key->bytes, bytes, PT_KEY_SIZE);
        pt_digest_of(bytes, PT_KEY_SIZE, &digest);
        memcpy(key->id, digest.bytes, PT_KEY_ID);
}

static char *format_line(const char *word, const uint8_t bytes[static PT_KEY_SIZE])
{
        char *base64 = g_base64_encode(bytes, PT_KEY_SIZE);
        char *line = g_strconcat(word, base64, "\n", NULL);

        pt_wipe_free(base64, strlen(base64));
        return line;
}

static int parse_line(const char *line, const char *word, uint8_t ret[static PT_KEY_SIZE])
{
        size_t head = strlen(word);
        char *again = NULL;
        guchar *bytes;
        gsize size;
        int r = -EBADMSG;

        if (!g_str_has_prefix(line, word))
                return r;
        bytes = g_base64_decode(line + head, &size);
        if (size == PT_KEY_SIZE) {
                again = format_line(word, bytes);
                if (strcmp(again, line) == 0) {
                        memcpy(ret, bytes, PT_KEY_SIZE);
                        r = 0;
                }
                pt_wipe_free(again, strlen(again));
        }
        pt_wipe_free((char *) bytes, size);
        return r;
}

/* Reads a file of one line; `private`: of this user alone. */
static int read_key(int dirfd, const char *name, const char *word, bool private,
                    uint8_t ret[static PT_KEY_SIZE])
{
        pt_auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        size_t size;
        char *line;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        if (private && (st.st_uid != geteuid() || (st.st_mode & 0077) != 0))
                return -EPERM;
        r = pt_read_all(fd, LINE_MAX_SIZE, &line, &size);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;
        r = strlen(line) == size ? parse_line(line, word, ret) : -EBADMSG;
        pt_wipe_free(line, size);
        return r;
}

static int write_key(int dirfd, const char *name, const char *word,
                     const uint8_t bytes[static PT_KEY_SIZE], mode_t mode)
{
        char *line = format_line(word, bytes);
        int r = pt_replace_file(dirfd, name, line, strlen(line), mode);

        pt_wipe_free(line, strlen(line));
        return r;
}

/* Makes a folder if it is not there, and opens it; its entry is durable. */
static int open_folder(int parent, const char *name)
{
        bool made = mkdirat(parent, name, FOLDER_MODE) == 0;
        int fd, r;

        if (!made && errno != EEXIST)
                return -errno;
        if (made && fsync(parent) < 0)
                return -errno;
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        /* configd looks into it as another user, whatever the umask says. */
        if (made && fchmod(fd, FOLDER_MODE) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        return fd;
}

/* The folder of a daemon's keys, made if need be. */
static int open_keys(const char *state_dir, const char *daemon)
{
        pt_auto_fd int state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), keys = -EBADF;

        if (state < 0)
                return -errno;
        keys = open_folder(state, KEYS);
        return keys < 0 ? keys : open_folder(keys, daemon);
}

static int cannot(PtDiagnostics *diag, const char *path, int error)
{
        if (error == -EBADMSG)
                pt_diag_error(diag, "key-damaged", NULL,
                              "%s is not a key: restore it from a backup; or move it away, which "
                              "gives up what was sealed with it",
                              path);
        else if (error == -EPERM)
                pt_diag_error(diag, "key-exposed", NULL,
                              "%s belongs to another user or can be read by others: make it the "
                              "daemon's own, with mode 0600",
                              path);
        else
                pt_diag_error(diag, "key-unusable", NULL, "%s cannot be read or written: %s", path,
                              g_strerror(-error));
        return error;
}

/* The public key as configd has to see it. */
static int publish(int dirfd, const PtPublicKey *public)
{
        uint8_t there[PT_KEY_SIZE];

        if (read_key(dirfd, PUBLIC, PUBLIC_WORD, false, there) >= 0 &&
            memcmp(there, public->bytes, PT_KEY_SIZE) == 0)
                return 0;
        return write_key(dirfd, PUBLIC, PUBLIC_WORD, public->bytes, 0644);
}

static int make_pair(int dirfd, PtKeyPair *pair)
{
        int r = pt_random(pair->private, PT_KEY_SIZE);

        return r < 0 ? r : write_key(dirfd, KEY, PAIR_WORD, pair->private, 0600);
}

int pt_key_pair_open(const char *state_dir, const char *daemon, PtDiagnostics *diag, PtKeyPair *ret,
                     bool *ret_made)
{
        g_autofree char *path = g_build_filename(state_dir, KEYS, daemon, KEY, NULL);
        pt_auto_fd int dirfd = open_keys(state_dir, daemon);
        uint8_t public[PT_KEY_SIZE];
        PtKeyPair pair = {};
        bool made = false;
        int r = dirfd < 0 ? dirfd : read_key(dirfd, KEY, PAIR_WORD, true, pair.private);

        if (dirfd >= 0 && r == -ENOENT) {
                r = make_pair(dirfd, &pair);
                made = true;
        }
        if (r >= 0)
                r = pt_x25519_public(pair.private, public);
        if (r >= 0) {
                set_public(&pair.public, public);
                r = publish(dirfd, &pair.public);
        }
        if (r >= 0) {
                *ret = pair;
                *ret_made = made;
        }
        explicit_bzero(&pair, sizeof(pair));
        return r < 0 ? cannot(diag, path, r) : 0;
}

int pt_public_key_read(const char *state_dir, const char *daemon, PtPublicKey *ret)
{
        g_autofree char *folder = g_build_filename(state_dir, KEYS, daemon, NULL);
        pt_auto_fd int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint8_t bytes[PT_KEY_SIZE];
        int r = dirfd < 0 ? -errno : read_key(dirfd, PUBLIC, PUBLIC_WORD, false, bytes);

        if (r < 0)
                return r;
        set_public(ret, bytes);
        return 0;
}

int pt_compare_key_open(const char *state_dir, PtDiagnostics *diag, PtCompareKey *ret)
{
        g_autofree char *path = g_build_filename(state_dir, COMPARE_KEY, NULL);
        pt_auto_fd int dirfd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        PtCompareKey key;
        int r = dirfd < 0 ? -errno : read_key(dirfd, COMPARE_KEY, COMPARE_WORD, true, key.bytes);

        if (dirfd >= 0 && r == -ENOENT) {
                r = pt_random(key.bytes, sizeof(key.bytes));
                if (r >= 0)
                        r = write_key(dirfd, COMPARE_KEY, COMPARE_WORD, key.bytes, 0600);
        }
        if (r >= 0)
                *ret = key;
        explicit_bzero(&key, sizeof(key));
        return r < 0 ? cannot(diag, path, r) : 0;
}
