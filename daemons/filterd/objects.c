/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "objects.h"

#include "base/marks.h"
#include "match-put.h"

#include "ruleset.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

static void object_free(void *p)
{
        FwObject *object = p;

        g_clear_pointer(&object->set.bounds, g_array_unref);
        fw_limiter_unref(object->limiter);
        g_free(object->name);
        g_free(object);
}

GHashTable *fw_objects_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, object_free);
}

GHashTable *fw_objects_copy(GHashTable *objects)
{
        GHashTable *copy = fw_objects_new();
        GHashTableIter iter;
        FwObject *object;

        g_hash_table_iter_init(&iter, objects);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &object)) {
                FwObject *same = g_memdup2(object, sizeof(*object));

                same->name = g_strdup(object->name);
                if (same->set.bounds)
                        g_array_ref(same->set.bounds);
                if (same->limiter)
                        fw_limiter_ref(same->limiter);
                g_hash_table_insert(copy, same->name, same);
        }
        return copy;
}

char *fw_object_helper_name(FwHelper helper, int protocol)
{
        return g_strdup_printf("h_%s_%s", fw_helpers[helper].name,
                               protocol == IPPROTO_TCP ? "tcp" : "udp");
}

PtRate fw_object_rate(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_LOG_RATE) ? fw_rule_box(rule)->log_rate
                                                              : FW_LOG_RATE_DEFAULT;
}

char *fw_object_rate_name(const FirewallRule *rule)
{
        PtRate rate = fw_object_rate(rule);

        return g_strdup_printf("l_%s/%s/%u/%u", rule->object.kind->name, rule->object.name,
                               rate.count, rate.seconds);
}

FwLimiter *fw_object_limiter(const FirewallRule *rule, const FwSets *sets)
{
        g_autofree char *rate = fw_rule_logs(rule) ? fw_object_rate_name(rule) : NULL;

        return fw_limiter_new(rule, sets, rate);
}

/* Takes the name. */
static void count(GHashTable *objects, char *name, const FwObject *like, int by)
{
        g_autofree char *taken = name;
        FwObject *object = g_hash_table_lookup(objects, name);

        if (!object) {
                object = g_memdup2(like, sizeof(*like));
                object->name = g_steal_pointer(&taken);
                if (object->set.bounds)
                        g_array_ref(object->set.bounds);
                if (object->limiter)
                        fw_limiter_ref(object->limiter);
                g_hash_table_insert(objects, object->name, object);
        }
        object->users += (unsigned) by;
        if (object->users == 0)
                g_hash_table_remove(objects, object->name);
}

static bool has_long_list(const FwEndpoint *endpoint)
{
        const FwExcept *except = &fw_endpoint_box(endpoint)->except;

        return endpoint->addresses.n > 1 || endpoint->ports.n > 1 || except->addresses.n > 1 ||
               except->ports.n > 1 || fw_endpoint_box(endpoint)->macs.n > 1;
}

/* Whether it is worth asking each part. */
static bool may_need_sets(const FirewallRule *rule)
{
        return rule->box || fw_effective_of(rule) || has_long_list(&rule->source) ||
               has_long_list(&rule->destination);
}

static void count_sets(GHashTable *objects, const FirewallRule *rule, int by)
{
        unsigned parts = may_need_sets(rule) ? fw_match_parts(rule) : 0;

        for (unsigned part = 0; part < parts; part++) {
                FwMatch match;

                fw_match_part(rule, part, &match);
                for (unsigned i = 0; i < match.n_terms; i++) {
                        FwObject object = {.helper = FW_HELPER_INVALID};

                        if (!fw_value_set_of(&match, &match.terms[i], &object.set))
                                continue;
                        count(objects, fw_value_set_name(&object.set), &object, by);
                        g_array_unref(object.set.bounds);
                }
        }
}

bool fw_objects_needed(const FirewallRule *rule)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);

        if (may_need_sets(rule))
                return true;
        for (unsigned i = 0; effective && i < effective->n_choices; i++)
                if (effective->choices[i].helper != FW_HELPER_INVALID)
                        return true;
        return fw_rule_logs(rule) || pt_object_has(&rule->object, FW_RULE_HELPER) ||
               fw_limiter_needed(rule);
}

void fw_objects_count(GHashTable *objects, const FirewallRule *rule, const FwSets *sets, int by)
{
        g_autoptr(FwLimiter) limiter = NULL;
        FwWays ways = {.rule = rule};
        FwMatch match;

        if (!fw_objects_needed(rule))
                return;
        limiter = sets ? fw_object_limiter(rule, sets) : NULL;
        if (limiter)
                count(objects, g_strdup(fw_limiter_chain(limiter)),
                      &(FwObject){.limiter = limiter, .helper = FW_HELPER_INVALID}, by);
        if (fw_rule_logs(rule))
                count(objects, fw_object_rate_name(rule),
                      &(FwObject){.helper = FW_HELPER_INVALID, .rate = fw_object_rate(rule)}, by);
        count_sets(objects, rule, by);
        while (fw_ways_next(&ways, &match))
                if (match.helper != FW_HELPER_INVALID)
                        count(objects,
                              fw_object_helper_name((FwHelper) match.helper, match.protocol),
                              &(FwObject){.helper = (FwHelper) match.helper,
                                          .protocol = match.protocol},
                              by);
}

static void put_object(const FwObject *object, GHashTable *counts, PtNftBatch *batch)
{
        if (object->set.bounds) {
                fw_value_set_put(&object->set, TABLE, object->name, 0, batch);
                return;
        }
        if (object->limiter)
                fw_limiter_put(object->limiter, counts, batch);
        else if (object->helper == FW_HELPER_INVALID)
                pt_nft_batch_add_limit(batch, TABLE, object->name, object->rate.count,
                                       object->rate.seconds);
        else
                pt_nft_batch_add_helper(batch, TABLE, object->name,
                                        fw_helper_kernel_name(object->helper),
                                        (uint8_t) object->protocol);
}

/* Chains of limits refer to rates of logs. */
static void put_objects(GHashTable *objects, GHashTable *before, bool limiters, GHashTable *counts,
                        FwStages *stages)
{
        GHashTableIter iter;
        FwObject *object;

        g_hash_table_iter_init(&iter, objects);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &object))
                if ((object->limiter != NULL) == limiters &&
                    (!before || !g_hash_table_contains(before, object->name)))
                        put_object(object, counts,
                                   object->limiter ? stages->batch : stages->before);
}

void fw_objects_put(GHashTable *objects, GHashTable *before, GHashTable *counts, FwStages *stages)
{
        put_objects(objects, before, false, counts, stages);
        put_objects(objects, before, true, counts, stages);
}

int fw_objects_read_counts(GHashTable *objects, PtNft *nft, GHashTable *counts)
{
        GHashTableIter iter;
        FwObject *object;
        int r = 0;

        g_hash_table_iter_init(&iter, objects);
        while (r == 0 && g_hash_table_iter_next(&iter, NULL, (void **) &object)) {
                g_autofree char *chain = NULL;

                if (!object->limiter)
                        continue;
                chain = fw_limiter_counted_chain(object->limiter);
                r = pt_nft_dump_rules(nft, TABLE, chain, fw_read_count, counts);
                r = r == -ENOENT ? 0 : r;
        }
        return r;
}

static void drop_objects(GHashTable *objects, GHashTable *after, bool limiters, PtNftBatch *batch)
{
        GHashTableIter iter;
        FwObject *object;

        g_hash_table_iter_init(&iter, objects);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &object)) {
                if ((object->limiter != NULL) != limiters ||
                    g_hash_table_contains(after, object->name))
                        continue;
                if (limiters)
                        fw_limiter_drop(object->limiter, batch);
                else if (object->set.bounds)
                        pt_nft_batch_delete_set(batch, TABLE, object->name);
                else
                        pt_nft_batch_delete_object(batch, TABLE, object->name,
                                                   object->helper == FW_HELPER_INVALID
                                                           ? NFT_OBJECT_LIMIT
                                                           : NFT_OBJECT_CT_HELPER);
        }
}

void fw_objects_put_drops(GHashTable *objects, GHashTable *after, PtNftBatch *batch)
{
        drop_objects(objects, after, true, batch);
        drop_objects(objects, after, false, batch);
}

/* Who is told: the first by name of those that need an object. */
typedef struct Needer {
        const char *name;
        const FirewallRule *rule;
} Needer;

static void find_needer(const FirewallRule *rule, void *userdata)
{
        Needer *needer = userdata;
        g_autoptr(GHashTable) own = NULL;

        if (!fw_objects_needed(rule) ||
            (needer->rule && strcmp(rule->object.name, needer->rule->object.name) >= 0))
                return;
        own = fw_objects_new();
        fw_objects_count(own, rule, NULL, 1); /* helpers are asked for */
        if (g_hash_table_contains(own, needer->name))
                needer->rule = rule;
}

/* The kernel tries all of a batch, and then throws it away because of its end: there is no such
 * chain. */
static int probe(const FwObject *object, PtNft *nft)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        g_autofree char *what = NULL;
        int r;

        pt_nft_batch_add_table(batch, TABLE);
        put_object(object, NULL, batch);
        pt_nft_batch_delete_chain(batch, TABLE, "no chain");
        r = pt_nft_send(nft, batch, &what);
        if (r == -ENOENT && what && strstr(what, object->name))
                return -EOPNOTSUPP;
        return r == -ENOENT ? 0 : r;
}

int fw_objects_probe(GHashTable *objects, GHashTable *before, FwEffective *effective,
                     const PtSlice *slice, PtNft *nft, PtDiagnostics *diag)
{
        GHashTableIter iter;
        FwObject *object;

        g_hash_table_iter_init(&iter, objects);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &object)) {
                Needer needer = {.name = object->name};

                if (object->helper == FW_HELPER_INVALID ||
                    (before && g_hash_table_contains(before, object->name)) ||
                    probe(object, nft) != -EOPNOTSUPP)
                        continue;
                fw_effective_foreach(effective, slice, find_needer, &needer);
                pt_diag_set_subject(diag, "%s/%s", needer.rule->object.kind->name,
                                    needer.rule->object.name);
                pt_diag_error(diag, "no-helper", "/spec",
                              "this kernel has no connection helper %s for %s; load the module "
                              "nf_conntrack_%s, or remove the helper",
                              fw_helpers[object->helper].name,
                              object->protocol == IPPROTO_TCP ? "TCP" : "UDP",
                              fw_helpers[object->helper].name);
                pt_diag_set_subject(diag, NULL);
                return -EOPNOTSUPP;
        }
        return 0;
}
