/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"

#include "base/io.h"
#include "unit.h"
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TAIL " 1 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 1 18446744073709551615"

static int parse(const char *text, PtProcess *process)
{
        /* As large as the text, so that the sanitizer sees a byte too far. */
        g_autofree char *exact = g_memdup2(text, strlen(text));

        return pt_process_parse_stat(exact, strlen(text), process);
}

static void test_stat(void **state)
{
        PtProcess process = {.uid = 77};

        assert_int_equal(parse("4711 (sshd) S" TAIL "\n", &process), 0);
        assert_int_equal(process.pid, 4711);
        assert_int_equal(process.parent, 1);
        assert_string_equal(process.comm, "sshd");
        assert_int_equal(process.tty_major, 136);
        assert_int_equal(process.tty_minor, 0);
        assert_int_equal(process.start_usec, 12345ULL * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK));

        /* A name may look like the rest of the line. */
        assert_int_equal(parse("7 (a) S 2 (b c) R" TAIL, &process), 0);
        assert_string_equal(process.comm, "a) S 2 (b c");
        assert_int_equal(process.parent, 1);
        assert_int_equal(parse("7 () R" TAIL, &process), 0);
        assert_string_equal(process.comm, "");
        assert_int_equal(parse("7 (\n\xff) R" TAIL, &process), 0);

        /* pts/300: the minor's high bits stand above the major. */
        assert_int_equal(parse("7 (a) S 1 7 7 1083436 7 0 1 2 3 4 5 6 7 8 20 0 1 0 1 1", &process),
                         0);
        assert_int_equal(process.tty_major, 136);
        assert_int_equal(process.tty_minor, 300);
}

static void test_bad_stat(void **state)
{
        static const char *const bad[] = {
                "",
                "x",
                "7",
                "7 ",
                "7 (",
                "7 )(",
                "7 (a",
                "7 (a)",
                "7 (a) ",
                "7 (a) S 1",
                "0 (a) S" TAIL,
                "-7 (a) S" TAIL,
                "4294967297 (a) S" TAIL,
                "7 a) S" TAIL,
                "7 (a) S -1 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345",
                "7 (a) S 1x 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345",
                "7 (a) S 4294967296 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345",
                "7 (a) S 1 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0",
                "7 (a) S 1 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99999999999999999999",
                "7 (a) S 1 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 18446744073709551615",
        };
        PtProcess process = {.pid = 5};

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
                assert_int_equal(parse(bad[i], &process), -EBADMSG);
        assert_int_equal(process.pid, 5);
}

static void test_status(void **state)
{
        static const char good[] =
                "Name:\tx\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        uid_t uid = 7;

        assert_int_equal(pt_process_parse_status(good, strlen(good), &uid), 0);
        assert_int_equal(uid, 1000);
        assert_int_equal(pt_process_parse_status("Uid:\t1\n", 7, &uid), -EBADMSG);
        assert_int_equal(pt_process_parse_status("\nUid:\t", 6, &uid), -EBADMSG);
        assert_int_equal(pt_process_parse_status("\nUid:\t4294967296\t", 17, &uid), -EBADMSG);
        assert_int_equal(pt_process_parse_status(NULL, 0, &uid), -EBADMSG);
        assert_int_equal(uid, 1000);
}

static uint64_t now_usec(void)
{
        struct timespec now;

        assert_return_code(clock_gettime(CLOCK_BOOTTIME, &now), errno);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* A child of ours, with a child of its own, seen from here. */
static void test_real(void **state)
{
        PtProcess chain[PT_ANCESTORS_MAX], self;
        uint64_t before = now_usec();
        int far[2], n;
        pid_t child, grandchild = 0;

        assert_return_code(pipe(far), errno);
        child = fork();
        if (child == 0) {
                grandchild = fork();
                if (grandchild != 0) {
                        (void) pt_write_all(far[1], &grandchild, sizeof(grandchild));
                        (void) waitpid(grandchild, NULL, 0);
                        _exit(0);
                }
                for (;;)
                        (void) pause();
        }
        assert_int_equal(read(far[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));

        n = pt_process_ancestors(grandchild, chain);
        assert_in_range(n, 3, PT_ANCESTORS_MAX);
        assert_int_equal(chain[0].pid, grandchild);
        assert_int_equal(chain[1].pid, child);
        assert_int_equal(chain[2].pid, getpid());
        assert_int_equal(chain[n - 1].parent, 0);
        assert_int_equal(chain[0].uid, getuid());
        assert_string_equal(chain[0].comm, "test-process");
        /* Ticks are rounded down. */
        assert_in_range(chain[1].start_usec, before - 1000000 / (uint64_t) sysconf(_SC_CLK_TCK),
                        now_usec());
        assert_true(chain[1].start_usec <= chain[0].start_usec);

        assert_return_code(kill(grandchild, SIGKILL), errno);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(pt_process_read(child, &self), -ESRCH);
        assert_int_equal(pt_process_ancestors(child, chain), -ESRCH);
        close(far[0]);
        close(far[1]);
}

static const PtProcess *carrier(const char *text, PtProcess chain[static PT_ANCESTORS_MAX],
                                unsigned *ret_n)
{
        g_auto(GStrv) words = g_strsplit(text, " < ", -1);
        unsigned n = g_strv_length(words);

        memset(chain, 0, PT_ANCESTORS_MAX * sizeof(*chain));
        for (unsigned i = 0; i < n; i++) {
                const char *at = strchr(words[i], '@');

                g_strlcpy(chain[i].comm, words[i], PT_COMM_MAX);
                if (at) {
                        chain[i].comm[at - words[i]] = '\0';
                        chain[i].uid = (uid_t) g_ascii_strtoull(at + 1, NULL, 10);
                }
        }
        *ret_n = n;
        return pt_process_carrier(chain, n);
}

static void test_carrier(void **state)
{
        static const struct {
                const char *chain; /* caller first, NAME@UID */
                int carrier;       /* index, or -1 */
                bool keeper;
        } rows[] = {
                {"bash@0 < login@0 < systemd@0", -1, false},
                /* a user; sudo; root, who has no process of his own; one for each connection */
                {"ctl@5 < bash@5 < sshd@5 < sshd@0 < sshd@0 < systemd@0", 3, false},
                {"ctl@0 < sudo@0 < bash@5 < sshd@5 < sshd@0 < sshd@0 < systemd@0", 4, false},
                {"ctl@0 < bash@0 < sshd@0 < sshd@0 < systemd@0", 2, false},
                {"ctl@5 < bash@5 < sshd@5 < sshd@0 < systemd@0", 3, false},
                {"ctl@5 < sshd-session@5 < sshd-session@0 < sshd@0", 2, false},
                {"ctl@0 < bash@0 < dropbear@0 < dropbear@0", 2, false},
                /* a server of the user's own, alone, and inside of a login: the outer one counts */
                {"ctl@5 < bash@5 < sshd@5 < sshd@5 < systemd@5", 2, false},
                {"ctl@5 < sshd@5 < sshd@5 < bash@5 < sshd@5 < sshd@0 < sshd@0", 5, false},
                /* a login inside of a login is a connection of its own */
                {"ctl@0 < sshd@0 < sshd@0 < test@0 < sshd@0 < sshd@0", 1, false},
                {"ctl@0 < bash@0 < tmux: server@0 < systemd@0", -1, true},
                {"ctl@0 < bash@0 < screen@0 < bash@0 < sshd@0 < sshd@0", 4, true},
                {"sshdx@0 < xsshd@0 < SSHD@0 < sshd-sessions@0", -1, false},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                PtProcess chain[PT_ANCESTORS_MAX];
                unsigned n;
                const PtProcess *found = carrier(rows[i].chain, chain, &n);

                assert_int_equal(found ? found - chain : -1, rows[i].carrier);
                assert_int_equal(pt_process_keeper(chain, n) != NULL, rows[i].keeper);
        }
}

static void test_console(void **state)
{
        static const struct {
                unsigned major, minor;
                bool console;
        } rows[] = {
                {0, 0, false},   {4, 1, true},    {4, 64, true},   {229, 0, true}, {204, 64, true},
                {136, 0, false}, {143, 9, false}, {128, 0, false}, {3, 1, false},  {2, 1, false},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                PtProcess process = {.tty_major = rows[i].major, .tty_minor = rows[i].minor};

                assert_int_equal(pt_process_on_console(&process), rows[i].console);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stat),    cmocka_unit_test(test_bad_stat),
                cmocka_unit_test(test_status),  cmocka_unit_test(test_real),
                cmocka_unit_test(test_carrier), cmocka_unit_test(test_console),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
