/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/rule-index.h"

#include "filter/box.h"

#include <string.h>

#define WORDS (FW_RULE_INDEX_BLOCK / 64)
/* Of a value that is not known, intervals that are looked at before all rules are candidates. */
#define INTERVALS_MAX 64

typedef enum Side { SIDE_SOURCE, SIDE_DESTINATION, SIDE_PROTOCOL, SIDE_PORT, SIDE_MAX } Side;

static const FwDimension dimensions[SIDE_MAX] = {
        [SIDE_SOURCE] = FW_DIM_SOURCE_ADDRESS,
        [SIDE_DESTINATION] = FW_DIM_DESTINATION_ADDRESS,
        [SIDE_PROTOCOL] = FW_DIM_PROTOCOL,
        [SIDE_PORT] = FW_DIM_DESTINATION_PORT,
};

/* One dimension of a block: where intervals begin, ascending, the first at 0; and which rules each
 * is of. */
typedef struct Cuts {
        unsigned n;
        FwNumber *starts;
        uint64_t (*rules)[WORDS];
} Cuts;

typedef struct Block {
        uint64_t rules[2][WORDS]; /* that have boxes of the family */
        Cuts cuts[2][SIDE_MAX];   /* by family: IPv4, IPv6 */
} Block;

struct FwRuleIndex {
        unsigned n_blocks;
        Block *blocks;
};

static unsigned family_index(int family)
{
        return family == AF_INET ? 0 : 1;
}

static FwSpan side_of(const FwBox *box, Side side)
{
        switch (side) {
        case SIDE_SOURCE:
                return box->address[FW_BOX_SOURCE];
        case SIDE_DESTINATION:
                return box->address[FW_BOX_DESTINATION];
        case SIDE_PROTOCOL:
                return (FwSpan){box->number[FW_BOX_PROTOCOL].lo, box->number[FW_BOX_PROTOCOL].hi};
        case SIDE_PORT:
                return (FwSpan){box->number[FW_BOX_DESTINATION_PORT].lo,
                                box->number[FW_BOX_DESTINATION_PORT].hi};
        case SIDE_MAX:
                break;
        }
        g_assert_not_reached();
}

/* A box, and which rule of the block it is of. */
typedef struct Entry {
        FwBox box;
        unsigned rule;
} Entry;

static int compare_numbers(const void *a, const void *b)
{
        const FwNumber *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* The interval that a number is in. */
static unsigned find(const Cuts *cuts, FwNumber number)
{
        unsigned lo = 0, hi = cuts->n;

        while (hi - lo > 1) {
                unsigned middle = (lo + hi) / 2;

                if (cuts->starts[middle] <= number)
                        lo = middle;
                else
                        hi = middle;
        }
        return lo;
}

static void fill_cuts(Cuts *cuts, const GArray *entries, Side side)
{
        unsigned n = 1;

        cuts->starts = g_new(FwNumber, 2 * (size_t) entries->len + 1);
        cuts->starts[0] = 0;
        for (unsigned i = 0; i < entries->len; i++) {
                FwSpan span = side_of(&g_array_index(entries, Entry, i).box, side);

                cuts->starts[n++] = span.lo;
                if (span.hi + 1 != 0)
                        cuts->starts[n++] = span.hi + 1;
        }
        qsort(cuts->starts, n, sizeof(*cuts->starts), compare_numbers);
        cuts->n = 1;
        for (unsigned i = 1; i < n; i++)
                if (cuts->starts[i] != cuts->starts[cuts->n - 1])
                        cuts->starts[cuts->n++] = cuts->starts[i];
        cuts->rules = g_malloc0_n(cuts->n, sizeof(*cuts->rules));
        for (unsigned i = 0; i < entries->len; i++) {
                const Entry *entry = &g_array_index(entries, Entry, i);
                FwSpan span = side_of(&entry->box, side);

                for (unsigned at = find(cuts, span.lo); at < cuts->n && cuts->starts[at] <= span.hi;
                     at++)
                        cuts->rules[at][entry->rule / 64] |= UINT64_C(1) << entry->rule % 64;
        }
}

static void fill_block(Block *block, const GPtrArray *rules, unsigned first)
{
        g_autoptr(GArray) ipv4 = g_array_new(FALSE, FALSE, sizeof(Entry));
        g_autoptr(GArray) ipv6 = g_array_new(FALSE, FALSE, sizeof(Entry));
        GArray *entries[] = {ipv4, ipv6};
        g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(FwBox));
        unsigned n = MIN(rules->len - first, FW_RULE_INDEX_BLOCK);

        for (unsigned i = 0; i < n; i++) {
                g_array_set_size(boxes, 0);
                (void) fw_rule_boxes(g_ptr_array_index(rules, first + i), boxes);
                for (unsigned k = 0; k < boxes->len; k++) {
                        Entry entry = {.box = g_array_index(boxes, FwBox, k), .rule = i};

                        g_array_append_val(entries[family_index(entry.box.family)], entry);
                        block->rules[family_index(entry.box.family)][i / 64] |= UINT64_C(1)
                                                                                << i % 64;
                }
        }
        for (unsigned family = 0; family < 2; family++)
                for (Side side = 0; side < SIDE_MAX; side++)
                        fill_cuts(&block->cuts[family][side], entries[family], side);
}

FwRuleIndex *fw_rule_index_new(const GPtrArray *rules)
{
        FwRuleIndex *index = g_new0(FwRuleIndex, 1);

        index->n_blocks = (rules->len + FW_RULE_INDEX_BLOCK - 1) / FW_RULE_INDEX_BLOCK;
        index->blocks = g_new0(Block, index->n_blocks);
        for (unsigned i = 0; i < index->n_blocks; i++)
                fill_block(&index->blocks[i], rules, i * FW_RULE_INDEX_BLOCK);
        return index;
}

void fw_rule_index_free(FwRuleIndex *index)
{
        if (!index)
                return;
        for (unsigned i = 0; i < index->n_blocks; i++)
                for (unsigned family = 0; family < 2; family++)
                        for (Side side = 0; side < SIDE_MAX; side++) {
                                g_free(index->blocks[i].cuts[family][side].starts);
                                g_free(index->blocks[i].cuts[family][side].rules);
                        }
        g_free(index->blocks);
        g_free(index);
}

void fw_rule_index_walk(const FwRuleIndex *index, const FwPacket *packet, FwRuleIndexWalk *walk)
{
        walk->index = index;
        walk->packet = packet;
        walk->block = 0;
        walk->word = WORDS;
}

/* Leaves the rules that the packet's value on one side allows; false: there are none. */
static bool narrow(const Cuts *cuts, const FwPacket *packet, Side side, uint64_t *bits)
{
        const FwSpan *value = &packet->values[dimensions[side]];
        unsigned first, last;
        uint64_t any[WORDS], left = 0;

        /* What has no such value is in the boxes that ask for none, by their whole interval. */
        if (!packet->here[dimensions[side]])
                return true;
        first = find(cuts, value->lo);
        last = value->hi == value->lo ? first : find(cuts, value->hi);
        if (last - first >= INTERVALS_MAX)
                return true;
        memcpy(any, cuts->rules[first], sizeof(any));
        for (unsigned at = first + 1; at <= last; at++)
                for (unsigned word = 0; word < WORDS; word++)
                        any[word] |= cuts->rules[at][word];
        for (unsigned word = 0; word < WORDS; word++)
                left |= bits[word] &= any[word];
        return left != 0;
}

static void load_block(FwRuleIndexWalk *walk)
{
        const Block *block = &walk->index->blocks[walk->block++];
        const Cuts *cuts = block->cuts[family_index(walk->packet->family)];

        memcpy(walk->bits, block->rules[family_index(walk->packet->family)], sizeof(walk->bits));
        walk->word = 0;
        for (Side side = 0; side < SIDE_MAX; side++)
                if (!narrow(&cuts[side], walk->packet, side, walk->bits)) {
                        walk->word = WORDS;
                        return;
                }
}

bool fw_rule_index_next(FwRuleIndexWalk *walk, unsigned *ret)
{
        for (;;) {
                while (walk->word < WORDS && walk->bits[walk->word] == 0)
                        walk->word++;
                if (walk->word < WORDS)
                        break;
                if (walk->block == walk->index->n_blocks)
                        return false;
                load_block(walk);
        }
        *ret = (walk->block - 1) * FW_RULE_INDEX_BLOCK + walk->word * 64 +
               (unsigned) __builtin_ctzll(walk->bits[walk->word]);
        walk->bits[walk->word] &= walk->bits[walk->word] - 1;
        return true;
}
