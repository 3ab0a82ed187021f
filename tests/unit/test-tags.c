/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which bits tags are, through random histories. */

#include "filter-unit.h"
#include "filter/tags.h"

#define COMMITS 400

static PtSlice *slice_of(const bool *used, unsigned n)
{
        PtSlice *slice = pt_slice_new();

        for (unsigned i = 0; i < n; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i);
                g_autofree char *spec = g_strdup_printf(
                        i % 2 ? "{\"action\":\"allow\",\"setTag\":\"t%u\"}"
                              : "{\"action\":\"drop\",\"enabled\":false,\"tagged\":[\"t%u\"]}",
                        i);

                if (used[i])
                        fw_put_rule(slice, name, 1, spec);
        }
        return slice;
}

/* No bit means one tag before and another one after. */
static void compare(const FwTags *before, const FwTags *after)
{
        for (unsigned i = 0; i < fw_tags_count(after); i++) {
                unsigned bit, other;
                const char *name = fw_tags_get(after, i, &bit);

                assert_in_range(bit, 0, FW_TAG_BITS - 1);
                for (unsigned k = 0; k < i; k++) {
                        assert_true(strcmp(fw_tags_get(after, k, &other), name) < 0);
                        assert_int_not_equal(bit, other);
                }
                for (unsigned k = 0; k < fw_tags_count(before); k++) {
                        const char *old = fw_tags_get(before, k, &other);

                        assert_int_equal(strcmp(old, name) == 0, bit == other);
                }
        }
}

static void test_history(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwTags) tags = fw_tags_new_empty(0);
        g_autoptr(GRand) rand = g_rand_new_with_seed(7);
        bool used[3 * FW_TAGS_MAX] = {false};

        assert_true(fw_tags_is_unused(tags));
        for (unsigned commit = 0; commit < COMMITS; commit++) {
                unsigned n = 0, most = (unsigned) g_rand_int_range(rand, 0, FW_TAGS_MAX + 1);
                g_autoptr(PtSlice) slice = NULL;
                FwTags *next = NULL;

                for (unsigned i = 0; i < G_N_ELEMENTS(used); i++) {
                        if (g_rand_int_range(rand, 0, 3) == 0)
                                used[i] = g_rand_boolean(rand);
                        used[i] = used[i] && n < most;
                        n += used[i];
                }
                slice = slice_of(used, G_N_ELEMENTS(used));
                assert_int_equal(fw_tags_new(slice, tags, diag, &next), 0);
                assert_int_equal(fw_tags_count(next), n);
                compare(tags, next);
                fw_tags_unref(tags);
                tags = next;
        }
        assert_false(fw_tags_is_unused(tags));
}

/* A bit that was given up is the last one to be given again. */
static void test_round_robin(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwTags) tags = NULL;

        for (unsigned i = 0; i < 3 * FW_TAG_BITS; i++) {
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autofree char *name = g_strdup_printf("t%u", i),
                                *spec = g_strdup_printf("{\"action\":\"allow\",\"setTag\":\"t%u\"}",
                                                        i);
                FwTags *next = NULL;

                fw_put_rule(slice, "r", 1, spec);
                assert_int_equal(fw_tags_new(slice, tags, diag, &next), 0);
                assert_int_equal(fw_tags_bit(next, name), i % FW_TAG_BITS);
                assert_int_equal(fw_tags_bit(next, "other"), -ENOENT);
                assert_true(fw_tags_mask(next, &name, 1) == (FwNumber) 1 << i % FW_TAG_BITS);
                fw_tags_unref(tags);
                tags = next;
        }
}

static void test_too_many(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        bool used[FW_TAGS_MAX + 1];
        FwTags *tags = NULL;
        PtSlice *slice;

        memset(used, true, sizeof(used));
        slice = slice_of(used, FW_TAGS_MAX);
        assert_int_equal(fw_tags_new(slice, NULL, diag, &tags), 0);
        pt_slice_unref(slice);
        slice = slice_of(used, FW_TAGS_MAX + 1);
        assert_int_equal(fw_tags_new(slice, tags, diag, NULL), -E2BIG);
        assert_string_equal(pt_diag_get(diag, 0)->code, "too-many-tags");
        pt_slice_unref(slice);
        fw_tags_unref(tags);
}

/* What is read back from somewhere may be anything. */
static void test_kept(void **state)
{
        g_autoptr(FwTags) tags = fw_tags_new_empty(300),
                          same = fw_tags_new_empty(300 % FW_TAG_BITS);

        assert_int_equal(fw_tags_add(tags, "b", 5), 0);
        assert_int_equal(fw_tags_add(tags, "a", 127), 0);
        assert_int_equal(fw_tags_add(tags, "c", 128), -EINVAL);
        assert_int_equal(fw_tags_add(tags, "c", 5), -EINVAL);
        assert_int_equal(fw_tags_add(tags, "a", 6), -EINVAL);
        assert_int_equal(fw_tags_add(same, "a", 127), 0);
        assert_false(fw_tags_same(tags, same));
        assert_int_equal(fw_tags_add(same, "b", 5), 0);
        assert_true(fw_tags_same(tags, same));
        for (unsigned i = 0; i < FW_TAGS_MAX - 2; i++) {
                g_autofree char *name = g_strdup_printf("t%u", i);

                assert_int_equal(fw_tags_add(tags, name, 10 + i), 0);
        }
        assert_int_equal(fw_tags_add(tags, "more", 120), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_history),
                cmocka_unit_test(test_round_robin),
                cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
