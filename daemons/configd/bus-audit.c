/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-audit.h"

#include "audit.h"
#include "manager.h"
#include "options.h"
#include "event/worker.h"

#include "bus/bus.h"
#include "kind/json.h"
#include "txn/audit-report.h"

#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAX 1000
/* An entry is some hundreds of bytes; a page ends early when they are long. */
#define ENTRY_SIZE 600
/* All files, on a slow disk. */
#define VERIFY_USEC (120 * PT_USEC_PER_SEC)
#define PLACES_MAX 50 /* named in a reply */

static int no_files(sd_bus_error *error)
{
        return pt_bus_fail(error, -EIO, "The audit cannot be read: see configd's log");
}

static int append_number(sd_bus_message *m, const char *key, uint64_t number)
{
        return number > 0 ? sd_bus_message_append(m, "{sv}", key, "t", number) : 0;
}

static int append_entry(sd_bus_message *m, const PtAuditEntry *entry)
{
        char digest[PT_DIGEST_HEX + 1];
        int r;

        pt_digest_to_hex(&entry->digest, digest);
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "number", "t", entry->number,
                                          "timeUSec", "t", entry->time_usec, "uid", "u", entry->uid,
                                          "digest", "s", digest);
        if (r >= 0 && entry->pid > 0)
                r = sd_bus_message_append(m, "{sv}", "pid", "u", (uint32_t) entry->pid);
        if (r >= 0 && entry->claimed)
                r = sd_bus_message_append(m, "{sv}", "claimed", "b", true);
        if (r >= 0)
                r = append_number(m, "revision", entry->revision);
        if (r >= 0)
                r = append_number(m, "leftOut", entry->left_out);
        if (r >= 0 && entry->daemon)
                r = sd_bus_message_append(m, "{sv}", "daemon", "s", entry->daemon);
        if (r >= 0)
                r = pt_audit_append_texts(m, entry);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static size_t size_of(const PtAuditEntry *entry)
{
        return ENTRY_SIZE + strlen(entry->subject ?: "") + strlen(entry->reason ?: "") +
               strlen(entry->text ?: "");
}

int bus_audit_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        const PtAudit *files = audit_files(manager->audit);
        uint64_t before = 0;
        uint32_t limit = LIST_DEFAULT;
        const Option options[] = {
                {"before", OPTION_UINT64, &before}, {"limit", OPTION_UINT32, &limit}, {}};
        g_autoptr(GPtrArray) entries = NULL;
        pt_auto_message *m = NULL;
        size_t size = 0;
        int r;

        r = options_read(call, options, error);
        if (r < 0)
                return r;
        if (!files)
                return no_files(error);
        r = pt_audit_list(files, before, CLAMP(limit, 1, LIST_MAX), &entries);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        for (guint i = 0; i < entries->len && size < PT_REPLY_MAX && r >= 0; i++) {
                const PtAuditEntry *entry = g_ptr_array_index(entries, i);

                size += size_of(entry);
                r = append_entry(m, entry);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_send(m);
}

/* Verifying: a child reads, and sends JSON. */

typedef struct Verification {
        Manager *manager;
        sd_bus_message *call; /* referenced */
        PtWorker *worker;
} Verification;

void bus_audit_verification_free(Verification *verification)
{
        if (!verification)
                return;
        audit_hold(verification->manager->audit, false);
        pt_worker_free(verification->worker);
        sd_bus_message_unref(verification->call);
        g_free(verification);
}

static void put_number(struct json_object *json, const char *key, uint64_t value)
{
        json_object_object_add(json, key, json_object_new_int64((int64_t) value));
}

static struct json_object *places_of(const PtDiagnostics *diag)
{
        struct json_object *places = json_object_new_array();

        for (size_t i = 0; i < pt_diag_count(diag) && i < PLACES_MAX; i++) {
                struct json_object *place = json_object_new_array();
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                json_object_array_add(place, json_object_new_string(entry->subject));
                json_object_array_add(place, json_object_new_string(entry->text));
                json_object_array_add(places, place);
        }
        return places;
}

/* What the files alone do not show: that their end is missing. */
static void compare_end(const PtAudit *files, PtAuditCheck *check, PtDiagnostics *diag)
{
        PtDigest tail;

        pt_audit_tail(files, &tail);
        if (pt_digest_equal(&tail, &check->tail))
                return;
        check->damaged++;
        pt_diag_set_subject(diag, "journal");
        pt_diag_error(
                diag, "audit-damaged", NULL,
                "the end was cut off or changed: the last entry that configd wrote is %" PRIu64
                ", and what is there ends with %" PRIu64,
                pt_audit_last(files), check->last);
        pt_diag_set_subject(diag, NULL);
}

static int run_verify(void *userdata, GString *out)
{
        const Verification *verification = userdata;
        const Manager *manager = verification->manager;
        const PtAudit *files = audit_files(manager->audit);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_object_new_object();
        PtAuditCheck check = {0};
        char digest[PT_DIGEST_HEX + 1];
        int r;

        r = pt_audit_verify(manager->state_dir, pt_audit_size(files), diag, &check);
        if (r < 0)
                return r;
        compare_end(files, &check, diag);
        pt_digest_to_hex(&check.tail, digest);
        put_number(json, "entries", check.entries);
        put_number(json, "files", check.files);
        put_number(json, "first", check.first);
        put_number(json, "last", check.last);
        put_number(json, "damaged", check.damaged);
        json_object_object_add(json, "digest", json_object_new_string(digest));
        json_object_object_add(json, "places", places_of(diag));
        pt_json_to_canonical(json, out);
        return 0;
}

static uint64_t number_of(struct json_object *json, const char *key)
{
        return json_object_get_uint64(json_object_object_get(json, key));
}

static int append_places(struct json_object *places, sd_bus_message *m)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r;

        for (size_t i = 0; i < json_object_array_length(places); i++) {
                struct json_object *place = json_object_array_get_idx(places, i);

                pt_diag_add_full(diag, PT_SEVERITY_ERROR,
                                 json_object_get_string(json_object_array_get_idx(place, 0)), "",
                                 "audit-damaged",
                                 json_object_get_string(json_object_array_get_idx(place, 1)));
        }
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, "diagnostics");
        if (r >= 0)
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, "a(ssss)");
        if (r >= 0)
                r = pt_diag_append(diag, m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int reply_verified(sd_bus_message *call, struct json_object *json)
{
        uint64_t damaged = number_of(json, "damaged");
        pt_auto_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(
                        m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "good", "b", damaged == 0, "entries",
                        "t", number_of(json, "entries"), "files", "t", number_of(json, "files"),
                        "first", "t", number_of(json, "first"), "last", "t",
                        number_of(json, "last"), "damaged", "t", damaged, "digest", "s",
                        json_object_get_string(json_object_object_get(json, "digest")));
        if (r >= 0)
                r = append_places(json_object_object_get(json, "places"), m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_send(m);
}

static void on_verified(int result, const GString *out, void *userdata)
{
        Verification *verification = userdata;
        Manager *manager = verification->manager;
        sd_bus_message *call = verification->call;
        pt_auto_json *json = NULL;
        int r = result;

        verification->worker = NULL;
        if (r >= 0)
                r = pt_json_parse(out->str, out->len, NULL, &json);
        if (r >= 0)
                r = reply_verified(call, json);
        if (r < 0)
                (void) sd_bus_reply_method_errorf(call, pt_bus_error_name(r),
                                                  "The audit cannot be verified: %s",
                                                  g_strerror(-r));
        g_clear_pointer(&manager->verification, bus_audit_verification_free);
}

int bus_audit_verify(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        Verification *verification;
        int r;

        if (!audit_files(manager->audit))
                return no_files(error);
        if (manager->verification)
                return pt_bus_fail(error, -EBUSY, "The audit is being verified already: try again");
        verification = g_new0(Verification, 1);
        verification->manager = manager;
        verification->call = sd_bus_message_ref(call);
        audit_hold(manager->audit, true); /* no file begins or goes meanwhile */
        r = pt_worker_start(manager->event, VERIFY_USEC, run_verify, on_verified, verification,
                            &verification->worker);
        if (r < 0) {
                bus_audit_verification_free(verification);
                return r;
        }
        manager->verification = verification;
        return 1;
}

/* Which daemon of ours sent it, or NULL. */
static const char *daemon_of(const Manager *manager, sd_bus_message *call)
{
        const char *sender = sd_bus_message_get_sender(call);

        for (guint i = 0; i < manager->members->len; i++) {
                const Member *member = g_ptr_array_index(manager->members, i);

                if (sender && g_strcmp0(member->participant.owner, sender) == 0)
                        return member->participant.klass->name;
        }
        return NULL;
}

static int read_record(sd_bus_message *call, PtAuditEntry *entry, sd_bus_error *error)
{
        uint32_t uid = (uint32_t) -1, pid = 0;
        g_autofree char *result = NULL;
        const Option options[] = {
                {"uid", OPTION_UINT32, &uid},
                {"user", OPTION_STRING, &entry->user},
                {"pid", OPTION_UINT32, &pid},
                {"unit", OPTION_STRING, &entry->unit},
                {"session", OPTION_STRING, &entry->session},
                {"client", OPTION_STRING, &entry->client},
                {"action", OPTION_STRING, &entry->action},
                {"method", OPTION_STRING, &entry->method},
                {"subject", OPTION_STRING, &entry->subject},
                {"reason", OPTION_STRING, &entry->reason},
                {"result", OPTION_STRING, &result},
                {"text", OPTION_STRING, &entry->text},
                {"leftOut", OPTION_UINT64, &entry->left_out},
                {},
        };
        int r;

        r = options_read(call, options, error);
        if (r < 0)
                return r;
        entry->uid = uid;
        entry->pid = (pid_t) pid;
        entry->result = pt_audit_result_from_string(result ?: "");
        if (entry->result < 0)
                return pt_bus_fail(error, -EINVAL,
                                   "The option \"result\" is ok, refused or failed, not \"%s\"",
                                   result ?: "");
        return 0;
}

int bus_audit_record(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autoptr(PtAuditEntry) entry = g_new0(PtAuditEntry, 1);
        const char *daemon = daemon_of(manager, call);
        int r;

        r = read_record(call, entry, error);
        if (r < 0)
                return r;
        if (!daemon)
                return pt_access_refuse(manager->access, call, error,
                                        "Only daemons that take part in commits report what they "
                                        "were told to do");
        entry->daemon = g_strdup(daemon);
        audit_put_limited(manager->audit, g_steal_pointer(&entry));
        return sd_bus_reply_method_return(call, "");
}
