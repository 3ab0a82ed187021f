/* SPDX-License-Identifier: GPL-3.0-or-later */

/* status: one screen about the revision in force and every daemon, which is whoever has a name of
 * ours on the bus. */

#include "base/boot.h"
#include "base/text.h"
#include "call.h"
#include "message.h"
#include "output.h"
#include <inttypes.h>
#include <string.h>

#define SERVICE_PREFIX "org.patronus."

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Adds org.patronus.Filter1, but not org.patronus.Filter1.Below, once. */
static void add_services(char *const *names, GPtrArray *services)
{
        for (; names && *names; names++)
                if (g_str_has_prefix(*names, SERVICE_PREFIX) &&
                    !strchr(*names + strlen(SERVICE_PREFIX), '.') &&
                    !g_ptr_array_find_with_equal_func(services, *names, g_str_equal, NULL))
                        g_ptr_array_add(services, g_strdup(*names));
}

/* Those that run and those that the bus could start; configd in any case. */
static int list_services(Ctl *ctl, GPtrArray *services, char ***ret_running)
{
        char *const config[] = {(char *) ctl_config.service, NULL};
        g_auto(GStrv) running = NULL, activatable = NULL;
        int r = sd_bus_list_names(ctl->bus, &running, &activatable);

        if (r < 0)
                return r;
        add_services(config, services);
        add_services(running, services);
        add_services(activatable, services);
        g_ptr_array_sort(services, compare_names);
        *ret_running = g_steal_pointer(&running);
        return 0;
}

/* All properties of a daemon's own object, with "daemon"; "State" says when there is no answer. */
static int read_daemon(Ctl *ctl, const char *service, bool running, struct json_object **ret)
{
        g_autofree char *path = g_strdelimit(g_strconcat("/", service, NULL), ".", '/');
        const CtlTarget target = {service, path, "org.freedesktop.DBus.Properties"};
        g_autofree char *name = ctl_daemon_name(service);
        pt_auto_message *reply = NULL;
        pt_auto_json *daemon = NULL;
        int outcome, r = 0;

        /* "": of all interfaces */
        outcome = ctl_ask(ctl, &target, "GetAll", CTL_CALL_QUIET, &reply, "s", "");
        if (outcome == CTL_DONE)
                r = ctl_message_to_json(reply, &daemon);
        if (outcome < 0 || r < 0)
                return outcome < 0 ? outcome : r;
        if (!daemon) {
                daemon = json_object_new_object();
                json_object_object_add(
                        daemon, "State",
                        json_object_new_string(running ? "not answering" : "not running"));
        }
        json_object_object_add(daemon, "daemon", json_object_new_string(name));
        *ret = g_steal_pointer(&daemon);
        return outcome;
}

/* What configd says about the revision; absent when it does not. */
static int read_revision(Ctl *ctl, uint64_t number, struct json_object **ret)
{
        pt_auto_message *reply = NULL;
        int r = ctl_ask(ctl, &ctl_config, "GetRevision", CTL_CALL_QUIET, &reply, "t", number);

        if (r < 0)
                return r;
        return r == CTL_DONE ? ctl_message_to_json(reply, ret) : 0;
}

/* "7", or "6, wanted 7" while a daemon has yet to follow. */
static void add_following(struct json_object *daemon)
{
        uint64_t revision = ctl_json_number(daemon, "Revision"),
                 wanted = ctl_json_number(daemon, "WantedRevision");
        g_autofree char *text = NULL;

        if (!ctl_json_at(daemon, "Revision"))
                return;
        text = wanted > 0 && wanted != revision
                       ? g_strdup_printf("%" PRIu64 ", wanted %" PRIu64, revision, wanted)
                       : g_strdup_printf("%" PRIu64, revision);
        json_object_object_add(daemon, "following", json_object_new_string(text));
}

/* What waits to be confirmed, and how long. */
static void print_waiting(struct json_object *config)
{
        uint64_t waiting = ctl_json_number(config, "ConfirmRevision"), now = pt_boottime_usec();
        uint64_t deadline = ctl_json_number(config, "ConfirmDeadlineUSec");
        char left[PT_DURATION_TEXT_MAX];

        if (waiting == 0)
                return;
        printf("%snot confirmed%s: ", ctl_colour(stdout, CTL_YELLOW),
               ctl_colour(stdout, CTL_PLAIN));
        if (deadline > now)
                printf("in %s it is taken back to revision %" PRIu64 "; to keep it, open a new "
                       "connection and run: patronusctl confirm\n",
                       pt_duration_format((deadline - now) / G_USEC_PER_SEC * G_USEC_PER_SEC, left),
                       ctl_json_number(config, "ConfirmedRevision"));
        else
                printf("it is being taken back to revision %" PRIu64 "\n",
                       ctl_json_number(config, "ConfirmedRevision"));
}

static void print_head(struct json_object *config, struct json_object *revision)
{
        uint64_t number = ctl_json_number(config, "Revision");
        g_autofree char *author = ctl_safe(ctl_json_string(revision, "author"));
        g_autofree char *comment = ctl_safe(ctl_json_string(revision, "comment"));
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(
                (gint64) (ctl_json_number(revision, "timeUSec") / G_USEC_PER_SEC));
        g_autofree char *when = g_date_time_format(time, "%Y-%m-%d %H:%M:%S");

        if (number == 0) {
                printf("no configuration yet; \"patronusctl apply -f FILE\" makes the first "
                       "revision\n\n");
                return;
        }
        printf("%srevision %" PRIu64 "%s, root %.12s, %" PRIu64 " objects, %" PRIu64
               " open sessions\n",
               ctl_colour(stdout, CTL_BOLD), number, ctl_colour(stdout, CTL_PLAIN),
               ctl_json_string(config, "Root"), ctl_json_number(config, "Objects"),
               ctl_json_number(config, "Sessions"));
        if (revision)
                printf("by %s, %s%s%s\n", author, when, *comment ? ": " : "", comment);
        print_waiting(config);
        putchar('\n');
}

static void print_conditions(struct json_object *daemon)
{
        struct json_object *conditions = ctl_json_at(daemon, "Conditions");

        if (!json_object_is_type(conditions, json_type_object))
                return;
        json_object_object_foreach(conditions, key, value)
        {
                g_autofree char *line =
                        g_strdup_printf("%s: %s: %s", ctl_json_string(daemon, "daemon"), key,
                                        json_object_get_string(value));
                g_autofree char *safe = ctl_safe(line);

                printf("%s\n", safe);
        }
}

static void print_table(CtlFormat format, struct json_object *daemons)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(format == CTL_WIDE ? CTL_WIDE : CTL_TABLE);

        ctl_rows_column(rows, "DAEMON", "daemon", 0);
        ctl_rows_column(rows, "STATE", "State", 0);
        ctl_rows_column(rows, "REVISION", "following", 0);
        ctl_rows_column(rows, "VERSION", "Version", 0);
        ctl_rows_column(rows, "DRIFTS REPAIRED", "Drifts", CTL_COLUMN_RIGHT | CTL_COLUMN_OPTIONAL);
        for (size_t i = 0; i < json_object_array_length(daemons); i++) {
                struct json_object *daemon = json_object_array_get_idx(daemons, i);

                add_following(daemon);
                ctl_rows_add(rows, daemon);
        }
        ctl_rows_end(rows, NULL);
        for (size_t i = 0; i < json_object_array_length(daemons); i++)
                print_conditions(json_object_array_get_idx(daemons, i));
}

/* Everything anew, with "daemons" and "revision"; returns what configd's answer was worth. */
static int gather(Ctl *ctl, struct json_object **ret)
{
        g_autoptr(GPtrArray) services = g_ptr_array_new_with_free_func(g_free);
        g_auto(GStrv) running = NULL;
        pt_auto_json *status = json_object_new_object(), *revision = NULL;
        struct json_object *daemons = json_object_new_array(), *config = NULL;
        int r, outcome = CTL_DONE;

        json_object_object_add(status, "daemons", daemons);
        r = list_services(ctl, services, &running);
        if (r != CTL_DONE)
                return r;
        for (unsigned i = 0; i < services->len; i++) {
                const char *service = g_ptr_array_index(services, i);
                struct json_object *daemon = NULL;

                r = read_daemon(ctl, service,
                                g_strv_contains((const char *const *) running, service), &daemon);
                if (r < 0)
                        return r;
                json_object_array_add(daemons, daemon);
                if (strcmp(service, ctl_config.service) == 0) {
                        config = daemon;
                        outcome = r;
                }
        }
        if (ctl_json_number(config, "Revision") > 0) {
                r = read_revision(ctl, ctl_json_number(config, "Revision"), &revision);
                if (r < 0)
                        return r;
                json_object_object_add(status, "revision", json_object_get(revision));
        }
        *ret = g_steal_pointer(&status);
        return outcome;
}

static struct json_object *config_of(struct json_object *status)
{
        g_autofree char *name = ctl_daemon_name(ctl_config.service);
        struct json_object *daemons = ctl_json_at(status, "daemons");

        for (size_t i = 0; i < json_object_array_length(daemons); i++) {
                struct json_object *daemon = json_object_array_get_idx(daemons, i);

                if (strcmp(ctl_json_string(daemon, "daemon"), name) == 0)
                        return daemon;
        }
        return NULL;
}

/* ---- --wait ------------------------------------------------------------------------------ */

typedef struct Wait {
        Ctl *ctl;
        uint64_t until_usec; /* CLOCK_MONOTONIC */
        bool changed;        /* something may be otherwise than it was read */
} Wait;

/* There is a revision, and each daemon says that it is as it should be. */
static bool in_force(struct json_object *status)
{
        struct json_object *daemons = ctl_json_at(status, "daemons");

        if (ctl_json_number(config_of(status), "Revision") == 0)
                return false;
        for (size_t i = 0; i < json_object_array_length(daemons); i++) {
                struct json_object *daemon = json_object_array_get_idx(daemons, i);

                if (strcmp(ctl_json_string(daemon, "State"), "running") != 0 ||
                    ctl_json_number(daemon, "Revision") !=
                            ctl_json_number(daemon, "WantedRevision"))
                        return false;
        }
        return true;
}

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Wait *wait = userdata;

        wait->changed = true;
        return 0;
}

/* Before anything is read, so that no change is missed. */
static int watch(Wait *wait)
{
        int r;

        r = sd_bus_add_match(wait->ctl->bus, NULL,
                             "type='signal',interface='org.freedesktop.DBus.Properties',"
                             "member='PropertiesChanged',path_namespace='/org/patronus'",
                             on_change, wait);
        if (r < 0)
                return r;
        return sd_bus_add_match(wait->ctl->bus, NULL,
                                "type='signal',sender='org.freedesktop.DBus',"
                                "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                "arg0namespace='org.patronus'",
                                on_change, wait);
}

/* > 0: something changed; 0: the time is over. */
static int await_change(Wait *wait)
{
        int r = 1;

        while (!wait->changed) {
                uint64_t now = (uint64_t) g_get_monotonic_time();

                r = sd_bus_process(wait->ctl->bus, NULL);
                if (r < 0 || now >= wait->until_usec)
                        break;
                if (r == 0)
                        r = sd_bus_wait(wait->ctl->bus, wait->until_usec - now);
                if (r < 0 && r != -EINTR)
                        break;
        }
        return r < 0 && r != -EINTR ? r : wait->changed;
}

static int gather_in_force(Ctl *ctl, uint64_t patience_usec, struct json_object **ret)
{
        Wait wait = {.ctl = ctl, .until_usec = (uint64_t) g_get_monotonic_time() + patience_usec};
        int r = watch(&wait);

        while (r >= 0) {
                pt_auto_json *status = NULL;
                int outcome;

                /* What is told while it is read may be of what was read before. */
                wait.changed = false;
                outcome = gather(ctl, &status);
                if (outcome < 0 || !status)
                        return outcome;
                if (outcome == CTL_DONE && in_force(status)) {
                        *ret = g_steal_pointer(&status);
                        return CTL_DONE;
                }
                r = await_change(&wait);
                if (r == 0) {
                        *ret = g_steal_pointer(&status);
                        return outcome == CTL_DONE ? CTL_REFUSED : outcome;
                }
        }
        return r;
}

int ctl_run_status(Ctl *ctl)
{
        pt_auto_json *status = NULL;
        const char *patience = ctl->values[CTL_WAIT];
        uint64_t patience_usec = 0;
        struct json_object *config;
        int outcome;

        if (patience && pt_duration_parse(patience, &patience_usec) < 0) {
                ctl_error("\"%s\" is no time; write %s", patience, PT_DURATION_SYNTAX);
                return CTL_USAGE;
        }
        outcome = ctl_connect(ctl, CTL_CALL_READS);
        if (outcome == CTL_DONE)
                outcome = patience ? gather_in_force(ctl, patience_usec, &status)
                                   : gather(ctl, &status);
        if (outcome < 0 || !status)
                return outcome;
        config = config_of(status);
        if (ctl->format == CTL_YAML || ctl->format == CTL_JSON)
                ctl_print_json(status, ctl->format);
        else {
                if (outcome != CTL_UNREACHABLE)
                        print_head(config, ctl_json_at(status, "revision"));
                print_table(ctl->format, ctl_json_at(status, "daemons"));
        }
        fflush(stdout);
        if (outcome == CTL_UNREACHABLE)
                ctl_say_absent(ctl, ctl_config.service);
        else if (outcome == CTL_REFUSED && patience)
                ctl_error("after %s not everything is in force", patience);
        return outcome;
}
