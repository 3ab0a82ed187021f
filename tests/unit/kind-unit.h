/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tests of objects share. */

#include "kinds/firewall/firewall.h"
#include "unit.h"

#include <string.h>

/* true if there is an entry with this code at this pointer whose text contains `part`. */
static inline bool unit_has_diag(const PtDiagnostics *diag, const char *code, const char *pointer,
                                 const char *part)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                if (strcmp(entry->code, code) == 0 && strcmp(entry->pointer, pointer) == 0 &&
                    strstr(entry->text, part))
                        return true;
        }
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                print_message("%s %s: %s: %s\n", entry->subject, entry->pointer, entry->code,
                              entry->text);
        }
        return false;
}
#define assert_diag(diag, code, pointer, part) assert_true(unit_has_diag(diag, code, pointer, part))

/* The object of a JSON document, or a failed test. */
static inline PtObject *unit_object(const char *text)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        PtObject *object = NULL;

        if (pt_json_parse(text, strlen(text), diag, &json) < 0 ||
            pt_object_from_json(json, PT_FROM_ALLOW_NAMELESS, diag, &object) < 0) {
                unit_has_diag(diag, "", "", "");
                fail_msg("%s", text);
        }
        return object;
}

/* The diagnostics of a document that must be refused. */
static inline PtDiagnostics *unit_refused(const char *text)
{
        PtDiagnostics *diag = pt_diag_new();
        pt_auto_json *json = NULL;
        PtObject *object = NULL;

        if (pt_json_parse(text, strlen(text), diag, &json) == 0 &&
            pt_object_from_json(json, PT_FROM_ALLOW_NAMELESS, diag, &object) == 0)
                fail_msg("accepted: %s", text);
        assert_null(object);
        assert_true(pt_diag_errors(diag) > 0);
        return diag;
}

#define UNIT_RULE(name, spec)                                                                      \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"FirewallRule\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"
#define UNIT_ZONE(name, spec)                                                                      \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"Zone\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"
