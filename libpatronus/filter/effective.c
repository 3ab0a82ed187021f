/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/effective.h"

#include <netinet/in.h>
#include <string.h>

/* A table smaller than this is not worth a pass. */
#define SWEEP_MIN 64

struct FwEffective {
        GHashTable *rules;    /* FwEffectiveRule, a set by what they come from */
        GHashTable *builtins; /* name -> Service */
        unsigned sweep_at;    /* entries from which on a pass is worth it */
        FwTimes *times;
};

/* Nothing walks the rows of an effective rule: the lists are another object's. */
static const PtField no_fields[] = {{}};

/* clang-format off */
static const PtKind kind_by_service = {
        .name = "FirewallRule",
        .size = sizeof(FwEffectiveRule),
        .fields = no_fields,
        .ordered = true,
        .done = fw_effective_done,
};
static const PtKind kind_linked = {
        .name = "NatRule",
        .size = sizeof(FwEffectiveRule),
        .fields = no_fields,
        .ordered = true,
        .done = fw_effective_done,
};
/* clang-format on */

const FwEffectiveRule *fw_effective_of(const FirewallRule *rule)
{
        return rule->object.kind->done == fw_effective_done ? (const FwEffectiveRule *) rule : NULL;
}

void fw_effective_done(PtObject *object)
{
        FwEffectiveRule *rule = (FwEffectiveRule *) object;

        object->meta = NULL; /* the origin's */
        for (unsigned i = 0; i < rule->n_services; i++)
                pt_object_unref((PtObject *) (uintptr_t) &rule->services[i]->object);
        for (unsigned i = 0; i < rule->n_choices; i++)
                g_free(rule->choices[i].ports.items);
        g_free(rule->choices);
        g_free(rule->protocols.items);
        g_free(rule->services);
        pt_object_unref((PtObject *) (uintptr_t) rule->pool);
        g_free(rule->targets.items);
        g_free(rule->target_ports.items);
        g_clear_pointer(&rule->ways, g_ptr_array_unref);
        g_free(rule->limits);
        pt_object_unref((PtObject *) (uintptr_t) rule->origin);
}

/* The table is keyed by the objects that a rule comes from. */

static unsigned rule_hash(const void *p)
{
        const FwEffectiveRule *rule = p;
        uint64_t hash = (uintptr_t) rule->origin + rule->off + 2U * rule->reflected +
                        (uintptr_t) rule->pool;

        for (unsigned i = 0; i < rule->n_services; i++)
                hash = hash * 0x9e3779b97f4a7c15U + (uintptr_t) rule->services[i];
        return (unsigned) (hash ^ hash >> 32);
}

static gboolean rule_equal(const void *a, const void *b)
{
        const FwEffectiveRule *x = a, *y = b;

        return x->origin == y->origin && x->off == y->off && x->reflected == y->reflected &&
               x->pool == y->pool && x->n_services == y->n_services &&
               (x->n_services == 0 ||
                memcmp(x->services, y->services, x->n_services * sizeof(*x->services)) == 0);
}

static void unref_object(void *object)
{
        pt_object_unref(object);
}

FwEffective *fw_effective_new(void)
{
        FwEffective *effective = g_new0(FwEffective, 1);

        effective->rules = g_hash_table_new_full(rule_hash, rule_equal, unref_object, NULL);
        effective->builtins = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, unref_object);
        effective->sweep_at = SWEEP_MIN;
        return effective;
}

void fw_effective_free(FwEffective *effective)
{
        if (!effective)
                return;
        g_hash_table_unref(effective->rules);
        g_hash_table_unref(effective->builtins);
        fw_times_unref(effective->times);
        g_free(effective);
}

void fw_effective_set_times(FwEffective *effective, FwTimes *times)
{
        FwTimes *before = effective->times;

        effective->times = fw_times_ref(times);
        fw_times_unref(before);
}

FwTimes *fw_effective_times(const FwEffective *effective)
{
        return effective->times;
}

static gboolean only_here(void *key, void *value, void *userdata)
{
        return ((const PtObject *) key)->refs == 1;
}

void fw_effective_sweep(FwEffective *effective)
{
        if (g_hash_table_size(effective->rules) < effective->sweep_at)
                return;
        (void) g_hash_table_foreach_remove(effective->rules, only_here, NULL);
        effective->sweep_at = MAX(SWEEP_MIN, 2 * g_hash_table_size(effective->rules));
}

/* Services. */

static const Service *find_service(FwEffective *effective, const PtSlice *slice, const char *name)
{
        const PtObject *object = pt_slice_get(slice, &pt_kind_service, name);

        if (!object)
                object = g_hash_table_lookup(effective->builtins, name);
        if (!object) {
                PtObject *builtin = pt_kind_builtin(&pt_kind_service, name);

                if (builtin)
                        g_hash_table_insert(effective->builtins, builtin->name, builtin);
                object = builtin;
        }
        return (const Service *) object;
}

/* By protocol; of one, those with a helper first, which a wider one without would hide. */
static int compare_choices(const FwAlternative *a, const FwAlternative *b)
{
        bool plain_a = a->helper == FW_HELPER_INVALID, plain_b = b->helper == FW_HELPER_INVALID;

        if (a->protocol != b->protocol)
                return a->protocol < b->protocol ? -1 : 1;
        if (plain_a != plain_b)
                return plain_a ? 1 : -1;
        return (a->helper > b->helper) - (a->helper < b->helper);
}

/* The choice of this protocol and helper, made where it is not there yet. */
static FwAlternative *choice_of(FwEffectiveRule *rule, const FwAlternative *wanted)
{
        unsigned at = 0;
        int r = -1;

        for (; at < rule->n_choices; at++) {
                r = compare_choices(wanted, &rule->choices[at]);
                if (r <= 0)
                        break;
        }
        if (at < rule->n_choices && r == 0)
                return &rule->choices[at];
        rule->choices = g_renew(FwAlternative, rule->choices, rule->n_choices + 1);
        memmove(&rule->choices[at + 1], &rule->choices[at],
                (rule->n_choices++ - at) * sizeof(*rule->choices));
        rule->choices[at] = *wanted;
        return &rule->choices[at];
}

/* The helper of a rule is for what no service brings one for. */
static int helper_for(const FwEffectiveRule *rule, const Service *service, int protocol)
{
        const FirewallRule *base = &rule->rule;
        int own = pt_object_has(&base->object, FW_RULE_HELPER) ? fw_rule_box(base)->helper
                                                               : FW_HELPER_INVALID;

        if (base->action != FW_ALLOW)
                return FW_HELPER_INVALID;
        if (pt_object_has(&service->object, SERVICE_HELPER) &&
            fw_helper_has_protocol((FwHelper) service->helper, protocol))
                return service->helper;
        return own >= 0 && fw_helper_has_protocol((FwHelper) own, protocol) ? own
                                                                            : FW_HELPER_INVALID;
}

static void add_ports(FwEffectiveRule *rule, const Service *service, int protocol,
                      const PtList *ports)
{
        FwAlternative wanted = {.protocol = protocol,
                                .helper = helper_for(rule, service, protocol)};
        FwAlternative *choice;
        PtPortRange *all;

        if (ports->n == 0)
                return;
        choice = choice_of(rule, &wanted);
        all = g_renew(PtPortRange, choice->ports.items, choice->ports.n + ports->n);
        memcpy(all + choice->ports.n, ports->items, ports->n * sizeof(*all));
        choice->ports.items = all;
        choice->ports.n += ports->n;
}

static int compare_ports(const void *a, const void *b)
{
        const PtPortRange *x = a, *y = b;

        return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

/* Sorts, and melts ranges that overlap: two services may share ports. */
static void settle_ports(PtList *list)
{
        PtPortRange *ports = list->items;
        unsigned n = 0;

        if (list->n == 0)
                return;
        qsort(ports, list->n, sizeof(*ports), compare_ports);
        for (unsigned i = 1; i < list->n; i++) {
                if (ports[i].lo <= ports[n].hi)
                        ports[n].hi = MAX(ports[n].hi, ports[i].hi);
                else
                        ports[++n] = ports[i];
        }
        list->n = n + 1;
}

/* A protocol without ports cannot have those that the rule asks for beside the service. */
static void add_protocol(FwEffectiveRule *rule, int protocol)
{
        bool wants_ports = fw_endpoint_has_ports(&rule->rule.source) ||
                           fw_endpoint_has_ports(&rule->rule.destination);
        int *protocols = rule->protocols.items;
        unsigned at = 0;

        if (wants_ports && !fw_protocol_has_ports(protocol))
                return;
        while (at < rule->protocols.n && protocols[at] < protocol)
                at++;
        if (at < rule->protocols.n && protocols[at] == protocol)
                return;
        protocols = g_renew(int, protocols, rule->protocols.n + 1);
        memmove(&protocols[at + 1], &protocols[at],
                (rule->protocols.n++ - at) * sizeof(*protocols));
        protocols[at] = protocol;
        rule->protocols.items = protocols;
}

static void add_choices(FwEffectiveRule *rule)
{
        rule->by_service = true;
        for (unsigned i = 0; i < rule->n_services; i++) {
                const Service *service = rule->services[i];
                const int *protocols = service->protocols.items;

                add_ports(rule, service, IPPROTO_TCP, &service->tcp);
                add_ports(rule, service, IPPROTO_UDP, &service->udp);
                add_ports(rule, service, IPPROTO_SCTP, &service->sctp);
                for (unsigned k = 0; k < service->protocols.n; k++)
                        add_protocol(rule, protocols[k]);
        }
        for (unsigned i = 0; i < rule->n_choices; i++)
                settle_ports(&rule->choices[i].ports);
}

/* Objects. */

/* An effective rule under construction, with the identity of what it comes from. */
static FwEffectiveRule *rule_new(const PtKind *kind, const PtObject *origin)
{
        FwEffectiveRule *rule = (FwEffectiveRule *) pt_object_new(kind, origin->name);

        rule->origin = pt_object_ref(origin);
        rule->rule.object.position = origin->position;
        rule->rule.object.meta = origin->meta;
        return rule;
}

/* The digest says what was compiled: that of the origin, and those of the services. */
void fw_effective_seal(FwEffectiveRule *rule)
{
        size_t size = PT_DIGEST_SIZE * (rule->n_services + 1U + (rule->pool != NULL));
        g_autofree uint8_t *bytes = g_malloc(size);

        memcpy(bytes, rule->origin->digest.bytes, PT_DIGEST_SIZE);
        for (unsigned i = 0; i < rule->n_services; i++)
                memcpy(bytes + PT_DIGEST_SIZE * (i + 1U), rule->services[i]->object.digest.bytes,
                       PT_DIGEST_SIZE);
        if (rule->pool)
                memcpy(bytes + size - PT_DIGEST_SIZE, rule->pool->object.digest.bytes,
                       PT_DIGEST_SIZE);
        pt_digest_of(bytes, size, &rule->rule.object.digest);
        rule->rule.object.sealed = true;
}

static const FirewallRule *keep(FwEffective *effective, FwEffectiveRule *rule)
{
        fw_effective_seal(rule);
        g_hash_table_add(effective->rules, rule);
        return &rule->rule;
}

/* Those that exist, in the order of the list. The caller's. */
static const Service **resolve(FwEffective *effective, const PtSlice *slice, const PtList *list,
                               unsigned *ret_n)
{
        const Service **services = g_new(const Service *, list->n);
        char *const *names = list->items;

        *ret_n = 0;
        for (unsigned i = 0; i < list->n; i++) {
                const Service *service = find_service(effective, slice, names[i]);

                if (service)
                        services[(*ret_n)++] = service;
        }
        return services;
}

static void take_services(FwEffectiveRule *rule, const Service **services, unsigned n)
{
        rule->services = services;
        rule->n_services = n;
        for (unsigned i = 0; i < n; i++)
                (void) pt_object_ref(&services[i]->object);
        add_choices(rule);
}

const FirewallRule *fw_effective_rule(FwEffective *effective, const PtSlice *slice,
                                      const FirewallRule *rule)
{
        const PtList *list = &fw_rule_box(rule)->services;
        g_autofree const Service **services = NULL;
        FwEffectiveRule wanted = {.origin = &rule->object}, *known, *fresh;

        if (list->n == 0)
                return rule;
        wanted.services = services = resolve(effective, slice, list, &wanted.n_services);
        known = g_hash_table_lookup(effective->rules, &wanted);
        if (known)
                return &known->rule;

        fresh = rule_new(&kind_by_service, &rule->object);
        memcpy((char *) fresh + sizeof(PtObject), (const char *) rule + sizeof(PtObject),
               sizeof(FirewallRule) - sizeof(PtObject));
        fresh->rule.object.present = rule->object.present;
        take_services(fresh, g_steal_pointer(&services), wanted.n_services);
        return keep(effective, fresh);
}

/* What comes with a NatRule. Rules of the filter see destinations as they are after translation,
 * and sources as they are before. */

static void set(FirewallRule *rule, unsigned index)
{
        rule->object.present |= UINT64_C(1) << index;
}

void fw_effective_take_services(FwEffectiveRule *rule, FwEffective *effective, const PtSlice *slice,
                                const PtList *list)
{
        const Service **services;
        unsigned n;

        if (list->n == 0)
                return;
        services = resolve(effective, slice, list, &n);
        take_services(rule, services, n);
}

void fw_effective_add_services(FwEffectiveRule *rule, const FwNatPolicy *policy, const NatRule *nat)
{
        fw_effective_take_services(rule, policy->effective, policy->slice, &nat->services);
        /* A translation of ports is for what has some. */
        if (nat->translation.ports.n > 0)
                rule->protocols.n = 0;
}

static int compare_addresses(const void *a, const void *b)
{
        return pt_type_address_range.compare(a, b);
}

/* Sorts, and leaves each value once. */
static void settle_values(PtList *list, size_t size, int (*compare)(const void *a, const void *b))
{
        char *items = list->items;
        unsigned n = 0;

        if (list->n == 0)
                return;
        qsort(items, list->n, size, compare);
        for (unsigned i = 1; i < list->n; i++)
                if (compare(items + n * size, items + i * size) != 0)
                        memmove(items + ++n * size, items + i * size, size);
        list->n = n + 1;
}

static void add_target(FwEffectiveRule *rule, const FwServer *server)
{
        PtAddressRange *addresses = rule->targets.items;
        PtPortRange *ports = rule->target_ports.items;

        addresses[rule->targets.n++] = server->address;
        if (fw_pool_has_ports(rule->pool))
                ports[rule->target_ports.n++] = (PtPortRange){server->port, server->port};
}

void fw_effective_add_pool(FwEffectiveRule *rule, const FwNatPolicy *policy, const NatRule *nat)
{
        const ServerPool *pool = fw_nat_pool(policy, nat);
        const FwServer *servers, *fallback;

        if (!pool)
                return;
        rule->pool = (const ServerPool *) pt_object_ref(&pool->object);
        rule->rule.family = fw_pool_family(pool);
        set(&rule->rule, FW_RULE_FAMILY);
        servers = pool->servers.items;
        fallback = fw_pool_fallback(pool);
        rule->targets.items = g_new0(PtAddressRange, pool->servers.n + 1);
        rule->target_ports.items = g_new0(PtPortRange, pool->servers.n + 1);
        for (unsigned i = 0; i < pool->servers.n; i++)
                if (fw_server_enabled(&servers[i]))
                        add_target(rule, &servers[i]);
        if (fallback)
                add_target(rule, fallback);
        settle_values(&rule->targets, sizeof(PtAddressRange), compare_addresses);
        settle_values(&rule->target_ports, sizeof(PtPortRange), compare_ports);
        /* A translation of ports is for what has some. */
        if (rule->target_ports.n > 0)
                rule->protocols.n = 0;
}

/* Whatever port of a service was asked for has become one of the translation. */
static void translate_choices(FwEffectiveRule *linked, const PtList *to)
{
        for (unsigned i = 0; i < linked->n_choices; i++) {
                PtList *ports = &linked->choices[i].ports;

                g_free(ports->items);
                ports->items = g_memdup2(to->items, to->n * sizeof(PtPortRange));
                ports->n = to->n;
        }
}

void fw_effective_link_target(FwEffectiveRule *linked, const NatRule *nat)
{
        FirewallRule *rule = &linked->rule;
        const FwEndpointBox *box = fw_endpoint_box(&nat->destination);
        const PtList *ports = linked->pool ? &linked->target_ports : &nat->translation.ports;

        linked->translated = true;
        rule->destination.addresses = linked->pool ? linked->targets : nat->translation.addresses;
        if (ports->n > 0) {
                if (linked->by_service)
                        translate_choices(linked, ports);
                else
                        rule->destination.ports = *ports;
                return;
        }
        rule->destination.ports = nat->destination.ports;
        linked->destination.port_aliases = box->port_aliases;
        linked->destination.except.ports = box->except.ports;
        linked->destination.except.port_aliases = box->except.port_aliases;
        rule->destination.box = &linked->destination;
}

static void link_endpoints(FwEffectiveRule *linked, const NatRule *nat)
{
        FirewallRule *rule = &linked->rule;

        rule->source = nat->source;
        switch ((FwNatType) nat->type) {
        case FW_NAT_MASQUERADE:
        case FW_NAT_SOURCE:
                rule->to = nat->zone;
                rule->destination = nat->destination;
                return;
        case FW_NAT_REDIRECT:
                rule->to = (char *) (uintptr_t) FW_ZONE_ROUTER;
                rule->from = nat->zone;
                fw_effective_link_target(linked, nat);
                return;
        case FW_NAT_FORWARD:
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                rule->from = linked->reflected ? NULL : nat->zone;
                fw_effective_link_target(linked, nat);
                return;
        case FW_NAT_TYPE_MAX:
        case FW_NAT_TYPE_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void link_limit(FwEffectiveRule *linked, const NatRule *nat)
{
        if (!pt_object_has(&nat->object, NAT_RULE_SOURCE_LIMIT))
                return;
        linked->limits = linked->rule.box = g_new0(FwRuleBox, 1);
        linked->limits->limits = (FwLimits){
                .present = UINT64_C(1) << FW_LIMIT_CONNECTIONS_PER_SOURCE,
                .connections_per_source = nat->source_limit,
        };
        set(&linked->rule, FW_RULE_LIMITS);
}

FwNatPolicy fw_nat_policy(FwEffective *effective, const PtSlice *slice)
{
        const NatSettings *settings =
                (const NatSettings *) pt_slice_get(slice, &pt_kind_nat_settings, "default");

        return (FwNatPolicy){.effective = effective,
                             .slice = slice,
                             .times = effective ? effective->times : NULL,
                             .outbound = fw_nat_settings_outbound(settings),
                             .reflection = fw_nat_settings_reflection(settings)};
}

bool fw_nat_in_force(const FwNatPolicy *policy, const NatRule *nat)
{
        bool outbound = nat->type == FW_NAT_MASQUERADE || nat->type == FW_NAT_SOURCE;

        return fw_nat_enabled(nat) && (!nat->pool || fw_nat_pool(policy, nat)) &&
               (!outbound || policy->outbound == FW_OUTBOUND_HYBRID ||
                policy->outbound == FW_OUTBOUND_MANUAL);
}

const ServerPool *fw_nat_pool(const FwNatPolicy *policy, const NatRule *nat)
{
        return nat->pool ? (const ServerPool *) pt_slice_get(policy->slice, &pt_kind_server_pool,
                                                             nat->pool)
                         : NULL;
}

bool fw_nat_reflects(const FwNatPolicy *policy, const NatRule *nat)
{
        return nat->type == FW_NAT_FORWARD &&
               (pt_object_has(&nat->object, NAT_RULE_REFLECTION) ? nat->reflection
                                                                 : policy->reflection);
}

const FirewallRule *fw_effective_linked(const FwNatPolicy *policy, const NatRule *nat)
{
        FwEffective *effective = policy->effective;
        FwEffectiveRule wanted = {.origin = &nat->object,
                                  .off = !fw_nat_in_force(policy, nat),
                                  .reflected = fw_nat_reflects(policy, nat),
                                  .pool = fw_nat_pool(policy, nat)};
        g_autofree const Service **services = NULL;
        FwEffectiveRule *known, *fresh;
        FirewallRule *rule;

        if (fw_nat_filter(nat) != FW_NAT_FILTER_AUTO)
                return NULL;
        if (nat->services.n > 0)
                wanted.services = services =
                        resolve(effective, policy->slice, &nat->services, &wanted.n_services);
        known = g_hash_table_lookup(effective->rules, &wanted);
        if (known)
                return &known->rule;

        fresh = rule_new(&kind_linked, &nat->object);
        fresh->off = wanted.off;
        fresh->reflected = wanted.reflected;
        rule = &fresh->rule;
        rule->action = FW_ALLOW;
        /* Nobody answers: nothing may pass for having been translated elsewhere. */
        rule->enabled = !fresh->off && (!wanted.pool || fw_pool_answers(wanted.pool));
        rule->priority = (uint16_t) fw_nat_priority(nat);
        rule->family = fw_nat_family(nat);
        rule->protocol = fw_nat_protocol(nat);
        set(rule, FW_RULE_ACTION);
        set(rule, FW_RULE_ENABLED);
        set(rule, FW_RULE_PRIORITY);
        if (rule->family != AF_UNSPEC)
                set(rule, FW_RULE_FAMILY);
        if (rule->protocol != PT_PROTOCOL_ANY)
                set(rule, FW_RULE_PROTOCOL);
        fw_effective_add_services(fresh, policy, nat);
        fw_effective_add_pool(fresh, policy, nat);
        link_endpoints(fresh, nat);
        link_limit(fresh, nat);
        return keep(effective, fresh);
}

bool fw_rule_in_force(const PtSlice *slice, const FwTimes *times, const FirewallRule *rule)
{
        const char *name = fw_rule_box(rule)->group;
        const PtObject *group = name ? pt_slice_get(slice, &pt_kind_rule_group, name) : NULL;

        return fw_rule_enabled(rule) && (!group || fw_group_enabled((const RuleGroup *) group)) &&
               fw_times_let(times, rule);
}

typedef struct Visit {
        FwEffective *effective;
        const PtSlice *slice;
        FwNatPolicy nat;
        void (*each)(const FirewallRule *rule, void *userdata);
        void *userdata;
} Visit;

static int visit_rule(const PtObject *object, void *userdata)
{
        const Visit *visit = userdata;
        const FirewallRule *rule = (const FirewallRule *) object;

        if (fw_rule_in_force(visit->slice, visit->effective->times, rule))
                visit->each(fw_effective_rule(visit->effective, visit->slice, rule),
                            visit->userdata);
        return 0;
}

static int visit_nat(const PtObject *object, void *userdata)
{
        const Visit *visit = userdata;
        const FirewallRule *rule = fw_effective_linked(&visit->nat, (const NatRule *) object);

        if (rule && fw_rule_enabled(rule))
                visit->each(rule, visit->userdata);
        return 0;
}

void fw_effective_foreach(FwEffective *effective, const PtSlice *slice,
                          void (*each)(const FirewallRule *rule, void *userdata), void *userdata)
{
        Visit visit = {.effective = effective,
                       .slice = slice,
                       .nat = fw_nat_policy(effective, slice),
                       .each = each,
                       .userdata = userdata};

        (void) pt_slice_foreach(slice, &pt_kind_firewall_rule, visit_rule, &visit);
        (void) pt_slice_foreach(slice, &pt_kind_nat_rule, visit_nat, &visit);
}

int fw_effective_compare(const FirewallRule *a, const FirewallRule *b)
{
        int r = fw_rule_compare_order(a, b);

        if (r == 0 && a->object.kind != b->object.kind)
                r = strcmp(a->object.kind->name, b->object.kind->name);
        return (r > 0) - (r < 0);
}
