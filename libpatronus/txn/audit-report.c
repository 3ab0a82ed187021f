/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/audit-report.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/origin.h"
#include "txn/audit-rate.h"

#define SERVICE "org.patronus.Config1"
#define PATH "/org/patronus/Config1"

struct PtAuditReporter {
        sd_event *event;  /* borrowed */
        PtAccess *access; /* borrowed */
        PtAuditRate *refused;
        sd_event_source *flush;
};

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_monotonic_time();
}

int pt_audit_append_texts(sd_bus_message *m, const PtAuditEntry *entry)
{
        const char *key, *text;
        int r;

        r = sd_bus_message_append(m, "{sv}", "result", "s",
                                  pt_audit_result_to_string(entry->result));
        for (unsigned i = 0; r >= 0 && (text = pt_audit_entry_text(entry, i, &key)); i++)
                if (*text && !g_str_equal(key, "daemon"))
                        r = sd_bus_message_append(m, "{sv}", key, "s", text);
        return r;
}

static int append_entry(sd_bus_message *m, const PtAuditEntry *entry)
{
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}", "uid", "u", entry->uid, "pid", "u",
                                          (uint32_t) entry->pid, "leftOut", "t", entry->left_out);
        if (r >= 0)
                r = pt_audit_append_texts(m, entry);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int send_entry(sd_bus *bus, const PtAuditEntry *entry)
{
        pt_auto_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, SERVICE, PATH, SERVICE, "RecordAudit");
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = append_entry(m, entry);
        return r < 0 ? r : sd_bus_send(bus, m, NULL);
}

static void log_entry(const PtAuditEntry *entry)
{
        const char *subject = entry->subject ?: "", *text = entry->text ?: "";

        pt_log(LOG_INFO, "%s (%u) %s: %s%s%s%s%s", entry->user ?: "?", entry->uid,
               entry->method ?: "?", pt_audit_result_to_string(entry->result), *subject ? ", " : "",
               subject, *text ? ": " : "", text);
}

static void report(const PtAuditReporter *reporter, const PtAuditEntry *entry)
{
        int r = reporter->access->bus ? send_entry(reporter->access->bus, entry) : -ENOTCONN;

        log_entry(entry);
        if (r < 0)
                pt_log(LOG_WARNING, "cannot report this to configd's audit: %s", g_strerror(-r));
}

void pt_audit_report_end(PtAuditReporter *reporter, PtAuditEntry *entry)
{
        report(reporter, entry);
        pt_audit_entry_free(entry);
}

static PtAuditEntry *entry_of(sd_bus_message *call, const PtCaller *caller, const char *action)
{
        g_autoptr(PtOrigin) origin = NULL;
        PtAuditEntry *entry = g_new0(PtAuditEntry, 1);

        entry->uid = caller ? caller->uid : (uid_t) -1;
        entry->user = g_strdup(caller ? caller->user : NULL);
        entry->action = g_strdup(action);
        entry->method = g_strdup(sd_bus_message_get_member(call));
        if (pt_origin_read(call, &origin) >= 0) {
                entry->pid = origin->pid;
                entry->unit = g_strdup(origin->unit);
                entry->session = g_strdup(origin->session);
                entry->client = g_strdup(origin->remote);
        }
        return entry;
}

PtAuditEntry *pt_audit_report_begin(PtAuditReporter *reporter, sd_bus_message *call,
                                    PtAction action)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;
        const PtCaller *caller = NULL;

        (void) pt_access_check(reporter->access, call, &caller, &error);
        return entry_of(call, caller, pt_action_to_string(action));
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata);

static void flush_later(PtAuditReporter *reporter)
{
        int state = SD_EVENT_OFF;

        if (!reporter->flush) {
                (void) sd_event_add_time_relative(reporter->event, &reporter->flush,
                                                  CLOCK_MONOTONIC, PT_AUDIT_REPORT_USEC, 0,
                                                  on_flush, reporter);
                return;
        }
        if (sd_event_source_get_enabled(reporter->flush, &state) >= 0 && state != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time_relative(reporter->flush, PT_AUDIT_REPORT_USEC);
        (void) sd_event_source_set_enabled(reporter->flush, SD_EVENT_ONESHOT);
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata)
{
        PtAuditReporter *reporter = userdata;
        uint64_t left_out;
        uid_t uid;

        while (pt_audit_rate_flush(reporter->refused, now_usec(), &uid, &left_out))
                report(reporter, &(PtAuditEntry){.uid = uid,
                                                 .method = (char *) "LeftOut",
                                                 .result = PT_AUDIT_REFUSED,
                                                 .text = (char *) "refused attempts without an "
                                                                  "entry of their own",
                                                 .left_out = left_out});
        if (pt_audit_rate_pending(reporter->refused))
                flush_later(reporter);
        return 0;
}

static void on_refused(void *userdata, sd_bus_message *m, const PtCaller *caller,
                       const char *action, const char *why)
{
        PtAuditReporter *reporter = userdata;
        g_autoptr(PtAuditEntry) entry = NULL;
        uint64_t left_out;

        if (!pt_audit_rate_take(reporter->refused, caller ? caller->uid : (uid_t) -1, now_usec(),
                                &left_out)) {
                flush_later(reporter);
                return;
        }
        entry = entry_of(m, caller, action);
        entry->subject = g_strdup(sd_bus_message_get_interface(m));
        entry->result = PT_AUDIT_REFUSED;
        entry->text = g_strdup(why);
        entry->left_out = left_out;
        report(reporter, entry);
}

bool pt_audit_by_action(const char *action)
{
        static const PtAction actions[] = {PT_ACTION_SECRET_READ, PT_ACTION_CAPTURE,
                                           PT_ACTION_SYSTEM_ADMIN};

        for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
                if (g_strcmp0(action, pt_action_to_string(actions[i])) == 0)
                        return true;
        return false;
}

static void on_allowed(void *userdata, sd_bus_message *m, const PtCaller *caller,
                       const char *action)
{
        g_autoptr(PtAuditEntry) entry = NULL;

        if (!pt_audit_by_action(action))
                return;
        entry = entry_of(m, caller, action);
        entry->subject = g_strdup(sd_bus_message_get_interface(m));
        report(userdata, entry);
}

PtAuditReporter *pt_audit_reporter_new(sd_event *event, PtAccess *access)
{
        PtAuditReporter *reporter = g_new0(PtAuditReporter, 1);

        reporter->event = event;
        reporter->access = access;
        reporter->refused = pt_audit_rate_new(PT_AUDIT_REPORT_BURST, PT_AUDIT_REPORT_USEC);
        access->refused = on_refused;
        access->allowed = on_allowed;
        access->userdata = reporter;
        return reporter;
}

void pt_audit_reporter_free(PtAuditReporter *reporter)
{
        if (!reporter)
                return;
        reporter->access->refused = NULL;
        reporter->access->allowed = NULL;
        sd_event_source_disable_unref(reporter->flush);
        pt_audit_rate_free(reporter->refused);
        g_free(reporter);
}
