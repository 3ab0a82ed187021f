/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bridge-cuts.h"

#include "filter/frame-match.h"

#include <dirent.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* RFC 4861 4.3, 4.4: solicitation and advertisement, any code. */
#define NEIGHBOURS_FIRST (135 << 8)
#define NEIGHBOURS_LAST ((136 << 8) + 255)

/* What stands on another interface (a VLAN) may stand on a bridge. Where the kernel does not tell,
 * it may be one. */
static bool may_be_bridge(const char *name)
{
        g_autofree char *path = g_strconcat("/sys/class/net/", name, NULL);
        g_autofree char *bridge = g_strconcat(path, "/bridge", NULL);
        const struct dirent *entry;
        bool stacked = false;
        DIR *folder;

        if (access(bridge, F_OK) == 0)
                return true;
        folder = opendir(path);
        if (!folder)
                return true;
        while (!stacked && (entry = readdir(folder)))
                stacked = g_str_has_prefix(entry->d_name, "lower_");
        closedir(folder);
        return stacked;
}

static void set_link(FwFrame *frame, FwBridgeDirection direction, uint16_t type)
{
        static const FwFrameField fields[] = {FW_FRAME_BRIDGE, FW_FRAME_VLAN,
                                              FW_FRAME_DESTINATION_MAC, FW_FRAME_SOURCE_MAC};

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                fw_frame_set_unknown(frame, fields[i]);
        fw_frame_set_unknown(frame, direction == FW_BRIDGE_IN ? FW_FRAME_FROM : FW_FRAME_TO);
        fw_frame_set(frame, FW_FRAME_ETHER_TYPE, type, type);
}

static void set_value(FwFrame *frame, FwFrameField field, const FwPacket *packet,
                      FwDimension dimension)
{
        const FwSpan *value = &packet->values[dimension];

        fw_frame_set(frame, field, value->lo, value->hi);
}

/* A packet of the connection: to this machine, or back. */
static FwFrame packet_frame(const FwPacket *packet, FwBridgeDirection direction)
{
        bool back = direction == FW_BRIDGE_OUT;
        int family = packet->family;
        FwDimension source = back ? FW_DIM_DESTINATION_ADDRESS : FW_DIM_SOURCE_ADDRESS;
        FwDimension destination = back ? FW_DIM_SOURCE_ADDRESS : FW_DIM_DESTINATION_ADDRESS;
        FwFrame frame = {};

        set_link(&frame, direction, family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
        set_value(&frame, fw_frame_field_of(FW_DIM_SOURCE_ADDRESS, family), packet, source);
        set_value(&frame, fw_frame_field_of(FW_DIM_DESTINATION_ADDRESS, family), packet,
                  destination);
        set_value(&frame, FW_FRAME_PROTOCOL, packet, FW_DIM_PROTOCOL);
        set_value(&frame, FW_FRAME_SOURCE_PORT, packet,
                  back ? FW_DIM_DESTINATION_PORT : FW_DIM_SOURCE_PORT);
        set_value(&frame, FW_FRAME_DESTINATION_PORT, packet,
                  back ? FW_DIM_SOURCE_PORT : FW_DIM_DESTINATION_PORT);
        return frame;
}

/* By which either end finds the other. */
static FwFrame neighbour_frame(int family, FwBridgeDirection direction)
{
        static const FwFrameField of_arp[] = {FW_FRAME_ARP_FORM, FW_FRAME_ARP_OPERATION,
                                              FW_FRAME_ARP_SENDER_MAC, FW_FRAME_ARP_SENDER_ADDRESS,
                                              FW_FRAME_ARP_TARGET_ADDRESS};
        FwFrame frame = {};

        set_link(&frame, direction, family == AF_INET ? ETH_P_ARP : ETH_P_IPV6);
        for (unsigned i = 0; family == AF_INET && i < G_N_ELEMENTS(of_arp); i++)
                fw_frame_set_unknown(&frame, of_arp[i]);
        if (family == AF_INET)
                return frame;
        fw_frame_set_unknown(&frame, FW_FRAME_SOURCE6);
        fw_frame_set_unknown(&frame, FW_FRAME_DESTINATION6);
        fw_frame_set(&frame, FW_FRAME_PROTOCOL, IPPROTO_ICMPV6, IPPROTO_ICMPV6);
        fw_frame_set(&frame, FW_FRAME_ICMP, NEIGHBOURS_FIRST, NEIGHBOURS_LAST);
        return frame;
}

int fw_bridge_cuts(const FwPlanned *planned, const FwPacket *packet, char **ret_why)
{
        static const FwBridgeDirection directions[] = {FW_BRIDGE_IN, FW_BRIDGE_OUT};
        const FwSource source = {planned->slice, planned->state_dir, planned->live};
        const BridgeSettings *settings = (const BridgeSettings *) pt_slice_get(
                planned->slice, &pt_kind_bridge_settings, "default");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) rules = NULL;
        int r;

        if ((!settings && pt_slice_count(planned->slice, &pt_kind_bridge_rule) == 0) ||
            !may_be_bridge(packet->in))
                return 0;
        r = fw_frame_rules_new(&source, planned->effective, diag, &rules);
        for (unsigned i = 0; r == 0 && i < 2 * G_N_ELEMENTS(directions); i++) {
                FwBridgeDirection direction = directions[i / 2];
                FwFrame frame = i % 2 ? neighbour_frame(packet->family, direction)
                                      : packet_frame(packet, direction);
                const FwFrameRule *rule;

                if (!fw_frame_may_drop(&frame, direction, rules, settings, &rule))
                        continue;
                *ret_why = g_strdup_printf(
                        "%s%s may drop %s of it %s the bridge", rule ? "BridgeRule/" : "",
                        rule ? rule->effective.rule.object.name : "the default of BridgeSettings",
                        i % 2 ? "what looks for the ends" : "frames",
                        direction == FW_BRIDGE_IN ? "by" : "that go back by");
                return 1;
        }
        return r;
}
