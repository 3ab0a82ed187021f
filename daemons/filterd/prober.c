/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "prober.h"

#include "base/log.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct FwProber {
        sd_event *event;
        char *path;
        int fd; /* of the helper; negative: not there */
        sd_event_source *io;
        uint64_t last;       /* id */
        GHashTable *waiting; /* &FwLook.id -> FwLook: what the helper was asked */
};

struct FwLook {
        FwProber *prober;
        uint64_t id;
        FwProbe *own; /* filterd looks itself */
        FwLookDone done;
        void *userdata;
};

FwProber *fw_prober_new(sd_event *event, const char *run_dir)
{
        FwProber *prober = g_new0(FwProber, 1);
        g_autofree char *parent = g_path_get_dirname(run_dir);

        prober->event = sd_event_ref(event);
        prober->path = g_build_filename(parent, FW_PROBER_SOCKET, NULL);
        prober->fd = -1;
        prober->waiting = g_hash_table_new(g_int64_hash, g_int64_equal);
        return prober;
}

static void disconnect(FwProber *prober)
{
        prober->io = sd_event_source_disable_unref(prober->io);
        if (prober->fd >= 0)
                close(prober->fd);
        prober->fd = -1;
}

void fw_prober_free(FwProber *prober)
{
        if (!prober)
                return;
        disconnect(prober);
        g_assert(g_hash_table_size(prober->waiting) == 0);
        g_hash_table_unref(prober->waiting);
        sd_event_unref(prober->event);
        g_free(prober->path);
        g_free(prober);
}

void fw_look_free(FwLook *look)
{
        if (!look)
                return;
        fw_probe_free(look->own);
        (void) g_hash_table_remove(look->prober->waiting, &look->id);
        g_free(look);
}

static void own_done(const char *error, void *userdata)
{
        FwLook *look = userdata;

        look->done(error ? FW_LOOK_BAD : FW_LOOK_GOOD, error, look->userdata);
}

/* Takes a look out before it is told of: the callee frees it, and may ask anew. */
static void tell(FwLook *look, FwLookResult result, const char *error)
{
        (void) g_hash_table_remove(look->prober->waiting, &look->id);
        look->done(result, error, look->userdata);
}

static void lose(FwProber *prober)
{
        g_autoptr(GList) waiting = g_hash_table_get_values(prober->waiting);

        disconnect(prober);
        for (GList *each = waiting; each; each = each->next)
                tell(each->data, FW_LOOK_NONE, NULL);
}

static int hear(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FwProber *prober = userdata;
        FwProberTell told;
        ssize_t n = recv(fd, &told, sizeof(told), MSG_DONTWAIT);
        uint64_t id;
        FwLook *look;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n != sizeof(told) || told.version != FW_PROBER_VERSION) {
                lose(prober);
                return 0;
        }
        id = told.id;
        told.error[sizeof(told.error) - 1] = '\0';
        look = g_hash_table_lookup(prober->waiting, &id);
        if (look)
                tell(look, told.good ? FW_LOOK_GOOD : FW_LOOK_BAD, told.error);
        return 0;
}

/* -ENOENT: there is no helper. */
static int reach(FwProber *prober)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r = 0;

        if (prober->fd >= 0)
                return 0;
        if (strlen(prober->path) >= sizeof(address.sun_path))
                return -ENOENT;
        strncpy(address.sun_path, prober->path, sizeof(address.sun_path) - 1);
        prober->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (prober->fd < 0)
                return -errno;
        if (connect(prober->fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                r = -errno;
        if (r == 0)
                r = sd_event_add_io(prober->event, &prober->io, prober->fd, EPOLLIN, hear, prober);
        if (r < 0)
                disconnect(prober);
        return r < 0 ? r : 0;
}

static int ask(FwLook *look, const FwServer *server, const FwCheckSpec *check)
{
        FwProber *prober = look->prober;
        FwProberAsk asked = {
                .version = FW_PROBER_VERSION,
                .id = look->id,
                .family = server->address.family,
                .type = (uint8_t) check->type,
                .port = check->port ?: server->port,
                .expect = check->expect,
                .timeout_usec = check->timeout_usec,
        };

        memcpy(asked.address, server->address.lo, sizeof(asked.address));
        g_strlcpy(asked.path, check->path, sizeof(asked.path));
        if (send(prober->fd, &asked, sizeof(asked), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return -errno;
        return 0;
}

int fw_look_new(FwProber *prober, const FwServer *server, const FwCheckSpec *check, FwLookDone done,
                void *userdata, FwLook **ret)
{
        FwLook *look = g_new0(FwLook, 1);
        int r = reach(prober);

        look->prober = prober;
        look->id = ++prober->last;
        look->done = done;
        look->userdata = userdata;
        if (r == -ENOENT)
                r = fw_probe_new(prober->event, server, check, own_done, look, &look->own);
        else if (r == 0) {
                r = ask(look, server, check);
                if (r == 0)
                        g_hash_table_insert(prober->waiting, &look->id, look);
                else if (r != -EAGAIN)
                        lose(prober);
        }
        if (r < 0) {
                g_free(look);
                return r;
        }
        *ret = look;
        return 0;
}
