/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/audit-internal.h"

#include "kind/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What nobody counts up to; so there is always a next one. */
#define NUMBER_MAX (1ULL << 60)

static const char *const results[PT_AUDIT_RESULT_MAX] = {
        [PT_AUDIT_OK] = "ok",
        [PT_AUDIT_REFUSED] = "refused",
        [PT_AUDIT_FAILED] = "failed",
};

const char *pt_audit_result_to_string(PtAuditResult result)
{
        return result >= 0 && result < PT_AUDIT_RESULT_MAX ? results[result] : NULL;
}

PtAuditResult pt_audit_result_from_string(const char *text)
{
        for (int i = 0; i < PT_AUDIT_RESULT_MAX; i++)
                if (g_str_equal(results[i], text))
                        return (PtAuditResult) i;
        return PT_AUDIT_RESULT_INVALID;
}

/* The texts of an entry, by their key. */
static const struct {
        const char *key;
        size_t offset;
} texts[] = {
        {"user", offsetof(PtAuditEntry, user)},       {"unit", offsetof(PtAuditEntry, unit)},
        {"session", offsetof(PtAuditEntry, session)}, {"client", offsetof(PtAuditEntry, client)},
        {"daemon", offsetof(PtAuditEntry, daemon)},   {"action", offsetof(PtAuditEntry, action)},
        {"method", offsetof(PtAuditEntry, method)},   {"subject", offsetof(PtAuditEntry, subject)},
        {"reason", offsetof(PtAuditEntry, reason)},   {"text", offsetof(PtAuditEntry, text)},
};

static char **text_of(PtAuditEntry *entry, size_t i)
{
        return (char **) (void *) ((char *) entry + texts[i].offset);
}

const char *pt_audit_entry_text(const PtAuditEntry *entry, unsigned i, const char **ret_key)
{
        if (i >= G_N_ELEMENTS(texts))
                return NULL;
        *ret_key = texts[i].key;
        return *text_of((PtAuditEntry *) entry, i) ?: "";
}

void pt_audit_entry_free(PtAuditEntry *entry)
{
        if (!entry)
                return;
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
                g_free(*text_of(entry, i));
        g_free(entry);
}

static void put_number(struct json_object *json, const char *key, uint64_t value)
{
        if (value > 0)
                json_object_object_add(json, key, json_object_new_int64((int64_t) value));
}

static uint64_t get_number(struct json_object *json, const char *key)
{
        struct json_object *value = json_object_object_get(json, key);
        int64_t number =
                json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;

        return number > 0 ? (uint64_t) number : 0;
}

/* Valid UTF-8 of at most PT_AUDIT_TEXT_MAX bytes. */
static void put_text(struct json_object *json, const char *key, const char *text)
{
        g_autofree char *head = NULL, *valid = NULL;
        const char *end;

        if (!text || !*text)
                return;
        head = g_strndup(text, PT_AUDIT_TEXT_MAX);
        (void) g_utf8_validate(head, -1, &end);
        if (strlen(text) > PT_AUDIT_TEXT_MAX && strlen(end) < 4)
                head[end - head] = '\0'; /* a character was cut */
        valid = g_utf8_make_valid(head, -1);
        json_object_object_add(json, key, json_object_new_string(valid));
}

static char *to_text(struct json_object *json)
{
        GString *out = g_string_new(NULL);

        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

char *pt_audit_head_format(const PtAuditHead *head)
{
        pt_auto_json *json = json_object_new_object();

        put_number(json, "file", head->file);
        put_number(json, "first", head->first);
        put_number(json, "oldest", head->oldest);
        put_number(json, "revision", head->revision);
        put_number(json, "timeUSec", head->time_usec);
        return to_text(json);
}

int pt_audit_head_parse(struct json_object *record, PtAuditHead *ret)
{
        PtAuditHead head = {
                .file = get_number(record, "file"),
                .first = get_number(record, "first"),
                .oldest = get_number(record, "oldest"),
                .time_usec = get_number(record, "timeUSec"),
                .revision = get_number(record, "revision"),
        };

        if (head.file == 0 || head.file > NUMBER_MAX || head.first == 0 || head.first > NUMBER_MAX)
                return -ENOENT;
        *ret = head;
        return 0;
}

char *pt_audit_entry_format(const PtAuditEntry *entry)
{
        pt_auto_json *json = json_object_new_object();

        put_number(json, "number", entry->number);
        put_number(json, "timeUSec", entry->time_usec);
        json_object_object_add(json, "uid", json_object_new_int64(entry->uid));
        put_number(json, "pid", entry->pid > 0 ? (uint64_t) entry->pid : 0);
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
                put_text(json, texts[i].key, *text_of((PtAuditEntry *) entry, i));
        if (entry->claimed)
                json_object_object_add(json, "claimed", json_object_new_boolean(true));
        put_text(json, "result", pt_audit_result_to_string(entry->result));
        put_number(json, "revision", entry->revision);
        put_number(json, "leftOut", entry->left_out);
        return to_text(json);
}

int pt_audit_entry_parse(struct json_object *record, PtAuditEntry **ret)
{
        g_autoptr(PtAuditEntry) entry = g_new0(PtAuditEntry, 1);
        const char *result = json_object_get_string(json_object_object_get(record, "result"));

        entry->number = get_number(record, "number");
        entry->time_usec = get_number(record, "timeUSec");
        entry->uid = (uid_t) get_number(record, "uid");
        entry->pid = (pid_t) get_number(record, "pid");
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
                *text_of(entry, i) = g_strdup(
                        json_object_get_string(json_object_object_get(record, texts[i].key)));
        entry->claimed = json_object_get_boolean(json_object_object_get(record, "claimed"));
        entry->result = pt_audit_result_from_string(result ?: "");
        entry->revision = get_number(record, "revision");
        entry->left_out = get_number(record, "leftOut");
        if (entry->number == 0 || entry->number > NUMBER_MAX || entry->result < 0 ||
            !json_object_object_get_ex(record, "uid", NULL)) /* absent is not root */
                return -EBADMSG;
        *ret = g_steal_pointer(&entry);
        return 0;
}

char *pt_audit_file_name(uint64_t number)
{
        return g_strdup_printf(PT_AUDIT_NAME ".%" PRIu64, number);
}

static int compare_numbers(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return (x > y) - (x < y);
}

GArray *pt_audit_files(int dirfd)
{
        GArray *files = g_array_new(false, false, sizeof(uint64_t));
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        uint64_t number;

        if (!dir) {
                if (fd >= 0)
                        close(fd);
                return files;
        }
        while ((entry = readdir(dir)))
                if (g_str_has_prefix(entry->d_name, PT_AUDIT_NAME ".") &&
                    g_ascii_string_to_unsigned(entry->d_name + strlen(PT_AUDIT_NAME "."), 10, 1,
                                               INT64_MAX, &number, NULL))
                        g_array_append_val(files, number);
        closedir(dir);
        g_array_sort(files, compare_numbers);
        return files;
}
