/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "base/text.h"
#include <string.h>

/* A span of time, in microseconds; as text what pt_duration_parse() takes. The row's `min` and
 * `max` are microseconds too. */
#define DURATION_PATTERN                                                                           \
        "^([0-9]{1,12}w)?([0-9]{1,12}d)?([0-9]{1,12}h)?([0-9]{1,12}m)?([0-9]{1,12}s)?"             \
        "([0-9]{1,12}ms)?$"

static void duration_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, DURATION_PATTERN);
        json_object_object_add(schema, "minLength", json_object_new_int(2));
}

/* All of it, the largest units first: the same span is the same text. */
static void format(uint64_t usec, GString *out)
{
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                {"w", 7 * 24 * 3600 * G_GUINT64_CONSTANT(1000000)},
                {"d", 24 * 3600 * G_GUINT64_CONSTANT(1000000)},
                {"h", 3600 * G_GUINT64_CONSTANT(1000000)},
                {"m", 60 * G_GUINT64_CONSTANT(1000000)},
                {"s", 1000000},
                {"ms", 1000},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
                if (usec >= units[i].usec)
                        g_string_append_printf(out, "%" PRIu64 "%s", usec / units[i].usec,
                                               units[i].name);
                usec %= units[i].usec;
        }
}

static int refuse_span(const PtField *field, const char *text, const char *pointer,
                       PtDiagnostics *diag)
{
        g_autoptr(GString) from = g_string_new(NULL), to = g_string_new(NULL);

        format(MAX(field->min, 1000), from);
        format(field->max ? (uint64_t) field->max : PT_DURATION_MAX_USEC, to);
        pt_diag_error(diag, "out-of-range", pointer, "%s is out of range %s-%s", text, from->str,
                      to->str);
        return -ERANGE;
}

static int duration_from_json(const PtField *field, struct json_object *json, const char *pointer,
                              PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        uint64_t usec;
        int r;

        if (!text)
                return pt_wrong_type(json, pointer, diag, "write %s", PT_DURATION_SYNTAX);
        r = pt_duration_parse(text, &usec);
        if (r == -ERANGE)
                return refuse_span(field, text, pointer, diag);
        if (r < 0) {
                pt_diag_error(diag, "invalid-duration", pointer, "\"%s\" is no span of time: %s",
                              text, PT_DURATION_SYNTAX);
                return -EINVAL;
        }
        if ((int64_t) usec < field->min || (field->max && (int64_t) usec > field->max))
                return refuse_span(field, text, pointer, diag);
        *(uint64_t *) value = usec;
        return 0;
}

static struct json_object *duration_to_json(const PtField *field, const void *value)
{
        g_autoptr(GString) text = g_string_new(NULL);

        (void) field;
        format(*(const uint64_t *) value, text);
        return json_object_new_string(text->str);
}

static int duration_compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return (x > y) - (x < y);
}

const PtType pt_type_duration = {
        .name = "duration",
        .signature = "s",
        .size = sizeof(uint64_t),
        .syntax = PT_DURATION_SYNTAX,
        .schema = duration_schema,
        .from_json = duration_from_json,
        .to_json = duration_to_json,
        .from_text = pt_text_from_text,
        .compare = duration_compare,
};
