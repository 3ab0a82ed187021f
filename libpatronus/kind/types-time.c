/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* A time of day as clocks on walls show it: "08:00", "23:59". */

#define TIME_PATTERN "^([01][0-9]|2[0-3]):[0-5][0-9]$"

static void time_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, TIME_PATTERN);
}

static bool parse_two(const char *text, unsigned max, unsigned *ret)
{
        if (!g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]))
                return false;
        *ret = (unsigned) (10 * (text[0] - '0') + text[1] - '0');
        return *ret <= max;
}

static int time_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        unsigned hour, minute;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag, "write a time of day: \"08:00\"");
        if (strlen(text) != strlen("00:00") || text[2] != ':' || !parse_two(text, 23, &hour) ||
            !parse_two(text + 3, 59, &minute)) {
                pt_diag_error(diag, "invalid-time", pointer,
                              "\"%s\" is not a time of day; write hours and minutes, \"00:00\" to "
                              "\"23:59\"",
                              text);
                return -EINVAL;
        }
        ((PtTime *) value)->minute = (uint16_t) (60 * hour + minute);
        return 0;
}

static struct json_object *time_to_json(const PtField *field, const void *value)
{
        unsigned minute = ((const PtTime *) value)->minute;
        char text[sizeof("00:00")];

        (void) field;
        g_snprintf(text, sizeof(text), "%02u:%02u", minute / 60 % 24, minute % 60);
        return json_object_new_string(text);
}

static int time_compare(const void *a, const void *b)
{
        return (int) ((const PtTime *) a)->minute - (int) ((const PtTime *) b)->minute;
}

const PtType pt_type_time = {
        .name = "time",
        .signature = "s",
        .size = sizeof(PtTime),
        .syntax = "HOURS:MINUTES, 00:00 to 23:59",
        .schema = time_schema,
        .from_json = time_from_json,
        .to_json = time_to_json,
        .from_text = pt_text_from_text,
        .compare = time_compare,
};
