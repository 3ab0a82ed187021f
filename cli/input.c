/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "input.h"

#include "base/io.h"
#include "base/text.h"
#include "output.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define DIRECTORY_FILES_MAX 10000 /* more is the wrong directory */

/* A file's place in the stream of a directory. */
typedef struct Part {
        char *path;
        uint64_t line;  /* of the file, from 1 */
        uint64_t first; /* of the stream, where that is */
} Part;

static void part_clear(void *data)
{
        g_free(((Part *) data)->path);
}

void ctl_input_clear(CtlInput *input)
{
        pt_closep(&input->fd);
        input->fd = -EBADF;
        g_clear_pointer(&input->source, g_free);
        g_clear_pointer(&input->parts, g_array_unref);
}

static int say_failure(const char *path, int code)
{
        if (code == -EFBIG)
                ctl_error("%s: the input is larger than %u MiB", path, PT_INPUT_MAX >> 20);
        else
                ctl_error("%s: %s", path, g_strerror(-code));
        return CTL_REFUSED;
}

static int open_pipe(int fd, int *ret)
{
        g_autofree char *text = NULL;
        size_t size;
        int r = pt_read_all(fd, PT_INPUT_MAX, &text, &size);

        if (r < 0)
                return r;
        r = pt_memfd_new_sealed("patronusctl-input", text, size);
        if (r < 0)
                return r;
        *ret = r;
        return 0;
}

static int is_input_file(const struct dirent *entry)
{
        bool file =
                entry->d_type == DT_REG || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;

        return file && entry->d_name[0] != '.' &&
               (g_str_has_suffix(entry->d_name, ".yaml") ||
                g_str_has_suffix(entry->d_name, ".yml") ||
                g_str_has_suffix(entry->d_name, ".json"));
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* The first line that is neither empty nor a comment, or NULL: a file without any document. */
static const char *first_content(const char *text)
{
        for (const char *line = text; *line;) {
                const char *p = line + strspn(line, " \t\r");

                if (*p && *p != '\n' && *p != '#')
                        return line;
                line = strchrnul(p, '\n');
                line += *line == '\n';
        }
        return NULL;
}

/* The stream of a directory while it grows. */
typedef struct Stream {
        GString *text;
        uint64_t lines;
        GArray *parts;
} Stream;

static void append_lines(Stream *stream, const char *text, size_t size)
{
        const char *end = text + size;

        g_string_append_len(stream->text, text, (gssize) size);
        if (size > 0 && end[-1] != '\n') {
                g_string_append_c(stream->text, '\n');
                stream->lines++;
        }
        for (const char *p = text; (p = memchr(p, '\n', (size_t) (end - p))); p++)
                stream->lines++;
}

/* Adds lines of a file, from `line` on, as documents of their own: "..." ends what came before,
 * "---" begins unless they do that themselves. */
static void append_part(Stream *stream, const char *path, uint64_t line, const char *text,
                        size_t size)
{
        g_autofree char *lines = g_strndup(text, size);
        const char *content = first_content(lines);
        Part part = {g_strdup(path), line, 0};

        if (stream->text->len > 0 && content)
                append_lines(stream, "...\n", 4);
        if (content && *content != '%' && !g_str_has_prefix(content, "---"))
                append_lines(stream, "---\n", 4);
        part.first = stream->lines + 1;
        g_array_append_val(stream->parts, part);
        if (content || memchr(text, '\0', size))
                append_lines(stream, text, size);
}

/* JSON may come as one text a line, which YAML would take for one document. */
static void append_json(Stream *stream, const char *path, const char *text, size_t size)
{
        const char *end = text + size, *next;

        for (uint64_t line = 1; text < end; text = next) {
                next = memmem(text, (size_t) (end - text), "\n{", 2);
                next = next ? next + 1 : end;
                append_part(stream, path, line, text, (size_t) (next - text));
                for (const char *p = text; (p = memchr(p, '\n', (size_t) (next - p))); p++)
                        line++;
        }
}

static void append_file(Stream *stream, const char *path, const char *text, size_t size)
{
        if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* only a stream may begin so */
                text += 3;
                size -= 3;
        }
        if (g_str_has_suffix(path, ".json"))
                append_json(stream, path, text, size);
        else
                append_part(stream, path, 1, text, size);
}

static int append_directory(Stream *stream, int fd, const char *path, struct dirent **entries,
                            unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *name = g_build_filename(path, entries[i]->d_name, NULL);
                g_autofree char *text = NULL;
                size_t size;
                int r = pt_read_file(fd, entries[i]->d_name, PT_INPUT_MAX - stream->text->len,
                                     &text, &size);

                if (r < 0)
                        return say_failure(name, r);
                append_file(stream, name, text, size);
                if (stream->text->len > PT_INPUT_MAX)
                        return say_failure(path, -EFBIG);
        }
        return CTL_DONE;
}

static int open_directory(int fd, const char *path, CtlInput *input)
{
        g_autoptr(GString) out = g_string_new(NULL);
        Stream stream = {.text = out};
        struct dirent **entries = NULL;
        int n, r;

        n = scandirat(fd, ".", &entries, is_input_file, compare_bytes);
        if (n < 0)
                return say_failure(path, -errno);
        stream.parts = input->parts = g_array_new(FALSE, FALSE, sizeof(Part));
        g_array_set_clear_func(input->parts, part_clear);
        if (n == 0) {
                ctl_error("%s: no *.yaml, *.yml or *.json in this directory", path);
                r = CTL_REFUSED;
        } else if (n > DIRECTORY_FILES_MAX) {
                ctl_error("%s: more than %d files", path, DIRECTORY_FILES_MAX);
                r = CTL_REFUSED;
        } else
                r = append_directory(&stream, fd, path, entries, (unsigned) n);
        for (int i = 0; i < n; i++)
                free(entries[i]);
        free(entries);
        if (r != CTL_DONE)
                return r;

        r = pt_memfd_new_sealed("patronusctl-input", out->str, out->len);
        if (r < 0)
                return say_failure(path, r);
        input->fd = r;
        return CTL_DONE;
}

static int open_input(const char *path, bool directories, CtlInput *ret)
{
        g_auto(CtlInput) input = {.fd = -EBADF};
        bool stdin_named = strcmp(path, "-") == 0;
        pt_auto_fd int fd = -EBADF;
        struct stat st;
        int r;

        fd = stdin_named ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                         : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return say_failure(path, -errno);
        input.source = g_strdup(stdin_named ? "stdin" : path);

        if (S_ISDIR(st.st_mode) && !directories)
                return say_failure(path, -EISDIR);
        if (S_ISDIR(st.st_mode)) {
                r = open_directory(fd, path, &input);
                if (r != CTL_DONE)
                        return r;
        } else if (S_ISREG(st.st_mode) && !stdin_named) {
                if (st.st_size > PT_INPUT_MAX)
                        return say_failure(path, -EFBIG);
                input.fd = pt_steal_fd(&fd);
        } else {
                r = open_pipe(fd, &input.fd);
                if (r < 0)
                        return say_failure(input.source, r);
        }
        *ret = input;
        input = (CtlInput){.fd = -EBADF};
        return CTL_DONE;
}

int ctl_input_open_file(const char *path, CtlInput *ret)
{
        return open_input(path, false, ret);
}

int ctl_input_open(const Ctl *ctl, CtlInput *ret)
{
        if (ctl->values[CTL_SET] && ctl->values[CTL_REPLACE]) {
                ctl_error("--set and --replace exclude each other");
                return CTL_USAGE;
        }
        if (ctl->values[CTL_SET] && !pt_name_is_valid(ctl->values[CTL_SET])) {
                ctl_error("\"%s\" cannot name a set: up to %d of a-z 0-9 . _ -, with a letter or "
                          "digit at both ends",
                          ctl->values[CTL_SET], PT_NAME_MAX);
                return CTL_USAGE;
        }
        return open_input(ctl->values[CTL_FILE], true, ret);
}

char *ctl_input_place(const CtlInput *input, const char *place)
{
        size_t length = strlen(input->source);
        const char *rest;
        guint64 line;
        char *end;

        if (!input->parts || strncmp(place, input->source, length) != 0 || place[length] != ':' ||
            !g_ascii_isdigit(place[length + 1]))
                return g_strdup(place);
        line = g_ascii_strtoull(place + length + 1, &end, 10);
        rest = end;
        for (unsigned i = input->parts->len; i-- > 0;) {
                const Part *part = &g_array_index(input->parts, Part, i);

                if (part->first <= line)
                        return g_strdup_printf("%s:%" PRIu64 "%s", part->path,
                                               line - part->first + part->line, rest);
        }
        return g_strdup(place);
}
