/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine-file.h"

#include "kinds.h"

#include "base/io.h"
#include "base/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONTENT_MAX (1024U * 1024U)
#define MARKER_MAX 128U

struct PtObserved {
        GHashTable *files; /* name to content */
};

struct TestPlan {
        PtPlan plan;
        TestEngine *engine;
        GHashTable *wanted; /* name to content */
        GPtrArray *written; /* names, borrowed from `wanted` */
        GPtrArray *removed; /* names */
        bool prepared;
        sd_event_source *settle; /* the work that follows a commit's answer */
};

/* ---- the directory ---------------------------------------------------------------------- */

static char *path_of(const TestEngine *engine, const char *place, const char *name)
{
        return g_build_filename(engine->dir, place, name, NULL);
}

static int read_files(const TestEngine *engine, GHashTable **ret)
{
        g_autoptr(GHashTable) files =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autofree char *path = path_of(engine, "system", NULL);
        DIR *dir = opendir(path);
        const struct dirent *entry;
        int r = 0;

        if (!dir)
                return -errno;
        while (r >= 0 && (entry = readdir(dir))) {
                char *content;
                size_t size;

                if (entry->d_name[0] == '.')
                        continue;
                r = pt_read_file(dirfd(dir), entry->d_name, CONTENT_MAX, &content, &size);
                if (r >= 0)
                        g_hash_table_replace(files, g_strdup(entry->d_name), content);
        }
        closedir(dir);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&files);
        return 0;
}

static int write_file(const char *path, const char *content)
{
        pt_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        if (fd < 0)
                return -errno;
        return pt_write_all(fd, content, strlen(content));
}

static int write_marker(const TestEngine *engine, const PtPlan *plan)
{
        g_autofree char *next = path_of(engine, "marker.next", NULL);
        g_autofree char *path = path_of(engine, "marker", NULL);
        g_autofree char *text = NULL;
        char hex[PT_DIGEST_HEX + 1];
        int r;

        pt_digest_to_hex(&plan->root, hex);
        text = g_strdup_printf("%" PRIu64 " %s\n", plan->revision, hex);
        r = write_file(next, text);
        if (r < 0)
                return r;
        return rename(next, path) < 0 ? -errno : 0;
}

static void clear_staging(const TestEngine *engine)
{
        g_autofree char *path = path_of(engine, "staging", NULL);
        DIR *dir = opendir(path);
        const struct dirent *entry;

        if (!dir)
                return;
        while ((entry = readdir(dir)))
                (void) unlinkat(dirfd(dir), entry->d_name, 0); /* of "." it fails, as it should */
        closedir(dir);
}

/* ---- the steps, as a good daemon does them ---------------------------------------------- */

static int stage(TestPlan *plan)
{
        const TestEngine *engine = plan->engine;
        int r;

        clear_staging(engine); /* what one that died left */
        for (guint i = 0; i < plan->written->len; i++) {
                const char *name = g_ptr_array_index(plan->written, i);
                g_autofree char *path = path_of(engine, "staging", name);

                r = write_file(path, g_hash_table_lookup(plan->wanted, name));
                if (r < 0)
                        return r;
        }
        plan->prepared = true;
        return 0;
}

/* The first `n` of what is to be done. */
static int change_files(const TestPlan *plan, guint n)
{
        const TestEngine *engine = plan->engine;

        for (guint i = 0; i < MIN(n, plan->written->len); i++) {
                const char *name = g_ptr_array_index(plan->written, i);
                g_autofree char *from = path_of(engine, "staging", name);
                g_autofree char *to = path_of(engine, "system", name);

                if (rename(from, to) < 0)
                        return -errno;
        }
        for (guint i = plan->written->len; i < n; i++) {
                g_autofree char *path = path_of(
                        engine, "system", g_ptr_array_index(plan->removed, i - plan->written->len));

                if (unlink(path) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

static int change(TestPlan *plan, bool half, PtDiagnostics *diag)
{
        guint all = plan->written->len + plan->removed->len;
        g_autofree char *marker = path_of(plan->engine, "marker", NULL);
        int r = plan->prepared ? 0 : stage(plan);

        if (r >= 0 && unlink(marker) < 0 && errno != ENOENT)
                r = -errno;
        if (r >= 0)
                r = change_files(plan, half ? (all + 1) / 2 : all);
        if (r >= 0 && !half)
                r = write_marker(plan->engine, &plan->plan);
        if (r < 0)
                pt_diag_error(diag, "file-failed", NULL, "a file could not be changed: %s",
                              g_strerror(-r));
        return r;
}

static bool files_equal(GHashTable *a, GHashTable *b)
{
        gpointer name, content;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, &name, &content))
                if (g_strcmp0(g_hash_table_lookup(b, name), content) != 0)
                        return false;
        return g_hash_table_size(a) == g_hash_table_size(b);
}

static int read_marker(const TestEngine *engine, uint64_t *ret_revision, PtDigest *ret_root)
{
        g_autofree char *path = path_of(engine, "marker", NULL);
        g_autofree char *text = NULL;
        g_auto(GStrv) words = NULL;
        size_t size;

        if (pt_read_file(AT_FDCWD, path, MARKER_MAX, &text, &size) < 0)
                return -ENODATA;
        words = g_strsplit(g_strchomp(text), " ", 2);
        if (g_strv_length(words) != 2 ||
            !g_ascii_string_to_unsigned(words[0], 10, 0, UINT64_MAX, ret_revision, NULL) ||
            pt_digest_from_hex(words[1], ret_root) < 0)
                return -ENODATA;
        return 0;
}

static int look(const TestPlan *plan, PtDiagnostics *diag)
{
        g_autoptr(GHashTable) files = NULL;
        uint64_t revision;
        PtDigest root;
        int r = read_files(plan->engine, &files);

        if (r >= 0 && !files_equal(files, plan->wanted))
                r = -EIO;
        if (r >= 0 &&
            (read_marker(plan->engine, &revision, &root) < 0 || revision != plan->plan.revision ||
             !pt_digest_equal(&root, &plan->plan.root)))
                r = -EIO;
        if (r < 0)
                pt_diag_error(diag, "differs", NULL, "the files are not as they were written");
        return r;
}

/* ---- the steps, as they are told -------------------------------------------------------- */

/* A step begins: how is it done this time? */
static TestBehaviour begin(TestEngine *engine, TestStep step)
{
        TestBehaviour behaviour = engine->behaviour[step];

        if (behaviour.once)
                engine->behaviour[step] = (TestBehaviour){};
        if (engine->stepped)
                engine->stepped(step, engine->userdata);
        return behaviour;
}

static G_GNUC_NORETURN void die(TestStep step)
{
        pt_log(LOG_WARNING, "told to die in %s", test_step_to_string(step));
        _exit(1);
}

/* Of a step that cannot be left for later: waits, or dies. */
static void block(TestStep step, const TestBehaviour *behaviour)
{
        struct timespec left = {
                .tv_sec = (time_t) (behaviour->usec / 1000000),
                .tv_nsec = (long) (behaviour->usec % 1000000) * 1000,
        };

        if (behaviour->act == TEST_DIE)
                die(step);
        while (behaviour->act == TEST_HANG)
                (void) pause();
        if (behaviour->act == TEST_DELAY)
                while (nanosleep(&left, &left) < 0 && errno == EINTR)
                        ;
}

static int work(TestPlan *plan, TestStep step, PtDiagnostics *diag)
{
        switch (step) {
        case TEST_PREPARE:
                return stage(plan);
        case TEST_COMMIT:
                return change(plan, false, diag);
        case TEST_VERIFY:
                return look(plan, diag);
        case TEST_OBSERVE:
        case TEST_PLAN:
        case TEST_CUTS:
        case TEST_ABORT:
        case TEST_STEP_MAX:
        case TEST_STEP_INVALID:
                break;
        }
        g_assert_not_reached();
}

/* prepare says that it staged, commit that it changed; verify the opposite of what it saw. */
static int lie(TestPlan *plan, TestStep step, PtDiagnostics *diag)
{
        if (step == TEST_PREPARE)
                plan->prepared = true;
        if (step != TEST_VERIFY || look(plan, diag) < 0)
                return 0;
        pt_diag_error(diag, "differs", NULL, "the files are not as they were written");
        return -EIO;
}

static int refuse(TestPlan *plan, TestStep step, PtDiagnostics *diag)
{
        if (step == TEST_COMMIT)
                (void) change(plan, true, NULL);
        pt_diag_error(diag, "told-to-refuse", NULL, "%s is refused, as it was told",
                      test_step_to_string(step));
        return step == TEST_PREPARE ? -EINVAL : -EIO;
}

int test_engine_release(TestEngine *engine)
{
        PtDone done = g_steal_pointer(&engine->held);

        if (!done)
                return -ENOENT;
        engine->timer = sd_event_source_disable_unref(engine->timer);
        done(engine->held_done ? engine->held_result
                               : work(engine->held_plan, engine->held_step, engine->held_diag),
             engine->held_userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) test_engine_release(userdata);
        return 0;
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
        TestPlan *plan = userdata;

        plan->settle = sd_event_source_disable_unref(plan->settle);
        return change(plan, false, NULL);
}

static int after(const PtEngineCtx *ctx, sd_event_source **timer, uint64_t usec,
                 sd_event_time_handler_t handler, void *userdata)
{
        return sd_event_add_time_relative(ctx->event, timer, CLOCK_MONOTONIC, usec, 1, handler,
                                          userdata);
}

static int run(PtEngineCtx *ctx, TestStep step, PtPlan *base, PtDiagnostics *diag, PtDone done,
               void *userdata)
{
        TestEngine *engine = ctx->engine;
        TestPlan *plan = (TestPlan *) base;
        TestBehaviour behaviour = begin(engine, step);
        int r;

        engine->held_done = false;
        switch (behaviour.act) {
        case TEST_WORK:
                done(work(plan, step, diag), userdata);
                return 0;
        case TEST_REFUSE:
                done(refuse(plan, step, diag), userdata);
                return 0;
        case TEST_LIE:
                done(lie(plan, step, diag), userdata);
                return 0;
        case TEST_DIE:
                die(step);
        case TEST_DIE_HALF:
                (void) change(plan, true, NULL);
                die(step);
        case TEST_DIE_AFTER:
                (void) work(plan, step, diag);
                die(step);
        case TEST_SETTLE:
                r = after(ctx, &plan->settle, behaviour.usec, on_settled, plan);
                if (r >= 0)
                        done(0, userdata); /* the plan may be gone now */
                return r;
        case TEST_LATE:
        case TEST_MUTE:
                engine->held_result = work(plan, step, diag);
                engine->held_done = true;
                break;
        case TEST_DELAY:
        case TEST_HANG:
                break;
        case TEST_ACT_MAX:
        case TEST_ACT_INVALID:
                g_assert_not_reached();
        }
        engine->held = done;
        engine->held_userdata = userdata;
        engine->held_step = step;
        engine->held_plan = plan;
        engine->held_diag = diag;
        if (behaviour.act == TEST_HANG || behaviour.act == TEST_MUTE)
                return 0;
        return after(ctx, &engine->timer, behaviour.usec, on_timer, engine);
}

static int file_prepare(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                        void *userdata)
{
        return run(ctx, TEST_PREPARE, plan, diag, done, userdata);
}

static int file_commit(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                       void *userdata)
{
        return run(ctx, TEST_COMMIT, plan, diag, done, userdata);
}

static int file_verify(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                       void *userdata)
{
        return run(ctx, TEST_VERIFY, plan, diag, done, userdata);
}

/* Told to lie, it sees nothing. */
static int file_observe(PtEngineCtx *ctx, PtObserved **ret)
{
        TestEngine *engine = ctx->engine;
        TestBehaviour behaviour = begin(engine, TEST_OBSERVE);
        g_autoptr(GHashTable) files = NULL;
        int r;

        block(TEST_OBSERVE, &behaviour);
        if (behaviour.act == TEST_REFUSE)
                return -EIO;
        r = read_files(engine, &files);
        if (r < 0)
                return r;
        if (behaviour.act == TEST_LIE)
                g_hash_table_remove_all(files);
        if (behaviour.act == TEST_DIE_AFTER)
                die(TEST_OBSERVE);
        *ret = g_new0(PtObserved, 1);
        (*ret)->files = g_steal_pointer(&files);
        return 0;
}

static void file_observed_free(PtObserved *observed)
{
        g_hash_table_unref(observed->files);
        g_free(observed);
}

typedef struct Wanted {
        const TestEngine *engine;
        const PtObject *object;
        GHashTable *files;    /* as they are */
        GHashTable *contents; /* as they are to be */
} Wanted;

/* A file has a secret's digest, which says that it was opened: the system has use for it. */
static int add_digest(const PtField *field, const char *path, const PtSecret *secret,
                      void *userdata)
{
        g_autoptr(PtRevealed) revealed = NULL;
        const Wanted *wanted = ((void **) userdata)[0];
        GString *content = ((void **) userdata)[1];
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;
        int r = pt_secrets_open(wanted->engine->secrets, wanted->object, path, &revealed);

        if (r < 0)
                return r;
        pt_digest_of(revealed->bytes, revealed->size, &digest);
        pt_digest_to_hex(&digest, hex);
        g_string_append_printf(content, "\n%s", hex);
        return 0;
}

/* An object whose secret was lost stays as it is. */
static int add_wanted(const PtObject *object, void *userdata)
{
        Wanted *wanted = userdata;
        g_autofree char *name = g_strconcat(object->kind->name, ".", object->name, NULL);
        g_autoptr(GString) content = g_string_new(NULL);
        const char *there = g_hash_table_lookup(wanted->files, name);

        wanted->object = object;
        pt_object_to_canonical(object, content);
        if (pt_object_foreach_secret(object, add_digest, (void *[]){wanted, content}) >= 0)
                g_hash_table_replace(wanted->contents, g_steal_pointer(&name),
                                     g_strdup(content->str));
        else if (there)
                g_hash_table_replace(wanted->contents, g_steal_pointer(&name), g_strdup(there));
        return 0;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void add_steps(TestPlan *plan, const char *verb, GPtrArray *names)
{
        g_ptr_array_sort(names, compare_names);
        for (guint i = 0; i < MIN(names->len, PT_PLAN_STEPS_MAX / 2); i++)
                g_ptr_array_add(
                        plan->plan.steps,
                        g_strdup_printf("%s %s", verb, (const char *) g_ptr_array_index(names, i)));
}

static void compute(TestPlan *plan, GHashTable *files)
{
        gpointer name, content;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, plan->wanted);
        while (g_hash_table_iter_next(&iter, &name, &content))
                if (g_strcmp0(g_hash_table_lookup(files, name), content) != 0)
                        g_ptr_array_add(plan->written, name);
        g_hash_table_iter_init(&iter, files);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                if (!g_hash_table_contains(plan->wanted, name))
                        g_ptr_array_add(plan->removed, g_strdup(name));
        add_steps(plan, "write", plan->written);
        add_steps(plan, "remove", plan->removed);
}

/* Nobody said of the files that they are this whole. */
static bool is_unmarked(const TestPlan *plan)
{
        uint64_t revision;
        PtDigest root;

        return read_marker(plan->engine, &revision, &root) < 0 ||
               !pt_digest_equal(&root, &plan->plan.root);
}

/* Told to lie, it says that there is nothing to do. */
static int file_plan(PtEngineCtx *ctx, uint64_t revision, PtSlice *wanted, PtObserved *observed,
                     PtDiagnostics *diag, PtPlan **ret)
{
        TestEngine *engine = ctx->engine;
        TestBehaviour behaviour = begin(engine, TEST_PLAN);
        TestPlan *plan;

        block(TEST_PLAN, &behaviour);
        if (behaviour.act == TEST_REFUSE) {
                pt_diag_error(diag, "told-to-refuse", NULL, "plan is refused, as it was told");
                return -EINVAL;
        }
        plan = g_new0(TestPlan, 1);
        plan->engine = engine;
        plan->plan.revision = revision;
        pt_slice_root(wanted, &plan->plan.root);
        plan->plan.steps = g_ptr_array_new_with_free_func(g_free);
        plan->plan.prepare_usec = engine->prepare_usec;
        plan->plan.commit_usec = engine->commit_usec;
        plan->wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        plan->written = g_ptr_array_new();
        plan->removed = g_ptr_array_new_with_free_func(g_free);
        pt_slice_foreach(wanted, NULL, add_wanted,
                         &(Wanted){engine, NULL, observed->files, plan->wanted});
        if (behaviour.act != TEST_LIE) {
                compute(plan, observed->files);
                if (is_unmarked(plan))
                        g_ptr_array_add(plan->plan.steps, g_strdup("mark"));
        }
        plan->plan.empty = plan->plan.steps->len == 0;
        if (behaviour.act == TEST_DIE_AFTER)
                die(TEST_PLAN);
        *ret = &plan->plan;
        return 0;
}

/* Told to lie, it says that the connection is cut; told to refuse, that it cannot say. */
static int file_cuts(PtEngineCtx *ctx, const PtPlan *plan, const PtTuple *tuple, char **ret_why)
{
        TestBehaviour behaviour = begin(ctx->engine, TEST_CUTS);
        char text[PT_TUPLE_TEXT_MAX];

        block(TEST_CUTS, &behaviour);
        if (behaviour.act == TEST_DIE_AFTER)
                die(TEST_CUTS);
        if (behaviour.act == TEST_REFUSE)
                return -EOPNOTSUPP;
        if (behaviour.act != TEST_LIE)
                return 0;
        *ret_why = g_strdup_printf("it is told to refuse %s", pt_tuple_format(tuple, text));
        return 1;
}

/* Told to lie, it leaves what prepare took. */
static void file_abort(PtEngineCtx *ctx, PtPlan *base)
{
        TestEngine *engine = ctx->engine;
        TestBehaviour behaviour = begin(engine, TEST_ABORT);

        block(TEST_ABORT, &behaviour);
        if (behaviour.act != TEST_LIE)
                clear_staging(engine);
        if (behaviour.act == TEST_DIE_AFTER)
                die(TEST_ABORT);
}

static void file_plan_free(PtPlan *base)
{
        TestPlan *plan = (TestPlan *) base;

        sd_event_source_disable_unref(plan->settle);
        g_ptr_array_unref(base->steps);
        g_ptr_array_unref(plan->removed);
        g_ptr_array_unref(plan->written);
        g_hash_table_unref(plan->wanted);
        g_free(plan);
}

static int file_marker(PtEngineCtx *ctx, uint64_t *ret_revision, PtDigest *ret_root)
{
        return read_marker(ctx->engine, ret_revision, ret_root);
}

/* ---- the whole -------------------------------------------------------------------------- */

static int file_setup(PtEngineCtx *ctx)
{
        static const char *const places[] = {"system", "staging"};
        const TestEngine *engine = ctx->engine;

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                g_autofree char *path = path_of(engine, places[i], NULL);

                if (g_mkdir_with_parents(path, 0755) < 0)
                        return -errno;
        }
        clear_staging(engine);
        return 0;
}

static void file_teardown(PtEngineCtx *ctx)
{
        TestEngine *engine = ctx->engine;

        engine->held = NULL;
        engine->timer = sd_event_source_disable_unref(engine->timer);
}

TestEngine *test_engine_new(const char *run_dir, const char *daemon)
{
        TestEngine *engine = g_new0(TestEngine, 1);

        engine->dir = g_build_filename(run_dir, daemon, NULL);
        engine->prepare_usec = engine->commit_usec = 1000;
        return engine;
}

void test_engine_free(TestEngine *engine)
{
        if (!engine)
                return;
        sd_event_source_disable_unref(engine->timer);
        g_free(engine->dir);
        g_free(engine);
}

#define ENGINE(table, how)                                                                         \
        {                                                                                          \
                .name = "file", .kinds = (table), .reads = no_kinds, .guarantee = (how),           \
                .setup = file_setup, .teardown = file_teardown, .observe = file_observe,           \
                .plan = file_plan, .cuts = file_cuts, .prepare = file_prepare,                     \
                .commit = file_commit, .verify = file_verify, .abort = file_abort,                 \
                .plan_free = file_plan_free, .observed_free = file_observed_free,                  \
                .marker = file_marker,                                                             \
        }

static const PtKind *const link_kinds[] = {&pt_kind_test_link, NULL};
static const PtKind *const service_kinds[] = {&pt_kind_test_service, NULL};
static const PtKind *const no_kinds[] = {NULL};

const PtEngine test_engine_link = ENGINE(link_kinds, PT_GUARANTEE_COMPENSATED);
const PtEngine test_engine_service = ENGINE(service_kinds, PT_GUARANTEE_EVENTUAL);
