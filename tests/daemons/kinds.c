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
        [TEST_LINK_SECRET] = PT_FIELD(TestLink, secret, secret, "secret", PT_F_SECRET,
                .doc = "What both ends know. The link's file has its digest.",
                .example = "correct horse"),
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

/* In place of the registry's: ours follow those of the product. */
const PtKind *const *pt_kinds(void)
{
        static const PtKind *const kinds[] = {PT_KINDS, &pt_kind_test_link, &pt_kind_test_service,
                                              NULL};

        return kinds;
}
