/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The options that Commit, Load, Apply and Revert take, and the reply that they all give, for
 * people or programs.
 */

#include "call.h"
#include "input.h"

typedef enum CtlCommitFlags {
        CTL_COMMIT_DRY = 1 << 0,  /* nothing was meant to change */
        CTL_COMMIT_PLAN = 1 << 1, /* show steps, impact and guarantee */
        CTL_COMMIT_LOAD = 1 << 2, /* Load: into a candidate only */
} CtlCommitFlags;

/* What --dry-run asks for. */
unsigned ctl_commit_flags(const Ctl *ctl);
/* Appends the a{sv} by the command line; `input` may be NULL. 0 or a negative errno. */
int ctl_commit_append(const Ctl *ctl, const CtlInput *input, unsigned flags, sd_bus_message *m);
/* Sends the call and prints the reply; `input` may be NULL. The exit code of the command, or a
 * negative errno. */
int ctl_commit_call(Ctl *ctl, sd_bus_message *m, const CtlInput *input, unsigned flags);
/* The two halves of that: the reply with names for everything ({"accepted":true,"changes":[{"op":…}],
 * "diagnostics":[{"severity":…,"place":…,"code":…,"text":…}],…}), which the caller puts; and what
 * is said about it, which lasts until it is confirmed or taken back (confirm.h). */
int ctl_commit_ask(Ctl *ctl, sd_bus_message *m, const CtlInput *input, unsigned flags,
                   struct json_object **ret);
int ctl_commit_print(Ctl *ctl, struct json_object *reply, unsigned flags);
/* Commits a session, with what the command line says about it. */
int ctl_commit_session(Ctl *ctl, const CtlTarget *session);
/* Says that nothing was changed when `r` is CTL_REFUSED: for calls that touch a candidate at most.
 * Returns `r`. */
int ctl_commit_refuse(int r);
/* The same for Load: says only what is wrong. */
int ctl_commit_load(Ctl *ctl, sd_bus_message *m, const CtlInput *input);
/* Loads the input into a session by that; CTL_DONE, or another exit code after a message. */
int ctl_session_load(Ctl *ctl, const CtlTarget *session, const CtlInput *input);
/* "+ FirewallRule/web", with colour on a terminal. `op` is "create", "update" or "delete". */
void ctl_print_change(const char *op, const char *kind, const char *name);
