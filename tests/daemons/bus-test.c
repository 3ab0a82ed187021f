/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-test.h"

#include "bus/bus.h"

#define TEST_INTERFACE "org.patronus.Test1"

static int method_on(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        TestBus *self = userdata;
        const char *step_name, *text;
        TestBehaviour behaviour;
        TestStep step;
        int r;

        r = sd_bus_message_read(m, "ss", &step_name, &text);
        if (r < 0)
                return r;
        step = test_step_from_string(step_name);
        if (step < 0)
                return pt_bus_fail(error, -EINVAL, "There is no step \"%s\"", step_name);
        r = test_behaviour_parse(step, text, &behaviour);
        if (r < 0)
                return pt_bus_fail(error, r, "There is no behaviour \"%s\" at %s", text, step_name);
        self->engine->behaviour[step] = behaviour;
        return sd_bus_reply_method_return(m, NULL);
}

static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const TestBus *self = userdata;

        if (test_engine_release(self->engine) < 0)
                return pt_bus_fail(error, -ENOENT, "No step hangs");
        return sd_bus_reply_method_return(m, NULL);
}

static int method_estimate(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const TestBus *self = userdata;
        int r;

        r = sd_bus_message_read(m, "tt", &self->engine->prepare_usec, &self->engine->commit_usec);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable test_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("On", SD_BUS_ARGS("s", step, "s", behaviour), SD_BUS_NO_RESULT,
                                method_on, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Release", NULL, NULL, method_release, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Estimate", SD_BUS_ARGS("t", prepareUSec, "t", commitUSec),
                                SD_BUS_NO_RESULT, method_estimate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Stepped", SD_BUS_ARGS("s", step), 0),
        SD_BUS_VTABLE_END,
};

/* Sent before the step runs, which may be the end of us. */
static void stepped(TestStep step, void *userdata)
{
        const TestBus *self = userdata;

        if (!self->bus || sd_bus_is_ready(self->bus) <= 0)
                return;
        (void) sd_bus_emit_signal(self->bus, self->path, TEST_INTERFACE, "Stepped", "s",
                                  test_step_to_string(step));
        (void) sd_bus_flush(self->bus);
}

static const PtAccessRow access_rows[] = {
        PT_MAY_CALL(TEST_INTERFACE, "On", ANYBODY),
        PT_MAY_CALL(TEST_INTERFACE, "Release", ANYBODY),
        PT_MAY_CALL(TEST_INTERFACE, "Estimate", ANYBODY),
        PT_MAY_READ("", RUNTIME_READ),
        {},
};

const PtAccessTable test_bus_access = {.rows = access_rows};

int test_bus_attach(TestBus *self, sd_bus *bus, const char *path)
{
        if (self) {
                test_bus_done(self);
                self->bus = sd_bus_ref(bus);
                self->path = path;
                self->engine->stepped = stepped;
                self->engine->userdata = self;
        }
        return sd_bus_add_object_vtable(bus, NULL, path, TEST_INTERFACE, test_vtable, self);
}

void test_bus_done(TestBus *self)
{
        self->engine->stepped = NULL;
        self->bus = sd_bus_unref(self->bus);
}
