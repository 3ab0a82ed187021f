/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* A moment (ISO 8601, RFC 3339): "2026-12-24T18:00:00Z", "2026-12-24T18:00+01:00"; without a zone, as
 * clocks show it where the machine is. */

#define MOMENT_PATTERN                                                                             \
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?$"

static void moment_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, MOMENT_PATTERN);
}

/* "18:00" at *text, and behind it. */
static bool parse_clock(const char **text, unsigned *ret_minute)
{
        const char *at = *text;
        unsigned hour, minute;

        for (unsigned i = 0; i < strlen("00:00"); i++)
                if (i == 2 ? at[i] != ':' : !g_ascii_isdigit(at[i]))
                        return false;
        hour = (unsigned) (10 * (at[0] - '0') + at[1] - '0');
        minute = (unsigned) (10 * (at[3] - '0') + at[4] - '0');
        *text += strlen("00:00");
        *ret_minute = 60 * hour + minute;
        return hour <= 23 && minute <= 59;
}

/* ":30", if there is one. */
static bool parse_second(const char **text, unsigned *ret)
{
        const char *at = *text;

        *ret = 0;
        if (*at != ':')
                return true;
        if (!g_ascii_isdigit(at[1]) || !g_ascii_isdigit(at[2]))
                return false;
        *ret = (unsigned) (10 * (at[1] - '0') + at[2] - '0');
        *text += strlen(":00");
        return *ret <= 59;
}

static bool parse_zone(const char *text, PtMoment *ret)
{
        unsigned minute;
        char sign = *text;

        ret->zoned = sign != '\0';
        if (!ret->zoned)
                return true;
        text++;
        if (sign == 'Z')
                return *text == '\0';
        if ((sign != '+' && sign != '-') || !parse_clock(&text, &minute))
                return false;
        ret->offset = (int16_t) (sign == '-' ? -(int) minute : (int) minute);
        return *text == '\0';
}

static bool parse(const char *text, PtMoment *ret)
{
        unsigned minute, second;

        if (!pt_date_parse(text, &ret->date) || text[10] != 'T')
                return false;
        text += strlen("2026-12-24T");
        if (!parse_clock(&text, &minute) || !parse_second(&text, &second))
                return false;
        ret->second = 60 * minute + second;
        return parse_zone(text, ret);
}

static int moment_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        PtMoment moment = {};

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a day and a time: \"2026-12-24T18:00:00\"");
        if (!parse(text, &moment)) {
                pt_diag_error(diag, "invalid-moment", pointer,
                              "\"%s\" is no day and time; write \"2026-12-24T18:00:00\", and a "
                              "zone behind it (Z, +01:00) if it is not the machine's",
                              text);
                return -EINVAL;
        }
        *(PtMoment *) value = moment;
        return 0;
}

static struct json_object *moment_to_json(const PtField *field, const void *value)
{
        const PtMoment *moment = value;
        unsigned second = moment->second, offset = (unsigned) ABS(moment->offset);
        g_autoptr(GString) text = g_string_new(NULL);

        (void) field;
        g_string_printf(text, "%04u-%02u-%02uT%02u:%02u:%02u", moment->date.year,
                        moment->date.month, moment->date.day, second / 3600, second / 60 % 60,
                        second % 60);
        if (moment->zoned && offset == 0)
                g_string_append_c(text, 'Z');
        else if (moment->zoned)
                g_string_append_printf(text, "%c%02u:%02u", moment->offset < 0 ? '-' : '+',
                                       offset / 60, offset % 60);
        return json_object_new_string(text->str);
}

/* As they are written: which of two is earlier depends on where the machine is. */
static int moment_compare(const void *a, const void *b)
{
        const PtMoment *x = a, *y = b;
        int r = pt_date_compare(&x->date, &y->date);

        if (r != 0)
                return r;
        if (x->second != y->second)
                return x->second < y->second ? -1 : 1;
        if (x->zoned != y->zoned)
                return x->zoned ? 1 : -1;
        return (x->offset > y->offset) - (x->offset < y->offset);
}

const PtType pt_type_moment = {
        .name = "moment",
        .signature = "s",
        .size = sizeof(PtMoment),
        .syntax = "YYYY-MM-DDTHH:MM:SS, perhaps with Z or +HH:MM",
        .schema = moment_schema,
        .from_json = moment_from_json,
        .to_json = moment_to_json,
        .from_text = pt_text_from_text,
        .compare = moment_compare,
};
