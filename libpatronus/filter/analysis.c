/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "analysis.h"

#include "compare.h"

#include <string.h>

/* Of one rule: a hundredth of a second. */
#define STEPS_RULE 1000000
/* Packets of a rule that are tried before all of them are looked at: mostly the first one shows
 * that it is reached. */
#define SAMPLES 24
/* Rules that one diagnostic names. */
#define NAMED_MAX 3

typedef struct Analysis {
        const FwPolicy *policy;
        size_t steps, unjudged;
        FwEachFinding each;
        void *userdata;

        /* Of one rule. */
        uint32_t number;
        const FwPolicyRule *rule;
        bool later;       /* what follows is asked too */
        bool reached;     /* a packet may come to it */
        GArray *numbers;  /* uint32_t: cubes that overlap one of its */
        GPtrArray *list;  /* FwPlaced: those of them that count */
        GArray *deciders; /* uint32_t: rules, each once */
        size_t left;
} Analysis;

static bool is_opposite(const FwPolicyRule *a, const FwPolicyRule *b)
{
        return (a->action == FW_ALLOW) != (b->action == FW_ALLOW);
}

/* Before it, what covers; after it, what decides alike for certain, or otherwise perhaps. */
static bool counts(const Analysis *analysis, uint32_t place)
{
        const FwPolicyRule *other = fw_policy_rule(analysis->policy, place);

        if (place == analysis->number || !other->decides)
                return false;
        if (place < analysis->number)
                return other->exact;
        return analysis->later && (other->exact || !fw_policy_rule_alike(other, analysis->rule));
}

/* true: one of them has all of the cube, and nothing passes it. */
static bool find_among(Analysis *analysis, const FwCube *cube, uint32_t first, uint32_t end)
{
        const FwPolicy *policy = analysis->policy;

        g_array_set_size(analysis->numbers, 0);
        analysis->left -= MIN(analysis->left,
                              fw_index_find(policy->index, cube, first, end, analysis->numbers));
        for (unsigned i = 0; i < analysis->numbers->len; i++) {
                const FwPlaced *placed =
                        fw_policy_cube(policy, g_array_index(analysis->numbers, uint32_t, i));

                if (!counts(analysis, placed->place))
                        continue;
                g_ptr_array_add(analysis->list, (void *) (uintptr_t) placed);
                if (fw_cube_contains(&placed->cube, cube))
                        return true;
        }
        return false;
}

static void find_others(Analysis *analysis, const FwCube *cube)
{
        const FwPolicyRule *rule = analysis->rule;

        g_ptr_array_set_size(analysis->list, 0);
        if (!find_among(analysis, cube, 0, rule->first) && analysis->later)
                (void) find_among(analysis, cube, rule->first + rule->n, UINT32_MAX);
}

static void add_decider(Analysis *analysis, uint32_t place)
{
        for (unsigned i = 0; i < analysis->deciders->len; i++)
                if (g_array_index(analysis->deciders, uint32_t, i) == place)
                        return;
        g_array_append_val(analysis->deciders, place);
}

/* What is known of some of its packets: 1 if that is the end, since nothing can be said against the
 * rule any more. */
static int judge(Analysis *analysis, const FwPlaced *first)
{
        if (!first) {
                analysis->reached = true;
                return 1;
        }
        if (first->place < analysis->number)
                return 0;
        analysis->reached = true;
        return !fw_policy_rule_alike(fw_policy_rule(analysis->policy, first->place),
                                     analysis->rule);
}

static int judge_piece(const FwCube *piece, const FwPlaced *first, void *userdata)
{
        Analysis *analysis = userdata;
        int r = judge(analysis, first);

        if (r == 0)
                add_decider(analysis, first->place);
        return r;
}

/* One packet: the first corners, then any. The numbers are the same each time. */
static FwCube sample(const FwCube *cube, unsigned n, uint64_t *random)
{
        FwCube packet = {.holds = cube->holds, .fails = ~cube->holds};

        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++) {
                uint32_t width = cube->hi[axis] - cube->lo[axis], at = 0;

                /* Knuth, The Art of Computer Programming 2, 3.3.4. */
                *random = *random * UINT64_C(6364136223846793005) + 1;
                if (n > 0)
                        at = n == 1 ? width : (uint32_t) ((*random >> 32) % ((uint64_t) width + 1));
                packet.lo[axis] = packet.hi[axis] = cube->lo[axis] + at;
        }
        return packet;
}

/* 1: a packet shows that there is nothing to be said against the rule. */
static int try_samples(Analysis *analysis, const FwCube *cube)
{
        uint64_t random = analysis->number;

        for (unsigned n = 0; n < SAMPLES; n++) {
                FwCube packet = sample(cube, n, &random);
                const FwPlaced *first = NULL;

                for (unsigned i = 0; i < analysis->list->len && !first; i++) {
                        const FwPlaced *placed = g_ptr_array_index(analysis->list, i);

                        if (fw_cube_overlaps(&placed->cube, &packet))
                                first = placed;
                        analysis->left -= MIN(analysis->left, 1);
                }
                if (judge(analysis, first) > 0)
                        return 1;
        }
        return 0;
}

/* As fw_first_match(). */
static int judge_cube(Analysis *analysis, const FwCube *cube)
{
        int r;

        find_others(analysis, cube);
        r = try_samples(analysis, cube);
        if (r != 0)
                return r;
        return fw_first_match(cube, (const FwPlaced *const *) analysis->list->pdata,
                              analysis->list->len, &analysis->left, judge_piece, analysis);
}

/* Whether all packets of the other rule are of this one, too. */

static int is_outside(const FwCube *piece, const FwPlaced *first, void *userdata)
{
        return first == NULL;
}

static bool contains(Analysis *analysis, const FwPolicyRule *other)
{
        const FwPolicyRule *rule = analysis->rule;
        g_autoptr(GPtrArray) list = g_ptr_array_new();

        for (uint32_t i = 0; i < rule->n; i++)
                g_ptr_array_add(list, (void *) (uintptr_t) fw_policy_cube(analysis->policy,
                                                                          rule->first + i));
        for (uint32_t i = 0; i < other->n; i++)
                if (fw_first_match(&fw_policy_cube(analysis->policy, other->first + i)->cube,
                                   (const FwPlaced *const *) list->pdata, list->len,
                                   &analysis->left, is_outside, NULL) != 0)
                        return false;
        return true;
}

static int compare_numbers(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return (x > y) - (x < y);
}

static void report(const Analysis *analysis, FwFindingKind kind)
{
        FwFinding finding = {.kind = kind,
                             .rule = analysis->number,
                             .follows = analysis->reached,
                             .rules = analysis->deciders};

        g_array_sort(analysis->deciders, compare_numbers);
        analysis->each(&finding, analysis->userdata);
}

/* Those before it have no part in what follows it. */
static void drop_earlier(Analysis *analysis)
{
        GArray *deciders = analysis->deciders;

        for (unsigned i = deciders->len; i-- > 0;)
                if (g_array_index(deciders, uint32_t, i) < analysis->number)
                        g_array_remove_index(deciders, i);
}

/* All of it is decided by others. */
static void judge_covered(Analysis *analysis)
{
        const GArray *deciders = analysis->deciders;
        const FwPolicyRule *rule = analysis->rule, *first;
        FwFindingKind kind = FW_FINDING_REDUNDANT;

        if (analysis->reached) {
                drop_earlier(analysis);
                report(analysis, kind);
                return;
        }
        for (unsigned i = 0; i < deciders->len; i++)
                if (!rule->decides ||
                    !fw_policy_rule_alike(
                            fw_policy_rule(analysis->policy, g_array_index(deciders, uint32_t, i)),
                            rule))
                        kind = FW_FINDING_SHADOWED;
        first = fw_policy_rule(analysis->policy, g_array_index(deciders, uint32_t, 0));
        if (kind == FW_FINDING_SHADOWED && deciders->len == 1 && rule->decides && rule->exact &&
            is_opposite(rule, first) && contains(analysis, first))
                kind = FW_FINDING_CONTRADICTORY;
        report(analysis, kind);
}

/* Rules of different sets of files may have the same place. */

static bool is_plain(const FwCube *cube)
{
        return !cube->holds && !cube->fails;
}

static bool has_same_place(const FwPolicyRule *a, const FwPolicyRule *b)
{
        return fw_rule_place(a->rule) == fw_rule_place(b->rule) &&
               fw_rule_priority(a->rule) == fw_rule_priority(b->rule) &&
               a->rule->object.position == b->rule->object.position;
}

/* Whether they have packets in common. That two conditions can hold together is not known. */
static bool meets(const FwPolicy *policy, const FwPolicyRule *a, const FwPolicyRule *b)
{
        for (uint32_t i = 0; i < a->n; i++)
                for (uint32_t k = 0; k < b->n; k++) {
                        const FwCube *x = &fw_policy_cube(policy, a->first + i)->cube;
                        const FwCube *y = &fw_policy_cube(policy, b->first + k)->cube;

                        if (is_plain(x) && is_plain(y) && fw_cube_overlaps(x, y))
                                return true;
                }
        return false;
}

/* Rules of one place follow each other. */
static void judge_place(Analysis *analysis)
{
        const FwPolicyRule *rule = analysis->rule;

        for (uint32_t i = analysis->number; i-- > 0 && analysis->left > 0;) {
                const FwPolicyRule *other = fw_policy_rule(analysis->policy, i);

                if (!other->rule || !has_same_place(rule, other))
                        return;
                analysis->left -= MIN(analysis->left, (size_t) rule->n * other->n);
                if (!other->decides || !is_opposite(rule, other) || !other->known ||
                    !meets(analysis->policy, rule, other))
                        continue;
                analysis->each(
                        &(FwFinding){
                                .kind = FW_FINDING_CONTRADICTORY,
                                .rule = analysis->number,
                                .same_place = true,
                                .rules = &(GArray){.data = (char *) &i, .len = 1},
                        },
                        analysis->userdata);
                return;
        }
}

/* What is brought by something else stands there for that alone. */
static bool is_own(const FwPolicyRule *rule)
{
        return fw_effective_of(rule->rule) == NULL ||
               fw_effective_of(rule->rule)->origin->kind == &pt_kind_firewall_rule;
}

static void analyse_rule(Analysis *analysis, uint32_t number)
{
        const FwPolicyRule *rule = fw_policy_rule(analysis->policy, number);
        int r = 0;

        if (!rule->rule || !rule->known || rule->n == 0)
                return;
        analysis->number = number;
        analysis->rule = rule;
        analysis->later = rule->bare && rule->decides && is_own(rule);
        analysis->reached = false;
        analysis->left = MIN(analysis->steps, STEPS_RULE);
        analysis->steps -= analysis->left;
        g_array_set_size(analysis->deciders, 0);
        if (is_own(rule) && rule->decides)
                judge_place(analysis);
        for (uint32_t i = 0; r == 0 && i < rule->n; i++)
                r = judge_cube(analysis, &fw_policy_cube(analysis->policy, rule->first + i)->cube);
        if (r < 0)
                analysis->unjudged++;
        else if (r == 0 && (analysis->later || !analysis->reached))
                judge_covered(analysis);
        analysis->steps += analysis->left;
}

size_t fw_policy_analyse(const FwPolicy *policy, size_t steps, FwEachFinding each, void *userdata)
{
        g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_autoptr(GPtrArray) list = g_ptr_array_new();
        g_autoptr(GArray) deciders = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        Analysis analysis = {.policy = policy,
                             .steps = steps,
                             .each = each,
                             .userdata = userdata,
                             .numbers = numbers,
                             .list = list,
                             .deciders = deciders};

        for (uint32_t i = 0; i < policy->rules->len; i++)
                analyse_rule(&analysis, i);
        return analysis.unjudged;
}

/* For people. */

typedef struct Report {
        const FwPolicy *policy;
        PtDiagnostics *diag;
} Report;

static char *name_rules(const FwPolicy *policy, const GArray *rules)
{
        GString *names = g_string_new(NULL);

        for (unsigned i = 0; i < MIN(rules->len, NAMED_MAX); i++) {
                g_autofree char *name =
                        fw_policy_name(fw_policy_rule(policy, g_array_index(rules, uint32_t, i)));

                g_string_append_printf(names, "%s%s",
                                       i == 0                ? ""
                                       : i + 1 == rules->len ? " and "
                                                             : ", ",
                                       name);
        }
        if (rules->len > NAMED_MAX)
                g_string_append_printf(names, " and %u more", rules->len - NAMED_MAX);
        return g_string_free(names, FALSE);
}

static void tell(const FwFinding *finding, void *userdata)
{
        const Report *report = userdata;
        const FwPolicyRule *rule = fw_policy_rule(report->policy, finding->rule);
        g_autofree char *name = fw_policy_name(rule);
        g_autofree char *others = name_rules(report->policy, finding->rules);
        const char *s = finding->rules->len == 1 ? "s" : "";
        const char *es = finding->rules->len == 1 ? "es" : "";
        PtDiagnostics *diag = report->diag;

        /* Of what a NatRule brings, that it is not needed is no fault. */
        if (!is_own(rule) && finding->kind == FW_FINDING_REDUNDANT)
                return;
        pt_diag_set_subject(diag, "%s", name);
        switch (finding->kind) {
        case FW_FINDING_SHADOWED:
                pt_diag_warning(diag, "shadowed", "/spec",
                                "no packet comes to it: %s before it decide%s all that it "
                                "match%s; move it up, or remove it",
                                others, s, "es");
                break;
        case FW_FINDING_REDUNDANT:
                pt_diag_warning(diag, "redundant", "/spec",
                                finding->follows ? "without it the same would happen: %s decide%s "
                                                   "alike after it; remove it"
                                                 : "no packet comes to it: %s before it decide%s "
                                                   "alike; remove it",
                                others, s);
                break;
        case FW_FINDING_CONTRADICTORY:
                if (finding->same_place)
                        pt_diag_warning(diag, "contradictory", "/metadata/position",
                                        "%s has the same priority and position, match%s some of "
                                        "the same packets and does the opposite: only their names "
                                        "say which comes first; give one of them another priority",
                                        others, es);
                else
                        pt_diag_warning(diag, "contradictory", "/spec",
                                        "%s before it match%s the same packets and does the "
                                        "opposite: remove one of the two",
                                        others, es);
                break;
        case FW_FINDING_MAX:
        case FW_FINDING_INVALID:
                g_assert_not_reached();
        }
        pt_diag_set_subject(diag, NULL);
}

int fw_analyse(const FwSource *source, PtDiagnostics *diag)
{
        g_autoptr(FwPolicy) policy = NULL;
        g_autoptr(FwSpace) space = NULL;
        g_autoptr(PtDiagnostics) found = pt_diag_new();
        Report report = {.diag = found};
        size_t unjudged;
        int r = fw_policy_new(source, diag, &policy);

        if (r < 0)
                return r;
        space = fw_space_new(fw_policy_zones(policy, NULL));
        fw_policy_note(policy, space);
        fw_space_settle(space);
        r = fw_policy_place(policy, space);
        if (r < 0)
                return r;
        report.policy = policy;
        unjudged = fw_policy_analyse(policy, FW_ANALYSIS_STEPS, tell, &report);
        /* First: there may be more findings than diagnostics are kept. */
        if (unjudged > 0)
                pt_diag_notice(diag, "too-complex", "",
                               "of %zu rule%s it was not found out whether packets come to %s: "
                               "too many rules overlap",
                               unjudged, unjudged == 1 ? "" : "s", unjudged == 1 ? "it" : "them");
        if (pt_diag_dropped(found) > 0)
                pt_diag_notice(diag, "more-findings", "",
                               "there are %zu more rules like those that are named",
                               pt_diag_dropped(found));
        pt_diag_merge(diag, found);
        return 0;
}
