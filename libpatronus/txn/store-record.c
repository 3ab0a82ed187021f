/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/store-record.h"
#include "base/text.h"
#include "kind/json.h"

#include <inttypes.h>
#include <string.h>

void pt_revision_free(PtRevision *revision)
{
        if (!revision)
                return;
        g_free(revision->author);
        g_free(revision->comment);
        g_free(revision);
}

PtRevision *pt_revision_copy(const PtRevision *revision)
{
        PtRevision *copy = g_memdup2(revision, sizeof(*revision));

        copy->author = g_strdup(revision->author);
        copy->comment = g_strdup(revision->comment);
        return copy;
}

static void slice_free(gpointer data)
{
        PtStoreSlice *slice = data;

        g_free(slice->daemon);
        g_free(slice->text);
        g_free(slice);
}

PtStoreRevision *pt_store_revision_new(const PtRevision *info)
{
        PtStoreRevision *revision = g_new0(PtStoreRevision, 1);

        revision->info = *info;
        revision->info.author = g_strdup(info->author ? info->author : "");
        revision->info.comment = g_strdup(info->comment ? info->comment : "");
        revision->slices = g_ptr_array_new_with_free_func(slice_free);
        revision->datasets = g_ptr_array_new_with_free_func(g_free);
        return revision;
}

void pt_store_revision_free(PtStoreRevision *revision)
{
        if (!revision)
                return;
        g_free(revision->info.author);
        g_free(revision->info.comment);
        g_ptr_array_unref(revision->slices);
        g_ptr_array_unref(revision->datasets);
        g_free(revision);
}

PtStoreSlice *pt_store_revision_slice(const PtStoreRevision *revision, const char *daemon)
{
        for (unsigned i = 0; i < revision->slices->len; i++) {
                PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);

                if (strcmp(slice->daemon, daemon) == 0)
                        return slice;
        }
        return NULL;
}

void pt_store_revision_add(PtStoreRevision *revision, const char *daemon, gid_t gid,
                           const PtDigest *root, char *text)
{
        PtStoreSlice *slice = g_new0(PtStoreSlice, 1);

        slice->daemon = g_strdup(daemon);
        slice->gid = gid;
        slice->root = *root;
        slice->text = text;
        g_ptr_array_add(revision->slices, slice);
}

static void add_string(struct json_object *json, const char *key, const char *value)
{
        json_object_object_add(json, key, json_object_new_string(value));
}

static void add_number(struct json_object *json, const char *key, uint64_t value)
{
        json_object_object_add(json, key, json_object_new_int64((int64_t) value));
}

static void add_digest(struct json_object *json, const char *key, const PtDigest *value)
{
        char hex[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(value, hex);
        add_string(json, key, hex);
}

static char *to_text(struct json_object *json)
{
        GString *out = g_string_new(NULL);

        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

static void add_datasets(struct json_object *json, const GPtrArray *datasets)
{
        struct json_object *list;

        if (datasets->len == 0)
                return;
        list = json_object_new_array_ext((int) datasets->len);
        for (unsigned i = 0; i < datasets->len; i++)
                json_object_array_add(list, json_object_new_string(g_ptr_array_index(datasets, i)));
        json_object_object_add(json, "datasets", list);
}

char *pt_store_record_format(const PtStoreRevision *revision, bool texts)
{
        pt_auto_json *json = json_object_new_object();
        struct json_object *slices = json_object_new_object();
        static const PtDigest none;

        add_string(json, "author", revision->info.author);
        add_string(json, "comment", revision->info.comment);
        add_number(json, "number", revision->info.number);
        add_number(json, "parent", revision->info.parent);
        add_digest(json, "root", &revision->info.root);
        json_object_object_add(json, "slices", slices);
        add_datasets(json, revision->datasets);
        add_number(json, "timeUSec", revision->info.time_usec);
        add_string(json, "type", "intent");
        add_number(json, "uid", revision->info.uid);
        if (!pt_digest_equal(&revision->info.parent_digest, &none))
                add_digest(json, "parentDigest", &revision->info.parent_digest);
        if (revision->info.confirm_usec > 0) {
                add_number(json, "confirmUSec", revision->info.confirm_usec);
                add_string(json, "bootId", revision->boot_id);
                add_number(json, "bootUSec", revision->boot_usec);
        }
        for (unsigned i = 0; i < revision->slices->len; i++) {
                const PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);
                struct json_object *entry = json_object_new_object();

                if (slice->gid != PT_STORE_NO_GROUP)
                        add_number(entry, "gid", slice->gid);
                add_digest(entry, "root", &slice->root);
                if (texts && slice->text)
                        add_string(entry, "text", slice->text);
                json_object_object_add(slices, slice->daemon, entry);
        }
        return to_text(json);
}

void pt_store_record_digest(PtStoreRevision *revision)
{
        g_autofree char *record = pt_store_record_format(revision, false);

        pt_digest_of(record, strlen(record), &revision->info.digest);
}

char *pt_store_record_decided(const PtStoreRevision *revision)
{
        pt_auto_json *json = json_object_new_object();

        add_number(json, "number", revision->info.number);
        add_string(json, "type", "decided");
        if (revision->info.confirm_usec > 0) {
                add_string(json, "bootId", revision->boot_id);
                add_number(json, "deadlineUSec", revision->deadline_usec);
        }
        return to_text(json);
}

char *pt_store_record_confirmed(const PtStoreRevision *revision)
{
        pt_auto_json *json = json_object_new_object();

        add_number(json, "number", revision->info.number);
        add_number(json, "timeUSec", revision->info.confirmed_usec);
        add_string(json, "type", "confirmed");
        return to_text(json);
}

char *pt_store_unconfirmed_format(const PtStoreUnconfirmed *unconfirmed)
{
        pt_auto_json *json = json_object_new_object();

        add_string(json, "bootId", unconfirmed->boot_id);
        add_number(json, "confirmed", unconfirmed->confirmed);
        add_number(json, "deadlineUSec", unconfirmed->deadline_usec);
        add_number(json, "revision", unconfirmed->revision);
        return to_text(json);
}

char *pt_store_record_mark(const char *type, uint64_t number)
{
        pt_auto_json *json = json_object_new_object();

        add_number(json, "number", number);
        add_string(json, "type", type);
        return to_text(json);
}

bool pt_store_record_number(struct json_object *record, const char *key, uint64_t *ret)
{
        struct json_object *value;

        if (!json_object_object_get_ex(record, key, &value) ||
            !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
                return false;
        *ret = json_object_get_uint64(value);
        return true;
}

/* Borrowed; NULL: absent or no string. */
static const char *get_string(struct json_object *json, const char *key)
{
        struct json_object *value;

        if (!json_object_object_get_ex(json, key, &value) ||
            !json_object_is_type(value, json_type_string))
                return NULL;
        return json_object_get_string(value);
}

const char *pt_store_record_type(struct json_object *record)
{
        const char *type = get_string(record, "type");

        return type ? type : "";
}

static bool get_digest(struct json_object *json, const char *key, PtDigest *ret)
{
        const char *hex = get_string(json, key);

        return hex && pt_digest_from_hex(hex, ret) >= 0;
}

static bool get_boot_id(struct json_object *json, char ret[static PT_BOOT_ID_MAX])
{
        const char *text = get_string(json, "bootId");

        if (!text || !pt_boot_id_is_valid(text))
                return false;
        memcpy(ret, text, PT_BOOT_ID_MAX);
        return true;
}

int pt_store_unconfirmed_parse(struct json_object *record, PtStoreUnconfirmed *ret)
{
        PtStoreUnconfirmed unconfirmed;

        if (!pt_store_record_number(record, "revision", &unconfirmed.revision) ||
            !pt_store_record_number(record, "confirmed", &unconfirmed.confirmed) ||
            !pt_store_record_number(record, "deadlineUSec", &unconfirmed.deadline_usec) ||
            !get_boot_id(record, unconfirmed.boot_id) || unconfirmed.revision == 0 ||
            unconfirmed.confirmed >= unconfirmed.revision)
                return -EBADMSG;
        *ret = unconfirmed;
        return 0;
}

/* What is absent in records from before there was a chain, or confirmation. */
static int parse_additions(struct json_object *record, PtStoreRevision *revision)
{
        PtRevision *info = &revision->info;

        if (json_object_object_get_ex(record, "parentDigest", NULL) &&
            !get_digest(record, "parentDigest", &info->parent_digest))
                return -EBADMSG;
        if (!json_object_object_get_ex(record, "confirmUSec", NULL))
                return 0;
        if (!pt_store_record_number(record, "confirmUSec", &info->confirm_usec) ||
            info->confirm_usec == 0 || info->confirm_usec > PT_DURATION_MAX_USEC ||
            !pt_store_record_number(record, "bootUSec", &revision->boot_usec) ||
            !get_boot_id(record, revision->boot_id))
                return -EBADMSG;
        return 0;
}

static int parse_slices(struct json_object *slices, PtStoreRevision *revision)
{
        if (json_object_object_length(slices) > PT_STORE_DAEMONS_MAX)
                return -EBADMSG;
        json_object_object_foreach(slices, daemon, entry)
        {
                uint64_t gid = PT_STORE_NO_GROUP;
                PtDigest root;

                (void) pt_store_record_number(entry, "gid", &gid);
                /* The name becomes a file's. */
                if (!pt_name_is_valid(daemon) || !json_object_is_type(entry, json_type_object) ||
                    !get_digest(entry, "root", &root))
                        return -EBADMSG;
                pt_store_revision_add(revision, daemon, (gid_t) gid, &root,
                                      g_strdup(get_string(entry, "text")));
        }
        return 0;
}

static int parse_datasets(struct json_object *record, PtStoreRevision *revision)
{
        struct json_object *list;

        if (!json_object_object_get_ex(record, "datasets", &list))
                return 0;
        if (!json_object_is_type(list, json_type_array) ||
            json_object_array_length(list) > PT_STORE_DATASETS_MAX)
                return -EBADMSG;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                struct json_object *entry = json_object_array_get_idx(list, i);
                const char *hex = json_object_is_type(entry, json_type_string)
                                          ? json_object_get_string(entry)
                                          : "";
                PtDigest digest;

                if (pt_digest_from_hex(hex, &digest) < 0)
                        return -EBADMSG;
                g_ptr_array_add(revision->datasets, g_strdup(hex));
        }
        return 0;
}

int pt_store_record_parse(struct json_object *record, PtStoreRevision **ret)
{
        g_autoptr(PtStoreRevision) revision = NULL;
        struct json_object *slices;
        PtRevision info = {.state = PT_REVISION_INTENT};
        uint64_t uid;

        if (!pt_store_record_number(record, "number", &info.number) || info.number == 0 ||
            !pt_store_record_number(record, "parent", &info.parent) || info.parent >= info.number ||
            !pt_store_record_number(record, "timeUSec", &info.time_usec) ||
            !pt_store_record_number(record, "uid", &uid) || uid > UINT32_MAX ||
            !get_digest(record, "root", &info.root) ||
            !json_object_object_get_ex(record, "slices", &slices) ||
            !json_object_is_type(slices, json_type_object))
                return -EBADMSG;
        info.uid = (uint32_t) uid;
        info.author = (char *) get_string(record, "author");
        info.comment = (char *) get_string(record, "comment");
        if (!info.author || !info.comment)
                return -EBADMSG;
        revision = pt_store_revision_new(&info);
        if (parse_slices(slices, revision) < 0 || parse_datasets(record, revision) < 0 ||
            parse_additions(record, revision) < 0)
                return -EBADMSG;
        pt_store_record_digest(revision);
        *ret = g_steal_pointer(&revision);
        return 0;
}
