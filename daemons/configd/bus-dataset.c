/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-dataset.h"

#include "manager.h"
#include "options.h"
#include "page.h"

#include "bus/bus.h"

#include <string.h>

/* Who puts or deletes a dataset; NULL: the bus does not say any more. */
static PtAuditEntry *entry_of(Manager *manager, sd_bus_message *call)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;
        const PtCaller *caller;

        if (pt_access_check(manager->access, call, &caller, &error) < 0)
                return NULL;
        return audit_entry_of(call, caller, pt_action_to_string(PT_ACTION_CONFIG_EDIT), NULL, NULL);
}

/* It was done; takes the entry. */
static void audit(Manager *manager, PtAuditEntry *entry, const char *digest)
{
        if (!entry)
                return;
        entry->subject = g_strdup_printf("Dataset/%s", digest);
        audit_put_limited(manager->audit, entry);
}

/* Members of an a{sv} that is open. */
static int append_header(sd_bus_message *m, const char *digest, const PtDatasetHeader *header)
{
        return sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "digest", "s", digest, "content", "s",
                                     pt_dataset_content_to_string(header->content), "entries", "t",
                                     (uint64_t) pt_dataset_header_entries(header), "size", "t",
                                     pt_dataset_header_size(header));
}

static int append_put(sd_bus_message *m, const DatasetPut *put)
{
        char digest[PT_DIGEST_HEX + 1];
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "{sv}", "accepted", "b", put->result >= 0);
        if (r >= 0 && put->result >= 0) {
                pt_digest_to_hex(&put->digest, digest);
                r = append_header(m, digest, &put->header);
        }
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, "diagnostics");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, "a(ssss)");
        if (r < 0)
                return r;
        r = pt_diag_append(put->diag, m);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* A put under way. */
typedef struct Put {
        Manager *manager;
        sd_bus_message *call; /* referenced */
        PtAuditEntry *entry;
} Put;

static void on_put(const DatasetPut *put, void *userdata)
{
        g_autofree Put *own = userdata;
        sd_bus_message *call = own->call;
        pt_auto_message *m = NULL;
        char digest[PT_DIGEST_HEX + 1];
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = append_put(m, put);
        if (r >= 0)
                r = sd_bus_message_send(m);
        if (r < 0)
                (void) sd_bus_reply_method_errno(call, r, NULL);
        sd_bus_message_unref(call);
        pt_digest_to_hex(&put->digest, digest);
        if (put->result >= 0)
                audit(own->manager, g_steal_pointer(&own->entry), digest);
        pt_audit_entry_free(own->entry);
}

int bus_dataset_put(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *source = NULL, *word = NULL;
        const Option options[] = {
                {"source", OPTION_STRING, &source}, {"content", OPTION_STRING, &word}, {}};
        PtDatasetContent content = PT_DATASET_ANY;
        Put *put;
        int fd, r;

        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UNIX_FD, &fd);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        if (word && *word) {
                content = pt_dataset_content_from_string(word);
                if (content < 0)
                        return pt_bus_fail(error, -EINVAL,
                                           "The content is \"addresses\" or \"macs\", not \"%s\"",
                                           word);
        }
        if (source && strlen(source) > DATASET_SOURCE_MAX)
                return pt_bus_fail(error, -EINVAL, "The source has more than %u bytes",
                                   DATASET_SOURCE_MAX);
        put = g_new0(Put, 1);
        put->manager = manager;
        put->call = call;
        r = datasets_put(manager->datasets, fd, source ?: "input", content, on_put, put, error);
        if (r < 0) {
                g_free(put);
                return r;
        }
        put->call = sd_bus_message_ref(call);
        put->entry = entry_of(manager, call);
        return 1;
}

static int append_entry(sd_bus_message *m, const PtStoreDataset *entry, unsigned references)
{
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        if (entry->damaged)
                r = sd_bus_message_append(m, "{sv}{sv}", "digest", "s", entry->digest, "size", "t",
                                          entry->size);
        else
                r = append_header(m, entry->digest, &entry->header);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "damaged", "b", entry->damaged,
                                  "references", "u", references, "revisions", "u", entry->revisions,
                                  "timeUSec", "t", entry->time_usec);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

/* The entries behind `after`, at most `limit`. */
static int append_list(sd_bus_message *m, const GPtrArray *list, GHashTable *references,
                       const char *after, unsigned limit)
{
        const char *last = NULL;
        unsigned n = 0, i = 0;
        int r;

        while (i < list->len &&
               strcmp(((const PtStoreDataset *) g_ptr_array_index(list, i))->digest, after) <= 0)
                i++;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        for (; r >= 0 && i < list->len && n < limit; i++, n++) {
                const PtStoreDataset *entry = g_ptr_array_index(list, i);

                last = entry->digest;
                r = append_entry(m, entry, GPOINTER_TO_UINT(g_hash_table_lookup(references, last)));
        }
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING,
                                           last && i < list->len ? last : "");
}

int bus_dataset_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *after = NULL;
        uint32_t limit = PAGE_DEFAULT;
        const Option options[] = {
                {"after", OPTION_STRING, &after}, {"limit", OPTION_UINT32, &limit}, {}};
        g_autoptr(GHashTable) references = NULL;
        g_autoptr(GPtrArray) list = NULL;
        pt_auto_message *m = NULL;
        int r;

        r = options_read(call, options, error);
        if (r < 0)
                return r;
        r = pt_store_list_datasets(manager->store, &list);
        if (r < 0)
                return pt_bus_fail(error, r, "The datasets cannot be listed: %s", g_strerror(-r));
        references = pt_store_dataset_references(manager->running);
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = append_list(m, list, references, after ?: "", CLAMP(limit, 1, PAGE_MAX));
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static int open_dataset(const Manager *manager, const char *digest, PtDataset **ret,
                        sd_bus_error *error)
{
        int r = pt_dataset_open(manager->state_dir, digest, ret);

        if (r == -EINVAL || r == -ENOENT)
                return pt_bus_fail(error, -ENOENT, "There is no dataset \"%s\"", digest);
        if (r < 0)
                return pt_bus_fail(error, r, "The dataset \"%s\" cannot be read: %s", digest,
                                   g_strerror(-r));
        return 0;
}

static int reply_page(sd_bus_message *call, const PtDataset *dataset, uint32_t first,
                      uint32_t limit)
{
        uint32_t entries = pt_dataset_header_entries(pt_dataset_header(dataset));
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *next = NULL;
        g_auto(GStrv) lines = NULL;
        pt_auto_message *m = NULL;
        int r;

        r = pt_dataset_page_format(dataset, first, limit, text);
        if (r < 0)
                return r;
        g_string_truncate(text, text->len - (text->len > 0)); /* the last newline ends nothing */
        lines = g_strsplit(text->str, "\n", 0);
        if (first < entries && entries - first > limit)
                next = g_strdup_printf("%" PRIu32, first + limit);
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, lines);
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, next ?: "");
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

int bus_dataset_read(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *after = NULL;
        uint32_t limit = PAGE_DEFAULT;
        const Option options[] = {
                {"after", OPTION_STRING, &after}, {"limit", OPTION_UINT32, &limit}, {}};
        g_autoptr(PtDataset) dataset = NULL;
        const char *digest;
        uint64_t first = 0;
        int r;

        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &digest);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        if (after && *after &&
            !g_ascii_string_to_unsigned(after, 10, 0, PT_DATASET_ENTRIES_MAX, &first, NULL))
                return pt_bus_fail(error, -EINVAL,
                                   "after: \"%s\" is not what a page gave as its next", after);
        r = open_dataset(manager, digest, &dataset, error);
        if (r < 0)
                return r;
        return reply_page(call, dataset, (uint32_t) first, CLAMP(limit, 1, PAGE_MAX));
}

/* What a person can do about it depends on who needs it. */
static int refuse_delete(const Manager *manager, sd_bus_message *call, const char *digest,
                         bool session)
{
        g_autoptr(GHashTable) references = pt_store_dataset_references(manager->running);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        pt_diag_set_subject(diag, "dataset %s", digest);
        if (g_hash_table_contains(references, digest))
                pt_diag_error(diag, "in-use", NULL,
                              "objects of the running configuration refer to it: change or delete "
                              "them first");
        else if (session)
                pt_diag_error(diag, "in-use", NULL,
                              "objects of an open session refer to it: close the session first");
        else
                pt_diag_error(diag, "in-use", NULL,
                              "a revision that is kept refers to it, so that it can be reverted "
                              "to: the dataset goes by itself when the last such revision does");
        return pt_bus_refuse(call, -EBUSY, diag);
}

int bus_dataset_delete(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        const char *digest;
        int r;

        /* A commit under way may refer to it, and its session may be gone. */
        if (manager_busy(manager))
                return manager_defer(manager, call, bus_dataset_delete, error);
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &digest);
        if (r < 0)
                return r;
        if (datasets_in_session(manager, digest))
                return refuse_delete(manager, call, digest, true);
        r = audit_allows(manager->audit, diag);
        if (r < 0)
                return pt_bus_refuse(call, -EIO, diag);
        r = pt_store_delete_dataset(manager->store, digest);
        if (r == -EBUSY)
                return refuse_delete(manager, call, digest, false);
        if (r == -ENOENT)
                return pt_bus_fail(error, r, "There is no dataset \"%s\"", digest);
        if (r < 0)
                return pt_bus_fail(error, r, "The dataset cannot be deleted: %s", g_strerror(-r));
        audit(manager, entry_of(manager, call), digest);
        return sd_bus_reply_method_return(call, NULL);
}
