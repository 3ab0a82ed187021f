/* SPDX-License-Identifier: GPL-3.0-or-later */

/* patronus-configd: keeps the configuration and commits changes of it. Unprivileged: it talks, and
 * writes its store. */

#include "actions.h"
#include "bus-config.h"
#include "bus-session.h"
#include "deadline.h"

#include "base/log.h"
#include "bus/daemon.h"
#include "secret/revealed.h"

#define STEP_MSEC_MAX 600000

typedef struct Configd {
        uint64_t step_usec;
        Manager *manager;
} Configd;

static Configd *get_configd(PtDaemon *daemon)
{
        Configd *configd = pt_daemon_userdata(daemon);

        if (!configd) {
                configd = g_new0(Configd, 1);
                configd->step_usec = DEADLINE_STEP_USEC;
                pt_daemon_set_userdata(daemon, configd);
        }
        return configd;
}

static int set_step_timeout(PtDaemon *daemon, const char *value)
{
        uint64_t msec;

        if (!g_ascii_string_to_unsigned(value, 10, 1, STEP_MSEC_MAX, &msec, NULL))
                return -EINVAL;
        get_configd(daemon)->step_usec = msec * PT_USEC_PER_MSEC;
        return 0;
}

static int start(PtDaemon *daemon)
{
        Configd *configd = get_configd(daemon);
        int r;

        if (geteuid() == 0) {
                pt_log(LOG_ERR, "configd does not run as root: it takes input from strangers and "
                                "needs no privilege. "
                                "Start it as its own user (setpriv --reuid=patronus-configd)");
                return -EPERM;
        }
        r = pt_process_conceal();
        if (r < 0)
                pt_log(LOG_WARNING, "a core dump would show secrets that are just being sealed: %s",
                       g_strerror(-r));
        return manager_new(pt_daemon_event(daemon), pt_daemon_state_dir(daemon), configd->step_usec,
                           &configd->manager);
}

static int attach(PtDaemon *daemon, sd_bus *bus)
{
        const Configd *configd = pt_daemon_userdata(daemon);
        Manager *manager = configd ? configd->manager : NULL;
        int r;

        r = bus_config_attach(manager, bus);
        if (r < 0)
                return r;
        r = bus_session_attach(manager, bus);
        if (r < 0)
                return r;
        return manager ? manager_attach(manager, bus, pt_daemon_access(daemon)) : 0;
}

static void stop(PtDaemon *daemon)
{
        const Configd *configd = pt_daemon_userdata(daemon);

        manager_free(configd->manager);
}

static const PtDaemonOption options[] = {
        {"step-timeout", "MSEC", "time that a daemon gets for a step of a commit (60000)",
         set_step_timeout},
        {},
};

static const char *const samples[] = {SESSION_PREFIX "/1", NULL};

static const PtDaemonClass configd_class = {
        .name = "configd",
        .bus_name = "org.patronus.Config1",
        .path = CONFIG_PATH,
        .doc = "keeps the configuration of Patronus and commits changes of it",
        .options = options,
        .samples = samples,
        .access = &config_access,
        .start = start,
        .attach = attach,
        .stop = stop,
        .free_userdata = g_free,
};

int main(int argc, char **argv)
{
        return pt_daemon_run(&configd_class, argc, argv);
}
