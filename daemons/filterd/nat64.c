/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "nat64-internal.h"

#include "base/log.h"
#include "base/marks.h"
#include "base/messages.h"
#include "event/backoff.h"
#include "netlink/link.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define SOCKET_NAME "nat64"
#define RETRY_MIN_USEC (50 * PT_USEC_PER_MSEC)
#define RETRY_MAX_USEC (10 * PT_USEC_PER_SEC)

typedef struct Row {
        const Nat64 *object; /* a reference */
        PtNat64Told told;
        bool known;
} Row;

struct FwNat64 {
        FwNat64Config config;
        char *system_socket, *own_socket, *helper, *state_dir, *run_dir;
        GHashTable *rows; /* name -> Row: what is wanted */
        int fd;
        sd_event_source *io, *child;
        PtBackoff *retry;
        char *unreachable; /* why the helper is; NULL: it is not */
        bool sent;         /* it has the newest */
};

char *fw_nat64_system_socket(const char *run_dir)
{
        g_autofree char *parent = g_path_get_dirname(run_dir);

        return g_build_filename(parent, SOCKET_NAME, NULL);
}

int fw_nat64_connect(const char *path, int flags)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        pt_auto_fd int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return pt_steal_fd(&fd);
}

/* How they are. */

static FwNat64Row row_of(const FwNat64 *nat64, const Row *row)
{
        return (FwNat64Row){
                .object = row->object,
                .told = row->known,
                .state = (PtRunnerState) row->told.state,
                .pid = row->told.pid,
                .restarts = row->told.restarts,
                .since_usec = row->told.since_usec,
                .error = row->known ? row->told.text : nat64->unreachable ?: "",
        };
}

const char *fw_nat64_row_state(const FwNat64Row *row)
{
        return row->told ? pt_runner_state_to_string(row->state) : "unknown";
}

static int compare_rows(const void *a, const void *b)
{
        const Row *first = *(Row *const *) a, *second = *(Row *const *) b;

        return strcmp(first->object->object.name, second->object->object.name);
}

static GPtrArray *sorted(const FwNat64 *nat64)
{
        GPtrArray *rows = g_ptr_array_new();
        GHashTableIter iter;
        void *row;

        g_hash_table_iter_init(&iter, nat64->rows);
        while (g_hash_table_iter_next(&iter, NULL, &row))
                g_ptr_array_add(rows, row);
        g_ptr_array_sort(rows, compare_rows);
        return rows;
}

void fw_nat64_list(FwNat64 *nat64, void (*each)(const FwNat64Row *row, void *userdata),
                   void *userdata)
{
        g_autoptr(GPtrArray) rows = sorted(nat64);

        for (unsigned i = 0; i < rows->len; i++) {
                FwNat64Row row = row_of(nat64, g_ptr_array_index(rows, i));

                each(&row, userdata);
        }
}

/* One that is being started says nothing of its own yet. */
static bool is_in_trouble(const FwNat64 *nat64, const Row *row)
{
        return row->known ? row->told.state == PT_RUNNER_WAITING ||
                                    (row->told.state == PT_RUNNER_STARTING &&
                                     row->told.restarts > 0 && row->told.text[0])
                          : nat64->unreachable != NULL;
}

static void tell_trouble(const FwNat64 *nat64)
{
        g_autoptr(GPtrArray) rows = sorted(nat64);
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < rows->len; i++) {
                const Row *row = g_ptr_array_index(rows, i);
                FwNat64Row seen = row_of(nat64, row);

                if (is_in_trouble(nat64, row))
                        g_string_append_printf(text, "%sNat64/%s does not translate: %s",
                                               text->len > 0 ? "; " : "", row->object->object.name,
                                               seen.error);
        }
        nat64->config.trouble(text->len > 0 ? text->str : NULL, nat64->config.userdata);
}

static void note_change(FwNat64 *nat64, const Row *row, const PtNat64Told *before)
{
        g_autofree char *name = g_strdup_printf("PATRONUS_NAME=%s", row->object->object.name);
        FwNat64Row seen = row_of(nat64, row);
        bool ran = before && before->state == PT_RUNNER_RUNNING;

        /* One that fails again and again by the same is an alarm once. */
        if (row->told.state == PT_RUNNER_WAITING &&
            (!before || ran || strcmp(before->text, row->told.text) != 0))
                pt_log_fields(LOG_ERR, (const char *[]){PT_MESSAGE_NAT64_DOWN, name, NULL},
                              "Nat64/%s does not translate: %s", row->object->object.name,
                              row->told.text);
        else if (row->told.state == PT_RUNNER_RUNNING && !ran)
                pt_log_fields(LOG_NOTICE, (const char *[]){PT_MESSAGE_NAT64_UP, name, NULL},
                              "Nat64/%s translates", row->object->object.name);
        nat64->config.changed(&seen, nat64->config.userdata);
}

/* The helper. */

static void disconnect(FwNat64 *nat64)
{
        nat64->io = sd_event_source_disable_unref(nat64->io);
        pt_closep(&nat64->fd);
        nat64->fd = -EBADF;
        nat64->sent = false;
}

static void lose(FwNat64 *nat64, const char *why)
{
        GHashTableIter iter;
        Row *row;

        disconnect(nat64);
        g_free(nat64->unreachable);
        nat64->unreachable =
                g_strdup_printf("patronus-nat64, which runs it, cannot be reached: %s", why);
        g_hash_table_iter_init(&iter, nat64->rows);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &row))
                row->known = false;
        tell_trouble(nat64);
        if (pt_backoff_arm(nat64->retry) < 0)
                pt_log(LOG_ERR, "no timer: patronus-nat64 is not asked again");
}

static void take(FwNat64 *nat64, const PtNat64Told *told)
{
        Row *row = g_hash_table_lookup(nat64->rows, told->name);
        PtNat64Told before = {};
        bool known = row && row->known;

        if (!row || told->what != PT_NAT64_STATE || told->state >= PT_RUNNER_STATE_MAX)
                return;
        before = row->told;
        row->told = *told;
        row->known = true;
        note_change(nat64, row, known ? &before : NULL);
        tell_trouble(nat64);
}

static int hear(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FwNat64 *nat64 = userdata;
        PtNat64Told told;
        ssize_t n = recv(fd, &told, sizeof(told), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n != sizeof(told) || told.version != PT_NAT64_VERSION) {
                if (g_hash_table_size(nat64->rows) > 0)
                        lose(nat64, n == 0 ? "it ended" : "it says what is not understood");
                else
                        disconnect(nat64); /* nothing is left to be run */
                return 0;
        }
        told.name[sizeof(told.name) - 1] = told.interface[sizeof(told.interface) - 1] = '\0';
        told.text[sizeof(told.text) - 1] = '\0';
        take(nat64, &told);
        return 0;
}

static int send_wanted(FwNat64 *nat64)
{
        g_autoptr(GPtrArray) rows = sorted(nat64), objects = g_ptr_array_new();
        PtNat64Asked question = {PT_NAT64_VERSION, PT_NAT64_CONFIGURE};
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        struct iovec part = {.iov_base = &question, .iov_len = sizeof(question)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        pt_auto_fd int memfd = -EBADF;

        for (unsigned i = 0; i < rows->len; i++)
                g_ptr_array_add(
                        objects,
                        (void *) (uintptr_t) ((const Row *) g_ptr_array_index(rows, i))->object);
        memfd = pt_nat64_write(objects);
        if (memfd < 0)
                return memfd;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &memfd, sizeof(int));
        return sendmsg(nat64->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int buried(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        FwNat64 *nat64 = userdata;

        nat64->child = sd_event_source_disable_unref(nat64->child);
        return 0;
}

/* It is not ours to end: it outlives us, as the ruleset does. Only our log goes with it. */
G_GNUC_NORETURN static void become(const FwNat64 *nat64)
{
        char *const arguments[] = {(char *) (uintptr_t) "patronus-nat64",
                                   (char *) (uintptr_t) "--listen",
                                   nat64->own_socket,
                                   (char *) (uintptr_t) "--state-dir",
                                   nat64->state_dir,
                                   (char *) (uintptr_t) "--run-dir",
                                   nat64->run_dir,
                                   NULL};
        char *const environment[] = {NULL};
        int null = open("/dev/null", O_RDONLY);
        sigset_t none;

        sigemptyset(&none);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || syscall(SYS_close_range, 3U, ~0U, 0U) < 0 ||
            setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                _exit(126);
        execve(nat64->helper, arguments, environment);
        _exit(127);
}

static int start_helper(FwNat64 *nat64)
{
        pid_t pid;

        if (nat64->child)
                return 0; /* it is about to listen */
        if (access(nat64->helper, X_OK) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                become(nat64);
        if (pid < 0)
                return -errno;
        return sd_event_add_child(nat64->config.event, &nat64->child, pid, WEXITED, buried, nat64);
}

/* Interfaces that a helper has left behind are worth one that removes them. */
static bool has_links(void)
{
        g_autoptr(GArray) links = NULL;

        return pt_links_find(-1, PT_MARK_LINK_ALIAS "Nat64/", &links) == 0 && links->len > 0;
}

static int reach(FwNat64 *nat64)
{
        bool system = access(nat64->system_socket, F_OK) == 0;
        const char *path = system ? nat64->system_socket : nat64->own_socket;
        int fd = fw_nat64_connect(path, SOCK_NONBLOCK);

        if (!system && (fd == -ENOENT || fd == -ECONNREFUSED)) {
                int r = start_helper(nat64);

                return r < 0 ? r : -EAGAIN;
        }
        if (fd < 0)
                return fd;
        nat64->fd = fd;
        return sd_event_add_io(nat64->config.event, &nat64->io, fd, EPOLLIN, hear, nat64);
}

/* Tells the helper what is wanted, now or as soon as it can be reached. */
static void bring(void *userdata)
{
        FwNat64 *nat64 = userdata;
        int r = 0;

        if (nat64->sent)
                return;
        if (nat64->fd < 0) {
                if (g_hash_table_size(nat64->rows) == 0 && !has_links())
                        return;
                r = reach(nat64);
        }
        if (r >= 0)
                r = send_wanted(nat64);
        if (r == -EAGAIN) {
                (void) pt_backoff_arm(nat64->retry);
                return;
        }
        if (r < 0) {
                pt_log(LOG_ERR, "patronus-nat64 cannot be reached: %s", strerror(-r));
                lose(nat64, strerror(-r));
                return;
        }
        pt_backoff_reset(nat64->retry);
        g_clear_pointer(&nat64->unreachable, g_free);
        nat64->sent = true;
        if (g_hash_table_size(nat64->rows) == 0) {
                disconnect(nat64); /* it ends when all are gone */
                nat64->sent = true;
        }
        tell_trouble(nat64);
}

/* What is wanted. */

static void row_free(void *p)
{
        Row *row = p;

        pt_object_unref((PtObject *) (uintptr_t) &row->object->object);
        g_free(row);
}

typedef struct Follow {
        FwNat64 *nat64;
        GHashTable *rows;
        bool changed;
} Follow;

static int follow_one(const PtObject *object, void *userdata)
{
        Follow *follow = userdata;
        Row *row, *before = g_hash_table_lookup(follow->nat64->rows, object->name);

        if (!fw_nat64_enabled((const Nat64 *) object))
                return 0;
        row = g_new0(Row, 1);
        row->object = (const Nat64 *) pt_object_ref(object);
        if (before && pt_digest_equal(&before->object->object.digest, &object->digest)) {
                row->told = before->told;
                row->known = before->known;
        } else {
                follow->changed = true;
        }
        g_hash_table_insert(follow->rows, row->object->object.name, row);
        return 0;
}

void fw_nat64_follow(FwNat64 *nat64, const PtSlice *slice)
{
        Follow follow = {.nat64 = nat64};

        follow.rows = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, row_free);
        (void) pt_slice_foreach(slice, &pt_kind_nat64, follow_one, &follow);
        follow.changed =
                follow.changed || g_hash_table_size(follow.rows) != g_hash_table_size(nat64->rows);
        g_hash_table_unref(nat64->rows);
        nat64->rows = follow.rows;
        if (follow.changed)
                nat64->sent = false;
        bring(nat64);
}

int fw_nat64_new(const FwNat64Config *config, FwNat64 **ret)
{
        g_autoptr(FwNat64) nat64 = g_new0(FwNat64, 1);
        g_autofree char *folder = g_build_filename(config->state_dir, "filterd", NULL);
        int r;

        nat64->config = *config;
        nat64->fd = -EBADF;
        nat64->system_socket = fw_nat64_system_socket(config->run_dir);
        nat64->own_socket = g_build_filename(config->run_dir, SOCKET_NAME, NULL);
        nat64->helper = g_strdup(config->helper);
        nat64->run_dir = g_build_filename(config->run_dir, "translators", NULL);
        /* Which host has which address is kept over a boot where there is room for it. */
        nat64->state_dir = access(folder, W_OK | X_OK) == 0
                                   ? g_build_filename(folder, "nat64", NULL)
                                   : g_build_filename(config->run_dir, "nat64-memory", NULL);
        nat64->rows = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, row_free);
        r = pt_backoff_new(config->event, RETRY_MIN_USEC, RETRY_MAX_USEC, bring, nat64,
                           &nat64->retry);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&nat64);
        return 0;
}

void fw_nat64_free(FwNat64 *nat64)
{
        if (!nat64)
                return;
        disconnect(nat64);
        sd_event_source_disable_unref(nat64->child);
        pt_backoff_free(nat64->retry);
        g_hash_table_unref(nat64->rows);
        g_free(nat64->unreachable);
        g_free(nat64->system_socket);
        g_free(nat64->own_socket);
        g_free(nat64->helper);
        g_free(nat64->state_dir);
        g_free(nat64->run_dir);
        g_free(nat64);
}
