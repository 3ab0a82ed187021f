/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The kinds of the test daemons: a link, and a service that needs one. Of TestService there have been
 * three versions; programs whose names end in -v1 know the first alone.
 *
 *   v1   link, port, greeting, password (a secret), idle (30 when absent)
 *   v2   `password` is `secret`
 *   v3   `idle` is 60 when absent
 */

#include "kind/field.h"

enum {
        TEST_LINK_MTU,
        TEST_LINK_LABEL,
        TEST_LINK_SECRET,
};

typedef struct TestLink {
        PtObject object;
        uint16_t mtu;
        char *label;
        PtSecret secret;
} TestLink;

enum {
        TEST_SERVICE_LINK,
        TEST_SERVICE_PORT,
        TEST_SERVICE_GREETING,
        TEST_SERVICE_SECRET,
        TEST_SERVICE_IDLE,
};

typedef struct TestService {
        PtObject object;
        char *link; /* TestLink */
        uint16_t port;
        char *greeting;
        PtSecret secret;
        uint16_t idle;
} TestService;

extern const PtKind pt_kind_test_link, pt_kind_test_service;
