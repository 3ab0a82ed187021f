/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Method calls to daemons, and what is said when they fail. A call that changes the configuration
 * may break in the middle: then nobody here knows the outcome, and the message says that.
 *
 *         pt_auto_message *reply = NULL;
 *         r = ctl_ask(ctl, &ctl_config, "GetRevision", CTL_CALL_READS, &reply, "t", number);
 *         if (r != CTL_DONE)
 *                 return r;
 */

#include "bus/bus.h"
#include "ctl.h"

typedef struct CtlTarget {
        const char *service, *path, *interface;
} CtlTarget;

extern const CtlTarget ctl_config;

typedef enum CtlCallFlags {
        CTL_CALL_READS,   /* changes nothing that lasts: sessions are candidates */
        CTL_CALL_PROBES,  /* the same, and what is not there is CTL_REFUSED without a message */
        CTL_CALL_COMMITS, /* may change what is in force */
        CTL_CALL_QUIET,   /* says nothing when it fails, waits briefly, starts nobody */
} CtlCallFlags;

/* Connects once; CTL_UNREACHABLE after a message (none with CTL_CALL_QUIET). */
int ctl_connect(Ctl *ctl, CtlCallFlags flags);
/* A message to fill; connects. A CtlExit or a negative errno. */
int ctl_method(Ctl *ctl, const CtlTarget *target, const char *member, sd_bus_message **ret);
/* Sends and waits. CTL_DONE, or another CtlExit after a message. `ret` may be NULL. */
int ctl_call(Ctl *ctl, sd_bus_message *m, CtlCallFlags flags, sd_bus_message **ret);
/* The same in two halves, to do something in between. The message's error is said by the second. */
typedef struct CtlPending {
        char *service;
        sd_bus_slot *slot;
        sd_bus_message *reply;
} CtlPending; /* stays where it is between the two */
int ctl_begin(Ctl *ctl, sd_bus_message *m, CtlCallFlags flags, CtlPending *pending);
int ctl_finish(Ctl *ctl, CtlCallFlags flags, CtlPending *pending, sd_bus_message **ret);
void ctl_pending_clear(CtlPending *pending);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlPending, ctl_pending_clear)
/* The three in one, for arguments that sd_bus_message_append() takes. */
int ctl_ask(Ctl *ctl, const CtlTarget *target, const char *member, CtlCallFlags flags,
            sd_bus_message **ret, const char *types, ...);
/* Asks configd for a page of what it numbers, the newest first, before the number `before` (0: from
 * the newest), and enters the array of the reply. */
int ctl_ask_before(Ctl *ctl, const char *member, uint64_t before, uint64_t limit,
                   sd_bus_message **ret);
/* "configd" of "org.patronus.Config1". */
char *ctl_daemon_name(const char *service);
/* "org.patronus.Config1 is not on the bus …", with what to do. */
void ctl_say_absent(const Ctl *ctl, const char *service);
/* Opens a session; the target's path stays valid while *ret_path does. */
int ctl_open_session(Ctl *ctl, char **ret_path, CtlTarget *ret_session);
