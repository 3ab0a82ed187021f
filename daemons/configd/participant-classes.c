/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "participant-classes.h"

/* Nothing but the table is here: a configd with another one links its own, and this file stays in
 * the archive. */
const ParticipantClass participant_classes[] = {PARTICIPANT_CLASSES, {}};
