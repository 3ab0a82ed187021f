/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: entries of external aliases (docs/RUNTIME.md). */

#include "bus-addresses.h"

#include "base/text.h"
#include "kind/field.h"

#include <string.h>

static int fail(sd_bus_message *m, int r, sd_bus_error *error)
{
        if (r == -EFBIG || r == -ENFILE)
                return pt_bus_fail(error, r,
                                   "An external alias holds at most %u addresses of a family",
                                   FW_EXTERNAL_MAX);
        if (r == -EBUSY)
                return pt_bus_fail(error, r, "%u changes wait already", FW_BAN_QUEUE_MAX);
        if (r == -ESRCH)
                return pt_bus_fail(error, -ENOENT, "The alias went while this call waited");
        if (r == -ENOENT)
                return pt_bus_fail(error, -EAGAIN,
                                   "Another program changed the table; it is being repaired, and "
                                   "then this can be tried again");
        return pt_bus_fail(error, r, "The entries cannot be changed: %s", g_strerror(-r));
}

/* A call that changes, from its reading to its answer. */
typedef struct Call {
        FwAct *act;
        FwRefusals *refused; /* NULL: it only takes out */
} Call;

static void call_free(Call *call)
{
        if (!call)
                return;
        fw_act_free(call->act);
        fw_refusals_free(call->refused);
        g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

static void changed(int result, uint32_t n, void *userdata)
{
        g_autoptr(Call) call = userdata;
        sd_bus_message *m = call->act->message;
        pt_auto_error error = SD_BUS_ERROR_NULL;

        if (result < 0) {
                (void) fail(m, result, &error);
                (void) sd_bus_reply_method_error(m, &error);
        } else if (call->refused) {
                (void) fw_refusals_answer(call->refused, m, n);
        } else {
                (void) sd_bus_reply_method_return(m, "u", n);
        }
        fw_act_end(g_steal_pointer(&call->act), result,
                   result < 0 ? g_strdup(g_strerror(-result))
                              : g_strdup_printf(call->refused ? "%u put in" : "%u taken out", n));
}

static int refuse_alias(const FwExternal *external, const char *name, sd_bus_error *error)
{
        if (!pt_name_is_valid(name))
                name = "?";
        return fw_external_has(external, name, NULL)
                       ? 0
                       : pt_bus_fail(error, -ENOENT,
                                     "There is no external alias \"%s\" in force: one that has "
                                     "\"external: true\"",
                                     name);
}

/* Why it cannot be an entry, or NULL. */
static char *read_entry(const char *text, FwBan *ret)
{
        g_autofree char *reason = NULL;

        if (fw_ban_parse(text, ret, &reason) < 0)
                return g_steal_pointer(&reason);
        return ret->plen == (ret->family == AF_INET ? 32 : 128)
                       ? NULL
                       : g_strdup("it is a prefix, and an external alias holds addresses");
}

/* All entries of the message, or -EFBIG. `refused` NULL: a wrong one ends it with *ret_reason. */
static int read_entries(sd_bus_message *m, uint64_t until, FwRefusals *refused, GArray *entries,
                        char **ret_reason)
{
        const char *text;
        uint32_t index = 0;
        int r = sd_bus_message_enter_container(m, 'a', "s");

        for (; r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0; index++) {
                FwBan entry = {.until = until};
                g_autofree char *reason = read_entry(text, &entry);

                if (index == FW_EXTERNAL_BATCH_MAX)
                        return -EFBIG;
                if (!reason) {
                        g_array_append_val(entries, entry);
                } else if (refused) {
                        fw_refusals_add(refused, index, reason);
                } else {
                        *ret_reason = g_steal_pointer(&reason);
                        return -EINVAL;
                }
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static FwAct *act_of(FwManager *manager, sd_bus_message *m, const char *alias,
                     const GArray *entries)
{
        g_autofree char *what =
                entries ? fw_addresses_to_string(entries) : g_strdup("all that it holds");

        return fw_act_new(manager, m, g_strdup_printf("Alias/%s: %s", alias, what));
}

typedef struct AddOptions {
        uint64_t present;
        uint64_t timeout;
} AddOptions;

static const PtField add_rows[] = {
        PT_FIELD(AddOptions, duration, timeout, "timeout", 0, .min = G_USEC_PER_SEC,
                 .max = FW_ADD_TIMEOUT_MAX),
        {},
};

/* The options come last, and say how long the entries stay. */
static int read_options(sd_bus_message *m, uint64_t timeout, uint64_t *ret_until,
                        sd_bus_error *error)
{
        AddOptions options = {.timeout = timeout};
        const char *alias;
        int r = sd_bus_message_skip(m, "as");

        if (r >= 0)
                r = fw_bus_begin(m, add_rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        *ret_until = options.timeout == 0 ? FW_BAN_FOREVER : fw_monotonic_usec() + options.timeout;
        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &alias);
        return r < 0 ? r : FW_BUS_GOES_ON;
}

int fw_method_add_to_alias(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwExternal *external = fw_manager_external(manager);
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FwBan));
        g_autoptr(Call) call = g_new0(Call, 1);
        uint64_t timeout = 0, until;
        const char *read;
        g_autofree char *alias = NULL;
        int r = sd_bus_message_read(m, "s", &read);

        if (r >= 0)
                r = refuse_alias(external, read, error);
        if (r < 0)
                return r;
        alias = g_strdup(read);
        (void) fw_external_has(external, alias, &timeout);
        r = read_options(m, timeout, &until, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        call->refused = fw_refusals_new();
        r = read_entries(m, until, call->refused, entries, NULL);
        if (r < 0)
                return fail(m, r, error);
        if (entries->len == 0)
                return fw_refusals_answer(call->refused, m, 0);
        call->act = act_of(manager, m, alias, entries);
        r = fw_external_add(external, alias, entries, changed, call);
        if (r < 0)
                return fail(m, r, error);
        (void) g_steal_pointer(&call); /* changed()'s */
        return 1;
}

int fw_method_remove_from_alias(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwExternal *external = fw_manager_external(manager);
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FwBan));
        g_autoptr(Call) call = g_new0(Call, 1);
        g_autofree char *reason = NULL;
        const char *alias;
        int r = sd_bus_message_read(m, "s", &alias);

        if (r >= 0)
                r = refuse_alias(external, alias, error);
        if (r < 0)
                return r;
        r = read_entries(m, 0, NULL, entries, &reason);
        if (reason)
                return pt_bus_fail(error, r, "%s", reason);
        if (r < 0)
                return fail(m, r, error);
        if (entries->len == 0)
                return sd_bus_reply_method_return(m, "u", 0);
        call->act = act_of(manager, m, alias, entries);
        r = fw_external_remove(external, alias, entries, changed, call);
        if (r < 0)
                return fail(m, r, error);
        (void) g_steal_pointer(&call); /* changed()'s */
        return 1;
}

int fw_method_flush_alias(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwExternal *external = fw_manager_external(manager);
        g_autoptr(Call) call = g_new0(Call, 1);
        const char *alias;
        int r = sd_bus_message_read(m, "s", &alias);

        if (r >= 0)
                r = refuse_alias(external, alias, error);
        if (r < 0)
                return r;
        call->act = act_of(manager, m, alias, NULL);
        r = fw_external_flush(external, alias, changed, call);
        if (r < 0)
                return fail(m, r, error);
        (void) g_steal_pointer(&call); /* changed()'s */
        return 1;
}

/* Those of a family behind the cursor; whether all were. */
static int add_family(const FwExternal *external, const char *alias, int family,
                      FwAddressPage *page, bool *ret_more)
{
        g_autoptr(GArray) entries = NULL;
        int r;

        if (page->from && page->from->family > family)
                return 0;
        r = fw_external_read(external, alias, family, &entries);
        for (unsigned i = 0; r == 0 && i < entries->len; i++) {
                const FwBan *entry = &g_array_index(entries, FwBan, i);

                if (page->from && fw_ban_compare(entry, page->from) <= 0)
                        continue;
                if (page->limit == 0) {
                        *ret_more = true;
                        return 0;
                }
                page->limit--;
                fw_address_page_add(entry, page);
        }
        return r;
}

int fw_method_list_alias(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        const FwExternal *external = fw_manager_external(manager);
        g_auto(FwAddressPage) page = {0};
        const char *alias;
        bool more = false;
        int r = sd_bus_message_read(m, "s", &alias);

        if (r >= 0)
                r = refuse_alias(external, alias, error);
        if (r < 0)
                return r;
        r = fw_address_page_begin(m, "ListAlias", &page, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        r = add_family(external, alias, AF_INET, &page, &more);
        if (r == 0 && !more)
                r = add_family(external, alias, AF_INET6, &page, &more);
        return r < 0 ? fail(m, r, error) : fw_address_page_end(&page, more);
}

int fw_property_external(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        const FwExternal *external = fw_manager_external(manager);
        g_autoptr(GPtrArray) names = fw_external_list(external);

        g_ptr_array_add(names, NULL);
        return sd_bus_message_append_strv(reply, (char **) names->pdata);
}
