/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "merge.h"

#include "secrets.h"

#define UID_SIZE 16

MergePrefer merge_prefer_from_string(const char *text)
{
        static const char *const words[MERGE_PREFER_MAX] = {"", "mine", "theirs"};

        for (int i = 0; i < MERGE_PREFER_MAX; i++)
                if (g_str_equal(words[i], text))
                        return (MergePrefer) i;
        return MERGE_PREFER_INVALID;
}

/* The digest that the object has, or will have when its migration is committed. */
static void migrated_digest(const PtObject *object, PtDigest *ret)
{
        g_autoptr(PtObject) copy = pt_object_is_older(object) ? pt_object_copy(object, NULL) : NULL;

        if (copy)
                pt_object_seal(copy);
        *ret = (copy ?: object)->digest;
}

/* To migrate an object is not to change it. */
static bool same(const PtObject *a, const PtObject *b)
{
        PtDigest x, y;

        if (a == b || !a || !b)
                return a == b;
        if (pt_object_is_older(a) == pt_object_is_older(b))
                return pt_digest_equal(&a->digest, &b->digest);
        migrated_digest(a, &x);
        migrated_digest(b, &y);
        return pt_digest_equal(&x, &y);
}

PtObject *merge_at(const PtObject *object, uint32_t position)
{
        PtObject *copy;

        if (object->position == position)
                return pt_object_ref(object);
        copy = pt_object_copy(object, NULL);
        copy->position = position;
        pt_object_seal(copy);
        return copy;
}

/* But for the place. */
static bool same_content(const PtObject *a, const PtObject *b)
{
        g_autoptr(PtObject) there = NULL;

        if (same(a, b) || a->position == b->position)
                return same(a, b);
        there = merge_at(a, b->position);
        return same(there, b);
}

const PtObject *conflict_object(const Conflict *conflict)
{
        return conflict->base ?: conflict->mine ?: conflict->theirs;
}

void merge_add_conflict(Merge *merge, const Conflict *conflict)
{
        g_array_append_val(merge->conflicts, *conflict);
}

/* Both have it, and not the same. */
static void merge_both(Merge *merge, const PtObject *base, const PtObject *mine,
                       const PtObject *theirs)
{
        bool prefer_mine = merge->prefer == MERGE_MINE, conflict = false;
        const PtObject *content = prefer_mine ? mine : theirs;
        uint32_t position = content->position;
        g_autoptr(PtObject) merged = NULL;

        if (same_content(mine, theirs) || (base && same_content(mine, base)))
                content = theirs;
        else if (base && same_content(theirs, base))
                content = mine;
        else
                conflict = true;
        if (!base || mine->position == base->position || mine->position == theirs->position)
                position = theirs->position;
        else if (theirs->position == base->position)
                position = mine->position;
        else
                conflict = true;
        if (conflict)
                merge_add_conflict(merge, &(Conflict){base, mine, theirs, NULL});
        merged = merge_at(content, position);
        pt_slice_put(merge->merged, merged);
}

static int merge_one(const PtObject *base, const PtObject *mine, void *userdata)
{
        Merge *merge = userdata;
        const PtObject *object = mine ?: base,
                       *theirs = pt_slice_get(merge->theirs, object->kind, object->name);

        if (same(mine, theirs))
                return 0;
        if (mine && theirs && !same(theirs, base)) {
                mine = secrets_like(mine, theirs);
                g_ptr_array_add(merge->made, (void *) mine);
                merge_both(merge, base, mine, theirs);
                return 0;
        }
        if (!same(theirs, base))
                merge_add_conflict(merge, &(Conflict){base, mine, theirs, NULL});
        if (mine)
                pt_slice_put(merge->merged, mine);
        else
                (void) pt_slice_remove(merge->merged, base->kind, base->name);
        return 0;
}

/* Renames. */

static char *uid_of(const PtObject *object)
{
        char *text = g_malloc(2 * UID_SIZE + 1);
        uint8_t uid[UID_SIZE];

        pt_object_uid(object, uid);
        for (unsigned i = 0; i < UID_SIZE; i++)
                g_snprintf(text + 2 * i, 3, "%02x", uid[i]);
        return text;
}

/* What a side did to names: objects of base that it has no more, and new ones. */
typedef struct Names {
        GPtrArray *gone, *created;
        GHashTable *by_uid; /* uid: the created; NULL until it is asked */
} Names;

static int note_name(const PtObject *base, const PtObject *side, void *userdata)
{
        Names *names = userdata;

        if (!side)
                g_ptr_array_add(names->gone, (void *) base);
        else if (!base)
                g_ptr_array_add(names->created, (void *) side);
        return 0;
}

static void names_init(Names *names, PtSlice *base, PtSlice *side)
{
        names->gone = g_ptr_array_new();
        names->created = g_ptr_array_new();
        (void) pt_slice_compare(base, side, note_name, names);
}

static void names_clear(Names *names)
{
        g_ptr_array_unref(names->gone);
        g_ptr_array_unref(names->created);
        g_clear_pointer(&names->by_uid, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Names, names_clear)

/* What became of an object that is gone from a side: it under another name, or NULL. */
static const PtObject *renamed(Names *names, const PtObject *base)
{
        g_autofree char *uid = uid_of(base);
        const PtObject *object;

        if (!names->by_uid) {
                names->by_uid = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
                for (guint i = 0; i < names->created->len; i++) {
                        void *created = g_ptr_array_index(names->created, i);

                        g_hash_table_insert(names->by_uid, uid_of(created), created);
                }
        }
        object = g_hash_table_lookup(names->by_uid, uid);
        return object && object->kind == base->kind ? object : NULL;
}

static bool same_name(const PtObject *a, const PtObject *b)
{
        return a && b && pt_object_compare_identity(a, b) == 0;
}

/* What both have no more, but not in the same way. */
static void merge_names(Merge *merge, Names *mine, Names *theirs)
{
        for (guint i = 0; i < merge->conflicts->len; i++) {
                Conflict *conflict = &g_array_index(merge->conflicts, Conflict, i);

                if (conflict->base && !conflict->mine)
                        conflict->mine = renamed(mine, conflict->base);
                if (conflict->base && !conflict->theirs)
                        conflict->theirs = renamed(theirs, conflict->base);
        }
        for (guint i = 0; i < mine->gone->len; i++) {
                const PtObject *base = g_ptr_array_index(mine->gone, i);
                Conflict conflict = {base, renamed(mine, base), renamed(theirs, base), NULL};

                if (!pt_slice_get(merge->theirs, base->kind, base->name) &&
                    conflict.mine != conflict.theirs &&
                    !same_name(conflict.mine, conflict.theirs)) /* merge_both() compared those */
                        merge_add_conflict(merge, &conflict);
        }
}

/* Unless something else came to have its name. */
static void drop(PtSlice *slice, const PtObject *object)
{
        if (object && same(pt_slice_get(slice, object->kind, object->name), object))
                (void) pt_slice_remove(slice, object->kind, object->name);
}

/* Puts what is preferred in the place of what both made of it. */
static void resolve(Merge *merge, const Conflict *conflict)
{
        const PtObject *winner = merge->prefer == MERGE_MINE ? conflict->mine : conflict->theirs;

        if (same_name(conflict->mine, conflict->theirs))
                return; /* merge_both() did */
        drop(merge->merged, conflict->mine);
        drop(merge->merged, conflict->theirs);
        if (winner)
                pt_slice_put(merge->merged, winner);
}

static int compare_conflicts(const void *a, const void *b)
{
        return pt_object_compare_identity(conflict_object(a), conflict_object(b));
}

Merge *merge_new(PtSlice *base, PtSlice *mine, PtSlice *theirs, MergePrefer prefer)
{
        g_auto(Names) my_names = {0}, their_names = {0};
        Merge *merge = g_new0(Merge, 1);

        merge->base = pt_slice_ref(base);
        merge->mine = pt_slice_ref(mine);
        merge->theirs = pt_slice_ref(theirs);
        merge->merged = pt_slice_clone(theirs);
        merge->prefer = prefer;
        merge->made = g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref);
        merge->conflicts = g_array_new(false, false, sizeof(Conflict));
        (void) pt_slice_compare(base, mine, merge_one, merge);
        names_init(&my_names, base, mine);
        names_init(&their_names, base, theirs);
        merge_names(merge, &my_names, &their_names);
        if (prefer != MERGE_REPORT)
                for (guint i = 0; i < merge->conflicts->len; i++)
                        resolve(merge, &g_array_index(merge->conflicts, Conflict, i));
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if ((*kind)->ordered)
                        merge_order(merge, *kind);
        g_array_sort(merge->conflicts, compare_conflicts);
        return merge;
}

void merge_free(Merge *merge)
{
        if (!merge)
                return;
        pt_slice_unref(merge->base);
        pt_slice_unref(merge->mine);
        pt_slice_unref(merge->theirs);
        pt_slice_unref(merge->merged);
        g_array_unref(merge->conflicts);
        g_ptr_array_unref(merge->made);
        g_free(merge);
}
