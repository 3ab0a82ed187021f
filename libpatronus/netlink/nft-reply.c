/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-reply.h"

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
            genmsg->nfgen_family != NFPROTO_INET)
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
