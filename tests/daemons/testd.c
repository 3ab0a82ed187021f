/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A daemon for tests: real but for its system, which is files, and as bad as it is told.
 *
 *         patronus-testd link --bus ADDRESS ...        org.patronus.TestLink1
 *         patronus-testd service --bus ADDRESS ...     org.patronus.TestService1
 */

#include "bus-test.h"

#include "base/log.h"
#include "bus/daemon.h"
#include "txn/participant.h"

#include <stdio.h>
#include <string.h>

typedef struct Role {
        const char *name; /* "link" */
        PtDaemonClass daemon;
        const PtEngine *engine;
} Role;

typedef struct Testd {
        TestBehaviour behaviour[TEST_STEP_MAX]; /* from the command line */
        PtEngineCtx ctx;
        PtSecrets *secrets;
        PtParticipant *participant;
        TestBus test;
} Testd;

static Testd *get_testd(PtDaemon *daemon)
{
        Testd *testd = pt_daemon_userdata(daemon);

        if (!testd) {
                testd = g_new0(Testd, 1);
                pt_daemon_set_userdata(daemon, testd);
        }
        return testd;
}

static const Role *role_of(PtDaemon *daemon)
{
        const char *klass = (const char *) pt_daemon_class(daemon);

        return (const Role *) (const void *) (klass - offsetof(Role, daemon));
}

/* "STEP=BEHAVIOUR" */
static int set_on(PtDaemon *daemon, const char *value)
{
        g_auto(GStrv) words = g_strsplit(value, "=", 2);
        TestStep step = words[0] ? test_step_from_string(words[0]) : TEST_STEP_INVALID;

        TestBehaviour behaviour;
        int r;

        if (step < 0 || !words[1])
                return -EINVAL;
        r = test_behaviour_parse(step, words[1], &behaviour);
        if (r >= 0)
                get_testd(daemon)->behaviour[step] = behaviour;
        return r;
}

static int start(PtDaemon *daemon)
{
        Testd *testd = get_testd(daemon);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        TestEngine *engine =
                test_engine_new(pt_daemon_run_dir(daemon), pt_daemon_class(daemon)->name);
        PtParticipantConfig config = {
                .daemon = pt_daemon_class(daemon)->name,
                .engine = role_of(daemon)->engine,
                .ctx = &testd->ctx,
        };
        int r;

        r = pt_secrets_new(pt_daemon_state_dir(daemon), config.daemon, diag, &testd->secrets);
        if (r < 0) {
                pt_log(LOG_ERR, "%s", pt_diag_get(diag, 0)->text);
                test_engine_free(engine);
                return r;
        }
        engine->secrets = config.secrets = testd->secrets;
        memcpy(engine->behaviour, testd->behaviour, sizeof(engine->behaviour));
        testd->test.engine = engine;
        testd->ctx = (PtEngineCtx){
                .event = pt_daemon_event(daemon),
                .netns_fd = -1,
                .state_dir = pt_daemon_state_dir(daemon),
                .run_dir = pt_daemon_run_dir(daemon),
                .engine = engine,
        };
        pt_access_add_peer(pt_daemon_access(daemon), pt_participant_owner());
        r = pt_participant_new(&config, &testd->participant);
        if (r < 0)
                return r;
        r = pt_participant_start(testd->participant, diag);
        if (r < 0 && r != -ENOENT)
                pt_log(LOG_ERR, "the configuration on disk is not in force: %s", strerror(-r));
        return r == -ECANCELED ? r : 0;
}

static int attach(PtDaemon *daemon, sd_bus *bus)
{
        Testd *testd = pt_daemon_userdata(daemon);
        const char *path = pt_daemon_class(daemon)->path;
        int r;

        r = pt_participant_attach(testd ? testd->participant : NULL, bus, path,
                                  pt_participant_owner());
        return r < 0 ? r : test_bus_attach(testd ? &testd->test : NULL, bus, path);
}

static void stop(PtDaemon *daemon)
{
        Testd *testd = pt_daemon_userdata(daemon);

        if (testd->test.engine)
                test_bus_done(&testd->test);
        pt_participant_free(testd->participant);
        pt_secrets_free(testd->secrets);
        test_engine_free(testd->test.engine);
}

static const PtDaemonOption options[] = {
        {"on", "STEP=BEHAVIOUR", "what it does wrong from the start, as Test1.On says", set_on},
        {},
};

#define ROLE(word, bus, object, text, engine_table)                                                \
        {                                                                                          \
                .name = (word), .engine = &(engine_table),                                         \
                .daemon = {                                                                        \
                        .name = "test" word,                                                       \
                        .bus_name = (bus),                                                         \
                        .path = (object),                                                          \
                        .doc = (text),                                                             \
                        .options = options,                                                        \
                        .access = &test_bus_access,                                                \
                        .start = start,                                                            \
                        .attach = attach,                                                          \
                        .stop = stop,                                                              \
                        .free_userdata = g_free,                                                   \
                },                                                                                 \
        }

static const Role roles[] = {
        ROLE("link", "org.patronus.TestLink1", "/org/patronus/TestLink1",
             "keeps TestLinks as files, for tests", test_engine_link),
        ROLE("service", "org.patronus.TestService1", "/org/patronus/TestService1",
             "keeps TestServices as files, for tests", test_engine_service),
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(roles); i++)
                if (strcmp(argv[1], roles[i].name) == 0)
                        return pt_daemon_run(&roles[i].daemon, argc - 1, argv + 1);
        fprintf(stderr, "patronus-testd: the first argument is \"link\" or \"service\"\n");
        return 2;
}
