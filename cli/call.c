/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "call.h"

#include "message.h"
#include "output.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

/* A commit waits for every participant: configd allows 120 s for prepare alone, then commits and
 * verifies. */
#define COMMIT_TIMEOUT_USEC (300 * G_USEC_PER_SEC)
/* A trial plans with every participant. */
#define READ_TIMEOUT_USEC (150 * G_USEC_PER_SEC)
/* A hung daemon must not hang its own diagnosis. */
#define QUIET_TIMEOUT_USEC (2 * G_USEC_PER_SEC)

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

const CtlTarget ctl_config = {
        "org.patronus.Config1",
        "/org/patronus/Config1",
        "org.patronus.Config1",
};

int ctl_connect(Ctl *ctl, CtlCallFlags flags)
{
        const char *address = ctl->values[CTL_BUS] ?: getenv("DBUS_SYSTEM_BUS_ADDRESS");
        pt_cleanup(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        if (ctl->bus)
                return CTL_DONE;
        g_free(ctl->address);
        ctl->address = g_strdup(address && *address ? address : SYSTEM_BUS);

        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, ctl->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        /* polkit's agent may ask who sits here; not while a word is completed, nor in a script. */
        if (r >= 0)
                r = sd_bus_set_allow_interactive_authorization(bus, flags != CTL_CALL_QUIET &&
                                                                            isatty(STDIN_FILENO));
        if (r >= 0)
                r = sd_bus_start(bus);
        /* The first round trip says whether anybody is there. */
        if (r >= 0)
                r = sd_bus_get_unique_name(bus, &(const char *){NULL});
        if (r < 0) {
                if (flags != CTL_CALL_QUIET)
                        ctl_error("no bus at %s: %s; is dbus running (systemctl status dbus), and "
                                  "is --bus or DBUS_SYSTEM_BUS_ADDRESS right?",
                                  ctl->address, g_strerror(-r));
                return CTL_UNREACHABLE;
        }
        ctl->bus = g_steal_pointer(&bus);
        return CTL_DONE;
}

int ctl_method(Ctl *ctl, const CtlTarget *target, const char *member, sd_bus_message **ret)
{
        int r = ctl_connect(ctl, CTL_CALL_READS);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_new_method_call(ctl->bus, ret, target->service, target->path,
                                           target->interface, member);
        return r < 0 ? r : CTL_DONE;
}

char *ctl_daemon_name(const char *service)
{
        const char *dot = strrchr(service, '.');
        g_autofree char *word = g_ascii_strdown(dot ? dot + 1 : service, -1);

        word[strcspn(word, "0123456789")] = '\0';
        return g_strconcat(word, "d", NULL);
}

void ctl_say_absent(const Ctl *ctl, const char *service)
{
        g_autofree char *daemon = ctl_daemon_name(service);

        ctl_error("%s is not on the bus at %s: is patronus-%s running (systemctl status "
                  "patronus-%s)?",
                  service, ctl->address, daemon, daemon);
}

typedef enum Failure {
        FAILURE_OTHER,
        FAILURE_ABSENT, /* nobody has the name, and nobody could be started */
        FAILURE_BROKEN, /* somebody did, and then there was no answer */
        FAILURE_DENIED,
        FAILURE_UNREACHABLE, /* somebody that the service needs */
        FAILURE_CONFLICT,
        FAILURE_CANCELLED,
} Failure;

static Failure classify(const sd_bus_error *error)
{
        static const struct {
                const char *name;
                Failure failure;
        } known[] = {
                {SD_BUS_ERROR_SERVICE_UNKNOWN, FAILURE_ABSENT},
                {SD_BUS_ERROR_NAME_HAS_NO_OWNER, FAILURE_ABSENT},
                {"org.freedesktop.DBus.Error.Spawn.*", FAILURE_ABSENT},
                {"org.freedesktop.systemd1.NoSuchUnit", FAILURE_ABSENT},
                {SD_BUS_ERROR_NO_REPLY, FAILURE_BROKEN},
                {SD_BUS_ERROR_TIMEOUT, FAILURE_BROKEN},
                {SD_BUS_ERROR_DISCONNECTED, FAILURE_BROKEN},
                {PT_ERROR_PREFIX "Timeout", FAILURE_BROKEN},
                {SD_BUS_ERROR_ACCESS_DENIED, FAILURE_DENIED},
                {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, FAILURE_DENIED},
                {PT_ERROR_PREFIX "NotAuthorized", FAILURE_DENIED},
                {PT_ERROR_PREFIX "DaemonUnreachable", FAILURE_UNREACHABLE},
                {PT_ERROR_PREFIX "Conflict", FAILURE_CONFLICT},
                {PT_ERROR_PREFIX "Cancelled", FAILURE_CANCELLED},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                if (g_pattern_match_simple(known[i].name, error->name))
                        return known[i].failure;
        return FAILURE_OTHER;
}

/* All that the service found wrong, or its one sentence. */
static int say_refusal(sd_bus_message *reply, const char *text)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        if (pt_bus_read_refusal(reply, diag) < 0 || pt_diag_count(diag) == 0)
                ctl_error("%s", text);
        else
                ctl_say_diagnostics(diag);
        return CTL_REFUSED;
}

/* Says why there was an error for a reply, and what that means; returns the exit code. */
static int say_failure(const Ctl *ctl, const char *service, CtlCallFlags flags,
                       sd_bus_message *reply)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        const char *text = error->message && *error->message ? error->message : error->name;

        switch (classify(error)) {
        case FAILURE_ABSENT:
                ctl_say_absent(ctl, service);
                return CTL_UNREACHABLE;
        case FAILURE_BROKEN:
                ctl_error("%s did not answer: %s", service, text);
                if (flags == CTL_CALL_COMMITS)
                        fprintf(stderr, "whether the change is in force is not known; look with "
                                        "\"patronusctl status\"\n");
                return CTL_UNREACHABLE;
        case FAILURE_DENIED:
                ctl_error("not allowed: %s", text);
                return CTL_REFUSED;
        case FAILURE_UNREACHABLE:
                ctl_error("%s", text);
                return CTL_UNREACHABLE;
        case FAILURE_CONFLICT:
                ctl_error("%s; run the command again", text);
                return CTL_REFUSED;
        case FAILURE_CANCELLED:
                ctl_error("%s", text);
                fprintf(stderr, "nothing was changed\n");
                return CTL_REFUSED;
        case FAILURE_OTHER:
                break;
        }
        return say_refusal(reply, text);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) error;
        *(sd_bus_message **) userdata = sd_bus_message_ref(reply);
        return 0;
}

void ctl_pending_clear(CtlPending *pending)
{
        pending->slot = sd_bus_slot_unref(pending->slot);
        pending->reply = sd_bus_message_unref(pending->reply);
        g_clear_pointer(&pending->service, g_free);
}

int ctl_begin(Ctl *ctl, sd_bus_message *m, CtlCallFlags flags, CtlPending *pending)
{
        static const uint64_t timeouts[] = {
                [CTL_CALL_READS] = READ_TIMEOUT_USEC,
                [CTL_CALL_PROBES] = READ_TIMEOUT_USEC,
                [CTL_CALL_COMMITS] = COMMIT_TIMEOUT_USEC,
                [CTL_CALL_QUIET] = QUIET_TIMEOUT_USEC,
        };
        int r = sd_bus_message_set_auto_start(m, flags != CTL_CALL_QUIET);

        ctl_pending_clear(pending);
        pending->service = g_strdup(sd_bus_message_get_destination(m));
        if (r >= 0)
                r = sd_bus_call_async(ctl->bus, &pending->slot, m, on_reply, &pending->reply,
                                      timeouts[flags]);
        return r < 0 ? r : CTL_DONE;
}

/* Unlike sd_bus_call() this keeps an error's body: that has the diagnostics. Lost connections and
 * time-outs are error replies as well. */
int ctl_finish(Ctl *ctl, CtlCallFlags flags, CtlPending *pending, sd_bus_message **ret)
{
        pt_auto_message *reply = NULL;
        int r = ctl_wait(ctl, flags, &pending->reply);

        if (r < 0)
                return r;
        reply = g_steal_pointer(&pending->reply);
        if (flags == CTL_CALL_PROBES &&
            sd_bus_message_is_method_error(reply, PT_ERROR_PREFIX "NotFound"))
                return CTL_REFUSED;
        if (sd_bus_message_is_method_error(reply, NULL))
                return flags == CTL_CALL_QUIET ? CTL_UNREACHABLE
                                               : say_failure(ctl, pending->service, flags, reply);
        if (ret)
                *ret = g_steal_pointer(&reply);
        return CTL_DONE;
}

int ctl_call(Ctl *ctl, sd_bus_message *m, CtlCallFlags flags, sd_bus_message **ret)
{
        g_auto(CtlPending) pending = {0};
        int r = ctl_begin(ctl, m, flags, &pending);

        return r == CTL_DONE ? ctl_finish(ctl, flags, &pending, ret) : r;
}

int ctl_ask(Ctl *ctl, const CtlTarget *target, const char *member, CtlCallFlags flags,
            sd_bus_message **ret, const char *types, ...)
{
        pt_auto_message *m = NULL;
        va_list ap;
        int r = ctl_method(ctl, target, member, &m);

        if (r != CTL_DONE)
                return r;
        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r < 0 ? r : ctl_call(ctl, m, flags, ret);
}

int ctl_ask_before(Ctl *ctl, const char *member, uint64_t before, uint64_t limit,
                   sd_bus_message **ret)
{
        pt_auto_message *m = NULL, *reply = NULL;
        int r;

        r = ctl_method(ctl, &ctl_config, member, &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0 && before > 0)
                r = ctl_append_number(m, "before", SD_BUS_TYPE_UINT64, before);
        if (r >= 0)
                r = ctl_append_number(m, "limit", SD_BUS_TYPE_UINT32, limit);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&reply);
        return CTL_DONE;
}

int ctl_open_session(Ctl *ctl, char **ret_path, CtlTarget *ret_session)
{
        pt_auto_message *reply = NULL;
        const char *path;
        int r;

        r = ctl_ask(ctl, &ctl_config, "OpenSession", CTL_CALL_READS, &reply, "a{sv}", 0);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        *ret_path = g_strdup(path);
        *ret_session = (CtlTarget){ctl_config.service, *ret_path, "org.patronus.Session1"};
        return CTL_DONE;
}
