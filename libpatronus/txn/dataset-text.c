/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A dataset's entries as lines. */

#include "txn/dataset-internal.h"

#include <string.h>

#define PAGE_RECORDS 512U /* that are read at once */

static void mac_format(const uint8_t mac[static 6], GString *out)
{
        static const char digits[] = "0123456789abcdef";

        for (unsigned i = 0; i < 6; i++) {
                if (i > 0)
                        g_string_append_c(out, ':');
                g_string_append_c(out, digits[mac[i] >> 4]);
                g_string_append_c(out, digits[mac[i] & 15]);
        }
}

void pt_dataset_record_format(PtDatasetSection section, const uint8_t *record, GString *out)
{
        size_t key = pt_dataset_key_size(section);
        PtAddressRange range = {.family = key == 4 ? AF_INET : AF_INET6};

        if (section == PT_DATASET_ETHERS) {
                mac_format(record, out);
                return;
        }
        memcpy(range.lo, record, key);
        memcpy(range.hi, pt_dataset_is_range(section) ? record + key : record, key);
        pt_address_range_settle(&range);
        pt_address_range_format(&range, out);
}

void pt_dataset_chunk_format(const PtDatasetChunk *chunk, GString *out)
{
        for (size_t i = 0; i < chunk->n; i++) {
                pt_dataset_record_format(chunk->section, chunk->records + i * chunk->size, out);
                g_string_append_c(out, '\n');
        }
}

int pt_dataset_page_format(const PtDataset *dataset, uint32_t first, uint32_t n, GString *out)
{
        const PtDatasetHeader *header = pt_dataset_header(dataset);
        uint8_t records[PAGE_RECORDS * 32];

        for (unsigned section = 0; section < PT_DATASET_SECTION_MAX && n > 0; section++) {
                uint32_t count = header->counts[section];

                while (first < count && n > 0) {
                        PtDatasetChunk chunk = {
                                .section = section,
                                .records = records,
                                .n = MIN(MIN(n, count - first), PAGE_RECORDS),
                                .size = pt_dataset_record_size(section),
                        };
                        int r = pt_dataset_read_at(dataset, section, first, (uint32_t) chunk.n,
                                                   records);

                        if (r < 0)
                                return r;
                        pt_dataset_chunk_format(&chunk, out);
                        first += (uint32_t) chunk.n;
                        n -= (uint32_t) chunk.n;
                }
                first -= MIN(first, count);
        }
        return 0;
}
