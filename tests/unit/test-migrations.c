/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Every row of every kind's migrations has documents of its version in tests/golden/migrations, and
 * what becomes of them: <Kind>-v<N>.json and <Kind>-v<N>.expected.json, a document a line.
 */

#include "unit.h"

#include "kind/json.h"
#include <stdio.h>
#include <string.h>

#define GOLDEN PT_SOURCE_ROOT "/tests/golden/migrations/"

/* The lines of a file; the caller frees. */
static char **lines_of(const PtKind *kind, const char *version, const char *suffix)
{
        g_autofree char *path =
                g_strconcat(GOLDEN, kind->name, "-", strrchr(version, '/') + 1, suffix, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                fail_msg("%s has a migration from %s, and there is no %s", kind->name, version,
                         path);
        return g_strsplit(g_strchomp(text), "\n", -1);
}

static char *migrated(const PtKind *kind, const char *version, const char *line)
{
        GString *out = g_string_new(NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) object = NULL;
        pt_auto_json *json = NULL;

        if (pt_json_parse(line, strlen(line), diag, &json) < 0 ||
            pt_object_from_json(json, 0, diag, &object) < 0)
                fail_msg("%s: %s", line, pt_diag_get(diag, 0)->text);
        assert_ptr_equal(object->kind, kind);
        assert_string_equal(json_object_get_string(json_object_object_get(json, "apiVersion")),
                            version);
        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

static void check(const PtKind *kind, const char *version)
{
        g_auto(GStrv) lines = lines_of(kind, version, ".json");
        g_auto(GStrv) expected = lines_of(kind, version, ".expected.json");

        assert_int_equal(g_strv_length(lines), g_strv_length(expected));
        for (unsigned i = 0; lines[i]; i++) {
                g_autofree char *got = migrated(kind, version, lines[i]);

                assert_string_equal(got, expected[i]);
        }
}

static void test_migrations(void **state)
{
        unsigned n = 0;

        (void) state;
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                for (const PtMigration *step = (*kind)->migrations; step && step->api_version;
                     step++, n++) {
                        assert_non_null(step->doc);
                        check(*kind, step->api_version);
                }
        print_message("%u migrations\n", n);
        assert_true(n >= 2); /* those of the test daemons at least */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_migrations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
