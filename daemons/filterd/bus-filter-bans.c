/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: bans (docs/DBUS.md). */

#include "bus-addresses.h"

#include "base/text.h"
#include "kind/field.h"
#include "netlink/addresses.h"

#include <string.h>

/* A call of Ban, from its reading to its answer. */
typedef struct Call {
        sd_bus_message *message; /* referenced */
        FwAct *act;              /* once there is something to ban */
        GArray *bans;            /* FwBan */
        FwRefusals *refused;
} Call;

static Call *call_new(sd_bus_message *m)
{
        Call *call = g_new0(Call, 1);

        call->message = sd_bus_message_ref(m);
        call->bans = g_array_new(FALSE, FALSE, sizeof(FwBan));
        call->refused = fw_refusals_new();
        return call;
}

static void call_free(Call *call)
{
        sd_bus_message_unref(call->message);
        fw_act_free(call->act);
        g_array_unref(call->bans);
        fw_refusals_free(call->refused);
        g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

static const FwBan loopback[] = {
        {.family = AF_INET, .plen = 8, .address = {127}},
        {.family = AF_INET6, .plen = 128, .address = {[15] = 1}},
};

/* What must not be banned by mistake. */
typedef struct Guarded {
        GArray *own; /* PtLocalAddress */
        const FilterSettings *settings;
        bool force;
} Guarded;

static char *host_text(uint8_t family, const uint8_t *address)
{
        FwBan host = {.family = family, .plen = family == AF_INET ? 32 : 128};
        GString *text = g_string_new(NULL);

        memcpy(host.address, address, family == AF_INET ? 4 : 16);
        fw_ban_format(&host, text);
        return g_string_free(text, FALSE);
}

/* An address of the router that is in a ban, or NULL. */
static char *own_address(const FwBan *ban, const GArray *own)
{
        for (unsigned i = 0; i < own->len; i++) {
                const PtLocalAddress *a = &g_array_index(own, PtLocalAddress, i);

                if (fw_ban_contains(ban, a->family, a->address) &&
                    !fw_ban_contains(&loopback[a->family != AF_INET], a->family, a->address))
                        return host_text(a->family, a->address);
        }
        return NULL;
}

/* Whether some who must never be locked out would be: a range and a prefix have an address in
 * common when the first of one of them is in the other. */
static bool locks_out(const FwBan *ban, const FilterSettings *settings)
{
        size_t size = ban->family == AF_INET ? 4 : 16;

        for (unsigned i = 0; settings && i < settings->anti_lockout.sources.n; i++) {
                const PtAddressRange *range =
                        &((const PtAddressRange *) settings->anti_lockout.sources.items)[i];

                if (range->family == ban->family &&
                    (fw_ban_contains(ban, range->family, range->lo) ||
                     (memcmp(ban->address, range->lo, size) >= 0 &&
                      memcmp(ban->address, range->hi, size) <= 0)))
                        return true;
        }
        return false;
}

/* Why an entry must not be banned, or NULL. */
static char *objection(const FwBan *ban, const Guarded *guarded)
{
        g_autofree char *own = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(loopback); i++)
                if (fw_ban_contains(&loopback[i], ban->family, ban->address) &&
                    ban->plen >= loopback[i].plen)
                        return g_strdup("the loopback cannot be banned");
        if (guarded->force)
                return NULL;
        own = own_address(ban, guarded->own);
        if (own)
                return g_strdup_printf("the router itself has %s there; force is an option", own);
        return locks_out(ban, guarded->settings)
                       ? g_strdup("the anti-lockout of FilterSettings has it among its sources; "
                                  "force is an option")
                       : NULL;
}

static void take(Call *call, uint32_t index, const char *text, uint64_t timeout, uint64_t now,
                 const Guarded *guarded)
{
        g_autofree char *reason = NULL;
        FwBan ban = {.until = timeout == 0 ? FW_BAN_FOREVER : now + timeout};

        if (timeout > PT_DURATION_MAX_USEC)
                reason = g_strdup("the time is longer than 366 days; 0 is until unbanned");
        else if (fw_ban_parse(text, &ban, &reason) == 0)
                reason = objection(&ban, guarded);
        if (reason)
                fw_refusals_add(call->refused, index, reason);
        else
                g_array_append_val(call->bans, ban);
}

/* The entries, which come before the options, are read again once those are known. */
static int read_entries(sd_bus_message *m, Call *call, const Guarded *guarded)
{
        uint64_t now = fw_monotonic_usec(), timeout;
        const char *text;
        uint32_t index = 0;
        int r = sd_bus_message_rewind(m, true);

        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(st)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(st)", &text, &timeout)) > 0) {
                if (index == FW_BAN_BATCH_MAX)
                        return -EFBIG;
                take(call, index++, text, timeout, now, guarded);
        }
        return r;
}

static int fail(sd_bus_message *m, int r, sd_bus_error *error)
{
        if (r == -EFBIG)
                return pt_bus_fail(error, r, "At most %u bans of a call, and %u in all",
                                   FW_BAN_BATCH_MAX, FW_BANS_MAX);
        if (r == -EBUSY)
                return pt_bus_fail(error, r, "%u changes of bans wait already", FW_BAN_QUEUE_MAX);
        if (r == -EAGAIN)
                return pt_bus_fail(error, r,
                                   "This comes into force when the table, which another program "
                                   "changed, has been repaired");
        return pt_bus_fail(error, r, "The bans cannot be changed: %s", g_strerror(-r));
}

static void fail_later(sd_bus_message *m, int r)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;

        (void) fail(m, r, &error);
        (void) sd_bus_reply_method_error(m, &error);
}

static void ban_done(int result, uint32_t n, void *userdata)
{
        g_autoptr(Call) call = userdata;

        if (result < 0)
                fail_later(call->message, result);
        else
                (void) fw_refusals_answer(call->refused, call->message, n);
        fw_act_end(g_steal_pointer(&call->act), result,
                   result < 0 ? g_strdup(g_strerror(-result)) : g_strdup_printf("%u banned", n));
}

typedef struct BanOptions {
        uint64_t present;
        bool force;
} BanOptions;

static const PtField ban_rows[] = {
        PT_FIELD(BanOptions, bool, force, "force", 0),
        {},
};

static int guard(FwManager *manager, bool force, Guarded *ret, sd_bus_error *error)
{
        const FwLayout *layout = fw_engine_layout(fw_manager_engine(manager));
        int r;

        if (!layout)
                return pt_bus_fail(error, -ENOENT, "No ruleset is in force yet");
        r = pt_local_addresses(fw_manager_netns(manager), &ret->own);
        if (r < 0)
                return pt_bus_fail(error, r, "The router's own addresses cannot be read: %s",
                                   g_strerror(-r));
        ret->settings = layout->zones->settings;
        ret->force = force;
        return 0;
}

int fw_method_ban(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_autoptr(Call) call = call_new(m);
        BanOptions options = {0};
        Guarded guarded = {0};
        int r = sd_bus_message_skip(m, "a(st)");

        if (r >= 0)
                r = fw_bus_begin(m, ban_rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        r = guard(manager, options.force, &guarded, error);
        if (r < 0)
                return r;
        r = read_entries(m, call, &guarded);
        g_array_unref(guarded.own);
        if (r < 0)
                return fail(m, r, error);
        if (call->bans->len == 0)
                return fw_refusals_answer(call->refused, m, 0);
        call->act = fw_act_new(manager, m, fw_addresses_to_string(call->bans));
        r = fw_bans_add(fw_manager_bans(manager), &g_array_index(call->bans, FwBan, 0),
                        call->bans->len, ban_done, call);
        if (r < 0)
                return fail(m, r, error);
        (void) g_steal_pointer(&call); /* ban_done's */
        return 1;
}

static void removed(int result, uint32_t n, void *userdata)
{
        FwAct *act = userdata;

        if (result < 0)
                fail_later(act->message, result);
        else
                (void) sd_bus_reply_method_return(act->message, "u", n);
        fw_act_end(act, result,
                   result < 0 ? g_strdup(g_strerror(-result)) : g_strdup_printf("%u unbanned", n));
}

static int read_addresses(sd_bus_message *m, GArray *bans, sd_bus_error *error)
{
        const char *text;
        int r = sd_bus_message_enter_container(m, 'a', "s");

        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                g_autofree char *reason = NULL;
                FwBan ban = {0};

                if (bans->len == FW_BAN_BATCH_MAX)
                        return fail(m, -EFBIG, error);
                r = fw_ban_parse(text, &ban, &reason);
                if (r < 0)
                        return pt_bus_fail(error, r, "%s", reason);
                g_array_append_val(bans, ban);
        }
        return r;
}

int fw_method_unban(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_autoptr(GArray) bans = g_array_new(FALSE, FALSE, sizeof(FwBan));
        FwAct *act;
        int r;

        r = read_addresses(m, bans, error);
        if (r < 0)
                return r;
        if (bans->len == 0)
                return sd_bus_reply_method_return(m, "u", 0);
        act = fw_act_new(manager, m, fw_addresses_to_string(bans));
        r = fw_bans_remove(fw_manager_bans(manager), &g_array_index(bans, FwBan, 0), bans->len,
                           removed, act);
        if (r >= 0)
                return 1; /* it is removed()'s */
        fw_act_free(act);
        return fail(m, r, error);
}

int fw_method_flush_bans(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwAct *act = fw_act_new(manager, m, g_strdup("all bans"));
        int r;

        r = fw_bans_flush(fw_manager_bans(manager), removed, act);
        if (r >= 0)
                return 1; /* it is removed()'s */
        fw_act_free(act);
        return fail(m, r, error);
}

int fw_method_list_bans(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(FwAddressPage) page = {0};
        int r = fw_address_page_begin(m, "ListBans", &page, error);

        if (r != FW_BUS_GOES_ON)
                return r;
        return fw_address_page_end(&page, fw_bans_list(fw_manager_bans(manager), page.from,
                                                       page.limit, fw_address_page_add, &page));
}
