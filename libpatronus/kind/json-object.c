/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "base/text.h"
#include "kind/meta.h"
#include "kind/migrate.h"
#include <string.h>

/* Hexadecimal digits in the name of an object without one: 48 bits tell ten thousand rules apart.
 */
#define NAMELESS_DIGITS 12

static const char *const document_words[] = {"apiVersion", "kind", "metadata", "spec", NULL};

/* By its exact name: documents are not typed at a prompt. */
static const PtKind *find_kind(const char *name)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (strcmp((*kind)->name, name) == 0)
                        return *kind;
        return NULL;
}

/* What only this file says: the text is a line of our own. */
#define FROM_STORED (1U << 31)

static int read_kind(struct json_object *json, PtDiagnostics *diag, const PtKind **ret)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        const char *name = pt_json_text(json);
        const PtKind *kind = name ? find_kind(name) : NULL;
        g_autofree char *hint = NULL;

        if (kind) {
                *ret = kind;
                return 0;
        }
        for (const PtKind *const *known = pt_kinds(); *known; known++)
                g_ptr_array_add(names, (gpointer) (*known)->name);
        g_ptr_array_add(names, NULL);
        hint = pt_suggestion(diag, name ? name : "", (const char *const *) names->pdata);
        if (name)
                pt_diag_error(diag, "unknown-kind", "/kind", "unknown kind \"%s\"; %s", name, hint);
        else if (json)
                pt_wrong_type(json, "/kind", diag, "write the name of a kind; %s", hint);
        else
                pt_diag_error(diag, "required", "/kind", "\"kind\" is required; %s", hint);
        return -EINVAL;
}

/* Says how the document's version is to be read; what is absent is an error that was reported. */
static PtVersion read_version(const PtKind *kind, struct json_object *json, PtDiagnostics *diag)
{
        const char *version = pt_json_text(json);
        PtVersion found;

        if (!version) {
                pt_diag_error(diag, "required", "/apiVersion",
                              "\"apiVersion\" is required; write \"apiVersion: %s\"",
                              kind ? kind->api_version : "patronus.firewall/v1");
                return PT_VERSION_INVALID;
        }
        found = kind ? pt_kind_version(kind, version) : PT_VERSION_CURRENT;
        if (found == PT_VERSION_NEWER)
                pt_diag_error(diag, "newer-version", "/apiVersion",
                              "\"%s\" of %s is newer than this Patronus, which knows up to \"%s\": "
                              "update it, or write the document as that version has it",
                              version, kind->name, kind->api_version);
        else if (found == PT_VERSION_OTHER)
                pt_diag_error(diag, "unknown-version", "/apiVersion",
                              "%s has no version \"%s\"; write \"apiVersion: %s\"", kind->name,
                              version, kind->api_version);
        return found;
}

static void tell_migration(const PtKind *kind, const char *version, PtDiagnostics *diag)
{
        g_autofree char *text = pt_kind_migrations_text(kind, version);

        pt_diag_notice(diag, "migrated", "/apiVersion",
                       "read as \"%s\" (%s); write it so from now on", kind->api_version, text);
}

/* The spec of a document as the current version has it: a new reference, or NULL. */
static int read_spec(const PtKind *kind, struct json_object *document, PtVersion version,
                     unsigned flags, PtDiagnostics *diag, struct json_object **ret)
{
        const char *name = json_object_get_string(json_object_object_get(document, "apiVersion"));
        struct json_object *spec = NULL;

        (void) json_object_object_get_ex(document, "spec", &spec);
        if (version != PT_VERSION_OLDER) {
                *ret = json_object_get(spec);
                return 0;
        }
        if (!(flags & FROM_STORED))
                tell_migration(kind, name, diag);
        return pt_kind_migrate(kind, name, spec, diag, ret);
}

static int refuse_unsealed(const PtField *field, const char *path, const PtSecret *secret,
                           void *userdata)
{
        (void) field;
        (void) path;
        (void) userdata;
        return pt_secret_state(secret) == PT_SECRET_SEALED ? 0 : -EBADMSG;
}

static int refuse_any(const PtField *field, const char *path, const PtSecret *secret,
                      void *userdata)
{
        (void) field;
        (void) path;
        (void) secret;
        (void) userdata;
        return -EINVAL;
}

/* A line of ours has sealed secrets only. And the name of an object without one is made of its
 * contents, which would tell those who see it whether a guess is right. */
static int check_secrets(const PtObject *object, const PtMetaInput *input, unsigned flags,
                         PtDiagnostics *diag)
{
        if (flags & FROM_STORED)
                return pt_object_foreach_secret(object, refuse_unsealed, NULL);
        if (input->name || object->kind->singleton ||
            pt_object_foreach_secret(object, refuse_any, NULL) == 0)
                return 0;
        pt_diag_error(diag, "required", "/metadata/name",
                      "an object with a secret needs a name of its own; write \"metadata: { name: "
                      "... }\"");
        return -EINVAL;
}

static int check_members(struct json_object *json, PtDiagnostics *diag)
{
        int r = 0;

        json_object_object_foreach(json, name, value)
        {
                g_autoptr(GString) pointer = NULL;
                g_autofree char *hint = NULL;

                (void) value;
                if (g_strv_contains(document_words, name))
                        continue;
                pointer = g_string_new(NULL);
                pt_pointer_append(pointer, name);
                hint = pt_suggestion(diag, name, document_words);
                pt_diag_error(diag, "unknown-field", pointer->str, "unknown field \"%s\"; %s", name,
                              hint);
                r = -EINVAL;
        }
        return r;
}

/* Room for the name that name_by_content() will write. */
static char *nameless_name(const PtKind *kind)
{
        g_autofree char *lower = g_ascii_strdown(kind->name, -1);

        return g_strdup_printf("%s-%0*d", lower, NAMELESS_DIGITS, 0);
}

static void name_by_content(PtObject *object)
{
        g_autoptr(GString) spec = g_string_new(NULL);
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_fields_to_canonical(object->kind->fields, object, object->present, spec);
        pt_digest_of(spec->str, spec->len, &digest);
        pt_digest_to_hex(&digest, hex);
        memcpy(object->name + strlen(object->name) - NAMELESS_DIGITS, hex, NAMELESS_DIGITS);
        object->nameless = true;
        if (!pt_object_label(object, PT_LABEL_SET))
                pt_object_set_label(object, PT_LABEL_SET, "default");
}

/* A uid that the name gives anyway is not kept. */
static void drop_derived_uid(PtObject *object)
{
        uint8_t derived[16], given[16];

        if (!object->meta || !object->meta->uid)
                return;
        pt_uid_of(object->kind, object->name, derived);
        pt_object_uid(object, given);
        if (memcmp(derived, given, sizeof(given)) != 0)
                return;
        g_clear_pointer(&object->meta->uid, g_free);
        if (!object->meta->description && !object->meta->labels)
                g_clear_pointer(&object->meta, pt_meta_free);
}

/* The name that the object gets: the given one, "default", or room for one by content. */
static int choose_name(const PtKind *kind, const PtMetaInput *input, unsigned flags,
                       PtDiagnostics *diag, char **ret)
{
        if (input->name)
                *ret = g_strdup(input->name);
        else if (kind->singleton)
                *ret = g_strdup("default");
        else if (flags & PT_FROM_ALLOW_NAMELESS)
                *ret = nameless_name(kind);
        else {
                pt_diag_error(diag, "required", "/metadata/name",
                              "\"name\" is required; write \"metadata: { name: ... }\"");
                return -EINVAL;
        }
        return 0;
}

static int read_document(struct json_object *json, unsigned flags, PtDiagnostics *diag,
                         PtObject **ret)
{
        g_autoptr(PtObject) object = NULL;
        g_autofree char *name = NULL;
        pt_auto_json *spec = NULL;
        const PtKind *kind = NULL;
        PtMetaInput input = {};
        PtVersion version;
        int r;

        if (!json_object_is_type(json, json_type_object))
                return pt_wrong_type(json, "", diag,
                                     "write an object with apiVersion, kind, metadata and spec");
        r = check_members(json, diag);
        if (read_kind(json_object_object_get(json, "kind"), diag, &kind) < 0)
                r = -EINVAL;
        version = read_version(kind, json_object_object_get(json, "apiVersion"), diag);
        if (version != PT_VERSION_CURRENT && version != PT_VERSION_OLDER)
                r = -EINVAL;
        if (pt_meta_from_json(kind, json_object_object_get(json, "metadata"), diag, &input) < 0)
                r = -EINVAL;
        else if (kind && choose_name(kind, &input, flags, diag, &name) < 0)
                r = -EINVAL;
        /* By another version's table a spec makes no sense. */
        if (!kind || version == PT_VERSION_NEWER) {
                pt_meta_free(input.meta);
                return (flags & FROM_STORED) ? -EPROTONOSUPPORT : -EINVAL;
        }
        object = pt_object_new(kind, name ? name : "");
        object->position = input.position;
        object->meta = input.meta;
        if (read_spec(kind, json, version, flags, diag, &spec) < 0)
                return -EINVAL;
        if (spec || json_object_object_get_ex(json, "spec", NULL)) {
                if (pt_fields_from_json(kind->fields, spec, "/spec", diag, object,
                                        &object->present) < 0)
                        r = -EINVAL;
        } else if (pt_fields_check_required(kind->fields, "/spec", 0, diag) < 0) {
                r = -EINVAL;
        }
        if (r >= 0)
                r = check_secrets(object, &input, flags, diag);
        if (r < 0)
                return r;
        if (!input.name && !kind->singleton)
                name_by_content(object);
        drop_derived_uid(object);
        *ret = g_steal_pointer(&object);
        return 0;
}

int pt_object_from_json(struct json_object *json, unsigned flags, PtDiagnostics *diag,
                        PtObject **ret)
{
        g_autoptr(PtObject) object = NULL;
        int r;

        r = read_document(json, flags, diag, &object);
        if (r < 0)
                return r;
        r = pt_object_check(object, diag);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&object);
        return 0;
}

/* The object is what the line says, whatever is made of it. */
static void keep_line(PtObject *object, const char *line, size_t size)
{
        if (!object->meta)
                object->meta = g_new0(PtMeta, 1);
        object->meta->stored = g_strndup(line, size);
        pt_digest_of(line, size, &object->digest);
        object->sealed = true;
}

int pt_object_from_canonical(const char *line, size_t size, PtDiagnostics *diag, PtObject **ret)
{
        pt_auto_json *json = NULL;
        int r;

        r = pt_json_parse(line, size, diag, &json);
        if (r < 0)
                return r;
        r = read_document(json, FROM_STORED, diag, ret);
        if (r < 0)
                return r;
        if (strcmp(json_object_get_string(json_object_object_get(json, "apiVersion")),
                   (*ret)->kind->api_version) != 0)
                keep_line(*ret, line, size);
        return 0;
}

const char *pt_object_api_version(const PtObject *object)
{
        pt_auto_json *json = NULL;

        if (!pt_object_is_older(object))
                return object->kind->api_version;
        if (pt_json_parse(object->meta->stored, strlen(object->meta->stored), NULL, &json) < 0)
                g_error("a stored line cannot be read again"); /* it was */
        return g_intern_string(json_object_get_string(json_object_object_get(json, "apiVersion")));
}

struct json_object *pt_object_to_json(const PtObject *object, bool secrets)
{
        struct json_object *json = json_object_new_object();

        json_object_object_add(json, "apiVersion",
                               json_object_new_string(object->kind->api_version));
        json_object_object_add(json, "kind", json_object_new_string(object->kind->name));
        json_object_object_add(json, "metadata", pt_meta_to_json(object));
        json_object_object_add(
                json, "spec",
                pt_fields_to_json(object->kind->fields, object, object->present, secrets));
        return json;
}

void pt_object_to_canonical(const PtObject *object, GString *out)
{
        if (pt_object_is_older(object)) {
                g_string_append(out, object->meta->stored);
                return;
        }
        g_string_append(out, "{\"apiVersion\":\"");
        g_string_append(out, object->kind->api_version);
        g_string_append(out, "\",\"kind\":\"");
        g_string_append(out, object->kind->name);
        g_string_append(out, "\",\"metadata\":");
        pt_meta_to_canonical(object, out);
        g_string_append(out, ",\"spec\":");
        pt_fields_to_canonical(object->kind->fields, object, object->present, out);
        g_string_append_c(out, '}');
}
