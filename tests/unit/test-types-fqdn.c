/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

#define LABEL63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static void test_fqdn(void **state)
{
        static const PtField field = {.type = &pt_type_fqdn};
        static const TypeCase cases[] = {
                {"\"www.example.com\"", "\"www.example.com\"", NULL, NULL},
                {"\"WWW.Example.COM\"", "\"www.example.com\"", NULL, NULL},
                {"\"_dmarc.example.com\"", "\"_dmarc.example.com\"", NULL, NULL},
                {"\"xn--bcher-kva.example\"", "\"xn--bcher-kva.example\"", NULL, NULL},
                {"\"3com.example\"", "\"3com.example\"", NULL, NULL},
                {"\"" LABEL63 ".example\"", "\"" LABEL63 ".example\"", NULL, NULL},
                {"\"" LABEL63 "d.example\"", NULL, "invalid-host-name", "more than 63"},
                {"\"" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 "\"", NULL, "invalid-host-name",
                 "longer than 253"},
                {"\"\"", NULL, "invalid-host-name", "empty label"},
                {"\"example.com.\"", NULL, "invalid-host-name", "empty label"},
                {"\".example.com\"", NULL, "invalid-host-name", "empty label"},
                {"\"a..b\"", NULL, "invalid-host-name", "empty label"},
                {"\"localhost\"", NULL, "invalid-host-name", "no dot"},
                {"\"-a.example\"", NULL, "invalid-host-name", "begins or ends with -"},
                {"\"a-.example\"", NULL, "invalid-host-name", "begins or ends with -"},
                {"\"b\u00fccher.example\"", NULL, "invalid-host-name", "xn--"},
                {"\"a b.example\"", NULL, "invalid-host-name", "character other"},
                {"\"192.0.2.1\"", NULL, "invalid-host-name", "is an address"},
                {"17", NULL, "wrong-type", "write a host name"},
        };
        static const char *const order[] = {"a.example", "b.example"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fqdn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
