/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "log-follow.h"

#include "kind/field.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

/* Records that one follower is shown in a turn of the loop: it is not alone. */
#define TURN_MAX 256U
#define PIPE_SIZE (256 * 1024)
/* After all that matters for packets. */
#define PRIORITY 60

typedef struct Follower {
        FwFollowers *followers;
        uid_t uid;
        FwLogFilter filter;
        int fd; /* the writing end */
        sd_event_source *source;
        uint64_t next; /* the record that it comes to */
        uint64_t end;  /* where it ends; UINT64_MAX: it does not */
        uint64_t missed;
        bool waiting; /* for room in the pipe */
} Follower;

struct FwFollowers {
        sd_event *event;
        FwLog *log;
        GPtrArray *list; /* Follower */
};

static void follower_free(void *p)
{
        Follower *follower = p;

        sd_event_source_disable_unref(follower->source);
        if (follower->fd >= 0)
                close(follower->fd);
        pt_fields_done(fw_log_filter_fields, &follower->filter, follower->filter.present);
        g_free(follower);
}

/* 1: written; 0: there is no room now; negative: nobody reads. A line is written whole (pipe(7):
 * PIPE_BUF). */
static int write_line(const Follower *follower, const FwLogRecord *record)
{
        g_autoptr(GString) line = g_string_sized_new(1024);
        ssize_t n;

        fw_log_record_to_json(record, line);
        g_string_append_c(line, '\n');
        do
                n = write(follower->fd, line->str, line->len);
        while (n < 0 && errno == EINTR);
        if (n >= 0)
                return 1;
        return errno == EAGAIN ? 0 : -errno;
}

/* What was overwritten before it was read, and what the pipe cannot take now. */
static int say_missed(Follower *follower)
{
        FwLogRecord missed = {.time_usec = (uint64_t) g_get_real_time()};
        int r;

        if (follower->missed == 0)
                return 1;
        missed.lost = (uint32_t) MIN(follower->missed, UINT32_MAX);
        r = write_line(follower, &missed);
        if (r > 0)
                follower->missed = 0;
        return r;
}

/* 1: there may be more to write at once; 0: it waits; negative: it ends. */
static int pump(Follower *follower)
{
        const FwLog *log = follower->followers->log;

        if (follower->next < fw_log_begin(log)) {
                follower->missed += fw_log_begin(log) - follower->next;
                follower->next = fw_log_begin(log);
        }
        for (unsigned i = 0; i < TURN_MAX; i++) {
                const FwLogRecord *record;
                int r = say_missed(follower);

                if (r <= 0)
                        return r;
                if (follower->next >= follower->end)
                        return -EPIPE;
                if (follower->next == fw_log_end(log))
                        return 0;
                record = fw_log_get(log, follower->next);
                if (fw_log_filter_matches(&follower->filter, record)) {
                        r = write_line(follower, record);
                        if (r <= 0)
                                return r;
                }
                follower->next++;
        }
        return 1;
}

/* EPOLLERR comes unasked when the reading end is closed (pipe(7)). */
static void wait_for(Follower *follower, bool room)
{
        if (follower->waiting == room)
                return;
        follower->waiting = room;
        (void) sd_event_source_set_io_events(follower->source, room ? EPOLLOUT : 0);
}

static bool goes_on(const Follower *follower)
{
        return follower->missed > 0 || follower->next < fw_log_end(follower->followers->log) ||
               follower->next >= follower->end;
}

/* Does a turn; false: it has ended, and is no more. */
static bool turn(Follower *follower)
{
        int r = pump(follower);

        if (r < 0) {
                g_ptr_array_remove_fast(follower->followers->list, follower);
                return false;
        }
        wait_for(follower, goes_on(follower));
        return true;
}

static int ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Follower *follower = userdata;

        if (events & (EPOLLERR | EPOLLHUP)) {
                g_ptr_array_remove_fast(follower->followers->list, follower);
                return 0;
        }
        (void) turn(follower);
        return 0;
}

/* Those that wait for room hear of it when there is. */
static void added(void *userdata)
{
        FwFollowers *followers = userdata;

        for (unsigned i = followers->list->len; i > 0; i--) {
                Follower *follower = g_ptr_array_index(followers->list, i - 1);

                if (!follower->waiting)
                        (void) turn(follower);
        }
}

int fw_followers_new(sd_event *event, FwLog *log, FwFollowers **ret)
{
        FwFollowers *followers = g_new0(FwFollowers, 1);

        followers->event = event;
        followers->log = log;
        followers->list = g_ptr_array_new_with_free_func(follower_free);
        fw_log_watch(log, added, followers);
        *ret = followers;
        return 0;
}

void fw_followers_free(FwFollowers *followers)
{
        if (!followers)
                return;
        fw_log_watch(followers->log, NULL, NULL);
        g_ptr_array_unref(followers->list);
        g_free(followers);
}

static int check_room(const FwFollowers *followers, uid_t uid)
{
        unsigned own = 0;

        for (unsigned i = 0; i < followers->list->len; i++)
                own += ((const Follower *) g_ptr_array_index(followers->list, i))->uid == uid;
        if (own >= FW_FOLLOWERS_PER_USER_MAX)
                return -EUSERS;
        return followers->list->len >= FW_FOLLOWERS_MAX ? -EBUSY : 0;
}

/* Where the last `n` begin that match. */
static uint64_t find_begin(const FwLog *log, const FwLogFilter *filter, uint32_t n)
{
        uint64_t at = fw_log_end(log);

        for (uint32_t found = 0; found < n && at > fw_log_begin(log);)
                found += fw_log_filter_matches(filter, fw_log_get(log, --at));
        return at;
}

int fw_followers_add(FwFollowers *followers, uid_t uid, FwLogFilter *filter, uint32_t history,
                     bool follow, int *ret_fd)
{
        pt_auto_fd int reading = -EBADF;
        Follower *follower;
        int fds[2], r = check_room(followers, uid);

        if (r < 0)
                return r;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        reading = fds[0];
        follower = g_new0(Follower, 1);
        follower->fd = fds[1];
        (void) fcntl(follower->fd, F_SETPIPE_SZ, PIPE_SIZE); /* the usual 64 KiB do too */
        if (fcntl(follower->fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        if (r == 0)
                r = sd_event_add_io(followers->event, &follower->source, follower->fd, EPOLLOUT,
                                    ready, follower);
        if (r >= 0)
                r = sd_event_source_set_priority(follower->source, PRIORITY);
        if (r < 0) {
                follower_free(follower);
                return r;
        }
        follower->followers = followers;
        follower->uid = uid;
        follower->next = find_begin(followers->log, filter, history);
        follower->end = follow ? UINT64_MAX : fw_log_end(followers->log);
        follower->waiting = true;
        follower->filter = *filter;
        *filter = (FwLogFilter){0};
        g_ptr_array_add(followers->list, follower);
        *ret_fd = pt_steal_fd(&reading);
        return 0;
}
