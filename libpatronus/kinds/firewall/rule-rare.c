/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What few rules have: rows of their structs, choices, and what must go together. */

#include "base/marks.h"
#include "kinds/firewall/endpoint.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

const PtChoice fw_reject_kinds[] = {
        {"tcp-reset", FW_REJECT_TCP_RESET, "a TCP reset; for rules of TCP"},
        {"port-unreachable", FW_REJECT_PORT_UNREACHABLE, "ICMP: nobody listens at the port"},
        {"host-unreachable", FW_REJECT_HOST_UNREACHABLE, "ICMP: the host cannot be reached"},
        {"net-unreachable", FW_REJECT_NET_UNREACHABLE,
         "ICMP: the network cannot be reached; of ICMPv6, no route"},
        {"admin-prohibited", FW_REJECT_ADMIN_PROHIBITED, "ICMP: administratively prohibited"},
        {"no-route", FW_REJECT_NO_ROUTE, "ICMPv6: no route; of ICMP, network unreachable"},
        {},
};

const PtChoice fw_rule_actions[] = {
        {"allow", FW_ALLOW, "lets it pass"},
        {"drop", FW_DROP, "discards it without a word"},
        {"reject", FW_REJECT, "discards it and tells the sender"},
        {"continue", FW_CONTINUE, "counts, logs and marks it, and goes on to the next rule"},
        {},
};

const PtChoice fw_rule_modes[] = {
        {"enforce", FW_MODE_ENFORCE, "does what the action says"},
        {"audit", FW_MODE_AUDIT, "counts and logs only"},
        {},
};

const PtChoice fw_directions[] = {
        {"any", FW_DIRECTION_ANY, "both"},
        {"in", FW_DIRECTION_IN, "packets that arrive by an interface"},
        {"out", FW_DIRECTION_OUT, "packets that leave by an interface"},
        {},
};

/* RFC 9293 3.1, RFC 3168 6.1. */
static const PtChoice tcp_flags[] = {
        {"fin", TH_FIN, "the sender has sent all"},
        {"syn", TH_SYN, "the beginning of a connection"},
        {"rst", TH_RST, "the end of a connection"},
        {"psh", TH_PUSH, "deliver without waiting"},
        {"ack", TH_ACK, "acknowledges something"},
        {"urg", TH_URG, "the urgent pointer counts"},
        {"ece", 0x40, "congestion was experienced, or is understood"},
        {"cwr", 0x80, "the sender slowed down"},
        {},
};

/* clang-format off */
const PtField fw_tcp_flags_fields[] = {
        [FW_TCP_FLAGS_SET] = PT_FIELD(FwTcpFlags, enum, set, "set", PT_F_LIST,
                .choices = tcp_flags,
                .doc = "Flags that the packet must all have.",
                .example = "[syn]"),
        [FW_TCP_FLAGS_CLEAR] = PT_FIELD(FwTcpFlags, enum, clear, "clear", PT_F_LIST,
                .choices = tcp_flags,
                .doc = "Flags of which the packet must have none.",
                .example = "[ack, rst, fin]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(fw_tcp_flags_fields) == FW_TCP_FLAGS_CLEAR + 2);
/* clang-format on */

uint8_t fw_tcp_flag_bits(const PtList *flags)
{
        unsigned bits = 0;

        for (unsigned i = 0; i < flags->n; i++)
                bits |= (unsigned) ((const int *) flags->items)[i];
        return (uint8_t) bits;
}

static bool is_router(const char *zone)
{
        return zone && strcmp(zone, FW_ZONE_ROUTER) == 0;
}

bool fw_rule_floating(const FirewallRule *rule)
{
        return fw_rule_box(rule)->floating;
}

bool fw_rule_fragments(const FirewallRule *rule)
{
        return fw_rule_box(rule)->fragments;
}

bool fw_rule_ends_connections(const FirewallRule *rule)
{
        return fw_rule_box(rule)->end_connections;
}

bool fw_rule_proxies(const FirewallRule *rule)
{
        const FwRuleBox *box = fw_rule_box(rule);

        return box->syn_proxy && box->mode != FW_MODE_AUDIT;
}

FwRulePlace fw_rule_place(const FirewallRule *rule)
{
        if (fw_rule_fragments(rule))
                return FW_PLACE_FRAGMENTS;
        if (!fw_rule_floating(rule))
                return FW_PLACE_ZONES;
        return pt_object_has(&rule->object, FW_RULE_QUICK) && !rule->box->quick ? FW_PLACE_LATE
                                                                                : FW_PLACE_QUICK;
}

bool fw_rule_decides(const FirewallRule *rule)
{
        return rule->action != FW_CONTINUE && fw_rule_box(rule)->mode != FW_MODE_AUDIT;
}

static bool acts(const FirewallRule *rule, unsigned field)
{
        return pt_object_has(&rule->object, field) && rule->box->mode != FW_MODE_AUDIT;
}

bool fw_rule_sets_mark(const FirewallRule *rule)
{
        return acts(rule, FW_RULE_SET_MARK);
}

bool fw_rule_sets_dscp(const FirewallRule *rule)
{
        return acts(rule, FW_RULE_SET_DSCP);
}

bool fw_rule_sets_tag(const FirewallRule *rule)
{
        return acts(rule, FW_RULE_SET_TAG);
}

bool fw_rule_logs(const FirewallRule *rule)
{
        const FwRuleBox *box = fw_rule_box(rule);

        return pt_object_has(&rule->object, FW_RULE_LOG) ? box->log : box->mode == FW_MODE_AUDIT;
}

char *fw_rule_notes(const FirewallRule *rule)
{
        const FwRuleBox *box = fw_rule_box(rule);
        g_autoptr(GString) out = g_string_new(NULL);

        if (fw_rule_place(rule) == FW_PLACE_FRAGMENTS)
                g_string_append(out, ", fragments");
        if (fw_rule_place(rule) == FW_PLACE_QUICK)
                g_string_append(out, ", floating");
        if (fw_rule_place(rule) == FW_PLACE_LATE)
                g_string_append(out, ", floating late");
        if (rule->action == FW_CONTINUE)
                g_string_append(out, ", continue");
        if (box->mode == FW_MODE_AUDIT)
                g_string_append(out, ", audit");
        if (fw_rule_proxies(rule))
                g_string_append(out, ", syn proxy");
        if (box->group)
                g_string_append_printf(out, ", group %s", box->group);
        return out->len > 0 ? g_strdup(out->str + strlen(", ")) : NULL;
}

bool fw_rule_looks_in(const FirewallRule *rule)
{
        return fw_rule_floating(rule) ? rule->box->direction != FW_DIRECTION_OUT
                                      : !is_router(rule->from);
}

bool fw_rule_looks_out(const FirewallRule *rule)
{
        return fw_rule_floating(rule) ? rule->box->direction != FW_DIRECTION_IN
                                      : is_router(rule->from);
}

static int check_floating(const FirewallRule *rule, PtDiagnostics *diag)
{
        bool quick = pt_object_has(&rule->object, FW_RULE_QUICK),
             direction = pt_object_has(&rule->object, FW_RULE_DIRECTION);

        if (!fw_rule_floating(rule)) {
                if (!quick && !direction)
                        return 0;
                pt_diag_error(
                        diag, "needs-floating", quick ? "/spec/quick" : "/spec/direction",
                        "only floating rules have this; add \"floating: true\", or remove it");
                return -EINVAL;
        }
        if (rule->action == FW_CONTINUE && fw_rule_place(rule) == FW_PLACE_LATE) {
                pt_diag_error(diag, "never-decides", "/spec/quick",
                              "a rule that continues decides nothing, neither at once nor later; "
                              "remove this");
                return -EINVAL;
        }
        if ((rule->box->direction == FW_DIRECTION_IN && is_router(rule->from)) ||
            (rule->box->direction == FW_DIRECTION_OUT && is_router(rule->to))) {
                pt_diag_error(diag, "never-matches", "/spec/direction",
                              rule->box->direction == FW_DIRECTION_IN
                                      ? "what the router itself sends arrives by no interface; "
                                        "write \"out\", or name another zone in \"from\""
                                      : "what is for the router itself leaves by no interface; "
                                        "write \"in\", or name another zone in \"to\"");
                return -EINVAL;
        }
        return 0;
}

static int check_reject(const FirewallRule *rule, PtDiagnostics *diag)
{
        if (!pt_object_has(&rule->object, FW_RULE_REJECT_WITH))
                return 0;
        if (rule->action != FW_REJECT) {
                pt_diag_error(diag, "needs-reject", "/spec/rejectWith",
                              "only a rule that rejects tells the sender; remove this, or write "
                              "\"action: reject\"");
                return -EINVAL;
        }
        if (fw_rule_box(rule)->reject_with == FW_REJECT_TCP_RESET &&
            fw_rule_protocol(rule) != IPPROTO_TCP) {
                pt_diag_error(diag, "needs-protocol", "/spec/rejectWith",
                              "a reset is an answer of TCP only; add \"protocol: tcp\", or choose "
                              "another");
                return -EINVAL;
        }
        return 0;
}

static int check_tcp_flags(const FirewallRule *rule, PtDiagnostics *diag)
{
        const FwTcpFlags *flags = &fw_rule_box(rule)->tcp_flags;
        unsigned both = fw_tcp_flag_bits(&flags->set) & fw_tcp_flag_bits(&flags->clear);

        if (!pt_object_has(&rule->object, FW_RULE_TCP_FLAGS))
                return 0;
        if (fw_rule_protocol(rule) != IPPROTO_TCP) {
                pt_diag_error(diag, "needs-protocol", "/spec/tcpFlags",
                              "only TCP has such flags; add \"protocol: tcp\"");
                return -EINVAL;
        }
        for (const PtChoice *flag = tcp_flags; flag->name; flag++)
                if (both & (unsigned) flag->value) {
                        pt_diag_error(diag, "never-matches", "/spec/tcpFlags/clear",
                                      "%s cannot be set and not set; remove it from one of the "
                                      "two lists",
                                      flag->name);
                        return -EINVAL;
                }
        return 0;
}

/* What a rule sets is for packets that go on. */
static int check_sets(const FirewallRule *rule, PtDiagnostics *diag)
{
        static const struct {
                unsigned field;
                const char *pointer;
        } rows[] = {
                {FW_RULE_SET_MARK, "/spec/setMark"},
                {FW_RULE_SET_DSCP, "/spec/setDscp"},
                {FW_RULE_SET_TAG, "/spec/setTag"},
        };
        PtMarkMatch mark = fw_rule_box(rule)->set_mark;
        int r = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (!pt_object_has(&rule->object, rows[i].field) || rule->action == FW_ALLOW ||
                    rule->action == FW_CONTINUE)
                        continue;
                pt_diag_error(diag, "needs-allow", rows[i].pointer,
                              "a packet that goes nowhere has nothing to carry; remove this, or "
                              "write \"action: allow\" or \"action: continue\"");
                r = -EINVAL;
        }
        if (pt_object_has(&rule->object, FW_RULE_SET_MARK) && (mark.mask & ~PT_MARK_RULES) != 0) {
                pt_diag_error(diag, "reserved-bits", "/spec/setMark",
                              "rules may set the bits 0x%x of a mark, the others are of other "
                              "programs; write 0x%x/0x%x",
                              PT_MARK_RULES, mark.value & PT_MARK_RULES, mark.mask & PT_MARK_RULES);
                r = -EINVAL;
        }
        return r;
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *text)
{
        pt_diag_error(diag, code, pointer, "%s", text);
        return -EINVAL;
}

/* What is known of a fragment, and of its way so far. */
static int check_fragments(const FirewallRule *rule, PtDiagnostics *diag)
{
        static const struct {
                unsigned field;
                const char *pointer;
        } unknown[] = {
                {FW_RULE_SERVICES, "/spec/services"},  {FW_RULE_ICMP_TYPES, "/spec/icmpTypes"},
                {FW_RULE_TCP_FLAGS, "/spec/tcpFlags"}, {FW_RULE_STATES, "/spec/states"},
                {FW_RULE_MARK, "/spec/mark"},          {FW_RULE_TAGGED, "/spec/tagged"},
        };
        int r = 0;

        if (!fw_rule_fragments(rule))
                return 0;
        if (rule->action != FW_DROP)
                r = refuse(diag, "needs-drop", "/spec/action",
                           "a fragment can only be dropped: what all of them make together is "
                           "asked about afterwards; write \"action: drop\"");
        if (fw_rule_floating(rule))
                r = refuse(diag, "never-floats", "/spec/floating",
                           "fragments are seen before all other rules anyway; remove this");
        if (rule->to && strcmp(rule->to, FW_ZONE_ANY) != 0)
                r = refuse(diag, "not-known", "/spec/to",
                           "where fragments go is not known yet; remove this, or name addresses "
                           "of the destination");
        if (is_router(rule->from))
                r = refuse(diag, "never-matches", "/spec/from",
                           "what the router itself sends is whole when it is filtered; name a "
                           "zone");
        if (fw_endpoint_has_ports(&rule->source) || fw_endpoint_has_ports(&rule->destination))
                r = refuse(diag, "not-known",
                           fw_endpoint_has_ports(&rule->source) ? "/spec/source"
                                                                : "/spec/destination",
                           "only the first fragment has ports; remove them");
        for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++)
                if (pt_object_has(&rule->object, unknown[i].field))
                        r = refuse(diag, "not-known", unknown[i].pointer,
                                   "this is not known of a fragment; remove it");
        return r;
}

static int check_end_connections(const FirewallRule *rule, PtDiagnostics *diag)
{
        if (!fw_rule_ends_connections(rule))
                return 0;
        if (!fw_rule_box(rule)->schedule)
                return refuse(diag, "needs-schedule", "/spec/endConnections",
                              "without a schedule no window ends; add one, or remove this");
        if (rule->action != FW_ALLOW || !fw_rule_decides(rule))
                return refuse(diag, "needs-allow", "/spec/endConnections",
                              "a rule that lets no connection begin has none to end; remove this, "
                              "or let it allow");
        return 0;
}

/* The connection that the server sees begins later than the one that the rule sees, and two packets
 * of the client meet the rule: its first, and its answer to the router's. */
static int check_syn_proxy(const FirewallRule *rule, PtDiagnostics *diag)
{
        static const struct {
                unsigned field;
                const char *pointer, *text;
        } rows[] = {
                {FW_RULE_TCP_FLAGS, "/spec/tcpFlags",
                 "the client's first packet and its answer must both match, and have other flags; "
                 "remove this"},
                {FW_RULE_LENGTH, "/spec/length",
                 "the client's first packet and its answer must both match, and have other "
                 "lengths; remove this"},
                {FW_RULE_LIMITS, "/spec/limits",
                 "connections are counted before the router knows that the client is real; remove "
                 "this, or synProxy"},
                {FW_RULE_ADD_SOURCE, "/spec/addSource",
                 "the source of a first packet may be forged; remove this, or synProxy"},
                {FW_RULE_ADD_DESTINATION, "/spec/addDestination",
                 "the source of a first packet may be forged; remove this, or synProxy"},
                {FW_RULE_HELPER, "/spec/helper",
                 "the router begins the connection itself, without a helper; remove this"},
                {FW_RULE_SET_MARK, "/spec/setMark",
                 "the router begins the connection itself, without the mark; remove this"},
                {FW_RULE_SET_DSCP, "/spec/setDscp",
                 "the router begins the connection itself, without the code point; remove this"},
                {FW_RULE_SET_TAG, "/spec/setTag",
                 "the router begins the connection itself, without the tag; remove this"},
        };
        int r = 0;

        if (!fw_rule_box(rule)->syn_proxy)
                return 0;
        if (rule->action != FW_ALLOW)
                r = refuse(
                        diag, "needs-allow", "/spec/synProxy",
                        "only of what is allowed the router answers for the server; remove this, "
                        "or let it allow");
        if (fw_rule_protocol(rule) != IPPROTO_TCP)
                r = refuse(diag, "needs-protocol", "/spec/synProxy",
                           "only TCP shakes hands; add \"protocol: tcp\"");
        if (fw_rule_floating(rule))
                r = refuse(diag, "never-floats", "/spec/floating",
                           "the kernel answers for others where it knows both zones; remove this");
        if (is_router(rule->from))
                r = refuse(diag, "never-matches", "/spec/from",
                           "what the router itself sends needs nobody before it; name a zone");
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                if (pt_object_has(&rule->object, rows[i].field))
                        r = refuse(diag, "without-proxy", rows[i].pointer, rows[i].text);
        return r;
}

int fw_rule_check_rare(const FirewallRule *rule, PtDiagnostics *diag)
{
        int r = check_reject(rule, diag);

        if (check_tcp_flags(rule, diag) < 0 || check_floating(rule, diag) < 0 ||
            check_sets(rule, diag) < 0 || check_fragments(rule, diag) < 0 ||
            check_end_connections(rule, diag) < 0 || check_syn_proxy(rule, diag) < 0)
                r = -EINVAL;
        return r;
}
