/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "policy-tests.h"

#include "txn/engine.h"
#include "ways.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define EPHEMERAL_MIN 1024 /* below are only programs with a privilege */

typedef struct Run {
        const FwPlanned *planned;
        FwLists *lists;    /* of the test: one of those */
        FwLists *in_force; /* what is in force when the plan is made */
        FwLists *whole;    /* with what is not in force now, for tests of other times; or NULL */
        GHashTable *times; /* moments of tests -> FwTimes */
        FwWays *ways;
        const PolicyTest *test;
        PtSeverity severity;
        PtDiagnostics *diag;
        bool failed;
} Run;

static bool says(const Run *run, unsigned field)
{
        return pt_object_has(&run->test->object, field);
}

static size_t address_size(const Run *run)
{
        return run->test->source.family == AF_INET ? 4 : 16;
}

static const FwZone *find_zone(const Run *run, const char *name)
{
        const FwZones *zones = fw_lists_zones(run->lists);

        if (strcmp(name, FW_ZONE_ROUTER) == 0)
                return &zones->router;
        for (unsigned i = 0; i < zones->n; i++)
                if (strcmp(zones->zones[i].name, name) == 0)
                        return &zones->zones[i];
        return NULL; /* references are checked before */
}

/* A name of the zone's: of a glob, the shortest. */
static void some_interface(const FwZone *zone, char ret[static IF_NAMESIZE])
{
        char *const *names = zone->zone->interfaces.items;
        size_t len;

        g_strlcpy(ret, zone->zone->interfaces.n > 0 ? names[0] : "", IF_NAMESIZE);
        len = strlen(ret);
        if (len > 0 && ret[len - 1] == '*')
                ret[len - 1] = '0';
}

/* Where the test says; but what is sent to an address of the machine, and is not translated, is for
 * the machine. */
static int find_way(const FwPacket *packet, const uint8_t *destination, FwWay *ret, void *userdata)
{
        const Run *run = userdata;
        bool original = memcmp(destination, run->test->destination.lo, address_size(run)) == 0;
        const FwZone *to;
        int r = fw_ways_forth(run->ways, packet, destination, ret);

        if (!run->test->to || (r >= 0 && original && ret->local))
                return r;
        to = find_zone(run, run->test->to);
        *ret = (FwWay){.local = to && !to->zone};
        if (to && to->zone)
                some_interface(to, ret->out);
        return 0;
}

static bool find_ban(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata)
{
        return fw_bans_cover(((const Run *) userdata)->planned->bans, family, address, ret);
}

/* The packet. */

static void set_transport(const Run *run, FwPacket *packet)
{
        const PolicyTest *test = run->test;
        int protocol = fw_test_protocol(test);
        PtIcmpType echo = {.type4 = 8, .type6 = 128, .code = 0}, icmp = echo;

        fw_packet_set(packet, FW_DIM_PROTOCOL, (FwNumber) protocol, (FwNumber) protocol);
        if (fw_protocol_has_ports(protocol)) {
                bool known = says(run, POLICY_TEST_SOURCE_PORT);

                fw_packet_set(packet, FW_DIM_SOURCE_PORT, known ? test->source_port : EPHEMERAL_MIN,
                              known ? test->source_port : UINT16_MAX);
                fw_packet_set(packet, FW_DIM_DESTINATION_PORT, test->destination_port,
                              test->destination_port);
        }
        if (protocol == IPPROTO_TCP)
                fw_packet_set(packet, FW_DIM_TCP_FLAGS, TH_SYN, TH_SYN);
        if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
                return;
        if (says(run, POLICY_TEST_ICMP_TYPE))
                icmp = test->icmp_type;
        if (protocol == IPPROTO_ICMP ? icmp.type4 >= 0 : icmp.type6 >= 0) {
                unsigned type = (unsigned) (protocol == IPPROTO_ICMP ? icmp.type4 : icmp.type6);
                unsigned code = icmp.code < 0 ? 0 : (unsigned) icmp.code;

                fw_packet_set(packet, FW_DIM_ICMP, type << 8 | code, type << 8 | code);
        }
}

static void make_packet(const Run *run, FwPacket *packet)
{
        const PolicyTest *test = run->test;

        fw_packet_init(packet, test->source.family, "");
        packet->from = find_zone(run, test->from);
        fw_packet_set_bytes(packet, FW_DIM_SOURCE_ADDRESS, test->source.lo);
        fw_packet_set_bytes(packet, FW_DIM_DESTINATION_ADDRESS, test->destination.lo);
        set_transport(run, packet);
        fw_packet_set(packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NF_CT_STATE_BIT(IP_CT_NEW));
        fw_packet_set(packet, FW_DIM_STATUS, 0, 0);
        fw_packet_set(packet, FW_DIM_MARK, 0, 0);
        fw_packet_set(packet, FW_DIM_DSCP, 0, 0);
        fw_packet_set_unknown(packet, FW_DIM_LENGTH);
        if (packet->from && packet->from->zone) {
                fw_packet_set_unknown(packet, FW_DIM_IN_INTERFACE);
                fw_packet_set_unknown(packet, FW_DIM_LINK_TYPE);
                fw_packet_set_unknown(packet, FW_DIM_SOURCE_MAC);
        }
}

/* What is not as it must be. */

G_GNUC_PRINTF(3, 4)
static void fail(Run *run, const char *pointer, const char *format, ...)
{
        g_autofree char *text = NULL;
        const char *remedy = run->severity == PT_SEVERITY_ERROR
                                     ? ": change the policy or the test, or commit with --force"
                                     : "";
        va_list values;

        va_start(values, format);
        text = g_strdup_vprintf(format, values);
        va_end(values);
        run->failed = true;
        pt_diag_add(run->diag, run->severity, PT_EXPECTATION_FAILED, pointer, "%s%s", text, remedy);
}

static char *format_span(const Run *run, const FwSpan *span)
{
        PtAddressRange range = {.family = run->test->source.family};
        GString *text = g_string_new(NULL);

        fw_number_write(span->lo, address_size(run), range.lo);
        fw_number_write(span->hi, address_size(run), range.hi);
        pt_address_range_settle(&range);
        pt_address_range_format(&range, text);
        return g_string_free(text, FALSE);
}

static char *format_range(const PtAddressRange *range)
{
        GString *text = g_string_new(NULL);

        pt_address_range_format(range, text);
        return g_string_free(text, FALSE);
}

/* Whether all that an address may be is what is expected. */
static bool is_within(const Run *run, const FwSpan *span, const PtAddressRange *range)
{
        size_t len = address_size(run);

        return fw_span_within(span, fw_number_read(range->lo, len),
                              fw_number_read(range->hi, len)) == FW_YES;
}

static void check_verdict(Run *run, const FwOutcome *outcome)
{
        const PolicyTest *test = run->test;
        g_autofree char *decides = fw_outcome_describe(outcome);

        if ((int) outcome->action != test->expect)
                fail(run, "/spec/expect", "expected %s, but %s", fw_actions[test->expect].name,
                     decides);
        else if (outcome->doubt)
                fail(run, "/spec/expect", "expected %s, which is not certain: %s",
                     fw_actions[test->expect].name, decides);
        else if (test->expect_rule &&
                 (!outcome->rule || strcmp(outcome->rule->object.name, test->expect_rule) != 0))
                fail(run, "/spec/expectRule", "expected that %s decides, but %s", test->expect_rule,
                     decides);
}

static void check_end(Run *run, unsigned field, const char *pointer, const FwEnd *end,
                      const PtAddressRange *expected, const char *what)
{
        g_autofree char *is = NULL, *wanted = NULL;

        if (!says(run, field) || (!end->doubt && is_within(run, &end->address, expected)))
                return;
        is = format_span(run, &end->address);
        wanted = format_range(expected);
        fail(run, pointer, "expected the %s %s, but it is %s%s%s%s", what, wanted, is,
             end->rule ? " by NatRule/" : "", end->rule ? end->rule->object.name : "",
             end->doubt ? ", perhaps" : "");
}

static void check_outcome(Run *run, const FwOutcome *outcome)
{
        const PolicyTest *test = run->test;
        const FwSpan *port = &outcome->destination.port;

        check_verdict(run, outcome);
        check_end(run, POLICY_TEST_EXPECT_DESTINATION, "/spec/expectDestination",
                  &outcome->destination, &test->expect_destination, "destination");
        if (says(run, POLICY_TEST_EXPECT_DESTINATION_PORT) &&
            (port->lo != port->hi || port->lo != test->expect_destination_port))
                fail(run, "/spec/expectDestinationPort", "expected the port %u, but it is %u",
                     test->expect_destination_port, (unsigned) port->lo);
        /* What does not pass does not leave. */
        if (outcome->action == FW_ALLOW)
                check_end(run, POLICY_TEST_EXPECT_SOURCE, "/spec/expectSource", &outcome->source,
                          &test->expect_source, "source");
}

static void run_test(Run *run, const FwTimes *times)
{
        FwWorld world = {.lists = run->lists,
                         .times = times,
                         .route = find_way,
                         .banned = run->planned->bans ? find_ban : NULL,
                         .userdata = run};
        FwPacket packet;
        FwOutcome outcome;
        int r;

        make_packet(run, &packet);
        r = fw_evaluate(&world, &packet, &outcome);
        if (r >= 0)
                check_outcome(run, &outcome);
        else if (!run->test->to)
                fail(run, "/spec/to",
                     "it cannot be told where the packet goes (%s): add \"to\", the zone that it "
                     "goes to",
                     strerror(-r));
        else
                fail(run, "/spec", "it cannot be told what becomes of the packet: %s",
                     strerror(-r));
}

static int open_lists(const Run *run, FwEffective *effective, FwLists **ret)
{
        const FwPlanned *planned = run->planned;
        FwSource source = {
                .slice = planned->slice, .state_dir = planned->state_dir, .live = planned->live};

        return fw_lists_new(&source, effective, run->diag, ret);
}

static int open_run(Run *run)
{
        int r = open_lists(run, run->planned->effective, &run->in_force);

        return r < 0 ? r : fw_ways_open(run->planned->netns_fd, &run->ways);
}

static void close_run(Run *run)
{
        g_clear_pointer(&run->times, g_hash_table_unref);
        fw_ways_close(run->ways);
        fw_lists_free(run->in_force);
        fw_lists_free(run->whole);
}

static int count_object(const PtObject *object, void *userdata)
{
        unsigned *n = userdata;

        ++*n;
        return 0;
}

/* What schedules say at the time of a test that names one. */
static int look_up_times(Run *run, const FwTimes **ret)
{
        int64_t *at = g_memdup2(&(int64_t){fw_moment_time(&run->test->at)}, sizeof(int64_t));
        FwTimes *times = g_hash_table_lookup(run->times, at);
        unsigned schedules = 0;

        if (times) {
                g_free(at);
                *ret = times;
                return 0;
        }
        (void) pt_slice_foreach(run->planned->slice, &pt_kind_schedule, count_object, &schedules);
        if ((g_hash_table_size(run->times) + 1) * (uint64_t) schedules > FW_POLICY_TEST_LOOKS_MAX) {
                pt_diag_error(run->diag, "too-many-times", "/spec/at",
                              "%u schedules at more than %u different times are more than can be "
                              "asked at each commit; let tests share times",
                              schedules, g_hash_table_size(run->times));
                g_free(at);
                return -E2BIG;
        }
        times = fw_times_at(run->planned->slice, *at);
        g_hash_table_insert(run->times, at, times);
        *ret = times;
        return 0;
}

/* The lists and the times that the test is about. */
static int prepare_test(Run *run, const FwTimes **ret_times)
{
        run->lists = run->in_force;
        *ret_times = NULL;
        if (!says(run, POLICY_TEST_AT))
                return 0;
        if (!run->whole) {
                int r = open_lists(run, NULL, &run->whole);

                if (r < 0)
                        return r;
                run->times = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                                   (GDestroyNotify) fw_times_unref);
        }
        run->lists = run->whole;
        return look_up_times(run, ret_times);
}

int fw_policy_tests_run(const FwPlanned *planned, PtSeverity severity, PtDiagnostics *diag)
{
        Run run = {.planned = planned, .severity = severity, .diag = diag};
        g_autoptr(GPtrArray) tests = pt_slice_sorted(planned->slice, &pt_kind_policy_test);
        int r;

        if (tests->len == 0)
                return 0;
        if (tests->len > FW_POLICY_TESTS_MAX) {
                pt_diag_error(diag, "too-many-tests", "",
                              "%u PolicyTests are more than the %d that are asked at each commit",
                              tests->len, FW_POLICY_TESTS_MAX);
                return -E2BIG;
        }
        r = open_run(&run);
        for (unsigned i = 0; r >= 0 && i < tests->len; i++) {
                const FwTimes *times;

                run.test = g_ptr_array_index(tests, i);
                pt_diag_set_subject(diag, "%s/%s", run.test->object.kind->name,
                                    run.test->object.name);
                r = prepare_test(&run, &times);
                if (r >= 0)
                        run_test(&run, times);
        }
        pt_diag_set_subject(diag, NULL);
        close_run(&run);
        return r < 0 ? r : run.failed;
}
