/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to the firewall's kinds: the rows and the checks of an endpoint, which rules of all sorts
 * share. */

#include "kinds/firewall/firewall.h"

extern const PtField fw_endpoint_fields[];
extern const PtChoice fw_families[];

/* Collects which family an object is of, and where it says so. */
typedef struct FwFamilyCheck {
        PtDiagnostics *diag;
        int family; /* AF_UNSPEC: nothing has said it yet */
        char *from; /* the pointer that did */
        int result;
} FwFamilyCheck;

void fw_family_says(FwFamilyCheck *check, int family, const char *pointer);
/* Of a list of PtAddressRange. */
void fw_family_says_list(FwFamilyCheck *check, const PtList *addresses, const char *pointer);
/* Of the endpoint's addresses, and those it excludes. */
void fw_family_says_endpoint(FwFamilyCheck *check, const FwEndpoint *endpoint, const char *pointer);
int fw_family_finish(FwFamilyCheck *check); /* 0 or -EINVAL */

/* AF_UNSPEC without addresses, else the family of the first. */
int fw_list_family(const PtList *addresses);
int fw_endpoint_family(const FwEndpoint *endpoint);
int fw_protocol_family(int protocol); /* ICMP and ICMPv6 are of one */

/* What one endpoint alone can have wrong: ports without a protocol that has them, MACs of a
 * destination. */
int fw_endpoint_check(const FwEndpoint *endpoint, int protocol, bool source, const char *pointer,
                      PtDiagnostics *diag);
/* The aliases are of the types that their places want. */
int fw_endpoint_check_set(const FwEndpoint *endpoint, const PtLookup *lookup, const char *pointer,
                          PtDiagnostics *diag);

/* Aliases of a list are of the type; FW_ALIAS_NETWORK stands for both that hold addresses. */
int fw_check_alias_types(const PtList *list, FwAliasType wanted, const PtLookup *lookup,
                         const char *pointer, PtDiagnostics *diag);

/* The helper of a built-in service that no object takes the place of, or FW_HELPER_INVALID: none. */
FwHelper fw_builtin_helper(const char *service, const PtLookup *lookup);

/* What a rule asks of IP fits together: families, endpoints, types of ICMP, services. */
int fw_rule_check_ip(const FirewallRule *rule, PtDiagnostics *diag);

/* Rows and checks of what few rules have (rule-rare.c). */
extern const PtField fw_tcp_flags_fields[];
extern const PtChoice fw_reject_kinds[];
extern const PtChoice fw_directions[];
extern const PtChoice fw_rule_actions[];
extern const PtChoice fw_rule_modes[];
extern const PtField fw_limits_fields[];
extern const PtField fw_add_fields[];
int fw_rule_check_limits(const FirewallRule *rule, PtDiagnostics *diag);
int fw_rule_check_limits_set(const FirewallRule *rule, const PtLookup *lookup, PtDiagnostics *diag);
int fw_rule_check_rare(const FirewallRule *rule, PtDiagnostics *diag);

/* -1, 0, 1: priority, then position, then name by bytes. */
int fw_order_compare(unsigned priority_a, const PtObject *a, unsigned priority_b,
                     const PtObject *b);
