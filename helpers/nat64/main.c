/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patronus-nat64: runs the translators that filterd asks for (backend/nat64.h). The socket comes
 * from the service manager, or is made where --listen says.
 */

#include "translator.h"

#include "base/log.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

/* filterd that ends, one that starts, and a plan of theirs that asks. */
#define CLIENTS_MAX 8

typedef struct Helper Helper;

typedef struct Client {
        Helper *helper;
        int fd;
        sd_event_source *source;
        bool follows; /* it has configured: it is told of changes */
} Client;

struct Helper {
        sd_event *event;
        const char *state_dir, *run_dir, *listen;
        int fd;                  /* listening */
        GHashTable *translators; /* name -> Translator */
        GPtrArray *clients;      /* Client */
        PtLinkMonitor *monitor;
        sd_event_source *sweeper;
        bool ending;
};

/* Whoever takes no message is gone, or asks anew. */
static void tell(const Client *client, const PtNat64Told *told)
{
        (void) send(client->fd, told, sizeof(*told), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_all(Helper *helper, const PtNat64Told *told)
{
        for (unsigned i = 0; i < helper->clients->len; i++) {
                const Client *client = g_ptr_array_index(helper->clients, i);

                if (client->follows)
                        tell(client, told);
        }
}

static void changed(Translator *translator, void *userdata)
{
        Helper *helper = userdata;
        PtNat64Told told;

        translator_fill(translator, &told);
        tell_all(helper, &told);
        (void) sd_event_source_set_enabled(helper->sweeper, SD_EVENT_ONESHOT);
}

static gboolean is_gone(void *key, void *value, void *userdata)
{
        return translator_is_gone(value);
}

static gboolean is_stopped(void *key, void *value, void *userdata)
{
        return translator_is_stopped(value);
}

/* Later than what happened: nobody is freed in a call of its own. */
static int sweep(sd_event_source *source, void *userdata)
{
        Helper *helper = userdata;

        (void) g_hash_table_foreach_remove(helper->translators,
                                           helper->ending ? is_stopped : is_gone, NULL);
        if (g_hash_table_size(helper->translators) == 0 &&
            (helper->ending || helper->clients->len == 0))
                return sd_event_exit(helper->event, 0);
        return 0;
}

/* What filterd wants. */

static bool is_unwanted(const GPtrArray *objects, const char *name)
{
        for (unsigned i = 0; i < objects->len; i++)
                if (strcmp(((const PtObject *) g_ptr_array_index(objects, i))->name, name) == 0)
                        return false;
        return true;
}

static void want(Helper *helper, const Nat64 *nat64)
{
        const char *name = nat64->object.name;
        Translator *translator = g_hash_table_lookup(helper->translators, name);
        int r;

        if (translator) {
                translator_configure(translator, nat64);
                return;
        }
        r = translator_new(helper->event, nat64, helper->state_dir, helper->run_dir, changed,
                           helper, &translator);
        if (r < 0)
                pt_log(LOG_ERR, "Nat64/%s cannot be run: %s", name, strerror(-r));
        else
                g_hash_table_insert(helper->translators, g_strdup(name), translator);
}

/* Interfaces of ours that nobody here knows: those of a helper before, of objects that went since. */
static void tidy(Helper *helper)
{
        g_autoptr(GArray) links = NULL;

        if (pt_links_find(-1, TRANSLATOR_ALIAS, &links) < 0)
                return;
        for (unsigned i = 0; i < links->len; i++) {
                const PtLink *link = &g_array_index(links, PtLink, i);

                if (!g_hash_table_contains(helper->translators,
                                           link->alias + strlen(TRANSLATOR_ALIAS)))
                        (void) pt_link_delete(-1, link->index);
        }
}

static void tell_how_all_are(const Client *client)
{
        GHashTableIter iter;
        void *translator;

        g_hash_table_iter_init(&iter, client->helper->translators);
        while (g_hash_table_iter_next(&iter, NULL, &translator)) {
                PtNat64Told told;

                translator_fill(translator, &told);
                tell(client, &told);
        }
}

static int configure(Client *client, int fd)
{
        Helper *helper = client->helper;
        g_autoptr(GPtrArray) objects = NULL;
        GHashTableIter iter;
        void *name, *translator;
        int r = fd < 0 ? -EBADF : pt_nat64_read(fd, &objects);

        if (r < 0) {
                pt_log(LOG_ERR, "what is wanted cannot be read: %s", strerror(-r));
                return r;
        }
        client->follows = true;
        if (helper->ending)
                return 0;
        /* Those that go make room for those that come. */
        g_hash_table_iter_init(&iter, helper->translators);
        while (g_hash_table_iter_next(&iter, &name, &translator))
                if (is_unwanted(objects, name))
                        translator_remove(translator);
        for (unsigned i = 0; i < objects->len; i++)
                want(helper, g_ptr_array_index(objects, i));
        tidy(helper);
        tell_how_all_are(client);
        return 0;
}

static void check(const Client *client)
{
        g_autofree char *obstacle = pt_nat64_obstacle();
        PtNat64Told told = {.version = PT_NAT64_VERSION, .what = PT_NAT64_CHECKED};

        g_strlcpy(told.text, obstacle ?: "", sizeof(told.text));
        tell(client, &told);
}

/* Clients. */

static void client_free(void *p)
{
        Client *client = p;

        sd_event_source_disable_unref(client->source);
        pt_closep(&client->fd);
        g_free(client);
}

static void drop(Client *client)
{
        Helper *helper = client->helper;

        (void) g_ptr_array_remove_fast(helper->clients, client);
        (void) sd_event_source_set_enabled(helper->sweeper, SD_EVENT_ONESHOT);
}

/* A message, perhaps with a descriptor. Returns its size. */
static ssize_t receive(int fd, PtNat64Asked *ret, int *ret_fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        struct iovec part = {.iov_base = ret, .iov_len = sizeof(*ret)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        const struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
        return n;
}

static int asked(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Client *client = userdata;
        pt_auto_fd int memfd = -EBADF;
        PtNat64Asked question;
        ssize_t n = receive(fd, &question, &memfd);
        int r = 0;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n != sizeof(question) || question.version != PT_NAT64_VERSION)
                r = -EPROTO;
        else if (question.what == PT_NAT64_CHECK)
                check(client);
        else if (question.what == PT_NAT64_CONFIGURE)
                r = configure(client, memfd);
        else
                r = -EPROTO;
        if (r < 0)
                drop(client);
        return 0;
}

static int arrived(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Helper *helper = userdata;
        int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        Client *client;

        if (connection < 0)
                return 0;
        if (helper->clients->len >= CLIENTS_MAX) {
                close(connection);
                return 0;
        }
        client = g_new0(Client, 1);
        client->helper = helper;
        client->fd = connection;
        g_ptr_array_add(helper->clients, client);
        if (sd_event_add_io(helper->event, &client->source, connection, EPOLLIN, asked, client) < 0)
                drop(client);
        return 0;
}

/* The whole. */

static void links_changed(void *userdata)
{
        Helper *helper = userdata;
        GHashTableIter iter;
        void *translator;

        g_hash_table_iter_init(&iter, helper->translators);
        while (g_hash_table_iter_next(&iter, NULL, &translator))
                translator_look(translator);
}

/* Programs are asked to end, so that they keep what they know; interfaces stay. */
static int end(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
        Helper *helper = userdata;
        GHashTableIter iter;
        void *translator;

        helper->ending = true;
        g_hash_table_iter_init(&iter, helper->translators);
        while (g_hash_table_iter_next(&iter, NULL, &translator))
                translator_stop(translator);
        (void) sd_event_source_set_enabled(helper->sweeper, SD_EVENT_ONESHOT);
        return 0;
}

static int listen_at(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        pt_auto_fd int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        (void) unlink(path); /* of one that died */
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ||
            listen(fd, CLIENTS_MAX) < 0)
                return -errno;
        return pt_steal_fd(&fd);
}

static int open_socket(Helper *helper)
{
        int r;

        if (!helper->listen) {
                r = sd_listen_fds(true);
                helper->fd = r == 1 ? SD_LISTEN_FDS_START : -EBADF;
                return r < 0 ? r : r == 1 ? 0 : -EDESTADDRREQ;
        }
        helper->fd = listen_at(helper->listen);
        return helper->fd < 0 ? helper->fd : 0;
}

static int make_folder(const char *path)
{
        return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int run(Helper *helper)
{
        int r = make_folder(helper->state_dir);

        if (r >= 0)
                r = make_folder(helper->run_dir);
        if (r >= 0)
                r = open_socket(helper);
        if (r >= 0)
                r = sd_event_default(&helper->event);
        if (r >= 0)
                r = sd_event_add_signal(helper->event, NULL, SIGTERM, end, helper);
        if (r >= 0)
                r = sd_event_add_signal(helper->event, NULL, SIGINT, end, helper);
        if (r >= 0)
                r = sd_event_add_defer(helper->event, &helper->sweeper, sweep, helper);
        if (r >= 0)
                r = sd_event_source_set_enabled(helper->sweeper, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_io(helper->event, NULL, helper->fd, EPOLLIN, arrived, helper);
        if (r >= 0)
                r = pt_link_monitor_new(-1, helper->event, links_changed, helper, &helper->monitor);
        if (r < 0) {
                pt_log(LOG_ERR, "cannot start: %s", strerror(-r));
                return r;
        }
        (void) sd_notify(false, "READY=1");
        return sd_event_loop(helper->event);
}

static void translator_freep(void *p)
{
        translator_free(p);
}

static void usage(void)
{
        static const char text[] =
                "usage: patronus-nat64 --listen SOCKET --state-dir DIR --run-dir DIR\n\n"
                "Is started by the system or by patronus-filterd, and runs the translators of "
                "Nat64 "
                "objects.\n";

        (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
}

static bool read_options(int argc, char **argv, Helper *helper)
{
        static const struct option options[] = {
                {"listen", required_argument, NULL, 'l'},
                {"state-dir", required_argument, NULL, 's'},
                {"run-dir", required_argument, NULL, 'r'},
                {0},
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 'l')
                        helper->listen = optarg;
                else if (option == 's')
                        helper->state_dir = optarg;
                else if (option == 'r')
                        helper->run_dir = optarg;
                else
                        return false;
        }
        return optind == argc && helper->state_dir && helper->run_dir;
}

int main(int argc, char **argv)
{
        Helper helper = {.fd = -EBADF};
        sigset_t signals;
        int r;

        if (!read_options(argc, argv, &helper)) {
                usage();
                return 2;
        }
        pt_log_open("patronus-nat64");
        umask(0077);
        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        helper.translators =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, translator_freep);
        helper.clients = g_ptr_array_new_with_free_func(client_free);
        r = run(&helper);
        g_ptr_array_unref(helper.clients);
        g_hash_table_unref(helper.translators);
        pt_link_monitor_free(helper.monitor);
        sd_event_source_disable_unref(helper.sweeper);
        sd_event_unref(helper.event);
        return r < 0 ? 1 : 0;
}
