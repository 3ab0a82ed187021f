/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-batch.h"

#include "netlink/nft-expr.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <endian.h>
#include <string.h>

/* No message of ours is larger: attributes have 16-bit lengths, and elements are split well below.
 */
#define MESSAGE_ROOM (96U * 1024U)
#define ELEMENTS_ROOM (48U * 1024U)

struct PtNftBatch {
        char *buffer;
        size_t size, allocated;
        unsigned messages;
        size_t last; /* offset of the last message */
        bool finished;
        uint8_t family; /* NFPROTO_* */

        /* Between elements_begin and elements_end. */
        const char *table, *set;
        uint32_t set_id;
        bool remove, may_exist;
        struct nlmsghdr *elements; /* the message being filled, or NULL */
        struct nlattr *nest;
        unsigned n;
};

static char *room(PtNftBatch *batch)
{
        size_t need = batch->size + MESSAGE_ROOM;

        if (need > batch->allocated) {
                batch->allocated = MAX(need, batch->allocated + batch->allocated / 2);
                batch->buffer = g_realloc(batch->buffer, batch->allocated);
        }
        return batch->buffer + batch->size;
}

/* Sequence numbers are the messages' ordinals, rebased when the batch is sent. */
static struct nlmsghdr *begin(PtNftBatch *batch, uint16_t type, uint16_t flags)
{
        return nftnl_nlmsg_build_hdr(room(batch), type, batch->family, flags, batch->messages + 1);
}

static void end(PtNftBatch *batch, const struct nlmsghdr *header)
{
        batch->last = batch->size;
        batch->size += NLMSG_ALIGN(header->nlmsg_len);
        batch->messages++;
}

PtNftBatch *pt_nft_batch_new(uint32_t generation)
{
        PtNftBatch *batch = g_new0(PtNftBatch, 1);
        struct nlmsghdr *header = nftnl_batch_begin(room(batch), 0);

        batch->family = NFPROTO_INET;
        if (generation)
                mnl_attr_put_u32(header, NFNL_BATCH_GENID, htonl(generation));
        batch->size = NLMSG_ALIGN(header->nlmsg_len);
        return batch;
}

void pt_nft_batch_set_family(PtNftBatch *batch, uint8_t family)
{
        batch->family = family;
}

void pt_nft_batch_set_generation(PtNftBatch *batch, uint32_t generation)
{
        struct nlmsghdr *header = (struct nlmsghdr *) (void *) batch->buffer;
        struct nlattr *attr = mnl_nlmsg_get_payload_offset(header, sizeof(struct nfgenmsg));

        g_assert(mnl_nlmsg_get_payload_len(header) > sizeof(struct nfgenmsg) &&
                 mnl_attr_get_type(attr) == NFNL_BATCH_GENID);
        *(uint32_t *) mnl_attr_get_payload(attr) = htonl(generation);
}

void pt_nft_batch_free(PtNftBatch *batch)
{
        if (!batch)
                return;
        g_free(batch->buffer);
        g_free(batch);
}

size_t pt_nft_batch_size(const PtNftBatch *batch)
{
        return batch->size;
}

bool pt_nft_batch_is_empty(const PtNftBatch *batch)
{
        return batch->messages == 0;
}

static void put_table(PtNftBatch *batch, uint16_t type, uint16_t flags, const char *table)
{
        struct nlmsghdr *header = begin(batch, type, flags);

        mnl_attr_put_strz(header, NFTA_TABLE_NAME, table);
        end(batch, header);
}

void pt_nft_batch_add_table(PtNftBatch *batch, const char *table)
{
        put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
}

void pt_nft_batch_delete_table(PtNftBatch *batch, const char *table)
{
        put_table(batch, NFT_MSG_DELTABLE, 0, table);
}

void pt_nft_batch_add_chain(PtNftBatch *batch, const char *table, const char *chain,
                            const PtNftHook *hook)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

        mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, table);
        mnl_attr_put_strz(header, NFTA_CHAIN_NAME, chain);
        if (hook) {
                struct nlattr *nest = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);

                mnl_attr_put_u32(header, NFTA_HOOK_HOOKNUM, htonl(hook->hook));
                mnl_attr_put_u32(header, NFTA_HOOK_PRIORITY, htonl((uint32_t) hook->priority));
                mnl_attr_nest_end(header, nest);
                mnl_attr_put_strz(header, NFTA_CHAIN_TYPE, hook->type);
                mnl_attr_put_u32(header, NFTA_CHAIN_POLICY, htonl(hook->policy));
        }
        end(batch, header);
}

void pt_nft_batch_delete_chain(PtNftBatch *batch, const char *table, const char *chain)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_DELCHAIN, 0);

        mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, table);
        mnl_attr_put_strz(header, NFTA_CHAIN_NAME, chain);
        end(batch, header);
}

static void delete_rules(PtNftBatch *batch, const char *table, const char *chain, uint64_t handle)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_DELRULE, 0);

        mnl_attr_put_strz(header, NFTA_RULE_TABLE, table);
        mnl_attr_put_strz(header, NFTA_RULE_CHAIN, chain);
        if (handle)
                mnl_attr_put_u64(header, NFTA_RULE_HANDLE, htobe64(handle));
        end(batch, header);
}

void pt_nft_batch_flush_chain(PtNftBatch *batch, const char *table, const char *chain)
{
        delete_rules(batch, table, chain, 0);
}

void pt_nft_batch_delete_rule(PtNftBatch *batch, const char *table, const char *chain,
                              uint64_t handle)
{
        delete_rules(batch, table, chain, handle);
}

static void put_rule(PtNftBatch *batch, struct nftnl_rule *rule, uint16_t flags)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_NEWRULE, flags);

        nftnl_rule_nlmsg_build_payload(header, rule);
        end(batch, header);
        nftnl_rule_free(rule);
}

void pt_nft_batch_append_rule(PtNftBatch *batch, struct nftnl_rule *rule)
{
        put_rule(batch, rule, NLM_F_CREATE | NLM_F_APPEND);
}

void pt_nft_batch_insert_rule(PtNftBatch *batch, struct nftnl_rule *rule, uint64_t before)
{
        nftnl_rule_set_u64(rule, NFTNL_RULE_POSITION, before);
        put_rule(batch, rule, NLM_F_CREATE);
}

void pt_nft_batch_replace_rule(PtNftBatch *batch, struct nftnl_rule *rule, uint64_t handle)
{
        nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, handle);
        put_rule(batch, rule, NLM_F_REPLACE);
}

/* What nft keeps in a set's userdata to print it (nftables/src/mnl.c, mnl_nft_set_add): keys in host
 * byte order, data in that of the network, and that data are ranges. */
static void put_interval_userdata(struct nlmsghdr *header)
{
        static const struct {
                uint8_t type;
                uint32_t value;
        } attrs[] = {{NFTNL_UDATA_SET_KEYBYTEORDER, 1},
                     {NFTNL_UDATA_SET_DATABYTEORDER, 2},
                     {NFTNL_UDATA_SET_DATA_INTERVAL, 1}};
        uint8_t userdata[G_N_ELEMENTS(attrs) * (2 + sizeof(uint32_t))], *p = userdata;

        for (unsigned i = 0; i < G_N_ELEMENTS(attrs); i++) {
                *p++ = attrs[i].type;
                *p++ = sizeof(attrs[i].value);
                p = (uint8_t *) memcpy(p, &attrs[i].value, sizeof(attrs[i].value)) +
                    sizeof(attrs[i].value);
        }
        mnl_attr_put(header, NFTA_SET_USERDATA, sizeof(userdata), userdata);
}

static void put_fields(struct nlmsghdr *header, const PtNftSetSpec *spec)
{
        struct nlattr *concat = NULL, *field;

        if (spec->n_fields > 0)
                concat = mnl_attr_nest_start(header, NFTA_SET_DESC_CONCAT);
        for (unsigned i = 0; i < spec->n_fields; i++) {
                field = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
                mnl_attr_put_u32(header, NFTA_SET_FIELD_LEN, htonl(spec->fields[i]));
                mnl_attr_nest_end(header, field);
        }
        if (concat)
                mnl_attr_nest_end(header, concat);
}

void pt_nft_batch_add_set(PtNftBatch *batch, const PtNftSetSpec *spec)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
        struct nlattr *nest;

        mnl_attr_put_strz(header, NFTA_SET_TABLE, spec->table);
        mnl_attr_put_strz(header, NFTA_SET_NAME, spec->name);
        mnl_attr_put_u32(header, NFTA_SET_ID, htonl(spec->id));
        mnl_attr_put_u32(header, NFTA_SET_FLAGS, htonl(spec->flags));
        mnl_attr_put_u32(header, NFTA_SET_KEY_TYPE, htonl(spec->key_type));
        mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(spec->key_len));
        if (spec->flags & NFT_SET_MAP) {
                mnl_attr_put_u32(header, NFTA_SET_DATA_TYPE, htonl(spec->data_type));
                mnl_attr_put_u32(header, NFTA_SET_DATA_LEN, htonl(spec->data_len));
        }
        if (spec->size || spec->n_fields > 0) {
                nest = mnl_attr_nest_start(header, NFTA_SET_DESC);
                if (spec->size)
                        mnl_attr_put_u32(header, NFTA_SET_DESC_SIZE, htonl(spec->size));
                put_fields(header, spec);
                mnl_attr_nest_end(header, nest);
        }
        if (spec->timeout)
                mnl_attr_put_u64(header, NFTA_SET_TIMEOUT, htobe64(spec->timeout));
        if (spec->data_interval)
                put_interval_userdata(header);
        if (spec->counter) {
                nest = mnl_attr_nest_start(header, NFTA_SET_EXPR);
                mnl_attr_put_strz(header, NFTA_EXPR_NAME, "counter");
                mnl_attr_nest_end(header, nest);
        }
        end(batch, header);
}

void pt_nft_batch_delete_set(PtNftBatch *batch, const char *table, const char *set)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_DELSET, 0);

        mnl_attr_put_strz(header, NFTA_SET_TABLE, table);
        mnl_attr_put_strz(header, NFTA_SET_NAME, set);
        end(batch, header);
}

/* All elements: a deletion that names none. */
void pt_nft_batch_flush_set(PtNftBatch *batch, const char *table, const char *set)
{
        struct nlmsghdr *header = begin(batch, NFT_MSG_DELSETELEM, 0);

        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, set);
        end(batch, header);
}

/* Frees the object. */
static void put_object(PtNftBatch *batch, uint16_t type, uint16_t flags, struct nftnl_obj *object)
{
        struct nlmsghdr *header = begin(batch, type, flags);

        nftnl_obj_nlmsg_build_payload(header, object);
        end(batch, header);
        nftnl_obj_free(object);
}

static struct nftnl_obj *object_new(const char *table, const char *name, uint32_t type)
{
        struct nftnl_obj *object = nftnl_obj_alloc();

        g_assert(object);
        nftnl_obj_set_str(object, NFTNL_OBJ_TABLE, table);
        nftnl_obj_set_str(object, NFTNL_OBJ_NAME, name);
        nftnl_obj_set_u32(object, NFTNL_OBJ_TYPE, type);
        return object;
}

void pt_nft_batch_add_helper(PtNftBatch *batch, const char *table, const char *name,
                             const char *helper, uint8_t protocol)
{
        struct nftnl_obj *object = object_new(table, name, NFT_OBJECT_CT_HELPER);

        nftnl_obj_set_str(object, NFTNL_OBJ_CT_HELPER_NAME, helper);
        nftnl_obj_set_u8(object, NFTNL_OBJ_CT_HELPER_L4PROTO, protocol);
        put_object(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE, object);
}

void pt_nft_batch_add_limit(PtNftBatch *batch, const char *table, const char *name, uint64_t count,
                            uint64_t seconds)
{
        struct nftnl_obj *object = object_new(table, name, NFT_OBJECT_LIMIT);

        nftnl_obj_set_u64(object, NFTNL_OBJ_LIMIT_RATE, count);
        nftnl_obj_set_u64(object, NFTNL_OBJ_LIMIT_UNIT, seconds);
        nftnl_obj_set_u32(object, NFTNL_OBJ_LIMIT_BURST, (uint32_t) MIN(count, PT_NFT_LIMIT_BURST));
        nftnl_obj_set_u32(object, NFTNL_OBJ_LIMIT_TYPE, NFT_LIMIT_PKTS);
        put_object(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE, object);
}

void pt_nft_batch_delete_object(PtNftBatch *batch, const char *table, const char *name,
                                uint32_t type)
{
        put_object(batch, NFT_MSG_DELOBJ, 0, object_new(table, name, type));
}

void pt_nft_batch_elements_begin(PtNftBatch *batch, const char *table, const char *set,
                                 uint32_t set_id, bool remove)
{
        batch->table = table;
        batch->set = set;
        batch->set_id = set_id;
        batch->remove = remove;
        batch->may_exist = false;
        batch->elements = NULL;
}

void pt_nft_batch_elements_may_exist(PtNftBatch *batch)
{
        batch->may_exist = true;
}

static void elements_flush(PtNftBatch *batch)
{
        if (!batch->elements)
                return;
        mnl_attr_nest_end(batch->elements, batch->nest);
        end(batch, batch->elements);
        batch->elements = NULL;
}

/* Makes sure that there is a message with room for one more element. */
static void elements_open(PtNftBatch *batch)
{
        if (batch->elements && batch->elements->nlmsg_len > ELEMENTS_ROOM)
                elements_flush(batch);
        if (batch->elements)
                return;
        batch->elements = begin(batch, batch->remove ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
                                batch->remove      ? 0
                                : batch->may_exist ? NLM_F_CREATE
                                                   : NLM_F_CREATE | NLM_F_EXCL);
        mnl_attr_put_strz(batch->elements, NFTA_SET_ELEM_LIST_TABLE, batch->table);
        mnl_attr_put_strz(batch->elements, NFTA_SET_ELEM_LIST_SET, batch->set);
        if (batch->set_id)
                mnl_attr_put_u32(batch->elements, NFTA_SET_ELEM_LIST_SET_ID, htonl(batch->set_id));
        batch->nest = mnl_attr_nest_start(batch->elements, NFTA_SET_ELEM_LIST_ELEMENTS);
        batch->n = 0;
}

void pt_nft_batch_element(PtNftBatch *batch, struct nftnl_set_elem *element)
{
        elements_open(batch);
        nftnl_set_elem_nlmsg_build(batch->elements, element, (int) ++batch->n);
        nftnl_set_elem_free(element);
}

void pt_nft_batch_key(PtNftBatch *batch, const void *key, size_t len, uint32_t flags)
{
        struct nlattr *element, *data;

        g_assert(len <= PT_NFT_KEY_MAX);
        elements_open(batch);
        element = mnl_attr_nest_start(batch->elements, NFTA_LIST_ELEM);
        data = mnl_attr_nest_start(batch->elements, NFTA_SET_ELEM_KEY);
        mnl_attr_put(batch->elements, NFTA_DATA_VALUE, len, key);
        mnl_attr_nest_end(batch->elements, data);
        if (flags)
                mnl_attr_put_u32(batch->elements, NFTA_SET_ELEM_FLAGS, htonl(flags));
        mnl_attr_nest_end(batch->elements, element);
}

void pt_nft_batch_elements_end(PtNftBatch *batch)
{
        elements_flush(batch);
        batch->table = batch->set = NULL;
}

const void *pt_nft_batch_finish(PtNftBatch *batch, uint32_t *sequence, size_t *ret_size,
                                uint32_t *ret_ack)
{
        const struct nlmsghdr *tail = nftnl_batch_end(room(batch), batch->messages + 1);

        g_assert(!batch->finished && batch->messages > 0);
        batch->finished = true;
        batch->size += NLMSG_ALIGN(tail->nlmsg_len);
        ((struct nlmsghdr *) (batch->buffer + batch->last))->nlmsg_flags |= NLM_F_ACK;
        *ret_ack = ((struct nlmsghdr *) (batch->buffer + batch->last))->nlmsg_seq + *sequence;
        for (size_t at = 0; at < batch->size;) {
                struct nlmsghdr *header = (struct nlmsghdr *) (batch->buffer + at);

                header->nlmsg_seq += *sequence;
                at += NLMSG_ALIGN(header->nlmsg_len);
        }
        *sequence += batch->messages + 2;
        *ret_size = batch->size;
        return batch->buffer;
}

static const char *attribute_string(const struct nlmsghdr *header, int type)
{
        const struct nlattr *attr;

        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(attr) == type)
                        return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0
                                       ? NULL
                                       : mnl_attr_get_str(attr);
        }
        return NULL;
}

/* Attributes 1 and 2 of chains, rules, sets and elements name the table and the object
 * (linux/netfilter/nf_tables.h). */
static char *describe(const struct nlmsghdr *header)
{
        unsigned type = header->nlmsg_type & 0xff;
        const char *name = attribute_string(header, 2);
        const char *what;

        if (type <= NFT_MSG_DELTABLE)
                return g_strdup_printf("table %s", attribute_string(header, NFTA_TABLE_NAME));
        if (type <= NFT_MSG_DELCHAIN) {
                /* NFTA_CHAIN_NAME is 3. */
                name = attribute_string(header, NFTA_CHAIN_NAME);
                what = "chain";
        } else if (type <= NFT_MSG_DELRULE) {
                struct nftnl_rule *rule = nftnl_rule_alloc();
                g_autofree char *comment = NULL;
                char *text;

                if (rule && nftnl_rule_nlmsg_parse(header, rule) >= 0)
                        comment = pt_nft_rule_comment(rule);
                text = g_strdup_printf("rule %s in chain %s", comment ?: "(unnamed)", name ?: "?");
                nftnl_rule_free(rule);
                return text;
        } else {
                what = type <= NFT_MSG_DELSET                             ? "set"
                       : type == NFT_MSG_NEWOBJ || type == NFT_MSG_DELOBJ ? "object"
                                                                          : "elements of set";
        }
        return g_strdup_printf("%s %s", what, name ?: "?");
}

char *pt_nft_batch_describe(const PtNftBatch *batch, uint32_t sequence)
{
        for (size_t at = 0; at < batch->size;) {
                const struct nlmsghdr *header = (const struct nlmsghdr *) (batch->buffer + at);

                if (header->nlmsg_seq == sequence &&
                    header->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
                        return describe(header);
                at += NLMSG_ALIGN(header->nlmsg_len);
        }
        return g_strdup("the transaction");
}
