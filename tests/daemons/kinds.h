/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The kinds of the test daemons: a link, and a service that needs one. */

#include "kind/field.h"

enum {
        TEST_LINK_MTU,
        TEST_LINK_LABEL,
};

typedef struct TestLink {
        PtObject object;
        uint16_t mtu;
        char *label;
} TestLink;

enum {
        TEST_SERVICE_LINK,
        TEST_SERVICE_PORT,
        TEST_SERVICE_GREETING,
};

typedef struct TestService {
        PtObject object;
        char *link; /* TestLink */
        uint16_t port;
        char *greeting;
} TestService;

extern const PtKind pt_kind_test_link, pt_kind_test_service;
