/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "datasets.h"

#include "manager.h"
#include "session.h"
#include "event/worker.h"

#include "base/log.h"
#include "bus/bus.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct Datasets {
        Manager *manager;
        GPtrArray *imports; /* Import */
        sd_event_source *collect;
};

typedef struct Import {
        Datasets *datasets;
        PtWorker *worker;
        int fd;
        char *source;
        PtDatasetContent content;
        DatasetPutDone done;
        void *userdata;
} Import;

static void import_free(void *data)
{
        Import *import = data;

        pt_worker_free(import->worker);
        pt_closep(&import->fd);
        g_free(import->source);
        g_free(import);
}

/* What a child sends: the dataset, then each diagnostic as its severity and four texts with their
 * NULs. */
typedef struct Sent {
        PtDatasetHeader header;
        PtDigest digest;
} Sent;

static void send_diagnostics(const PtDiagnostics *diag, GString *out)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);
                const char *const texts[] = {entry->subject, entry->pointer, entry->code,
                                             entry->text};

                g_string_append_c(out, (char) entry->severity);
                for (size_t j = 0; j < G_N_ELEMENTS(texts); j++)
                        g_string_append_len(out, texts[j], (gssize) strlen(texts[j]) + 1);
        }
}

static void receive_diagnostics(const GString *out, size_t at, PtDiagnostics *diag)
{
        while (at < out->len) {
                PtSeverity severity = (PtSeverity) out->str[at++];
                const char *texts[4];

                for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                        texts[i] = at < out->len ? out->str + at : "";
                        at += strlen(texts[i]) + 1;
                }
                pt_diag_add_full(diag, severity, texts[0], texts[1], texts[2], texts[3]);
        }
}

/* In the child. */
static int run_import(void *userdata, GString *out)
{
        const Import *import = userdata;
        const PtStore *store = import->datasets->manager->store;
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(import->content);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        Sent sent = {};
        int r;

        if (lseek(import->fd, 0, SEEK_SET) < 0)
                return -errno;
        r = pt_dataset_import_fd(builder, import->source, import->fd, diag);
        if (r >= 0) {
                r = pt_dataset_store(builder, pt_store_datasets_fd(store),
                                     pt_store_datasets_gid(store), &sent.header, &sent.digest);
                if (r == -EFBIG)
                        pt_diag_error(diag, "too-large", NULL,
                                      "more than %u entries: split the list into several",
                                      PT_DATASET_ENTRIES_MAX);
        }
        g_string_append_len(out, (const char *) &sent, sizeof(sent));
        send_diagnostics(diag, out);
        return r;
}

static void on_imported(int result, const GString *out, void *userdata)
{
        Import *import = userdata;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        DatasetPut put = {.result = result, .diag = diag};
        Sent sent;

        import->worker = NULL;
        if (out->len >= sizeof(sent)) {
                memcpy(&sent, out->str, sizeof(sent));
                put.header = sent.header;
                put.digest = sent.digest;
                receive_diagnostics(out, sizeof(sent), diag);
        }
        if (result < 0 && pt_diag_count(diag) == 0)
                pt_diag_error(diag, "cannot-write", NULL, "the dataset cannot be stored: %s",
                              g_strerror(-result));
        datasets_touch(import->datasets);
        import->done(&put, import->userdata);
        g_ptr_array_remove_fast(import->datasets->imports, import);
}

static int check_put(const Datasets *datasets, int fd, sd_bus_error *error)
{
        struct stat st;
        int r;

        /* Reading from anything else could block, or never end. */
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return pt_bus_fail(error, -EINVAL, "The input must be a regular file or a memfd");
        if (datasets->imports->len >= DATASET_IMPORTS_MAX)
                return pt_bus_fail(error, -EBUSY,
                                   "%d datasets are being imported already: try again",
                                   DATASET_IMPORTS_MAX);
        r = pt_store_datasets_room(datasets->manager->store);
        if (r == -ENOSPC)
                return pt_bus_fail(error, r,
                                   "There are too many datasets (at most %d, %" PRIu64
                                   " MiB): delete some that nothing refers to",
                                   PT_STORE_DATASETS_MAX, PT_STORE_DATASETS_SIZE_MAX >> 20);
        return r;
}

int datasets_put(Datasets *datasets, int fd, const char *source, PtDatasetContent content,
                 DatasetPutDone done, void *userdata, sd_bus_error *error)
{
        Import *import;
        int r;

        r = check_put(datasets, fd, error);
        if (r < 0)
                return r;
        import = g_new0(Import, 1);
        import->datasets = datasets;
        import->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        import->source = g_strdup(source);
        import->content = content;
        import->done = done;
        import->userdata = userdata;
        r = import->fd < 0 ? -errno
                           : pt_worker_start(datasets->manager->event, DATASET_IMPORT_USEC,
                                             run_import, on_imported, import, &import->worker);
        if (r < 0) {
                import_free(import);
                return r;
        }
        g_ptr_array_add(datasets->imports, import);
        return 0;
}

bool datasets_in_session(Manager *manager, const char *digest)
{
        GHashTableIter iter;
        void *session;

        g_hash_table_iter_init(&iter, manager->sessions);
        while (g_hash_table_iter_next(&iter, NULL, &session)) {
                g_autoptr(GHashTable) references =
                        pt_store_dataset_references(((Session *) session)->candidate);

                if (g_hash_table_contains(references, digest))
                        return true;
        }
        return false;
}

static bool is_used(const char *digest, void *userdata)
{
        return datasets_in_session(userdata, digest);
}

void datasets_collect(Datasets *datasets)
{
        uint64_t now = (uint64_t) g_get_real_time();
        unsigned waiting;
        int r;

        if (datasets->imports->len > 0 || manager_busy(datasets->manager)) {
                datasets_touch(datasets);
                return;
        }
        r = pt_store_collect_datasets(datasets->manager->store, now - MIN(now, DATASET_GRACE_USEC),
                                      is_used, datasets->manager, &waiting);
        if (r < 0)
                pt_log(LOG_WARNING, "cannot delete datasets that are not needed: %s",
                       g_strerror(-r));
        else if (waiting > 0)
                datasets_touch(datasets);
}

static int on_collect(sd_event_source *source, uint64_t usec, void *userdata)
{
        datasets_collect(userdata);
        return 0;
}

void datasets_touch(Datasets *datasets)
{
        int enabled = SD_EVENT_OFF;

        (void) sd_event_source_get_enabled(datasets->collect, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        (void) sd_event_source_set_time_relative(datasets->collect, DATASET_GRACE_USEC);
        (void) sd_event_source_set_enabled(datasets->collect, SD_EVENT_ONESHOT);
}

Datasets *datasets_new(Manager *manager)
{
        Datasets *datasets = g_new0(Datasets, 1);

        datasets->manager = manager;
        datasets->imports = g_ptr_array_new_with_free_func(import_free);
        if (sd_event_add_time_relative(manager->event, &datasets->collect, CLOCK_MONOTONIC,
                                       DATASET_GRACE_USEC, 0, on_collect, datasets) >= 0)
                (void) sd_event_source_set_enabled(datasets->collect, SD_EVENT_OFF);
        return datasets;
}

void datasets_free(Datasets *datasets)
{
        if (!datasets)
                return;
        g_ptr_array_unref(datasets->imports);
        sd_event_source_disable_unref(datasets->collect);
        g_free(datasets);
}
