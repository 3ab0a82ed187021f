/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/nat-use.h"

/* One side of a NatRule. */
typedef struct NatUse {
        FirewallRule rule;  /* its lists are borrowed from `nat` */
        const NatRule *nat; /* a reference */
        FwNatSide side;
} NatUse;

static const PtPortRange all_ports = {0, UINT16_MAX};

static void use_done(PtObject *object)
{
        object->meta = NULL; /* the NatRule's */
        pt_object_unref((PtObject *) (uintptr_t) & ((NatUse *) object)->nat->object);
}

/* Nothing walks the rows of a use: the lists are the NatRule's. */
static const PtField no_fields[] = {{}};

/* The name makes comments, uids and counters those of the NatRule. In no registry. */
static const PtKind kind_use = {
        .name = "NatRule",
        .size = sizeof(NatUse),
        .fields = no_fields,
        .ordered = true,
        .done = use_done,
};

bool fw_nat_has_side(const NatRule *nat, FwNatSide side)
{
        switch ((FwNatType) nat->type) {
        case FW_NAT_MASQUERADE:
        case FW_NAT_SOURCE:
                return side == FW_NAT_OUT;
        case FW_NAT_FORWARD:
        case FW_NAT_REDIRECT:
                return side == FW_NAT_IN;
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                return true;
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

/* Ports are of TCP and UDP: a translation of ports without a protocol is for both, even when the
 * rule asks for no port. */
static void ask_for_ports(NatUse *use)
{
        FirewallRule *rule = &use->rule;
        const FwEndpointBox *source = fw_endpoint_box(&rule->source),
                            *destination = fw_endpoint_box(&rule->destination);

        if (use->nat->translation.ports.n == 0 || rule->source.ports.n > 0 ||
            rule->destination.ports.n > 0 || source->port_aliases.n > 0 ||
            destination->port_aliases.n > 0 || source->except.ports.n > 0 ||
            source->except.port_aliases.n > 0 || destination->except.ports.n > 0 ||
            destination->except.port_aliases.n > 0 || fw_nat_protocol(use->nat) != PT_PROTOCOL_ANY)
                return;
        rule->destination.ports = (PtList){.items = (PtPortRange *) (uintptr_t) &all_ports, .n = 1};
}

/* What leaves is the answer's mirror: from inside, to those that may come. */
static void mirror(NatUse *use)
{
        FirewallRule *rule = &use->rule;

        rule->destination = use->nat->source;
        rule->source = (FwEndpoint){.addresses = use->nat->translation.addresses};
}

FirewallRule *fw_nat_use_new(const NatRule *nat, FwNatSide side)
{
        NatUse *use = (NatUse *) pt_object_new(&kind_use, nat->object.name);
        FirewallRule *rule = &use->rule;

        use->nat = (const NatRule *) pt_object_ref(&nat->object);
        use->side = side;
        rule->object.position = nat->object.position;
        rule->object.meta = nat->object.meta;
        rule->object.digest = nat->object.digest;
        rule->object.sealed = true;
        rule->priority = (uint16_t) fw_nat_priority(nat);
        rule->family = fw_nat_family(nat);
        rule->protocol = fw_nat_protocol(nat);
        rule->object.present = UINT64_C(1) << FW_RULE_PRIORITY;
        if (rule->family != AF_UNSPEC)
                rule->object.present |= UINT64_C(1) << FW_RULE_FAMILY;
        if (rule->protocol != PT_PROTOCOL_ANY)
                rule->object.present |= UINT64_C(1) << FW_RULE_PROTOCOL;
        rule->source = nat->source;
        rule->destination = nat->destination;
        if (side == FW_NAT_OUT && fw_nat_has_side(nat, FW_NAT_IN))
                mirror(use);
        ask_for_ports(use);
        return rule;
}

const NatRule *fw_nat_of(const FirewallRule *rule, FwNatSide *ret_side)
{
        const NatUse *use = (const NatUse *) rule;

        if (rule->object.kind != &kind_use)
                return NULL;
        if (ret_side)
                *ret_side = use->side;
        return use->nat;
}
