/* SPDX-License-Identifier: GPL-3.0-or-later */

/* confirm: keeps what is in force and would be taken back otherwise. */

#include "call.h"
#include "confirm.h"
#include "output.h"
#include <inttypes.h>

/* The revision that waits. */
static int read_waiting(Ctl *ctl, uint64_t *ret)
{
        static const CtlTarget properties = {
                "org.patronus.Config1",
                "/org/patronus/Config1",
                "org.freedesktop.DBus.Properties",
        };
        pt_auto_message *reply = NULL;
        int r;

        r = ctl_ask(ctl, &properties, "Get", CTL_CALL_READS, &reply, "ss", ctl_config.interface,
                    "ConfirmRevision");
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "v", "t", ret);
        return r < 0 ? r : CTL_DONE;
}

int ctl_run_confirm(Ctl *ctl)
{
        const char *text = ctl_argument(ctl, 0);
        uint64_t revision;
        int r;

        r = text ? ctl_parse_revision(text, &revision) : read_waiting(ctl, &revision);
        if (r != CTL_DONE)
                return r;
        if (revision == 0) {
                ctl_error("nothing waits for a confirmation");
                return CTL_REFUSED;
        }
        r = ctl_confirm_call(ctl, revision);
        if (r == CTL_DONE)
                printf("revision %" PRIu64 " is confirmed\n", revision);
        return r;
}
