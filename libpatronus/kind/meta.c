/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/meta.h"

#include "base/text.h"
#include "kind/field.h"
#include <stdlib.h>
#include <string.h>

#define LABEL_PREFIX_MAX 253 /* of a key, before the "/": a DNS name */
#define LABEL_WORD_MAX 63    /* of a key's name, and of a value */
#define UID_SIZE 32

void pt_meta_free(PtMeta *meta)
{
        if (!meta)
                return;
        g_free(meta->description);
        g_strfreev(meta->labels);
        g_free(meta->uid);
        g_free(meta->stored);
        g_free(meta);
}

PtMeta *pt_meta_copy(const PtMeta *meta)
{
        PtMeta *copy;

        if (!meta || (!meta->description && !meta->labels && !meta->uid))
                return NULL;
        copy = g_new0(PtMeta, 1);
        copy->description = g_strdup(meta->description);
        copy->labels = g_strdupv(meta->labels);
        copy->uid = g_strdup(meta->uid);
        return copy;
}

/* Labels are kept as "key=value", sorted by key. */

static size_t label_key_size(const char *label)
{
        return (size_t) (strchr(label, '=') - label);
}

static int compare_labels(const char *a, const char *b)
{
        size_t na = label_key_size(a), nb = label_key_size(b);
        int r = memcmp(a, b, MIN(na, nb));

        return r != 0 ? r : (na > nb) - (na < nb);
}

const char *pt_object_label(const PtObject *object, const char *key)
{
        size_t size = strlen(key);

        if (!object->meta || !object->meta->labels)
                return NULL;
        for (char **label = object->meta->labels; *label; label++)
                if (label_key_size(*label) == size && memcmp(*label, key, size) == 0)
                        return *label + size + 1;
        return NULL;
}

static int compare_label_pointers(const void *a, const void *b)
{
        return compare_labels(*(char *const *) a, *(char *const *) b);
}

/* `value` NULL removes. */
static void meta_set_label(PtMeta *meta, const char *key, const char *value)
{
        char *label = g_strconcat(key, "=", value, NULL);
        unsigned n = meta->labels ? g_strv_length(meta->labels) : 0, kept = 0;
        char **labels = g_new0(char *, n + 2);

        for (unsigned i = 0; i < n; i++) {
                if (compare_labels(meta->labels[i], label) != 0)
                        labels[kept++] = meta->labels[i];
                else
                        g_free(meta->labels[i]);
        }
        if (value)
                labels[kept++] = label;
        else
                g_free(label);
        qsort(labels, kept, sizeof(*labels), compare_label_pointers);
        g_free(meta->labels);
        meta->labels = labels;
        if (kept == 0)
                g_clear_pointer(&meta->labels, g_free);
}

void pt_object_set_label(PtObject *object, const char *key, const char *value)
{
        g_assert(!object->sealed);
        if (!object->meta)
                object->meta = g_new0(PtMeta, 1);
        meta_set_label(object->meta, key, value);
        if (!object->meta->labels && !object->meta->description && !object->meta->uid)
                g_clear_pointer(&object->meta, pt_meta_free);
}

/* [A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?, as Kubernetes has it. */
static bool is_label_word(const char *word, size_t size)
{
        if (size == 0 || size > LABEL_WORD_MAX || !g_ascii_isalnum(word[0]) ||
            !g_ascii_isalnum(word[size - 1]))
                return false;
        for (size_t i = 1; i < size; i++)
                if (!g_ascii_isalnum(word[i]) && word[i] != '.' && word[i] != '_' && word[i] != '-')
                        return false;
        return true;
}

/* [PREFIX/]NAME: a prefix is a DNS name. */
static bool is_label_key(const char *key)
{
        const char *slash = strchr(key, '/');

        if (!slash)
                return is_label_word(key, strlen(key));
        if (slash == key || slash - key > LABEL_PREFIX_MAX || !g_ascii_isalnum(key[0]) ||
            !g_ascii_isalnum(slash[-1]))
                return false;
        for (const char *c = key; c < slash; c++)
                if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '.' && *c != '-')
                        return false;
        return is_label_word(slash + 1, strlen(slash + 1));
}

static int read_label(const char *key, struct json_object *json, const char *pointer,
                      PtDiagnostics *diag, PtMeta *meta)
{
        const char *value = pt_json_text(json);

        if (!is_label_key(key)) {
                pt_diag_error(diag, "invalid-label", pointer,
                              "\"%s\" is not a label key; write [PREFIX/]NAME: letters, digits, "
                              "\".\", \"_\" and \"-\", at most %d",
                              key, LABEL_WORD_MAX);
                return -EINVAL;
        }
        if (!value)
                return pt_wrong_type(json, pointer, diag, "write a string, in quotes");
        if (*value && !is_label_word(value, strlen(value))) {
                pt_diag_error(diag, "invalid-label", pointer,
                              "\"%s\" is not a label value; write letters, digits, \".\", \"_\" "
                              "and \"-\", at most %d",
                              value, LABEL_WORD_MAX);
                return -EINVAL;
        }
        meta_set_label(meta, key, value);
        return 0;
}

static int read_labels(const PtKind *kind, struct json_object *json, const char *pointer,
                       PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        int r = 0;

        (void) kind;
        (void) input;
        if (!json_object_is_type(json, json_type_object))
                return pt_wrong_type(json, pointer, diag, "write a mapping of keys to values");
        if (json_object_object_length(json) > PT_LABELS_MAX) {
                pt_diag_error(diag, "too-long", pointer, "%d labels are too many, at most %d",
                              json_object_object_length(json), PT_LABELS_MAX);
                return -EINVAL;
        }
        json_object_object_foreach(json, key, value)
        {
                g_autoptr(GString) at = g_string_new(pointer);

                pt_pointer_append(at, key);
                if (read_label(key, value, at->str, diag, meta) < 0)
                        r = -EINVAL;
        }
        return r;
}

static int read_name(const PtKind *kind, struct json_object *json, const char *pointer,
                     PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        g_autofree char *name = NULL;
        int r;

        (void) kind;
        (void) meta;
        r = pt_type_name.from_json(NULL, json, pointer, diag, &name);
        if (r < 0)
                return r;
        input->name = json_object_get_string(json);
        return 0;
}

static int read_description(const PtKind *kind, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        static const PtField row = {.type = &pt_type_string, .min = 1, .max = PT_DESCRIPTION_MAX};

        (void) kind;
        (void) input;
        return pt_type_string.from_json(&row, json, pointer, diag, &meta->description);
}

static int read_position(const PtKind *kind, struct json_object *json, const char *pointer,
                         PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        static const PtField row = {.type = &pt_type_u32, .min = 1, .max = PT_POSITION_MAX};

        (void) meta;
        if (kind && !kind->ordered) {
                pt_diag_error(diag, "unknown-field", pointer,
                              "a %s has no position: its order has no meaning; leave it out",
                              kind->name);
                return -EINVAL;
        }
        return pt_type_u32.from_json(&row, json, pointer, diag, &input->position);
}

static int read_uid(const PtKind *kind, struct json_object *json, const char *pointer,
                    PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        const char *text = pt_json_text(json);

        (void) kind;
        (void) input;
        if (!text || strlen(text) != UID_SIZE || strspn(text, "0123456789abcdef") != UID_SIZE) {
                pt_diag_error(diag, "invalid", pointer,
                              "a uid is %d lower-case hexadecimal digits in quotes; leave it out "
                              "to get one",
                              UID_SIZE);
                return -EINVAL;
        }
        meta->uid = g_strdup(text);
        return 0;
}

typedef struct MetaField {
        const char *name;
        int (*read)(const PtKind *kind, struct json_object *json, const char *pointer,
                    PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta);
} MetaField;

static const MetaField meta_fields[] = {
        {"description", read_description}, {"labels", read_labels}, {"name", read_name},
        {"position", read_position},       {"uid", read_uid},
};

static int read_member(const PtKind *kind, const char *name, struct json_object *json,
                       PtDiagnostics *diag, PtMetaInput *input, PtMeta *meta)
{
        const char *words[G_N_ELEMENTS(meta_fields) + 1] = {};
        g_autoptr(GString) pointer = g_string_new("/metadata");
        g_autofree char *hint = NULL;

        pt_pointer_append(pointer, name);
        for (size_t i = 0; i < G_N_ELEMENTS(meta_fields); i++) {
                if (strcmp(meta_fields[i].name, name) == 0)
                        return meta_fields[i].read(kind, json, pointer->str, diag, input, meta);
                words[i] = meta_fields[i].name;
        }
        hint = pt_suggestion(diag, name, words);
        pt_diag_error(diag, "unknown-field", pointer->str, "unknown field \"%s\"; %s", name, hint);
        return -EINVAL;
}

int pt_meta_from_json(const PtKind *kind, struct json_object *json, PtDiagnostics *diag,
                      PtMetaInput *ret)
{
        PtMetaInput input = {};
        PtMeta meta = {};
        int r = 0;

        if (json && !json_object_is_type(json, json_type_object))
                return pt_wrong_type(json, "/metadata", diag, "write a mapping, such as name: web");
        if (json) {
                json_object_object_foreach(json, name, value)
                {
                        if (read_member(kind, name, value, diag, &input, &meta) < 0)
                                r = -EINVAL;
                }
        }
        if (meta.description || meta.labels || meta.uid)
                input.meta = g_memdup2(&meta, sizeof(meta));
        if (r < 0) {
                pt_meta_free(input.meta);
                return r;
        }
        *ret = input;
        return 0;
}

static struct json_object *labels_to_json(char **labels)
{
        struct json_object *json = json_object_new_object();

        for (; *labels; labels++) {
                g_autofree char *key = g_strndup(*labels, label_key_size(*labels));

                json_object_object_add(json, key,
                                       json_object_new_string(*labels + strlen(key) + 1));
        }
        return json;
}

struct json_object *pt_meta_to_json(const PtObject *object)
{
        struct json_object *json = json_object_new_object();
        const PtMeta *meta = object->meta;

        json_object_object_add(json, "name", json_object_new_string(object->name));
        if (meta && meta->description)
                json_object_object_add(json, "description",
                                       json_object_new_string(meta->description));
        if (meta && meta->labels)
                json_object_object_add(json, "labels", labels_to_json(meta->labels));
        if (object->position)
                json_object_object_add(json, "position", json_object_new_int64(object->position));
        if (meta && meta->uid)
                json_object_object_add(json, "uid", json_object_new_string(meta->uid));
        return json;
}

void pt_meta_to_canonical(const PtObject *object, GString *out)
{
        if (object->meta) { /* few objects have any */
                pt_auto_json *json = pt_meta_to_json(object);

                pt_json_to_canonical(json, out);
        } else {
                /* A name has no character that needs an escape. */
                g_string_append(out, "{\"name\":\"");
                g_string_append(out, object->name);
                g_string_append_c(out, '"');
                if (object->position) {
                        g_string_append(out, ",\"position\":");
                        pt_canonical_integer(object->position, out);
                }
                g_string_append_c(out, '}');
        }
}
