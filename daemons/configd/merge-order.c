/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Where the objects of an ordered kind stand after a merge. Each side placed some: created or moved
 * them. What neither did stays, and divides the order into gaps. In a gap with things of both, each
 * side's stay together, theirs first, as if I had worked after them. Of two things whose order one
 * side changed, that order must come out of it: "drop before allow" was meant. Where it does not,
 * that is a conflict.
 */

#include "merge.h"
#include "position.h"

/* Pairs to look at: a tenth of a second. Two who both move thousands of objects are in conflict. */
#define PAIRS_MAX (4U * 1000U * 1000U)

typedef struct Placed {
        const PtObject *object; /* as the side that placed it has it; identity and position count */
        guint gap;              /* number of unplaced objects before it */
} Placed;

typedef struct Gap {
        const PtObject *mine_first[2], *theirs_first[2]; /* who wants it so: mine, theirs */
} Gap;

typedef struct Order {
        Merge *merge;
        const PtKind *kind;
        GArray *mine, *theirs; /* Placed */
        GPtrArray *unplaced;   /* PtObject of merge->merged */
        GHashTable *placed;    /* identity of what is placed, as PtObject */
        GHashTable *gaps;      /* number: Gap, of those with a wish */
        GHashTable *back;      /* what goes back to where the preferred side has it */
} Order;

static int compare_places(const PtObject *a, const PtObject *b)
{
        if (a->position != b->position)
                return a->position < b->position ? -1 : 1;
        return pt_object_compare_identity(a, b);
}

static int compare_pointers(const void *a, const void *b)
{
        return compare_places(*(const PtObject *const *) a, *(const PtObject *const *) b);
}

static int compare_placed(const void *a, const void *b)
{
        return compare_places(((const Placed *) a)->object, ((const Placed *) b)->object);
}

static const PtObject *find(const PtSlice *slice, const PtObject *object)
{
        return pt_slice_get(slice, object->kind, object->name);
}

static Placed *get_placed(const GArray *array, guint i)
{
        return &g_array_index(array, Placed, i);
}

typedef struct Collect {
        Order *order;
        GArray *into;
        const PtSlice *other; /* the other side */
} Collect;

/* Notes what a side placed; what both put in the same place, or only the other one in the end, is
 * not of this side. */
static int collect_placed(const PtObject *base, const PtObject *side, void *userdata)
{
        const Collect *collect = userdata;
        const PtObject *other, *merged;
        Placed placed = {.object = side};

        if (!side || side->kind != collect->order->kind ||
            (base && base->position == side->position))
                return 0;
        other = find(collect->other, side);
        merged = find(collect->order->merge->merged, side);
        if (!merged || merged->position != side->position ||
            (other && other->position == side->position))
                return 0;
        g_array_append_val(collect->into, placed);
        g_hash_table_add(collect->order->placed, (void *) side);
        return 0;
}

static guint hash_identity(const void *object)
{
        return g_str_hash(((const PtObject *) object)->name);
}

static gboolean equal_identity(const void *a, const void *b)
{
        return pt_object_compare_identity(a, b) == 0;
}

static void order_clear(Order *order)
{
        g_array_unref(order->mine);
        g_array_unref(order->theirs);
        g_hash_table_unref(order->placed);
        g_clear_pointer(&order->unplaced, g_ptr_array_unref);
        g_hash_table_unref(order->gaps);
        g_hash_table_unref(order->back);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Order, order_clear)

static void order_init(Order *order, Merge *merge, const PtKind *kind)
{
        order->merge = merge;
        order->kind = kind;
        order->mine = g_array_new(false, false, sizeof(Placed));
        order->theirs = g_array_new(false, false, sizeof(Placed));
        order->placed = g_hash_table_new(hash_identity, equal_identity);
        order->gaps = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        order->back = g_hash_table_new(hash_identity, equal_identity);
        (void) pt_slice_compare(merge->base, merge->mine, collect_placed,
                                &(Collect){order, order->mine, merge->theirs});
        (void) pt_slice_compare(merge->base, merge->theirs, collect_placed,
                                &(Collect){order, order->theirs, merge->mine});
}

static int collect_unplaced(const PtObject *object, void *userdata)
{
        Order *order = userdata;

        if (!g_hash_table_contains(order->placed, object))
                g_ptr_array_add(order->unplaced, (void *) object);
        return 0;
}

static guint gap_of(const Order *order, const PtObject *object)
{
        guint low = 0, high = order->unplaced->len;

        while (low < high) {
                guint middle = (low + high) / 2;

                if (compare_places(g_ptr_array_index(order->unplaced, middle), object) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static void find_gaps(Order *order)
{
        GArray *const sides[] = {order->mine, order->theirs};

        order->unplaced = g_ptr_array_new();
        (void) pt_slice_foreach(order->merge->merged, order->kind, collect_unplaced, order);
        g_ptr_array_sort(order->unplaced, compare_pointers);
        for (size_t side = 0; side < G_N_ELEMENTS(sides); side++) {
                g_array_sort(sides[side], compare_placed);
                for (guint i = 0; i < sides[side]->len; i++) {
                        Placed *placed = get_placed(sides[side], i);

                        placed->gap = gap_of(order, placed->object);
                }
        }
}

/* The order of two in a slice: < 0, > 0, or 0 if it has not both. */
static int order_in(const PtSlice *slice, const PtObject *a, const PtObject *b)
{
        const PtObject *x = find(slice, a), *y = find(slice, b);

        return x && y ? compare_places(x, y) : 0;
}

/* How what I placed and what they placed must stand: who changed it decides; 0: nobody knows both.
 */
static int wanted(const Merge *merge, const PtObject *mine, const PtObject *theirs)
{
        int here = order_in(merge->mine, mine, theirs),
            there = order_in(merge->theirs, mine, theirs), base;

        if (here == 0 || there == 0)
                return here ?: there;
        base = order_in(merge->base, mine, theirs);
        return base == 0 || (here < 0) != (base < 0) ? here : there;
}

/* The slice whose place of it counts for the one of the two that has to go back, and that one; NULL
 * if it is new, and so cannot. */
static const PtObject *goes_back(const Merge *merge, const PtObject *mine, const PtObject *theirs)
{
        const PtObject *loser = merge->prefer == MERGE_MINE ? theirs : mine;

        return find(merge->prefer == MERGE_MINE ? merge->mine : merge->theirs, loser);
}

static void conflict_of(const Order *order, const PtObject *mine, const PtObject *theirs)
{
        Merge *merge = order->merge;
        const PtObject *back =
                merge->prefer == MERGE_REPORT ? NULL : goes_back(merge, mine, theirs);

        if (back)
                g_hash_table_add(order->back, (void *) back);
        for (guint i = 0; i < merge->conflicts->len; i++) {
                const Conflict *other = &g_array_index(merge->conflicts, Conflict, i);

                if (pt_object_compare_identity(conflict_object(other), mine) == 0)
                        return; /* one for each object */
        }
        merge_add_conflict(merge, &(Conflict){.base = find(merge->base, mine),
                                              .mine = find(merge->mine, mine),
                                              .theirs = find(merge->theirs, mine),
                                              .beside = theirs});
}

/* Takes one pair into account. */
static void check_pair(Order *order, const Placed *mine, const Placed *theirs)
{
        int want = wanted(order->merge, mine->object, theirs->object);
        void *number = GUINT_TO_POINTER(mine->gap + 1);
        const PtObject **side;
        Gap *gap;

        if (want == 0)
                return;
        if (mine->gap != theirs->gap) {
                if ((mine->gap < theirs->gap) != (want < 0))
                        conflict_of(order, mine->object, theirs->object);
                return;
        }
        gap = g_hash_table_lookup(order->gaps, number);
        if (!gap) {
                gap = g_new0(Gap, 1);
                g_hash_table_insert(order->gaps, number, gap);
        }
        side = want < 0 ? gap->mine_first : gap->theirs_first;
        side[0] = mine->object;
        side[1] = theirs->object;
        if (gap->mine_first[0] && gap->theirs_first[0])
                conflict_of(order, side[0], side[1]);
}

/* Which of the things on a side the other side has too: numbers. */
static GArray *known_to(const PtSlice *slice, const GArray *placed)
{
        GArray *known = g_array_new(false, false, sizeof(guint));

        for (guint i = 0; i < placed->len; i++)
                if (find(slice, get_placed(placed, i)->object))
                        g_array_append_val(known, i);
        return known;
}

/* All pairs of which somebody knows both; false: they are too many. */
static bool check_pairs(Order *order)
{
        const GArray *mine = order->mine, *theirs = order->theirs;
        g_autoptr(GArray) old = known_to(order->merge->theirs, mine),
                          known = known_to(order->merge->mine, theirs);
        guint next = 0; /* in `old` */

        if ((uint64_t) old->len * theirs->len + (uint64_t) (mine->len - old->len) * known->len >
            PAIRS_MAX)
                return false;
        for (guint i = 0; i < mine->len; i++) {
                bool all = next < old->len && g_array_index(old, guint, next) == i;
                guint n = all ? theirs->len : known->len;

                next += all;
                for (guint j = 0; j < n; j++)
                        check_pair(order, get_placed(mine, i),
                                   get_placed(theirs, all ? j : g_array_index(known, guint, j)));
        }
        return true;
}

static void put_at(const Order *order, const PtObject *placed, uint32_t position)
{
        g_autoptr(PtObject) object = merge_at(find(order->merge->merged, placed), position);

        pt_slice_put(order->merge->merged, object);
}

/* `n` of one side, from `first`, spread between two positions; false: there is no room. */
static bool spread(const Order *order, const GArray *side, guint first, guint n, uint64_t low,
                   uint64_t high)
{
        uint64_t step = MIN(POSITION_STEP, (high - low) / (n + 1ULL));

        if (high <= low || step == 0)
                return false;
        for (guint i = 0; i < n; i++)
                put_at(order, get_placed(side, first + i)->object,
                       (uint32_t) (low + step * (i + 1ULL)));
        return true;
}

static guint count_in_gap(const GArray *side, guint first, guint gap)
{
        guint n = 0;

        while (first + n < side->len && get_placed(side, first + n)->gap == gap)
                n++;
        return n;
}

static uint32_t position_of(const GArray *side, guint i)
{
        return get_placed(side, i)->object->position;
}

/* What I placed goes before or after what they placed in the same gap, which stays where it is if
 * there is room. */
static void arrange(const Order *order, guint i, guint n, guint j, guint m)
{
        const GArray *mine = order->mine, *theirs = order->theirs;
        guint number = get_placed(mine, i)->gap;
        const Gap *gap = g_hash_table_lookup(order->gaps, GUINT_TO_POINTER(number + 1));
        bool mine_first = gap && gap->mine_first[0];
        uint64_t low = 0, high = PT_POSITION_MAX + 1ULL, middle;

        if (number > 0)
                low = ((const PtObject *) g_ptr_array_index(order->unplaced, number - 1))->position;
        if (number < order->unplaced->len)
                high = ((const PtObject *) g_ptr_array_index(order->unplaced, number))->position;
        if (mine_first ? position_of(mine, i + n - 1) < position_of(theirs, j)
                       : position_of(theirs, j + m - 1) < position_of(mine, i))
                return; /* they stand so */
        if (mine_first ? spread(order, mine, i, n, low, position_of(theirs, j))
                       : spread(order, mine, i, n, position_of(theirs, j + m - 1), high))
                return;
        /* All of the gap anew, or nothing. */
        middle = low + (high - low) * ((mine_first ? n : m) + 1ULL) / (n + m + 2ULL);
        if (!spread(order, mine_first ? mine : theirs, mine_first ? i : j, mine_first ? n : m, low,
                    middle + 1) ||
            !spread(order, mine_first ? theirs : mine, mine_first ? j : i, mine_first ? m : n,
                    middle, high))
                conflict_of(order, get_placed(mine, i)->object, get_placed(theirs, j)->object);
}

static void arrange_gaps(const Order *order)
{
        guint j = 0, n, m;

        for (guint i = 0; i < order->mine->len; i += n) {
                guint gap = get_placed(order->mine, i)->gap;

                n = count_in_gap(order->mine, i, gap);
                while (j < order->theirs->len && get_placed(order->theirs, j)->gap < gap)
                        j++;
                m = count_in_gap(order->theirs, j, gap);
                if (m > 0)
                        arrange(order, i, n, j, m);
                j += m;
        }
}

/* false: something went back to where the preferred side has it, so all looks different. */
static bool try_order(Merge *merge, const PtKind *kind)
{
        g_auto(Order) order = {0};
        GHashTableIter iter;
        void *object;

        order_init(&order, merge, kind);
        if (order.mine->len == 0 || order.theirs->len == 0)
                return true;
        find_gaps(&order);
        if (!check_pairs(&order) && merge->prefer == MERGE_REPORT) /* else mine go after theirs */
                conflict_of(&order, get_placed(order.mine, 0)->object,
                            get_placed(order.theirs, 0)->object);
        if (g_hash_table_size(order.back) == 0) {
                arrange_gaps(&order);
                return true;
        }
        g_hash_table_iter_init(&iter, order.back);
        while (g_hash_table_iter_next(&iter, &object, NULL))
                put_at(&order, object, ((const PtObject *) object)->position);
        return false;
}

/* What went back is placed no more, so that each attempt has less to place. */
void merge_order(Merge *merge, const PtKind *kind)
{
        while (!try_order(merge, kind))
                ;
}
