/* SPDX-License-Identifier: GPL-3.0-or-later */

/* YAML -> objects -> YAML -> the same objects; and YAML -> tree -> YAML -> the same tree. */

#include "kind/yaml.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *canonical(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

static int same(PtObject *object, void *userdata)
{
        g_autofree char *text = canonical(object);

        g_assert_cmpstr(text, ==, userdata);
        pt_object_unref(object);
        return 1;
}

static int read_back(PtObject *object, void *userdata)
{
        g_autoptr(GString) yaml = g_string_new(NULL);
        g_autofree char *text = canonical(object);

        (void) userdata;
        pt_object_to_yaml(object, true, yaml);
        g_assert(pt_yaml_read("again", yaml->str, yaml->len, 0, NULL, same, text) == 1);
        pt_object_unref(object);
        return 0;
}

static void check_tree(const char *text, size_t size)
{
        pt_auto_json *json = NULL, *again = NULL;
        g_autoptr(GString) yaml = NULL;

        if (pt_yaml_parse("fuzz", text, size, NULL, &json) < 0)
                return;
        yaml = g_string_new(NULL);
        pt_json_to_yaml(json, yaml);
        if (yaml->len > PT_DOCUMENT_MAX)
                return;
        g_assert(pt_yaml_parse("again", yaml->str, yaml->len, NULL, &again) == 0);
        g_assert(json_object_equal(json, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        if (pt_yaml_read("fuzz", (const char *) data, size, PT_FROM_ALLOW_NAMELESS, diag, read_back,
                         NULL) < 0)
                g_assert(pt_diag_errors(diag) > 0);
        check_tree((const char *) data, size);
        return 0;
}
