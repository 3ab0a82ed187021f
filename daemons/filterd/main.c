/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "actions.h"
#include "base/log.h"
#include "manager.h"

#include <string.h>

#define BUS_NAME "org.patronus.Filter1"
#define BUS_PATH "/org/patronus/Filter1"

/* What the options say, before there is a manager. */
typedef struct Main {
        bool early;
        char *fetch, *nat64;
        FwManager *manager;
} Main;

static Main *main_of(PtDaemon *daemon)
{
        return pt_daemon_userdata(daemon);
}

static Main *get_main(PtDaemon *daemon)
{
        if (!main_of(daemon))
                pt_daemon_set_userdata(daemon, g_new0(Main, 1));
        return main_of(daemon);
}

static int set_early(PtDaemon *daemon, const char *value)
{
        get_main(daemon)->early = true;
        return 0;
}

static int set_path(char **path, const char *value)
{
        g_free(*path);
        *path = g_strdup(value);
        return value[0] == '/' ? 0 : -EINVAL;
}

static int set_fetch(PtDaemon *daemon, const char *value)
{
        return set_path(&get_main(daemon)->fetch, value);
}

static int set_nat64(PtDaemon *daemon, const char *value)
{
        return set_path(&get_main(daemon)->nat64, value);
}

static void main_free(void *p)
{
        Main *self = p;

        if (!self)
                return;
        g_free(self->fetch);
        g_free(self->nat64);
        g_free(self);
}

static int start(PtDaemon *daemon)
{
        Main *self = get_main(daemon);
        FwManagerOptions options;
        int r;

        pt_access_add_peer(pt_daemon_access(daemon), pt_participant_owner());
        options = (FwManagerOptions){self->early, self->fetch, self->nat64};
        r = fw_manager_new(daemon, &options, &self->manager);
        if (r < 0)
                return r;
        return self->early ? 1 : 0;
}

static int attach(PtDaemon *daemon, sd_bus *bus)
{
        Main *self = main_of(daemon);
        FwManager *manager = self ? self->manager : NULL;
        int r;

        r = pt_participant_attach(manager ? fw_manager_participant(manager) : NULL, bus, BUS_PATH,
                                  pt_participant_owner());
        return r < 0 ? r : fw_bus_attach(manager, bus, BUS_PATH);
}

static void stop(PtDaemon *daemon)
{
        fw_manager_free(main_of(daemon)->manager);
}

static const PtDaemonOption known_options[] = {
        {"early", NULL, "load the confirmed ruleset, or a closed one, and leave", set_early},
        {"fetch", "PATH", "patronus-fetch, or the socket where it is reached", set_fetch},
        {"nat64", "PATH", "patronus-nat64, where the system does not start it", set_nat64},
        {0},
};

static const PtDaemonClass filterd = {
        .name = "filterd",
        .bus_name = BUS_NAME,
        .path = BUS_PATH,
        .access = &fw_access,
        .doc = "compiles zones and rules into nf_tables and keeps them there",
        .options = known_options,
        .start = start,
        .attach = attach,
        .stop = stop,
        .free_userdata = main_free,
};

int main(int argc, char **argv)
{
        return pt_daemon_run(&filterd, argc, argv);
}
