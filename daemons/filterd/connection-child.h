/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to connections.c: what its children do. They return an exit code. */

#include "connections.h"

/* What a child sends, with the page's memfd beside it. */
typedef struct FwPage {
        int32_t result; /* 0 or a negative errno */
        uint32_t rows;
        uint64_t killed;
        uint8_t last; /* nothing follows */
} FwPage;

/* Sends a page, waits for a byte that asks for the next, and so on. */
int fw_child_list(int socket, int netns_fd, const PtConnectionFilter *filter, FwRowFormat format,
                  uint32_t limit);
/* Ends what matches and sends one FwPage without a memfd. */
int fw_child_kill(int socket, int netns_fd, const PtConnectionFilter *filter);

/* Receives one FwPage; *ret_fd is -EBADF when none came with it. -EPIPE: the child is gone. */
int fw_page_receive(int socket, FwPage *ret, int *ret_fd);
