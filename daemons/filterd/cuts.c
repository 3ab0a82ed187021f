/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "cuts.h"

#include "bridge-cuts.h"

#include "filter/evaluate.h"
#include "netlink/addresses.h"
#include "netlink/conntrack.h"
#include "netlink/route.h"

#include <linux/if_arp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define TCP_ECN 0xc0       /* ECE and CWR */
#define EPHEMERAL_MIN 1024 /* below are only programs with a privilege, which keep to it */

typedef struct Cuts {
        const FwPlanned *planned;
        const PtTuple *tuple;
        PtTuple first; /* as its first packet says, before any translation */
        bool local;    /* it ends at the machine */
        PtRoute back;
        FwPacket packet;
} Cuts;

/* The connection is in the kernel's table by either of its tuples; the answers' one is ours. */
static void find_first(Cuts *cuts)
{
        const PtTuple *tuple = cuts->tuple;
        PtConnection wanted = {.family = (uint8_t) tuple->family, .protocol = tuple->protocol};
        PtConnection found;
        g_autoptr(PtConntrack) conntrack = NULL;

        cuts->first = *tuple;
        memcpy(wanted.original.source, tuple->local, sizeof(tuple->local));
        memcpy(wanted.original.destination, tuple->client, sizeof(tuple->client));
        wanted.original.source_port = tuple->local_port;
        wanted.original.destination_port = tuple->client_port;
        if (pt_conntrack_open(cuts->planned->netns_fd, &conntrack) < 0 ||
            pt_conntrack_get(conntrack, &wanted, &found) < 0 ||
            memcmp(&found.reply, &wanted.original, sizeof(found.reply)) != 0)
                return; /* it is over, or not tracked: it is asked for as it is */
        memcpy(cuts->first.client, found.original.source, sizeof(cuts->first.client));
        memcpy(cuts->first.local, found.original.destination, sizeof(cuts->first.local));
        cuts->first.client_port = found.original.source_port;
        cuts->first.local_port = found.original.destination_port;
}

static bool is_link_local(const PtTuple *tuple)
{
        return tuple->family == AF_INET6 && tuple->client[0] == 0xfe &&
               (tuple->client[1] & 0xc0) == 0x80;
}

/* As which end the machine has it. A way back is one from the address that is asked for, if that is
 * the machine's own: rules of lists routing may ask for it. */
static int find_way_back(Cuts *cuts)
{
        const PtTuple *first = &cuts->first;
        PtRouteQuery to = {.family = first->family, .destination = cuts->tuple->local};
        PtRouteQuery back = {.family = first->family, .destination = first->client};
        PtRoute route;
        int r = pt_route_get(cuts->planned->netns_fd, &to, &route);

        if (r < 0)
                return r;
        cuts->local = route.local;
        if (route.local)
                back.source = cuts->tuple->local;
        r = pt_route_get(cuts->planned->netns_fd, &back, &cuts->back);
        if (r == 0 && cuts->back.local)
                g_strlcpy(cuts->back.name, "lo", sizeof(cuts->back.name));
        return r;
}

static void fill_link(Cuts *cuts)
{
        FwPacket *packet = &cuts->packet;
        const PtRoute *back = &cuts->back;
        uint8_t mac[6];

        fw_packet_set(packet, FW_DIM_LINK_TYPE, back->link_type, back->link_type);
        if (back->link_type != ARPHRD_ETHER)
                return;
        if (pt_neighbour_get(cuts->planned->netns_fd, back->index, packet->family, back->next_hop,
                             mac) == 0)
                fw_packet_set_bytes(packet, FW_DIM_SOURCE_MAC, mac);
        else
                fw_packet_set_unknown(packet, FW_DIM_SOURCE_MAC);
}

static void fill(Cuts *cuts)
{
        const PtTuple *first = &cuts->first;
        FwPacket *packet = &cuts->packet;

        fw_packet_init(packet, first->family, cuts->back.name);
        fw_packet_set_bytes(packet, FW_DIM_SOURCE_ADDRESS, first->client);
        fw_packet_set_bytes(packet, FW_DIM_DESTINATION_ADDRESS, first->local);
        fw_packet_set(packet, FW_DIM_PROTOCOL, first->protocol, first->protocol);
        fw_packet_set(packet, FW_DIM_SOURCE_PORT,
                      first->client_port >= EPHEMERAL_MIN ? EPHEMERAL_MIN : 0, UINT16_MAX);
        fw_packet_set(packet, FW_DIM_DESTINATION_PORT, first->local_port, first->local_port);
        fw_packet_set(packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NF_CT_STATE_BIT(IP_CT_NEW));
        fw_packet_set(packet, FW_DIM_STATUS, 0, 0);
        fw_packet_set_unknown(packet, FW_DIM_MARK);
        fw_packet_set_unknown(packet, FW_DIM_DSCP);
        fw_packet_set_unknown(packet, FW_DIM_LENGTH);
        /* SYN; whether with those of congestion notification is the client's choice (RFC 3168
         * 6.1.1). */
        fw_packet_set(packet, FW_DIM_TCP_FLAGS, TH_SYN, TH_SYN | TCP_ECN);
        fill_link(cuts);
}

/* Whether an address of the machine is one of the interface by which the connection comes. */
static bool is_here(const Cuts *cuts, int family, const uint8_t *address)
{
        g_autoptr(GArray) addresses = NULL;

        if (pt_local_addresses(cuts->planned->netns_fd, &addresses) < 0)
                return false;
        for (unsigned i = 0; i < addresses->len; i++) {
                const PtLocalAddress *own = &g_array_index(addresses, PtLocalAddress, i);

                if (own->index == cuts->back.index && own->family == family &&
                    memcmp(own->address, address, family == AF_INET ? 4 : 16) == 0)
                        return true;
        }
        return false;
}

static int find_way(const FwPacket *packet, const uint8_t *destination, FwWay *ret, void *userdata)
{
        const Cuts *cuts = userdata;
        PtRouteQuery query = {.family = packet->family, .destination = destination};
        PtRoute route;
        int r;

        if (!cuts->back.local) {
                query.source = cuts->first.client;
                query.arrives = cuts->back.index;
        }
        r = pt_route_get(cuts->planned->netns_fd, &query, &route);
        if (r < 0)
                return r;
        *ret = (FwWay){.local = route.local};
        if (route.local)
                ret->here = is_here(cuts, packet->family, destination);
        if (!route.local)
                g_strlcpy(ret->out, route.name, sizeof(ret->out));
        return 0;
}

static bool find_ban(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata)
{
        const Cuts *cuts = userdata;

        return fw_bans_cover(cuts->planned->bans, family, address, ret);
}

/* Whether it still ends where the administrator's does. */
static bool arrives(const Cuts *cuts, const FwOutcome *outcome)
{
        size_t len = cuts->first.family == AF_INET ? 4 : 16;
        FwNumber local = fw_number_read(cuts->tuple->local, len);

        const FwSpan *port = &outcome->destination.port, *address = &outcome->destination.address;

        if (port->lo != port->hi || port->lo != cuts->tuple->local_port)
                return false;
        return cuts->local ? outcome->way.local : address->lo == local && address->hi == local;
}

static char *describe_elsewhere(const Cuts *cuts, const FwOutcome *outcome)
{
        g_autofree char *leads = fw_outcome_describe_translation(outcome);
        g_autofree char *there = fw_outcome_describe(outcome);

        if (!leads)
                return g_strdup_printf(
                        "nothing leads it from port %u, where it begins, to port %u any more",
                        cuts->first.local_port, cuts->tuple->local_port);
        return g_strdup_printf("%s, where %s", leads, there);
}

static int judge(const Cuts *cuts, const FwOutcome *outcome, char **ret_why)
{
        if (!arrives(cuts, outcome)) {
                *ret_why = describe_elsewhere(cuts, outcome);
                return 1;
        }
        if (outcome->action == FW_ALLOW && !outcome->doubt && outcome->destination.doubt) {
                *ret_why = g_strdup_printf("NatRule/%s may lead it elsewhere, by what is not known "
                                           "of it beforehand",
                                           outcome->destination.doubt->object.name);
                return 1;
        }
        if (outcome->action == FW_ALLOW && !outcome->doubt)
                return 0;
        *ret_why = fw_outcome_describe(outcome);
        return 1;
}

static int evaluate(Cuts *cuts, char **ret_why)
{
        const FwPlanned *planned = cuts->planned;
        const FwSource source = {planned->slice, planned->state_dir, planned->live};
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwLists) lists = NULL;
        FwWorld world = {
                .route = find_way,
                .banned = planned->bans ? find_ban : NULL,
                .panic = planned->panic,
                .userdata = cuts,
        };
        FwOutcome outcome;
        int r = fw_lists_new(&source, planned->effective, diag, &lists);

        if (r < 0)
                return r;
        world.lists = lists;
        r = fw_evaluate(&world, &cuts->packet, &outcome);
        return r < 0 ? r : judge(cuts, &outcome, ret_why);
}

static int refuse(int error, const char *why, char **ret_why)
{
        *ret_why = g_strdup(why);
        return error;
}

int fw_cuts(const FwPlanned *planned, const PtTuple *tuple, char **ret_why)
{
        Cuts cuts = {.planned = planned, .tuple = tuple};
        char *why = NULL;
        int r;

        if (tuple->protocol != IPPROTO_TCP)
                return refuse(-EPROTONOSUPPORT, "only TCP is asked for", ret_why);
        if (is_link_local(tuple))
                return refuse(-EADDRNOTAVAIL,
                              "by which interface an address of the link comes is not known",
                              ret_why);
        find_first(&cuts);
        r = find_way_back(&cuts);
        if (r == 0) {
                fill(&cuts);
                r = evaluate(&cuts, &why);
                if (r == 0)
                        r = fw_bridge_cuts(planned, &cuts.packet, &why);
        }
        if (r < 0)
                why = g_strdup_printf("the kernel knows no way for it: %s", strerror(-r));
        if (r != 0)
                *ret_why = why;
        return r;
}
