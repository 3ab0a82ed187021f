/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What to do about an intent without a decision that the last run left: it died while a commit was
 * under way. The participants that the change concerns are asked what is in force. If all of them
 * have it, it is decided, and then verified as a repair is; else it is aborted, and who has it is repaired like anybody with the
 * wrong slice.
 */

typedef struct Settle Settle;
struct Manager;

/* Sets manager->settled when done, perhaps before this returns. */
int settle_start(struct Manager *manager, Settle **ret);
void settle_free(Settle *settle);
