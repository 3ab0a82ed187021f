/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to bus-filter*.c: org.patronus.Filter1 is one interface, and its methods are several
 * concerns, a file each. */

#include "bus/bus.h"
#include "kind/type.h"
#include "manager.h"

#define FW_BUS_INTERFACE "org.patronus.Filter1"

/*
 * What methods with options begin with: what do its a{sv} say, by a table of rows. FW_BUS_GOES_ON, or
 * the method handler's result, and the caller has its answer. `base` is to be done with
 * pt_fields_done() in any case.
 */
enum { FW_BUS_GOES_ON = 1, FW_BUS_ANSWERED };
int fw_bus_begin(sd_bus_message *m, const PtField *rows, void *base, uint64_t *present,
                 sd_bus_error *error);

/* Where a page begins, and how long it may be: the options of methods that list. */
typedef struct FwPage {
        uint64_t present;
        char *after; /* "": the first page */
        uint32_t limit;
} FwPage;
void fw_page_done(FwPage *page);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwPage, fw_page_done)
/* fw_bus_begin() of such a method: at most `rows_max` rows, which is the default too, and a cursor of
 * at most `cursor_max` bytes. */
int fw_bus_begin_page(sd_bus_message *m, uint32_t rows_max, unsigned cursor_max, FwPage *page,
                      sd_bus_error *error);

/*
 * An act on the running system, from its call to its answer: the audit is told who did it and how it
 * ended. `subject` is taken.
 */
typedef struct FwAct {
        sd_bus_message *message; /* referenced */
        PtAuditReporter *reporter;
        PtAuditEntry *entry;
} FwAct;
FwAct *fw_act_new(FwManager *manager, sd_bus_message *m, char *subject);
/* It is done, or failed, and answered: reports it with a text (taken), and frees it. */
void fw_act_end(FwAct *act, int result, char *text);
/* It did not come to that. */
void fw_act_free(FwAct *act);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwAct, fw_act_free)

/* The methods of each file, for the one vtable. */
int fw_method_list_counters(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_connections(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_kill_connections(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_count_connections(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_top_talkers(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_ban(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_unban(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_flush_bans(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_bans(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_add_to_alias(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_remove_from_alias(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_flush_alias(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_alias(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_property_external(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error);
int fw_method_open_port(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_close_port(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_open_ports(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_panic(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_property_panic(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
int fw_method_explain(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_explain_batch(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_compare(sd_bus_message *m, void *userdata, sd_bus_error *error);
/* Calls of these two that children work for: FwManager's; freeing it kills them. */
#define FW_EXPLANATIONS_MAX 4U
GPtrArray *fw_explanations_new(void);
int fw_method_follow(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_property_log(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error);
int fw_method_list_aliases(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_alias_state(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_refresh_alias(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_nat64(sd_bus_message *m, void *userdata, sd_bus_error *error);
int fw_method_list_servers(sd_bus_message *m, void *userdata, sd_bus_error *error);
