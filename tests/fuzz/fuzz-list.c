/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Lists of strangers: the first byte says as what the rest is read. And what comes back from
 * patronus-fetch, which may be in a stranger's hands. */

#include "feeds-internal.h"
#include "list.h"

#include <unistd.h>

#define PACKED_MAX (4U * 1024U * 1024U)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_list(const FwAliasUrl *url, bool macs, const GByteArray *text)
{
        g_autoptr(PtDatasetBuilder) builder =
                pt_dataset_builder_new(macs ? PT_DATASET_MACS : PT_DATASET_ADDRESSES);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtDatasetImport *import = pt_dataset_import_begin(builder, "line", !macs, diag);
        PtDatasetHeader header;
        PtDigest digest;

        if (list_read(url, (const char *) text->data, text->len, import, diag) >= 0 &&
            pt_dataset_builder_digest(builder, &header, &digest) >= 0)
                g_assert(pt_dataset_header_entries(&header) <= pt_dataset_import_entries(import));
        pt_dataset_import_end(import);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        FwAliasUrl url = {.present = UINT64_C(1) << FW_URL_COLUMN,
                          .path = (char *) (uintptr_t) "a.*.b",
                          .column = 2};
        g_autoptr(GByteArray) text = g_byte_array_new();

        if (size == 0)
                return 0;
        if (data[0] & 0x80) {
                g_autoptr(FwFeedAnswer) answer = g_new0(FwFeedAnswer, 1);

                answer->dataset = -EBADF;
                answer->problems = g_ptr_array_new_with_free_func(g_free);
                answer->names = g_ptr_array_new_with_free_func(fw_feed_name_line_free);
                (void) fw_feed_answer_parse((const char *) data + 1, size - 1, answer);
                return 0;
        }
        url.format = data[0] % FW_LIST_FORMAT_MAX;
        url.separator = (data[0] >> 2) % FW_SEPARATOR_MAX;
        g_byte_array_append(text, data + 1, (guint) size - 1);
        if (list_unpack(&text, PACKED_MAX) >= 0)
                read_list(&url, data[0] & 0x40, text);
        return 0;
}
