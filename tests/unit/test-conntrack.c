/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The table of connections, in a network namespace of the test's own. */

#include "netlink/conntrack.h"

#include "conntrack-unit.h"
#include <sched.h>
#include <unistd.h>

static PtConntrack *conntrack;

static const UnitConnection made[] = {
        {AF_INET, "10.0.0.1", "192.0.2.1", 1000, 443, IPPROTO_TCP, 0, 0},
        {AF_INET, "10.0.0.2", "192.0.2.1", 1000, 443, IPPROTO_TCP, 5, 0},
        {AF_INET, "10.0.0.2", "192.0.2.1", 1001, 80, IPPROTO_TCP, 0, 0},
        {AF_INET, "10.0.0.2", "192.0.2.1", 1000, 443, IPPROTO_UDP, 0, 0},
        {AF_INET6, "fd00::1", "fd00::2", 1000, 443, IPPROTO_TCP, 5, 0},
        {AF_INET, "10.0.0.1", "192.0.2.1", 1000, 443, IPPROTO_TCP, 0, 9},
};

static int keep(const PtConnection *connection, void *userdata)
{
        g_array_append_val((GArray *) userdata, *connection);
        return 0;
}

static GArray *dump(const char *text)
{
        g_auto(PtConnectionFilter) filter = {0};
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_tokener_parse(text);
        GArray *found = g_array_new(FALSE, FALSE, sizeof(PtConnection));

        assert_int_equal(pt_connection_filter_from_json(json, diag, &filter), 0);
        assert_int_equal(pt_conntrack_dump(conntrack, &filter, keep, found), 0);
        return found;
}

/* What the kernel compares and what we do, alone and together. */
static void test_filters(void **state)
{
        static const struct {
                const char *filter;
                unsigned n;
        } rows[] = {
                {"{}", 6},
                {"{\"family\":\"ipv6\"}", 1},
                {"{\"mark\":5}", 2},
                {"{\"mark\":5,\"family\":\"ipv4\"}", 1},
                {"{\"source\":\"10.0.0.2\"}", 3},
                {"{\"source\":\"10.0.0.2\",\"protocol\":\"tcp\"}", 2},
                {"{\"source\":\"10.0.0.2\",\"protocol\":\"tcp\",\"destinationPort\":80}", 1},
                {"{\"destination\":\"192.0.2.1\",\"protocol\":\"tcp\",\"destinationPort\":443}", 3},
                {"{\"destination\":\"fd00::2\"}", 1},
                {"{\"destination\":\"fd00::3\"}", 0},
                {"{\"source\":\"fd00::1\",\"protocol\":\"tcp\",\"destinationPort\":443}", 1},
                {"{\"source\":\"fd00::1\",\"protocol\":\"tcp\",\"destinationPort\":80}", 0},
                {"{\"source\":\"10.0.0.0/30\",\"destinationPort\":\"80-100\"}", 1},
                {"{\"zone\":9}", 1},
                {"{\"assured\":true}", 5},
                {"{\"replied\":false}", 1},
                {"{\"source\":\"10.9.9.9\"}", 0},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GArray) found = dump(rows[i].filter);

                if (found->len != rows[i].n)
                        fail_msg("%s: %u instead of %u", rows[i].filter, found->len, rows[i].n);
        }
}

static void test_delete(void **state)
{
        g_autoptr(GArray) one = dump("{\"zone\":9}"), all = NULL, none = NULL;
        PtConnection *c = &g_array_index(one, PtConnection, 0);
        size_t deleted = 0;
        uint32_t count;

        assert_int_equal(pt_conntrack_count(conntrack, &count), 0);
        assert_int_equal(count, 6);
        /* Another generation of the same tuple is another connection. */
        c->id++;
        assert_int_equal(pt_conntrack_delete(conntrack, c, 1, &deleted), 0);
        assert_int_equal(deleted, 0);
        c->id--;
        assert_int_equal(pt_conntrack_delete(conntrack, c, 1, &deleted), 0);
        assert_int_equal(deleted, 1);
        assert_int_equal(pt_conntrack_delete(conntrack, c, 1, &deleted), 0);
        assert_int_equal(deleted, 0);

        all = dump("{}");
        assert_int_equal(all->len, 5);
        assert_int_equal(
                pt_conntrack_delete(conntrack, (PtConnection *) (void *) all->data, 5, &deleted),
                0);
        assert_int_equal(deleted, 5);
        none = dump("{}");
        assert_int_equal(none->len, 0);
        assert_int_equal(pt_conntrack_count(conntrack, &count), 0);
        assert_int_equal(count, 0);
}

static int stop(const PtConnection *connection, void *userdata)
{
        return -ECANCELED;
}

static void test_stopped(void **state)
{
        g_autoptr(PtConntrack) own = NULL;
        PtConnectionFilter filter = {0};

        unit_make_connection(&made[0]);
        assert_int_equal(pt_conntrack_open(-1, &own), 0);
        assert_int_equal(pt_conntrack_dump(own, &filter, stop, NULL), -ECANCELED);
}

static int setup(void **state)
{
        if (unshare(CLONE_NEWNET) < 0)
                return -1;
        for (size_t i = 0; i < G_N_ELEMENTS(made); i++)
                unit_make_connection(&made[i]);
        return pt_conntrack_open(-1, &conntrack);
}

static int teardown(void **state)
{
        pt_conntrack_close(conntrack);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_filters),
                cmocka_unit_test(test_delete),
                cmocka_unit_test(test_stopped),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
