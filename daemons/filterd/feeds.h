/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What aliases hold at run time (filter/live.h): who is asked for it and when, what came, and what is
 * kept of it across restarts. A feed is one source of one alias.
 *
 * Lists, names and places are asked for by patronus-fetch (helpers/fetch), a process without rights
 * for each piece of work, FW_FEED_JOBS_MAX at the same time; it is started, or reached at its socket
 * where the system starts it. Networks of interfaces are read here. What a feed gave stays until it
 * gives something else: a failure changes nothing, and a new URL's contents take the place of those
 * of the old one at once when they are there.
 *
 * A change is a new FwLive for the engine, and a reconcile: elements of sets and the marker, by the
 * path of a commit. It is on the disk before (`<folder>/index`, and datasets beside it), so that what
 * the kernel has can be named by a filterd that starts.
 */

#include "filter/fetch.h"
#include <systemd/sd-event.h>

/* Each with a process that may take a gigabyte for a moment (helpers/fetch/sandbox.c). */
#define FW_FEED_JOBS_MAX 3U
/* Sources of all aliases: each is a line of the index, which is read at once at start. */
#define FW_FEEDS_MAX 4096U
/* A helper that has not ended by then is ended; it gives up itself before. */
#define FW_FEED_SEC 150U
/* Names are asked for anew when their time to live is over, between these. */
#define FW_NAMES_FLOOR_SEC 30U
#define FW_NAMES_CEILING_SEC 3600U
/* After a failure: at first after this, then twice as long each time, up to what `refresh` says. */
#define FW_FEED_RETRY_SEC 30U

typedef struct FwFeeds FwFeeds;

typedef struct FwFeedsConfig {
        sd_event *event;
        const char *folder; /* where contents are kept; made if it can be */
        const char *helper; /* patronus-fetch, or the socket where it is reached */
        /* A new FwLive is there (fw_feeds_live()), and shall come into force. */
        void (*changed)(void *userdata);
        /* A feed was asked, and how it ended (`error` NULL: well). */
        void (*refreshed)(const char *alias, FwLiveSort sort, bool changed, const char *error,
                          void *userdata);
        /* What is wrong with how many of them, for a condition; NULL: nothing. */
        void (*stale)(unsigned n, const char *text, void *userdata);
        void *userdata;
} FwFeedsConfig;

/* Reads what was kept: what is damaged is left out, and logged. Asks nobody yet. */
int fw_feeds_new(const FwFeedsConfig *config, FwFeeds **ret);
void fw_feeds_free(FwFeeds *feeds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwFeeds, fw_feeds_free)

/* The newest contents, borrowed. */
FwLive *fw_feeds_live(const FwFeeds *feeds);
/* Follows the addresses of interfaces from now on. */
int fw_feeds_watch_local(FwFeeds *feeds);
/* A slice is in force: its aliases are asked for from now on, and others are forgotten. */
void fw_feeds_follow(FwFeeds *feeds, PtSlice *slice);

/* Asks all sources of an alias now. -ENOENT: it has none. */
int fw_feeds_refresh(FwFeeds *feeds, const char *alias);

typedef struct FwFeedState {
        const char *alias;
        FwLiveSort sort;
        bool running;
        const char *digest; /* of what it gave, 64 hex digits; NULL: nothing yet */
        uint64_t entries;
        uint64_t changed_usec;     /* CLOCK_REALTIME; 0: never */
        uint64_t checked_usec;     /* the last answer, good or bad */
        uint64_t next_usec;        /* when it is asked again; 0: by an event */
        const char *error;         /* why the last time failed; NULL: it did not */
        const GPtrArray *problems; /* char *: lines that were wrong, and why */
        uint32_t n_problems;       /* all of them */
} FwFeedState;

/* In ascending order by alias and sort, those after `alias` and `sort` (NULL: from the first). Ends
 * when `each` returns false. */
void fw_feeds_list(const FwFeeds *feeds, const char *alias, FwLiveSort sort,
                   bool (*each)(const FwFeedState *state, void *userdata), void *userdata);
