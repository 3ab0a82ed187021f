/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settle.h"

#include "deadline.h"
#include "manager.h"

#include "base/log.h"

typedef struct Question {
        Settle *settle;
        Member *member;
        PtSlice *slice; /* the participant's part of the intent */
        ParticipantCall call;
} Question;

struct Settle {
        Manager *manager;
        uint64_t number;
        PtSlice *candidate;
        Reply *reply; /* holds the changes */
        GPtrArray *questions;
        unsigned waiting;
        bool refuted; /* somebody does not have it */
};

static void question_free(void *data)
{
        Question *question = data;

        participant_cancel(&question->call);
        pt_slice_unref(question->slice);
        g_free(question);
}

void settle_free(Settle *settle)
{
        if (!settle)
                return;
        g_ptr_array_unref(settle->questions);
        pt_slice_unref(settle->candidate);
        reply_free(settle->reply);
        g_free(settle);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settle, settle_free)

static void end(Settle *settle)
{
        g_autoptr(Settle) owned = settle;
        Manager *manager = settle->manager;
        g_autoptr(PtRevision) revision = NULL;
        int r;

        manager->settle = NULL;
        manager->settled = true;
        for (guint i = 0; settle->refuted && i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);

                member->suspect = member->in_doubt = true;
        }
        for (guint i = 0; !settle->refuted && i < settle->questions->len; i++) {
                const Question *question = g_ptr_array_index(settle->questions, i);

                question->member->suspect = question->member->unverified = true;
        }
        r = settle->refuted ? pt_store_abort(manager->store, settle->number)
                            : pt_store_decide(manager->store, settle->number);
        if (r < 0)
                pt_log(LOG_ERR, "cannot write what became of revision %" PRIu64 ": %s",
                       settle->number, g_strerror(-r));
        else
                pt_log(LOG_NOTICE, "revision %" PRIu64 " was interrupted: it is %s", settle->number,
                       settle->refuted ? "aborted" : "in force, and decided now");
        if (r >= 0 && !settle->refuted &&
            pt_store_get(manager->store, settle->number, &revision) >= 0)
                manager_publish(manager, settle->number, settle->candidate, settle->reply,
                                revision->author, revision->comment);
        audit_recover(manager->audit);
        manager_wake(manager);
}

static void answered(Settle *settle)
{
        if (--settle->waiting == 0)
                end(settle);
}

static void on_state(int result, const Answer *answer, void *userdata)
{
        Question *question = userdata;
        Settle *settle = question->settle;

        if (result < 0 || !answer_in_force(answer, question->slice))
                settle->refuted = true;
        answered(settle);
}

static void ask(Settle *settle, Member *member)
{
        PtSlice *slice = participant_project_changes(&member->participant, settle->reply->changes);
        Question *question;

        if (!slice)
                return;
        question = g_new0(Question, 1);
        question->settle = settle;
        question->member = member;
        question->slice = slice;
        question->call = (ParticipantCall){.participant = &member->participant,
                                           .diag = settle->reply->diag,
                                           .done = on_state,
                                           .userdata = question};
        g_ptr_array_add(settle->questions, question);
        if (participant_get_state(&question->call, deadline_step(settle->manager->step_usec, 0)) <
            0)
                settle->refuted = true;
        else
                settle->waiting++;
}

int settle_start(Manager *manager, Settle **ret)
{
        g_autoptr(Settle) settle = g_new0(Settle, 1);
        g_autoptr(PtSlice) candidate = NULL;
        int r;

        settle->manager = manager;
        settle->number = pt_store_pending(manager->store);
        settle->reply = reply_new();
        settle->questions = g_ptr_array_new_with_free_func(question_free);
        r = pt_store_load(manager->store, settle->number, settle->reply->diag, &candidate);
        if (r < 0)
                return r;
        settle->candidate = g_steal_pointer(&candidate);
        reply_set_changes(settle->reply, changes_new(manager->running, settle->candidate));
        settle->waiting = 1;
        for (guint i = 0; i < manager->members->len; i++)
                ask(settle, g_ptr_array_index(manager->members, i));
        *ret = settle;
        answered(g_steal_pointer(&settle));
        return 0;
}
