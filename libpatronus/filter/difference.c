/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "difference.h"

#include "lines.h"

#include <string.h>

static void put_json(void *json)
{
        json_object_put(json);
}

static FwDifference *difference_new(void)
{
        FwDifference *difference = g_new0(FwDifference, 1);

        difference->lines = g_ptr_array_new_with_free_func(put_json);
        return difference;
}

void fw_difference_free(FwDifference *difference)
{
        if (!difference)
                return;
        g_ptr_array_unref(difference->lines);
        g_free(difference);
}

/* What the rules do. */

static int add_part(const FwCube *piece, const FwPair *pair, void *userdata)
{
        GArray *parts = userdata;
        FwPart part = {*piece, *pair};

        if (parts->len == FW_COMPARE_PIECES_MAX)
                return -E2BIG;
        g_array_append_val(parts, part);
        return 0;
}

static void add_lines(FwDifference *difference, const FwSpace *space, const GArray *parts)
{
        g_autoptr(GPtrArray) lines = fw_lines_new(space, parts, true);

        if (lines->len > FW_DIFFERENCE_READABLE) {
                g_ptr_array_unref(lines);
                lines = fw_lines_new(space, parts, false);
        }
        for (unsigned i = 0; i < lines->len; i++) {
                if (difference->lines->len == FW_DIFFERENCE_LINES_MAX) {
                        difference->partial = true;
                        return;
                }
                g_ptr_array_add(difference->lines,
                                fw_line_to_json(space, g_ptr_array_index(lines, i)));
        }
}

static int compare_rules(FwDifference *difference, const FwSource *before, const FwSource *after,
                         PtDiagnostics *diag)
{
        g_autoptr(FwPolicy) old = NULL, new = NULL;
        g_autoptr(FwSpace) space = NULL;
        g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(FwPart));
        int r = fw_policy_new(before, diag, &old);

        if (r >= 0)
                r = fw_policy_new(after, diag, &new);
        if (r < 0)
                return r;
        space = fw_space_new(fw_policy_zones(old, new));
        fw_policy_note(old, space);
        fw_policy_note(new, space);
        fw_space_settle(space);
        r = fw_policy_place(old, space);
        if (r >= 0)
                r = fw_policy_place(new, space);
        if (r < 0)
                return r;
        difference->partial = fw_policy_compare(old, new, add_part, parts) != 0;
        add_lines(difference, space, parts);
        return 0;
}

/* What is not told by packets. */

typedef struct Named {
        const PtKind *kind;
        const char *change;
        const char *changed; /* what is said of one that was there and is */
        FwDifference *difference;
} Named;

static int name_change(const PtObject *before, const PtObject *after, void *userdata)
{
        const Named *named = userdata;
        const PtObject *object = after ?: before;
        g_autofree char *name = NULL, *text = NULL;
        struct json_object *json;

        if (object->kind != named->kind)
                return 0;
        if (named->difference->lines->len == FW_DIFFERENCE_LINES_MAX) {
                named->difference->partial = true;
                return 1;
        }
        name = g_strdup_printf("%s/%s", object->kind->name, object->name);
        text = g_strdup_printf("%s %s", name,
                               !before  ? "is new"
                               : !after ? "is gone"
                                        : named->changed);
        json = json_object_new_object();
        json_object_object_add(json, "change", json_object_new_string(named->change));
        json_object_object_add(json, "object", json_object_new_string(name));
        json_object_object_add(json, "text", json_object_new_string(text));
        g_ptr_array_add(named->difference->lines, json);
        return 0;
}

static int compare_texts(const void *a, const void *b)
{
        struct json_object *x = json_object_object_get(*(struct json_object *const *) a, "text");
        struct json_object *y = json_object_object_get(*(struct json_object *const *) b, "text");

        return strcmp(json_object_get_string(x), json_object_get_string(y));
}

static void name_changes(FwDifference *difference, const FwSource *before, const FwSource *after,
                         const Named *named)
{
        unsigned n = difference->lines->len;
        Named copy = *named;

        copy.difference = difference;
        (void) pt_slice_compare(before->slice, after->slice, name_change, &copy);
        if (difference->lines->len - n > 1)
                qsort(difference->lines->pdata + n, difference->lines->len - n, sizeof(void *),
                      compare_texts);
}

int fw_difference_new(const FwSource *before, const FwSource *after, PtDiagnostics *diag,
                      FwDifference **ret)
{
        static const Named rest[] = {
                {&pt_kind_nat_rule, "nat", "translates otherwise", NULL},
                {&pt_kind_zone, "setting", "has changed: what belongs to it is not compared", NULL},
                {&pt_kind_filter_settings, "setting",
                 "has changed: what it does before the rules is not compared", NULL},
        };
        g_autoptr(FwDifference) difference = difference_new();
        int r = compare_rules(difference, before, after, diag);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < G_N_ELEMENTS(rest); i++)
                name_changes(difference, before, after, &rest[i]);
        *ret = g_steal_pointer(&difference);
        return 0;
}
