/* SPDX-License-Identifier: GPL-3.0-or-later */

/* TestService as it was first: for programs of the last release, so to say. */

#include "kinds.h"

/* clang-format off */
static const PtField service_fields[] = {
        [TEST_SERVICE_LINK] = PT_FIELD(TestService, ref, link, "link", 0,
                .ref = "TestLink",
                .doc = "The link it listens on. Absent: all.",
                .example = "wan"),
        [TEST_SERVICE_PORT] = PT_FIELD(TestService, u16, port, "port", PT_F_REQUIRED,
                .min = 1, .max = 65535, .impact = PT_IMPACT_RELOAD,
                .doc = "Port it listens on.",
                .example = "8080"),
        [TEST_SERVICE_GREETING] = PT_FIELD(TestService, string, greeting, "greeting", 0,
                .max = 4096,
                .doc = "What it says to those who come.",
                .example = "hello"),
        [TEST_SERVICE_SECRET] = PT_FIELD(TestService, secret, secret, "password", PT_F_SECRET,
                .doc = "What those who come must know. The service's file has its digest.",
                .example = "correct horse"),
        [TEST_SERVICE_IDLE] = PT_FIELD(TestService, u16, idle, "idle", 0,
                .min = 1, .max = 3600, .unit = "seconds", .def = "30",
                .doc = "After how long without a word a guest is sent away.",
                .example = "120"),
        {},
};
/* clang-format on */

const PtKind pt_kind_test_service = {
        .name = "TestService",
        .api_version = "patronus.testservice/v1",
        .plural = "testservices",
        .doc = "A service of the test daemon testservice: a file.",
        .example = "apiVersion: patronus.testservice/v1\n"
                   "kind: TestService\n"
                   "metadata:\n"
                   "  name: web\n"
                   "spec:\n"
                   "  link: wan\n"
                   "  port: 8080\n",
        .size = sizeof(TestService),
        .fields = service_fields,
};
