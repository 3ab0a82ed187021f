/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One piece of work from its request to its last line: what all sorts of it share. */

#include "filter/fetch.h"
#include "txn/dataset.h"

typedef struct Work {
        int socket;
        int output; /* the memfd of the dataset */
        FwFetchRequest request;
        Alias *alias;
} Work;

/* Receives the request. -EPROTO: it is none. */
int work_receive(int socket, Work *ret);
void work_done(Work *work);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_done)

/* Sends a line. */
int work_say(const Work *work, const FwFetchLine *line);
/* The last line: why it failed. Text of strangers is made printable and short. */
int work_fail(const Work *work, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Writes the dataset and says that it is done, with what was wrong with lines on the way. `end`:
 * what else the last line says. */
int work_finish(const Work *work, PtDatasetBuilder *builder, const PtDiagnostics *problems,
                FwFetchLine *end);

/* "1.2.3.4" and its family as a range of one address. */
void work_host(int family, const void *address, PtAddressRange *ret);

int work_fetch_url(const Work *work);
int work_resolve_names(const Work *work);
int work_find_places(const Work *work);
