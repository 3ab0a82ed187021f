/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* All kinds, sorted by name: the items of a table. A new one is a line here. */

#include "kinds/firewall/bridge.h"
#include "kinds/firewall/firewall.h"

/* clang-format off */
#define PT_KINDS \
        &pt_kind_alias, \
        &pt_kind_bridge_rule, \
        &pt_kind_bridge_settings, \
        &pt_kind_filter_settings, \
        &pt_kind_firewall_rule, \
        &pt_kind_nat64, \
        &pt_kind_nat_rule, \
        &pt_kind_nat_settings, \
        &pt_kind_policy_test, \
        &pt_kind_rule_group, \
        &pt_kind_schedule, \
        &pt_kind_server_pool, \
        &pt_kind_service, \
        &pt_kind_zone
/* clang-format on */
