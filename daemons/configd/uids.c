/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "uids.h"

#include "kind/meta.h"

#include <string.h>

#define UID_SIZE 16
#define UID_TEXT (2 * UID_SIZE)

struct Uids {
        PtSlice *slice;     /* what `stored` is of */
        GHashTable *stored; /* 32 digits: PtObject, referenced */
};

static void unref_object(void *object)
{
        pt_object_unref(object);
}

Uids *uids_new(void)
{
        Uids *uids = g_new0(Uids, 1);

        uids->slice = pt_slice_new();
        uids->stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_object);
        return uids;
}

void uids_free(Uids *uids)
{
        if (!uids)
                return;
        pt_slice_unref(uids->slice);
        g_hash_table_unref(uids->stored);
        g_free(uids);
}

static const char *stored_uid(const PtObject *object)
{
        return object && object->meta ? object->meta->uid : NULL;
}

static bool same_identity(const PtObject *a, const PtObject *b)
{
        return a->kind == b->kind && g_str_equal(a->name, b->name);
}

static int note_change(const PtObject *before, const PtObject *after, void *userdata)
{
        GHashTable *stored = userdata;
        const char *old = stored_uid(before), *new = stored_uid(after);
        const PtObject *owner = old ? g_hash_table_lookup(stored, old) : NULL;

        if (owner && same_identity(owner, before))
                g_hash_table_remove(stored, old);
        if (new)
                g_hash_table_insert(stored, g_strdup(new), pt_object_ref(after));
        return 0;
}

GHashTable *uids_stored(Uids *uids, PtSlice *running, const PtSlice *slice)
{
        GHashTable *stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_object);
        GHashTableIter iter;
        void *uid, *object;

        if (uids->slice != running) {
                (void) pt_slice_compare(uids->slice, running, note_change, uids->stored);
                pt_slice_unref(uids->slice);
                uids->slice = pt_slice_ref(running);
        }
        g_hash_table_iter_init(&iter, uids->stored);
        while (g_hash_table_iter_next(&iter, &uid, &object))
                g_hash_table_insert(stored, g_strdup(uid), pt_object_ref(object));
        if (slice != running)
                (void) pt_slice_compare(running, slice, note_change, stored);
        return stored;
}

static void to_text(const uint8_t uid[static UID_SIZE], char ret[static UID_TEXT + 1])
{
        for (unsigned i = 0; i < UID_SIZE; i++)
                g_snprintf(ret + 2 * i, 3, "%02x", uid[i]);
}

static void uid_text(const PtObject *object, char ret[static UID_TEXT + 1])
{
        uint8_t uid[UID_SIZE];

        pt_object_uid(object, uid);
        to_text(uid, ret);
}

void uids_settle(GHashTable *stored, PtObject *object)
{
        char text[UID_TEXT + 1];
        const PtObject *owner;

        if (g_hash_table_size(stored) == 0 || stored_uid(object))
                return;
        uid_text(object, text);
        for (unsigned n = 2; (owner = g_hash_table_lookup(stored, text)); n++) {
                /* A name has no space: this is no other object's uid. */
                g_autofree char *again = g_strdup_printf("%s %u", object->name, n);
                uint8_t uid[UID_SIZE];

                if (same_identity(owner, object))
                        return;
                pt_uid_of(object->kind, again, uid);
                to_text(uid, text);
                if (!object->meta)
                        object->meta = g_new0(PtMeta, 1);
                g_free(object->meta->uid);
                object->meta->uid = g_strdup(text);
        }
}

typedef struct Check {
        const PtObject *object;
        char uid[UID_TEXT + 1];
        const PtObject *other; /* found */
} Check;

static int compare_uid(const PtObject *other, void *userdata)
{
        Check *check = userdata;
        char uid[UID_TEXT + 1];

        if (stored_uid(other) || same_identity(other, check->object))
                return 0;
        uid_text(other, uid);
        if (!g_str_equal(uid, check->uid))
                return 0;
        check->other = other;
        return 1;
}

/* All that the changed objects had as uid before, by their names. */
static GHashTable *derived_before(const Changes *changes)
{
        GHashTable *derived = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (guint i = 0; i < changes->list->len; i++) {
                const PtObject *before = changes_get(changes, i)->before;
                char uid[UID_TEXT + 1];

                if (!before || stored_uid(before))
                        continue;
                uid_text(before, uid);
                g_hash_table_add(derived, g_strdup(uid));
        }
        return derived;
}

/* Who else has the uid of a changed object, or NULL. */
static const PtObject *find_other(GHashTable *stored, GHashTable *changed, GHashTable *derived,
                                  const Changes *changes, const ObjectChange *change)
{
        Check check = {.object = change->after};
        const PtObject *owner;

        uid_text(change->after, check.uid);
        owner = g_hash_table_lookup(changed, check.uid);
        if (owner && !same_identity(owner, change->after))
                return owner;
        g_hash_table_insert(changed, g_strdup(check.uid), (void *) change->after);
        owner = g_hash_table_lookup(stored, check.uid);
        if (owner && !same_identity(owner, change->after) &&
            pt_slice_get(changes->after, owner->kind, owner->name) == owner)
                return owner;
        /* Of a uid that comes from outside, and not from an object that just gave it up, nobody
         * knows whose name gives it. */
        if (stored_uid(change->after) &&
            g_strcmp0(stored_uid(change->after), stored_uid(change->before)) != 0 &&
            !g_hash_table_contains(derived, check.uid))
                (void) pt_slice_foreach(changes->after, change->after->kind, compare_uid, &check);
        return check.other;
}

static bool any_stored(const Changes *changes)
{
        for (guint i = 0; i < changes->list->len; i++)
                if (stored_uid(changes_get(changes, i)->after))
                        return true;
        return false;
}

int uids_check(GHashTable *stored, const Changes *changes, PtDiagnostics *diag)
{
        g_autoptr(GHashTable) changed = NULL, derived = NULL;
        int r = 0;

        if (g_hash_table_size(stored) == 0 && !any_stored(changes))
                return 0;
        changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        derived = derived_before(changes);
        for (guint i = 0; i < changes->list->len; i++) {
                const ObjectChange *change = changes_get(changes, i);
                const PtObject *other =
                        change->after ? find_other(stored, changed, derived, changes, change)
                                      : NULL;

                if (!other)
                        continue;
                pt_diag_set_subject(diag, "%s/%s", change->after->kind->name, change->after->name);
                pt_diag_error(diag, "duplicate-uid", "/metadata/uid",
                              "%s \"%s\" has the same uid: leave it out to get another one",
                              other->kind->name, other->name);
                pt_diag_set_subject(diag, NULL);
                r = -EINVAL;
        }
        return r;
}
