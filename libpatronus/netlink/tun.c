/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/tun.h"

#include "netlink/link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#define DEVICE "/dev/net/tun"

static int open_device(void)
{
        int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int pt_tun_check(void)
{
        pt_auto_fd int fd = open_device();

        return fd < 0 ? fd : 0;
}

int pt_tun_make(const char *name, uid_t owner, unsigned mtu, const char *alias)
{
        struct ifreq request = {.ifr_flags = IFF_TUN};
        pt_auto_fd int fd = open_device();
        PtLink link;
        int r;

        if (fd < 0)
                return fd;
        if (strlen(name) >= sizeof(request.ifr_name))
                return -ENAMETOOLONG;
        strcpy(request.ifr_name, name);
        if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOWNER, (long) owner) < 0)
                return -errno;
        r = pt_link_get(-1, name, &link);
        if (r >= 0)
                r = pt_link_set(-1, link.index, mtu, alias);
        if (r >= 0 && ioctl(fd, TUNSETPERSIST, 1L) < 0)
                r = -errno;
        return r;
}
