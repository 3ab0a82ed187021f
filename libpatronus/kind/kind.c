/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

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
