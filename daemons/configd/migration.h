/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Objects of the running configuration that an older version of ours stored (kind/migrate.h): what
 * the migrations made of them is committed as a revision of its own, by the path of all others,
 * when nothing else is under way. Until then they are as they are stored, for the daemons too. A
 * refusal is tried again with back-off, and when a daemon appears; it is a condition meanwhile.
 */

#include "reply.h"

struct Manager;
typedef struct Migration Migration;

int migration_new(struct Manager *manager, Migration **ret);
void migration_free(Migration *migration);
/* There is another running configuration: by these changes, or, with NULL, from the disk. */
void migration_update(Migration *migration, const Changes *changes);
/* A daemon came: what it was needed for can be tried again. */
void migration_hurry(Migration *migration);
/* It is time for one; the manager must not be busy. */
bool migration_is_due(const Migration *migration);
void migration_start(Migration *migration);
/* Why there was none yet, for people; NULL: nothing is to be done, or nothing is wrong. */
const char *migration_trouble(const Migration *migration);
