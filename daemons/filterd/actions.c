/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "actions.h"

#include "bus-filter.h"

static const PtAccessRow rows[] = {
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListCounters", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "Explain", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ExplainBatch", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "Compare", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListConnections", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "CountConnections", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListBans", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListDrift", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "Follow", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListAliases", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "AliasState", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListNat64", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListServers", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "ListAlias", RUNTIME_READ),
        PT_MAY_READ(FW_BUS_INTERFACE, RUNTIME_READ),
        PT_MAY_READ("", RUNTIME_READ),
        PT_MAY_CALL(FW_BUS_INTERFACE, "KillConnections", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "Ban", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "Unban", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "FlushBans", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "RefreshAlias", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "AddToAlias", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "RemoveFromAlias", RUNTIME_OPERATE),
        PT_MAY_CALL(FW_BUS_INTERFACE, "FlushAlias", RUNTIME_OPERATE),
        {},
};

const PtAccessTable fw_access = {.rows = rows};
