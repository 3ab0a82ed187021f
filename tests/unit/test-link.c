/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Interfaces that are ours, in a network namespace of the test's own. */

#include "netlink/link.h"
#include "netlink/tun.h"
#include "unit.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static PtAddressRange prefix(const char *text)
{
        PtAddressRange range;

        assert_return_code(pt_address_range_parse(text, "", NULL, &range), 0);
        return range;
}

static char *routes_of(uint32_t index)
{
        g_autoptr(GArray) routes = NULL;
        GString *text = g_string_new(NULL);

        assert_return_code(pt_link_routes(-1, index, &routes), 0);
        for (unsigned i = 0; i < routes->len; i++) {
                pt_address_range_format(&g_array_index(routes, PtAddressRange, i), text);
                g_string_append_c(text, ' ');
        }
        return g_string_free(text, FALSE);
}

static void test_life(void **state)
{
        g_autoptr(GArray) ours = NULL, none = NULL;
        g_autofree char *both = NULL, *one = NULL;
        PtAddressRange four = prefix("192.0.2.0/24"), six = prefix("2001:db8::/96");
        PtLink link, again;

        assert_int_equal(pt_link_get(-1, "t0", &link), -ENODEV);
        assert_int_equal(pt_link_get(-1, "a-name-that-is-too-long", &link), -ENODEV);
        assert_return_code(pt_tun_make("t0", 12345, 1400, "patronus Nat64/a"), 0);
        assert_return_code(pt_link_get(-1, "t0", &link), 0);
        assert_string_equal(link.name, "t0");
        assert_string_equal(link.alias, "patronus Nat64/a");
        assert_int_equal(link.mtu, 1400);
        assert_true(link.flags & IFF_UP);
        assert_false(link.flags & PT_LINK_CARRIER); /* nobody serves it */
        assert_return_code(pt_tun_make("t0", 12345, 1500, "patronus Nat64/b"), 0);
        assert_return_code(pt_link_get(-1, "t0", &again), 0);
        assert_int_equal(again.index, link.index);
        assert_int_equal(again.mtu, 1500);
        assert_return_code(pt_links_find(-1, "patronus ", &ours), 0);
        assert_int_equal(ours->len, 1);
        assert_return_code(pt_links_find(-1, "patronus Nat64/a", &none), 0);
        assert_int_equal(none->len, 0);
        for (unsigned i = 0; i < 2; i++) { /* one that is there is as good */
                assert_return_code(pt_link_route_add(-1, link.index, &four), 0);
                assert_return_code(pt_link_route_add(-1, link.index, &six), 0);
        }
        both = routes_of(link.index);
        assert_string_equal(both, "192.0.2.0/24 2001:db8::/96 ");
        assert_return_code(pt_link_route_delete(-1, link.index, &four), 0);
        assert_true(pt_link_route_delete(-1, link.index, &four) < 0);
        one = routes_of(link.index);
        assert_string_equal(one, "2001:db8::/96 ");
        assert_return_code(pt_link_delete(-1, link.index), 0);
        assert_int_equal(pt_link_get(-1, "t0", &link), -ENODEV);
        assert_true(pt_link_delete(-1, again.index) < 0);
}

/* Whoever serves it is not disturbed. */
static void test_served(void **state)
{
        struct ifreq request = {.ifr_name = "t1", .ifr_flags = IFF_TUN};
        pt_auto_fd int fd = -EBADF;
        PtLink link;

        assert_return_code(pt_tun_make("t1", 0, 1500, "patronus x"), 0);
        fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        assert_return_code(fd, errno);
        assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
        assert_return_code(pt_link_get(-1, "t1", &link), 0);
        assert_true(link.flags & PT_LINK_CARRIER);
        assert_int_equal(pt_tun_make("t1", 0, 1400, "patronus x"), -EBUSY);
        assert_return_code(pt_link_delete(-1, link.index), 0);
}

/* A route that is another's is neither ours nor taken. */
static void test_route_of_another(void **state)
{
        PtAddressRange four = prefix("192.0.2.0/24");
        g_autofree char *text = NULL;
        PtLink first, second;

        assert_return_code(pt_tun_make("t2", 0, 1500, "patronus x"), 0);
        assert_return_code(pt_tun_make("t3", 0, 1500, "patronus y"), 0);
        assert_return_code(pt_link_get(-1, "t2", &first), 0);
        assert_return_code(pt_link_get(-1, "t3", &second), 0);
        assert_return_code(pt_link_route_add(-1, first.index, &four), 0);
        assert_int_equal(pt_link_route_add(-1, second.index, &four), -EEXIST);
        text = routes_of(second.index);
        assert_string_equal(text, "");
        assert_return_code(pt_link_delete(-1, first.index), 0);
        assert_return_code(pt_link_delete(-1, second.index), 0);
}

static void count(void *userdata)
{
        (*(unsigned *) userdata)++;
}

static void test_monitor(void **state)
{
        g_autoptr(PtLinkMonitor) monitor = NULL;
        sd_event *event = NULL;
        unsigned n = 0;

        assert_return_code(sd_event_new(&event), 0);
        assert_return_code(pt_link_monitor_new(-1, event, count, &n, &monitor), 0);
        assert_return_code(pt_tun_make("t4", 0, 1500, "patronus x"), 0);
        while (n == 0)
                assert_true(sd_event_run(event, 60 * G_USEC_PER_SEC) > 0);
        g_clear_pointer(&monitor, pt_link_monitor_free);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_life),
                cmocka_unit_test(test_served),
                cmocka_unit_test(test_route_of_another),
                cmocka_unit_test(test_monitor),
        };

        if (geteuid() != 0 || pt_tun_check() < 0) {
                print_message("1..0 # SKIP needs root and /dev/net/tun\n");
                return 77;
        }
        if (unshare(CLONE_NEWNET) < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
