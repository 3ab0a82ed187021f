/* SPDX-License-Identifier: GPL-3.0-or-later */

/* TestService as it is now. */

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
        [TEST_SERVICE_SECRET] = PT_FIELD(TestService, secret, secret, "secret", PT_F_SECRET,
                .sealed_as = "password",
                .doc = "What those who come must know. The service's file has its digest.",
                .example = "correct horse"),
        [TEST_SERVICE_IDLE] = PT_FIELD(TestService, u16, idle, "idle", 0,
                .min = 1, .max = 3600, .unit = "seconds", .def = "60",
                .doc = "After how long without a word a guest is sent away.",
                .example = "120"),
        {},
};
/* clang-format on */

static int rename_password(struct json_object *spec, PtDiagnostics *diag)
{
        struct json_object *password = NULL;

        if (!json_object_object_get_ex(spec, "password", &password))
                return 0;
        json_object_object_add(spec, "secret", json_object_get(password));
        json_object_object_del(spec, "password");
        return 0;
}

/* Objects that did not say keep what they had. */
static int write_idle(struct json_object *spec, PtDiagnostics *diag)
{
        if (!json_object_object_get_ex(spec, "idle", NULL))
                json_object_object_add(spec, "idle", json_object_new_int(30));
        return 0;
}

static const PtMigration migrations[] = {
        {"patronus.testservice/v1", "\"password\" is called \"secret\"", rename_password},
        {"patronus.testservice/v2", "the default of \"idle\" was 30, and is 60", write_idle},
        {},
};

const PtKind pt_kind_test_service = {
        .name = "TestService",
        .api_version = "patronus.testservice/v3",
        .plural = "testservices",
        .doc = "A service of the test daemon testservice: a file.",
        .example = "apiVersion: patronus.testservice/v3\n"
                   "kind: TestService\n"
                   "metadata:\n"
                   "  name: web\n"
                   "spec:\n"
                   "  link: wan\n"
                   "  port: 8080\n",
        .size = sizeof(TestService),
        .fields = service_fields,
        .migrations = migrations,
};
