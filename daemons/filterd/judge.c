/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "judge.h"

#include "base/io.h"
#include "base/log.h"
#include "revoke.h"
#include "txn/store-files.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOOK_USEC (G_USEC_PER_SEC / 10)
#define WAIT_USEC G_USEC_PER_SEC /* between two questions whether a confirmation has come */

struct FwJudge {
        sd_event *event;
        FwEngine *engine;
        const PtParticipant *participant;
        FwConnections *connections;
        const char *state_dir;
        PtSlice *in_force;     /* NULL: nothing was until now */
        FwTimes *times;        /* what schedules say of it */
        GPtrArray *before;     /* FwRevokeBefore: what was, since connections were looked at last */
        sd_event_source *soon; /* a look is to come */
        bool *freed;           /* of a look under way: says that the judge is gone */
};

/* A look under way. */
typedef struct Look {
        FwJudge *judge;
        bool gone;
} Look;

static void look_soon(FwJudge *judge);

static void looked(int result, uint64_t killed, void *userdata)
{
        g_autofree Look *look = userdata;
        FwJudge *judge = look->judge;

        if (killed > 0)
                pt_log(LOG_NOTICE,
                       "%" PRIu64 " connection%s ended that the policy does not allow any more",
                       killed, killed == 1 ? "" : "s");
        if (result < 0 && result != -ECANCELED)
                pt_log(LOG_ERR,
                       "not all connections were looked at that a commit may have revoked: %s",
                       strerror(-result));
        if (look->gone)
                return;
        judge->freed = NULL;
        if (judge->before->len > 0)
                look_soon(judge);
}

static void look(FwJudge *judge)
{
        g_autoptr(GPtrArray) before = g_steal_pointer(&judge->before);
        const FwLayout *layout = fw_engine_layout(judge->engine);
        FwSource after = {.slice = judge->in_force, .state_dir = judge->state_dir};
        uint32_t count;
        Look *under_way;
        int r;

        judge->before = g_ptr_array_new_with_free_func(fw_revoke_before_free);
        if (layout)
                after.live = fw_sets_live(layout->sets);
        if (fw_connections_count(judge->connections, &count) == 0 && count == 0)
                return;
        under_way = g_new0(Look, 1);
        under_way->judge = judge;
        judge->freed = &under_way->gone;
        r = fw_connections_revoke(judge->connections, before, &after, judge->times, looked,
                                  under_way);
        if (r < 0)
                looked(r, 0, under_way);
}

/* The revision in force is not decided, or waits for a confirmation (txn/store.h: the file is there
 * before the link says that it is decided): it may be taken back, and ended connections would not
 * come back with it, the administrator's own among them. */
static bool waits(const FwJudge *judge)
{
        g_autofree char *path = g_build_filename(judge->state_dir, "revisions", NULL);
        pt_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t decided = 0;

        if (fd >= 0 && pt_store_read_link(fd, PT_STORE_DECIDED, &decided) < 0)
                decided = 0;
        return pt_participant_revision(judge->participant) > decided ||
               faccessat(fd, PT_STORE_UNCONFIRMED, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void look_after(FwJudge *judge, uint64_t usec);

static int look_now(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwJudge *judge = userdata;

        judge->soon = sd_event_source_disable_unref(judge->soon);
        if (judge->before->len == 0)
                return 0;
        if (waits(judge))
                look_after(judge, WAIT_USEC);
        else
                look(judge);
        return 0;
}

static void look_after(FwJudge *judge, uint64_t usec)
{
        if (!judge->soon && !judge->freed)
                (void) sd_event_add_time_relative(judge->event, &judge->soon, CLOCK_MONOTONIC, usec,
                                                  0, look_now, judge);
}

static void look_soon(FwJudge *judge)
{
        look_after(judge, LOOK_USEC);
}

/* Of more, those in the middle are not remembered: what began under one of them alone is left
 * alone. */
static void remember(FwJudge *judge, PtSlice *slice, bool ended, FwTimes *times)
{
        if (judge->before->len == FW_REVOKE_BEFORE_MAX)
                g_ptr_array_remove_index(judge->before, FW_REVOKE_BEFORE_MAX - 1);
        g_ptr_array_add(judge->before, fw_revoke_before_new(slice, ended, times));
        look_soon(judge);
}

static bool same_times(const FwTimes *a, const FwTimes *b)
{
        return a == b || (a && b && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0);
}

/* What schedules said until now, and of which rules: windows may be over. At first it is not known. */
static void note_times(FwJudge *judge, const FwLayout *layout)
{
        g_autoptr(FwTimes) were = judge->times;
        PtSlice *slice = judge->in_force ?: layout->slice;

        judge->times = fw_times_ref(layout->times);
        if ((!judge->in_force || !same_times(were, layout->times)) && fw_revoke_may_end(slice))
                remember(judge, slice, true, judge->in_force ? were : NULL);
}

static void forget_commits(FwJudge *judge)
{
        for (unsigned i = judge->before->len; i-- > 0;)
                if (!((const FwRevokeBefore *) g_ptr_array_index(judge->before, i))->ended)
                        g_ptr_array_remove_index(judge->before, i);
}

static void verified(void *userdata)
{
        FwJudge *judge = userdata;
        const FwLayout *layout = fw_engine_layout(judge->engine);
        g_autoptr(PtSlice) was = NULL;

        if (!layout)
                return;
        note_times(judge, layout);
        if (layout->slice == judge->in_force)
                return;
        was = g_steal_pointer(&judge->in_force);
        judge->in_force = pt_slice_ref(layout->slice);
        if (!was)
                return;
        /* What was until now goes on under such a one, whatever comes next. */
        if (!fw_settings_revoke(layout->zones->settings)) {
                forget_commits(judge);
                return;
        }
        remember(judge, was, false, NULL);
}

FwJudge *fw_judge_new(sd_event *event, FwEngine *engine, const PtParticipant *participant,
                      FwConnections *connections, const char *state_dir)
{
        FwJudge *judge = g_new0(FwJudge, 1);

        judge->event = event;
        judge->engine = engine;
        judge->participant = participant;
        judge->connections = connections;
        judge->state_dir = state_dir;
        judge->before = g_ptr_array_new_with_free_func(fw_revoke_before_free);
        fw_engine_on_verified(engine, verified, judge);
        verified(judge);
        return judge;
}

void fw_judge_free(FwJudge *judge)
{
        if (!judge)
                return;
        fw_engine_on_verified(judge->engine, NULL, NULL);
        if (judge->freed)
                *judge->freed = true;
        sd_event_source_disable_unref(judge->soon);
        g_ptr_array_unref(judge->before);
        pt_slice_unref(judge->in_force);
        fw_times_unref(judge->times);
        g_free(judge);
}
