/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One question to polkit, asked without waiting: may the sender of a message do this? What it
 * answers is polkit's: rules, defaults, and perhaps a person who types a password.
 */

#include "base/macros.h"
#include <systemd/sd-bus.h>

/* An answer that needs nobody takes milliseconds; a person is given the time to find a password. */
#define PT_POLKIT_USEC (10ULL * 1000000)
#define PT_POLKIT_INTERACTIVE_USEC (120ULL * 1000000)

typedef enum PtPolkitAnswer {
        PT_POLKIT_YES,
        PT_POLKIT_NO,
        PT_POLKIT_CHALLENGE, /* yes for who authenticates; nobody asked for that, or it failed */
        PT_POLKIT_ABSENT,    /* no such service on this bus */
        PT_POLKIT_FAILED,    /* it did not answer, or with an error */
        PT_POLKIT_MAX,
        PT_POLKIT_INVALID = -EINVAL,
} PtPolkitAnswer;

typedef struct PtPolkitQuestion {
        const char *sender;             /* unique name */
        const char *action;             /* "org.patronus.config.read" */
        const char *kind, *name, *call; /* details; "" where there is none */
        bool interactive;               /* an agent may ask a person */
        uint64_t id;                    /* of no other question of this connection */
} PtPolkitQuestion;

typedef struct PtPolkit PtPolkit;

/* `why` is for people: what came instead of an answer, or "". `done` may free the PtPolkit. */
typedef void (*PtPolkitDone)(void *userdata, PtPolkitAnswer answer, const char *why);

/* The strings are not needed afterwards. */
int pt_polkit_ask(sd_bus *bus, const PtPolkitQuestion *question, PtPolkitDone done, void *userdata,
                  PtPolkit **ret);
/* Before the answer is there: nobody waits for it any more, and a dialog that asks goes away. */
void pt_polkit_free(PtPolkit *polkit);
