/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: panic (docs/RUNTIME.md). */

#include "bus-filter.h"

#include "filter/guards.h"
#include "kind/field.h"

typedef struct Options {
        uint64_t present;
        bool force;
} Options;

static const PtField rows[] = {
        PT_FIELD(Options, bool, force, "force", 0),
        {},
};

static void switched(int result, uint32_t n, void *userdata)
{
        FwAct *act = userdata;

        if (result < 0)
                (void) sd_bus_reply_method_errnof(act->message, result,
                                                  "Panic mode cannot be switched: %m");
        else
                (void) sd_bus_reply_method_return(act->message, "");
        fw_act_end(act, result,
                   g_strdup(result < 0 ? g_strerror(-result)
                            : n        ? "switched"
                                       : "it was so already"));
}

int fw_method_panic(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        const FwLayout *layout = fw_engine_layout(fw_manager_engine(manager));
        Options options = {0};
        FwAct *act;
        int r, on;

        r = sd_bus_message_read(m, "b", &on);
        if (r >= 0)
                r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        if (!layout)
                return pt_bus_fail(error, -ENOENT, "No ruleset is in force yet");
        if (on && !options.force && !fw_lockout_of(layout->zones))
                return pt_bus_fail(error, -EINVAL,
                                   "FilterSettings has no antiLockout: everybody would be locked "
                                   "out, and only who sits at the machine could end it; force is "
                                   "an option");
        act = fw_act_new(manager, m, g_strdup(on ? "on" : "off"));
        r = fw_panic_switch(fw_manager_panic(manager), on, switched, act);
        if (r >= 0)
                return 1; /* it is switched()'s */
        fw_act_free(act);
        return pt_bus_fail(error, r, "Panic mode cannot be switched: %s", g_strerror(-r));
}

int fw_property_panic(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "b", (int) fw_panic_is_on(fw_manager_panic(userdata)));
}
