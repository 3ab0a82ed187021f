/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "move.h"
#include "slice-unit.h"

/* A slice of rules "name:position" or "name:position:priority". */
static PtSlice *new_slice(const char *text)
{
        g_auto(GStrv) words = g_strsplit(text, " ", 0);
        PtSlice *slice = pt_slice_new();

        for (char **word = words; *word; word++) {
                g_auto(GStrv) parts = g_strsplit(*word, ":", 3);
                g_autofree char *json = g_strdup_printf(
                        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\","
                        "\"metadata\":{\"name\":\"%s\",\"position\":%s},"
                        "\"spec\":{\"action\":\"allow\"%s%s}}",
                        parts[0], parts[1], parts[2] ? ",\"priority\":" : "", parts[2] ?: "");
                g_autoptr(PtObject) object = unit_object(json);

                pt_object_seal(object);
                pt_slice_put(slice, object);
        }
        return slice;
}

static void check(const char *before, const char *name, MoveWhere where, const char *other,
                  const char *expected)
{
        g_autoptr(PtSlice) slice = new_slice(before);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *found = NULL;

        assert_int_equal(move_object(slice, &pt_kind_firewall_rule, name, where, other, diag), 0);
        found = unit_order(slice);
        assert_string_equal(found, expected);
        assert_int_equal(pt_diag_count(diag), 0);
}

#define THREE "a:1024 b:2048 c:3072"

static void test_one_position_where_there_is_a_gap(void **state)
{
        check(THREE, "c", MOVE_BEFORE, "b", "a:1024 c:1536 b:2048");
        check(THREE, "a", MOVE_AFTER, "b", "b:2048 a:2560 c:3072");
        check(THREE, "c", MOVE_FIRST, "", "c:512 a:1024 b:2048");
        check(THREE, "a", MOVE_LAST, "", "b:2048 c:3072 a:4096");
        check(THREE, "b", MOVE_LAST, "", "a:1024 c:3072 b:4096");
}

static void test_what_is_there_already_stays(void **state)
{
        check(THREE, "b", MOVE_AFTER, "a", THREE);
        check(THREE, "b", MOVE_BEFORE, "c", THREE);
        check(THREE, "a", MOVE_FIRST, "", THREE);
        check(THREE, "c", MOVE_LAST, "", THREE);
        check(THREE, "b", MOVE_BEFORE, "b", THREE);
        check("a:7", "a", MOVE_LAST, "", "a:7");
}

static void test_the_shortest_run_makes_room(void **state)
{
        /* Between b and c: shifting c is enough, to the left it would be a and b. */
        check("a:1 b:2 c:3 d:100 z:200", "z", MOVE_AFTER, "b", "a:1 b:2 z:34 c:67 d:100");
        /* To the left one, to the right two. */
        check("a:10 b:98 c:99 d:100 z:200", "z", MOVE_BEFORE, "c", "a:10 b:39 z:69 c:99 d:100");
        /* At the very start nothing is below 1. */
        check("a:1 b:2 z:9", "z", MOVE_FIRST, "", "z:1024 a:2048 b:3072");
        /* Equal positions, of other sets, are ordered by name, which a move cannot use: a goes. */
        check("a:5 b:5 c:5 z:9", "z", MOVE_AFTER, "a", "a:1 z:3 b:5 c:5");
}

static void test_no_room_at_the_end(void **state)
{
        g_autoptr(PtSlice) slice = new_slice("a:2147483647 b:2147483648 z:1");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *after = NULL;

        /* All of them are a run that is spread anew. */
        assert_int_equal(move_object(slice, &pt_kind_firewall_rule, "z", MOVE_LAST, "", diag), 0);
        after = unit_order(slice);
        assert_string_equal(after, "a:1024 b:2048 z:3072");
}

static void refuse(const char *name, MoveWhere where, const char *other, int expected,
                   const char *code, const char *pointer, const char *part)
{
        g_autoptr(PtSlice) slice = new_slice("a:1024 b:2048:10 c:3072:10 d:4096:20");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *before = unit_order(slice), *after = NULL;

        assert_int_equal(move_object(slice, &pt_kind_firewall_rule, name, where, other, diag),
                         expected);
        assert_diag(diag, code, pointer, part);
        after = unit_order(slice);
        assert_string_equal(before, after);
}

static void test_priorities_decide_first(void **state)
{
        refuse("d", MOVE_BEFORE, "b", -EINVAL, "no-effect", "/spec/priority", "set priority=10");
        refuse("b", MOVE_BEFORE, "d", -EINVAL, "no-effect", "/spec/priority",
               "before \"d\" already");
        refuse("a", MOVE_AFTER, "d", -EINVAL, "no-effect", "/spec/priority", "after \"d\" already");
        refuse("a", MOVE_BEFORE, "d", -EINVAL, "no-effect", "/spec/priority", "this has 32768");
        check("b:2048:10 c:3072:10", "c", MOVE_BEFORE, "b", "c:1024 b:2048");
}

static void test_what_is_not_there(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) zone = unit_object(UNIT_ZONE("lan", ""));

        refuse("x", MOVE_FIRST, "", -ENOENT, "not-found", "", "there is no FirewallRule \"x\"");
        refuse("a", MOVE_AFTER, "x", -ENOENT, "not-found", "", "there is no FirewallRule \"x\"");
        pt_object_seal(zone);
        pt_slice_put(slice, zone);
        assert_int_equal(move_object(slice, &pt_kind_zone, "lan", MOVE_FIRST, "", diag), -EINVAL);
        assert_diag(diag, "no-order", "", "has no meaning");
        assert_int_equal(move_where_from_string("before"), MOVE_BEFORE);
        assert_int_equal(move_where_from_string("behind"), MOVE_INVALID);
}

/* Random moves against a list of names: the order is right, and no position is taken twice. */
static void test_random_moves(void **state)
{
        g_autoptr(PtSlice) slice = new_slice("a:1 b:2 c:3 d:4 e:5 f:6 g:7 h:8");
        g_autoptr(GString) model = g_string_new("abcdefgh");
        g_autoptr(GRand) random = g_rand_new_with_seed(7);

        for (unsigned i = 0; i < 2000; i++) {
                char name[2] = {(char) ('a' + g_rand_int_range(random, 0, 8)), '\0'};
                char other[2] = {(char) ('a' + g_rand_int_range(random, 0, 8)), '\0'};
                MoveWhere where = g_rand_int_range(random, 0, MOVE_MAX);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autofree char *found = NULL;
                g_auto(GStrv) words = NULL;
                uint64_t last = 0;

                assert_int_equal(
                        move_object(slice, &pt_kind_firewall_rule, name, where, other, diag), 0);
                if (name[0] != other[0] || where == MOVE_FIRST || where == MOVE_LAST) {
                        g_string_erase(model, strchr(model->str, name[0]) - model->str, 1);
                        g_string_insert_c(model,
                                          where == MOVE_FIRST ? 0
                                          : where == MOVE_LAST
                                                  ? -1
                                                  : strchr(model->str, other[0]) - model->str +
                                                            (where == MOVE_AFTER),
                                          name[0]);
                }
                found = unit_order(slice);
                words = g_strsplit(found, " ", 0);
                for (unsigned j = 0; words[j]; j++) {
                        uint64_t position = g_ascii_strtoull(words[j] + 2, NULL, 10);

                        assert_int_equal(words[j][0], model->str[j]);
                        assert_true(position > last);
                        last = position;
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_position_where_there_is_a_gap),
                cmocka_unit_test(test_what_is_there_already_stays),
                cmocka_unit_test(test_the_shortest_run_makes_room),
                cmocka_unit_test(test_no_room_at_the_end),
                cmocka_unit_test(test_priorities_decide_first),
                cmocka_unit_test(test_what_is_not_there),
                cmocka_unit_test(test_random_moves),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
