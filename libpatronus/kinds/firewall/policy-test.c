/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <netinet/in.h>
#include <string.h>

/* clang-format off */
static const PtField test_fields[] = {
        [POLICY_TEST_FROM] = PT_FIELD(PolicyTest, ref, from, "from", PT_F_REQUIRED, .ref = "Zone",
                .doc = "Zone that the packet comes from; \"router\" for its own.",
                .example = "lan"),
        [POLICY_TEST_TO] = PT_FIELD(PolicyTest, ref, to, "to", 0, .ref = "Zone",
                .doc = "Zone that it goes to, after any translation; \"router\" for the router "
                       "itself. Absent: where the routing table leads it at that moment.",
                .example = "dmz"),
        [POLICY_TEST_SOURCE] = PT_FIELD(PolicyTest, address_range, source, "source", PT_F_REQUIRED,
                .doc = "Address that it comes from.",
                .example = "10.1.0.7"),
        [POLICY_TEST_DESTINATION] = PT_FIELD(PolicyTest, address_range, destination, "destination",
                PT_F_REQUIRED,
                .doc = "Address that it is sent to, before any translation.",
                .example = "10.2.0.5"),
        [POLICY_TEST_PROTOCOL] = PT_FIELD(PolicyTest, protocol, protocol, "protocol", 0,
                .def = "tcp",
                .doc = "Its protocol.",
                .example = "udp"),
        [POLICY_TEST_SOURCE_PORT] = PT_FIELD(PolicyTest, u16, source_port, "sourcePort", 0,
                .min = 1, .max = UINT16_MAX,
                .doc = "Port that it comes from; absent: any above 1023.",
                .example = "40000"),
        [POLICY_TEST_DESTINATION_PORT] = PT_FIELD(PolicyTest, u16, destination_port,
                "destinationPort", 0, .min = 1, .max = UINT16_MAX,
                .doc = "Port that it is sent to, of a protocol that has ports.",
                .example = "443"),
        [POLICY_TEST_ICMP_TYPE] = PT_FIELD(PolicyTest, icmp_type, icmp_type, "icmpType", 0,
                .def = "echo-request",
                .doc = "Its type, and perhaps code, of ICMP.",
                .example = "echo-request"),
        [POLICY_TEST_EXPECT] = PT_FIELD(PolicyTest, enum, expect, "expect", PT_F_REQUIRED,
                .choices = fw_actions,
                .doc = "What must become of it, as the first of a new connection.",
                .example = "allow"),
        [POLICY_TEST_EXPECT_RULE] = PT_FIELD(PolicyTest, name, expect_rule, "expectRule", 0,
                .doc = "Name of the FirewallRule, or of the NatRule with a rule of its own, that "
                       "must decide it.",
                .example = "web"),
        [POLICY_TEST_EXPECT_DESTINATION] = PT_FIELD(PolicyTest, address_range, expect_destination,
                "expectDestination", 0,
                .doc = "Address that it must be translated to, or have kept.",
                .example = "10.2.0.5"),
        [POLICY_TEST_EXPECT_DESTINATION_PORT] = PT_FIELD(PolicyTest, u16,
                expect_destination_port, "expectDestinationPort", 0, .min = 1, .max = UINT16_MAX,
                .doc = "Port that it must be translated to, or have kept.",
                .example = "8443"),
        [POLICY_TEST_EXPECT_SOURCE] = PT_FIELD(PolicyTest, address_range, expect_source,
                "expectSource", 0,
                .doc = "Address that its source must be translated to, or have kept; one, or a "
                       "range or prefix that it is of.",
                .example = "192.0.2.1"),
        [POLICY_TEST_AT] = PT_FIELD(PolicyTest, moment, at, "at", 0,
                .doc = "When: what schedules say then counts. Absent: when the policy is changed. "
                       "Without a zone behind it, by the clock where the machine is.",
                .example = "\"2026-12-24T18:00:00\""),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(test_fields) == POLICY_TEST_AT + 2);

int fw_test_protocol(const PolicyTest *test)
{
        return pt_object_has(&test->object, POLICY_TEST_PROTOCOL) ? test->protocol : IPPROTO_TCP;
}

static bool is_single(const PtAddressRange *range)
{
        return memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

static int check_addresses(const PolicyTest *test, PtDiagnostics *diag)
{
        const struct {
                unsigned field;
                const PtAddressRange *range;
                const char *pointer;
                bool single;
        } rows[] = {
                {POLICY_TEST_SOURCE, &test->source, "/spec/source", true},
                {POLICY_TEST_DESTINATION, &test->destination, "/spec/destination", true},
                {POLICY_TEST_EXPECT_DESTINATION, &test->expect_destination,
                 "/spec/expectDestination", true},
                {POLICY_TEST_EXPECT_SOURCE, &test->expect_source, "/spec/expectSource", false},
        };
        int r = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (!pt_object_has(&test->object, rows[i].field))
                        continue;
                if (rows[i].single && !is_single(rows[i].range)) {
                        pt_diag_error(diag, "not-a-host", rows[i].pointer,
                                      "a packet has one address here; write a single one");
                        r = -EINVAL;
                }
                if (rows[i].range->family != test->source.family) {
                        pt_diag_error(diag, "mixed-families", rows[i].pointer,
                                      "a packet has addresses of one family; the source has "
                                      "another");
                        r = -EINVAL;
                }
        }
        return r;
}

static int check_transport(const PolicyTest *test, PtDiagnostics *diag)
{
        int protocol = fw_test_protocol(test), r = 0;
        bool ports = fw_protocol_has_ports(protocol);
        bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

        if (ports && !pt_object_has(&test->object, POLICY_TEST_DESTINATION_PORT)) {
                pt_diag_error(diag, "required", "/spec/destinationPort",
                              "a packet of this protocol has a port; add \"destinationPort\"");
                r = -EINVAL;
        }
        if (!ports &&
            (test->object.present &
             (UINT64_C(1) << POLICY_TEST_SOURCE_PORT | UINT64_C(1) << POLICY_TEST_DESTINATION_PORT |
              UINT64_C(1) << POLICY_TEST_EXPECT_DESTINATION_PORT))) {
                pt_diag_error(diag, "no-ports", "/spec/protocol",
                              "a packet of this protocol has no ports; remove them, or name "
                              "another protocol");
                r = -EINVAL;
        }
        if (!icmp && pt_object_has(&test->object, POLICY_TEST_ICMP_TYPE)) {
                pt_diag_error(diag, "no-icmp", "/spec/icmpType",
                              "a packet of this protocol has no such type; add \"protocol: icmp\" "
                              "or \"protocol: icmpv6\"");
                r = -EINVAL;
        }
        if (icmp && fw_protocol_family(protocol) != test->source.family) {
                pt_diag_error(diag, "mixed-families", "/spec/protocol",
                              "icmp is of IPv4 and icmpv6 of IPv6; the addresses are of the other");
                r = -EINVAL;
        }
        return r;
}

static int test_check(const PtObject *object, PtDiagnostics *diag)
{
        const PolicyTest *test = (const PolicyTest *) object;
        int r = check_addresses(test, diag);

        if (test->from && strcmp(test->from, FW_ZONE_ANY) == 0) {
                pt_diag_error(diag, "one-zone", "/spec/from",
                              "a packet comes from one zone; name it, or write router");
                r = -EINVAL;
        }
        if (test->to && strcmp(test->to, FW_ZONE_ANY) == 0) {
                pt_diag_error(diag, "one-zone", "/spec/to",
                              "a packet goes to one zone; name it, write router, or leave it out");
                r = -EINVAL;
        }
        return check_transport(test, diag) < 0 ? -EINVAL : r;
}

const PtKind pt_kind_policy_test = {
        .name = "PolicyTest",
        .api_version = "patronus.firewall/v1",
        .plural = "policytests",
        .doc = "What must become of a packet. A change of the policy after which it would be "
               "otherwise is refused, unless it is forced: a test of the policy that is a part of "
               "it.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: PolicyTest\n"
                   "metadata:\n"
                   "  name: guests-stay-out\n"
                   "  description: \"no way from the guests to the servers\"\n"
                   "spec:\n"
                   "  from: guest\n"
                   "  to: dmz\n"
                   "  source: 10.9.0.7\n"
                   "  destination: 10.2.0.5\n"
                   "  destinationPort: 22\n"
                   "  expect: drop\n",
        .size = sizeof(PolicyTest),
        .fields = test_fields,
        .check = test_check,
};
