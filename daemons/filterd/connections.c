/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "connections.h"

#include "connection-child.h"
#include "killed.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A child, and who waits for what it sends. */
typedef struct Job {
        FwConnections *connections;
        char *name; /* of a listing: the part of its cursors that stays; NULL: of something else */
        unsigned page;
        pid_t pid;
        int socket;
        sd_event_source *readable, *idle;
        FwPageDone page_done; /* NULL: nobody waits */
        FwKillDone kill_done;
        void *userdata;
} Job;

struct FwConnections {
        sd_event *event;
        int netns_fd;
        FwBans *bans;               /* may be NULL */
        const FwOpenings *openings; /* may be NULL */
        PtConntrack *conntrack;
        GPtrArray *jobs; /* Job */
};

/* The event loop owns this source until the child, killed or not, has ended. */
static int child_ended(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        return sd_event_source_set_floating(source, false);
}

static void job_free(void *p)
{
        Job *job = p;
        FwPageDone page_done = g_steal_pointer(&job->page_done);
        FwKillDone kill_done = g_steal_pointer(&job->kill_done);

        sd_event_source_disable_unref(job->readable);
        sd_event_source_disable_unref(job->idle);
        if (job->pid > 0)
                (void) kill(job->pid, SIGKILL);
        close(pt_steal_fd(&job->socket));
        if (page_done)
                page_done(-ECANCELED, -EBADF, 0, "", job->userdata);
        if (kill_done)
                kill_done(-ECANCELED, 0, job->userdata);
        g_free(job->name);
        g_free(job);
}

int fw_connections_new(sd_event *event, int netns_fd, FwBans *bans, FwConnections **ret)
{
        g_autoptr(FwConnections) connections = g_new0(FwConnections, 1);
        int r;

        connections->netns_fd = netns_fd;
        connections->bans = bans;
        connections->event = sd_event_ref(event);
        connections->jobs = g_ptr_array_new_with_free_func(job_free);
        r = pt_conntrack_open(netns_fd, &connections->conntrack);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&connections);
        return 0;
}

void fw_connections_free(FwConnections *connections)
{
        if (!connections)
                return;
        g_ptr_array_unref(connections->jobs);
        pt_conntrack_close(connections->conntrack);
        sd_event_unref(connections->event);
        g_free(connections);
}

void fw_connections_set_openings(FwConnections *connections, const FwOpenings *openings)
{
        connections->openings = openings;
}

static int idle_too_long(sd_event_source *source, uint64_t usec, void *userdata)
{
        Job *job = userdata;

        (void) g_ptr_array_remove_fast(job->connections->jobs, job);
        return 0;
}

/* Leaves the listing to the timer; its owner knows the cursor alone. */
static int wait_for_next(Job *job)
{
        return sd_event_add_time_relative(job->connections->event, &job->idle, CLOCK_MONOTONIC,
                                          FW_LISTING_IDLE_USEC, 0, idle_too_long, job);
}

static void answer_page(Job *job, const FwPage *page, int fd)
{
        FwPageDone done = g_steal_pointer(&job->page_done);
        g_autofree char *next = NULL;
        void *userdata = job->userdata;
        bool over = page->result < 0 || page->last || fd < 0;
        int result = page->result < 0 ? page->result : fd < 0 ? -EIO : 0;

        job->page++;
        if (!over && wait_for_next(job) < 0)
                over = true;
        next = over ? g_strdup("") : g_strdup_printf("%s.%u", job->name, job->page);
        if (over)
                (void) g_ptr_array_remove_fast(job->connections->jobs, job);
        done(result, fd, page->rows, next, userdata);
}

/* Sends what keeps them from going on, and calls `done` when the kernel has it, or has no place or
 * table for it: then they are only forgotten. */
static void remember(FwConnections *connections, const PtConnection *list, size_t n,
                     FwBansDone done, void *userdata)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        int r = -ENODATA;

        if (connections->bans && fw_killed_put(list, n, batch))
                r = fw_bans_send(connections->bans, batch, done, userdata);
        if (r == 0)
                (void) g_steal_pointer(&batch);
        else
                done(r, 0, userdata);
}

/* The child may go on. */
static void page_remembered(int result, uint32_t n, void *userdata)
{
        Job *job = userdata;
        char answer = result == -ENFILE ? FW_REMEMBERED_FULL : FW_REMEMBERED;

        (void) sd_event_source_set_enabled(job->readable, SD_EVENT_ON);
        (void) send(job->socket, &answer, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int remember_page(Job *job, int fd, uint32_t rows)
{
        size_t size = rows * sizeof(PtConnection);
        void *page;

        if (rows == 0 || rows > FW_KILLS_AT_ONCE)
                return -EBADMSG;
        page = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        /* Until then the job must not end. */
        (void) sd_event_source_set_enabled(job->readable, SD_EVENT_OFF);
        remember(job->connections, page, rows, page_remembered, job);
        (void) munmap(page, size);
        return 0;
}

static int job_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Job *job = userdata;
        pt_auto_fd int memfd = -EBADF;
        FwPage page = {0};
        int r = fw_page_receive(fd, &page, &memfd);

        if (r == -EAGAIN)
                return 0;
        if (r < 0)
                page = (FwPage){.result = -EIO, .last = true}; /* it died */
        if (!job->kill_done) {
                if (job->page_done)
                        answer_page(job, &page, pt_steal_fd(&memfd));
                else
                        (void) g_ptr_array_remove_fast(job->connections->jobs, job);
        } else if (page.last || remember_page(job, memfd, page.rows) < 0) {
                FwKillDone done = g_steal_pointer(&job->kill_done);
                void *data = job->userdata;

                (void) g_ptr_array_remove_fast(job->connections->jobs, job);
                done(page.last ? page.result : -EIO, page.killed, data);
        }
        return 0;
}

/* Who has a cursor has the listing, so it must not be guessed. */
static int random_name(char **ret)
{
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        *ret = g_strdup_printf("%016" PRIx64, random);
        return 0;
}

static int watch(Job *job)
{
        sd_event *event = job->connections->event;
        int r = sd_event_add_child(event, NULL, job->pid, WEXITED, child_ended, NULL);

        return r < 0 ? r
                     : sd_event_add_io(event, &job->readable, job->socket, EPOLLIN, job_readable,
                                       job);
}

/* Two processes from here on: 0 in the child, which has `*ret_socket`; in the parent 1, with a job. */
static int job_fork(FwConnections *connections, Job **ret, int *ret_socket)
{
        pid_t parent = getpid();
        int sockets[2];
        Job *job;
        int r;

        if (connections->jobs->len >= FW_LISTINGS_MAX)
                return -EBUSY;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        job = g_new0(Job, 1);
        job->connections = connections;
        job->socket = sockets[0];
        job->pid = fork();
        if (job->pid == 0) {
                /* It must not outlive us, even if we died before this call. */
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                        _exit(1);
                close(sockets[0]);
                *ret_socket = sockets[1];
                return 0;
        }
        r = job->pid < 0 ? -errno : 0;
        close(sockets[1]);
        if (r == 0)
                r = watch(job);
        if (r < 0) {
                job_free(job);
                return r;
        }
        g_ptr_array_add(connections->jobs, job);
        *ret = job;
        return 1;
}

int fw_connections_list(FwConnections *connections, const PtConnectionFilter *filter,
                        FwRowFormat format, uint32_t limit, FwPageDone done, void *userdata)
{
        g_autofree char *name = NULL;
        int r, socket;
        Job *job;

        r = random_name(&name);
        if (r < 0)
                return r;
        r = job_fork(connections, &job, &socket);
        if (r < 0)
                return r;
        if (r == 0)
                _exit(fw_child_list(socket, connections->netns_fd, filter, format,
                                    CLAMP(limit, 1, FW_CONNECTIONS_PAGE_MAX)));
        job->name = g_steal_pointer(&name);
        job->page_done = done;
        job->userdata = userdata;
        return 0;
}

static Job *find(FwConnections *connections, const char *cursor)
{
        for (unsigned i = 0; i < connections->jobs->len; i++) {
                Job *job = g_ptr_array_index(connections->jobs, i);
                g_autofree char *expected =
                        job->name ? g_strdup_printf("%s.%u", job->name, job->page) : NULL;

                if (g_strcmp0(expected, cursor) == 0)
                        return job;
        }
        return NULL;
}

int fw_connections_continue(FwConnections *connections, const char *cursor, FwPageDone done,
                            void *userdata)
{
        Job *job = find(connections, cursor);

        if (!job)
                return -ENOENT;
        if (job->page_done)
                return -EBUSY;
        if (send(job->socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return -errno;
        job->idle = sd_event_source_disable_unref(job->idle);
        job->page_done = done;
        job->userdata = userdata;
        return 0;
}

int fw_connections_talk(FwConnections *connections, FwTalkBy by, FwTalkWhat what, uint32_t limit,
                        FwPageDone done, void *userdata)
{
        int r, socket;
        Job *job;

        r = job_fork(connections, &job, &socket);
        if (r < 0)
                return r;
        if (r == 0)
                _exit(fw_child_talk(socket, connections->netns_fd, by, what,
                                    CLAMP(limit, 1, FW_TALK_ROWS_MAX)));
        job->page_done = done;
        job->userdata = userdata;
        return 0;
}

/* One that is ended without a child. */
typedef struct Single {
        FwConnections *connections;
        PtConnection connection;
        FwKillDone done;
        void *userdata;
} Single;

static void single_remembered(int result, uint32_t n, void *userdata)
{
        g_autofree Single *single = userdata;
        size_t killed = 0;
        int r = result == -ECANCELED ? result
                                     : pt_conntrack_delete(single->connections->conntrack,
                                                           &single->connection, 1, &killed);

        single->done(r, killed, single->userdata);
}

int fw_connections_kill(FwConnections *connections, const PtConnectionFilter *filter,
                        FwKillDone done, void *userdata)
{
        PtConnection wanted, found;
        int r, socket;
        Job *job;

        if (pt_connection_filter_tuple(filter, &wanted) &&
            pt_conntrack_get(connections->conntrack, &wanted, &found) == 0 &&
            pt_connection_matches(filter, &found)) {
                Single *single = g_new0(Single, 1);

                *single = (Single){connections, found, done, userdata};
                remember(connections, &single->connection, 1, single_remembered, single);
                return 0;
        }
        /* Not there, or in another conntrack zone, or not told by one tuple. */
        r = job_fork(connections, &job, &socket);
        if (r < 0)
                return r;
        if (r == 0)
                _exit(fw_child_kill(socket, connections->netns_fd, filter));
        job->kill_done = done;
        job->userdata = userdata;
        return 0;
}

int fw_connections_revoke(FwConnections *connections, const GPtrArray *before,
                          const FwSource *after, FwTimes *times, FwKillDone done, void *userdata)
{
        int r, socket;
        Job *job;

        r = job_fork(connections, &job, &socket);
        if (r < 0)
                return r;
        if (r == 0)
                _exit(fw_child_revoke(socket, connections->netns_fd, before, after, times,
                                      connections->openings));
        job->kill_done = done;
        job->userdata = userdata;
        return 0;
}

int fw_connections_count(FwConnections *connections, uint32_t *ret)
{
        return pt_conntrack_count(connections->conntrack, ret);
}
