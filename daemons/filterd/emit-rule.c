/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "emit-rule.h"

#include "base/marks.h"
#include "marks.h"
#include "nat-emit.h"
#include "nat.h"
#include "objects.h"
#include "ruleset.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#define TABLE PT_MARK_NFT_TABLE
/* What the router announces in place of a server: the least that both families have on Ethernet, and
 * what Linux has by default (net/ipv4/tcp.c: of 6 MB). */
#define PROXY_MSS 1440
#define PROXY_WINDOW_SCALE 7

int fw_rule_verdict(const FirewallRule *rule, const char **ret_chain)
{
        *ret_chain = NULL;
        switch ((FwAction) rule->action) {
        case FW_ALLOW:
                return NF_ACCEPT;
        case FW_DROP:
                return NF_DROP;
        case FW_REJECT:
                *ret_chain = FW_CHAIN_REJECT;
                return NFT_GOTO;
        case FW_CONTINUE:
                return NFT_CONTINUE;
        case FW_ACTION_MAX:
        case FW_ACTION_INVALID:
                break;
        }
        g_assert_not_reached();
}

size_t fw_rule_userdata(const FirewallRule *rule, unsigned part, bool carried,
                        uint8_t ret[static NFT_USERDATA_MAXLEN])
{
        g_autofree char *comment =
                g_strdup_printf("%s/%s", rule->object.kind->name, rule->object.name);
        FwTag tag;

        fw_tag_of(rule, part, carried, &tag);
        return pt_nft_userdata(comment, &tag, sizeof(tag), ret);
}

unsigned fw_rule_part_numbers(const FirewallRule *rule, unsigned part,
                              unsigned ret[static FW_PART_RULES_MAX])
{
        unsigned n = 0;

        if (fw_limiter_needed(rule))
                ret[n++] = part | FW_PART_LIMIT;
        if (fw_marks_connection(rule))
                ret[n++] = part | FW_PART_SET;
        if (fw_rule_logs(rule))
                ret[n++] = part | FW_PART_LOG;
        ret[n++] = part;
        if (fw_rule_proxies(rule))
                ret[n++] = part | FW_PART_PASS;
        return n;
}

static void put_log(const FirewallRule *rule, struct nftnl_rule *r)
{
        g_autofree char *rate = fw_object_rate_name(rule), *prefix = fw_log_prefix(rule);

        pt_nft_object(r, NFT_OBJECT_LIMIT, rate);
        pt_nft_log(r, PT_MARK_NFLOG_GROUP, prefix);
}

/* What is beyond them does not come back. */
static void put_limits(const FirewallRule *rule, const FwSets *sets, struct nftnl_rule *r)
{
        g_autoptr(FwLimiter) limiter = fw_object_limiter(rule, sets);

        pt_nft_verdict(r, NFT_JUMP, fw_limiter_chain(limiter));
}

/* Answers for the server, unless the destination was translated: the client's answer would not be,
 * since no connection is known yet. Which of TCP's packets it takes, and that others belong to
 * nothing, is the kernel's (net/netfilter/nft_synproxy.c). */
static void put_proxy(struct nftnl_rule *r)
{
        const uint32_t translated = IPS_DST_NAT, none = 0;

        pt_nft_ct(r, NFT_CT_STATUS, PT_REG(0));
        pt_nft_mask(r, PT_REG(0), &translated, sizeof(translated));
        pt_nft_cmp(r, PT_REG(0), NFT_CMP_EQ, &none, sizeof(none));
        pt_nft_synproxy(r, PROXY_MSS, PROXY_WINDOW_SCALE);
        pt_nft_verdict(r, NF_DROP, NULL);
}

static void put_reject(FwRejectWith with, struct nftnl_rule *r)
{
        static const uint8_t codes[FW_REJECT_WITH_MAX] = {
                [FW_REJECT_PORT_UNREACHABLE] = NFT_REJECT_ICMPX_PORT_UNREACH,
                [FW_REJECT_HOST_UNREACHABLE] = NFT_REJECT_ICMPX_HOST_UNREACH,
                [FW_REJECT_NET_UNREACHABLE] = NFT_REJECT_ICMPX_NO_ROUTE,
                [FW_REJECT_ADMIN_PROHIBITED] = NFT_REJECT_ICMPX_ADMIN_PROHIBITED,
                [FW_REJECT_NO_ROUTE] = NFT_REJECT_ICMPX_NO_ROUTE,
        };

        if (with == FW_REJECT_TCP_RESET)
                pt_nft_reject(r, NFT_REJECT_TCP_RST, 0);
        else
                pt_nft_reject(r, NFT_REJECT_ICMPX_UNREACH, codes[with]);
}

/* Connections get the helper before they are confirmed: in the rule that lets their first packet
 * pass. What decides nothing goes on, from a chain of its own where it is several (fw_match_alone()).
 */
static void put_decision(const FwRulePart *part, const FwMatch *match, struct nftnl_rule *r)
{
        const char *target;
        int verdict = fw_rule_verdict(part->rule, &target);

        pt_nft_counter(r, part->count.packets, part->count.bytes);
        fw_marks_put_packet(part->rule, match->family, r);
        if (!fw_rule_decides(part->rule)) {
                if (fw_match_alone(part->rule))
                        pt_nft_verdict(r, NFT_RETURN, NULL);
                return;
        }
        if (match->helper != FW_HELPER_INVALID) {
                g_autofree char *helper =
                        fw_object_helper_name((FwHelper) match->helper, match->protocol);

                pt_nft_object(r, NFT_OBJECT_CT_HELPER, helper);
        }
        if (fw_rule_proxies(part->rule))
                put_proxy(r);
        else if (fw_rule_box(part->rule)->reject_with != FW_REJECT_DEFAULT)
                put_reject((FwRejectWith) fw_rule_box(part->rule)->reject_with, r);
        else
                pt_nft_verdict(r, verdict, target);
}

struct nftnl_rule *fw_rule_new(const FwRulePart *part, const FwPutWith *with, PtNftBatch *batch,
                               uint32_t *set_id)
{
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, part->chain);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        FwMatch match;

        fw_match_part(part->rule,
                      part->part & ~(FW_PART_LOG | FW_PART_SET | FW_PART_LIMIT | FW_PART_PASS),
                      &match);
        fw_match_put(&match, TABLE, with, batch, set_id, r);
        if (part->part & FW_PART_LIMIT)
                put_limits(part->rule, with->sets, r);
        else if (part->part & FW_PART_SET)
                fw_marks_put_connection(part->rule, with->tags, r);
        else if (part->part & FW_PART_PASS)
                pt_nft_verdict(r, NF_ACCEPT, NULL);
        else if (part->part & FW_PART_LOG)
                put_log(part->rule, r);
        else if (fw_nat_of(part->rule, NULL))
                fw_nat_put(&match, TABLE, batch, set_id, &part->count, r);
        else
                put_decision(part, &match, r);
        nftnl_rule_set_data(
                r, NFTNL_RULE_USERDATA, userdata,
                (uint32_t) fw_rule_userdata(part->rule, part->part, part->carried, userdata));
        return r;
}
