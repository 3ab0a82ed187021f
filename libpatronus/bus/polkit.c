/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/polkit.h"

#include "bus/bus.h"
#include <inttypes.h>

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* polkit's CheckAuthorizationFlags. */
#define ALLOW_USER_INTERACTION 1U

struct PtPolkit {
        sd_bus *bus;
        sd_bus_slot *slot; /* of the call; NULL: answered */
        uint64_t id;
        PtPolkitDone done;
        void *userdata;
};

#define ID_MAX 32

static const char *cancellation_id(uint64_t id, char buffer[static ID_MAX])
{
        (void) snprintf(buffer, ID_MAX, "patronus-%" PRIu64, id);
        return buffer;
}

/* What is asked goes on in polkit when we stop listening, with the dialog that somebody sees. */
static void cancel(PtPolkit *polkit)
{
        pt_auto_message *m = NULL;
        char id[ID_MAX];
        int r;

        r = sd_bus_message_new_method_call(polkit->bus, &m, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CancelCheckAuthorization");
        if (r < 0)
                return;
        r = sd_bus_message_append(m, "s", cancellation_id(polkit->id, id));
        if (r < 0)
                return;
        if (sd_bus_message_set_expect_reply(m, false) < 0 ||
            sd_bus_message_set_auto_start(m, false) < 0)
                return;
        (void) sd_bus_send(polkit->bus, m, NULL);
}

/*
 * ServiceUnknown alone means that there is no polkit: the name has no owner, and nothing starts
 * one. A polkit that is there and does not start, or does not answer, has said nothing in favour of
 * anybody.
 */
static PtPolkitAnswer read_error(const sd_bus_error *error, const char **why)
{
        *why = error->message ?: error->name;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN))
                return PT_POLKIT_ABSENT;
        return PT_POLKIT_FAILED;
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        PtPolkit *polkit = userdata;
        PtPolkitAnswer answer;
        const char *why = "";
        int yes, challenge;

        polkit->slot = sd_bus_slot_unref(polkit->slot);
        if (sd_bus_message_is_method_error(reply, NULL)) {
                answer = read_error(sd_bus_message_get_error(reply), &why);
                if (answer == PT_POLKIT_FAILED)
                        cancel(polkit); /* it may only be late */
        } else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
                   sd_bus_message_read(reply, "bb", &yes, &challenge) < 0) {
                answer = PT_POLKIT_FAILED;
                why = "its answer cannot be read";
        } else
                answer = yes ? PT_POLKIT_YES : challenge ? PT_POLKIT_CHALLENGE : PT_POLKIT_NO;
        polkit->done(polkit->userdata, answer, why);
        return 0;
}

static int question_new(sd_bus *bus, const PtPolkitQuestion *q, sd_bus_message **ret)
{
        pt_auto_message *m = NULL;
        char id[ID_MAX];
        int r;

        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  q->sender, q->action, 3, "kind", q->kind, "name", q->name,
                                  "method", q->call, q->interactive ? ALLOW_USER_INTERACTION : 0U,
                                  cancellation_id(q->id, id));
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&m);
        return 0;
}

int pt_polkit_ask(sd_bus *bus, const PtPolkitQuestion *question, PtPolkitDone done, void *userdata,
                  PtPolkit **ret)
{
        pt_auto_message *m = NULL;
        PtPolkit *polkit;
        int r;

        r = question_new(bus, question, &m);
        if (r < 0)
                return r;
        polkit = g_new0(PtPolkit, 1);
        polkit->bus = sd_bus_ref(bus);
        polkit->id = question->id;
        polkit->done = done;
        polkit->userdata = userdata;
        *ret = polkit; /* before anything can answer */
        r = sd_bus_call_async(bus, &polkit->slot, m, answered, polkit,
                              question->interactive ? PT_POLKIT_INTERACTIVE_USEC : PT_POLKIT_USEC);
        if (r < 0) {
                *ret = NULL;
                pt_polkit_free(polkit);
        }
        return r;
}

void pt_polkit_free(PtPolkit *polkit)
{
        if (!polkit)
                return;
        if (polkit->slot)
                cancel(polkit);
        sd_bus_slot_unref(polkit->slot);
        sd_bus_unref(polkit->bus);
        g_free(polkit);
}
