/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/reason.h"

#include <string.h>

#define PREFIX "drop/"
#define REASON(word) .prefix = PREFIX word

/* clang-format off */
static const struct {
        const char *prefix; /* the name is what follows PREFIX */
        const char *text;
} reasons[FW_REASON_MAX] = {
        [FW_REASON_RULE] = {REASON("rule"), "a rule decided"},
        [FW_REASON_AUDIT] = {REASON("audit"), "a rule in audit mode would have decided"},
        [FW_REASON_DEFAULT] = {REASON("default"), "no rule matched"},
        [FW_REASON_LOCKOUT] = {REASON("anti-lockout"), "the router can always be administered"},
        [FW_REASON_PROLOGUE] = {REASON("prologue"), "it passes before any rule"},
        [FW_REASON_PANIC] = {REASON("panic"), "panic mode is on"},
        [FW_REASON_BAN] = {REASON("ban"), "its source or destination is banned"},
        [FW_REASON_INVALID] = {REASON("invalid"), "it belongs to no connection and can begin none"},
        [FW_REASON_KILLED] = {REASON("killed"), "its connection was ended"},
        [FW_REASON_FRAGMENTS] = {REASON("fragments"), "a rule drops fragments"},
        [FW_REASON_NO_ZONE] = {REASON("no-zone"),
                               "it came by, or goes to, an interface of no zone"},
        [FW_REASON_ANTISPOOF] = {REASON("antispoof"),
                                 "its source is not reached by the interface that it came by"},
        [FW_REASON_BOGONS] = {REASON("bogons"),
                              "its source is an address that no host of the internet has"},
        [FW_REASON_PRIVATE] = {REASON("private"), "its source is a private address"},
        [FW_REASON_LIMIT] = {REASON("limit"),
                             "it is beyond a limit of the rule that would let it pass"},
};
/* clang-format on */

const char *fw_reason_prefix(FwReason reason)
{
        g_assert(reason >= 0 && reason < FW_REASON_MAX);
        return reasons[reason].prefix;
}

const char *fw_reason_name(FwReason reason)
{
        return fw_reason_prefix(reason) + strlen(PREFIX);
}

const char *fw_reason_text(FwReason reason)
{
        g_assert(reason >= 0 && reason < FW_REASON_MAX);
        return reasons[reason].text;
}

FwReason fw_reason_find(const char *name, size_t size)
{
        for (FwReason reason = 0; reason < FW_REASON_MAX; reason++)
                if (strlen(fw_reason_name(reason)) == size &&
                    memcmp(fw_reason_name(reason), name, size) == 0)
                        return reason;
        return FW_REASON_INVALID_NAME;
}
