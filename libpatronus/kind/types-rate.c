/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* How often: "10/second", "600/minute", "5/hour", "1/day". As written: 60/minute is not 1/second,
 * since what comes at once is not the same. */

static const PtChoice units[] = {
        {"second", 1, NULL}, {"minute", 60, NULL}, {"hour", 3600, NULL}, {"day", 86400, NULL}, {},
};

#define RATE_MAX 1000000

static void rate_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, "^[1-9][0-9]{0,6}/(second|minute|hour|day)$");
}

static int invalid_rate(const char *text, const char *pointer, PtDiagnostics *diag)
{
        pt_diag_error(diag, "invalid-rate", pointer,
                      "\"%s\" is not a rate; write 1-%d in a second, minute, hour or day: "
                      "10/second",
                      text, RATE_MAX);
        return -EINVAL;
}

static int rate_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json), *slash = text ? strchr(text, '/') : NULL;
        uint64_t count;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag, "write a rate: 10/second");
        if (!slash || pt_parse_unsigned(text, (size_t) (slash - text), RATE_MAX, &count) < 0 ||
            count == 0)
                return invalid_rate(text, pointer, diag);
        for (const PtChoice *unit = units; unit->name; unit++)
                if (strcmp(unit->name, slash + 1) == 0) {
                        *(PtRate *) value = (PtRate){(uint32_t) count, (uint32_t) unit->value};
                        return 0;
                }
        return invalid_rate(text, pointer, diag);
}

static struct json_object *rate_to_json(const PtField *field, const void *value)
{
        const PtRate *rate = value;
        g_autofree char *text = NULL;

        (void) field;
        for (const PtChoice *unit = units; unit->name; unit++)
                if (unit->value == (int) rate->seconds)
                        text = g_strdup_printf("%u/%s", rate->count, unit->name);
        return json_object_new_string(text);
}

/* The slower first. */
static int rate_compare(const void *a, const void *b)
{
        const PtRate *x = a, *y = b;
        uint64_t p = (uint64_t) x->count * y->seconds, q = (uint64_t) y->count * x->seconds;

        return p != q ? (p > q) - (p < q) : (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void rate_complete(const PtField *field, GString *out)
{
        (void) field;
        for (const PtChoice *unit = units; unit->name; unit++)
                g_string_append_printf(out, "10/%s\n", unit->name);
}

const PtType pt_type_rate = {
        .name = "rate",
        .signature = "s",
        .size = sizeof(PtRate),
        .syntax = "COUNT/second, /minute, /hour or /day",
        .schema = rate_schema,
        .from_json = rate_from_json,
        .to_json = rate_to_json,
        .from_text = pt_text_from_text,
        .compare = rate_compare,
        .complete = rate_complete,
};
