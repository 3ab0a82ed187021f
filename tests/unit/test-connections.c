/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Listings by children, in a network namespace of the test's own. */

#include "connections.h"

#include "base/io.h"
#include "conntrack-unit.h"
#include "kind/json.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define COUNT 2500

static sd_event *event;
static FwConnections *connections;

typedef struct Answer {
        bool came;
        int result, fd;
        uint32_t rows;
        char *next;
        uint64_t killed;
} Answer;

static void answer_clear(Answer *answer)
{
        if (answer->came && answer->fd >= 0)
                close(answer->fd);
        g_free(answer->next);
        *answer = (Answer){0};
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)

static void page_done(int result, int fd, uint32_t rows, const char *next, void *userdata)
{
        Answer *answer = userdata;

        assert_false(answer->came);
        *answer = (Answer){true, result, fd, rows, g_strdup(next), 0};
}

static void kill_done(int result, uint64_t killed, void *userdata)
{
        Answer *answer = userdata;

        *answer = (Answer){.came = true, .result = result, .fd = -EBADF, .killed = killed};
}

static void wait_for(const Answer *answer)
{
        while (!answer->came)
                assert_true(sd_event_run(event, 10 * G_USEC_PER_SEC) > 0);
}

static void make_filter(const char *text, PtConnectionFilter *ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_tokener_parse(text);

        assert_int_equal(pt_connection_filter_from_json(json, diag, ret), 0);
}

static void list(const char *text, FwRowFormat format, uint32_t limit, Answer *answer)
{
        g_auto(PtConnectionFilter) filter = {0};

        make_filter(text, &filter);
        assert_int_equal(
                fw_connections_list(connections, &filter, format, limit, page_done, answer), 0);
}

static void test_pages(void **state)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        g_autofree char *cursor = NULL;
        unsigned pages = 0;

        do {
                g_auto(Answer) answer = {0};
                g_autofree char *bytes = NULL;
                const PtConnection *rows;
                size_t size;

                if (!cursor)
                        list("{}", FW_ROWS_PACKED, 1000, &answer);
                else
                        assert_int_equal(
                                fw_connections_continue(connections, cursor, page_done, &answer),
                                0);
                wait_for(&answer);
                assert_int_equal(answer.result, 0);
                assert_int_equal(pt_memfd_check(answer.fd, 1 << 20, &size), 0);
                assert_int_equal(size, answer.rows * sizeof(PtConnection));
                assert_int_equal(pt_read_all(answer.fd, size, &bytes, &size), 0);
                rows = (const PtConnection *) (void *) bytes;
                for (unsigned i = 0; i < answer.rows; i++)
                        g_hash_table_add(seen, GUINT_TO_POINTER(rows[i].original.source_port));
                pages++;
                /* A page is given out once. */
                if (cursor) {
                        g_auto(Answer) again = {0};

                        assert_int_equal(
                                fw_connections_continue(connections, cursor, page_done, &again),
                                -ENOENT);
                }
                g_free(cursor);
                cursor = g_strdup(answer.next);
        } while (cursor[0]);
        assert_int_equal(pages, 3);
        assert_int_equal(g_hash_table_size(seen), COUNT);
}

static void test_json_and_exact_end(void **state)
{
        g_auto(Answer) answer = {0};
        g_autofree char *bytes = NULL;
        g_auto(GStrv) lines = NULL;
        size_t size;

        /* As many as fit: the page is the last. */
        list("{\"sourcePort\":\"1-1000\"}", FW_ROWS_JSON, 1000, &answer);
        wait_for(&answer);
        assert_int_equal(answer.rows, 1000);
        assert_string_equal(answer.next, "");
        assert_int_equal(pt_read_all(answer.fd, 1 << 20, &bytes, &size), 0);
        lines = g_strsplit(bytes, "\n", -1);
        assert_int_equal(g_strv_length(lines), 1001);
        for (unsigned i = 0; i < 1000; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_json *json = NULL;

                assert_int_equal(pt_json_parse(lines[i], strlen(lines[i]), diag, &json), 0);
        }
}

static void test_nothing(void **state)
{
        g_auto(Answer) answer = {0};

        list("{\"source\":\"10.9.9.9\"}", FW_ROWS_JSON, 10, &answer);
        wait_for(&answer);
        assert_int_equal(answer.result, 0);
        assert_int_equal(answer.rows, 0);
        assert_string_equal(answer.next, "");
}

static void test_limits(void **state)
{
        Answer answers[FW_LISTINGS_MAX] = {0}, extra = {0};
        PtConnectionFilter all = {0};

        for (unsigned i = 0; i < FW_LISTINGS_MAX; i++) {
                list("{}", FW_ROWS_PACKED, 10, &answers[i]);
                wait_for(&answers[i]);
        }
        assert_int_equal(
                fw_connections_list(connections, &all, FW_ROWS_PACKED, 10, page_done, &extra),
                -EBUSY);
        /* One that waits for its page cannot be asked again. */
        assert_int_equal(fw_connections_continue(connections, answers[0].next, page_done, &extra),
                         0);
        assert_int_equal(fw_connections_continue(connections, answers[0].next, page_done, &extra),
                         -EBUSY);
        wait_for(&extra);
        answer_clear(&extra);
        assert_int_equal(fw_connections_continue(connections, "x.1", page_done, &extra), -ENOENT);

        /* Whoever waits is told when all ends. */
        assert_int_equal(fw_connections_continue(connections, answers[1].next, page_done, &extra),
                         0);
        fw_connections_free(connections);
        assert_true(extra.came);
        assert_int_equal(extra.result, -ECANCELED);
        assert_int_equal(fw_connections_new(event, -1, NULL, &connections), 0);
        for (unsigned i = 0; i < FW_LISTINGS_MAX; i++)
                answer_clear(&answers[i]);
        answer_clear(&extra);
}

/* The child may be killed by anybody. */
static void test_dead_child(void **state)
{
        g_auto(Answer) first = {0}, second = {0};
        g_autofree char *children = NULL;
        size_t size;

        list("{}", FW_ROWS_PACKED, 10, &first);
        wait_for(&first);
        assert_int_equal(
                pt_read_file(AT_FDCWD, "/proc/thread-self/children", 4096, &children, &size), 0);
        for (char *pid = strtok(children, " "); pid; pid = strtok(NULL, " "))
                assert_int_equal(kill((pid_t) g_ascii_strtoll(pid, NULL, 10), SIGKILL), 0);
        if (fw_connections_continue(connections, first.next, page_done, &second) == 0) {
                wait_for(&second);
                assert_int_equal(second.result, -EIO);
                assert_int_equal(second.fd, -EBADF);
        }
}

static void test_kill(void **state)
{
        g_auto(PtConnectionFilter) one = {0}, some = {0}, all = {0};
        g_auto(Answer) answer = {0};
        uint32_t count;

        make_filter("{\"protocol\":\"tcp\",\"source\":\"10.0.0.1\",\"destination\":\"192.0.2.1\","
                    "\"sourcePort\":7,\"destinationPort\":443}",
                    &one);
        assert_int_equal(fw_connections_kill(connections, &one, kill_done, &answer), 0);
        assert_true(answer.came); /* at once: no child */
        assert_int_equal(answer.killed, 1);
        answer_clear(&answer);
        assert_int_equal(fw_connections_kill(connections, &one, kill_done, &answer), 0);
        wait_for(&answer);
        assert_int_equal(answer.killed, 0);
        answer_clear(&answer);

        make_filter("{\"sourcePort\":\"1-1500\"}", &some);
        assert_int_equal(fw_connections_kill(connections, &some, kill_done, &answer), 0);
        wait_for(&answer);
        assert_int_equal(answer.killed, 1499);
        assert_int_equal(fw_connections_count(connections, &count), 0);
        assert_int_equal(count, COUNT - 1500);
}

static int setup(void **state)
{
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        if (unshare(CLONE_NEWNET) < 0 || sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ||
            sd_event_new(&event) < 0)
                return -1;
        for (unsigned i = 0; i < COUNT; i++)
                unit_make_connection(&(UnitConnection){AF_INET, "10.0.0.1", "192.0.2.1",
                                                       (uint16_t) (i + 1), 443, IPPROTO_TCP, 0, 0});
        return fw_connections_new(event, -1, NULL, &connections);
}

static int teardown(void **state)
{
        fw_connections_free(connections);
        event = sd_event_unref(event);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pages),      cmocka_unit_test(test_json_and_exact_end),
                cmocka_unit_test(test_nothing),    cmocka_unit_test(test_limits),
                cmocka_unit_test(test_dead_child), cmocka_unit_test(test_kill),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
