/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Lists as text, as they are published and as people write them. */

#include "txn/dataset.h"
#include "kind/field.h"

#include <string.h>

#define READ_SIZE (256U * 1024U)
#define PROBLEMS_MAX 10U /* lines that are told; the others are counted */
#define QUOTED_MAX 60U   /* bytes of a wrong line that are repeated */
/* "ADDRESS-ADDRESS", both as long as they get, with an IPv4 address at the end (RFC 4291, 2.2). */
#define ENTRY_MAX 95U

typedef struct PtDatasetImport {
        PtDatasetBuilder *builder;
        const char *source;
        PtDiagnostics *diag;
        bool hosts_only;
        size_t line;     /* number of the line that is read */
        size_t problems; /* wrong lines */
        size_t entries;  /* right ones */
        size_t total;    /* bytes */
} Import;

/* A line as it can be repeated to people and over the bus: short, printable, in quotes. */
static char *quote(const char *text, size_t size)
{
        GString *out = g_string_new("\"");

        for (size_t i = 0; i < size && i < QUOTED_MAX; i++)
                g_string_append_c(out, text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
        g_string_append(out, size > QUOTED_MAX ? "...\"" : "\"");
        return g_string_free(out, FALSE);
}

static bool begin_problem(Import *import)
{
        if (import->problems++ >= PROBLEMS_MAX)
                return false;
        pt_diag_set_subject(import->diag, "%s:%zu", import->source, import->line);
        return true;
}

/* Says what is wrong with a line that is neither. */
static void refuse(Import *import, const char *text, size_t size, const char *entry)
{
        bool printable = entry != NULL;

        if (!begin_problem(import))
                return;
        for (size_t i = 0; i < size && printable; i++)
                printable = text[i] >= 0x20 && text[i] < 0x7f;
        if (printable) {
                PtAddressRange range;

                (void) pt_address_range_parse(entry, NULL, import->diag, &range);
        } else {
                g_autofree char *quoted = quote(text, size);

                pt_diag_error(import->diag, "bad-entry", NULL,
                              "%s is not an address, a prefix, a range or a MAC", quoted);
        }
}

static int added(Import *import, int r, const char *text, size_t size, bool mac)
{
        g_autofree char *quoted = NULL;

        if (r >= 0) {
                import->entries++;
                return 0;
        }
        if (r == -EFBIG) {
                pt_diag_set_subject(import->diag, "%s:%zu", import->source, import->line);
                pt_diag_error(import->diag, "too-large", NULL,
                              "more than %u entries: split the list into several",
                              PT_DATASET_ENTRIES_MAX);
                return r;
        }
        if (!begin_problem(import))
                return 0;
        quoted = quote(text, size);
        pt_diag_error(import->diag, "mixed-content", NULL,
                      mac ? "%s is a MAC in a list of addresses: they are two lists"
                          : "%s is an address in a list of MACs: they are two lists",
                      quoted);
        return 0;
}

/* One entry without spaces around it. */
static int import_entry(Import *import, const char *text, size_t size)
{
        char entry[ENTRY_MAX + 1];
        PtAddressRange range;
        PtMac mac;

        if (pt_mac_parse(text, size, &mac))
                return added(import, pt_dataset_builder_add_mac(import->builder, &mac), text, size,
                             true);
        if (size > ENTRY_MAX || memchr(text, '\0', size)) {
                refuse(import, text, size, NULL);
                return 0;
        }
        memcpy(entry, text, size);
        entry[size] = '\0';
        if (pt_address_range_parse(entry, NULL, NULL, &range) < 0) {
                refuse(import, text, size, entry);
                return 0;
        }
        if (import->hosts_only && memcmp(range.lo, range.hi, sizeof(range.lo)) != 0) {
                if (begin_problem(import))
                        pt_diag_error(import->diag, "not-a-host", NULL,
                                      "%s is more than one address, in a list of single ones",
                                      entry);
                return 0;
        }
        return added(import, pt_dataset_builder_add(import->builder, &range), text, size, false);
}

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* One entry, with what may be around it. */
static int import_trimmed(Import *import, const char *text, size_t size)
{
        size_t end = 0;

        while (size > 0 && is_space(*text)) {
                text++;
                size--;
        }
        while (end < size && text[end] != '#' && text[end] != ';')
                end++;
        while (end > 0 && is_space(text[end - 1]))
                end--;
        return end > 0 ? import_entry(import, text, end) : 0;
}

static int import_line(Import *import, const char *text, size_t size)
{
        import->line++;
        return import_trimmed(import, text, size);
}

static int too_large(Import *import)
{
        pt_diag_set_subject(import->diag, "%s", import->source);
        pt_diag_error(import->diag, "too-large", NULL,
                      "the list is larger than %u MiB: split it into several",
                      PT_DATASET_TEXT_MAX >> 20);
        return -EFBIG;
}

/*
 * The lines that are complete in [text, text + size); ret_used: what they were long. With `last`
 * the rest is a line too. A line that is too long ends the import: the text is not a list.
 */
static int import_lines(Import *import, const char *text, size_t size, bool last, size_t *ret_used)
{
        size_t used = 0;

        while (used < size) {
                const char *newline = memchr(text + used, '\n', size - used);
                size_t length = newline ? (size_t) (newline - text) - used : size - used;
                int r;

                if (length > PT_DATASET_LINE_MAX) {
                        import->line++;
                        (void) begin_problem(import);
                        pt_diag_error(import->diag, "bad-entry", NULL,
                                      "a line of more than %u bytes: this is not a list with one "
                                      "entry a line",
                                      PT_DATASET_LINE_MAX);
                        return -EINVAL;
                }
                if (!newline && !last)
                        break;
                r = import_line(import, text + used, length);
                if (r < 0)
                        return r;
                used += length + (newline != NULL);
        }
        *ret_used = used;
        return 0;
}

static void tell_rest(Import *import)
{
        if (import->problems > PROBLEMS_MAX) {
                pt_diag_set_subject(import->diag, "%s", import->source);
                pt_diag_error(import->diag, "bad-entry", NULL,
                              "%zu lines are wrong; the first %u are told", import->problems,
                              PROBLEMS_MAX);
        }
        pt_diag_set_subject(import->diag, NULL);
}

static int end_import(Import *import, int r)
{
        tell_rest(import);
        return r >= 0 && import->problems > 0 ? -EINVAL : r;
}

/* A byte order mark says nothing; some editors write it. */
static size_t skip_mark(const char *text, size_t size)
{
        return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

int pt_dataset_import(PtDatasetBuilder *builder, const char *source, const char *text, size_t size,
                      PtDiagnostics *diag)
{
        Import import = {.builder = builder, .source = source, .diag = diag};
        size_t mark = skip_mark(text, size), used;

        if (size > PT_DATASET_TEXT_MAX)
                return end_import(&import, too_large(&import));
        return end_import(&import, import_lines(&import, text + mark, size - mark, true, &used));
}

PtDatasetImport *pt_dataset_import_begin(PtDatasetBuilder *builder, const char *source,
                                         bool hosts_only, PtDiagnostics *diag)
{
        PtDatasetImport *import = g_new0(PtDatasetImport, 1);

        import->builder = builder;
        import->source = source;
        import->hosts_only = hosts_only;
        import->diag = diag;
        return import;
}

int pt_dataset_import_text(PtDatasetImport *import, const char *text, size_t size)
{
        size_t mark, used;

        if (size > PT_DATASET_TEXT_MAX)
                return too_large(import);
        if (size == 0) /* then there may be no text to point into */
                return 0;
        mark = skip_mark(text, size);
        return import_lines(import, text + mark, size - mark, true, &used);
}

int pt_dataset_import_entry(PtDatasetImport *import, size_t line, const char *text, size_t size)
{
        import->line = line;
        return import_trimmed(import, text, size);
}

void pt_dataset_import_refuse(PtDatasetImport *import, size_t line, const char *why)
{
        import->line = line;
        if (begin_problem(import))
                pt_diag_error(import->diag, "bad-entry", NULL, "%s", why);
}

size_t pt_dataset_import_problems(const PtDatasetImport *import)
{
        return import->problems;
}

size_t pt_dataset_import_entries(const PtDatasetImport *import)
{
        return import->entries;
}

void pt_dataset_import_end(PtDatasetImport *import)
{
        if (!import)
                return;
        tell_rest(import);
        g_free(import);
}

/* Reads until the buffer is full or the text ends. */
static ssize_t fill(int fd, char *buffer, size_t size)
{
        size_t filled = 0;

        while (filled < size) {
                ssize_t n = read(fd, buffer + filled, size - filled);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                filled += (size_t) n;
        }
        return (ssize_t) filled;
}

static int import_stream(Import *import, int fd)
{
        g_autofree char *buffer = g_malloc(READ_SIZE);
        size_t kept = 0; /* of an incomplete line, at the start of the buffer */

        for (;;) {
                ssize_t n = fill(fd, buffer + kept, READ_SIZE - kept);
                size_t size = kept + (size_t) MAX(n, 0), used, skipped = 0;
                bool last;
                int r;

                if (n < 0)
                        return (int) n;
                last = size < READ_SIZE;
                if (import->total == 0)
                        skipped = skip_mark(buffer, size);
                import->total += (size_t) n;
                if (import->total > PT_DATASET_TEXT_MAX)
                        return too_large(import);
                r = import_lines(import, buffer + skipped, size - skipped, last, &used);
                if (r < 0 || last)
                        return r;
                kept = size - skipped - used;
                memmove(buffer, buffer + skipped + used, kept);
        }
}

int pt_dataset_import_fd(PtDatasetBuilder *builder, const char *source, int fd, PtDiagnostics *diag)
{
        Import import = {.builder = builder, .source = source, .diag = diag};

        return end_import(&import, import_stream(&import, fd));
}
