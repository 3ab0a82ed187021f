/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-reply.h"

#include "netlink/nft.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

static int stop(int r)
{
        errno = -r;
        return MNL_CB_ERROR;
}

int pt_nft_reply_generation(const struct nlmsghdr *header, void *reply)
{
        const struct nlattr *attr;

        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
                    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
                        ((PtNftReply *) reply)->generation = ntohl(mnl_attr_get_u32(attr));
        }
        return MNL_CB_STOP;
}

int pt_nft_reply_rule(const struct nlmsghdr *header, void *reply)
{
        PtNftReply *each = reply;
        struct nftnl_rule *rule = nftnl_rule_alloc();
        int r = rule && nftnl_rule_nlmsg_parse(header, rule) >= 0 ? 0 : -EBADMSG;

        if (r == 0)
                r = each->rule(rule, each->userdata);
        nftnl_rule_free(rule);
        return r < 0 ? stop(r) : MNL_CB_OK;
}

int pt_nft_reply_elements(const struct nlmsghdr *header, void *reply)
{
        PtNftReply *each = reply;
        struct nftnl_set *set = nftnl_set_alloc();
        int r = set && nftnl_set_elems_nlmsg_parse(header, set) >= 0 ? 0 : -EBADMSG;

        if (r == 0)
                r = nftnl_set_elem_foreach(set, each->element, each->userdata);
        nftnl_set_free(set);
        return r < 0 ? stop(r) : MNL_CB_OK;
}

static const char *string_of(const struct nlattr *attr)
{
        return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? NULL : mnl_attr_get_str(attr);
}

/* NFTA_SET_COUNT of linux/netfilter/nf_tables.h since 6.17, which is younger than the headers. */
#define SET_COUNT 20

int pt_nft_reply_count(const struct nlmsghdr *header, void *reply)
{
        PtNftReply *each = reply;
        const struct nlattr *attr;

        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(attr) != SET_COUNT ||
                    mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
                        continue;
                each->count = ntohl(mnl_attr_get_u32(attr));
                each->counted = true;
        }
        return MNL_CB_OK;
}

int pt_nft_reply_name(const struct nlmsghdr *header, void *reply)
{
        PtNftReply *each = reply;
        const struct nlattr *attr;
        const char *table = NULL, *name = NULL;

        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                /* The table's name is attribute 1 of sets and chains alike. */
                int type = mnl_attr_get_type(attr);

                if (type == NFTA_SET_TABLE)
                        table = string_of(attr);
                else if (type == each->name_attribute)
                        name = string_of(attr);
        }
        if (g_strcmp0(table, each->table) == 0 && name)
                g_ptr_array_add(each->names, g_strdup(name));
        return MNL_CB_OK;
}

static const char *family_name(int family)
{
        switch (family) {
        case NFPROTO_INET:
                return "inet";
        case NFPROTO_IPV4:
                return "ip";
        case NFPROTO_IPV6:
                return "ip6";
        default: /* not an enum of ours: arp, bridge, netdev */
                return NULL;
        }
}

/* Where a chain is hooked in; false: nowhere. */
static bool read_hook(const struct nlattr *nest, uint32_t *hook, int32_t *priority)
{
        const struct nlattr *attr;
        unsigned seen = 0;

        mnl_attr_for_each_nested(attr, nest)
        {
                if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
                        continue;
                if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM) {
                        *hook = ntohl(mnl_attr_get_u32(attr));
                        seen |= 1;
                } else if (mnl_attr_get_type(attr) == NFTA_HOOK_PRIORITY) {
                        *priority = (int32_t) ntohl(mnl_attr_get_u32(attr));
                        seen |= 2;
                }
        }
        return seen == 3;
}

int pt_nft_reply_base_chain(const struct nlmsghdr *header, void *reply)
{
        static const char *const hooks[] = {"prerouting", "input", "forward", "output",
                                            "postrouting"};
        const struct nfgenmsg *message = mnl_nlmsg_get_payload(header);
        const char *table = NULL, *name = NULL, *type = NULL;
        const char *family = family_name(message->nfgen_family);
        PtNftReply *each = reply;
        const struct nlattr *attr;
        uint32_t hook = UINT32_MAX;
        int32_t priority = 0;
        bool hooked = false;
        PtNftBaseChain *chain;

        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                int is = mnl_attr_get_type(attr);

                if (is == NFTA_CHAIN_TABLE)
                        table = string_of(attr);
                else if (is == NFTA_CHAIN_NAME)
                        name = string_of(attr);
                else if (is == NFTA_CHAIN_TYPE)
                        type = string_of(attr);
                else if (is == NFTA_CHAIN_HOOK && mnl_attr_validate(attr, MNL_TYPE_NESTED) >= 0)
                        hooked = read_hook(attr, &hook, &priority);
        }
        if (!family || !table || !name || !hooked || hook >= G_N_ELEMENTS(hooks) ||
            g_strcmp0(type, "filter") != 0 ||
            (message->nfgen_family == NFPROTO_INET && strcmp(table, each->table) == 0))
                return MNL_CB_OK;
        chain = g_new(PtNftBaseChain, 1);
        chain->hook = hook;
        chain->text = g_strdup_printf("chain %s of table %s %s, at %s with priority %d", name,
                                      family, table, hooks[hook], priority);
        g_ptr_array_add(each->names, chain);
        return MNL_CB_OK;
}

bool pt_nft_reply_error(const struct nlmsghdr *header, int *ret_error, const char **ret_message)
{
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);
        size_t offset = sizeof(*error);
        const struct nlattr *attr;

        if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < NLMSG_LENGTH(offset))
                return false;
        *ret_error = error->error;
        *ret_message = NULL;
        /* The attributes follow the header of the refused message, or with NLM_F_CAPPED off the
         * whole of it. */
        if (!(header->nlmsg_flags & NLM_F_CAPPED) && error->error != 0)
                offset += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
        if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || error->msg.nlmsg_len < NLMSG_HDRLEN ||
            header->nlmsg_len < NLMSG_LENGTH(offset))
                return true;
        mnl_attr_for_each(attr, header, (unsigned) offset)
        {
                if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
                        *ret_message = string_of(attr);
        }
        return true;
}

bool pt_nft_reply_change(const struct nlmsghdr *header, const char *table, int *ret_type,
                         const char **ret_chain, const char **ret_set)
{
        unsigned type = header->nlmsg_type & 0xff;
        const struct nfgenmsg *genmsg = mnl_nlmsg_get_payload(header);
        const char *names[4] = {NULL}; /* by attribute */
        const struct nlattr *attr;

        if (header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(*genmsg)) || type == NFT_MSG_NEWGEN ||
            (genmsg->nfgen_family != NFPROTO_INET && genmsg->nfgen_family != NFPROTO_BRIDGE))
                return false;
        /* 1 is the table everywhere; 2 the chain of a rule, the set, the set of elements; 3 the
         * name of a chain. */
        mnl_attr_for_each(attr, header, sizeof(*genmsg))
        {
                int number = mnl_attr_get_type(attr);

                if (number > 0 && (size_t) number < G_N_ELEMENTS(names))
                        names[number] = string_of(attr);
        }
        if (g_strcmp0(names[1], table) != 0)
                return false;
        *ret_type = (int) type;
        *ret_chain = type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN ? names[3]
                     : type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE ? names[2]
                                                                          : NULL;
        *ret_set = *ret_chain ? NULL : names[2];
        return true;
}

typedef struct Counter {
        uint64_t packets, bytes;
        bool found;
} Counter;

static int counter_cb(struct nftnl_expr *expr, void *userdata)
{
        Counter *counter = userdata;

        if (counter->found || g_strcmp0(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") != 0)
                return 0;
        counter->packets = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_PACKETS);
        counter->bytes = nftnl_expr_get_u64(expr, NFTNL_EXPR_CTR_BYTES);
        counter->found = true;
        return 0;
}

static bool counter_take(const Counter *counter, uint64_t *ret_packets, uint64_t *ret_bytes)
{
        if (counter->found) {
                *ret_packets = counter->packets;
                *ret_bytes = counter->bytes;
        }
        return counter->found;
}

bool pt_nft_rule_counter(const struct nftnl_rule *rule, uint64_t *ret_packets, uint64_t *ret_bytes)
{
        Counter counter = {0};

        /* The iterator does not change the rule; libnftnl's prototype lacks the const. */
        nftnl_expr_foreach((struct nftnl_rule *) (uintptr_t) rule, counter_cb, &counter);
        return counter_take(&counter, ret_packets, ret_bytes);
}

bool pt_nft_element_counter(struct nftnl_set_elem *element, uint64_t *ret_packets,
                            uint64_t *ret_bytes)
{
        Counter counter = {0};

        nftnl_set_elem_expr_foreach(element, counter_cb, &counter);
        return counter_take(&counter, ret_packets, ret_bytes);
}
