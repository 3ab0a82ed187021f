/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "engine-internal.h"

#include "base/log.h"
#include "base/marks.h"
#include "base/memory.h"
#include "cuts.h"
#include "describe.h"
#include "emit.h"
#include "kinds/firewall/bridge.h"
#include "marks.h"
#include "objects.h"
#include "pools.h"
#include "nat64.h"
#include "review.h"

#include <string.h>
#include <time.h>

/* A foreign transaction between our reading and our writing makes the kernel refuse ours; five
 * times in a row is a program that does nothing else. */
#define RESTARTS_MAX 5
/* From this size on the kernel works for tens of milliseconds: a child waits for it. */
#define FORK_SIZE (1024U * 1024U)
/* From this size on the monitor does not listen: the messages of a transaction of elements are
 * several times its size, and must fit into the monitor's buffer. */
#define QUIET_SIZE (256U * 1024U)

struct PtObserved {
        FwMarker marker;
        bool found;
        PtDigest bridge; /* marker of the table of bridges */
        GPtrArray *sets; /* names of the kernel's sets, when nothing else says them */
        FwTags *tags;    /* the same of which bits tags are; NULL: none ever was */
};

typedef struct NftPlan {
        PtPlan plan;
        PtSlice *wanted;
        FwTimes *times;       /* what schedules say of it */
        FwLive *live;         /* what the aliases of it hold beside it; may be NULL */
        FwLayoutDelta *delta; /* of the layout in force; or */
        FwLayout *layout;     /* the whole anew */
        FwBridge *bridge;     /* the table of bridges; NULL: none */
        bool bridge_changes;
        FwMarker from;     /* what the kernel has, if the marker can be relied on */
        bool adopt;        /* the kernel has it already: `layout` is what it has */
        bool other_layout; /* the kernel's table is of another FW_LAYOUT_VERSION */
        FwTouched *touched;
        size_t sent; /* bytes of the batch */

        /* While a commit is under way. */
        PtEngineCtx *ctx;
        PtDiagnostics *diag;
        unsigned restarts;
        FwStages *stages;
        FwStagesStep stage; /* of the transaction that was sent last */
        unsigned committed; /* transactions since the monitor does not listen */
        bool begun;         /* a transaction before the commit was sent */
        PtDone done;
        void *userdata;
} NftPlan;

static int setup(PtEngineCtx *ctx)
{
        FwEngine *engine = g_new0(FwEngine, 1);
        int r = pt_nft_open(ctx->netns_fd, &engine->nft);

        if (r < 0) {
                g_free(engine);
                return r;
        }
        /* Before anything is loaded: what was dead stays so until it answers. */
        engine->health = fw_health_new();
        r = fw_health_learn(engine->health, engine->nft);
        if (r < 0)
                pt_log(LOG_WARNING, "which servers were alive cannot be read: %s", strerror(-r));
        ctx->engine = engine;
        return 0;
}

static void teardown(PtEngineCtx *ctx)
{
        FwEngine *engine = g_steal_pointer(&ctx->engine);

        if (!engine)
                return;
        fw_layout_free(engine->layout);
        fw_bridge_unref(engine->bridge);
        fw_live_unref(engine->live);
        fw_health_free(engine->health);
        pt_nft_close(engine->nft);
        g_free(engine);
}

static int read_marker(FwEngine *engine, FwMarker *ret)
{
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++)
                r = fw_ruleset_read_marker(engine->nft, ret);
        return r;
}

static void observed_free(PtObserved *observed)
{
        if (!observed)
                return;
        g_clear_pointer(&observed->sets, g_ptr_array_unref);
        fw_tags_unref(observed->tags);
        g_free(observed);
}

/* What a filterd that was there before says of the table, beside the marker. */
static int observe_rest(FwEngine *engine, PtObserved *observed)
{
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++)
                r = fw_marks_read_tags(engine->nft, &observed->tags);
        if (r < 0 && r != -ENOENT)
                return r;
        return observed->found ? pt_nft_list_sets(engine->nft, PT_MARK_NFT_TABLE, &observed->sets)
                               : 0;
}

static int observe(PtEngineCtx *ctx, PtObserved **ret)
{
        PtObserved *observed = g_new0(PtObserved, 1);
        FwEngine *engine = ctx->engine;
        int r = read_marker(engine, &observed->marker);

        observed->found = r == 0;
        r = fw_bridge_read_marker(((FwEngine *) ctx->engine)->nft, &observed->bridge);
        if (r < 0) {
                g_free(observed);
                return r;
        }
        if (r == -ENOENT)
                r = 0;
        if (r == 0 && !engine->layout)
                r = observe_rest(engine, observed);
        if (r < 0) {
                observed_free(observed);
                return r;
        }
        *ret = observed;
        return 0;
}

static void plan_free(PtPlan *base)
{
        NftPlan *plan = (NftPlan *) base;

        if (!plan)
                return;
        fw_delta_free(plan->delta);
        fw_layout_free(plan->layout);
        fw_bridge_unref(plan->bridge);
        fw_touched_free(plan->touched);
        fw_stages_free(plan->stages);
        fw_times_unref(plan->times);
        pt_slice_unref(plan->wanted);
        fw_live_unref(plan->live);
        g_clear_pointer(&plan->plan.steps, g_ptr_array_unref);
        g_free(plan);
}

static bool same_times(const NftPlan *plan, const FwMarker *marker)
{
        return memcmp(plan->times->digest, marker->times, sizeof(marker->times)) == 0;
}

/* A time zone that there is not is refused where it is new. What is in force already, by an older
 * database, goes on as if the clock were not right. */
static int check_zones(const FwEngine *engine, const NftPlan *plan, PtDiagnostics *diag)
{
        GHashTableIter iter;
        const char *name;
        int r = 0;

        g_hash_table_iter_init(&iter, plan->times->unknown);
        while (g_hash_table_iter_next(&iter, (void **) &name, NULL)) {
                const PtObject *after = pt_slice_get(plan->wanted, &pt_kind_schedule, name);

                if (!engine->layout ||
                    pt_slice_get(engine->layout->slice, &pt_kind_schedule, name) == after)
                        continue;
                pt_diag_set_subject(diag, "Schedule/%s", name);
                pt_diag_error(diag, "unknown-time-zone", "/spec/timeZone",
                              "this machine knows no time zone \"%s\" (tzdata); names are like "
                              "Europe/Vienna",
                              ((const Schedule *) after)->time_zone);
                r = -EINVAL;
        }
        return r;
}

/* What schedules say of the wanted slice, now. */
static int find_times(FwEngine *engine, NftPlan *plan, PtDiagnostics *diag)
{
        const FilterSettings *settings = (const FilterSettings *) pt_slice_get(
                plan->wanted, &pt_kind_filter_settings, "default");

        plan->times = fw_times_new(plan->wanted, time(NULL),
                                   engine->synchronised || fw_settings_trust_clock(settings));
        if (engine->layout)
                fw_effective_set_times(engine->layout->effective, plan->times);
        return check_zones(engine, plan, diag);
}

/* `observed`: what the kernel has of a marker that can be relied on, or NULL; `tags`: that there were,
 * or NULL. */
static int plan_whole(PtEngineCtx *ctx, NftPlan *plan, const PtObserved *observed,
                      const FwTags *tags, PtDiagnostics *diag)
{
        FwSource source = {plan->wanted, ctx->state_dir, plan->live};
        PtDigest live;
        int r = fw_layout_new_at(plan->wanted, plan->times, diag, &plan->layout);

        if (r == 0)
                r = fw_bridge_new(&source, plan->layout->effective, diag, &plan->bridge);
        if (r < 0)
                return r;
        fw_live_digest(plan->live, &live);
        plan->layout->health = ((FwEngine *) ctx->engine)->health;
        fw_layout_keep_tags(plan->layout, tags);
        plan->adopt = observed && pt_digest_equal(&observed->marker.root, &plan->plan.root) &&
                      same_times(plan, &observed->marker) &&
                      pt_digest_equal(&observed->marker.live, &live) &&
                      fw_bridge_is(plan->bridge, &observed->bridge) &&
                      fw_sets_adopt(plan->layout->sets, observed->sets, ctx->state_dir, plan->live);
        plan->plan.empty = plan->adopt;
        if (plan->adopt) {
                fw_pools_trust(plan->layout->pools, plan->layout->health);
                return 0;
        }
        r = fw_sets_load(plan->layout->sets, &source, diag);
        if (r < 0)
                return r;
        g_ptr_array_add(plan->plan.steps,
                        g_strdup_printf("load the whole ruleset, %zu rules",
                                        pt_slice_count(plan->wanted, &pt_kind_firewall_rule)));
        plan->plan.commit_usec = fw_estimate_load(plan->layout);
        return 0;
}

static int plan_change(PtEngineCtx *ctx, NftPlan *plan, PtDiagnostics *diag)
{
        FwSource source = {plan->wanted, ctx->state_dir, plan->live};

        fw_describe_delta(plan->delta, &plan->plan);
        return fw_bridge_new(&source, plan->delta->layout->effective, diag, &plan->bridge);
}

/* What the table of bridges needs of the kernel, and what changes in it. */
static int plan_bridge(const FwEngine *engine, NftPlan *plan, PtDiagnostics *diag)
{
        if (plan->adopt || fw_bridge_same(engine->bridge, plan->bridge))
                return 0;
        plan->plan.empty = false;
        fw_describe_bridge(plan->bridge, &plan->plan);
        if (!engine->bridge && plan->bridge)
                fw_notice_bridge_netfilter(diag);
        return fw_bridge_probe(engine->bridge, plan->bridge, engine->nft, diag);
}

/* Early, since a missing module would else be a refusal of the whole transaction. */
static int probe_helpers(FwEngine *engine, const NftPlan *plan, PtDiagnostics *diag)
{
        const FwLayout *layout = plan->delta ? plan->delta->layout : plan->layout;
        GHashTable *objects = plan->delta ? plan->delta->objects : plan->layout->objects;

        if (!objects || plan->adopt)
                return 0;
        return fw_objects_probe(objects, plan->delta ? layout->objects : NULL, layout->effective,
                                plan->wanted, engine->nft, diag);
}

/* Whoever made the table, an older or a newer filterd: this one has no other way to know what is in
 * it than to make it anew. */
static void note_other_layout(NftPlan *plan, const PtObserved *observed)
{
        plan->other_layout = observed->found && observed->marker.version != FW_LAYOUT_VERSION;
        if (!plan->other_layout)
                return;
        pt_log(LOG_NOTICE,
               "the table is of layout %u, %s than %d: it is replaced in one transaction",
               observed->marker.version,
               observed->marker.version < FW_LAYOUT_VERSION ? "older" : "newer", FW_LAYOUT_VERSION);
}

static int plan_new(PtEngineCtx *ctx, uint64_t revision, PtSlice *wanted, PtObserved *observed,
                    PtDiagnostics *diag, PtPlan **ret)
{
        FwEngine *engine = ctx->engine;
        NftPlan *plan = g_new0(NftPlan, 1);
        bool known, same_revision;
        PtDigest in_force, live_in_force, live;
        int r;

        engine->disturbed = false;
        plan->plan.revision = revision;
        plan->plan.steps = g_ptr_array_new_with_free_func(g_free);
        plan->plan.impact = PT_IMPACT_LIVE;
        plan->wanted = pt_slice_ref(wanted);
        plan->live = fw_live_ref(engine->live);
        fw_live_digest(plan->live, &live);
        pt_slice_root(wanted, &plan->plan.root);

        plan->from = observed->marker;
        known = observed->found && observed->marker.version == FW_LAYOUT_VERSION &&
                !observed->marker.unswept && !engine->distrusted;
        same_revision = known && observed->marker.revision == revision &&
                        pt_digest_equal(&observed->marker.live, &live);
        note_other_layout(plan, observed);
        if (known && engine->layout) {
                pt_slice_root(engine->layout->slice, &in_force);
                fw_live_digest(fw_sets_live(engine->layout->sets), &live_in_force);
                known = pt_digest_equal(&in_force, &observed->marker.root) &&
                        fw_bridge_is(engine->bridge, &observed->bridge) &&
                        pt_digest_equal(&live_in_force, &observed->marker.live);
        }

        r = find_times(engine, plan, diag);
        same_revision = same_revision && same_times(plan, &observed->marker);
        if (r == 0)
                r = known && engine->layout
                            ? fw_delta_new(engine->layout, wanted, plan->live, diag, &plan->delta)
                            : -EUCLEAN;
        if (r == 0)
                r = plan_change(ctx, plan, diag);
        else if (r == -EUCLEAN)
                r = plan_whole(ctx, plan, known && !engine->layout ? observed : NULL,
                               engine->layout ? engine->layout->tags : observed->tags, diag);
        plan->plan.empty = plan->plan.empty && same_revision;
        if (r == 0)
                r = probe_helpers(engine, plan, diag);
        if (r == 0)
                r = plan_bridge(engine, plan, diag);
        if (r == 0)
                fw_nat64_describe(engine->layout ? engine->layout->slice : NULL, wanted,
                                  &plan->plan);
        if (r == 0)
                fw_notice_without_to(engine->layout ? engine->layout->slice : NULL, wanted, diag);
        if (r < 0) {
                plan_free(&plan->plan);
                return r;
        }
        *ret = &plan->plan;
        return 0;
}

static FwPlanned planned_of(const PtEngineCtx *ctx, const PtPlan *base)
{
        const NftPlan *plan = (const NftPlan *) base;
        const FwEngine *engine = ctx->engine;

        return (FwPlanned){
                .slice = plan->wanted,
                .effective = plan->delta ? plan->delta->layout->effective : plan->layout->effective,
                .bans = engine->bans,
                .panic = fw_panic_is_on(engine->panic),
                .state_dir = ctx->state_dir,
                .live = plan->live,
                .netns_fd = ctx->netns_fd,
        };
}

static int cuts(PtEngineCtx *ctx, const PtPlan *base, const PtTuple *tuple, char **ret_why)
{
        FwPlanned planned = planned_of(ctx, base);

        return fw_cuts(&planned, tuple, ret_why);
}

static int review(PtEngineCtx *ctx, const PtPlan *base, const PtSlice *before, PtReview *review,
                  PtDiagnostics *diag)
{
        FwPlanned planned = planned_of(ctx, base);
        int r = fw_nat64_review(before, planned.slice, ctx->run_dir, review->forced, diag);

        return r < 0 ? r : fw_review(&planned, before, review, diag);
}

static int prepare(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done, void *userdata)
{
        /* The plan has checked everything that user space can; the transaction itself is all or
         * nothing. */
        done(0, userdata);
        return 0;
}

/* What the plan said is in force now. */
static void settle(FwEngine *engine, NftPlan *plan)
{
        if (plan->delta) {
                fw_delta_apply(plan->delta);
                fw_delta_free(g_steal_pointer(&plan->delta));
        } else {
                fw_layout_free(engine->layout);
                engine->layout = g_steal_pointer(&plan->layout);
                fw_sets_settle(engine->layout->sets);
                pt_memory_settle(plan->sent);
        }
        fw_bridge_unref(engine->bridge);
        engine->bridge = fw_bridge_ref(plan->bridge);
        engine->distrusted = false;
        if (engine->log_rules)
                fw_log_rules_sweep(engine->log_rules, engine->layout, engine->bridge);
        if (engine->told_times)
                engine->told_times(engine->layout->times, engine->times_userdata);
        if (engine->panic)
                fw_panic_follow(engine->panic);
        if (engine->openings)
                fw_openings_follow(engine->openings, engine->layout->zones);
        if (engine->settled)
                engine->settled(engine->settled_userdata);
        if (engine->pools_settled)
                engine->pools_settled(engine->pools_userdata);
}

/* Before a packet can be logged by them. */
static void note_log_rules(FwEngine *engine, const NftPlan *plan)
{
        if (!engine->log_rules)
                return;
        if (plan->bridge && (!plan->delta || !fw_bridge_same(engine->bridge, plan->bridge)))
                fw_log_rules_note_bridge(engine->log_rules, plan->bridge);
        if (plan->delta)
                fw_log_rules_note_delta(engine->log_rules, plan->delta);
        else
                fw_log_rules_note(engine->log_rules, plan->layout);
}

/* The kernel does not have what the delta begins from: load the whole. */
static int fall_back(FwEngine *engine, NftPlan *plan)
{
        FwSource source = {plan->wanted, plan->ctx->state_dir, plan->live};
        int r;

        fw_delta_free(g_steal_pointer(&plan->delta));
        engine->distrusted = true;
        r = fw_layout_new_at(plan->wanted, plan->times, plan->diag, &plan->layout);
        if (r >= 0) {
                plan->layout->health = engine->health;
                fw_layout_keep_tags(plan->layout, engine->layout ? engine->layout->tags : NULL);
        }
        return r < 0 ? r : fw_sets_load(plan->layout->sets, &source, plan->diag);
}

static int make_whole(FwEngine *engine, NftPlan *plan, const FwMarker *marker, PtNftBatch *batch)
{
        g_autoptr(FwCarry) carry = fw_carry_new();
        g_autoptr(GHashTable) counts = NULL;
        int r;

        /* What cannot be read cannot be carried: a table that is gone has no counters. */
        r = fw_carry_read_all(engine->nft, plan->other_layout, carry);
        if (r == 0)
                r = fw_ruleset_read_fixed(engine->nft, (engine->layout ?: plan->layout)->zones,
                                          true, &counts);
        if (r == 0)
                r = fw_objects_read_counts((engine->layout ?: plan->layout)->objects, engine->nft,
                                           counts);
        if (r != -EINTR)
                r = fw_sets_keep(plan->layout->sets, engine->nft);
        if (r == -EINTR)
                return r;
        fw_emit_all(plan->layout, marker, true, carry, counts, batch, plan->touched);
        if (engine->bans)
                fw_bans_put(engine->bans, counts, batch);
        if (engine->panic)
                fw_panic_put(engine->panic, plan->layout->zones, counts, batch);
        if (engine->openings)
                fw_openings_put(engine->openings, plan->layout->zones, counts, batch);
        return 0;
}

/* What a whole load or a marker alone is: one transaction. */
static int make_one(FwEngine *engine, NftPlan *plan, const FwMarker *marker, PtNftBatch *batch)
{
        if (!plan->adopt)
                return make_whole(engine, plan, marker, batch);
        fw_ruleset_put_marker(marker, true, batch);
        return 0;
}

/* Names of sets, only where some of them may be made anew or go. */
static int list_sets(FwEngine *engine, const NftPlan *plan, GPtrArray **ret)
{
        return plan->delta && (plan->delta->dispatch || plan->begun)
                       ? pt_nft_list_sets(engine->nft, PT_MARK_NFT_TABLE, ret)
                       : 0;
}

static int make_stages(FwEngine *engine, NftPlan *plan)
{
        g_autoptr(FwStages) stages = NULL;
        g_autoptr(GPtrArray) sets = NULL;
        FwMarker marker = {.revision = plan->plan.revision,
                           .root = plan->plan.root,
                           .version = FW_LAYOUT_VERSION};
        uint32_t generation;
        int r;

        fw_live_digest(plan->live, &marker.live);
        memcpy(marker.times, plan->times->digest, sizeof(marker.times));
        r = pt_nft_generation(engine->nft, &generation);
        if (r == 0)
                r = list_sets(engine, plan, &sets);
        if (r < 0)
                return r;
        stages = fw_stages_new(generation, sets, plan->begun);
        fw_touched_free(plan->touched);
        plan->touched = fw_touched_new();
        plan->bridge_changes =
                !plan->adopt && (!plan->delta || !fw_bridge_same(engine->bridge, plan->bridge));
        if (plan->bridge_changes)
                r = fw_bridge_put(engine->bridge, plan->bridge, !plan->delta, engine->nft, stages);
        if (r < 0)
                return r;
        if (plan->delta) {
                if (plan->delta->sets)
                        r = fw_sets_keep(plan->delta->sets, engine->nft);
                if (r == 0)
                        r = fw_emit_delta(plan->delta, &marker, &plan->from, engine->nft, stages,
                                          plan->touched);
                if (r == -ENOENT || r == -EUCLEAN) {
                        r = fall_back(engine, plan);
                        return r < 0 ? r : -EINTR;
                }
        } else {
                r = make_one(engine, plan, &marker, stages->batch);
        }
        if (r < 0)
                return r;
        fw_stages_follow(stages, generation);
        fw_stages_free(plan->stages);
        plan->stages = g_steal_pointer(&stages);
        plan->committed = 0;
        return 0;
}

/* What is heard from now on came after the transaction that is about to be sent: whatever the
 * kernel did since the batch's generation was read makes it refuse the batch. What is made anew
 * was not disturbed by what was before. */
static void hear_the_past(FwEngine *engine, const NftPlan *plan)
{
        if (engine->monitor && pt_nft_monitor_hear(engine->monitor) < 0)
                engine->disturbed = true;
        else if (plan->layout && !plan->adopt)
                engine->disturbed = false;
}

static void try_commit(NftPlan *plan);
static void send_rest(NftPlan *plan);

/* What nothing leads to any more could not be removed: the next commit makes the table anew. */
static void note_unswept(FwEngine *engine, int r, const char *what)
{
        pt_log(LOG_WARNING, "the kernel refused to remove %s, which nothing uses any more: %s",
               what ?: "what was before", strerror(-r));
        fw_engine_distrust(engine);
}

static void finish(NftPlan *plan, int result, const char *what)
{
        FwEngine *engine = plan->ctx->engine;

        fw_engine_end_quiet(engine, plan->committed);
        if ((result == -ERESTART || result == -EINTR) && ++plan->restarts < RESTARTS_MAX) {
                if (engine->bans)
                        fw_bans_hold(engine->bans, false);
                try_commit(plan);
                return;
        }
        if (result == 0) {
                settle(engine, plan);
        } else {
                if (plan->begun) /* what was made for it is there, and in nobody's way */
                        fw_engine_distrust(engine);
                pt_diag_error(plan->diag, "kernel-refused", "", "the kernel refused %s: %s",
                              what ?: "the transaction", strerror(-result));
                pt_log(LOG_ERR, "the kernel refused %s: %s", what ?: "the transaction",
                       strerror(-result));
        }
        /* What waited is made for what is in force now. */
        if (engine->bans)
                fw_bans_hold(engine->bans, false);
        plan->done(result == -ERESTART ? -EAGAIN : result, plan->userdata);
}

/* Whether the next one may follow; else the commit is over. */
static bool note_sent(NftPlan *plan, int result, const char *what)
{
        FwEngine *engine = plan->ctx->engine;
        bool after = plan->stage == FW_STAGES_AFTER;

        plan->committed += result == 0;
        plan->begun |= result == 0;
        if (result == 0)
                return true;
        finish(plan, after ? 0 : result, what);
        if (after)
                note_unswept(engine, result, what);
        return false;
}

static void sent(int result, const char *what, void *userdata)
{
        if (note_sent(userdata, result, what))
                send_rest(userdata);
}

/* One transaction; 1 when its end will be told. Takes the batch. */
static int send_one(NftPlan *plan, PtNftBatch *taken, char **ret_what)
{
        g_autoptr(PtNftBatch) batch = taken;
        FwEngine *engine = plan->ctx->engine;
        int r;

        if (plan->committed > 0 && plan->stage != FW_STAGES_BEFORE)
                fw_stages_let_pass();
        /* Before the loop runs there is nothing to keep waiting. */
        if (pt_nft_batch_size(batch) < FORK_SIZE ||
            sd_event_get_state(plan->ctx->event) != SD_EVENT_RUNNING)
                return pt_nft_send(engine->nft, batch, ret_what);
        if (engine->bans)
                fw_bans_hold(engine->bans, true);
        r = pt_nft_send_forked(engine->nft, plan->ctx->event, batch, sent, plan);
        if (r == 0)
                (void) g_steal_pointer(&batch); /* the socket has taken it */
        return r == 0 ? 1 : r;
}

static void send_rest(NftPlan *plan)
{
        PtNftBatch *batch;

        while ((batch = fw_stages_take(plan->stages, &plan->stage))) {
                g_autofree char *what = NULL;
                int r = send_one(plan, batch, &what);

                if (r > 0 || !note_sent(plan, r, what))
                        return;
        }
        finish(plan, 0, NULL);
}

static void try_commit(NftPlan *plan)
{
        FwEngine *engine = plan->ctx->engine;
        int r = make_stages(engine, plan);

        if (r < 0) {
                finish(plan, r, NULL);
                return;
        }
        note_log_rules(engine, plan);
        plan->sent = fw_stages_size(plan->stages);
        if (plan->sent >= QUIET_SIZE)
                fw_engine_begin_quiet(engine);
        hear_the_past(engine, plan);
        send_rest(plan);
}

static int commit(PtEngineCtx *ctx, PtPlan *base, PtDiagnostics *diag, PtDone done, void *userdata)
{
        NftPlan *plan = (NftPlan *) base;

        if (base->empty) {
                note_log_rules(ctx->engine, plan);
                settle(ctx->engine, plan);
                done(0, userdata);
                return 0;
        }
        plan->ctx = ctx;
        plan->diag = diag;
        plan->done = done;
        plan->userdata = userdata;
        plan->restarts = 0;
        try_commit(plan);
        return 0;
}

/* Whoever else touched the table since it was planned: what we read back would not show all of it. */
static int check_alone(FwEngine *engine, PtDiagnostics *diag)
{
        int r = engine->monitor ? pt_nft_monitor_hear(engine->monitor) : 0;

        if (r < 0)
                return r;
        if (!engine->disturbed)
                return 0;
        pt_diag_error(diag, "not-in-force", "",
                      "another program changed the table since it was committed");
        return -EUCLEAN;
}

static int check(FwEngine *engine, const NftPlan *plan, PtDiagnostics *diag)
{
        FwMarker marker;
        PtDigest live;
        int r = read_marker(engine, &marker);

        if (r < 0 && r != -ENOENT)
                return r;
        fw_live_digest(plan->live, &live);
        if (r == -ENOENT || marker.revision != plan->plan.revision ||
            !pt_digest_equal(&marker.root, &plan->plan.root) ||
            !pt_digest_equal(&marker.live, &live)) {
                pt_diag_error(diag, "not-in-force", "",
                              "the kernel's marker does not say revision %" PRIu64
                              ": something else changed the table",
                              plan->plan.revision);
                return -EUCLEAN;
        }
        r = -EINTR;
        for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++)
                r = plan->touched ? fw_touched_verify(plan->touched, engine->nft, diag) : 0;
        if (r >= 0)
                r = fw_bridge_verify(engine->bridge, plan->bridge_changes, engine->nft, diag);
        /* Last, so that what happened while we looked is heard too. */
        return r < 0 ? r : check_alone(engine, diag);
}

static int verify(PtEngineCtx *ctx, PtPlan *base, PtDiagnostics *diag, PtDone done, void *userdata)
{
        FwEngine *engine = ctx->engine;
        int r = check(engine, (NftPlan *) base, diag);

        if (r == -EUCLEAN)
                fw_engine_distrust(engine);
        if (r == 0 && engine->verified)
                engine->verified(engine->verified_userdata);
        done(r, userdata);
        return 0;
}

static void abort_plan(PtEngineCtx *ctx, PtPlan *plan)
{
}

static int marker_read(PtEngineCtx *ctx, uint64_t *ret_revision, PtDigest *ret_root)
{
        FwMarker marker;
        int r = read_marker(ctx->engine, &marker);

        if (r < 0)
                return r == -ENOENT ? -ENODATA : r;
        if (marker.version != FW_LAYOUT_VERSION)
                return -ENODATA;
        *ret_revision = marker.revision;
        *ret_root = marker.root;
        return 0;
}

/* clang-format off */
static const PtKind *const owned[] = {
        &pt_kind_alias,
        &pt_kind_bridge_rule,
        &pt_kind_bridge_settings,
        &pt_kind_filter_settings,
        &pt_kind_firewall_rule,
        &pt_kind_nat64,
        &pt_kind_nat_rule,
        &pt_kind_nat_settings,
        &pt_kind_policy_test,
        &pt_kind_rule_group,
        &pt_kind_schedule,
        &pt_kind_server_pool,
        &pt_kind_service,
        &pt_kind_zone,
        NULL,
};
/* clang-format on */
static const PtKind *const reads[] = {NULL};

const PtEngine fw_engine_nft = {
        .name = "nft",
        .kinds = owned,
        .reads = reads,
        .guarantee = PT_GUARANTEE_ATOMIC,
        .setup = setup,
        .teardown = teardown,
        .observe = observe,
        .plan = plan_new,
        .cuts = cuts,
        .review = review,
        .prepare = prepare,
        .commit = commit,
        .verify = verify,
        .abort = abort_plan,
        .plan_free = plan_free,
        .observed_free = observed_free,
        .marker = marker_read,
};
