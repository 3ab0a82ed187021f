/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/bus.h"

#include "bus/log-control.h"
#include "bus/introspect.h"
#include "base/log.h"
#include "private-bus.h"
#include "unit.h"
#include <string.h>
#include <sys/wait.h>

static PrivateBus bus;

static void test_error_names(void **state)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;

        assert_return_code(pt_bus_errors_register(), 0);
        assert_return_code(pt_bus_errors_register(), 0);
        for (const sd_bus_error_map *e = pt_bus_errors; e->name; e++) {
                sd_bus_error named = {.name = e->name};

                assert_string_equal(pt_bus_error_name(-e->code), e->name);
                assert_int_equal(sd_bus_error_get_errno(&named), e->code);
        }
        assert_string_equal(pt_bus_error_name(-ENOSPC), PT_ERROR_PREFIX "Failed");

        assert_int_equal(pt_bus_fail(&error, -ENOENT, "There is no rule %s", "a\xff"), -ENOENT);
        assert_string_equal(error.name, PT_ERROR_PREFIX "NotFound");
        assert_string_equal(error.message, "There is no rule a\xef\xbf\xbd");
}

static void assert_diag(const PtDiagnostics *diag, size_t i, const char *subject,
                        const char *pointer, const char *text)
{
        const PtDiagnostic *d = pt_diag_get(diag, i);

        assert_string_equal(d->subject, subject);
        assert_string_equal(d->pointer, pointer);
        assert_string_equal(d->text, text);
}

static int method_refuse(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return pt_bus_refuse(m, -EINVAL, userdata);
}

static int method_uid(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        uid_t uid = 0;
        int r;

        r = pt_bus_sender_uid(m, &uid);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, "u", (uint32_t) uid);
}

static const sd_bus_vtable test_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Refuse", "", "", method_refuse, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Uid", "", "u", method_uid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

typedef struct Answer {
        sd_bus_message *reply;
} Answer;

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Answer *answer = userdata;

        answer->reply = sd_bus_message_ref(reply);
        return 0;
}

/* Both ends live in this process: sends, and turns both until the answer is here. */
static sd_bus_message *call(sd_bus *service, sd_bus *client, const char *member)
{
        Answer answer = {};
        const char *name;

        assert_return_code(sd_bus_get_unique_name(service, &name), 0);
        assert_return_code(sd_bus_call_method_async(client, NULL, name, "/t", "org.patronus.Test",
                                                    member, answered, &answer, ""),
                           0);
        while (!answer.reply) {
                if (sd_bus_process(client, NULL) == 0 && sd_bus_process(service, NULL) == 0)
                        assert_return_code(sd_bus_wait(service, 1000), 0);
        }
        return answer.reply;
}

static void test_refusal_carries_diagnostics(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), received = pt_diag_new();
        sd_bus *service, *client;
        sd_bus_message *reply;

        pt_diag_warning(diag, "odd", NULL, "odd, but fine");
        pt_diag_set_subject(diag, "FirewallRule/web");
        pt_diag_error(diag, "out-of-range", "/spec/priority", "%d is out of range 0-65535", 70000);
        pt_diag_set_subject(diag, "policy#1.yaml:12:3");
        pt_diag_error(diag, "not-utf8", NULL, "\xff is not UTF-8");

        service = private_bus_connect(&bus);
        client = private_bus_connect(&bus);
        assert_return_code(sd_bus_add_object_vtable(service, NULL, "/t", "org.patronus.Test",
                                                    test_vtable, diag),
                           0);
        reply = call(service, client, "Refuse");
        assert_true(sd_bus_message_is_method_error(reply, PT_ERROR_PREFIX "Invalid"));
        assert_string_equal(sd_bus_message_get_error(reply)->message,
                            "FirewallRule/web#/spec/priority: 70000 is out of range 0-65535");
        assert_return_code(pt_bus_read_refusal(reply, received), 0);
        assert_int_equal(pt_diag_count(received), 3);
        assert_int_equal(pt_diag_errors(received), 2);
        assert_diag(received, 0, "", "", "odd, but fine");
        assert_diag(received, 1, "FirewallRule/web", "/spec/priority",
                    "70000 is out of range 0-65535");
        assert_diag(received, 2, "policy#1.yaml:12:3", "", "\xef\xbf\xbd is not UTF-8");
        sd_bus_message_unref(reply);

        /* An error without them is fine too. */
        g_clear_pointer(&received, pt_diag_free);
        received = pt_diag_new();
        reply = call(service, client, "NoSuch");
        assert_return_code(pt_bus_read_refusal(reply, received), 0);
        assert_int_equal(pt_diag_count(received), 0);
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(client);
        sd_bus_flush_close_unref(service);
}

static void test_sender_uid(void **state)
{
        sd_bus *service = private_bus_connect(&bus), *client = private_bus_connect(&bus);
        sd_bus_message *reply;
        const char *name;
        uint32_t uid;
        int status;
        pid_t pid;

        assert_return_code(sd_bus_add_object_vtable(service, NULL, "/t", "org.patronus.Test",
                                                    test_vtable, NULL),
                           0);
        reply = call(service, client, "Uid");
        assert_return_code(sd_bus_message_read(reply, "u", &uid), 0);
        assert_int_equal(uid, geteuid());
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(client);
        if (geteuid() != 0) {
                sd_bus_flush_close_unref(service);
                return; /* another uid takes root */
        }

        assert_return_code(sd_bus_get_unique_name(service, &name), 0);
        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                pt_auto_message *m = NULL;

                if (setresuid(65534, 65534, 65534) < 0)
                        _exit(2);
                client = private_bus_connect(&bus);
                if (sd_bus_call_method(client, name, "/t", "org.patronus.Test", "Uid", NULL, &m,
                                       "") < 0 ||
                    sd_bus_message_read(m, "u", &uid) < 0)
                        _exit(3);
                _exit(uid == 65534 ? 0 : 4);
        }
        while (waitpid(pid, &status, WNOHANG) == 0)
                if (sd_bus_process(service, NULL) == 0)
                        assert_return_code(sd_bus_wait(service, 10000), 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        sd_bus_flush_close_unref(service);
}

static int attach_test(sd_bus *connection, void *userdata)
{
        return sd_bus_add_object_vtable(connection, NULL, "/t", "org.patronus.Test", test_vtable,
                                        userdata);
}

static void test_introspect(void **state)
{
        static const char *const paths[] = {"/t", NULL};
        g_autoptr(GString) xml = g_string_new(NULL);
        sd_event *event = NULL;

        assert_return_code(sd_event_new(&event), 0);
        assert_return_code(pt_introspect(event, attach_test, NULL, paths, xml), 0);
        assert_string_equal(
                xml->str,
                "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
                "\"https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
                "<node>\n"
                " <node name=\"t\">\n"
                "  <interface name=\"org.patronus.Test\">\n"
                "   <method name=\"Refuse\">\n"
                "   </method>\n"
                "   <method name=\"Uid\">\n"
                "    <arg type=\"u\" direction=\"out\"/>\n"
                "   </method>\n"
                "  </interface>\n"
                " </node>\n"
                "</node>\n");
        sd_event_unref(event);
}

static void test_log_levels(void **state)
{
        for (int i = LOG_EMERG; i <= LOG_DEBUG; i++) {
                const char digit[] = {(char) ('0' + i), 0};

                assert_int_equal(pt_log_level_from_string(pt_log_level_to_string(i)), i);
                assert_int_equal(pt_log_level_from_string(digit), i);
        }
        assert_int_equal(pt_log_level_from_string("loud"), -EINVAL);
        assert_int_equal(pt_log_level_from_string("8"), -EINVAL);
        assert_int_equal(pt_log_level_from_string(""), -EINVAL);
        assert_null(pt_log_level_to_string(8));
}

static int setup(void **state)
{
        private_bus_init(&bus);
        private_bus_start(&bus);
        return 0;
}

static int teardown(void **state)
{
        private_bus_done(&bus);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_error_names),
                cmocka_unit_test(test_refusal_carries_diagnostics),
                cmocka_unit_test(test_sender_uid),
                cmocka_unit_test(test_introspect),
                cmocka_unit_test(test_log_levels),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
