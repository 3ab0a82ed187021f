/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "slice-unit.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static char *text_of(const PtSlice *slice)
{
        GString *text = g_string_new(NULL);

        pt_slice_format(slice, text);
        return g_string_free(text, FALSE);
}

static char *delta_of(const PtSlice *before, const PtSlice *after)
{
        GString *text = g_string_new(NULL);

        pt_delta_format(before, after, text);
        return g_string_free(text, FALSE);
}

/* Through a pipe-like descriptor, as snapshots are read. */
static int read_text(const char *text, size_t size, PtDiagnostics *diag, PtSlice **ret)
{
        pt_auto_fd int fd = pt_memfd_new_sealed("slice", text, size);

        assert_true(fd >= 0);
        return pt_slice_read(fd, diag, ret);
}

static void test_round_trip(void **state)
{
        static const unsigned sizes[] = {0, 1, 2, 5000};

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(PtSlice) slice = unit_slice(sizes[i]), again = NULL, taken = NULL;
                pt_auto_fd int fd = memfd_create("slice", MFD_CLOEXEC);
                g_autofree char *text = text_of(slice), *written = NULL;
                size_t size;

                assert_int_equal(pt_slice_write(slice, fd), 0);
                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                assert_int_equal(pt_read_all(fd, 1 << 30, &written, &size), 0);
                assert_string_equal(written, text);
                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                assert_int_equal(pt_slice_read(fd, NULL, &again), 0);
                assert_same_root(slice, again);
                assert_int_equal(pt_slice_count(again, NULL), sizes[i]);
                /* A full slice is taken as it is, whatever the base. */
                assert_int_equal(pt_delta_apply(slice, text, strlen(text), NULL, &taken), 0);
                assert_same_root(slice, taken);
        }
}

static void test_format(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autofree char *text = NULL, *head = NULL;
        char hex[PT_DIGEST_HEX + 1];
        PtSliceHeader header;

        (void) state;
        unit_put(slice, unit_zone("lan", true));
        unit_put(slice, unit_rule("b", 2));
        unit_put(slice, unit_rule("a", 1));
        text = text_of(slice);
        unit_root_hex(slice, hex);
        head = g_strdup_printf("{\"objects\":3,\"patronus\":\"slice\",\"root\":\"%s\"}\n", hex);
        assert_true(g_str_has_prefix(text, head));
        assert_string_equal(
                text + strlen(head),
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\",\"metadata\":"
                "{\"name\":\"a\"},\"spec\":{\"action\":\"allow\",\"priority\":1}}\n"
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\",\"metadata\":"
                "{\"name\":\"b\"},\"spec\":{\"action\":\"allow\",\"priority\":2}}\n"
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Zone\",\"metadata\":"
                "{\"name\":\"lan\"},\"spec\":{\"masquerade\":true}}\n");
        assert_int_equal(pt_slice_header(text, strlen(text), &header), 0);
        assert_false(header.delta);
        assert_int_equal(header.objects, 3);
        assert_true(strlen(head) < PT_SLICE_HEADER_MAX);
        assert_int_equal(pt_slice_header(text, strlen(head) - 1, &header), -EBADMSG);
}

static void test_delta(void **state)
{
        g_autoptr(PtSlice) before = unit_slice(3000), after = pt_slice_clone(before), result = NULL,
                           back = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *delta = NULL, *reverse = NULL;
        PtSliceHeader header;

        (void) state;
        unit_put(after, unit_rule("rule-7", 60000));
        unit_put(after, unit_rule("new", 1));
        assert_true(pt_slice_remove(after, &pt_kind_firewall_rule, "rule-9"));
        assert_true(pt_slice_remove(after, &pt_kind_firewall_rule, "rule-8"));
        delta = delta_of(before, after);
        assert_true(g_str_has_suffix(delta, "{\"delete\":\"FirewallRule/rule-8\"}\n"
                                            "{\"delete\":\"FirewallRule/rule-9\"}\n"));
        assert_int_equal(pt_slice_header(delta, strlen(delta), &header), 0);
        assert_true(header.delta);
        assert_int_equal(header.objects, 2);
        assert_int_equal(header.deleted, 2);

        assert_int_equal(pt_delta_apply(before, delta, strlen(delta), diag, &result), 0);
        assert_same_root(result, after);
        assert_int_equal(pt_slice_count(before, NULL), 3000);
        reverse = delta_of(after, before);
        assert_int_equal(pt_delta_apply(result, reverse, strlen(reverse), diag, &back), 0);
        assert_same_root(back, before);
        assert_int_equal(pt_diag_count(diag), 0);

        assert_int_equal(pt_delta_apply(after, delta, strlen(delta), diag, &result), -ESTALE);
        assert_int_equal(pt_delta_apply(NULL, delta, strlen(delta), diag, &result), -ESTALE);
        assert_int_equal(read_text(delta, strlen(delta), diag, &result), -EBADMSG);
        assert_int_equal(pt_diag_errors(diag), 3);
}

static void test_delta_of_nothing(void **state)
{
        g_autoptr(PtSlice) empty = pt_slice_new(), slice = unit_slice(3), same = NULL,
                           filled = NULL;
        g_autofree char *nothing = delta_of(slice, slice), *all = delta_of(empty, slice);

        (void) state;
        assert_int_equal(pt_delta_apply(slice, nothing, strlen(nothing), NULL, &same), 0);
        assert_same_root(same, slice);
        assert_int_equal(pt_delta_apply(NULL, all, strlen(all), NULL, &filled), 0);
        assert_same_root(filled, slice);
}

/* Every cut and every flipped bit is found. */
static void test_damage(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(2), after = pt_slice_clone(slice);
        g_autofree char *full = NULL, *delta = NULL;

        (void) state;
        unit_put(after, unit_rule("new", 1));
        assert_true(pt_slice_remove(after, &pt_kind_firewall_rule, "rule-0"));
        assert_true(pt_slice_remove(after, &pt_kind_firewall_rule, "rule-1"));
        full = text_of(slice);
        delta = delta_of(slice, after);
        for (int t = 0; t < 2; t++) {
                const char *text = t == 0 ? full : delta;
                size_t size = strlen(text);

                for (size_t i = 0; i < size; i++) {
                        g_autofree char *copy = g_strdup(text);
                        PtSlice *result = NULL;

                        for (int bit = 0; bit < 8; bit++) {
                                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                                int r;

                                copy[i] ^= (char) (1 << bit);
                                r = pt_delta_apply(slice, copy, size, diag, &result);
                                copy[i] ^= (char) (1 << bit);
                                assert_true(r == -EBADMSG || r == -EFBIG || r == -ESTALE);
                                assert_true(pt_diag_errors(diag) > 0);
                                assert_null(result);
                        }
                        assert_int_equal(pt_delta_apply(slice, copy, i, NULL, &result), -EBADMSG);
                        assert_null(result);
                }
        }
}

static void test_refused(void **state)
{
#define HEAD(n) "{\"objects\":" n ",\"patronus\":\"slice\",\"root\":\"" ROOT "\"}\n"
#define ROOT "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define RULE(name)                                                                                 \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"FirewallRule\",\"metadata\":{\"name\":\"" name                            \
        "\"},\"spec\":{\"action\":\"allow\"}}\n"
        static const struct {
                const char *text;
                int error;
                const char *part; /* of a diagnostic */
        } cases[] = {
                {"", -EBADMSG, "line 1 of the slice is missing"},
                {"\n", -EBADMSG, "is no header"},
                {"{}\n", -EBADMSG, "is no header"},
                {"[1]\n", -EBADMSG, "is no header"},
                {"{\"objects\":0,\"patronus\":\"slice\"}\n", -EBADMSG, "is no header"},
                {HEAD("-1"), -EBADMSG, "is no header"},
                {HEAD("01"), -EBADMSG, "is no header"},
                {HEAD("99999999"), -EFBIG, "exceeds"},
                {HEAD("1"), -EBADMSG, "line 2 of the slice is missing"},
                {HEAD("0"), -EBADMSG, "do not give the root"},
                {HEAD("0") "x\n", -EBADMSG, "is not followed by the end"},
                {HEAD("1") "x\n", -EBADMSG, "line 2 of the slice is no object"},
                {HEAD("1") "{\"delete\":\"FirewallRule/a\"}\n", -EBADMSG,
                 "line 2 of the slice is no object"},
                {HEAD("2") RULE("b") RULE("a"), -EBADMSG, "line 3 of the slice is out of order"},
                {HEAD("2") RULE("a") RULE("a"), -EBADMSG, "line 3 of the slice is out of order"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                PtSlice *slice = NULL;
                size_t n;

                assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), diag, &slice),
                                 cases[i].error);
                assert_null(slice);
                n = pt_diag_count(diag);
                assert_true(n > 0);
                assert_non_null(strstr(pt_diag_get(diag, n - 1)->text, cases[i].part));
        }
}

static void test_refused_deletes(void **state)
{
        static const char *const bad[] = {
                "{\"delete\":\"FirewallRule\"}\n",
                "{\"delete\":\"Nonsense/rule-0\"}\n",
                "{\"delete\":\"firewallrules/rule-0\"}\n", /* one spelling only */
                "{\"delete\":\"FirewallRule/absent\"}\n",
                "{\"delete\": \"FirewallRule/rule-0\"}\n",
                "{\"delete\":\"FirewallRule/rule-0\"}",
        };
        g_autoptr(PtSlice) slice = unit_slice(1), empty = pt_slice_new();
        char base[PT_DIGEST_HEX + 1], root[PT_DIGEST_HEX + 1];

        (void) state;
        unit_root_hex(slice, base);
        unit_root_hex(empty, root);
        for (size_t i = 0; i < G_N_ELEMENTS(bad) + 1; i++) {
                const char *line =
                        i < G_N_ELEMENTS(bad) ? bad[i] : "{\"delete\":\"FirewallRule/rule-0\"}\n";
                g_autofree char *text =
                        g_strdup_printf("{\"base\":\"%s\",\"changed\":0,\"deleted\":1,\"patronus\":"
                                        "\"delta\",\"root\":\"%s\"}\n%s",
                                        base, root, line);
                g_autoptr(PtSlice) result = NULL;

                assert_int_equal(pt_delta_apply(slice, text, strlen(text), NULL, &result),
                                 i < G_N_ELEMENTS(bad) ? -EBADMSG : 0);
        }
}

/* A line without end is refused at the limit of one object, not at that of the file. */
static void test_endless_line(void **state)
{
        pt_auto_fd int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtSlice *slice = NULL;

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(pt_slice_read(fd, diag, &slice), -EFBIG);
        assert_int_equal(pt_diag_errors(diag), 1);
}

/* An engine holds pointers to objects that did not change: a full slice must not replace them. */
static void test_full_slice_keeps_equal_objects(void **state)
{
        g_autoptr(PtSlice) base = pt_slice_new(), after = NULL, sent = pt_slice_new();
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        unit_put(base, unit_zone("lan", false));
        unit_put(base, unit_rule("gone", 1));
        unit_put(base, unit_rule("web", 1));
        unit_put(sent, unit_zone("lan", false));
        unit_put(sent, unit_rule("web", 2));
        pt_slice_format(sent, text);
        assert_int_equal(pt_delta_apply(base, text->str, text->len, diag, &after), 0);
        assert_int_equal(pt_slice_count(after, NULL), 2);
        assert_ptr_equal(pt_slice_get(after, &pt_kind_zone, "lan"),
                         pt_slice_get(base, &pt_kind_zone, "lan"));
        assert_ptr_not_equal(pt_slice_get(after, &pt_kind_firewall_rule, "web"),
                             pt_slice_get(base, &pt_kind_firewall_rule, "web"));
        assert_null(pt_slice_get(after, &pt_kind_firewall_rule, "gone"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_delta),
                cmocka_unit_test(test_delta_of_nothing),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_refused_deletes),
                cmocka_unit_test(test_endless_line),
                cmocka_unit_test(test_full_slice_keeps_equal_objects),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
