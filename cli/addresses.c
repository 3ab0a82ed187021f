/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "addresses.h"

#include "filter.h"

#include "base/text.h"
#include "output.h"
#include "rows.h"

int ctl_read_for(const Ctl *ctl, uint64_t *ret)
{
        const char *text = ctl->values[CTL_FOR];

        *ret = 0;
        if (!text || pt_duration_parse(text, ret) == 0)
                return CTL_DONE;
        ctl_error("\"%s\" is no time; write %s; at most 366d", text, PT_DURATION_SYNTAX);
        return CTL_USAGE;
}

int ctl_append_arguments(const Ctl *ctl, unsigned from, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (unsigned i = from; r >= 0 && i < ctl->arguments->len; i++)
                r = sd_bus_message_append(m, "s", ctl_argument(ctl, i));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int ctl_say_refused(const Ctl *ctl, unsigned from, sd_bus_message *reply, bool *ret_any)
{
        const char *reason;
        uint32_t index;
        int r = sd_bus_message_enter_container(reply, 'a', "(us)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(us)", &index, &reason)) > 0) {
                g_autofree char *safe = ctl_safe(reason);

                ctl_error("%s: %s", ctl_argument(ctl, from + index) ?: "?", safe);
                *ret_any = true;
        }
        return r;
}

static int read_address(sd_bus_message *m, const char *stays, CtlRows *rows)
{
        char left_text[PT_DURATION_TEXT_MAX];
        pt_auto_json *row = NULL;
        const char *address;
        uint64_t left;
        int r = sd_bus_message_read(m, "(st)", &address, &left);

        if (r <= 0)
                return r;
        row = json_object_new_object();
        json_object_object_add(row, "address", json_object_new_string(address));
        json_object_object_add(row, "remainingUSec", json_object_new_uint64(left));
        if (stays)
                json_object_object_add(
                        row, "left",
                        json_object_new_string(left == 0 ? stays
                                                         : pt_duration_format(left, left_text)));
        ctl_rows_add(rows, row);
        return 1;
}

static int read_page(Ctl *ctl, const CtlAddressList *list, char **next, CtlRows *rows)
{
        bool table = ctl->format == CTL_FORMAT_MAX || ctl_format_is_table(ctl->format);
        pt_auto_message *m = NULL, *reply = NULL;
        const char *after;
        int r = ctl_method(ctl, &ctl_filter, list->method, &m);

        if (r != CTL_DONE)
                return r;
        if (list->alias)
                r = sd_bus_message_append(m, "s", list->alias);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 1, "after", "s", *next);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(st)");
        while (r >= 0 && (r = read_address(reply, table ? list->stays : NULL, rows)) > 0)
                ;
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

int ctl_list_addresses(Ctl *ctl, const CtlAddressList *list)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        g_autofree char *next = g_strdup("");
        int r;

        ctl_rows_column(rows, "ADDRESS", "address", 0);
        ctl_rows_column(rows, "LEFT", "left", CTL_COLUMN_RIGHT);
        do {
                r = read_page(ctl, list, &next, rows);
                if (r != CTL_DONE)
                        return r;
        } while (*next);
        ctl_rows_end(rows, list->empty);
        return CTL_DONE;
}
