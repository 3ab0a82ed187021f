/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* A hardware address, or all that agree with one under a mask: "02:00:5e:10:00:01",
 * "02:00:5e:00:00:00/ff:ff:ff:00:00:00", "01:00:00:00:00:00/01:00:00:00:00:00" (all groups, IEEE
 * 802 8.2.2). */

#define MAC "[0-9a-f]{2}(:[0-9a-f]{2}){5}"

static void mac_mask_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, "^" MAC "(/" MAC ")?$");
}

static int refuse_outside(const char *text, const PtMacMask *mac, const char *pointer,
                          PtDiagnostics *diag)
{
        PtMacMask right = *mac;
        pt_auto_json *json = NULL;

        for (unsigned i = 0; i < sizeof(right.bytes); i++)
                right.bytes[i] &= right.mask[i];
        json = pt_type_mac_mask.to_json(NULL, &right);
        pt_diag_error(diag, "never-matches", pointer,
                      "%s has bits outside its mask, so that no address matches; write %s", text,
                      json_object_get_string(json));
        return -EINVAL;
}

static int mac_mask_from_json(const PtField *field, struct json_object *json, const char *pointer,
                              PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json), *slash;
        PtMac mac = {}, mask = {};
        PtMacMask result;
        bool valid;

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a hardware address (02:00:5e:10:00:01), and perhaps a "
                                     "mask after a slash");
        slash = strchr(text, '/');
        memset(mask.bytes, 0xff, sizeof(mask.bytes));
        valid = pt_mac_parse(text, slash ? (size_t) (slash - text) : strlen(text), &mac) &&
                (!slash || pt_mac_parse(slash + 1, strlen(slash + 1), &mask));
        if (!valid) {
                pt_diag_error(diag, "invalid-mac", pointer,
                              "\"%s\" is not a hardware address; write six pairs of hex digits "
                              "(02:00:5e:10:00:01), and perhaps a mask of the same form after a "
                              "slash (02:00:5e:00:00:00/ff:ff:ff:00:00:00)",
                              text);
                return -EINVAL;
        }
        memcpy(result.bytes, mac.bytes, sizeof(result.bytes));
        memcpy(result.mask, mask.bytes, sizeof(result.mask));
        for (unsigned i = 0; i < sizeof(result.bytes); i++)
                if (result.bytes[i] & ~result.mask[i])
                        return refuse_outside(text, &result, pointer, diag);
        *(PtMacMask *) value = result;
        return 0;
}

static void append(GString *out, const uint8_t *b)
{
        g_string_append_printf(out, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
                               b[5]);
}

static struct json_object *mac_mask_to_json(const PtField *field, const void *value)
{
        static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        const PtMacMask *mac = value;
        g_autoptr(GString) text = g_string_new(NULL);

        (void) field;
        append(text, mac->bytes);
        if (memcmp(mac->mask, all, sizeof(all)) != 0) {
                g_string_append_c(text, '/');
                append(text, mac->mask);
        }
        return json_object_new_string(text->str);
}

static int mac_mask_compare(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(PtMacMask));
}

const PtType pt_type_mac_mask = {
        .name = "mac-mask",
        .signature = "s",
        .size = sizeof(PtMacMask),
        .syntax = "a hardware address, perhaps with a mask: 02:00:5e:00:00:00/ff:ff:ff:00:00:00",
        .schema = mac_mask_schema,
        .from_json = mac_mask_from_json,
        .to_json = mac_mask_to_json,
        .from_text = pt_text_from_text,
        .compare = mac_mask_compare,
};
