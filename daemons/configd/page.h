/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Objects for Get, and pages of them for List: those that follow a given one in the order of (kind,
 * name). No page is remembered between calls; each costs one pass over the objects and as much
 * memory as itself.
 */

#include "txn/slice.h"
#include <systemd/sd-bus.h>

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

/* Reads kind and name from a call of Get and answers with the object. A method handler's result. */
int page_reply_object(sd_bus_message *call, const PtSlice *slice, sd_bus_error *error);
/* Reads kind and options from a call of List and answers with the page. A method handler's result.
 */
int page_reply(sd_bus_message *call, const PtSlice *slice, sd_bus_error *error);
