/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "secret/envelope.h"
#include <string.h>

/*
 * A secret, for rows with PT_F_SECRET. Written in the clear, redacted ("as it is") or sealed; what
 * to_json gives is never in the clear, whoever asks. No text here says anything of a value, not
 * even how long it is: diagnostics go into logs.
 */

#define SECRET_SIZE 1024 /* bytes, where the row says nothing */

static int64_t secret_max(const PtField *field)
{
        return MIN(field->max ? field->max : SECRET_SIZE, PT_SECRET_MAX);
}

static void secret_schema(const PtField *field, struct json_object *schema)
{
        pt_schema_text(schema, NULL);
        json_object_object_add(schema, "minLength", json_object_new_int64(MAX(field->min, 1)));
}

static int sealed_from_text(const char *text, const char *pointer, PtDiagnostics *diag,
                            PtSecret *secret)
{
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;
        int r = pt_envelope_from_text(text, &bytes, &envelope);

        if (r == -EPROTONOSUPPORT)
                pt_diag_error(diag, "newer-version", pointer,
                              "it was sealed by a newer Patronus: update this one, or write the "
                              "secret itself");
        else if (r < 0)
                pt_diag_error(
                        diag, "bad-secret", pointer,
                        "a sealed secret that was cut or changed: give it as it was exported, "
                        "or write the secret itself");
        if (r < 0)
                return r;
        pt_secret_set_sealed(secret, text);
        return 0;
}

static int secret_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        size_t size;

        if (!text) {
                pt_diag_error(diag, "wrong-type", pointer,
                              "a secret is text without NUL: write a string, in quotes if it looks "
                              "like something else");
                return -EINVAL;
        }
        if (strcmp(text, PT_SECRET_REDACTED) == 0) {
                pt_secret_set_unchanged(value);
                return 0;
        }
        if (pt_sealed_text_is(text))
                return sealed_from_text(text, pointer, diag, value);
        size = strlen(text);
        if ((int64_t) size < MAX(field->min, 1) || (int64_t) size > secret_max(field)) {
                pt_diag_error(diag, "out-of-range", pointer,
                              "a secret of %" PRId64 " to %" PRId64 " bytes is needed here",
                              MAX(field->min, INT64_C(1)), secret_max(field));
                return -ERANGE;
        }
        pt_secret_set_plain(value, text, size);
        return 0;
}

static struct json_object *secret_to_json(const PtField *field, const void *value)
{
        const PtSecret *secret = value;

        (void) field;
        return json_object_new_string(pt_secret_state(secret) == PT_SECRET_SEALED
                                              ? pt_secret_sealed_text(secret)
                                              : PT_SECRET_REDACTED);
}

static int secret_compare(const void *a, const void *b)
{
        return pt_secret_compare(a, b);
}

static void secret_copy(const PtField *field, void *to, const void *from)
{
        (void) field;
        pt_secret_copy(to, from);
}

static void secret_done(const PtField *field, void *value)
{
        (void) field;
        pt_secret_done(value);
}

const PtType pt_type_secret = {
        .name = "secret",
        .signature = "s",
        .size = sizeof(PtSecret),
        .syntax = "text that nobody sees again",
        .schema = secret_schema,
        .from_json = secret_from_json,
        .to_json = secret_to_json,
        .from_text = pt_text_from_text,
        .compare = secret_compare,
        .copy = secret_copy,
        .done = secret_done,
};

typedef int (*SecretFunc)(const PtField *field, const char *path, const PtSecret *secret,
                          void *userdata);

/* As deep as the tables are. */
static int visit_secrets(const PtField *fields, const void *base, uint64_t present,
                         const char *before, SecretFunc each, void *userdata)
{
        for (const PtField *field = fields; field->name; field++) {
                const void *value = pt_field_value(field, base);
                g_autofree char *path = NULL, *inside = NULL;
                int r = 0;

                if (!(present >> (field - fields) & 1) ||
                    (field->type != &pt_type_secret && !pt_field_nested(field)))
                        continue;
                path = g_strconcat(before, field->name, NULL);
                if (pt_field_nested(field)) {
                        inside = g_strconcat(path, ".", NULL);
                        r = visit_secrets(field->fields, value, *pt_nested_present((void *) value),
                                          inside, each, userdata);
                } else {
                        r = each(field, path, value, userdata);
                }
                if (r != 0)
                        return r;
        }
        return 0;
}

int pt_object_foreach_secret(const PtObject *object, SecretFunc each, void *userdata)
{
        return visit_secrets(object->kind->fields, object, object->present, "", each, userdata);
}

static bool fields_have_secret(const PtField *fields)
{
        for (const PtField *field = fields; field->name; field++)
                if (field->type == &pt_type_secret ||
                    (pt_field_nested(field) && fields_have_secret(field->fields)))
                        return true;
        return false;
}

bool pt_kind_has_secret(const PtKind *kind)
{
        return fields_have_secret(kind->fields);
}
