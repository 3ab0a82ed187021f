/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The kernel's routing, in a network namespace of the test's own. */

#include "netlink/route.h"

#include "unit.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t loopback4[] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};
static const uint8_t far4[] = {192, 0, 2, 1}, far6[16] = {0x20, 0x01, 0x0d, 0xb8};

static int get(int family, const uint8_t *destination, PtRoute *ret)
{
        PtRouteQuery query = {.family = family, .destination = destination};

        return pt_route_get(-1, &query, ret);
}

static void test_nowhere(void **state)
{
        PtRoute route;
        uint8_t mac[6];

        assert_int_equal(get(AF_INET, far4, &route), -ENETUNREACH);
        assert_int_equal(get(AF_INET6, far6, &route), -ENETUNREACH);
        assert_int_equal(pt_neighbour_get(-1, 1, AF_INET, far4, mac), -ENOENT);
}

static void test_loopback(void **state)
{
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        PtRouteQuery query = {.family = AF_INET, .destination = loopback4, .source = loopback4};
        PtRoute route;

        assert_int_equal(ioctl(socket_fd, SIOCSIFFLAGS, &request), 0);
        close(socket_fd);
        assert_int_equal(pt_route_get(-1, &query, &route), 0);
        assert_true(route.local);
        assert_false(route.by_gateway);
        assert_string_equal(route.name, "lo");
        assert_int_equal(route.link_type, ARPHRD_LOOPBACK);
        assert_memory_equal(route.next_hop, loopback4, sizeof(loopback4));
        assert_int_equal(get(AF_INET6, loopback6, &route), 0);
        assert_true(route.local);
        assert_int_equal(get(AF_INET, far4, &route), -ENETUNREACH);
        query.arrives = 77; /* no such interface */
        assert_int_equal(pt_route_get(-1, &query, &route), -ENODEV);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nowhere),
                cmocka_unit_test(test_loopback),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        if (unshare(CLONE_NEWNET) < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
