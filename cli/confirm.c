/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "confirm.h"

#include "base/boot.h"
#include "bus/origin.h"
#include "message.h"
#include "origin.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

/* What configd takes (daemons/configd/confirm.h); it checks again. */
#define WINDOW_MIN_S 5
#define WINDOW_MAX_S 3600
#define TICK_USEC ((uint64_t) G_USEC_PER_SEC)
/* After the end of the window, for a configd that was killed just then and starts again. */
#define PATIENCE_USEC (30 * (uint64_t) G_USEC_PER_SEC)
#define KEYS_MAX 64 /* typed at once */

typedef enum Outcome {
        OUTCOME_WAITING,
        OUTCOME_CONFIRMED,
        OUTCOME_TAKEN_BACK,
        OUTCOME_LEFT,
        OUTCOME_UNKNOWN,
} Outcome;

typedef struct Watch {
        Ctl *ctl;
        sd_event *event;
        uint64_t revision, deadline_usec; /* CLOCK_BOOTTIME */
        bool console;                     /* Enter confirms */
        bool shown;                       /* the line is on the terminal */
        bool again;                       /* something happened since the last question */
        Outcome outcome;
        sd_bus_slot *changed, *owner, *asked, *confirming;
} Watch;

const char *ctl_confirm_wish(const Ctl *ctl)
{
        const char *text = getenv("PATRONUS_CONFIRM");

        return ctl->values[CTL_CONFIRM] ?: text && *text ? text : NULL;
}

int ctl_confirm_check(const Ctl *ctl)
{
        const char *text = ctl_confirm_wish(ctl);
        uint64_t seconds;

        if (!text || g_strv_contains(ctl_confirm_words, text) ||
            (ctl_parse_number(text, WINDOW_MAX_S, &seconds) >= 0 && seconds >= WINDOW_MIN_S))
                return CTL_DONE;
        ctl_error("%s is auto, never, or a number of seconds from %d to %d, not \"%s\"",
                  ctl->values[CTL_CONFIRM] ? "--confirm" : "PATRONUS_CONFIRM", WINDOW_MIN_S,
                  WINDOW_MAX_S, text);
        return CTL_USAGE;
}

static int new_call(Ctl *ctl, uint64_t revision, sd_bus_message **ret)
{
        g_autofree char *connection = ctl_connection();
        pt_auto_message *m = NULL;
        int r;

        r = ctl_method(ctl, &ctl_config, "Confirm", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "t", revision);
        if (r >= 0)
                r = connection ? sd_bus_message_append(m, "a{sv}", 1, "connection", "s", connection)
                               : sd_bus_message_append(m, "a{sv}", 0);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&m);
        return CTL_DONE;
}

int ctl_confirm_call(Ctl *ctl, uint64_t revision)
{
        pt_auto_message *m = NULL;
        int r;

        r = new_call(ctl, revision, &m);
        return r != CTL_DONE ? r : ctl_call(ctl, m, CTL_CALL_COMMITS, NULL);
}

static uint64_t left_usec(const Watch *watch)
{
        uint64_t now = pt_boottime_usec();

        return watch->deadline_usec > now ? watch->deadline_usec - now : 0;
}

static void erase(Watch *watch)
{
        if (!watch->shown)
                return;
        fputs(CTL_ERASE, stderr);
        fflush(stderr);
        watch->shown = false;
}

/* One line, never wrapped: a wrapped one could not be drawn again. */
static void show(Watch *watch)
{
        uint64_t seconds = (left_usec(watch) + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC;
        unsigned width = ctl_terminal_width(stderr);
        g_autofree char *line = NULL;

        if (seconds == 0)
                line = g_strdup("the time is over: it is being taken back");
        else if (watch->console)
                line = g_strdup_printf("%" PRIu64 " s to confirm: press Enter, or run elsewhere: "
                                       "patronusctl confirm",
                                       seconds);
        else
                line = g_strdup_printf("%" PRIu64 " s to confirm: open a new connection and run: "
                                       "patronusctl confirm",
                                       seconds);
        fprintf(stderr, CTL_ERASE "%.*s", (int) (width > 0 ? width - 1 : strlen(line)), line);
        fflush(stderr);
        watch->shown = true;
}

static void settle(Watch *watch, Outcome outcome)
{
        watch->outcome = outcome;
        erase(watch);
}

static void ask(Watch *watch);

/* It waits no more: what became of it? */
static int on_revision(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Watch *watch = userdata;
        pt_auto_json *revision = NULL;

        watch->asked = sd_bus_slot_unref(watch->asked);
        if (sd_bus_message_is_method_error(reply, NULL) ||
            ctl_message_to_json(reply, &revision) < 0)
                return 0; /* the next tick asks again */
        settle(watch, ctl_json_number(revision, "confirmedUSec") > 0 ? OUTCOME_CONFIRMED
                                                                     : OUTCOME_TAKEN_BACK);
        return 0;
}

static int on_properties(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Watch *watch = userdata;
        pt_auto_json *config = NULL;

        watch->asked = sd_bus_slot_unref(watch->asked);
        if (sd_bus_message_is_method_error(reply, NULL) || ctl_message_to_json(reply, &config) < 0)
                return 0; /* it does not run at the moment; the time goes on */
        if (ctl_json_number(config, "ConfirmRevision") == watch->revision) {
                watch->deadline_usec = ctl_json_number(config, "ConfirmDeadlineUSec");
                if (watch->again)
                        ask(watch);
                return 0;
        }
        return sd_bus_call_method_async(watch->ctl->bus, &watch->asked, ctl_config.service,
                                        ctl_config.path, ctl_config.interface, "GetRevision",
                                        on_revision, watch, "t", watch->revision);
}

static void ask(Watch *watch)
{
        watch->again = watch->asked != NULL;
        if (watch->asked)
                return;
        (void) sd_bus_call_method_async(watch->ctl->bus, &watch->asked, ctl_config.service,
                                        ctl_config.path, "org.freedesktop.DBus.Properties",
                                        "GetAll", on_properties, watch, "s", ctl_config.interface);
}

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        ask(userdata);
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Watch *watch = userdata;
        uint64_t left = left_usec(watch);
        int r;

        show(watch);
        if (left == 0) {
                ask(watch);
                if (pt_boottime_usec() - watch->deadline_usec > PATIENCE_USEC)
                        settle(watch, OUTCOME_UNKNOWN);
        }
        /* When the number changes. */
        r = sd_event_source_set_time_relative(source,
                                              left > 0 ? (left - 1) % TICK_USEC + 1 : TICK_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        settle(userdata, OUTCOME_LEFT);
        return 0;
}

/* That it is confirmed is seen as others see it. */
static int on_confirmed(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Watch *watch = userdata;

        watch->confirming = sd_bus_slot_unref(watch->confirming);
        if (!sd_bus_message_is_method_error(reply, NULL))
                return 0;
        erase(watch);
        ctl_error("%s", sd_bus_message_get_error(reply)->message);
        return 0;
}

static int on_key(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Watch *watch = userdata;
        char keys[KEYS_MAX];
        ssize_t n = read(fd, keys, sizeof(keys));
        pt_auto_message *m = NULL;

        if (n <= 0) /* the end: no more keys */
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (!memchr(keys, '\n', (size_t) n) || watch->confirming ||
            new_call(watch->ctl, watch->revision, &m) != CTL_DONE)
                return 0;
        return sd_bus_call_async(watch->ctl->bus, &watch->confirming, m, on_confirmed, watch, 0);
}

static int add_sources(Watch *watch)
{
        g_autofree char *changed =
                g_strdup_printf("type='signal',sender='%s',path='%s',"
                                "interface='org.freedesktop.DBus.Properties',arg0='%s'",
                                ctl_config.service, ctl_config.path, ctl_config.interface);
        g_autofree char *owner = g_strdup_printf("type='signal',sender='org.freedesktop.DBus',"
                                                 "member='NameOwnerChanged',arg0='%s'",
                                                 ctl_config.service);
        int r;

        r = sd_bus_add_match_async(watch->ctl->bus, &watch->changed, changed, on_change, NULL,
                                   watch);
        if (r >= 0)
                r = sd_bus_add_match_async(watch->ctl->bus, &watch->owner, owner, on_change, NULL,
                                           watch);
        if (r >= 0)
                r = sd_event_add_time_relative(watch->event, NULL, CLOCK_BOOTTIME, 0, 1000, on_tick,
                                               watch);
        if (r >= 0)
                r = sd_event_add_signal(watch->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK,
                                        on_interrupt, watch);
        if (r >= 0 && watch->console)
                r = sd_event_add_io(watch->event, NULL, STDIN_FILENO, EPOLLIN, on_key, watch);
        if (r >= 0)
                ask(watch);
        return r;
}

static int run(Watch *watch)
{
        int r = sd_event_new(&watch->event);

        if (r >= 0)
                r = sd_bus_attach_event(watch->ctl->bus, watch->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = add_sources(watch);
        while (r >= 0 && watch->outcome == OUTCOME_WAITING)
                r = sd_event_run(watch->event, UINT64_MAX);
        erase(watch);
        sd_bus_slot_unref(watch->changed);
        sd_bus_slot_unref(watch->owner);
        sd_bus_slot_unref(watch->asked);
        sd_bus_slot_unref(watch->confirming);
        (void) sd_bus_detach_event(watch->ctl->bus);
        sd_event_unref(watch->event);
        return MIN(r, 0);
}

static void say_waiting(uint64_t revision, uint64_t usec)
{
        fprintf(stderr,
                "revision %" PRIu64 " is taken back in %" PRIu64 " s unless it is confirmed: open "
                "a new connection and run: patronusctl confirm %" PRIu64 "\n",
                revision, (usec + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC, revision);
}

static int say_outcome(const Watch *watch)
{
        switch (watch->outcome) {
        case OUTCOME_CONFIRMED:
                printf("revision %" PRIu64 " is confirmed\n", watch->revision);
                return CTL_DONE;
        case OUTCOME_TAKEN_BACK:
                ctl_error("revision %" PRIu64 " was taken back: it was not confirmed",
                          watch->revision);
                return CTL_TAKEN_BACK;
        case OUTCOME_LEFT:
        case OUTCOME_WAITING:
                say_waiting(watch->revision, left_usec(watch));
                return CTL_UNCONFIRMED;
        case OUTCOME_UNKNOWN:
                break;
        }
        ctl_error("%s does not answer, and whether revision %" PRIu64 " was taken back is not "
                  "known; look with \"patronusctl status\"",
                  ctl_config.service, watch->revision);
        return CTL_UNREACHABLE;
}

/* Somebody looks at it. */
static bool is_watched(const Ctl *ctl)
{
        return ctl_may_show() && isatty(STDOUT_FILENO) && ctl->format != CTL_YAML &&
               ctl->format != CTL_JSON;
}

int ctl_confirm_follow(Ctl *ctl, struct json_object *reply)
{
        uint64_t usec = ctl_json_number(reply, "confirmUSec");
        g_autofree char *why = ctl_safe(ctl_json_string(reply, "confirmWhy"));
        g_autoptr(PtOrigin) here = NULL;
        Watch watch = {
                .ctl = ctl,
                .revision = ctl_json_number(reply, "revision"),
                .deadline_usec = pt_boottime_usec() + usec,
        };
        int r;

        if (usec == 0)
                return CTL_DONE;
        if (*why)
                fprintf(stderr, "it must be confirmed: %s\n", why);
        if (!is_watched(ctl)) {
                say_waiting(watch.revision, usec);
                return CTL_UNCONFIRMED;
        }
        here = pt_origin_of(getpid());
        watch.console = here->console && isatty(STDIN_FILENO);
        r = run(&watch);
        return r < 0 ? r : say_outcome(&watch);
}
