/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a daemon would get of a configuration, for whoever wants to ask that daemon about it
 * (Filter1.Explain): the whole slice as the text of txn/slice.h, in a sealed memfd.
 *
 * A slice has secrets as they are sealed to the daemon, which are nobody's to read: one with a
 * secret in it is refused.
 */

#include "manager.h"

/* Answers the call with the part of `configuration` that `daemon` gets. A method handler's result:
 * -ENOENT no such daemon, -EPERM there are secrets in it, with their reasons. */
int bus_slice_reply(Manager *manager, sd_bus_message *call, PtSlice *configuration,
                    const char *daemon, sd_bus_error *error);
