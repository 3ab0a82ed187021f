/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * When connections are looked at for what commits revoke (revoke.h): once a commit is verified, a
 * moment later and decided, so that its author has his answer before, commits that follow each other are one look,
 * and one that is taken back at once ends nothing. One
 * that waits for a confirmation ends nothing before it has come. FilterSettings.revoke switches it off.
 * And when the window of a schedule is over, which may have been while no filterd was there, for what
 * rules with endConnections let begin.
 */

#include "connections.h"
#include "engine-nft.h"
#include "txn/participant.h"

typedef struct FwJudge FwJudge;
/* Borrows all. From what is in force now. */
FwJudge *fw_judge_new(sd_event *event, FwEngine *engine, const PtParticipant *participant,
                      FwConnections *connections, const char *state_dir);
void fw_judge_free(FwJudge *judge);
