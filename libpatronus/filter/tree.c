/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/tree.h"

#include <sys/socket.h>

typedef struct FwTreeNode {
        FwBoxAddress address; /* which one divides */
        FwNumber from;        /* where the upper half begins */
        unsigned child[2];    /* nodes */
        unsigned leaf;        /* number + 1; 0: it is divided */
} FwTreeNode;

/* Where a rule's addresses begin and end. */
typedef struct Reach {
        FwSpan span[FW_BOX_ADDRESS_MAX];
} Reach;

/*
 * How often rules may stand in more than one half, along the way to one leaf: in parts of
 * REPLICATION_UNIT of a region's rules. All leaves together hold at most e^(64/64) = 2.7 times as
 * many rules as there are. Policies half of whose rules come from anywhere or go anywhere are found
 * three times as fast with 144 (and are 5.5 times as many then), but large ones would take too long
 * to load and to change.
 */
#define REPLICATION_UNIT 64
#define REPLICATION_MAX 64
#define REPLICATION_ROOMY_MAX 144
/* Rules of a table up to which they may be so many. */
#define ROOMY_RULES_MAX 16384
/* Of fewer rules: a list of them is not as slow that copies, which take time to load and memory, are
 * worth as much. */
#define REPLICATION_FEW 4096
#define REPLICATION_FEW_MAX 32

typedef struct Task {
        unsigned node;
        FwBox region;
        unsigned *rules, n; /* owned */
        unsigned spent, may_spend;
} Task;

typedef struct Cut {
        FwNumber from;
        unsigned n[2];
        bool useful;
} Cut;

static bool reach_of(int family, const FwEndpoint *endpoint, FwSpan *ret)
{
        const PtAddressRange *ranges = endpoint->addresses.items;
        size_t len = family == AF_INET ? 4 : 16;

        *ret = (FwSpan){0, fw_number_max(len)};
        if (endpoint->addresses.n == 0 || fw_endpoint_box(endpoint)->aliases.n > 0)
                return true; /* aliases may be anywhere */
        for (unsigned i = 0; i < endpoint->addresses.n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
                FwSpan span;

                if (!fw_value_interval(FW_DIM_SOURCE_ADDRESS, family, &ranges[i], lo, hi))
                        return false;
                span = (FwSpan){fw_number_read(lo, len), fw_number_read(hi, len)};
                if (i == 0)
                        *ret = span;
                ret->lo = MIN(ret->lo, span.lo);
                ret->hi = MAX(ret->hi, span.hi);
        }
        return true;
}

/*
 * Where a region would be divided: at the highest bit in which the outermost ends of the rules
 * differ that do not cover the whole of it. So what divides stays the same while rules come and go
 * between them.
 */
static Cut find_cut(const Task *task, FwBoxAddress address, const Reach *reaches)
{
        const FwSpan *region = &task->region.address[address];
        FwNumber lo = region->hi, hi = region->lo, differs, bit = 1;
        Cut cut = {0};

        for (unsigned i = 0; i < task->n; i++) {
                const FwSpan *span = &reaches[task->rules[i]].span[address];

                if (span->lo <= region->lo && span->hi >= region->hi)
                        continue;
                lo = MIN(lo, MAX(span->lo, region->lo));
                hi = MAX(hi, MIN(span->hi, region->hi));
        }
        if (lo >= hi)
                return cut; /* all alike, or nobody minds */
        for (differs = lo ^ hi; differs > 1; differs >>= 1)
                bit <<= 1;
        cut.from = hi & ~(bit - 1);
        for (unsigned i = 0; i < task->n; i++) {
                const FwSpan *span = &reaches[task->rules[i]].span[address];

                cut.n[0] += span->lo < cut.from;
                cut.n[1] += span->hi >= cut.from;
        }
        cut.useful = cut.n[0] < task->n && cut.n[1] < task->n;
        return cut;
}

static unsigned twice(const Task *task, const Cut *cut)
{
        return cut->n[0] + cut->n[1] - task->n;
}

static unsigned price(const Task *task, const Cut *cut)
{
        return (twice(task, cut) * REPLICATION_UNIT + task->n - 1) / task->n;
}

/* The better one of both, if any is useful and can be paid. */
static bool choose_cut(const Task *task, const Reach *reaches, FwBoxAddress *ret_address,
                       Cut *ret_cut)
{
        unsigned best = UINT_MAX;

        for (FwBoxAddress address = 0; address < FW_BOX_ADDRESS_MAX; address++) {
                Cut cut = find_cut(task, address, reaches);
                unsigned worst = MAX(cut.n[0], cut.n[1]);

                if (!cut.useful || task->spent + price(task, &cut) > task->may_spend ||
                    2 * twice(task, &cut) + worst >= best)
                        continue;
                best = 2 * twice(task, &cut) + worst;
                *ret_address = address;
                *ret_cut = cut;
        }
        return best < UINT_MAX;
}

static uint64_t id_of(const FwBox *region)
{
        uint64_t id = UINT64_C(14695981039346656037) + (uint64_t) region->family; /* FNV-1a */

        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                uint8_t bytes[2 * FW_NUMBER_BYTES_MAX];

                fw_number_write(region->address[i].lo, FW_NUMBER_BYTES_MAX, bytes);
                fw_number_write(region->address[i].hi, FW_NUMBER_BYTES_MAX,
                                bytes + FW_NUMBER_BYTES_MAX);
                for (unsigned k = 0; k < sizeof(bytes); k++)
                        id = (id ^ bytes[k]) * UINT64_C(1099511628211);
        }
        return id;
}

static void leaf_free(void *p)
{
        FwTreeLeaf *leaf = p;

        g_free(leaf->rules);
        g_free(leaf);
}

static void add_leaf(FwTree *tree, Task *task)
{
        FwTreeLeaf *leaf = g_new0(FwTreeLeaf, 1);

        leaf->region = task->region;
        leaf->id = id_of(&task->region);
        leaf->n = task->n;
        leaf->rules = g_renew(unsigned, g_steal_pointer(&task->rules), task->n);
        g_ptr_array_add(tree->leaves, leaf);
        g_array_index(tree->nodes, FwTreeNode, task->node).leaf = tree->leaves->len;
}

static void divide(FwTree *tree, Task *task, const Reach *reaches, FwBoxAddress address,
                   const Cut *cut, GArray *tasks)
{
        unsigned spent = task->spent + price(task, cut);
        FwTreeNode node = {.address = address, .from = cut->from};

        /* The upper half first: the last task is the next. */
        for (int half = 1; half >= 0; half--) {
                FwTreeNode empty = {0};
                Task next = {.node = tree->nodes->len,
                             .region = task->region,
                             .spent = spent,
                             .may_spend = task->may_spend};
                FwSpan *span = &next.region.address[address];

                if (half)
                        span->lo = cut->from;
                else
                        span->hi = cut->from - 1;
                next.rules = g_new(unsigned, cut->n[half]);
                for (unsigned i = 0; i < task->n; i++) {
                        const FwSpan *reach = &reaches[task->rules[i]].span[address];

                        if (reach->lo <= span->hi && reach->hi >= span->lo)
                                next.rules[next.n++] = task->rules[i];
                }
                node.child[half] = next.node;
                g_array_append_val(tree->nodes, empty);
                g_array_append_val(tasks, next);
        }
        g_array_index(tree->nodes, FwTreeNode, task->node) = node;
        g_clear_pointer(&task->rules, g_free);
}

unsigned fw_tree_copies(size_t rules_in_table)
{
        return rules_in_table <= ROOMY_RULES_MAX ? REPLICATION_ROOMY_MAX : REPLICATION_MAX;
}

FwTree *fw_tree_new(int family, const FirewallRule *const *rules, unsigned n, unsigned copies)
{
        g_autofree Reach *reaches = g_new(Reach, n + 1);
        g_autoptr(GArray) tasks = g_array_new(FALSE, FALSE, sizeof(Task));
        FwTree *tree = g_new0(FwTree, 1);
        FwTreeNode root = {0};
        Task all = {.rules = g_new(unsigned, n + 1)};
        unsigned leaf_max = FW_LEAF_MAX;

        tree->family = family;
        tree->nodes = g_array_new(FALSE, FALSE, sizeof(FwTreeNode));
        tree->leaves = g_ptr_array_new_with_free_func(leaf_free);
        fw_box_all(family, &all.region);
        for (unsigned i = 0; i < n; i++) {
                int of = fw_rule_family(rules[i]);

                if ((of == AF_UNSPEC || of == family) &&
                    reach_of(family, &rules[i]->source, &reaches[i].span[FW_BOX_SOURCE]) &&
                    reach_of(family, &rules[i]->destination, &reaches[i].span[FW_BOX_DESTINATION]))
                        all.rules[all.n++] = i;
        }
        all.may_spend = all.n < REPLICATION_FEW ? REPLICATION_FEW_MAX : copies;
        while (all.n / leaf_max > FW_LEAVES_MEAN)
                leaf_max *= 2;
        g_array_append_val(tree->nodes, root);
        g_array_append_val(tasks, all);
        while (tasks->len > 0) {
                Task task = g_array_index(tasks, Task, tasks->len - 1);
                FwBoxAddress address = 0;
                Cut cut;

                g_array_set_size(tasks, tasks->len - 1);
                if (task.n > leaf_max && choose_cut(&task, reaches, &address, &cut))
                        divide(tree, &task, reaches, address, &cut, tasks);
                else
                        add_leaf(tree, &task);
        }
        return tree;
}

void fw_tree_free(FwTree *tree)
{
        if (!tree)
                return;
        g_array_unref(tree->nodes);
        g_ptr_array_unref(tree->leaves);
        g_free(tree);
}
