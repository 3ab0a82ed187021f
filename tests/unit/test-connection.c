/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A connection from bytes to JSON, and filters. */

#include "netlink/connection-filter.h"

#include "conntrack-unit.h"
#include "kind/json.h"

static PtConnection parse(const UnitConnection *c)
{
        char buffer[1024];
        struct nlmsghdr *header = unit_connection_message(buffer, c);
        PtConnection connection;

        assert_int_equal(pt_connection_parse(header, &connection), 0);
        return connection;
}

static void assert_json(const PtConnection *connection, const char *expected)
{
        char text[PT_CONNECTION_JSON_MAX + 1];

        text[pt_connection_write_json(connection, text)] = '\0';
        assert_string_equal(text, expected);
}

static const UnitConnection web = {AF_INET, "10.0.0.2", "192.0.2.1", 4711, 443, IPPROTO_TCP, 7, 0};
static const UnitConnection dns = {
        AF_INET6, "2001:db8::2", "2001:db8:0:1::53", 40000, 53, IPPROTO_UDP, 0, 3};

static void test_json(void **state)
{
        PtConnection c = parse(&web);

        assert_json(&c,
                    "{\"id\":0,\"family\":\"ipv4\",\"protocol\":\"tcp\",\"state\":\"established\","
                    "\"original\":{\"source\":\"10.0.0.2\",\"sourcePort\":4711,\"destination\":"
                    "\"192.0.2.1\",\"destinationPort\":443},\"reply\":{\"source\":\"192.0.2.1\","
                    "\"sourcePort\":443,\"destination\":\"10.0.0.2\",\"destinationPort\":4711},"
                    "\"replied\":true,\"assured\":true,\"timeoutUSec\":600000000,\"mark\":7}");
        c = parse(&dns);
        c.flags |= PT_CONNECTION_COUNTED | PT_CONNECTION_SNAT | PT_CONNECTION_DNAT;
        c.packets[0] = 1;
        c.bytes[1] = UINT64_MAX;
        strcpy(c.helper, "dns");
        assert_json(&c,
                    "{\"id\":0,\"family\":\"ipv6\",\"protocol\":\"udp\",\"original\":{\"source\":"
                    "\"2001:db8::2\",\"sourcePort\":40000,\"destination\":\"2001:db8:0:1::53\","
                    "\"destinationPort\":53,\"packets\":1,\"bytes\":0},\"reply\":{\"source\":"
                    "\"2001:db8:0:1::53\",\"sourcePort\":53,\"destination\":\"2001:db8::2\","
                    "\"destinationPort\":40000,\"packets\":0,\"bytes\":18446744073709551615},"
                    "\"nat\":\"both\",\"timeoutUSec\":600000000,\"zone\":3,\"helper\":\"dns\"}");
}

/* What is largest in every field still fits. */
static void test_json_fits(void **state)
{
        char text[PT_CONNECTION_JSON_MAX];
        PtConnection c;

        memset(&c, 0xff, sizeof(c));
        c.family = AF_INET6;
        c.state = PT_CONNECTION_SHUTDOWN_ACK_SENT;
        memset(c.helper, 'x', sizeof(c.helper));
        c.helper[sizeof(c.helper) - 1] = '\0';
        for (unsigned protocol = 0; protocol < 256; protocol++) {
                size_t size;

                c.protocol = (uint8_t) protocol;
                size = pt_connection_write_json(&c, text);
                assert_true(size > 0 && size < sizeof(text) && text[size - 1] == '}');
        }
}

/* The address writer against inet_ntop(). */
static void test_addresses(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(3);

        for (unsigned i = 0; i < 20000; i++) {
                PtConnection c = {.family = i % 4 ? AF_INET6 : AF_INET, .protocol = 47};
                char expected[INET6_ADDRSTRLEN], text[PT_ENDPOINT_TEXT_MAX];

                for (unsigned k = 0; k < 16; k++)
                        c.original.source[k] =
                                g_rand_int_range(rand, 0, 3) ? 0 : (uint8_t) g_rand_int(rand);
                if (i % 4 && memcmp(c.original.source, "\0\0\0\0\0\0\0\0\0\0", 10) == 0)
                        continue; /* inet_ntop() writes those of ::/96 with dots */
                inet_ntop(c.family, c.original.source, expected, sizeof(expected));
                assert_string_equal(pt_connection_endpoint(&c, c.original.source, 0, text),
                                    expected);
        }
}

static void test_endpoint(void **state)
{
        char text[PT_ENDPOINT_TEXT_MAX];
        PtConnection c = parse(&web);

        assert_string_equal(pt_connection_endpoint(&c, c.original.source, 1, text), "10.0.0.2:1");
        c = parse(&dns);
        assert_string_equal(pt_connection_endpoint(&c, c.original.source, 53, text),
                            "[2001:db8::2]:53");
}

/* Cut anywhere, the message is refused or read in part, and never read beyond its end. */
static void test_truncated(void **state)
{
        char buffer[1024];
        struct nlmsghdr *header = unit_connection_message(buffer, &web);
        uint32_t whole = header->nlmsg_len;
        PtConnection c;

        for (uint32_t size = NLMSG_HDRLEN; size < whole; size++) {
                g_autofree struct nlmsghdr *copy = g_malloc(size);

                memcpy(copy, header, size);
                copy->nlmsg_len = size;
                (void) pt_connection_parse(copy, &c);
        }
        header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
        assert_int_equal(pt_connection_parse(header, &c), -EBADMSG);
}

static void make_filter(const char *text, PtConnectionFilter *ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_tokener_parse(text);

        assert_non_null(json);
        if (pt_connection_filter_from_json(json, diag, ret) < 0)
                fail_msg("%s: %s", text, pt_diag_get(diag, 0)->text);
}

static void test_matches(void **state)
{
        static const struct {
                const char *filter;
                bool web, dns;
        } rows[] = {
                {"{}", true, true},
                {"{\"family\":\"ipv6\"}", false, true},
                {"{\"protocol\":\"tcp\"}", true, false},
                {"{\"protocol\":\"any\"}", true, true},
                {"{\"state\":\"established\"}", true, false},
                {"{\"address\":\"10.0.0.0/8\"}", true, false},
                {"{\"address\":\"192.0.2.1\"}", true, false},
                {"{\"source\":\"192.0.2.1\"}", false, false},
                {"{\"source\":\"10.0.0.1-10.0.0.3\"}", true, false},
                {"{\"destination\":\"2001:db8:0:1::/64\"}", false, true},
                {"{\"replySource\":\"192.0.2.1\"}", true, false},
                {"{\"replyDestination\":\"2001:db8::2\"}", false, true},
                {"{\"port\":443}", true, false},
                {"{\"port\":\"4000-5000\"}", true, false},
                {"{\"sourcePort\":443}", false, false},
                {"{\"destinationPort\":53}", false, true},
                {"{\"mark\":7}", true, false},
                {"{\"zone\":3}", false, true},
                {"{\"replied\":false}", false, true},
                {"{\"assured\":true}", true, false},
                {"{\"nat\":false}", true, true},
                {"{\"helper\":\"ftp\"}", false, false},
                {"{\"id\":1}", false, false},
                {"{\"protocol\":\"tcp\",\"destinationPort\":53}", false, false},
        };
        PtConnection a = parse(&web), b = parse(&dns);

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_auto(PtConnectionFilter) filter = {0};

                make_filter(rows[i].filter, &filter);
                if (pt_connection_matches(&filter, &a) != rows[i].web ||
                    pt_connection_matches(&filter, &b) != rows[i].dns)
                        fail_msg("%s", rows[i].filter);
        }
}

static void test_tuple(void **state)
{
        g_auto(PtConnectionFilter) filter = {0}, wider = {0};
        PtConnection c = parse(&web), found;

        make_filter("{\"protocol\":\"tcp\",\"source\":\"10.0.0.2\",\"destination\":\"192.0.2.1\","
                    "\"sourcePort\":4711,\"destinationPort\":443,\"id\":9}",
                    &filter);
        assert_true(pt_connection_filter_tuple(&filter, &found));
        assert_memory_equal(&found.original, &c.original, sizeof(c.original));
        assert_int_equal(found.id, 9);
        make_filter(
                "{\"protocol\":\"tcp\",\"source\":\"10.0.0.0/31\",\"destination\":\"192.0.2.1\","
                "\"sourcePort\":4711,\"destinationPort\":443}",
                &wider);
        assert_false(pt_connection_filter_tuple(&wider, &found));
}

static void test_states(void **state)
{
        assert_null(pt_connection_state_to_string(PT_CONNECTION_STATELESS));
        assert_null(pt_connection_state_to_string(PT_CONNECTION_STATE_MAX));
        for (int s = PT_CONNECTION_NONE; s < PT_CONNECTION_STATE_MAX; s++)
                assert_int_equal(pt_connection_states[s - 1].value, s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_json),      cmocka_unit_test(test_json_fits),
                cmocka_unit_test(test_addresses), cmocka_unit_test(test_endpoint),
                cmocka_unit_test(test_truncated), cmocka_unit_test(test_matches),
                cmocka_unit_test(test_tuple),     cmocka_unit_test(test_states),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
