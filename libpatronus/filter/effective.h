/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rules as they are compiled. What a layout orders and cuts are effective rules:
 *
 *      a FirewallRule that says all itself       the object of the slice, at no cost
 *      one that names services                   a view of it, with what the services say beside it
 *      a NatRule that brings a rule of its own   a FirewallRule that allows what it translates, with
 *                                                what its services say
 *
 * The latter two are objects of kinds that are in no registry. They have the name, the uid and the
 * position of what they come from, and the kind's name too, so that the kernel's comments and the
 * counters are those of the configured object; but their digest also covers the services, so a rule
 * is another state of itself once a service changes (filterd's counters.h: the generation).
 *
 * While what it comes from is the same objects, an effective rule is the same object: deltas
 * compare by pointer. So they are kept in a table, by the objects they come from.
 */

#include "filter/schedule.h"
#include "kinds/firewall/firewall.h"
#include "txn/slice.h"

/* One way to be of a service: a protocol, its destination ports, and what helps such connections.
 */
typedef struct FwAlternative {
        int protocol; /* IPPROTO_* */
        PtList ports; /* PtPortRange, sorted, disjoint */
        int helper;   /* FwHelper, or FW_HELPER_INVALID */
} FwAlternative;

typedef struct FwEffectiveRule {
        FirewallRule rule;        /* its lists are borrowed from `origin` */
        const PtObject *origin;   /* the FirewallRule or NatRule; a reference */
        const Service **services; /* resolved, in the order of the rule; references; a service that
                                      does not exist is not among them */
        unsigned n_services;      /* of FirewallRule.services, those that exist */
        FwAlternative *choices;   /* what the services say, those of one protocol and helper melted
                                      into one; by protocol, those with a helper first */
        unsigned n_choices;
        PtList protocols;             /* int: those that belong to the services whatever the ports;
                                      sorted, each once */
        bool by_service;              /* the packet must be of one of `choices` or `protocols` */
        bool translated;              /* only connections whose destination was translated */
        const ServerPool *pool;       /* of a NatRule; a reference; NULL: none */
        PtList targets, target_ports; /* its servers' addresses and ports, sorted, each once */
        bool off, reflected;          /* of a linked rule: what NatSettings and the NatRule say */
        FwEndpointBox destination;    /* of a linked rule */
        FwRuleBox *limits;            /* the same: that of NatRule.sourceLimit; NULL: it has none */
        GPtrArray *ways;              /* of a rule of frames (frame.h), which sees to it; or NULL */
} FwEffectiveRule;

typedef struct FwEffective FwEffective;
FwEffective *fw_effective_new(void);
void fw_effective_free(FwEffective *effective);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwEffective, fw_effective_free)

/* What schedules say from now on (a reference is taken); NULL, as at first: rules are in force
 * whatever the time is. */
void fw_effective_set_times(FwEffective *effective, FwTimes *times);
FwTimes *fw_effective_times(const FwEffective *effective);

/* The effective rule of one of the slice, whether enabled or not; the table or the slice own it.
 * Services of the slice come before built-in ones. */
const FirewallRule *fw_effective_rule(FwEffective *effective, const PtSlice *slice,
                                      const FirewallRule *rule);

/* What the NAT rules of a slice are read with. */
typedef struct FwNatPolicy {
        FwEffective *effective;
        const PtSlice *slice;
        FwOutbound outbound;
        bool reflection;      /* of forwards that do not say */
        const FwTimes *times; /* of `effective` */
} FwNatPolicy;
FwNatPolicy fw_nat_policy(FwEffective *effective, const PtSlice *slice);
/* Enabled, and not left out by NatSettings.outbound. */
bool fw_nat_in_force(const FwNatPolicy *policy, const NatRule *nat);
bool fw_nat_reflects(const FwNatPolicy *policy, const NatRule *nat);
/* The servers that it leads to; NULL: it has no pool, or there is none of that name. */
const ServerPool *fw_nat_pool(const FwNatPolicy *policy, const NatRule *nat);

/* The rule that comes with a NatRule, at the same priority and position, or NULL: it brings none
 * (fw_nat_filter()). It is enabled when the NatRule is in force, and for all zones when that is
 * reflected. */
const FirewallRule *fw_effective_linked(const FwNatPolicy *policy, const NatRule *nat);
/* For nat-use.c: what the services of a NatRule say; the digest of all that a rule comes from; what a
 * rule that lets a translated connection pass asks of its destination, after the services. */
void fw_effective_add_services(FwEffectiveRule *rule, const FwNatPolicy *policy,
                               const NatRule *nat);
/* The same of any rule: what services of a list say, beside its ports. */
void fw_effective_take_services(FwEffectiveRule *rule, FwEffective *effective, const PtSlice *slice,
                                const PtList *list);
/* For nat-use.c: the pool, and the family that follows from it. */
void fw_effective_add_pool(FwEffectiveRule *rule, const FwNatPolicy *policy, const NatRule *nat);
void fw_effective_seal(FwEffectiveRule *rule);
void fw_effective_link_target(FwEffectiveRule *linked, const NatRule *nat);
void fw_effective_done(PtObject *object); /* PtKind.done of every effective rule */
/* Whether a rule of the slice is in force: itself and its group, if it is in one, are enabled, and
 * it is time for it (fw_times_let()). */
bool fw_rule_in_force(const PtSlice *slice, const FwTimes *times, const FirewallRule *rule);
/* What an effective rule has beside FirewallRule; NULL: it is one that says all itself. */
const FwEffectiveRule *fw_effective_of(const FirewallRule *rule);

/* All rules of a slice that are in force, linked ones too, in no order. */
void fw_effective_foreach(FwEffective *effective, const PtSlice *slice,
                          void (*each)(const FirewallRule *rule, void *userdata), void *userdata);
/* The order of evaluation, total: of rules alike in priority, position and name, the one whose
 * kind's name is lower comes first. */
int fw_effective_compare(const FirewallRule *a, const FirewallRule *b);
/* Frees what only the table holds, once that may be worth a pass over it. Whoever keeps an
 * effective rule across this holds a reference. */
void fw_effective_sweep(FwEffective *effective);
