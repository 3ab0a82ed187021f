/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plans: chains of maps and shards. */

#include "base/marks.h"
#include "emit-internal.h"
#include "netlink/nft-expr.h"

#include <linux/netfilter.h>
#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

/* Pieces. */

/* The caller frees the rules. */
static FwShard shard_of(const char *owner, const FwPiece *piece)
{
        const FirewallRule **rules = g_new(const FirewallRule *, piece->n + 1);

        for (unsigned i = 0; i < piece->n; i++)
                rules[i] = fw_piece_item(piece, i)->rule;
        return (FwShard){owner, piece->name, rules, piece->n};
}

static void shard_clear(FwShard *shard)
{
        g_free((void *) (uintptr_t) shard->rules);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwShard, shard_clear)

static FwElement element_of(const char *owner, const FwPiece *piece, const FwItem *item)
{
        return (FwElement){.owner = owner,
                           .map = piece->name,
                           .rule = item->rule,
                           .key = item->keys,
                           .key_end =
                                   fw_piece_has_ranges(piece) ? item->keys + piece->key_len : NULL,
                           .len = piece->key_len};
}

/* An element that leads to a leaf. */
static void put_region(PtNftBatch *batch, const FwPiece *piece, const FwItem *item)
{
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();
        uint32_t verdict = (uint32_t) NFT_JUMP;

        g_assert(element);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, item->keys, (uint32_t) piece->key_len);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, item->keys + piece->key_len,
                           (uint32_t) piece->key_len);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
        nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, item->chain);
        pt_nft_batch_element(batch, element);
}

static void put_item(Emit *emit, PtNftBatch *batch, const char *owner, const FwPiece *piece,
                     const FwItem *item)
{
        FwElement element = element_of(owner, piece, item);
        FwCount count;
        bool carried;

        if (piece->sort == FW_PIECE_DIVIDE) {
                put_region(batch, piece, item);
                return;
        }
        carried = fw_emit_take(emit, owner, item->rule, &count);
        fw_emit_element(emit, batch, &element, carried ? &count : NULL, carried);
}

/* Never changed, and whole before anything looks it up (stages.h). */
static void put_map(Emit *emit, const char *owner, const FwPiece *piece)
{
        PtNftBatch *batch;
        uint8_t fields[FW_RANGES_FIELDS_MAX];
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = piece->name,
                .id = ++emit->set_id,
                .flags = NFT_SET_MAP,
                .key_len = (uint32_t) piece->key_len,
                .data_type = NFT_DATA_VERDICT,
                .counter = piece->sort != FW_PIECE_DIVIDE,
        };

        if (piece->sort == FW_PIECE_HASH) {
                spec.key_type = fw_shape_key_type(piece->shape);
        } else {
                spec.key_type = fw_ranges_key_type(piece->family, piece->ranges);
                spec.flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
                spec.fields = fields;
                spec.n_fields = fw_ranges_fields(piece->family, piece->ranges, fields);
        }
        if (fw_stages_has(emit->stages, piece->name))
                return;
        fw_stages_part(emit->stages);
        batch = emit->stages->before;
        for (unsigned i = 0; piece->sort == FW_PIECE_DIVIDE && i < piece->n; i++)
                pt_nft_batch_add_chain(batch, TABLE, fw_piece_item(piece, i)->chain, NULL);
        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, piece->name, spec.id, false);
        for (unsigned i = 0; i < piece->n; i++)
                put_item(emit, batch, owner, piece, fw_piece_item(piece, i));
        pt_nft_batch_elements_end(batch);
}

static void put_piece(Emit *emit, const char *owner, const FwPiece *piece)
{
        g_auto(FwShard) shard = {0};

        switch (piece->sort) {
        case FW_PIECE_SHARD:
                shard = shard_of(owner, piece);
                fw_emit_shard(emit, &shard, true);
                return;
        case FW_PIECE_HASH:
        case FW_PIECE_RANGES:
        case FW_PIECE_DIVIDE:
                put_map(emit, owner, piece);
                return;
        case FW_PIECE_JUMP:
                return;
        case FW_PIECE_SORT_MAX:
        case FW_PIECE_SORT_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void drop_piece(Emit *emit, const FwPiece *piece)
{
        if (fw_piece_is_map(piece))
                pt_nft_batch_delete_set(emit->stages->after, TABLE, piece->name);
        else if (piece->sort == FW_PIECE_SHARD)
                fw_emit_chain_drop(emit, piece->name);
}

/* Chains. */

static const FwPiece *piece_at(const FwChain *chain, unsigned i)
{
        return g_ptr_array_index(chain->pieces, i);
}

static const char *lead_name(unsigned i, const void *userdata)
{
        return piece_at(userdata, i)->name;
}

static struct nftnl_rule *lead_new(unsigned i, const void *userdata)
{
        const FwChain *chain = userdata;
        const FwPiece *piece = piece_at(chain, i);
        struct nftnl_rule *rule = fw_emit_lead(chain->name, piece->name);

        switch (piece->sort) {
        case FW_PIECE_SHARD:
                pt_nft_verdict(rule, NFT_JUMP, piece->name);
                return rule;
        case FW_PIECE_HASH:
                fw_shape_put(piece->shape, piece->name, 0, rule);
                return rule;
        case FW_PIECE_RANGES:
        case FW_PIECE_DIVIDE:
                fw_ranges_put(piece->family, piece->ranges, piece->name, rule);
                return rule;
        case FW_PIECE_JUMP:
                fw_put_family(piece->family, rule);
                pt_nft_verdict(rule, NFT_JUMP, piece->name);
                return rule;
        case FW_PIECE_SORT_MAX:
        case FW_PIECE_SORT_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void put_chain(Emit *emit, const char *owner, const FwChain *chain)
{
        pt_nft_batch_add_chain(emit->batch, TABLE, chain->name, NULL);
        for (unsigned i = 0; i < chain->pieces->len; i++) {
                put_piece(emit, owner, piece_at(chain, i));
                pt_nft_batch_append_rule(emit->batch, lead_new(i, chain));
        }
}

void fw_emit_plan(Emit *emit, const char *owner, const FwPlan *plan)
{
        for (unsigned i = 0; i < plan->chains->len; i++)
                put_chain(emit, owner, g_ptr_array_index(plan->chains, i));
}

/* Changes. */

typedef struct PieceChange {
        const FwPiece *before, *after; /* either may be NULL */
        GArray *kernel;                /* of a shard that changes or goes: what is there */
} PieceChange;

typedef struct ChainChange {
        const FwChain *before, *after;
        GArray *pieces; /* PieceChange, those of `after` in its order first */
} ChainChange;

struct FwPlanChange {
        const char *owner;
        GArray *chains; /* ChainChange, those of `after` in its order first */
};

static void piece_change_clear(void *p)
{
        PieceChange *change = p;

        g_clear_pointer(&change->kernel, g_array_unref);
}

static void chain_change_clear(void *p)
{
        g_array_unref(((ChainChange *) p)->pieces);
}

static const FwPiece *find_piece(const FwChain *chain, const char *name)
{
        for (unsigned i = 0; chain && i < chain->pieces->len; i++)
                if (strcmp(piece_at(chain, i)->name, name) == 0)
                        return piece_at(chain, i);
        return NULL;
}

static void add_chain_change(FwPlanChange *change, const FwChain *before, const FwChain *after)
{
        ChainChange chain = {before, after, g_array_new(FALSE, FALSE, sizeof(PieceChange))};

        g_array_set_clear_func(chain.pieces, piece_change_clear);
        for (unsigned i = 0; after && i < after->pieces->len; i++) {
                PieceChange piece = {.after = piece_at(after, i)};

                piece.before = find_piece(before, piece.after->name);
                g_array_append_val(chain.pieces, piece);
        }
        for (unsigned i = 0; before && i < before->pieces->len; i++) {
                PieceChange piece = {.before = piece_at(before, i)};

                if (!find_piece(after, piece.before->name))
                        g_array_append_val(chain.pieces, piece);
        }
        g_array_append_val(change->chains, chain);
}

FwPlanChange *fw_plan_change_new(const char *owner, const FwPlan *before, const FwPlan *after)
{
        FwPlanChange *change = g_new0(FwPlanChange, 1);

        change->owner = owner;
        change->chains = g_array_new(FALSE, FALSE, sizeof(ChainChange));
        g_array_set_clear_func(change->chains, chain_change_clear);
        for (unsigned i = 0; after && i < after->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(after->chains, i);

                add_chain_change(change, fw_plan_chain(before, chain->name), chain);
        }
        for (unsigned i = 0; before && i < before->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(before->chains, i);

                if (!fw_plan_chain(after, chain->name))
                        add_chain_change(change, chain, NULL);
        }
        return change;
}

void fw_plan_change_free(FwPlanChange *change)
{
        if (!change)
                return;
        g_array_unref(change->chains);
        g_free(change);
}

static bool piece_moves(const Emit *emit, const FwPiece *piece)
{
        for (unsigned i = 0; emit->moves && piece->sort == FW_PIECE_SHARD && i < piece->n; i++)
                if (fw_emit_rule_moves(emit, fw_piece_item(piece, i)->rule))
                        return true;
        return false;
}

static bool same_items(const FwPiece *a, const FwPiece *b)
{
        if (a == b)
                return true;
        if (a->n != b->n || a->item_size != b->item_size)
                return false;
        for (unsigned i = 0; i < a->n; i++) {
                const FwItem *x = fw_piece_item(a, i), *y = fw_piece_item(b, i);

                if (x->rule != y->rule || g_strcmp0(x->chain, y->chain) != 0 ||
                    memcmp(x->keys, y->keys, a->item_size - sizeof(*x)) != 0)
                        return false;
        }
        return true;
}

static int read_shard(Emit *emit, const char *owner, PieceChange *change)
{
        g_auto(FwShard) before = shard_of(owner, change->before);
        g_auto(FwShard) after = {0};
        int r;

        if (change->after)
                after = shard_of(owner, change->after);
        r = fw_kernel_read(emit->nft, TABLE, before.chain, &change->kernel);
        if (r == 0)
                fw_emit_carry_chain(emit, &before, change->after ? &after : NULL, change->kernel);
        return r;
}

static int read_piece(Emit *emit, const char *owner, PieceChange *change)
{
        const FwPiece *before = change->before;

        if (!before || before->sort == FW_PIECE_JUMP || before->sort == FW_PIECE_DIVIDE)
                return 0;
        if (before->sort != FW_PIECE_SHARD && change->after)
                return 0; /* it has the same in it */
        if (before->sort != FW_PIECE_SHARD)
                return fw_carry_read_map(emit->nft, owner, before->name, emit->carry);
        if (change->after && same_items(before, change->after) && !piece_moves(emit, before))
                return 0;
        return read_shard(emit, owner, change);
}

/* Whether nothing of it is another now: it was taken over. */
static bool is_same(const Emit *emit, const ChainChange *change)
{
        return change->before == change->after && !emit->moves;
}

int fw_plan_change_read(Emit *emit, FwPlanChange *change)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < change->chains->len; i++) {
                ChainChange *chain = &g_array_index(change->chains, ChainChange, i);

                for (unsigned k = 0; r == 0 && !is_same(emit, chain) && k < chain->pieces->len; k++)
                        r = read_piece(emit, change->owner,
                                       &g_array_index(chain->pieces, PieceChange, k));
        }
        return r;
}

static void sync_piece(Emit *emit, const char *owner, const PieceChange *change)
{
        g_auto(FwShard) shard = {0};

        if (!change->before) {
                put_piece(emit, owner, change->after);
        } else if (change->after && change->kernel) {
                shard = shard_of(owner, change->after);
                fw_emit_shard_sync(emit, &shard, change->kernel);
        }
}

static bool same_leads(const FwChain *a, const FwChain *b)
{
        if (a->pieces->len != b->pieces->len)
                return false;
        for (unsigned i = 0; i < a->pieces->len; i++)
                if (strcmp(piece_at(a, i)->name, piece_at(b, i)->name) != 0)
                        return false;
        return true;
}

static int sync_chain(Emit *emit, const char *owner, const ChainChange *change)
{
        FwLeads leads = {.chain = change->after->name,
                         .n = change->after->pieces->len,
                         .name = lead_name,
                         .make = lead_new,
                         .userdata = change->after};

        for (unsigned i = 0; i < change->pieces->len; i++)
                sync_piece(emit, owner, &g_array_index(change->pieces, PieceChange, i));
        return same_leads(change->before, change->after) ? 0 : fw_emit_leads_sync(emit, &leads);
}

int fw_plan_change_put(Emit *emit, FwPlanChange *change)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < change->chains->len; i++) {
                const ChainChange *chain = &g_array_index(change->chains, ChainChange, i);

                if (chain->after && !chain->before)
                        put_chain(emit, change->owner, chain->after);
                else if (chain->after && !is_same(emit, chain))
                        r = sync_chain(emit, change->owner, chain);
        }
        return r;
}

static void drop_pieces(Emit *emit, const ChainChange *chain)
{
        for (unsigned i = 0; i < chain->pieces->len; i++) {
                const PieceChange *piece = &g_array_index(chain->pieces, PieceChange, i);

                if (piece->before && !piece->after)
                        drop_piece(emit, piece->before);
        }
}

void fw_plan_change_drop(Emit *emit, const FwPlanChange *change)
{
        const ChainChange *chains = (const ChainChange *) (void *) change->chains->data;

        /* The kernel keeps what something leads to: rules lead to maps, and maps to chains. */
        for (unsigned i = 0; i < change->chains->len; i++)
                if (!chains[i].after)
                        pt_nft_batch_flush_chain(emit->stages->after, TABLE,
                                                 chains[i].before->name);
        for (unsigned i = 0; i < change->chains->len; i++)
                drop_pieces(emit, &chains[i]);
        for (unsigned i = 0; i < change->chains->len; i++)
                if (!chains[i].after)
                        pt_nft_batch_delete_chain(emit->stages->after, TABLE,
                                                  chains[i].before->name);
}
