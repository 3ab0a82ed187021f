/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: what aliases hold at run time, and from where (docs/DBUS.md). */

#include "bus-filter.h"

#include "base/text.h"
#include "kind/field.h"

#include <string.h>

/* A row is half a kilobyte at most: a reply stays below 64 KiB. */
#define LIST_MAX 100
#define CURSOR_MAX (PT_NAME_MAX + 16)

static const char *state_word(const FwFeedState *state)
{
        return state->error ? "failed" : !state->digest ? "pending" : "ready";
}

static int append_lines(sd_bus_message *m, const FwFeedState *state)
{
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append(m, "s", "lines");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (unsigned i = 0; r >= 0 && i < state->problems->len; i++)
                r = sd_bus_message_append(m, "s", g_ptr_array_index(state->problems, i));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_state(sd_bus_message *m, const FwFeedState *state, bool lines)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(
                        m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "alias", "s", state->alias,
                        "source", "s", fw_live_sort_to_string(state->sort), "state", "s",
                        state_word(state), "running", "b", (int) state->running, "entries", "t",
                        state->entries, "changedUSec", "t", state->changed_usec, "checkedUSec", "t",
                        state->checked_usec, "nextUSec", "t", state->next_usec, "problems", "u",
                        state->n_problems);
        if (r >= 0 && state->digest)
                r = sd_bus_message_append(m, "{sv}", "digest", "s", state->digest);
        if (r >= 0 && state->error)
                r = sd_bus_message_append(m, "{sv}", "error", "s", state->error);
        if (r >= 0 && lines)
                r = append_lines(m, state);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

typedef struct Lister {
        sd_bus_message *reply;
        const char *only; /* an alias; NULL: all */
        uint32_t left;
        unsigned n;
        char *last;
        bool more;
        int result;
} Lister;

static bool append_row(const FwFeedState *state, void *userdata)
{
        Lister *lister = userdata;

        if (lister->only && strcmp(state->alias, lister->only) != 0)
                return true;
        if (lister->left == 0) {
                lister->more = true;
                return false;
        }
        lister->left--;
        lister->n++;
        g_free(lister->last);
        lister->last = g_strdup_printf("%s/%s", state->alias, fw_live_sort_to_string(state->sort));
        lister->result = append_state(lister->reply, state, lister->only != NULL);
        return lister->result >= 0;
}

/* "ALIAS/SOURCE" */
static int read_cursor(const char *text, char **ret_alias, FwLiveSort *ret_sort)
{
        const char *slash = strchr(text, '/');

        if (!slash)
                return -EINVAL;
        *ret_sort = fw_live_sort_from_string(slash + 1);
        if (*ret_sort < 0)
                return -EINVAL;
        *ret_alias = g_strndup(text, (size_t) (slash - text));
        return 0;
}

static int no_feeds(sd_bus_error *error)
{
        return pt_bus_fail(error, -ENODATA,
                           "What aliases hold at run time cannot be kept here; "
                           "filterd's log says why");
}

int fw_method_list_aliases(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(FwPage) page = {0};
        pt_auto_message *reply = NULL;
        g_autofree char *after = NULL, *last = NULL;
        FwLiveSort sort = 0;
        Lister lister;
        int r;

        r = fw_bus_begin_page(m, LIST_MAX, CURSOR_MAX, &page, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        if (!fw_manager_feeds(manager))
                return no_feeds(error);
        if (page.after[0] && read_cursor(page.after, &after, &sort) < 0)
                return pt_bus_fail(error, -EINVAL, "%s is no cursor of ListAliases", page.after);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        if (r < 0)
                return r;
        lister = (Lister){.reply = reply, .left = page.limit};
        fw_feeds_list(fw_manager_feeds(manager), after, sort, append_row, &lister);
        last = lister.last;
        r = lister.result;
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", lister.more ? last : "");
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int refuse_unknown(const char *name, sd_bus_error *error)
{
        return pt_bus_fail(error, -ENOENT,
                           "There is no alias \"%s\" with a source of run time (url, names, "
                           "interfaces, countries ...) in force",
                           name);
}

static int read_name(FwManager *manager, sd_bus_message *m, const char **ret, sd_bus_error *error)
{
        int r = sd_bus_message_read(m, "s", ret);

        return r < 0 ? r : fw_manager_feeds(manager) ? 0 : no_feeds(error);
}

int fw_method_alias_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        pt_auto_message *reply = NULL;
        Lister lister = {.left = FW_LIVE_SORT_MAX};
        const char *name;
        int r = read_name(manager, m, &name, error);

        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        if (r < 0)
                return r;
        lister.reply = reply;
        lister.only = name;
        fw_feeds_list(fw_manager_feeds(manager), NULL, 0, append_row, &lister);
        g_free(lister.last);
        if (lister.result >= 0 && lister.n == 0)
                return refuse_unknown(name, error);
        r = lister.result < 0 ? lister.result : sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int fw_method_refresh_alias(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_autoptr(FwAct) act = NULL;
        const char *name;
        int r = read_name(manager, m, &name, error);

        if (r < 0)
                return r;
        if (!pt_name_is_valid(name))
                return refuse_unknown("?", error);
        act = fw_act_new(manager, m, g_strdup_printf("Alias/%s", name));
        r = fw_feeds_refresh(fw_manager_feeds(manager), name);
        if (r < 0)
                return refuse_unknown(name, error);
        r = sd_bus_reply_method_return(m, "");
        fw_act_end(g_steal_pointer(&act), 0, g_strdup("refreshed"));
        return r;
}
