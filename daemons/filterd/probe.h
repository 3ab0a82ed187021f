/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One look at a server, without waiting: a connection is made, and of http a request is sent and
 * the status of the answer read. Nothing more is read of what a server says, and nothing is kept.
 */

#include "kinds/firewall/firewall.h"

#include <systemd/sd-event.h>

/* What is read of an answer at most: its first line is in it (RFC 9112 4). */
#define FW_PROBE_ANSWER_MAX 1024

typedef struct FwProbe FwProbe;

/* `error` NULL: as it should be; else what was wrong, for people. Called once, from the loop; the
 * probe is the callee's to free then. */
typedef void (*FwProbeDone)(const char *error, void *userdata);

/* From the process's own network namespace. `path` of the check stays until the probe is freed. */
int fw_probe_new(sd_event *event, const FwServer *server, const FwCheckSpec *check,
                 FwProbeDone done, void *userdata, FwProbe **ret);
void fw_probe_free(FwProbe *probe); /* also one that is under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwProbe, fw_probe_free)

/* The status of an answer of `size` bytes; -EAGAIN: its first line is not whole; -EBADMSG: it is no
 * HTTP. Apart, for tests. */
int fw_probe_parse_status(const char *answer, size_t size);
