/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Addresses with times, as calls give and list them: of bans, and of external aliases (FwBan is both).
 * Some of a call may be refused by index and reason, and the others go on; lists come in pages of
 * a(st): an address or prefix, and the microseconds that are left (0: it stays).
 */

#include "bus-filter.h"
#include "filter/ban.h"

#define FW_ADDRESS_PAGE_MAX 1000U

uint64_t fw_monotonic_usec(void); /* as FwBan.until counts */

typedef struct FwRefusals FwRefusals;
FwRefusals *fw_refusals_new(void);
void fw_refusals_free(FwRefusals *refusals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwRefusals, fw_refusals_free)
/* Those after the first 400 are not named: the reply stays below 64 KiB. */
void fw_refusals_add(FwRefusals *refusals, uint32_t index, const char *reason);
/* Answers a call with u and a(us). */
int fw_refusals_answer(const FwRefusals *refusals, sd_bus_message *call, uint32_t added);

/* "192.0.2.1, 198.51.100.0/24 and 7 more", of FwBan. */
char *fw_addresses_to_string(const GArray *addresses);

/* A page being made. */
typedef struct FwAddressPage {
        sd_bus_message *reply;
        FwBan after;
        const FwBan *from; /* &after, or NULL: from the first */
        uint32_t limit;
        GString *last;
        uint64_t now;
        int result;
} FwAddressPage;

/* fw_bus_begin() of a method that lists so; fw_address_page_done() in any case. */
int fw_address_page_begin(sd_bus_message *m, const char *method, FwAddressPage *page,
                          sd_bus_error *error);
void fw_address_page_add(const FwBan *address, void *page);
/* Answers, with the cursor when there are more. */
int fw_address_page_end(FwAddressPage *page, bool more);
void fw_address_page_done(FwAddressPage *page);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwAddressPage, fw_address_page_done)
