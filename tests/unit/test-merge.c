/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Merges that random edits of few rules do not come to; the others are in tests/bus. */

#include "kind-unit.h"

#include "merge.h"
#include "slice-unit.h"

static PtObject *new_rule(const char *name, uint32_t position)
{
        PtObject *object = pt_object_new(&pt_kind_firewall_rule, name);

        ((FirewallRule *) (void *) object)->action = FW_ALLOW;
        object->present = UINT64_C(1) << FW_RULE_ACTION;
        object->position = position;
        pt_object_seal(object);
        return object;
}

static void put(PtSlice *slice, const char *name, uint32_t position)
{
        g_autoptr(PtObject) object = new_rule(name, position);

        pt_slice_put(slice, object);
}

/* Three slices that begin as the same rules "name:position ...". */
typedef struct Three {
        PtSlice *base, *mine, *theirs;
} Three;

static Three new_three(const char *text)
{
        g_auto(GStrv) words = g_strsplit(text, " ", 0);
        Three three = {.base = pt_slice_new()};

        for (char **word = words; *word; word++) {
                g_auto(GStrv) parts = g_strsplit(*word, ":", 2);

                put(three.base, parts[0], (uint32_t) atoi(parts[1]));
        }
        three.mine = pt_slice_clone(three.base);
        three.theirs = pt_slice_clone(three.base);
        return three;
}

static void three_clear(Three *three)
{
        pt_slice_unref(three->base);
        pt_slice_unref(three->mine);
        pt_slice_unref(three->theirs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Three, three_clear)

/* Expects an order, or with NULL one conflict. */
static void check(Three *three, MergePrefer prefer, const char *expected)
{
        g_autoptr(Merge) merge = merge_new(three->base, three->mine, three->theirs, prefer);
        g_autofree char *found = unit_order(merge->merged);

        if (prefer == MERGE_REPORT)
                assert_int_equal(merge->conflicts->len, expected ? 0 : 1);
        if (expected)
                assert_string_equal(found, expected);
}

static void test_no_room(void **state)
{
        g_auto(Three) three = new_three("a:10 b:13");

        (void) state;
        put(three.theirs, "t", 11);
        put(three.mine, "m", 11);
        check(&three, MERGE_REPORT, "a:10 t:11 m:12 b:13");
        put(three.mine, "n", 12);
        check(&three, MERGE_REPORT, NULL); /* two numbers for three */
}

static void test_a_gap_is_spread_anew_when_what_is_there_leaves_no_room(void **state)
{
        g_auto(Three) three = new_three("a:10 b:20");

        (void) state;
        put(three.theirs, "t", 19);
        put(three.mine, "m", 15);
        put(three.mine, "n", 16);
        check(&three, MERGE_REPORT, "a:10 t:12 m:16 n:18 b:20");
}

static void test_the_end_of_all_positions(void **state)
{
        g_auto(Three) three = new_three("a:2147483640");

        (void) state;
        put(three.theirs, "t", PT_POSITION_MAX);
        put(three.mine, "m", PT_POSITION_MAX);
        check(&three, MERGE_REPORT, "a:2147483640 t:2147483642 m:2147483646");
}

/* c before b, they said; b before everything, I said: one of the two has to go back. */
static void test_preferences_in_the_order(void **state)
{
        g_auto(Three) three = new_three("a:10 b:20 c:30");

        (void) state;
        put(three.theirs, "c", 15);
        put(three.mine, "b", 40); /* after c, as c is before it: both wanted that */
        check(&three, MERGE_REPORT, "a:10 c:15 b:40");
        put(three.mine, "b", 20);
        put(three.mine, "a", 25); /* after b, before c: that c is before a is nobody's wish */
        check(&three, MERGE_REPORT, NULL);
        put(three.theirs, "c", 5); /* before a: they wanted that */
        check(&three, MERGE_REPORT, "c:5 b:20 a:25");
        put(three.theirs, "c", 30);
        put(three.theirs, "b", 5); /* before a; so did I want it */
        check(&three, MERGE_REPORT, "b:5 a:25 c:30");
        put(three.mine, "a", 10);
        put(three.mine, "c", 15); /* between a and b, which goes before a: c is before b no more */
        put(three.theirs, "b", 5);
        check(&three, MERGE_REPORT, NULL);
        check(&three, MERGE_MINE, "a:10 c:15 b:20");
        check(&three, MERGE_THEIRS, "b:5 a:10 c:30");
}

/* Both turn thousands around: nobody looks at each pair. */
static void test_too_many_to_compare(void **state)
{
        g_auto(Three) three = new_three("a:1");

        (void) state;
        for (unsigned i = 0; i < 2100; i++) {
                g_autofree char *mine = g_strdup_printf("m%u", i),
                                *theirs = g_strdup_printf("t%u", i);

                put(three.base, mine, 10 + i);
                put(three.base, theirs, 10000 + i);
                put(three.mine, mine, 20000 - i);
                put(three.mine, theirs, 10000 + i);
                put(three.theirs, mine, 10 + i);
                put(three.theirs, theirs, 30000 - i);
        }
        check(&three, MERGE_REPORT, NULL);
        {
                g_autoptr(Merge) merge =
                        merge_new(three.base, three.mine, three.theirs, MERGE_MINE);

                assert_int_equal(pt_slice_count(merge->merged, NULL), 4201);
        }
}

static void test_new_ones_are_not_compared(void **state)
{
        g_auto(Three) three = new_three("a:1");

        (void) state;
        for (unsigned i = 0; i < 3000; i++) {
                g_autofree char *mine = g_strdup_printf("m%u", i),
                                *theirs = g_strdup_printf("t%u", i);

                put(three.mine, mine, 1024 * (i + 1));
                put(three.theirs, theirs, 1024 * (i + 1));
        }

        g_autoptr(Merge) merge = merge_new(three.base, three.mine, three.theirs, MERGE_REPORT);

        assert_int_equal(merge->conflicts->len, 0);
        assert_int_equal(pt_slice_get(merge->merged, &pt_kind_firewall_rule, "t2999")->position,
                         3000 * 1024);
        assert_int_equal(pt_slice_get(merge->merged, &pt_kind_firewall_rule, "m0")->position,
                         3001 * 1024);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_a_gap_is_spread_anew_when_what_is_there_leaves_no_room),
                cmocka_unit_test(test_the_end_of_all_positions),
                cmocka_unit_test(test_preferences_in_the_order),
                cmocka_unit_test(test_too_many_to_compare),
                cmocka_unit_test(test_new_ones_are_not_compared),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
