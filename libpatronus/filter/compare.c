/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "compare.h"

#include <string.h>

bool fw_policy_rule_alike(const FwPolicyRule *a, const FwPolicyRule *b)
{
        return a->action == b->action && g_strcmp0(a->manner, b->manner) == 0;
}

/* Which rules both have, in the same order: all others changed. */

/* Whatever decides the fate of a packet, and the name: a rule is found by it. */
static char *content_of(const FwPolicy *policy, const FwPolicyRule *rule)
{
        g_autofree char *name = fw_policy_name(rule);
        PtHasher *hasher = pt_hasher_new();
        int facts[] = {(int) rule->action, rule->decides, rule->exact, rule->rule != NULL};
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_hasher_add(hasher, facts, sizeof(facts));
        pt_hasher_add(hasher, name, strlen(name) + 1);
        if (rule->manner)
                pt_hasher_add(hasher, rule->manner, strlen(rule->manner));
        for (uint32_t i = 0; i < rule->n; i++)
                pt_hasher_add(hasher, &fw_policy_cube(policy, rule->first + i)->cube,
                              sizeof(FwCube));
        pt_hasher_end(hasher, &digest);
        pt_digest_to_hex(&digest, hex);
        return g_strdup(hex);
}

/* Numbers of `after` by content, + 1. */
static GHashTable *index_contents(const FwPolicy *policy)
{
        GHashTable *contents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (uint32_t i = 0; i < policy->rules->len; i++)
                g_hash_table_insert(contents, content_of(policy, fw_policy_rule(policy, i)),
                                    GUINT_TO_POINTER(i + 1));
        return contents;
}

typedef struct Common {
        uint32_t before, after; /* numbers */
        uint32_t previous;      /* in the longest sequence that ends here, + 1 */
} Common;

/* The first end of a sequence that is not before `after`: ends ascend (patience sorting). */
static unsigned find_end(const GArray *ends, const GArray *commons, uint32_t after)
{
        unsigned lo = 0, hi = ends->len;

        while (lo < hi) {
                unsigned middle = (lo + hi) / 2;
                uint32_t end = g_array_index(ends, uint32_t, middle);

                if (g_array_index(commons, Common, end).after < after)
                        lo = middle + 1;
                else
                        hi = middle;
        }
        return lo;
}

static void add_common(GArray *commons, GArray *ends, uint32_t before, uint32_t after)
{
        unsigned at = find_end(ends, commons, after);
        uint32_t number = commons->len;
        Common common = {before, after, at > 0 ? g_array_index(ends, uint32_t, at - 1) + 1 : 0};

        g_array_append_val(commons, common);
        if (at == ends->len)
                g_array_append_val(ends, number);
        else
                g_array_index(ends, uint32_t, at) = number;
}

/* Sets true for the rules of either that belong to the longest common sequence. */
static void find_common(const FwPolicy *before, const FwPolicy *after, bool *ret_before,
                        bool *ret_after)
{
        g_autoptr(GHashTable) contents = index_contents(after);
        g_autoptr(GArray) commons = g_array_new(FALSE, FALSE, sizeof(Common));
        g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        for (uint32_t i = 0; i < before->rules->len; i++) {
                g_autofree char *content = content_of(before, fw_policy_rule(before, i));
                uint32_t number = GPOINTER_TO_UINT(g_hash_table_lookup(contents, content));

                if (number > 0)
                        add_common(commons, ends, i, number - 1);
        }
        if (ends->len == 0)
                return;
        for (uint32_t at = g_array_index(ends, uint32_t, ends->len - 1) + 1; at > 0;) {
                const Common *common = &g_array_index(commons, Common, at - 1);

                ret_before[common->before] = ret_after[common->after] = true;
                at = common->previous;
        }
}

static void add_changed(const FwPolicy *policy, const bool *common, GArray *cubes)
{
        for (uint32_t i = 0; i < policy->rules->len; i++) {
                const FwPolicyRule *rule = fw_policy_rule(policy, i);

                if (common[i] || !rule->decides)
                        continue;
                for (uint32_t k = 0; k < rule->n; k++) {
                        FwPlaced placed = *fw_policy_cube(policy, rule->first + k);

                        placed.place = cubes->len;
                        g_array_append_val(cubes, placed);
                }
        }
}

/* The cubes of all that changed on either side, alike ones once. */
static GArray *find_changed(const FwPolicy *before, const FwPolicy *after)
{
        g_autofree bool *common_before = g_new0(bool, before->rules->len);
        g_autofree bool *common_after = g_new0(bool, after->rules->len);
        GArray *cubes = g_array_new(FALSE, FALSE, sizeof(FwPlaced));

        find_common(before, after, common_before, common_after);
        add_changed(before, common_before, cubes);
        add_changed(after, common_after, cubes);
        return cubes;
}

/* Comparing. */

typedef struct Comparison {
        const FwPolicy *before, *after;
        const FwPolicyRule *decided; /* before */
        GArray *numbers;
        bool inexact;
        size_t steps;
        FwEachDifference each;
        void *userdata;
} Comparison;

/* What of a policy can decide packets of the cube, in order. */
static GPtrArray *find_deciders(Comparison *comparison, const FwPolicy *policy, const FwCube *cube)
{
        GPtrArray *list = g_ptr_array_new();
        size_t steps;

        g_array_set_size(comparison->numbers, 0);
        steps = fw_index_find(policy->index, cube, 0, UINT32_MAX, comparison->numbers);
        comparison->steps -= MIN(comparison->steps, steps);
        for (unsigned i = 0; i < comparison->numbers->len; i++) {
                const FwPlaced *placed =
                        fw_policy_cube(policy, g_array_index(comparison->numbers, uint32_t, i));

                if (!fw_policy_rule(policy, placed->place)->decides)
                        continue;
                g_ptr_array_add(list, (void *) (uintptr_t) placed);
                if (fw_cube_contains(&placed->cube, cube))
                        break;
        }
        return list;
}

static int take_apart(Comparison *comparison, const FwPolicy *policy, const FwCube *cube,
                      FwEachPiece each)
{
        g_autoptr(GPtrArray) list = find_deciders(comparison, policy, cube);

        return fw_first_match(cube, (const FwPlaced *const *) list->pdata, list->len,
                              &comparison->steps, each, comparison);
}

static int compare_piece(const FwCube *piece, const FwPlaced *first, void *userdata)
{
        Comparison *comparison = userdata;
        FwPair pair = {.before = comparison->decided};

        if (!first) /* from the router to itself */
                return 0;
        pair.after = fw_policy_rule(comparison->after, first->place);
        comparison->inexact = comparison->inexact || !pair.before->exact || !pair.after->exact;
        if (fw_policy_rule_alike(pair.before, pair.after))
                return 0;
        return comparison->each(piece, &pair, comparison->userdata);
}

static int decide_before(const FwCube *piece, const FwPlaced *first, void *userdata)
{
        Comparison *comparison = userdata;

        if (!first)
                return 0;
        comparison->decided = fw_policy_rule(comparison->before, first->place);
        return take_apart(comparison, comparison->after, piece, compare_piece);
}

/* What an earlier one has of it was compared with that. */
static int once(const FwCube *piece, const FwPlaced *first, void *userdata)
{
        Comparison *comparison = userdata;

        return first ? 0 : take_apart(comparison, comparison->before, piece, decide_before);
}

static int compare_cube(Comparison *comparison, const FwIndex *index, const GArray *changed,
                        uint32_t number)
{
        const FwCube *cube = &g_array_index(changed, FwPlaced, number).cube;
        g_autoptr(GPtrArray) earlier = g_ptr_array_new();
        size_t steps;

        g_array_set_size(comparison->numbers, 0);
        steps = fw_index_find(index, cube, 0, number, comparison->numbers);
        comparison->steps -= MIN(comparison->steps, steps);
        for (unsigned i = 0; i < comparison->numbers->len; i++)
                g_ptr_array_add(earlier,
                                &g_array_index(changed, FwPlaced,
                                               g_array_index(comparison->numbers, uint32_t, i)));
        return fw_first_match(cube, (const FwPlaced *const *) earlier->pdata, earlier->len,
                              &comparison->steps, once, comparison);
}

int fw_policy_compare(const FwPolicy *before, const FwPolicy *after, FwEachDifference each,
                      void *userdata)
{
        g_autoptr(GArray) changed = find_changed(before, after);
        g_autoptr(FwIndex) index =
                fw_index_new((const FwPlaced *) (void *) changed->data, changed->len);
        g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        Comparison comparison = {.before = before,
                                 .after = after,
                                 .numbers = numbers,
                                 .steps = FW_COMPARE_STEPS,
                                 .each = each,
                                 .userdata = userdata};
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < changed->len; i++)
                r = compare_cube(&comparison, index, changed, i);
        return r == 0 && comparison.inexact ? 1 : r;
}
