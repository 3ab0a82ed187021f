/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_url(void **state)
{
        static const PtField field = {.type = &pt_type_url};
        static const TypeCase cases[] = {
                {"\"https://lists.example.net/drop.txt\"", "\"https://lists.example.net/drop.txt\"",
                 NULL, NULL},
                {"\"http://[2001:db8::1]:8080/a?b=c&d=@\"",
                 "\"http://[2001:db8::1]:8080/a?b=c&d=@\"", NULL, NULL},
                {"\"https://example.net\"", "\"https://example.net\"", NULL, NULL},
                {"\"ftp://example.net/x\"", NULL, "invalid-url", "https:// or http://"},
                {"\"file:///etc/shadow\"", NULL, "invalid-url", "https:// or http://"},
                {"\"https:///x\"", NULL, "invalid-url", "no host"},
                {"\"https://:80/x\"", NULL, "invalid-url", "no host"},
                {"\"https://user:word@example.net/\"", NULL, "invalid-url", "user name"},
                {"\"https://example.net/#part\"", NULL, "invalid-url", "leave it"},
                {"\"https://example.net/a b\"", NULL, "invalid-url", "%XX"},
                {"\"https://example.net/\\n\"", NULL, "invalid-url", "%XX"},
                {"\"https://example.net/\u00e4\"", NULL, "invalid-url", "%XX"},
                {"\"\"", NULL, "invalid-url", "https:// or http://"},
                {"80", NULL, "wrong-type", "write a URL"},
        };
        static const char *const order[] = {"http://a.example/", "https://a.example/"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_url),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
