/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The machine's own addresses, in a network namespace of the test's own. */

#include "netlink/addresses.h"

#include "unit.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has(const GArray *addresses, uint8_t family, const uint8_t *wanted, size_t size)
{
        for (unsigned i = 0; i < addresses->len; i++) {
                const PtLocalAddress *address = &g_array_index(addresses, PtLocalAddress, i);

                if (address->family == family && memcmp(address->address, wanted, size) == 0)
                        return true;
        }
        return false;
}

static void test_loopback(void **state)
{
        static const uint8_t loopback4[] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        g_autoptr(GArray) before = NULL, after = NULL;
        int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(pt_local_addresses(-1, &before), 0);
        assert_int_equal(before->len, 0);
        assert_int_equal(ioctl(socket_fd, SIOCSIFFLAGS, &request), 0);
        close(socket_fd);
        assert_int_equal(pt_local_addresses(-1, &after), 0);
        assert_int_equal(after->len, 2);
        assert_true(has(after, AF_INET, loopback4, sizeof(loopback4)));
        assert_true(has(after, AF_INET6, loopback6, sizeof(loopback6)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
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
