/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Lists of structs: what Schedule.windows is an example of. */

#include "bus/bus.h"

#include "bus-message.h"
#include "kind-unit.h"

#include "kind/describe.h"
#include "kind/field.h"
#include "kind/vardict.h"

#define SCHEDULE(spec)                                                                             \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"Schedule\",\"metadata\":{\"name\":\"s\"},\"spec\":{" spec "}}"

static const char two[] = "{\"windows\":[{\"days\":[\"mon\",\"fri\"],\"end\":\"17:00\",\"start\":"
                          "\"08:00\"},{\"dates\":[\"12-24\",\"2026-12-31/2027-01-02\"]}]}";

static char *spec_text(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_fields_to_canonical(object->kind->fields, object, object->present, out);
        return g_string_free(out, FALSE);
}

static void test_in_and_out(void **state)
{
        PtObject *object = unit_object(
                SCHEDULE("\"windows\":[{\"start\":\"08:00\",\"end\":\"17:00\",\"days\":[\"fri\","
                         "\"mon\"]},{\"dates\":[\"2026-12-31/2027-01-02\",\"12-24\"]}]"));
        const Schedule *schedule = (const Schedule *) object;
        const FwWindow *windows = schedule->windows.items;
        g_autofree char *text = spec_text(object), *json_text = NULL;
        pt_auto_json *json = pt_fields_to_json(object->kind->fields, object, object->present, true);
        GString *out = g_string_new(NULL);
        Schedule copy = *schedule;

        assert_int_equal(schedule->windows.n, 2); /* in their order */
        assert_int_equal(windows[0].start.minute, 480);
        assert_int_equal(windows[0].days.n, 2);
        assert_int_equal(windows[0].present,
                         1 << FW_WINDOW_DAYS | 1 << FW_WINDOW_START | 1 << FW_WINDOW_END);
        assert_int_equal(windows[1].dates.n, 2);
        assert_string_equal(text, two);
        pt_json_to_canonical(json, out);
        json_text = g_string_free(out, FALSE);
        assert_string_equal(json_text, two);
        /* a copy owns what it has */
        pt_fields_copy(object->kind->fields, &copy, object, object->present);
        assert_ptr_not_equal(copy.windows.items, schedule->windows.items);
        pt_object_unref(object);
        assert_int_equal(((const FwWindow *) copy.windows.items)[1].dates.n, 2);
        pt_fields_done(pt_kind_schedule.fields, &copy, 1 << SCHEDULE_WINDOWS);
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {SCHEDULE("\"windows\":[{},{\"start\":\"08:00\"}]"), "empty-entry",
                 "/spec/windows/0", "says nothing"},
                {SCHEDULE("\"windows\":[{\"end\":\"08:00\"},{\"start\":\"8\"}]"), "invalid-time",
                 "/spec/windows/1/start", "23:59"},
                {SCHEDULE("\"windows\":[{\"day\":[\"mon\"]}]"), "unknown-field",
                 "/spec/windows/0/day", "did you mean \"days\""},
                {SCHEDULE("\"windows\":[{\"days\":[\"mon\",\"tu\"]}]"), "unknown-value",
                 "/spec/windows/0/days/1", "tue"},
                {SCHEDULE("\"windows\":[7]"), "wrong-type", "/spec/windows/0", "mapping"},
                {SCHEDULE("\"windows\":{\"start\":\"08:00\"}"), "wrong-type", "/spec/windows",
                 "write a list"},
                {SCHEDULE("\"windows\":[]"), "empty-list", "/spec/windows", "leave the field out"},
                {SCHEDULE("\"except\":[\"12-24\"]"), "required", "/spec/windows", "windows"},
                {SCHEDULE("\"windows\":[{\"start\":\"08:00\"}],\"timeZone\":\"../../etc/x\""),
                 "invalid-time-zone", "/spec/timeZone", "Europe/Vienna"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_int_equal(pt_diag_count(diag), 1);
                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

static void test_command_line(void **state)
{
        static const char *const texts[] = {
                "windows=[{days: [mon, fri], start: \"08:00\", end: \"17:00\"},"
                " {dates: [12-24, 2026-12-31/2027-01-02]}]",
                "windows=[{\"days\":[\"mon\",\"fri\"],\"start\":\"08:00\",\"end\":\"17:00\"},"
                "{\"dates\":[\"12-24\",\"2026-12-31/2027-01-02\"]}]",
        };
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_object_new_object();

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                pt_auto_json *spec = json_object_new_object();
                GString *out = g_string_new(NULL);
                g_autofree char *text = NULL;
                Schedule schedule = {};
                uint64_t present = 0;

                assert_int_equal(pt_fields_set_text(pt_kind_schedule.fields, texts[i], diag, spec),
                                 0);
                assert_int_equal(pt_fields_from_json(pt_kind_schedule.fields, spec, "", diag,
                                                     &schedule, &present),
                                 0);
                pt_fields_to_canonical(pt_kind_schedule.fields, &schedule, present, out);
                text = g_string_free(out, FALSE);
                assert_string_equal(text, two);
                pt_fields_done(pt_kind_schedule.fields, &schedule, present);
        }
        /* one alone needs no brackets; fields of one of several have no name */
        assert_int_equal(pt_fields_set_text(pt_kind_schedule.fields, "windows={start: \"08:00\"}",
                                            diag, json),
                         0);
        assert_int_equal(
                pt_fields_set_text(pt_kind_schedule.fields, "windows.start=09:00", diag, json),
                -EINVAL);
        assert_diag(diag, "unknown-field", "/spec/windows/start", "no fields of its own");
}

static void test_bus(void **state)
{
        UnitBus unit;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL, *back = NULL;

        unit_bus_open(&unit);
        assert_int_equal(pt_json_parse(two, strlen(two), diag, &json), 0);
        {
                pt_auto_message *m = unit_bus_message(&unit);

                assert_int_equal(pt_fields_append(pt_kind_schedule.fields, json, m), 0);
                unit_bus_turn(m);
                assert_string_equal(sd_bus_message_get_signature(m, true), "a{sv}");
                assert_int_equal(pt_fields_read(pt_kind_schedule.fields, m, diag, &back), 0);
                assert_true(json_object_equal(json, back));
        }
        {
                pt_auto_message *m = unit_bus_message(&unit);
                pt_auto_json *bad = NULL;

                assert_true(sd_bus_message_append(m, "a{sv}", 1, "windows", "aa{sv}", 2, 1, "start",
                                                  "s", "08:00", 1, "stat", "s", "x") >= 0);
                unit_bus_turn(m);
                assert_true(pt_fields_read(pt_kind_schedule.fields, m, diag, &bad) != 0);
                assert_diag(diag, "unknown-field", "/spec/windows/1/stat", "start");
        }
        unit_bus_close(&unit);
}

static void test_explained(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) out = g_string_new(NULL);

        assert_int_equal(pt_kind_explain("Schedule.windows.days", diag, out), 0);
        assert_non_null(strstr(out->str, "    windows:\n      - days: [mon"));
        assert_null(strstr(out->str, "patronusctl set"));
        g_string_truncate(out, 0);
        assert_int_equal(pt_kind_explain("Schedule.windows", diag, out), 0);
        assert_non_null(strstr(out->str, "Fields of each:"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_and_out),   cmocka_unit_test(test_refused),
                cmocka_unit_test(test_command_line), cmocka_unit_test(test_bus),
                cmocka_unit_test(test_explained),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
