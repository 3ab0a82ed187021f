/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the kernel answers and tells, as far as we take it apart ourselves: the first byte chooses
 * who reads it, the rest is netlink messages, or the userdata of a rule. Rules and elements
 * themselves are read by libnftnl, which trusts the kernel: an expression without a name ends it.
 */

#include "counters.h"
#include "netlink/nft-expr.h"
#include "netlink/nft-reply.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_userdata(const char *data, size_t size)
{
        uint8_t out[NFT_USERDATA_MAXLEN], again[NFT_USERDATA_MAXLEN];
        size_t len, comment_len;
        const char *comment;
        FwTag tag, copy;
        g_autofree char *text = NULL;

        if (!fw_tag_read(data, size, &tag))
                return;
        comment = pt_nft_userdata_find(data, size, PT_NFT_UDATA_COMMENT, &comment_len);
        text = comment ? g_strndup(comment, comment_len) : NULL;
        /* What is read can be written, and is the same when it is read again. */
        len = pt_nft_userdata(text, &tag, sizeof(tag), out);
        if (!fw_tag_read(out, len, &copy) || memcmp(&tag, &copy, sizeof(tag)) != 0 ||
            pt_nft_userdata(text, &copy, sizeof(copy), again) != len ||
            memcmp(out, again, len) != 0)
                __builtin_trap();
}

static void base_chain_free(void *p)
{
        PtNftBaseChain *chain = p;

        g_free(chain->text);
        g_free(chain);
}

static void read_messages(char *data, size_t size, unsigned choice)
{
        static int (*const callbacks[])(const struct nlmsghdr *, void *) = {
                pt_nft_reply_generation,
                pt_nft_reply_name,
                pt_nft_reply_base_chain,
                pt_nft_reply_count,
        };
        int (*callback)(const struct nlmsghdr *, void *) =
                callbacks[choice % G_N_ELEMENTS(callbacks)];
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(
                callback == pt_nft_reply_base_chain ? base_chain_free : g_free);
        PtNftReply reply = {.names = names, .table = "patronus", .name_attribute = NFTA_CHAIN_NAME};
        int left = (int) size;

        for (const struct nlmsghdr *header = (const struct nlmsghdr *) (void *) data;
             pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                const char *chain, *set, *message;
                int type, error;

                if (header->nlmsg_len < NLMSG_LENGTH(4))
                        continue;
                (void) callback(header, &reply);
                if (pt_nft_reply_error(header, &error, &message) && message)
                        (void) strlen(message);
                if (pt_nft_reply_change(header, "patronus", &type, &chain, &set) && chain)
                        (void) strlen(chain);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* Messages are read in place, aligned, as from a socket. */
        g_autofree char *copy = size > 1 ? g_memdup2(data + 1, size - 1) : NULL;

        if (!copy)
                return 0;
        if (data[0] % 3 == 2)
                read_userdata(copy, size - 1);
        else
                read_messages(copy, size - 1, data[0]);
        return 0;
}
