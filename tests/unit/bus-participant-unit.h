/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A participant on a private bus, and calls of its interfaces: service and clients share the test's event loop. */

#include "bus/bus.h"
#include "participant-unit.h"
#include "private-bus.h"
#include <sys/mman.h>

#define PATH "/org/patronus/Test1"
#define TRANSACTION "org.patronus.Transaction1"
#define DAEMON "org.patronus.Daemon1"
#define OWNER_UID 65533 /* configd's, for the tests */
#define OTHER_UID 65534

static PrivateBus bus;

typedef struct Test {
        UnitFixture *f;
        sd_bus *service, *client;
        char *name; /* the service's unique name */
} Test;

static inline sd_bus *connect_to_loop(sd_event *event)
{
        sd_bus *connection = private_bus_connect(&bus);

        assert_return_code(sd_bus_attach_event(connection, event, SD_EVENT_PRIORITY_NORMAL), 0);
        return connection;
}

static inline void connect_service(Test *t)
{
        const char *name;

        t->service = connect_to_loop(t->f->ctx.event);
        assert_return_code(sd_bus_get_unique_name(t->service, &name), 0);
        t->name = g_strdup(name);
        assert_return_code(pt_participant_attach(t->f->participant, t->service, PATH, OWNER_UID),
                           0);
}

static inline void close_bus(sd_bus **connection)
{
        if (*connection)
                sd_bus_detach_event(*connection);
        *connection = sd_bus_flush_close_unref(*connection);
}

/* With rule "a" decided as revision 1 and in force. */
static inline int setup(void **state)
{
        Test *t = g_new0(Test, 1);

        assert_int_equal(unit_participant_setup((void **) &t->f), 0);
        unit_commit(t->f->store, &t->f->decided, "a", 1);
        assert_int_equal(unit_start(t->f, NULL), 0);
        connect_service(t);
        t->client = connect_to_loop(t->f->ctx.event);
        *state = t;
        return 0;
}

static inline int teardown(void **state)
{
        Test *t = *state;

        close_bus(&t->client);
        unit_participant_teardown((void **) &t->f);
        close_bus(&t->service);
        g_free(t->name);
        g_free(t);
        return 0;
}

/* ---- calls ------------------------------------------------------------------------------ */

static inline int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        sd_bus_message **ret = userdata;

        *ret = sd_bus_message_ref(reply);
        return 0;
}

static inline void await(Test *t, sd_bus_message **reply)
{
        while (!*reply)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
}

/* Sends; the answer will be in *ret. */
static inline void send_call(sd_bus *client, sd_bus_message *m, sd_bus_message **ret)
{
        *ret = NULL;
        assert_return_code(sd_bus_call_async(client, NULL, m, answered, ret, 0), 0);
        assert_return_code(sd_bus_flush(client), 0);
}

static inline sd_bus_message *new_call(const Test *t, sd_bus *client, const char *interface,
                                       const char *member)
{
        sd_bus_message *m = NULL;

        assert_return_code(
                sd_bus_message_new_method_call(client, &m, t->name, PATH, interface, member), 0);
        return m;
}

static inline void send_step(const Test *t, sd_bus *client, const char *member, uint64_t revision,
                             sd_bus_message **ret)
{
        pt_auto_message *m = new_call(t, client, TRANSACTION, member);

        assert_return_code(sd_bus_message_append(m, "t", revision), 0);
        send_call(client, m, ret);
}

static inline sd_bus_message *step(Test *t, const char *member, uint64_t revision)
{
        sd_bus_message *reply;

        send_step(t, t->client, member, revision, &reply);
        await(t, &reply);
        return reply;
}

static inline void send_plan_fd(const Test *t, sd_bus *client, uint64_t revision, int fd,
                                sd_bus_message **ret)
{
        pt_auto_message *m = new_call(t, client, TRANSACTION, "Plan");

        assert_return_code(fd, 0);
        assert_return_code(sd_bus_message_append(m, "tha{sv}", revision, fd, 0), 0);
        send_call(client, m, ret);
}

/* A delta, or with `before` NULL the whole. */
static inline int memfd_of(const PtSlice *before, const PtSlice *after)
{
        g_autoptr(GString) text = g_string_new(NULL);

        if (before)
                pt_delta_format(before, after, text);
        else
                pt_slice_format(after, text);
        return pt_memfd_new_sealed("test", text->str, text->len);
}

static inline void send_plan(const Test *t, sd_bus *client, uint64_t revision,
                             const PtSlice *before, const PtSlice *after, sd_bus_message **ret)
{
        pt_auto_fd int fd = memfd_of(before, after);

        send_plan_fd(t, client, revision, fd, ret);
}

static inline sd_bus_message *plan(Test *t, uint64_t revision, const PtSlice *before,
                                   const PtSlice *after)
{
        sd_bus_message *reply;

        send_plan(t, t->client, revision, before, after, &reply);
        await(t, &reply);
        return reply;
}

static inline void assert_ok(sd_bus_message *reply)
{
        if (sd_bus_message_is_method_error(reply, NULL))
                fail_msg("%s: %s", sd_bus_message_get_error(reply)->name,
                         sd_bus_message_get_error(reply)->message);
        sd_bus_message_unref(reply);
}

static inline void assert_refused(sd_bus_message *reply, const char *error)
{
        g_autofree char *name = g_strconcat(PT_ERROR_PREFIX, error, NULL);
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        assert_non_null(e);
        assert_string_equal(e->name, name);
        assert_true(e->message[0]);
        sd_bus_message_unref(reply);
}

/* The value of a key in an a{sv} reply, or false. */
static inline bool lookup(sd_bus_message *reply, const char *key, const char *type, void *ret)
{
        const char *k;

        assert_false(sd_bus_message_is_method_error(reply, NULL));
        assert_return_code(sd_bus_message_rewind(reply, true), 0);
        assert_return_code(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                assert_return_code(sd_bus_message_read(reply, "s", &k), 0);
                if (g_str_equal(k, key)) {
                        assert_return_code(sd_bus_message_read(reply, "v", type, ret), 0);
                        return true;
                }
                assert_return_code(sd_bus_message_skip(reply, "v"), 0);
                assert_return_code(sd_bus_message_exit_container(reply), 0);
        }
        return false;
}

static inline void assert_verified(sd_bus_message *reply, bool expected)
{
        int value = -1;

        assert_true(lookup(reply, "verified", "b", &value));
        assert_int_equal(value, expected);
        sd_bus_message_unref(reply);
}

static inline PtSlice *with_rule(const PtSlice *before, const char *name)
{
        PtSlice *after = pt_slice_clone(before);

        unit_put(after, unit_rule(name, 5));
        return after;
}
