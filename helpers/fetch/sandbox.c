/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sandbox.h"

#include "base/macros.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

/* The largest list, packed and unpacked, and what becomes of it; the tree of a document. */
#define MEMORY_MAX (UINT64_C(1) << 30)
#define CPU_SEC 60U
#define WALL_SEC 120
#define FILE_MAX (UINT64_C(64) << 20) /* of a dataset: a million ranges of IPv6 are 32 MB */
#define FILES_MAX 64U

/* A limit that is lower already stays: a unit's filter of system calls may not let us set it. */
static int limit(int resource, uint64_t most)
{
        struct rlimit now, wanted = {most, most};

        if (getrlimit(resource, &now) < 0)
                return -errno;
        if (now.rlim_max <= most && now.rlim_cur <= most)
                return 0;
        return setrlimit(resource, &wanted) < 0 ? -errno : 0;
}

static int set_limits(void)
{
        static const struct {
                int resource;
                uint64_t most;
        } limits[] = {
                {RLIMIT_CORE, 0},         {RLIMIT_CPU, CPU_SEC},
                {RLIMIT_FSIZE, FILE_MAX}, {RLIMIT_NOFILE, FILES_MAX},
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes */
                {RLIMIT_AS, MEMORY_MAX},
#endif
        };
        struct itimerval wall = {.it_value.tv_sec = WALL_SEC};

        for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) {
                int r = limit(limits[i].resource, limits[i].most);

                if (r < 0)
                        return r;
        }
        return setitimer(ITIMER_REAL, &wall, NULL) < 0 ? -errno : 0; /* SIGALRM ends it */
}

static int drop_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct now[2] = {0}, none[2] = {0};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        if (syscall(SYS_capget, &header, now) < 0)
                return -errno;
        if (memcmp(now, none, sizeof(now)) == 0)
                return 0;
        return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

static void may_read(int ruleset, const char *path)
{
        struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
                                                                    LANDLOCK_ACCESS_FS_READ_DIR};
        pt_auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return; /* what is not there need not be read */
        if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
                rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
        rule.parent_fd = fd;
        (void) syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Landlock (Documentation/userspace-api/landlock.rst): since Linux 5.13, if it is switched on. */
static int restrict_files(const char *const *readable)
{
        static const char *const always[] = {
                "/etc/hosts",
                "/etc/host.conf",
                "/etc/nsswitch.conf",
                "/etc/resolv.conf",
                "/etc/services",
                "/etc/ssl",
                "/etc/localtime",
                "/run/systemd/resolve",
                "/run/resolvconf",
                "/run/NetworkManager",
                "/usr/lib",
                "/usr/share/ca-certificates",
                "/usr/local/share/ca-certificates",
                "/dev/urandom",
                NULL,
        };
        /* All that the first version knows. */
        struct landlock_ruleset_attr attr = {.handled_access_fs = (UINT64_C(1) << 13) - 1};
        pt_auto_fd int ruleset = -EBADF;

        ruleset = (int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
        if (ruleset < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
        for (const char *const *path = always; *path; path++)
                may_read(ruleset, *path);
        for (const char *const *path = readable; path && *path; path++)
                may_read(ruleset, *path);
        return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* What none of the libraries here ever asks for. The rest they may: a list of what they need would
 * be another one with each version of each of them. */
static int restrict_calls(void)
{
        static const int refused[] = {
                SCMP_SYS(execve),
                SCMP_SYS(execveat),
                SCMP_SYS(fork),
                SCMP_SYS(vfork),
                SCMP_SYS(clone),
                SCMP_SYS(clone3),
                SCMP_SYS(ptrace),
                SCMP_SYS(process_vm_readv),
                SCMP_SYS(process_vm_writev),
                SCMP_SYS(kill),
                SCMP_SYS(pidfd_open),
                SCMP_SYS(pidfd_getfd),
                SCMP_SYS(bind),
                SCMP_SYS(listen),
                SCMP_SYS(accept),
                SCMP_SYS(accept4),
                SCMP_SYS(mount),
                SCMP_SYS(unshare),
                SCMP_SYS(setns),
                SCMP_SYS(bpf),
                SCMP_SYS(keyctl),
                SCMP_SYS(add_key),
                SCMP_SYS(request_key),
                SCMP_SYS(perf_event_open),
                SCMP_SYS(userfaultfd),
                SCMP_SYS(io_uring_setup),
                SCMP_SYS(open_by_handle_at),
                SCMP_SYS(memfd_secret),
                SCMP_SYS(unlink),
                SCMP_SYS(unlinkat),
                SCMP_SYS(rename),
                SCMP_SYS(renameat2),
                SCMP_SYS(chmod),
                SCMP_SYS(fchmodat),
                SCMP_SYS(shmget),
                SCMP_SYS(mq_open),
        };
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        uint32_t no = SCMP_ACT_ERRNO(EPERM);
        int r = filter ? 0 : -ENOMEM;

        for (unsigned i = 0; r >= 0 && i < G_N_ELEMENTS(refused); i++)
                r = seccomp_rule_add(filter, no, refused[i], 0);
        /* Sockets of IP alone: not the bus's, not netlink's. */
        for (uint64_t family = 0; r >= 0 && family < AF_MAX; family++)
                if (family != AF_INET && family != AF_INET6)
                        r = seccomp_rule_add(filter, no, SCMP_SYS(socket), 1,
                                             SCMP_A0(SCMP_CMP_EQ, family));
        if (r >= 0)
                r = seccomp_rule_add(filter, no, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GE, AF_MAX));
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

int sandbox_enter(const char *const *readable)
{
        int r = set_limits();

        if (r >= 0)
                r = drop_capabilities();
        if (r >= 0)
                r = restrict_files(readable);
        return r < 0 ? r : restrict_calls();
}
