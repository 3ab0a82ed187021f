/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A line of the log: a packet that a rule logged, or that was dropped for a reason of its own, with
 * all that was known of it then. The rule's text is that of the moment: what becomes of the rule
 * later changes no line. Lines are JSON objects (docs/LOGS.md says what each member is), and people
 * read them shorter:
 *
 *         {"time":1765360800000000,"verdict":"drop","reason":"no-zone","in":"eth3",...}
 */

#include "filter/reason.h"
#include "kinds/firewall/firewall.h"
#include "filter/headers.h"

#include <net/if.h>

/* Of a rule's text in a line; the rest is cut. Quoted, and with all else, a line is shorter than a pipe takes at
 * once (PIPE_BUF), so that none is ever written by halves. */
#define FW_LOG_TEXT_MAX 1280
#define FW_LOG_LINE_MAX 4096
G_STATIC_ASSERT(FW_LOG_LINE_MAX <= 4096);

/* Records that filterd has in memory: some 2 MB. */
#define FW_LOG_KEPT 8192U

#define FW_LOG_UID_SIZE 16
#define FW_LOG_GENERATION_SIZE 8

/* A rule in one state of it. */
typedef struct FwLogRule {
        unsigned refs;
        uint8_t uid[FW_LOG_UID_SIZE], generation[FW_LOG_GENERATION_SIZE];
        int action; /* FwAction */
        bool audit; /* it only tells what it would do */
        bool fragments;
        char *kind, *name;
        char *text; /* of its spec, as JSON */
} FwLogRule;

FwLogRule *fw_log_rule_ref(FwLogRule *rule);
void fw_log_rule_unref(FwLogRule *rule);

typedef struct FwLogRecord {
        uint64_t time_usec;
        uint32_t lost;   /* so many lines are missing here, and nothing else is said; or 0 */
        FwLogRule *rule; /* a reference; NULL: none, or not known any more */
        bool by_rule;    /* then these say which */
        uint8_t uid[FW_LOG_UID_SIZE], generation[FW_LOG_GENERATION_SIZE];
        uint32_t opening; /* of FW_REASON_OPENING: its id */
        int verdict;      /* FwAction, or FW_ACTION_INVALID: not known */
        FwReason reason;  /* or FW_REASON_INVALID_NAME */
        char *from, *to;  /* zones, "router", or NULL: not known; interned GRefStrings */
        char in[IF_NAMESIZE], out[IF_NAMESIZE]; /* "": none */
        bool has_headers, has_mac;
        uint8_t mac[6];
        bool bridge; /* a frame of a bridge, with these */
        uint8_t destination_mac[6];
        uint16_t ether_type;
        bool tagged;
        uint16_t vlan; /* of one that is tagged */
        uint32_t mark;
        PtHeaders headers;
} FwLogRecord;

void fw_log_record_done(FwLogRecord *record);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwLogRecord, fw_log_record_done)

/* What a line's prefix says: the rule or the reason. false: neither. */
bool fw_log_record_set_prefix(FwLogRecord *record, const char *prefix, size_t size);
/* "allow", "drop", "audit:drop"; NULL: not known. */
const char *fw_log_record_verdict(const FwLogRecord *record);
/* Appends the line, without its end; at most FW_LOG_LINE_MAX - 1 bytes. */
void fw_log_record_to_json(const FwLogRecord *record, GString *out);
/* The same for people: "drop (no-zone) eth3 tcp 10.0.0.1:4711 > 10.0.0.2:22". */
void fw_log_record_to_text(const FwLogRecord *record, GString *out);

/* Bits of FwLogFilter.present. */
enum {
        FW_LOG_RULE,
        FW_LOG_ZONE,
        FW_LOG_FROM,
        FW_LOG_TO,
        FW_LOG_INTERFACE,
        FW_LOG_PROTOCOL,
        FW_LOG_ADDRESS,
        FW_LOG_SOURCE,
        FW_LOG_DESTINATION,
        FW_LOG_PORT,
        FW_LOG_REASON,
        FW_LOG_VERDICT,
};

/* Conditions on lines, all of which must hold. */
typedef struct FwLogFilter {
        uint64_t present;
        char *rule; /* name, "Kind/name", or uid */
        char *zone; /* either side */
        char *from, *to;
        char *interface; /* either side; or a glob that ends in "*" */
        int protocol;
        PtAddressRange address; /* either side */
        PtAddressRange source, destination;
        PtPortRange port; /* either side */
        int reason, verdict;
} FwLogFilter;

extern const PtField fw_log_filter_fields[];
bool fw_log_filter_matches(const FwLogFilter *filter, const FwLogRecord *record);
