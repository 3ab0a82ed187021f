/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What text becomes: the canonical form, and what is said of text that is none. */

#include "dataset-unit.h"

#include <sys/stat.h>

typedef struct Case {
        const char *in, *out;
} Case;

static void test_canonical(void **state)
{
        static const Case cases[] = {
                {"", ""},
                {"\n# nothing\n;\n \t\r\n", ""},
                {"192.0.2.1", "192.0.2.1\n"},
                {"192.0.2.1\n192.0.2.1/32\n192.0.2.1-192.0.2.1\n", "192.0.2.1\n"},
                {"10.0.0.2\n10.0.0.10\n9.0.0.1\n", "9.0.0.1\n10.0.0.2\n10.0.0.10\n"},
                /* hosts that touch stay hosts */
                {"10.0.0.0\n10.0.0.1\n", "10.0.0.0\n10.0.0.1\n"},
                {"10.0.0.0/31\n", "10.0.0.0/31\n"},
                /* ranges are merged where they touch or overlap */
                {"10.0.0.0/25\n10.0.0.128/25", "10.0.0.0/24\n"},
                {"10.0.0.128/25\n10.0.0.0/24\n", "10.0.0.0/24\n"},
                {"10.0.0.0-10.0.0.9\n10.0.0.10-10.0.0.20\n", "10.0.0.0-10.0.0.20\n"},
                {"10.0.0.0-10.0.0.9\n10.0.0.11-10.0.0.20\n",
                 "10.0.0.0-10.0.0.9\n10.0.0.11-10.0.0.20\n"},
                {"10.0.0.0/24\n10.0.1.0/24\n", "10.0.0.0/23\n"},
                {"10.255.0.0/16\n11.0.0.0/16\n", "10.255.0.0-11.0.255.255\n"},
                {"0.0.0.0/1\n128.0.0.0/1\n", "0.0.0.0/0\n"},
                {"255.255.255.254/31\n255.255.255.0/24\n", "255.255.255.0/24\n"},
                {"0.0.0.0/0\n255.255.255.255\n0.0.0.0\n", "0.0.0.0/0\n"},
                /* a host in a range disappears; one that touches it does not */
                {"10.0.0.0/24\n10.0.0.7\n10.0.1.0\n9.255.255.255\n",
                 "9.255.255.255\n10.0.1.0\n10.0.0.0/24\n"},
                {"2001:db8::1\n2001:DB8:0::2\n2001:db8::/64\n::1\n", "::1\n2001:db8::/64\n"},
                {"2001:db8::/64\n2001:db8:0:1::/64\n", "2001:db8::/63\n"},
                {"::-::ff\n::100-::ffff\n", "::/112\n"},
                {"::/1\n8000::/1\n", "::/0\n"},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124\n::1\n",
                 "::1\nffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124\n"},
                {"::1\n10.0.0.1\n::/127\n10.0.0.0/8\n", "10.0.0.0/8\n::/127\n"},
                {"02:00:00:00:00:02\n02-00-00-00-00-01\n02:00:00:00:00:02 ; twice\n",
                 "02:00:00:00:00:01\n02:00:00:00:00:02\n"},
                /* as lists are published */
                {"\xef\xbb\xbf# list\r\n1.2.3.0/24 ; SBL1\r\n\t5.6.7.8\t# host\r\n",
                 "5.6.7.8\n1.2.3.0/24\n"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = NULL, *again = NULL;
                char hex[65], same[65];

                unit_dataset_put(*state, cases[i].in, hex);
                text = unit_dataset_text(*state, hex);
                assert_string_equal(text, cases[i].out);
                unit_dataset_put(*state, text, same);
                assert_string_equal(same, hex);
                again = unit_dataset_text(*state, hex);
                assert_string_equal(again, text);
        }
}

/* The file, byte by byte: it is what others read. */
static void test_file(void **state)
{
        static const uint8_t content[] = {
                'P',  'T', 'R', 'N',  'D', 'A', 'T', 'A', 0, 0, 0, 1, 0,    0, 0, 1, 0,    0, 0,
                2,    0,   0,   0,    0,   0,   0,   0,   1, 0, 0, 0, 1,    0, 0, 0, 0,    0, 0,
                0,    0,   0,   0,    0,   0,   0,   0,   0, 0, 0, 0, 0,    0, 0, 0, 0,    0, 0,
                0,    0,   0,   0,    0,   0,   0,   1,   2, 3, 4, 5, 6,    7, 8, /* hosts */
                10,   0,   0,   0,    10,  255, 255, 255,                         /* ranges */
                0x20, 1,   0xd, 0xb8, 0,   0,   0,   0,   0, 0, 0, 0, 0,    0, 0, 0, 0x20, 1, 0xd,
                0xb8, 0,   0,   0,    0,   0,   0,   0,   0, 0, 0, 0, 0xff,
        };
        g_autofree char *path = NULL, *full = NULL, *found = NULL;
        PtDigest digest;
        char hex[65], expected[65];
        struct stat st;
        size_t size;

        unit_dataset_put(*state, "10.0.0.0/8\n5.6.7.8\n1.2.3.4\n2001:db8::/120\n", hex);
        path = unit_dataset_path(hex);
        found = unit_read(*state, path, &size);
        assert_int_equal(size, sizeof(content));
        assert_memory_equal(found, content, size);
        pt_digest_of(content, sizeof(content), &digest);
        pt_digest_to_hex(&digest, expected);
        assert_string_equal(hex, expected);
        full = unit_path(*state, path);
        assert_int_equal(stat(full, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
}

/* The naive set: a few hundred addresses, each in none, a host, or in a range. */
#define UNIVERSE 300U

typedef struct Naive {
        bool host[UNIVERSE], range[UNIVERSE];
} Naive;

/* Where the universe begins: within bytes that carry, and at both ends of a family. */
static const char *const origins[] = {
        "0.0.0.0", "10.0.254.200",        "255.255.254.212",
        "::",      "2001:db8::fffe:ff60", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fed4"};

static void address_of(const PtAddressRange *origin, unsigned i, uint8_t ret[static 16])
{
        unsigned carry = i;

        memcpy(ret, origin->lo, 16);
        for (int at = origin->family == AF_INET ? 3 : 15; at >= 0; at--) {
                carry += ret[at];
                ret[at] = (uint8_t) carry;
                carry >>= 8;
        }
}

static PtAddressRange naive_range(const PtAddressRange *origin, unsigned first, unsigned last)
{
        PtAddressRange range = {.family = origin->family};

        address_of(origin, first, range.lo);
        address_of(origin, last, range.hi);
        pt_address_range_settle(&range);
        return range;
}

static void naive_line(const PtAddressRange *origin, unsigned first, unsigned last, GString *out)
{
        PtAddressRange range = naive_range(origin, first, last);

        pt_address_range_format(&range, out);
        g_string_append_c(out, '\n');
}

static void naive_expect(const Naive *naive, const PtAddressRange *origin, GString *out)
{
        for (unsigned i = 0; i < UNIVERSE; i++)
                if (naive->host[i] && !naive->range[i])
                        naive_line(origin, i, i, out);
        for (unsigned i = 0; i < UNIVERSE; i++) {
                unsigned first = i;

                if (!naive->range[i])
                        continue;
                while (i + 1 < UNIVERSE && naive->range[i + 1])
                        i++;
                naive_line(origin, first, i, out);
        }
}

static void check_intervals(const Naive *naive, const PtAddressRange *origin, const char *state_dir,
                            const char *hex)
{
        g_autoptr(PtDatasetIntervals) intervals = NULL, others = NULL;
        g_autoptr(PtDataset) dataset = NULL;
        uint8_t lo[16], hi[16];

        assert_int_equal(pt_dataset_open(state_dir, hex, &dataset), 0);
        intervals = pt_dataset_intervals_new(dataset, origin->family);
        for (unsigned i = 0; i < UNIVERSE; i++) {
                uint8_t first[16], last[16];

                if (!naive->range[i] && !naive->host[i])
                        continue;
                address_of(origin, i, first);
                while (i + 1 < UNIVERSE && (naive->range[i + 1] || naive->host[i + 1]))
                        i++;
                address_of(origin, i, last);
                assert_int_equal(pt_dataset_intervals_next(intervals, lo, hi), 1);
                assert_memory_equal(lo, first, 16);
                assert_memory_equal(hi, last, 16);
        }
        assert_int_equal(pt_dataset_intervals_next(intervals, lo, hi), 0);
        others = pt_dataset_intervals_new(dataset, origin->family == AF_INET ? AF_INET6 : AF_INET);
        assert_int_equal(pt_dataset_intervals_next(others, lo, hi), 0);
}

static void test_property(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(3);

        for (unsigned round = 0; round < 600; round++) {
                g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ADDRESSES);
                pt_auto_fd int folder = unit_dataset_folder(*state);
                g_autoptr(GString) expected = g_string_new(NULL);
                unsigned entries = (unsigned) g_rand_int_range(rand, 0, 60);
                g_autofree char *text = NULL;
                Naive naive = {};
                PtAddressRange origin;
                PtDatasetHeader header;
                PtDigest digest;
                char hex[65];

                assert_int_equal(pt_address_range_parse(origins[round % G_N_ELEMENTS(origins)],
                                                        NULL, NULL, &origin),
                                 0);
                for (unsigned i = 0; i < entries; i++) {
                        unsigned first = (unsigned) g_rand_int_range(rand, 0, UNIVERSE);
                        unsigned length =
                                g_rand_boolean(rand) ? 0 : (unsigned) g_rand_int_range(rand, 0, 20);
                        unsigned last = MIN(first + length, UNIVERSE - 1);
                        PtAddressRange range = naive_range(&origin, first, last);

                        assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
                        if (first == last)
                                naive.host[first] = true;
                        for (unsigned at = first; first < last && at <= last; at++)
                                naive.range[at] = true;
                }
                naive_expect(&naive, &origin, expected);
                assert_int_equal(
                        pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, &digest),
                        0);
                pt_digest_to_hex(&digest, hex);
                text = unit_dataset_text(*state, hex);
                assert_string_equal(text, expected->str);
                check_intervals(&naive, &origin, *state, hex);
        }
}

static void test_union(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ADDRESSES);
        g_autoptr(PtDataset) dataset = NULL, macs = NULL;
        pt_auto_fd int folder = unit_dataset_folder(*state);
        g_autofree char *text = NULL;
        PtDatasetHeader header;
        PtAddressRange range;
        PtDigest digest;
        char hex[65];

        unit_dataset_put(*state, "10.0.0.1\n10.0.1.0/24\n::1\n", hex);
        assert_int_equal(pt_dataset_open(*state, hex, &dataset), 0);
        assert_int_equal(pt_address_range_parse("10.0.0.0/24", NULL, NULL, &range), 0);
        assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
        assert_int_equal(pt_dataset_builder_add_dataset(builder, dataset), 0);
        unit_dataset_put(*state, "02:00:00:00:00:01\n", hex);
        assert_int_equal(pt_dataset_open(*state, hex, &macs), 0);
        assert_int_equal(pt_dataset_builder_add_dataset(builder, macs), -EMEDIUMTYPE);
        assert_int_equal(pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, &digest),
                         0);
        pt_digest_to_hex(&digest, hex);
        text = unit_dataset_text(*state, hex);
        assert_string_equal(text, "::1\n10.0.0.0/23\n");
}

/* The same entries in any order, however often. */
static void test_order(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(7);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        char hex[65], same[65];

        for (unsigned i = 0; i < 3000; i++) {
                uint32_t a = g_rand_int(rand);

                g_ptr_array_add(lines,
                                i % 3 == 0
                                        ? g_strdup_printf("2001:db8:%x::%x\n", a >> 16, a & 0xffff)
                                        : g_strdup_printf("%u.%u.%u.%u\n", a >> 24, a >> 16 & 255,
                                                          a >> 8 & 255, a & 255));
        }
        for (unsigned round = 0; round < 4; round++) {
                g_autoptr(GString) text = g_string_new(NULL);

                for (unsigned i = lines->len; i > 1; i--) {
                        unsigned other = (unsigned) g_rand_int_range(rand, 0, (int) i);
                        gpointer swap = lines->pdata[i - 1];

                        lines->pdata[i - 1] = lines->pdata[other];
                        lines->pdata[other] = swap;
                }
                for (unsigned i = 0; i < lines->len * (1 + round % 2); i++)
                        g_string_append(text, g_ptr_array_index(lines, i % lines->len));
                unit_dataset_put(*state, text->str, round == 0 ? hex : same);
                if (round > 0)
                        assert_string_equal(same, hex);
        }
}

typedef struct Wrong {
        const char *text, *subject, *part;
} Wrong;

static void test_wrong(void **state)
{
        static const Wrong wrongs[] = {
                {"1.2.3.4\nlocalhost\n", "list:2",
                 "\"localhost\" is not an address; write it like"},
                {"1.2.3.4/8", "list:1", "write 1.0.0.0/8 for the network"},
                {"\n\n2.0.0.0-1.0.0.0\n", "list:3", "runs backwards"},
                {"1.2.3.4-::1", "list:1", "begins in one family"},
                {"::ffff:1.2.3.4", "list:1", "write 1.2.3.4"},
                {"1.2.3.4 5.6.7.8", "list:1", "is not an address"},
                {"1.2.3.4\n02:00:00:00:00:01\n", "list:2", "is a MAC in a list of addresses"},
                {"02:00:00:00:00:01\n1.2.3.4\n", "list:2", "is an address in a list of MACs"},
                {"02:00:00:00:00\n", "list:1", "is not an address"},
                {"02:00:00-00:00:01\n", "list:1", "is not an address"},
                {"\x01\xff\n", "list:1", "\"??\" is not an address, a prefix, a range or a MAC"},
                {"h\xc3\xa4h\n", "list:1", "\"h??h\" is not"},
                {"000000000011111111112222222222333333333344444444445555555555666666666677777777778"
                 "8"
                 "88888888999999",
                 "list:1", "5555555555...\" is not"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(wrongs); i++) {
                g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_int_equal(pt_dataset_import(builder, "list", wrongs[i].text,
                                                   strlen(wrongs[i].text), diag),
                                 -EINVAL);
                assert_int_equal(pt_diag_count(diag), 1);
                assert_string_equal(pt_diag_get(diag, 0)->subject, wrongs[i].subject);
                assert_true(unit_said(diag, wrongs[i].part));
        }
}

static void test_many_wrong(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) text = g_string_new(NULL);

        (void) state;
        for (unsigned i = 0; i < 1000; i++)
                g_string_append(text, i % 2 == 0 ? "1.2.3.4\n" : "bad\n");
        assert_int_equal(pt_dataset_import(builder, "list", text->str, text->len, diag), -EINVAL);
        assert_int_equal(pt_diag_count(diag), 11);
        assert_string_equal(pt_diag_get(diag, 9)->subject, "list:20");
        assert_string_equal(pt_diag_get(diag, 10)->subject, "list");
        assert_true(unit_said(diag, "500 lines are wrong; the first 10 are told"));
}

static void test_nul_and_long_lines(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *line = g_strnfill(PT_DATASET_LINE_MAX + 1, '#');

        (void) state;
        assert_int_equal(pt_dataset_import(builder, "list", "1.2.3.4\0", 8, diag), -EINVAL);
        assert_true(unit_said(diag, "\"1.2.3.4?\" is not an address, a prefix"));
        assert_int_equal(pt_dataset_import(builder, "list", line, PT_DATASET_LINE_MAX, diag), 0);
        assert_int_equal(pt_dataset_import(builder, "list", line, strlen(line), diag), -EINVAL);
        assert_true(unit_said(diag, "a line of more than 4096 bytes"));
}

/* Lines over the borders of what is read at once. */
static void test_stream(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
        pt_auto_fd int folder = unit_dataset_folder(*state), fd = -EBADF;
        g_autoptr(GString) text = g_string_new("\xef\xbb\xbf");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtDatasetHeader header;
        PtDigest digest;
        char hex[65], same[65];

        for (unsigned i = 0; i < 60000; i++)
                g_string_append_printf(text, "10.%u.%u.%u # %u\n", i >> 16 & 255, i >> 8 & 255,
                                       i & 255, i);
        g_string_append(text, "11.0.0.1"); /* no newline */
        unit_dataset_put(*state, text->str, hex);
        fd = pt_memfd_new_sealed("list", text->str, text->len);
        assert_true(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0);
        assert_int_equal(pt_dataset_import_fd(builder, "list", fd, diag), 0);
        assert_int_equal(pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, &digest),
                         0);
        assert_int_equal(pt_dataset_header_entries(&header), 60001);
        pt_digest_to_hex(&digest, same);
        assert_string_equal(same, hex);
}

/* The limit is of the result: duplicates and hosts in ranges do not count. */
static void test_limit(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ADDRESSES);
        PtAddressRange range = {.family = AF_INET};
        PtDatasetHeader header;

        (void) state;
        for (unsigned i = 0; i < 2 * PT_DATASET_ENTRIES_MAX; i++) {
                uint32_t address = GUINT32_TO_BE(2 * (i % PT_DATASET_ENTRIES_MAX));

                memcpy(range.lo, &address, 4);
                memcpy(range.hi, &address, 4);
                assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
        }
        assert_int_equal(pt_dataset_builder_finish(builder, &header), 0);
        assert_int_equal(header.counts[PT_DATASET_HOSTS4], PT_DATASET_ENTRIES_MAX);

        assert_int_equal(pt_address_range_parse("255.0.0.0", NULL, NULL, &range), 0);
        assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
        assert_int_equal(pt_dataset_builder_finish(builder, &header), -EFBIG);
        assert_int_equal(pt_address_range_parse("0.0.0.0/31", NULL, NULL, &range), 0);
        assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
        assert_int_equal(pt_dataset_builder_finish(builder, &header), -EFBIG);
        assert_int_equal(pt_address_range_parse("0.0.0.0/30", NULL, NULL, &range), 0);
        assert_int_equal(pt_dataset_builder_add(builder, &range), 0);
        assert_int_equal(pt_dataset_builder_finish(builder, &header), 0);
        assert_int_equal(pt_dataset_header_entries(&header), PT_DATASET_ENTRIES_MAX);
}

static void test_too_many(void **state)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_MACS);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtMac mac = {{2}};
        unsigned i = 0;
        int r = 0;

        (void) state;
        for (; r >= 0 && i < 2 * PT_DATASET_ENTRIES_MAX; i++) {
                mac.bytes[3] = (uint8_t) (i >> 16);
                mac.bytes[4] = (uint8_t) (i >> 8);
                mac.bytes[5] = (uint8_t) i;
                r = pt_dataset_builder_add_mac(builder, &mac);
        }
        assert_int_equal(r, -EFBIG);
        assert_true(i < 2 * PT_DATASET_ENTRIES_MAX);
        assert_int_equal(pt_dataset_import(builder, "list", "02:00:00:00:00:01", 17, diag), -EFBIG);
        assert_true(unit_said(diag, "more than 1000000 entries: split the list"));
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, unit_dataset_setup, unit_store_teardown)
        const struct CMUnitTest tests[] = {
                test(test_canonical),  test(test_file),
                test(test_property),   test(test_union),
                test(test_order),      test(test_wrong),
                test(test_many_wrong), test(test_nul_and_long_lines),
                test(test_stream),     test(test_limit),
                test(test_too_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
