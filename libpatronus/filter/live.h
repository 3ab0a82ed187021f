/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What aliases hold that nobody configured: found out at run time, from lists that others publish,
 * names, interfaces and the database of countries. It stands beside the configured entries in all
 * that reads an alias (flatten.h), and is no part of a slice.
 *
 * An FwLive is made, filled, and from when it is handed out on as it is: who has two of them can
 * tell what changed between. Copying one shares what both hold.
 *
 *         FwLive *next = fw_live_copy(live);
 *         fw_live_set_dataset(next, "bad-hosts", FW_LIVE_URL, FW_ALIAS_NETWORK, hex);
 *
 * Contents are for an alias of one type: what was found for a list of networks is not there any
 * more for one of hosts, until it has been found again.
 */

#include "base/digest.h"
#include "kinds/firewall/firewall.h"

typedef enum FwLiveSort {                 /* from where contents come */
                          FW_LIVE_URL,    /* Alias.url */
                          FW_LIVE_NAMES,  /* Alias.names */
                          FW_LIVE_LOCAL,  /* Alias.interfaces and hosts6 */
                          FW_LIVE_PLACES, /* Alias.countries, continents and asns */
                          FW_LIVE_SORT_MAX,
                          FW_LIVE_SORT_INVALID = -EINVAL,
} FwLiveSort;

/* "url", "names", "local", "places". */
const char *fw_live_sort_to_string(FwLiveSort sort);
FwLiveSort fw_live_sort_from_string(const char *text);

/* Whether an alias asks for contents of this sort. */
bool fw_alias_asks(const Alias *alias, FwLiveSort sort);

/* What came from one source of one alias: a dataset, or a list that is short. */
typedef struct FwLiveItem {
        unsigned refs;
        FwAliasType type;               /* of the alias that it is for */
        char digest[PT_DIGEST_HEX + 1]; /* of the dataset's file; "": a list */
        GArray *ranges;                 /* PtAddressRange, in no order */
        PtDigest id;                    /* of the contents */
} FwLiveItem;

typedef struct FwLive FwLive;

/* `folder`: where the files of the datasets are, each named by its digest. */
FwLive *fw_live_new(const char *folder);
FwLive *fw_live_copy(const FwLive *live);
FwLive *fw_live_ref(FwLive *live);
void fw_live_unref(FwLive *live);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLive, fw_live_unref)

void fw_live_set_dataset(FwLive *live, const char *alias, FwLiveSort sort, FwAliasType type,
                         const char *digest);
void fw_live_set_ranges(FwLive *live, const char *alias, FwLiveSort sort, FwAliasType type,
                        const PtAddressRange *ranges, unsigned n);
void fw_live_remove(FwLive *live, const char *alias, FwLiveSort sort);

const char *fw_live_folder(const FwLive *live);
/* What there is, whether the alias still asks for it or not; NULL: nothing. */
const FwLiveItem *fw_live_get(const FwLive *live, const char *alias, FwLiveSort sort);
/* What the alias holds by it: asked for, and of its type. `live` may be NULL: then nothing is. */
const FwLiveItem *fw_live_of(const FwLive *live, const Alias *alias, FwLiveSort sort);
/* Whether an alias has the same in both, each of which may be NULL. */
bool fw_live_same(const FwLive *a, const FwLive *b, const char *alias);
/* Of how many sources of aliases the contents differ. */
unsigned fw_live_changes(const FwLive *a, const FwLive *b);
/* Of all contents of all aliases; all zero when there are none, or for NULL. */
void fw_live_digest(const FwLive *live, PtDigest *ret);
