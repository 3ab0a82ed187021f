/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bans as sets and rules of the table, and back. */

#include "bans-internal.h"

#include "ruleset-internal.h"

#include <linux/netfilter.h>
#include <string.h>

#define PREFIX "b_ban"
#define NAME_MAX_SIZE 24
#define COMMENT_FROM "bans/from"
#define COMMENT_TO "bans/to"
#define RESTARTS_MAX 5

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8 };

static unsigned bits(int family)
{
        return family == AF_INET ? 32 : 128;
}

static uint32_t size_of(int family)
{
        return family == AF_INET ? 4 : 16;
}

static void set_name(int family, unsigned plen, char ret[static NAME_MAX_SIZE])
{
        if (plen == bits(family))
                (void) g_snprintf(ret, NAME_MAX_SIZE, PREFIX "%d", family == AF_INET ? 4 : 6);
        else
                (void) g_snprintf(ret, NAME_MAX_SIZE, PREFIX "%d_%u", family == AF_INET ? 4 : 6,
                                  plen);
}

static bool parse_name(const char *name, uint8_t *ret_family, uint8_t *ret_plen)
{
        const char *rest = name + strlen(PREFIX);
        uint64_t plen;
        int family;

        if (!g_str_has_prefix(name, PREFIX) || (*rest != '4' && *rest != '6'))
                return false;
        family = *rest++ == '4' ? AF_INET : AF_INET6;
        plen = bits(family);
        if (*rest &&
            (*rest != '_' || !g_ascii_string_to_unsigned(rest + 1, 10, 0, plen - 1, &plen, NULL)))
                return false;
        *ret_family = (uint8_t) family;
        *ret_plen = (uint8_t) plen;
        return true;
}

typedef struct Writer {
        PtNftBatch *batch;
        uint64_t now;
        bool remove;
        const FwBan *last; /* whose set is open */
} Writer;

static gboolean write_element(gpointer key, gpointer value, gpointer userdata)
{
        const FwBan *ban = key;
        Writer *writer = userdata;
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();
        char name[NAME_MAX_SIZE];

        g_assert(element);
        if (!writer->last || writer->last->family != ban->family ||
            writer->last->plen != ban->plen) {
                if (writer->last)
                        pt_nft_batch_elements_end(writer->batch);
                set_name(ban->family, ban->plen, name);
                pt_nft_batch_elements_begin(writer->batch, TABLE, g_intern_string(name), 0,
                                            writer->remove);
        }
        writer->last = ban;
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, ban->address, size_of(ban->family));
        if (!writer->remove && ban->until != FW_BAN_FOREVER) {
                uint64_t left = ban->until > writer->now ? ban->until - writer->now : 0;

                nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT,
                                       (left + FW_BAN_GRACE_USEC) / 1000);
        }
        pt_nft_batch_element(writer->batch, element);
        return FALSE;
}

static void write_elements(GTree *bans, Writer *writer)
{
        g_tree_foreach(bans, write_element, writer);
        if (writer->last)
                pt_nft_batch_elements_end(writer->batch);
}

void fw_bans_put_elements(GTree *bans, uint64_t now, PtNftBatch *batch)
{
        Writer writer = {.batch = batch, .now = now};

        write_elements(bans, &writer);
}

void fw_bans_delete_elements(GTree *bans, PtNftBatch *batch)
{
        Writer writer = {.batch = batch, .remove = true};

        write_elements(bans, &writer);
}

/* Calls `each` for every length that `a` has and `b` has not. */
static void only_in(const FwBanLengths *a, const FwBanLengths *b, PtNftBatch *batch,
                    void (*each)(int family, unsigned plen, PtNftBatch *batch))
{
        for (unsigned f = 0; f < 2; f++)
                for (unsigned plen = 0; plen < G_N_ELEMENTS(a->n[f]); plen++)
                        if (a->n[f][plen] > 0 && (!b || b->n[f][plen] == 0))
                                each(f == 0 ? AF_INET : AF_INET6, plen, batch);
}

static void put_set(int family, unsigned plen, PtNftBatch *batch)
{
        char name[NAME_MAX_SIZE];
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = name,
                .flags = NFT_SET_TIMEOUT,
                .key_type = family == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR,
                .key_len = size_of(family),
        };

        set_name(family, plen, name);
        pt_nft_batch_add_set(batch, &spec);
}

static void delete_set(int family, unsigned plen, PtNftBatch *batch)
{
        char name[NAME_MAX_SIZE];

        set_name(family, plen, name);
        pt_nft_batch_delete_set(batch, TABLE, name);
}

void fw_bans_put_sets(const FwBanLengths *before, const FwBanLengths *after, PtNftBatch *batch)
{
        only_in(after, before, batch, put_set);
}

void fw_bans_delete_sets(const FwBanLengths *before, const FwBanLengths *after, PtNftBatch *batch)
{
        only_in(before, after, batch, delete_set);
}

/* Matches an end of the packet, counts, and goes where it is dropped; the first rule goes on from where the last ones were. */
static void put_rule(const char *chain, int family, unsigned plen, bool to, const FwCount *count,
                     PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        uint32_t offset = family == AF_INET ? (to ? 16 : 12) : (to ? 24 : 8);
        uint8_t mask[16] = {0};
        char name[NAME_MAX_SIZE];

        set_name(family, plen, name);
        fw_match_family(rule, family);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, size_of(family), PT_REG(REG_DATA));
        if (plen < bits(family)) {
                for (unsigned i = 0; i < plen; i++)
                        mask[i / 8] |= (uint8_t) (0x80 >> i % 8);
                pt_nft_mask(rule, PT_REG(REG_DATA), mask, size_of(family));
        }
        pt_nft_lookup(rule, PT_REG(REG_DATA), -1, name, 0);
        pt_nft_counter(rule, count ? count->packets : 0, count ? count->bytes : 0);
        pt_nft_verdict(rule, NFT_GOTO, CHAIN_BANNED);
        fw_finish(batch, rule, to ? COMMENT_TO : COMMENT_FROM);
}

static void put_rules(const char *chain, const FwBanLengths *lengths, bool to, GHashTable *counts,
                      PtNftBatch *batch)
{
        const FwCount *count =
                counts ? g_hash_table_lookup(counts, to ? COMMENT_TO : COMMENT_FROM) : NULL;

        for (unsigned f = 0; f < 2; f++)
                for (unsigned plen = 0; plen < G_N_ELEMENTS(lengths->n[f]); plen++)
                        if (lengths->n[f][plen] > 0) {
                                put_rule(chain, f == 0 ? AF_INET : AF_INET6, plen, to, count,
                                         batch);
                                count = NULL;
                        }
}

/* Sources in both chains: a packet that is forwarded sees only the one. */
void fw_bans_put_rules(const FwBanLengths *lengths, GHashTable *counts, PtNftBatch *batch)
{
        put_rules(FW_CHAIN_BANS, lengths, false, counts, batch);
        put_rules(FW_CHAIN_BANS_TO, lengths, false, NULL, batch);
        put_rules(FW_CHAIN_BANS_TO, lengths, true, counts, batch);
}

void fw_bans_delete_rules(PtNftBatch *batch)
{
        pt_nft_batch_flush_chain(batch, TABLE, FW_CHAIN_BANS);
        pt_nft_batch_flush_chain(batch, TABLE, FW_CHAIN_BANS_TO);
}

static int sum_count(struct nftnl_rule *rule, void *userdata)
{
        g_autofree char *comment = pt_nft_rule_comment(rule);
        FwCount count, *sum;

        if (!comment || !pt_nft_rule_counter(rule, &count.packets, &count.bytes))
                return 0;
        sum = g_hash_table_lookup(userdata, comment);
        if (!sum) {
                sum = g_new0(FwCount, 1);
                g_hash_table_insert(userdata, g_steal_pointer(&comment), sum);
        }
        sum->packets += count.packets;
        sum->bytes += count.bytes;
        return 0;
}

int fw_bans_read_counts(PtNft *nft, GHashTable **ret)
{
        g_autoptr(GHashTable) counts =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        int r = pt_nft_dump_rules(nft, TABLE, FW_CHAIN_BANS, sum_count, counts);

        if (r == 0)
                r = pt_nft_dump_rules(nft, TABLE, FW_CHAIN_BANS_TO, sum_count, counts);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&counts);
        return 0;
}

typedef struct Reader {
        GTree *bans;
        FwBan ban; /* of the set being read */
        uint64_t now;
} Reader;

static int read_element(struct nftnl_set_elem *element, void *userdata)
{
        Reader *reader = userdata;
        FwBan *ban;
        uint32_t size = 0;
        const void *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);

        if (!key || size != size_of(reader->ban.family))
                return 0;
        ban = g_memdup2(&reader->ban, sizeof(*ban));
        memcpy(ban->address, key, size);
        ban->until = FW_BAN_FOREVER;
        if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPIRATION)) {
                uint64_t left = nftnl_set_elem_get_u64(element, NFTNL_SET_ELEM_EXPIRATION) * 1000;

                /* One that is over is removed with the next that end. */
                ban->until =
                        reader->now + (left > FW_BAN_GRACE_USEC ? left - FW_BAN_GRACE_USEC : 0);
        }
        g_tree_replace(reader->bans, ban, ban);
        return 0;
}

int fw_bans_read(PtNft *nft, uint64_t now, GTree *ret, FwBanLengths *ret_sets)
{
        g_autoptr(GPtrArray) sets = NULL;
        Reader reader = {.bans = ret, .now = now};
        int r = pt_nft_list_sets(nft, TABLE, &sets);

        for (unsigned i = 0; r == 0 && i < sets->len; i++) {
                const char *name = g_ptr_array_index(sets, i);

                if (!parse_name(name, &reader.ban.family, &reader.ban.plen))
                        continue;
                *fw_ban_length(ret_sets, &reader.ban) = 1;
                r = -EINTR;
                for (unsigned t = 0; r == -EINTR && t < RESTARTS_MAX; t++)
                        r = pt_nft_dump_elements(nft, TABLE, name, read_element, &reader);
        }
        return r;
}
