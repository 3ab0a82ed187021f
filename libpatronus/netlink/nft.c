/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft.h"

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define RECEIVE_SIZE (64U * 1024U)
/* A transaction is one datagram; unprivileged limits end at 212 kB. */
#define SEND_BUFFER (1U << 30)
/* Errors of a bad batch arrive one each; what does not fit is of no use to a reader. */
#define RECEIVE_BUFFER (4U << 20)

struct PtNft {
        struct mnl_socket *socket;
        uint32_t sequence;
        char *buffer;

        /* A forked transaction under way. */
        sd_event_source *child;
        PtNftBatch *batch;
        uint32_t ack;
        PtNftDone done;
        void *userdata;
};

static int enter_namespace(int netns_fd, int *ret_previous)
{
        pt_auto_fd int own = -EBADF;
        struct stat wanted, current;

        if (netns_fd < 0)
                return 0;
        own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (own < 0 || fstat(own, &current) < 0 || fstat(netns_fd, &wanted) < 0)
                return -errno;
        if (current.st_ino == wanted.st_ino && current.st_dev == wanted.st_dev)
                return 0; /* needs no CAP_SYS_ADMIN */
        if (setns(netns_fd, CLONE_NEWNET) < 0)
                return -errno;
        *ret_previous = pt_steal_fd(&own);
        return 0;
}

int pt_netlink_socket_open(int family, int netns_fd, unsigned groups, struct mnl_socket **ret)
{
        pt_auto_fd int previous = -EBADF;
        struct mnl_socket *socket;
        int r, one = 1, size = RECEIVE_BUFFER;

        r = enter_namespace(netns_fd, &previous);
        if (r < 0)
                return r;
        socket = mnl_socket_open2(family, SOCK_CLOEXEC);
        r = socket ? 0 : -errno;
        if (previous >= 0 && setns(previous, CLONE_NEWNET) < 0)
                g_error("cannot return to the network namespace: %m");
        if (r < 0)
                return r;

        (void) mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &one, sizeof(one));
        (void) mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &one, sizeof(one));
        (void) setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
                          sizeof(size));
        if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
                r = -errno;
                mnl_socket_close(socket);
                return r;
        }
        *ret = socket;
        return 0;
}

int pt_nft_socket_open(int netns_fd, unsigned groups, struct mnl_socket **ret)
{
        return pt_netlink_socket_open(NETLINK_NETFILTER, netns_fd, groups, ret);
}

int pt_nft_open(int netns_fd, PtNft **ret)
{
        g_autoptr(PtNft) nft = g_new0(PtNft, 1);
        int size = SEND_BUFFER;
        int r;

        r = pt_nft_socket_open(netns_fd, 0, &nft->socket);
        if (r < 0)
                return r;
        if (setsockopt(mnl_socket_get_fd(nft->socket), SOL_SOCKET, SO_SNDBUFFORCE, &size,
                       sizeof(size)) < 0)
                return -errno; /* -EPERM: no CAP_NET_ADMIN in the namespace's user namespace */
        nft->buffer = g_malloc(RECEIVE_SIZE);
        nft->sequence = 1;
        *ret = g_steal_pointer(&nft);
        return 0;
}

void pt_nft_close(PtNft *nft)
{
        if (!nft)
                return;
        sd_event_source_disable_unref(nft->child);
        pt_nft_batch_free(nft->batch);
        if (nft->socket)
                mnl_socket_close(nft->socket);
        g_free(nft->buffer);
        g_free(nft);
}

uint32_t pt_nft_port(const PtNft *nft)
{
        return mnl_socket_get_portid(nft->socket);
}

/* All answers are queued when sendmsg returns: the kernel works in the sender's context
 * (nfnetlink_rcv_batch). */
static int collect(PtNft *nft, const PtNftBatch *batch, uint32_t ack, char **ret_what)
{
        int result = -ENOMSG; /* neither error nor acknowledgement: the kernel dropped the batch */
        bool failed = false;

        for (;;) {
                ssize_t n = recv(mnl_socket_get_fd(nft->socket), nft->buffer, RECEIVE_SIZE,
                                 MSG_DONTWAIT);
                int left = (int) n;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == ENOBUFS) {
                        result = failed ? result : -ENOBUFS;
                        continue;
                }
                if (n < 0)
                        return errno == EAGAIN ? result : -errno;

                for (const struct nlmsghdr *header = (const struct nlmsghdr *) nft->buffer;
                     pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                        const char *message;
                        int error;

                        if (!pt_nft_reply_error(header, &error, &message))
                                continue;
                        if (error == 0) {
                                if (!failed && header->nlmsg_seq == ack)
                                        result = 0;
                                continue;
                        }
                        if (failed)
                                continue; /* the first error is the cause */
                        failed = true;
                        result = error;
                        if (ret_what) {
                                g_autofree char *what =
                                        pt_nft_batch_describe(batch, header->nlmsg_seq);

                                *ret_what = message ? g_strdup_printf("%s (%s)", what, message)
                                                    : g_steal_pointer(&what);
                        }
                }
        }
}

int pt_nft_send(PtNft *nft, PtNftBatch *batch, char **ret_what)
{
        size_t size;
        uint32_t ack;
        const void *data = pt_nft_batch_finish(batch, &nft->sequence, &size, &ack);

        if (nft->child)
                return -EBUSY;
        if (mnl_socket_sendto(nft->socket, data, size) < 0)
                return -errno;
        return collect(nft, batch, ack, ret_what);
}

/* The answers say what the kernel did, also for a child that was killed; its exit code is the errno of
 * a sendmsg that did not reach the kernel. */
static void settle(PtNft *nft, int exit_code)
{
        g_autoptr(PtNftBatch) batch = g_steal_pointer(&nft->batch);
        g_autofree char *what = NULL;
        int r = collect(nft, batch, nft->ack, &what);

        nft->child = sd_event_source_disable_unref(nft->child);
        nft->done(r == -ENOMSG && exit_code != 0 ? -exit_code : r, what, nft->userdata);
}

static int child_ended(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        settle(userdata, si->si_code == CLD_EXITED ? si->si_status : 0);
        return 0;
}

int pt_nft_send_forked(PtNft *nft, sd_event *event, PtNftBatch *batch, PtNftDone done,
                       void *userdata)
{
        const void *data;
        size_t size;
        pid_t pid;
        int r;

        if (nft->child)
                return -EBUSY;
        data = pt_nft_batch_finish(batch, &nft->sequence, &size, &nft->ack);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(mnl_socket_sendto(nft->socket, data, size) < 0 ? errno : 0);

        nft->batch = batch;
        nft->done = done;
        nft->userdata = userdata;
        r = sd_event_add_child(event, &nft->child, pid, WEXITED, child_ended, nft);
        if (r < 0) {
                /* What is on its way cannot be called back: wait for it here. */
                int status = 0;

                (void) waitpid(pid, &status, 0);
                settle(nft, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
        }
        return 0;
}

/* After an error in the middle of a dump: what is still to come must not be taken for the next
 * answer. */
static void drain(PtNft *nft)
{
        while (recv(mnl_socket_get_fd(nft->socket), nft->buffer, RECEIVE_SIZE, MSG_DONTWAIT) > 0)
                ;
}

/* Sends a request and hands each answer to `each`; 0, or the kernel's or each's error. */
static int talk(PtNft *nft, struct nlmsghdr *request, mnl_cb_t each, void *userdata)
{
        uint32_t sequence = request->nlmsg_seq = nft->sequence++;
        ssize_t n;
        int r;

        if (nft->child)
                return -EBUSY;
        if (mnl_socket_sendto(nft->socket, request, request->nlmsg_len) < 0)
                return -errno;
        do {
                n = mnl_socket_recvfrom(nft->socket, nft->buffer, RECEIVE_SIZE);
                if (n < 0)
                        return -errno;
                r = mnl_cb_run(nft->buffer, (size_t) n, sequence, pt_nft_port(nft), each, userdata);
        } while (r > 0);
        if (r < 0) {
                r = -errno;
                drain(nft);
        }
        return r;
}

static struct nlmsghdr *request_of(char *buffer, uint8_t family, uint16_t type, uint16_t flags)
{
        return nftnl_nlmsg_build_hdr(buffer, type, family, flags, 0);
}

static struct nlmsghdr *request_new(char *buffer, uint16_t type, uint16_t flags)
{
        return request_of(buffer, NFPROTO_INET, type, flags);
}

int pt_nft_generation(PtNft *nft, uint32_t *ret)
{
        char buffer[MNL_NLMSG_HDRLEN + 64];
        PtNftReply reply = {0};
        int r;

        r = talk(nft, request_new(buffer, NFT_MSG_GETGEN, 0), pt_nft_reply_generation, &reply);
        if (r == 0)
                *ret = reply.generation;
        return r;
}

int pt_nft_dump_rules(PtNft *nft, const char *table, const char *chain,
                      int (*rule)(struct nftnl_rule *rule, void *userdata), void *userdata)
{
        return pt_nft_dump_rules_of(nft, NFPROTO_INET, table, chain, rule, userdata);
}

int pt_nft_dump_rules_of(PtNft *nft, uint8_t family, const char *table, const char *chain,
                         int (*rule)(struct nftnl_rule *rule, void *userdata), void *userdata)
{
        char buffer[1024];
        struct nlmsghdr *request = request_of(buffer, family, NFT_MSG_GETRULE, NLM_F_DUMP);
        PtNftReply each = {.rule = rule, .userdata = userdata};

        mnl_attr_put_strz(request, NFTA_RULE_TABLE, table);
        mnl_attr_put_strz(request, NFTA_RULE_CHAIN, chain);
        return talk(nft, request, pt_nft_reply_rule, &each);
}

int pt_nft_dump_elements(PtNft *nft, const char *table, const char *set,
                         int (*element)(struct nftnl_set_elem *element, void *userdata),
                         void *userdata)
{
        char buffer[1024];
        struct nlmsghdr *request = request_new(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);
        PtNftReply each = {.element = element, .userdata = userdata};

        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
        return talk(nft, request, pt_nft_reply_elements, &each);
}

int pt_nft_get_element(PtNft *nft, const char *table, const char *set, const void *key,
                       uint32_t key_len,
                       int (*element)(struct nftnl_set_elem *element, void *userdata),
                       void *userdata)
{
        return pt_nft_get_element_flags(nft, table, set, key, key_len, 0, element, userdata);
}

static void put_key(struct nlmsghdr *request, int index, const void *key, uint32_t key_len,
                    uint32_t flags)
{
        struct nftnl_set_elem *wanted = nftnl_set_elem_alloc();

        g_assert(wanted);
        nftnl_set_elem_set(wanted, NFTNL_SET_ELEM_KEY, key, key_len);
        if (flags)
                nftnl_set_elem_set_u32(wanted, NFTNL_SET_ELEM_FLAGS, flags);
        nftnl_set_elem_nlmsg_build(request, wanted, index);
        nftnl_set_elem_free(wanted);
}

int pt_nft_get_element_flags(PtNft *nft, const char *table, const char *set, const void *key,
                             uint32_t key_len, uint32_t flags,
                             int (*element)(struct nftnl_set_elem *element, void *userdata),
                             void *userdata)
{
        char buffer[1024];
        struct nlmsghdr *request = request_new(buffer, NFT_MSG_GETSETELEM, NLM_F_ACK);
        PtNftReply each = {.element = element, .userdata = userdata};
        struct nlattr *nest;

        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
        nest = mnl_attr_nest_start(request, NFTA_SET_ELEM_LIST_ELEMENTS);
        put_key(request, 1, key, key_len, flags);
        mnl_attr_nest_end(request, nest);
        return talk(nft, request, pt_nft_reply_elements, &each);
}

int pt_nft_get_elements(PtNft *nft, const char *table, const char *set, const void *const *keys,
                        unsigned n, uint32_t key_len,
                        int (*element)(struct nftnl_set_elem *element, void *userdata),
                        void *userdata)
{
        /* The names, and of each element the key in three attributes. */
        char buffer[1024 + PT_NFT_GET_MAX * (NFT_DATA_VALUE_MAXLEN + 16)];
        struct nlmsghdr *request = request_new(buffer, NFT_MSG_GETSETELEM, NLM_F_ACK);
        PtNftReply each = {.element = element, .userdata = userdata};
        struct nlattr *nest;

        g_assert(n > 0 && n <= PT_NFT_GET_MAX);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
        nest = mnl_attr_nest_start(request, NFTA_SET_ELEM_LIST_ELEMENTS);
        for (unsigned i = 0; i < n; i++)
                put_key(request, (int) i + 1, keys[i], key_len, 0);
        mnl_attr_nest_end(request, nest);
        return talk(nft, request, pt_nft_reply_elements, &each);
}

int pt_nft_count_elements(PtNft *nft, const char *table, const char *set, uint32_t *ret)
{
        char buffer[1024];
        struct nlmsghdr *request = request_new(buffer, NFT_MSG_GETSET, NLM_F_ACK);
        PtNftReply each = {0};
        int r;

        mnl_attr_put_strz(request, NFTA_SET_TABLE, table);
        mnl_attr_put_strz(request, NFTA_SET_NAME, set);
        r = talk(nft, request, pt_nft_reply_count, &each);
        if (r < 0)
                return r;
        if (!each.counted)
                return -ENODATA;
        *ret = each.count;
        return 0;
}

static int list_names(PtNft *nft, uint8_t family, const char *table, uint16_t type, int attribute,
                      GPtrArray **ret)
{
        char buffer[1024];
        struct nlmsghdr *request = request_of(buffer, family, type, NLM_F_DUMP);
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        PtNftReply each = {.names = names, .table = table, .name_attribute = attribute};
        int r;

        mnl_attr_put_strz(request, 1, table);
        r = talk(nft, request, pt_nft_reply_name, &each);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&names);
        return 0;
}

int pt_nft_list_sets(PtNft *nft, const char *table, GPtrArray **ret)
{
        return pt_nft_list_sets_of(nft, NFPROTO_INET, table, ret);
}

int pt_nft_list_sets_of(PtNft *nft, uint8_t family, const char *table, GPtrArray **ret)
{
        return list_names(nft, family, table, NFT_MSG_GETSET, NFTA_SET_NAME, ret);
}

int pt_nft_list_chains(PtNft *nft, const char *table, GPtrArray **ret)
{
        return pt_nft_list_chains_of(nft, NFPROTO_INET, table, ret);
}

int pt_nft_list_chains_of(PtNft *nft, uint8_t family, const char *table, GPtrArray **ret)
{
        return list_names(nft, family, table, NFT_MSG_GETCHAIN, NFTA_CHAIN_NAME, ret);
}

static void base_chain_free(void *p)
{
        PtNftBaseChain *chain = p;

        g_free(chain->text);
        g_free(chain);
}

int pt_nft_list_base_chains(PtNft *nft, const char *table, GPtrArray **ret)
{
        char buffer[1024];
        struct nlmsghdr *request = request_new(buffer, NFT_MSG_GETCHAIN, NLM_F_DUMP);
        g_autoptr(GPtrArray) chains = g_ptr_array_new_with_free_func(base_chain_free);
        PtNftReply each = {.names = chains, .table = table};
        int r;

        ((struct nfgenmsg *) mnl_nlmsg_get_payload(request))->nfgen_family = NFPROTO_UNSPEC;
        r = talk(nft, request, pt_nft_reply_base_chain, &each);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&chains);
        return 0;
}
