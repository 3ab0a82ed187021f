/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include <string.h>

/* Who hears it. */
typedef struct Teller {
        PtPropertyFunc each;
        void *userdata;
} Teller;

static void say(const Teller *to, const char *label, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void say(const Teller *to, const char *label, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        to->each(label, text, to->userdata);
}

static const char *impact_words(PtImpact impact)
{
        switch (impact) {
        case PT_IMPACT_LIVE:
                return "live: a change interrupts nothing";
        case PT_IMPACT_RELOAD:
                return "reload: the service reads its configuration again";
        case PT_IMPACT_RECREATE:
                return "recreate: what it describes is removed and made again";
        case PT_IMPACT_DISRUPTIVE:
                return "disruptive: connections break";
        case PT_IMPACT_MAX:
        case PT_IMPACT_INVALID:
                break;
        }
        return "unknown";
}

static void tell_type(const Teller *to, const PtField *field)
{
        if (!(field->flags & PT_F_LIST))
                say(to, "type", "%s", field->type->name);
        else if (field->flags & PT_F_ORDERED)
                say(to, "type", "list of %s, in order", field->type->name);
        else
                say(to, "type", "list of %s; the order has no meaning", field->type->name);
        say(to, "syntax", "%s%s", field->type->syntax, field->flags & PT_F_LIST ? ", each" : "");
}

static void tell_limits(const Teller *to, const PtField *field)
{
        if (field->min || field->max)
                say(to, "limits", "%" PRId64 "-%" PRId64 "%s%s", field->min, field->max,
                    field->unit ? " " : "", field->unit ? field->unit : "");
        else if (field->unit)
                say(to, "unit", "%s", field->unit);
        if (field->flags & PT_F_LIST)
                say(to, "limits", "1-%u entries",
                    field->max_items ? field->max_items : PT_LIST_MAX);
}

static void tell_flags(const Teller *to, const PtField *field)
{
        static const struct {
                PtFieldFlags flag;
                const char *words;
        } flags[] = {
                {PT_F_REQUIRED, "every object has it"},
                {PT_F_IMMUTABLE, "cannot be changed later"},
                {PT_F_READONLY, "is set by the system"},
                {PT_F_SECRET, "is secret: it is sealed and never shown"},
                {PT_F_DEPRECATED, "will go away: do not use it in new configurations"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
                if (field->flags & flags[i].flag)
                        say(to, "note", "%s", flags[i].words);
}

void pt_field_foreach_property(const PtField *field, PtPropertyFunc each, void *userdata)
{
        const Teller teller = {each, userdata}, *to = &teller;

        tell_type(to, field);
        for (const PtChoice *choice = field->choices; choice && choice->name; choice++)
                say(to, choice == field->choices ? "words" : "", "%s%s%s", choice->name,
                    choice->doc ? ": " : "", choice->doc ? choice->doc : "");
        say(to, "default", "%s", field->def ? field->def : "none");
        tell_limits(to, field);
        if (field->ref)
                say(to, "refers to", "%s", field->ref);
        tell_flags(to, field);
        say(to, "impact", "%s", impact_words(field->impact));
        if (field->since)
                say(to, "since", "version %s", field->since);
}

/* "NatRule.filterRule", …: rows of the tables that refer to the kind. */
static void append_referrers(GString *out, const char *before, const PtField *fields,
                             const PtKind *kind)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *path = g_strconcat(before, ".", field->name, NULL);

                if (field->ref && strcmp(field->ref, kind->name) == 0)
                        g_string_append_printf(out, "%s%s", out->len ? ", " : "", path);
                if (field->fields)
                        append_referrers(out, path, field->fields, kind);
        }
}

char *pt_kind_referrers(const PtKind *kind)
{
        GString *out = g_string_new(NULL);

        for (const PtKind *const *other = pt_kinds(); *other; other++)
                append_referrers(out, (*other)->name, (*other)->fields, kind);
        return g_string_free(out, FALSE);
}
