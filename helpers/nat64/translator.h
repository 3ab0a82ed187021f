/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A Nat64 object in the system: the interface with its routes, and tayga. */

#include "backend/nat64.h"
#include "backend/runner.h"
#include "base/marks.h"
#include "netlink/link.h"

/* Of their interfaces; the object's name follows. */
#define TRANSLATOR_ALIAS PT_MARK_LINK_ALIAS "Nat64/"

typedef struct Translator Translator;
typedef void (*TranslatorChanged)(Translator *translator, void *userdata);

/* `state_dir`: its memory is in a folder there; `run_dir`: its configuration. It runs from now on;
 * what goes wrong is told by its state. */
int translator_new(sd_event *event, const Nat64 *nat64, const char *state_dir, const char *run_dir,
                   TranslatorChanged changed, void *userdata, Translator **ret);
void translator_free(Translator *translator); /* the interface stays */

/* It is to be otherwise; nothing happens when it is so already. */
void translator_configure(Translator *translator, const Nat64 *nat64);
/* It is to go, with its interface. Told like a change; translator_is_gone() is true then. */
void translator_remove(Translator *translator);
bool translator_is_gone(const Translator *translator);
/* It ends, and what else there is stays for the next helper. */
void translator_stop(Translator *translator);
bool translator_is_stopped(const Translator *translator);
/* Interfaces have changed. */
void translator_look(Translator *translator);

const char *translator_name(const Translator *translator);
/* How it is, as a message. */
void translator_fill(const Translator *translator, PtNat64Told *ret);
