/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "phases.h"

#include "match-put.h"

#include <string.h>
#include <sys/socket.h>

/* Boxes as they are compared first: of IPv6 only the upper halves of the addresses, which tell most
 * of them apart. */
typedef struct Quick {
        uint64_t lo[FW_BOX_ADDRESS_MAX], hi[FW_BOX_ADDRESS_MAX];
        FwRange16 number[FW_BOX_NUMBER_MAX];
        int family;
} Quick;

typedef struct Queue {
        FwPhases *phases;
        Quick *quick; /* of each box */
        Quick *hull;  /* of each rule: around its boxes; its family is AF_UNSPEC if they have two */
        unsigned n;   /* rules */
        bool *foldable, *placed;
        unsigned
                *before; /* of each rule: how many earlier ones overlap it that have no place yet */
        GArray **after;  /* of each rule: later ones that overlap it, unsigned */
        unsigned *sort;  /* of each box: which others it can share a map with */
        unsigned company[2 * FW_RANGES_MAX]; /* of each sort: boxes that could go into a map now */
} Queue;

static uint64_t upper(FwNumber number, int family)
{
        return (uint64_t) (family == AF_INET6 ? number >> 64 : number);
}

static Quick quick_of(const FwBox *box)
{
        Quick quick = {.family = box->family};

        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                quick.lo[i] = upper(box->address[i].lo, box->family);
                quick.hi[i] = upper(box->address[i].hi, box->family);
        }
        memcpy(quick.number, box->number, sizeof(quick.number));
        return quick;
}

/* Whether they may overlap. */
static bool near(const Quick *a, const Quick *b)
{
        if (a->family != b->family)
                return false;
        for (unsigned i = FW_BOX_ADDRESS_MAX; i-- > 0;)
                if (a->lo[i] > b->hi[i] || b->lo[i] > a->hi[i])
                        return false;
        for (unsigned i = FW_BOX_NUMBER_MAX; i-- > 0;)
                if (a->number[i].lo > b->number[i].hi || b->number[i].lo > a->number[i].hi)
                        return false;
        return true;
}

static Quick hull_of(const Quick *quick, unsigned n)
{
        Quick hull = n > 0 ? quick[0] : (Quick){.family = AF_UNSPEC};

        for (unsigned i = 1; i < n; i++) {
                const Quick *box = &quick[i];

                if (box->family != hull.family)
                        return (Quick){.family = AF_UNSPEC};
                for (unsigned k = 0; k < FW_BOX_ADDRESS_MAX; k++) {
                        hull.lo[k] = MIN(hull.lo[k], box->lo[k]);
                        hull.hi[k] = MAX(hull.hi[k], box->hi[k]);
                }
                for (unsigned k = 0; k < FW_BOX_NUMBER_MAX; k++) {
                        hull.number[k].lo = MIN(hull.number[k].lo, box->number[k].lo);
                        hull.number[k].hi = MAX(hull.number[k].hi, box->number[k].hi);
                }
        }
        return hull;
}

static bool rules_overlap(const Queue *queue, unsigned a, unsigned b)
{
        const unsigned *first = queue->phases->first;
        const Quick *x = &queue->hull[a], *y = &queue->hull[b];

        if (x->family != AF_UNSPEC && y->family != AF_UNSPEC && !near(x, y))
                return false;
        for (unsigned i = first[a]; i < first[a + 1]; i++)
                for (unsigned k = first[b]; k < first[b + 1]; k++)
                        if (near(&queue->quick[i], &queue->quick[k]) &&
                            (queue->quick[i].family == AF_INET ||
                             fw_box_overlaps(
                                     &g_array_index(queue->phases->boxes, FwPhaseBox, i).box,
                                     &g_array_index(queue->phases->boxes, FwPhaseBox, k).box)))
                                return true;
        return false;
}

static void count_company(Queue *queue, unsigned r, int by)
{
        const FwPhases *phases = queue->phases;

        for (unsigned i = phases->first[r]; queue->foldable[r] && i < phases->first[r + 1]; i++)
                queue->company[queue->sort[i]] += (unsigned) by;
}

static void find_overlaps(Queue *queue)
{
        for (unsigned r = 0; r < queue->n; r++) {
                queue->after[r] = g_array_new(FALSE, FALSE, sizeof(unsigned));
                for (unsigned q = 0; q < r; q++)
                        if (rules_overlap(queue, q, r)) {
                                g_array_append_val(queue->after[q], r);
                                queue->before[r]++;
                        }
                if (queue->before[r] == 0)
                        count_company(queue, r, 1);
        }
}

static bool is_ready(const Queue *queue, unsigned r)
{
        return !queue->placed[r] && queue->before[r] == 0;
}

static bool has_company(const Queue *queue, unsigned r)
{
        const FwPhases *phases = queue->phases;

        for (unsigned i = phases->first[r]; queue->foldable[r] && i < phases->first[r + 1]; i++)
                if (queue->company[queue->sort[i]] >= FW_MAP_MIN)
                        return true;
        return false;
}

static void place(Queue *queue, unsigned r, unsigned phase, bool mapped)
{
        queue->phases->phase[r] = phase;
        queue->phases->mapped[r] = mapped;
        queue->placed[r] = true;
        count_company(queue, r, -1);
}

/* What only waited for the rule can be placed now. */
static void release(Queue *queue, unsigned r)
{
        for (unsigned i = 0; i < queue->after[r]->len; i++) {
                unsigned next = g_array_index(queue->after[r], unsigned, i);

                if (--queue->before[next] == 0)
                        count_company(queue, next, 1);
        }
}

/* Puts all that have company into the maps of a phase; how many. */
static unsigned place_mapped(Queue *queue, unsigned phase)
{
        g_autofree unsigned *chosen = g_new(unsigned, queue->n + 1);
        unsigned n = 0;

        for (unsigned r = 0; r < queue->n; r++)
                if (is_ready(queue, r) && has_company(queue, r))
                        chosen[n++] = r;
        for (unsigned i = 0; i < n; i++)
                place(queue, chosen[i], phase, true);
        for (unsigned i = 0; i < n; i++)
                release(queue, chosen[i]);
        return n;
}

/* The next one for a list: one that can be nowhere else, or else the first. */
static unsigned next_listed(const Queue *queue)
{
        unsigned first = queue->n;

        for (unsigned r = 0; r < queue->n; r++) {
                if (!is_ready(queue, r))
                        continue;
                if (!queue->foldable[r])
                        return r;
                first = MIN(first, r);
        }
        return first;
}

/* Maps as soon as there are enough rules for one; until then, one rule after the other into the
 * list, which may be what others wait for. */
static void place_all(Queue *queue)
{
        unsigned left = queue->n, phase = 0, mapped, r;
        bool begun = false;

        while (left > 0) {
                mapped = place_mapped(queue, begun ? phase + 1 : phase);
                if (mapped > 0) {
                        phase += begun;
                        left -= mapped;
                } else {
                        r = next_listed(queue);
                        place(queue, r, phase, false);
                        release(queue, r);
                        left--;
                }
                begun = true;
        }
        queue->phases->n = phase + 1;
}

/* Those within the region; whether they are all that the rule asks. */
static bool add_boxes(const FirewallRule *rule, const FwBox *region, GArray *scratch,
                      FwPhases *phases, unsigned r)
{
        bool exact;

        g_array_set_size(scratch, 0);
        exact = fw_rule_boxes(rule, scratch);
        for (unsigned i = 0; i < scratch->len; i++) {
                FwPhaseBox at = {.box = g_array_index(scratch, FwBox, i), .rule = r};

                if (!region || fw_box_intersect(&at.box, region, &at.box))
                        g_array_append_val(phases->boxes, at);
        }
        return exact;
}

void fw_phases_init(const FirewallRule *const *rules, unsigned n, const FwBox *region,
                    FwPhases *ret)
{
        g_autoptr(GArray) scratch = g_array_new(FALSE, FALSE, sizeof(FwBox));
        g_autofree bool *foldable = g_new0(bool, n + 1), *placed = g_new0(bool, n + 1);
        g_autofree unsigned *before = g_new0(unsigned, n + 1), *sort = NULL;
        g_autofree GArray **after = g_new0(GArray *, n + 1);
        g_autofree Quick *quick = NULL, *hull = g_new(Quick, n + 1);
        Queue queue = {.phases = ret,
                       .n = n,
                       .foldable = foldable,
                       .placed = placed,
                       .before = before,
                       .after = after,
                       .hull = hull};

        ret->boxes = g_array_new(FALSE, FALSE, sizeof(FwPhaseBox));
        ret->first = g_new(unsigned, n + 1);
        ret->phase = g_new(unsigned, n + 1);
        ret->mapped = g_new0(bool, n + 1);
        for (unsigned r = 0; r < n; r++) {
                foldable[r] = fw_rule_foldable(rules[r]);
                ret->first[r] = ret->boxes->len;
                foldable[r] = add_boxes(rules[r], region, scratch, ret, r) && foldable[r];
        }
        ret->first[n] = ret->boxes->len;
        queue.quick = quick = g_new(Quick, ret->boxes->len + 1);
        queue.sort = sort = g_new(unsigned, ret->boxes->len + 1);
        for (unsigned i = 0; i < ret->boxes->len; i++) {
                const FwBox *box = &g_array_index(ret->boxes, FwPhaseBox, i).box;

                quick[i] = quick_of(box);
                sort[i] = fw_box_ranges(box) + (box->family == AF_INET6 ? FW_RANGES_MAX : 0);
        }
        for (unsigned r = 0; r < n; r++)
                hull[r] = hull_of(quick + ret->first[r], ret->first[r + 1] - ret->first[r]);
        find_overlaps(&queue);
        place_all(&queue);
        for (unsigned r = 0; r < n; r++)
                g_array_unref(after[r]);
}

void fw_phases_done(FwPhases *phases)
{
        g_clear_pointer(&phases->boxes, g_array_unref);
        g_clear_pointer(&phases->first, g_free);
        g_clear_pointer(&phases->phase, g_free);
        g_clear_pointer(&phases->mapped, g_free);
}
