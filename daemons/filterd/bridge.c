/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bridge-internal.h"

#include "bridge-put.h"
#include "objects.h"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <string.h>

const FwBridgeHook fw_bridge_chains[FW_BRIDGE_DIRECTION_MAX] = {
        [FW_BRIDGE_FORWARD] = {"forward", NF_BR_FORWARD},
        [FW_BRIDGE_IN] = {"input", NF_BR_LOCAL_IN},
        [FW_BRIDGE_OUT] = {"output", NF_BR_LOCAL_OUT},
};

static void item_clear(void *p)
{
        g_free(((FwBridgeItem *) p)->comment);
}

FwBridge *fw_bridge_ref(FwBridge *bridge)
{
        if (bridge)
                bridge->refs++;
        return bridge;
}

void fw_bridge_unref(FwBridge *bridge)
{
        if (!bridge || --bridge->refs > 0)
                return;
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                g_clear_pointer(&bridge->chains[i].items, g_array_unref);
        g_clear_pointer(&bridge->sets, g_hash_table_unref);
        g_clear_pointer(&bridge->rates, g_hash_table_unref);
        g_clear_pointer(&bridge->rules, g_ptr_array_unref);
        pt_object_unref((PtObject *) (uintptr_t) bridge->settings);
        g_free(bridge);
}

const GPtrArray *fw_bridge_rules(const FwBridge *bridge)
{
        return bridge->rules;
}

char *fw_bridge_rate_name(const FwBridge *bridge)
{
        PtRate rate = fw_bridge_log_rate(bridge->settings);

        return g_strdup_printf("l_default/%u/%u", rate.count, rate.seconds);
}

static bool logs_default(const FwBridge *bridge)
{
        return bridge->settings && bridge->settings->log_default;
}

/* Whose identity is its name, and whose state is all that it is made of. */
static void add_fixed(FwBridge *bridge, FwBridgeChain *chain, FwBridgeFixed fixed, unsigned part,
                      const char *comment, int verdict)
{
        g_autofree char *rate = fw_bridge_rate_name(bridge);
        g_autofree char *state = g_strdup_printf("%s %u %d %s", comment, part, verdict, rate);
        FwBridgeItem item = {
                .fixed = fixed,
                .part = part,
                .tag = {.version = FW_TAG_VERSION, .part = {(uint8_t) (part >> 8), (uint8_t) part}},
                .comment = g_strdup(comment)};
        PtDigest digest;

        pt_digest_of(comment, strlen(comment), &digest);
        memcpy(item.tag.uid, digest.bytes, sizeof(item.tag.uid));
        pt_digest_of(state, strlen(state), &digest);
        memcpy(item.tag.generation, digest.bytes, sizeof(item.tag.generation));
        g_array_append_val(chain->items, item);
        if (part & FW_PART_LOG && !g_hash_table_contains(bridge->rates, rate)) {
                PtRate value = fw_bridge_log_rate(bridge->settings);

                g_hash_table_insert(bridge->rates, g_steal_pointer(&rate),
                                    g_memdup2(&value, sizeof(value)));
        }
}

static void add_stateful(FwBridge *bridge, FwBridgeChain *chain)
{
        add_fixed(bridge, chain, FW_BRIDGE_FIXED_ESTABLISHED, 0, "bridge/established", NF_ACCEPT);
        for (unsigned family = 0; family < 2; family++) {
                if (logs_default(bridge))
                        add_fixed(bridge, chain, FW_BRIDGE_FIXED_INVALID, family | FW_PART_LOG,
                                  "bridge/invalid", NF_DROP);
                add_fixed(bridge, chain, FW_BRIDGE_FIXED_INVALID, family, "bridge/invalid",
                          NF_DROP);
        }
}

static void add_part(FwBridgeChain *chain, const FwFrameRule *rule, unsigned part)
{
        const FirewallRule *view = &rule->effective.rule;
        FwBridgeItem item = {.rule = rule,
                             .part = part,
                             .comment = g_strdup_printf("BridgeRule/%s", view->object.name)};

        fw_tag_of(view, part, false, &item.tag);
        g_array_append_val(chain->items, item);
}

static void add_sets(FwBridge *bridge, const GArray *way)
{
        for (unsigned i = 0; i < way->len; i++) {
                FwValueSet set;
                g_autofree char *name = NULL;

                if (!fw_frame_test_set(&g_array_index(way, FwFrameTest, i), &set))
                        continue;
                name = fw_value_set_name(&set);
                if (!g_hash_table_contains(bridge->sets, name))
                        g_hash_table_insert(bridge->sets, g_steal_pointer(&name),
                                            g_memdup2(&set, sizeof(set)));
        }
}

static void add_rule(FwBridge *bridge, const FwFrameRule *rule)
{
        const FirewallRule *view = &rule->effective.rule;
        FwBridgeChain *chain = &bridge->chains[rule->direction];
        const GPtrArray *ways = rule->effective.ways;

        for (unsigned part = 0; part < ways->len; part++) {
                add_sets(bridge, g_ptr_array_index(ways, part));
                if (fw_rule_logs(view))
                        add_part(chain, rule, part | FW_PART_LOG);
                add_part(chain, rule, part);
        }
        if (fw_rule_logs(view) && ways->len > 0) {
                PtRate rate = fw_object_rate(view);

                g_hash_table_replace(bridge->rates, fw_object_rate_name(view),
                                     g_memdup2(&rate, sizeof(rate)));
        }
}

static void add_default(FwBridge *bridge, FwBridgeChain *chain)
{
        FwAction action = fw_bridge_default(bridge->settings, chain->direction);
        g_autofree char *comment =
                g_strconcat("bridge/default/", fw_bridge_chains[chain->direction].name, NULL);

        if (action == FW_DROP && logs_default(bridge))
                add_fixed(bridge, chain, FW_BRIDGE_FIXED_DEFAULT, FW_PART_LOG, comment, NF_DROP);
        add_fixed(bridge, chain, FW_BRIDGE_FIXED_DEFAULT, 0, comment,
                  action == FW_DROP ? NF_DROP : NF_ACCEPT);
}

static void seal(FwBridge *bridge)
{
        PtHasher *hasher = pt_hasher_new();

        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                const GArray *items = bridge->chains[i].items;

                pt_hasher_add(hasher, &items->len, sizeof(items->len));
                for (unsigned k = 0; k < items->len; k++)
                        pt_hasher_add(hasher, &g_array_index(items, FwBridgeItem, k).tag,
                                      sizeof(FwTag));
        }
        pt_hasher_end(hasher, &bridge->digest);
}

int fw_bridge_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                  FwBridge **ret)
{
        g_autoptr(FwBridge) bridge = NULL;
        const PtObject *settings = pt_slice_get(source->slice, &pt_kind_bridge_settings, "default");
        int r;

        *ret = NULL;
        if (!settings && pt_slice_count(source->slice, &pt_kind_bridge_rule) == 0)
                return 0;
        bridge = g_new0(FwBridge, 1);
        bridge->refs = 1;
        bridge->sets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        bridge->rates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (settings)
                bridge->settings = (const BridgeSettings *) pt_object_ref(settings);
        for (FwBridgeDirection i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                bridge->chains[i].direction = i;
                bridge->chains[i].items = g_array_new(FALSE, FALSE, sizeof(FwBridgeItem));
                g_array_set_clear_func(bridge->chains[i].items, item_clear);
        }
        r = fw_frame_rules_new(source, effective, diag, &bridge->rules);
        if (r < 0)
                return r;
        if (fw_bridge_stateful(bridge->settings))
                add_stateful(bridge, &bridge->chains[FW_BRIDGE_FORWARD]);
        for (unsigned i = 0; i < bridge->rules->len; i++)
                add_rule(bridge, g_ptr_array_index(bridge->rules, i));
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                add_default(bridge, &bridge->chains[i]);
        seal(bridge);
        *ret = g_steal_pointer(&bridge);
        return 0;
}

bool fw_bridge_same(const FwBridge *a, const FwBridge *b)
{
        return a && b ? pt_digest_equal(&a->digest, &b->digest) : a == b;
}

bool fw_bridge_is(const FwBridge *bridge, const PtDigest *marker)
{
        static const PtDigest none;

        return pt_digest_equal(bridge ? &bridge->digest : &none, marker);
}
