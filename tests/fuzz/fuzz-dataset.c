/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Lists as text, and files of datasets. No fuzzer finds a SHA-256, so the bytes are read as a file
 * with whatever digest they have; and what text becomes is written, read, and imported again.
 */

#include "base/io.h"
#include "txn/dataset.h"

#include <fcntl.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The lines of a dataset in `fd`, which is closed; NULL: it is none. */
static GString *read_file(int fd, const PtDigest *digest)
{
        g_autoptr(GString) text = g_string_new(NULL), page = g_string_new(NULL);
        g_autoptr(PtDataset) dataset = NULL;
        PtDatasetChunk chunk;
        int r;

        if (pt_dataset_open_fd(fd, digest, &dataset) < 0)
                return NULL;
        while ((r = pt_dataset_read(dataset, &chunk)) > 0)
                pt_dataset_chunk_format(&chunk, text);
        if (r < 0)
                return NULL;
        g_assert(pt_dataset_page_format(dataset, 0, UINT32_MAX, page) == 0);
        g_assert(g_string_equal(page, text));
        return g_steal_pointer(&text);
}

/* Ascending and disjoint, with gaps, whatever is in it. */
static void walk_intervals(int fd, const PtDigest *digest, uint8_t family)
{
        g_autoptr(PtDatasetIntervals) intervals = NULL;
        g_autoptr(PtDataset) dataset = NULL;
        size_t size = family == AF_INET ? 4 : 16;
        uint8_t lo[16], hi[16], last[16];
        bool any = false;

        if (pt_dataset_open_fd(fd, digest, &dataset) < 0)
                return;
        intervals = pt_dataset_intervals_new(dataset, family);
        while (pt_dataset_intervals_next(intervals, lo, hi) > 0) {
                g_assert(memcmp(lo, hi, size) <= 0);
                g_assert(!any || memcmp(last, lo, size) < 0);
                memcpy(last, hi, sizeof(last));
                any = true;
        }
}

static int as_file(const void *data, size_t size)
{
        int fd = pt_memfd_new_sealed("fuzz", data, size);

        g_assert(fd >= 0);
        return fd;
}

/* A builder's dataset as a file, by way of a folder that is never on disk. */
static GString *through_file(PtDatasetBuilder *builder, PtDigest *ret_digest)
{
        g_autofree char *dir = g_strdup("/dev/shm/fuzz-dataset-XXXXXX"), *path = NULL;
        char name[PT_DIGEST_HEX + 1];
        PtDatasetHeader header;
        pt_auto_fd int folder = -EBADF;
        GString *text;
        int fd;

        g_assert(g_mkdtemp(dir));
        folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert(pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, ret_digest) == 0);
        pt_digest_to_hex(ret_digest, name);
        path = g_build_filename(dir, name, NULL);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        text = read_file(fd, ret_digest);
        g_assert(text);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        walk_intervals(fd, ret_digest, AF_INET);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        walk_intervals(fd, ret_digest, AF_INET6);
        g_assert(unlink(path) == 0 && rmdir(dir) == 0);
        return text;
}

static void import_text(const char *data, size_t size)
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDatasetBuilder) again = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDatasetBuilder) streamed = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_fd int fd = as_file(data, size);
        g_autoptr(GString) text = NULL;
        PtDigest digest, other;
        PtDatasetHeader header;
        int r = pt_dataset_import(builder, "fuzz", data, size, diag);

        g_assert((r < 0) == (pt_diag_errors(diag) > 0));
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                g_assert(g_utf8_validate(pt_diag_get(diag, i)->text, -1, NULL));
        g_assert(pt_dataset_import_fd(streamed, "fuzz", fd, NULL) == r);
        if (r < 0)
                return;
        text = through_file(builder, &digest);
        g_assert(pt_dataset_import(again, "again", text->str, text->len, NULL) == 0);
        g_assert(pt_dataset_builder_digest(again, &header, &other) == 0);
        g_assert(text->len == 0 || pt_digest_equal(&digest, &other));
        g_assert(pt_dataset_builder_digest(streamed, &header, &other) == 0);
        g_assert(pt_digest_equal(&digest, &other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        PtDigest digest;
        GString *text;

        pt_digest_of(data, size, &digest);
        text = read_file(as_file(data, size), &digest);
        if (text)
                g_string_free(text, TRUE);
        walk_intervals(as_file(data, size), &digest, AF_INET);
        walk_intervals(as_file(data, size), &digest, AF_INET6);
        import_text((const char *) data, size);
        return 0;
}
