/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "rename.h"
#include "uids.h"

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

#define LAN UNIT_ZONE("lan", "\"interfaces\":[\"eth1\"]")
#define WEB UNIT_RULE("web", "\"action\":\"allow\",\"from\":\"lan\",\"to\":\"lan\"")
#define SSH UNIT_RULE("ssh", "\"action\":\"allow\",\"from\":\"any\",\"to\":\"dmz\"")
#define DMZ UNIT_ZONE("dmz", "")

static char *canonical(const PtSlice *slice, const PtKind *kind, const char *name)
{
        GString *out = g_string_new(NULL);

        assert_non_null(pt_slice_get(slice, kind, name));
        pt_object_to_canonical(pt_slice_get(slice, kind, name), out);
        return g_string_free(out, false);
}

static void test_references_follow(void **state)
{
        g_autoptr(PtSlice) slice = SLICE(LAN, WEB, SSH, DMZ);
        const PtObject *ssh = pt_slice_get(slice, &pt_kind_firewall_rule, "ssh");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        uint8_t before[16], after[16];
        g_autofree char *web = NULL;

        pt_object_uid(pt_slice_get(slice, &pt_kind_zone, "lan"), before);
        assert_int_equal(rename_object(slice, &pt_kind_zone, "lan", "inside", diag), 0);
        assert_null(pt_slice_get(slice, &pt_kind_zone, "lan"));
        pt_object_uid(pt_slice_get(slice, &pt_kind_zone, "inside"), after);
        assert_memory_equal(before, after, 16);
        web = canonical(slice, &pt_kind_firewall_rule, "web");
        assert_non_null(strstr(web, "\"from\":\"inside\""));
        assert_non_null(strstr(web, "\"to\":\"inside\""));
        assert_ptr_equal(pt_slice_get(slice, &pt_kind_firewall_rule, "ssh"), ssh);
}

#define ALIAS(name, spec)                                                                          \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"Alias\",\"metadata\":{\"name\":\"" name                                   \
        "\"},\"spec\":{\"type\":\"network\"," spec "}}"

/* In lists, in structs inside structs, and in objects of the kind itself; a set is sorted anew. */
static void test_references_follow_however_deep(void **state)
{
        g_autoptr(PtSlice) slice = SLICE(
                ALIAS("a", "\"addresses\":[\"192.0.2.1\"]"),
                ALIAS("b", "\"addresses\":[\"192.0.2.2\"]"),
                ALIAS("all", "\"aliases\":[\"a\",\"b\"]"),
                UNIT_RULE("web", "\"action\":\"allow\",\"source\":{\"aliases\":[\"a\",\"b\"]},"
                                 "\"destination\":{\"except\":{\"aliases\":[\"a\"]}}"));
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *web = NULL, *all = NULL;

        assert_int_equal(rename_object(slice, &pt_kind_alias, "a", "zoo", diag), 0);
        web = canonical(slice, &pt_kind_firewall_rule, "web");
        all = canonical(slice, &pt_kind_alias, "all");
        assert_non_null(strstr(web, "\"source\":{\"aliases\":[\"b\",\"zoo\"]}"));
        assert_non_null(strstr(web, "\"except\":{\"aliases\":[\"zoo\"]}"));
        assert_non_null(strstr(all, "\"aliases\":[\"b\",\"zoo\"]"));
}

static void test_back_is_as_if_never_renamed(void **state)
{
        g_autoptr(PtSlice) slice = SLICE(LAN, WEB);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtDigest before, after;

        pt_slice_root(slice, &before);
        assert_int_equal(rename_object(slice, &pt_kind_firewall_rule, "web", "shop", diag), 0);
        assert_int_equal(rename_object(slice, &pt_kind_firewall_rule, "shop", "store", diag), 0);
        assert_non_null(pt_slice_get(slice, &pt_kind_firewall_rule, "store")->meta->uid);
        assert_int_equal(rename_object(slice, &pt_kind_firewall_rule, "store", "web", diag), 0);
        pt_slice_root(slice, &after);
        assert_true(pt_digest_equal(&before, &after));
        assert_int_equal(rename_object(slice, &pt_kind_firewall_rule, "web", "web", diag), 0);
}

static void refuse(const PtKind *kind, const char *name, const char *new_name, int expected,
                   const char *code, const char *pointer, const char *part)
{
        g_autoptr(PtSlice) slice = SLICE(LAN, WEB, SSH, DMZ);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtDigest before, after;

        pt_slice_root(slice, &before);
        assert_int_equal(rename_object(slice, kind, name, new_name, diag), expected);
        assert_diag(diag, code, pointer, part);
        pt_slice_root(slice, &after);
        assert_true(pt_digest_equal(&before, &after));
}

static void test_refusals(void **state)
{
        refuse(&pt_kind_zone, "wan", "x", -ENOENT, "not-found", "", "no Zone \"wan\"");
        refuse(&pt_kind_zone, "lan", "dmz", -EINVAL, "duplicate-name", "/metadata/name",
               "exists already");
        refuse(&pt_kind_zone, "lan", "any", -EINVAL, "reserved-name", "/metadata/name", "meaning");
        refuse(&pt_kind_zone, "lan", "Not A Name", -EINVAL, "invalid-name", "/metadata/name", "");
}

static PtObject *settled(GHashTable *stored, const char *document)
{
        PtObject *object = unit_object(document);

        uids_settle(stored, object);
        pt_object_seal(object);
        return object;
}

/* After a rename, the old name is free: its next bearer is another object. */
static void test_an_old_name_gets_another_uid(void **state)
{
        g_autoptr(PtSlice) base = SLICE(LAN, WEB), slice = pt_slice_clone(base);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GHashTable) stored = NULL, before = NULL;
        g_autoptr(PtObject) web = NULL, again = NULL, ssh = NULL;
        g_autoptr(Changes) changes = NULL;
        Uids *uids = uids_new();

        assert_int_equal(rename_object(slice, &pt_kind_firewall_rule, "web", "shop", diag), 0);
        stored = uids_stored(uids, base, slice);
        assert_int_equal(g_hash_table_size(stored), 1);
        web = settled(stored, WEB);
        again = settled(stored, WEB);
        ssh = settled(stored, UNIT_RULE("ssh", "\"action\":\"allow\""));
        assert_non_null(web->meta->uid);
        assert_true(pt_digest_equal(&web->digest, &again->digest));
        assert_null(ssh->meta);
        pt_slice_put(slice, web);
        changes = changes_new(base, slice);
        before = uids_stored(uids, base, base);
        assert_int_equal(uids_check(before, changes, diag), 0);
        uids_free(uids);
}

static int check_uids(PtSlice *base, PtSlice *slice, PtDiagnostics *diag)
{
        Uids *uids = uids_new();
        g_autoptr(GHashTable) stored = uids_stored(uids, base, base);
        g_autoptr(Changes) changes = changes_new(base, slice);
        int r = uids_check(stored, changes, diag);

        uids_free(uids);
        return r;
}

static void put(PtSlice *slice, const char *document)
{
        g_autoptr(PtObject) object = unit_object(document);

        pt_object_seal(object);
        pt_slice_put(slice, object);
}

#define WITH_UID(name, uid)                                                                        \
        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\",\"metadata\":"         \
        "{\"name\":\"" name "\",\"uid\":\"" uid "\"},\"spec\":{\"action\":\"allow\"}}"
#define SOME_UID "0123456789abcdef0123456789abcdef"

static void test_no_uid_twice(void **state)
{
        g_autoptr(PtSlice) base = SLICE(LAN, WEB), renamed = pt_slice_clone(base), slice = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        const char *web_uid;
        g_autofree char *copy = NULL;

        /* Two new ones. */
        slice = pt_slice_clone(base);
        put(slice, WITH_UID("a", SOME_UID));
        assert_int_equal(check_uids(base, slice, diag), 0);
        put(slice, WITH_UID("b", SOME_UID));
        assert_int_equal(check_uids(base, slice, diag), -EINVAL);
        assert_diag(diag, "duplicate-uid", "/metadata/uid", "leave it out");

        /* A new object with the name that a renamed one had, put past uids_settle(). */
        assert_int_equal(rename_object(renamed, &pt_kind_firewall_rule, "web", "shop", diag), 0);
        assert_int_equal(check_uids(base, renamed, diag), 0);
        web_uid = pt_slice_get(renamed, &pt_kind_firewall_rule, "shop")->meta->uid;
        copy = g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\","
                               "\"metadata\":{\"name\":\"x\",\"uid\":\"%s\"},"
                               "\"spec\":{\"action\":\"allow\"}}",
                               web_uid);
        pt_slice_unref(slice);
        slice = pt_slice_clone(renamed);
        put(slice, WEB);
        assert_int_equal(check_uids(renamed, slice, diag), -EINVAL);

        /* A copy of the renamed one's document; and one of the uid that a name gives. */
        pt_slice_unref(slice);
        slice = pt_slice_clone(renamed);
        put(slice, copy);
        assert_int_equal(check_uids(renamed, slice, diag), -EINVAL);
        pt_slice_unref(slice);
        slice = pt_slice_clone(base);
        put(slice, copy);
        assert_int_equal(check_uids(base, slice, diag), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_references_follow),
                cmocka_unit_test(test_references_follow_however_deep),
                cmocka_unit_test(test_back_is_as_if_never_renamed),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_an_old_name_gets_another_uid),
                cmocka_unit_test(test_no_uid_twice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
