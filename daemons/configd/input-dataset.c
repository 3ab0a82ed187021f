/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "input-dataset.h"

#include "base/text.h"
#include "kind/field.h"

#include <string.h>

#define PROBLEMS_MAX 10U /* entries that are told; the others are counted */

static const char *get_text(struct json_object *json, const char *key)
{
        struct json_object *value = NULL;

        if (!json_object_is_type(json, json_type_object) ||
            !json_object_object_get_ex(json, key, &value))
                return NULL;
        return pt_json_text(value);
}

/* Putting. */

static int refuse_store(int error, const char *pointer, PtDiagnostics *diag)
{
        if (error == -EFBIG)
                pt_diag_error(diag, "too-large", pointer,
                              "more than %u entries: split the list into several",
                              PT_DATASET_ENTRIES_MAX);
        else if (error == -ENOSPC)
                pt_diag_error(diag, "too-large", pointer,
                              "there are too many datasets (at most %d, %" PRIu64
                              " MiB): delete some that nothing refers to",
                              PT_STORE_DATASETS_MAX, PT_STORE_DATASETS_SIZE_MAX >> 20);
        else
                pt_diag_error(diag, "cannot-write", pointer, "the dataset cannot be stored: %s",
                              g_strerror(-error));
        return -EINVAL;
}

static int store_dataset(const PtStore *store, PtDatasetBuilder *builder, const char *pointer,
                         PtDiagnostics *diag, char ret[static PT_DIGEST_HEX + 1])
{
        PtDatasetHeader header;
        PtDigest digest;
        int r = pt_store_datasets_room(store);

        if (r >= 0)
                r = pt_dataset_store(builder, pt_store_datasets_fd(store),
                                     pt_store_datasets_gid(store), &header, &digest);
        if (r < 0)
                return refuse_store(r, pointer, diag);
        pt_digest_to_hex(&digest, ret);
        return 0;
}

/* Documents of datasets. */

static int check_members(struct json_object *json, const char *pointer, const char *const *members,
                         PtDiagnostics *diag)
{
        int r = 0;

        if (!json_object_is_type(json, json_type_object))
                return pt_wrong_type(json, pointer, diag, "write an object");
        json_object_object_foreach(json, key, value)
        {
                g_autoptr(GString) at = g_string_new(pointer);
                g_autofree char *hint = NULL;

                (void) value;
                if (g_strv_contains(members, key))
                        continue;
                pt_pointer_append(at, key);
                hint = pt_suggestion(diag, key, members);
                pt_diag_error(diag, "unknown-field", at->str, "unknown field \"%s\"; %s", key,
                              hint);
                r = -EINVAL;
        }
        return r;
}

/* Everything but the entries. */
static int check_document(struct json_object *document, PtDiagnostics *diag,
                          PtDatasetContent *ret_content)
{
        static const char *const members[] = {"apiVersion", "kind", "metadata", "spec", NULL};
        static const char *const meta_members[] = {"name", NULL};
        static const char *const spec_members[] = {"content", "entries", NULL};
        struct json_object *metadata = json_object_object_get(document, "metadata");
        struct json_object *spec = json_object_object_get(document, "spec");
        const char *content = get_text(spec, "content");
        int r = check_members(document, "", members, diag);

        if (g_strcmp0(get_text(document, "apiVersion"), DATASET_API_VERSION) != 0) {
                pt_diag_error(diag, "unknown-version", "/apiVersion",
                              "write \"apiVersion: " DATASET_API_VERSION "\"");
                r = -EINVAL;
        }
        if (metadata && check_members(metadata, "/metadata", meta_members, diag) < 0)
                return -EINVAL;
        if (metadata && json_object_object_length(metadata) > 0 && !get_text(metadata, "name")) {
                pt_diag_error(diag, "wrong-type", "/metadata/name",
                              "write the digest of the dataset, or leave the name out");
                r = -EINVAL;
        }
        if (check_members(spec, "/spec", spec_members, diag) < 0)
                return -EINVAL;
        *ret_content =
                content ? pt_dataset_content_from_string(content) : PT_DATASET_CONTENT_INVALID;
        if (*ret_content < 0) {
                pt_diag_error(diag, "required", "/spec/content",
                              "write \"content: addresses\" or \"content: macs\"");
                r = -EINVAL;
        }
        if (!get_text(spec, "entries")) {
                pt_diag_error(diag, "required", "/spec/entries",
                              "write the entries as one text, one a line (\"entries: |\")");
                r = -EINVAL;
        }
        return r;
}

/* The lines are those of the text and not of the document. */
static int import_entries(PtDatasetBuilder *builder, struct json_object *document,
                          PtDiagnostics *diag)
{
        struct json_object *entries =
                json_object_object_get(json_object_object_get(document, "spec"), "entries");
        g_autoptr(PtDiagnostics) found = pt_diag_new();
        int r = pt_dataset_import(builder, "line", json_object_get_string(entries),
                                  (size_t) json_object_get_string_len(entries), found);

        for (size_t i = 0; i < pt_diag_count(found); i++) {
                const PtDiagnostic *entry = pt_diag_get(found, i);

                pt_diag_error(diag, entry->code, "/spec/entries", "%s: %s", entry->subject,
                              entry->text);
        }
        return r;
}

static int put_document(const PtStore *store, struct json_object *document, PtDiagnostics *diag)
{
        g_autoptr(PtDatasetBuilder) builder = NULL;
        const char *name = get_text(json_object_object_get(document, "metadata"), "name");
        PtDatasetContent content = PT_DATASET_CONTENT_INVALID;
        char hex[PT_DIGEST_HEX + 1];
        PtDatasetHeader header;
        PtDigest digest;
        int r;

        r = check_document(document, diag, &content);
        if (r < 0)
                return r;
        builder = pt_dataset_builder_new(content);
        r = import_entries(builder, document, diag);
        if (r < 0)
                return -EINVAL;
        r = pt_dataset_builder_digest(builder, &header, &digest);
        if (r < 0)
                return refuse_store(r, "/spec/entries", diag);
        pt_digest_to_hex(&digest, hex);
        if (name && strcmp(name, hex) != 0) {
                pt_diag_error(diag, "wrong-digest", "/metadata/name",
                              "these entries are the dataset %s; if they are as they should be, "
                              "leave out the name, and let objects refer to that",
                              hex);
                return -EINVAL;
        }
        r = store_dataset(store, builder, "/spec/entries", diag, hex);
        return r < 0 ? r : 1;
}

/* Lists of objects. */

static int add_item(PtDatasetBuilder *builder, const PtField *field, struct json_object *item,
                    const char *pointer, PtDiagnostics *diag)
{
        union {
                PtAddressRange range;
                PtMac mac;
        } value = {};
        int r;

        g_return_val_if_fail(field->type->size <= sizeof(value), -EINVAL);
        r = field->type->from_json(field, item, pointer, diag, &value);
        if (r < 0)
                return -EINVAL;
        return field->dataset_content == PT_DATASET_MACS
                       ? pt_dataset_builder_add_mac(builder, &value.mac)
                       : pt_dataset_builder_add(builder, &value.range);
}

static int add_list(PtDatasetBuilder *builder, const PtField *field, struct json_object *list,
                    PtDiagnostics *diag)
{
        size_t n = json_object_array_length(list), problems = 0;

        for (size_t i = 0; i < n; i++) {
                struct json_object *item = json_object_array_get_idx(list, i);
                g_autofree char *pointer = NULL;
                int r = add_item(builder, field, item, "", NULL);

                if (r >= 0)
                        continue;
                pointer = g_strdup_printf("/spec/%s/%zu", field->name, i);
                if (r == -EFBIG)
                        return refuse_store(r, pointer, diag);
                if (++problems <= PROBLEMS_MAX)
                        (void) add_item(builder, field, item, pointer, diag);
        }
        if (problems > PROBLEMS_MAX) {
                g_autofree char *pointer = g_strconcat("/spec/", field->name, NULL);

                pt_diag_error(diag, "bad-entry", pointer,
                              "%zu entries are wrong; the first %u are told", problems,
                              PROBLEMS_MAX);
        }
        return problems > 0 ? -EINVAL : 0;
}

/* The dataset that the object names besides. */
static int add_named(const PtStore *store, PtDatasetBuilder *builder, const char *row,
                     const char *digest, PtDiagnostics *diag)
{
        g_autofree char *pointer = g_strconcat("/spec/", row, NULL);
        g_autoptr(PtDataset) dataset = NULL;
        int r = pt_store_open_dataset(store, digest, &dataset);

        if (r >= 0)
                r = pt_dataset_builder_add_dataset(builder, dataset);
        if (r >= 0)
                return 0;
        if (r == -EMEDIUMTYPE)
                pt_diag_error(diag, "mixed-content", pointer,
                              "the dataset does not hold what the list beside it does");
        else if (r == -EFBIG)
                return refuse_store(r, pointer, diag);
        else
                pt_diag_error(diag, "dangling-reference", pointer,
                              "dataset %.80s cannot be read (%s): put the list again", digest,
                              g_strerror(-r));
        return -EINVAL;
}

/* A copy of `spec` without `list`, and with the digest in the row beside it. */
static struct json_object *replace_list(struct json_object *spec, const PtField *list,
                                        const char *digest)
{
        struct json_object *copy = json_object_new_object();

        json_object_object_foreach(spec, key, value)
        {
                if (strcmp(key, list->name) != 0 && strcmp(key, list->dataset) != 0)
                        json_object_object_add(copy, key, json_object_get(value));
        }
        json_object_object_add(copy, list->dataset, json_object_new_string(digest));
        return copy;
}

/* Whether the row beside the list can take a digest: it is absent, or has one. What else is in it is
 * for the type to refuse. */
static bool takes_digest(struct json_object *spec, const PtField *list)
{
        const char *named = get_text(spec, list->dataset);
        PtDigest digest;

        return named ? pt_digest_from_hex(named, &digest) >= 0
                     : !json_object_object_get_ex(spec, list->dataset, NULL);
}

static int convert_list(const PtStore *store, const PtField *field, struct json_object **spec,
                        PtDiagnostics *diag)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(field->dataset_content);
        g_autofree char *pointer = g_strconcat("/spec/", field->name, NULL);
        struct json_object *list = json_object_object_get(*spec, field->name), *converted;
        const char *named = get_text(*spec, field->dataset);
        char hex[PT_DIGEST_HEX + 1];
        int r;

        r = add_list(builder, field, list, diag);
        if (r >= 0 && named)
                r = add_named(store, builder, field->dataset, named, diag);
        if (r >= 0)
                r = store_dataset(store, builder, pointer, diag, hex);
        if (r < 0)
                return r;
        converted = replace_list(*spec, field, hex);
        json_object_put(*spec);
        *spec = converted;
        return 0;
}

static const PtKind *kind_of(const char *name)
{
        for (const PtKind *const *kind = pt_kinds(); name && *kind; kind++)
                if (strcmp((*kind)->name, name) == 0)
                        return *kind;
        return NULL;
}

static bool is_too_long(const PtField *field, struct json_object *spec)
{
        struct json_object *list = NULL;

        return field->dataset && json_object_is_type(spec, json_type_object) &&
               json_object_object_get_ex(spec, field->name, &list) &&
               json_object_is_type(list, json_type_array) &&
               json_object_array_length(list) > PT_LIST_MAX && takes_digest(spec, field);
}

static struct json_object *replace_spec(struct json_object *document, struct json_object *spec)
{
        struct json_object *copy = json_object_new_object();

        json_object_object_foreach(document, key, value) json_object_object_add(
                copy, key, json_object_get(strcmp(key, "spec") == 0 ? spec : value));
        return copy;
}

int input_dataset_hook(struct json_object *document, PtDiagnostics *diag, void *userdata,
                       struct json_object **ret)
{
        const PtStore *store = *(const PtStore **) userdata;
        const char *name = get_text(document, "kind");
        const PtKind *kind = kind_of(name);
        struct json_object *original;
        pt_auto_json *spec = NULL;

        if (g_strcmp0(name, DATASET_KIND) == 0)
                return put_document(store, document, diag);
        if (!kind)
                return 0;
        original = json_object_object_get(document, "spec");
        spec = json_object_get(original);
        for (const PtField *field = kind->fields; field->name; field++) {
                int r = is_too_long(field, spec) ? convert_list(store, field, &spec, diag) : 0;

                if (r < 0)
                        return r;
        }
        if (spec != original)
                *ret = replace_spec(document, spec);
        return 0;
}
