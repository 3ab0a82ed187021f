/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conflict.h"

#include "changes.h"

typedef struct Report {
        const PtSlice *base, *candidate;
        uint64_t revision;
        PtDiagnostics *diag;
} Report;

static bool same(const PtObject *a, const PtObject *b)
{
        return a == b || (a && b && pt_digest_equal(&a->digest, &b->digest));
}

/* `before` and `after` are what others did to an object. */
static int report_one(const PtObject *before, const PtObject *after, void *userdata)
{
        const Report *report = userdata;
        const PtObject *object = after ?: before;
        const PtObject *ours = pt_slice_get(report->candidate, object->kind, object->name);

        if (same(ours, before) || same(ours, after))
                return 0; /* only they changed it, or both did the same */
        pt_diag_set_subject(report->diag, "%s/%s", object->kind->name, object->name);
        pt_diag_error(report->diag, "conflict", NULL,
                      "this was %s here, and %s by a later revision up to %" PRIu64,
                      !ours    ? "deleted"
                      : before ? "changed"
                               : "created",
                      !after   ? "deleted"
                      : before ? "changed"
                               : "created",
                      report->revision);
        pt_diag_set_subject(report->diag, NULL);
        return 0;
}

void conflict_report(PtSlice *base, uint64_t base_revision, PtSlice *candidate, PtSlice *running,
                     uint64_t revision, PtDiagnostics *diag)
{
        Report report = {.base = base, .candidate = candidate, .revision = revision, .diag = diag};

        pt_diag_error(diag, "conflict", NULL,
                      "revision %" PRIu64 " is running, and this session began on %" PRIu64
                      ": make the change again in a new session",
                      revision, base_revision);
        (void) pt_slice_compare(base, running, report_one, &report);
}
