/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "participant-classes.h"

/* In place of configd's own table: the product's, and the test daemons. Those read their files in
 * the store as root, or as nobody. */
const ParticipantClass participant_classes[] = {
        PARTICIPANT_CLASSES,
        {"testlink", "org.patronus.TestLink1", "/org/patronus/TestLink1", "patronus.testlink/",
         NULL, STAGE_LINK},
        {"testservice", "org.patronus.TestService1", "/org/patronus/TestService1",
         "patronus.testservice/", NULL, STAGE_SERVICE},
        {},
};
