/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/log-record.h"

#include "base/text.h"
#include "filter/opening.h"
#include "kind/field.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#define RULE_PREFIX "rule/"
#define DROP_PREFIX "drop/"
#define OPENING_PREFIX "open/" /* and its id in decimal */

/* Of each word of a line; interfaces, zones and names of rules are shorter. */
#define WORD_MAX 256

FwLogRule *fw_log_rule_ref(FwLogRule *rule)
{
        if (rule)
                rule->refs++;
        return rule;
}

void fw_log_rule_unref(FwLogRule *rule)
{
        if (!rule || --rule->refs > 0)
                return;
        g_free(rule->kind);
        g_free(rule->name);
        g_free(rule->text);
        g_free(rule);
}

void fw_log_record_done(FwLogRecord *record)
{
        fw_log_rule_unref(g_steal_pointer(&record->rule));
        g_clear_pointer(&record->from, g_ref_string_release);
        g_clear_pointer(&record->to, g_ref_string_release);
}

/* Prefixes. */

static bool read_hex(const char *text, size_t n, uint8_t *ret)
{
        for (size_t i = 0; i < n; i++) {
                int high = g_ascii_xdigit_value(text[2 * i]);
                int low = g_ascii_xdigit_value(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret[i] = (uint8_t) (high << 4 | low);
        }
        return true;
}

static bool has_prefix(const char *text, size_t size, const char *prefix)
{
        return size >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static bool set_opening(FwLogRecord *record, const char *text, size_t size)
{
        g_autofree char *digits = g_strndup(text, size);
        guint64 id;

        if (!g_ascii_string_to_unsigned(digits, 10, 1, UINT32_MAX, &id, NULL))
                return false;
        record->opening = (uint32_t) id;
        record->verdict = FW_ALLOW;
        record->reason = FW_REASON_OPENING;
        return true;
}

bool fw_log_record_set_prefix(FwLogRecord *record, const char *prefix, size_t size)
{
        size_t rule_size =
                strlen(RULE_PREFIX) + 2U * FW_LOG_UID_SIZE + 1 + 2U * FW_LOG_GENERATION_SIZE;

        record->verdict = FW_ACTION_INVALID;
        record->reason = FW_REASON_INVALID_NAME;
        if (has_prefix(prefix, size, DROP_PREFIX)) {
                record->verdict = FW_DROP;
                record->reason =
                        fw_reason_find(prefix + strlen(DROP_PREFIX), size - strlen(DROP_PREFIX));
                return record->reason != FW_REASON_INVALID_NAME;
        }
        if (has_prefix(prefix, size, OPENING_PREFIX))
                return set_opening(record, prefix + strlen(OPENING_PREFIX),
                                   size - strlen(OPENING_PREFIX));
        if (!has_prefix(prefix, size, RULE_PREFIX) || size != rule_size)
                return false;
        prefix += strlen(RULE_PREFIX);
        if (!read_hex(prefix, FW_LOG_UID_SIZE, record->uid) ||
            prefix[2U * FW_LOG_UID_SIZE] != '/' ||
            !read_hex(prefix + 2U * FW_LOG_UID_SIZE + 1, FW_LOG_GENERATION_SIZE,
                      record->generation))
                return false;
        record->by_rule = true;
        record->reason = FW_REASON_RULE;
        return true;
}

/* In words. */

static const char *const verdicts[] = {
        [FW_ALLOW] = "allow",
        [FW_DROP] = "drop",
        [FW_REJECT] = "reject",
        [FW_CONTINUE] = "continue",
};
static const char *const audited[] = {
        [FW_ALLOW] = "audit:allow",
        [FW_DROP] = "audit:drop",
        [FW_REJECT] = "audit:reject",
        [FW_CONTINUE] = "audit:continue",
};
G_STATIC_ASSERT(G_N_ELEMENTS(verdicts) == FW_ACTION_MAX && G_N_ELEMENTS(audited) == FW_ACTION_MAX);

const char *fw_log_record_verdict(const FwLogRecord *record)
{
        if (record->verdict < 0)
                return NULL;
        return record->rule && record->rule->audit ? audited[record->verdict]
                                                   : verdicts[record->verdict];
}

static void append_address(int family, const uint8_t *address, GString *out)
{
        char text[INET6_ADDRSTRLEN] = "";

        g_string_append(out, inet_ntop(family, address, text, sizeof(text)) ? text : "?");
}

/* Names without a database: those that rules have. */
static void append_protocol(uint8_t protocol, GString *out)
{
        static const struct {
                uint8_t number;
                const char *name;
        } names[] = {
                {IPPROTO_TCP, "tcp"},   {IPPROTO_UDP, "udp"},       {IPPROTO_ICMP, "icmp"},
                {IPPROTO_SCTP, "sctp"}, {IPPROTO_ICMPV6, "icmpv6"}, {IPPROTO_GRE, "gre"},
                {IPPROTO_ESP, "esp"},   {IPPROTO_AH, "ah"},         {IPPROTO_IGMP, "igmp"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                if (names[i].number == protocol) {
                        g_string_append(out, names[i].name);
                        return;
                }
        g_string_append_printf(out, "%u", protocol);
}

static const char tcp_flags[][4] = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};

static void append_flags(uint8_t flags, GString *out)
{
        const char *between = "";

        for (unsigned i = 0; i < G_N_ELEMENTS(tcp_flags); i++)
                if (flags >> i & 1) {
                        g_string_append_printf(out, "%s%s", between, tcp_flags[i]);
                        between = ",";
                }
}

static bool knows(const FwLogRecord *record, PtHeadersKnown what)
{
        return record->has_headers && record->headers.known & what;
}

/* JSON. */

static void key(const char *name, GString *out)
{
        const char *last = out->len > 0 ? &out->str[out->len - 1] : "{";

        g_string_append_printf(out, "%s\"%s\":", *last == '{' ? "" : ",", name);
}

static void member(const char *name, const char *text, size_t max, GString *out)
{
        size_t size;

        if (!text || !*text)
                return;
        size = strnlen(text, max);
        /* No half characters: UTF-8 goes on with bytes 10xxxxxx. */
        while (size > 0 && text[size] && ((unsigned char) text[size] & 0xc0) == 0x80)
                size--;
        key(name, out);
        pt_canonical_string(text, size, out);
}

static void number(const char *name, uint64_t value, GString *out)
{
        key(name, out);
        g_string_append_printf(out, "%" PRIu64, value);
}

static void words(const char *name, void (*append)(const FwLogRecord *record, GString *out),
                  const FwLogRecord *record, GString *out)
{
        key(name, out);
        g_string_append_c(out, '"');
        append(record, out);
        g_string_append_c(out, '"');
}

static void append_uid(const FwLogRecord *record, GString *out)
{
        pt_hex_append(record->uid, sizeof(record->uid), out);
}

static void append_generation(const FwLogRecord *record, GString *out)
{
        pt_hex_append(record->generation, sizeof(record->generation), out);
}

static void append_source(const FwLogRecord *record, GString *out)
{
        append_address(record->headers.family, record->headers.source, out);
}

static void append_destination(const FwLogRecord *record, GString *out)
{
        append_address(record->headers.family, record->headers.destination, out);
}

static void append_protocol_of(const FwLogRecord *record, GString *out)
{
        append_protocol(record->headers.protocol, out);
}

static void append_flags_of(const FwLogRecord *record, GString *out)
{
        append_flags(record->headers.tcp_flags, out);
}

static void append_six(const uint8_t *mac, GString *out)
{
        for (unsigned i = 0; i < sizeof(PtMac); i++)
                g_string_append_printf(out, "%s%02x", i > 0 ? ":" : "", mac[i]);
}

static void append_opening_of(const FwLogRecord *record, GString *out)
{
        g_string_append_printf(out, FW_OPENING_ID "%u", record->opening);
}

static void append_mac(const FwLogRecord *record, GString *out)
{
        append_six(record->mac, out);
}

static void append_destination_mac(const FwLogRecord *record, GString *out)
{
        append_six(record->destination_mac, out);
}

/* As rules have it. */
static void append_ether_type(const FwLogRecord *record, GString *out)
{
        const PtField field = {.type = &pt_type_ether_type};
        pt_auto_json *json = pt_type_ether_type.to_json(&field, &record->ether_type);

        g_string_append(out, json_object_get_string(json));
}

static void frame_to_json(const FwLogRecord *record, GString *out)
{
        words("destinationMac", append_destination_mac, record, out);
        words("etherType", append_ether_type, record, out);
        if (record->tagged)
                number("vlan", record->vlan, out);
}

static void rule_to_json(const FwLogRecord *record, GString *out)
{
        const FwLogRule *rule = record->rule;

        key("rule", out);
        g_string_append_c(out, '{');
        member("kind", rule ? rule->kind : NULL, WORD_MAX, out);
        member("name", rule ? rule->name : NULL, WORD_MAX, out);
        words("uid", append_uid, record, out);
        words("generation", append_generation, record, out);
        member("text", rule ? rule->text : NULL, FW_LOG_TEXT_MAX, out);
        g_string_append_c(out, '}');
}

static void headers_to_json(const FwLogRecord *record, GString *out)
{
        const PtHeaders *headers = &record->headers;

        member("family",
               knows(record, PT_HEADERS_ARP) ? "arp"
               : headers->family == AF_INET  ? "ipv4"
                                             : "ipv6",
               WORD_MAX, out);
        if (knows(record, PT_HEADERS_PROTOCOL))
                words("protocol", append_protocol_of, record, out);
        words("source", append_source, record, out);
        if (knows(record, PT_HEADERS_PORTS))
                number("sourcePort", headers->source_port, out);
        words("destination", append_destination, record, out);
        if (knows(record, PT_HEADERS_PORTS))
                number("destinationPort", headers->destination_port, out);
        if (knows(record, PT_HEADERS_ICMP)) {
                number("icmpType", headers->icmp_type, out);
                number("icmpCode", headers->icmp_code, out);
        }
        if (knows(record, PT_HEADERS_ARP))
                number("operation", headers->icmp_type, out);
        if (knows(record, PT_HEADERS_TCP_FLAGS))
                words("flags", append_flags_of, record, out);
        if (knows(record, PT_HEADERS_FRAGMENT)) {
                key("fragment", out);
                g_string_append(out, "true");
        }
        if (headers->dscp)
                number("dscp", headers->dscp, out);
        if (headers->length)
                number("length", headers->length, out);
}

void fw_log_record_to_json(const FwLogRecord *record, GString *out)
{
        gsize begin = out->len;

        g_string_append_c(out, '{');
        number("time", record->time_usec, out);
        if (record->lost) {
                number("lost", record->lost, out);
                g_string_append_c(out, '}');
                return;
        }
        member("verdict", fw_log_record_verdict(record), WORD_MAX, out);
        if (record->reason >= 0)
                member("reason", fw_reason_name(record->reason), WORD_MAX, out);
        if (record->by_rule)
                rule_to_json(record, out);
        if (record->opening)
                words("opening", append_opening_of, record, out);
        member("from", record->from, WORD_MAX, out);
        member("to", record->to, WORD_MAX, out);
        member("in", record->in, WORD_MAX, out);
        member("out", record->out, WORD_MAX, out);
        if (record->has_headers)
                headers_to_json(record, out);
        if (record->has_mac)
                words("mac", append_mac, record, out);
        if (record->bridge)
                frame_to_json(record, out);
        if (record->mark)
                number("mark", record->mark, out);
        g_string_append_c(out, '}');
        g_assert(out->len - begin < FW_LOG_LINE_MAX);
}

/* For people. */

static void append_end(const FwLogRecord *record, const uint8_t *address, uint16_t port,
                       GString *out)
{
        bool ports = knows(record, PT_HEADERS_PORTS);
        bool brackets = ports && record->headers.family == AF_INET6;

        g_string_append(out, brackets ? "[" : "");
        append_address(record->headers.family, address, out);
        g_string_append(out, brackets ? "]" : "");
        if (ports)
                g_string_append_printf(out, ":%u", port);
}

static void append_headers(const FwLogRecord *record, GString *out)
{
        const PtHeaders *headers = &record->headers;

        g_string_append_c(out, ' ');
        if (knows(record, PT_HEADERS_ARP))
                g_string_append(out, "arp");
        else if (knows(record, PT_HEADERS_PROTOCOL))
                append_protocol(headers->protocol, out);
        else
                g_string_append(out, headers->family == AF_INET ? "ipv4" : "ipv6");
        if (knows(record, PT_HEADERS_ICMP))
                g_string_append_printf(out, " %u/%u", headers->icmp_type, headers->icmp_code);
        g_string_append_c(out, ' ');
        append_end(record, headers->source, headers->source_port, out);
        g_string_append(out, " > ");
        append_end(record, headers->destination, headers->destination_port, out);
        if (knows(record, PT_HEADERS_TCP_FLAGS)) {
                g_string_append_c(out, ' ');
                append_flags(headers->tcp_flags, out);
        }
        if (knows(record, PT_HEADERS_FRAGMENT))
                g_string_append(out, " fragment");
        if (headers->length)
                g_string_append_printf(out, " %u bytes", headers->length);
}

static void append_frame(const FwLogRecord *record, GString *out)
{
        g_string_append_c(out, ' ');
        append_mac(record, out);
        g_string_append(out, " > ");
        append_destination_mac(record, out);
        if (record->tagged)
                g_string_append_printf(out, " vlan %u", record->vlan);
        if (record->has_headers)
                return;
        g_string_append_c(out, ' ');
        append_ether_type(record, out);
}

void fw_log_record_to_text(const FwLogRecord *record, GString *out)
{
        const char *verdict = fw_log_record_verdict(record);

        if (record->lost) {
                g_string_append_printf(out, "%u lines are missing here", record->lost);
                return;
        }
        g_string_append(out, verdict ?: "logged");
        if (record->rule)
                g_string_append_printf(out, " by %s/%s", record->rule->kind, record->rule->name);
        else if (record->opening)
                g_string_append_printf(out, " by " FW_OPENING_ID "%u", record->opening);
        else if (record->by_rule)
                g_string_append(out, " by a rule that is not known any more");
        else if (record->reason >= 0)
                g_string_append_printf(out, " (%s)", fw_reason_name(record->reason));
        if (record->from || record->to)
                g_string_append_printf(out, " %s/%s", record->from ?: "?", record->to ?: "?");
        if (*record->in)
                g_string_append_printf(out, " in %s", record->in);
        if (*record->out)
                g_string_append_printf(out, " out %s", record->out);
        if (record->bridge)
                append_frame(record, out);
        if (record->has_headers)
                append_headers(record, out);
}

/* Conditions. */

static const PtChoice verdict_choices[] = {
        {"allow", FW_ALLOW, "it passed"},
        {"drop", FW_DROP, "it was discarded"},
        {"reject", FW_REJECT, "its sender was told"},
        {"continue", FW_CONTINUE, "later rules decided"},
        {},
};

/* clang-format off */
const PtField fw_log_filter_fields[] = {
        [FW_LOG_RULE] = PT_FIELD(FwLogFilter, string, rule, "rule", 0, .max = WORD_MAX,
                .doc = "The rule that logged: its name, its kind and name, or its uid.",
                .example = "FirewallRule/web"),
        [FW_LOG_ZONE] = PT_FIELD(FwLogFilter, name, zone, "zone", 0,
                .doc = "A zone that the packet came from or went to.", .example = "lan"),
        [FW_LOG_FROM] = PT_FIELD(FwLogFilter, name, from, "from", 0,
                .doc = "The zone that it came from; router: the machine itself.",
                .example = "lan"),
        [FW_LOG_TO] = PT_FIELD(FwLogFilter, name, to, "to", 0,
                .doc = "The zone that it went to; router: the machine itself.", .example = "wan"),
        [FW_LOG_INTERFACE] = PT_FIELD(FwLogFilter, ifname, interface, "interface", 0,
                .doc = "An interface that it came or went by, or a glob that ends in *.",
                .example = "eth0"),
        [FW_LOG_PROTOCOL] = PT_FIELD(FwLogFilter, protocol, protocol, "protocol", 0,
                .doc = "The protocol inside IP.", .example = "tcp"),
        [FW_LOG_ADDRESS] = PT_FIELD(FwLogFilter, address_range, address, "address", 0,
                .doc = "An address, prefix or range that it came from or went to.",
                .example = "10.0.0.0/8"),
        [FW_LOG_SOURCE] = PT_FIELD(FwLogFilter, address_range, source, "source", 0,
                .doc = "What its source is in.", .example = "10.0.0.0/8"),
        [FW_LOG_DESTINATION] = PT_FIELD(FwLogFilter, address_range, destination, "destination", 0,
                .doc = "What its destination is in.", .example = "192.0.2.10"),
        [FW_LOG_PORT] = PT_FIELD(FwLogFilter, port_range, port, "port", 0,
                .doc = "A port, or a range of ports, of either side.", .example = "443"),
        [FW_LOG_REASON] = PT_FIELD(FwLogFilter, enum, reason, "reason", 0,
                .choices = fw_reasons,
                .doc = "Why it met its verdict.", .example = "default"),
        [FW_LOG_VERDICT] = PT_FIELD(FwLogFilter, enum, verdict, "verdict", 0,
                .choices = verdict_choices,
                .doc = "What became of it; of a rule in audit mode, what would have.",
                .example = "drop"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(fw_log_filter_fields) == FW_LOG_VERDICT + 2);

static bool is_rule(const char *wanted, const FwLogRecord *record)
{
        uint8_t uid[FW_LOG_UID_SIZE];
        const char *slash = strchr(wanted, '/');

        if (!record->by_rule)
                return false;
        if (strlen(wanted) == 2U * FW_LOG_UID_SIZE && read_hex(wanted, sizeof(uid), uid) &&
            memcmp(uid, record->uid, sizeof(uid)) == 0)
                return true;
        if (!record->rule)
                return false;
        if (!slash)
                return strcmp(wanted, record->rule->name) == 0;
        return strlen(record->rule->kind) == (size_t) (slash - wanted) &&
               g_str_has_prefix(wanted, record->rule->kind) &&
               strcmp(slash + 1, record->rule->name) == 0;
}

static bool is_interface(const char *wanted, const char *name)
{
        size_t size = strlen(wanted);

        if (!*name)
                return false;
        return size > 0 && wanted[size - 1] == '*' ? strncmp(wanted, name, size - 1) == 0
                                                   : strcmp(wanted, name) == 0;
}

static bool in_range(const PtAddressRange *range, const FwLogRecord *record, const uint8_t *address)
{
        size_t size = record->headers.family == AF_INET ? 4 : 16;

        return record->has_headers && range->family == record->headers.family &&
               memcmp(address, range->lo, size) >= 0 && memcmp(address, range->hi, size) <= 0;
}

static bool is_port(const PtPortRange *range, const FwLogRecord *record)
{
        const PtHeaders *headers = &record->headers;

        return knows(record, PT_HEADERS_PORTS) &&
               ((headers->source_port >= range->lo && headers->source_port <= range->hi) ||
                (headers->destination_port >= range->lo && headers->destination_port <= range->hi));
}

static bool matches(const FwLogFilter *filter, unsigned field, const FwLogRecord *record)
{
        switch (field) {
        case FW_LOG_RULE:
                return is_rule(filter->rule, record);
        case FW_LOG_ZONE:
                return g_strcmp0(filter->zone, record->from) == 0 ||
                       g_strcmp0(filter->zone, record->to) == 0;
        case FW_LOG_FROM:
                return g_strcmp0(filter->from, record->from) == 0;
        case FW_LOG_TO:
                return g_strcmp0(filter->to, record->to) == 0;
        case FW_LOG_INTERFACE:
                return is_interface(filter->interface, record->in) ||
                       is_interface(filter->interface, record->out);
        case FW_LOG_PROTOCOL:
                return filter->protocol == PT_PROTOCOL_ANY ||
                       (knows(record, PT_HEADERS_PROTOCOL) &&
                        record->headers.protocol == filter->protocol);
        case FW_LOG_ADDRESS:
                return in_range(&filter->address, record, record->headers.source) ||
                       in_range(&filter->address, record, record->headers.destination);
        case FW_LOG_SOURCE:
                return in_range(&filter->source, record, record->headers.source);
        case FW_LOG_DESTINATION:
                return in_range(&filter->destination, record, record->headers.destination);
        case FW_LOG_PORT:
                return is_port(&filter->port, record);
        case FW_LOG_REASON:
                return filter->reason == (int) record->reason;
        case FW_LOG_VERDICT:
                return filter->verdict == record->verdict;
        }
        g_assert_not_reached();
}

bool fw_log_filter_matches(const FwLogFilter *filter, const FwLogRecord *record)
{
        if (record->lost)
                return true;
        for (unsigned i = 0; fw_log_filter_fields[i].name; i++)
                if (filter->present >> i & 1 && !matches(filter, i, record))
                        return false;
        return true;
}
