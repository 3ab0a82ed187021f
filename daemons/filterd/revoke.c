/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "revoke.h"

#include "base/marks.h"
#include "filter/evaluate.h"
#include "filter/interval.h"
#include "ways.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* A policy, and the zones that the eight bits of a mark stand for. */
typedef struct Policy {
        FwLists *lists;
        const FwZone *marked[FW_ZONE_MARKS]; /* NULL: none, or several */
        const FwTimes *times;                /* NULL: whatever the time is */
        bool ended;                          /* FwRevokeBefore.ended */
} Policy;

struct FwRevoke {
        Policy before[FW_REVOKE_BEFORE_MAX], after;
        unsigned n_before;
        FwWays *ways;
        const FwOpenings *openings;
        FwTimes *times; /* now */
        bool moved;     /* interfaces or sources of zones differ: marks do not tell */
        bool all;       /* what differs may be of every pair */
        uint8_t *
                differs; /* by zones of `after`, with the router: 0: not known yet, 1: no, 2: yes */
};

/* What the mark stands for, and what else is asked of the world. */

static void mark_zones(Policy *policy)
{
        fw_zones_by_mark(fw_lists_zones(policy->lists), policy->marked);
}

static bool same_intervals(const GArray *a, const GArray *b)
{
        unsigned n = a ? a->len : 0;

        if (n != (b ? b->len : 0))
                return false;
        for (unsigned i = 0; i < n; i++) {
                const FwInterval *x = &g_array_index(a, FwInterval, i),
                                 *y = &g_array_index(b, FwInterval, i);

                if (memcmp(x->lo, y->lo, sizeof(x->lo)) != 0 ||
                    memcmp(x->hi, y->hi, sizeof(x->hi)) != 0 || x->number != y->number)
                        return false;
        }
        return true;
}

static bool same_zones(const FwZones *a, const FwZones *b)
{
        if (a->n != b->n || !same_intervals(a->interfaces, b->interfaces) ||
            !same_intervals(a->sources4, b->sources4) || !same_intervals(a->sources6, b->sources6))
                return false;
        for (unsigned i = 0; i < a->n; i++)
                if (strcmp(a->zones[i].name, b->zones[i].name) != 0)
                        return false;
        return true;
}

static int stop_unless_rule(const PtObject *before, const PtObject *after, void *userdata)
{
        const PtKind *kind = (before ?: after)->kind;

        return kind != &pt_kind_firewall_rule && kind != &pt_kind_nat_rule &&
               kind != &pt_kind_service && kind != &pt_kind_zone;
}

FwRevokeBefore *fw_revoke_before_new(PtSlice *slice, bool ended, FwTimes *times)
{
        FwRevokeBefore *before = g_new0(FwRevokeBefore, 1);

        before->slice = pt_slice_ref(slice);
        before->ended = ended;
        before->times = fw_times_ref(times);
        return before;
}

void fw_revoke_before_free(void *p)
{
        FwRevokeBefore *before = p;

        pt_slice_unref(before->slice);
        fw_times_unref(before->times);
        g_free(before);
}

static int stop_at_ending(const PtObject *object, void *userdata)
{
        return fw_rule_ends_connections((const FirewallRule *) object);
}

bool fw_revoke_may_end(const PtSlice *slice)
{
        return pt_slice_foreach(slice, &pt_kind_firewall_rule, stop_at_ending, NULL) != 0;
}

static int add_before(FwRevoke *revoke, const FwRevokeBefore *was, const FwSource *after)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        Policy *before = &revoke->before[revoke->n_before];
        const PtSlice *slice = was->slice;
        FwSource source = {.slice = slice, .state_dir = after->state_dir, .live = after->live};
        int r = fw_lists_new(&source, NULL, diag, &before->lists);

        if (r < 0)
                return r;
        revoke->n_before++;
        before->ended = was->ended;
        before->times = was->times;
        mark_zones(before);
        revoke->moved = revoke->moved || !same_zones(fw_lists_zones(before->lists),
                                                     fw_lists_zones(revoke->after.lists));
        /* Which pairs depend on aliases, settings and the like is not worth to be found out. */
        revoke->all = revoke->all || revoke->moved ||
                      pt_slice_compare(slice, after->slice, stop_unless_rule, NULL) != 0;
        return 0;
}

int fw_revoke_new(const GPtrArray *before, const FwSource *after, FwTimes *times, int netns_fd,
                  FwRevoke **ret)
{
        g_autoptr(FwRevoke) revoke = g_new0(FwRevoke, 1);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        unsigned n;
        int r = fw_lists_new(after, NULL, diag, &revoke->after.lists);

        revoke->times = fw_times_ref(times);
        if (r == 0)
                r = fw_ways_open(netns_fd, &revoke->ways);
        for (unsigned i = 0; r == 0 && i < MIN(before->len, FW_REVOKE_BEFORE_MAX); i++)
                r = add_before(revoke, g_ptr_array_index(before, i), after);
        if (r < 0)
                return r;
        mark_zones(&revoke->after);
        n = fw_lists_zones(revoke->after.lists)->n + 1;
        revoke->differs = g_malloc0_n(n, n);
        *ret = g_steal_pointer(&revoke);
        return 0;
}

void fw_revoke_free(FwRevoke *revoke)
{
        if (!revoke)
                return;
        for (unsigned i = 0; i < revoke->n_before; i++)
                fw_lists_free(revoke->before[i].lists);
        fw_lists_free(revoke->after.lists);
        fw_ways_close(revoke->ways);
        fw_times_unref(revoke->times);
        g_free(revoke->differs);
        g_free(revoke);
}

/* Pairs whose rules are the same need no look at their connections. */

static bool same_lists(const FwRuleList *before, const FwRuleList *after)
{
        if (fw_rule_list_length(before) != fw_rule_list_length(after))
                return false;
        for (unsigned i = 0; i < fw_rule_list_length(before); i++) {
                const FirewallRule *x = fw_rule_list_get(before, i),
                                   *y = fw_rule_list_get(after, i);

                if (x->object.kind != y->object.kind ||
                    !pt_digest_equal(&x->object.digest, &y->object.digest) ||
                    fw_rule_enabled(x) != fw_rule_enabled(y))
                        return false;
        }
        return true;
}

static unsigned number_of(const FwZones *zones, const FwZone *zone)
{
        return zone->zone ? (unsigned) (zone - zones->zones) : zones->n;
}

/* The zone of a policy that is at the same place; the router for itself. */
static const FwZone *zone_at(const FwZones *zones, unsigned number)
{
        return number < zones->n ? &zones->zones[number] : &zones->router;
}

/* Zones of `after`; those of the policies before are the same, at the same places. */
static bool same_pair(const FwRevoke *revoke, const Policy *before, unsigned from, unsigned to)
{
        const FwZones *zones = fw_lists_zones(revoke->after.lists),
                      *old = fw_lists_zones(before->lists);

        return fw_zones_default(zones, zone_at(zones, from), zone_at(zones, to)) ==
                       fw_zones_default(old, zone_at(old, from), zone_at(old, to)) &&
               same_lists(fw_lists_rules(before->lists, zone_at(old, from), zone_at(old, to)),
                          fw_lists_rules(revoke->after.lists, zone_at(zones, from),
                                         zone_at(zones, to)));
}

static bool pair_differs(FwRevoke *revoke, const FwZone *from, const FwZone *to)
{
        const FwZones *zones = fw_lists_zones(revoke->after.lists);
        unsigned i = number_of(zones, from), k = number_of(zones, to);
        uint8_t *known = &revoke->differs[i * (zones->n + 1) + k];

        if (revoke->all)
                return true;
        if (*known == 0) {
                *known = 1;
                for (unsigned b = 0; b < revoke->n_before; b++)
                        if (!revoke->before[b].ended &&
                            !same_pair(revoke, &revoke->before[b], i, k))
                                *known = 2;
        }
        return *known == 2;
}

/* One connection. */

static int find_way(const FwPacket *packet, const uint8_t *destination, FwWay *ret, void *userdata)
{
        return fw_ways_back(((FwRevoke *) userdata)->ways, packet, destination, ret);
}

/* Where a connection's first packet came from and went, of a policy: by its mark, else by routes.
 * `packet` has its addresses already. */
static void set_zones(FwRevoke *revoke, const Policy *policy, const PtConnection *connection,
                      FwPacket *packet)
{
        const FwZones *zones = fw_lists_zones(policy->lists);
        uint32_t pair = connection->mark & PT_CTMARK_PAIR;
        FwWay way;

        packet->from = packet->to = NULL;
        packet->in[0] = '\0';
        if (pair && !revoke->moved) {
                packet->from = policy->marked[pair >> PT_CTMARK_FROM_SHIFT];
                packet->to = policy->marked[pair >> PT_CTMARK_TO_SHIFT & 0xff];
        }
        if (packet->from)
                return;
        if (fw_ways_back(revoke->ways, packet, connection->original.source, &way) < 0)
                return;
        if (way.local)
                packet->from = &zones->router;
        else
                g_strlcpy(packet->in, way.out, sizeof(packet->in));
}

static bool is_icmp(const PtConnection *connection)
{
        return connection->protocol ==
               (connection->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* As the filter saw its first packet. */
static void fill(const PtConnection *connection, FwPacket *packet)
{
        static const FwDimension unknown[] = {
                FW_DIM_IN_INTERFACE, FW_DIM_OUT_INTERFACE, FW_DIM_LENGTH, FW_DIM_MARK,
                FW_DIM_LINK_TYPE,    FW_DIM_SOURCE_MAC,    FW_DIM_DSCP,
        };
        const PtConnectionTuple *first = &connection->original, *answers = &connection->reply;
        bool translated = connection->flags & PT_CONNECTION_DNAT;

        fw_packet_init(packet, connection->family, "");
        for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++)
                fw_packet_set_unknown(packet, unknown[i]);
        packet->translated = true;
        fw_packet_set_bytes(packet, FW_DIM_SOURCE_ADDRESS, first->source);
        fw_packet_set_bytes(packet, FW_DIM_DESTINATION_ADDRESS, answers->source);
        fw_packet_set(packet, FW_DIM_PROTOCOL, connection->protocol, connection->protocol);
        fw_packet_set(packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_NEW), NF_CT_STATE_BIT(IP_CT_NEW));
        fw_packet_set(packet, FW_DIM_STATUS, translated ? IPS_DST_NAT : 0,
                      translated ? IPS_DST_NAT : 0);
        if (fw_protocol_has_ports(connection->protocol)) {
                fw_packet_set(packet, FW_DIM_SOURCE_PORT, first->source_port, first->source_port);
                fw_packet_set(packet, FW_DIM_DESTINATION_PORT, answers->source_port,
                              answers->source_port);
        }
        if (is_icmp(connection))
                fw_packet_set(packet, FW_DIM_ICMP, first->destination_port,
                              first->destination_port);
        if (connection->protocol == IPPROTO_TCP)
                fw_packet_set_unknown(packet, FW_DIM_TCP_FLAGS);
}

void fw_revoke_set_openings(FwRevoke *revoke, const FwOpenings *openings)
{
        revoke->openings = openings;
}

static bool find_opening(const FwKnock *knock, FwOpening *ret, void *userdata)
{
        return fw_openings_admit(((const FwRevoke *) userdata)->openings, knock, ret);
}

/* Whether the policy lets it begin at that time: yes, no, or perhaps; and by which rule, or NULL. */
static FwTruth admits_by(FwRevoke *revoke, const Policy *policy, const FwTimes *times,
                         const PtConnection *connection, FwPacket *packet,
                         const FirewallRule **ret_rule)
{
        FwWorld world = {.lists = policy->lists,
                         .times = times,
                         .route = find_way,
                         .opened = policy == &revoke->after ? find_opening : NULL,
                         .userdata = revoke};
        FwOutcome outcome;

        *ret_rule = NULL;
        set_zones(revoke, policy, connection, packet);
        if ((!packet->from && !packet->in[0]) || fw_evaluate(&world, packet, &outcome) < 0)
                return FW_MAYBE;
        if (outcome.doubt)
                return FW_MAYBE;
        *ret_rule = outcome.rule;
        return outcome.action == FW_ALLOW ? FW_YES : FW_NO;
}

static FwTruth admits(FwRevoke *revoke, const Policy *policy, const PtConnection *connection,
                      FwPacket *packet)
{
        const FirewallRule *rule;

        return admits_by(revoke, policy, NULL, connection, packet, &rule);
}

/* A rule let it begin whose window is over, and now none does. */
static bool is_over(FwRevoke *revoke, const Policy *before, const PtConnection *connection,
                    FwPacket *packet)
{
        const FirewallRule *rule;

        if (admits_by(revoke, before, before->times, connection, packet, &rule) != FW_YES ||
            !rule || !fw_rule_ends_connections(rule) || fw_times_let(revoke->times, rule))
                return false;
        return admits_by(revoke, &revoke->after, revoke->times, connection, packet, &rule) == FW_NO;
}

bool fw_revoke_ends(FwRevoke *revoke, const PtConnection *connection)
{
        FwPacket packet;

        fill(connection, &packet);
        for (unsigned i = 0; i < revoke->n_before; i++)
                if (revoke->before[i].ended &&
                    is_over(revoke, &revoke->before[i], connection, &packet))
                        return true;
        set_zones(revoke, &revoke->after, connection, &packet);
        if (packet.from && packet.to && !pair_differs(revoke, packet.from, packet.to))
                return false;
        if (admits(revoke, &revoke->after, connection, &packet) != FW_NO)
                return false;
        for (unsigned i = 0; i < revoke->n_before; i++)
                if (!revoke->before[i].ended &&
                    admits(revoke, &revoke->before[i], connection, &packet) != FW_NO)
                        return true;
        return false;
}
