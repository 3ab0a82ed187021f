/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "describe.h"

#include "base/io.h"

#include <fcntl.h>
#include <string.h>

#define SYSCTL_MAX 64

/* Estimates for the plan, measured: microseconds a rule or key of a whole load, and of a change. */
#define USEC_RULE_LOADED 40
#define USEC_KEY_LOADED 10
#define USEC_EACH_CHANGED 60
#define USEC_COMMIT 300
/* Nanoseconds an element of an alias's set. */
#define NSEC_MEMBER_CHANGED 700

static void step(PtPlan *plan, unsigned n, const char *what)
{
        if (n > 0)
                g_ptr_array_add(plan->steps,
                                g_strdup_printf("%s %u rule%s", what, n, n == 1 ? "" : "s"));
}

static size_t entries_of(const FwSetChange *change, const GByteArray *packed)
{
        return packed->len / (fw_part_key_len(change->part) * (change->intervals ? 2 : 1));
}

/* Returns how long the kernel will take for it, in microseconds. */
static uint64_t describe_sets(PtPlan *plan, const FwSets *sets)
{
        const GPtrArray *changes = fw_sets_changes(sets);
        uint64_t n = 0;

        for (unsigned i = 0; i < changes->len; i++) {
                const FwSetChange *change = g_ptr_array_index(changes, i);
                size_t added = entries_of(change, change->added);
                size_t removed = entries_of(change, change->removed);
                const char *what = !change->before  ? "make"
                                   : !change->after ? "delete"
                                   : strcmp(change->before, change->after) != 0
                                           ? "replace with a larger one"
                                           : "change";

                n += added + removed;
                if (plan->steps->len == PT_PLAN_STEPS_MAX)
                        continue;
                g_ptr_array_add(plan->steps,
                                g_strdup_printf("%s the set %s: %zu entries enter, %zu leave", what,
                                                change->after ?: change->before, added, removed));
        }
        return n * NSEC_MEMBER_CHANGED / 1000;
}

void fw_describe_delta(const FwLayoutDelta *delta, PtPlan *plan)
{
        unsigned n = delta->created + delta->updated + delta->deleted;

        step(plan, delta->created, "add");
        step(plan, delta->updated, "replace");
        step(plan, delta->deleted, "remove");
        if (delta->dispatch)
                g_ptr_array_add(plan->steps, g_strdup("replace the dispatch of zones"));
        plan->commit_usec = USEC_COMMIT + (uint64_t) n * USEC_EACH_CHANGED;
        if (delta->sets)
                plan->commit_usec += describe_sets(plan, delta->sets);
        plan->empty = fw_delta_is_empty(delta);
}

void fw_describe_bridge(const FwBridge *bridge, PtPlan *plan)
{
        unsigned n = bridge ? fw_bridge_rules(bridge)->len : 0;

        g_ptr_array_add(plan->steps,
                        bridge ? g_strdup_printf("change the table of bridges: %u rule%s in force",
                                                 n, n == 1 ? "" : "s")
                               : g_strdup("delete the table of bridges"));
        plan->commit_usec += (uint64_t) n * USEC_RULE_LOADED;
}

void fw_notice_bridge_netfilter(PtDiagnostics *diag)
{
        static const char *const names[] = {"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_strconcat("/proc/sys/net/bridge/", names[i], NULL);
                g_autofree char *text = NULL;
                size_t size;

                /* The files are there when the module is. */
                if (pt_read_file(AT_FDCWD, path, SYSCTL_MAX, &text, &size) < 0 || text[0] != '1')
                        continue;
                pt_diag_notice(
                        diag, "bridge-netfilter", "",
                        "net.bridge.%s is 1: what passes between the ports of a bridge also "
                        "comes to the rules of the bridge's zone, as from the zone to itself; "
                        "set it to 0 if rules of bridges alone are to decide",
                        names[i]);
                return;
        }
}

static uint64_t members_of(const FwSets *sets)
{
        const GPtrArray *changes = fw_sets_changes(sets);
        uint64_t n = 0;

        for (unsigned i = 0; i < changes->len; i++) {
                const FwSetChange *change = g_ptr_array_index(changes, i);

                n += entries_of(change, change->added);
        }
        return n;
}

static void add_load(const FwClass *klass, void *userdata)
{
        uint64_t *usec = userdata;

        for (unsigned i = 0; i < klass->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);

                /* Nearly all of a stretch are elements; those of ranges cost a rule. */
                *usec += unit->shape ? g_hash_table_size(unit->keys) * USEC_KEY_LOADED
                                     : unit->n * USEC_RULE_LOADED;
        }
}

uint64_t fw_estimate_load(const FwLayout *layout)
{
        uint64_t usec = USEC_COMMIT;

        fw_layout_foreach_class(layout, add_load, &usec);
        return usec + members_of(layout->sets) * NSEC_MEMBER_CHANGED / 1000;
}

typedef struct WithoutTo {
        unsigned n;
        const PtObject *first; /* by name */
} WithoutTo;

static bool is_without_to(const PtObject *object)
{
        return object && object->kind == &pt_kind_firewall_rule &&
               !pt_object_has(object, FW_RULE_TO) &&
               !fw_rule_fragments((const FirewallRule *) object) &&
               g_strcmp0(((const FirewallRule *) object)->from, FW_ZONE_ROUTER) != 0;
}

static int count_without_to(const PtObject *before, const PtObject *after, void *userdata)
{
        WithoutTo *without = userdata;

        if (!is_without_to(after) || is_without_to(before))
                return 0;
        without->n++;
        if (!without->first || pt_object_compare_identity(after, without->first) < 0)
                without->first = after;
        return 0;
}

/* Absent `to` includes the router, which surprises people who thought of zones: said once a plan. */
void fw_notice_without_to(const PtSlice *before, const PtSlice *wanted, PtDiagnostics *diag)
{
        g_autoptr(PtSlice) empty = pt_slice_new();
        WithoutTo without = {0};

        (void) pt_slice_compare(before ?: empty, wanted, count_without_to, &without);
        if (without.n > 0)
                pt_diag_notice(
                        diag, "includes-router", "",
                        "%u rule%s without `to` (%s%s) appl%s to the router itself too; name "
                        "a zone to leave it out",
                        without.n, without.n == 1 ? "" : "s", without.first->name,
                        without.n == 1 ? "" : ", ...", without.n == 1 ? "ies" : "y");
}
