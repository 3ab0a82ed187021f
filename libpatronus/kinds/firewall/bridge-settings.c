/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/bridge.h"

static const PtChoice defaults[] = {
        {"allow", FW_ALLOW, "they pass"},
        {"drop", FW_DROP, "they are discarded"},
        {},
};

/* clang-format off */
static const PtField settings_fields[] = {
        [BRIDGE_SETTINGS_DEFAULT] = PT_FIELD(BridgeSettings, enum, forward, "default", 0,
                .choices = defaults, .def = "allow",
                .doc = "What happens to frames from one port to another that no rule matched. When "
                       "they are dropped, rules must allow ARP and neighbour discovery too, or "
                       "nobody finds anybody.",
                .example = "drop"),
        [BRIDGE_SETTINGS_INPUT] = PT_FIELD(BridgeSettings, enum, input, "input", 0,
                .choices = defaults, .def = "allow",
                .doc = "The same of frames to this machine: to an address of the bridge, and those "
                       "of protocols of the link such as STP. What is IP in them is then asked by "
                       "the zones' rules as ever.",
                .example = "drop"),
        [BRIDGE_SETTINGS_OUTPUT] = PT_FIELD(BridgeSettings, enum, output, "output", 0,
                .choices = defaults, .def = "allow",
                .doc = "The same of frames that this machine sends through a bridge.",
                .example = "drop"),
        [BRIDGE_SETTINGS_STATEFUL] = PT_FIELD(BridgeSettings, bool, stateful, "stateful", 0,
                .def = "false",
                .doc = "Whether the IP packets in frames from port to port belong to connections: "
                       "those of connections that exist, and errors about them, pass before any "
                       "rule, and what belongs to none and can begin none is dropped. So rules are "
                       "for the first packet. It needs the kernel's nf_conntrack_bridge.",
                .example = "true"),
        [BRIDGE_SETTINGS_LOG_DEFAULT] = PT_FIELD(BridgeSettings, bool, log_default, "logDefault", 0,
                .def = "false",
                .doc = "Whether frames are logged that are dropped because no rule matched, or as "
                       "invalid.",
                .example = "true"),
        [BRIDGE_SETTINGS_LOG_RATE] = PT_FIELD(BridgeSettings, rate, log_rate, "logRate", 0,
                .def = "10/second",
                .doc = "How many of them are logged at most.",
                .example = "5/minute"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(settings_fields) == BRIDGE_SETTINGS_LOG_RATE + 2);

FwAction fw_bridge_default(const BridgeSettings *settings, FwBridgeDirection direction)
{
        static const unsigned bits[FW_BRIDGE_DIRECTION_MAX] = {
                [FW_BRIDGE_FORWARD] = BRIDGE_SETTINGS_DEFAULT,
                [FW_BRIDGE_IN] = BRIDGE_SETTINGS_INPUT,
                [FW_BRIDGE_OUT] = BRIDGE_SETTINGS_OUTPUT,
        };

        if (!settings || !pt_object_has(&settings->object, bits[direction]))
                return FW_ALLOW;
        switch (direction) {
        case FW_BRIDGE_FORWARD:
                return (FwAction) settings->forward;
        case FW_BRIDGE_IN:
                return (FwAction) settings->input;
        case FW_BRIDGE_OUT:
                return (FwAction) settings->output;
        case FW_BRIDGE_DIRECTION_MAX:
        case FW_BRIDGE_DIRECTION_INVALID:
                break;
        }
        g_assert_not_reached();
}

bool fw_bridge_stateful(const BridgeSettings *settings)
{
        return settings && settings->stateful;
}

PtRate fw_bridge_log_rate(const BridgeSettings *settings)
{
        return settings && pt_object_has(&settings->object, BRIDGE_SETTINGS_LOG_RATE)
                       ? settings->log_rate
                       : FW_LOG_RATE_DEFAULT;
}

const PtKind pt_kind_bridge_settings = {
        .name = "BridgeSettings",
        .api_version = "patronus.firewall/v1",
        .plural = "bridgesettings",
        .doc = "What holds for the filter of bridges: what happens to frames that no rule matched, "
               "and whether connections are followed.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: BridgeSettings\n"
                   "metadata:\n"
                   "  name: default\n"
                   "spec:\n"
                   "  default: drop\n"
                   "  logDefault: true\n",
        .size = sizeof(BridgeSettings),
        .fields = settings_fields,
        .singleton = true,
};
