/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "position.h"

/* The objects of one kind and set, in file order. */
typedef struct Group {
        GPtrArray *objects;
        bool *fixed;   /* the input says the position */
        bool replaced; /* the set's other objects go away */
        uint32_t last; /* highest position in the current slice, once scanned */
} Group;

typedef struct Assignment {
        const PtKind *kind;
        const PtSlice *current;
        GHashTable *groups; /* set: Group */
        bool scanned;       /* looking at all objects is put off until one is appended */
        PtDiagnostics *diag;
} Assignment;

static void group_free(void *data)
{
        Group *group = data;

        g_ptr_array_unref(group->objects);
        g_free(group->fixed);
        g_free(group);
}

const char *position_set(const PtObject *object)
{
        return pt_object_label(object, PT_LABEL_SET) ?: "";
}

static PtObject *group_get(const Group *group, guint i)
{
        return g_ptr_array_index(group->objects, i);
}

static int note_last(const PtObject *object, void *userdata)
{
        Group *group = g_hash_table_lookup(userdata, position_set(object));

        if (group)
                group->last = MAX(group->last, object->position);
        return 0;
}

static GHashTable *group_by_set(const PtKind *kind, const GPtrArray *objects)
{
        GHashTable *groups = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, group_free);

        for (guint i = 0; i < objects->len; i++) {
                PtObject *object = g_ptr_array_index(objects, i);
                const char *set = position_set(object);
                Group *group;

                if (object->kind != kind)
                        continue;
                group = g_hash_table_lookup(groups, set);
                if (!group) {
                        group = g_new0(Group, 1);
                        group->objects = g_ptr_array_new();
                        g_hash_table_insert(groups, (char *) set, group);
                }
                g_ptr_array_add(group->objects, object);
        }
        return groups;
}

/* Positions that stay: those of the input, and those of today while they increase. Others become 0.
 */
static void keep(const Group *group, const PtSlice *current)
{
        uint32_t last = 0;

        for (guint i = 0; i < group->objects->len; i++) {
                PtObject *object = group_get(group, i);
                const PtObject *old = pt_slice_get(current, object->kind, object->name);

                group->fixed[i] = object->position != 0;
                if (!group->fixed[i] && old && old->position > last)
                        object->position = old->position;
                if (object->position)
                        last = object->position;
        }
}

static void spread(const Group *group, guint from, guint to, uint32_t low, uint32_t step)
{
        for (guint i = from; i < to; i++)
                group_get(group, i)->position = low + (i - from + 1) * step;
}

static int no_room(PtDiagnostics *diag, const PtObject *object, const char *text)
{
        pt_diag_set_subject(diag, "%s/%s", object->kind->name, object->name);
        pt_diag_error(diag, "no-position", "/metadata/position", "%s", text);
        pt_diag_set_subject(diag, NULL);
        return -EINVAL;
}

/* Fills the run from `from` to the end of the file. */
static int append_run(Assignment *assignment, const Group *group, guint from, guint end,
                      uint32_t low)
{
        uint32_t step;

        if (end == group->objects->len && !group->replaced) {
                if (!assignment->scanned) {
                        assignment->scanned = true;
                        (void) pt_slice_foreach(assignment->current, assignment->kind, note_last,
                                                assignment->groups);
                }
                low = MAX(low, group->last);
        }
        step = MIN(POSITION_STEP, (PT_POSITION_MAX - low) / (end - from));
        if (step == 0)
                return no_room(
                        assignment->diag, group_get(group, from),
                        "no position is left after the last of its set: export the set, remove the "
                        "positions, and apply it with replace");
        spread(group, from, end, low, step);
        return 0;
}

/*
 * Fills the run of objects without position that starts at `from`, below its neighbour in the file
 * or, without one, upwards. A neighbour that leaves no room joins the run.
 */
static int fill_run(Assignment *assignment, const Group *group, guint from, guint *ret_end)
{
        guint n = group->objects->len, end = from;
        uint32_t low = from > 0 ? group_get(group, from - 1)->position : 0;
        uint32_t high, step;
        int r;

        for (;;) {
                while (end < n && group_get(group, end)->position == 0)
                        end++;
                high = end < n ? group_get(group, end)->position : 0;
                if (high <= low) { /* none, or one that the input put out of order */
                        r = append_run(assignment, group, from, end, low);
                        if (r < 0)
                                return r;
                        break;
                }
                step = (high - low) / (end - from + 1);
                if (step > 0) {
                        spread(group, from, end, low, step);
                        break;
                }
                if (group->fixed[end])
                        return no_room(assignment->diag, group_get(group, end),
                                       "the objects before it in the input do not fit below its "
                                       "position: leave "
                                       "the position out, or make it larger");
                group_get(group, end)->position = 0;
        }
        *ret_end = end;
        return 0;
}

static int assign_group(Assignment *assignment, Group *group)
{
        guint n = group->objects->len, i = 0;
        int r;

        group->fixed = g_new0(bool, n);
        keep(group, assignment->current);
        while (i < n) {
                if (group_get(group, i)->position) {
                        i++;
                        continue;
                }
                r = fill_run(assignment, group, i, &i);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int assign_kind(Assignment *assignment, GHashTable *replaced)
{
        GHashTableIter iter;
        void *set, *value;
        int r;

        g_hash_table_iter_init(&iter, assignment->groups);
        while (g_hash_table_iter_next(&iter, &set, &value)) {
                Group *group = value;

                group->replaced = !replaced || g_hash_table_contains(replaced, set);
                r = assign_group(assignment, group);
                if (r < 0)
                        return r;
        }
        return 0;
}

int position_assign(const PtSlice *current, const GPtrArray *objects, GHashTable *replaced,
                    PtDiagnostics *diag)
{
        int r;

        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                if (!(*kind)->ordered)
                        continue;

                g_autoptr(GHashTable) groups = group_by_set(*kind, objects);
                Assignment assignment = {
                        .kind = *kind, .current = current, .groups = groups, .diag = diag};

                r = assign_kind(&assignment, replaced);
                if (r < 0)
                        return r;
        }
        return 0;
}
