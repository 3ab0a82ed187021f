/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

#include "base/text.h"
#include "bus/bus.h"

static const char *signature(OptionType type)
{
        switch (type) {
        case OPTION_BOOL:
                return "b";
        case OPTION_UINT32:
                return "u";
        case OPTION_UINT64:
                return "t";
        case OPTION_STRING:
                return "s";
        case OPTION_STRINGS:
                return "as";
        }
        return "";
}

static int read_value(sd_bus_message *m, const Option *option)
{
        const char *text;
        char **strings = NULL;
        int flag, r;

        switch (option->type) {
        case OPTION_BOOL:
                r = sd_bus_message_read_basic(m, SD_BUS_TYPE_BOOLEAN, &flag);
                if (r >= 0)
                        *(bool *) option->value = flag;
                return r;
        case OPTION_UINT32:
                return sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT32, option->value);
        case OPTION_UINT64:
                return sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT64, option->value);
        case OPTION_STRING:
                r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &text);
                if (r >= 0) {
                        g_free(*(char **) option->value);
                        *(char **) option->value = g_strdup(text);
                }
                return r;
        case OPTION_STRINGS:
                r = sd_bus_message_read_strv(m, &strings);
                if (r >= 0) {
                        g_strfreev(*(char ***) option->value);
                        *(char ***) option->value = strings;
                }
                return r;
        }
        return -EINVAL;
}

static const Option *find(const Option *options, const char *name)
{
        for (const Option *option = options; option->name; option++)
                if (g_str_equal(option->name, name))
                        return option;
        return NULL;
}

static int fail_unknown(const Option *options, const char *name, sd_bus_error *error)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *list = NULL;

        for (const Option *option = options; option->name; option++)
                g_ptr_array_add(names, (void *) option->name);
        g_ptr_array_add(names, NULL);
        list = g_strjoinv(", ", (char **) names->pdata);
        return pt_bus_fail(error, -EINVAL, "There is no option \"%s\" here; there are: %s", name,
                           *list ? list : "none");
}

static int read_option(sd_bus_message *m, const Option *options, sd_bus_error *error)
{
        const Option *option;
        const char *name, *contents;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        option = find(options, name);
        if (!option)
                return fail_unknown(options, name, error);
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (!g_str_equal(contents, signature(option->type)))
                return pt_bus_fail(error, -EINVAL,
                                   "The option \"%s\" has the D-Bus type %s, not %s", name,
                                   signature(option->type), contents);
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        r = read_value(m, option);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

int options_read(sd_bus_message *m, const Option *options, sd_bus_error *error)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_option(m, options, error);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}
