/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rename.h"

#include "nearest.h"

#include "kind/json.h"

#include <json-c/json_pointer.h>

#define UID_SIZE 16

/* The references of one object to the renamed one. */
typedef struct Referrer {
        const PtKind *kind;
        const char *name;
        GPtrArray *pointers; /* owned */
} Referrer;

static int note_ref(const PtKind *kind, const char *name, const char *pointer, void *userdata)
{
        const Referrer *referrer = userdata;

        if (kind == referrer->kind && g_str_equal(name, referrer->name))
                g_ptr_array_add(referrer->pointers, g_strdup(pointer));
        return 0;
}

/* Where the object refers to the renamed one. */
static GPtrArray *pointers_to(const PtObject *object, const PtKind *kind, const char *name)
{
        GPtrArray *pointers = g_ptr_array_new_with_free_func(g_free);
        Referrer referrer = {kind, name, pointers};

        (void) pt_object_foreach_ref(object, note_ref, &referrer);
        return pointers;
}

/* Puts the new name into an object's JSON at those places. */
static int rewrite(const GPtrArray *pointers, const char *new_name, struct json_object **json)
{
        for (guint i = 0; i < pointers->len; i++)
                if (json_pointer_set(json, g_ptr_array_index(pointers, i),
                                     json_object_new_string(new_name)) < 0)
                        return -errno;
        return 0;
}

/* The object as it will be, read like any other: sets are sorted anew, and all is checked. */
static int make(struct json_object *json, PtDiagnostics *diag, GPtrArray *made)
{
        PtObject *object = NULL;
        int r = pt_object_from_json(json, 0, diag, &object);

        if (r < 0)
                return r;
        pt_object_seal(object);
        g_ptr_array_add(made, object);
        return 0;
}

typedef struct Rename {
        const PtKind *kind;
        const char *name, *new_name;
        PtDiagnostics *diag;
        GPtrArray *made; /* objects that change, owned */
} Rename;

static int follow(const PtObject *object, void *userdata)
{
        Rename *rename = userdata;
        pt_auto_json *json = NULL;
        g_autoptr(GPtrArray) pointers = NULL;
        int r;

        if (object->kind == rename->kind && g_str_equal(object->name, rename->name))
                return 0; /* itself */
        pointers = pointers_to(object, rename->kind, rename->name);
        if (pointers->len == 0)
                return 0;
        json = pt_object_to_json(object, true);
        r = rewrite(pointers, rename->new_name, &json);
        if (r < 0)
                return r;
        pt_diag_set_subject(rename->diag, "%s/%s", object->kind->name, object->name);
        return make(json, rename->diag, rename->made);
}

/* The object under its new name, with the uid that it has. */
static int make_renamed(Rename *rename, const PtObject *object)
{
        g_autoptr(GPtrArray) pointers = pointers_to(object, rename->kind, rename->name);
        pt_auto_json *json = pt_object_to_json(object, true);
        struct json_object *metadata = json_object_object_get(json, "metadata");
        uint8_t uid[UID_SIZE];
        char text[2 * UID_SIZE + 1];
        int r;

        pt_object_uid(object, uid);
        for (unsigned i = 0; i < UID_SIZE; i++)
                g_snprintf(text + 2 * i, 3, "%02x", uid[i]);
        json_object_object_add(metadata, "name", json_object_new_string(rename->new_name));
        json_object_object_add(metadata, "uid", json_object_new_string(text));
        r = rewrite(pointers, rename->new_name, &json);
        return r < 0 ? r : make(json, rename->diag, rename->made);
}

static int refuse(const Rename *rename, const char *code, const char *remedy)
{
        pt_diag_error(rename->diag, code, "/metadata/name", "%s \"%s\" %s", rename->kind->name,
                      rename->new_name, remedy);
        return -EINVAL;
}

int rename_object(PtSlice *candidate, const PtKind *kind, const char *name, const char *new_name,
                  PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) made =
                g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref);
        Rename rename = {kind, name, new_name, diag, made};
        const PtObject *object = pt_slice_get(candidate, kind, name);
        int r;

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        if (!object)
                return nearest_not_found(candidate, kind, name, diag);
        if (g_str_equal(name, new_name))
                return 0;
        if (pt_slice_get(candidate, kind, new_name))
                return refuse(&rename, "duplicate-name", "exists already: choose another name");
        r = make_renamed(&rename, object);
        if (r < 0)
                return r;
        r = pt_slice_foreach(candidate, NULL, follow, &rename);
        if (r < 0)
                return r;
        (void) pt_slice_remove(candidate, kind, name);
        for (guint i = 0; i < made->len; i++)
                pt_slice_put(candidate, g_ptr_array_index(made, i));
        return 0;
}
