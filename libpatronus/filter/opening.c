/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/opening.h"

#include <netinet/in.h>
#include <string.h>

static const struct {
        uint8_t number;
        const char *name;
} protocols[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}, {IPPROTO_SCTP, "sctp"}};

/* What is before the slash. */
static int parse_protocol(const char *text, size_t size, uint8_t *ret)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++)
                if (strlen(protocols[i].name) == size &&
                    memcmp(protocols[i].name, text, size) == 0) {
                        *ret = protocols[i].number;
                        return 0;
                }
        return -EINVAL;
}

static int parse_number(const char *text, size_t size, uint16_t *ret)
{
        g_autofree char *digits = g_strndup(text, size);
        guint64 number;

        if (!g_ascii_string_to_unsigned(digits, 10, 1, UINT16_MAX, &number, NULL))
                return -EINVAL;
        *ret = (uint16_t) number;
        return 0;
}

static int parse_range(const char *text, PtPortRange *ret)
{
        const char *dash = strchr(text, '-');
        size_t size = dash ? (size_t) (dash - text) : strlen(text);
        int r = parse_number(text, size, &ret->lo);

        ret->hi = ret->lo;
        if (r == 0 && dash)
                r = parse_number(dash + 1, strlen(dash + 1), &ret->hi);
        return r == 0 && ret->hi < ret->lo ? -EINVAL : r;
}

int fw_opening_parse_port(const char *text, FwOpening *ret, char **ret_reason)
{
        const char *slash = strchr(text, '/');
        uint8_t protocol = 0;
        PtPortRange ports;

        if ((slash && parse_protocol(text, (size_t) (slash - text), &protocol) < 0) ||
            parse_range(slash ? slash + 1 : text, &ports) < 0) {
                *ret_reason = g_strdup("a port is written tcp/22, udp/6000-6010, sctp/36412, or 22 "
                                       "for TCP and UDP; ports are 1 to 65535");
                return -EINVAL;
        }
        ret->protocol = protocol;
        ret->ports = ports;
        return 0;
}

void fw_opening_format_port(const FwOpening *opening, GString *out)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++)
                if (protocols[i].number == opening->protocol)
                        g_string_append_printf(out, "%s/", protocols[i].name);
        g_string_append_printf(out, "%u", opening->ports.lo);
        if (opening->ports.hi != opening->ports.lo)
                g_string_append_printf(out, "-%u", opening->ports.hi);
}

uint32_t fw_opening_parse_id(const char *text)
{
        guint64 id;

        return g_str_has_prefix(text, FW_OPENING_ID) &&
                               g_ascii_string_to_unsigned(text + strlen(FW_OPENING_ID), 10, 1,
                                                          UINT32_MAX, &id, NULL)
                       ? (uint32_t) id
                       : 0;
}

bool fw_opening_same(const FwOpening *a, const FwOpening *b)
{
        return a->protocol == b->protocol && a->ports.lo == b->ports.lo &&
               a->ports.hi == b->ports.hi && strcmp(a->zone, b->zone) == 0 &&
               fw_ban_compare(&a->source, &b->source) == 0;
}

bool fw_opening_admits(const FwOpening *opening, const FwKnock *knock)
{
        if (opening->zone[0] && strcmp(opening->zone, knock->zone) != 0)
                return false;
        if (opening->protocol ? knock->protocol != opening->protocol
                              : knock->protocol != IPPROTO_TCP && knock->protocol != IPPROTO_UDP)
                return false;
        if (opening->source.family &&
            !fw_ban_contains(&opening->source, knock->family, knock->source))
                return false;
        return knock->port >= opening->ports.lo && knock->port <= opening->ports.hi;
}
