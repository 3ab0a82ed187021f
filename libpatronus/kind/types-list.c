/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

static int compare_items(const PtField *field, const PtList *list, unsigned a, unsigned b)
{
        return field->type->compare(pt_list_item(field, list, a), pt_list_item(field, list, b));
}

static bool is_ascending(const PtField *field, const PtList *list)
{
        for (unsigned i = 1; i < list->n; i++)
                if (compare_items(field, list, i - 1, i) >= 0)
                        return false;
        return true;
}

typedef struct SortContext {
        const PtField *field;
        const PtList *list;
} SortContext;

static int compare_indexes(const void *a, const void *b, void *userdata)
{
        const SortContext *context = userdata;

        return compare_items(context->field, context->list, *(const unsigned *) a,
                             *(const unsigned *) b);
}

/* Sorts a set by value; two equal members are most likely a slip, so both places are named. */
static int sort_set(const PtField *field, const char *pointer, PtDiagnostics *diag, PtList *list)
{
        SortContext context = {field, list};
        g_autofree unsigned *order = NULL;
        char *sorted;
        int r = 0;

        if (is_ascending(field, list)) /* what we wrote ourselves always is */
                return 0;
        order = g_new(unsigned, list->n);
        for (unsigned i = 0; i < list->n; i++)
                order[i] = i;
        g_qsort_with_data(order, (int) list->n, sizeof(*order), compare_indexes,
                          &context); /* stable */
        for (unsigned i = 1; i < list->n; i++) {
                g_autofree char *at = NULL;
                pt_auto_json *item = NULL;

                if (compare_items(field, list, order[i - 1], order[i]) != 0)
                        continue;
                at = g_strdup_printf("%s/%u", pointer, order[i]);
                item = field->type->to_json(field, pt_list_item(field, list, order[i]));
                pt_diag_error(diag, "duplicate", at,
                              "%s is given twice, first at %s/%u; remove one",
                              json_object_get_string(item), pointer, order[i - 1]);
                r = -EINVAL;
        }
        if (r < 0)
                return r;
        sorted = g_malloc_n(list->n, pt_item_size(field));
        for (unsigned i = 0; i < list->n; i++)
                memcpy(sorted + i * pt_item_size(field), pt_list_item(field, list, order[i]),
                       pt_item_size(field));
        g_free(list->items);
        list->items = sorted;
        return 0;
}

/* Items: a value of the type, or a struct with rows. */

struct json_object *pt_list_item_to_json(const PtField *field, const void *item, bool secrets)
{
        return pt_field_items(field) ? pt_fields_to_json(field->fields, item,
                                                         *pt_nested_present((void *) item), secrets)
                                     : field->type->to_json(field, item);
}

static void item_done(const PtField *field, void *item)
{
        if (pt_field_items(field))
                pt_fields_done(field->fields, item, *pt_nested_present(item));
        else if (field->type->done)
                field->type->done(field, item);
}

/* `to` is a bytewise copy. */
static void item_copy(const PtField *field, void *to, const void *from)
{
        if (pt_field_items(field))
                pt_fields_copy(field->fields, to, from, *pt_nested_present(to));
        else if (field->type->copy)
                field->type->copy(field, to, from);
}

/* An item that cannot be read stays zeroed. */
static int item_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *item)
{
        int r;

        if (!pt_field_items(field))
                return field->type->from_json(field, json, pointer, diag, item);
        r = pt_fields_from_json(field->fields, json, pointer, diag, item, pt_nested_present(item));
        if (r == 0 && !*pt_nested_present(item)) {
                pt_diag_error(diag, "empty-entry", pointer,
                              "an entry without fields says nothing; remove it, or give it some");
                r = -EINVAL;
        }
        if (r < 0) {
                item_done(field, item);
                memset(item, 0, field->item_size);
        }
        return r;
}

/* Makes allocated items those of a list, or keeps them in it when they fit. */
static void list_take(const PtField *field, PtList *list, const PtList *from)
{
        size_t size = from->n * pt_item_size(field);

        *list = *from;
        if (size > sizeof(list->small))
                return;
        list->items = memcpy(list->small, from->items, size);
        g_free(from->items);
}

int pt_list_from_json(const PtField *field, struct json_object *json, const char *pointer,
                      PtDiagnostics *diag, PtList *list)
{
        unsigned max = field->max_items ? field->max_items : PT_LIST_MAX;
        g_autoptr(GString) at = NULL;
        PtList items = {.items = NULL};
        size_t n, prefix_size;
        int r = 0;

        if (!json_object_is_type(json, json_type_array))
                return pt_wrong_type(json, pointer, diag, "write a list: %s",
                                     field->example ? field->example : "[...]");
        n = json_object_array_length(json);
        if (n == 0) {
                pt_diag_error(diag, "empty-list", pointer,
                              "an empty list says nothing; leave the field out, or give a value");
                return -EINVAL;
        }
        if (n > max) {
                pt_diag_error(diag, "too-long", pointer, "%zu entries are too many, at most %u%s%s",
                              n, max,
                              field->dataset ? "; put them as a dataset, and its digest into " : "",
                              field->dataset ? field->dataset : "");
                return -EFBIG;
        }
        at = g_string_new(pointer);
        prefix_size = at->len;
        items.items = g_malloc0_n(n, pt_item_size(field));
        for (size_t i = 0; i < n; i++) {
                g_string_truncate(at, prefix_size);
                g_string_append_c(at, '/');
                pt_canonical_integer((int64_t) i, at);
                if (item_from_json(field, json_object_array_get_idx(json, i), at->str, diag,
                                   (void *) pt_list_item(field, &items, items.n)) < 0)
                        r = -EINVAL;
                else
                        items.n++;
        }
        /* Only complete lists are sorted: otherwise the indexes in messages would be wrong. */
        if (r == 0 && !(field->flags & PT_F_ORDERED))
                r = sort_set(field, pointer, diag, &items);
        if (r < 0) {
                pt_list_done(field, &items);
                return r;
        }
        list_take(field, list, &items);
        return 0;
}

void pt_list_copy(const PtField *field, PtList *to, const PtList *from)
{
        PtList copy = {.items = g_malloc_n(from->n, pt_item_size(field)), .n = from->n};

        memcpy(copy.items, from->items, from->n * pt_item_size(field));
        for (unsigned i = 0; i < from->n; i++)
                item_copy(field, (void *) pt_list_item(field, &copy, i),
                          pt_list_item(field, from, i));
        list_take(field, to, &copy);
}

void pt_list_done(const PtField *field, PtList *list)
{
        for (unsigned i = 0; i < list->n; i++)
                item_done(field, (void *) pt_list_item(field, list, i));
        if (list->items != list->small)
                g_free(list->items);
        *list = (PtList){.items = NULL};
}
