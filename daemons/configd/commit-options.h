/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The options that Commit, Apply and Revert take alike. A method puts the rows into its own table:
 *
 *         CommitOptions wanted = COMMIT_OPTIONS_INIT;
 *         const Option options[] = {{"set", OPTION_STRING, &set}, COMMIT_OPTION_ROWS(wanted), {}};
 *
 * and ends with commit_options_done().
 */

#include "options.h"

#include "base/macros.h"

typedef struct CommitOptions {
        char *comment;
        bool dry_run;
        bool allow_offline; /* daemons that are down take their part when they start */
        bool merge;
        bool force;                 /* although tests of the configuration fail */
        char *confirm, *connection; /* confirm.h */
} CommitOptions;
#define COMMIT_OPTIONS_INIT                                                                        \
        {                                                                                          \
                .merge = true                                                                      \
        }

/* clang-format off */
#define COMMIT_OPTION_ROWS(o) \
        {"comment", OPTION_STRING, &(o).comment}, \
        {"dryRun", OPTION_BOOL, &(o).dry_run}, \
        {"allowOffline", OPTION_BOOL, &(o).allow_offline}, \
        {"merge", OPTION_BOOL, &(o).merge}, \
        {"force", OPTION_BOOL, &(o).force}, \
        {"confirm", OPTION_STRING, &(o).confirm}, \
        {"connection", OPTION_STRING, &(o).connection}
/* clang-format on */

static inline void commit_options_done(CommitOptions *options)
{
        g_free(options->comment);
        g_free(options->confirm);
        g_free(options->connection);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommitOptions, commit_options_done)
