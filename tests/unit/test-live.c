/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What aliases hold at run time: beside what is configured, named by a digest; and what filterd and
 * patronus-fetch say to each other. */

#include "dataset-unit.h"
#include "filter-unit.h"
#include "filter/fetch.h"
#include "filter/flatten.h"

#include <unistd.h>

#define ALIAS                                                                                      \
        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\","                             \
        "\"metadata\":{\"name\":\"a\"},\"spec\":{\"type\":\"network\","                            \
        "\"addresses\":[\"10.0.0.0/24\"],\"names\":[\"one.example\"]}}"

static PtAddressRange range(const char *text)
{
        PtAddressRange ret;

        assert_int_equal(pt_address_range_parse(text, NULL, NULL, &ret), 0);
        return ret;
}

static unsigned spans_of(const FwSource *source, FwSetPart part)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(source->slice, "a");
        g_autoptr(FwFlat) flat = NULL;
        unsigned n = 0;
        FwSpan span;

        assert_int_equal(fw_flat_verify(source, closure, NULL), 0);
        assert_int_equal(fw_flat_new(source, closure, part, &flat), 0);
        while (fw_flat_next(flat, &span) > 0)
                n++;
        return n;
}

/* Only what the alias asks for, and found for its type. */
static void test_beside_the_configured(void **state)
{
        const PtAddressRange found[] = {range("10.0.1.0/24"), range("10.9.0.1"),
                                        range("2001:db8::1")};
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLive) live = fw_live_new("/nowhere");
        FwSource source = {slice, NULL, live};

        fw_put(slice, ALIAS);
        assert_int_equal(spans_of(&source, FW_SET_IPV4), 1);
        fw_live_set_ranges(live, "a", FW_LIVE_NAMES, FW_ALIAS_NETWORK, found, 3);
        assert_int_equal(spans_of(&source, FW_SET_IPV4), 2); /* one touches */
        assert_int_equal(spans_of(&source, FW_SET_IPV6), 1);
        fw_live_set_ranges(live, "a", FW_LIVE_NAMES, FW_ALIAS_HOST, found, 3);
        assert_int_equal(spans_of(&source, FW_SET_IPV4), 1);
        fw_live_set_ranges(live, "a", FW_LIVE_LOCAL, FW_ALIAS_NETWORK, found, 3);
        assert_int_equal(spans_of(&source, FW_SET_IPV4), 1);
}

static void test_digests(void **state)
{
        static const PtDigest nothing;
        PtAddressRange found[] = {range("10.0.1.0/24"), range("10.9.0.1")};
        g_autoptr(FwLive) a = fw_live_new("/x"), b = NULL;
        PtDigest first, second;

        fw_live_digest(NULL, &first);
        assert_true(pt_digest_equal(&first, &nothing));
        fw_live_set_ranges(a, "a", FW_LIVE_NAMES, FW_ALIAS_NETWORK, found, 2);
        b = fw_live_copy(a);
        fw_live_digest(a, &first);
        fw_live_digest(b, &second);
        assert_true(pt_digest_equal(&first, &second) && !pt_digest_equal(&first, &nothing));
        found[0] = range("10.9.0.1"); /* in another order it is the same */
        found[1] = range("10.0.1.0/24");
        fw_live_set_ranges(b, "a", FW_LIVE_NAMES, FW_ALIAS_NETWORK, found, 2);
        assert_true(fw_live_same(a, b, "a"));
        assert_int_equal(fw_live_changes(a, b), 0);
        fw_live_set_ranges(b, "a", FW_LIVE_NAMES, FW_ALIAS_NETWORK, found, 1);
        fw_live_set_ranges(b, "b", FW_LIVE_URL, FW_ALIAS_NETWORK, found, 1);
        assert_false(fw_live_same(a, b, "a"));
        assert_int_equal(fw_live_changes(a, b), 2);
        fw_live_digest(b, &second);
        assert_false(pt_digest_equal(&first, &second));
        fw_live_remove(b, "a", FW_LIVE_NAMES);
        assert_int_equal(fw_live_changes(b, NULL), 1);
        assert_null(fw_live_get(b, "a", FW_LIVE_NAMES));
}

static void test_request(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        FwFetchRequest request = {
                .present = UINT64_C(1) << FW_REQUEST_SORT | UINT64_C(1) << FW_REQUEST_ETAG,
                .sort = FW_LIVE_NAMES,
                .etag = (char *) (uintptr_t) "\"x\"",
        };
        g_auto(FwFetchRequest) again = {0};
        Alias *alias = NULL;
        int fd;

        fw_put(slice, ALIAS);
        fd = fw_fetch_request_write(&request,
                                    (const Alias *) pt_slice_get(slice, &pt_kind_alias, "a"));
        assert_true(fd >= 0);
        assert_int_equal(fw_fetch_request_read(fd, &again, &alias, NULL), 0);
        close(fd);
        assert_int_equal(again.sort, FW_LIVE_NAMES);
        assert_string_equal(again.etag, "\"x\"");
        assert_string_equal(alias->object.name, "a");
        pt_object_unref(&alias->object);
}

static void test_lines(void **state)
{
        static const char *const wrong[] = {"",
                                            "x",
                                            "[]",
                                            "{\"what\":1}",
                                            "{\"state\":\"never\"}",
                                            "{\"name\":\"not a name\"}",
                                            "{\"name\":\"a.example\",\"addresses\":[\"x\"]}"};
        g_autoptr(GString) text = g_string_new(NULL);
        g_auto(FwFetchLine) again = {0};
        PtAddressRange host = range("192.0.2.1");
        FwFetchLine line = {
                .present = UINT64_C(1) << FW_LINE_NAME | UINT64_C(1) << FW_LINE_ADDRESSES |
                           UINT64_C(1) << FW_LINE_TTL,
                .name = (char *) (uintptr_t) "a.example",
                .addresses = {.items = &host, .n = 1},
                .ttl = 60,
        };

        fw_fetch_line_write(&line, text);
        assert_int_equal(fw_fetch_line_read(text->str, text->len - 1, &again), 0);
        assert_string_equal(again.name, "a.example");
        assert_int_equal(again.ttl, 60);
        assert_int_equal(again.addresses.n, 1);
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_auto(FwFetchLine) none = {0};

                assert_true(fw_fetch_line_read(wrong[i], strlen(wrong[i]), &none) < 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_beside_the_configured),
                cmocka_unit_test(test_digests),
                cmocka_unit_test(test_request),
                cmocka_unit_test(test_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
