/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-export.h"

#include "bus-config.h"
#include "export.h"
#include "options.h"
#include "event/worker.h"

#include "base/io.h"
#include "bus/bus.h"

#include <sys/mman.h>

#define EXPORT_USEC (120 * PT_USEC_PER_SEC)

typedef struct Export {
        Manager *manager;
        PtWorker *worker; /* or NULL */
        sd_bus_message *call;
        PtSlice *slice;
        uint64_t revision;
        bool json;
        bool secrets; /* sealed, instead of redacted */
        char **kinds; /* or NULL */
        int fd;
} Export;

static void export_free(void *data)
{
        Export *export = data;

        pt_worker_free(export->worker);
        sd_bus_message_unref(export->call);
        pt_slice_unref(export->slice);
        g_strfreev(export->kinds);
        pt_closep(&export->fd);
        g_free(export);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Export, export_free)

GPtrArray *bus_export_table_new(void)
{
        return g_ptr_array_new_with_free_func(export_free);
}

/* In the child, or in the loop when it is short. */
static int write_export(const Export *export)
{
        return export_write(export->manager->store, export->slice, export->json, export->secrets,
                            (const char *const *) export->kinds, export->fd);
}

static int run(void *userdata, GString *out)
{
        return write_export(userdata);
}

/* Answers the call with what was written. */
static int reply(const Export *export, int result, sd_bus_error *error)
{
        if (result >= 0)
                result = pt_memfd_seal(export->fd);
        if (result == -EBADMSG || result == -ENOENT)
                return pt_bus_fail(error, result,
                                   "A dataset that revision %" PRIu64
                                   " refers to is damaged or lost: put the same list again",
                                   export->revision);
        if (result < 0)
                return pt_bus_fail(error, result, "The export cannot be written: %s",
                                   g_strerror(-result));
        return sd_bus_reply_method_return(export->call, "h", export->fd);
}

static void on_written(int result, const GString *out, void *userdata)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;
        Export *export = userdata;
        int r;

        export->worker = NULL;
        r = reply(export, result, &error);
        if (r < 0)
                (void) sd_bus_reply_method_errno(export->call, r, &error);
        g_ptr_array_remove_fast(export->manager->exports, export);
}

static int start(Export *export, sd_bus_error *error)
{
        GPtrArray *exports = export->manager->exports;

        if (exports->len >= EXPORTS_MAX)
                return pt_bus_fail(error, -EBUSY, "%d exports are being written already: try again",
                                   EXPORTS_MAX);
        return pt_worker_start(export->manager->event, EXPORT_USEC, run, on_written, export,
                               &export->worker);
}

static int check_kinds(char **kinds, sd_bus_error *error)
{
        for (char **name = kinds; name && *name; name++) {
                const PtKind *kind = pt_kind_find(*name);

                if (!kind)
                        return pt_bus_fail(error, -ENOENT, "There is no kind \"%s\"", *name);
                g_free(*name);
                *name = g_strdup(kind->name);
        }
        return 0;
}

static int read_options(sd_bus_message *call, Export *export, sd_bus_error *error)
{
        g_autofree char *format = NULL;
        const Option options[] = {
                {"format", OPTION_STRING, &format},
                {"revision", OPTION_UINT64, &export->revision},
                {"kinds", OPTION_STRINGS, &export->kinds},
                {},
        };
        int r;

        r = options_read(call, options, error);
        if (r < 0)
                return r;
        export->json = g_strcmp0(format, "json") == 0;
        if (format && !export->json && !g_str_equal(format, "yaml"))
                return pt_bus_fail(error, -EINVAL, "The format is \"yaml\" or \"json\", not \"%s\"",
                                   format);
        r = check_kinds(export->kinds, error);
        if (r < 0)
                return r;
        return bus_config_load(export->manager, export->revision, &export->slice, error);
}

static int begin(sd_bus_message *call, Manager *manager, bool secrets, sd_bus_error *error)
{
        g_autoptr(Export) export = g_new0(Export, 1);
        int r;

        export->manager = manager;
        export->secrets = secrets;
        export->call = sd_bus_message_ref(call);
        export->revision = manager->revision;
        export->fd = memfd_create("patronus-export", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (export->fd < 0)
                return -errno;
        r = read_options(call, export, error);
        if (r < 0)
                return r;
        if (!export_has_datasets(export->slice, (const char *const *) export->kinds))
                return reply(export, write_export(export), error);
        r = start(export, error);
        if (r < 0)
                return r;
        g_ptr_array_add(manager->exports, g_steal_pointer(&export));
        return 1;
}

int bus_export(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return begin(call, userdata, false, error);
}

int bus_export_sealed(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return begin(call, userdata, true, error);
}
