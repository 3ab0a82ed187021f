/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Those who follow the log. Each has a pipe, and reads at its own pace what the log keeps: a reader
 * that is too slow misses lines, which a line says ({"time":...,"lost":N}), and keeps nobody else
 * waiting. One ends when its reading end is closed.
 */

#include "log.h"

/* Of one user, and of all. Each holds a pipe in the kernel. */
#define FW_FOLLOWERS_PER_USER_MAX 8U
#define FW_FOLLOWERS_MAX 32U

typedef struct FwFollowers FwFollowers;

int fw_followers_new(sd_event *event, FwLog *log, FwFollowers **ret);
void fw_followers_free(FwFollowers *followers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwFollowers, fw_followers_free)

/*
 * A pipe with the last `history` lines that match (FW_LOG_KEPT at most), and with `follow` all that
 * come. `filter` is taken (zeroed) on success. -EUSERS: the user has too many, -EBUSY: there are too
 * many.
 */
int fw_followers_add(FwFollowers *followers, uid_t uid, FwLogFilter *filter, uint32_t history,
                     bool follow, int *ret_fd);
