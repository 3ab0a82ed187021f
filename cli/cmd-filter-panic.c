/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter panic: nothing passes but who administers. */

#include "filter.h"

#include "output.h"
#include <stdio.h>
#include <string.h>

const char *const ctl_switches[] = {"on", "off", "status", NULL};

static int say_status(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        int on;
        int r = ctl_ask(ctl, &ctl_filter_properties, "Get", CTL_CALL_READS, &reply, "ss",
                        ctl_filter.interface, "Panic");

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "v", "b", &on);
        if (r < 0)
                return r;
        printf("panic is %s\n", on ? "on" : "off");
        return CTL_DONE;
}

int ctl_run_filter_panic(Ctl *ctl)
{
        const char *word = ctl_argument(ctl, 0);
        pt_auto_message *reply = NULL;
        bool on = strcmp(word, "on") == 0;
        int r;

        if (strcmp(word, "status") == 0)
                return say_status(ctl);
        if (!on && strcmp(word, "off") != 0) {
                ctl_error("\"%s\" is neither on, off nor status", word);
                return CTL_USAGE;
        }
        r = ctl_ask(ctl, &ctl_filter, "Panic", CTL_CALL_READS, &reply, "ba{sv}", on, 1, "force",
                    "b", ctl->values[CTL_FORCE] != NULL);
        if (r == CTL_DONE)
                printf("panic is %s\n", word);
        return r;
}
