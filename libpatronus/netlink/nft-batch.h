/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A batch of nf_tables messages: one transaction, sent with one sendmsg (net/netfilter/nfnetlink.c
 * commits at NFNL_MSG_BATCH_END, or nothing). Tables are of the inet family, unless it is told
 * otherwise.
 *
 *         g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
 *         pt_nft_batch_add_table(batch, "patronus");
 *         pt_nft_batch_add_chain(batch, "patronus", "forward", &(PtNftHook){ ... });
 *         r = pt_nft_send(nft, batch, &error);
 *
 * Functions named add_* and so on only append to the buffer and cannot fail; the kernel's answer
 * comes with pt_nft_send(). Rules and elements are consumed (freed).
 */

#include "base/macros.h"
#include <libnftnl/rule.h>
#include <libnftnl/set.h>

typedef struct PtNftBatch PtNftBatch;

/* `generation`: the ruleset generation that the batch was made for; the kernel refuses it with
 * ERESTART when another transaction came between. 0: whatever there is. */
PtNftBatch *pt_nft_batch_new(uint32_t generation);
/* Of one that was made with another generation than 0. */
void pt_nft_batch_set_generation(PtNftBatch *batch, uint32_t generation);
void pt_nft_batch_free(PtNftBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtNftBatch, pt_nft_batch_free)

/* Of which family (NFPROTO_*) what comes next is; NFPROTO_INET at first. */
void pt_nft_batch_set_family(PtNftBatch *batch, uint8_t family);

size_t pt_nft_batch_size(const PtNftBatch *batch); /* bytes */
bool pt_nft_batch_is_empty(const PtNftBatch *batch);

typedef struct PtNftHook {
        const char *type; /* "filter", "nat" */
        uint32_t hook;    /* NF_INET_* */
        int32_t priority;
        uint32_t policy; /* NF_ACCEPT, NF_DROP */
} PtNftHook;

void pt_nft_batch_add_table(PtNftBatch *batch, const char *table);
void pt_nft_batch_delete_table(PtNftBatch *batch, const char *table);
void pt_nft_batch_add_chain(PtNftBatch *batch, const char *table, const char *chain,
                            const PtNftHook *hook); /* NULL: a regular chain */
void pt_nft_batch_delete_chain(PtNftBatch *batch, const char *table, const char *chain);
void pt_nft_batch_flush_chain(PtNftBatch *batch, const char *table, const char *chain);

void pt_nft_batch_append_rule(PtNftBatch *batch, struct nftnl_rule *rule);
void pt_nft_batch_insert_rule(PtNftBatch *batch, struct nftnl_rule *rule, uint64_t before);
void pt_nft_batch_replace_rule(PtNftBatch *batch, struct nftnl_rule *rule, uint64_t handle);
void pt_nft_batch_delete_rule(PtNftBatch *batch, const char *table, const char *chain,
                              uint64_t handle);

typedef struct PtNftSetSpec {
        const char *table, *name;
        uint32_t id; /* unique in the batch; what rules of the same batch refer to beside the name;
                        0: none */
        uint32_t flags;     /* NFT_SET_* */
        uint32_t key_type;  /* nft's datatype numbers, only for listings
                               (nftables/include/datatype.h) */
        uint32_t key_len;   /* bytes */
        uint32_t data_type; /* with NFT_SET_MAP; NFT_DATA_VERDICT for verdicts */
        uint32_t data_len;
        uint32_t size;      /* elements at most; 0: grows */
        uint64_t timeout;   /* of elements that say none, ms, with NFT_SET_TIMEOUT; 0: they stay */
        bool counter;       /* each element counts packets and bytes */
        bool data_interval; /* the data is two values, a range: for listings */
        const uint8_t *fields; /* of NFT_SET_CONCAT: bytes of each value of the key, which fills
                                  whole registers */
        unsigned n_fields;
} PtNftSetSpec;

void pt_nft_batch_add_set(PtNftBatch *batch, const PtNftSetSpec *spec);
void pt_nft_batch_delete_set(PtNftBatch *batch, const char *table, const char *set);
void pt_nft_batch_flush_set(PtNftBatch *batch, const char *table, const char *set);

/* Objects that rules refer to by name (pt_nft_object()). A helper of connection tracking, by the
 * name that the kernel has for it; -ENOENT when it has none. */
void pt_nft_batch_add_helper(PtNftBatch *batch, const char *table, const char *name,
                             const char *helper, uint8_t protocol);
/* As pt_nft_limit(), shared by all that refer to it. */
void pt_nft_batch_add_limit(PtNftBatch *batch, const char *table, const char *name, uint64_t count,
                            uint64_t seconds);
void pt_nft_batch_delete_object(PtNftBatch *batch, const char *table, const char *name,
                                uint32_t type); /* NFT_OBJECT_* */

/* Elements between begin and end go into as few messages as fit. */
void pt_nft_batch_elements_begin(PtNftBatch *batch, const char *table, const char *set,
                                 uint32_t set_id, bool remove);
/* After begin: elements that are there already stay as they are, and are no error. */
void pt_nft_batch_elements_may_exist(PtNftBatch *batch);
void pt_nft_batch_element(PtNftBatch *batch, struct nftnl_set_elem *element);
/* An element that is a key and nothing else: 16 bytes of message for an IPv4 address, and no
 * allocation. At most PT_NFT_KEY_MAX bytes. `flags`: NFT_SET_ELEM_INTERVAL_END or 0. */
#define PT_NFT_KEY_MAX 64
void pt_nft_batch_key(PtNftBatch *batch, const void *key, size_t len, uint32_t flags);
void pt_nft_batch_elements_end(PtNftBatch *batch);

/* For pt_nft_send(), once: closes the batch, numbers its messages from *sequence on and gives its
 * bytes; the last message before the end asks for an acknowledgement. The batch must hold a
 * message. */
const void *pt_nft_batch_finish(PtNftBatch *batch, uint32_t *sequence, size_t *ret_size,
                                uint32_t *ret_ack);
/* Names the object of the message with this sequence number: "rule FirewallRule/web in z_lan/wan".
 * The caller frees. */
char *pt_nft_batch_describe(const PtNftBatch *batch, uint32_t sequence);
