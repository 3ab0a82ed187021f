/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* org.patronus.Session1 on the bus: one object a session, below SESSION_PREFIX. */

#include "session.h"

/* `manager` may be NULL: to describe the interface. */
int bus_session_attach(Manager *manager, sd_bus *bus);
