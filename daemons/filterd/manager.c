/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "manager.h"

#include "bus-filter.h"
#include "judge.h"

#include "base/log.h"
#include "base/marks.h"
#include "config.h"
#include "clock.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <time.h>

/* Repairing again and again means that another program insists: it is told louder and given more
 * room. */
#define REPAIR_BURST 10
#define REPAIR_WINDOW_USEC (10 * G_USEC_PER_SEC)

struct FwManager {
        PtDaemon *daemon;
        PtEngineCtx ctx;
        PtParticipant *participant;
        PtNftMonitor *monitor;
        FwConnections *connections;
        FwBans *bans;
        FwExternal *external;
        FwOpenings *openings;
        FwPanic *panic;
        FwClock *clock;
        FwLogRules *log_rules;
        FwLog *log;
        FwFollowers *followers;
        FwChecker *checker;
        FwNat64 *nat64;
        PtAuditReporter *reporter;
        GPtrArray *explanations;

        FwJudge *judge;

        /* A foreign change that waits for its repair, and those of the last window. */
        char *drift;
        uint64_t drift_usec;
        bool repairing;
        sd_event_source *retry;
        uint64_t window_usec;
        unsigned burst;
        FwDriftLog drifts;
        FwSignals signals;
        FwFeeds *feeds;
        bool refreshing; /* what feeds gave is on its way into force */
        bool refreshed;  /* and more has come since */
        GArray *told;    /* Told: who hears of it when it is in force */
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static void repair(FwManager *manager);

static int retry_now(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwManager *manager = userdata;

        manager->retry = sd_event_source_disable_unref(manager->retry);
        repair(manager);
        return 0;
}

static void retry_later(FwManager *manager)
{
        if (manager->retry)
                return;
        (void) sd_event_add_time_relative(pt_daemon_event(manager->daemon), &manager->retry,
                                          CLOCK_MONOTONIC, G_USEC_PER_SEC, 0, retry_now, manager);
}

static void repaired(int result, void *userdata)
{
        FwManager *manager = userdata;
        g_autofree char *what = g_steal_pointer(&manager->drift);
        uint64_t usec = now_usec() - manager->drift_usec;

        manager->repairing = false;
        if (result == -EUCLEAN) {
                pt_log(LOG_WARNING, "the table was changed again while it was repaired (%s)", what);
                manager->drift = g_steal_pointer(&what);
                repair(manager);
                return;
        }
        if (result < 0) {
                pt_log(LOG_ERR, "the table could not be repaired: %s; trying again",
                       strerror(-result));
                pt_participant_set_condition(manager->participant, "Drift",
                                             "the table could not be repaired");
                manager->drift = g_steal_pointer(&what);
                retry_later(manager);
                return;
        }
        fw_drift_note(&manager->drifts, what, (uint64_t) g_get_real_time(), usec);
        pt_participant_set_condition(manager->participant, "Drift", NULL);
        pt_log(LOG_WARNING, "another program changed the table (%s); repaired after %" PRIu64 " us",
               what, usec);
        fw_signals_drift_repaired(&manager->signals, what, usec);
}

static void repair(FwManager *manager)
{
        int r;

        if (manager->repairing || !manager->drift)
                return;
        if (now_usec() - manager->window_usec > REPAIR_WINDOW_USEC) {
                manager->window_usec = now_usec();
                manager->burst = 0;
        }
        if (++manager->burst > REPAIR_BURST) {
                pt_participant_set_condition(
                        manager->participant, "Drift",
                        "another program keeps changing the table; repairing once a second");
                retry_later(manager);
                return;
        }
        manager->repairing = true;
        fw_engine_distrust(manager->ctx.engine);
        r = pt_participant_reconcile(manager->participant, repaired, manager);
        if (r < 0)
                repaired(r, manager);
}

static void changed(int type, uint32_t port, const char *chain, const char *set, void *userdata)
{
        FwManager *manager = userdata;
        const char *name = chain ?: set;

        if (port == fw_bans_port(manager->bans) || !fw_engine_layout(manager->ctx.engine) ||
            !fw_engine_heard(manager->ctx.engine, port))
                return;
        if (!manager->drift) {
                manager->drift_usec = now_usec();
                manager->drift = type < 0                   ? g_strdup("notifications were lost")
                                 : type == NFT_MSG_DELTABLE ? g_strdup("it was deleted")
                                 : name ? g_strdup_printf("%s was touched", name)
                                        : g_strdup("it was touched");
        }
        repair(manager);
}

static void bans_changed(uint32_t added, uint32_t removed, void *userdata)
{
        FwManager *manager = userdata;

        fw_signals_bans_changed(&manager->signals, added, removed, fw_bans_count(manager->bans));
}

/* What aliases hold at run time. */

#define LIVE_FOLDER "filterd"       /* in the state directory, made by the installation */
#define LIVE_FOLDER_VOLATILE "live" /* in the run directory, when there is none */
#define FETCH_SOCKET PT_RUN_DIR "/fetch"
#define FETCH_PROGRAM PT_LIBEXEC_DIR "/patronus-fetch"

/* A source that gave something else. */
typedef struct Told {
        char *alias, *error;
        FwLiveSort sort;
} Told;

static void told_clear(void *p)
{
        Told *told = p;

        g_free(told->alias);
        g_free(told->error);
}

static void bring_live(FwManager *manager);

static void live_in_force(int result, void *userdata)
{
        FwManager *manager = userdata;

        manager->refreshing = false;
        if (manager->refreshed) {
                bring_live(manager);
                return;
        }
        for (guint i = 0; result >= 0 && i < manager->told->len; i++) {
                const Told *told = &g_array_index(manager->told, Told, i);

                fw_signals_alias_refreshed(&manager->signals, told->alias,
                                           fw_live_sort_to_string(told->sort), true, told->error);
        }
        if (result >= 0)
                g_array_set_size(manager->told, 0);
}

/* A failure is the participant's to try again, with the newest. */
static void bring_live(FwManager *manager)
{
        manager->refreshed = manager->refreshing;
        fw_engine_set_live(manager->ctx.engine, fw_feeds_live(manager->feeds));
        if (manager->refreshing)
                return;
        manager->refreshing = true;
        if (pt_participant_reconcile_idle(manager->participant, live_in_force, manager) < 0)
                manager->refreshing = false;
}

static void live_changed(void *userdata)
{
        FwManager *manager = userdata;

        if (fw_engine_layout(manager->ctx.engine))
                bring_live(manager);
        else
                fw_engine_set_live(manager->ctx.engine, fw_feeds_live(manager->feeds));
}

static void feed_refreshed(const char *alias, FwLiveSort sort, bool any, const char *error,
                           void *userdata)
{
        FwManager *manager = userdata;

        if (any && manager->refreshing && manager->told->len < FW_FEEDS_MAX) {
                Told told = {g_strdup(alias), g_strdup(error), sort};

                g_array_append_val(manager->told, told);
                return;
        }
        fw_signals_alias_refreshed(&manager->signals, alias, fw_live_sort_to_string(sort), any,
                                   error);
}

static void feeds_stale(unsigned n, const char *text, void *userdata)
{
        FwManager *manager = userdata;

        pt_participant_set_condition(manager->participant, "AliasesStale", text);
}

/* Follows what is in force. */
static void in_force(void *userdata)
{
        FwManager *manager = userdata;

        if (manager->feeds)
                fw_feeds_follow(manager->feeds, fw_engine_layout(manager->ctx.engine)->slice);
        fw_nat64_follow(manager->nat64, fw_engine_layout(manager->ctx.engine)->slice);
}

static int open_feeds(FwManager *manager, const char *fetch)
{
        g_autofree char *folder = g_build_filename(manager->ctx.state_dir, LIVE_FOLDER, NULL);
        g_autofree char *other = g_build_filename(manager->ctx.run_dir, LIVE_FOLDER_VOLATILE, NULL);
        bool kept = access(folder, R_OK | X_OK) == 0;
        FwFeedsConfig config = {
                .event = manager->ctx.event,
                .folder = kept ? folder : other,
                .helper = fetch                             ? fetch
                          : access(FETCH_SOCKET, F_OK) == 0 ? FETCH_SOCKET
                                                            : FETCH_PROGRAM,
                .changed = live_changed,
                .refreshed = feed_refreshed,
                .stale = feeds_stale,
                .userdata = manager,
        };
        int r = fw_feeds_new(&config, &manager->feeds);

        if (r == 0 && !kept)
                pt_log(LOG_NOTICE,
                       "there is no folder %s: what aliases hold at run time is not kept over a "
                       "boot",
                       folder);
        return r;
}

/* Without them the configured entries stay; that is no reason not to be a firewall. */
static void read_feeds(FwManager *manager, const char *fetch)
{
        int r = open_feeds(manager, fetch);

        if (r == 0)
                fw_engine_set_live(manager->ctx.engine, fw_feeds_live(manager->feeds));
        else
                pt_log(LOG_ERR,
                       "what aliases hold at run time cannot be kept: %s; they hold what "
                       "is configured",
                       strerror(-r));
}

static int run_feeds(FwManager *manager)
{
        int r = manager->feeds ? fw_feeds_watch_local(manager->feeds) : 0;

        if (r < 0)
                return r;
        return 0;
}

/* Translators between IPv6 and IPv4. */

#define NAT64_PROGRAM PT_LIBEXEC_DIR "/patronus-nat64"

static void nat64_changed(const FwNat64Row *row, void *userdata)
{
        FwManager *manager = userdata;

        fw_signals_nat64_changed(&manager->signals, row->object->object.name,
                                 fw_nat64_row_state(row), row->error);
}

static void nat64_trouble(const char *text, void *userdata)
{
        FwManager *manager = userdata;

        pt_participant_set_condition(manager->participant, "Nat64", text);
}

static int open_nat64(FwManager *manager, const char *helper)
{
        FwNat64Config config = {
                .event = manager->ctx.event,
                .state_dir = manager->ctx.state_dir,
                .run_dir = manager->ctx.run_dir,
                .helper = helper ?: NAT64_PROGRAM,
                .changed = nat64_changed,
                .trouble = nat64_trouble,
                .userdata = manager,
        };

        return fw_nat64_new(&config, &manager->nat64);
}

/* From now on what is in force is followed by all who do more of it than the table. */
static void follow(FwManager *manager)
{
        if (fw_engine_layout(manager->ctx.engine))
                in_force(manager);
        fw_engine_on_settled(manager->ctx.engine, in_force, manager);
}

static void server_changed(const FwServerRow *row, void *userdata)
{
        FwManager *manager = userdata;
        g_autoptr(GString) address = g_string_new(NULL);

        pt_address_range_format(&row->address, address);
        fw_signals_server_changed(&manager->signals, row->pool, address->str, row->port,
                                  fw_server_state_to_string(row->state));
}

/* Schedules. What they say is asked by each plan; here is when to plan again. */

static void arm_clock(FwManager *manager, int64_t time_sec, bool synchronise)
{
        int r = fw_clock_arm(manager->clock, time_sec, synchronise);

        if (r < 0)
                pt_log(LOG_ERR, "schedules are not followed: %s", strerror(-r));
}

static void followed(int result, void *userdata)
{
        FwManager *manager = userdata;

        if (result == 0)
                return;
        pt_log(LOG_ERR, "what a schedule says could not be brought into force: %s; trying again",
               strerror(-result));
        arm_clock(manager, time(NULL) + 1, false);
}

static void times_have_changed(void *userdata)
{
        FwManager *manager = userdata;
        int r;

        if (fw_clock_is_synchronised())
                fw_engine_set_synchronised(manager->ctx.engine);
        r = pt_participant_reconcile_idle(manager->participant, followed, manager);
        if (r < 0)
                followed(r, manager);
}

static void times_in_force(const FwTimes *times, void *userdata)
{
        FwManager *manager = userdata;
        bool waits = times->until != INT64_MAX && !times->trusted;

        pt_participant_set_condition(
                manager->participant, "ClockUnsynchronised",
                waits ? "the machine's clock is not synchronised: rules with a schedule that allow "
                        "are not in force, others are (FilterSettings.trustClock)"
                      : NULL);
        arm_clock(manager, times->until, waits);
}

static void closed(int result, void *userdata)
{
        *(int *) userdata = result;
}

/* What `--early` loads when there is nothing to load: no zone, so that nothing but the prologue
 * passes. The loop does not run yet, so the engine is done when it returns. */
static int close_up(FwManager *manager)
{
        g_autoptr(PtSlice) empty = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        const PtEngine *engine = &fw_engine_nft;
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int r, result = -EIO;

        r = engine->observe(&manager->ctx, &observed);
        if (r < 0)
                return r;
        r = engine->plan(&manager->ctx, 0, empty, observed, diag, &plan);
        if (r == 0)
                r = engine->commit(&manager->ctx, plan, diag, closed, &result);
        engine->plan_free(plan);
        engine->observed_free(observed);
        return r < 0 ? r : result;
}

static void log_diagnostics(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *d = pt_diag_get(diag, i);

                pt_log(d->severity == PT_SEVERITY_ERROR ? LOG_ERR : LOG_WARNING, "%s %s: %s",
                       d->subject, d->pointer, d->text);
        }
}

int fw_manager_new(PtDaemon *daemon, const FwManagerOptions *options, FwManager **ret)
{
        bool early = options->early;
        g_autoptr(FwManager) manager = g_new0(FwManager, 1);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtParticipantConfig config = {
                .daemon = "filterd", .engine = &fw_engine_nft, .ctx = &manager->ctx};
        int r;

        manager->daemon = daemon;
        manager->signals.daemon = daemon;
        manager->explanations = fw_explanations_new();
        manager->ctx = (PtEngineCtx){
                .event = pt_daemon_event(daemon),
                .netns_fd = -1,
                .state_dir = pt_daemon_state_dir(daemon),
                .run_dir = pt_daemon_run_dir(daemon),
                .daemon = manager,
        };
        manager->reporter =
                pt_audit_reporter_new(pt_daemon_event(daemon), pt_daemon_access(daemon));
        r = pt_participant_new(&config, &manager->participant);
        if (r < 0) {
                pt_log(LOG_ERR, "nf_tables cannot be reached: %s%s", strerror(-r),
                       r == -EPERM ? "; filterd needs CAP_NET_ADMIN" : "");
                return r;
        }
        /* Before anything is loaded: what is banned stays so. */
        r = fw_bans_new(manager->ctx.event, manager->ctx.netns_fd, &manager->bans);
        if (r < 0)
                return r;
        fw_bans_watch(manager->bans, bans_changed, manager);
        fw_engine_set_bans(manager->ctx.engine, manager->bans);
        r = fw_external_new(manager->ctx.engine, manager->bans, manager->ctx.netns_fd,
                            &manager->external);
        if (r < 0)
                return r;
        r = fw_openings_new(manager->ctx.event, manager->ctx.netns_fd, manager->ctx.engine,
                            manager->bans, &manager->openings);
        if (r < 0)
                return r;
        fw_engine_set_openings(manager->ctx.engine, manager->openings);
        r = fw_panic_new(manager->ctx.netns_fd, manager->ctx.engine, manager->bans,
                         &manager->panic);
        if (r < 0)
                return r;
        fw_engine_set_panic(manager->ctx.engine, manager->panic);
        r = fw_clock_new(manager->ctx.event, times_have_changed, manager, &manager->clock);
        if (r < 0)
                return r;
        if (fw_clock_is_synchronised())
                fw_engine_set_synchronised(manager->ctx.engine);
        fw_engine_watch_times(manager->ctx.engine, times_in_force, manager);
        manager->log_rules = fw_log_rules_new();
        fw_engine_set_log_rules(manager->ctx.engine, manager->log_rules);
        r = pt_nft_monitor_new(manager->ctx.netns_fd, manager->ctx.event, PT_MARK_NFT_TABLE,
                               changed, manager, &manager->monitor);
        if (r < 0)
                return r;
        fw_engine_watch(manager->ctx.engine, manager->monitor);
        manager->told = g_array_new(FALSE, FALSE, sizeof(Told));
        g_array_set_clear_func(manager->told, told_clear);
        read_feeds(manager, options->fetch);
        r = pt_participant_start(manager->participant, diag);
        log_diagnostics(diag);
        if (r < 0 && early) {
                pt_log(LOG_WARNING, "no configuration can be loaded (%s): the machine is closed",
                       strerror(-r));
                r = close_up(manager);
        }
        if (r < 0 && r != -ENOENT)
                pt_log(LOG_ERR, "the configuration on disk could not be brought into force: %s",
                       strerror(-r));
        else if (r == 0)
                pt_log(LOG_NOTICE, "revision %" PRIu64 " is in force",
                       pt_participant_revision(manager->participant));
        if (early) {
                if (r < 0)
                        return r;
        } else {
                /* A daemon that cannot load its slice still serves: configd sees the condition and
                 * the marker. */
                r = fw_connections_new(manager->ctx.event, manager->ctx.netns_fd, manager->bans,
                                       &manager->connections);
                if (r == 0)
                        fw_connections_set_openings(manager->connections, manager->openings);
                if (r == 0)
                        r = fw_log_new(manager->ctx.event, manager->ctx.netns_fd,
                                       manager->ctx.engine, manager->log_rules, &manager->log);
                if (r == 0)
                        r = fw_followers_new(manager->ctx.event, manager->log, &manager->followers);
                if (r == 0)
                        r = fw_checker_new(manager->ctx.event, manager->ctx.run_dir,
                                           manager->ctx.engine, manager->bans, server_changed,
                                           manager, &manager->checker);
                if (r < 0)
                        return r;
        }
        if (!early) {
                r = run_feeds(manager);
                if (r == 0)
                        r = open_nat64(manager, options->nat64);
                if (r < 0)
                        return r;
                follow(manager);
                manager->judge =
                        fw_judge_new(manager->ctx.event, manager->ctx.engine, manager->participant,
                                     manager->connections, manager->ctx.state_dir);
        }
        *ret = g_steal_pointer(&manager);
        return 0;
}

void fw_manager_free(FwManager *manager)
{
        if (!manager)
                return;
        g_clear_pointer(&manager->explanations, g_ptr_array_unref);
        fw_judge_free(manager->judge); /* before the engine and the connections */
        sd_event_source_disable_unref(manager->retry);
        fw_followers_free(manager->followers);
        fw_log_free(manager->log);
        if (manager->ctx.engine) {
                fw_engine_watch(manager->ctx.engine, NULL);
                fw_engine_set_log_rules(manager->ctx.engine, NULL);
                fw_engine_on_settled(manager->ctx.engine, NULL, NULL);
                fw_engine_watch_times(manager->ctx.engine, NULL, NULL);
        }
        fw_clock_free(manager->clock);
        fw_log_rules_free(manager->log_rules);
        pt_nft_monitor_free(manager->monitor);
        fw_checker_free(manager->checker);
        fw_nat64_free(manager->nat64);
        pt_participant_free(manager->participant);
        fw_feeds_free(manager->feeds);
        g_clear_pointer(&manager->told, g_array_unref);
        fw_bans_free(manager->bans);
        fw_external_free(manager->external);
        fw_openings_free(manager->openings);
        fw_panic_free(manager->panic);
        fw_connections_free(manager->connections);
        pt_audit_reporter_free(manager->reporter); /* what was waiting has told how it ended */
        fw_signals_done(&manager->signals);
        g_free(manager->drift);
        g_free(manager);
}

PtParticipant *fw_manager_participant(FwManager *manager)
{
        return manager->participant;
}

FwEngine *fw_manager_engine(FwManager *manager)
{
        return manager->ctx.engine;
}

FwBans *fw_manager_bans(FwManager *manager)
{
        return manager->bans;
}

const FwLog *fw_manager_log(const FwManager *manager)
{
        return manager->log;
}

FwFollowers *fw_manager_followers(FwManager *manager)
{
        return manager->followers;
}

FwChecker *fw_manager_checker(FwManager *manager)
{
        return manager->checker;
}

FwNat64 *fw_manager_nat64(FwManager *manager)
{
        return manager->nat64;
}

FwConnections *fw_manager_connections(FwManager *manager)
{
        return manager->connections;
}

FwFeeds *fw_manager_feeds(FwManager *manager)
{
        return manager->feeds;
}

FwPanic *fw_manager_panic(FwManager *manager)
{
        return manager->panic;
}

FwOpenings *fw_manager_openings(FwManager *manager)
{
        return manager->openings;
}

FwExternal *fw_manager_external(FwManager *manager)
{
        return manager->external;
}

const FwDriftLog *fw_manager_drifts(const FwManager *manager)
{
        return &manager->drifts;
}

const FwSignals *fw_manager_signals(const FwManager *manager)
{
        return &manager->signals;
}

PtAuditReporter *fw_manager_reporter(const FwManager *manager)
{
        return manager->reporter;
}

int fw_manager_netns(const FwManager *manager)
{
        return manager->ctx.netns_fd;
}

sd_event *fw_manager_event(FwManager *manager)
{
        return manager->ctx.event;
}

const char *fw_manager_state_dir(const FwManager *manager)
{
        return manager->ctx.state_dir;
}

GPtrArray *fw_manager_explanations(FwManager *manager)
{
        return manager->explanations;
}
