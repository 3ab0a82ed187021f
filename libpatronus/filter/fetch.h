/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What filterd and patronus-fetch say to each other: who wants to know what others publish, and the
 * unprivileged program that asks them (helpers/fetch).
 *
 * Over a connected socket comes one message: a byte, and two descriptors with it. The first is a
 * sealed memfd with the request, two lines: an FwFetchRequest and the alias that it is for, both as
 * canonical JSON. The second is an empty memfd, which gets a dataset (txn/dataset.h). What comes back
 * over the socket, until its end, are lines of JSON: an FwFetchLine each. The last one has a
 * `state`; without it nothing of all this counts.
 *
 * Neither side trusts what the other one reads from strangers: limits and types are checked here.
 */

#include "filter/live.h"

/* Bytes of a request: an alias's line, with as many names as there may be. */
#define FW_FETCH_REQUEST_MAX (1024U * 1024U)
/* Bytes of all lines: as many names, each with as many addresses as it may have, as text. */
#define FW_FETCH_REPLY_MAX (4U * 1024U * 1024U)
/* Addresses of one name that are taken: an answer over TCP would hold 2,300 of IPv6. */
#define FW_FETCH_ADDRESSES_MAX 64U
/* Of all names of an alias. */
#define FW_FETCH_ADDRESSES_ALL_MAX 16384U
/* Lines of a list that are told to be wrong. */
#define FW_FETCH_PROBLEMS_MAX 12U
#define FW_FETCH_TEXT_MAX 512U

typedef struct FwFetchRequest {
        uint64_t present;
        int sort;              /* FwLiveSort: what of the alias is asked for; never LOCAL */
        char *etag, *modified; /* of the URL, what the server said the last time */
        char *database;        /* of countries and continents: the file's path */
        char *asn_database;
} FwFetchRequest;

typedef enum FwFetchState {
        FW_FETCH_DONE,      /* the dataset is written; or all names are told */
        FW_FETCH_UNCHANGED, /* the server says so: nothing is written */
        FW_FETCH_FAILED,    /* `text` says why */
        FW_FETCH_STATE_MAX,
        FW_FETCH_STATE_INVALID = -EINVAL,
} FwFetchState;

typedef struct FwFetchLine {
        uint64_t present;
        /* A name: its addresses, for so many seconds; or why there is no answer. */
        char *name;
        PtList addresses; /* PtAddressRange */
        uint32_t ttl;
        char *text;    /* of a problem, or of what failed */
        char *problem; /* a line that is wrong, and why */
        /* The last line. */
        int state; /* FwFetchState */
        char *etag, *modified;
        uint32_t problems; /* wrong lines, also those that are not told */
} FwFetchLine;

/* Bits of FwFetchLine.present that decide what the line is. */
enum {
        FW_LINE_NAME,
        FW_LINE_ADDRESSES,
        FW_LINE_TTL,
        FW_LINE_TEXT,
        FW_LINE_PROBLEM,
        FW_LINE_STATE,
        FW_LINE_ETAG,
        FW_LINE_MODIFIED,
        FW_LINE_PROBLEMS,
};

/* Bits of FwFetchRequest.present. */
enum {
        FW_REQUEST_SORT,
        FW_REQUEST_ETAG,
        FW_REQUEST_MODIFIED,
        FW_REQUEST_DATABASE,
        FW_REQUEST_ASN_DATABASE,
};

/* The sealed memfd of a request, or a negative errno. */
int fw_fetch_request_write(const FwFetchRequest *request, const Alias *alias);
/* Reads it again; both are the caller's. -EINVAL with a diagnostic: it is none. */
int fw_fetch_request_read(int fd, FwFetchRequest *ret, Alias **ret_alias, PtDiagnostics *diag);
void fw_fetch_request_done(FwFetchRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwFetchRequest, fw_fetch_request_done)

/* Appends a line, with its end. Which of its members count is what `present` says. */
void fw_fetch_line_write(const FwFetchLine *line, GString *out);
/* Reads a line of `size` bytes without its end. -EINVAL: it is none. */
int fw_fetch_line_read(const char *text, size_t size, FwFetchLine *ret);
void fw_fetch_line_done(FwFetchLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwFetchLine, fw_fetch_line_done)
