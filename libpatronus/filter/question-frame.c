/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Questions about frames of bridges. */

#include "filter/question-internal.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#define BIT(row) (UINT64_C(1) << (row))

/* Rules of bridges ask for none of these. */
#define PACKETS_ONLY                                                                               \
        (BIT(QUESTION_FROM) | BIT(QUESTION_TO) | BIT(QUESTION_MARK) | BIT(QUESTION_DSCP) |         \
         BIT(QUESTION_FLAGS) | BIT(QUESTION_LENGTH) | BIT(QUESTION_MAC) |                          \
         BIT(QUESTION_HOP_LIMIT) | BIT(QUESTION_TAG) | BIT(QUESTION_FRAGMENT))
#define ADDRESSES (BIT(QUESTION_SRC) | BIT(QUESTION_DST))
#define TRANSPORT (BIT(QUESTION_SPORT) | BIT(QUESTION_DPORT) | BIT(QUESTION_ICMP))
#define IP_ONLY (BIT(QUESTION_PROTO) | TRANSPORT | BIT(QUESTION_STATE))
#define ARP_ONLY (BIT(QUESTION_ARP_OP) | BIT(QUESTION_ARP_MAC))

bool fw_question_is_frame(const FwQuestion *question)
{
        return fw_question_has(question, QUESTION_BRIDGE);
}

/* That none of some rows is given. */
static int check_none(const FwQuestion *question, uint64_t rows, const char *why,
                      PtDiagnostics *diag)
{
        uint64_t wrong = question->present & rows;
        g_autofree char *pointer = NULL;

        if (!wrong)
                return 0;
        pointer = g_strconcat("/", fw_question_fields[__builtin_ctzll(wrong)].name, NULL);
        pt_diag_error(diag, "not-of-it", pointer, "%s", why);
        return -EINVAL;
}

static int check_values(const FwQuestion *question, PtDiagnostics *diag)
{
        int r = check_none(question, PACKETS_ONLY,
                           "rules of bridges do not ask for it; leave it out", diag);

        if (r == 0)
                r = fw_question_check_ends(question, diag);
        if (r == 0 && !fw_question_has(question, QUESTION_PROTO))
                r = check_none(question, TRANSPORT, "only some protocols have it: say proto too",
                               diag);
        if (r < 0)
                return r;
        if (question->vlan.lo != question->vlan.hi) {
                pt_diag_error(diag, "not-one", "/vlan",
                              "a frame has one VLAN, not several; write one, or untagged");
                return -EINVAL;
        }
        if (!question->in && !question->out) {
                pt_diag_error(diag, "missing", "/in",
                              "say the port that the frame comes by (in), the one that it leaves "
                              "by (out), or both");
                return -EINVAL;
        }
        return 0;
}

static uint16_t ip_type(int family)
{
        return family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
}

/* *ret: what the frame carries; 0: it is not known, and nothing is said of it. */
static int find_type(const FwQuestion *question, PtDiagnostics *diag, uint16_t *ret)
{
        uint64_t present = question->present;

        *ret = 0;
        if (fw_question_has(question, QUESTION_ETHER_TYPE))
                *ret = question->ether_type;
        else if (present & ARP_ONLY)
                *ret = ETH_P_ARP;
        else if (present & ADDRESSES)
                *ret = ip_type(fw_question_has(question, QUESTION_SRC)
                                       ? question->source.family
                                       : question->destination.family);
        else if (fw_question_has(question, QUESTION_PROTO) && question->protocol == IPPROTO_ICMP)
                *ret = ETH_P_IP;
        else if (fw_question_has(question, QUESTION_PROTO) && question->protocol == IPPROTO_ICMPV6)
                *ret = ETH_P_IPV6;
        else
                return check_none(question, IP_ONLY,
                                  "is it of IPv4 or of IPv6? Say ether-type, or an address", diag);
        return 0;
}

static int check_type(const FwQuestion *question, uint16_t type, PtDiagnostics *diag)
{
        int family = type == ETH_P_IPV6 ? AF_INET6 : AF_INET;
        bool source = fw_question_has(question, QUESTION_SRC);
        int r = 0;

        if (type != ETH_P_ARP)
                r = check_none(question, ARP_ONLY, "only ARP packets have it; leave it out", diag);
        if (r == 0 && type != ETH_P_IP && type != ETH_P_IPV6)
                r = check_none(question, IP_ONLY, "only IP packets have it; leave it out", diag);
        if (r == 0 && type != ETH_P_IP && type != ETH_P_IPV6 && type != ETH_P_ARP)
                r = check_none(question, ADDRESSES, "only IP and ARP packets have it; leave it out",
                               diag);
        if (r < 0 || !(question->present & ADDRESSES) ||
            (source ? question->source.family : question->destination.family) == family)
                return r;
        pt_diag_error(diag, "mixed-families", source ? "/src" : "/dst",
                      "a frame of this type has addresses of IPv%d; write one",
                      family == AF_INET ? 4 : 6);
        return -EINVAL;
}

static void set_mac(const FwQuestion *question, unsigned row, const PtMac *mac, FwFrameField field,
                    FwFrame *frame)
{
        FwNumber number = fw_number_read(mac->bytes, sizeof(mac->bytes));

        if (fw_question_has(question, row))
                fw_frame_set(frame, field, number, number);
        else
                fw_frame_set_unknown(frame, field);
}

static FwBridgeDirection set_ports(const FwQuestion *question, FwFrame *frame)
{
        fw_frame_set_interface(frame, FW_FRAME_BRIDGE, question->bridge);
        if (question->in)
                fw_frame_set_interface(frame, FW_FRAME_FROM, question->in);
        if (question->out)
                fw_frame_set_interface(frame, FW_FRAME_TO, question->out);
        return !question->out ? FW_BRIDGE_IN : question->in ? FW_BRIDGE_FORWARD : FW_BRIDGE_OUT;
}

static void set_link(const FwQuestion *question, uint16_t type, FwFrame *frame)
{
        /* Of both types of tag, and of none and a tag of priority, rules say the same. */
        uint32_t tag = (uint32_t) ETH_P_8021Q << 16 | question->vlan.lo;

        set_mac(question, QUESTION_SMAC, &question->source_mac, FW_FRAME_SOURCE_MAC, frame);
        set_mac(question, QUESTION_DMAC, &question->destination_mac, FW_FRAME_DESTINATION_MAC,
                frame);
        if (type > 0)
                fw_frame_set(frame, FW_FRAME_ETHER_TYPE, type, type);
        else
                fw_frame_set_unknown(frame, FW_FRAME_ETHER_TYPE);
        if (fw_question_has(question, QUESTION_VLAN))
                fw_frame_set(frame, FW_FRAME_VLAN, tag, tag);
        else
                fw_frame_set_unknown(frame, FW_FRAME_VLAN);
}

static void set_address(const FwQuestion *question, unsigned row, const PtAddressRange *address,
                        FwFrameField field, FwFrame *frame)
{
        FwNumber number = fw_number_read(address->lo, fw_frame_fields[field].len);

        if (fw_question_has(question, row))
                fw_frame_set(frame, field, number, number);
        else
                fw_frame_set_unknown(frame, field);
}

static void set_arp(const FwQuestion *question, FwFrame *frame)
{
        uint16_t operation = question->arp_operation;
        FwNumber form = fw_number_read(fw_frame_arp_form, FW_FRAME_ARP_FORM_SIZE);

        fw_frame_set(frame, FW_FRAME_ARP_FORM, form, form);
        if (fw_question_has(question, QUESTION_ARP_OP))
                fw_frame_set(frame, FW_FRAME_ARP_OPERATION, operation, operation);
        else
                fw_frame_set_unknown(frame, FW_FRAME_ARP_OPERATION);
        set_mac(question, QUESTION_ARP_MAC, &question->arp_mac, FW_FRAME_ARP_SENDER_MAC, frame);
        set_address(question, QUESTION_SRC, &question->source, FW_FRAME_ARP_SENDER_ADDRESS, frame);
        set_address(question, QUESTION_DST, &question->destination, FW_FRAME_ARP_TARGET_ADDRESS,
                    frame);
}

static int set_ip(const FwQuestion *question, int family, PtDiagnostics *diag, FwFrame *frame)
{
        static const FwDimension dimensions[] = {FW_DIM_PROTOCOL, FW_DIM_SOURCE_PORT,
                                                 FW_DIM_DESTINATION_PORT, FW_DIM_ICMP};
        bool known = fw_question_has(question, QUESTION_PROTO);
        FwPacket packet;
        int r = 0;

        set_address(question, QUESTION_SRC, &question->source,
                    fw_frame_field_of(FW_DIM_SOURCE_ADDRESS, family), frame);
        set_address(question, QUESTION_DST, &question->destination,
                    fw_frame_field_of(FW_DIM_DESTINATION_ADDRESS, family), frame);
        fw_packet_init(&packet, family, "");
        if (known)
                r = fw_question_set_transport(question, diag, &packet);
        for (unsigned i = 0; i < G_N_ELEMENTS(dimensions); i++) {
                FwFrameField field = fw_frame_field_of(dimensions[i], family);
                const FwSpan *value = &packet.values[dimensions[i]];

                if (!known)
                        fw_frame_set_unknown(frame, field);
                else if (packet.here[dimensions[i]])
                        fw_frame_set(frame, field, value->lo, value->hi);
        }
        frame->state = fw_question_has(question, QUESTION_STATE) ? (uint32_t) question->state : 0;
        return r;
}

int fw_question_frame(const FwQuestion *question, PtDiagnostics *diag,
                      FwBridgeDirection *ret_direction, FwFrame *ret)
{
        FwFrame frame = {};
        uint16_t type;
        int r = check_values(question, diag);

        if (r == 0)
                r = find_type(question, diag, &type);
        if (r == 0)
                r = check_type(question, type, diag);
        if (r < 0)
                return r;
        *ret_direction = set_ports(question, &frame);
        set_link(question, type, &frame);
        if (type == ETH_P_ARP)
                set_arp(question, &frame);
        else if (type == ETH_P_IP || type == ETH_P_IPV6)
                r = set_ip(question, type == ETH_P_IP ? AF_INET : AF_INET6, diag, &frame);
        /* What rules ask of a frame whose type is not known may be there. */
        for (FwFrameField i = FW_FRAME_ARP_FORM; type == 0 && i < FW_FRAME_FIELD_MAX; i++)
                fw_frame_set_unknown(&frame, i);
        *ret = frame;
        return r;
}
