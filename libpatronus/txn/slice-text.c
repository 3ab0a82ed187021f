/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Slices and deltas as NDJSON, read and written a line at a time: never the whole as one tree. */

#include "txn/slice.h"
#include "base/io.h"
#include "kind/json.h"

#include <inttypes.h>
#include <string.h>

#define BUFFER_SIZE (256U * 1024U)
#define LINE_MAX_SIZE (PT_DOCUMENT_MAX + 1) /* with its newline */

/* Lines of a descriptor, or of a text in memory (fd < 0). */
typedef struct Lines {
        int fd;
        const char *data; /* the buffer, or the text */
        char *buffer;
        size_t allocated;
        size_t start, end; /* what is in `data` and not consumed */
        uint64_t total;
        uint64_t number; /* of the line returned last; from 1 */
        /* Lines of a newer version of ours: their root is checked first, as a line that was changed
         * may look like one. */
        uint64_t newer;
        GHashTable *kinds; /* name: PtKind, owned: made for those that we do not know */
} Lines;

static void lines_clear(Lines *lines)
{
        g_free(lines->buffer);
        if (lines->kinds)
                g_hash_table_unref(lines->kinds);
}

/* > 0: read something; 0: the end. */
static int lines_fill(Lines *lines)
{
        ssize_t n;

        if (lines->fd < 0)
                return 0;
        if (lines->start > 0) {
                lines->end -= lines->start;
                memmove(lines->buffer, lines->buffer + lines->start, lines->end);
                lines->start = 0;
        }
        if (lines->end == lines->allocated) {
                if (lines->allocated > LINE_MAX_SIZE)
                        return -EFBIG;
                lines->allocated = MAX(lines->allocated * 2, BUFFER_SIZE);
                lines->buffer = g_realloc(lines->buffer, lines->allocated);
                lines->data = lines->buffer;
        }
        do
                n = read(lines->fd, lines->buffer + lines->end, lines->allocated - lines->end);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        lines->end += (size_t) n;
        lines->total += (uint64_t) n;
        return lines->total > PT_SLICE_FILE_MAX ? -EFBIG : n > 0;
}

/* 1: a line, without its newline, valid until the next call; 0: the end; -EBADMSG: the last line
 * has no newline. */
static int lines_next(Lines *lines, const char **ret, size_t *ret_size)
{
        size_t searched = 0;

        for (;;) {
                const char *line = lines->data + lines->start;
                size_t available = lines->end - lines->start;
                const char *newline = available > searched
                                              ? memchr(line + searched, '\n', available - searched)
                                              : NULL;
                int r;

                if (newline) {
                        *ret = line;
                        *ret_size = (size_t) (newline - line);
                        lines->start += *ret_size + 1;
                        lines->number++;
                        return 1;
                }
                searched = available;
                r = lines_fill(lines);
                if (r < 0)
                        return r;
                if (r == 0)
                        return available > 0 ? -EBADMSG : 0;
        }
}

static void header_format(const PtSliceHeader *header, GString *out)
{
        char base[PT_DIGEST_HEX + 1], root[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(&header->root, root);
        if (!header->delta) {
                g_string_append_printf(
                        out, "{\"objects\":%" PRIu64 ",\"patronus\":\"slice\",\"root\":\"%s\"}\n",
                        header->objects, root);
                return;
        }
        pt_digest_to_hex(&header->base, base);
        g_string_append_printf(out,
                               "{\"base\":\"%s\",\"changed\":%" PRIu64 ",\"deleted\":%" PRIu64
                               ",\"patronus\":\"delta\",\"root\":\"%s\"}\n",
                               base, header->objects, header->deleted, root);
}

static bool header_number(struct json_object *json, const char *key, uint64_t *ret)
{
        struct json_object *value;

        if (!json_object_object_get_ex(json, key, &value) ||
            !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
                return false;
        *ret = json_object_get_uint64(value);
        return true;
}

static bool header_digest(struct json_object *json, const char *key, PtDigest *ret)
{
        struct json_object *value;

        return json_object_object_get_ex(json, key, &value) &&
               json_object_is_type(value, json_type_string) &&
               pt_digest_from_hex(json_object_get_string(value), ret) >= 0;
}

static int header_parse(const char *line, size_t size, PtSliceHeader *ret)
{
        g_autoptr(GString) again = g_string_new(NULL);
        pt_auto_json *json = NULL;
        PtSliceHeader header = {0};

        if (pt_json_parse(line, size, NULL, &json) < 0 ||
            !json_object_is_type(json, json_type_object))
                return -EBADMSG;
        header.delta = json_object_object_get_ex(json, "base", NULL);
        if (!header_digest(json, "root", &header.root) ||
            !header_number(json, header.delta ? "changed" : "objects", &header.objects))
                return -EBADMSG;
        if (header.delta && (!header_digest(json, "base", &header.base) ||
                             !header_number(json, "deleted", &header.deleted)))
                return -EBADMSG;
        /* One spelling only: what was read must be what would be written. */
        header_format(&header, again);
        if (again->len != size + 1 || memcmp(again->str, line, size) != 0)
                return -EBADMSG;
        if (header.objects > PT_SLICE_OBJECTS_MAX || header.deleted > PT_SLICE_OBJECTS_MAX)
                return -EFBIG;
        *ret = header;
        return 0;
}

static int damaged(const Lines *lines, PtDiagnostics *diag, const char *what)
{
        pt_diag_error(diag, "damaged-slice", NULL,
                      "line %" PRIu64 " of the slice %s; it was cut or changed by hand",
                      lines->number, what);
        return -EBADMSG;
}

static int too_large(PtDiagnostics *diag)
{
        pt_diag_error(diag, "too-large", NULL,
                      "the slice exceeds %u bytes, %u objects or %u bytes of one object",
                      PT_SLICE_FILE_MAX, PT_SLICE_OBJECTS_MAX, PT_DOCUMENT_MAX);
        return -EFBIG;
}

static int too_new(const Lines *lines, PtDiagnostics *diag)
{
        pt_diag_error(diag, "newer-version", NULL,
                      "%" PRIu64 " of the objects are of a kind, or of a version of it, that this "
                      "Patronus does not know: a newer one wrote them. Nothing of it was lost: "
                      "install that version again, or one that is newer still",
                      lines->newer);
        return -EPROTONOSUPPORT;
}

/* As lines_next(), where a line must follow. */
static int need_line(Lines *lines, PtDiagnostics *diag, const char **ret, size_t *ret_size)
{
        int r = lines_next(lines, ret, ret_size);

        if (r == -EFBIG)
                return too_large(diag);
        if (r == 0 || r == -EBADMSG) {
                lines->number++;
                return damaged(lines, diag, "is missing or cut");
        }
        if (r < 0)
                pt_diag_error(diag, "cannot-read", NULL, "the slice cannot be read: %s",
                              g_strerror(-r));
        return r;
}

int pt_slice_header(const char *text, size_t size, PtSliceHeader *ret)
{
        const char *newline = memchr(text, '\n', size);

        return newline ? header_parse(text, (size_t) (newline - text), ret) : -EBADMSG;
}

static int read_header(Lines *lines, PtDiagnostics *diag, PtSliceHeader *ret)
{
        const char *line;
        size_t size;
        int r = need_line(lines, diag, &line, &size);

        if (r < 0)
                return r;
        r = header_parse(line, size, ret);
        if (r == -EFBIG)
                return too_large(diag);
        return r < 0 ? damaged(lines, diag, "is no header of a slice or delta") : 0;
}

static const PtKind *find_kind(Lines *lines, const char *name)
{
        static const PtField no_fields[] = {{}};
        const PtKind *known = pt_kind_find(name);
        PtKind *kind;

        if (known && strcmp(known->name, name) == 0)
                return known;
        if (!lines->kinds)
                lines->kinds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        kind = g_hash_table_lookup(lines->kinds, name);
        if (!kind) {
                char *key = g_strdup(name);

                kind = g_new0(PtKind, 1);
                *kind = (PtKind){.name = key, .size = sizeof(PtObject), .fields = no_fields};
                g_hash_table_insert(lines->kinds, key, kind);
        }
        return kind;
}

/* What has the place and the digest of a line that is of a newer version; NULL: it has no identity.
 * No slice with one leaves this file. */
static PtObject *stand_in(Lines *lines, const char *line, size_t size)
{
        pt_auto_json *json = NULL;
        struct json_object *metadata, *kind, *name;
        PtObject *object;

        if (pt_json_parse(line, size, NULL, &json) < 0 ||
            !json_object_object_get_ex(json, "kind", &kind) ||
            !json_object_is_type(kind, json_type_string) ||
            !json_object_object_get_ex(json, "metadata", &metadata) ||
            !json_object_object_get_ex(metadata, "name", &name) ||
            !json_object_is_type(name, json_type_string))
                return NULL;
        object = pt_object_new(find_kind(lines, json_object_get_string(kind)),
                               json_object_get_string(name));
        pt_digest_of(line, size, &object->digest);
        object->sealed = true;
        lines->newer++;
        return object;
}

/* The object of a line; what is wrong with one that is only newer is said when the root is right. */
static int read_object(Lines *lines, const char *line, size_t size, PtDiagnostics *diag,
                       PtObject **ret)
{
        g_autoptr(PtDiagnostics) found = pt_diag_new();
        int r = pt_object_from_canonical(line, size, found, ret);

        if (r == -EPROTONOSUPPORT) {
                *ret = stand_in(lines, line, size);
                if (*ret)
                        return 0;
        }
        pt_diag_merge(diag, found);
        return r;
}

static int read_objects(Lines *lines, uint64_t count, PtDiagnostics *diag, PtSlice *slice)
{
        g_autoptr(PtObject) previous = NULL;

        for (uint64_t i = 0; i < count; i++) {
                g_autoptr(PtObject) object = NULL;
                const char *line;
                size_t size;
                int r = need_line(lines, diag, &line, &size);

                if (r < 0)
                        return r;
                if (size > PT_DOCUMENT_MAX)
                        return too_large(diag);
                r = read_object(lines, line, size, diag, &object);
                if (r < 0)
                        return damaged(lines, diag, "is no object in canonical form");
                if (!object->sealed)
                        pt_object_seal(object);
                if (previous && pt_object_compare_identity(previous, object) >= 0)
                        return damaged(lines, diag, "is out of order");
                pt_slice_put(slice, object);
                g_clear_pointer(&previous, pt_object_unref);
                previous = g_steal_pointer(&object);
        }
        return 0;
}

/* {"delete":"Kind/name"}, where neither has a character that JSON escapes. */
static bool parse_delete(const char *line, size_t size, const PtKind **ret_kind, char **ret_name)
{
        static const char head[] = "{\"delete\":\"", tail[] = "\"}";
        g_autofree char *identity = NULL;
        const PtKind *kind;
        char *slash;

        if (size < strlen(head) + strlen(tail) || memcmp(line, head, strlen(head)) != 0 ||
            memcmp(line + size - strlen(tail), tail, strlen(tail)) != 0)
                return false;
        identity = g_strndup(line + strlen(head), size - strlen(head) - strlen(tail));
        slash = strchr(identity, '/');
        if (!slash)
                return false;
        *slash = '\0';
        kind = pt_kind_find(identity);
        if (!kind || strcmp(kind->name, identity) != 0)
                return false;
        *ret_kind = kind;
        *ret_name = g_strdup(slash + 1);
        return true;
}

static int read_deletes(Lines *lines, uint64_t count, PtDiagnostics *diag, PtSlice *slice)
{
        g_autofree char *previous_name = NULL;
        const PtKind *previous_kind = NULL;

        for (uint64_t i = 0; i < count; i++) {
                g_autofree char *name = NULL;
                const PtKind *kind;
                const char *line;
                size_t size;
                int order, r = need_line(lines, diag, &line, &size);

                if (r < 0)
                        return r;
                if (!parse_delete(line, size, &kind, &name))
                        return damaged(lines, diag, "is no deletion of a known kind");
                order = previous_kind ? strcmp(previous_kind->name, kind->name) : -1;
                if (order > 0 || (order == 0 && strcmp(previous_name, name) >= 0))
                        return damaged(lines, diag, "is out of order");
                if (!pt_slice_remove(slice, kind, name))
                        return damaged(lines, diag, "deletes an object that is not there");
                g_free(previous_name);
                previous_name = g_steal_pointer(&name);
                previous_kind = kind;
        }
        return 0;
}

/* What follows the header, into `slice`. */
static int read_body(Lines *lines, const PtSliceHeader *header, PtDiagnostics *diag, PtSlice *slice)
{
        const char *line;
        size_t size;
        PtDigest root;
        int r = read_objects(lines, header->objects, diag, slice);

        if (r < 0)
                return r;
        r = read_deletes(lines, header->deleted, diag, slice);
        if (r < 0)
                return r;
        r = lines_next(lines, &line, &size);
        if (r != 0)
                return damaged(lines, diag, "is not followed by the end");
        if (pt_slice_count(slice, NULL) > PT_SLICE_OBJECTS_MAX)
                return too_large(diag);
        pt_slice_root(slice, &root);
        if (!pt_digest_equal(&root, &header->root)) {
                pt_diag_error(
                        diag, "damaged-slice", NULL,
                        "the objects of the slice do not give the root that its header states");
                return -EBADMSG;
        }
        return lines->newer > 0 ? too_new(lines, diag) : 0;
}

int pt_slice_read(int fd, PtDiagnostics *diag, PtSlice **ret)
{
        pt_cleanup(lines_clear) Lines lines = {.fd = fd, .data = ""};
        g_autoptr(PtSlice) slice = pt_slice_new();
        PtSliceHeader header;
        int r = read_header(&lines, diag, &header);

        if (r < 0)
                return r;
        if (header.delta)
                return damaged(&lines, diag, "is the header of a delta, not of a slice");
        r = read_body(&lines, &header, diag, slice);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&slice);
        return 0;
}

static PtSlice *start_of_delta(const PtSlice *base, const PtSliceHeader *header)
{
        g_autoptr(PtSlice) slice = base && header->delta ? pt_slice_clone(base) : pt_slice_new();
        PtDigest root;

        if (!header->delta)
                return g_steal_pointer(&slice);
        pt_slice_root(slice, &root);
        return pt_digest_equal(&root, &header->base) ? g_steal_pointer(&slice) : NULL;
}

static int take_difference(const PtObject *before, const PtObject *after, void *userdata)
{
        if (after)
                pt_slice_put(userdata, after);
        else
                (void) pt_slice_remove(userdata, before->kind, before->name);
        return 0;
}

/* The slice, made of the objects of `base` where these are equal. */
static PtSlice *share_objects(const PtSlice *base, const PtSlice *slice)
{
        PtSlice *shared = pt_slice_clone(base);

        (void) pt_slice_compare(base, slice, take_difference, shared);
        return shared;
}

static int delta_read(const PtSlice *base, Lines *lines, PtDiagnostics *diag, PtSlice **ret)
{
        g_autoptr(PtSlice) slice = NULL;
        PtSliceHeader header;
        int r;

        r = read_header(lines, diag, &header);
        if (r < 0)
                return r;
        slice = start_of_delta(base, &header);
        if (!slice) {
                pt_diag_error(diag, "other-base", NULL,
                              "the delta is on another slice than this one");
                return -ESTALE;
        }
        r = read_body(lines, &header, diag, slice);
        if (r < 0)
                return r;
        *ret = base && !header.delta ? share_objects(base, slice) : g_steal_pointer(&slice);
        return 0;
}

int pt_delta_apply(const PtSlice *base, const char *text, size_t size, PtDiagnostics *diag,
                   PtSlice **ret)
{
        Lines lines = {.fd = -1, .data = text, .end = size};

        if (size > PT_SLICE_FILE_MAX)
                return too_large(diag);
        return delta_read(base, &lines, diag, ret);
}

int pt_delta_read(const PtSlice *base, int fd, PtDiagnostics *diag, PtSlice **ret)
{
        pt_cleanup(lines_clear) Lines lines = {.fd = fd};

        return delta_read(base, &lines, diag, ret);
}

/* Appends to `out`, and empties it into `fd` whenever it is full if there is one. */
static int format_slice(const PtSlice *slice, GString *out, int fd)
{
        g_autoptr(GPtrArray) objects = pt_slice_sorted(slice, NULL);
        PtSliceHeader header = {.objects = objects->len};

        pt_slice_root(slice, &header.root);
        header_format(&header, out);
        for (unsigned i = 0; i < objects->len; i++) {
                pt_object_to_canonical(g_ptr_array_index(objects, i), out);
                g_string_append_c(out, '\n');
                if (fd >= 0 && out->len >= BUFFER_SIZE) {
                        int r = pt_write_all(fd, out->str, out->len);

                        if (r < 0)
                                return r;
                        g_string_truncate(out, 0);
                }
        }
        return fd >= 0 ? pt_write_all(fd, out->str, out->len) : 0;
}

int pt_slice_write(const PtSlice *slice, int fd)
{
        g_autoptr(GString) buffer = g_string_sized_new(BUFFER_SIZE + 4096);

        return format_slice(slice, buffer, fd);
}

void pt_slice_format(const PtSlice *slice, GString *out)
{
        format_slice(slice, out, -EBADF);
}

typedef struct Differences {
        GPtrArray *changed, *deleted; /* const PtObject, borrowed */
} Differences;

static int collect_difference(const PtObject *before, const PtObject *after, void *userdata)
{
        const Differences *differences = userdata;

        g_ptr_array_add(after ? differences->changed : differences->deleted,
                        (gpointer) (after ? after : before));
        return 0;
}

static int compare_pointers(gconstpointer a, gconstpointer b)
{
        return pt_object_compare_identity(*(const PtObject *const *) a,
                                          *(const PtObject *const *) b);
}

void pt_delta_format(const PtSlice *before, const PtSlice *after, GString *out)
{
        g_autoptr(GPtrArray) changed = g_ptr_array_new(), deleted = g_ptr_array_new();
        PtSliceHeader header = {.delta = true};

        pt_slice_compare(before, after, collect_difference, &(Differences){changed, deleted});
        g_ptr_array_sort(changed, compare_pointers);
        g_ptr_array_sort(deleted, compare_pointers);

        header.objects = changed->len;
        header.deleted = deleted->len;
        pt_slice_root(before, &header.base);
        pt_slice_root(after, &header.root);
        header_format(&header, out);
        for (unsigned i = 0; i < changed->len; i++) {
                pt_object_to_canonical(g_ptr_array_index(changed, i), out);
                g_string_append_c(out, '\n');
        }
        for (unsigned i = 0; i < deleted->len; i++) {
                const PtObject *object = g_ptr_array_index(deleted, i);

                g_string_append_printf(out, "{\"delete\":\"%s/%s\"}\n", object->kind->name,
                                       object->name);
        }
}
