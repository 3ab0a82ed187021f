/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A folder of datasets for each test, and lists in and out as text. */

#include "base/io.h"
#include "store-unit.h"
#include "txn/dataset.h"

#include <fcntl.h>

/* *state is a state directory with a folder of datasets. */
static inline int unit_dataset_setup(void **state)
{
        g_autofree char *folder = NULL;

        if (unit_store_setup(state) < 0)
                return -1;
        folder = g_build_filename(*state, PT_DATASET_FOLDER, NULL);
        return g_mkdir_with_parents(folder, 0755);
}

static inline int unit_dataset_folder(const char *state_dir)
{
        g_autofree char *folder = g_build_filename(state_dir, PT_DATASET_FOLDER, NULL);
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

/* Imports a text that is right, and stores it. */
static inline void unit_dataset_put(const char *state_dir, const char *text, char hex[static 65])
{
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ANY);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_fd int folder = unit_dataset_folder(state_dir);
        PtDatasetHeader header;
        PtDigest digest;
        int r = pt_dataset_import(builder, "list", text, strlen(text), diag);

        unit_print(diag);
        assert_int_equal(r, 0);
        assert_int_equal(pt_dataset_store(builder, folder, PT_DATASET_NO_GROUP, &header, &digest),
                         0);
        pt_digest_to_hex(&digest, hex);
}

/* The lines of a dataset, read from beginning to end. */
static inline char *unit_dataset_text(const char *state_dir, const char *hex)
{
        g_autoptr(PtDataset) dataset = NULL;
        GString *out = g_string_new(NULL);
        PtDatasetChunk chunk;
        int r;

        assert_int_equal(pt_dataset_open(state_dir, hex, &dataset), 0);
        while ((r = pt_dataset_read(dataset, &chunk)) > 0)
                pt_dataset_chunk_format(&chunk, out);
        assert_int_equal(r, 0);
        return g_string_free(out, FALSE);
}

static inline char *unit_dataset_path(const char *hex)
{
        return g_strconcat(PT_DATASET_FOLDER "/", hex, NULL);
}
