/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Listing and ending connections without holding the loop up. A table of a million entries takes
 * the kernel seconds to tell, so a child reads it: one for each listing, which makes a page and
 * waits until the next one is asked for. The kernel's own dump is the cursor, so that no copy of the
 * table is kept anywhere; between two pages a listing costs a sleeping process.
 */

#include "bans.h"
#include "filter/flatten.h"
#include "filter/schedule.h"
#include "netlink/conntrack.h"
#include "openings.h"
#include "talkers.h"
#include <systemd/sd-event.h>

typedef struct FwConnections FwConnections;

/* Rows of a page: 3.6 MB packed, and at most 19 MB as JSON. */
#define FW_CONNECTIONS_PAGE_MAX 25000
/* Listings at a time, and how long one waits for the question for its next page. */
#define FW_LISTINGS_MAX 16
#define FW_LISTING_IDLE_USEC (30 * G_USEC_PER_SEC)

typedef enum FwRowFormat {
        FW_ROWS_JSON,   /* pt_connection_write_json(), a line each */
        FW_ROWS_PACKED, /* PtConnection */
        FW_ROW_FORMAT_MAX,
} FwRowFormat;

/* `bans` sends what keeps ended connections from going on (killed.h); NULL: nothing does. It is
 * freed before. */
int fw_connections_new(sd_event *event, int netns_fd, FwBans *bans, FwConnections **ret);
/* Ends all children; what waits for an answer gets -ECANCELED. */
void fw_connections_free(FwConnections *connections);
/* What lets connections in beside policies: those are not revoked. Borrowed. */
void fw_connections_set_openings(FwConnections *connections, const FwOpenings *openings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwConnections, fw_connections_free)

/*
 * `result` 0: `fd` is a sealed memfd of `rows` rows, the caller's to close, and `next` names what
 * follows ("": nothing). Else a negative errno, and no fd.
 */
typedef void (*FwPageDone)(int result, int fd, uint32_t rows, const char *next, void *userdata);
/* The first page. Takes nothing of the filter. -EBUSY: FW_LISTINGS_MAX are open. */
int fw_connections_list(FwConnections *connections, const PtConnectionFilter *filter,
                        FwRowFormat format, uint32_t limit, FwPageDone done, void *userdata);
/* The page that `cursor` names. -ENOENT: there is no such listing, or it was given up, or the page
 * was given out; -EBUSY: it is being made for somebody. */
int fw_connections_continue(FwConnections *connections, const char *cursor, FwPageDone done,
                            void *userdata);

/* Adds all connections up (talkers.h): `fd` is FwTalkTotal and its rows, at most `limit`. -EBUSY as
 * above. */
int fw_connections_talk(FwConnections *connections, FwTalkBy by, FwTalkWhat what, uint32_t limit,
                        FwPageDone done, void *userdata);

typedef void (*FwKillDone)(int result, uint64_t killed, void *userdata);
/* Ends all that match: one whose whole tuple the filter has at once, others by a child. TCP
 * connections are answered with a reset when an end of theirs goes on. */
int fw_connections_kill(FwConnections *connections, const PtConnectionFilter *filter,
                        FwKillDone done, void *userdata);
/* Ends those that commits revoke, or windows that are over (revoke.h), by a child. `before`:
 * FwRevokeBefore; `times`: what schedules say now. */
int fw_connections_revoke(FwConnections *connections, const GPtrArray *before,
                          const FwSource *after, FwTimes *times, FwKillDone done, void *userdata);
/* How many there are, whatever they are. */
int fw_connections_count(FwConnections *connections, uint32_t *ret);
