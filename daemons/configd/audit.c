/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "audit.h"

#include "bus-config.h"
#include "manager.h"

#include "base/log.h"
#include "bus/origin.h"
#include "txn/audit-rate.h"
#include "txn/audit-report.h"

#include <string.h>

#define DAEMON "configd"
#define MESSAGE_ID "MESSAGE_ID=5e1c0c2d5f0e4a4bb1f6a7f0c9a3d8e2"
#define NAMES_SHOWN 8     /* objects that an entry of a commit names */
#define RECOVERED_MAX 100 /* revisions: more were never lost in a crash */

struct Audit {
        Manager *manager;
        PtAudit *files; /* NULL: they cannot be opened */
        PtAuditRate *refused, *acts;
        GQueue waiting; /* PtAuditEntry: could not be written */
        uint64_t lost;  /* more that could not even wait */
        char *trouble;
        bool held;
        sd_event_source *sync, *retry, *flush;
};

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_monotonic_time();
}

static int on_sync(sd_event_source *source, uint64_t usec, void *userdata);
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);
static int on_flush(sd_event_source *source, uint64_t usec, void *userdata);

/* Once, if it does not run yet. */
static void arm(Audit *audit, sd_event_source **source, uint64_t usec,
                sd_event_time_handler_t handler)
{
        int state = SD_EVENT_OFF;

        if (*source && (sd_event_source_get_enabled(*source, &state) < 0 || state != SD_EVENT_OFF))
                return;
        if (!*source) {
                (void) sd_event_add_time_relative(audit->manager->event, source, CLOCK_MONOTONIC,
                                                  usec, 0, handler, audit);
                return;
        }
        (void) sd_event_source_set_time_relative(*source, usec);
        (void) sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

/* Trouble. */

static void announce(const Audit *audit)
{
        if (audit->manager->bus)
                bus_config_state_changed(audit->manager);
}

static void set_trouble(Audit *audit, int result)
{
        if (audit->trouble)
                return;
        audit->trouble = g_strdup_printf("entries of the audit cannot be written (%s), so that the "
                                         "configuration cannot be changed: see whether the disk is "
                                         "full",
                                         g_strerror(-result));
        pt_log(LOG_CRIT, "%s", audit->trouble);
        announce(audit);
}

static void clear_trouble(Audit *audit)
{
        if (!audit->trouble)
                return;
        g_clear_pointer(&audit->trouble, g_free);
        pt_log(LOG_NOTICE, "entries of the audit can be written again");
        announce(audit);
}

const char *audit_trouble(const Audit *audit)
{
        return audit ? audit->trouble : NULL;
}

/* Writing. */

static void log_entry(const PtAuditEntry *entry)
{
        char hex[PT_DIGEST_HEX + 1];
        const char *subject = entry->subject ?: "", *text = entry->text ?: "";

        pt_digest_to_hex(&entry->digest, hex);

        g_autofree char *number = g_strdup_printf("PATRONUS_AUDIT_NUMBER=%" PRIu64, entry->number);
        g_autofree char *digest = g_strdup_printf("PATRONUS_AUDIT_DIGEST=%s", hex);
        g_autofree char *uid = g_strdup_printf("PATRONUS_UID=%u", entry->uid);
        g_autofree char *user = g_strdup_printf("PATRONUS_USER=%s", entry->user ?: "");
        g_autofree char *pid = g_strdup_printf("PATRONUS_PID=%d", (int) entry->pid);
        g_autofree char *unit = g_strdup_printf("PATRONUS_UNIT=%s", entry->unit ?: "");
        g_autofree char *session = g_strdup_printf("PATRONUS_SESSION=%s", entry->session ?: "");
        g_autofree char *client = g_strdup_printf("PATRONUS_CLIENT=%s", entry->client ?: "");
        g_autofree char *daemon = g_strdup_printf("PATRONUS_DAEMON=%s", entry->daemon ?: "");
        g_autofree char *action = g_strdup_printf("PATRONUS_ACTION=%s", entry->action ?: "");
        g_autofree char *method = g_strdup_printf("PATRONUS_METHOD=%s", entry->method ?: "");
        g_autofree char *what = g_strdup_printf("PATRONUS_SUBJECT=%s", subject);
        g_autofree char *reason = g_strdup_printf("PATRONUS_REASON=%s", entry->reason ?: "");
        g_autofree char *result =
                g_strdup_printf("PATRONUS_RESULT=%s", pt_audit_result_to_string(entry->result));
        g_autofree char *revision = g_strdup_printf("PATRONUS_REVISION=%" PRIu64, entry->revision);

        pt_log_fields(entry->result == PT_AUDIT_OK ? LOG_NOTICE : LOG_WARNING,
                      (const char *const[]){MESSAGE_ID, number, digest, uid, user, pid, unit,
                                            session, client, daemon, action, method, what, reason,
                                            result, revision, NULL},
                      "audit %" PRIu64 ": %s (%u) %s: %s%s%s%s%s", entry->number,
                      entry->user ?: "?", entry->uid, entry->method ?: "?",
                      pt_audit_result_to_string(entry->result), *subject ? ", " : "", subject,
                      *text ? ": " : "", text);
}

static int write_entry(Audit *audit, PtAuditEntry *entry)
{
        int r = audit->files ? pt_audit_append(audit->files, entry) : -EIO;

        if (r < 0) {
                set_trouble(audit, r);
                return r;
        }
        log_entry(entry);
        arm(audit, &audit->sync, AUDIT_SYNC_USEC, on_sync);
        return 0;
}

/* What waits goes first, in its order. */
static int write_waiting(Audit *audit)
{
        PtAuditEntry *entry;
        int r;

        while ((entry = g_queue_peek_head(&audit->waiting))) {
                r = write_entry(audit, entry);
                if (r < 0)
                        return r;
                pt_audit_entry_free(g_queue_pop_head(&audit->waiting));
        }
        if (audit->lost > 0) {
                g_autofree char *text = g_strdup_printf(
                        "%" PRIu64 " entries before this could not be written", audit->lost);
                PtAuditEntry lost = {.uid = geteuid(),
                                     .user = (char *) DAEMON,
                                     .daemon = (char *) DAEMON,
                                     .method = (char *) "EntriesLost",
                                     .result = PT_AUDIT_FAILED,
                                     .text = text,
                                     .left_out = audit->lost};

                r = write_entry(audit, &lost);
                if (r < 0)
                        return r;
                audit->lost = 0;
        }
        return 0;
}

static void log_damage(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                pt_log(pt_diag_get(diag, i)->severity == PT_SEVERITY_ERROR ? LOG_ERR : LOG_NOTICE,
                       "%s: %s", pt_diag_get(diag, i)->subject, pt_diag_get(diag, i)->text);
}

static int open_files(Audit *audit)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r = pt_audit_open(audit->manager->state_dir, diag, &audit->files);

        log_damage(diag);
        return r;
}

static int try_all(Audit *audit)
{
        int r = audit->files ? 0 : open_files(audit);

        if (r >= 0)
                r = write_waiting(audit);
        if (r >= 0)
                r = pt_audit_ready(audit->files);
        if (r >= 0)
                clear_trouble(audit);
        return r;
}

static int on_sync(sd_event_source *source, uint64_t usec, void *userdata)
{
        Audit *audit = userdata;
        int r;

        if (audit->held) {
                arm(audit, &audit->sync, AUDIT_SYNC_USEC, on_sync);
                return 0;
        }
        r = pt_audit_sync(audit->files);
        if (r >= 0)
                return 0;
        set_trouble(audit, r);
        arm(audit, &audit->retry, AUDIT_RETRY_USEC, on_retry);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        Audit *audit = userdata;
        int r = audit->held || !audit->files ? 0 : pt_audit_sync(audit->files);

        if (r >= 0)
                r = try_all(audit);
        if (r < 0)
                arm(audit, &audit->retry, AUDIT_RETRY_USEC, on_retry);
        return 0;
}

void audit_put(Audit *audit, PtAuditEntry *entry)
{
        if (entry->time_usec == 0)
                entry->time_usec = (uint64_t) g_get_real_time();
        if (g_queue_get_length(&audit->waiting) >= AUDIT_WAITING_MAX) {
                audit->lost++;
                pt_audit_entry_free(entry);
        } else {
                g_queue_push_tail(&audit->waiting, entry);
        }
        if (write_waiting(audit) < 0)
                arm(audit, &audit->retry, AUDIT_RETRY_USEC, on_retry);
}

/* What was left out, for the two rates. */
static PtAuditRate *rate_of(const Audit *audit, PtAuditResult result)
{
        return result == PT_AUDIT_REFUSED ? audit->refused : audit->acts;
}

void audit_put_limited(Audit *audit, PtAuditEntry *entry)
{
        uint64_t left_out;

        if (pt_audit_rate_take(rate_of(audit, entry->result), entry->uid, now_usec(), &left_out)) {
                entry->left_out += left_out;
                audit_put(audit, entry);
                return;
        }
        pt_audit_entry_free(entry);
        arm(audit, &audit->flush, AUDIT_ACTS_USEC, on_flush);
}

static void flush_rate(Audit *audit, PtAuditResult result)
{
        PtAuditRate *rate = rate_of(audit, result);
        uint64_t left_out;
        uid_t uid;

        while (pt_audit_rate_flush(rate, now_usec(), &uid, &left_out)) {
                PtAuditEntry *entry = g_new0(PtAuditEntry, 1);

                entry->uid = uid;
                entry->daemon = g_strdup(DAEMON);
                entry->method = g_strdup("LeftOut");
                entry->result = result;
                entry->left_out = left_out;
                entry->text = g_strdup_printf(
                        "%" PRIu64 " more %s of this user have no entry of "
                        "their own",
                        left_out, result == PT_AUDIT_REFUSED ? "refused attempts" : "acts");
                audit_put(audit, entry);
        }
}

static int on_flush(sd_event_source *source, uint64_t usec, void *userdata)
{
        Audit *audit = userdata;

        flush_rate(audit, PT_AUDIT_REFUSED);
        flush_rate(audit, PT_AUDIT_OK);
        if (pt_audit_rate_pending(audit->refused) || pt_audit_rate_pending(audit->acts))
                arm(audit, &audit->flush, AUDIT_ACTS_USEC, on_flush);
        return 0;
}

int audit_allows(Audit *audit, PtDiagnostics *diag)
{
        int r = try_all(audit);

        if (r >= 0)
                return 0;
        set_trouble(audit, r);
        arm(audit, &audit->retry, AUDIT_RETRY_USEC, on_retry);
        pt_diag_error(diag, "audit-failed", NULL,
                      "nothing is changed while the audit cannot be written (%s): see whether the "
                      "disk is full",
                      g_strerror(-r));
        return r;
}

/* Entries. */

/* The client's address in "CLIENT PORT SERVER PORT"; NULL: it is no such text. */
static char *claimed_client(const char *connection)
{
        PtTuple tuple;

        if (!connection || pt_tuple_parse(connection, &tuple) < 0)
                return NULL;
        return g_strndup(connection, strcspn(connection, " "));
}

PtAuditEntry *audit_entry_of(sd_bus_message *call, const PtCaller *caller, const char *action,
                             const PtOrigin *origin, const char *connection)
{
        g_autoptr(PtOrigin) found = NULL;
        PtAuditEntry *entry = g_new0(PtAuditEntry, 1);

        if (!origin && pt_origin_read(call, &found) >= 0)
                origin = found;
        entry->uid = caller ? caller->uid : (uid_t) -1;
        entry->user = g_strdup(caller ? caller->user : NULL);
        entry->daemon = g_strdup(DAEMON);
        entry->action = g_strdup(action);
        entry->method = g_strdup(sd_bus_message_get_member(call));
        if (origin) {
                entry->pid = origin->pid;
                entry->unit = g_strdup(origin->unit);
                entry->session = g_strdup(origin->session);
                entry->client = g_strdup(origin->remote);
        }
        if (!entry->client) {
                entry->client = claimed_client(connection);
                entry->claimed = entry->client != NULL;
        }
        return entry;
}

PtAuditEntry *audit_entry_of_commit(sd_bus_message *call, const PtCaller *caller,
                                    const PtOrigin *origin, const CommitOptions *options)
{
        bool revert = g_strcmp0(sd_bus_message_get_member(call), "Revert") == 0;
        PtAuditEntry *entry = audit_entry_of(
                call, caller,
                pt_action_to_string(revert ? PT_ACTION_CONFIG_REVERT : PT_ACTION_CONFIG_COMMIT),
                origin, options->connection);

        entry->reason = g_strdup(options->comment);
        entry->text = g_strdup(options->confirm); /* audit_commit() makes more of it */
        return entry;
}

PtAuditEntry *audit_entry_of_configd(const char *method, const char *reason)
{
        PtAuditEntry *entry = g_new0(PtAuditEntry, 1);

        entry->uid = geteuid();
        entry->user = g_strdup(DAEMON);
        entry->daemon = g_strdup(DAEMON);
        entry->method = g_strdup(method);
        entry->reason = g_strdup(reason);
        return entry;
}

static char *conflicts_of(const GPtrArray *conflicts)
{
        GString *out = g_string_new(NULL);

        for (guint i = 0; i < conflicts->len && i < NAMES_SHOWN; i++) {
                const ConflictEntry *conflict = g_ptr_array_index(conflicts, i);

                g_string_append_printf(out, "%s%s/%s", i > 0 ? ", " : "", conflict->kind,
                                       conflict->name);
        }
        return g_string_free(out, FALSE);
}

/* What the commit is about: what it changes, or what is in its way. */
static char *subject_of(const Reply *reply)
{
        return reply->changes && reply->changes->list->len > 0
                       ? changes_names(reply->changes, NAMES_SHOWN)
                       : conflicts_of(reply->conflicts);
}

/* "conflict: FirewallRule/web: both changed this ..., and 2 more" */
static char *errors_of(const PtDiagnostics *diag)
{
        size_t n = pt_diag_errors(diag);

        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);
                g_autofree char *more = n > 1 ? g_strdup_printf(", and %zu more", n - 1) : NULL;

                if (entry->severity == PT_SEVERITY_ERROR)
                        return g_strdup_printf("%s: %s%s%s%s%s", entry->code, entry->subject,
                                               entry->pointer, *entry->subject ? ": " : "",
                                               entry->text, more ?: "");
        }
        return NULL;
}

/* What the configuration expects of itself and is not so: it was forced. */
static void append_forced(const PtDiagnostics *diag, GString *out)
{
        unsigned n = 0;

        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                if (!g_str_equal(entry->code, PT_EXPECTATION_FAILED))
                        continue;
                if (n++ < NAMES_SHOWN)
                        g_string_append_printf(out, "%s%s", n == 1 ? "; forced against " : ", ",
                                               entry->subject);
        }
        if (n > NAMES_SHOWN)
                g_string_append_printf(out, " and %u more", n - NAMES_SHOWN);
}

/* "2 created, 1 updated, 0 deleted; merged with revision 6; confirm never; forced against
 * PolicyTest/web" */
static char *success_of(const Reply *reply, const char *confirm)
{
        GString *out = g_string_new(NULL);

        g_string_printf(out, "%u created, %u updated, %u deleted", reply->changes->created,
                        reply->changes->updated, reply->changes->deleted);
        if (reply->merged_with > 0)
                g_string_append_printf(out, "; merged with revision %" PRIu64, reply->merged_with);
        if (reply->confirm_usec > 0)
                g_string_append_printf(out, "; to be confirmed within %" PRIu64 " s",
                                       reply->confirm_usec / G_USEC_PER_SEC);
        else if (confirm)
                g_string_append_printf(out, "; confirm %s", confirm);
        append_forced(reply->diag, out);
        return g_string_free(out, FALSE);
}

void audit_commit(Audit *audit, PtAuditEntry *entry, const Reply *reply, bool failed,
                  uint64_t number)
{
        /* What it was to be confirmed by came in `text`. */
        g_autofree char *confirm = g_steal_pointer(&entry->text);

        if (reply->accepted && !reply->changed) {
                pt_audit_entry_free(entry); /* nothing was done, and nothing refused */
                return;
        }
        entry->subject = subject_of(reply);
        if (reply->accepted) {
                entry->result = PT_AUDIT_OK;
                entry->revision = reply->revision;
                entry->text = success_of(reply, confirm);
                audit_put(audit, entry);
                return;
        }
        entry->result = failed ? PT_AUDIT_FAILED : PT_AUDIT_REFUSED;
        entry->revision = failed ? number : 0;
        entry->text = errors_of(reply->diag);
        if (failed && entry->uid != geteuid()) /* configd tries again until it succeeds */
                audit_put(audit, entry);
        else
                audit_put_limited(audit, entry);
}

void audit_on_refused(void *userdata, sd_bus_message *m, const PtCaller *caller, const char *action,
                      const char *why)
{
        Audit *audit = userdata;
        PtAuditEntry *entry;
        uint64_t left_out;

        /* Who comes a thousand times a second is not looked up so often. */
        if (!pt_audit_rate_take(audit->refused, caller ? caller->uid : (uid_t) -1, now_usec(),
                                &left_out)) {
                arm(audit, &audit->flush, AUDIT_ACTS_USEC, on_flush);
                return;
        }
        entry = audit_entry_of(m, caller, action, NULL, NULL);
        entry->subject = g_strdup(sd_bus_message_get_interface(m));
        entry->result = PT_AUDIT_REFUSED;
        entry->text = g_strdup(why);
        entry->left_out = left_out;
        audit_put(audit, entry);
}

void audit_on_allowed(void *userdata, sd_bus_message *m, const PtCaller *caller, const char *action)
{
        PtAuditEntry *entry;

        if (!pt_audit_by_action(action))
                return;
        entry = audit_entry_of(m, caller, action, NULL, NULL);
        entry->subject = g_strdup(sd_bus_message_get_interface(m));
        audit_put_limited(userdata, entry);
}

/* What the last run left. */

static void recover_one(Audit *audit, uint64_t number)
{
        g_autoptr(PtRevision) revision = NULL;
        PtAuditEntry *entry;

        if (pt_store_get(audit->manager->store, number, &revision) < 0 ||
            revision->state == PT_REVISION_INTENT)
                return;
        entry = g_new0(PtAuditEntry, 1);
        entry->uid = revision->uid;
        entry->user = g_strdup(revision->author);
        entry->daemon = g_strdup(DAEMON);
        entry->method = g_strdup("Commit");
        entry->reason = g_strdup(revision->comment);
        entry->result = revision->state == PT_REVISION_DECIDED ? PT_AUDIT_OK : PT_AUDIT_FAILED;
        entry->revision = number;
        entry->text = g_strdup_printf("written anew from the revision of %" PRIu64
                                      " s since 1970, of which there was no entry",
                                      revision->time_usec / G_USEC_PER_SEC);
        audit_put(audit, entry);
}

static void begin(Audit *audit)
{
        PtAuditEntry *entry = audit_entry_of_configd("AuditBegins", NULL);

        entry->revision = pt_store_last(audit->manager->store);
        entry->text = g_strdup("there is no entry of what was before");
        audit_put(audit, entry);
}

void audit_recover(Audit *audit)
{
        uint64_t last = pt_store_last(audit->manager->store), first;

        if (!audit->files)
                return;
        first = pt_audit_last_revision(audit->files) + 1;
        if (pt_audit_last(audit->files) == 0) {
                begin(audit);
                return;
        }
        if (last >= first + RECOVERED_MAX)
                first = last - RECOVERED_MAX + 1;
        for (uint64_t number = first; number <= last; number++)
                recover_one(audit, number);
}

PtAudit *audit_files(Audit *audit)
{
        return audit->files;
}

void audit_hold(Audit *audit, bool hold)
{
        audit->held = hold;
}

Audit *audit_new(Manager *manager)
{
        Audit *audit = g_new0(Audit, 1);
        int r;

        audit->manager = manager;
        g_queue_init(&audit->waiting);
        audit->refused = pt_audit_rate_new(AUDIT_REFUSED_BURST, AUDIT_REFUSED_USEC);
        audit->acts = pt_audit_rate_new(AUDIT_ACTS_BURST, AUDIT_ACTS_USEC);
        r = open_files(audit);
        if (r < 0) {
                set_trouble(audit, r);
                arm(audit, &audit->retry, AUDIT_RETRY_USEC, on_retry);
        }
        return audit;
}

void audit_free(Audit *audit)
{
        if (!audit)
                return;
        sd_event_source_disable_unref(audit->sync);
        sd_event_source_disable_unref(audit->retry);
        sd_event_source_disable_unref(audit->flush);
        g_queue_clear_full(&audit->waiting, (GDestroyNotify) pt_audit_entry_free);
        pt_audit_rate_free(audit->refused);
        pt_audit_rate_free(audit->acts);
        pt_audit_close(audit->files);
        g_free(audit->trouble);
        g_free(audit);
}
