/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A session: a candidate that began as a clone of the running configuration. It costs what it
 * changes. It closes with its client's connection, or, if it was opened for several connections,
 * after some time without a call. Nothing here touches the system; that is what commit.h does with
 * a candidate.
 */

#include "commit-options.h"
#include "input.h"
#include "manager.h"

#include <json-c/json.h>

#define SESSION_PREFIX CONFIG_PATH "/session"
#define SESSION_INTERFACE "org.patronus.Session1"
#define SESSION_IDLE_MAX_USEC (3600 * PT_USEC_PER_SEC)

typedef struct Session {
        Manager *manager;
        uint64_t id;
        uid_t uid;
        char *user;
        PtSlice *base;
        uint64_t base_revision;
        PtSlice *candidate;
        const PtDiagnostics
                *notices;     /* of Apply's input, borrowed, for the commit's reply; or NULL */
        sd_bus_track *client; /* NULL: closes when idle */
        sd_event_source *idle;
        uint64_t idle_usec;
} Session;

GHashTable *session_table_new(void);
void session_close_all(Manager *manager);

/* -EBUSY with an error text at a limit. */
int session_new(Manager *manager, const PtCaller *caller, Session **ret, sd_bus_error *error);
void session_free(Session *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Session, session_free)
/* Puts it into the table, closing with the sender of `call`, or after idle_usec without a call if
 * that is not 0. */
int session_publish(Session *session, sd_bus_message *call, uint64_t idle_usec);
/* The session at an object path, or NULL. */
Session *session_find(Manager *manager, const char *path);
char *session_path(const Session *session);
/* A call came. */
void session_touch(Session *session);
void session_close(Session *session); /* removes it from the table and frees it */

/* Fields given replace, others stay. `spec` and `metadata` are patches (RFC 7386). */
int session_set(Session *session, const PtKind *kind, const char *name, struct json_object *spec,
                struct json_object *metadata, PtDiagnostics *diag);
/* Paths below spec ("destination.ports"), or "metadata.description", "metadata.labels.KEY". */
int session_unset(Session *session, const PtKind *kind, const char *name, char **paths,
                  PtDiagnostics *diag);
int session_delete(Session *session, const PtKind *kind, const char *name, PtDiagnostics *diag);
/* Applies an input; the reply says what it changed in the candidate. */
void session_load(Session *session, int fd, const InputOptions *options, Reply *reply);
/* Makes the candidate equal to a configuration. */
void session_assume(Session *session, PtSlice *configuration);

/*
 * Takes the running configuration as the new base, with the session's changes on it. What both
 * changed goes by the preference, and is listed; without one the session stays as it is and the
 * reply is a refusal.
 */
void session_rebase(Session *session, MergePrefer prefer, Reply *reply);

/* Commits a snapshot of the candidate, and answers the call; on success that is the session's new
 * base. `restores`: it is the confirmed content, for which one that waits to be confirmed makes
 * way. A method handler's result. */
int session_commit(Session *session, const CommitOptions *options, bool restores,
                   sd_bus_message *call, sd_bus_error *error);
