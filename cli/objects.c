/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "objects.h"

#include "kind/vardict.h"
#include "message.h"
#include "output.h"
#include <string.h>

#define PAGE 1000 /* the most configd gives in one reply */

/* One {sv} of an object. The bus has ports and the like as text; the table knows that 22 is a
 * number. */
static int read_member(sd_bus_message *m, const PtKind *kind, struct json_object *object)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        struct json_object *value = NULL;
        const char *key;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r < 0)
                return r;
        if (strcmp(key, "spec") != 0)
                r = ctl_message_to_json(m, &value);
        else if ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, "a{sv}")) >= 0 &&
                 (r = pt_fields_read(kind->fields, m, diag, &value)) >= 0)
                r = sd_bus_message_exit_container(m);
        ctl_say_diagnostics(diag);
        if (value)
                json_object_object_add(object, key, value);
        return r;
}

static int read_object(sd_bus_message *m, const PtKind *kind, struct json_object **ret)
{
        pt_auto_json *object = json_object_new_object();
        int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        while (r >= 0 &&
               (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_member(m, kind, object);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&object);
        return 0;
}

int ctl_get_object(Ctl *ctl, const CtlTarget *target, const PtKind *kind, const char *name,
                   CtlCallFlags flags, struct json_object **ret)
{
        pt_auto_message *reply = NULL;
        int r;

        r = ctl_ask(ctl, target, "Get", flags, &reply, "ss", kind->name, name);
        if (r != CTL_DONE)
                return r;
        r = read_object(reply, kind, ret);
        return r < 0 ? r : CTL_DONE;
}

/* One page of a List; *next is where the following begins, "" at the end. */
static int get_page(Ctl *ctl, const CtlTarget *target, const PtKind *kind, char **next,
                    void (*each)(struct json_object *object, void *userdata), void *userdata)
{
        pt_auto_message *reply = NULL;
        const char *after;
        int r;

        r = ctl_ask(ctl, target, "List", CTL_CALL_READS, &reply, "sa{sv}", kind->name, 2, "after",
                    "s", *next, "limit", "u", (uint32_t) PAGE);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *object = NULL;

                r = read_object(reply, kind, &object);
                if (r < 0)
                        return r;
                each(object, userdata);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &after);
        if (r < 0)
                return r;
        g_free(*next);
        *next = g_strdup(after);
        return CTL_DONE;
}

int ctl_foreach_object(Ctl *ctl, const CtlTarget *target, const PtKind *kind,
                       void (*each)(struct json_object *object, void *userdata), void *userdata)
{
        g_autofree char *next = g_strdup("");
        int r;

        do {
                r = get_page(ctl, target, kind, &next, each, userdata);
                if (r != CTL_DONE)
                        return r;
        } while (*next);
        return CTL_DONE;
}

struct json_object *ctl_builtin(const PtKind *kind, const char *name)
{
        g_autoptr(PtObject) object = pt_kind_builtin(kind, name);

        return object ? pt_object_to_json(object, false) : NULL;
}
