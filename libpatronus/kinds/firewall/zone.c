/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include <string.h>

const PtChoice fw_actions[] = {
        {"allow", FW_ALLOW, "lets the packet pass"},
        {"drop", FW_DROP, "discards it without a word"},
        {"reject", FW_REJECT, "discards it and tells the sender"},
        {},
};

/* clang-format off */
static const PtField zone_fields[] = {
        [ZONE_INTERFACES] = PT_FIELD(Zone, ifname, interfaces, "interfaces", PT_F_LIST,
                .doc = "Network interfaces of the zone, by name, or by a glob that ends in *. An "
                       "exact name wins over a glob, a longer glob over a shorter. An interface "
                       "that is not there yet counts as soon as it appears.",
                .example = "[eth1, vlan*]"),
        [ZONE_SOURCES] = PT_FIELD(Zone, prefix, sources, "sources", PT_F_LIST,
                .doc = "Addresses and prefixes whose packets belong to the zone whatever "
                       "interface they come in by. The longest prefix wins, and sources win over "
                       "interfaces.",
                .example = "[10.8.0.0/24, \"2001:db8:8::/48\"]"),
        [ZONE_INPUT] = PT_FIELD(Zone, enum, input, "input", 0,
                .choices = fw_actions,
                .doc = "What happens to packets from the zone to the router itself that no rule "
                       "matched. Absent: what FilterSettings say, by default drop.",
                .example = "drop"),
        [ZONE_FORWARD] = PT_FIELD(Zone, enum, forward, "forward", 0,
                .choices = fw_actions,
                .doc = "What happens to packets from the zone through the router to any zone that "
                       "no rule matched. Absent: what FilterSettings say, by default drop.",
                .example = "reject"),
        [ZONE_OUTPUT] = PT_FIELD(Zone, enum, output, "output", 0,
                .choices = fw_actions,
                .doc = "What happens to packets of the router itself to the zone that no rule "
                       "matched. Absent: what FilterSettings say, by default allow.",
                .example = "allow"),
        [ZONE_MASQUERADE] = PT_FIELD(Zone, bool, masquerade, "masquerade", 0,
                .def = "false",
                .doc = "Whether IPv4 packets that leave through the zone get the address of the "
                       "interface they leave by, as a network with private addresses needs "
                       "towards the internet. Connections that exist keep what they have.",
                .example = "true"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(zone_fields) == ZONE_MASQUERADE + 2);

static int zone_check(const PtObject *object, PtDiagnostics *diag)
{
        /* Not among the reserved names, since no rule can name it either. */
        if (strcmp(object->name, FW_ZONE_UNASSIGNED) == 0) {
                pt_diag_error(diag, "reserved-name", "/metadata/name",
                              "packets of no zone are \"%s\"; choose another name", object->name);
                return -EINVAL;
        }
        if (!pt_object_has(object, ZONE_INTERFACES) && !pt_object_has(object, ZONE_SOURCES))
                pt_diag_warning(
                        diag, "empty-zone", "/spec",
                        "the zone has neither interfaces nor sources, so no packet belongs to it");
        return 0;
}

/* One entry for each place; the other zone's own check finds the same two. */
static void report_claim(const Zone *zone, const Zone *other, const PtField *field, unsigned i,
                         unsigned j, const char *what, PtDiagnostics *diag)
{
        g_autofree char *subject = g_strconcat("Zone/", zone->object.name, NULL);
        g_autofree char *pointer = g_strdup_printf("/spec/%s/%u", field->name, i);
        g_autofree char *text =
                g_strdup_printf("%s belongs to Zone/%s too (/spec/%s/%u); remove one", what,
                                other->object.name, field->name, j);

        for (size_t k = 0; diag && k < pt_diag_count(diag); k++) {
                const PtDiagnostic *entry = pt_diag_get(diag, k);

                if (strcmp(entry->subject, subject) == 0 && strcmp(entry->pointer, pointer) == 0 &&
                    strcmp(entry->text, text) == 0)
                        return;
        }
        pt_diag_add_full(diag, PT_SEVERITY_ERROR, subject, pointer, "zone-overlap", text);
}

/* Both lists are sorted sets: one walk along both finds what they share. */
static int check_shared(const Zone *a, const Zone *b, unsigned index, PtDiagnostics *diag)
{
        const PtField *field = &zone_fields[index];
        const PtList *x = (const void *) ((const char *) a + field->offset);
        const PtList *y = (const void *) ((const char *) b + field->offset);
        size_t size = field->type->size;
        int r = 0;

        for (unsigned i = 0, j = 0; i < x->n && j < y->n;) {
                const void *item = (const char *) x->items + i * size;
                int order = field->type->compare(item, (const char *) y->items + j * size);

                if (order == 0) {
                        pt_auto_json *json = field->type->to_json(field, item);
                        const char *what = json_object_get_string(json);

                        report_claim(a, b, field, i, j, what, diag);
                        report_claim(b, a, field, j, i, what, diag);
                        r = -EINVAL;
                }
                i += order <= 0;
                j += order >= 0;
        }
        return r;
}

typedef struct CheckContext {
        const Zone *zone;
        PtDiagnostics *diag;
        int result;
} CheckContext;

static int check_against(const PtObject *object, void *userdata)
{
        const Zone *other = (const Zone *) object;
        CheckContext *context = userdata;

        if (strcmp(object->name, context->zone->object.name) == 0)
                return 0;
        if (check_shared(context->zone, other, ZONE_INTERFACES, context->diag) < 0)
                context->result = -EINVAL;
        if (check_shared(context->zone, other, ZONE_SOURCES, context->diag) < 0)
                context->result = -EINVAL;
        return 0;
}

/* Zones are few: each against all others. Rules are many, and no rule is looked at. */
static int zone_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        CheckContext context = {(const Zone *) object, diag, 0};

        lookup->foreach (lookup->ctx, &pt_kind_zone, check_against, &context);
        return context.result;
}

static const char *const zone_reserved[] = {FW_ZONE_ANY, FW_ZONE_ROUTER, NULL};

const PtKind pt_kind_zone = {
        .name = "Zone",
        .api_version = "patronus.firewall/v1",
        .plural = "zones",
        .doc = "A part of the network that is trusted alike: its interfaces, its addresses, and "
               "what happens to "
               "packets that no rule matches. Packets that belong to no zone are dropped. "
               "\"router\" is the machine "
               "itself, \"any\" is every zone.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: Zone\n"
                   "metadata:\n"
                   "  name: lan\n"
                   "spec:\n"
                   "  interfaces: [eth1]\n"
                   "  input: allow\n"
                   "  forward: reject\n",
        .size = sizeof(Zone),
        .fields = zone_fields,
        .passive = true,
        .acts_by =
                1U << ZONE_INPUT | 1U << ZONE_FORWARD | 1U << ZONE_OUTPUT | 1U << ZONE_MASQUERADE,
        .reserved_names = zone_reserved,
        .check = zone_check,
        .check_set = zone_check_set,
};
