/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Damaged files, full disks and pages: what is not the dataset of that name is never taken for it. */

#include "dataset-unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char small_list[] = "10.0.0.1\n10.0.0.9\n10.0.1.0/24\n10.0.3.0/24\n2001:db8::1\n"
                                 "2001:db8:1::/48\n";

/* Opens and reads to the end. */
static int read_whole(const char *state_dir, const char *hex)
{
        g_autoptr(PtDataset) dataset = NULL;
        int r = pt_dataset_open(state_dir, hex, &dataset);

        return r < 0 ? r : pt_dataset_verify(dataset);
}

static void test_no_dataset(void **state)
{
        g_autofree char *name = g_strnfill(64, '0');
        g_autofree char *path = unit_dataset_path(name), *full = unit_path(*state, path);
        g_autoptr(PtDataset) dataset = NULL;

        assert_int_equal(pt_dataset_open(*state, "", &dataset), -EINVAL);
        assert_int_equal(pt_dataset_open(*state, "../revisions", &dataset), -EINVAL);
        assert_int_equal(pt_dataset_open(*state, name, &dataset), -ENOENT);
        assert_int_equal(mkdir(full, 0755), 0);
        assert_int_equal(pt_dataset_open(*state, name, &dataset), -EBADMSG);
        assert_int_equal(rmdir(full), 0);
        assert_int_equal(mkfifo(full, 0644), 0);
        assert_int_equal(pt_dataset_open(*state, name, &dataset), -EBADMSG);
        assert_int_equal(unlink(full), 0);
        assert_int_equal(symlink("/etc/passwd", full), 0);
        assert_int_equal(pt_dataset_open(*state, name, &dataset), -ELOOP);
}

static void test_truncated(void **state)
{
        g_autofree char *path = NULL, *content = NULL;
        char hex[65];
        size_t size;

        unit_dataset_put(*state, small_list, hex);
        path = unit_dataset_path(hex);
        content = unit_read(*state, path, &size);
        for (size_t cut = 0; cut < size; cut++) {
                unit_write(*state, path, content, cut);
                assert_int_equal(read_whole(*state, hex), -EBADMSG);
        }
        content = g_realloc(content, size + 1);
        content[size] = 0;
        unit_write(*state, path, content, size + 1);
        assert_int_equal(read_whole(*state, hex), -EBADMSG);
        unit_write(*state, path, content, size);
        assert_int_equal(read_whole(*state, hex), 0);
}

static void test_changed(void **state)
{
        g_autofree char *path = NULL, *content = NULL;
        char hex[65];
        size_t size;

        unit_dataset_put(*state, small_list, hex);
        path = unit_dataset_path(hex);
        content = unit_read(*state, path, &size);
        for (size_t bit = 0; bit < size * 8; bit++) {
                content[bit / 8] = (char) (content[bit / 8] ^ (1 << bit % 8));
                unit_write(*state, path, content, size);
                assert_int_equal(read_whole(*state, hex), -EBADMSG);
                content[bit / 8] = (char) (content[bit / 8] ^ (1 << bit % 8));
        }
}

/* It shrinks while it is read. */
static void test_shrinks(void **state)
{
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *path = NULL, *full = NULL;
        g_autoptr(PtDatasetIntervals) intervals = NULL;
        g_autoptr(PtDataset) dataset = NULL;
        uint8_t lo[16], hi[16];
        PtDatasetChunk chunk;
        char hex[65];
        int r;

        for (unsigned i = 0; i < 40000; i++)
                g_string_append_printf(text, "10.%u.%u.%u\n", i >> 15, i >> 7 & 255, i << 1 & 255);
        unit_dataset_put(*state, text->str, hex);
        path = unit_dataset_path(hex);
        full = unit_path(*state, path);
        assert_int_equal(pt_dataset_open(*state, hex, &dataset), 0);
        assert_int_equal(pt_dataset_read(dataset, &chunk), 1);
        assert_int_equal(chunk.section, PT_DATASET_HOSTS4);
        assert_int_equal(chunk.size, 4);
        assert_int_equal(truncate(full, 100), 0);
        while ((r = pt_dataset_read(dataset, &chunk)) > 0)
                ;
        assert_int_equal(r, -EBADMSG);
        intervals = pt_dataset_intervals_new(dataset, AF_INET);
        assert_int_equal(pt_dataset_intervals_next(intervals, lo, hi), -EBADMSG);
}

typedef struct Disorder {
        uint32_t hosts, ranges;
        uint8_t records[16];
        size_t size;
} Disorder;

/* The digest is right, but we did not write it. */
static void test_disorder(void **state)
{
        static const Disorder cases[] = {
                {2, 0, {1, 0, 0, 2, 1, 0, 0, 1}, 8},                          /* descending */
                {2, 0, {1, 0, 0, 1, 1, 0, 0, 1}, 8},                          /* twice */
                {0, 1, {1, 0, 0, 2, 1, 0, 0, 1}, 8},                          /* backwards */
                {0, 1, {1, 0, 0, 1, 1, 0, 0, 1}, 8},                          /* of one address */
                {0, 2, {1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 2, 1, 0, 0, 9}, 16}, /* they touch */
                {0, 2, {1, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 2, 1, 0, 0, 9}, 16}, /* they overlap */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                uint8_t file[80] = {'P', 'T', 'R', 'N', 'D', 'A', 'T', 'A', 0, 0, 0, 1, 0, 0, 0, 1};
                g_autofree char *path = NULL;
                char hex[65];
                PtDigest digest;

                file[19] = (uint8_t) cases[i].hosts;
                file[27] = (uint8_t) cases[i].ranges;
                memcpy(file + 64, cases[i].records, cases[i].size);
                pt_digest_of(file, 64 + cases[i].size, &digest);
                pt_digest_to_hex(&digest, hex);
                path = unit_dataset_path(hex);
                unit_write(*state, path, file, 64 + cases[i].size);
                assert_int_equal(read_whole(*state, hex), -EBADMSG);
        }
}

static void test_pages(void **state)
{
        g_autoptr(PtDataset) dataset = NULL;
        g_autoptr(GString) whole = g_string_new(NULL);
        g_autofree char *text = NULL;
        char hex[65];

        unit_dataset_put(*state, small_list, hex);
        text = unit_dataset_text(*state, hex);
        assert_int_equal(pt_dataset_open(*state, hex, &dataset), 0);
        for (uint32_t size = 1; size < 8; size++) {
                g_string_truncate(whole, 0);
                for (uint32_t at = 0; at < 6; at += size)
                        assert_int_equal(pt_dataset_page_format(dataset, at, size, whole), 0);
                assert_string_equal(whole->str, text);
        }
        g_string_truncate(whole, 0);
        assert_int_equal(pt_dataset_page_format(dataset, 6, 10, whole), 0);
        assert_int_equal(pt_dataset_page_format(dataset, UINT32_MAX, UINT32_MAX, whole), 0);
        assert_int_equal(whole->len, 0);
}

/* Storing again mends, and leaves nothing beside the file. */
static void test_again(void **state)
{
        g_autofree char *path = NULL, *folder = unit_path(*state, PT_DATASET_FOLDER);
        g_autoptr(GDir) dir = NULL;
        char hex[65], same[65];

        unit_dataset_put(*state, small_list, hex);
        path = unit_dataset_path(hex);
        unit_write(*state, path, "damage", 6);
        assert_int_equal(read_whole(*state, hex), -EBADMSG);
        unit_dataset_put(*state, small_list, same);
        assert_string_equal(same, hex);
        assert_int_equal(read_whole(*state, hex), 0);
        dir = g_dir_open(folder, 0, NULL);
        assert_string_equal(g_dir_read_name(dir), hex);
        assert_null(g_dir_read_name(dir));
}

static void test_full_disk(void **state)
{
        g_autofree char *folder_path = unit_path(*state, PT_DATASET_FOLDER);
        pt_auto_fd int folder = unit_dataset_folder(*state);
        struct rlimit before, limit;
        g_autoptr(GDir) dir = NULL;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        signal(SIGXFSZ, SIG_IGN);
        for (rlim_t size = 0; size < 64 + 4; size += 17) {
                g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
                PtDatasetHeader header;
                PtDigest digest;
                int r;

                assert_int_equal(pt_dataset_import(builder, "list", "1.2.3.4", 7, NULL), 0);
                limit = (struct rlimit){size, before.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
                r = pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, &digest);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
                assert_int_equal(r, -EFBIG);
        }
        dir = g_dir_open(folder_path, 0, NULL);
        assert_null(g_dir_read_name(dir));
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, unit_dataset_setup, unit_store_teardown)
        const struct CMUnitTest tests[] = {
                test(test_no_dataset), test(test_truncated), test(test_changed),
                test(test_shrinks),    test(test_disorder),  test(test_pages),
                test(test_again),      test(test_full_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
