/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

static const PtChoice outbound_choices[] = {
        {"automatic", FW_OUTBOUND_AUTOMATIC,
         "zones with a masquerade of their own, and nothing else; NAT rules of sources are not in "
         "force"},
        {"hybrid", FW_OUTBOUND_HYBRID,
         "the NAT rules first, then the masquerade of the zone for what none of them matched"},
        {"manual", FW_OUTBOUND_MANUAL,
         "NAT rules alone; what zones say of masquerading is ignored"},
        {"off", FW_OUTBOUND_OFF, "sources stay as they are"},
        {},
};

/* clang-format off */
static const PtField settings_fields[] = {
        [NAT_SETTINGS_OUTBOUND] = PT_FIELD(NatSettings, enum, outbound, "outbound", 0,
                .choices = outbound_choices, .def = "hybrid",
                .doc = "What translates the sources of connections that leave: NAT rules of the "
                       "types masquerade and source, and the masquerade of zones. Rules that map "
                       "both ways (one-to-one, prefix) are no part of it. A rule that is not in "
                       "force brings no rule of the filter either. Connections that exist keep "
                       "their translation.",
                .example = "manual"),
        [NAT_SETTINGS_REFLECTION] = PT_FIELD(NatSettings, bool, reflection, "reflection", 0,
                .def = "false",
                .doc = "Whether forwards that do not say are reflected: whether hosts inside reach "
                       "them by their outside address too.",
                .example = "true"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(settings_fields) == NAT_SETTINGS_REFLECTION + 2);

FwOutbound fw_nat_settings_outbound(const NatSettings *settings)
{
        return settings && pt_object_has(&settings->object, NAT_SETTINGS_OUTBOUND)
                       ? (FwOutbound) settings->outbound
                       : FW_OUTBOUND_HYBRID;
}

bool fw_nat_settings_reflection(const NatSettings *settings)
{
        return settings && pt_object_has(&settings->object, NAT_SETTINGS_REFLECTION) &&
               settings->reflection;
}

const PtKind pt_kind_nat_settings = {
        .name = "NatSettings",
        .api_version = "patronus.firewall/v1",
        .plural = "natsettings",
        .doc = "What holds for all address translation: what translates the sources of "
               "connections that leave, and whether forwards are reflected.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: NatSettings\n"
                   "metadata:\n"
                   "  name: default\n"
                   "spec:\n"
                   "  outbound: manual\n"
                   "  reflection: true\n",
        .size = sizeof(NatSettings),
        .fields = settings_fields,
        .singleton = true,
};
