/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is said of translators before anything is done. */

#include "nat64-internal.h"

#include <string.h>
#include <sys/socket.h>

/* A helper that the system has to start first, on a machine that has much to do. */
#define CHECK_SEC 10

static const Nat64 *running(const PtObject *object)
{
        const Nat64 *nat64 = (const Nat64 *) object;

        return nat64 && fw_nat64_enabled(nat64) ? nat64 : NULL;
}

static void add_step(PtPlan *plan, const Nat64 *nat64, const char *what, PtImpact impact)
{
        PtAddressRange prefix = fw_nat64_prefix(nat64);
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_printf(text, "%s Nat64/%s, by which ", what, nat64->object.name);
        pt_address_range_format(&prefix, text);
        g_string_append(text, " leads to IPv4");
        if (plan->steps->len < PT_PLAN_STEPS_MAX)
                g_ptr_array_add(plan->steps, g_strdup(text->str));
        plan->impact = MAX(plan->impact, impact);
}

static int describe(const PtObject *before, const PtObject *after, void *userdata)
{
        PtPlan *plan = userdata;
        const Nat64 *old, *new;

        if ((before ?: after)->kind != &pt_kind_nat64)
                return 0;
        old = running(before);
        new = running(after);
        if (!old && new)
                add_step(plan, new, "start", PT_IMPACT_LIVE);
        else if (old && !new)
                add_step(plan, old, "stop", PT_IMPACT_DISRUPTIVE);
        else if (old)
                add_step(plan, new, "restart", PT_IMPACT_DISRUPTIVE);
        return 0;
}

void fw_nat64_describe(const PtSlice *before, const PtSlice *wanted, PtPlan *plan)
{
        g_autoptr(PtSlice) empty = before ? NULL : pt_slice_new();

        (void) pt_slice_compare(before ?: empty, wanted, describe, plan);
}

/* The helper's answer, by a connection of the question's own. */
static char *ask_helper(const char *path)
{
        PtNat64Asked question = {PT_NAT64_VERSION, PT_NAT64_CHECK};
        struct timeval patience = {.tv_sec = CHECK_SEC};
        pt_auto_fd int fd = fw_nat64_connect(path, 0);
        PtNat64Told answer = {};

        if (fd < 0)
                return g_strdup_printf("patronus-nat64, which would run tayga, cannot be reached "
                                       "by %s: %s",
                                       path, strerror(-fd));
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
            send(fd, &question, sizeof(question), MSG_NOSIGNAL) < 0 ||
            recv(fd, &answer, sizeof(answer), 0) != sizeof(answer) ||
            answer.version != PT_NAT64_VERSION || answer.what != PT_NAT64_CHECKED)
                return g_strdup("patronus-nat64, which would run tayga, does not answer; its log "
                                "says why: journalctl -u patronus-nat64");
        answer.text[sizeof(answer.text) - 1] = '\0';
        return answer.text[0] ? g_strdup(answer.text) : NULL;
}

typedef struct Review {
        const PtSlice *wanted;
        const Nat64 *any; /* one that is new or another one */
        PtDiagnostics *diag;
} Review;

typedef struct Search {
        const char *interface;
        bool found;
} Search;

static int find_zone(const PtObject *object, void *userdata)
{
        const Zone *zone = (const Zone *) object;
        char *const *names = zone->interfaces.items;
        Search *search = userdata;

        for (unsigned i = 0; i < zone->interfaces.n; i++) {
                const char *star = strchr(names[i], '*');

                if (star ? strncmp(search->interface, names[i], (size_t) (star - names[i])) == 0
                         : strcmp(search->interface, names[i]) == 0)
                        search->found = true;
        }
        return search->found;
}

static int look_at(const PtObject *before, const PtObject *after, void *userdata)
{
        Review *review = userdata;
        Search search;

        if ((before ?: after)->kind != &pt_kind_nat64 || !running(after))
                return 0;
        review->any = running(after);
        search = (Search){.interface = fw_nat64_interface(review->any)};
        (void) pt_slice_foreach(review->wanted, &pt_kind_zone, find_zone, &search);
        if (!search.found) {
                pt_diag_set_subject(review->diag, "Nat64/%s", after->name);
                pt_diag_warning(review->diag, "no-zone", "/spec/interface",
                                "the interface %s is in no zone, so nothing passes it; name it in "
                                "a zone: interfaces: [%s]",
                                search.interface, search.interface);
                pt_diag_set_subject(review->diag, NULL);
        }
        return 0;
}

int fw_nat64_review(const PtSlice *before, const PtSlice *wanted, const char *run_dir, bool forced,
                    PtDiagnostics *diag)
{
        g_autofree char *path = fw_nat64_system_socket(run_dir), *obstacle = NULL;
        Review review = {.wanted = wanted, .diag = diag};

        (void) pt_slice_compare(before, wanted, look_at, &review);
        if (!review.any)
                return 0;
        obstacle = access(path, F_OK) == 0 ? ask_helper(path) : pt_nat64_obstacle();
        if (!obstacle)
                return 0;
        pt_diag_set_subject(diag, "Nat64/%s", review.any->object.name);
        pt_diag_add(diag, forced ? PT_SEVERITY_WARNING : PT_SEVERITY_ERROR, "nat64-unavailable", "",
                    "%s", obstacle);
        pt_diag_set_subject(diag, NULL);
        return forced ? 0 : -EINVAL;
}
