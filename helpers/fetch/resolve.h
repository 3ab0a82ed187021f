/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Addresses of names with their times to live, by c-ares: from the hosts file and the name servers
 * of resolv.conf, without NSS modules, threads and search domains.
 */

#include "filter/fetch.h"

/* What became of a name; the addresses are there during the call. */
typedef struct Resolved {
        const char *name;
        const PtAddressRange *addresses;
        unsigned n;
        uint32_t ttl;      /* seconds; of what is shortest */
        const char *error; /* NULL: this is the answer, perhaps that there is no address */
} Resolved;

typedef int (*ResolvedFunc)(const Resolved *resolved, void *userdata);

/* Asks for all names, some at the same time, and calls `each` for every one, in the order in which
 * they are answered. Ends at the first error of `each`. -EIO: there is no resolver at all. */
int resolve_names(const char *const *names, unsigned n, ResolvedFunc each, void *userdata);
