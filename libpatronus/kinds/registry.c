/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

/* All kinds, sorted by name. A new one is a line here. */
static const PtKind *const kinds[] = {
        &pt_kind_alias,
        &pt_kind_filter_settings,
        &pt_kind_firewall_rule,
        &pt_kind_nat_rule,
        &pt_kind_service,
        &pt_kind_zone,
        NULL,
};

const PtKind *const *pt_kinds(void)
{
        return kinds;
}

const PtKind *pt_kind_find(const char *name)
{
        for (const PtKind *const *kind = kinds; *kind; kind++)
                if (g_ascii_strcasecmp((*kind)->name, name) == 0 ||
                    g_ascii_strcasecmp((*kind)->plural, name) == 0)
                        return *kind;
        return NULL;
}
