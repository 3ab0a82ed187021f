/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "checker.h"

#include "base/log.h"
#include "base/messages.h"
#include "event/backoff.h"
#include "prober.h"

#include <string.h>

/* When the kernel does not take what the maps should be: the table is being replaced. */
#define RETRY_MIN_USEC (20 * PT_USEC_PER_MSEC)
#define RETRY_MAX_USEC (2 * PT_USEC_PER_SEC)

struct FwChecker {
        sd_event *event;
        FwEngine *engine;
        FwBans *bans;
        GHashTable *watches; /* "POOL/ID" -> Watch */
        PtBackoff *retry;
        FwProber *prober;
        bool blind; /* nobody could look last time: said once */
        FwServerChanged changed;
        void *userdata;
        bool closing;
};

typedef struct Watch {
        FwChecker *checker;
        char *key;
        const ServerPool *pool; /* a reference */
        FwPoolServer server;    /* of the pool in force, as is `server.server` */
        FwCheckSpec check;
        sd_event_source *timer;
        FwLook *look;
        bool known; /* there was a result */
        uint64_t since_usec, probes, failures;
        unsigned streak;
        char *error;
} Watch;

const char *fw_server_state_to_string(FwServerState state)
{
        static const char *const names[] = {
                [FW_SERVER_UNCHECKED] = "unchecked",
                [FW_SERVER_UP] = "up",
                [FW_SERVER_DOWN] = "down",
        };

        return names[state];
}

static void watch_stop(Watch *watch)
{
        watch->timer = sd_event_source_disable_unref(watch->timer);
        g_clear_pointer(&watch->look, fw_look_free);
}

static void watch_free(void *p)
{
        Watch *watch = p;

        watch_stop(watch);
        pt_object_unref((PtObject *) (uintptr_t) watch->pool);
        g_free(watch->server.id);
        g_free(watch->error);
        g_free(watch->key);
        g_free(watch);
}

static FwHealth *health_of(const Watch *watch)
{
        return fw_engine_health(watch->checker->engine);
}

static bool is_up(const Watch *watch)
{
        return fw_health_is_up(health_of(watch), watch->pool->object.name, watch->server.id);
}

/* Maps. */

typedef struct Update {
        FwChecker *checker;
        GPtrArray *pools; /* FwPool, each referenced */
        GPtrArray *slots; /* what each gets */
} Update;

static void update_free(Update *update)
{
        g_ptr_array_unref(update->pools);
        g_ptr_array_unref(update->slots);
        g_free(update);
}

static void sent(int result, uint32_t n, void *userdata)
{
        Update *update = userdata;
        FwChecker *checker = update->checker;

        if (result == 0) {
                for (unsigned i = 0; i < update->pools->len; i++) {
                        FwPool *pool = g_ptr_array_index(update->pools, i);

                        g_free(pool->put);
                        pool->put = g_steal_pointer(&update->slots->pdata[i]);
                }
                pt_backoff_reset(checker->retry);
        } else if (!checker->closing) {
                pt_log(LOG_DEBUG, "the maps of servers cannot be changed now: %s",
                       strerror(-result));
                (void) pt_backoff_arm(checker->retry);
        }
        update_free(update);
}

/* Makes the kernel's maps what is known of the servers. */
static void sync_maps(FwChecker *checker)
{
        const FwLayout *layout = fw_engine_layout(checker->engine);
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        Update *update;
        GHashTableIter iter;
        FwPool *pool;
        int r;

        if (!layout)
                return;
        update = g_new0(Update, 1);
        update->checker = checker;
        update->pools = g_ptr_array_new_with_free_func(fw_pool_unref);
        update->slots = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_iter_init(&iter, layout->pools);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool)) {
                int *slots = fw_pool_assign(pool, fw_engine_health(checker->engine));

                if (fw_pool_is_put(pool, slots)) {
                        g_free(slots);
                        continue;
                }
                fw_pool_put_slots(pool, slots, batch);
                pool->refs++;
                g_ptr_array_add(update->pools, pool);
                g_ptr_array_add(update->slots, slots);
        }
        if (update->pools->len == 0) {
                update_free(update);
                return;
        }
        r = fw_bans_send(checker->bans, batch, sent, update);
        if (r == 0)
                (void) g_steal_pointer(&batch);
        else
                sent(r, 0, update);
}

static void retry(void *userdata)
{
        sync_maps(userdata);
}

/* Results. */

static void fill_row(const Watch *watch, FwServerRow *ret)
{
        *ret = (FwServerRow){
                .pool = watch->pool->object.name,
                .address = watch->server.server->address,
                .port = watch->server.server->port,
                .weight = fw_server_weight(watch->server.server),
                .fallback = watch->server.fallback,
                .state = watch->check.type == FW_CHECK_NONE || watch->server.fallback
                                 ? FW_SERVER_UNCHECKED
                         : is_up(watch) ? FW_SERVER_UP
                                        : FW_SERVER_DOWN,
                .since_usec = watch->since_usec,
                .probes = watch->probes,
                .failures = watch->failures,
                .streak = watch->streak,
                .error = watch->error ?: "",
        };
}

static void tell(Watch *watch, bool up)
{
        FwChecker *checker = watch->checker;
        g_autoptr(GString) address = g_string_new(NULL);
        g_autofree char *pool = NULL, *server = NULL;
        FwServerRow row;

        fill_row(watch, &row);
        pt_address_range_format(&row.address, address);
        pool = g_strdup_printf("PATRONUS_POOL=%s", row.pool);
        server = g_strdup_printf("PATRONUS_SERVER=%s", address->str);
        if (up)
                pt_log_fields(LOG_NOTICE,
                              (const char *[]){PT_MESSAGE_SERVER_UP, pool, server, NULL},
                              "server %s of pool %s is alive", address->str, row.pool);
        else
                pt_log_fields(
                        LOG_WARNING, (const char *[]){PT_MESSAGE_SERVER_DOWN, pool, server, NULL},
                        "server %s of pool %s is dead: %s", address->str, row.pool, row.error);
        checker->changed(&row, checker->userdata);
}

static void decide(Watch *watch, bool up)
{
        watch->streak = 0;
        watch->since_usec = (uint64_t) g_get_real_time();
        fw_health_set(health_of(watch), watch->pool->object.name, watch->server.id, up);
        sync_maps(watch->checker);
        tell(watch, up);
}

/* What filterd cannot see is no server's fault: it stays what it was. */
static void see_nothing(Watch *watch, const char *why)
{
        if (!watch->checker->blind)
                pt_log(LOG_ERR, "servers of pools cannot be looked at: %s", why);
        watch->checker->blind = true;
}

static void result(FwLookResult seen, const char *error, void *userdata)
{
        Watch *watch = userdata;
        bool up = is_up(watch), good = seen == FW_LOOK_GOOD, first = !watch->known;

        /* `error` may be in it. */
        FwLook *look = g_steal_pointer(&watch->look);

        if (seen == FW_LOOK_NONE) {
                fw_look_free(look);
                see_nothing(watch, "the helper has gone");
                return;
        }
        watch->checker->blind = false;
        watch->known = true;
        watch->probes++;
        if (!good) {
                watch->failures++;
                g_free(watch->error);
                watch->error = g_strdup(error);
        }
        fw_look_free(look);
        if (good == up) {
                watch->streak = 0;
                return;
        }
        watch->streak++;
        if (first || watch->streak >= (up ? watch->check.fall : watch->check.rise))
                decide(watch, good);
}

static int look(sd_event_source *source, uint64_t usec, void *userdata)
{
        Watch *watch = userdata;
        int r;

        /* Its time is shorter than the interval: only a helper that hangs still has it. */
        if (watch->look) {
                g_clear_pointer(&watch->look, fw_look_free);
                see_nothing(watch, "the helper does not answer");
        }
        r = sd_event_source_set_time_relative(source, watch->check.interval_usec);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;
        r = fw_look_new(watch->checker->prober, watch->server.server, &watch->check, result, watch,
                        &watch->look);
        if (r < 0)
                see_nothing(watch, strerror(-r));
        return 0;
}

/* What is watched. */

static void start(Watch *watch)
{
        if (watch->check.type == FW_CHECK_NONE || watch->server.fallback) {
                fw_health_set(health_of(watch), watch->pool->object.name, watch->server.id, true);
                return;
        }
        if (sd_event_add_time_relative(watch->checker->event, &watch->timer, CLOCK_MONOTONIC, 0, 0,
                                       look, watch) < 0)
                pt_log(LOG_ERR, "no timer: a server of pool %s is not watched",
                       watch->pool->object.name);
}

static void watch_server(FwChecker *checker, const FwPool *pool, unsigned i)
{
        const FwPoolServer *server = &pool->servers[i];
        char *key = fw_pool_server_key(pool, i);
        Watch *watch = g_hash_table_lookup(checker->watches, key);
        bool same =
                watch && pt_digest_equal(&watch->pool->object.digest, &pool->pool->object.digest);
        const ServerPool *before = NULL;

        if (watch) {
                g_free(key);
                before = watch->pool;
        } else {
                watch = g_new0(Watch, 1);
                watch->checker = checker;
                watch->key = key;
                watch->since_usec = (uint64_t) g_get_real_time();
                watch->server.id = g_strdup(server->id);
                g_hash_table_insert(checker->watches, watch->key, watch);
        }
        if (!same)
                watch_stop(watch); /* it reads the pool as it was */
        watch->pool = (const ServerPool *) pt_object_ref(&pool->pool->object);
        watch->server.server = server->server;
        watch->server.fallback = server->fallback;
        watch->check = fw_pool_check(watch->pool);
        if (!same)
                start(watch);
        pt_object_unref((PtObject *) (uintptr_t) before);
}

static gboolean is_gone(void *key, void *value, void *userdata)
{
        return !g_hash_table_contains(userdata, key);
}

/* A plan is in force: other pools, or other servers. */
static void settled(void *userdata)
{
        FwChecker *checker = userdata;
        const FwLayout *layout = fw_engine_layout(checker->engine);
        FwHealth *health = fw_engine_health(checker->engine);
        g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GHashTableIter iter;
        FwPool *pool;

        if (!layout)
                return;
        g_hash_table_iter_init(&iter, layout->pools);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool))
                for (unsigned i = 0; i < pool->n; i++)
                        g_hash_table_add(known, fw_pool_server_key(pool, i));
        fw_health_settle(health, known);
        fw_health_keep(health, known);
        (void) g_hash_table_foreach_remove(checker->watches, is_gone, known);
        g_hash_table_iter_init(&iter, layout->pools);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool))
                for (unsigned i = 0; i < pool->n; i++)
                        watch_server(checker, pool, i);
        sync_maps(checker);
}

static bool is_active(const FwPool *pool, unsigned server)
{
        for (unsigned i = 0; pool->put && i < pool->slots; i++)
                if (pool->put[i] == (int) server)
                        return true;
        return false;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp((*(FwPool *const *) a)->name, (*(FwPool *const *) b)->name);
}

void fw_checker_list(FwChecker *checker, void (*each)(const FwServerRow *row, void *userdata),
                     void *userdata)
{
        const FwLayout *layout = fw_engine_layout(checker->engine);
        g_autoptr(GPtrArray) pools = g_ptr_array_new();
        GHashTableIter iter;
        FwPool *pool;

        if (!layout)
                return;
        g_hash_table_iter_init(&iter, layout->pools);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool))
                g_ptr_array_add(pools, pool);
        g_ptr_array_sort(pools, compare_names);
        for (unsigned p = 0; p < pools->len; p++) {
                pool = g_ptr_array_index(pools, p);
                for (unsigned i = 0; i < pool->n; i++) {
                        g_autofree char *key = fw_pool_server_key(pool, i);
                        const Watch *watch = g_hash_table_lookup(checker->watches, key);
                        FwServerRow row;

                        if (!watch)
                                continue;
                        fill_row(watch, &row);
                        row.active = is_active(pool, i);
                        each(&row, userdata);
                }
        }
}

int fw_checker_new(sd_event *event, const char *run_dir, FwEngine *engine, FwBans *bans,
                   FwServerChanged changed, void *userdata, FwChecker **ret)
{
        g_autoptr(FwChecker) checker = g_new0(FwChecker, 1);
        int r;

        checker->event = sd_event_ref(event);
        checker->prober = fw_prober_new(event, run_dir);
        checker->engine = engine;
        checker->bans = bans;
        checker->changed = changed;
        checker->userdata = userdata;
        checker->watches = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, watch_free);
        r = pt_backoff_new(event, RETRY_MIN_USEC, RETRY_MAX_USEC, retry, checker, &checker->retry);
        if (r < 0)
                return r;
        fw_engine_watch_pools(engine, settled, checker);
        settled(checker);
        *ret = g_steal_pointer(&checker);
        return 0;
}

void fw_checker_free(FwChecker *checker)
{
        if (!checker)
                return;
        checker->closing = true;
        fw_engine_watch_pools(checker->engine, NULL, NULL);
        g_hash_table_unref(checker->watches);
        fw_prober_free(checker->prober);
        pt_backoff_free(checker->retry);
        sd_event_unref(checker->event);
        g_free(checker);
}
