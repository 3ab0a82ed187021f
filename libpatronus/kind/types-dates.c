/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* Days of the calendar (ISO 8601): one, "2026-12-24"; the first and the last of several,
 * "2026-12-24/2027-01-06"; or one of every year, "12-24". */

#define DATE_PATTERN "[0-9]{4}-[0-9]{2}-[0-9]{2}"

static void dates_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, "^(" DATE_PATTERN "(/" DATE_PATTERN ")?|[0-9]{2}-[0-9]{2})$");
}

static bool parse_number(const char *text, size_t size, uint16_t *ret)
{
        uint16_t value = 0;

        for (size_t i = 0; i < size; i++) {
                if (!g_ascii_isdigit(text[i]))
                        return false;
                value = (uint16_t) (10 * value + text[i] - '0');
        }
        *ret = value;
        return true;
}

/* "12-24" at `text`; of a year without number any that has the day. */
static bool parse_day(const char *text, uint16_t year, PtDate *ret)
{
        uint16_t month, day;

        if (!parse_number(text, 2, &month) || text[2] != '-' || !parse_number(text + 3, 2, &day) ||
            day == 0 || month == 0 || month > 12 ||
            day > g_date_get_days_in_month((GDateMonth) month, year ?: 2000))
                return false;
        *ret = (PtDate){year, (uint8_t) month, (uint8_t) day};
        return true;
}

bool pt_date_parse(const char *text, PtDate *ret)
{
        uint16_t year;

        return parse_number(text, 4, &year) && year >= PT_DATE_YEAR_MIN && text[4] == '-' &&
               parse_day(text + 5, year, ret);
}

int pt_date_compare(const PtDate *a, const PtDate *b)
{
        if (a->year != b->year)
                return a->year < b->year ? -1 : 1;
        if (a->month != b->month)
                return a->month < b->month ? -1 : 1;
        return (a->day > b->day) - (a->day < b->day);
}

static int invalid_dates(const char *text, const char *pointer, PtDiagnostics *diag)
{
        pt_diag_error(diag, "invalid-date", pointer,
                      "\"%s\" is no day of the calendar; write \"2026-12-24\", a first and a last "
                      "day \"2026-12-24/2027-01-06\", or a day of every year \"12-24\"",
                      text);
        return -EINVAL;
}

static int dates_from_json(const PtField *field, struct json_object *json, const char *pointer,
                           PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        size_t size = text ? strlen(text) : 0;
        PtDates dates;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag, "write a day: \"2026-12-24\"");
        if (size == strlen("12-24")) {
                if (!parse_day(text, 0, &dates.first))
                        return invalid_dates(text, pointer, diag);
                dates.last = dates.first;
        } else if (size == strlen("2026-12-24")) {
                if (!pt_date_parse(text, &dates.first))
                        return invalid_dates(text, pointer, diag);
                dates.last = dates.first;
        } else if (size != strlen("2026-12-24/2026-12-26") || text[10] != '/' ||
                   !pt_date_parse(text, &dates.first) || !pt_date_parse(text + 11, &dates.last)) {
                return invalid_dates(text, pointer, diag);
        }
        if (pt_date_compare(&dates.first, &dates.last) > 0) {
                pt_diag_error(diag, "invalid-date", pointer,
                              "\"%s\" ends before it begins; write the earlier day first", text);
                return -EINVAL;
        }
        *(PtDates *) value = dates;
        return 0;
}

static void append_date(const PtDate *date, GString *out)
{
        if (date->year)
                g_string_append_printf(out, "%04u-", date->year);
        g_string_append_printf(out, "%02u-%02u", date->month, date->day);
}

static struct json_object *dates_to_json(const PtField *field, const void *value)
{
        const PtDates *dates = value;
        g_autoptr(GString) text = g_string_new(NULL);

        (void) field;
        append_date(&dates->first, text);
        if (pt_date_compare(&dates->first, &dates->last) != 0) {
                g_string_append_c(text, '/');
                append_date(&dates->last, text);
        }
        return json_object_new_string(text->str);
}

/* Those of every year first. */
static int dates_compare(const void *a, const void *b)
{
        const PtDates *x = a, *y = b;
        int r = pt_date_compare(&x->first, &y->first);

        return r != 0 ? r : pt_date_compare(&x->last, &y->last);
}

const PtType pt_type_dates = {
        .name = "dates",
        .signature = "s",
        .size = sizeof(PtDates),
        .syntax = "YYYY-MM-DD, YYYY-MM-DD/YYYY-MM-DD or MM-DD",
        .schema = dates_schema,
        .from_json = dates_from_json,
        .to_json = dates_to_json,
        .from_text = pt_text_from_text,
        .compare = dates_compare,
};
