/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: what filterd tells about the running firewall, and what may be done to it
 * without a commit (docs/DBUS.md). */

#include "bus-filter.h"

#include "kind/field.h"
#include "kind/vardict.h"

/* options, and the filter in them: a variant each */
#define OPTIONS_DEPTH 4

int fw_bus_begin(sd_bus_message *m, const PtField *rows, void *base, uint64_t *present,
                 sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        int r;

        r = pt_vardict_read(m, OPTIONS_DEPTH, &json);
        if (r < 0)
                return pt_bus_fail(error, -EINVAL, "The options are no a{sv} of plain values");
        r = pt_fields_from_json(rows, json, "", diag, base, present);
        if (r >= 0)
                return FW_BUS_GOES_ON;
        r = pt_bus_refuse(m, -EINVAL, diag);
        return r < 0 ? r : FW_BUS_ANSWERED;
}

/* clang-format off */
enum { PAGE_AFTER, PAGE_LIMIT };

static const PtField page_rows[] = {
        [PAGE_AFTER] = PT_FIELD(FwPage, string, after, "after", 0),
        [PAGE_LIMIT] = PT_FIELD(FwPage, u32, limit, "limit", 0, .min = 1),
        {},
};
/* clang-format on */

void fw_page_done(FwPage *page)
{
        pt_fields_done(page_rows, page, page->present);
}

int fw_bus_begin_page(sd_bus_message *m, uint32_t rows_max, unsigned cursor_max, FwPage *page,
                      sd_bus_error *error)
{
        PtField rows[G_N_ELEMENTS(page_rows)];
        int r;

        memcpy(rows, page_rows, sizeof(rows));
        rows[PAGE_AFTER].max = cursor_max;
        rows[PAGE_LIMIT].max = rows_max;
        page->limit = rows_max;
        r = fw_bus_begin(m, rows, page, &page->present, error);
        if (r == FW_BUS_GOES_ON && !page->after) {
                page->after = g_strdup("");
                page->present |= UINT64_C(1) << PAGE_AFTER;
        }
        return r;
}

FwAct *fw_act_new(FwManager *manager, sd_bus_message *m, char *subject)
{
        FwAct *act = g_new0(FwAct, 1);

        act->message = sd_bus_message_ref(m);
        act->reporter = fw_manager_reporter(manager);
        act->entry = pt_audit_report_begin(act->reporter, m, PT_ACTION_RUNTIME_OPERATE);
        act->entry->subject = subject;
        return act;
}

void fw_act_free(FwAct *act)
{
        if (!act)
                return;
        sd_bus_message_unref(act->message);
        pt_audit_entry_free(act->entry);
        g_free(act);
}

void fw_act_end(FwAct *act, int result, char *text)
{
        act->entry->result = result < 0 ? PT_AUDIT_FAILED : PT_AUDIT_OK;
        act->entry->text = text;
        pt_audit_report_end(act->reporter, g_steal_pointer(&act->entry));
        fw_act_free(act);
}

static int property_drifts(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error)
{
        return sd_bus_message_append(reply, "t", fw_manager_drifts(userdata)->total);
}

static int property_bans(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "u", fw_bans_count(fw_manager_bans(userdata)));
}

static int property_sequence(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error)
{
        return sd_bus_message_append(reply, "t", fw_manager_signals(userdata)->sequence);
}

static int method_list_drift(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        pt_auto_message *reply = NULL;
        const FwDrift *drift;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(tst)");
        for (unsigned i = 0; r >= 0 && (drift = fw_drift_get(fw_manager_drifts(manager), i)); i++)
                r = sd_bus_message_append(reply, "(tst)", drift->time_usec, drift->what,
                                          drift->repair_usec);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static const sd_bus_vtable filter_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ListCounters", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a(sssttbs)", counters, "s", next),
                                fw_method_list_counters, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("aa{sv}", packets, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", answers), fw_method_explain,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ExplainBatch", SD_BUS_ARGS("h", packets, "a{sv}", options),
                                SD_BUS_RESULT("h", answers), fw_method_explain_batch,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Compare", SD_BUS_ARGS("h", before, "h", after, "a{sv}", options),
                                SD_BUS_RESULT("h", lines), fw_method_compare,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListConnections", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", page, "u", rows, "s", next),
                                fw_method_list_connections, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("KillConnections", SD_BUS_ARGS("a{sv}", filter),
                                SD_BUS_RESULT("t", killed), fw_method_kill_connections,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CountConnections", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", count),
                                fw_method_count_connections, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("TopTalkers", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", talkers, "a{sv}", total),
                                fw_method_top_talkers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ban", SD_BUS_ARGS("a(st)", entries, "a{sv}", options),
                                SD_BUS_RESULT("u", added, "a(us)", refused), fw_method_ban,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unban", SD_BUS_ARGS("as", addresses), SD_BUS_RESULT("u", removed),
                                fw_method_unban, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("FlushBans", SD_BUS_NO_ARGS, SD_BUS_RESULT("u", removed),
                                fw_method_flush_bans, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBans", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a(st)", bans, "s", next), fw_method_list_bans,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AddToAlias",
                                SD_BUS_ARGS("s", alias, "as", entries, "a{sv}", options),
                                SD_BUS_RESULT("u", added, "a(us)", refused), fw_method_add_to_alias,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveFromAlias", SD_BUS_ARGS("s", alias, "as", entries),
                                SD_BUS_RESULT("u", removed), fw_method_remove_from_alias,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("FlushAlias", SD_BUS_ARGS("s", alias), SD_BUS_RESULT("u", removed),
                                fw_method_flush_alias, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAlias", SD_BUS_ARGS("s", alias, "a{sv}", options),
                                SD_BUS_RESULT("a(st)", entries, "s", next), fw_method_list_alias,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenPort", SD_BUS_ARGS("s", port, "a{sv}", options),
                                SD_BUS_RESULT("s", id), fw_method_open_port,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ClosePort", SD_BUS_ARGS("s", port, "a{sv}", options),
                                SD_BUS_RESULT("u", closed), fw_method_close_port,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListOpenPorts", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", openings),
                                fw_method_list_open_ports, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Panic", SD_BUS_ARGS("b", on, "a{sv}", options), SD_BUS_NO_RESULT,
                                fw_method_panic, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Follow", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", lines),
                                fw_method_follow, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListDrift", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tst)", drifts),
                                method_list_drift, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAliases", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", sources, "s", next), fw_method_list_aliases,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AliasState", SD_BUS_ARGS("s", alias),
                                SD_BUS_RESULT("aa{sv}", sources), fw_method_alias_state,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RefreshAlias", SD_BUS_ARGS("s", alias), SD_BUS_NO_RESULT,
                                fw_method_refresh_alias, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListNat64", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", translators),
                                fw_method_list_nat64, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListServers", SD_BUS_NO_ARGS, SD_BUS_RESULT("aa{sv}", servers),
                                fw_method_list_servers, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Drifts", "t", property_drifts, 0, 0),
        SD_BUS_PROPERTY("Bans", "u", property_bans, 0, 0),
        SD_BUS_PROPERTY("Panic", "b", fw_property_panic, 0, 0),
        SD_BUS_PROPERTY("ExternalAliases", "as", fw_property_external, 0, 0),
        SD_BUS_PROPERTY("LogPackets", "t", fw_property_log, 0, 0),
        SD_BUS_PROPERTY("LogLost", "t", fw_property_log, 0, 0),
        SD_BUS_PROPERTY("LogUnwritten", "t", fw_property_log, 0, 0),
        SD_BUS_PROPERTY("Sequence", "t", property_sequence, 0, 0),
        SD_BUS_SIGNAL_WITH_ARGS("DriftRepaired",
                                SD_BUS_ARGS("t", sequence, "s", what, "t", repairUSec), 0),
        SD_BUS_SIGNAL_WITH_ARGS(
                "BansChanged", SD_BUS_ARGS("t", sequence, "u", added, "u", removed, "u", total), 0),
        SD_BUS_SIGNAL_WITH_ARGS(
                "AliasRefreshed",
                SD_BUS_ARGS("t", sequence, "s", alias, "s", source, "b", changed, "s", error), 0),
        SD_BUS_SIGNAL_WITH_ARGS(
                "ServerChanged",
                SD_BUS_ARGS("t", sequence, "s", pool, "s", address, "q", port, "s", state), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Nat64Changed",
                                SD_BUS_ARGS("t", sequence, "s", name, "s", state, "s", error), 0),
        SD_BUS_VTABLE_END,
};

int fw_bus_attach(FwManager *manager, sd_bus *bus, const char *path)
{
        return sd_bus_add_object_vtable(bus, NULL, path, FW_BUS_INTERFACE, filter_vtable, manager);
}
