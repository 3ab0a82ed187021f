/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* IEEE 802 EUI-48: six pairs of hex digits between colons. Hyphens are read too, as other systems
 * print them. */

#define MAC_PATTERN "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"

static void mac_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, MAC_PATTERN);
}

bool pt_mac_parse(const char *text, size_t size, PtMac *ret)
{
        PtMac mac;

        if (size != 17)
                return false;
        for (unsigned i = 0; i < sizeof(mac.bytes); i++) {
                int high = g_ascii_xdigit_value(text[3 * i]);
                int low = g_ascii_xdigit_value(text[3 * i + 1]);

                if (high < 0 || low < 0 ||
                    (i > 0 && (text[3 * i - 1] != text[2] || (text[2] != ':' && text[2] != '-'))))
                        return false;
                mac.bytes[i] = (uint8_t) (high << 4 | low);
        }
        *ret = mac;
        return true;
}

static int mac_from_json(const PtField *field, struct json_object *json, const char *pointer,
                         PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a hardware address (02:00:5e:10:00:01)");
        if (!pt_mac_parse(text, strlen(text), value)) {
                pt_diag_error(diag, "invalid-mac", pointer,
                              "\"%s\" is not a hardware address; write six pairs of hex digits "
                              "(02:00:5e:10:00:01)",
                              text);
                return -EINVAL;
        }
        return 0;
}

static struct json_object *mac_to_json(const PtField *field, const void *value)
{
        const uint8_t *b = ((const PtMac *) value)->bytes;
        char text[sizeof("00:00:00:00:00:00")];

        (void) field;
        g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
                   b[4], b[5]);
        return json_object_new_string(text);
}

static int mac_compare(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(PtMac));
}

const PtType pt_type_mac = {
        .name = "mac",
        .signature = "s",
        .size = sizeof(PtMac),
        .syntax = "a hardware address: 02:00:5e:10:00:01",
        .schema = mac_schema,
        .from_json = mac_from_json,
        .to_json = mac_to_json,
        .from_text = pt_text_from_text,
        .compare = mac_compare,
};
