/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The state of configd: the running configuration and its store, the participants, the sessions,
 * and what is being done right now. One thing at a time changes the system: a commit, or the repair
 * of participants. Method calls that need it free wait in a queue (manager_defer) and are
 * dispatched again.
 */

#include "audit.h"
#include "bus/access.h"
#include "commit.h"
#include "confirm.h"
#include "datasets.h"
#include "participant.h"
#include "repair.h"
#include "secrets.h"
#include "uids.h"

#include "event/backoff.h"
#include "txn/bus-daemon.h"
#include "txn/store.h"
#include <systemd/sd-event.h>

#define CONFIG_PATH "/org/patronus/Config1"
#define CONFIG_INTERFACE "org.patronus.Config1"

#define SESSIONS_MAX 64 /* a candidate can hold a configuration of its own */
#define SESSIONS_PER_UID_MAX 16
#define DEFERRED_MAX 64 /* calls that wait for the commit under way */

/* A participant and what is known of its state. */
struct Member {
        struct Manager *manager;
        Participant participant;
        bool suspect;    /* may have something else in force than it should */
        bool in_doubt;   /* may be committing still: what it says of itself does not count */
        bool unverified; /* nobody looked whether what it says is so */
        uint64_t offline_revision; /* decided while it was down; 0: none */
        char *trouble;             /* why it could not be repaired, for people; NULL: none known */
        Repair *repair;            /* under way */
        PtBackoff *backoff;        /* before the next attempt */
        bool waiting;              /* for it */
};

typedef struct Manager {
        sd_event *event;
        sd_bus *bus; /* referenced; NULL while there is none */
        char *state_dir;
        PtStore *store;
        Datasets *datasets;
        GPtrArray *exports; /* that children write: bus-export.h */
        Audit *audit;
        struct Verification *verification; /* under way, or NULL: bus-audit.h */
        uint64_t step_usec;                /* deadline.h */

        PtSlice *running;
        uint64_t revision;
        Uids *uids;
        Secrets *secrets;
        struct Migration *migration;

        GPtrArray *members;      /* Member, in the order of their stages */
        unsigned unknown_owners; /* members of which a new bus has not said yet whether they are
                                    there */
        GHashTable *sessions;    /* id: Session */
        uint64_t last_session;
        PtAccess *access;  /* the daemon's; NULL before the first bus */
        PtDaemonInfo info; /* bus-config.c keeps it true */
        bool damaged;      /* the store was, when it was opened */

        Commit *commit; /* under way, or NULL */
        bool settled;   /* an intent that the last run left has been dealt with */
        struct Settle *settle;
        Confirm *confirm; /* what waits to be confirmed */
        GQueue deferred;  /* Deferred */
        sd_event_source *work, *tidy;
} Manager;

/* Opens the store below state_dir and loads the running configuration. */
int manager_new(sd_event *event, const char *state_dir, uint64_t step_usec, Manager **ret);
void manager_free(Manager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)
/* A bus just connected; all that lived on an earlier one is gone. */
int manager_attach(Manager *manager, sd_bus *bus, PtAccess *access);

/* Something is under way that must end before the system is changed again. */
bool manager_busy(const Manager *manager);
/* uids_stored() of a slice near the running one. */
GHashTable *manager_uids(Manager *manager, const PtSlice *slice);
/* Looks for what is to be done next, from the event loop. */
void manager_wake(Manager *manager);
/* Dispatches a method call to `handler` again once nothing is under way. A method handler's result.
 */
int manager_defer(Manager *manager, sd_bus_message *call, sd_bus_message_handler_t handler,
                  sd_bus_error *error);

/* Gives up what the sender of `call` waits for: his calls in the queue, or his commit under way.
 * false: there was nothing, or it is too late. */
bool manager_cancel(Manager *manager, sd_bus_message *call);

/* Who made the running revision; the caller's, NULL: not known. */
char *manager_author(const Manager *manager);
/* Makes a decided revision the running one and announces it. */
void manager_publish(Manager *manager, uint64_t revision, PtSlice *running, const Reply *reply,
                     const char *author, const char *comment);
/* Starts the repair of a member now: commit.c does when it must know the result. */
int manager_repair(Member *member, RepairDone done, void *userdata);
/* Notes how a repair of the member ended. */
void manager_repaired(Member *member, int result, const PtDiagnostics *diag);
/* Announces that the system was taken back from a revision to the running one. */
void manager_reverted(Manager *manager, uint64_t revision);
