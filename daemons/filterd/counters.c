/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "counters.h"

#include "base/marks.h"
#include "netlink/nft-expr.h"

#include <string.h>

G_STATIC_ASSERT(sizeof(FwTag) == 28);

void fw_tag_of(const FirewallRule *rule, unsigned part, bool carried, FwTag *ret)
{
        *ret = (FwTag){.version = FW_TAG_VERSION,
                       .flags = carried ? FW_TAG_CARRIED : 0,
                       .part = {(uint8_t) (part >> 8), (uint8_t) part}};
        pt_object_uid(&rule->object, ret->uid);
        memcpy(ret->generation, rule->object.digest.bytes, sizeof(ret->generation));
}

char *fw_log_prefix(const FirewallRule *rule)
{
        GString *prefix = g_string_new("rule/");
        uint8_t uid[16];

        pt_object_uid(&rule->object, uid);
        for (unsigned i = 0; i < sizeof(uid); i++)
                g_string_append_printf(prefix, "%02x", uid[i]);
        g_string_append_c(prefix, '/');
        for (unsigned i = 0; i < sizeof(((FwTag *) NULL)->generation); i++)
                g_string_append_printf(prefix, "%02x", rule->object.digest.bytes[i]);
        return g_string_free(prefix, FALSE);
}

bool fw_tag_same(const FwTag *a, const FwTag *b)
{
        return memcmp(a->part, b->part, sizeof(a->part)) == 0 &&
               memcmp(a->uid, b->uid, sizeof(a->uid)) == 0 &&
               memcmp(a->generation, b->generation, sizeof(a->generation)) == 0;
}

bool fw_tag_read(const void *userdata, size_t size, FwTag *ret)
{
        size_t len;
        const FwTag *tag =
                userdata ? pt_nft_userdata_find(userdata, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;

        if (!tag || len != sizeof(*tag) || tag->version != FW_TAG_VERSION)
                return false;
        *ret = *tag;
        return true;
}

bool fw_tag_read_rule(const struct nftnl_rule *rule, FwTag *ret)
{
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);

        return fw_tag_read(data, size, ret);
}

bool fw_tag_read_element(struct nftnl_set_elem *element, FwTag *ret)
{
        uint32_t size = 0;
        const void *data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);

        return fw_tag_read(data, size, ret);
}

struct FwCarry {
        GHashTable *counts; /* GBytes: chain, NUL, uid */
};

FwCarry *fw_carry_new(void)
{
        FwCarry *carry = g_new0(FwCarry, 1);

        carry->counts = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                              (GDestroyNotify) g_bytes_unref, g_free);
        return carry;
}

void fw_carry_free(FwCarry *carry)
{
        if (!carry)
                return;
        g_hash_table_unref(carry->counts);
        g_free(carry);
}

/* In place of a chain: what was counted where this layout has no class. Whichever class of the rule
 * asks first begins with it, so that the rule's sum stays. */
#define ANY_CHAIN ""

static GBytes *key_of(const char *chain, const uint8_t *uid)
{
        size_t len = strlen(chain) + 1;
        char *key = g_malloc(len + 16);

        memcpy(key, chain, len);
        memcpy(key + len, uid, 16);
        return g_bytes_new_take(key, len + 16);
}

void fw_carry_add(FwCarry *carry, const char *chain, const uint8_t uid[static 16], uint64_t packets,
                  uint64_t bytes)
{
        GBytes *key;
        FwCount *count;

        if (packets == 0 && bytes == 0)
                return;
        key = key_of(chain, uid);
        count = g_hash_table_lookup(carry->counts, key);
        if (count) {
                g_bytes_unref(key);
        } else {
                count = g_new0(FwCount, 1);
                g_hash_table_insert(carry->counts, key, count);
        }
        count->packets += packets;
        count->bytes += bytes;
}

static bool take(FwCarry *carry, const char *chain, const uint8_t *uid, FwCount *count)
{
        g_autoptr(GBytes) key = key_of(chain, uid);
        const FwCount *found = g_hash_table_lookup(carry->counts, key);

        if (!found)
                return false;
        count->packets += found->packets;
        count->bytes += found->bytes;
        g_hash_table_remove(carry->counts, key);
        return true;
}

const char *fw_carry_kept(const char *chain)
{
        return chain[0] == 'n' ? FW_CHAIN_KEPT_NAT : FW_CHAIN_KEPT;
}

const char *fw_carry_gone(const char *chain)
{
        return chain[0] == 'n' ? "n" : "z";
}

bool fw_carry_take(FwCarry *carry, const char *chain, const uint8_t uid[static 16], FwCount *ret)
{
        FwCount count = {0};
        bool own, gone, kept, any;

        if (!carry || g_hash_table_size(carry->counts) == 0)
                return false;
        own = take(carry, chain, uid, &count);
        gone = take(carry, fw_carry_gone(chain), uid, &count);
        kept = take(carry, fw_carry_kept(chain), uid, &count);
        any = take(carry, ANY_CHAIN, uid, &count);
        if (own || gone || kept || any)
                *ret = count;
        return own || gone || kept || any;
}

void fw_carry_foreach(const FwCarry *carry,
                      void (*each)(const char *chain, const uint8_t uid[static 16],
                                   const FwCount *count, void *userdata),
                      void *userdata)
{
        GHashTableIter iter;
        gpointer key, count;

        g_hash_table_iter_init(&iter, carry->counts);
        while (g_hash_table_iter_next(&iter, &key, &count)) {
                const char *chain = g_bytes_get_data(key, NULL);

                each(chain, (const uint8_t *) chain + strlen(chain) + 1, count, userdata);
        }
}

typedef struct Reader {
        FwCarry *carry;
        const char *chain;
} Reader;

static int read_rule(struct nftnl_rule *rule, void *userdata)
{
        Reader *reader = userdata;
        uint64_t packets, bytes;
        FwTag tag;

        if (fw_tag_read_rule(rule, &tag) && pt_nft_rule_counter(rule, &packets, &bytes))
                fw_carry_add(reader->carry, reader->chain, tag.uid, packets, bytes);
        return 0;
}

static int read_element(struct nftnl_set_elem *element, void *userdata)
{
        Reader *reader = userdata;
        uint64_t packets, bytes;
        FwTag tag;

        if (fw_tag_read_element(element, &tag) && pt_nft_element_counter(element, &packets, &bytes))
                fw_carry_add(reader->carry, reader->chain, tag.uid, packets, bytes);
        return 0;
}

int fw_carry_read_map(PtNft *nft, const char *chain, const char *map, FwCarry *carry)
{
        Reader reader = {.carry = carry, .chain = chain};

        return pt_nft_dump_elements(nft, PT_MARK_NFT_TABLE, map, read_element, &reader);
}

/* The chain of the class that a unit is of: "z_lan/wan" of "z_lan/wan/0123456789abcdef", and of the
 * fold "m_lan/wan/..."; NULL for the fixed chains and sets. */
static char *class_chain_of(const char *name)
{
        const char *slash, *end;
        char *chain;

        if (!strchr("zmn", name[0]) || name[0] == '\0' || name[1] != '_')
                return NULL;
        slash = strchr(name + 2, '/');
        end = slash ? strchr(slash + 1, '/') : NULL;
        if (!end)
                return NULL;
        chain = g_strndup(name, (size_t) (end - name));
        if (chain[0] == 'm')
                chain[0] = 'z';
        return chain;
}

/* Sets that no rule counts in, of which some are large: those of aliases, bans, killed connections
 * and settings. */
static bool is_plain_set(const char *name)
{
        static const char *const prefixes[] = {"h4_", "h6_", "n4_", "n6_", "ap_",
                                               "am_", "b_",  "k_",  "s_"};

        for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++)
                if (g_str_has_prefix(name, prefixes[i]))
                        return true;
        return false;
}

/* The class that a chain or map counts for; NULL: none. */
static char *counts_for(const char *name, bool other_layout)
{
        char *chain;

        if (strcmp(name, FW_CHAIN_KEPT) == 0 || strcmp(name, FW_CHAIN_KEPT_NAT) == 0)
                return g_strdup(name);
        chain = class_chain_of(name);
        return chain || !other_layout ? chain : g_strdup(ANY_CHAIN);
}

int fw_carry_read_all(PtNft *nft, bool other_layout, FwCarry *carry)
{
        g_autoptr(GPtrArray) chains = NULL, sets = NULL;
        int r;

        r = pt_nft_list_chains(nft, PT_MARK_NFT_TABLE, &chains);
        if (r == 0)
                r = pt_nft_list_sets(nft, PT_MARK_NFT_TABLE, &sets);
        for (unsigned i = 0; r == 0 && i < chains->len; i++) {
                const char *name = g_ptr_array_index(chains, i);
                g_autofree char *chain = counts_for(name, other_layout);
                Reader reader = {.carry = carry, .chain = chain};

                if (chain)
                        r = pt_nft_dump_rules(nft, PT_MARK_NFT_TABLE, name, read_rule, &reader);
        }
        for (unsigned i = 0; r == 0 && i < sets->len; i++) {
                const char *name = g_ptr_array_index(sets, i);
                g_autofree char *chain = is_plain_set(name) ? NULL : counts_for(name, other_layout);

                if (chain)
                        r = fw_carry_read_map(nft, chain, name, carry);
        }
        return r;
}
