/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the evaluator found, for people. */

#include "filter/evaluate-nat.h"
#include "filter/frame-match.h"

#include <string.h>

static const char *const does[FW_ACTION_MAX] = {
        [FW_ALLOW] = "lets it pass",
        [FW_DROP] = "drops it",
        [FW_REJECT] = "rejects it",
};

static void append_rule(const FirewallRule *rule, FwAction action, GString *out)
{
        g_string_append_printf(out, "%s/%s %s", rule->object.kind->name, rule->object.name,
                               does[action]);
}

static void append_doubt(const FirewallRule *rule, GString *out)
{
        g_string_append(out, "; or ");
        append_rule(rule, (FwAction) rule->action, out);
        g_string_append(out, ", by what is not known of it beforehand");
}

static void append_port(const FwSpan *port, GString *out)
{
        g_string_append_printf(out, "port %u", (unsigned) port->lo);
        if (port->lo != port->hi)
                g_string_append_printf(out, "-%u", (unsigned) port->hi);
}

static void append_address(int family, const FwSpan *address, GString *out)
{
        PtAddressRange range = {.family = (uint8_t) family};
        size_t len = fw_address_size(family);

        fw_number_write(address->lo, len, range.lo);
        fw_number_write(address->hi, len, range.hi);
        pt_address_range_settle(&range);
        pt_address_range_format(&range, out);
}

static bool has_ports(const FwOutcome *outcome)
{
        return fw_protocol_has_ports(outcome->protocol);
}

static void append_destination(const FwOutcome *outcome, GString *out)
{
        const FwEnd *destination = &outcome->destination;

        if (destination->rule->type == FW_NAT_REDIRECT) {
                append_port(&destination->port, out);
                g_string_append(out, " of the router");
                return;
        }
        append_address(outcome->family, &destination->address, out);
        if (!has_ports(outcome))
                return;
        g_string_append_c(out, ' ');
        append_port(&destination->port, out);
}

char *fw_outcome_describe_translation(const FwOutcome *outcome)
{
        GString *out;

        if (!outcome->destination.rule)
                return NULL;
        out = g_string_new(NULL);
        g_string_append_printf(out, "NatRule/%s leads it to ",
                               outcome->destination.rule->object.name);
        append_destination(outcome, out);
        return g_string_free(out, FALSE);
}

char *fw_outcome_describe_source(const FwOutcome *outcome)
{
        const FwEnd *source = &outcome->source;
        GString *out;

        if (!source->rule && !source->zone)
                return NULL;
        out = g_string_new(NULL);
        if (source->rule)
                g_string_append_printf(out, "NatRule/%s sends it as ", source->rule->object.name);
        else
                g_string_append_printf(out, "Zone/%s sends it as ", source->zone->name);
        if (!source->rule || outcome->goes_back || source->rule->type == FW_NAT_MASQUERADE)
                g_string_append(out, "the address of the interface");
        else
                append_address(outcome->family, &source->address, out);
        if (source->rule && !outcome->goes_back && source->rule->translation.ports.n > 0 &&
            has_ports(outcome)) {
                g_string_append_c(out, ' ');
                append_port(&source->port, out);
        }
        return g_string_free(out, FALSE);
}

static void append_default(const FwOutcome *outcome, GString *out)
{
        const FwZone *zone = outcome->from->zone ? outcome->from : outcome->to;

        if (outcome->action == FW_ALLOW)
                g_string_append(out, "no rule refuses it");
        else if (outcome->way.local)
                g_string_append(out, "no rule lets it in");
        else
                g_string_append_printf(out, "no rule lets it pass to zone %s", outcome->to->name);
        g_string_append_printf(out, ", and the default of zone %s is %s", zone->name,
                               fw_actions[outcome->action].name);
}

static void append_ban(const FwBan *ban, GString *out)
{
        g_string_append(out, "a ban of ");
        fw_ban_format(ban, out);
        g_string_append(out, " drops it");
}

static void append_opening(const FwOpening *opening, GString *out)
{
        g_string_append_printf(out, FW_OPENING_ID "%u (", opening->id);
        fw_opening_format_port(opening, out);
        g_string_append(out, ", opened at run time) lets it in");
}

static void append_prologue(const FwPrologueRow *row, GString *out)
{
        if (row->loopback)
                g_string_append(out, "it does not leave the machine");
        else
                g_string_append_printf(out, "%s pass before any rule", row->text);
}

static const char *from_what(FwReason reason)
{
        switch (reason) {
        case FW_REASON_BOGONS:
                return "addresses that nobody has (bogons)";
        case FW_REASON_PRIVATE:
                return "private addresses";
        case FW_REASON_ANTISPOOF:
                return "addresses that are reached by another interface (antispoof)";
        case FW_REASON_RULE:
        case FW_REASON_AUDIT:
        case FW_REASON_DEFAULT:
        case FW_REASON_LOCKOUT:
        case FW_REASON_PROLOGUE:
        case FW_REASON_PANIC:
        case FW_REASON_BAN:
        case FW_REASON_INVALID:
        case FW_REASON_KILLED:
        case FW_REASON_FRAGMENTS:
        case FW_REASON_NO_ZONE:
        case FW_REASON_LIMIT:
        case FW_REASON_BRIDGE:
        case FW_REASON_OPENING:
        case FW_REASON_MAX:
        case FW_REASON_INVALID_NAME:
                break;
        }
        g_assert_not_reached();
}

static void append_zone(const FwOutcome *outcome, GString *out)
{
        g_string_append_printf(out, "the interface %s belongs to no zone", outcome->unassigned);
        if (outcome->action == FW_ALLOW)
                g_string_append(out, ", and what the router itself sends there passes");
}

static void append_stage(const FwOutcome *outcome, GString *out)
{
        switch (outcome->stage) {
        case FW_STAGE_LOCKOUT:
                g_string_append(out, "anti-lockout (FilterSettings/default) lets it in");
                return;
        case FW_STAGE_PANIC:
                g_string_append(out, "panic mode drops it");
                return;
        case FW_STAGE_BANS:
                append_ban(&outcome->ban, out);
                return;
        case FW_STAGE_LINK:
        case FW_STAGE_PROLOGUE:
                append_prologue(outcome->prologue, out);
                return;
        case FW_STAGE_STATE:
                g_string_append(out, "it belongs to no connection and can begin none (invalid)");
                return;
        case FW_STAGE_ZONE:
                append_zone(outcome, out);
                return;
        case FW_STAGE_GUARDS:
                g_string_append_printf(out, "zone %s takes nothing from %s", outcome->from->name,
                                       from_what(outcome->reason));
                return;
        case FW_STAGE_FRAGMENTS:
                g_string_append_printf(out, "FirewallRule/%s drops it, as a fragment",
                                       outcome->rule->object.name);
                return;
        case FW_STAGE_OPENINGS:
                append_opening(&outcome->opening, out);
                return;
        case FW_STAGE_RULES:
                append_rule(outcome->rule, outcome->action, out);
                if (outcome->action == FW_ALLOW && fw_rule_limits(outcome->rule))
                        g_string_append(out, ", unless it is beyond a limit of the rule");
                if (fw_rule_proxies(outcome->rule))
                        g_string_append(out, ", once its client has answered to the router");
                return;
        case FW_STAGE_DEFAULT:
                append_default(outcome, out);
                return;
        case FW_STAGE_MAX:
        case FW_STAGE_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void append_also(const FirewallRule *rule, GString *out)
{
        static const char *const would[FW_ACTION_MAX] = {
                [FW_ALLOW] = "would let it pass",
                [FW_DROP] = "would drop it",
                [FW_REJECT] = "would reject it",
                [FW_CONTINUE] = "would mark it",
        };
        bool audit = fw_rule_box(rule)->mode == FW_MODE_AUDIT;

        g_string_append_printf(out, "; before that, FirewallRule/%s %s", rule->object.name,
                               audit ? would[rule->action] : "counts it and goes on");
        if (audit)
                g_string_append(out, " (audit)");
}

char *fw_outcome_describe(const FwOutcome *outcome)
{
        GString *out = g_string_new(NULL);

        append_stage(outcome, out);
        if (outcome->doubt)
                append_doubt(outcome->doubt, out);
        for (unsigned i = 0; i < outcome->n_also; i++)
                append_also(outcome->also[i], out);
        return g_string_free(out, FALSE);
}

char *fw_frame_outcome_describe(const FwFrameOutcome *outcome)
{
        static const char *const defaults[FW_BRIDGE_DIRECTION_MAX] = {
                [FW_BRIDGE_FORWARD] = "default",
                [FW_BRIDGE_IN] = "input",
                [FW_BRIDGE_OUT] = "output",
        };
        GString *out = g_string_new(NULL);

        if (outcome->rule)
                append_rule(&outcome->rule->effective.rule, outcome->action, out);
        else if (outcome->reason == FW_REASON_PROLOGUE)
                g_string_append(out, "connections that exist pass before any rule (stateful)");
        else if (outcome->reason == FW_REASON_INVALID)
                g_string_append(out, "it belongs to no connection and can begin none (invalid)");
        else
                g_string_append_printf(out, "no rule matches it, and %s of BridgeSettings is %s",
                                       defaults[outcome->direction],
                                       fw_actions[outcome->action].name);
        if (outcome->doubt)
                append_doubt(&outcome->doubt->effective.rule, out);
        return g_string_free(out, FALSE);
}
