/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "message.h"

#include <string.h>

static int basic_to_json(sd_bus_message *m, char type, struct json_object **ret)
{
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                const char *s;
        } value = {0};
        int r = sd_bus_message_read_basic(m, type, &value);

        if (r < 0)
                return r;
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                *ret = json_object_new_int64(value.y);
                break;
        case SD_BUS_TYPE_BOOLEAN:
                *ret = json_object_new_boolean(value.b);
                break;
        case SD_BUS_TYPE_INT16:
                *ret = json_object_new_int64(value.n);
                break;
        case SD_BUS_TYPE_UINT16:
                *ret = json_object_new_int64(value.q);
                break;
        case SD_BUS_TYPE_INT32:
                *ret = json_object_new_int64(value.i);
                break;
        case SD_BUS_TYPE_UINT32:
                *ret = json_object_new_int64(value.u);
                break;
        case SD_BUS_TYPE_INT64:
                *ret = json_object_new_int64(value.x);
                break;
        case SD_BUS_TYPE_UINT64:
                *ret = json_object_new_uint64(value.t);
                break;
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                *ret = json_object_new_string(value.s);
                break;
        default:
                return -EOPNOTSUPP; /* descriptors are not data, and nothing of ours is a double */
        }
        return 0;
}

/* Recursion ends: D-Bus itself allows 64 levels, and sd-bus refuses messages with more. */
static int container_to_json(sd_bus_message *m, struct json_object *into)
{
        bool dictionary = json_object_is_type(into, json_type_object);
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                struct json_object *value = NULL;
                const char *key = NULL;

                if (dictionary) {
                        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, NULL);
                        if (r < 0)
                                return r;
                        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
                        if (r < 0)
                                return r;
                }
                r = ctl_message_to_json(m, &value);
                if (r < 0)
                        return r;
                if (dictionary) {
                        json_object_object_add(into, key, value);
                        r = sd_bus_message_exit_container(m);
                        if (r < 0)
                                return r;
                } else
                        json_object_array_add(into, value);
        }
        return r < 0 ? r : 0;
}

int ctl_message_to_json(sd_bus_message *m, struct json_object **ret)
{
        pt_auto_json *json = NULL;
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -ENXIO;
        if (!strchr("avr", type))
                return basic_to_json(m, type, ret);

        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == SD_BUS_TYPE_VARIANT)
                r = ctl_message_to_json(m, &json);
        else {
                json = type == SD_BUS_TYPE_ARRAY && g_str_has_prefix(contents, "{s")
                               ? json_object_new_object()
                               : json_object_new_array();
                r = container_to_json(m, json);
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&json);
        return 0;
}

int ctl_append_string(sd_bus_message *m, const char *key, const char *value)
{
        return sd_bus_message_append(m, "{sv}", key, "s", value);
}

int ctl_append_number(sd_bus_message *m, const char *key, char type, uint64_t value)
{
        return type == SD_BUS_TYPE_UINT64
                       ? sd_bus_message_append(m, "{sv}", key, "t", value)
                       : sd_bus_message_append(m, "{sv}", key, "u", (uint32_t) value);
}

int ctl_append_strings(sd_bus_message *m, const char *key, char **values)
{
        int r = sd_bus_message_open_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(m, SD_BUS_TYPE_STRING, key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_VARIANT, "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, values);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int ctl_append_true(sd_bus_message *m, const char *key)
{
        return sd_bus_message_append(m, "{sv}", key, "b", true);
}
