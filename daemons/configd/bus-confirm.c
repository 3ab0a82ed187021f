/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-confirm.h"

#include "options.h"

#include "base/log.h"
#include "bus/bus.h"

int bus_confirm_tuple(const char *text, PtTuple *ret, sd_bus_error *error)
{
        if (pt_tuple_parse(text, ret) < 0)
                return pt_bus_fail(error, -EINVAL,
                                   "The option \"connection\" is CLIENT-ADDRESS CLIENT-PORT "
                                   "SERVER-ADDRESS SERVER-PORT, as in SSH_CONNECTION, not \"%s\"",
                                   text);
        return 0;
}

static void announce(Manager *manager, uint64_t revision, const PtCaller *caller,
                     const PtOrigin *origin)
{
        int r;

        r = sd_bus_emit_signal(manager->bus, CONFIG_PATH, CONFIG_INTERFACE, "Confirmed", "ta{sv}",
                               revision, 2, "author", "s", caller->user, "remote", "s",
                               origin->remote ?: "");
        if (r < 0)
                pt_log(LOG_WARNING, "cannot announce a confirmation: %s", g_strerror(-r));
}

/* Takes the entry. */
static void audit(Manager *manager, PtAuditEntry *entry, uint64_t revision, int result,
                  const sd_bus_error *error)
{
        entry->revision = revision;
        if (result < 0) {
                entry->result = PT_AUDIT_FAILED;
                entry->text = g_strdup(error->message);
        }
        audit_put(manager->audit, entry);
}

int bus_confirm(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *connection = NULL, *objection = NULL;
        const Option options[] = {{"connection", OPTION_STRING, &connection}, {}};
        g_autoptr(PtOrigin) origin = NULL;
        const PtCaller *caller;
        uint64_t revision;
        PtTuple claim;
        int r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        /* A trial keeps nobody waiting: there is little time. */
        if (!manager->settled || (manager->commit && !commit_is_trial(manager->commit)))
                return manager_defer(manager, call, bus_confirm, error);
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UINT64, &revision);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        if (connection) {
                r = bus_confirm_tuple(connection, &claim, error);
                if (r < 0)
                        return r;
        }
        r = confirm_check(manager->confirm, revision, error);
        if (r < 0)
                return r;
        if (r > 0)
                return sd_bus_reply_method_return(call, "");
        r = pt_origin_read(call, &origin);
        if (r < 0)
                return pt_bus_fail(error, -EPERM, "The bus does not say who calls");
        objection = confirm_objection(manager->confirm, origin, connection ? &claim : NULL);
        if (objection)
                return pt_access_refuse(manager->access, call, error, "%s", objection);
        r = confirm_accept(manager->confirm, error);
        audit(manager,
              audit_entry_of(call, caller, pt_action_to_string(PT_ACTION_CONFIG_COMMIT), origin,
                             connection),
              revision, r, error);
        if (r < 0)
                return r;
        announce(manager, revision, caller, origin);
        return sd_bus_reply_method_return(call, "");
}

int bus_confirm_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Manager *manager = userdata;

        if (g_str_equal(property, "ConfirmRevision"))
                return sd_bus_message_append(reply, "t", confirm_revision(manager->confirm));
        if (g_str_equal(property, "ConfirmDeadlineUSec"))
                return sd_bus_message_append(reply, "t", confirm_deadline(manager->confirm));
        return sd_bus_message_append(reply, "t", pt_store_confirmed(manager->store));
}

void bus_confirm_changed(Manager *manager)
{
        int r;

        if (!manager->bus)
                return;
        r = sd_bus_emit_properties_changed(manager->bus, CONFIG_PATH, CONFIG_INTERFACE,
                                           "ConfirmRevision", "ConfirmDeadlineUSec",
                                           "ConfirmedRevision", NULL);
        if (r < 0)
                pt_log(LOG_WARNING, "cannot announce what waits to be confirmed: %s",
                       g_strerror(-r));
}
