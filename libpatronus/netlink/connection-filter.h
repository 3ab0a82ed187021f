/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which connections are meant: a struct with a table of rows (kind/field.h), from which reading
 * a{sv}, the command line's words and the messages derive. Fields that are absent do not narrow.
 *
 *         g_auto(PtConnectionFilter) filter = {0};
 *         r = pt_fields_read(pt_connection_filter_fields, m, diag, &json);
 *         r = pt_connection_filter_from_json(json, diag, &filter);
 *         if (pt_connection_matches(&filter, &connection)) ...
 */

#include "netlink/connection.h"
#include "kind/type.h"

/* Bits of PtConnectionFilter.present. */
enum {
        PT_FILTER_ID,
        PT_FILTER_FAMILY,
        PT_FILTER_PROTOCOL,
        PT_FILTER_STATE,
        PT_FILTER_ADDRESS,
        PT_FILTER_SOURCE,
        PT_FILTER_DESTINATION,
        PT_FILTER_REPLY_SOURCE,
        PT_FILTER_REPLY_DESTINATION,
        PT_FILTER_PORT,
        PT_FILTER_SOURCE_PORT,
        PT_FILTER_DESTINATION_PORT,
        PT_FILTER_MARK,
        PT_FILTER_ZONE,
        PT_FILTER_HELPER,
        PT_FILTER_REPLIED,
        PT_FILTER_ASSURED,
        PT_FILTER_NAT,
};

typedef struct PtConnectionFilter {
        uint64_t present;
        uint32_t id;
        int family, protocol, state;
        PtAddressRange address;             /* either end, before or after translation */
        PtAddressRange source, destination; /* as the first packet had them */
        PtAddressRange reply_source, reply_destination;
        PtPortRange port; /* either end */
        PtPortRange source_port, destination_port;
        uint32_t mark;
        uint16_t zone;
        char *helper;
        bool replied, assured, nat;
} PtConnectionFilter;

extern const PtField pt_connection_filter_fields[];

void pt_connection_filter_done(PtConnectionFilter *filter);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PtConnectionFilter, pt_connection_filter_done)

static inline bool pt_connection_filter_has(const PtConnectionFilter *filter, unsigned field)
{
        return filter->present >> field & 1;
}

/* -EINVAL with diagnostics at "/<field>". `ret` is to be freed even then. */
int pt_connection_filter_from_json(struct json_object *json, PtDiagnostics *diag,
                                   PtConnectionFilter *ret);
bool pt_connection_matches(const PtConnectionFilter *filter, const PtConnection *connection);
/*
 * The one connection that a filter can mean, by its whole original tuple: source and destination
 * hosts, a protocol with ports, and both ports. Then the kernel finds it without a search. false:
 * the filter says less.
 */
bool pt_connection_filter_tuple(const PtConnectionFilter *filter, PtConnection *ret);
