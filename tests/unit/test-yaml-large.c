/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Documents that are larger than an object may be, and what a hook makes of them. */

#include "kind-unit.h"

#include "kind/field.h"
#include "kind/yaml.h"

#define HEAD "apiVersion: patronus.firewall/v1\nkind: FirewallRule\nmetadata: {name: a}\nspec:\n"

typedef struct Seen {
        unsigned documents, objects;
        size_t longest; /* text, or list */
        PtObject *last;
} Seen;

static void seen_done(Seen *seen)
{
        g_clear_pointer(&seen->last, pt_object_unref);
}

static int take(PtObject *object, void *userdata)
{
        Seen *seen = userdata;

        seen->objects++;
        g_clear_pointer(&seen->last, pt_object_unref);
        seen->last = object;
        return 0;
}

/* "kind: Note" is dealt with; "bulk" of a spec is taken out, and must not have "bad" in it. */
static int hook(struct json_object *document, PtDiagnostics *diag, void *userdata,
                struct json_object **ret)
{
        struct json_object *kind = json_object_object_get(document, "kind");
        struct json_object *spec = json_object_object_get(document, "spec"), *bulk;
        Seen *seen = userdata;

        seen->documents++;
        if (g_strcmp0(json_object_get_string(kind), "Note") == 0) {
                seen->longest = (size_t) json_object_get_string_len(spec);
                return 1;
        }
        if (!json_object_object_get_ex(spec, "bulk", &bulk))
                return 0;
        seen->longest = json_object_array_length(bulk);
        for (size_t i = 0; i < seen->longest; i++) {
                g_autofree char *pointer = g_strdup_printf("/spec/bulk/%zu", i);

                if (g_strcmp0(pt_json_text(json_object_array_get_idx(bulk, i)), "bad") != 0)
                        continue;
                pt_diag_error(diag, "bad-entry", pointer, "not this one");
                return -EINVAL;
        }
        *ret = NULL;
        json_object_deep_copy(document, ret, NULL);
        json_object_object_del(json_object_object_get(*ret, "spec"), "bulk");
        return 0;
}

static int read_text(const GString *text, Seen *seen, PtDiagnostics *diag)
{
        return pt_yaml_read_large("x", text->str, text->len, 0, diag, hook, take, seen);
}

static void append_bulk(GString *text, unsigned n, bool json)
{
        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(text, json ? ",\"%08u\"" : "    - e%08u\n", i);
}

static void test_yaml(void **state)
{
        g_autoptr(GString) text = g_string_new(HEAD "  bulk:\n");
        pt_cleanup(seen_done) Seen seen = {};

        (void) state;
        append_bulk(text, 200000, false); /* 2.8 MB */
        g_string_append(text, "  action: allow\n---\n" HEAD "  action: drop\n");
        assert_int_equal(read_text(text, &seen, NULL), 0);
        assert_int_equal(seen.documents, 2);
        assert_int_equal(seen.objects, 2);
        assert_int_equal(seen.longest, 200000);
        /* Without the hook it is as refused as ever. */
        assert_int_equal(pt_yaml_read("x", text->str, text->len, 0, NULL, take, &seen), -EFBIG);
}

static void test_json_lines(void **state)
{
        g_autoptr(GString) text = g_string_new(NULL);
        pt_cleanup(seen_done) Seen seen = {};

        (void) state;
        g_string_append(text, "{\"kind\":\"Note\",\"spec\":\"");
        for (unsigned i = 0; i < 300000; i++)
                g_string_append(text, "entry\\n");
        g_string_append(
                text,
                "\"}\n{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\","
                "\"metadata\":{\"name\":\"a\"},\"spec\":{\"action\":\"allow\",\"bulk\":[\"x\"");
        append_bulk(text, 200000, true);
        g_string_append(text, "]}}\n");
        assert_int_equal(read_text(text, &seen, NULL), 0);
        assert_int_equal(seen.documents, 2);
        assert_int_equal(seen.objects, 1);
        assert_int_equal(seen.longest, 200001);
}

static void test_literal(void **state)
{
        g_autoptr(GString) text = g_string_new("kind: Note\nspec: |\n");
        pt_cleanup(seen_done) Seen seen = {};

        (void) state;
        for (unsigned i = 0; i < 300000; i++)
                g_string_append(text, "    entry\n");
        assert_int_equal(read_text(text, &seen, NULL), 0);
        assert_int_equal(seen.objects, 0);
        assert_int_equal(seen.longest, 300000 * 6);
}

/* What the hook and what the object's parser complain of is found where it stands. */
static void test_places(void **state)
{
        g_autoptr(GString) bad =
                g_string_new(HEAD "  bulk:\n    - a\n    - bad\n  action: allow\n");
        g_autoptr(GString) beside =
                g_string_new(HEAD "  bulk:\n    - a\n    - b\n  action: alow\n");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_cleanup(seen_done) Seen seen = {};

        (void) state;
        assert_int_equal(read_text(bad, &seen, diag), -EINVAL);
        assert_int_equal(read_text(beside, &seen, diag), -EINVAL);
        assert_int_equal(seen.objects, 0);
        assert_int_equal(pt_diag_count(diag), 2);
        assert_string_equal(pt_diag_get(diag, 0)->subject, "x:7:7: FirewallRule/a");
        assert_string_equal(pt_diag_get(diag, 0)->code, "bad-entry");
        assert_string_equal(pt_diag_get(diag, 1)->subject, "x:8:3: FirewallRule/a");
        assert_string_equal(pt_diag_get(diag, 1)->pointer, "/spec/action");
}

/* Values cost memory, whatever their bytes. */
static void test_too_many_values(void **state)
{
        g_autoptr(GString) yaml = g_string_new(HEAD "  bulk: [");
        g_autoptr(GString) json = g_string_new("{\"spec\":{\"bulk\":[1");
        pt_cleanup(seen_done) Seen seen = {};
        pt_auto_json *tree = NULL;

        (void) state;
        for (unsigned i = 0; i < PT_LARGE_VALUES_MAX; i++) {
                g_string_append(yaml, "1,");
                g_string_append(json, ",1");
        }
        g_string_append(yaml, "]\n");
        g_string_append(json, "]}}\n");
        assert_int_equal(read_text(yaml, &seen, NULL), -EFBIG);
        assert_int_equal(pt_json_parse_large(json->str, json->len, NULL, &tree), -EINVAL);
        assert_int_equal(seen.documents, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_yaml),
                cmocka_unit_test(test_json_lines),
                cmocka_unit_test(test_literal),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_too_many_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
