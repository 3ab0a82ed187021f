/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reply.h"

#include "bus/bus.h"
#include "kind/vardict.h"

static const char *const timing_names[TIMING_MAX] = {
        [TIMING_VALIDATE] = "validateUSec", [TIMING_PLAN] = "planUSec",
        [TIMING_COMMIT] = "commitUSec",     [TIMING_ENGINE] = "engineUSec",
        [TIMING_VERIFY] = "verifyUSec",     [TIMING_JOURNAL] = "journalUSec",
        [TIMING_TOTAL] = "totalUSec",
};

static void plan_result_free(void *data)
{
        PlanResult *plan = data;

        g_ptr_array_unref(plan->steps);
        g_free(plan->engine);
        g_free(plan->cuts_why);
        g_free(plan);
}

Reply *reply_new(void)
{
        Reply *reply = g_new0(Reply, 1);

        reply->plans = g_ptr_array_new_with_free_func(plan_result_free);
        reply->conflicts = conflict_entries_new();
        reply->diag = pt_diag_new();
        return reply;
}

void reply_free(Reply *reply)
{
        if (!reply)
                return;
        changes_free(reply->changes);
        g_ptr_array_unref(reply->plans);
        g_ptr_array_unref(reply->conflicts);
        pt_diag_free(reply->diag);
        g_free(reply->confirm_why);
        json_object_put(reply->difference);
        g_free(reply);
}

void reply_set_changes(Reply *reply, Changes *changes)
{
        changes_free(reply->changes);
        reply->changes = changes;
        reply->changed = changes->list->len > 0;
}

static const PlanResult *plan_at(const Reply *reply, guint i)
{
        return g_ptr_array_index(reply->plans, i);
}

/* Where a plan belongs: as its daemon commits, whoever answers first. */
static guint place_of(const Reply *reply, const ParticipantClass *klass)
{
        for (guint i = 0; i < reply->plans->len; i++) {
                const PlanResult *plan = plan_at(reply, i);

                if (plan->klass->stage > klass->stage ||
                    (plan->klass->stage == klass->stage && plan->klass > klass))
                        return i;
        }
        return reply->plans->len;
}

/* What several say stands one after the other. */
static void add_difference(Reply *reply, const Answer *answer)
{
        size_t n = answer->difference ? json_object_array_length(answer->difference) : 0;

        if (!answer->difference)
                return;
        if (!reply->difference)
                reply->difference = json_object_new_array();
        for (size_t i = 0; i < n; i++)
                json_object_array_add(reply->difference, json_object_get(json_object_array_get_idx(
                                                                 answer->difference, i)));
        reply->difference_partial = reply->difference_partial || answer->difference_partial;
}

void reply_add_plan(Reply *reply, const ParticipantClass *klass, const Answer *answer)
{
        PlanResult *plan = g_new0(PlanResult, 1);

        plan->klass = klass;
        plan->engine = g_strdup(answer->engine ?: "");
        plan->guarantee = answer->guarantee;
        plan->impact = answer->impact;
        plan->prepare_usec = answer->prepare_usec;
        plan->commit_usec = answer->commit_usec;
        plan->has_cuts = answer->has_cuts;
        plan->cuts = answer->cuts;
        plan->cuts_why = g_strdup(answer->cuts_why);
        plan->steps = g_ptr_array_ref(answer->steps);
        g_ptr_array_insert(reply->plans, (gint) place_of(reply, klass), plan);
        add_difference(reply, answer);
        reply->impact = MAX(reply->impact, answer->impact);
        reply->guarantee = MAX(reply->guarantee, answer->guarantee);
}

static int open_entry(sd_bus_message *m, const char *key, const char *signature)
{
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, key);
        if (r < 0)
                return r;
        return sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, signature);
}

static int close_entry(sd_bus_message *m)
{
        int r;

        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

/* An entry whose value is an array of the elements that `signature` says after its "a". */
static int open_array_entry(sd_bus_message *m, const char *key, const char *signature)
{
        int r = open_entry(m, key, signature);

        return r < 0 ? r : sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, signature + 1);
}

static int close_array_entry(sd_bus_message *m)
{
        int r = sd_bus_message_close_container(m);

        return r < 0 ? r : close_entry(m);
}

static int append_changes(const Reply *reply, sd_bus_message *m)
{
        guint n = reply->changes ? MIN(reply->changes->list->len, REPLY_CHANGES_MAX) : 0;
        int r;

        r = open_array_entry(m, "changes", "a(sss)");
        if (r < 0)
                return r;
        for (guint i = 0; i < n; i++) {
                const ObjectChange *change = changes_get(reply->changes, i);
                const PtObject *object = change_object(change);

                r = sd_bus_message_append(m, "(sss)", change_op(change), object->kind->name,
                                          object->name);
                if (r < 0)
                        return r;
        }
        return close_array_entry(m);
}

static int append_steps(const Reply *reply, sd_bus_message *m)
{
        guint n = 0;
        int r;

        r = open_array_entry(m, "steps", "as");
        if (r < 0)
                return r;
        for (guint i = 0; i < reply->plans->len; i++) {
                const GPtrArray *steps = plan_at(reply, i)->steps;

                for (guint j = 0; j < steps->len && n < PT_PLAN_STEPS_MAX; j++, n++) {
                        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING,
                                                        g_ptr_array_index(steps, j));
                        if (r < 0)
                                return r;
                }
        }
        return close_array_entry(m);
}

static int append_plan(const PlanResult *plan, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "daemon", "s",
                                  plan->klass->name, "engine", "s", plan->engine, "guarantee", "s",
                                  pt_guarantee_to_string(plan->guarantee), "impact", "s",
                                  pt_impact_to_string(plan->impact), "prepareUSec", "t",
                                  plan->prepare_usec, "commitUSec", "t", plan->commit_usec, "stage",
                                  "s", stage_to_string(plan->klass->stage));
        if (r >= 0 && plan->has_cuts)
                r = sd_bus_message_append(m, "{sv}", "cuts", "b", plan->cuts);
        if (r >= 0 && plan->cuts_why)
                r = sd_bus_message_append(m, "{sv}", "cutsWhy", "s", plan->cuts_why);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_plans(const Reply *reply, sd_bus_message *m)
{
        int r;

        r = open_array_entry(m, "plans", "aa{sv}");
        if (r < 0)
                return r;
        for (guint i = 0; i < reply->plans->len; i++) {
                r = append_plan(plan_at(reply, i), m);
                if (r < 0)
                        return r;
        }
        return close_array_entry(m);
}

static int append_merge(const Reply *reply, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_append(m, "{sv}", "mergedWith", "t", reply->merged_with);
        if (r < 0)
                return r;
        r = open_entry(m, "conflicts", "aa{sv}");
        if (r < 0)
                return r;
        r = conflict_append(reply->conflicts, m);
        if (r < 0)
                return r;
        return close_entry(m);
}

static int append_diagnostics(const Reply *reply, sd_bus_message *m)
{
        int r;

        r = open_entry(m, "diagnostics", "a(ssss)");
        if (r < 0)
                return r;
        r = pt_diag_append(reply->diag, m);
        if (r < 0)
                return r;
        return close_entry(m);
}

static int append_timings(const Reply *reply, sd_bus_message *m)
{
        int r;

        r = open_array_entry(m, "timings", "a{st}");
        if (r < 0)
                return r;
        for (Timing i = 0; i < TIMING_MAX; i++) {
                r = sd_bus_message_append(m, "{st}", timing_names[i], reply->usec[i]);
                if (r < 0)
                        return r;
        }
        return close_array_entry(m);
}

static int append_basics(const Reply *reply, sd_bus_message *m)
{
        const Changes *changes = reply->changes;

        return sd_bus_message_append(
                m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "accepted", "b", reply->accepted,
                "changed", "b", reply->changed, "revision", "t", reply->revision, "created", "u",
                changes ? changes->created : 0, "updated", "u", changes ? changes->updated : 0,
                "deleted", "u", changes ? changes->deleted : 0, "impact", "s",
                pt_impact_to_string(reply->impact), "guarantee", "s",
                pt_guarantee_to_string(reply->guarantee), "confirmUSec", "t", reply->confirm_usec,
                "confirmWhy", "s", reply->confirm_why ?: "");
}

static int append_difference(const Reply *reply, sd_bus_message *m)
{
        size_t n = reply->difference ? json_object_array_length(reply->difference) : 0;
        int r;

        if (!reply->difference)
                return 0;
        r = open_array_entry(m, "difference", "aa{sv}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = pt_vardict_append(json_object_array_get_idx(reply->difference, i), m);
        if (r >= 0)
                r = close_array_entry(m);
        return r < 0 ? r
                     : sd_bus_message_append(m, "{sv}", "differencePartial", "b",
                                             reply->difference_partial);
}

int reply_append(const Reply *reply, sd_bus_message *m)
{
        static int (*const parts[])(const Reply *, sd_bus_message *) = {
                append_basics,     append_changes, append_steps,       append_plans,
                append_difference, append_merge,   append_diagnostics, append_timings};
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
                r = parts[i](reply, m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

int reply_send(const Reply *reply, sd_bus_message *call)
{
        pt_auto_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = reply_append(reply, m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

void reply_done(const Reply *reply, void *call)
{
        int r;

        r = reply_send(reply, call);
        if (r < 0) /* it may be larger than the bus takes */
                (void) sd_bus_reply_method_errno(call, r, NULL);
        sd_bus_message_unref(call);
}
