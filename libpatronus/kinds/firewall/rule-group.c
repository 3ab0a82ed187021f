/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

/* clang-format off */
static const PtField group_fields[] = {
        [RULE_GROUP_ENABLED] = PT_FIELD(RuleGroup, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether the rules of the group are in force, as far as they are enabled "
                       "themselves. All of them change in one transaction.",
                .example = "false"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(group_fields) == RULE_GROUP_ENABLED + 2);

bool fw_group_enabled(const RuleGroup *group)
{
        return !pt_object_has(&group->object, RULE_GROUP_ENABLED) || group->enabled;
}

const PtKind pt_kind_rule_group = {
        .name = "RuleGroup",
        .api_version = "patronus.firewall/v1",
        .plural = "rulegroups",
        .doc = "Rules that belong together, with one switch for all of them: a rule names the "
               "group that it is in.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: RuleGroup\n"
                   "metadata:\n"
                   "  name: guests\n"
                   "  description: \"what visitors may do\"\n"
                   "spec:\n"
                   "  enabled: false\n",
        .size = sizeof(RuleGroup),
        .fields = group_fields,
        .passive = true,
};
