/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bus-addresses.h"

#include <string.h>
#include <time.h>

#define REFUSED_MAX 400
#define REASON_MAX 120
#define CURSOR_MAX 64
#define NAMED_MAX 8 /* that the audit names */

uint64_t fw_monotonic_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* What is refused. */

typedef struct Refusal {
        uint32_t index;
        char *reason;
} Refusal;

struct FwRefusals {
        GArray *list; /* Refusal */
};

static void refusal_clear(void *p)
{
        g_free(((Refusal *) p)->reason);
}

FwRefusals *fw_refusals_new(void)
{
        FwRefusals *refusals = g_new0(FwRefusals, 1);

        refusals->list = g_array_new(FALSE, FALSE, sizeof(Refusal));
        g_array_set_clear_func(refusals->list, refusal_clear);
        return refusals;
}

void fw_refusals_free(FwRefusals *refusals)
{
        if (!refusals)
                return;
        g_array_unref(refusals->list);
        g_free(refusals);
}

void fw_refusals_add(FwRefusals *refusals, uint32_t index, const char *reason)
{
        Refusal refusal = {index, NULL};

        if (refusals->list->len >= REFUSED_MAX)
                return;
        refusal.reason = g_utf8_make_valid(reason, (gssize) strnlen(reason, REASON_MAX));
        g_array_append_val(refusals->list, refusal);
}

int fw_refusals_answer(const FwRefusals *refusals, sd_bus_message *call, uint32_t added)
{
        pt_auto_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call, &reply);

        if (r >= 0)
                r = sd_bus_message_append(reply, "u", added);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(us)");
        for (unsigned i = 0; r >= 0 && i < refusals->list->len; i++) {
                const Refusal *refusal = &g_array_index(refusals->list, Refusal, i);

                r = sd_bus_message_append(reply, "(us)", refusal->index, refusal->reason);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

char *fw_addresses_to_string(const GArray *addresses)
{
        GString *out = g_string_new(NULL);

        for (unsigned i = 0; i < addresses->len && i < NAMED_MAX; i++) {
                g_string_append(out, i > 0 ? ", " : "");
                fw_ban_format(&g_array_index(addresses, FwBan, i), out);
        }
        if (addresses->len > NAMED_MAX)
                g_string_append_printf(out, " and %u more", addresses->len - NAMED_MAX);
        return g_string_free(out, FALSE);
}

/* Pages. */

int fw_address_page_begin(sd_bus_message *m, const char *method, FwAddressPage *page,
                          sd_bus_error *error)
{
        g_auto(FwPage) options = {0};
        g_autofree char *reason = NULL;
        int r = fw_bus_begin_page(m, FW_ADDRESS_PAGE_MAX, CURSOR_MAX, &options, error);

        if (r != FW_BUS_GOES_ON)
                return r;
        page->last = g_string_new(NULL);
        page->limit = options.limit;
        page->now = fw_monotonic_usec();
        if (options.after[0]) {
                if (fw_ban_parse(options.after, &page->after, &reason) < 0)
                        return pt_bus_fail(error, -EINVAL, "%s is no cursor of %s", options.after,
                                           method);
                page->from = &page->after;
        }
        r = sd_bus_message_new_method_return(m, &page->reply);
        if (r >= 0)
                r = sd_bus_message_open_container(page->reply, 'a', "(st)");
        return r < 0 ? r : FW_BUS_GOES_ON;
}

void fw_address_page_add(const FwBan *address, void *userdata)
{
        FwAddressPage *page = userdata;
        uint64_t left = address->until == FW_BAN_FOREVER ? 0
                        : address->until > page->now     ? address->until - page->now
                                                         : 1;

        g_string_truncate(page->last, 0);
        fw_ban_format(address, page->last);
        if (page->result >= 0)
                page->result = sd_bus_message_append(page->reply, "(st)", page->last->str, left);
}

int fw_address_page_end(FwAddressPage *page, bool more)
{
        int r = page->result;

        if (r >= 0)
                r = sd_bus_message_close_container(page->reply);
        if (r >= 0)
                r = sd_bus_message_append(page->reply, "s", more ? page->last->str : "");
        return r < 0 ? r : sd_bus_send(NULL, page->reply, NULL);
}

void fw_address_page_done(FwAddressPage *page)
{
        sd_bus_message_unref(page->reply);
        if (page->last)
                g_string_free(page->last, TRUE);
}
