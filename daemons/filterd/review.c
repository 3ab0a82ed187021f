/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "review.h"

#include "filter/analysis.h"
#include "filter/difference.h"

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

int fw_review(const FwPlanned *planned, const PtSlice *before, PtReview *review,
              PtDiagnostics *diag)
{
        if (review->analyze)
                analyze(planned, before, review, diag);
        return 0;
}
