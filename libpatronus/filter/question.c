/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/question-internal.h"

#include "base/text.h"
#include "kind/field.h"
#include "kind/json.h"

#include <linux/if_arp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define WORD_MAX 64
#define FLAGS_MAX 8

static const PtChoice states[] = {
        {"new", NF_CT_STATE_BIT(IP_CT_NEW), "the first packet of a connection"},
        {"established", NF_CT_STATE_BIT(IP_CT_ESTABLISHED), "of a connection that there is"},
        {"related", NF_CT_STATE_BIT(IP_CT_RELATED), "an ICMP error, or what a helper expects"},
        {"invalid", NF_CT_STATE_INVALID_BIT, "of no connection, and can begin none"},
        {"untracked", NF_CT_STATE_UNTRACKED_BIT, "not tracked"},
        {},
};

static const PtChoice flags[] = {
        {"fin", TH_FIN, NULL},  {"syn", TH_SYN, NULL}, {"rst", TH_RST, NULL},
        {"psh", TH_PUSH, NULL}, {"ack", TH_ACK, NULL}, {"urg", TH_URG, NULL},
        {"ece", 0x40, NULL},    {"cwr", 0x80, NULL},   {},
};

/* clang-format off */
const PtField fw_question_fields[] = {
        [QUESTION_FROM] = PT_FIELD(FwQuestion, string, from, "from", 0, .max = WORD_MAX,
                .doc = "Zone that the packet comes from, or router."),
        [QUESTION_TO] = PT_FIELD(FwQuestion, string, to, "to", 0, .max = WORD_MAX,
                .doc = "Zone that it goes to, or router; else routes say it."),
        [QUESTION_IN] = PT_FIELD(FwQuestion, string, in, "in", 0, .min = 1, .max = IF_NAMESIZE - 1,
                .doc = "Interface that it comes by; else the one that leads to its source."),
        [QUESTION_OUT] = PT_FIELD(FwQuestion, string, out, "out", 0, .min = 1,
                .max = IF_NAMESIZE - 1,
                .doc = "Interface that it leaves by; else routes say it."),
        [QUESTION_SRC] = PT_FIELD(FwQuestion, address_range, source, "src", 0,
                .doc = "Address of its source."),
        [QUESTION_DST] = PT_FIELD(FwQuestion, address_range, destination, "dst", 0,
                .doc = "Address of its destination, before any translation."),
        [QUESTION_PROTO] = PT_FIELD(FwQuestion, protocol, protocol, "proto", 0,
                .doc = "Protocol, by name or number."),
        [QUESTION_SPORT] = PT_FIELD(FwQuestion, port_range, source_port, "sport", 0,
                .doc = "Port of its source; else one of 1024-65535."),
        [QUESTION_DPORT] = PT_FIELD(FwQuestion, port_range, destination_port, "dport", 0,
                .doc = "Port of its destination."),
        [QUESTION_ICMP] = PT_FIELD(FwQuestion, icmp_type, icmp, "icmp-type", 0,
                .doc = "Type of ICMP, and perhaps code; else echo-request."),
        [QUESTION_STATE] = PT_FIELD(FwQuestion, enum, state, "state", 0, .choices = states,
                .doc = "What it is of a connection; else new."),
        [QUESTION_MARK] = PT_FIELD(FwQuestion, mark, mark, "mark", 0,
                .doc = "Its mark; else 0."),
        [QUESTION_DSCP] = PT_FIELD(FwQuestion, u8, dscp, "dscp", 0, .max = 63,
                .doc = "Its code point; else 0."),
        [QUESTION_FLAGS] = PT_FIELD(FwQuestion, enum, flags, "flags", PT_F_LIST,
                .choices = flags, .doc = "Flags of TCP; else syn."),
        [QUESTION_LENGTH] = PT_FIELD(FwQuestion, length_range, length, "length", 0,
                .doc = "Bytes from the IP header on; else not known."),
        [QUESTION_MAC] = PT_FIELD(FwQuestion, mac, mac, "mac", 0,
                .doc = "Hardware address of who sends it; else not known."),
        [QUESTION_HOP_LIMIT] = PT_FIELD(FwQuestion, u8, hop_limit, "hop-limit", 0, .min = 1,
                .doc = "Its hop limit; else what its sort has."),
        [QUESTION_TAG] = PT_FIELD(FwQuestion, name, tags, "tag", PT_F_LIST,
                .doc = "Tags that its connection has already; else none."),
        [QUESTION_FRAGMENT] = PT_FIELD(FwQuestion, bool, fragment, "fragment", 0,
                .doc = "Whether it is a fragment, as it came; else it is not."),
        [QUESTION_AT] = PT_FIELD(FwQuestion, moment, at, "at", 0,
                .doc = "When, as schedules have it; else when it is asked."),
        [QUESTION_BRIDGE] = PT_FIELD(FwQuestion, string, bridge, "bridge", 0, .min = 1,
                .max = IF_NAMESIZE - 1,
                .doc = "The bridge of the frame that is asked about, in place of a packet."),
        [QUESTION_SMAC] = PT_FIELD(FwQuestion, mac, source_mac, "smac", 0,
                .doc = "The frame's source; else not known."),
        [QUESTION_DMAC] = PT_FIELD(FwQuestion, mac, destination_mac, "dmac", 0,
                .doc = "The frame's destination; else not known."),
        [QUESTION_ETHER_TYPE] = PT_FIELD(FwQuestion, ether_type, ether_type, "ether-type", 0,
                .doc = "What the frame carries, after its VLAN tag; else what the rest says."),
        [QUESTION_VLAN] = PT_FIELD(FwQuestion, vlan_range, vlan, "vlan", 0,
                .doc = "The frame's VLAN, or untagged; else not known."),
        [QUESTION_ARP_OP] = PT_FIELD(FwQuestion, arp_operation, arp_operation, "arp-op", 0,
                .doc = "What the ARP packet is; else not known."),
        [QUESTION_ARP_MAC] = PT_FIELD(FwQuestion, mac, arp_mac, "arp-mac", 0,
                .doc = "What the ARP packet says is its sender; else not known."),
        {},
};
/* clang-format on */

void fw_question_done(FwQuestion *question)
{
        pt_fields_done(fw_question_fields, question, question->present);
}

bool fw_question_time(const FwQuestion *question, int64_t *ret)
{
        if (fw_question_has(question, QUESTION_AT))
                *ret = fw_moment_time(&question->at);
        return fw_question_has(question, QUESTION_AT);
}

static bool is_single(const PtAddressRange *range)
{
        return memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

int fw_question_check_ends(const FwQuestion *question, PtDiagnostics *diag)
{
        const struct {
                const PtAddressRange *range;
                const char *pointer;
        } ends[] = {{&question->source, "/src"}, {&question->destination, "/dst"}};

        for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
                if (!is_single(ends[i].range)) {
                        pt_diag_error(diag, "not-one", ends[i].pointer,
                                      "a packet has one address, not several; write one");
                        return -EINVAL;
                }
        if (fw_question_has(question, QUESTION_SRC) && fw_question_has(question, QUESTION_DST) &&
            question->source.family != question->destination.family) {
                pt_diag_error(diag, "mixed-families", "/dst",
                              "it is of another family than src; write both of IPv4 or of IPv6");
                return -EINVAL;
        }
        if (fw_question_has(question, QUESTION_PROTO) && question->protocol == PT_PROTOCOL_ANY) {
                pt_diag_error(diag, "not-one", "/proto",
                              "a packet has one protocol; write tcp, udp, icmp or a number");
                return -EINVAL;
        }
        return 0;
}

/* What every packet must say, and not every frame. */
static int check_given(const FwQuestion *question, PtDiagnostics *diag)
{
        static const unsigned rows[] = {QUESTION_SRC, QUESTION_DST, QUESTION_PROTO};

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const char *name = fw_question_fields[rows[i]].name;
                g_autofree char *pointer = NULL;

                if (fw_question_has(question, rows[i]))
                        continue;
                pointer = g_strconcat("/", name, NULL);
                pt_diag_error(diag, "required", pointer,
                              "a packet has a source, a destination and a protocol: write %s",
                              name);
                return -EINVAL;
        }
        return 0;
}

static int check_no_frame(const FwQuestion *question, PtDiagnostics *diag)
{
        g_autofree char *pointer = NULL;
        uint64_t wrong = question->present >> QUESTION_BRIDGE << QUESTION_BRIDGE;

        if (!wrong)
                return 0;
        pointer = g_strconcat("/", fw_question_fields[__builtin_ctzll(wrong)].name, NULL);
        pt_diag_error(diag, "no-frame", pointer,
                      "only frames of a bridge have it; say bridge, or leave it out");
        return -EINVAL;
}

static int check(const FwQuestion *question, PtDiagnostics *diag)
{
        int r = check_given(question, diag);

        if (r == 0)
                r = check_no_frame(question, diag);
        if (r == 0)
                r = fw_question_check_ends(question, diag);
        if (r < 0)
                return r;
        if (fw_protocol_has_ports(question->protocol) &&
            !fw_question_has(question, QUESTION_DPORT)) {
                pt_diag_error(diag, "missing", "/dport",
                              "a packet of this protocol has a port: write dport");
                return -EINVAL;
        }
        return 0;
}

static int find_zone(const FwZones *zones, const char *name, const char *pointer,
                     PtDiagnostics *diag, const FwZone **ret)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *suggestion = NULL;

        if (strcmp(name, FW_ZONE_ROUTER) == 0) {
                *ret = &zones->router;
                return 0;
        }
        for (unsigned i = 0; i < zones->n; i++) {
                if (strcmp(zones->zones[i].name, name) == 0) {
                        *ret = &zones->zones[i];
                        return 0;
                }
                g_ptr_array_add(names, (char *) (uintptr_t) zones->zones[i].name);
        }
        g_ptr_array_add(names, (char *) (uintptr_t) FW_ZONE_ROUTER);
        g_ptr_array_add(names, NULL);
        suggestion = pt_suggestion(diag, name, (const char *const *) names->pdata);
        pt_diag_error(diag, "no-zone", pointer, "there is no zone \"%s\"; %s", name, suggestion);
        return -EINVAL;
}

static void set_span(FwPacket *packet, FwDimension dimension, bool given, uint16_t lo, uint16_t hi)
{
        if (given)
                fw_packet_set(packet, dimension, lo, hi);
        else
                fw_packet_set_unknown(packet, dimension);
}

static int set_icmp(const FwQuestion *question, PtDiagnostics *diag, FwPacket *packet)
{
        static const PtIcmpType echo_request = {8, 128, 0};
        const PtIcmpType *icmp =
                fw_question_has(question, QUESTION_ICMP) ? &question->icmp : &echo_request;
        int type = packet->family == AF_INET ? icmp->type4 : icmp->type6;
        unsigned code = icmp->code < 0 ? 0 : (unsigned) icmp->code;

        if (type < 0) {
                pt_diag_error(diag, "no-such-type", "/icmp-type",
                              "packets of this family have no such type");
                return -EINVAL;
        }
        fw_packet_set(packet, FW_DIM_ICMP, (unsigned) type << 8 | code,
                      (unsigned) type << 8 | code);
        return 0;
}

int fw_question_set_transport(const FwQuestion *question, PtDiagnostics *diag, FwPacket *packet)
{
        uint8_t bits = fw_tcp_flag_bits(&question->flags);
        int r = 0;

        fw_packet_set(packet, FW_DIM_PROTOCOL, (unsigned) question->protocol,
                      (unsigned) question->protocol);
        if (fw_protocol_has_ports(question->protocol)) {
                PtPortRange sport = fw_question_has(question, QUESTION_SPORT)
                                            ? question->source_port
                                            : (PtPortRange){1024, UINT16_MAX};

                fw_packet_set(packet, FW_DIM_SOURCE_PORT, sport.lo, sport.hi);
                set_span(packet, FW_DIM_DESTINATION_PORT, fw_question_has(question, QUESTION_DPORT),
                         question->destination_port.lo, question->destination_port.hi);
        }
        if (question->protocol == (packet->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
                r = set_icmp(question, diag, packet);
        if (question->protocol == IPPROTO_TCP) {
                if (!fw_question_has(question, QUESTION_FLAGS))
                        bits = TH_SYN;
                fw_packet_set(packet, FW_DIM_TCP_FLAGS, bits, bits);
        }
        return r;
}

static void set_rest(const FwQuestion *question, FwPacket *packet)
{
        uint32_t state = fw_question_has(question, QUESTION_STATE) ? (uint32_t) question->state
                                                                   : NF_CT_STATE_BIT(IP_CT_NEW);

        fw_packet_set(packet, FW_DIM_STATE, state, state);
        fw_packet_set(packet, FW_DIM_STATUS, 0, 0);
        fw_packet_set(packet, FW_DIM_MARK, question->mark.value, question->mark.value);
        fw_packet_set(packet, FW_DIM_DSCP, question->dscp, question->dscp);
        set_span(packet, FW_DIM_LENGTH, fw_question_has(question, QUESTION_LENGTH),
                 question->length.lo, question->length.hi);
        if (fw_question_has(question, QUESTION_MAC)) {
                fw_packet_set(packet, FW_DIM_LINK_TYPE, ARPHRD_ETHER, ARPHRD_ETHER);
                fw_packet_set_bytes(packet, FW_DIM_SOURCE_MAC, question->mac.bytes);
        } else {
                fw_packet_set_unknown(packet, FW_DIM_LINK_TYPE);
                fw_packet_set_unknown(packet, FW_DIM_SOURCE_MAC);
        }
        packet->hop_limit = question->hop_limit;
        packet->fragment = question->fragment;
}

static int set_tags(const FwQuestion *question, const FwTags *tags, FwPacket *packet,
                    PtDiagnostics *diag)
{
        char *const *names = question->tags.items;
        FwNumber mask = fw_tags_mask(tags, names, question->tags.n);

        for (unsigned i = 0; i < question->tags.n; i++)
                if (fw_tags_bit(tags, names[i]) < 0) {
                        pt_diag_error(diag, "no-tag", "/tag",
                                      "no rule sets or asks for the tag \"%s\"; leave it out",
                                      names[i]);
                        return -EINVAL;
                }
        fw_packet_set(packet, FW_DIM_TAGS, mask, mask);
        return 0;
}

int fw_question_packet(const FwQuestion *question, const FwLists *lists, PtDiagnostics *diag,
                       FwPacket *ret)
{
        const FwZones *zones = fw_lists_zones(lists);
        FwPacket packet;
        int r = check(question, diag);

        if (r < 0)
                return r;
        fw_packet_init(&packet, question->source.family, question->in ?: "");
        fw_packet_set_bytes(&packet, FW_DIM_SOURCE_ADDRESS, question->source.lo);
        fw_packet_set_bytes(&packet, FW_DIM_DESTINATION_ADDRESS, question->destination.lo);
        if (question->from) {
                r = find_zone(zones, question->from, "/from", diag, &packet.from);
                if (r < 0)
                        return r;
        }
        if (question->to) {
                r = find_zone(zones, question->to, "/to", diag, &packet.to);
                if (r < 0)
                        return r;
        }
        r = fw_question_set_transport(question, diag, &packet);
        if (r < 0)
                return r;
        set_rest(question, &packet);
        r = set_tags(question, fw_lists_tags(lists), &packet, diag);
        if (r < 0)
                return r;
        *ret = packet;
        return 0;
}

/* Answers. */

/* Without printf, which would take a fifth of the time of an answer. */
static void append_key(const char *key, GString *out)
{
        g_string_append(out, ",\"");
        g_string_append(out, key);
        g_string_append(out, "\":");
}

static void append_text(const char *key, const char *text, GString *out)
{
        append_key(key, out);
        pt_canonical_string(text, strlen(text), out);
}

static void append_object(const char *key, const PtObject *object, GString *out)
{
        uint8_t uid[16];

        pt_object_uid(object, uid);
        append_key(key, out);
        g_string_append(out, "{\"kind\":\"");
        g_string_append(out, object->kind->name);
        g_string_append(out, "\",\"name\":\"");
        g_string_append(out, object->name);
        g_string_append(out, "\",\"uid\":\"");
        pt_hex_append(uid, sizeof(uid), out);
        g_string_append(out, "\"}");
}

static void append_address(const char *key, int family, const FwSpan *span, GString *out)
{
        PtAddressRange range = {.family = (uint8_t) family};
        size_t len = family == AF_INET ? 4 : 16;

        fw_number_write(span->lo, len, range.lo);
        fw_number_write(span->hi, len, range.hi);
        pt_address_range_settle(&range);
        g_string_append_printf(out, ",\"%s\":\"", key);
        pt_address_range_format(&range, out);
        g_string_append_c(out, '"');
}

static void append_port(const char *key, const FwSpan *span, GString *out)
{
        if (span->lo == span->hi)
                g_string_append_printf(out, ",\"%s\":%u", key, (unsigned) span->lo);
        else
                g_string_append_printf(out, ",\"%s\":\"%u-%u\"", key, (unsigned) span->lo,
                                       (unsigned) span->hi);
}

/* Of a translation that is the interface's own address, only that. */
static bool is_any(const FwOutcome *outcome, const FwSpan *span)
{
        return span->lo == 0 && span->hi == fw_number_max(outcome->family == AF_INET ? 4 : 16);
}

static void append_nat(const FwOutcome *outcome, GString *out)
{
        const FwEnd *destination = &outcome->destination, *source = &outcome->source;
        bool ports = fw_protocol_has_ports(outcome->protocol);
        size_t start;

        if (!destination->rule && !source->rule && !source->zone)
                return;
        g_string_append(out, ",\"nat\":{");
        start = out->len;
        if (destination->rule) {
                append_object("rule", &destination->rule->object, out);
                if (!is_any(outcome, &destination->address))
                        append_address("destination", outcome->family, &destination->address, out);
                if (ports)
                        append_port("port", &destination->port, out);
        }
        if (source->rule)
                append_object("sourceRule", &source->rule->object, out);
        else if (source->zone)
                append_object("sourceRule", &source->zone->zone->object, out);
        if (source->rule || source->zone) {
                if (is_any(outcome, &source->address))
                        append_text("source", "interface", out);
                else
                        append_address("source", outcome->family, &source->address, out);
                if (ports)
                        append_port("sourcePort", &source->port, out);
        }
        g_string_erase(out, (gssize) start, 1); /* the first comma */
        g_string_append_c(out, '}');
}

static char *describe(const FwOutcome *outcome)
{
        g_autofree char *why = fw_outcome_describe(outcome),
                        *leads = fw_outcome_describe_translation(outcome),
                        *sends = fw_outcome_describe_source(outcome);

        return g_strconcat(leads ?: "", leads ? "; " : "", why, sends ? "; " : "", sends ?: "",
                           NULL);
}

static void append_verdict(FwAction action, FwReason reason, GString *out)
{
        g_string_append(out, "{\"verdict\":\"");
        g_string_append(out, fw_actions[action].name);
        g_string_append(out, "\",\"reason\":\"");
        g_string_append(out, fw_reason_name(reason));
        g_string_append_c(out, '"');
}

static void append_place(const FirewallRule *rule, unsigned place, unsigned places, GString *out)
{
        append_object("rule", &rule->object, out);
        g_string_append_printf(out, ",\"place\":%u,\"places\":%u", place, places);
}

void fw_answer_append(const FwOutcome *outcome, const FwPacket *packet, GString *out)
{
        g_autofree char *text = describe(outcome);

        append_verdict(outcome->action, outcome->reason, out);
        if (outcome->rule)
                append_place(outcome->rule, outcome->place, outcome->places, out);
        if (outcome->doubt)
                append_object("doubt", &outcome->doubt->object, out);
        append_nat(outcome, out);
        append_text("from", outcome->from ? outcome->from->name : FW_ZONE_UNASSIGNED, out);
        if (packet->in[0])
                append_text("in", packet->in, out);
        if (outcome->stage != FW_STAGE_FRAGMENTS)
                append_text("to", outcome->to ? outcome->to->name : FW_ZONE_UNASSIGNED, out);
        if (outcome->way.out[0])
                append_text("out", outcome->way.out, out);
        append_text("text", text, out);
        g_string_append_c(out, '}');
}

void fw_answer_append_frame(const FwFrameOutcome *outcome, const FwQuestion *question, GString *out)
{
        static const char *const directions[FW_BRIDGE_DIRECTION_MAX] = {
                [FW_BRIDGE_FORWARD] = "forward",
                [FW_BRIDGE_IN] = "in",
                [FW_BRIDGE_OUT] = "out",
        };
        g_autofree char *text = fw_frame_outcome_describe(outcome);

        append_verdict(outcome->action, outcome->reason, out);
        if (outcome->rule)
                append_place(&outcome->rule->effective.rule, outcome->place, outcome->places, out);
        if (outcome->doubt)
                append_object("doubt", &outcome->doubt->effective.rule.object, out);
        append_text("direction", directions[outcome->direction], out);
        append_text("bridge", question->bridge, out);
        if (question->in)
                append_text("in", question->in, out);
        if (question->out)
                append_text("out", question->out, out);
        append_text("text", text, out);
        g_string_append_c(out, '}');
}

void fw_answer_append_error(unsigned line, const char *pointer, const char *text, GString *out)
{
        g_string_append(out, "{\"error\":");
        pt_canonical_string(text, strlen(text), out);
        if (pointer[0])
                append_text("pointer", pointer, out);
        if (line > 0)
                g_string_append_printf(out, ",\"line\":%u", line);
        g_string_append_c(out, '}');
}
