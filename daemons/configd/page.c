/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "page.h"

#include "nearest.h"
#include "options.h"

#include "bus/bus.h"
#include "kind/describe.h"
#include "kind/vardict.h"

#include <string.h>

typedef struct Page {
        const PtKind *after_kind; /* NULL: from the start */
        const char *after_name;
        const char *const *labels;
        unsigned limit;
        bool brief;
        GPtrArray *objects; /* sorted; one more than `limit` when there is a next page */
} Page;

static bool has_labels(const PtObject *object, const char *const *labels)
{
        for (const char *const *label = labels; label && *label; label++)
                if (!object->meta || !object->meta->labels ||
                    !g_strv_contains((const char *const *) object->meta->labels, *label))
                        return false;
        return true;
}

/* Where the object belongs in the page. */
static guint place(const GPtrArray *objects, const PtObject *object)
{
        guint low = 0, high = objects->len;

        while (low < high) {
                guint middle = (low + high) / 2;

                if (pt_object_compare_identity(g_ptr_array_index(objects, middle), object) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int consider(const PtObject *object, void *userdata)
{
        Page *page = userdata;
        const PtObject after = {.kind = page->after_kind, .name = (char *) page->after_name};
        guint i;

        if (page->after_kind && pt_object_compare_identity(object, &after) <= 0)
                return 0;
        if (!has_labels(object, page->labels))
                return 0;
        i = place(page->objects, object);
        if (i > page->limit)
                return 0;
        g_ptr_array_insert(page->objects, (gint) i, (void *) object);
        if (page->objects->len > page->limit + 1)
                g_ptr_array_set_size(page->objects, (gint) page->limit + 1);
        return 0;
}

/* "Kind/name", as the last page gave it. */
static int parse_after(const char *after, Page *page)
{
        const char *slash = strchr(after, '/');

        if (!*after)
                return 0;
        if (!slash)
                return -EINVAL;

        g_autofree char *kind = g_strndup(after, (gsize) (slash - after));

        page->after_kind = pt_kind_find(kind);
        page->after_name = slash + 1;
        return page->after_kind ? 0 : -EINVAL;
}

static int append_page(const Page *page, sd_bus_message *m)
{
        guint n = MIN(page->objects->len, page->limit);
        g_autofree char *next = NULL;
        int r;

        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        for (guint i = 0; i < n; i++) {
                const PtObject *object = g_ptr_array_index(page->objects, i);

                r = page->brief ? sd_bus_message_append(m, "a{sv}", 2, "kind", "s",
                                                        object->kind->name, "metadata", "a{sv}", 1,
                                                        "name", "s", object->name)
                                : pt_object_append(object, false, m);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        if (page->objects->len > page->limit) {
                const PtObject *last = g_ptr_array_index(page->objects, n - 1);

                next = g_strdup_printf("%s/%s", last->kind->name, last->name);
        }
        return sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, next ?: "");
}

static int refuse_kind(const char *name, sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) help = g_string_new(NULL);
        int r = pt_kind_explain(name, diag, help);

        if (r >= 0) /* "Zone.interfaces" is explained, but no kind */
                return pt_bus_fail(error, -ENOENT, "\"%s\" is not a kind", name);
        return pt_bus_fail(error, r, "%s", pt_diag_get(diag, 0)->text);
}

int page_reply_object(sd_bus_message *call, const PtSlice *slice, sd_bus_error *error)
{
        pt_auto_message *m = NULL;
        const PtObject *object;
        const PtKind *kind;
        const char *kind_name, *name;
        int r;

        r = sd_bus_message_read(call, "ss", &kind_name, &name);
        if (r < 0)
                return r;
        kind = pt_kind_find(kind_name);
        if (!kind)
                return refuse_kind(kind_name, error);
        object = pt_slice_get(slice, kind, name);
        if (!object) {
                g_autofree char *text = nearest_not_found_text(slice, kind, name);

                return pt_bus_fail(error, -ENOENT, "%s", text);
        }
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = pt_object_append(object, false, m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static int reply(sd_bus_message *call, const Page *page)
{
        pt_auto_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = append_page(page, m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

int page_reply(sd_bus_message *call, const PtSlice *slice, sd_bus_error *error)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new();
        g_auto(GStrv) labels = NULL;
        g_autofree char *after = NULL;
        uint32_t limit = PAGE_DEFAULT;
        bool brief = false;
        const Option options[] = {
                {"after", OPTION_STRING, &after},
                {"limit", OPTION_UINT32, &limit},
                {"labels", OPTION_STRINGS, &labels},
                {"brief", OPTION_BOOL, &brief},
                {},
        };
        Page page = {.objects = objects};
        const PtKind *kind = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read(call, "s", &name);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        if (*name) {
                kind = pt_kind_find(name);
                if (!kind)
                        return refuse_kind(name, error);
        }
        r = parse_after(after ?: "", &page);
        if (r < 0)
                return pt_bus_fail(error, r, "after: \"%s\" is not what a page gave as its next",
                                   after);
        page.brief = brief;
        page.limit = CLAMP(limit, 1, PAGE_MAX);
        page.labels = (const char *const *) labels;
        (void) pt_slice_foreach(slice, kind, consider, &page);
        return reply(call, &page);
}
