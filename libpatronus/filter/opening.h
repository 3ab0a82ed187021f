/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A port of the router that was opened at run time: new connections to it are let in before any rule
 * is asked, from one zone or all, from some addresses or all, until a time.
 */

#include "base/text.h"
#include "filter/ban.h"

typedef struct FwOpening {
        uint32_t id;                /* from 1 */
        char zone[PT_NAME_MAX + 1]; /* "": whichever they come from */
        uint8_t protocol;           /* 0: TCP and UDP */
        FwBan source; /* addresses; family 0: whichever. Its `until` is the opening's */
        PtPortRange ports;
} FwOpening;

#define FW_OPENING_ID "open-" /* what an id as text begins with */

/* "tcp/22", "udp/6000-6010", "22" (TCP and UDP) into protocol and ports. -EINVAL with a reason for
 * people. */
int fw_opening_parse_port(const char *text, FwOpening *ret, char **ret_reason);
void fw_opening_format_port(const FwOpening *opening, GString *out);
/* "open-3"; 0: it is no such id. */
uint32_t fw_opening_parse_id(const char *text);
/* Whether both let the same in: all but id and time. */
bool fw_opening_same(const FwOpening *a, const FwOpening *b);

/* The first packet of a connection to the router. */
typedef struct FwKnock {
        const char *zone; /* that it comes from */
        uint8_t protocol;
        uint8_t family;
        const uint8_t *source;
        uint16_t port;
} FwKnock;
bool fw_opening_admits(const FwOpening *opening, const FwKnock *knock);
