/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/log-record.h"
#include "kind/field.h"
#include "kind/json.h"
#include "unit.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t tcp4[] = {0x45, 0xb8, 0,  40, 0,    1,    0,    0,    64, 6,   0, 0, 10, 0,
                               0,    1,    10, 0,  0,    2,    18,   103,  1,  187, 0, 0, 0,  1,
                               0,    0,    0,  0,  0x50, 0x12, 0x03, 0xe8, 0,  0,   0, 0};
/* hop-by-hop, destination options, then UDP */
static const uint8_t udp6[] = {0x60, 0, 0, 0, 0, 24, 0, 64, 0xfd, 0,   0, 0,  0, 0, 0, 0,
                               0,    0, 0, 0, 0, 0,  0, 1,  0xfd, 0,   0, 0,  0, 0, 0, 0,
                               0,    0, 0, 0, 0, 0,  0, 2,  60,   0,   0, 0,  0, 0, 0, 0,
                               17,   0, 0, 0, 0, 0,  0, 0,  18,   103, 0, 53, 0, 8, 0, 0};

static void test_headers(void **state)
{
        PtHeaders headers;

        assert_int_equal(pt_headers_decode(ETH_P_IP, tcp4, sizeof(tcp4), &headers), 0);
        assert_int_equal(headers.family, AF_INET);
        assert_int_equal(headers.known,
                         PT_HEADERS_PROTOCOL | PT_HEADERS_PORTS | PT_HEADERS_TCP_FLAGS);
        assert_int_equal(headers.protocol, IPPROTO_TCP);
        assert_int_equal(headers.dscp, 46);
        assert_int_equal(headers.tcp_flags, 0x12);
        assert_int_equal(headers.source_port, 4711);
        assert_int_equal(headers.destination_port, 443);
        assert_int_equal(headers.length, 40);
        assert_int_equal(pt_headers_decode(ETH_P_IPV6, udp6, sizeof(udp6), &headers), 0);
        assert_int_equal(headers.family, AF_INET6);
        assert_int_equal(headers.known, PT_HEADERS_PROTOCOL | PT_HEADERS_PORTS);
        assert_int_equal(headers.protocol, IPPROTO_UDP);
        assert_int_equal(headers.destination_port, 53);
        assert_int_equal(headers.length, 64);
}

/* At each length: what is not there is not read, and what was said of a shorter beginning stays. */
static void test_beginnings(void **state)
{
        static const struct {
                uint16_t ethertype;
                const uint8_t *bytes;
                size_t size, header;
        } cases[] = {{ETH_P_IP, tcp4, sizeof(tcp4), 20}, {ETH_P_IPV6, udp6, sizeof(udp6), 40}};

        for (size_t c = 0; c < G_N_ELEMENTS(cases); c++) {
                unsigned known = 0;

                for (size_t size = 0; size <= cases[c].size; size++) {
                        g_autofree uint8_t *copy = g_memdup2(cases[c].bytes, size);
                        PtHeaders headers;
                        int r = pt_headers_decode(cases[c].ethertype, copy, size, &headers);

                        assert_int_equal(r, size < cases[c].header ? -EBADMSG : 0);
                        if (r < 0)
                                continue;
                        assert_int_equal(headers.known & known, known);
                        known = headers.known;
                }
                assert_true(known & PT_HEADERS_PORTS);
        }
}

static void test_fragments(void **state)
{
        uint8_t first[sizeof(tcp4)], later[sizeof(tcp4)];
        PtHeaders headers;

        memcpy(first, tcp4, sizeof(first));
        memcpy(later, tcp4, sizeof(later));
        first[6] = 0x20; /* more follow */
        later[7] = 0x05;
        assert_int_equal(pt_headers_decode(ETH_P_IP, first, sizeof(first), &headers), 0);
        assert_int_equal(headers.known & (PT_HEADERS_FRAGMENT | PT_HEADERS_PORTS),
                         PT_HEADERS_FRAGMENT | PT_HEADERS_PORTS);
        assert_int_equal(pt_headers_decode(ETH_P_IP, later, sizeof(later), &headers), 0);
        assert_int_equal(headers.known & (PT_HEADERS_FRAGMENT | PT_HEADERS_PORTS),
                         PT_HEADERS_FRAGMENT);
}

static void test_prefix(void **state)
{
        static const struct {
                const char *prefix;
                bool good, by_rule;
                int reason;
        } cases[] = {
                {"drop/no-zone", true, false, FW_REASON_NO_ZONE},
                {"open/17", true, false, FW_REASON_OPENING},
                {"open/0", false, false, FW_REASON_INVALID_NAME},
                {"open/4294967296", false, false, FW_REASON_INVALID_NAME},
                {"open/", false, false, FW_REASON_INVALID_NAME},
                {"drop/", false, false, FW_REASON_INVALID_NAME},
                {"drop/no-zone ", false, false, FW_REASON_INVALID_NAME},
                {"rule/6f1ed002ab5595859014ebf0951522d9/0123456789abcdef", true, true,
                 FW_REASON_RULE},
                {"rule/6f1ed002ab5595859014ebf0951522d9/0123456789abcde", false, false,
                 FW_REASON_INVALID_NAME},
                {"rule/6f1ed002ab5595859014ebf0951522dg/0123456789abcdef", false, false,
                 FW_REASON_INVALID_NAME},
                {"", false, false, FW_REASON_INVALID_NAME},
                {"somebody else", false, false, FW_REASON_INVALID_NAME},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(FwLogRecord) record = {0};

                assert_int_equal(
                        fw_log_record_set_prefix(&record, cases[i].prefix, strlen(cases[i].prefix)),
                        cases[i].good);
                assert_int_equal(record.by_rule, cases[i].by_rule);
                assert_int_equal(record.reason, cases[i].reason);
        }
}

/* The longest line that there can be is shorter than what is written at once, and whole. */
static void test_longest_line(void **state)
{
        g_auto(FwLogRecord) record = {.time_usec = (UINT64_C(1) << 53) - 1,
                                      .by_rule = true,
                                      .has_mac = true,
                                      .has_headers = true,
                                      .mark = UINT32_MAX,
                                      .verdict = FW_CONTINUE,
                                      .reason = FW_REASON_AUDIT};
        g_autofree char *word = g_strnfill(63, 'x'), *text = g_strnfill(4000, '"');
        g_autoptr(GString) line = g_string_new(NULL);
        pt_auto_json *json = NULL;
        FwLogRule *rule = g_new0(FwLogRule, 1);

        *rule = (FwLogRule){.refs = 1,
                            .audit = true,
                            .action = FW_CONTINUE,
                            .kind = g_strdup("FirewallRule"),
                            .name = g_strdup(word),
                            .text = g_strdup(text)};
        record.rule = rule;
        record.from = g_ref_string_new_intern(word);
        record.to = g_ref_string_new_intern(word);
        memset(record.in, '"', sizeof(record.in) - 1);
        memset(record.out, '\\', sizeof(record.out) - 1);
        record.headers = (PtHeaders){.family = AF_INET6,
                                     .known = 0xff & ~PT_HEADERS_ARP,
                                     .protocol = 255,
                                     .dscp = 63,
                                     .tcp_flags = 0xff,
                                     .icmp_type = 255,
                                     .icmp_code = 255,
                                     .source_port = 65535,
                                     .destination_port = 65535,
                                     .length = 65575};
        memset(record.headers.source, 0xff, 16);
        memset(record.headers.destination, 0xff, 16);
        fw_log_record_to_json(&record, line);
        assert_true(line->len < FW_LOG_LINE_MAX);
        assert_int_equal(pt_json_parse(line->str, line->len, NULL, &json), 0);
}

/* Text is cut between characters. */
static void test_cut(void **state)
{
        g_auto(FwLogRecord) record = {.by_rule = true, .verdict = FW_DROP};
        g_autoptr(GString) line = g_string_new(NULL);
        GString *text = g_string_new("x");
        pt_auto_json *json = NULL;

        for (unsigned i = 0; i < FW_LOG_TEXT_MAX; i++)
                g_string_append(text, "\xe2\x82\xac");
        record.rule = g_new0(FwLogRule, 1);
        *record.rule = (FwLogRule){.refs = 1, .text = g_string_free(text, FALSE)};
        fw_log_record_to_json(&record, line);
        assert_int_equal(pt_json_parse(line->str, line->len, NULL, &json), 0);
        assert_true(g_utf8_validate(line->str, (gssize) line->len, NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_headers),      cmocka_unit_test(test_beginnings),
                cmocka_unit_test(test_fragments),    cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_longest_line), cmocka_unit_test(test_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
