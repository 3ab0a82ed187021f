/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/daemon.h"

#include "base/log.h"
#include "base/memory.h"
#include "bus/bus.h"
#include "bus/introspect.h"
#include "bus/log-control.h"
#include "config.h"
#include "event/backoff.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#define RECONNECT_MIN_USEC (100 * PT_USEC_PER_MSEC)
#define RECONNECT_MAX_USEC (5 * PT_USEC_PER_SEC)
/* A bus that accepts us but does not answer by then is as good as none. */
#define ATTEMPT_USEC (10 * PT_USEC_PER_SEC)

#define EXIT_USAGE 2

typedef enum BusPhase {
        BUS_NONE,       /* none, or the timer for the next attempt runs */
        BUS_CONNECTING, /* attached, and the name is asked for; the deadline runs */
        BUS_NAMED,      /* the name is ours */
} BusPhase;

struct PtDaemon {
        const PtDaemonClass *klass;
        const char *program; /* "patronus-filterd" */
        sd_event *event;
        char *state_dir;
        char *run_dir;
        char *address; /* of the bus; NULL: the system bus, "none": no bus */
        bool introspect;
        void *userdata;
        PtAccess access;

        sd_bus *bus;
        BusPhase phase;
        PtBackoff *reconnect;
        sd_event_source *deadline; /* of an attempt */
        int last_error;            /* said already */
        bool ready;                /* told the service manager */
};

sd_event *pt_daemon_event(PtDaemon *daemon)
{
        return daemon->event;
}

sd_bus *pt_daemon_bus(PtDaemon *daemon)
{
        return daemon->phase == BUS_NONE ? NULL : daemon->bus;
}

PtAccess *pt_daemon_access(PtDaemon *daemon)
{
        return &daemon->access;
}

const char *pt_daemon_state_dir(PtDaemon *daemon)
{
        return daemon->state_dir;
}

const char *pt_daemon_run_dir(PtDaemon *daemon)
{
        return daemon->run_dir;
}

const PtDaemonClass *pt_daemon_class(PtDaemon *daemon)
{
        return daemon->klass;
}

void *pt_daemon_userdata(PtDaemon *daemon)
{
        return daemon->userdata;
}

void pt_daemon_set_userdata(PtDaemon *daemon, void *userdata)
{
        daemon->userdata = userdata;
}

void pt_daemon_status(PtDaemon *daemon, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        (void) sd_notifyf(false, "STATUS=%s", text);
        pt_log(LOG_DEBUG, "%s", text);
}

static void notify_ready(PtDaemon *daemon)
{
        if (daemon->ready)
                return;
        daemon->ready = true;
        (void) sd_notify(false, "READY=1");
}

/* ---- the bus ---------------------------------------------------------------------------- */

static void bus_drop(PtDaemon *daemon)
{
        daemon->phase = BUS_NONE;
        daemon->deadline = sd_event_source_disable_unref(daemon->deadline);
        if (daemon->bus) {
                sd_bus_detach_event(daemon->bus);
                daemon->bus = sd_bus_close_unref(daemon->bus);
        }
}

/*
 * The attempt, or the connection, came to nothing: work goes on without, and the timer tries again.
 * The old connection is dropped there and not here, because this is called from its own callbacks.
 */
static void bus_failed(PtDaemon *daemon, int error, const char *what)
{
        if (error != daemon->last_error) {
                pt_log(LOG_WARNING, "%s: %s; working without the bus and trying again", what,
                       g_strerror(-error));
                daemon->last_error = error;
        }
        daemon->phase = BUS_NONE;
        daemon->deadline = sd_event_source_disable_unref(daemon->deadline);
        (void) pt_backoff_arm(daemon->reconnect);
        notify_ready(daemon);
}

static int bus_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtDaemon *daemon = userdata;

        if (daemon->phase != BUS_NONE)
                bus_failed(daemon, -ECONNRESET, "The bus");
        return 0;
}

static int bus_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        bus_failed(userdata, -ETIMEDOUT, "The bus does not answer");
        return 0;
}

static int bus_named(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        PtDaemon *daemon = userdata;
        uint32_t result;
        int r;

        if (daemon->phase != BUS_CONNECTING)
                return 0; /* too late: this connection was given up */
        if (sd_bus_message_is_method_error(reply, NULL)) {
                const sd_bus_error *e = sd_bus_message_get_error(reply);

                pt_log(LOG_DEBUG, "%s: %s", daemon->klass->bus_name, e->message);
                bus_failed(daemon, -sd_bus_message_get_errno(reply), daemon->klass->bus_name);
                return 0;
        }
        r = sd_bus_message_read(reply, "u", &result);
        if (r < 0)
                return r;
        /* D-Bus specification, RequestName: 1 primary owner, 4 already owner; 2 and 3: somebody
         * else has it. */
        if (result != 1 && result != 4) {
                bus_failed(daemon, -EEXIST, daemon->klass->bus_name);
                return 0;
        }
        daemon->phase = BUS_NAMED;
        daemon->deadline = sd_event_source_disable_unref(daemon->deadline);
        daemon->last_error = 0;
        pt_backoff_reset(daemon->reconnect);
        pt_log(LOG_DEBUG, "%s is ours", daemon->klass->bus_name);
        notify_ready(daemon);
        return 0;
}

static int attach_objects(sd_bus *bus, void *userdata)
{
        PtDaemon *daemon = userdata;
        int r;

        r = pt_log_control_attach(bus, daemon->program);
        if (r < 0)
                return r;
        return daemon->klass->attach ? daemon->klass->attach(daemon, bus) : 0;
}

/* Starts a connection; nothing here waits for the bus. */
static int bus_open(PtDaemon *daemon)
{
        const char *address = daemon->address;
        int r;

        if (!address)
                address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        if (!address)
                address = "unix:path=/run/dbus/system_bus_socket";
        r = sd_bus_new(&daemon->bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(daemon->bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(daemon->bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(daemon->bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(daemon->bus, daemon->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = sd_bus_match_signal_async(daemon->bus, NULL, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", bus_disconnected, NULL, daemon);
        if (r < 0)
                return r;
        r = pt_access_guard(&daemon->access, daemon->bus);
        if (r < 0)
                return r;
        r = attach_objects(daemon->bus, daemon);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(daemon->event, &daemon->deadline, CLOCK_MONOTONIC,
                                       ATTEMPT_USEC, 0, bus_late, daemon);
        if (r < 0)
                return r;
        return sd_bus_request_name_async(daemon->bus, NULL, daemon->klass->bus_name, 0, bus_named,
                                         daemon);
}

static void bus_connect(void *userdata)
{
        PtDaemon *daemon = userdata;
        int r;

        bus_drop(daemon);
        daemon->phase = BUS_CONNECTING;
        r = bus_open(daemon);
        if (r < 0)
                bus_failed(daemon, r, "The bus");
}

/* ---- options ---------------------------------------------------------------------------- */

static const PtAccessTable *access_table(const PtDaemon *daemon)
{
        static const PtAccessTable common_only = {};

        return daemon->klass->access ?: &common_only;
}

static int set_state_dir(PtDaemon *daemon, const char *value)
{
        g_free(daemon->state_dir);
        daemon->state_dir = g_strdup(value);
        return value[0] == '/' ? 0 : -EINVAL;
}

static int set_run_dir(PtDaemon *daemon, const char *value)
{
        g_free(daemon->run_dir);
        daemon->run_dir = g_strdup(value);
        return value[0] == '/' ? 0 : -EINVAL;
}

static int set_address(PtDaemon *daemon, const char *value)
{
        g_free(daemon->address);
        daemon->address = g_str_equal(value, "system") ? NULL : g_strdup(value);
        return value[0] ? 0 : -EINVAL;
}

static int set_log_level(PtDaemon *daemon, const char *value)
{
        int level = pt_log_level_from_string(value);

        if (level < 0)
                return level;
        pt_log_set_level(level);
        return 0;
}

static int set_introspect(PtDaemon *daemon, const char *value)
{
        daemon->introspect = true;
        return 0;
}

static const PtDaemonOption common_options[] = {
        {"state-dir", "DIR", "where revisions are kept (" PT_STATE_DIR ")", set_state_dir},
        {"run-dir", "DIR", "run-time files (" PT_RUN_DIR ")", set_run_dir},
        {"bus", "ADDRESS", "D-Bus address, \"system\", or \"none\"", set_address},
        {"log-level", "LEVEL", "emerg ... err, warning, notice, info, debug", set_log_level},
        {"introspect", NULL, "print the D-Bus interfaces as XML, and leave", set_introspect},
        {"actions", NULL, "print which polkit action each method needs, and leave", NULL},
        {"version", NULL, "print the version, and leave", NULL},
        {"help", NULL, "print this, and leave", NULL},
        {},
};

static void print_help(PtDaemon *daemon)
{
        const PtDaemonOption *const tables[] = {common_options, daemon->klass->options};

        printf("%s: %s\n\nOptions:\n", daemon->program, daemon->klass->doc);
        for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
                for (const PtDaemonOption *o = tables[i]; o && o->name; o++) {
                        g_autofree char *left =
                                g_strdup_printf("--%s%s%s", o->name, o->argument ? " " : "",
                                                o->argument ? o->argument : "");

                        printf("  %-22s %s\n", left, o->doc);
                }
}

static void print_actions(const PtDaemon *daemon)
{
        g_autoptr(GString) text = g_string_new(NULL);

        pt_access_print(access_table(daemon), text);
        fputs(text->str, stdout);
}

/* 0: go on; > 0: done, leave; < 0: usage, told. */
static int parse_options(PtDaemon *daemon, int argc, char **argv)
{
        const PtDaemonOption *const tables[] = {common_options, daemon->klass->options};
        g_autoptr(GPtrArray) rows = g_ptr_array_new();
        g_autoptr(GArray) options = g_array_new(true, true, sizeof(struct option));
        int c, index, r;

        for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
                for (const PtDaemonOption *o = tables[i]; o && o->name; o++) {
                        struct option option = {
                                .name = o->name,
                                .has_arg = o->argument ? required_argument : no_argument,
                                .val = 1,
                        };

                        g_array_append_val(options, option);
                        g_ptr_array_add(rows, (gpointer) o);
                }
        optind = 0; /* glibc: start over; tests call this more than once */
        while ((c = getopt_long(argc, argv, "", (struct option *) (void *) options->data,
                                &index)) >= 0) {
                const PtDaemonOption *o;

                if (c == '?')
                        return -EINVAL; /* getopt_long() said it */
                o = g_ptr_array_index(rows, index);
                if (g_str_equal(o->name, "help")) {
                        print_help(daemon);
                        return 1;
                }
                if (g_str_equal(o->name, "actions")) {
                        print_actions(daemon);
                        return 1;
                }
                if (g_str_equal(o->name, "version")) {
                        printf("%s " PT_VERSION "\n", daemon->program);
                        return 1;
                }
                r = o->set(daemon, optarg ? optarg : "");
                if (r < 0) {
                        fprintf(stderr, "%s: --%s: \"%s\" is not valid: %s\n", daemon->program,
                                o->name, optarg ? optarg : "", o->doc);
                        return r;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "%s: \"%s\" is not an option; see --help\n", daemon->program,
                        argv[optind]);
                return -EINVAL;
        }
        return 0;
}

/* ---- the whole -------------------------------------------------------------------------- */

static int print_introspection(PtDaemon *daemon)
{
        g_autoptr(GString) xml = g_string_new(NULL);
        g_autoptr(GPtrArray) paths = g_ptr_array_new();
        const char *const *sample = daemon->klass->samples;
        int r;

        g_ptr_array_add(paths, (gpointer) daemon->klass->path);
        for (; sample && *sample; sample++)
                g_ptr_array_add(paths, (gpointer) *sample);
        g_ptr_array_add(paths, (gpointer) PT_LOG_CONTROL_PATH);
        g_ptr_array_add(paths, NULL);
        r = pt_introspect(daemon->event, attach_objects, daemon, (const char *const *) paths->pdata,
                          xml);
        if (r < 0) {
                fprintf(stderr, "%s: --introspect: %s\n", daemon->program, g_strerror(-r));
                return r;
        }
        return fputs(xml->str, stdout) < 0 || fflush(stdout) < 0 ? -EIO : 0;
}

/* Before sd-bus's own exit handler, which flushes: that would wait for a bus that never answered.
 */
static int leaving(sd_event_source *source, void *userdata)
{
        PtDaemon *daemon = userdata;

        if (daemon->phase != BUS_NAMED)
                bus_drop(daemon);
        return 0;
}

static int setup_loop(PtDaemon *daemon)
{
        static const int ends[] = {SIGTERM, SIGINT};
        sd_event_source *exit_source;
        sigset_t children;
        int r;

        /* sd_event_add_child(3) wants SIGCHLD blocked, and refuses with EBUSY otherwise. */
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &children, NULL) < 0)
                return -errno;
        (void) signal(SIGHUP, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
                r = sd_event_add_signal(daemon->event, NULL, ends[i] | SD_EVENT_SIGNAL_PROCMASK,
                                        NULL, NULL);
                if (r < 0)
                        return r;
        }
        r = sd_event_add_exit(daemon->event, &exit_source, leaving, daemon);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(exit_source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_source_set_floating(exit_source, true);
        sd_event_source_unref(exit_source);
        if (r < 0)
                return r;
        return pt_backoff_new(daemon->event, RECONNECT_MIN_USEC, RECONNECT_MAX_USEC, bus_connect,
                              daemon, &daemon->reconnect);
}

static int serve(PtDaemon *daemon)
{
        int r;

        r = sd_event_set_watchdog(daemon->event, true);
        if (r < 0)
                return r;
        if (daemon->address && g_str_equal(daemon->address, "none"))
                notify_ready(daemon);
        else
                bus_connect(daemon);
        r = sd_event_loop(daemon->event);
        (void) sd_notify(false, "STOPPING=1");
        return r;
}

static void daemon_free(PtDaemon *daemon)
{
        if (daemon->phase == BUS_NAMED)
                (void) sd_bus_flush(daemon->bus);
        bus_drop(daemon);
        pt_access_done(&daemon->access);
        pt_backoff_free(daemon->reconnect);
        sd_event_unref(daemon->event);
        g_free(daemon->state_dir);
        g_free(daemon->run_dir);
        g_free(daemon->address);
        if (daemon->klass && daemon->klass->free_userdata)
                daemon->klass->free_userdata(daemon->userdata);
        g_free(daemon);
}

static void daemon_freep(PtDaemon **daemon)
{
        daemon_free(*daemon);
}

/* Lives as long as the process, as the log wants it. */
static const char *program_name(const PtDaemonClass *klass)
{
        g_autofree char *name = g_strconcat("patronus-", klass->name, NULL);

        return g_intern_string(name);
}

int pt_daemon_run(const PtDaemonClass *klass, int argc, char **argv)
{
        pt_cleanup(daemon_freep) PtDaemon *daemon = g_new0(PtDaemon, 1);
        int r;

        pt_memory_init();
        daemon->klass = klass;
        daemon->program = program_name(klass);
        daemon->state_dir = g_strdup(PT_STATE_DIR);
        daemon->run_dir = g_strdup(PT_RUN_DIR);
        pt_access_init(&daemon->access, access_table(daemon));
        pt_log_open(daemon->program);
        r = parse_options(daemon, argc, argv);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        r = sd_event_default(&daemon->event);
        if (r < 0)
                return EXIT_FAILURE;
        if (daemon->introspect)
                return print_introspection(daemon) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        r = setup_loop(daemon);
        if (r < 0) {
                pt_log(LOG_ERR, "The event loop: %s", g_strerror(-r));
                return EXIT_FAILURE;
        }
        (void) pt_bus_errors_register();

        r = klass->start ? klass->start(daemon) : 0;
        if (sd_event_get_state(daemon->event) == SD_EVENT_FINISHED)
                r = 0; /* told to end while start() waited for something */
        else if (r == 0)
                r = serve(daemon);
        if (r < 0)
                pt_log(LOG_ERR, "Leaving: %s", g_strerror(-r));
        if (klass->stop)
                klass->stop(daemon);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
