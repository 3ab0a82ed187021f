/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "progress.h"

#include "output.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#define PATIENCE_USEC (1 * G_USEC_PER_SEC) /* what takes less needs no explanation */
#define TICK_USEC (200 * 1000)

typedef struct Wait {
        Ctl *ctl;
        CtlCallFlags flags;
        sd_event *event;
        sd_bus_message *const *reply;
        uint64_t started_usec;
        bool shown; /* the line is on the terminal */
        unsigned ticks;
        const char *doing;  /* what configd was last known to do */
        char *waits_for;    /* " (filterd)": the daemons that configd was last known to wait for */
        sd_bus_slot *asked; /* it was asked again, and has not answered yet */
        sd_bus_slot *asked_waiting;
        bool cancelling, left;
        sd_bus_slot *cancel;
} Wait;

static void erase(Wait *wait)
{
        if (!wait->shown)
                return;
        fputs(CTL_ERASE, stderr);
        fflush(stderr);
        wait->shown = false;
}

static const char *phase_words(const char *phase)
{
        static const struct {
                const char *phase, *words;
        } known[] = {
                {"plan", "the daemons plan"},     {"prepare", "the daemons prepare"},
                {"commit", "the change is made"}, {"verify", "looking whether it took"},
                {"revert", "taking it back"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                if (strcmp(known[i].phase, phase) == 0)
                        return known[i].words;
        return NULL;
}

static int on_phase(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Wait *wait = userdata;
        const char *phase, *words = NULL;

        wait->asked = sd_bus_slot_unref(wait->asked);
        if (!sd_bus_message_is_method_error(reply, NULL) &&
            sd_bus_message_read(reply, "v", "s", &phase) > 0)
                words = phase_words(phase);
        if (words)
                wait->doing = words;
        return 0;
}

static int on_waiting(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Wait *wait = userdata;
        g_auto(GStrv) names = NULL;

        (void) error;
        wait->asked_waiting = sd_bus_slot_unref(wait->asked_waiting);
        g_clear_pointer(&wait->waits_for, g_free);
        if (!sd_bus_message_is_method_error(reply, NULL) &&
            sd_bus_message_enter_container(reply, 'v', "as") > 0 &&
            sd_bus_message_read_strv(reply, &names) >= 0 && names && *names) {
                g_autofree char *list = g_strjoinv(", ", names);
                g_autofree char *text = ctl_safe(list);

                wait->waits_for = g_strdup_printf(" (%s)", text);
        }
        return 0;
}

static void ask_property(Wait *wait, sd_bus_slot **slot, const char *property,
                         sd_bus_message_handler_t handler)
{
        if (*slot)
                return;
        (void) sd_bus_call_method_async(wait->ctl->bus, slot, ctl_config.service, ctl_config.path,
                                        "org.freedesktop.DBus.Properties", "Get", handler, wait,
                                        "ss", ctl_config.interface, property);
}

/* While it reads a large input it does not answer; then the last words stand. */
static void ask_phase(Wait *wait)
{
        ask_property(wait, &wait->asked, "Phase", on_phase);
        ask_property(wait, &wait->asked_waiting, "Waiting", on_waiting);
}

static void show(Wait *wait)
{
        static const char spinner[] = "|/-\\";
        uint64_t seconds =
                ((uint64_t) g_get_monotonic_time() - wait->started_usec) / G_USEC_PER_SEC;

        fprintf(stderr, CTL_ERASE "%c %s%s, %" PRIu64 " s%s", spinner[wait->ticks++ % 4],
                wait->doing, wait->waits_for && !wait->cancelling ? wait->waits_for : "", seconds,
                wait->cancelling                  ? " (Ctrl-C leaves)"
                : wait->flags == CTL_CALL_COMMITS ? " (Ctrl-C gives it up)"
                                                  : "");
        fflush(stderr);
        wait->shown = true;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Wait *wait = userdata;
        int r;

        (void) usec;
        ask_phase(wait);
        show(wait);
        r = sd_event_source_set_time_relative(source, TICK_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_cancelled(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Wait *wait = userdata;
        int cancelled = false;

        (void) error;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "b", &cancelled) < 0 || cancelled || *wait->reply)
                return 0;
        erase(wait);
        fprintf(stderr, "too late to give it up: it goes on\n");
        return 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        Wait *wait = userdata;

        (void) source;
        (void) info;
        if (wait->cancelling || wait->flags != CTL_CALL_COMMITS) {
                wait->left = true;
                /* A plan of ours keeps others waiting. */
                (void) sd_bus_call_method_async(wait->ctl->bus, NULL, ctl_config.service,
                                                ctl_config.path, ctl_config.interface, "Cancel",
                                                NULL, NULL, "");
                (void) sd_bus_flush(wait->ctl->bus);
                return 0;
        }
        wait->cancelling = true;
        wait->doing = "giving it up";
        erase(wait);
        fprintf(stderr, "giving it up, unless it is decided; Ctrl-C again leaves\n");
        return sd_bus_call_method_async(wait->ctl->bus, &wait->cancel, ctl_config.service,
                                        ctl_config.path, ctl_config.interface, "Cancel",
                                        on_cancelled, wait, "");
}

bool ctl_may_show(void)
{
        const char *term = getenv("TERM");

        return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int add_sources(Wait *wait)
{
        int r = 0;

        if (ctl_may_show())
                r = sd_event_add_time_relative(wait->event, NULL, CLOCK_MONOTONIC, PATIENCE_USEC, 0,
                                               on_tick, wait);
        if (r >= 0)
                r = sd_event_add_signal(wait->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK,
                                        on_interrupt, wait);
        return r;
}

/* Ends as one whom the signal killed: that is what a shell looks at. */
static void leave(CtlCallFlags flags)
{
        if (flags == CTL_CALL_COMMITS)
                fprintf(stderr, "left; whether the change is in force is not known; look with "
                                "\"patronusctl status\"\n");
        fflush(NULL);
        (void) signal(SIGINT, SIG_DFL);
        (void) raise(SIGINT);
}

/* Without anything to show or to heed. */
static int wait_quietly(sd_bus *bus, sd_bus_message *const *reply)
{
        int r = 0;

        while (r >= 0 && !*reply) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        return MIN(r, 0);
}

static int wait_watching(Wait *wait)
{
        int r = sd_event_new(&wait->event);

        if (r >= 0)
                r = sd_bus_attach_event(wait->ctl->bus, wait->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = add_sources(wait);
        while (r >= 0 && !*wait->reply && !wait->left)
                r = sd_event_run(wait->event, UINT64_MAX);
        erase(wait);
        sd_bus_slot_unref(wait->asked);
        sd_bus_slot_unref(wait->asked_waiting);
        g_free(wait->waits_for);
        sd_bus_slot_unref(wait->cancel);
        (void) sd_bus_detach_event(wait->ctl->bus);
        sd_event_unref(wait->event);
        if (wait->left && !*wait->reply)
                leave(wait->flags);
        return MIN(r, 0);
}

int ctl_wait(Ctl *ctl, CtlCallFlags flags, sd_bus_message *const *reply)
{
        Wait wait = {
                .ctl = ctl,
                .flags = flags,
                .reply = reply,
                .started_usec = (uint64_t) g_get_monotonic_time(),
                .doing = "configd works on it",
        };

        if (flags == CTL_CALL_QUIET || (flags != CTL_CALL_COMMITS && !ctl_may_show()))
                return wait_quietly(ctl->bus, reply);
        return wait_watching(&wait);
}
