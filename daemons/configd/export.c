/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "export.h"

#include "base/io.h"
#include "kind/yaml.h"

#include <sys/mman.h>

/* The text of a large configuration is never in memory twice. */
#define CHUNK (64U * 1024U)

static bool wanted(const PtObject *object, const char *const *kinds)
{
        return !kinds || !*kinds || g_strv_contains(kinds, object->kind->name);
}

static void append_json(const PtObject *object, GString *out)
{
        pt_auto_json *json = pt_object_to_json(object, false);

        pt_json_to_canonical(json, out);
        g_string_append_c(out, '\n');
}

static int write_objects(const GPtrArray *objects, bool json, const char *const *kinds, int fd)
{
        g_autoptr(GString) text = g_string_sized_new(CHUNK);
        int r;

        for (guint i = 0; i < objects->len; i++) {
                const PtObject *object = g_ptr_array_index(objects, i);

                if (!wanted(object, kinds))
                        continue;
                if (json)
                        append_json(object, text);
                else
                        pt_object_to_yaml(object, false, text);
                if (text->len < CHUNK)
                        continue;
                r = pt_write_all(fd, text->str, text->len);
                if (r < 0)
                        return r;
                g_string_truncate(text, 0);
        }
        return pt_write_all(fd, text->str, text->len);
}

int export_memfd(const PtSlice *slice, bool json, const char *const *kinds)
{
        g_autoptr(GPtrArray) objects = pt_slice_sorted(slice, NULL);
        pt_auto_fd int fd = memfd_create("patronus-export", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = write_objects(objects, json, kinds, fd);
        if (r < 0)
                return r;
        r = pt_memfd_seal(fd);
        if (r < 0)
                return r;
        return pt_steal_fd(&fd);
}
