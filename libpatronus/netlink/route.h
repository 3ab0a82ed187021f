/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where the kernel would send a packet, by its own routing (RTM_GETROUTE, rtnetlink(7)): policy
 * rules, tables and caches are the kernel's business.
 *
 *         PtRouteQuery query = {.family = AF_INET, .destination = client, .source = local};
 *         r = pt_route_get(netns_fd, &query, &route);      -> by which interface answers leave
 */

#include "base/macros.h"

#include <net/if.h>

struct nlmsghdr;

typedef struct PtRouteQuery {
        int family; /* AF_INET or AF_INET6 */
        const uint8_t *destination;
        const uint8_t
                *source; /* NULL: any. Without `arrives` it must be an address of the machine */
        uint32_t
                arrives; /* index of the interface by which the packet comes; 0: it is the machine's
                             own */
} PtRouteQuery;

typedef struct PtRoute {
        bool local;     /* it is for the machine itself */
        uint32_t index; /* by which it leaves; of what is local, the loopback for IPv4 */
        char name[IF_NAMESIZE];
        uint16_t link_type; /* ARPHRD_* */
        bool by_gateway;
        uint8_t next_hop[16]; /* the gateway, or the destination itself */
} PtRoute;

/* For many questions: one socket, and the names of interfaces as they were when it asked first. */
typedef struct PtRouter PtRouter;
int pt_router_open(int netns_fd, PtRouter **ret);
void pt_router_close(PtRouter *router);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRouter, pt_router_close)
int pt_router_get(PtRouter *router, const PtRouteQuery *query, PtRoute *ret);

/* `netns_fd` negative: the process's own namespace. -ENETUNREACH, -EHOSTUNREACH and what else the
 * kernel says when there is no way. */
int pt_route_get(int netns_fd, const PtRouteQuery *query, PtRoute *ret);
/* The hardware address of a neighbour, as the kernel remembers it. -ENOENT: it does not, or the
 * neighbour has none of six bytes. */
int pt_neighbour_get(int netns_fd, uint32_t index, int family, const uint8_t *address,
                     uint8_t ret[static 6]);

/* One message of an answer each; -ENOENT: it is another one. Apart, for the fuzzer. */
int pt_route_parse(const struct nlmsghdr *header, const PtRouteQuery *query, PtRoute *ret);
int pt_route_link_parse(const struct nlmsghdr *header, PtRoute *ret);
int pt_neighbour_parse(const struct nlmsghdr *header, uint8_t ret[static 6]);
