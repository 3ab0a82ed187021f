/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file-engine.h"

#include "base/io.h"
#include "kind/json.h"
#include "kinds/firewall/firewall.h"
#include "unit.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARKER "marker"
#define CONTENT_MAX (1024U * 1024U)

struct PtObserved {
        GHashTable *files; /* name to content */
};

typedef struct FilePlan {
        PtPlan plan;
        FileEngine *engine;
        GHashTable *wanted; /* name to content */
        GPtrArray *removed; /* names */
        GPtrArray *written; /* names */
} FilePlan;

static GHashTable *new_files(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static int file_observe(PtEngineCtx *ctx, PtObserved **ret)
{
        const FileEngine *engine = ctx->engine;
        g_autoptr(GDir) dir = g_dir_open(engine->dir, 0, NULL);
        PtObserved *observed;
        const char *name;

        assert_non_null(dir);
        observed = g_new0(PtObserved, 1);
        observed->files = new_files();
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(engine->dir, name, NULL);
                char *content = NULL;
                size_t size;

                if (g_str_equal(name, MARKER))
                        continue;
                assert_return_code(pt_read_file(AT_FDCWD, path, CONTENT_MAX, &content, &size), 0);
                g_hash_table_replace(observed->files, g_strdup(name), content);
        }
        *ret = observed;
        return 0;
}

static void file_observed_free(PtObserved *observed)
{
        g_hash_table_unref(observed->files);
        g_free(observed);
}

static int add_wanted(const PtObject *object, void *userdata)
{
        GHashTable *wanted = userdata;
        GString *content = g_string_new(NULL);

        pt_object_to_canonical(object, content);
        g_hash_table_replace(wanted, g_strconcat(object->kind->name, ".", object->name, NULL),
                             g_string_free(content, false));
        return 0;
}

static void add_step(FilePlan *plan, const char *verb, const char *name)
{
        g_ptr_array_add(plan->plan.steps, g_strdup_printf("%s %s", verb, name));
}

static int file_plan(PtEngineCtx *ctx, uint64_t revision, PtSlice *wanted, PtObserved *observed,
                     PtDiagnostics *diag, PtPlan **ret)
{
        FileEngine *engine = ctx->engine;
        gpointer name, content;
        GHashTableIter iter;
        FilePlan *plan;

        engine->plans++;
        if (engine->fault == FILE_FAULT_PLAN) {
                pt_diag_set_subject(diag, "Zone/lan");
                pt_diag_error(diag, "bad-zone", "/spec/interfaces/0", "this engine refuses");
                return -EINVAL;
        }
        plan = g_new0(FilePlan, 1);
        plan->engine = engine;
        plan->plan.revision = revision;
        pt_slice_root(wanted, &plan->plan.root);
        plan->plan.steps = g_ptr_array_new_with_free_func(g_free);
        plan->plan.commit_usec = 100;
        plan->wanted = new_files();
        plan->removed = g_ptr_array_new_with_free_func(g_free);
        plan->written = g_ptr_array_new();
        pt_slice_foreach(wanted, NULL, add_wanted, plan->wanted);
        g_hash_table_iter_init(&iter, plan->wanted);
        while (g_hash_table_iter_next(&iter, &name, &content))
                if (g_strcmp0(g_hash_table_lookup(observed->files, name), content) != 0) {
                        g_ptr_array_add(plan->written, name);
                        add_step(plan, "write", name);
                }
        g_hash_table_iter_init(&iter, observed->files);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                if (!g_hash_table_contains(plan->wanted, name)) {
                        g_ptr_array_add(plan->removed, g_strdup(name));
                        add_step(plan, "remove", name);
                }
        plan->plan.empty = plan->written->len == 0 && plan->removed->len == 0;
        engine->alive++;
        *ret = &plan->plan;
        return 0;
}

static void file_plan_free(PtPlan *plan)
{
        FilePlan *p = (FilePlan *) plan;

        p->engine->alive--;
        g_ptr_array_unref(plan->steps);
        g_ptr_array_unref(p->removed);
        g_ptr_array_unref(p->written);
        g_hash_table_unref(p->wanted);
        g_free(p);
}

/* ---- steps ------------------------------------------------------------------------------ */

void file_engine_release(FileEngine *engine)
{
        PtDone done = g_steal_pointer(&engine->held);

        assert_non_null(done);
        done(engine->held_result, engine->held_userdata);
}

static int later(sd_event_source *source, void *userdata)
{
        FileEngine *engine = userdata;

        engine->timer = sd_event_source_unref(engine->timer);
        file_engine_release(engine);
        return 0;
}

/* Ends a step at once, later, or when the test wants. */
static int end_step(PtEngineCtx *ctx, int result, PtDone done, void *userdata)
{
        FileEngine *engine = ctx->engine;

        assert_null(engine->held);
        if (engine->fault != FILE_FAULT_HANG && !engine->later) {
                done(result, userdata);
                return 0;
        }
        engine->held = done;
        engine->held_userdata = userdata;
        engine->held_result = result;
        if (engine->fault == FILE_FAULT_HANG) {
                engine->fault = FILE_FAULT_NONE;
                return 0;
        }
        return sd_event_add_defer(ctx->event, &engine->timer, later, engine);
}

static int file_cuts(PtEngineCtx *ctx, const PtPlan *plan, const PtTuple *tuple, char **ret_why)
{
        const FileEngine *engine = ctx->engine;
        char text[PT_TUPLE_TEXT_MAX];

        assert_non_null(plan);
        if (g_strcmp0(engine->cut, "") == 0)
                return -EOPNOTSUPP;
        if (!engine->cut || !g_str_has_prefix(pt_tuple_format(tuple, text), engine->cut))
                return 0;
        *ret_why = g_strdup_printf("no file is for %s", text);
        return 1;
}

/* Says how many objects there are more, and expects one of them. */
static int file_review(PtEngineCtx *ctx, const PtPlan *base, const PtSlice *before,
                       PtReview *review, PtDiagnostics *diag)
{
        const FileEngine *engine = ctx->engine;
        const FilePlan *plan = (const FilePlan *) base;
        g_autofree char *text = NULL, *name = NULL;
        struct json_object *line;

        if (review->analyze) {
                text = g_strdup_printf("%u objects, %zu before", g_hash_table_size(plan->wanted),
                                       pt_slice_count(before, NULL));
                line = json_object_new_object();
                json_object_object_add(line, "text", json_object_new_string(text));
                review->difference = json_object_new_array();
                json_object_array_add(review->difference, line);
                review->partial = true;
        }
        if (!review->tests || !engine->expected)
                return 0;
        name = g_strconcat("FirewallRule.", engine->expected, NULL);
        if (g_hash_table_contains(plan->wanted, name))
                return 0;
        pt_diag_add(diag, review->forced ? PT_SEVERITY_WARNING : PT_SEVERITY_ERROR,
                    PT_EXPECTATION_FAILED, NULL, "%s is not there", engine->expected);
        return review->forced ? 0 : -EINVAL;
}

static int file_prepare(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                        void *userdata)
{
        FileEngine *engine = ctx->engine;

        engine->prepares++;
        if (engine->fault != FILE_FAULT_PREPARE)
                return end_step(ctx, 0, done, userdata);
        pt_diag_error(diag, "no-room", NULL, "there is no room for this");
        return end_step(ctx, -EINVAL, done, userdata);
}

void file_engine_mark(const FileEngine *engine, uint64_t revision, const PtDigest *root)
{
        g_autofree char *path = g_build_filename(engine->dir, MARKER, NULL);
        g_autofree char *text = NULL;
        char hex[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(root, hex);
        text = g_strdup_printf("%" PRIu64 " %s", revision, hex);
        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int file_commit(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                       void *userdata)
{
        const FilePlan *p = (const FilePlan *) plan;
        FileEngine *engine = ctx->engine;

        engine->commits++;
        if (engine->fault == FILE_FAULT_COMMIT) {
                pt_diag_error(diag, "broken", NULL, "the disk is on fire");
                return -EIO; /* not by done(): both ways are allowed */
        }
        for (guint i = 0; i < p->written->len; i++) {
                const char *name = g_ptr_array_index(p->written, i);
                g_autofree char *path = g_build_filename(engine->dir, name, NULL);

                assert_true(
                        g_file_set_contents(path, g_hash_table_lookup(p->wanted, name), -1, NULL));
                engine->writes++;
        }
        for (guint i = 0; i < p->removed->len; i++) {
                g_autofree char *path =
                        g_build_filename(engine->dir, g_ptr_array_index(p->removed, i), NULL);

                assert_return_code(unlink(path), errno);
                engine->writes++;
        }
        file_engine_mark(engine, plan->revision, &plan->root);
        return end_step(ctx, 0, done, userdata);
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

static int file_verify(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                       void *userdata)
{
        const FilePlan *p = (const FilePlan *) plan;
        FileEngine *engine = ctx->engine;
        PtObserved *observed;
        bool same;

        engine->verifies++;
        assert_return_code(file_observe(ctx, &observed), 0);
        same = files_equal(observed->files, p->wanted) && engine->fault != FILE_FAULT_VERIFY;
        file_observed_free(observed);
        if (!same)
                pt_diag_error(diag, "differs", NULL, "the directory is not as it was written");
        return end_step(ctx, same ? 0 : -EIO, done, userdata);
}

static void file_abort(PtEngineCtx *ctx, PtPlan *plan)
{
        FileEngine *engine = ctx->engine;

        assert_non_null(plan);
        engine->aborts++;
}

static int file_marker(PtEngineCtx *ctx, uint64_t *ret_revision, PtDigest *ret_root)
{
        const FileEngine *engine = ctx->engine;
        g_autofree char *path = g_build_filename(engine->dir, MARKER, NULL);
        g_autofree char *text = NULL;
        char hex[PT_DIGEST_HEX + 1];
        uint64_t revision;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return -ENODATA;
        assert_int_equal(sscanf(text, "%" SCNu64 " %64s", &revision, hex), 2);
        assert_return_code(pt_digest_from_hex(hex, ret_root), 0);
        *ret_revision = revision;
        return 0;
}

static void file_teardown(PtEngineCtx *ctx)
{
        FileEngine *engine = ctx->engine;

        engine->held = NULL;
        engine->timer = sd_event_source_disable_unref(engine->timer);
}

static const PtKind *const file_kinds[] = {&pt_kind_firewall_rule, &pt_kind_zone, NULL};
static const PtKind *const file_reads[] = {NULL};

const PtEngine file_engine = {
        .name = "file",
        .kinds = file_kinds,
        .reads = file_reads,
        .guarantee = PT_GUARANTEE_COMPENSATED,
        .teardown = file_teardown,
        .observe = file_observe,
        .plan = file_plan,
        .cuts = file_cuts,
        .review = file_review,
        .prepare = file_prepare,
        .commit = file_commit,
        .verify = file_verify,
        .abort = file_abort,
        .plan_free = file_plan_free,
        .observed_free = file_observed_free,
        .marker = file_marker,
};
