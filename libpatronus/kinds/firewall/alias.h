/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The C shape of the kind Alias, a part of firewall.h. */

#include "kind/type.h"

typedef enum FwAliasType {
        FW_ALIAS_HOST,    /* single addresses: a hash set in the kernel */
        FW_ALIAS_NETWORK, /* addresses, prefixes and ranges: an interval set */
        FW_ALIAS_PORT,
        FW_ALIAS_MAC,
        FW_ALIAS_TYPE_MAX,
        FW_ALIAS_TYPE_INVALID = -EINVAL,
} FwAliasType;

/* Entries of an alias, with those of the aliases it includes. */
#define FW_ALIAS_ENTRIES_MAX 1000000
/* Aliases that include aliases that include aliases... */
#define FW_ALIAS_DEPTH_MAX 16

typedef enum FwListFormat {
        FW_LIST_LINES,
        FW_LIST_CSV,
        FW_LIST_JSON,
        FW_LIST_FORMAT_MAX,
        FW_LIST_FORMAT_INVALID = -EINVAL,
} FwListFormat;

typedef enum FwSeparator {
        FW_SEPARATOR_COMMA,
        FW_SEPARATOR_SEMICOLON,
        FW_SEPARATOR_TAB,
        FW_SEPARATOR_MAX,
        FW_SEPARATOR_INVALID = -EINVAL,
} FwSeparator;

typedef enum FwContinent {
        FW_CONTINENT_AF,
        FW_CONTINENT_AN,
        FW_CONTINENT_AS,
        FW_CONTINENT_EU,
        FW_CONTINENT_NA,
        FW_CONTINENT_OC,
        FW_CONTINENT_SA,
        FW_CONTINENT_MAX,
        FW_CONTINENT_INVALID = -EINVAL,
} FwContinent;

extern const PtChoice fw_list_formats[], fw_separators[], fw_continents[];

/* Bits of FwAliasUrl.present. */
enum {
        FW_URL_URL,
        FW_URL_FORMAT,
        FW_URL_PATH,
        FW_URL_COLUMN,
        FW_URL_SEPARATOR,
        FW_URL_REFRESH,
};

/* A list that others publish. */
typedef struct FwAliasUrl {
        uint64_t present;
        char *url;
        int format;       /* FwListFormat; default FW_LIST_LINES */
        char *path;       /* of JSON: members to the entries, between dots; "*" is all of them */
        uint16_t column;  /* of CSV, from 1; see fw_url_column() */
        int separator;    /* FwSeparator; default FW_SEPARATOR_COMMA */
        uint64_t refresh; /* microseconds; see fw_url_refresh() */
} FwAliasUrl;

#define FW_URL_REFRESH_DEFAULT_USEC (UINT64_C(3600) * G_USEC_PER_SEC)
#define FW_URL_PATH_MAX 256
unsigned fw_url_column(const FwAliasUrl *url);
uint64_t fw_url_refresh(const FwAliasUrl *url);

/* Bits of FwHost6.present. */
enum { FW_HOST6_INTERFACE, FW_HOST6_SUFFIX };

/* A host behind an interface whose IPv6 prefix changes. */
typedef struct FwHost6 {
        uint64_t present;
        char *interface;
        PtAddressRange suffix; /* one IPv6 address: what follows the prefix */
} FwHost6;

#define FW_HOSTS6_MAX 256

/* Names of one alias: each is asked for again and again. */
#define FW_ALIAS_NAMES_MAX 1024

/* What few aliases have: where entries come from at run time. */
typedef struct FwAliasBox {
        FwAliasUrl url;
        PtList names;      /* char *: host names; a set */
        PtList interfaces; /* char *: names, or globs that end in "*"; a set */
        PtList countries;  /* char *: two capital letters; a set */
        PtList continents; /* int: FwContinent; a set */
        PtList asns;       /* uint32_t; a set */
        bool invert;
} FwAliasBox;

/* Bits of Alias.object.present. */
enum {
        ALIAS_TYPE,
        ALIAS_ADDRESSES,
        ALIAS_PORTS,
        ALIAS_MACS,
        ALIAS_ALIASES,
        ALIAS_DATASET,
        ALIAS_URL,
        ALIAS_NAMES,
        ALIAS_INTERFACES,
        ALIAS_COUNTRIES,
        ALIAS_CONTINENTS,
        ALIAS_ASNS,
        ALIAS_INVERT,
        ALIAS_EXTERNAL,
        ALIAS_TIMEOUT,
        ALIAS_HOSTS6,
};

typedef struct Alias {
        PtObject object;
        int type;         /* FwAliasType */
        PtList addresses; /* PtAddressRange of both families; a set */
        PtList ports;     /* PtPortRange; a set */
        PtList macs;      /* PtMac; a set */
        PtList aliases;   /* char *: Alias; a set */
        char *dataset;    /* or NULL */
        FwAliasBox *box;  /* NULL: nothing of it; see fw_alias_box() */
        bool external;    /* its entries come and go at run time; default false */
        uint64_t timeout; /* of such an entry, microseconds; absent: it stays */
        PtList hosts6;    /* FwHost6 */
} Alias;

/* One with nothing in it when the alias has none. */
const FwAliasBox *fw_alias_box(const Alias *alias);

/* Entries of an external alias, of each family. */
#define FW_ALIAS_EXTERNAL_SIZE_BITS 16

extern const PtChoice fw_alias_types[]; /* indexed by FwAliasType */
extern const PtKind pt_kind_alias;
