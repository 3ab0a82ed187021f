/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "region.h"

#include <string.h>

/* Cubes. */

bool fw_cube_overlaps(const FwCube *a, const FwCube *b)
{
        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                if (a->lo[axis] > b->hi[axis] || b->lo[axis] > a->hi[axis])
                        return false;
        return !(a->holds & b->fails) && !(a->fails & b->holds);
}

bool fw_cube_contains(const FwCube *outer, const FwCube *inner)
{
        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                if (inner->lo[axis] < outer->lo[axis] || inner->hi[axis] > outer->hi[axis])
                        return false;
        return !(outer->holds & ~inner->holds) && !(outer->fails & ~inner->fails);
}

FwCube fw_cube_intersect(const FwCube *a, const FwCube *b)
{
        FwCube both = {.holds = a->holds | b->holds, .fails = a->fails | b->fails};

        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++) {
                both.lo[axis] = MAX(a->lo[axis], b->lo[axis]);
                both.hi[axis] = MIN(a->hi[axis], b->hi[axis]);
        }
        return both;
}

static void subtract_axis(FwCube *rest, const FwCube *other, FwAxis axis, GArray *pieces)
{
        FwCube piece = *rest;

        if (rest->lo[axis] < other->lo[axis]) {
                piece.hi[axis] = other->lo[axis] - 1;
                g_array_append_val(pieces, piece);
                rest->lo[axis] = other->lo[axis];
        }
        piece = *rest;
        if (rest->hi[axis] > other->hi[axis]) {
                piece.lo[axis] = other->hi[axis] + 1;
                g_array_append_val(pieces, piece);
                rest->hi[axis] = other->hi[axis];
        }
}

/* Of what is on all axes within the other, that of which one of its conditions is not so. */
static void subtract_conditions(FwCube *rest, uint64_t bits, bool hold, GArray *pieces)
{
        for (; bits; bits &= bits - 1) {
                uint64_t bit = bits & -bits;
                FwCube piece = *rest;

                *(hold ? &piece.fails : &piece.holds) |= bit;
                g_array_append_val(pieces, piece);
                *(hold ? &rest->holds : &rest->fails) |= bit;
        }
}

void fw_cube_subtract(const FwCube *cube, const FwCube *other, GArray *pieces)
{
        FwCube rest = *cube;

        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                subtract_axis(&rest, other, axis, pieces);
        subtract_conditions(&rest, other->holds & ~cube->holds, true, pieces);
        subtract_conditions(&rest, other->fails & ~cube->fails, false, pieces);
}

unsigned fw_cube_size(const FwCube *cube)
{
        unsigned size = 0;

        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                size += g_bit_storage(cube->hi[axis] - cube->lo[axis]);
        return size;
}

/* Melting. Cubes that are alike but for one axis stand beside each other when they are sorted by all
 * others first. */

static int compare_number(uint64_t a, uint64_t b)
{
        return (a > b) - (a < b);
}

static int compare_axis(const FwCube *a, const FwCube *b, FwAxis axis)
{
        int r = compare_number(a->lo[axis], b->lo[axis]);

        return r ?: compare_number(a->hi[axis], b->hi[axis]);
}

static int compare_others(const FwCube *a, const FwCube *b, FwAxis but)
{
        int r = compare_number(a->holds, b->holds);

        if (r == 0)
                r = compare_number(a->fails, b->fails);
        for (FwAxis axis = 0; r == 0 && axis < FW_AXIS_MAX; axis++)
                if (axis != but)
                        r = compare_axis(a, b, axis);
        return r;
}

static int compare_cubes(const void *a, const void *b, void *but)
{
        FwAxis axis = (FwAxis) GPOINTER_TO_INT(but);
        int r = compare_others(a, b, axis);

        return r ?: compare_axis(a, b, axis);
}

static bool melt_axis(GArray *cubes, FwAxis axis)
{
        unsigned out = 0, n = cubes->len;

        g_array_sort_with_data(cubes, compare_cubes, GINT_TO_POINTER((int) axis));
        for (unsigned i = 0; i < n; i++) {
                FwCube next = g_array_index(cubes, FwCube, i);
                FwCube *last = out > 0 ? &g_array_index(cubes, FwCube, out - 1) : NULL;

                if (last && compare_others(last, &next, axis) == 0 &&
                    last->hi[axis] + 1 >= next.lo[axis])
                        last->hi[axis] = MAX(last->hi[axis], next.hi[axis]);
                else
                        g_array_index(cubes, FwCube, out++) = next;
        }
        g_array_set_size(cubes, out);
        return out < n;
}

void fw_cubes_melt(GArray *cubes)
{
        bool again = true;

        /* Each round but the last leaves fewer. */
        while (again && cubes->len > 1) {
                again = false;
                for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                        again = melt_axis(cubes, FW_AXIS_MAX - 1 - axis) || again;
        }
}

/* The index: an implicit binary tree over the cubes in an order in which near ones are near. */

#define LEAF_CUBES 8
#define DEPTH_MAX 40 /* halves each time: 2^32 cubes, and the leaf's */

typedef struct Node {
        uint32_t lo[FW_AXIS_MAX], hi[FW_AXIS_MAX];
        uint32_t first, n;        /* of `order` */
        uint32_t left;            /* the right one follows it; 0: a leaf */
        uint32_t lowest, highest; /* numbers */
} Node;

struct FwIndex {
        const FwPlaced *cubes;
        uint32_t *order;
        GArray *nodes;
};

static void bound(const FwIndex *index, Node *node)
{
        memset(node->lo, 0xff, sizeof(node->lo));
        memset(node->hi, 0, sizeof(node->hi));
        node->lowest = UINT32_MAX;
        for (uint32_t i = 0; i < node->n; i++) {
                uint32_t number = index->order[node->first + i];
                const FwCube *cube = &index->cubes[number].cube;

                node->lowest = MIN(node->lowest, number);
                node->highest = MAX(node->highest, number);
                for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++) {
                        node->lo[axis] = MIN(node->lo[axis], cube->lo[axis]);
                        node->hi[axis] = MAX(node->hi[axis], cube->hi[axis]);
                }
        }
}

typedef struct Split {
        const FwPlaced *cubes;
        FwAxis axis;
} Split;

static uint64_t middle(const Split *split, uint32_t number)
{
        const FwCube *cube = &split->cubes[number].cube;

        return (uint64_t) cube->lo[split->axis] + cube->hi[split->axis];
}

static int compare_middles(const void *a, const void *b, void *userdata)
{
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        int r = compare_number(middle(userdata, x), middle(userdata, y));

        return r ?: compare_number(x, y);
}

/* That on which the cubes are thinnest beside what all of them cover: there halves overlap least. */
static FwAxis choose_axis(const FwIndex *index, const Node *node)
{
        double best = 0;
        FwAxis chosen = FW_AXIS_INVALID;

        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++) {
                double whole = (double) (node->hi[axis] - node->lo[axis]) + 1, thin = 0;

                for (uint32_t i = 0; i < node->n; i++) {
                        const FwCube *cube = &index->cubes[index->order[node->first + i]].cube;

                        thin += whole - (double) (cube->hi[axis] - cube->lo[axis]) - 1;
                }
                thin /= whole;
                if (thin > best) {
                        best = thin;
                        chosen = axis;
                }
        }
        return chosen;
}

/* false: it stays a leaf. */
static bool split(FwIndex *index, uint32_t at)
{
        Node node = g_array_index(index->nodes, Node, at);
        Node halves[2] = {{.first = node.first, .n = node.n / 2},
                          {.first = node.first + node.n / 2, .n = node.n - node.n / 2}};
        Split by = {.cubes = index->cubes};

        if (node.n <= LEAF_CUBES)
                return false;
        by.axis = choose_axis(index, &node);
        if (by.axis < 0) /* all cover the same */
                return false;
        g_qsort_with_data(index->order + node.first, (int) node.n, sizeof(*index->order),
                          compare_middles, &by);
        bound(index, &halves[0]);
        bound(index, &halves[1]);
        g_array_index(index->nodes, Node, at).left = index->nodes->len;
        g_array_append_vals(index->nodes, halves, 2);
        return true;
}

FwIndex *fw_index_new(const FwPlaced *cubes, size_t n)
{
        FwIndex *index = g_new0(FwIndex, 1);
        Node root = {.n = (uint32_t) n};

        index->cubes = cubes;
        index->order = g_new(uint32_t, n + 1);
        index->nodes = g_array_new(FALSE, FALSE, sizeof(Node));
        for (uint32_t i = 0; i < n; i++)
                index->order[i] = i;
        bound(index, &root);
        g_array_append_val(index->nodes, root);
        for (uint32_t i = 0; i < index->nodes->len; i++)
                (void) split(index, i);
        return index;
}

void fw_index_free(FwIndex *index)
{
        if (!index)
                return;
        g_free(index->order);
        g_array_unref(index->nodes);
        g_free(index);
}

static bool node_overlaps(const Node *node, const FwCube *cube)
{
        for (FwAxis axis = 0; axis < FW_AXIS_MAX; axis++)
                if (node->lo[axis] > cube->hi[axis] || cube->lo[axis] > node->hi[axis])
                        return false;
        return true;
}

static int compare_uint32(const void *a, const void *b)
{
        return compare_number(*(const uint32_t *) a, *(const uint32_t *) b);
}

size_t fw_index_find(const FwIndex *index, const FwCube *cube, uint32_t first, uint32_t end,
                     GArray *numbers)
{
        uint32_t stack[DEPTH_MAX * 2];
        unsigned depth = 0, before = numbers->len;
        size_t steps = 0;

        stack[depth++] = 0;
        while (depth > 0) {
                const Node *node = &g_array_index(index->nodes, Node, stack[--depth]);

                steps++;
                if (node->lowest >= end || node->highest < first || !node_overlaps(node, cube))
                        continue;
                if (node->left) {
                        stack[depth++] = node->left;
                        stack[depth++] = node->left + 1;
                        continue;
                }
                for (uint32_t i = 0; i < node->n; i++) {
                        uint32_t number = index->order[node->first + i];

                        if (number >= first && number < end &&
                            fw_cube_overlaps(&index->cubes[number].cube, cube))
                                g_array_append_val(numbers, number);
                }
                steps += node->n;
        }
        if (numbers->len - before > 1)
                qsort(&g_array_index(numbers, uint32_t, before), numbers->len - before,
                      sizeof(uint32_t), compare_uint32);
        return steps;
}

/* First match. */

typedef struct Piece {
        FwCube cube;
        size_t at; /* in the list: it overlaps nothing before */
} Piece;

/* The largest of the pieces is looked at first: it goes to the top. */
static void push_pieces(GArray *stack, const GArray *pieces, size_t at)
{
        unsigned largest = 0, top = stack->len;

        for (unsigned i = 0; i < pieces->len; i++) {
                Piece piece = {g_array_index(pieces, FwCube, i), at};
                unsigned size = fw_cube_size(&piece.cube);

                g_array_append_val(stack, piece);
                if (size > largest) {
                        largest = size;
                        top = stack->len - 1;
                }
        }
        if (pieces->len > 0) {
                Piece last = g_array_index(stack, Piece, stack->len - 1);

                g_array_index(stack, Piece, stack->len - 1) = g_array_index(stack, Piece, top);
                g_array_index(stack, Piece, top) = last;
        }
}

/* The first of the list from `at` on that overlaps; n: none does. */
static size_t find_first(const FwCube *cube, const FwPlaced *const *list, size_t at, size_t n)
{
        while (at < n && !fw_cube_overlaps(&list[at]->cube, cube))
                at++;
        return at;
}

int fw_first_match(const FwCube *cube, const FwPlaced *const *list, size_t n, size_t *steps,
                   FwEachPiece each, void *userdata)
{
        g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(Piece));
        g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(FwCube));
        Piece whole = {.cube = *cube};
        int r = 0;

        g_array_append_val(stack, whole);
        while (r == 0 && stack->len > 0) {
                Piece piece = g_array_index(stack, Piece, stack->len - 1);
                size_t at = find_first(&piece.cube, list, piece.at, n);
                size_t cost = at - piece.at + 1;

                g_array_set_size(stack, stack->len - 1);
                if (cost > *steps || stack->len > FW_PIECES_MAX)
                        return -E2BIG;
                *steps -= cost;
                if (at == n) {
                        r = each(&piece.cube, NULL, userdata);
                        continue;
                }
                g_array_set_size(pieces, 0);
                fw_cube_subtract(&piece.cube, &list[at]->cube, pieces);
                push_pieces(stack, pieces, at + 1);
                piece.cube = fw_cube_intersect(&piece.cube, &list[at]->cube);
                r = each(&piece.cube, list[at], userdata);
        }
        return r;
}
