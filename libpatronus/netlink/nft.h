/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Talking to nf_tables: transactions, dumps of what is small (rules of a chain; never a large set),
 * single elements, the ruleset generation, and the monitor. Calls block for as long as the kernel
 * works on them; pt_nft_send_forked() does not.
 */

#include "netlink/nft-batch.h"
#include <systemd/sd-event.h>

typedef struct PtNft PtNft;

/* A socket in the namespace of `netns_fd` (negative: the process's own). The namespace is left as
 * it was. */
int pt_nft_open(int netns_fd, PtNft **ret);
void pt_nft_close(PtNft *nft);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtNft, pt_nft_close)
uint32_t pt_nft_port(const PtNft *nft); /* our netlink port, as the monitor reports it */

/*
 * Sends a batch (once). 0: the kernel has committed it. Else nothing of it is in force: -ERESTART
 * when the generation is another one (read again and retry), -EPERM, -ENOENT, -EBUSY ... ;
 * *ret_what (caller frees) names the object that the kernel refused, with its own words when it
 * gave any (NETLINK_EXT_ACK).
 */
int pt_nft_send(PtNft *nft, PtNftBatch *batch, char **ret_what);
/*
 * The same in a child that inherits socket and bytes, so that the loop goes on while the kernel
 * works. Takes the batch when it returns 0. `done` is called from the loop, or before the return when
 * the child cannot be watched. One at a time.
 */
typedef void (*PtNftDone)(int result, const char *what, void *userdata);
int pt_nft_send_forked(PtNft *nft, sd_event *event, PtNftBatch *batch, PtNftDone done,
                       void *userdata);

int pt_nft_generation(PtNft *nft, uint32_t *ret);

/* Each rule of a chain in order; `each` returns < 0 to stop. -ENOENT: no such table or chain.
 * -EINTR: another transaction came between (NLM_F_DUMP_INTR); throw away what was read and begin
 * again. */
int pt_nft_dump_rules(PtNft *nft, const char *table, const char *chain,
                      int (*each)(struct nftnl_rule *rule, void *userdata), void *userdata);
/* The same of a table of another family (NFPROTO_*). */
int pt_nft_dump_rules_of(PtNft *nft, uint8_t family, const char *table, const char *chain,
                         int (*each)(struct nftnl_rule *rule, void *userdata), void *userdata);
/* Each element of a set that is known to be small. */
int pt_nft_dump_elements(PtNft *nft, const char *table, const char *set,
                         int (*each)(struct nftnl_set_elem *element, void *userdata),
                         void *userdata);
/* One element by its key; -ENOENT. */
int pt_nft_get_element(PtNft *nft, const char *table, const char *set, const void *key,
                       uint32_t key_len,
                       int (*each)(struct nftnl_set_elem *element, void *userdata), void *userdata);
/* Several of one set, at most PT_NFT_GET_MAX, in the order of their keys: the kernel looks for the set
 * among all of the table once a request. -ENOENT: one is not there; those before it were handed to
 * `each`. */
#define PT_NFT_GET_MAX 32
int pt_nft_get_elements(PtNft *nft, const char *table, const char *set, const void *const *keys,
                        unsigned n, uint32_t key_len,
                        int (*each)(struct nftnl_set_elem *element, void *userdata),
                        void *userdata);
/* pt_nft_get_element() of an interval set with NFT_SET_ELEM_INTERVAL_END or 0: the element that begins or ends
 * the interval which the key is in, whose own key may be another one. */
int pt_nft_get_element_flags(PtNft *nft, const char *table, const char *set, const void *key,
                             uint32_t key_len, uint32_t flags,
                             int (*each)(struct nftnl_set_elem *element, void *userdata),
                             void *userdata);
/* How many entries a set has, intervals counted as one. -ENOENT; -ENODATA: the kernel does not say
 * (before Linux 6.17). */
int pt_nft_count_elements(PtNft *nft, const char *table, const char *set, uint32_t *ret);
/* Names of all sets (or chains) of a table, with nothing of what is in them. */
int pt_nft_list_sets(PtNft *nft, const char *table, GPtrArray **ret);
int pt_nft_list_chains(PtNft *nft, const char *table, GPtrArray **ret);
/* The same of a table of another family (NFPROTO_*). -ENOENT: no such table. */
int pt_nft_list_sets_of(PtNft *nft, uint8_t family, const char *table, GPtrArray **ret);
int pt_nft_list_chains_of(PtNft *nft, uint8_t family, const char *table, GPtrArray **ret);

/* A chain that the kernel calls by itself. */
typedef struct PtNftBaseChain {
        uint32_t hook; /* NF_INET_* */
        char *text;    /* "chain FORWARD of table ip docker, at forward with priority 0" */
} PtNftBaseChain;
/* Those of type filter of all tables of IP but the one of ours: PtNftBaseChain. */
int pt_nft_list_base_chains(PtNft *nft, const char *table, GPtrArray **ret);

/* Packets and bytes of a rule's or element's first counter; false: it has none. */
bool pt_nft_rule_counter(const struct nftnl_rule *rule, uint64_t *ret_packets, uint64_t *ret_bytes);
bool pt_nft_element_counter(struct nftnl_set_elem *element, uint64_t *ret_packets,
                            uint64_t *ret_bytes);

/*
 * The monitor: every change of the tables of one name of the families inet and bridge, in order. `type` is NFT_MSG_*; `port`
 * is the changer's netlink port; `chain` and `set` name what is touched, when the message says.
 * type -1: messages were lost (ENOBUFS), anything may have changed.
 */
typedef struct PtNftMonitor PtNftMonitor;
typedef void (*PtNftChanged)(int type, uint32_t port, const char *chain, const char *set,
                             void *userdata);
int pt_nft_monitor_new(int netns_fd, sd_event *event, const char *table, PtNftChanged changed,
                       void *userdata, PtNftMonitor **ret);
/* Tells what happened until now, without waiting for the event loop: the kernel sends a transaction's
 * messages before it acknowledges it. */
int pt_nft_monitor_hear(PtNftMonitor *monitor);
/*
 * Around a large transaction of one's own: whoever listens makes the kernel write a message for each
 * element, which takes longer than the transaction and overflows the buffer. Nothing is told
 * between the two; the caller compares generations (pt_nft_generation()) to know whether it has
 * missed anything. `missed`: it has; type -1 is told from the event loop.
 */
int pt_nft_monitor_pause(PtNftMonitor *monitor);
int pt_nft_monitor_resume(PtNftMonitor *monitor, bool missed);
void pt_nft_monitor_free(PtNftMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtNftMonitor, pt_nft_monitor_free)
