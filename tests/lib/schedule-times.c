/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Schedules asked for times, for a test in another language: a line of JSON in, the spec of a
 * Schedule and times {"spec":{...},"times":[0,...]}; a line out, for each time whether it is open
 * and when that changes next: [[0,3600],...].
 */

#include "filter/schedule.h"
#include "kind/field.h"
#include "kind/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(const char *line, size_t size)
{
        pt_auto_json *json = NULL, *out = json_object_new_array();
        struct json_object *spec, *times;
        Schedule schedule = {};
        uint64_t present = 0;
        int r;

        r = pt_json_parse(line, size, NULL, &json);
        if (r < 0 || !json_object_object_get_ex(json, "spec", &spec) ||
            !json_object_object_get_ex(json, "times", &times))
                return -EINVAL;
        r = pt_fields_from_json(pt_kind_schedule.fields, spec, "", NULL, &schedule, &present);
        for (size_t i = 0; r == 0 && i < json_object_array_length(times); i++) {
                int64_t at = json_object_get_int64(json_object_array_get_idx(times, i)), next = 0;
                struct json_object *pair = json_object_new_array();
                int open = fw_schedule_active(&schedule, at);

                r = open < 0 ? open : fw_schedule_next(&schedule, at, &next);
                json_object_array_add(pair, json_object_new_int(open));
                json_object_array_add(pair, json_object_new_int64(next));
                json_object_array_add(out, pair);
        }
        pt_fields_done(pt_kind_schedule.fields, &schedule, present);
        if (r == 0)
                puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
        return r;
}

int main(void)
{
        char *line = NULL;
        size_t size = 0;
        ssize_t n;
        int r = 0;

        while (r == 0 && (n = getline(&line, &size, stdin)) > 0)
                r = answer(line, (size_t) n);
        free(line);
        if (r < 0)
                fprintf(stderr, "%s\n", strerror(-r));
        return r < 0;
}
