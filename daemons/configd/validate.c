/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "validate.h"

#include "identity.h"
#include "nearest.h"
#include "secrets.h"

#include "txn/dataset.h"

static bool fields_refer_to(const PtField *fields, const PtKind *kind)
{
        for (const PtField *field = fields; field && field->name; field++)
                if (g_strcmp0(field->ref, kind->name) == 0 || fields_refer_to(field->fields, kind))
                        return true;
        return false;
}

static bool name_is_reserved(const PtKind *kind, const char *name)
{
        return kind->reserved_names && g_strv_contains(kind->reserved_names, name);
}

/* The object a diagnostic is about and the slice it must fit into. */
typedef struct Context {
        const PtSlice *before, *slice;
        const PtObject *object;
        PtDiagnostics *diag;
        const char *state_dir;
        GHashTable *targets; /* PtObject, by identity: what was deleted or updated */
        bool done;           /* `object` was checked with others */
} Context;

static void set_subject(PtDiagnostics *diag, const PtObject *object)
{
        pt_diag_set_subject(diag, "%s/%s", object->kind->name, object->name);
}

static char *dangling_remedy(const Context *context, const PtKind *kind, const char *name)
{
        g_autofree char *nearest = nearest_reference(context->slice, kind, name);

        if (nearest)
                return g_strdup_printf("did you mean \"%s\"?", nearest);
        return g_strdup_printf("create it in the same input, or refer to another %s", kind->name);
}

static void report_in_use(const Context *context, const PtKind *kind, const char *name,
                          const char *pointer)
{
        pt_diag_error(
                context->diag, "in-use", pointer,
                "%s \"%s\" cannot be deleted while this refers to it: change or delete this too",
                kind->name, name);
}

static int check_ref(const PtKind *kind, const char *name, const char *pointer, void *userdata)
{
        Context *context = userdata;
        g_autofree char *remedy = NULL;

        if (name_is_reserved(kind, name) || pt_slice_get(context->slice, kind, name) ||
            pt_kind_has_builtin(kind, name))
                return 0;
        if (pt_slice_get(context->before, kind, name)) {
                report_in_use(context, kind, name, pointer);
        } else {
                remedy = dangling_remedy(context, kind, name);
                pt_diag_error(context->diag, "dangling-reference", pointer,
                              "%s \"%s\" does not exist: %s", kind->name, name, remedy);
        }
        /* More are only counted; each would cost a search for its remedy. */
        return pt_diag_errors(context->diag) > PT_DIAG_MAX;
}

static int check_dataset(const char *digest, const char *pointer, void *userdata)
{
        const Context *context = userdata;
        g_autoptr(PtDataset) dataset = NULL;
        int r = pt_dataset_open(context->state_dir, digest, &dataset);

        if (r == -ENOENT)
                pt_diag_error(context->diag, "dangling-reference", pointer,
                              "dataset %s does not exist: put it first, or its document before "
                              "this in the same input",
                              digest);
        else if (r < 0)
                pt_diag_error(context->diag, "dangling-reference", pointer,
                              "dataset %s cannot be read (%s): put the same list again", digest,
                              g_strerror(-r));
        return 0;
}

/* What a kind may ask: the slice, and datasets beside it. */
static const PtObject *look_up(const void *ctx, const PtKind *kind, const char *name)
{
        const Context *context = ctx;

        return pt_slice_get(context->slice, kind, name);
}

static int look_at_each(const void *ctx, const PtKind *kind,
                        int (*each)(const PtObject *object, void *userdata), void *userdata)
{
        const Context *context = ctx;

        return pt_slice_foreach(context->slice, kind, each, userdata);
}

static int look_into_dataset(const void *ctx, const char *digest, PtDatasetInfo *ret)
{
        const Context *context = ctx;
        g_autoptr(PtDataset) dataset = NULL;
        const PtDatasetHeader *header;
        int r = pt_dataset_open(context->state_dir, digest, &dataset);

        if (r < 0)
                return r;
        header = pt_dataset_header(dataset);
        *ret = (PtDatasetInfo){
                .content = header->content,
                .hosts4 = header->counts[PT_DATASET_HOSTS4],
                .hosts6 = header->counts[PT_DATASET_HOSTS6],
                .ranges4 = header->counts[PT_DATASET_RANGES4],
                .ranges6 = header->counts[PT_DATASET_RANGES6],
                .macs = header->counts[PT_DATASET_ETHERS],
        };
        return 0;
}

static void check_set(const Context *context)
{
        PtLookup lookup = {look_up, look_at_each, look_into_dataset, context};

        if (context->object->kind->check_set)
                (void) context->object->kind->check_set(context->object, &lookup, context->diag);
}

static bool unchanged(const Context *context)
{
        const PtObject *before =
                pt_slice_get(context->before, context->object->kind, context->object->name);

        return before && pt_digest_equal(&before->digest, &context->object->digest);
}

static int check_use(const PtKind *kind, const char *name, const char *pointer, void *userdata)
{
        Context *context = userdata;
        const PtObject key = {.kind = kind, .name = (char *) name};

        /* What changed itself was looked at already. */
        if (!g_hash_table_contains(context->targets, &key) || !unchanged(context))
                return 0;
        if (!pt_slice_get(context->slice, kind, name) && !pt_kind_has_builtin(kind, name)) {
                report_in_use(context, kind, name, pointer);
                return 0;
        }
        if (context->done)
                return 0;
        context->done = true;
        check_set(context);
        return 0;
}

static int check_referrer(const PtObject *object, void *userdata)
{
        Context *context = userdata;

        context->object = object;
        context->done = false;
        set_subject(context->diag, object);
        return pt_object_foreach_ref(object, check_use, context);
}

static bool refers_to_any(const PtKind *referrer, GHashTable *kinds)
{
        GHashTableIter iter;
        void *kind;

        g_hash_table_iter_init(&iter, kinds);
        while (g_hash_table_iter_next(&iter, &kind, NULL))
                if (fields_refer_to(referrer->fields, kind))
                        return true;
        return false;
}

/* Looks at every object of the kinds that refer to a kind of which objects were deleted or updated.
 */
static void check_referrers(Context *context, const Changes *changes)
{
        g_autoptr(GHashTable) deleted = g_hash_table_new(NULL, NULL); /* kinds */
        g_autoptr(GHashTable) updated = g_hash_table_new(NULL, NULL);
        g_autoptr(GHashTable) targets = g_hash_table_new(identity_hash, identity_equal);

        for (guint i = 0; i < changes->list->len; i++) {
                const ObjectChange *change = changes_get(changes, i);

                if (!change->before)
                        continue;
                g_hash_table_add(targets, (void *) change->before);
                g_hash_table_add(change->after ? updated : deleted, (void *) change->before->kind);
        }
        context->targets = targets;
        for (const PtKind *const *referrer = pt_kinds(); *referrer; referrer++)
                if (refers_to_any(*referrer, deleted) ||
                    ((*referrer)->check_set && refers_to_any(*referrer, updated)))
                        (void) pt_slice_foreach(context->slice, *referrer, check_referrer, context);
}

int validate_changes(const Changes *changes, const char *state_dir, PtDiagnostics *diag)
{
        Context context = {
                .before = changes->before,
                .slice = changes->after,
                .diag = diag,
                .state_dir = state_dir,
        };
        size_t errors = pt_diag_errors(diag);

        if (pt_slice_count(changes->after, NULL) > PT_SLICE_OBJECTS_MAX)
                pt_diag_error(diag, "too-many-objects", NULL,
                              "a configuration holds at most %d objects, this one would have %zu",
                              PT_SLICE_OBJECTS_MAX, pt_slice_count(changes->after, NULL));
        for (guint i = 0; i < changes->list->len; i++) {
                const ObjectChange *change = changes_get(changes, i);

                if (!change->after)
                        continue;
                context.object = change->after;
                set_subject(diag, change->after);
                (void) secrets_are_sealed(change->after, diag);
                if (pt_object_foreach_ref(change->after, check_ref, &context) > 0)
                        break;
                (void) pt_object_foreach_dataset(change->after, check_dataset, &context);
                check_set(&context);
        }
        check_referrers(&context, changes);
        pt_diag_set_subject(diag, NULL);
        return pt_diag_errors(diag) > errors ? -EINVAL : 0;
}
