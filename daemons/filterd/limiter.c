/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "limiter.h"

#include "base/digest.h"
#include "filter/reason.h"
#include "ruleset-internal.h"

#include <linux/netfilter.h>
#include <string.h>

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8 };
/* A source whose rate has long refilled is forgotten, and so much later. */
#define RATE_GRACE_SEC 60U

static const int families[] = {AF_INET, AF_INET6};
static const FwSetPart parts[] = {FW_SET_IPV4, FW_SET_IPV6};
#define FAMILIES G_N_ELEMENTS(families)

typedef struct Target {
        char *sets[FAMILIES]; /* NULL: nothing is added */
        uint64_t msec;        /* 0: as the set says */
} Target;

struct FwLimiter {
        FwLimits limits; /* numbers only */
        Target overload, source, destination;
        char *log_rate;
        char *comment; /* "limit/FirewallRule/web" */
        char *chain;
        unsigned refs;
};

static bool has(const FwLimiter *limiter, unsigned row)
{
        return (limiter->limits.present & UINT64_C(1) << row) != 0;
}

static void set_target(Target *target, const char *alias, uint64_t usec, const FwSets *sets)
{
        for (unsigned i = 0; alias && i < FAMILIES; i++)
                target->sets[i] = g_strdup(fw_sets_name(sets, alias, parts[i]));
        target->msec = usec / 1000;
}

static void describe_target(const Target *target, GString *out)
{
        g_string_append_printf(out, "/%s/%" PRIu64, target->sets[0] ?: "", target->msec);
}

/* All that the chain does, as a text of which the name has the digest. */
static void name_chain(FwLimiter *limiter, const FirewallRule *rule)
{
        const FwLimits *l = &limiter->limits;
        g_autoptr(GString) text = g_string_new(NULL);
        PtDigest digest;

        g_string_append_printf(text, "%" PRIu64 "/%u/%u/%u/%u/%u/%u/%u/%s", l->present,
                               l->connections, l->connections_per_source, l->rate.count,
                               l->rate.seconds, l->rate_per_source.count,
                               l->rate_per_source.seconds, l->burst, limiter->log_rate ?: "");
        describe_target(&limiter->overload, text);
        describe_target(&limiter->source, text);
        describe_target(&limiter->destination, text);
        pt_digest_of(text->str, text->len, &digest);
        limiter->chain = g_strdup_printf("c_%s/%s/%02x%02x%02x%02x", rule->object.kind->name,
                                         rule->object.name, digest.bytes[0], digest.bytes[1],
                                         digest.bytes[2], digest.bytes[3]);
}

bool fw_limiter_needed(const FirewallRule *rule)
{
        return (fw_rule_limits(rule) || fw_rule_adds(rule)) &&
               fw_rule_box(rule)->mode != FW_MODE_AUDIT;
}

FwLimiter *fw_limiter_new(const FirewallRule *rule, const FwSets *sets, const char *log_rate)
{
        const FwRuleBox *box = fw_rule_box(rule);
        FwLimiter *limiter;

        if (!fw_limiter_needed(rule))
                return NULL;
        limiter = g_new0(FwLimiter, 1);
        limiter->refs = 1;
        limiter->limits = box->limits;
        limiter->limits.overload = NULL;
        limiter->log_rate = g_strdup(log_rate);
        limiter->comment =
                g_strdup_printf("limit/%s/%s", rule->object.kind->name, rule->object.name);
        set_target(&limiter->overload, box->limits.overload, box->limits.overload_for, sets);
        set_target(&limiter->source, box->add_source.alias, box->add_source.timeout, sets);
        set_target(&limiter->destination, box->add_destination.alias, box->add_destination.timeout,
                   sets);
        name_chain(limiter, rule);
        return limiter;
}

FwLimiter *fw_limiter_ref(FwLimiter *limiter)
{
        limiter->refs++;
        return limiter;
}

static void target_done(Target *target)
{
        for (unsigned i = 0; i < FAMILIES; i++)
                g_free(target->sets[i]);
}

void fw_limiter_unref(FwLimiter *limiter)
{
        if (!limiter || --limiter->refs > 0)
                return;
        target_done(&limiter->overload);
        target_done(&limiter->source);
        target_done(&limiter->destination);
        g_free(limiter->log_rate);
        g_free(limiter->comment);
        g_free(limiter->chain);
        g_free(limiter);
}

const char *fw_limiter_chain(const FwLimiter *limiter)
{
        return limiter->chain;
}

char *fw_limiter_counted_chain(const FwLimiter *limiter)
{
        return g_strconcat(limiter->chain, "/drop", NULL);
}

static char *over_chain(const FwLimiter *limiter)
{
        return g_strconcat(limiter->chain, "/over", NULL);
}

/* "q4_FirewallRule/web/0a1b2c3d" */
static char *set_name(const FwLimiter *limiter, char sort, unsigned family)
{
        return g_strdup_printf("%c%c_%s", sort, family == 0 ? '4' : '6',
                               limiter->chain + strlen("c_"));
}

static uint32_t burst_of(const FwLimiter *limiter, const PtRate *rate)
{
        return has(limiter, FW_LIMIT_BURST) ? limiter->limits.burst
                                            : MIN(rate->count, FW_BURST_DEFAULT);
}

/* A rule for packets of a family, with one of their addresses in the first register. */
static struct nftnl_rule *address_rule(const char *chain, unsigned family, bool destination)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        bool four = families[family] == AF_INET;
        uint32_t size = four ? 4 : 16, offset = four ? 12 : 8;

        fw_match_family(rule, families[family]);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset + (destination ? size : 0), size,
                       PT_REG(REG_DATA));
        return rule;
}

/* An addition that finds the set full ends its rule and not the packet's way. */
static void put_target(const Target *target, const char *chain, bool destination,
                       const char *comment, PtNftBatch *batch)
{
        for (unsigned i = 0; target->sets[0] && i < FAMILIES; i++) {
                struct nftnl_rule *rule = address_rule(chain, i, destination);

                pt_nft_dynset(rule, NFT_DYNSET_OP_UPDATE, PT_REG(REG_DATA), target->sets[i],
                              target->msec, NULL);
                fw_finish(batch, rule, comment);
        }
}

static void put_set(const char *name, unsigned family, bool timeout, PtNftBatch *batch)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = name,
                .flags = NFT_SET_EVAL | (timeout ? NFT_SET_TIMEOUT : 0),
                .key_type = families[family] == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR,
                .key_len = families[family] == AF_INET ? 4 : 16,
                .size = FW_LIMIT_SOURCES_MAX,
        };

        pt_nft_batch_add_set(batch, &spec);
}

static void put_drop(const FwLimiter *limiter, const char *chain, GHashTable *counts,
                     PtNftBatch *batch)
{
        pt_nft_batch_add_chain(batch, TABLE, chain, NULL);
        if (limiter->log_rate) {
                struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

                pt_nft_object(rule, NFT_OBJECT_LIMIT, limiter->log_rate);
                pt_nft_log(rule, PT_MARK_NFLOG_GROUP, fw_reason_prefix(FW_REASON_LIMIT));
                fw_finish(batch, rule, "log");
        }
        fw_put_counted(batch, counts, pt_nft_rule_new(TABLE, chain), NF_DROP, NULL,
                       limiter->comment);
}

static void put_connections(const FwLimiter *limiter, const char *over, const char *drop,
                            PtNftBatch *batch)
{
        struct nftnl_rule *rule;

        for (unsigned i = 0; has(limiter, FW_LIMIT_CONNECTIONS_PER_SOURCE) && i < FAMILIES; i++) {
                g_autofree char *set = set_name(limiter, 'q', i);

                put_set(set, i, false, batch);
                rule = address_rule(limiter->chain, i, false);
                pt_nft_dynset(rule, NFT_DYNSET_OP_ADD, PT_REG(REG_DATA), set, 0,
                              pt_nft_connlimit_new(limiter->limits.connections_per_source));
                pt_nft_verdict(rule, NFT_GOTO, over);
                fw_finish(batch, rule, "connectionsPerSource");
        }
        if (!has(limiter, FW_LIMIT_CONNECTIONS))
                return;
        rule = pt_nft_rule_new(TABLE, limiter->chain);
        nftnl_rule_add_expr(rule, pt_nft_connlimit_new(limiter->limits.connections));
        pt_nft_verdict(rule, NFT_GOTO, drop);
        fw_finish(batch, rule, "connections");
}

static void put_rates(const FwLimiter *limiter, const char *over, const char *drop,
                      PtNftBatch *batch)
{
        const PtRate *rate = &limiter->limits.rate_per_source;
        struct nftnl_rule *rule;

        for (unsigned i = 0; has(limiter, FW_LIMIT_RATE_PER_SOURCE) && i < FAMILIES; i++) {
                g_autofree char *set = set_name(limiter, 'r', i);
                uint32_t burst = burst_of(limiter, rate);
                uint64_t refill = (uint64_t) burst * rate->seconds / rate->count;

                put_set(set, i, true, batch);
                rule = address_rule(limiter->chain, i, false);
                pt_nft_dynset(rule, NFT_DYNSET_OP_UPDATE, PT_REG(REG_DATA), set,
                              (refill + rate->seconds + RATE_GRACE_SEC) * 1000,
                              pt_nft_limit_over_new(rate->count, rate->seconds, burst));
                pt_nft_verdict(rule, NFT_GOTO, over);
                fw_finish(batch, rule, "ratePerSource");
        }
        if (!has(limiter, FW_LIMIT_RATE))
                return;
        rate = &limiter->limits.rate;
        rule = pt_nft_rule_new(TABLE, limiter->chain);
        nftnl_rule_add_expr(
                rule, pt_nft_limit_over_new(rate->count, rate->seconds, burst_of(limiter, rate)));
        pt_nft_verdict(rule, NFT_GOTO, drop);
        fw_finish(batch, rule, "rate");
}

/* Those per source come first, so that one source that has too much takes nothing from the others;
 * and connections before rates, so that what does not come about is no part of a rate. */
void fw_limiter_put(const FwLimiter *limiter, GHashTable *counts, PtNftBatch *batch)
{
        g_autofree char *drop = fw_limiter_counted_chain(limiter), *over = over_chain(limiter);
        bool overloads = limiter->overload.sets[0];

        put_drop(limiter, drop, counts, batch);
        if (overloads) {
                struct nftnl_rule *rule = pt_nft_rule_new(TABLE, over);

                pt_nft_batch_add_chain(batch, TABLE, over, NULL);
                put_target(&limiter->overload, over, false, "overload", batch);
                pt_nft_verdict(rule, NFT_GOTO, drop);
                fw_finish(batch, rule, "drop");
        }
        pt_nft_batch_add_chain(batch, TABLE, limiter->chain, NULL);
        put_connections(limiter, overloads ? over : drop, drop, batch);
        put_rates(limiter, overloads ? over : drop, drop, batch);
        put_target(&limiter->source, limiter->chain, false, "addSource", batch);
        put_target(&limiter->destination, limiter->chain, true, "addDestination", batch);
}

static void drop_chain(const char *chain, PtNftBatch *batch)
{
        pt_nft_batch_flush_chain(batch, TABLE, chain);
        pt_nft_batch_delete_chain(batch, TABLE, chain);
}

void fw_limiter_drop(const FwLimiter *limiter, PtNftBatch *batch)
{
        g_autofree char *drop = fw_limiter_counted_chain(limiter), *over = over_chain(limiter);

        drop_chain(limiter->chain, batch);
        if (limiter->overload.sets[0])
                drop_chain(over, batch);
        drop_chain(drop, batch);
        for (unsigned i = 0; i < FAMILIES; i++) {
                g_autofree char *connections = set_name(limiter, 'q', i),
                                *rates = set_name(limiter, 'r', i);

                if (has(limiter, FW_LIMIT_CONNECTIONS_PER_SOURCE))
                        pt_nft_batch_delete_set(batch, TABLE, connections);
                if (has(limiter, FW_LIMIT_RATE_PER_SOURCE))
                        pt_nft_batch_delete_set(batch, TABLE, rates);
        }
}
