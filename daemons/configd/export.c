/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "export.h"

#include "input-dataset.h"

#include "base/io.h"
#include "kind/yaml.h"

#include <string.h>

/* The text of a large configuration is never in memory twice. */
#define CHUNK (64U * 1024U)

static bool wanted(const PtObject *object, const char *const *kinds)
{
        return !kinds || !*kinds || g_strv_contains(kinds, object->kind->name);
}

static void append_json(const PtObject *object, bool secrets, GString *out)
{
        pt_auto_json *json = pt_object_to_json(object, secrets);

        pt_json_to_canonical(json, out);
        g_string_append_c(out, '\n');
}

static int note_dataset(const char *digest, const char *pointer, void *userdata)
{
        g_hash_table_add(userdata, (void *) digest);
        return 0;
}

static int compare_digests(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Digests that wanted objects hold, sorted; borrowed from them. */
static GPtrArray *wanted_datasets(const GPtrArray *objects, const char *const *kinds)
{
        g_autoptr(GHashTable) digests = g_hash_table_new(g_str_hash, g_str_equal);
        GPtrArray *sorted = g_ptr_array_new();
        GHashTableIter iter;
        void *digest;

        for (guint i = 0; i < objects->len; i++) {
                const PtObject *object = g_ptr_array_index(objects, i);

                if (wanted(object, kinds))
                        (void) pt_object_foreach_dataset(object, note_dataset, digests);
        }
        g_hash_table_iter_init(&iter, digests);
        while (g_hash_table_iter_next(&iter, &digest, NULL))
                g_ptr_array_add(sorted, digest);
        g_ptr_array_sort(sorted, compare_digests);
        return sorted;
}

#define YAML_BEFORE                                                                                \
        "---\napiVersion: " DATASET_API_VERSION "\nkind: " DATASET_KIND "\nmetadata:\n  name: "    \
        "\"%s\"\nspec:\n  content: %s\n  entries: %s\n"
#define JSON_BEFORE                                                                                \
        "{\"apiVersion\":\"" DATASET_API_VERSION "\",\"kind\":\"" DATASET_KIND                     \
        "\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"content\":\"%s\",\"entries\":\""
#define JSON_AFTER "\"}}\n"

/* Lines as a literal block, or with their newlines escaped; entries have no other character that
 * either would have to escape. */
static void append_lines(const GString *lines, bool json, GString *out)
{
        const char *end = lines->str + lines->len;

        for (const char *line = lines->str, *next; line < end; line = next) {
                next = (const char *) memchr(line, '\n', (size_t) (end - line)) + 1;
                if (!json)
                        g_string_append(out, "    ");
                g_string_append_len(out, line, next - line - json);
                if (json)
                        g_string_append(out, "\\n");
        }
}

static int write_dataset(const PtStore *store, const char *digest, bool json, int fd)
{
        g_autoptr(GString) text = g_string_new(NULL), lines = g_string_new(NULL);
        g_autoptr(PtDataset) dataset = NULL;
        const PtDatasetHeader *header;
        PtDatasetChunk chunk;
        int r;

        r = pt_store_open_dataset(store, digest, &dataset);
        if (r < 0)
                return r;
        header = pt_dataset_header(dataset);
        if (json)
                g_string_printf(text, JSON_BEFORE, digest,
                                pt_dataset_content_to_string(header->content));
        else
                g_string_printf(text, YAML_BEFORE, digest,
                                pt_dataset_content_to_string(header->content),
                                pt_dataset_header_entries(header) > 0 ? "|" : "\"\"");
        while ((r = pt_dataset_read(dataset, &chunk)) > 0) {
                g_string_truncate(lines, 0);
                pt_dataset_chunk_format(&chunk, lines);
                append_lines(lines, json, text);
                r = pt_write_all(fd, text->str, text->len);
                if (r < 0)
                        return r;
                g_string_truncate(text, 0);
        }
        if (r < 0)
                return r;
        if (json)
                g_string_append(text, JSON_AFTER);
        return pt_write_all(fd, text->str, text->len);
}

static int write_datasets(const PtStore *store, const GPtrArray *objects, bool json,
                          const char *const *kinds, int fd)
{
        g_autoptr(GPtrArray) digests = wanted_datasets(objects, kinds);
        int r = 0;

        for (guint i = 0; i < digests->len && r >= 0; i++)
                r = write_dataset(store, g_ptr_array_index(digests, i), json, fd);
        return r;
}

static int write_objects(const GPtrArray *objects, bool json, bool secrets,
                         const char *const *kinds, int fd)
{
        g_autoptr(GString) text = g_string_sized_new(CHUNK);
        int r;

        for (guint i = 0; i < objects->len; i++) {
                const PtObject *object = g_ptr_array_index(objects, i);

                if (!wanted(object, kinds))
                        continue;
                if (json)
                        append_json(object, secrets, text);
                else
                        pt_object_to_yaml(object, secrets, text);
                if (text->len < CHUNK)
                        continue;
                r = pt_write_all(fd, text->str, text->len);
                if (r < 0)
                        return r;
                g_string_truncate(text, 0);
        }
        return pt_write_all(fd, text->str, text->len);
}

static int stop_at_any(const char *digest, const char *pointer, void *userdata)
{
        return 1;
}

static int find_any(const PtObject *object, void *userdata)
{
        const char *const *kinds = userdata;

        return wanted(object, kinds) ? pt_object_foreach_dataset(object, stop_at_any, NULL) : 0;
}

bool export_has_datasets(const PtSlice *slice, const char *const *kinds)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (pt_kind_has_dataset(*kind) && pt_slice_count(slice, *kind) > 0 &&
                    pt_slice_foreach(slice, *kind, find_any, (void *) kinds) != 0)
                        return true;
        return false;
}

int export_write(const PtStore *store, const PtSlice *slice, bool json, bool secrets,
                 const char *const *kinds, int fd)
{
        g_autoptr(GPtrArray) objects = pt_slice_sorted(slice, NULL);
        int r;

        r = write_datasets(store, objects, json, kinds, fd);
        if (r < 0)
                return r;
        return write_objects(objects, json, secrets, kinds, fd);
}
