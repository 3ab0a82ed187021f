/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The first byte selects a type, the rest is the text of a value: text -> value -> text is a fixed
 * point. */

#include "kind/type.h"
#include "kinds/firewall/firewall.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value of a text; false if it is refused, and then for a reason. */
static bool value_of(const PtField *field, const char *text, void *value)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;

        g_assert(field->type->from_text(field, text, &json) == 0);
        if (field->type->from_json(field, json, "", diag, value) == 0)
                return true;
        g_assert(pt_diag_errors(diag) == 1);
        return false;
}

static char *text_of(const PtField *field, const void *value)
{
        pt_auto_json *json = field->type->to_json(field, value);

        return g_strdup(json_object_get_string(json));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        PtField field = {.choices = fw_actions, .ref = "Zone"};
        g_autofree char *text = NULL, *written = NULL, *written2 = NULL;
        g_autofree void *value = NULL, *again = NULL;
        size_t n = 0;

        if (size == 0)
                return 0;
        while (pt_types[n])
                n++;
        field.type = pt_types[data[0] % n];
        text = g_strndup((const char *) data + 1, size - 1);
        if (!g_utf8_validate(text, -1, NULL))
                return 0;
        value = g_malloc0(field.type->size);
        again = g_malloc0(field.type->size);
        if (!value_of(&field, text, value))
                return 0;
        written = text_of(&field, value);
        /* One in the clear is never written as it is. */
        if (field.type == &pt_type_secret && pt_secret_state(value) == PT_SECRET_PLAIN) {
                g_assert_cmpstr(written, ==, PT_SECRET_REDACTED);
                field.type->done(&field, value);
                return 0;
        }
        g_assert(value_of(&field, written, again));
        g_assert(field.type->compare(value, again) == 0);
        written2 = text_of(&field, again);
        g_assert_cmpstr(written, ==, written2);
        if (field.type->done) {
                field.type->done(&field, value);
                field.type->done(&field, again);
        }
        return 0;
}
