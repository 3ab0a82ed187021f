/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The skeleton of a daemon: options, log, event loop, signals, sd_notify, watchdog, and a bus
 * connection that may be absent at the start, be lost and come back: a daemon works without it.
 *
 *         static const PtDaemonClass filterd = {
 *                 .name = "filterd", .bus_name = "org.patronus.Filter1", ...
 *         };
 *         int main(int argc, char **argv) { return pt_daemon_run(&filterd, argc, argv); }
 *
 * Options of all: --state-dir DIR, --run-dir DIR, --bus ADDRESS ("system" at the start; "none": no
 * bus), --log-level LEVEL, --introspect (prints the interfaces' XML for dbus-interfaces/ and
 * leaves), --actions (prints who may call what, and leaves), --version, --help; a class adds its
 * own.
 *
 * The order of things: options; start(); then, as often as there is a bus, attach() and the request
 * for the name. The service manager hears READY when the name is ours for the first time, or when
 * the first attempt at a bus has failed. A connection that is lost, or does not give us the name,
 * is dropped and tried again after 0.1 s, 0.2 s ... 5 s. SIGTERM and SIGINT leave the loop; SIGHUP
 * and SIGPIPE are ignored.
 *
 * With --introspect attach() is called without start(), on a connection that leads nowhere, and the
 * userdata is NULL: it adds its objects, and need do nothing else. A fallback vtable's find
 * function answers "there" when its userdata is NULL.
 *
 * Each connection has the guard of access.h before its objects, with the class's table.
 */

#include "bus/access.h"

#include <getopt.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct PtDaemon PtDaemon;

typedef struct PtDaemonOption {
        const char *name;     /* "early" */
        const char *argument; /* "UID" in the help, or NULL: a flag */
        const char *doc;
        /* `value` is "" for a flag; -EINVAL refuses it. */
        int (*set)(PtDaemon *daemon, const char *value);
} PtDaemonOption;

typedef struct PtDaemonClass {
        const char *name;              /* "filterd" */
        const char *bus_name;          /* "org.patronus.Filter1" */
        const char *path;              /* "/org/patronus/Filter1" */
        const char *doc;               /* one line for --help */
        const PtDaemonOption *options; /* last has name NULL; may be NULL */
        const char *const *samples;    /* for --introspect: an example path of each fallback vtable;
                                          NULL-terminated or NULL */
        const PtAccessTable *access;   /* who may call what, besides what all daemons have; NULL:
                                          nothing besides */
        /* Makes the daemon's state and brings it to work, before the bus: 0, or the exit as a
         * negative errno. > 0: done, leave with exit code 0 (filterd --early). */
        int (*start)(PtDaemon *daemon);
        /* Adds objects to a bus that just connected, before the name is requested; called again
         * after a reconnect. */
        int (*attach)(PtDaemon *daemon, sd_bus *bus);
        /* Frees what start() made. Called after a failed start() too; not when start() was never
         * called. */
        void (*stop)(PtDaemon *daemon);
        /* Frees the userdata, which an option may have set: called in the end, also when it never
         * came to start(). May be NULL. */
        void (*free_userdata)(void *userdata);
} PtDaemonClass;

int pt_daemon_run(const PtDaemonClass *klass, int argc,
                  char **argv); /* an exit code: 0, 1 failed, 2 usage */

sd_event *pt_daemon_event(PtDaemon *daemon);
sd_bus *pt_daemon_bus(PtDaemon *daemon); /* NULL while there is none */
/* There from before start() until after stop(): peers and the audit's hooks are the daemon's. */
PtAccess *pt_daemon_access(PtDaemon *daemon);
const char *pt_daemon_state_dir(PtDaemon *daemon);
const char *pt_daemon_run_dir(PtDaemon *daemon);
const PtDaemonClass *pt_daemon_class(PtDaemon *daemon);
void *pt_daemon_userdata(PtDaemon *daemon);
void pt_daemon_set_userdata(PtDaemon *daemon, void *userdata);
/* For systemd's STATUS= and for people. */
void pt_daemon_status(PtDaemon *daemon, const char *format, ...) G_GNUC_PRINTF(2, 3);
