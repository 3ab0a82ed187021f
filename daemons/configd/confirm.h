/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The safety net of a commit: a revision that could have cut off who made it waits to be confirmed,
 * and is taken back when that does not come in time.
 *
 *         confirm_read()      what the commit's options and its caller say about it
 *         confirm_choose()    after the plans: is it armed, how long, and why
 *         confirm_update()    after the decision, and at the start: the store knows what waits
 *
 * The deadline is the store's (txn/store.h): one of CLOCK_BOOTTIME, which this process need not
 * live to see. Taking back is a commit like others, of the confirmed content, that goes before all
 * others and is tried until it succeeds. One revision waits at a time; meanwhile nothing else is
 * committed but the confirmed content itself.
 *
 * A confirmation must come from a connection that began after the commit, or from the machine's own
 * console. The old connection mostly goes on, whatever the rules say, so it proves nothing.
 */

#include "commit-options.h"
#include "reply.h"

#include "bus/origin.h"
#include "event/backoff.h"

#define CONFIRM_AUTO_USEC (60 * PT_USEC_PER_SEC)
/* Shorter, nobody can log in anew; longer, nobody waits for it. */
#define CONFIRM_MIN_SEC 5
#define CONFIRM_MAX_SEC 3600

struct Manager;
typedef struct Confirm Confirm;

typedef enum ConfirmMode {
        CONFIRM_AUTO,   /* armed if the caller could be cut off */
        CONFIRM_NEVER,  /* whatever is cut */
        CONFIRM_WINDOW, /* armed in any case */
        CONFIRM_MODE_MAX,
        CONFIRM_MODE_INVALID = -EINVAL,
} ConfirmMode;

/* What a commit wants. */
typedef struct ConfirmWish {
        ConfirmMode mode;
        uint64_t window_usec; /* of CONFIRM_WINDOW */
        bool remote;          /* the caller came over the network, or that cannot be told */
        bool has_tuple;       /* by this connection */
        PtTuple tuple;
        bool restores; /* it brings the confirmed content back: nothing needs to be confirmed */
} ConfirmWish;

int confirm_new(struct Manager *manager, Confirm **ret);
void confirm_free(Confirm *confirm);

/* Reads the options `confirm` and `connection`; `origin` says where the caller sits, NULL: not known.
 * A method handler's result. */
int confirm_read(const CommitOptions *options, const PtOrigin *origin, ConfirmWish *ret,
                 sd_bus_error *error);
/* -EBUSY with an error (`confirm-pending`) when the commit has to wait until what is in force is
 * confirmed or taken back. */
int confirm_allows(const Confirm *confirm, const ConfirmWish *wish, PtDiagnostics *diag);
/* Sets confirm_usec, and confirm_why, by the plans in the reply. */
void confirm_choose(const ConfirmWish *wish, Reply *reply);

/* Looks in the store what waits now: arms or disarms, and announces it. */
void confirm_update(Confirm *confirm);
/* The revision that waits, or 0; its deadline (CLOCK_BOOTTIME) or 0. */
uint64_t confirm_revision(const Confirm *confirm);
uint64_t confirm_deadline(const Confirm *confirm);
/* What keeps a revision that is not confirmed from being taken back, for people; or NULL. */
const char *confirm_trouble(const Confirm *confirm);
/* A revision is to be taken back as soon as the manager is not busy. */
bool confirm_is_due(const Confirm *confirm);
/* A daemon is there that was not: what is due need not wait for its next attempt. */
void confirm_hurry(Confirm *confirm);
/* Begins to take it back. Only if it is due and the manager is not busy. */
void confirm_take_back(Confirm *confirm);

/* Whether the revision can be confirmed: 0; 1: it was before. -ENOENT with an error: nothing waits;
 * -EAGAIN: another one does; -ETIME: too late. */
int confirm_check(const Confirm *confirm, uint64_t revision, sd_bus_error *error);
/* Why this caller cannot confirm what waits: his connection is older, or nobody knows how old it
 * is. NULL: he can. `claim`: the connection that he says he came by, or NULL. */
char *confirm_objection(const Confirm *confirm, const PtOrigin *origin, const PtTuple *claim);
/* Confirms what waits. */
int confirm_accept(Confirm *confirm, sd_bus_error *error);
