/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to feeds*.c. */

#include "feeds.h"
#include "txn/dataset.h"
#include "txn/slice.h"

#define FW_FEEDS_INDEX "index"

/* A name of an alias, and what was said of it last. */
typedef struct FwFeedName {
        GArray *addresses; /* PtAddressRange */
        uint64_t due_usec; /* CLOCK_BOOTTIME; 0: now */
        char *error;
} FwFeedName;

typedef struct FwFeedJob FwFeedJob;
typedef struct FwFeedAnswer FwFeedAnswer;

typedef struct FwFeed {
        FwFeeds *feeds;
        char *alias;
        FwLiveSort sort;
        PtDigest config;   /* of what the alias asked for when it got what it has */
        PtDigest wanted;   /* of what it asks for by the policy in force */
        PtDigest asked;    /* of what the job asks for */
        FwAliasType type;  /* that the contents are for */
        FwFeedJob *job;    /* NULL: nobody is asked now */
        bool storing;      /* the answer is on its way to the disk */
        uint64_t due_usec; /* CLOCK_BOOTTIME; UINT64_MAX: by an event */
        bool again;        /* asked for while it was running */
        unsigned failures; /* in a row */

        uint64_t changed_usec, checked_usec;
        uint64_t entries;
        char *error, *etag, *modified;
        GPtrArray *problems; /* char * */
        uint32_t n_problems;
        GHashTable *names; /* of FW_LIVE_NAMES: name -> FwFeedName; else NULL */
} FwFeed;

/* Of all its names, each once. */
GArray *fw_feed_addresses(const FwFeed *feed);

/* New contents on their way to the disk. */
typedef struct FwStoring {
        char *key; /* of the feed, which may be gone by then */
        FwAliasType type;
        int dataset; /* a sealed memfd; or -EBADF: `ranges` */
        PtDigest digest;
        GArray *ranges; /* PtAddressRange */
        uint64_t entries, entries_before;
} FwStoring;

struct FwFeeds {
        FwFeedsConfig config;
        char *folder, *helper;
        int dir; /* of the folder */
        FwLive *live;
        PtSlice *slice;
        GTree *feeds; /* "alias/sort" -> FwFeed */
        unsigned running;
        sd_event_source *timer;
        GPtrArray *queue;            /* FwStoring */
        sd_event_source *writer;     /* a child that writes the first of them */
        sd_event_source *watches[2]; /* of the folders of the databases */
        struct FwLocal *local;
};

uint64_t fw_feeds_now(void); /* CLOCK_BOOTTIME, microseconds */
/* "alias/sort" */
char *fw_feed_key(const char *alias, FwLiveSort sort);
FwFeed *fw_feed_new(FwFeeds *feeds, const char *alias, FwLiveSort sort);
const Alias *fw_feed_alias(const FwFeed *feed); /* of the slice in force; NULL: gone */
/* Feeds of a sort are due now. */
void fw_feeds_hurry(FwFeeds *feeds, FwLiveSort sort);
/* Wakes up when the next feed is due. */
void fw_feeds_arm(FwFeeds *feeds);
void fw_feeds_tell_stale(FwFeeds *feeds);
const FilterSettings *fw_feeds_settings(const FwFeeds *feeds); /* may be NULL */
void fw_feed_end_job(FwFeed *feed);
/* What came was worked up, well with `error` NULL: when it is asked again, and who is told. */
void fw_feed_settle(FwFeed *feed, bool changed, const char *error);

/* feeds-take.c: what came. */

void fw_feed_answered(FwFeed *feed, FwFeedAnswer *answer); /* which it frees */
/* Takes the ranges. */
void fw_feed_put_ranges(FwFeed *feed, FwAliasType type, GArray *ranges, const char *error);
/* What a feed gave came to the disk, or did not. */
void fw_feed_stored(FwFeed *feed, const FwStoring *storing, int result);
/* Names that are not asked for any more are gone at once, whoever answers. */
void fw_feed_forget_names(FwFeed *feed, const Alias *alias);

/* feeds-job.c: one piece of work of patronus-fetch. */

struct FwFeedAnswer {
        FwFetchState state;
        char *error;
        char *etag, *modified;
        GPtrArray *problems; /* char * */
        uint32_t n_problems;
        GPtrArray *names; /* FwFetchLine */
        int dataset;      /* a sealed memfd, or -EBADF */
        PtDatasetHeader header;
        PtDigest digest;
};

void fw_feed_name_line_free(void *line); /* of `names` */
void fw_feed_answer_free(FwFeedAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwFeedAnswer, fw_feed_answer_free)

/* `done` gets the answer, which it frees; not before this returns. */
int fw_feed_job_start(FwFeed *feed, const FwFetchRequest *request, const Alias *alias,
                      void (*done)(FwFeed *feed, FwFeedAnswer *answer), FwFeedJob **ret);
void fw_feed_job_free(FwFeedJob *job);
/* What the text of a reply says: for the answer's members but the dataset. Apart, for the fuzzer. */
int fw_feed_answer_parse(const char *text, size_t size, FwFeedAnswer *answer);

/* feeds-store.c: the disk. */

/* What the index says, into a feed each. */
int fw_feeds_load(FwFeeds *feeds);
/* Takes contents: they become feeds->live and the index's when their turn comes, and
 * fw_feed_stored() is called when they are durable, or failed. */
void fw_feeds_store(FwFeeds *feeds, FwStoring *storing);
FwStoring *fw_storing_new(const FwFeed *feed, FwAliasType type);
void fw_storing_free(FwStoring *storing);

/* feeds-local.c: interfaces. */

int fw_local_new(FwFeeds *feeds, struct FwLocal **ret);
void fw_local_free(struct FwLocal *local);
/* What belongs to an alias by its interfaces, as they are now: PtAddressRange. */
int fw_local_find(const Alias *alias, GArray **ret);
