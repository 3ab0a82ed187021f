/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to connections.c: what its children do. They return an exit code. */

#include "connections.h"
#include "revoke.h"
#include "talkers.h"

/* What a child sends, with the page's memfd beside it. */
typedef struct FwPage {
        int32_t result; /* 0 or a negative errno */
        uint32_t rows;
        uint64_t killed;
        uint8_t last; /* nothing follows */
} FwPage;

/* Sends a page, makes the next, waits for a byte that asks for it, and so on. */
int fw_child_list(int socket, int netns_fd, const PtConnectionFilter *filter, FwRowFormat format,
                  uint32_t limit);
/* Sends one page: FwTalkTotal, and the rows (FwTalker). */
int fw_child_talk(int socket, int netns_fd, FwTalkBy by, FwTalkWhat what, uint32_t limit);
/* Connections that a child asks to be remembered before it ends them. */
#define FW_KILLS_AT_ONCE 1024U
/* The byte that answers a page of them. */
typedef enum FwRemembered {
        FW_REMEMBERED,
        FW_REMEMBERED_FULL, /* there is no place for more (FW_KILLED_MAX): the rest need not be sent */
} FwRemembered;
/* Sends what matches in packed pages, each of which ends when a byte comes back; the last page has
 * no memfd and says how many have. */
int fw_child_kill(int socket, int netns_fd, const PtConnectionFilter *filter);

/* Receives one FwPage; *ret_fd is -EBADF when none came with it. -EPIPE: the child is gone. */
int fw_page_receive(int socket, FwPage *ret, int *ret_fd);
/* The same of those that one of the policies before (FwRevokeBefore) let begin and the one after does
 * not (revoke.h). */
int fw_child_revoke(int socket, int netns_fd, const GPtrArray *before, const FwSource *after,
                    FwTimes *times, const FwOpenings *openings);
