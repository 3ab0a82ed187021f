/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Private to this folder: what the kernel answers and tells, taken apart. Nothing here talks to a
 * socket, so that the fuzzer can feed it.
 */

#include "netlink/nft.h"
#include <libmnl/libmnl.h>

/* What a callback below hands a message to, and what it collects. */
typedef struct PtNftReply {
        int (*rule)(struct nftnl_rule *rule, void *userdata);
        int (*element)(struct nftnl_set_elem *element, void *userdata);
        void *userdata;
        GPtrArray *names; /* char *: of the objects of `table` */
        const char *table;
        int name_attribute; /* NFTA_SET_NAME or NFTA_CHAIN_NAME */
        uint32_t generation;
        uint32_t count; /* of a set's entries, when `counted` */
        bool counted;
} PtNftReply;

/* A whole message is at `header`, `left` bytes before the end. mnl_nlmsg_ok() takes lengths above 2
 * GiB for negative ones, and lets them pass; mnl_attr_for_each() goes on to the padding of the last
 * attribute, which has to be there too: the kernel pads each (nla_put() in lib/nlattr.c). */
static inline bool pt_nft_reply_ok(const struct nlmsghdr *header, int left)
{
        return mnl_nlmsg_ok(header, left) && header->nlmsg_len <= (unsigned) left &&
               (size_t) NLMSG_ALIGN(header->nlmsg_len) <= (size_t) left;
}

/* For mnl_cb_run(), with a PtNftReply as data. */
int pt_nft_reply_generation(const struct nlmsghdr *header, void *reply);
int pt_nft_reply_rule(const struct nlmsghdr *header, void *reply);
int pt_nft_reply_elements(const struct nlmsghdr *header, void *reply);
int pt_nft_reply_count(const struct nlmsghdr *header, void *reply);
int pt_nft_reply_name(const struct nlmsghdr *header, void *reply);
/* Into `names`: PtNftBaseChain, of other tables than `table`. */
int pt_nft_reply_base_chain(const struct nlmsghdr *header, void *reply);

/* true: the message is an error or an acknowledgement (0); *ret_message is the kernel's own
 * sentence in it (NLMSGERR_ATTR_MSG), or NULL. */
bool pt_nft_reply_error(const struct nlmsghdr *header, int *ret_error, const char **ret_message);

/* true: the message tells of a change of `table`; see PtNftChanged. */
bool pt_nft_reply_change(const struct nlmsghdr *header, const char *table, int *ret_type,
                         const char **ret_chain, const char **ret_set);
