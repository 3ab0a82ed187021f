/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/tuple.h"

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>

static int parse_address(const char *text, int *ret_family, uint8_t address[static 16])
{
        g_autofree char *bare = g_strndup(text, strcspn(text, "%"));
        struct in6_addr six;

        if (inet_pton(AF_INET, text, address) == 1) {
                *ret_family = AF_INET;
                return 0;
        }
        if (inet_pton(AF_INET6, bare, &six) != 1)
                return -EINVAL;
        if (IN6_IS_ADDR_V4MAPPED(&six)) {
                *ret_family = AF_INET;
                memcpy(address, six.s6_addr + 12, 4);
        } else {
                *ret_family = AF_INET6;
                memcpy(address, six.s6_addr, 16);
        }
        return 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
        guint64 port;

        if (!g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &port, NULL))
                return -EINVAL;
        *ret = (uint16_t) port;
        return 0;
}

int pt_tuple_parse(const char *text, PtTuple *ret)
{
        PtTuple tuple = {.protocol = IPPROTO_TCP};
        g_auto(GStrv) words = NULL;
        int family, r;

        if (strlen(text) >= PT_TUPLE_TEXT_MAX)
                return -EINVAL;
        words = g_strsplit(text, " ", 5);
        if (g_strv_length(words) != 4)
                return -EINVAL;
        r = parse_address(words[0], &tuple.family, tuple.client);
        if (r < 0)
                return r;
        r = parse_address(words[2], &family, tuple.local);
        if (r < 0)
                return r;
        if (family != tuple.family)
                return -EINVAL;
        r = parse_port(words[1], &tuple.client_port);
        if (r < 0)
                return r;
        r = parse_port(words[3], &tuple.local_port);
        if (r < 0)
                return r;
        *ret = tuple;
        return 0;
}

const char *pt_tuple_format(const PtTuple *tuple, char buffer[static PT_TUPLE_TEXT_MAX])
{
        char client[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];

        if (!inet_ntop(tuple->family, tuple->client, client, sizeof(client)) ||
            !inet_ntop(tuple->family, tuple->local, local, sizeof(local)))
                g_assert_not_reached(); /* the family is one of two, and there is room */
        g_snprintf(buffer, PT_TUPLE_TEXT_MAX, "%s %u %s %u", client, tuple->client_port, local,
                   tuple->local_port);
        return buffer;
}
