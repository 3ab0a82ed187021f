/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "review.h"

#include "base/io.h"
#include "explain.h"

#include "filter/analysis.h"
#include "filter/difference.h"
#include "kind/json.h"
#include "policy-tests.h"

#include <json-c/json.h>
#include <string.h>

static int tell_difference(const FwSource *before, const FwSource *after, PtReview *review,
                           PtDiagnostics *diag)
{
        g_autoptr(FwDifference) difference = NULL;
        int r = fw_difference_new(before, after, diag, &difference);

        if (r < 0)
                return r;
        review->partial = difference->partial;
        review->difference = json_object_new_array();
        for (unsigned i = 0; i < difference->lines->len; i++)
                json_object_array_add(review->difference,
                                      json_object_get(g_ptr_array_index(difference->lines, i)));
        return 0;
}

/* That it cannot be said is no reason to refuse a plan that would be committed. */
static void analyze(const FwPlanned *planned, const PtSlice *before, PtReview *review,
                    PtDiagnostics *diag)
{
        FwSource old = {.slice = before, .state_dir = planned->state_dir};
        FwSource new = {.slice = planned->slice, .state_dir = planned->state_dir};
        int r = fw_analyse(&new, diag);

        if (r >= 0)
                r = tell_difference(&old, &new, review, diag);
        if (r < 0)
                pt_diag_warning(diag, "not-analysed", "",
                                "what the change does to packets cannot be found out: %s",
                                strerror(-r));
}

/* Tests that cannot be asked say nothing; a plan that could not be made would have been refused. */
static int run_tests(const FwPlanned *planned, const PtReview *review, PtDiagnostics *diag)
{
        PtSeverity severity = review->forced ? PT_SEVERITY_WARNING : PT_SEVERITY_ERROR;
        int r = fw_policy_tests_run(planned, severity, diag);

        if (review->forced)
                return 0;
        return r > 0 ? -EINVAL : r;
}

int fw_review(const FwPlanned *planned, const PtSlice *before, PtReview *review,
              PtDiagnostics *diag)
{
        if (review->analyze)
                analyze(planned, before, review, diag);
        return review->tests ? run_tests(planned, review, diag) : 0;
}

int fw_compare_run(int before, int after, const char *state_dir, int answers, GString *out)
{
        g_autoptr(PtSlice) old = NULL, new = NULL;
        g_autoptr(FwDifference) difference = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) lines = g_string_new(NULL);
        FwSource sources[2] = {{.state_dir = state_dir}, {.state_dir = state_dir}};
        int r = fw_foreign_slice_read(before, out, &old);

        if (r == 0)
                r = fw_foreign_slice_read(after, out, &new);
        sources[0].slice = old;
        sources[1].slice = new;
        if (r == 0)
                r = fw_difference_new(&sources[0], &sources[1], diag, &difference);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < difference->lines->len; i++) {
                pt_json_to_canonical(g_ptr_array_index(difference->lines, i), lines);
                g_string_append_c(lines, '\n');
        }
        if (difference->partial)
                g_string_append(lines, "{\"partial\":true}\n");
        return pt_write_all(answers, lines->str, lines->len);
}
