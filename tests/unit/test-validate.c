/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "validate.h"

/* A slice of the documents; the last is NULL. */
static PtSlice *new_slice(const char *const *documents)
{
        PtSlice *slice = pt_slice_new();

        for (; *documents; documents++) {
                g_autoptr(PtObject) object = unit_object(*documents);

                pt_object_seal(object);
                pt_slice_put(slice, object);
        }
        return slice;
}
#define SLICE(...) new_slice((const char *const[]){__VA_ARGS__, NULL})

/* Validates the way from one slice to the other, as a candidate comes to be: by editing a clone. */
static int edit(const PtObject *before, const PtObject *after, void *userdata)
{
        if (after)
                pt_slice_put(userdata, after);
        else
                pt_slice_remove(userdata, before->kind, before->name);
        return 0;
}

static PtDiagnostics *validate(PtSlice *before, PtSlice *after, int expected)
{
        g_autoptr(PtSlice) candidate = pt_slice_clone(before);
        g_autoptr(Changes) changes = NULL;
        PtDiagnostics *diag = pt_diag_new();

        pt_slice_compare(before, after, edit, candidate);
        changes = changes_new(before, candidate);
        assert_int_equal(validate_changes(changes, "/nonexistent", diag), expected);
        pt_slice_unref(before);
        pt_slice_unref(after);
        return diag;
}

#define LAN UNIT_ZONE("lan", "\"interfaces\":[\"eth1\"]")
#define WEB UNIT_RULE("web", "\"action\":\"allow\",\"to\":\"lan\"")

static void test_references(void **state)
{
        g_autoptr(PtDiagnostics) good = validate(pt_slice_new(), SLICE(LAN, WEB), 0);
        g_autoptr(PtDiagnostics) bad = validate(pt_slice_new(), SLICE(WEB), -EINVAL);
        g_autoptr(PtDiagnostics) near =
                validate(pt_slice_new(), SLICE(WEB, UNIT_ZONE("lann", "")), -EINVAL);
        g_autoptr(PtDiagnostics) reserved = validate(
                pt_slice_new(),
                SLICE(UNIT_RULE("a", "\"action\":\"drop\",\"from\":\"any\",\"to\":\"router\"")), 0);

        assert_diag(bad, "dangling-reference", "/spec/to", "create it in the same input");
        assert_string_equal(pt_diag_get(bad, 0)->subject, "FirewallRule/web");
        assert_diag(near, "dangling-reference", "/spec/to", "did you mean \"lann\"?");
        assert_int_equal(pt_diag_count(good) + pt_diag_count(reserved), 0);
}

static void test_deletion_in_use(void **state)
{
        g_autoptr(PtDiagnostics) used = validate(SLICE(LAN, WEB), SLICE(WEB), -EINVAL);
        g_autoptr(PtDiagnostics) both = validate(SLICE(LAN, WEB), pt_slice_new(), 0);
        g_autoptr(PtDiagnostics) moved =
                validate(SLICE(LAN, WEB), SLICE(UNIT_RULE("web", "\"action\":\"drop\"")), 0);

        assert_int_equal(pt_diag_count(used), 1);
        assert_diag(used, "in-use", "/spec/to", "cannot be deleted");
        assert_string_equal(pt_diag_get(used, 0)->subject, "FirewallRule/web");
        assert_int_equal(pt_diag_count(both) + pt_diag_count(moved), 0);
}

/* That one of the objects it names was edited does not hide that another one goes. */
static void test_deletion_beside_an_edit(void **state)
{
        const char *wan = UNIT_ZONE("wan", "\"interfaces\":[\"eth0\"]"),
                   *edited = UNIT_ZONE("wan", "\"interfaces\":[\"eth2\"]"),
                   *web = UNIT_RULE("web", "\"action\":\"allow\",\"from\":\"wan\",\"to\":\"lan\"");
        g_autoptr(PtDiagnostics) diag = validate(SLICE(wan, LAN, web), SLICE(edited, web), -EINVAL);

        assert_int_equal(pt_diag_count(diag), 1);
        assert_diag(diag, "in-use", "/spec/to", "lan");
}

/* A referrer that changed in the same commit is complained about once. */
static void test_changed_referrer_of_a_deleted_object(void **state)
{
        g_autoptr(PtDiagnostics) diag =
                validate(SLICE(LAN, WEB),
                         SLICE(UNIT_RULE("web", "\"action\":\"drop\",\"to\":\"lan\"")), -EINVAL);

        assert_int_equal(pt_diag_count(diag), 1);
        assert_diag(diag, "in-use", "/spec/to", "lan");
}

static void test_rules_between_objects(void **state)
{
        g_autoptr(PtDiagnostics) diag = validate(
                SLICE(LAN), SLICE(LAN, UNIT_ZONE("dmz", "\"interfaces\":[\"eth1\"]")), -EINVAL);

        assert_diag(diag, "zone-overlap", "/spec/interfaces/0", "eth1");
}

static void test_many_errors_are_cut_short(void **state)
{
        g_autoptr(PtSlice) empty = pt_slice_new();
        g_autoptr(PtSlice) candidate = pt_slice_new();
        g_autoptr(Changes) changes = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        for (unsigned i = 0; i < 3 * PT_DIAG_MAX; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i);
                g_autoptr(PtObject) web = unit_object(WEB);
                g_autoptr(PtObject) object = pt_object_copy(web, name);

                pt_object_seal(object);
                pt_slice_put(candidate, object);
        }
        changes = changes_new(empty, candidate);
        assert_int_equal(validate_changes(changes, "/nonexistent", diag), -EINVAL);
        assert_int_equal(pt_diag_count(diag), PT_DIAG_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_references),
                cmocka_unit_test(test_deletion_in_use),
                cmocka_unit_test(test_deletion_beside_an_edit),
                cmocka_unit_test(test_changed_referrer_of_a_deleted_object),
                cmocka_unit_test(test_rules_between_objects),
                cmocka_unit_test(test_many_errors_are_cut_short),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
