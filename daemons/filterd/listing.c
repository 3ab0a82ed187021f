/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "listing.h"

#include "base/marks.h"
#include "kept-counts.h"
#include "nat.h"
#include "objects.h"
#include "ruleset.h"

#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

typedef struct Listing {
        PtNft *nft;
        const FwLayout *layout;
        const FwClass *klass;
        void (*each)(const FwCounterRow *row, void *userdata);
        void *userdata;

        /* Of the unit being read: what has been found, by entry. */
        const FwUnit *unit;
        unsigned start; /* entry where it begins */
        FwCounterRow *rows;
        unsigned first, n; /* entries wanted */
        unsigned entry;    /* of a map: whose keys are being read */

        /* Of a stretch: rule -> entry + 1, those wanted; and the piece being read. */
        GHashTable *wanted;
        const FwPiece *piece;
} Listing;

static void add(Listing *listing, unsigned entry, uint64_t packets, uint64_t bytes,
                const FwTag *tag)
{
        FwCounterRow *row;

        if (entry < listing->first || entry - listing->first >= listing->n)
                return;
        row = &listing->rows[entry - listing->first];
        row->packets += packets;
        row->bytes += bytes;
        row->carried |= (tag->flags & FW_TAG_CARRIED) != 0;
}

static int read_shard_rule(struct nftnl_rule *rule, void *userdata)
{
        Listing *listing = userdata;
        uint64_t packets, bytes;
        FwTag tag, wanted;

        if (!fw_tag_read_rule(rule, &tag) || !pt_nft_rule_counter(rule, &packets, &bytes))
                return 0;
        for (unsigned i = 0; i < listing->unit->n; i++) {
                fw_tag_of(g_array_index(listing->klass->entries, FwEntry, listing->start + i).rule,
                          0, false, &wanted);
                if (memcmp(wanted.uid, tag.uid, sizeof(tag.uid)) == 0) {
                        add(listing, listing->start + i, packets, bytes, &tag);
                        break;
                }
        }
        return 0;
}

static int read_fold_element(struct nftnl_set_elem *element, void *userdata)
{
        Listing *listing = userdata;
        uint64_t packets, bytes;
        FwTag tag;

        if (fw_tag_read_element(element, &tag) && pt_nft_element_counter(element, &packets, &bytes))
                add(listing, listing->entry, packets, bytes, &tag);
        return 0;
}

static int read_fold(Listing *listing)
{
        size_t len = fw_shape_key_len(listing->unit->shape);

        for (unsigned i = 0; i < listing->n; i++) {
                FwKey keys[FW_KEYS_MAX];
                unsigned n;

                listing->entry = listing->first + i;
                n = fw_match_keys(
                        g_array_index(listing->klass->entries, FwEntry, listing->entry).rule,
                        listing->unit->shape, keys);
                for (unsigned k = 0; k < n; k++) {
                        int r = pt_nft_get_element(listing->nft, TABLE, listing->unit->name,
                                                   keys[k].bytes, (uint32_t) len, read_fold_element,
                                                   listing);

                        if (r < 0 && r != -ENOENT)
                                return r;
                }
        }
        return 0;
}

static unsigned wanted_entry(const Listing *listing, unsigned item)
{
        return GPOINTER_TO_UINT(
                g_hash_table_lookup(listing->wanted, fw_piece_item(listing->piece, item)->rule));
}

static int read_piece_rule(struct nftnl_rule *rule, void *userdata)
{
        Listing *listing = userdata;
        uint64_t packets, bytes;
        FwTag tag, item;

        if (!fw_tag_read_rule(rule, &tag) || !pt_nft_rule_counter(rule, &packets, &bytes))
                return 0;
        for (unsigned i = 0; i < listing->piece->n; i++) {
                fw_tag_of(fw_piece_item(listing->piece, i)->rule, 0, false, &item);
                if (memcmp(item.uid, tag.uid, sizeof(tag.uid)) != 0)
                        continue;
                if (wanted_entry(listing, i) > 0)
                        add(listing, wanted_entry(listing, i) - 1, packets, bytes, &tag);
                break;
        }
        return 0;
}

static int read_piece(Listing *listing)
{
        const FwPiece *piece = listing->piece;
        int r = 0;

        if (piece->sort != FW_PIECE_SHARD && piece->sort != FW_PIECE_HASH &&
            piece->sort != FW_PIECE_RANGES)
                return 0; /* it counts nothing */
        for (unsigned i = 0; i < piece->n; i++) {
                if (wanted_entry(listing, i) == 0)
                        continue;
                if (piece->sort == FW_PIECE_SHARD)
                        return pt_nft_dump_rules(listing->nft, TABLE, piece->name, read_piece_rule,
                                                 listing);
                listing->entry = wanted_entry(listing, i) - 1;
                r = pt_nft_get_element(listing->nft, TABLE, piece->name,
                                       fw_piece_item(piece, i)->keys, (uint32_t) piece->key_len,
                                       read_fold_element, listing);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return r;
}

/* A rule may stand in many places of a stretch: what all of them counted. */
static int read_stretch(Listing *listing)
{
        g_autoptr(GHashTable) wanted = g_hash_table_new(NULL, NULL);
        const FwPlan *plan = listing->unit->plan;
        int r = 0;

        listing->wanted = wanted;
        for (unsigned i = listing->first; i < listing->first + listing->n; i++)
                g_hash_table_insert(
                        wanted,
                        (void *) (uintptr_t) g_array_index(listing->klass->entries, FwEntry, i)
                                .rule,
                        GUINT_TO_POINTER(i + 1));
        for (unsigned i = 0; (r >= 0 || r == -ENOENT) && i < plan->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(plan->chains, i);

                for (unsigned k = 0; (r >= 0 || r == -ENOENT) && k < chain->pieces->len; k++) {
                        listing->piece = g_ptr_array_index(chain->pieces, k);
                        r = read_piece(listing);
                }
        }
        listing->wanted = NULL;
        return r;
}

static int read_unit(Listing *listing)
{
        if (listing->unit->plan)
                return read_stretch(listing);
        if (listing->unit->shape)
                return read_fold(listing);
        return pt_nft_dump_rules(listing->nft, TABLE, listing->unit->name, read_shard_rule,
                                 listing);
}

/* The counters of up to `limit` entries of a class from one on, added to `rows`; their number, or a
 * negative errno. */
static int read_class(Listing *listing, const FwClass *klass, unsigned from, unsigned limit,
                      FwCounterRow *rows)
{
        unsigned start = 0, listed = 0;

        listing->klass = klass;
        for (unsigned i = 0; i < klass->units->len && listed < limit; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);
                int r;

                if (from + listed < start + unit->n) {
                        listing->unit = unit;
                        listing->start = start;
                        listing->first = from + listed;
                        listing->n = MIN(limit - listed, start + unit->n - listing->first);
                        listing->rows = rows + listed;
                        r = read_unit(listing);
                        if (r < 0 && r != -ENOENT)
                                return r;
                        listed += listing->n;
                }
                start += unit->n;
        }
        return (int) listed;
}

static const FirewallRule *rule_at(const FwClass *klass, unsigned entry)
{
        return g_array_index(klass->entries, FwEntry, entry).rule;
}

/* The NatRule of an entry if it translates both ways; NULL: it does not. */
static const NatRule *both_ways(const FwClass *klass, unsigned entry, FwNatSide *ret_side)
{
        const NatRule *nat = fw_nat_of(rule_at(klass, entry), ret_side);

        return nat && fw_nat_has_side(nat, FW_NAT_IN) && fw_nat_has_side(nat, FW_NAT_OUT) ? nat
                                                                                          : NULL;
}

/* The class of a zone's other side, which has rules of both ways too; NULL: the zone has no class of
 * its own there. */
static const FwClass *other_side(const Listing *listing, const FwClass *klass)
{
        bool in = strcmp(klass->from, "in") == 0;
        g_autofree char *name = g_strdup_printf("%s/%s", in ? "out" : "in", klass->to);

        return g_hash_table_lookup(listing->layout->nat->classes, name);
}

/* Adds what rules that translate both ways have counted on their way out. Both classes have one
 * order, so each unit is read once. */
static int add_way_out(Listing *listing, const FwClass *in, unsigned from, unsigned n,
                       FwCounterRow *rows)
{
        const FwClass *out = other_side(listing, in);
        g_autofree FwCounterRow *read = NULL;
        unsigned start = 0, len = 0;

        if (!out)
                return 0;
        for (unsigned i = 0; i < n; i++) {
                const NatRule *nat = both_ways(in, from + i, NULL);
                unsigned entry;
                int r;

                if (!nat)
                        continue;
                entry = fw_entries_find(out->entries, rule_at(in, from + i));
                if (entry < start || entry >= start + len) {
                        len = fw_class_unit_at(out, entry, &start)->n;
                        g_free(read);
                        read = g_new0(FwCounterRow, len);
                        r = read_class(listing, out, start, len, read);
                        if (r < 0)
                                return r;
                }
                rows[i].packets += read[entry - start].packets;
                rows[i].bytes += read[entry - start].bytes;
                rows[i].carried |= read[entry - start].carried;
        }
        return 0;
}

/* Lists up to `limit` entries of a class from one on; their number, or a negative errno. */
static int list_class(Listing *listing, const FwClass *klass, unsigned from, unsigned limit)
{
        g_autofree FwCounterRow *rows = g_new0(FwCounterRow, limit);
        bool nat = klass->sort == FW_CLASS_NAT, listed = nat && other_side(listing, klass);
        int n = read_class(listing, klass, from, limit, rows), r = 0;

        if (n > 0 && nat && strcmp(klass->from, "in") == 0)
                r = add_way_out(listing, klass, from, (unsigned) n, rows);
        if (n < 0 || r < 0)
                return n < 0 ? n : r;
        for (unsigned i = 0; i < (unsigned) n; i++) {
                const PtObject *object = &rule_at(klass, from + i)->object;
                FwNatSide side;

                if (listed && both_ways(klass, from + i, &side) && side == FW_NAT_OUT)
                        continue; /* it came with the way in */
                if (nat && fw_nat_of(rule_at(klass, from + i), &side) && side == FW_NAT_BACK)
                        continue; /* counted when it arrived */
                rows[i].kind = object->kind->name;
                rows[i].rule = nat ? NULL : rule_at(klass, from + i);
                rows[i].name = object->name;
                rows[i].klass = nat ? klass->to : klass->name;
                listing->each(&rows[i], listing->userdata);
        }
        return n;
}

static int list_fixed(Listing *listing, const FwZones *zones)
{
        g_autoptr(GHashTable) counts = NULL;
        g_autoptr(GList) names = NULL;
        int r;

        r = fw_ruleset_read_fixed(listing->nft, zones, false, &counts);
        if (r == 0)
                r = fw_objects_read_counts(listing->layout->objects, listing->nft, counts);
        if (r < 0)
                return r;
        names = g_list_sort(g_hash_table_get_keys(counts), (GCompareFunc) strcmp);
        for (GList *name = names; name; name = name->next) {
                const FwCount *count = g_hash_table_lookup(counts, name->data);
                FwCounterRow row = {.kind = "",
                                    .name = name->data,
                                    .klass = "",
                                    .packets = count->packets,
                                    .bytes = count->bytes};

                listing->each(&row, listing->userdata);
        }
        return 0;
}

/* What of a list is a page of rows. */
typedef struct Page {
        Listing *listing;
        unsigned skip, left; /* rows before the page, and rows that it has room for */
        bool more;
} Page;

static void list_row(Page *page, const FwCounterRow *row)
{
        if (page->skip > 0) {
                page->skip--;
        } else if (page->left > 0) {
                page->left--;
                page->listing->each(row, page->listing->userdata);
        } else {
                page->more = true;
        }
}

static void list_kept_row(const char *comment, const FwCount *count, void *userdata)
{
        const char *name = strchr(comment, '/');
        g_autofree char *kind = name ? g_strndup(comment, (size_t) (name - comment)) : NULL;
        FwCounterRow row = {.kind = kind,
                            .name = name ? name + 1 : NULL,
                            .klass = "",
                            .packets = count->packets,
                            .bytes = count->bytes,
                            .carried = true};

        if (name)
                list_row(userdata, &row);
}

static void list_frame_row(const FwBridgeCount *count, void *userdata)
{
        FwCounterRow row = {.kind = count->rule ? "BridgeRule" : "",
                            .rule = count->rule ? &count->rule->effective.rule : NULL,
                            .name = count->name,
                            .klass = count->rule ? count->chain : "",
                            .packets = count->count.packets,
                            .bytes = count->count.bytes,
                            .carried = count->carried};

        list_row(userdata, &row);
}

/* What waits (kept-counts.h), and rules of bridges, come last, by names of chains that no class has. */
#define KEPT_CURSOR "~kept"
#define BRIDGE_CURSOR "~bridge"

/* Their number, or a negative errno; beyond a page `*ret_next` is set. */
static int list_kept(Listing *listing, unsigned from, unsigned limit, char **ret_next)
{
        Page page = {.listing = listing, .skip = from, .left = limit};
        int r = fw_kept_counts_foreach(listing->nft, list_kept_row, &page);

        if (r < 0)
                return r;
        if (page.more)
                *ret_next = g_strdup_printf(KEPT_CURSOR "#%u", from + limit);
        return (int) (limit - page.left);
}

static int list_bridge(Listing *listing, const FwBridge *bridge, unsigned from, unsigned limit,
                       char **ret_next)
{
        Page page = {.listing = listing, .skip = from, .left = limit};
        int r = fw_bridge_read_counts(bridge, listing->nft, list_frame_row, &page);

        if (r < 0)
                return r;
        *ret_next = page.more ? g_strdup_printf(BRIDGE_CURSOR "#%u", from + limit) : g_strdup("");
        return 0;
}

static int compare_chains(const void *a, const void *b)
{
        return strcmp((*(FwClass *const *) a)->chain, (*(FwClass *const *) b)->chain);
}

static void collect(const FwClass *klass, void *userdata)
{
        g_ptr_array_add(userdata, (void *) (uintptr_t) klass);
}

/* A cursor is "CHAIN#ENTRY", by the class's chain: what comes next. A class that a commit has taken away meanwhile
 * continues at the one after. */
static int parse_cursor(const char *after, char **ret_chain, unsigned *ret_entry)
{
        const char *hash = strchr(after, '#');
        uint64_t entry;

        if (!hash || !g_ascii_string_to_unsigned(hash + 1, 10, 0, UINT32_MAX, &entry, NULL))
                return -EINVAL;
        *ret_chain = g_strndup(after, (size_t) (hash - after));
        *ret_entry = (unsigned) entry;
        return 0;
}

int fw_list_counters(FwEngine *engine, const char *after, unsigned limit,
                     void (*each)(const FwCounterRow *row, void *userdata), void *userdata,
                     char **ret_next)
{
        const FwLayout *layout = fw_engine_layout(engine);
        Listing listing = {.nft = fw_engine_nft_socket(engine),
                           .layout = layout,
                           .each = each,
                           .userdata = userdata};
        g_autoptr(GPtrArray) classes = g_ptr_array_new();
        g_autofree char *chain = NULL;
        unsigned entry = 0;
        int r;

        if (!layout)
                return -ENODATA;
        if (after[0] != '\0') {
                r = parse_cursor(after, &chain, &entry);
                if (r < 0)
                        return r;
        } else {
                r = list_fixed(&listing, layout->zones);
                if (r < 0)
                        return r == -ENOENT ? -ENODATA : r;
        }
        fw_layout_foreach_class(layout, collect, classes);
        g_ptr_array_sort(classes, compare_chains);

        for (unsigned i = 0; i < classes->len; i++) {
                const FwClass *klass = g_ptr_array_index(classes, i);
                unsigned from = 0;

                if (chain && strcmp(klass->chain, chain) < 0)
                        continue;
                if (chain && strcmp(klass->chain, chain) == 0)
                        from = MIN(entry, klass->entries->len);
                if (limit == 0) {
                        *ret_next = g_strdup_printf("%s#%u", klass->chain, from);
                        return 0;
                }
                r = list_class(&listing, klass, from, MIN(limit, klass->entries->len - from));
                if (r < 0)
                        return r;
                limit -= (unsigned) r;
                if (from + (unsigned) r < klass->entries->len) {
                        *ret_next = g_strdup_printf("%s#%u", klass->chain, from + (unsigned) r);
                        return 0;
                }
        }
        if (!chain || strcmp(chain, BRIDGE_CURSOR) != 0) {
                g_autofree char *more = NULL;

                r = list_kept(&listing, chain && strcmp(chain, KEPT_CURSOR) == 0 ? entry : 0, limit,
                              &more);
                if (r < 0)
                        return r;
                if (more) {
                        *ret_next = g_steal_pointer(&more);
                        return 0;
                }
                limit -= (unsigned) r;
        }
        return list_bridge(&listing, fw_engine_bridge(engine),
                           chain && strcmp(chain, BRIDGE_CURSOR) == 0 ? entry : 0, limit, ret_next);
}
