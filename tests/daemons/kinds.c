/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds.h"

#include "kinds/registry.h"

/* clang-format off */
static const PtField link_fields[] = {
        [TEST_LINK_MTU] = PT_FIELD(TestLink, u16, mtu, "mtu", 0,
                .min = 68, .max = 65535, .def = "1500", .impact = PT_IMPACT_RECREATE,
                .doc = "Largest packet, in bytes.",
                .example = "9000"),
        [TEST_LINK_LABEL] = PT_FIELD(TestLink, string, label, "label", 0,
                .max = 4096,
                .doc = "Text that is written into the link's file.",
                .example = "uplink"),
        {},
};

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
        {},
};
/* clang-format on */

const PtKind pt_kind_test_link = {
        .name = "TestLink",
        .api_version = "patronus.testlink/v1",
        .plural = "testlinks",
        .doc = "A link of the test daemon testlink: a file.",
        .example = "apiVersion: patronus.testlink/v1\n"
                   "kind: TestLink\n"
                   "metadata:\n"
                   "  name: wan\n"
                   "spec:\n"
                   "  mtu: 1500\n",
        .size = sizeof(TestLink),
        .fields = link_fields,
};

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

/* In place of the registry's: ours follow those of the product. */
const PtKind *const *pt_kinds(void)
{
        static const PtKind *const kinds[] = {PT_KINDS, &pt_kind_test_link, &pt_kind_test_service,
                                              NULL};

        return kinds;
}
