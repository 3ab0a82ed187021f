/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/reason.h"

#include <string.h>

#define PREFIX "drop/"

/* A prefix, and the name at its end. */
#define REASON(number, word, text) [number] = {&(PREFIX word)[sizeof(PREFIX) - 1], (number), (text)}

/* clang-format off */
const PtChoice fw_reasons[] = {
        REASON(FW_REASON_RULE, "rule", "a rule decided"),
        REASON(FW_REASON_AUDIT, "audit", "a rule in audit mode would have decided"),
        REASON(FW_REASON_DEFAULT, "default", "no rule matched"),
        REASON(FW_REASON_LOCKOUT, "anti-lockout", "the router can always be administered"),
        REASON(FW_REASON_PROLOGUE, "prologue", "it passes before any rule"),
        REASON(FW_REASON_PANIC, "panic", "panic mode is on"),
        REASON(FW_REASON_BAN, "ban", "its source or destination is banned"),
        REASON(FW_REASON_INVALID, "invalid", "it belongs to no connection and can begin none"),
        REASON(FW_REASON_KILLED, "killed", "its connection was ended"),
        REASON(FW_REASON_FRAGMENTS, "fragments", "a rule drops fragments"),
        REASON(FW_REASON_NO_ZONE, "no-zone", "it came by, or goes to, an interface of no zone"),
        REASON(FW_REASON_ANTISPOOF, "antispoof", "its source is not reached by the interface that it came by"),
        REASON(FW_REASON_BOGONS, "bogons", "its source is an address that no host of the internet has"),
        REASON(FW_REASON_PRIVATE, "private", "its source is a private address"),
        REASON(FW_REASON_LIMIT, "limit", "it is beyond a limit of the rule that would let it pass"),
        REASON(FW_REASON_BRIDGE, "bridge", "no rule of bridges matched"),
        REASON(FW_REASON_OPENING, "opening", "its port was opened at run time"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(fw_reasons) == FW_REASON_MAX + 1);

const char *fw_reason_name(FwReason reason)
{
        g_assert(reason >= 0 && reason < FW_REASON_MAX);
        return fw_reasons[reason].name;
}

const char *fw_reason_prefix(FwReason reason)
{
        return fw_reason_name(reason) - strlen(PREFIX);
}

const char *fw_reason_text(FwReason reason)
{
        g_assert(reason >= 0 && reason < FW_REASON_MAX);
        return fw_reasons[reason].doc;
}

FwReason fw_reason_find(const char *name, size_t size)
{
        for (FwReason reason = 0; reason < FW_REASON_MAX; reason++)
                if (strlen(fw_reason_name(reason)) == size &&
                    memcmp(fw_reason_name(reason), name, size) == 0)
                        return reason;
        return FW_REASON_INVALID_NAME;
}
