/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Nat64 objects: what is refused, and what they are for tayga. */

#include "backend/nat64.h"
#include "kind-unit.h"

#include <unistd.h>

#define NAT64(name, spec)                                                                          \
        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Nat64\",\"metadata\":{\"name\":"      \
        "\"" name "\"},\"spec\":{" spec "}}"
#define POOL "\"pool\":\"192.168.255.0/24\""
#define PREFIX "\"prefix\":\"fd00:64::/96\","
#define HOSTS(four, six) ",\"hosts\":[{\"ipv4\":\"" four "\",\"ipv6\":\"" six "\"}]"

static void test_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {NAT64("a", "\"prefix\":\"fd00:64::/96\""), "required", "/spec/pool", "pool"},
                {NAT64("a", "\"prefix\":\"10.0.0.0/8\"," POOL), "needs-ipv6", "/spec/prefix",
                 "IPv6 network"},
                {NAT64("a", "\"prefix\":\"fd00:64::/80\"," POOL), "prefix-length", "/spec/prefix",
                 "not 80"},
                {NAT64("a", "\"prefix\":\"fd00::/24\"," POOL), "prefix-length", "/spec/prefix",
                 "not 24"},
                {NAT64("a", "\"prefix\":\"fd00::100:0:0:0/96\"," POOL), "prefix-bits",
                 "/spec/prefix", "64 to 71"},
                {NAT64("a", "\"pool\":\"fd00::/96\""), "needs-ipv4", "/spec/pool", "IPv4 network"},
                {NAT64("a", "\"pool\":\"192.168.255.0/31\""), "pool-size", "/spec/pool", "not 31"},
                {NAT64("a", "\"pool\":\"0.0.0.0/0\""), "pool-size", "/spec/pool", "not 0"},
                {NAT64("a", "\"pool\":\"127.0.0.0/24\""), "no-host", "/spec/pool", "private"},
                {NAT64("a", "\"pool\":\"224.0.0.0/24\""), "no-host", "/spec/pool", "private"},
                {NAT64("a", POOL ",\"mtu\":1279"), "out-of-range", "/spec/mtu", "1280"},
                {NAT64("a", POOL ",\"interface\":\"nat*\""), "one-interface", "/spec/interface",
                 "without *"},
                {NAT64("a", PREFIX POOL HOSTS("192.168.254.9", "fd00::1")), "not-in-pool",
                 "/spec/hosts/0/ipv4", "pool"},
                {NAT64("a", PREFIX POOL HOSTS("192.168.255.1", "fd00::1")), "reserved",
                 "/spec/hosts/0/ipv4", "second"},
                {NAT64("a", PREFIX POOL HOSTS("192.168.255.9", "fd00:64::1")), "in-prefix",
                 "/spec/hosts/0/ipv6", "stand for"},
                {NAT64("a", PREFIX POOL HOSTS("192.168.255.0/30", "fd00::1")), "one-address",
                 "/spec/hosts/0/ipv4", "one IPv4"},
                {NAT64("a", PREFIX POOL HOSTS("fd00::2", "fd00::1")), "one-address",
                 "/spec/hosts/0/ipv4", "one IPv4"},
                {NAT64("a", PREFIX POOL HOSTS("192.168.255.9", "10.0.0.1")), "one-address",
                 "/spec/hosts/0/ipv6", "one IPv6"},
                {NAT64("a",
                       PREFIX POOL ",\"hosts\":[{\"ipv4\":\"192.168.255.9\",\"ipv6\":\"fd00::1\"},"
                                   "{\"ipv4\":\"192.168.255.9\",\"ipv6\":\"fd00::2\"}]"),
                 "twice", "/spec/hosts/1/ipv4", "another host"},
                {NAT64("a",
                       PREFIX POOL ",\"hosts\":[{\"ipv4\":\"192.168.255.9\",\"ipv6\":\"fd00::1\"},"
                                   "{\"ipv4\":\"192.168.255.8\",\"ipv6\":\"fd00::1\"}]"),
                 "twice", "/spec/hosts/1/ipv6", "already"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_int_equal(pt_diag_count(diag), 1);
                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

/* Objects beside each other. */

static const PtObject *no_object(const void *ctx, const PtKind *kind, const char *name)
{
        return NULL;
}

static int each_of(const void *ctx, const PtKind *kind,
                   int (*each)(const PtObject *object, void *userdata), void *userdata)
{
        const GPtrArray *objects = ctx;

        for (unsigned i = 0; i < objects->len; i++) {
                int r = each(g_ptr_array_index(objects, i), userdata);

                if (r != 0)
                        return r;
        }
        return 0;
}

static void unref(void *p)
{
        pt_object_unref(p);
}

/* What is said of the first one of these. */
static PtDiagnostics *check_all(const char *const *texts)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(unref);
        PtLookup lookup = {.get = no_object, .foreach = each_of, .ctx = objects};
        PtDiagnostics *diag = pt_diag_new();
        int r;

        for (; *texts; texts++)
                g_ptr_array_add(objects, unit_object(*texts));
        r = pt_kind_nat64.check_set(g_ptr_array_index(objects, 0), &lookup, diag);
        assert_int_equal(r, pt_diag_errors(diag) > 0 ? -EINVAL : 0);
        return diag;
}

static void test_beside_each_other(void **state)
{
        static const char first[] = NAT64("a", PREFIX POOL);
        static const struct {
                const char *other, *pointer;
        } cases[] = {
                {NAT64("b", "\"prefix\":\"fd00:64::/32\",\"pool\":\"10.0.0.0/24\","
                            "\"interface\":\"b\""),
                 "/spec/prefix"},
                {NAT64("b", "\"prefix\":\"fd00:65::/96\",\"pool\":\"192.168.255.128/25\","
                            "\"interface\":\"b\""),
                 "/spec/pool"},
                {NAT64("b", "\"prefix\":\"fd00:65::/96\",\"pool\":\"192.168.0.0/16\","
                            "\"interface\":\"b\""),
                 "/spec/pool"},
                {NAT64("b", "\"prefix\":\"fd00:65::/96\",\"pool\":\"10.0.0.0/24\""),
                 "/spec/interface"},
        };
        g_autoptr(PtDiagnostics) fine = check_all((const char *[]){
                first,
                NAT64("b", "\"prefix\":\"fd00:65::/96\",\"pool\":\"192.168.254.0/24\","
                           "\"interface\":\"b\""),
                NULL});

        assert_int_equal(pt_diag_count(fine), 0);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag =
                        check_all((const char *[]){first, cases[i].other, NULL});

                assert_int_equal(pt_diag_count(diag), 1);
                assert_string_equal(pt_diag_get(diag, 0)->pointer, cases[i].pointer);
        }
}

static void test_too_many(void **state)
{
        g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; i <= FW_NAT64_MAX; i++)
                g_ptr_array_add(texts, g_strdup_printf(NAT64("n%u", "\"prefix\":\"fd00:%u::/96\","
                                                                    "\"pool\":\"10.0.%u.0/24\","
                                                                    "\"interface\":\"n%u\""),
                                                       i, i + 100, i, i));
        for (unsigned i = 0; i < 2; i++) { /* one too many, then as many as there may be */
                g_autoptr(PtDiagnostics) diag = NULL;

                if (i == 1)
                        g_ptr_array_set_size(texts, FW_NAT64_MAX);
                g_ptr_array_add(texts, NULL);
                diag = check_all((const char *const *) texts->pdata);
                assert_int_equal(pt_diag_count(diag), 1 - i);
                g_ptr_array_set_size(texts, (int) texts->len - 1);
        }
}

static void test_config(void **state)
{
        static const struct {
                const char *text, *config;
        } cases[] = {
                {NAT64("a", POOL), "tun-device nat64\n"
                                   "ipv4-addr 192.168.255.1\n"
                                   "ipv6-addr fd52:a342:3ae3::c0a8:ff01\n"
                                   "prefix 64:ff9b::/96\n"
                                   "dynamic-pool 192.168.255.0/24\n"
                                   "data-dir /state/a\n"},
                {NAT64("b",
                       PREFIX POOL ",\"interface\":\"other\"" HOSTS("192.168.255.9", "fd00::1")),
                 "tun-device other\n"
                 "ipv4-addr 192.168.255.1\n"
                 "prefix fd00:64::/96\n"
                 "dynamic-pool 192.168.255.0/24\n"
                 "data-dir /state/b\n"
                 "map 192.168.255.9 fd00::1\n"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtObject) object = unit_object(cases[i].text);
                g_autofree char *folder = g_strconcat("/state/", object->name, NULL);
                g_autoptr(GString) text = g_string_new(NULL);

                assert_return_code(pt_nat64_put_config((const Nat64 *) object, folder, text), 0);
                assert_string_equal(text->str, cases[i].config);
                assert_int_equal(pt_nat64_put_config((const Nat64 *) object, "/a folder", text),
                                 -EINVAL);
        }
}

static void assert_address6(const char *spec, const char *expected)
{
        g_autofree char *text = g_strdup_printf(NAT64("a", "%s," POOL), spec);
        g_autoptr(PtObject) object = unit_object(text);
        PtAddressRange address = pt_nat64_address6((const Nat64 *) object);
        g_autoptr(GString) seen = g_string_new(NULL);

        pt_address_range_format(&address, seen);
        assert_string_equal(seen->str, expected);
}

/* The prefixes of the examples in RFC 6052 2.4; the address is 192.168.255.1. */
static void test_addresses_behind_prefixes(void **state)
{
        assert_address6("\"prefix\":\"2001:db8::/32\"", "2001:db8:c0a8:ff01::");
        assert_address6("\"prefix\":\"2001:db8:100::/40\"", "2001:db8:1c0:a8ff:1::");
        assert_address6("\"prefix\":\"2001:db8:122::/48\"", "2001:db8:122:c0a8:ff:100::");
        assert_address6("\"prefix\":\"2001:db8:122:300::/56\"", "2001:db8:122:3c0:a8:ff01::");
        assert_address6("\"prefix\":\"2001:db8:122:344::/64\"", "2001:db8:122:344:c0:a8ff:100:0");
        assert_address6("\"prefix\":\"2001:db8:122:344::/96\"", "2001:db8:122:344::c0a8:ff01");
}

static void test_write_and_read(void **state)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(unref), seen = NULL;
        pt_auto_fd int fd = -EBADF, other = -EBADF, none = -EBADF;
        int pipes[2];

        g_ptr_array_add(objects, unit_object(NAT64("a", POOL)));
        g_ptr_array_add(objects, unit_object(NAT64("b", PREFIX POOL ",\"mtu\":1400")));
        for (unsigned i = 0; i < 2; i++)
                pt_object_seal(g_ptr_array_index(objects, i));
        fd = pt_nat64_write(objects);
        assert_return_code(fd, 0);
        assert_int_equal(pt_nat64_read(fd, &seen), 0);
        assert_int_equal(seen->len, 2);
        for (unsigned i = 0; i < 2; i++) {
                const PtObject *before = g_ptr_array_index(objects, i),
                               *after = g_ptr_array_index(seen, i);

                assert_true(pt_digest_equal(&before->digest, &after->digest));
                assert_string_equal(before->name, after->name);
        }
        assert_int_equal(fw_nat64_mtu(g_ptr_array_index(seen, 1)), 1400);
        g_ptr_array_add(objects, unit_object(UNIT_ZONE("z", "\"interfaces\":[\"lan\"]")));
        other = pt_nat64_write(objects);
        assert_int_equal(pt_nat64_read(other, &seen), -EINVAL);
        g_ptr_array_set_size(objects, 0);
        for (unsigned i = 0; i <= FW_NAT64_MAX; i++)
                g_ptr_array_add(objects, unit_object(NAT64("a", POOL)));
        none = pt_nat64_write(objects);
        assert_int_equal(pt_nat64_read(none, &seen), -EINVAL); /* too many */
        assert_int_equal(pipe(pipes), 0);
        assert_true(pt_nat64_read(pipes[0], &seen) < 0); /* no sealed memfd: it could change */
        close(pipes[0]);
        close(pipes[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_beside_each_other),
                cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_config),
                cmocka_unit_test(test_addresses_behind_prefixes),
                cmocka_unit_test(test_write_and_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
