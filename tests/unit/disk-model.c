/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "disk-model.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef enum OperationType {
        OPERATION_CREATE, /* a file of no bytes */
        OPERATION_MKDIR,
        OPERATION_SYMLINK,
        OPERATION_LINK,
        OPERATION_RENAME,
        OPERATION_REMOVE,
        OPERATION_WRITE,
        OPERATION_TRUNCATE,
        OPERATION_SYNC_FILE,
        OPERATION_SYNC_FOLDER,
        OPERATION_MAX,
} OperationType;

static const char *const type_names[OPERATION_MAX] = {
        [OPERATION_CREATE] = "create",   [OPERATION_MKDIR] = "mkdir",
        [OPERATION_SYMLINK] = "symlink", [OPERATION_LINK] = "link",
        [OPERATION_RENAME] = "rename",   [OPERATION_REMOVE] = "remove",
        [OPERATION_WRITE] = "write",     [OPERATION_TRUNCATE] = "truncate",
        [OPERATION_SYNC_FILE] = "sync",  [OPERATION_SYNC_FOLDER] = "sync folder",
};

typedef struct Operation {
        OperationType type;
        char *folder;  /* below the root, "" for itself */
        char *name;    /* in it */
        char *other;   /* what it is renamed or linked to, or the link says */
        uint64_t file; /* of the name, or that is written */
        uint64_t offset;
        GBytes *data;
} Operation;

/* The one recorder; the calls that come here have no place for an argument of ours. */
static struct {
        char *root;
        GPtrArray *operations;
        GHashTable *files; /* inode number: ours */
        uint64_t last;
} recorder;

static void operation_free(gpointer data)
{
        Operation *operation = data;

        g_free(operation->folder);
        g_free(operation->name);
        g_free(operation->other);
        if (operation->data)
                g_bytes_unref(operation->data);
        g_free(operation);
}

void disk_record(const char *root)
{
        disk_stop();
        if (recorder.operations)
                g_ptr_array_unref(recorder.operations);
        if (recorder.files)
                g_hash_table_unref(recorder.files);
        recorder.operations = g_ptr_array_new_with_free_func(operation_free);
        recorder.files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        recorder.last = 0;
        recorder.root = g_strdup(root);
}

void disk_stop(void)
{
        g_clear_pointer(&recorder.root, g_free);
}

unsigned disk_operations(void)
{
        return recorder.operations->len;
}

char *disk_operation_text(unsigned number)
{
        const Operation *operation = g_ptr_array_index(recorder.operations, number);

        return g_strdup_printf("%s %s/%s %s (file %" G_GUINT64_FORMAT ")",
                               type_names[operation->type], operation->folder,
                               operation->name ?: "", operation->other ?: "", operation->file);
}

/* Where a descriptor leads, below the root; NULL: elsewhere, or nobody listens. */
static char *below(int fd)
{
        g_autofree char *proc = NULL, *path = NULL;
        size_t length;

        if (!recorder.root)
                return NULL;
        proc = g_strdup_printf("/proc/self/fd/%d", fd);
        path = fd == AT_FDCWD ? NULL : g_file_read_link(proc, NULL);
        length = strlen(recorder.root);
        if (!path || strncmp(path, recorder.root, length) != 0 ||
            (path[length] != '/' && path[length] != '\0'))
                return NULL;
        return g_strdup(path[length] == '/' ? path + length + 1 : "");
}

static Operation *note(OperationType type, char *folder, const char *name)
{
        Operation *operation = g_new0(Operation, 1);

        operation->type = type;
        operation->folder = folder;
        operation->name = g_strdup(name);
        g_ptr_array_add(recorder.operations, operation);
        return operation;
}

static uint64_t file_of(const struct stat *st, bool fresh)
{
        uint64_t inode = st->st_ino, *file = g_hash_table_lookup(recorder.files, &inode);

        if (!file || fresh) {
                file = g_memdup2(&(uint64_t){++recorder.last}, sizeof(*file));
                g_hash_table_insert(recorder.files, g_memdup2(&inode, sizeof(inode)), file);
        }
        return *file;
}

static uint64_t file_at(int dirfd, const char *name)
{
        struct stat st;

        return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : file_of(&st, false);
}

int __real_openat64(int dirfd, const char *name, int flags, ...);
int __wrap_openat64(int dirfd, const char *name, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_ftruncate64(int fd, off64_t size);
int __wrap_ftruncate64(int fd, off64_t size);
int __real_mkdirat(int dirfd, const char *name, mode_t mode);
int __wrap_mkdirat(int dirfd, const char *name, mode_t mode);
int __real_symlinkat(const char *target, int dirfd, const char *name);
int __wrap_symlinkat(const char *target, int dirfd, const char *name);
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags);

int __wrap_openat64(int dirfd, const char *name, int flags, ...)
{
        g_autofree char *folder = below(dirfd);
        bool present = folder && faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        mode_t mode = 0;
        struct stat st;
        int fd;

        if (flags & O_CREAT) {
                va_list args;

                va_start(args, flags);
                mode = va_arg(args, mode_t);
                va_end(args);
        }
        fd = __real_openat64(dirfd, name, flags, mode);
        if (fd < 0 || !folder || fstat(fd, &st) < 0)
                return fd;
        if ((flags & O_CREAT) && !present)
                note(OPERATION_CREATE, g_steal_pointer(&folder), name)->file = file_of(&st, true);
        else if (flags & O_TRUNC)
                note(OPERATION_TRUNCATE, g_steal_pointer(&folder), name)->file =
                        file_of(&st, false);
        return fd;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
        g_autofree char *path = below(fd);
        off_t offset = path ? lseek(fd, 0, SEEK_CUR) : 0;
        ssize_t n = __real_write(fd, data, size);
        struct stat st;

        if (n > 0 && path && fstat(fd, &st) >= 0) {
                Operation *operation = note(OPERATION_WRITE, g_steal_pointer(&path), NULL);

                operation->file = file_of(&st, false);
                operation->offset = (uint64_t) offset;
                operation->data = g_bytes_new(data, (size_t) n);
        }
        return n;
}

static void note_sync(int fd)
{
        g_autofree char *path = below(fd);
        struct stat st;

        if (!path || fstat(fd, &st) < 0)
                return;
        if (S_ISDIR(st.st_mode))
                note(OPERATION_SYNC_FOLDER, g_steal_pointer(&path), NULL);
        else
                note(OPERATION_SYNC_FILE, g_steal_pointer(&path), NULL)->file = file_of(&st, false);
}

int __wrap_fsync(int fd)
{
        int r = __real_fsync(fd);

        if (r >= 0)
                note_sync(fd);
        return r;
}

int __wrap_fdatasync(int fd)
{
        int r = __real_fdatasync(fd);

        if (r >= 0)
                note_sync(fd);
        return r;
}

int __wrap_ftruncate64(int fd, off64_t size)
{
        g_autofree char *path = below(fd);
        int r = __real_ftruncate64(fd, size);
        struct stat st;

        if (r >= 0 && path && fstat(fd, &st) >= 0) {
                Operation *operation = note(OPERATION_TRUNCATE, g_steal_pointer(&path), NULL);

                operation->file = file_of(&st, false);
                operation->offset = (uint64_t) size;
        }
        return r;
}

int __wrap_mkdirat(int dirfd, const char *name, mode_t mode)
{
        g_autofree char *folder = below(dirfd);
        int r = __real_mkdirat(dirfd, name, mode);

        if (r >= 0 && folder)
                note(OPERATION_MKDIR, g_steal_pointer(&folder), name);
        return r;
}

int __wrap_symlinkat(const char *target, int dirfd, const char *name)
{
        g_autofree char *folder = below(dirfd);
        int r = __real_symlinkat(target, dirfd, name);

        if (r >= 0 && folder) {
                Operation *operation = note(OPERATION_SYMLINK, g_steal_pointer(&folder), name);

                operation->other = g_strdup(target);
        }
        return r;
}

int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
        g_autofree char *folder = below(to_fd);
        int r = __real_linkat(from_fd, from, to_fd, to, flags);

        if (r >= 0 && folder)
                note(OPERATION_LINK, g_steal_pointer(&folder), to)->file = file_at(to_fd, to);
        return r;
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
        g_autofree char *folder = below(from_fd), *target = below(to_fd);
        int r = __real_renameat(from_fd, from, to_fd, to);

        if (r >= 0 && folder) {
                Operation *operation;

                g_assert_cmpstr(folder, ==, target); /* all that we do */
                operation = note(OPERATION_RENAME, g_steal_pointer(&folder), from);
                operation->other = g_strdup(to);
        }
        return r;
}

int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
        g_autofree char *folder = below(dirfd);
        int r = __real_unlinkat(dirfd, name, flags);

        if (r >= 0 && folder)
                note(OPERATION_REMOVE, g_steal_pointer(&folder), name);
        return r;
}

/* ---- the model --------------------------------------------------------------------------- */

typedef enum EntryType {
        ENTRY_FILE,
        ENTRY_LINK,
        ENTRY_FOLDER,
} EntryType;

/* What a name stands for. A symbolic link is written in one piece, as a name is. */
typedef struct Entry {
        EntryType type;
        uint64_t file;
        char *text; /* of the link, or the folder's path */
} Entry;

typedef struct File {
        GByteArray *synced;
        GPtrArray *since; /* Operation, borrowed */
} File;

/* One change of names, which is there or not as a whole. */
typedef struct Naming {
        char *removed;
        char *added;
        Entry *entry;
} Naming;

typedef struct Folder {
        GHashTable *synced; /* name: Entry */
        GHashTable *now;
        GPtrArray *since; /* Naming */
} Folder;

struct DiskModel {
        unsigned at;
        GHashTable *files, *folders;
};

static Entry *entry_new(EntryType type, uint64_t file, const char *text)
{
        Entry *entry = g_new0(Entry, 1);

        *entry = (Entry){type, file, g_strdup(text)};
        return entry;
}

static Entry *entry_copy(const Entry *entry)
{
        return entry_new(entry->type, entry->file, entry->text);
}

static void entry_free(gpointer data)
{
        Entry *entry = data;

        if (entry)
                g_free(entry->text);
        g_free(entry);
}

static void naming_free(gpointer data)
{
        Naming *naming = data;

        g_free(naming->removed);
        g_free(naming->added);
        entry_free(naming->entry);
        g_free(naming);
}

static void file_free(gpointer data)
{
        File *file = data;

        g_byte_array_unref(file->synced);
        g_ptr_array_unref(file->since);
        g_free(file);
}

static GHashTable *names_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
}

static Folder *folder_new(void)
{
        Folder *folder = g_new0(Folder, 1);

        folder->synced = names_new();
        folder->now = names_new();
        folder->since = g_ptr_array_new_with_free_func(naming_free);
        return folder;
}

static void folder_free(gpointer data)
{
        Folder *folder = data;

        g_hash_table_unref(folder->synced);
        g_hash_table_unref(folder->now);
        g_ptr_array_unref(folder->since);
        g_free(folder);
}

DiskModel *disk_model_new(void)
{
        DiskModel *model = g_new0(DiskModel, 1);

        model->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, file_free);
        model->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, folder_free);
        g_hash_table_insert(model->folders, g_strdup(""), folder_new());
        return model;
}

void disk_model_free(DiskModel *model)
{
        if (!model)
                return;
        g_hash_table_unref(model->files);
        g_hash_table_unref(model->folders);
        g_free(model);
}

static Folder *get_folder(const DiskModel *model, const char *path)
{
        Folder *folder = g_hash_table_lookup(model->folders, path);

        g_assert(folder);
        return folder;
}

static File *get_file(DiskModel *model, uint64_t number)
{
        File *file = g_hash_table_lookup(model->files, &number);

        if (!file) {
                file = g_new0(File, 1);
                file->synced = g_byte_array_new();
                file->since = g_ptr_array_new();
                g_hash_table_insert(model->files, g_memdup2(&number, sizeof(number)), file);
        }
        return file;
}

static void apply_naming(GHashTable *names, const Naming *naming)
{
        if (naming->removed)
                g_hash_table_remove(names, naming->removed);
        if (naming->added)
                g_hash_table_insert(names, g_strdup(naming->added), entry_copy(naming->entry));
}

static void name(DiskModel *model, const Operation *operation, const char *removed,
                 const char *added, Entry *entry)
{
        Folder *folder = get_folder(model, operation->folder);
        Naming *naming = g_new0(Naming, 1);

        *naming = (Naming){g_strdup(removed), g_strdup(added), entry};
        g_ptr_array_add(folder->since, naming);
        apply_naming(folder->now, naming);
}

static void apply_data(GByteArray *content, const Operation *operation, size_t size)
{
        const uint8_t *data;

        if (operation->type == OPERATION_TRUNCATE) {
                guint before = content->len;

                g_byte_array_set_size(content, (guint) operation->offset);
                if (content->len > before)
                        memset(content->data + before, 0, content->len - before);
                return;
        }
        data = g_bytes_get_data(operation->data, NULL);
        if (content->len < operation->offset + size) {
                guint before = content->len;

                g_byte_array_set_size(content, (guint) (operation->offset + size));
                memset(content->data + before, 0, content->len - before);
        }
        if (size > 0)
                memcpy(content->data + operation->offset, data, size);
}

static size_t data_size(const Operation *operation)
{
        return operation->data ? g_bytes_get_size(operation->data) : 0;
}

static void sync_file(DiskModel *model, uint64_t number)
{
        File *file = get_file(model, number);

        for (unsigned i = 0; i < file->since->len; i++) {
                const Operation *operation = g_ptr_array_index(file->since, i);

                apply_data(file->synced, operation, data_size(operation));
        }
        g_ptr_array_set_size(file->since, 0);
}

static void sync_folder(DiskModel *model, const char *path)
{
        Folder *folder = get_folder(model, path);

        for (unsigned i = 0; i < folder->since->len; i++)
                apply_naming(folder->synced, g_ptr_array_index(folder->since, i));
        g_ptr_array_set_size(folder->since, 0);
}

static char *path_of(const Operation *operation)
{
        return operation->folder[0] ? g_build_filename(operation->folder, operation->name, NULL)
                                    : g_strdup(operation->name);
}

static void apply(DiskModel *model, const Operation *operation)
{
        g_autofree char *path = NULL;
        const Entry *entry;

        switch (operation->type) {
        case OPERATION_CREATE:
                (void) get_file(model, operation->file);
                name(model, operation, NULL, operation->name,
                     entry_new(ENTRY_FILE, operation->file, NULL));
                break;
        case OPERATION_LINK:
                name(model, operation, NULL, operation->name,
                     entry_new(ENTRY_FILE, operation->file, NULL));
                break;
        case OPERATION_MKDIR:
                path = path_of(operation);
                g_hash_table_insert(model->folders, g_strdup(path), folder_new());
                name(model, operation, NULL, operation->name, entry_new(ENTRY_FOLDER, 0, path));
                break;
        case OPERATION_SYMLINK:
                name(model, operation, NULL, operation->name,
                     entry_new(ENTRY_LINK, 0, operation->other));
                break;
        case OPERATION_RENAME:
                entry = g_hash_table_lookup(get_folder(model, operation->folder)->now,
                                            operation->name);
                g_assert(entry);
                name(model, operation, operation->name, operation->other, entry_copy(entry));
                break;
        case OPERATION_REMOVE:
                name(model, operation, operation->name, NULL, NULL);
                break;
        case OPERATION_WRITE:
        case OPERATION_TRUNCATE:
                g_ptr_array_add(get_file(model, operation->file)->since, (gpointer) operation);
                break;
        case OPERATION_SYNC_FILE:
                sync_file(model, operation->file);
                break;
        case OPERATION_SYNC_FOLDER:
                sync_folder(model, operation->folder);
                break;
        case OPERATION_MAX:
                g_assert_not_reached();
        }
}

void disk_model_go(DiskModel *model, unsigned operations)
{
        for (; model->at < operations; model->at++)
                apply(model, g_ptr_array_index(recorder.operations, model->at));
}

/* A small generator (Numerical Recipes): the same states for the same seed, everywhere. */
static uint32_t next(uint32_t *seed)
{
        *seed = *seed * 1664525U + 1013904223U;
        return *seed >> 8;
}

static GByteArray *content_of(const File *file, DiskData data, uint32_t *seed)
{
        GByteArray *content = g_byte_array_new();
        guint synced = file->synced->len;

        if (data == DISK_DATA_MIXED)
                data = next(seed) % DISK_DATA_MIXED;
        g_byte_array_append(content, file->synced->data, synced);
        for (unsigned i = 0; i < file->since->len && data != DISK_DATA_NONE; i++) {
                const Operation *operation = g_ptr_array_index(file->since, i);
                size_t size = data_size(operation);
                bool last = i + 1 == file->since->len;

                if (data == DISK_DATA_TORN && last)
                        size = size > 0 ? next(seed) % size : 0;
                if (data == DISK_DATA_TORN && last && operation->type == OPERATION_TRUNCATE)
                        break;
                apply_data(content, operation, size);
                if (data == DISK_DATA_ZEROS && size > 0)
                        memset(content->data + operation->offset, 0, size);
        }
        return content;
}

static GHashTable *names_of(const Folder *folder, DiskNames choice, uint32_t *seed)
{
        GHashTable *names = names_new();
        GHashTableIter iter;
        gpointer key, value;
        unsigned first = choice == DISK_NAMES_FIRST ? next(seed) % (folder->since->len + 1) : 0;

        g_hash_table_iter_init(&iter, folder->synced);
        while (g_hash_table_iter_next(&iter, &key, &value))
                g_hash_table_insert(names, g_strdup(key), entry_copy(value));
        for (unsigned i = 0; i < folder->since->len; i++)
                if (choice == DISK_NAMES_ALL || i < first ||
                    (choice == DISK_NAMES_SOME && next(seed) % 2))
                        apply_naming(names, g_ptr_array_index(folder->since, i));
        return names;
}

typedef struct Target {
        const DiskModel *model;
        DiskNames names;
        DiskData data;
        uint32_t seed;
} Target;

static void write_folder(Target *target, const char *path, const char *to, int depth)
{
        g_autoptr(GHashTable) names =
                names_of(get_folder(target->model, path), target->names, &target->seed);
        GHashTableIter iter;
        gpointer key, value;

        g_assert(depth < 4 && mkdir(to, 0755) == 0);
        g_hash_table_iter_init(&iter, names);
        while (g_hash_table_iter_next(&iter, &key, &value)) {
                g_autofree char *entry_path = g_build_filename(to, key, NULL);
                g_autoptr(GByteArray) content = NULL;
                const Entry *entry = value;
                const File *file;
                int fd;

                switch (entry->type) {
                case ENTRY_FOLDER:
                        write_folder(target, entry->text, entry_path, depth + 1);
                        break;
                case ENTRY_LINK:
                        g_assert(symlink(entry->text, entry_path) == 0);
                        break;
                case ENTRY_FILE:
                        file = g_hash_table_lookup(target->model->files, &entry->file);
                        content = content_of(file, target->data, &target->seed);
                        fd = open(entry_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
                        g_assert(fd >= 0 && pt_write_all(fd, content->data, content->len) == 0);
                        close(fd);
                        break;
                }
        }
}

void disk_model_write(const DiskModel *model, const char *target, DiskNames names, DiskData data,
                      uint32_t seed)
{
        Target job = {model, names, data, seed};

        write_folder(&job, "", target, 0);
}
