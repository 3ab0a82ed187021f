/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conflict.h"

#include "changes.h"

#include "kind/describe.h"

#define NAMES_SHOWN 5   /* objects in a sentence */
#define VALUE_SHOWN 120 /* bytes of a value in a sentence; the reply's data has all of it */

static void entry_free(void *data)
{
        ConflictEntry *entry = data;

        g_free(entry->kind);
        g_free(entry->name);
        g_free(entry->base);
        g_free(entry->mine);
        g_free(entry->theirs);
        g_free(entry);
}

GPtrArray *conflict_entries_new(void)
{
        return g_ptr_array_new_with_free_func(entry_free);
}

int conflict_append(const GPtrArray *entries, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        for (guint i = 0; i < entries->len && r >= 0; i++) {
                const ConflictEntry *entry = g_ptr_array_index(entries, i);

                r = entry->base ? sd_bus_message_append(m, "a{sv}", 5, "kind", "s", entry->kind,
                                                        "name", "s", entry->name, "base", "s",
                                                        entry->base, "mine", "s", entry->mine,
                                                        "theirs", "s", entry->theirs)
                                : sd_bus_message_append(m, "a{sv}", 2, "kind", "s", entry->kind,
                                                        "name", "s", entry->name);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static char *object_text(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        if (object) {
                pt_auto_json *json = pt_object_to_json(object, false);

                pt_json_to_canonical(json, out);
        }
        return g_string_free(out, FALSE);
}

/* Without the objects when `*room` is not enough for them. */
static void add_entry(GPtrArray *entries, const Conflict *conflict, size_t *room)
{
        const PtObject *object = conflict_object(conflict);
        ConflictEntry *entry = g_new0(ConflictEntry, 1);
        g_autofree char *base = object_text(conflict->base), *mine = object_text(conflict->mine),
                        *theirs = object_text(conflict->theirs);
        size_t size = strlen(base) + strlen(mine) + strlen(theirs);

        entry->kind = g_strdup(object->kind->name);
        entry->name = g_strdup(object->name);
        if (size <= *room) {
                *room -= size;
                entry->base = g_steal_pointer(&base);
                entry->mine = g_steal_pointer(&mine);
                entry->theirs = g_steal_pointer(&theirs);
        }
        g_ptr_array_add(entries, entry);
}

/* For people. */

/* "revision 9 (by alice)" */
static char *running_text(const ConflictSides *sides)
{
        return sides->author ? g_strdup_printf("revision %" PRIu64 " (by %s)", sides->running,
                                               sides->author)
                             : g_strdup_printf("revision %" PRIu64, sides->running);
}

/* A value, cut at a character's edge. */
static char *value_text(const char *value)
{
        const char *end;

        if (!value)
                return g_strdup("none");
        if (strlen(value) <= VALUE_SHOWN)
                return g_strdup(value);
        end = g_utf8_find_prev_char(value, value + VALUE_SHOWN + 1);
        return g_strdup_printf("%.*s...", (int) (end - value), value);
}

static const PtChange *find_change(const GPtrArray *changes, const char *pointer)
{
        for (guint i = 0; i < changes->len; i++) {
                const PtChange *change = g_ptr_array_index(changes, i);

                if (g_str_equal(change->pointer, pointer))
                        return change;
        }
        return NULL;
}

static void tell_both(PtDiagnostics *diag, const PtChange *mine, const PtChange *theirs)
{
        g_autofree char *base = value_text(mine->before), *here = value_text(mine->after),
                        *there = value_text(theirs->after);

        pt_diag_error(diag, "conflict", mine->pointer,
                      "both changed this: base %s, yours %s, theirs %s", base, here, there);
}

static void tell_one(PtDiagnostics *diag, const PtChange *change, bool mine)
{
        g_autofree char *base = value_text(change->before), *now = value_text(change->after);

        pt_diag_error(diag, "conflict", change->pointer, "%s changed this: base %s, %s %s",
                      mine ? "you" : "they", base, mine ? "yours" : "theirs", now);
}

/* All three are there. */
static void tell_fields(const Conflict *conflict, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) mine = pt_object_diff(conflict->base, conflict->mine, false),
                             theirs = pt_object_diff(conflict->base, conflict->theirs, false),
                             between = pt_object_diff(conflict->mine, conflict->theirs, false);

        for (guint i = 0; i < mine->len; i++) {
                const PtChange *change = g_ptr_array_index(mine, i),
                               *other = find_change(theirs, change->pointer);

                if (!other)
                        tell_one(diag, change, true);
                else if (find_change(between, change->pointer)) /* else both did the same */
                        tell_both(diag, change, other);
        }
        for (guint i = 0; i < theirs->len; i++) {
                const PtChange *change = g_ptr_array_index(theirs, i);

                if (!find_change(mine, change->pointer))
                        tell_one(diag, change, false);
        }
}

static void tell_created(const Conflict *conflict, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) fields = pt_object_diff(conflict->mine, conflict->theirs, false);

        for (guint i = 0; i < fields->len; i++) {
                const PtChange *field = g_ptr_array_index(fields, i);
                g_autofree char *here = value_text(field->before),
                                *there = value_text(field->after);

                pt_diag_error(diag, "conflict", field->pointer,
                              "both created it: yours %s, theirs %s", here, there);
        }
}

/* "deleted", "changed" or "renamed to \"shop\"" */
static char *what_became(const PtObject *base, const PtObject *side)
{
        if (!side)
                return g_strdup("deleted");
        if (!g_str_equal(base->name, side->name))
                return g_strdup_printf("renamed to \"%s\"", side->name);
        return g_strdup("changed");
}

static void tell_object(const Conflict *conflict, const ConflictSides *sides, PtDiagnostics *diag)
{
        g_autofree char *here = what_became(conflict->base, conflict->mine),
                        *there = what_became(conflict->base, conflict->theirs),
                        *running = running_text(sides);

        pt_diag_error(diag, "conflict", NULL, "this was %s here, and %s up to %s", here, there,
                      running);
}

static void tell(const Conflict *conflict, const ConflictSides *sides, PtDiagnostics *diag)
{
        const PtObject *object = conflict_object(conflict);

        pt_diag_set_subject(diag, "%s/%s", object->kind->name, object->name);
        if (conflict->beside)
                pt_diag_error(diag, "conflict", "/metadata/position",
                              "both changed the order: you placed this with regard to %s/%s, which "
                              "was placed elsewhere up to revision %" PRIu64,
                              conflict->beside->kind->name, conflict->beside->name, sides->running);
        else if (!conflict->base)
                tell_created(conflict, diag);
        else if (conflict->mine && conflict->theirs &&
                 pt_object_compare_identity(conflict->mine, conflict->theirs) == 0)
                tell_fields(conflict, diag);
        else
                tell_object(conflict, sides, diag);
        pt_diag_set_subject(diag, NULL);
}

static void tell_summary(const Merge *merge, const ConflictSides *sides, PtDiagnostics *diag)
{
        g_autofree char *running = running_text(sides);

        if (merge->conflicts->len > 0)
                pt_diag_error(diag, "conflict", NULL,
                              "%s is running, and this session began on %" PRIu64
                              ": %u object%s changed on both sides",
                              running, sides->base, merge->conflicts->len,
                              merge->conflicts->len == 1 ? " was" : "s were");
        else
                pt_diag_error(diag, "conflict", NULL,
                              "%s is running, and this session began on %" PRIu64
                              ": rebase it, or let it be merged; nothing changed on both sides",
                              running, sides->base);
}

void conflict_report(const Merge *merge, const ConflictSides *sides, GPtrArray *entries,
                     PtDiagnostics *diag)
{
        size_t room = CONFLICT_TEXT_MAX;

        if (merge->prefer == MERGE_REPORT)
                tell_summary(merge, sides, diag);
        for (guint i = 0; i < merge->conflicts->len; i++) {
                const Conflict *conflict = &g_array_index(merge->conflicts, Conflict, i);

                if (i < CONFLICTS_MAX)
                        add_entry(entries, conflict, &room);
                if (merge->prefer == MERGE_REPORT)
                        tell(conflict, sides, diag);
        }
}

/* What changed between two slices, by name. */
static char *names_text(PtSlice *before, PtSlice *after)
{
        g_autoptr(Changes) changes = changes_new(before, after);

        return changes->list->len > 0 ? changes_names(changes, NAMES_SHOWN) : g_strdup("nothing");
}

void conflict_tell_merged(const Merge *merge, const ConflictSides *sides, PtDiagnostics *diag)
{
        g_autofree char *theirs = names_text(merge->base, merge->theirs),
                        *running = running_text(sides);

        pt_diag_notice(diag, "merged", NULL,
                       "your change, begun on revision %" PRIu64 ", was merged with %s, which "
                       "changed %s",
                       sides->base, running, theirs);
}

void conflict_tell_misfit(const Merge *merge, const ConflictSides *sides, PtDiagnostics *diag)
{
        g_autofree char *mine = names_text(merge->base, merge->mine),
                        *theirs = names_text(merge->base, merge->theirs),
                        *running = running_text(sides);

        pt_diag_error(diag, "conflict", NULL,
                      "your change, begun on revision %" PRIu64 " (%s), does not go together with "
                      "%s (%s): see what is wrong with both",
                      sides->base, mine, running, theirs);
}
