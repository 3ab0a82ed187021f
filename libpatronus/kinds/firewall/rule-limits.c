/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Limits of rules, and what rules put into external aliases: rows, and what must go together. */

#include "kinds/firewall/endpoint.h"

#include <string.h>

/* clang-format off */
const PtField fw_limits_fields[] = {
        [FW_LIMIT_CONNECTIONS] = PT_FIELD(FwLimits, u32, connections, "connections", 0,
                .min = 1, .max = FW_LIMIT_CONNECTIONS_MAX,
                .doc = "How many connections that the rule let pass may exist at one time, from "
                       "all sources together. Those that ended make place for others. What "
                       "existed before the limit does not count.",
                .example = "1000"),
        [FW_LIMIT_CONNECTIONS_PER_SOURCE] = PT_FIELD(FwLimits, u32, connections_per_source,
                "connectionsPerSource", 0,
                .min = 1, .max = FW_LIMIT_CONNECTIONS_MAX,
                .doc = "The same for each source address alone. 65535 sources of each family are "
                       "told apart at one time; further ones are not limited.",
                .example = "20"),
        [FW_LIMIT_RATE] = PT_FIELD(FwLimits, rate, rate, "rate", 0,
                .doc = "How many new connections the rule lets pass in a time, from all sources "
                       "together.",
                .example = "100/second"),
        [FW_LIMIT_RATE_PER_SOURCE] = PT_FIELD(FwLimits, rate, rate_per_source, "ratePerSource", 0,
                .doc = "The same for each source address alone. 65535 sources of each family are "
                       "told apart at one time; further ones are not limited.",
                .example = "10/minute"),
        [FW_LIMIT_BURST] = PT_FIELD(FwLimits, u32, burst, "burst", 0,
                .min = 1, .max = FW_LIMIT_CONNECTIONS_MAX,
                .doc = "How many may come at once before a rate counts. Absent: 5, or as many as "
                       "the rate says at all if that is fewer.",
                .example = "20"),
        [FW_LIMIT_OVERLOAD] = PT_FIELD(FwLimits, ref, overload, "overload", 0,
                .ref = "Alias",
                .doc = "An external alias that gets the source address of what is beyond a limit "
                       "per source, for other rules to refuse it.",
                .example = "brute-force"),
        [FW_LIMIT_OVERLOAD_FOR] = PT_FIELD(FwLimits, duration, overload_for, "overloadFor", 0,
                .min = G_USEC_PER_SEC, .max = FW_ADD_TIMEOUT_MAX,
                .doc = "How long it stays there after the last time. Absent: as the alias says.",
                .example = "1h"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(fw_limits_fields) == FW_LIMIT_OVERLOAD_FOR + 2);

const PtField fw_add_fields[] = {
        [FW_ADD_ALIAS] = PT_FIELD(FwAdd, ref, alias, "alias", PT_F_REQUIRED,
                .ref = "Alias",
                .doc = "An external alias that gets the address.",
                .example = "knocked"),
        [FW_ADD_TIMEOUT] = PT_FIELD(FwAdd, duration, timeout, "timeout", 0,
                .min = G_USEC_PER_SEC, .max = FW_ADD_TIMEOUT_MAX,
                .doc = "How long it stays there after the last time. Absent: as the alias says.",
                .example = "30s"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(fw_add_fields) == FW_ADD_TIMEOUT + 2);
/* clang-format on */

bool fw_rule_limits(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_LIMITS);
}

bool fw_rule_adds(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_ADD_SOURCE) ||
               pt_object_has(&rule->object, FW_RULE_ADD_DESTINATION);
}

static bool has(const FwLimits *limits, unsigned row)
{
        return (limits->present & UINT64_C(1) << row) != 0;
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *text)
{
        pt_diag_error(diag, code, pointer, "%s", text);
        return -EINVAL;
}

static int check_limits(const FirewallRule *rule, PtDiagnostics *diag)
{
        const FwLimits *limits = &fw_rule_box(rule)->limits;
        bool per_source = has(limits, FW_LIMIT_CONNECTIONS_PER_SOURCE) ||
                          has(limits, FW_LIMIT_RATE_PER_SOURCE);
        bool rates = has(limits, FW_LIMIT_RATE) || has(limits, FW_LIMIT_RATE_PER_SOURCE);

        if (!fw_rule_limits(rule))
                return 0;
        if (rule->action != FW_ALLOW)
                return refuse(diag, "needs-allow", "/spec/limits",
                              "a rule that lets nothing pass has nothing to limit; remove the "
                              "limits, or allow");
        if (!per_source && !rates && !has(limits, FW_LIMIT_CONNECTIONS))
                return refuse(diag, "needs-limit", "/spec/limits",
                              "there is no limit in it; add connections, connectionsPerSource, "
                              "rate or ratePerSource");
        if (has(limits, FW_LIMIT_BURST) && !rates)
                return refuse(diag, "needs-rate", "/spec/limits/burst",
                              "only rates have a burst; add rate or ratePerSource, or remove this");
        if (has(limits, FW_LIMIT_OVERLOAD) && !per_source)
                return refuse(diag, "needs-limit", "/spec/limits/overload",
                              "what is beyond a limit for all is nobody's; add a limit per source, "
                              "or remove this");
        if (has(limits, FW_LIMIT_OVERLOAD_FOR) && !has(limits, FW_LIMIT_OVERLOAD))
                return refuse(diag, "needs-overload", "/spec/limits/overloadFor",
                              "no alias gets the sources; add overload, or remove this");
        return 0;
}

/* Its own addition would take the packet away from it. */
static bool excludes(const FwEndpoint *endpoint, const char *alias)
{
        const PtList *list = &fw_endpoint_box(endpoint)->except.aliases;

        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(((char *const *) list->items)[i], alias) == 0)
                        return true;
        return false;
}

static int check_add(const FirewallRule *rule, unsigned row, const FwAdd *add,
                     const FwEndpoint *endpoint, const char *pointer, PtDiagnostics *diag)
{
        g_autofree char *at = NULL;

        if (!pt_object_has(&rule->object, row))
                return 0;
        if (rule->action != FW_ALLOW && rule->action != FW_CONTINUE)
                return refuse(diag, "needs-allow", pointer,
                              "only a rule that lets packets go on puts their addresses anywhere; "
                              "remove this, or write \"action: allow\" or \"continue\"");
        if (!add->alias || !excludes(endpoint, add->alias))
                return 0;
        at = g_strconcat(pointer, "/alias", NULL);
        return refuse(diag, "excludes-itself", at,
                      "the rule is not for addresses of this alias, so it would not match any more "
                      "what it just put there; leave it out of \"except\"");
}

int fw_rule_check_limits(const FirewallRule *rule, PtDiagnostics *diag)
{
        const FwRuleBox *box = fw_rule_box(rule);
        int r = check_limits(rule, diag);

        if (check_add(rule, FW_RULE_ADD_SOURCE, &box->add_source, &rule->source, "/spec/addSource",
                      diag) < 0)
                r = -EINVAL;
        if (check_add(rule, FW_RULE_ADD_DESTINATION, &box->add_destination, &rule->destination,
                      "/spec/addDestination", diag) < 0)
                r = -EINVAL;
        return r;
}

/* That there is no such alias is said by who checks references. */
static int check_external(const char *name, const PtLookup *lookup, const char *pointer,
                          PtDiagnostics *diag)
{
        const Alias *alias =
                name ? (const Alias *) lookup->get(lookup->ctx, &pt_kind_alias, name) : NULL;

        if (!alias || alias->external)
                return 0;
        pt_diag_error(diag, "needs-external", pointer,
                      "the entries of the alias \"%s\" are those of the configuration; write "
                      "\"external: true\" there, or name another",
                      name);
        return -EINVAL;
}

int fw_rule_check_limits_set(const FirewallRule *rule, const PtLookup *lookup, PtDiagnostics *diag)
{
        const FwRuleBox *box = fw_rule_box(rule);
        int r = check_external(box->limits.overload, lookup, "/spec/limits/overload", diag);

        if (check_external(box->add_source.alias, lookup, "/spec/addSource/alias", diag) < 0)
                r = -EINVAL;
        if (check_external(box->add_destination.alias, lookup, "/spec/addDestination/alias", diag) <
            0)
                r = -EINVAL;
        return r;
}
