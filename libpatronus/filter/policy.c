/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "policy.h"

#include "match.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <string.h>

/* Fields that are understood. Whoever adds one to a kind has it told by more than it is, until it
 * is added here too. */
#define BIT(index) (UINT64_C(1) << (index))
#define RULE_KNOWN (BIT(FW_RULE_INTERFACES + 1) - 1)
#define ENDPOINT_KNOWN (BIT(FW_ENDPOINT_EXCEPT + 1) - 1)
#define EXCEPT_KNOWN (BIT(FW_EXCEPT_PORT_ALIASES + 1) - 1)
#define ALIAS_KNOWN (BIT(ALIAS_DATASET + 1) - 1)

/* Fields that do something beside deciding. */
#define RULE_ACTS (BIT(FW_RULE_LOG) | BIT(FW_RULE_LOG_RATE) | BIT(FW_RULE_HELPER))

/* Aliases. */

typedef struct KnownAlias {
        GArray *spans; /* FwSpan; NULL: it is a condition */
        char *key, *text;
} KnownAlias;

static void alias_free(void *data)
{
        KnownAlias *alias = data;

        g_clear_pointer(&alias->spans, g_array_unref);
        g_free(alias->key);
        g_free(alias->text);
        g_free(alias);
}

/* What it holds follows from the configuration alone. */
static bool is_constant(const GPtrArray *closure)
{
        for (unsigned i = 0; i < closure->len; i++)
                if (((const PtObject *) g_ptr_array_index(closure, i))->present & ~ALIAS_KNOWN)
                        return false;
        return true;
}

/* 1: more than FW_ALIAS_SPANS_MAX. */
static int read_spans(const FwPolicy *policy, const GPtrArray *closure, FwSetPart part, GArray *ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwFlat) flat = NULL;
        FwSpan span;
        int r = fw_flat_verify(&policy->source, closure, diag);

        if (r >= 0)
                r = fw_flat_new(&policy->source, closure, part, &flat);
        while (r >= 0 && (r = fw_flat_next(flat, &span)) > 0) {
                if (ret->len == FW_ALIAS_SPANS_MAX)
                        return 1;
                g_array_append_val(ret, span);
        }
        return r;
}

/* The same name with other contents is another condition: that it changed is a difference. */
static char *alias_key(const GPtrArray *closure, const char *name, FwDimension dimension,
                       bool constant)
{
        GString *key = g_string_new(NULL);
        char hex[PT_DIGEST_HEX + 1];

        g_string_printf(key, "%u in %s", dimension, name);
        for (unsigned i = 0; constant && i < closure->len; i++) {
                pt_digest_to_hex(&((const PtObject *) g_ptr_array_index(closure, i))->digest, hex);
                g_string_append_printf(key, " %s", hex);
        }
        return g_string_free(key, FALSE);
}

static const KnownAlias *find_alias(FwPolicy *policy, FwDimension dimension, int family,
                                    const char *name)
{
        g_autofree char *at = g_strdup_printf("%u %d %s", dimension, family, name);
        KnownAlias *alias = g_hash_table_lookup(policy->aliases, at);
        g_autoptr(GPtrArray) closure = NULL;
        bool constant;
        int r = 1;

        if (alias)
                return alias;
        closure = fw_flat_closure(policy->source.slice, name);
        constant = is_constant(closure);
        alias = g_new0(KnownAlias, 1);
        alias->key = alias_key(closure, name, dimension, constant);
        alias->text = g_strdup_printf("%s in Alias/%s", fw_dimensions[dimension].name, name);
        if (constant) {
                alias->spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));
                r = read_spans(policy, closure, fw_dimension_part(dimension, family), alias->spans);
                if (r < 0)
                        policy->error = r;
        }
        if (r != 0)
                g_clear_pointer(&alias->spans, g_array_unref);
        g_hash_table_insert(policy->aliases, g_steal_pointer(&at), alias);
        return alias;
}

/* Terms: what of a packet they ask, as spans on an axis, or as conditions. */

/* Whatever is not here is a condition. */
static FwAxis axis_of(FwDimension dimension)
{
        static const struct {
                FwDimension dimension;
                FwAxis axis;
        } rows[] = {
                {FW_DIM_PROTOCOL, FW_AXIS_PROTOCOL},
                {FW_DIM_SOURCE_ADDRESS, FW_AXIS_SOURCE},
                {FW_DIM_DESTINATION_ADDRESS, FW_AXIS_DESTINATION},
                {FW_DIM_SOURCE_PORT, FW_AXIS_SOURCE_PORT},
                {FW_DIM_DESTINATION_PORT, FW_AXIS_DESTINATION_PORT},
                {FW_DIM_ICMP, FW_AXIS_DESTINATION_PORT},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                if (rows[i].dimension == dimension)
                        return rows[i].axis;
        return FW_AXIS_INVALID;
}

static FwNumber last_number(FwDimension dimension, int family)
{
        return fw_number_max(fw_dimension_bytes(dimension, family));
}

static int compare_spans(const void *a, const void *b)
{
        const FwSpan *x = a, *y = b;

        return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Sorted, and none touches another. */
static void settle_spans(GArray *spans)
{
        unsigned out = 0;

        g_array_sort(spans, compare_spans);
        for (unsigned i = 0; i < spans->len; i++) {
                FwSpan next = g_array_index(spans, FwSpan, i);
                FwSpan *last = out > 0 ? &g_array_index(spans, FwSpan, out - 1) : NULL;

                if (last && (last->hi == ~(FwNumber) 0 || next.lo <= last->hi + 1))
                        last->hi = MAX(last->hi, next.hi);
                else
                        g_array_index(spans, FwSpan, out++) = next;
        }
        g_array_set_size(spans, out);
}

static GArray *invert_spans(const GArray *spans, FwNumber last)
{
        GArray *out = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        FwSpan gap = {.lo = 0};

        for (unsigned i = 0; i < spans->len; i++) {
                const FwSpan *span = &g_array_index(spans, FwSpan, i);

                gap.hi = span->lo - 1;
                if (span->lo > gap.lo)
                        g_array_append_val(out, gap);
                if (span->hi == last)
                        return out;
                gap.lo = span->hi + 1;
        }
        gap.hi = last;
        g_array_append_val(out, gap);
        return out;
}

static void add_values(const FwTerm *term, int family, GArray *spans)
{
        size_t size = fw_value_size(fw_dimensions[term->dimension].value);
        size_t len = fw_dimension_bytes(term->dimension, family);

        for (unsigned i = 0; i < term->n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
                FwSpan span;

                if (!fw_value_interval(term->dimension, family,
                                       (const char *) term->items + i * size, lo, hi))
                        continue;
                span = (FwSpan){fw_number_read(lo, len), fw_number_read(hi, len)};
                g_array_append_val(spans, span);
        }
}

/* What of a term lies on its axis: its own values, and aliases that are told by what they hold. */
static GArray *spans_of(FwPolicy *policy, const FwTerm *term, int family)
{
        g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));

        add_values(term, family, spans);
        for (unsigned i = 0; i < term->n_aliases; i++) {
                const KnownAlias *alias =
                        find_alias(policy, term->dimension, family, term->aliases[i]);

                if (alias->spans)
                        g_array_append_vals(spans, alias->spans->data, alias->spans->len);
        }
        settle_spans(spans);
        if (term->negated)
                return invert_spans(spans, last_number(term->dimension, family));
        return g_steal_pointer(&spans);
}

/* A name, or those that begin with it. */
static void describe_ifname(const FwSpan *span, GString *text)
{
        char lo[FW_NUMBER_BYTES_MAX + 1] = {0};

        fw_number_write(span->lo, FW_NUMBER_BYTES_MAX, (uint8_t *) lo);
        g_string_append_printf(text, " %s%s", lo, span->lo == span->hi ? "" : "*");
}

static void describe_mac(FwNumber number, GString *text)
{
        uint8_t mac[6];

        fw_number_write(number, sizeof(mac), mac);
        for (unsigned i = 0; i < sizeof(mac); i++)
                g_string_append_printf(text, "%s%02x", i ? ":" : "", mac[i]);
}

static void describe_end(FwValue value, FwNumber number, GString *text)
{
        if (value == FW_VALUE_MAC)
                describe_mac(number, text);
        else
                g_string_append_printf(text, "%" PRIu64, (uint64_t) number);
}

static void describe_span(const FwTerm *term, const FwSpan *span, GString *text)
{
        FwValue value = fw_dimensions[term->dimension].value;

        if (value == FW_VALUE_IFNAME) {
                describe_ifname(span, text);
                return;
        }
        g_string_append_c(text, ' ');
        describe_end(value, span->lo, text);
        if (span->lo != span->hi) {
                g_string_append_c(text, '-');
                describe_end(value, span->hi, text);
        }
}

static void describe_states(uint32_t mask, GString *text)
{
        static const struct {
                uint32_t bit;
                const char *word;
        } states[] = {
                {NF_CT_STATE_BIT(IP_CT_NEW), "new"},
                {NF_CT_STATE_BIT(IP_CT_RELATED), "related"},
                {NF_CT_STATE_INVALID_BIT, "invalid"},
                {NF_CT_STATE_UNTRACKED_BIT, "untracked"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
                if (mask & states[i].bit)
                        g_string_append_printf(text, " %s", states[i].word);
}

/* The text says what is asked, and so it is the key as well. */
static char *describe_values(const FwTerm *term, int family)
{
        g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        GString *text = g_string_new(fw_dimensions[term->dimension].name);

        if (term->dimension == FW_DIM_STATUS && term->mask == IPS_DST_NAT) {
                g_string_assign(text, "translated destination");
        } else if (term->dimension == FW_DIM_STATE) {
                describe_states(term->mask, text);
        } else if (term->mask) {
                g_string_append_printf(text, term->mask == UINT32_MAX ? " %u" : " %#x/%#x",
                                       term->value, term->mask);
        } else {
                add_values(term, family, spans);
                settle_spans(spans);
                for (unsigned i = 0; i < spans->len; i++)
                        describe_span(term, &g_array_index(spans, FwSpan, i), text);
        }
        return g_string_free(text, FALSE);
}

/* Building the cubes of a rule. */

typedef struct Build {
        FwPolicy *policy;
        FwSpace *space;
        FwPolicyRule *rule;
        GArray *cubes, *next; /* FwCube: of the way, before and after a term */
        int family;
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

/* Those aliases that are no spans. */
static unsigned get_conditions(const Build *build, const FwTerm *term, uint64_t ret[static 64])
{
        unsigned n = 0;

        for (unsigned i = 0; i < term->n_aliases && n < 64; i++) {
                const KnownAlias *alias =
                        find_alias(build->policy, term->dimension, build->family, term->aliases[i]);

                if (!alias->spans)
                        ret[n++] = get_condition(build, alias->key, alias->text);
        }
        return n;
}

static void narrow_axis(Build *build, const FwTerm *term, FwAxis axis)
{
        g_autoptr(GArray) spans = spans_of(build->policy, term, build->family);
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
        g_autofree char *text = describe_values(term, build->family);
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
                add_conditional(build, 0, fails | (values ? get_condition(build, text, text) : 0));
        } else {
                for (unsigned i = 0; i < n; i++)
                        add_conditional(build, bits[i], 0);
                if (values)
                        add_conditional(build, get_condition(build, text, text), 0);
        }
        keep_next(build);
}

static void narrow(Build *build, const FwTerm *term)
{
        FwAxis axis = axis_of(term->dimension);

        if (term->n == 0 && term->n_aliases == 0 && term->mask == 0)
                return;
        if (axis >= 0)
                narrow_axis(build, term, axis);
        else
                narrow_condition(build, term);
}

/* The pairs of zones that fw_scope_matches() says; false: none that can be. */
static bool narrow_zones(const FwSpace *space, const FirewallRule *rule, FwCube *cube)
{
        const char *from = rule->from ?: FW_ZONE_ANY, *to = rule->to ?: FW_ZONE_ANY;
        uint32_t router = fw_space_router(space), zone;

        if (strcmp(from, FW_ZONE_ANY) == 0) {
                if (router == 0)
                        return false;
                cube->hi[FW_AXIS_FROM] = router - 1;
        } else if (fw_space_zone(space, from, &zone) == 0) {
                cube->lo[FW_AXIS_FROM] = cube->hi[FW_AXIS_FROM] = zone;
        } else {
                return false;
        }
        if (strcmp(to, FW_ZONE_ANY) == 0) {
                if (cube->lo[FW_AXIS_FROM] < router)
                        return true;
                if (router == 0) /* what the machine sends to itself is not asked about */
                        return false;
                cube->hi[FW_AXIS_TO] = router - 1;
        } else if (fw_space_zone(space, to, &zone) == 0) {
                cube->lo[FW_AXIS_TO] = cube->hi[FW_AXIS_TO] = zone;
        } else {
                return false;
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

static void place_way(Build *build, const FwMatch *match, int family)
{
        FwCube all = fw_space_all(build->space, family);

        build->family = family;
        if (!narrow_zones(build->space, build->rule->rule, &all))
                return;
        g_array_set_size(build->cubes, 0);
        g_array_set_size(build->next, 0);
        g_array_append_val(build->cubes, all);
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
        entry->decides = true;
        entry->known = is_known(rule);
        entry->exact = entry->known;
        entry->bare = entry->known && !(rule->object.present & RULE_ACTS);
        if (!entry->known) {
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
        policy->aliases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, alias_free);
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
                spans = spans_of(note->policy, term, family);
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

static void place_rule(Build *build, uint32_t number)
{
        build->rule = &g_array_index(build->policy->rules, FwPolicyRule, number);
        build->rule->first = build->policy->cubes->len;
        if (build->rule->rule) {
                foreach_way(build->rule->rule, place_each, build);
                tell_rest(build);
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
