/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the kernel answers: the first byte chooses who reads it, the rest is netlink messages. */

#include "counters.h"
#include "netlink/nft-expr.h"
#include "netlink/nft-reply.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_rule(struct nftnl_rule *rule, void *userdata)
{
        uint32_t len = 0;
        const void *userdata_ = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &len);
        g_autofree char *comment = pt_nft_rule_comment(rule);
        uint64_t packets, bytes;
        FwTag tag;

        (void) fw_tag_read(userdata_, len, &tag);
        (void) pt_nft_rule_counter(rule, &packets, &bytes);
        return 0;
}

static int read_element(struct nftnl_set_elem *element, void *userdata)
{
        uint32_t len = 0;
        const void *userdata_ = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &len);
        uint64_t packets, bytes;
        FwTag tag;

        (void) fw_tag_read(userdata_, len, &tag);
        (void) pt_nft_element_counter(element, &packets, &bytes);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static int (*const callbacks[])(const struct nlmsghdr *, void *) = {
                pt_nft_reply_generation,
                pt_nft_reply_rule,
                pt_nft_reply_elements,
                pt_nft_reply_name,
        };
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        PtNftReply reply = {.rule = read_rule,
                            .element = read_element,
                            .names = names,
                            .table = "patronus",
                            .name_attribute = NFTA_CHAIN_NAME};
        /* Messages are read in place, aligned, as from a socket. */
        g_autofree char *copy = NULL;
        int left;

        if (size < 1)
                return 0;
        copy = g_memdup2(data + 1, size - 1);
        left = (int) size - 1;
        for (const struct nlmsghdr *header = (const struct nlmsghdr *) (void *) copy;
             copy && mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                const char *chain, *set, *message;
                int type, error;

                if (header->nlmsg_len < NLMSG_LENGTH(4))
                        continue;
                (void) callbacks[data[0] % G_N_ELEMENTS(callbacks)](header, &reply);
                (void) pt_nft_reply_error(header, &error, &message);
                (void) pt_nft_reply_change(header, "patronus", &type, &chain, &set);
        }
        return 0;
}
