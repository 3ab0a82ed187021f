/* SPDX-License-Identifier: GPL-3.0-or-later */

/* JSON text -> tree -> canonical text, which is a fixed point; and the same for the object, if the
 * tree is one. */

#include "kind/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_object(struct json_object *json)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) object = NULL, again = NULL;
        g_autoptr(GString) text = NULL, text2 = NULL;

        if (pt_object_from_json(json, PT_FROM_ALLOW_NAMELESS, diag, &object) < 0) {
                g_assert(pt_diag_errors(diag) > 0); /* never refused without a reason */
                return;
        }
        text = g_string_new(NULL);
        text2 = g_string_new(NULL);
        pt_object_to_canonical(object, text);
        g_assert(pt_object_from_canonical(text->str, text->len, NULL, &again) == 0);
        pt_object_to_canonical(again, text2);
        g_assert_cmpstr(text->str, ==, text2->str);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) text = NULL, text2 = NULL;
        pt_auto_json *json = NULL, *again = NULL;

        if (pt_json_parse((const char *) data, size, diag, &json) < 0) {
                g_assert(pt_diag_errors(diag) > 0);
                return 0;
        }
        text = g_string_new(NULL);
        text2 = g_string_new(NULL);
        pt_json_to_canonical(json, text);
        /* Escapes can make a text longer, and a document has a limit. */
        if (text->len <= PT_DOCUMENT_MAX) {
                g_assert(pt_json_parse(text->str, text->len, NULL, &again) == 0);
                pt_json_to_canonical(again, text2);
                g_assert_cmpstr(text->str, ==, text2->str);
        }
        check_object(json);
        return 0;
}
