/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The firewall's log: what the kernel logs to our group (netlink/nflog.h) becomes records
 * (filter/log-record.h), the last ones of which are kept in memory, for those who follow
 * (log-follow.h); the journal gets each as a structured entry, at a bounded rate.
 */

#include "engine-nft.h"
#include "filter/log-record.h"
#include "log-rules.h"
#include <systemd/sd-event.h>

/* What the journal gets: journald itself takes 10,000 in 30 s of a service (RateLimitBurst), and
 * then nothing more of it, be it ever so important. */
#define FW_LOG_JOURNAL_BURST 500U
#define FW_LOG_JOURNAL_SECOND 100U

typedef struct FwLog FwLog;

/* `engine` says what is in force; it is told of `log`'s rules (fw_engine_set_log()). A group that
 * another program reads is tried again, with a line in the journal. */
int fw_log_new(sd_event *event, int netns_fd, FwEngine *engine, FwLogRules *rules, FwLog **ret);
void fw_log_free(FwLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLog, fw_log_free)

/* Called once after some records were added. */
void fw_log_watch(FwLog *log, void (*added)(void *userdata), void *userdata);

/* Records have numbers, from 0; those from the first kept to before the end are there. */
uint64_t fw_log_begin(const FwLog *log);
uint64_t fw_log_end(const FwLog *log);
const FwLogRecord *fw_log_get(const FwLog *log, uint64_t number);

uint64_t fw_log_packets(const FwLog *log);   /* seen since the start */
uint64_t fw_log_lost(const FwLog *log);      /* lost between the kernel and us */
uint64_t fw_log_unwritten(const FwLog *log); /* that the journal did not get */
