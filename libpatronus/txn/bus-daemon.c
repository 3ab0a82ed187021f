/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/bus-daemon.h"

#include "bus/bus.h"
#include "config.h"
#include "kind/describe.h"

#define DAEMON_INTERFACE "org.patronus.Daemon1"
/* Longer than other replies: it is of our own tables, which nobody else can make grow. */
#define SCHEMA_MAX (1024U * 1024U)

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", PT_VERSION);
}

static int get_kinds(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const PtDaemonInfo *info = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (const PtKind *const *kind = info->kinds; *kind; kind++) {
                r = sd_bus_message_append(reply, "s", (*kind)->name);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int get_schema_digest(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error)
{
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_kind_schema_digest(&digest);
        pt_digest_to_hex(&digest, hex);
        return sd_bus_message_append(reply, "s", hex);
}

static int get_conditions(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *error)
{
        const PtDaemonInfo *info = userdata;
        gpointer name, text;
        GHashTableIter iter;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{ss}");
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, info->conditions);
        while (g_hash_table_iter_next(&iter, &name, &text)) {
                r = sd_bus_message_append(reply, "{ss}", name, text);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

static int method_get_schema(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        const PtKind *kind = NULL;
        pt_auto_json *schema = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if (name[0]) {
                kind = pt_kind_find(name);
                if (!kind)
                        return pt_bus_fail(error, -ENOENT, "There is no kind \"%s\"", name);
        }
        schema = pt_kind_schema(kind);
        pt_json_to_canonical(schema, text);
        if (text->len > SCHEMA_MAX)
                return pt_bus_fail(error, -EFBIG,
                                   "The schema of all kinds is too large for one "
                                   "reply: ask for one kind");
        return sd_bus_reply_method_return(m, "s", text->str);
}

static int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) text = g_string_new(NULL);
        const char *path;
        int r;

        r = sd_bus_message_read(m, "s", &path);
        if (r < 0)
                return r;
        r = pt_kind_explain(path, diag, text);
        if (r < 0)
                return pt_bus_refuse(m, r, diag);
        return sd_bus_reply_method_return(m, "s", text->str);
}

#define INFO(member) offsetof(PtDaemonInfo, member)

static const sd_bus_vtable daemon_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", NULL, INFO(state), 0),
        SD_BUS_PROPERTY("Revision", "t", NULL, INFO(revision), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("WantedRevision", "t", NULL, INFO(wanted_revision),
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Kinds", "as", get_kinds, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SchemaDigest", "s", get_schema_digest, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Conditions", "a{ss}", get_conditions, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("GetSchema", SD_BUS_ARGS("s", kind), SD_BUS_RESULT("s", schema),
                                method_get_schema, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe", SD_BUS_ARGS("s", path), SD_BUS_RESULT("s", text),
                                method_describe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int pt_daemon_info_attach(PtDaemonInfo *info, sd_bus *bus, const char *path, sd_bus_slot **ret_slot)
{
        return sd_bus_add_object_vtable(bus, ret_slot, path, DAEMON_INTERFACE, daemon_vtable, info);
}

int pt_daemon_info_changed(sd_bus *bus, const char *path)
{
        return sd_bus_emit_properties_changed(bus, path, DAEMON_INTERFACE, "Revision",
                                              "WantedRevision", "Conditions", NULL);
}
