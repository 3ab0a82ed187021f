/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "position.h"

/* A rule of a set, unsealed; position 0: the input says none. */
static PtObject *new_rule(const char *name, const char *set, unsigned position)
{
        PtObject *object = pt_object_new(&pt_kind_firewall_rule, name);

        object->position = position;
        if (set)
                pt_object_set_label(object, PT_LABEL_SET, set);
        return object;
}

/* The slice with "name:position ..." of a set. */
static PtSlice *new_slice(const char *text, const char *set)
{
        g_auto(GStrv) words = g_strsplit(text, " ", 0);
        PtSlice *slice = pt_slice_new();

        for (char **word = words; *word && **word; word++) {
                g_auto(GStrv) parts = g_strsplit(*word, ":", 2);
                g_autoptr(PtObject) object =
                        new_rule(parts[0], set, (unsigned) g_ascii_strtoull(parts[1], NULL, 10));

                pt_object_seal(object);
                pt_slice_put(slice, object);
        }
        return slice;
}

/* Gives "name:position ..." after an input of names, with positions where one is said. */
static char *assign_in(const PtSlice *slice, const char *input, const char *set, bool replaced,
                       PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) objects =
                g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref);
        g_autoptr(GHashTable) sets = g_hash_table_new(g_str_hash, g_str_equal);
        g_auto(GStrv) words = g_strsplit(input, " ", 0);
        GString *out = g_string_new(NULL);

        for (char **word = words; *word; word++) {
                g_auto(GStrv) parts = g_strsplit(*word, ":", 2);
                unsigned position = parts[1] ? (unsigned) g_ascii_strtoull(parts[1], NULL, 10) : 0;

                g_ptr_array_add(objects, new_rule(parts[0], set, position));
        }
        if (replaced)
                g_hash_table_add(sets, (void *) (set ?: ""));
        if (position_assign(slice, objects, sets, diag) < 0)
                return g_string_free(out, true), NULL;
        for (guint i = 0; i < objects->len; i++) {
                const PtObject *object = g_ptr_array_index(objects, i);

                g_string_append_printf(out, "%s%s:%u", i ? " " : "", object->name,
                                       object->position);
        }
        return g_string_free(out, false);
}

static void check(const char *before, const char *input, bool replaced, const char *expected)
{
        g_autoptr(PtSlice) slice = new_slice(before, NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *found = assign_in(slice, input, NULL, replaced, diag);

        assert_non_null(found);
        assert_string_equal(found, expected);
}

static void test_new_objects_follow_the_file(void **state)
{
        check("", "b a c", false, "b:1024 a:2048 c:3072");
}

static void test_positions_stay_while_they_increase(void **state)
{
        check("a:10 b:20 c:30", "a b c", false, "a:10 b:20 c:30");
        check("a:10 b:20 c:30", "a c", false, "a:10 c:30");
        /* b comes first now: a, which was below, gets a new one; c keeps its own. */
        check("a:10 b:20 c:30", "b a c", false, "b:20 a:25 c:30");
        check("a:10 b:20 c:30", "c a b", true, "c:30 a:1054 b:2078");
}

static void test_between_neighbours(void **state)
{
        check("a:1024 b:2048", "a x b", false, "a:1024 x:1536 b:2048");
        check("a:1024 b:2048", "x a b", false, "x:512 a:1024 b:2048");
        check("a:1024 b:2048", "a x y z b", false, "a:1024 x:1280 y:1536 z:1792 b:2048");
}

static void test_a_neighbour_without_room_moves_too(void **state)
{
        check("a:1 b:2 c:1000", "a x b c", false, "a:1 x:334 b:667 c:1000");
        check("a:1 b:2 c:3", "a x b c", true, "a:1 x:1025 b:2049 c:3073");
}

static void test_appending(void **state)
{
        /* After the whole set, not only after what the input names. */
        check("a:10 b:20 c:3000", "a x", false, "a:10 x:4024");
        /* Unless the rest of the set goes away. */
        check("a:10 b:20 c:3000", "a x", true, "a:10 x:1034");
}

static void test_other_sets_do_not_count(void **state)
{
        g_autoptr(PtSlice) slice = new_slice("a:9000", "web");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *other = assign_in(slice, "x", NULL, false, diag);
        g_autofree char *same = assign_in(slice, "x", "web", false, diag);

        assert_string_equal(other, "x:1024");
        assert_string_equal(same, "x:10024");
}

static void test_the_input_says(void **state)
{
        check("a:10 b:20", "a:500 b x", true, "a:500 b:1524 x:2548");
        check("", "a:7 b c:9", false, "a:7 b:8 c:9");
        /* Out of order, as it says. */
        check("", "a:900 b:100 c", false, "a:900 b:100 c:1124");
}

static void check_no_room(const char *before, const char *input, const char *part)
{
        g_autoptr(PtSlice) slice = new_slice(before, NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        assert_null(assign_in(slice, input, NULL, false, diag));
        assert_diag(diag, "no-position", "/metadata/position", part);
}

static void test_no_room(void **state)
{
        check_no_room("", "a:7 b c:8", "do not fit");
        check_no_room("z:2147483648", "a", "no position is left");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new_objects_follow_the_file),
                cmocka_unit_test(test_positions_stay_while_they_increase),
                cmocka_unit_test(test_between_neighbours),
                cmocka_unit_test(test_a_neighbour_without_room_moves_too),
                cmocka_unit_test(test_appending),
                cmocka_unit_test(test_other_sets_do_not_count),
                cmocka_unit_test(test_the_input_says),
                cmocka_unit_test(test_no_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
