/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter add, remove, entries: what external aliases hold. */

#include "filter.h"

#include "addresses.h"
#include "output.h"
#include <stdio.h>

int ctl_run_filter_add(Ctl *ctl)
{
        const char *alias = ctl_argument(ctl, 0);
        pt_auto_message *m = NULL, *reply = NULL;
        bool refused = false;
        uint64_t timeout;
        uint32_t added;
        int r = ctl_read_for(ctl, &timeout);

        if (r == CTL_DONE)
                r = ctl_method(ctl, &ctl_filter, "AddToAlias", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "s", alias);
        if (r >= 0)
                r = ctl_append_arguments(ctl, 1, m);
        if (r >= 0)
                r = ctl->values[CTL_FOR] ? sd_bus_message_append(m, "a{sv}", 1, "timeout", "s",
                                                                 ctl->values[CTL_FOR])
                                         : sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "u", &added);
        if (r >= 0)
                r = ctl_say_refused(ctl, 1, reply, &refused);
        if (r < 0)
                return r;
        printf("%u put into %s%s%s\n", added, alias, ctl->values[CTL_FOR] ? " for " : "",
               ctl->values[CTL_FOR] ?: "");
        return refused ? CTL_REFUSED : CTL_DONE;
}

static int remove_some(Ctl *ctl, const char *alias, sd_bus_message **ret)
{
        pt_auto_message *m = NULL;
        int r = ctl_method(ctl, &ctl_filter, "RemoveFromAlias", &m);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "s", alias);
        if (r >= 0)
                r = ctl_append_arguments(ctl, 1, m);
        return r < 0 ? r : ctl_call(ctl, m, CTL_CALL_READS, ret);
}

int ctl_run_filter_remove(Ctl *ctl)
{
        const char *alias = ctl_argument(ctl, 0);
        pt_auto_message *reply = NULL;
        bool all = ctl->values[CTL_ALL];
        uint32_t removed;
        int r;

        if (all == (ctl->arguments->len > 1)) {
                ctl_error("\"filter remove\" takes either addresses or --all");
                return CTL_USAGE;
        }
        r = all ? ctl_ask(ctl, &ctl_filter, "FlushAlias", CTL_CALL_READS, &reply, "s", alias)
                : remove_some(ctl, alias, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "u", &removed);
        if (r < 0)
                return r;
        printf("%u taken out of %s\n", removed, alias);
        if (all || removed == ctl->arguments->len - 1)
                return CTL_DONE;
        ctl_error("the others were not in it; \"patronusctl filter entries %s\" lists what is",
                  alias);
        return CTL_REFUSED;
}

int ctl_run_filter_entries(Ctl *ctl)
{
        const CtlAddressList list = {
                .method = "ListAlias",
                .alias = ctl_argument(ctl, 0),
                .stays = "until taken out",
                .empty = "it holds nothing",
        };

        return ctl_list_addresses(ctl, &list);
}
