/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A list as a stranger publishes it, into a dataset's builder. */

#include "kinds/firewall/firewall.h"
#include "txn/dataset.h"

/* Of a JSON document: the tree takes some twenty times the size of its text. */
#define LIST_JSON_MAX (16U * 1024U * 1024U)
#define LIST_JSON_DEPTH 32
/* Bytes of a cell of a table; those that are asked for are short. */
#define LIST_CELL_MAX 4096U

/*
 * Unpacks what is compressed with gzip (RFC 1952), and takes all else as it is; `text` is replaced.
 * -EFBIG: more than `limit` bytes when unpacked; -EBADMSG: damaged, or cut off.
 */
int list_unpack(GByteArray **text, size_t limit);
/*
 * Adds the entries of a text; wrong ones are left out, and told by the import. -EINVAL with a
 * diagnostic: it is not what its format says; -EFBIG: too many entries, or too large.
 */
int list_read(const FwAliasUrl *url, const char *text, size_t size, PtDatasetImport *import,
              PtDiagnostics *diag);
