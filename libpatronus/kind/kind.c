/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

const PtKind *pt_kind_find(const char *name)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (g_ascii_strcasecmp((*kind)->name, name) == 0 ||
                    g_ascii_strcasecmp((*kind)->plural, name) == 0)
                        return *kind;
        return NULL;
}

const PtField *pt_kind_find_field(const PtKind *kind, const char *path)
{
        const PtField *fields = kind->fields, *field = NULL;
        g_auto(GStrv) words = g_strsplit(path, ".", PT_JSON_DEPTH_MAX);

        for (char **word = words; *word; word++) {
                field = fields ? pt_fields_find(fields, *word) : NULL;
                if (!field)
                        return NULL;
                fields = pt_field_nested(field);
        }
        return field;
}

static const char *const impacts[PT_IMPACT_MAX] = {
        [PT_IMPACT_LIVE] = "live",
        [PT_IMPACT_RELOAD] = "reload",
        [PT_IMPACT_RECREATE] = "recreate",
        [PT_IMPACT_DISRUPTIVE] = "disruptive",
};

const char *pt_impact_to_string(PtImpact impact)
{
        return impacts[impact];
}

PtImpact pt_impact_from_string(const char *text)
{
        for (int i = 0; i < PT_IMPACT_MAX; i++)
                if (strcmp(impacts[i], text) == 0)
                        return (PtImpact) i;
        return PT_IMPACT_INVALID;
}

static const PtBuiltin *find_builtin(const PtKind *kind, const char *name)
{
        for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++)
                if (strcmp(builtin->name, name) == 0)
                        return builtin;
        return NULL;
}

bool pt_kind_has_builtin(const PtKind *kind, const char *name)
{
        return find_builtin(kind, name) != NULL;
}

PtObject *pt_kind_builtin(const PtKind *kind, const char *name)
{
        const PtBuiltin *builtin = find_builtin(kind, name);
        pt_auto_json *spec = NULL;
        PtObject *object;

        if (!builtin)
                return NULL;
        object = pt_object_new(kind, name);
        object->meta = g_new0(PtMeta, 1);
        object->meta->description = g_strdup(builtin->doc);
        /* Compiled in, and all of them parsed by a test: what fails here is not input. */
        if (pt_json_parse(builtin->spec, strlen(builtin->spec), NULL, &spec) < 0 ||
            pt_fields_from_json(kind->fields, spec, "/spec", NULL, object, &object->present) < 0)
                g_error("the built-in %s/%s is malformed", kind->name, name);
        pt_object_seal(object);
        return object;
}
