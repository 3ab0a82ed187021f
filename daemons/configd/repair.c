/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "repair.h"

#include "deadline.h"

#include "base/log.h"

struct Repair {
        Participant *participant;
        PtSlice *slice; /* to be in force */
        uint64_t revision;
        uint64_t step_usec;
        uint64_t commit_usec; /* estimate */
        RepairMode mode;
        bool full; /* it was sent the whole slice */
        ParticipantCall call;
        PtDiagnostics *diag;
        RepairDone done;
        void *userdata;
};

void repair_free(Repair *repair)
{
        if (!repair)
                return;
        participant_cancel(&repair->call);
        pt_slice_unref(repair->slice);
        pt_diag_free(repair->diag);
        g_free(repair);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Repair, repair_free)

static void finish(Repair *repair, int result)
{
        g_autoptr(Repair) owned = repair;

        repair->done(repair->participant, result, repair->diag, repair->userdata);
}

/* Goes on with the next call, or ends when it could not be sent. */
static void expect(Repair *repair, int result, void (*done)(int, const Answer *, void *))
{
        repair->call.done = done;
        if (result < 0)
                finish(repair, result);
}

static void on_verified(int result, const Answer *answer, void *userdata)
{
        Repair *repair = userdata;

        if (result >= 0 && !answer->verified) {
                pt_diag_error(repair->diag, "not-verified", NULL,
                              "%s does not have in force what it was told",
                              repair->participant->klass->name);
                result = -EIO;
        }
        finish(repair, result);
}

static void on_committed(int result, const Answer *answer, void *userdata)
{
        Repair *repair = userdata;

        if (result < 0)
                finish(repair, result);
        else
                expect(repair,
                       participant_step(&repair->call, "Verify", repair->revision,
                                        deadline_step(repair->step_usec, repair->commit_usec)),
                       on_verified);
}

static void commit(Repair *repair)
{
        expect(repair,
               participant_step(&repair->call, "Commit", repair->revision,
                                deadline_step(repair->step_usec, repair->commit_usec)),
               on_committed);
}

static void on_prepared(int result, const Answer *answer, void *userdata)
{
        Repair *repair = userdata;

        if (result < 0)
                finish(repair, result);
        else
                commit(repair);
}

static void on_planned(int result, const Answer *answer, void *userdata);

static int plan(Repair *repair)
{
        return participant_plan(&repair->call, repair->revision,
                                repair->full ? NULL : repair->slice, repair->slice, &(PlanWish){0},
                                deadline_step(repair->step_usec, 0));
}

static void plan_full(Repair *repair)
{
        pt_log(LOG_NOTICE,
               "%s has another configuration in force; bringing it to revision %" PRIu64,
               repair->participant->klass->name, repair->revision);
        repair->full = true;
        expect(repair, plan(repair), on_planned);
}

static void on_planned(int result, const Answer *answer, void *userdata)
{
        Repair *repair = userdata;

        if (result == -ESTALE && !repair->full) {
                plan_full(repair);
                return;
        }
        if (result >= 0 && !repair->full && answer->empty && repair->mode != REPAIR_VERIFY) {
                participant_abort(repair->participant, repair->revision);
                finish(repair, 0);
                return;
        }
        if (result < 0) {
                finish(repair, result);
                return;
        }
        repair->commit_usec = answer->commit_usec;
        if (answer->guarantee == PT_GUARANTEE_ATOMIC)
                commit(repair);
        else
                expect(repair,
                       participant_step(&repair->call, "Prepare", repair->revision,
                                        deadline_prepare(repair->step_usec, answer->prepare_usec)),
                       on_prepared);
}

static void on_state(int result, const Answer *answer, void *userdata)
{
        Repair *repair = userdata;

        if (result < 0 || answer_agrees(answer, repair->slice))
                finish(repair, result);
        else
                plan_full(repair);
}

int repair_start(Participant *participant, uint64_t revision, uint64_t step_usec, RepairMode mode,
                 RepairDone done, void *userdata, Repair **ret)
{
        g_autoptr(Repair) repair = g_new0(Repair, 1);
        int r;

        repair->participant = participant;
        repair->slice = pt_slice_ref(participant->slice);
        repair->revision = revision;
        repair->step_usec = step_usec;
        repair->diag = pt_diag_new();
        repair->done = done;
        repair->userdata = userdata;
        repair->call = (ParticipantCall){.participant = participant,
                                         .diag = repair->diag,
                                         .done = mode == REPAIR_ASK ? on_state : on_planned,
                                         .userdata = repair};
        repair->mode = mode;
        r = mode == REPAIR_ASK ? participant_get_state(&repair->call, deadline_step(step_usec, 0))
                               : plan(repair);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&repair);
        return 0;
}
