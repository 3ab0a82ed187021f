/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * From a packet to the chain of its zone pair, by verdict maps whose keys are intervals of
 * interface names or addresses:
 *
 *      forward   iifname vmap @from_forward -> f_lan
 *                oifname vmap @to_lan       -> jump d_lan/wan, then the default of lan
 *                d_lan/wan                  -> goto z_lan/wan
 *      input     iifname vmap @from_input   -> i_lan: jump z_lan/router, then the default
 *      output    oifname vmap @to_output    -> o_wan: jump z_router/wan, then the default
 *      (of a connection's first packet the chains of a zone mark where it comes from and, in forward,
 *      d_lan/wan where it goes; m_wan does where no class is asked: base/marks.h)
 *      prerouting   iifname vmap @nat_in    -> n_in/wan
 *      postrouting  oifname vmap @nat_out   -> n_out/wan, or s_wan: what was reflected and goes back
 *                                              (iifname vmap @back_wan -> jump n_back/any), jump
 *                                              n_out/wan, then masquerade
 *      output_nat   -> n_in/router, for the router's own programs
 *      fragments    jump p_fragments: iifname vmap @from_fragments -> z_lan/FRAGMENTS
 *
 * With zones by address, the address is asked first, per family, and what it does not decide goes
 * on by interface: from_forward4 -> f_lan or p_forward_if; to_lan4 -> the class or t_lan.
 *
 * Only packet data is ever looked up: nft 1.0.6 ends with a failed assertion in the middle of `nft
 * list ruleset` when the value of one map is the key of another (netlink_parse_concat_expr).
 */

#include "bans.h"
#include "counters.h"
#include "dispatch-internal.h"
#include "filter/interval.h"
#include "filter/prologue.h"
#include "killed.h"
#include "marks.h"
#include "nat.h"
#include "openings.h"
#include "panic.h"
#include "settings.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define SET_ZONED "zoned" /* interfaces that belong to a zone */

static const struct {
        uint32_t type; /* nft's number of it (nftables/include/datatype.h) */
        uint32_t len;
        const char *suffix; /* of the names of maps */
} keys[] = {
        [FW_BY_INTERFACE] = {41, 16, ""},
        [FW_BY_ADDRESS4] = {7, 4, "4"},
        [FW_BY_ADDRESS6] = {8, 16, "6"},
};

static const GArray *intervals_of(const FwZones *zones, FwDispatchKey key)
{
        switch (key) {
        case FW_BY_INTERFACE:
                return zones->interfaces;
        case FW_BY_ADDRESS4:
                return zones->sources4;
        case FW_BY_ADDRESS6:
                return zones->sources6;
        case FW_BY_MAX:
                break;
        }
        g_assert_not_reached();
}

static struct nftnl_set_elem *element(FwDispatchKey key, const uint8_t *bytes)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, bytes, keys[key].len);
        return e;
}

static void put_start(GPtrArray *elements, FwDispatchKey key, const uint8_t *bytes,
                      const FwTarget *target)
{
        struct nftnl_set_elem *e = element(key, bytes);
        uint32_t verdict = (uint32_t) target->verdict;

        nftnl_set_elem_set(e, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
        if (target->chain)
                nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, target->chain);
        g_ptr_array_add(elements, e);
}

static void put_end(GPtrArray *elements, FwDispatchKey key, const uint8_t *bytes)
{
        struct nftnl_set_elem *e = element(key, bytes);

        nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        g_ptr_array_add(elements, e);
}

/* The map's whole name. */
static const char *put_map(const FwDispatch *dispatch, const char *name, FwDispatchKey key,
                           FwTargetFunc target_of, const void *userdata)
{
        const GArray *intervals = intervals_of(dispatch->zones, key);
        GPtrArray *elements = fw_stages_elements_new();
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = name,
                .flags = NFT_SET_MAP | NFT_SET_INTERVAL,
                .key_type = keys[key].type,
                .key_len = keys[key].len,
                .data_type = NFT_DATA_VERDICT,
        };

        for (unsigned i = 0; i < intervals->len; i++) {
                const FwInterval *interval = &g_array_index(intervals, FwInterval, i);
                FwTarget target = target_of((int) interval->number - 1, key, userdata);
                g_autofree char *chain = target.chain;
                uint8_t end[FW_INTERVAL_KEY_MAX];

                if (target.verdict == NFT_CONTINUE)
                        continue;
                put_start(elements, key, interval->lo, &target);
                /* Ends are exclusive; an interval to the last value has none. */
                memcpy(end, interval->hi, keys[key].len);
                if (fw_interval_increment(end, keys[key].len))
                        put_end(elements, key, end);
        }
        return fw_stages_set(dispatch->stages, &spec, elements);
}

/* [family] key vmap @name */
static void put_lookup(PtNftBatch *batch, const char *chain, FwDispatchKey key, bool out,
                       const char *map, const char *comment)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        switch (key) {
        case FW_BY_INTERFACE:
                pt_nft_meta(rule, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, NFT_REG_1);
                break;
        case FW_BY_ADDRESS4:
                fw_match_family(rule, AF_INET);
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, out ? 16 : 12, 4, NFT_REG_1);
                break;
        case FW_BY_ADDRESS6:
                fw_match_family(rule, AF_INET6);
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, out ? 24 : 8, 16, NFT_REG_1);
                break;
        case FW_BY_MAX:
                g_assert_not_reached();
        }
        pt_nft_lookup(rule, NFT_REG_1, NFT_REG_VERDICT, map, 0);
        fw_finish(batch, rule, comment);
}

/* Names of maps and chains of one side of the dispatch: "from_forward", "from_forward4" ... */
static char *map_name(const char *name, FwDispatchKey key)
{
        return g_strconcat(name, keys[key].suffix, NULL);
}

char *fw_dispatch_zone_chain(char prefix, const char *zone)
{
        return g_strdup_printf("%c_%s", prefix, zone);
}

static void put_interface(const FwDispatch *dispatch, const FwSide *side, const char *chain,
                          const char *map)
{
        struct nftnl_rule *rule;

        put_lookup(dispatch->batch, chain, FW_BY_INTERFACE, side->out, map, "dispatch");
        if (side->rest == FW_REST_PASSES)
                return;
        rule = pt_nft_rule_new(TABLE, chain);
        if (side->rest == FW_REST_UNZONED) {
                pt_nft_meta(rule, NFT_META_OIFNAME, NFT_REG_1);
                pt_nft_lookup_not(rule, NFT_REG_1, dispatch->zoned, 0);
        }
        pt_nft_verdict(rule, NFT_GOTO, CHAIN_UNASSIGNED);
        fw_finish(dispatch->batch, rule, "unassigned");
}

/*
 * The lookups of one side: by interface alone; or by address for a family that has such zones, and
 * by interface where the address leads on to it and for the other family.
 */
void fw_dispatch_put_side(const FwDispatch *dispatch, const FwSide *side)
{
        const FwZones *zones = dispatch->zones;
        g_autofree char *interfaces = map_name(side->name, FW_BY_INTERFACE);
        const char *map;

        map = put_map(dispatch, interfaces, FW_BY_INTERFACE, side->target_of, side->userdata);
        if (!zones->sources4 && !zones->sources6) {
                put_interface(dispatch, side, side->chain, map);
                return;
        }
        pt_nft_batch_add_chain(dispatch->batch, TABLE, side->by_interface, NULL);
        put_interface(dispatch, side, side->by_interface, map);
        for (FwDispatchKey key = FW_BY_ADDRESS4; key <= FW_BY_ADDRESS6; key++) {
                if (intervals_of(zones, key)) {
                        g_autofree char *name = map_name(side->name, key);

                        map = put_map(dispatch, name, key, side->target_of, side->userdata);
                        put_lookup(dispatch->batch, side->chain, key, side->out, map, "dispatch");
                } else {
                        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, side->chain);

                        fw_match_family(rule, key == FW_BY_ADDRESS4 ? AF_INET : AF_INET6);
                        pt_nft_verdict(rule, side->out || side->comes_back ? NFT_JUMP : NFT_GOTO,
                                       side->by_interface);
                        fw_finish(dispatch->batch, rule, "dispatch");
                }
        }
}

static bool by_address(const FwZones *zones)
{
        return zones->sources4 || zones->sources6;
}

static void put_default(const FwDispatch *dispatch, const char *chain, const FwPair *pair,
                        const char *to)
{
        FwAction action = fw_zones_default(dispatch->zones, pair->from, pair->to);
        g_autofree char *comment = g_strdup_printf("default/%s/%s", pair->from->name, to);

        if (action != FW_ALLOW)
                fw_settings_put_log(dispatch->zones, chain, FW_REASON_DEFAULT, dispatch->batch);
        fw_put_counted(dispatch->batch, dispatch->counts, pt_nft_rule_new(TABLE, chain),
                       action == FW_ALLOW  ? NF_ACCEPT
                       : action == FW_DROP ? NF_DROP
                                           : NFT_GOTO,
                       action == FW_REJECT ? FW_CHAIN_REJECT : NULL, comment);
}

static void put_jump(const FwDispatch *dispatch, const char *chain, const FwPair *pair)
{
        struct nftnl_rule *rule;

        if (!pair->klass)
                return;
        rule = pt_nft_rule_new(TABLE, chain);
        pt_nft_verdict(rule, NFT_JUMP, pair->klass->chain);
        fw_finish(dispatch->batch, rule, pair->klass->chain);
}

/* Targets. */

FwTarget fw_dispatch_rest(FwDispatchKey key, int verdict, const char *by_interface)
{
        return key == FW_BY_INTERFACE ? (FwTarget){NFT_CONTINUE, NULL}
                                      : (FwTarget){verdict, g_strdup(by_interface)};
}

typedef struct ToZones {
        const FwDispatch *dispatch;
        unsigned from;
        const char *by_interface;
} ToZones;

/* "d_lan/wan": marks where a packet goes, on its way to the class. It is the same for all pairs of the
 * class that lead to the zone. */
static char *way_chain(const FwPair *pair)
{
        return g_strdup_printf("d_%s/%s", pair->klass->from, pair->to->name);
}

/* Of `to_lan`: the class of the pair; when no rule applies to it, only the mark: the default follows. */
static FwTarget to_class(int index, FwDispatchKey key, const void *userdata)
{
        const ToZones *to = userdata;
        const FwPair *pair;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_JUMP, to->by_interface);
        pair = fw_pair(to->dispatch->pairs, to->dispatch->zones->n, to->from, (unsigned) index);
        return (FwTarget){NFT_JUMP, pair->klass ? way_chain(pair)
                                                : fw_dispatch_zone_chain('m', pair->to->name)};
}

typedef struct ZoneChains {
        const FwZones *zones;
        char prefix;
        const char *by_interface;
} ZoneChains;

/* Of `from_forward` and the like: the chain of the zone. */
static FwTarget to_zone(int index, FwDispatchKey key, const void *userdata)
{
        const ZoneChains *chains = userdata;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_GOTO, chains->by_interface);
        return (FwTarget){NFT_GOTO,
                          fw_dispatch_zone_chain(chains->prefix, chains->zones->zones[index].name)};
}

/* The three hooks and the chains of a zone in each. */
static const struct {
        const char *chain;
        uint32_t hook;
        const char *prologue; /* beside the common one */
        const char *map;
        const char *by_interface;
        char prefix;
} hooks[] = {
        {CHAIN_INPUT, NF_INET_LOCAL_IN, CHAIN_PROLOGUE_INPUT, "from_input", "p_input_if", 'i'},
        {CHAIN_FORWARD, NF_INET_FORWARD, NULL, "from_forward", "p_forward_if", 'f'},
        {CHAIN_OUTPUT, NF_INET_LOCAL_OUT, CHAIN_PROLOGUE_OUTPUT, "to_output", "p_output_if", 'o'},
};

/* Sets the bits of `mask` in the connection's mark. */
static void put_mark(PtNftBatch *batch, const char *chain, uint32_t mask, uint32_t value)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        uint32_t others = ~mask;

        pt_nft_ct(rule, NFT_CT_MARK, PT_REG(REG_DATA));
        pt_nft_bitwise(rule, PT_REG(REG_DATA), &others, &value, sizeof(others));
        pt_nft_ct_set(rule, NFT_CT_MARK, PT_REG(REG_DATA));
        fw_finish(batch, rule, "mark");
}

static uint32_t pair_mark(const FwZone *from, const FwZone *to)
{
        return (uint32_t) fw_zone_mark(from) << PT_CTMARK_FROM_SHIFT |
               (uint32_t) fw_zone_mark(to) << PT_CTMARK_TO_SHIFT;
}

static void put_pair_mark(const FwDispatch *dispatch, const char *chain, const FwPair *pair)
{
        put_mark(dispatch->batch, chain, PT_CTMARK_PAIR, pair_mark(pair->from, pair->to));
}

static void put_mark_to(const FwDispatch *dispatch, const char *chain, const FwZone *to)
{
        put_mark(dispatch->batch, chain, 0xffU << PT_CTMARK_TO_SHIFT,
                 pair_mark(&dispatch->zones->router, to));
}

/* The ways from one zone to the classes of the others, and what only marks where it goes. */
static void put_ways(const FwDispatch *dispatch, GHashTable *done)
{
        const FwZones *zones = dispatch->zones;

        for (unsigned from = 0; from < zones->n; from++)
                for (unsigned to = 0; to < zones->n; to++) {
                        const FwPair *pair = fw_pair(dispatch->pairs, zones->n, from, to);
                        g_autofree char *chain = pair->klass ? way_chain(pair) : NULL;
                        struct nftnl_rule *rule;

                        if (!chain || g_hash_table_contains(done, chain))
                                continue;
                        pt_nft_batch_add_chain(dispatch->batch, TABLE, chain, NULL);
                        put_mark_to(dispatch, chain, pair->to);
                        rule = pt_nft_rule_new(TABLE, chain);
                        pt_nft_verdict(rule, NFT_GOTO, pair->klass->chain);
                        fw_finish(dispatch->batch, rule, pair->klass->chain);
                        g_hash_table_add(done, g_steal_pointer(&chain));
                }
        for (unsigned to = 0; to < zones->n; to++) {
                g_autofree char *chain = fw_dispatch_zone_chain('m', zones->zones[to].name);

                pt_nft_batch_add_chain(dispatch->batch, TABLE, chain, NULL);
                put_mark_to(dispatch, chain, &zones->zones[to]);
        }
}

static void put_forward_zone(const FwDispatch *dispatch, unsigned from, const char *chain)
{
        const FwZones *zones = dispatch->zones;
        const char *name = zones->zones[from].name;
        g_autofree char *map = g_strdup_printf("to_%s", name),
                        *by_interface = fw_dispatch_zone_chain('t', name);
        ToZones to = {.dispatch = dispatch, .from = from, .by_interface = by_interface};
        FwSide side = {map, chain, by_interface, true, false, FW_REST_UNZONED, to_class, &to};

        put_mark(dispatch->batch, chain, PT_CTMARK_PAIR,
                 pair_mark(&zones->zones[from], &zones->router));
        fw_dispatch_put_side(dispatch, &side);
        put_default(dispatch, chain, fw_pair(dispatch->pairs, zones->n, from, from), FW_ZONE_ANY);
}

static void put_zone(const FwDispatch *dispatch, unsigned index)
{
        const FwZones *zones = dispatch->zones;

        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++) {
                g_autofree char *chain =
                        fw_dispatch_zone_chain(hooks[i].prefix, zones->zones[index].name);
                const FwPair *pair;

                pt_nft_batch_add_chain(dispatch->batch, TABLE, chain, NULL);
                if (hooks[i].hook != NF_INET_LOCAL_OUT)
                        fw_settings_put_guards(&zones->zones[index], chain, dispatch->batch);
                if (hooks[i].hook == NF_INET_FORWARD) {
                        put_forward_zone(dispatch, index, chain);
                        continue;
                }
                pair = hooks[i].hook == NF_INET_LOCAL_IN
                               ? fw_pair_input(dispatch->pairs, zones->n, index)
                               : fw_pair_output(dispatch->pairs, zones->n, index);
                put_pair_mark(dispatch, chain, pair);
                if (hooks[i].hook == NF_INET_LOCAL_IN)
                        fw_openings_put_jumps(zones->zones[index].name, chain, dispatch->batch);
                put_jump(dispatch, chain, pair);
                put_default(dispatch, chain, pair, pair->to->name);
        }
}

void fw_dispatch_put_jump(const FwDispatch *dispatch, const char *chain, const char *target)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        pt_nft_verdict(rule, NFT_JUMP, target);
        fw_finish(dispatch->batch, rule, target);
}

/* Before all else but who administers, so that a ban ends connections; nobody bans the machine
 * from itself. */
static void put_bans(const FwDispatch *dispatch, unsigned i)
{
        static const char lo[16] = "lo";
        struct nftnl_rule *rule;

        if (hooks[i].hook == NF_INET_LOCAL_OUT)
                return;
        if (hooks[i].hook == NF_INET_FORWARD) { /* what is said of both ends */
                fw_dispatch_put_jump(dispatch, hooks[i].chain, FW_CHAIN_BANS_TO);
                return;
        }
        rule = pt_nft_rule_new(TABLE, hooks[i].chain);
        if (hooks[i].hook == NF_INET_LOCAL_IN) {
                pt_nft_meta(rule, NFT_META_IIFNAME, PT_REG(REG_DATA));
                pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_NEQ, lo, sizeof(lo));
        }
        pt_nft_verdict(rule, NFT_JUMP, FW_CHAIN_BANS);
        fw_finish(dispatch->batch, rule, FW_CHAIN_BANS);
}

/* The common prologue, for what is not the first packet of a connection: that should not have to look
 * at it. */
static void put_known(const FwDispatch *dispatch, const char *chain)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        uint32_t states = 0;

        for (unsigned i = 0; i < fw_prologue_rows; i++)
                if (fw_prologue[i].chain == FW_PROLOGUE_COMMON) {
                        g_assert(fw_prologue[i].states);
                        states |= fw_prologue[i].states;
                }
        fw_match_state(rule, states);
        pt_nft_verdict(rule, NFT_JUMP, CHAIN_PROLOGUE);
        fw_finish(dispatch->batch, rule, CHAIN_PROLOGUE);
}

/* What the router begins for a client that it answered (FirewallRule.synProxy) has the client's
 * address, and was allowed already. It gets no mark of zones: where it comes from is not known here. */
static void put_proxied(const FwDispatch *dispatch, const char *chain)
{
        const uint32_t local = RTN_LOCAL;
        struct nftnl_rule *rule;

        if (!dispatch->zones->proxies)
                return;
        rule = pt_nft_rule_new(TABLE, chain);
        fw_match_protocol(rule, IPPROTO_TCP);
        fw_match_state(rule, NF_CT_STATE_BIT(IP_CT_NEW));
        pt_nft_fib(rule, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR, PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_NEQ, &local, sizeof(local));
        fw_decide(dispatch->batch, rule, NF_ACCEPT, NULL, "proxied");
}

static void put_hook(const FwDispatch *dispatch, unsigned i)
{
        g_autofree char *invalid = g_strdup_printf("invalid/%s", hooks[i].chain);
        bool out = hooks[i].hook == NF_INET_LOCAL_OUT;
        ZoneChains chains = {dispatch->zones, hooks[i].prefix, hooks[i].by_interface};
        FwSide side = {hooks[i].map, hooks[i].chain, hooks[i].by_interface,
                       out,          false,          out ? FW_REST_PASSES : FW_REST_DROPS,
                       to_zone,      &chains};
        struct nftnl_rule *rule;

        if (hooks[i].hook == NF_INET_LOCAL_IN && fw_settings_has_lockout(dispatch->zones))
                fw_dispatch_put_jump(dispatch, hooks[i].chain, FW_CHAIN_LOCKOUT);
        if (hooks[i].hook == NF_INET_LOCAL_IN)
                fw_dispatch_put_jump(dispatch, hooks[i].chain, CHAIN_PROLOGUE_LINK);
        put_bans(dispatch, i);
        fw_marks_put_jump(hooks[i].chain, dispatch->batch);
        put_known(dispatch, hooks[i].chain);
        fw_killed_put_jump(hooks[i].chain, dispatch->batch);
        if (out)
                put_proxied(dispatch, hooks[i].chain);
        if (hooks[i].prologue)
                fw_dispatch_put_jump(dispatch, hooks[i].chain, hooks[i].prologue);
        if (fw_settings_invalid(dispatch->zones->settings) == FW_DROP) {
                fw_settings_put_log_invalid(dispatch->zones, hooks[i].chain, dispatch->batch);
                rule = pt_nft_rule_new(TABLE, hooks[i].chain);
                fw_match_state(rule, NF_CT_STATE_INVALID_BIT);
                fw_put_counted(dispatch->batch, dispatch->counts, rule, NF_DROP, NULL, invalid);
        }
        fw_dispatch_put_side(dispatch, &side);
}

/* All interfaces of all zones, as the patterns cover them together. */
static const char *put_zoned(const FwDispatch *dispatch)
{
        const GArray *intervals = dispatch->zones->interfaces;
        GPtrArray *elements = fw_stages_elements_new();
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = SET_ZONED,
                .flags = NFT_SET_INTERVAL,
                .key_type = keys[FW_BY_INTERFACE].type,
                .key_len = keys[FW_BY_INTERFACE].len,
        };

        for (unsigned i = 0; i < intervals->len; i++) {
                const FwInterval *interval = &g_array_index(intervals, FwInterval, i);
                bool zoned = interval->number > 0, before = i > 0 && interval[-1].number > 0;

                if (zoned && !before)
                        g_ptr_array_add(elements, element(FW_BY_INTERFACE, interval->lo));
                else if (before && !zoned)
                        put_end(elements, FW_BY_INTERFACE, interval->lo);
        }
        return fw_stages_set(dispatch->stages, &spec, elements);
}

/* The chains that the dispatch of these zones has, all but the base chains. */
static GHashTable *chains_of(const FwDispatchTo *to)
{
        const FwZones *zones = to->zones;
        g_autofree char *back = fw_nat_chain(to->nat, FW_NAT_BACK, FW_ZONE_ANY);
        static const char *const by_interface[] = {CHAIN_PREROUTING_INTERFACE,
                                                   CHAIN_POSTROUTING_INTERFACE};
        GHashTable *chains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (unsigned z = 0; z < zones->n; z++) {
                const FwZone *zone = &zones->zones[z];

                for (unsigned k = 0; k < zones->n; k++) {
                        const FwPair *pair = fw_pair(to->pairs, zones->n, z, k);

                        if (pair->klass)
                                g_hash_table_add(chains, way_chain(pair));
                }

                for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                        g_hash_table_add(chains,
                                         fw_dispatch_zone_chain(hooks[i].prefix, zone->name));
                g_hash_table_add(chains, fw_dispatch_zone_chain('m', zone->name));
                if (by_address(zones))
                        g_hash_table_add(chains, fw_dispatch_zone_chain('t', zone->name));
                if (fw_dispatch_has_leaving(zone, to->nat))
                        g_hash_table_add(chains, fw_dispatch_zone_chain('s', zone->name));
                if (fw_dispatch_has_leaving(zone, to->nat) && back && by_address(zones))
                        g_hash_table_add(chains, fw_dispatch_zone_chain('b', zone->name));
        }
        fw_dispatch_add_fragments(to, chains);
        for (unsigned i = 0; by_address(zones) && i < G_N_ELEMENTS(hooks); i++)
                g_hash_table_add(chains, g_strdup(hooks[i].by_interface));
        for (unsigned i = 0; by_address(zones) && i < G_N_ELEMENTS(by_interface); i++)
                g_hash_table_add(chains, g_strdup(by_interface[i]));
        return chains;
}

/* What is about to be filled anew. */
static void empty_dispatch(PtNftBatch *batch, const FwZones *old, GHashTable *chains)
{
        GHashTableIter iter;
        const char *chain;

        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                pt_nft_batch_flush_chain(batch, TABLE, hooks[i].chain);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_PREROUTING);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_POSTROUTING);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_OUTPUT_NAT);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_UNASSIGNED);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_BANNED);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_KILLED_ENDS);
        g_hash_table_iter_init(&iter, chains);
        while (g_hash_table_iter_next(&iter, (void **) &chain, NULL))
                pt_nft_batch_flush_chain(batch, TABLE, chain);
        fw_settings_drop(old, batch);
}

/* The openings of zones that go. Those of others are not the dispatch's, and stay as they are. */
static void drop_openings(FwStages *stages, const FwZones *zones, const FwZones *old)
{
        for (unsigned i = 0; i < old->n; i++) {
                const char *name = old->zones[i].name;
                g_autofree char *chain = fw_openings_chain(name);
                bool stays = false;

                for (unsigned k = 0; k < zones->n; k++)
                        stays = stays || strcmp(zones->zones[k].name, name) == 0;
                if (stays)
                        continue;
                pt_nft_batch_flush_chain(stages->after, TABLE, chain);
                pt_nft_batch_delete_chain(stages->after, TABLE, chain);
        }
}

/* The maps of before lead to the chains until they go, so chains that are not wanted any more go
 * after them. */
static void drop_rest(FwStages *stages, const FwDispatchTo *to, const FwZones *old,
                      GHashTable *chains)
{
        g_autoptr(GHashTable) wanted = chains_of(to);
        GHashTableIter iter;
        const char *chain;

        fw_stages_drop_unused(stages);
        g_hash_table_iter_init(&iter, chains);
        while (g_hash_table_iter_next(&iter, (void **) &chain, NULL))
                if (!g_hash_table_contains(wanted, chain))
                        pt_nft_batch_delete_chain(stages->after, TABLE, chain);
        drop_openings(stages, to->zones, old);
}

void fw_put_counted(PtNftBatch *batch, GHashTable *counts, struct nftnl_rule *rule, int verdict,
                    const char *target, const char *comment)
{
        const FwCount *count = counts ? g_hash_table_lookup(counts, comment) : NULL;

        pt_nft_counter(rule, count ? count->packets : 0, count ? count->bytes : 0);
        if (verdict != NFT_CONTINUE)
                pt_nft_verdict(rule, verdict, target);
        fw_finish(batch, rule, comment);
}

/* Where what others decide about ends: logged, if what no rule decides is. */
static void put_ends(const FwDispatch *dispatch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_BANNED);

        fw_settings_put_log(dispatch->zones, CHAIN_BANNED, FW_REASON_BAN, dispatch->batch);
        pt_nft_verdict(rule, NF_DROP, NULL);
        fw_finish(dispatch->batch, rule, "banned");
        fw_settings_put_log(dispatch->zones, CHAIN_KILLED_ENDS, FW_REASON_KILLED, dispatch->batch);
        rule = pt_nft_rule_new(TABLE, CHAIN_KILLED_ENDS);
        pt_nft_verdict(rule, NFT_GOTO, FW_CHAIN_REJECT);
        fw_finish(dispatch->batch, rule, FW_CHAIN_REJECT);
}

static void put_all(FwDispatch *dispatch)
{
        const FwZones *zones = dispatch->zones;
        PtNftBatch *batch = dispatch->batch;
        g_autoptr(GHashTable) ways = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        fw_settings_put(zones, dispatch->counts, dispatch->stages);
        fw_settings_put_log(zones, CHAIN_UNASSIGNED, FW_REASON_NO_ZONE, batch);
        fw_put_counted(batch, dispatch->counts, pt_nft_rule_new(TABLE, CHAIN_UNASSIGNED), NF_DROP,
                       NULL, "unassigned");
        put_ends(dispatch);
        dispatch->zoned = put_zoned(dispatch);
        put_ways(dispatch, ways);
        for (unsigned i = 0; i < zones->n; i++)
                put_zone(dispatch, i);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                put_hook(dispatch, i);
        fw_dispatch_put_nat(dispatch);
        fw_dispatch_put_fragments(dispatch);
}

void fw_ruleset_put_dispatch(const FwDispatchTo *to, const FwDispatchTo *old, GHashTable *counts,
                             FwStages *stages)
{
        FwDispatch dispatch = {.stages = stages,
                               .batch = stages->batch,
                               .zones = to->zones,
                               .pairs = to->pairs,
                               .nat = to->nat,
                               .counts = counts};
        g_autoptr(GHashTable) chains = NULL;

        if (!old) {
                put_all(&dispatch);
                return;
        }
        chains = chains_of(old);
        empty_dispatch(stages->batch, old->zones, chains);
        put_all(&dispatch);
        drop_rest(stages, to, old->zones, chains);
}

/* Counters. */

int fw_read_count(struct nftnl_rule *rule, void *userdata)
{
        GHashTable *counts = userdata;
        g_autofree char *comment = pt_nft_rule_comment(rule);
        FwCount count;

        if (comment && pt_nft_rule_counter(rule, &count.packets, &count.bytes)) {
                FwCount *sum = g_hash_table_lookup(counts, comment);

                if (sum) {
                        sum->packets += count.packets;
                        sum->bytes += count.bytes;
                } else {
                        g_hash_table_insert(counts, g_steal_pointer(&comment),
                                            g_memdup2(&count, sizeof(count)));
                }
        }
        return 0;
}

static int read_chain(PtNft *nft, const char *chain, bool partly, GHashTable *counts)
{
        int r = pt_nft_dump_rules(nft, TABLE, chain, fw_read_count, counts);

        return r == -ENOENT && partly ? 0 : r;
}

int fw_ruleset_read_fixed(PtNft *nft, const FwZones *zones, bool partly, GHashTable **ret)
{
        static const char *const fixed[] = {
                CHAIN_PROLOGUE,   CHAIN_PROLOGUE_LINK, CHAIN_PROLOGUE_INPUT, CHAIN_PROLOGUE_OUTPUT,
                CHAIN_INPUT,      CHAIN_FORWARD,       CHAIN_OUTPUT,         CHAIN_UNASSIGNED,
                CHAIN_MASQUERADE, FW_CHAIN_BANS,       FW_CHAIN_BANS_TO,     FW_CHAIN_KILLED,
                FW_CHAIN_OPEN_ANY};
        g_autoptr(GHashTable) counts =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        int r = 0;

        for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(fixed); i++)
                r = read_chain(nft, fixed[i], partly, counts);
        for (const char *const *chain = fw_panic_chains; r == 0 && *chain; chain++)
                r = read_chain(nft, *chain, true, counts); /* only while it is on */
        for (const char *const *chain = fw_settings_chains; r == 0 && *chain; chain++)
                if (fw_settings_has_chain(zones, *chain))
                        r = read_chain(nft, *chain, partly, counts);
        for (unsigned z = 0; r == 0 && z < zones->n; z++) {
                g_autofree char *opened = fw_openings_chain(zones->zones[z].name);

                r = read_chain(nft, opened, partly, counts);
                for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(hooks); i++) {
                        g_autofree char *chain =
                                fw_dispatch_zone_chain(hooks[i].prefix, zones->zones[z].name);

                        r = read_chain(nft, chain, partly, counts);
                }
        }
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&counts);
        return 0;
}
