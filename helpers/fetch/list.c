/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "list.h"

#include "kind/field.h"

#include <json-c/json.h>
#include <string.h>
#include <zlib.h>

#define UNPACK_STEP (256U * 1024U)

static bool is_packed(const GByteArray *text)
{
        return text->len >= 2 && text->data[0] == 0x1f && text->data[1] == 0x8b;
}

/* Members one after the other are one text (RFC 1952, 2.2). */
static int inflate_all(z_stream *stream, GByteArray *out, size_t limit)
{
        g_autofree uint8_t *step = g_malloc(UNPACK_STEP);

        for (;;) {
                int r;

                stream->next_out = step;
                stream->avail_out = UNPACK_STEP;
                r = inflate(stream, Z_NO_FLUSH);
                if (r != Z_OK && r != Z_STREAM_END)
                        return -EBADMSG;
                if (out->len + (UNPACK_STEP - stream->avail_out) > limit)
                        return -EFBIG;
                g_byte_array_append(out, step, UNPACK_STEP - stream->avail_out);
                if (r == Z_STREAM_END && stream->avail_in == 0)
                        return 0;
                if (r == Z_STREAM_END && inflateReset(stream) != Z_OK)
                        return -EBADMSG;
                if (r == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)
                        return -EBADMSG; /* it is cut off */
        }
}

int list_unpack(GByteArray **text, size_t limit)
{
        g_autoptr(GByteArray) out = NULL;
        z_stream stream = {0};
        int r;

        if (!is_packed(*text))
                return (*text)->len > limit ? -EFBIG : 0;
        stream.next_in = (*text)->data;
        stream.avail_in = (*text)->len;
        if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) /* 16: gzip */
                return -ENOMEM;
        out = g_byte_array_new();
        r = inflate_all(&stream, out, limit);
        (void) inflateEnd(&stream);
        if (r < 0)
                return r;
        g_byte_array_unref(*text);
        *text = g_steal_pointer(&out);
        return 0;
}

/* Tables. */

typedef struct Table {
        PtDatasetImport *import;
        char separator;
        unsigned column; /* that is asked for, from 1 */
        size_t line;     /* where the row begins */
        bool first;      /* row: perhaps names of columns */
        GString *cell;   /* of that column, in this row */
        bool too_long;
} Table;

static bool is_entry(const char *text)
{
        g_autofree char *trimmed = g_strstrip(g_strdup(text));
        PtAddressRange range;
        PtMac mac;

        return pt_address_range_parse(trimmed, NULL, NULL, &range) == 0 ||
               pt_mac_parse(trimmed, strlen(trimmed), &mac);
}

static int end_row(Table *table, unsigned columns, bool empty)
{
        bool first = table->first;

        if (empty)
                return 0;
        table->first = false;
        if (columns < table->column) {
                g_autofree char *why = g_strdup_printf("the row has %u columns; the entries should "
                                                       "be in column %u",
                                                       columns, table->column);

                pt_dataset_import_refuse(table->import, table->line, why);
                return 0;
        }
        if (table->too_long) {
                pt_dataset_import_refuse(table->import, table->line, "the cell is too long");
                return 0;
        }
        if (first && !is_entry(table->cell->str))
                return 0; /* names of columns */
        return pt_dataset_import_entry(table->import, table->line, table->cell->str,
                                       table->cell->len);
}

static void put(Table *table, unsigned column, char c)
{
        if (column != table->column)
                return;
        if (table->cell->len >= LIST_CELL_MAX)
                table->too_long = true;
        else
                g_string_append_c(table->cell, c);
}

/* RFC 4180: cells in double quotes may hold separators, ends of lines, and quotes twice. Lines that
 * begin with "#" are comments, as many publish them. */
static int read_table(Table *table, const char *text, size_t size)
{
        bool quoted = false, empty = true, comment = false;
        unsigned column = 1;
        size_t line = 1;
        int r = 0;

        table->line = 1;
        for (size_t i = 0; r >= 0 && i <= size; i++) {
                char c = i < size ? text[i] : '\n';

                if (quoted && i < size) {
                        if (c == '\n')
                                line++;
                        if (c == '"' && i + 1 < size && text[i + 1] == '"')
                                put(table, column, text[i++]);
                        else if (c == '"')
                                quoted = false;
                        else
                                put(table, column, c);
                } else if (c == '\n') {
                        if (!comment)
                                r = end_row(table, column, empty);
                        line++;
                        table->line = line;
                        g_string_truncate(table->cell, 0);
                        table->too_long = comment = quoted = false;
                        empty = true;
                        column = 1;
                } else if (comment || c == '\r') {
                        continue;
                } else if (empty && c == '#') {
                        comment = true;
                } else {
                        empty = false;
                        if (c == table->separator)
                                column++;
                        else if (c == '"')
                                quoted = true;
                        else
                                put(table, column, c);
                }
        }
        return r;
}

/* Documents. */

static void add_children(struct json_object *json, GPtrArray *level)
{
        if (json_object_is_type(json, json_type_array)) {
                for (size_t i = 0; i < json_object_array_length(json); i++)
                        g_ptr_array_add(level, json_object_array_get_idx(json, i));
        } else if (json_object_is_type(json, json_type_object)) {
                struct json_object_iterator it = json_object_iter_begin(json),
                                            end = json_object_iter_end(json);

                for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
                        g_ptr_array_add(level, json_object_iter_peek_value(&it));
        }
}

static GPtrArray *step_into(const GPtrArray *level, const char *member)
{
        GPtrArray *next = g_ptr_array_new();

        for (unsigned i = 0; i < level->len; i++) {
                struct json_object *json = g_ptr_array_index(level, i), *child;

                if (strcmp(member, "*") == 0)
                        add_children(json, next);
                else if (json_object_is_type(json, json_type_object) &&
                         json_object_object_get_ex(json, member, &child))
                        g_ptr_array_add(next, child);
        }
        return next;
}

static int read_document(const char *path, struct json_object *json, PtDatasetImport *import)
{
        g_auto(GStrv) members = g_strsplit(path, ".", -1);
        g_autoptr(GPtrArray) level = g_ptr_array_new();
        int r = 0;

        g_ptr_array_add(level, json);
        for (unsigned i = 0; members[i]; i++) {
                GPtrArray *next = step_into(level, members[i]);

                g_ptr_array_unref(level);
                level = next;
        }
        for (unsigned i = 0; r >= 0 && i < level->len; i++) {
                struct json_object *entry = g_ptr_array_index(level, i);

                if (json_object_is_type(entry, json_type_string))
                        r = pt_dataset_import_entry(import, i + 1, json_object_get_string(entry),
                                                    (size_t) json_object_get_string_len(entry));
                else
                        pt_dataset_import_refuse(import, i + 1,
                                                 "what the path leads to is not a "
                                                 "string");
        }
        return r;
}

/* Not by kind/json.h, which is for our own documents: those of others have numbers with fractions,
 * and names twice, which do not matter here. */
static int read_json(const char *path, const char *text, size_t size, PtDatasetImport *import,
                     PtDiagnostics *diag)
{
        struct json_tokener *tokener;
        struct json_object *json;
        int r;

        if (size > LIST_JSON_MAX) {
                pt_diag_error(diag, "too-large", "", "the JSON document is larger than %u MiB",
                              LIST_JSON_MAX >> 20);
                return -EFBIG;
        }
        tokener = json_tokener_new_ex(LIST_JSON_DEPTH);
        if (!tokener)
                return -ENOMEM;
        json = json_tokener_parse_ex(tokener, text, (int) size);
        if (!json) {
                pt_diag_error(diag, "not-json", "", "it is no JSON document: %s at byte %zu",
                              json_tokener_error_desc(json_tokener_get_error(tokener)),
                              json_tokener_get_parse_end(tokener));
                r = -EINVAL;
        } else {
                r = read_document(path, json, import);
        }
        json_object_put(json);
        json_tokener_free(tokener);
        return r;
}

int list_read(const FwAliasUrl *url, const char *text, size_t size, PtDatasetImport *import,
              PtDiagnostics *diag)
{
        static const char separators[FW_SEPARATOR_MAX] = {
                [FW_SEPARATOR_COMMA] = ',',
                [FW_SEPARATOR_SEMICOLON] = ';',
                [FW_SEPARATOR_TAB] = '\t',
        };
        g_autoptr(GString) cell = NULL;
        Table table = {.import = import, .first = true};

        switch ((FwListFormat) url->format) {
        case FW_LIST_LINES:
                return pt_dataset_import_text(import, text, size);
        case FW_LIST_CSV:
                table.cell = cell = g_string_new(NULL);
                table.column = fw_url_column(url);
                table.separator = separators[url->separator];
                return read_table(&table, text, size);
        case FW_LIST_JSON:
                return read_json(url->path, text, size, import, diag);
        case FW_LIST_FORMAT_MAX:
        case FW_LIST_FORMAT_INVALID:
                break;
        }
        g_assert_not_reached();
}
