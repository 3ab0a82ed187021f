/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "move.h"

#include "nearest.h"
#include "position.h"

#include "kind/field.h"
#include "kind/json.h"

MoveWhere move_where_from_string(const char *text)
{
        static const char *const words[MOVE_MAX] = {"before", "after", "first", "last"};

        for (int i = 0; i < MOVE_MAX; i++)
                if (g_str_equal(words[i], text))
                        return (MoveWhere) i;
        return MOVE_INVALID;
}

/* The others in their order, and where the object goes between them. */
typedef struct Order {
        GPtrArray *objects; /* const PtObject, without the moved one */
        const PtObject *moved;
        guint was, at; /* before objects[i] */
} Order;

static int collect(const PtObject *object, void *userdata)
{
        Order *order = userdata;

        if (object != order->moved)
                g_ptr_array_add(order->objects, (void *) object);
        return 0;
}

static int compare_position(const PtObject *a, const PtObject *b)
{
        if (a->position != b->position)
                return a->position < b->position ? -1 : 1;
        return pt_object_compare_identity(a, b);
}

static int compare_pointers(const void *a, const void *b)
{
        return compare_position(*(const PtObject *const *) a, *(const PtObject *const *) b);
}

static const PtObject *object_at(const Order *order, guint i)
{
        return g_ptr_array_index(order->objects, i);
}

/* The first that is not before the object. */
static guint place_of(const Order *order, const PtObject *object)
{
        guint low = 0, high = order->objects->len;

        while (low < high) {
                guint middle = (low + high) / 2;

                if (compare_position(object_at(order, middle), object) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* What the kind's order_field says, as a number; absent is its default. */
static int64_t order_value(const PtObject *object, const PtField *field)
{
        unsigned i = (unsigned) (field - object->kind->fields);
        pt_auto_json *json = NULL;

        if (!(object->present >> i & 1))
                return g_ascii_strtoll(field->def, NULL, 10);
        json = pt_field_to_json(field, pt_field_value(field, object), true);
        return json_object_get_int64(json);
}

/* Where the field decides, a position says nothing. */
static int check_effect(const PtObject *object, const PtObject *other, MoveWhere where,
                        PtDiagnostics *diag)
{
        const PtKind *kind = object->kind;
        const PtField *field =
                kind->order_field ? pt_fields_find(kind->fields, kind->order_field) : NULL;
        g_autofree char *pointer = NULL;
        int64_t ours, theirs;

        if (!field)
                return 0;
        ours = order_value(object, field);
        theirs = order_value(other, field);
        if (ours == theirs)
                return 0;
        pointer = g_strconcat("/spec/", field->name, NULL);
        if ((where == MOVE_BEFORE) == (ours < theirs))
                pt_diag_error(diag, "no-effect", pointer,
                              "it is %s \"%s\" already: its %s is %" G_GINT64_FORMAT
                              " and that one's %" G_GINT64_FORMAT ", which counts before positions",
                              where == MOVE_BEFORE ? "before" : "after", other->name, field->name,
                              ours, theirs);
        else
                pt_diag_error(diag, "no-effect", pointer,
                              "a position orders objects of the same %s only, and this has "
                              "%" G_GINT64_FORMAT " where \"%s\" has %" G_GINT64_FORMAT
                              ": set %s=%" G_GINT64_FORMAT " first",
                              field->name, ours, other->name, theirs, field->name, theirs);
        return -EINVAL;
}

/* The positions between which `count` objects find room; false if they do not. */
static bool has_room(const Order *order, guint from, guint to, guint count, uint32_t *ret_low,
                     uint32_t *ret_high)
{
        uint64_t low = from > 0 ? object_at(order, from - 1)->position : 0;
        uint64_t high = PT_POSITION_MAX + 1ULL;

        if (to < order->objects->len)
                high = object_at(order, to)->position;
        else /* at the end, with the gaps that others have */
                high = MIN(high, low + POSITION_STEP * (count + 1ULL));
        if (high <= low + count)
                return false;
        *ret_low = (uint32_t) low;
        *ret_high = (uint32_t) (high - 1);
        return true;
}

/*
 * The shortest run of neighbours, on one side, that gives room when its positions are spread anew:
 * objects[from..to) with the moved one among them.
 */
static bool find_run(const Order *order, guint *ret_from, guint *ret_to, uint32_t *ret_low,
                     uint32_t *ret_high)
{
        guint n = order->objects->len, at = order->at;

        for (guint size = 0; size <= n; size++) {
                if (at + size <= n && has_room(order, at, at + size, size + 1, ret_low, ret_high)) {
                        *ret_from = at;
                        *ret_to = at + size;
                        return true;
                }
                if (size <= at && has_room(order, at - size, at, size + 1, ret_low, ret_high)) {
                        *ret_from = at - size;
                        *ret_to = at;
                        return true;
                }
        }
        return false;
}

static void put_position(PtSlice *candidate, const PtObject *object, uint32_t position)
{
        g_autoptr(PtObject) copy = NULL;

        if (object->position == position)
                return;
        copy = pt_object_copy(object, NULL);
        copy->position = position;
        pt_object_seal(copy);
        pt_slice_put(candidate, copy);
}

static int spread(PtSlice *candidate, const Order *order, PtDiagnostics *diag)
{
        uint32_t low = 0, high = 0;
        guint from = 0, to = 0, n = 0;
        uint64_t count;

        if (!find_run(order, &from, &to, &low, &high)) {
                pt_diag_error(diag, "no-position", "/metadata/position",
                              "no position is free: export the objects, remove the positions, and "
                              "apply them with replace");
                return -EINVAL;
        }
        count = to - from + 1;
        for (guint i = from; i <= to; i++) {
                if (i == order->at)
                        put_position(
                                candidate, order->moved,
                                low + (uint32_t) ((uint64_t) (high - low + 1) * ++n / (count + 1)));
                if (i < to)
                        put_position(
                                candidate, object_at(order, i),
                                low + (uint32_t) ((uint64_t) (high - low + 1) * ++n / (count + 1)));
        }
        return 0;
}

/* Finds the place; both objects exist and are two. */
static int find_place(Order *order, MoveWhere where, const PtObject *other, PtDiagnostics *diag)
{
        int r;

        switch (where) {
        case MOVE_FIRST:
                order->at = 0;
                return 0;
        case MOVE_LAST:
                order->at = order->objects->len;
                return 0;
        case MOVE_BEFORE:
        case MOVE_AFTER:
                r = check_effect(order->moved, other, where, diag);
                if (r < 0)
                        return r;
                order->at = place_of(order, other) + (where == MOVE_AFTER);
                return 0;
        case MOVE_MAX:
        case MOVE_INVALID:
                break;
        }
        return -EINVAL;
}

int move_object(PtSlice *candidate, const PtKind *kind, const char *name, MoveWhere where,
                const char *other, PtDiagnostics *diag)
{
        bool relative = where == MOVE_BEFORE || where == MOVE_AFTER;
        g_autoptr(GPtrArray) objects = g_ptr_array_new();
        Order order = {.objects = objects, .moved = pt_slice_get(candidate, kind, name)};
        const PtObject *neighbour = relative ? pt_slice_get(candidate, kind, other) : NULL;
        int r;

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        if (!order.moved)
                return nearest_not_found(candidate, kind, name, diag);
        if (!kind->ordered) {
                pt_diag_error(diag, "no-order", NULL,
                              "the order of objects of the kind %s has no meaning", kind->name);
                return -EINVAL;
        }
        if (relative && !neighbour)
                return nearest_not_found(candidate, kind, other, diag);
        if (neighbour == order.moved)
                return 0;
        (void) pt_slice_foreach(candidate, kind, collect, &order);
        g_ptr_array_sort(objects, compare_pointers);
        order.was = place_of(&order, order.moved);
        r = find_place(&order, where, neighbour, diag);
        if (r < 0 || order.at == order.was)
                return r;
        return spread(candidate, &order, diag);
}
