/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plan.h"

#include "counters.h"
#include "layout.h"
#include "phases.h"

#include <string.h>
#include <sys/socket.h>

#define CONTENT_DIGITS 16 /* of a digest: enough that no two contents of one map are alike */

static void piece_unref(void *p)
{
        FwPiece *piece = p;

        if (--piece->refs > 0)
                return;
        for (unsigned i = 0; piece->sort == FW_PIECE_DIVIDE && i < piece->n; i++)
                g_free(fw_piece_item(piece, i)->chain);
        if (piece->items)
                g_byte_array_unref(piece->items);
        g_free(piece->name);
        g_free(piece);
}

static FwPiece *piece_new(FwPieceSort sort, char *name, int family, size_t key_len)
{
        FwPiece *piece = g_new0(FwPiece, 1);
        size_t keys = sort == FW_PIECE_RANGES || sort == FW_PIECE_DIVIDE ? 2 * key_len : key_len;

        piece->refs = 1;
        piece->sort = sort;
        piece->name = name;
        piece->family = family;
        piece->key_len = key_len;
        piece->item_size = (sizeof(FwItem) + keys + 7) / 8 * 8;
        piece->items = g_byte_array_new();
        return piece;
}

static FwItem *add_item(FwPiece *piece, const FirewallRule *rule)
{
        FwItem *item;

        g_byte_array_set_size(piece->items, (unsigned) ((piece->n + 1) * piece->item_size));
        item = fw_piece_item(piece, piece->n++);
        memset(item, 0, piece->item_size);
        item->rule = rule;
        return item;
}

void fw_content_add(PtHasher *hasher, const FirewallRule *rule, const void *keys, size_t size)
{
        FwTag tag = {0};

        if (rule)
                fw_tag_of(rule, 0, false, &tag);
        pt_hasher_add(hasher, &tag, sizeof(tag));
        pt_hasher_add(hasher, keys, size);
}

void fw_content_name(PtHasher *hasher, char **name)
{
        g_autofree char *stem = g_steal_pointer(name);
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_hasher_end(hasher, &digest);
        pt_digest_to_hex(&digest, hex);
        *name = g_strdup_printf("%s.%.*s", stem, CONTENT_DIGITS, hex);
}

/* No map is ever changed: a packet on its way by the rules of before would already find what is in
 * it from now on (stages.h). What holds something else has another name. */
static void settle_name(FwPiece *piece)
{
        PtHasher *hasher = pt_hasher_new();
        size_t size = fw_piece_has_ranges(piece) ? 2 * piece->key_len : piece->key_len;

        for (unsigned i = 0; i < piece->n; i++) {
                const FwItem *item = fw_piece_item(piece, i);

                fw_content_add(hasher, item->rule, item->keys, size);
                if (item->chain)
                        pt_hasher_add(hasher, item->chain, strlen(item->chain));
        }
        fw_content_name(hasher, &piece->name);
}

static FwChain *chain_new(const char *name)
{
        FwChain *chain = g_new0(FwChain, 1);

        chain->refs = 1;
        chain->name = g_strdup(name);
        chain->sections = g_array_new(FALSE, FALSE, sizeof(FwSection));
        chain->pieces = g_ptr_array_new_with_free_func(piece_unref);
        return chain;
}

static void chain_unref(void *p)
{
        FwChain *chain = p;

        if (--chain->refs > 0)
                return;
        g_ptr_array_unref(chain->pieces);
        g_array_unref(chain->sections);
        g_free(chain->rules);
        g_free(chain->name);
        g_free(chain);
}

/* Leaves. */

typedef struct Section {
        FwChain *chain;
        const FwPlanRule *rules;
        const FirewallRule **only; /* the rules alone */
        unsigned n;
        uint64_t id;
        FwPhases phases;
} Section;

static char *map_name(const Section *section, unsigned phase, const char *rest)
{
        return g_strdup_printf("m%s/%" PRIx64 ".%u%s", section->chain->name + 1, section->id, phase,
                               rest);
}

static const FwPhaseBox *box_at(const GPtrArray *boxes, unsigned i)
{
        return g_ptr_array_index(boxes, i);
}

/* The shape that all have, or 0. */
static uint32_t common_shape(const GPtrArray *boxes)
{
        uint32_t shape = 0, other;
        FwKey key;

        for (unsigned i = 0; i < boxes->len; i++) {
                other = fw_box_shape(&box_at(boxes, i)->box, &key);
                if (i == 0)
                        shape = other;
                if (other != shape)
                        return 0;
        }
        return shape;
}

static void add_hash(const Section *section, unsigned phase, uint32_t shape, const GPtrArray *boxes)
{
        g_autofree char *rest = g_strdup_printf("h%x", shape);
        FwPiece *piece = piece_new(FW_PIECE_HASH, map_name(section, phase, rest),
                                   box_at(boxes, 0)->box.family, fw_shape_key_len(shape));
        FwKey key;

        piece->shape = shape;
        for (unsigned i = 0; i < boxes->len; i++) {
                const FwPhaseBox *at = box_at(boxes, i);

                (void) fw_box_shape(&at->box, &key);
                memcpy(add_item(piece, section->only[at->rule])->keys, key.bytes, piece->key_len);
        }
        settle_name(piece);
        g_ptr_array_add(section->chain->pieces, piece);
}

/* More than one map holds is spread over several, by the uids of the rules. */
static void add_ranges(const Section *section, unsigned phase, unsigned ranges,
                       const GPtrArray *boxes)
{
        int family = box_at(boxes, 0)->box.family;
        g_autofree FwPiece **pieces = NULL;
        unsigned n = 1;

        /* Half of it leaves room for how unevenly they spread. */
        while (boxes->len > FW_RANGES_MAP_MAX && n < boxes->len / (FW_RANGES_MAP_MAX / 2))
                n *= 2;
        pieces = g_new(FwPiece *, n);
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *rest =
                        g_strdup_printf("r%c%u.%u.%u", family == AF_INET ? '4' : '6', ranges, n, i);

                pieces[i] = piece_new(FW_PIECE_RANGES, map_name(section, phase, rest), family,
                                      fw_ranges_key_len(family, ranges));
                pieces[i]->ranges = ranges;
        }
        for (unsigned i = 0; i < boxes->len; i++) {
                const FwPhaseBox *at = box_at(boxes, i);
                FwPiece *piece = pieces[section->rules[at->rule].mix / 2 % n];
                FwItem *item = add_item(piece, section->only[at->rule]);

                fw_ranges_keys(&at->box, ranges, item->keys, item->keys + piece->key_len);
        }
        for (unsigned i = 0; i < n; i++) {
                if (pieces[i]->n == 0) {
                        piece_unref(pieces[i]);
                        continue;
                }
                settle_name(pieces[i]);
                g_ptr_array_add(section->chain->pieces, pieces[i]);
        }
}

/* A box that stands in a map, and where. */
typedef struct Place {
        unsigned phase, sort, box; /* sort: family and ranges */
} Place;

static int compare_places(const void *a, const void *b)
{
        const Place *x = a, *y = b;

        if (x->phase != y->phase)
                return x->phase < y->phase ? -1 : 1;
        if (x->sort != y->sort)
                return x->sort < y->sort ? -1 : 1;
        return x->box < y->box ? -1 : x->box > y->box;
}

static GArray *places_of(const Section *section)
{
        GArray *places = g_array_new(FALSE, FALSE, sizeof(Place));
        const FwPhases *phases = &section->phases;

        for (unsigned i = 0; i < phases->boxes->len; i++) {
                const FwPhaseBox *at = &g_array_index(phases->boxes, FwPhaseBox, i);
                Place place = {.phase = phases->phase[at->rule], .box = i};

                place.sort =
                        fw_box_ranges(&at->box) + (at->box.family == AF_INET6 ? FW_RANGES_MAX : 0);
                if (phases->mapped[at->rule])
                        g_array_append_val(places, place);
        }
        g_array_sort(places, compare_places);
        return places;
}

/* The maps of a phase, whose places begin at `at`; where those of the next begin. */
static unsigned add_maps(const Section *section, unsigned phase, const GArray *places, unsigned at)
{
        while (at < places->len && g_array_index(places, Place, at).phase == phase) {
                unsigned sort = g_array_index(places, Place, at).sort;
                g_autoptr(GPtrArray) boxes = g_ptr_array_new();
                uint32_t shape;

                for (; at < places->len; at++) {
                        const Place *place = &g_array_index(places, Place, at);

                        if (place->phase != phase || place->sort != sort)
                                break;
                        g_ptr_array_add(boxes, &g_array_index(section->phases.boxes, FwPhaseBox,
                                                              place->box));
                }
                shape = common_shape(boxes);
                if (shape)
                        add_hash(section, phase, shape, boxes);
                else
                        add_ranges(section, phase, sort % FW_RANGES_MAX, boxes);
        }
        return at;
}

static void add_shards(const Section *section, unsigned phase)
{
        const FwPhases *phases = &section->phases;
        FwPiece *piece = NULL;

        for (unsigned r = 0; r < section->n; r++) {
                uint64_t mix = section->rules[r].mix;

                if (phases->mapped[r] || phases->phase[r] != phase ||
                    phases->first[r] == phases->first[r + 1])
                        continue;
                if (!piece || mix % FW_SHARD_MEAN == 0 || piece->n == FW_SHARD_MAX) {
                        piece = piece_new(FW_PIECE_SHARD,
                                          g_strdup_printf("%s/%" PRIx64 ".%us%016" PRIx64,
                                                          section->chain->name, section->id, phase,
                                                          mix),
                                          AF_UNSPEC, 0);
                        g_ptr_array_add(section->chain->pieces, piece);
                }
                (void) add_item(piece, section->only[r]);
        }
}

static void add_section(Section *section, const FwBox *region)
{
        g_autoptr(GArray) places = NULL;
        unsigned at = 0;

        fw_phases_init(section->only, section->n, region, &section->phases);
        places = places_of(section);
        for (unsigned phase = 0; phase < section->phases.n; phase++) {
                at = add_maps(section, phase, places, at);
                add_shards(section, phase);
        }
        fw_phases_done(&section->phases);
}

static unsigned section_len(const FwPlanRule *rules, unsigned n)
{
        unsigned len = 1;

        if (n <= FW_SECTION_MAX)
                return n;
        while (len < FW_SECTION_MAX && rules[len].mix % FW_SECTION_MEAN != 0)
                len++;
        return len;
}

const FwChain *fw_plan_chain(const FwPlan *plan, const char *name)
{
        return plan ? g_hash_table_lookup(plan->by_name, name) : NULL;
}

static void add_chain(FwPlan *plan, FwChain *chain)
{
        g_ptr_array_add(plan->chains, chain);
        g_hash_table_insert(plan->by_name, chain->name, chain);
}

static bool is_of(const FwChain *chain, const FwPlanRule *rules, unsigned n)
{
        if (!chain || chain->n != n || !chain->rules)
                return false;
        for (unsigned i = 0; i < n; i++)
                if (chain->rules[i] != rules[i].rule)
                        return false;
        return true;
}

/* The section of the same rules in a leaf of the same name and thus region; NULL: there is none. */
static const FwSection *find_section(const FwChain *old, const Section *wanted)
{
        for (unsigned i = 0; old && i < old->sections->len; i++) {
                const FwSection *section = &g_array_index(old->sections, FwSection, i);

                if (section->id == wanted->id && section->n_rules == wanted->n &&
                    memcmp(old->rules + section->rule, wanted->only,
                           wanted->n * sizeof(*wanted->only)) == 0)
                        return section;
        }
        return NULL;
}

static void take_section(FwChain *chain, const FwChain *old, const FwSection *section)
{
        for (unsigned i = 0; i < section->n_pieces; i++) {
                FwPiece *piece = g_ptr_array_index(old->pieces, section->piece + i);

                piece->refs++;
                g_ptr_array_add(chain->pieces, piece);
        }
}

/* A leaf, or the one of the same name that was there, when it is of the same rules. */
static FwChain *leaf_new(const char *name, const FwPlanRule *rules, unsigned n, const FwBox *region,
                         const FwPlan *old)
{
        FwChain *before = (FwChain *) (uintptr_t) fw_plan_chain(old, name), *chain;

        if (is_of(before, rules, n)) {
                before->refs++;
                return before;
        }
        chain = chain_new(name);
        chain->n = n;
        chain->rules = g_new(const FirewallRule *, n + 1);
        for (unsigned i = 0; i < n; i++)
                chain->rules[i] = rules[i].rule;
        for (unsigned at = 0; at < n;) {
                Section section = {.chain = chain,
                                   .rules = rules + at,
                                   .only = chain->rules + at,
                                   .n = section_len(rules + at, n - at),
                                   .id = at == 0 ? 0 : rules[at].mix};
                const FwSection *same = find_section(before, &section);
                FwSection made = {.id = section.id,
                                  .rule = at,
                                  .n_rules = section.n,
                                  .piece = chain->pieces->len};

                if (same)
                        take_section(chain, before, same);
                else
                        add_section(&section, region);
                made.n_pieces = chain->pieces->len - made.piece;
                g_array_append_val(chain->sections, made);
                at += section.n;
        }
        return chain;
}

/* Divisions. */

static FwPiece *divide_new(const char *name, int family)
{
        return piece_new(FW_PIECE_DIVIDE,
                         g_strdup_printf("m%s/%c", name + 1, family == AF_INET ? '4' : '6'), family,
                         fw_ranges_key_len(family, 0));
}

/* What packets of one family meet. */
static void add_family(FwPlan *plan, FwChain *entry, int family, const FwPlanRule *rules,
                       unsigned n, const FwPlan *old)
{
        g_autofree const FirewallRule **only = g_new(const FirewallRule *, n + 1);
        g_autofree FwPlanRule *within = g_new(FwPlanRule, n + 1);
        g_autoptr(FwTree) tree = NULL;
        FwPiece *divide = NULL;

        for (unsigned i = 0; i < n; i++)
                only[i] = rules[i].rule;
        tree = fw_tree_new(family, only, n, plan->copies);
        if (tree->leaves->len > 1)
                divide = divide_new(entry->name, family);
        for (unsigned i = 0; i < tree->leaves->len; i++) {
                const FwTreeLeaf *leaf = g_ptr_array_index(tree->leaves, i);
                g_autofree char *name = g_strdup_printf("%s/%c-%016" PRIx64, entry->name,
                                                        family == AF_INET ? '4' : '6', leaf->id);

                if (leaf->n == 0)
                        continue;
                for (unsigned k = 0; k < leaf->n; k++)
                        within[k] = rules[leaf->rules[k]];
                add_chain(plan, leaf_new(name, within, leaf->n, &leaf->region, old));
                if (divide) {
                        FwItem *item = add_item(divide, NULL);

                        fw_ranges_keys(&leaf->region, 0, item->keys, item->keys + divide->key_len);
                        item->chain = g_steal_pointer(&name);
                } else {
                        g_ptr_array_add(
                                entry->pieces,
                                piece_new(FW_PIECE_JUMP, g_steal_pointer(&name), family, 0));
                }
        }
        if (divide) {
                settle_name(divide);
                g_ptr_array_add(entry->pieces, divide);
        }
}

FwPlan *fw_plan_new(const char *name, const FwPlanRule *rules, unsigned n, unsigned copies,
                    const FwPlan *old)
{
        FwPlan *plan = g_new0(FwPlan, 1);
        FwChain *entry;

        plan->copies = copies;
        plan->chains = g_ptr_array_new_with_free_func(chain_unref);
        plan->by_name = g_hash_table_new(g_str_hash, g_str_equal);
        if (n <= FW_LEAF_MAX) {
                add_chain(plan, leaf_new(name, rules, n, NULL, old));
                return plan;
        }
        entry = chain_new(name);
        add_family(plan, entry, AF_INET, rules, n, old);
        add_family(plan, entry, AF_INET6, rules, n, old);
        add_chain(plan, entry);
        return plan;
}

void fw_plan_free(FwPlan *plan)
{
        if (!plan)
                return;
        g_hash_table_unref(plan->by_name);
        g_ptr_array_unref(plan->chains);
        g_free(plan);
}
