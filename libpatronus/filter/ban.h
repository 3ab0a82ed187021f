/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A ban: an address or a prefix whose packets are dropped until a time. */

#include "kind/type.h"

#define FW_BAN_FOREVER UINT64_MAX

typedef struct FwBan {
        uint8_t family, plen;
        uint8_t address[16]; /* the first four of IPv4; bits behind the prefix are 0 */
        uint64_t until;      /* CLOCK_MONOTONIC, microseconds; or FW_BAN_FOREVER */
} FwBan;

/* The sets' order: family, prefix length, address. */
int fw_ban_compare(const FwBan *a, const FwBan *b);
/* "192.0.2.1", "10.0.0.0/8". -EINVAL with a reason for people. `until` is left alone. */
int fw_ban_parse(const char *text, FwBan *ret, char **ret_reason);
void fw_ban_format(const FwBan *ban, GString *out);
bool fw_ban_contains(const FwBan *ban, uint8_t family, const uint8_t *address);
