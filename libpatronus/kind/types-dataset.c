/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* The name of a dataset: SHA-256 of its file, 64 hex digits. Whether there is such a file is asked
 * where all datasets are known. */

static void dataset_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, "^[0-9a-f]{64}$");
}

static int dataset_from_json(const PtField *field, struct json_object *json, const char *pointer,
                             PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag, "write the digest of a dataset");
        if (strlen(text) != 2 * PT_DIGEST_SIZE ||
            strspn(text, "0123456789abcdef") != 2 * PT_DIGEST_SIZE) {
                pt_diag_error(diag, "invalid-digest", pointer,
                              "\"%.80s\" is not the digest of a dataset: 64 hex digits, as the "
                              "list of datasets shows them",
                              text);
                return -EINVAL;
        }
        *(char **) value = g_strdup(text);
        return 0;
}

const PtType pt_type_dataset = {
        .name = "dataset",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "the digest of a dataset",
        .schema = dataset_schema,
        .from_json = dataset_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
