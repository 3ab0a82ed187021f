/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Top talkers: connections added up by who, or what, they are of. A pure aggregation, of any number of
 * connections in bounded memory.
 *
 * When its table is full, a key that comes takes the place of the one that has least, and with it what
 * that one had as what it may have missed (the "space saving" of Metwally, Agrawal and El Abbadi, 2005).
 * So what a row says was counted, at most `missed` of it was not, and who has more of the whole than
 * one part in as many as the table has places is in it for certain.
 */

#include "netlink/connection.h"

typedef enum FwTalkBy {
        FW_TALK_SOURCE,      /* who began it */
        FW_TALK_DESTINATION, /* who answers, after translation */
        FW_TALK_PAIR,        /* both */
        FW_TALK_SERVICE,     /* protocol and port of who answers */
        FW_TALK_ZONE,        /* from one zone to another */
        FW_TALK_BY_MAX,
} FwTalkBy;

typedef enum FwTalkWhat {
        FW_TALK_BYTES, /* both ways */
        FW_TALK_PACKETS,
        FW_TALK_CONNECTIONS,
        FW_TALK_WHAT_MAX,
} FwTalkWhat;

/* Keys in the table: a stranger makes as many as he forges sources. 8 MB, and all pairs of marks. */
#define FW_TALK_KEYS_MAX 65536U
#define FW_TALK_ROWS_MAX 1000U /* of an answer */

/* What was asked for; the rest is 0. No padding, since it is compared as bytes. */
typedef struct FwTalkKey {
        uint8_t family;    /* AF_INET, AF_INET6, or 0: no address */
        uint8_t protocol;  /* of a service */
        uint8_t has_port;  /* of a service */
        uint8_t has_zones; /* of zones: the connections are marked */
        uint8_t from, to;  /* of zones: fw_zone_mark() */
        uint16_t port;
        uint8_t source[16], destination[16];
} FwTalkKey;

typedef enum FwTalkZone {
        FW_TALK_UNKNOWN, /* no connection is marked */
        FW_TALK_ONE,
        FW_TALK_SEVERAL,
} FwTalkZone;

typedef struct FwTalker {
        FwTalkKey key;
        uint64_t connections;
        uint64_t uncounted;            /* of them: the kernel has no numbers (nf_conntrack_acct) */
        uint64_t packets[2], bytes[2]; /* there, back; as in PtConnection */
        uint64_t missed;               /* at most, of what the rows are ordered by */
        uint8_t zones[2];              /* FwTalkZone, of where they come from and where they go */
        uint8_t marks[2];              /* FW_TALK_ONE: its mark */
        uint8_t reserved[4];
} FwTalker;

typedef struct FwTalkTotal {
        uint64_t connections, uncounted, packets, bytes;
        uint64_t thrown; /* keys that had to give way, again and again perhaps */
        uint32_t rows;   /* that follow */
        uint32_t what;   /* FwTalkWhat: connections, when of none there are numbers */
} FwTalkTotal;

typedef struct FwTalk FwTalk;

/* `keys_max`: places of the table. */
FwTalk *fw_talk_new(FwTalkBy by, FwTalkWhat what, unsigned keys_max);
void fw_talk_free(FwTalk *talk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwTalk, fw_talk_free)
void fw_talk_add(FwTalk *talk, const PtConnection *connection);
/* The first `limit` rows (FwTalker), those that have most first, and equals in the order of their keys. */
GArray *fw_talk_top(FwTalk *talk, unsigned limit, FwTalkTotal *ret);
