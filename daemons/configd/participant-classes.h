/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The daemons that take part in commits: the items of a table. A new one is a line here. */

#include "participant.h"

/* clang-format off */
#define PARTICIPANT_CLASSES \
        {"filterd", "org.patronus.Filter1", "/org/patronus/Filter1", "patronus.firewall/", "patronus-filterd", STAGE_FILTER}
/* clang-format on */
