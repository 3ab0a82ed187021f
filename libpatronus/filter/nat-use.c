/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/nat-use.h"

#include <string.h>

/* One side of a NatRule. */
typedef struct NatUse {
        FwEffectiveRule effective; /* its lists are borrowed from the NatRule, its origin */
        FwNatSide side;
        bool reflected;
} NatUse;

static const PtPortRange all_ports = {0, UINT16_MAX};

/* Nothing walks the rows of a use: the lists are the NatRule's. */
static const PtField no_fields[] = {{}};

/* The name makes comments, uids and counters those of the NatRule. In no registry. */
static const PtKind kind_use = {
        .name = "NatRule",
        .size = sizeof(NatUse),
        .fields = no_fields,
        .ordered = true,
        .done = fw_effective_done,
};

bool fw_nat_has_side(const NatRule *nat, FwNatSide side)
{
        switch ((FwNatType) nat->type) {
        case FW_NAT_MASQUERADE:
        case FW_NAT_SOURCE:
                return side == FW_NAT_OUT;
        case FW_NAT_FORWARD:
                return side == FW_NAT_IN || side == FW_NAT_BACK;
        case FW_NAT_REDIRECT:
                return side == FW_NAT_IN;
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                return side == FW_NAT_IN || side == FW_NAT_OUT;
        case FW_NAT_TYPE_MAX:
        case FW_NAT_TYPE_INVALID:
                break;
        }
        g_assert_not_reached();
}

bool fw_nat_to_router(const NatRule *nat)
{
        return nat->type == FW_NAT_FORWARD && nat->destination.addresses.n == 0 &&
               fw_endpoint_box(&nat->destination)->aliases.n == 0;
}

bool fw_nat_maps_ports(const NatRule *nat)
{
        const PtPortRange *to = nat->translation.ports.items;

        return nat->type == FW_NAT_FORWARD && nat->translation.ports.n > 0 && to->lo != to->hi &&
               ((const PtPortRange *) nat->destination.ports.items)->lo != to->lo;
}

bool fw_nat_meets(const FwNatPolicy *policy, const NatRule *nat, FwNatSide side, const char *zone,
                  bool *ret_reflected)
{
        const char *own = nat->zone ?: FW_ZONE_ANY;
        bool router = strcmp(zone, FW_ZONE_ROUTER) == 0;

        *ret_reflected = false;
        if (!fw_nat_in_force(policy, nat) || !fw_nat_has_side(nat, side))
                return false;
        if (side == FW_NAT_BACK)
                return fw_nat_reflects(policy, nat) &&
                       (!nat->pool || fw_pool_answers(fw_nat_pool(policy, nat)));
        if (!router && (strcmp(own, FW_ZONE_ANY) == 0 || strcmp(own, zone) == 0))
                return true;
        /* Which of the router's addresses its own programs mean cannot be told. */
        *ret_reflected = side == FW_NAT_IN && fw_nat_reflects(policy, nat) &&
                         !(router && fw_nat_to_router(nat));
        return *ret_reflected;
}

/* Ports are of TCP and UDP: a translation of ports without a protocol is for both, even when the
 * rule asks for no port. */
static void ask_for_ports(FirewallRule *rule, const NatRule *nat)
{
        const FwEndpointBox *source = fw_endpoint_box(&rule->source),
                            *destination = fw_endpoint_box(&rule->destination);

        if (nat->services.n > 0 || nat->translation.ports.n == 0 || rule->source.ports.n > 0 ||
            rule->destination.ports.n > 0 || source->port_aliases.n > 0 ||
            destination->port_aliases.n > 0 || source->except.ports.n > 0 ||
            source->except.port_aliases.n > 0 || destination->except.ports.n > 0 ||
            destination->except.port_aliases.n > 0 || fw_nat_protocol(nat) != PT_PROTOCOL_ANY)
                return;
        rule->destination.ports = (PtList){.items = (PtPortRange *) (uintptr_t) &all_ports, .n = 1};
}

static void fill_endpoints(NatUse *use, const NatRule *nat)
{
        FirewallRule *rule = &use->effective.rule;

        rule->source = nat->source;
        rule->destination = nat->destination;
        switch (use->side) {
        case FW_NAT_OUT:
                /* What leaves is the answer's mirror: from inside, to those that may come. */
                if (fw_nat_has_side(nat, FW_NAT_IN)) {
                        rule->destination = nat->source;
                        rule->source = (FwEndpoint){.addresses = nat->translation.addresses};
                }
                break;
        case FW_NAT_BACK:
                rule->destination = (FwEndpoint){};
                fw_effective_link_target(&use->effective, nat);
                break;
        case FW_NAT_IN:
                break;
        case FW_NAT_SIDE_MAX:
        case FW_NAT_SIDE_INVALID:
                g_assert_not_reached();
        }
        ask_for_ports(rule, nat);
}

FirewallRule *fw_nat_use_new(const FwNatPolicy *policy, const NatRule *nat, FwNatSide side,
                             bool reflected)
{
        NatUse *use = (NatUse *) pt_object_new(&kind_use, nat->object.name);
        FirewallRule *rule = &use->effective.rule;

        use->effective.origin = pt_object_ref(&nat->object);
        use->side = side;
        use->reflected = reflected;
        rule->object.position = nat->object.position;
        rule->object.meta = nat->object.meta;
        rule->priority = (uint16_t) fw_nat_priority(nat);
        rule->family = fw_nat_family(nat);
        rule->protocol = fw_nat_protocol(nat);
        rule->object.present = UINT64_C(1) << FW_RULE_PRIORITY;
        if (rule->family != AF_UNSPEC)
                rule->object.present |= UINT64_C(1) << FW_RULE_FAMILY;
        if (rule->protocol != PT_PROTOCOL_ANY)
                rule->object.present |= UINT64_C(1) << FW_RULE_PROTOCOL;
        fw_effective_add_services(&use->effective, policy, nat);
        fw_effective_add_pool(&use->effective, policy, nat);
        fill_endpoints(use, nat);
        fw_effective_seal(&use->effective);
        return rule;
}

const NatRule *fw_nat_of(const FirewallRule *rule, FwNatSide *ret_side)
{
        const NatUse *use = (const NatUse *) rule;

        if (rule->object.kind != &kind_use)
                return NULL;
        if (ret_side)
                *ret_side = use->side;
        return (const NatRule *) use->effective.origin;
}

bool fw_nat_is_reflected(const FirewallRule *use)
{
        return ((const NatUse *) use)->reflected;
}
