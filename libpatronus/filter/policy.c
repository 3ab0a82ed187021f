/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "policy.h"

#include "policy-terms.h"

#include <string.h>

/* Fields that are understood. Whoever adds one to a kind has it told by more than it is, until it
 * is added here too. */
#define BIT(index) (UINT64_C(1) << (index))
#define RULE_KNOWN (BIT(FW_RULE_SYN_PROXY + 1) - 1)
#define ENDPOINT_KNOWN (BIT(FW_ENDPOINT_EXCEPT + 1) - 1)
#define EXCEPT_KNOWN (BIT(FW_EXCEPT_PORT_ALIASES + 1) - 1)

/* Fields that change what later rules see of the packet. */
#define RULE_SETS                                                                                  \
        (BIT(FW_RULE_SET_MARK) | BIT(FW_RULE_SET_DSCP) | BIT(FW_RULE_SET_TAG) |                    \
         BIT(FW_RULE_ADD_SOURCE) | BIT(FW_RULE_ADD_DESTINATION))
/* Fields that do something beside deciding. */
#define RULE_ACTS                                                                                  \
        (BIT(FW_RULE_LOG) | BIT(FW_RULE_LOG_RATE) | BIT(FW_RULE_HELPER) | BIT(FW_RULE_LIMITS) |    \
         BIT(FW_RULE_END_CONNECTIONS) | BIT(FW_RULE_SYN_PROXY) | RULE_SETS)

/* Building the cubes of a rule. */

typedef struct Build {
        FwPolicy *policy;
        FwSpace *space;
        FwPolicyRule *rule;
        GArray *cubes, *next; /* FwCube: of the way, before and after a term */
        int family;
        unsigned epoch; /* rules before it that set something of the packet and go on */
} Build;

/* Then the way is told by what is there before the term, which contains it. */
static bool is_too_many(const Build *build, unsigned alternatives)
{
        return (uint64_t) build->cubes->len * alternatives > FW_RULE_CUBES_MAX;
}

static void keep_next(Build *build)
{
        GArray *swap = build->cubes;

        build->cubes = build->next;
        build->next = swap;
        g_array_set_size(build->next, 0);
}

/* To one of the spans on an axis. */
static void add_narrowed(Build *build, FwAxis axis, const FwSpan *span)
{
        FwCube part = {0};

        fw_space_narrow(build->space, axis, build->family, span, &part);
        for (unsigned i = 0; i < build->cubes->len; i++) {
                FwCube cube = g_array_index(build->cubes, FwCube, i);

                cube.lo[axis] = MAX(cube.lo[axis], part.lo[axis]);
                cube.hi[axis] = MIN(cube.hi[axis], part.hi[axis]);
                if (cube.lo[axis] <= cube.hi[axis])
                        g_array_append_val(build->next, cube);
        }
}

/* To where a condition holds or fails. One without a bit is not told. */
static void add_conditional(Build *build, uint64_t holds, uint64_t fails)
{
        for (unsigned i = 0; i < build->cubes->len; i++) {
                FwCube cube = g_array_index(build->cubes, FwCube, i);

                cube.holds |= holds;
                cube.fails |= fails;
                if (!(cube.holds & cube.fails))
                        g_array_append_val(build->next, cube);
        }
}

static uint64_t get_condition(const Build *build, const char *key, const char *text)
{
        uint64_t bit = fw_space_condition(build->space, key, text);

        if (!bit)
                build->rule->exact = false;
        return bit;
}

/* What rules on the way change is another condition afterwards. */
static uint64_t get_changing(const Build *build, const char *key, const char *text)
{
        g_autofree char *later = NULL, *words = NULL;

        if (build->epoch == 0)
                return get_condition(build, key, text);
        later = g_strdup_printf("%s after %u", key, build->epoch);
        words = g_strdup_printf("%s after what rules set", text);
        return get_condition(build, later, words);
}

static uint64_t get_values(const Build *build, const FwTerm *term, const char *text)
{
        return fw_term_is_fixed(term->dimension) ? get_condition(build, text, text)
                                                 : get_changing(build, text, text);
}

static uint64_t get_alias(const Build *build, const FwKnownAlias *alias)
{
        return alias->constant ? get_condition(build, alias->key, alias->text)
                               : get_changing(build, alias->key, alias->text);
}

/* Those aliases that are no spans. */
static unsigned get_conditions(const Build *build, const FwTerm *term, uint64_t ret[static 64])
{
        unsigned n = 0;

        for (unsigned i = 0; i < term->n_aliases && n < 64; i++) {
                const FwKnownAlias *alias = fw_policy_alias(build->policy, term->dimension,
                                                            build->family, term->aliases[i]);

                if (!alias->spans)
                        ret[n++] = get_alias(build, alias);
        }
        return n;
}

static void narrow_axis(Build *build, const FwTerm *term, FwAxis axis)
{
        g_autoptr(GArray) spans = fw_term_spans(build->policy, term, build->family);
        uint64_t bits[64], fails = 0;
        unsigned n = get_conditions(build, term, bits);

        if (term->n_aliases > G_N_ELEMENTS(bits) || is_too_many(build, spans->len + n)) {
                build->rule->exact = false;
                return;
        }
        for (unsigned i = 0; i < spans->len; i++)
                add_narrowed(build, axis, &g_array_index(spans, FwSpan, i));
        for (unsigned i = 0; !term->negated && i < n; i++)
                add_conditional(build, bits[i], 0);
        keep_next(build);
        for (unsigned i = 0; term->negated && i < n; i++)
                fails |= bits[i];
        if (fails) {
                add_conditional(build, 0, fails);
                keep_next(build);
        }
}

static void narrow_condition(Build *build, const FwTerm *term)
{
        g_autofree char *text = fw_term_text(term, build->family);
        uint64_t bits[64], fails = 0;
        unsigned n = get_conditions(build, term, bits);
        bool values = term->n > 0 || term->mask;

        if (term->n_aliases > G_N_ELEMENTS(bits) || is_too_many(build, n + values)) {
                build->rule->exact = false;
                return;
        }
        if (term->negated) {
                for (unsigned i = 0; i < n; i++)
                        fails |= bits[i];
                add_conditional(build, 0, fails | (values ? get_values(build, term, text) : 0));
        } else {
                for (unsigned i = 0; i < n; i++)
                        add_conditional(build, bits[i], 0);
                if (values)
                        add_conditional(build, get_values(build, term, text), 0);
        }
        keep_next(build);
}

/* What came by an interface is not of the router's own, and what leaves by one is not for it. true:
 * by which one is not asked. */
static bool narrow_side(Build *build, const FwTerm *term)
{
        FwAxis axis = term->dimension == FW_DIM_IN_INTERFACE ? FW_AXIS_FROM : FW_AXIS_TO;
        uint32_t zones = fw_space_router(build->space);
        FwSpan side = {0, (FwNumber) zones - 1};

        if (zones > 0)
                add_narrowed(build, axis, &side);
        keep_next(build);
        return term->negated && term->n == 1 && **(char *const *) term->items == 0;
}

static void narrow(Build *build, const FwTerm *term)
{
        FwAxis axis = fw_term_axis(term->dimension);

        if (term->n == 0 && term->n_aliases == 0 && term->mask == 0)
                return;
        if ((term->dimension == FW_DIM_IN_INTERFACE || term->dimension == FW_DIM_OUT_INTERFACE) &&
            narrow_side(build, term))
                return;
        if (axis >= 0)
                narrow_axis(build, term, axis);
        else
                narrow_condition(build, term);
}

/* The pairs of zones that fw_scope_matches() says: an interval on either axis. */

static bool narrow_zone(const FwSpace *space, const char *name, FwAxis axis, bool router,
                        FwCube *cube)
{
        uint32_t zones = fw_space_router(space), zone;

        if (name && strcmp(name, FW_ZONE_ANY) != 0) {
                if (fw_space_zone(space, name, &zone) < 0)
                        return false;
                cube->lo[axis] = cube->hi[axis] = zone;
        } else if (!router) {
                if (zones == 0)
                        return false;
                cube->hi[axis] = zones - 1;
        }
        return true;
}

static bool is_router_alone(const FwSpace *space, const FwCube *cube, FwAxis axis)
{
        return cube->lo[axis] == fw_space_router(space);
}

/* What the machine sends to itself is not asked about. */
static bool narrow_zones(const FwSpace *space, const FirewallRule *rule, FwCube *cube)
{
        uint32_t zones = fw_space_router(space);

        if (!narrow_zone(space, rule->from, FW_AXIS_FROM, fw_scope_floats(rule), cube) ||
            !narrow_zone(space, rule->to, FW_AXIS_TO, true, cube))
                return false;
        if (is_router_alone(space, cube, FW_AXIS_FROM)) {
                if (zones == 0 || is_router_alone(space, cube, FW_AXIS_TO))
                        return false;
                cube->hi[FW_AXIS_TO] = MIN(cube->hi[FW_AXIS_TO], zones - 1);
        } else if (is_router_alone(space, cube, FW_AXIS_TO)) {
                cube->hi[FW_AXIS_FROM] = MIN(cube->hi[FW_AXIS_FROM], zones - 1);
        }
        return true;
}

static void place(const Build *build, const FwCube *cube)
{
        FwPlaced placed = {.cube = *cube};

        placed.place =
                (uint32_t) (build->rule - (FwPolicyRule *) (void *) build->policy->rules->data);
        g_array_append_val(build->policy->cubes, placed);
        build->rule->n++;
}

/* When it is in force is not asked: it may be, or not. */
static void narrow_schedule(const Build *build, FwCube *cube)
{
        const char *name = fw_rule_box(build->rule->rule)->schedule;
        g_autofree char *text = NULL;

        if (!name)
                return;
        text = g_strdup_printf("Schedule/%s is in force", name);
        cube->holds |= get_condition(build, text, text);
}

/* They come before all others, and are of nobody else. */
static void narrow_fragments(const Build *build, FwCube *cube)
{
        if (fw_rule_fragments(build->rule->rule))
                cube->holds |= get_condition(build, "fragment", "it is a fragment");
}

/* From anywhere to anywhere, but not from the router to itself. */
static void begin_cubes(const Build *build, const FwCube *all)
{
        uint32_t router = fw_space_router(build->space);
        FwCube own = *all, cube = *all;

        if (all->hi[FW_AXIS_FROM] == router && all->lo[FW_AXIS_FROM] < router &&
            all->hi[FW_AXIS_TO] == router) {
                cube.hi[FW_AXIS_FROM] = router - 1;
                own.lo[FW_AXIS_FROM] = router;
                own.hi[FW_AXIS_TO] = router - 1;
                g_array_append_val(build->cubes, own);
        }
        g_array_append_val(build->cubes, cube);
}

static void place_way(Build *build, const FwMatch *match, int family)
{
        FwCube all = fw_space_all(build->space, family);

        build->family = family;
        if (!narrow_zones(build->space, build->rule->rule, &all))
                return;
        g_array_set_size(build->cubes, 0);
        g_array_set_size(build->next, 0);
        narrow_schedule(build, &all);
        narrow_fragments(build, &all);
        begin_cubes(build, &all);
        if (build->policy->cubes->len < FW_POLICY_CUBES_MAX)
                for (unsigned i = 0; i < match->n_terms; i++)
                        narrow(build, &match->terms[i]);
        else
                build->rule->exact = false;
        for (unsigned i = 0; i < build->cubes->len; i++)
                place(build, &g_array_index(build->cubes, FwCube, i));
}

/* Each way, and each family of one for both. */
static void foreach_way(const FirewallRule *rule,
                        void (*each)(const FwMatch *match, int family, void *userdata),
                        void *userdata)
{
        FwWays ways = {.rule = rule};
        FwMatch match;

        while (fw_ways_next(&ways, &match)) {
                if (match.family != AF_INET6)
                        each(&match, AF_INET, userdata);
                if (match.family != AF_INET)
                        each(&match, AF_INET6, userdata);
        }
}

static void place_each(const FwMatch *match, int family, void *userdata)
{
        Build *build = userdata;

        if (match->helper != FW_HELPER_INVALID)
                build->rule->bare = false;
        place_way(build, match, family);
}

/* What a rule does. */

static uint64_t endpoint_unknown(const FwEndpoint *endpoint)
{
        return (endpoint->present & ~ENDPOINT_KNOWN) |
               (fw_endpoint_box(endpoint)->except.present & ~EXCEPT_KNOWN);
}

static bool is_known(const FirewallRule *rule)
{
        return !(rule->object.present & ~RULE_KNOWN) && !endpoint_unknown(&rule->source) &&
               !endpoint_unknown(&rule->destination);
}

static void judge(FwPolicyRule *entry)
{
        const FirewallRule *rule = entry->rule;
        int reject_with = fw_rule_box(rule)->reject_with;
        char hex[PT_DIGEST_HEX + 1];

        entry->action = (FwAction) rule->action;
        entry->decides = fw_rule_decides(rule);
        entry->known = is_known(rule);
        entry->exact = entry->known;
        entry->bare = entry->known && !(rule->object.present & RULE_ACTS);
        /* What exceeds a limit is dropped, and goes on to no other rule. */
        if (!entry->known || pt_object_has(&rule->object, FW_RULE_LIMITS)) {
                pt_digest_to_hex(&rule->object.digest, hex);
                entry->manner = g_strdup(hex);
        } else if (rule->action == FW_REJECT && reject_with != FW_REJECT_DEFAULT) {
                entry->manner = g_strdup_printf("with %d", reject_with);
        }
}

/* What no rule says. */

static void add_pair(const FwSpace *space, uint32_t from, uint32_t to, GArray *cubes)
{
        static const int families[] = {AF_INET, AF_INET6};

        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                FwCube cube = fw_space_all(space, families[i]);

                cube.lo[FW_AXIS_FROM] = cube.hi[FW_AXIS_FROM] = from;
                cube.lo[FW_AXIS_TO] = cube.hi[FW_AXIS_TO] = to;
                g_array_append_val(cubes, cube);
        }
}

static const FwZone *find_zone(const FwZones *zones, const char *name)
{
        for (unsigned i = 0; i < zones->n; i++)
                if (strcmp(zones->zones[i].name, name) == 0)
                        return &zones->zones[i];
        return NULL;
}

/* The zones of the policy by their numbers in the space; NULL: it has none of the name. */
static const FwZone **get_zones(const FwPolicy *policy, const FwSpace *space)
{
        uint32_t router = fw_space_router(space);
        const FwZone **zones = g_new(const FwZone *, router + 1);

        for (uint32_t i = 0; i < router; i++)
                zones[i] = find_zone(policy->zones, g_ptr_array_index(space->zones, i));
        zones[router] = &policy->zones->router;
        return zones;
}

static const char the_default[] = "the default", no_zone[] = "no zone";

/* -1: the entry has nothing of this pair. */
static int decide_pair(const FwPolicy *policy, const FwPolicyRule *entry, const FwZone *from,
                       const FwZone *to)
{
        if (from && to && !from->zone && !to->zone)
                return -1; /* what the machine sends to itself is not asked about */
        if (from && to)
                return entry->rest == the_default ? (int) fw_zones_default(policy->zones, from, to)
                                                  : -1;
        if (entry->rest == the_default)
                return -1;
        return from && !from->zone ? FW_ALLOW : FW_DROP; /* what the router sends passes */
}

static void place_rest(const FwPolicy *policy, const FwSpace *space, uint32_t number)
{
        FwPolicyRule *entry = &g_array_index(policy->rules, FwPolicyRule, number);
        g_autoptr(GArray) cubes = g_array_new(FALSE, FALSE, sizeof(FwCube));
        g_autofree const FwZone **zones = get_zones(policy, space);
        uint32_t router = fw_space_router(space);

        for (uint32_t from = 0; from <= router; from++)
                for (uint32_t to = 0; to <= router; to++)
                        if (decide_pair(policy, entry, zones[from], zones[to]) ==
                            (int) entry->action)
                                add_pair(space, from, to, cubes);
        fw_cubes_melt(cubes);
        for (unsigned i = 0; i < cubes->len; i++) {
                FwPlaced placed = {g_array_index(cubes, FwCube, i), number};

                g_array_append_val(policy->cubes, placed);
        }
        entry->n = cubes->len;
}

static void add_rest(FwPolicy *policy, const char *rest)
{
        for (FwAction action = 0; action < FW_ACTION_MAX; action++) {
                FwPolicyRule entry = {.rest = rest,
                                      .action = action,
                                      .decides = true,
                                      .exact = true,
                                      .bare = true,
                                      .known = true};

                g_array_append_val(policy->rules, entry);
        }
}

/* The policy. */

static void collect(const FirewallRule *rule, void *userdata)
{
        GArray *rules = userdata;
        FwPolicyRule entry = {.rule = rule};

        judge(&entry);
        g_array_append_val(rules, entry);
}

static int compare_entries(const void *a, const void *b)
{
        return fw_effective_compare(((const FwPolicyRule *) a)->rule,
                                    ((const FwPolicyRule *) b)->rule);
}

static void entry_done(void *data)
{
        g_free(((FwPolicyRule *) data)->manner);
}

int fw_policy_new(const FwSource *source, PtDiagnostics *diag, FwPolicy **ret)
{
        g_autoptr(FwPolicy) policy = g_new0(FwPolicy, 1);
        g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(FwPolicyRule));
        int r;

        policy->source = *source;
        policy->effective = fw_effective_new();
        policy->rules = g_array_new(FALSE, FALSE, sizeof(FwPolicyRule));
        g_array_set_clear_func(policy->rules, entry_done);
        policy->cubes = g_array_new(FALSE, FALSE, sizeof(FwPlaced));
        policy->aliases =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, fw_policy_alias_free);
        r = fw_zones_new(source->slice, diag, &policy->zones);
        if (r < 0)
                return r;
        fw_effective_foreach(policy->effective, source->slice, collect, rules);
        g_array_sort(rules, compare_entries);
        add_rest(policy, no_zone);
        g_array_append_vals(policy->rules, rules->data, rules->len);
        add_rest(policy, the_default);
        *ret = g_steal_pointer(&policy);
        return 0;
}

void fw_policy_free(FwPolicy *policy)
{
        if (!policy)
                return;
        fw_index_free(policy->index);
        g_array_unref(policy->rules);
        g_array_unref(policy->cubes);
        g_hash_table_unref(policy->aliases);
        fw_zones_free(policy->zones);
        fw_effective_free(policy->effective);
        g_free(policy);
}

static void add_zones(const FwPolicy *policy, GHashTable *names)
{
        for (unsigned i = 0; policy && i < policy->zones->n; i++)
                g_hash_table_add(names, (void *) (uintptr_t) policy->zones->zones[i].name);
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

GPtrArray *fw_policy_zones(const FwPolicy *a, const FwPolicy *b)
{
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        GPtrArray *sorted = g_ptr_array_new_with_free_func(g_free);
        GHashTableIter iter;
        gpointer name;

        add_zones(a, names);
        add_zones(b, names);
        g_hash_table_iter_init(&iter, names);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                g_ptr_array_add(sorted, g_strdup(name));
        g_ptr_array_sort(sorted, compare_names);
        return sorted;
}

typedef struct Note {
        FwPolicy *policy;
        FwSpace *space;
} Note;

static void note_way(const FwMatch *match, int family, void *userdata)
{
        const Note *note = userdata;

        for (unsigned i = 0; i < match->n_terms; i++) {
                const FwTerm *term = &match->terms[i];
                g_autoptr(GArray) spans = NULL;

                if (term->dimension != FW_DIM_SOURCE_ADDRESS &&
                    term->dimension != FW_DIM_DESTINATION_ADDRESS)
                        continue;
                spans = fw_term_spans(note->policy, term, family);
                for (unsigned k = 0; k < spans->len; k++)
                        fw_space_note(note->space, family, &g_array_index(spans, FwSpan, k));
        }
}

void fw_policy_note(FwPolicy *policy, FwSpace *space)
{
        Note note = {policy, space};

        for (unsigned i = 0; i < policy->rules->len; i++)
                if (fw_policy_rule(policy, i)->rule)
                        foreach_way(fw_policy_rule(policy, i)->rule, note_way, &note);
}

/* What contains the rule's packets, and one condition more, are the rule's packets: that there is
 * something which is not told does not make the rest unsaid. */
static void tell_rest(const Build *build)
{
        FwPolicyRule *entry = build->rule;
        g_autofree char *name = NULL, *key = NULL, *text = NULL;
        char hex[PT_DIGEST_HEX + 1];
        uint64_t bit;

        if (entry->exact)
                return;
        name = fw_policy_name(entry);
        pt_digest_to_hex(&entry->rule->object.digest, hex);
        key = g_strdup_printf("rest of %s", hex);
        text = g_strdup_printf("what else %s asks", name);
        bit = fw_space_condition(build->space, key, text);
        for (uint32_t i = 0; i < entry->n; i++)
                g_array_index(build->policy->cubes, FwPlaced, entry->first + i).cube.holds |= bit;
        entry->exact = bit != 0;
}

static bool sets_something(const FwPolicyRule *entry)
{
        return !entry->known || (entry->rule->object.present & RULE_SETS);
}

static void place_rule(Build *build, uint32_t number)
{
        build->rule = &g_array_index(build->policy->rules, FwPolicyRule, number);
        build->rule->first = build->policy->cubes->len;
        if (build->rule->rule) {
                foreach_way(build->rule->rule, place_each, build);
                tell_rest(build);
                if (!build->rule->decides && sets_something(build->rule))
                        build->epoch++;
        } else {
                place_rest(build->policy, build->space, number);
        }
}

int fw_policy_place(FwPolicy *policy, FwSpace *space)
{
        Build build = {.policy = policy,
                       .space = space,
                       .cubes = g_array_new(FALSE, FALSE, sizeof(FwCube)),
                       .next = g_array_new(FALSE, FALSE, sizeof(FwCube))};

        for (unsigned i = 0; i < policy->rules->len; i++)
                place_rule(&build, i);
        g_array_unref(build.cubes);
        g_array_unref(build.next);
        policy->index =
                fw_index_new((const FwPlaced *) (void *) policy->cubes->data, policy->cubes->len);
        return policy->error;
}

char *fw_policy_name(const FwPolicyRule *rule)
{
        if (!rule->rule)
                return g_strdup(rule->rest);
        return g_strdup_printf("%s/%s", rule->rule->object.kind->name, rule->rule->object.name);
}
