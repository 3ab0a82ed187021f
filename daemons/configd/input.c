/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "input.h"

#include "identity.h"
#include "input-dataset.h"
#include "position.h"
#include "secrets.h"
#include "uids.h"

#include "base/memory.h"
#include "base/io.h"
#include "base/text.h"
#include "kind/yaml.h"

#include <sys/stat.h>

typedef struct Input {
        const PtStore *store; /* first, for input_dataset_hook() */
        const InputOptions *options;
        PtDiagnostics *diag;
        GPtrArray *objects;   /* owned, unsealed, in the order of the input */
        GHashTable *seen;     /* the same, by identity */
        GHashTable *replaced; /* names of sets that the input replaces, owned */
        bool duplicates;
} Input;

static void input_done(Input *input)
{
        g_hash_table_unref(input->seen);
        g_hash_table_unref(input->replaced);
        g_ptr_array_unref(input->objects);
}

static int take_object(PtObject *object, void *userdata)
{
        Input *input = userdata;

        g_ptr_array_add(input->objects, object);
        if (!g_hash_table_add(input->seen, object)) {
                input->duplicates = true;
                pt_diag_set_subject(input->diag, "%s/%s", object->kind->name, object->name);
                pt_diag_error(
                        input->diag, "duplicate-name", "/metadata/name",
                        object->nameless
                                ? "%s \"%s\" is in the input twice: two objects without a name "
                                  "must differ"
                                : "%s \"%s\" is in the input twice: remove or rename one of them",
                        object->kind->name, object->name);
                return 0;
        }
        if (input->options->set)
                pt_object_set_label(object, PT_LABEL_SET, input->options->set);
        else if (object->nameless)
                g_hash_table_add(input->replaced, g_strdup(position_set(object)));
        return 0;
}

/* A uid that a rename left behind belongs to the object, not to whoever writes its document. */
static void keep_uid(PtObject *object, const PtObject *old)
{
        if (!old->meta || !old->meta->uid || (object->meta && object->meta->uid))
                return;
        if (!object->meta)
                object->meta = g_new0(PtMeta, 1);
        object->meta->uid = g_strdup(old->meta->uid);
}

/* Gives an object its uid, and seals its secrets to it. */
static int settle(const Input *input, PtObject *object, const PtObject *old)
{
        if (old)
                keep_uid(object, old);
        else if (input->options->uids)
                uids_settle(input->options->uids, object);
        pt_diag_set_subject(input->diag, "%s/%s", object->kind->name, object->name);
        return secrets_settle(input->options->secrets, object, old, input->diag);
}

/* All or nothing: the first loop may refuse, the second puts. */
static int put_objects(const Input *input, PtSlice *candidate)
{
        int r = 0;

        for (guint i = 0; i < input->objects->len; i++) {
                PtObject *object = g_ptr_array_index(input->objects, i);

                if (settle(input, object, pt_slice_get(candidate, object->kind, object->name)) < 0)
                        r = -EINVAL;
        }
        pt_diag_set_subject(input->diag, NULL);
        if (r < 0)
                return r;
        for (guint i = 0; i < input->objects->len; i++) {
                PtObject *object = g_ptr_array_index(input->objects, i);
                const PtObject *old = pt_slice_get(candidate, object->kind, object->name);

                pt_object_seal(object);
                if (!old || !pt_digest_equal(&old->digest, &object->digest))
                        pt_slice_put(candidate, object);
        }
        return 0;
}

typedef struct Prune {
        const Input *input;
        GPtrArray *doomed; /* referenced */
} Prune;

static int prune_one(const PtObject *object, void *userdata)
{
        Prune *prune = userdata;
        const Input *input = prune->input;

        if (!input->options->replace &&
            !g_hash_table_contains(input->replaced, position_set(object)))
                return 0;
        if (!g_hash_table_contains(input->seen, object))
                g_ptr_array_add(prune->doomed, pt_object_ref(object));
        return 0;
}

static void prune(const Input *input, PtSlice *candidate)
{
        g_autoptr(GPtrArray) doomed =
                g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref);
        Prune prune_state = {.input = input, .doomed = doomed};

        if (!input->options->replace && g_hash_table_size(input->replaced) == 0)
                return;
        (void) pt_slice_foreach(candidate, NULL, prune_one, &prune_state);
        for (guint i = 0; i < doomed->len; i++) {
                const PtObject *object = g_ptr_array_index(doomed, i);

                (void) pt_slice_remove(candidate, object->kind, object->name);
        }
}

int input_apply(PtSlice *candidate, const char *text, size_t size, const InputOptions *options,
                PtDiagnostics *diag)
{
        Input input __attribute__((cleanup(input_done))) = {
                .store = options->store,
                .options = options,
                .diag = diag,
                .objects = g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref),
                .seen = g_hash_table_new(identity_hash, identity_equal),
                .replaced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        };
        int r;

        if (options->set) {
                if (!pt_name_is_valid(options->set)) {
                        pt_diag_error(diag, "bad-name", NULL,
                                      "\"%s\" cannot name a set: up to %d of a-z, 0-9, \".\", "
                                      "\"_\" and \"-\", "
                                      "with a letter or digit at both ends",
                                      options->set, PT_NAME_MAX);
                        return -EINVAL;
                }
                g_hash_table_add(input.replaced, g_strdup(options->set));
        }
        r = pt_yaml_read_large(options->source, text, size, PT_FROM_ALLOW_NAMELESS, diag,
                               input_dataset_hook, take_object, &input);
        pt_diag_set_subject(diag, NULL);
        if (r < 0)
                return r;
        if (input.duplicates)
                return -EINVAL;
        r = position_assign(candidate, input.objects, options->replace ? NULL : input.replaced,
                            diag);
        if (r < 0)
                return r;
        r = put_objects(&input, candidate);
        if (r < 0)
                return r;
        prune(&input, candidate);
        return 0;
}

static int refuse_fd(int error, PtDiagnostics *diag)
{
        if (error == -EFBIG) {
                pt_diag_error(diag, "too-large", NULL,
                              "the input is larger than %u MiB: split it, and apply the parts one "
                              "after the other",
                              PT_INPUT_MAX >> 20);
                return -EFBIG;
        }
        pt_diag_error(diag, "bad-input", NULL, "the input cannot be read: %s", g_strerror(-error));
        return -EINVAL;
}

int input_apply_fd(PtSlice *candidate, int fd, const InputOptions *options, PtDiagnostics *diag)
{
        g_autofree char *text = NULL;
        size_t size;
        struct stat st;
        int r;

        /* Reading from anything else could block, or never end. */
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                pt_diag_error(diag, "bad-input", NULL,
                              "the input must be a regular file or a memfd");
                return -EINVAL;
        }
        if (lseek(fd, 0, SEEK_SET) < 0)
                return refuse_fd(-errno, diag);
        r = pt_read_all(fd, PT_INPUT_MAX, &text, &size);
        if (r < 0)
                return refuse_fd(r, diag);
        r = input_apply(candidate, text, size, options, diag);
        explicit_bzero(text, size); /* secrets may be in it */
        g_clear_pointer(&text, g_free);
        pt_memory_settle(size);
        return r;
}
