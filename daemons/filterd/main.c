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
        FwManager *manager;
} Main;

static Main *main_of(PtDaemon *daemon)
{
        return pt_daemon_userdata(daemon);
}

static int set_early(PtDaemon *daemon, const char *value)
{
        Main *self = g_new0(Main, 1);

        self->early = true;
        pt_daemon_set_userdata(daemon, self);
        return 0;
}

static int start(PtDaemon *daemon)
{
        int r;

        if (!main_of(daemon))
                pt_daemon_set_userdata(daemon, g_new0(Main, 1));
        pt_access_add_peer(pt_daemon_access(daemon), pt_participant_owner());
        r = fw_manager_new(daemon, main_of(daemon)->early, &main_of(daemon)->manager);
        if (r < 0)
                return r;
        return main_of(daemon)->early ? 1 : 0;
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
        Main *self = main_of(daemon);

        if (!self)
                return;
        fw_manager_free(self->manager);
        g_free(self);
        pt_daemon_set_userdata(daemon, NULL);
}

static const PtDaemonOption options[] = {
        {"early", NULL, "load the confirmed ruleset, or a closed one, and leave", set_early},
        {0},
};

static const PtDaemonClass filterd = {
        .name = "filterd",
        .bus_name = BUS_NAME,
        .path = BUS_PATH,
        .access = &fw_access,
        .doc = "compiles zones and rules into nf_tables and keeps them there",
        .options = options,
        .start = start,
        .attach = attach,
        .stop = stop,
};

int main(int argc, char **argv)
{
        return pt_daemon_run(&filterd, argc, argv);
}
