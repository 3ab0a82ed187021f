/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sets-emit.h"

#include "base/marks.h"
#include "filter/interval.h"
#include "touched.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

/* Elements of one set that verify asks for, of those that leave and of those that enter. */
#define SAMPLES 16U
/* Of a fresh set, before a transaction is asked whether it is full. */
#define ENTRIES_AT_ONCE 4096U

/* nft's datatype numbers, for listings (nftables/include/datatype.h). */
static const uint32_t key_types[FW_SET_PART_MAX] = {
        [FW_SET_IPV4] = 7, [FW_SET_IPV6] = 8, [FW_SET_MACS] = 9, [FW_SET_PORTS] = 13};

/* Bytes of one entry: a key, or the first and last of an interval. */
static size_t entry_size(const FwSetChange *change)
{
        return fw_part_key_len(change->part) * (change->intervals ? 2 : 1);
}

static void put_entry(const FwSetChange *change, const uint8_t *entry, PtNftBatch *batch)
{
        size_t len = fw_part_key_len(change->part);
        uint8_t end[FW_NUMBER_BYTES_MAX];

        pt_nft_batch_key(batch, entry, len, 0);
        if (!change->intervals)
                return;
        /* Ends are exclusive; an interval to the last number has none. */
        memcpy(end, entry + len, len);
        if (fw_interval_increment(end, len))
                pt_nft_batch_key(batch, end, len, NFT_SET_ELEM_INTERVAL_END);
}

static void put_entries(const FwSetChange *change, const GByteArray *entries, bool remove,
                        PtNftBatch *batch)
{
        size_t size = entry_size(change);

        if (entries->len == 0)
                return;
        pt_nft_batch_elements_begin(batch, TABLE, change->after, 0, remove);
        for (size_t at = 0; at < entries->len; at += size)
                put_entry(change, entries->data + at, batch);
        pt_nft_batch_elements_end(batch);
}

/* All that a fresh set holds, in as many transactions as it takes. */
static void put_fresh(const FwSetChange *change, FwStages *stages)
{
        size_t size = entry_size(change), at = 0;

        while (at < change->added->len) {
                size_t end = MIN(at + ENTRIES_AT_ONCE * size, change->added->len);

                fw_stages_part(stages);
                pt_nft_batch_elements_begin(stages->before, TABLE, change->after, 0, false);
                for (; at < end; at += size)
                        put_entry(change, change->added->data + at, stages->before);
                pt_nft_batch_elements_end(stages->before);
        }
}

/* Whether a key begins an entry of an ascending list. */
static bool begins(const FwSetChange *change, const GByteArray *entries, const uint8_t *key)
{
        size_t size = entry_size(change), lo = 0, hi = entries->len / size;

        while (lo < hi) {
                size_t middle = lo + (hi - lo) / 2;
                int order =
                        memcmp(entries->data + middle * size, key, fw_part_key_len(change->part));

                if (order == 0)
                        return true;
                if (order < 0)
                        lo = middle + 1;
                else
                        hi = middle;
        }
        return false;
}

static void touch_entry(const FwSetChange *change, const uint8_t *entry, bool gone,
                        FwTouched *touched)
{
        size_t len = fw_part_key_len(change->part);
        uint8_t end[FW_NUMBER_BYTES_MAX];

        if (gone && begins(change, change->added, entry))
                return; /* an interval that only ends elsewhere */
        fw_touched_member(touched, change->after, entry, len, 0, gone);
        if (!change->intervals || gone)
                return;
        memcpy(end, entry + len, len);
        if (fw_interval_increment(end, len))
                fw_touched_member(touched, change->after, end, len, NFT_SET_ELEM_INTERVAL_END,
                                  false);
}

/* The first, the last, and some between. */
static void touch_entries(const FwSetChange *change, const GByteArray *entries, bool gone,
                          FwTouched *touched)
{
        size_t size = entry_size(change), n = entries->len / size;
        size_t samples = MIN(n, SAMPLES);

        for (size_t i = 0; i < samples; i++) {
                size_t at = samples == 1 ? 0 : i * (n - 1) / (samples - 1);

                touch_entry(change, entries->data + at * size, gone, touched);
        }
}

static void create(const FwSetChange *change, PtNftBatch *batch)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = change->after,
                .flags = (change->intervals ? NFT_SET_INTERVAL : 0) |
                         (change->external ? NFT_SET_EVAL | NFT_SET_TIMEOUT : 0),
                .timeout = change->timeout * 1000,
                .key_type = key_types[change->part],
                .key_len = (uint32_t) fw_part_key_len(change->part),
                .size = 1U << change->size,
        };

        pt_nft_batch_add_set(batch, &spec);
}

static void put_kept(const FwSetChange *change, PtNftBatch *batch)
{
        if (!change->kept || change->kept->len == 0)
                return;
        pt_nft_batch_elements_begin(batch, TABLE, change->after, 0, false);
        for (unsigned i = 0; i < change->kept->len; i++) {
                const FwKept *kept = &g_array_index(change->kept, FwKept, i);

                pt_nft_batch_element(batch,
                                     fw_external_element(change->part, kept->key, kept->left));
        }
        pt_nft_batch_elements_end(batch);
}

struct nftnl_set_elem *fw_external_element(FwSetPart part, const void *key, uint64_t left_msec)
{
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();

        g_assert(element);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, (uint32_t) fw_part_key_len(part));
        if (left_msec)
                nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, left_msec);
        return element;
}

void fw_sets_put(const FwSets *sets, FwStages *stages, FwTouched *touched)
{
        const GPtrArray *changes = fw_sets_changes(sets);

        for (unsigned i = 0; i < changes->len; i++) {
                const FwSetChange *change = g_ptr_array_index(changes, i);

                bool fresh = g_strcmp0(change->before, change->after) != 0;

                if (!change->after)
                        continue;
                if (fresh) {
                        fw_stages_part(stages);
                        create(change, stages->before);
                }
                if (change->external) {
                        put_kept(change, fresh ? stages->before : stages->batch);
                        continue;
                }
                fw_touched_set(touched, change->after,
                               change->intervals ? change->elements / 2 : change->elements);
                if (fresh) {
                        put_fresh(change, stages);
                } else {
                        put_entries(change, change->removed, true, stages->batch);
                        put_entries(change, change->added, false, stages->batch);
                }
                touch_entries(change, change->removed, true, touched);
                touch_entries(change, change->added, false, touched);
        }
}

void fw_sets_put_drops(const FwSets *sets, PtNftBatch *batch)
{
        const GPtrArray *changes = fw_sets_changes(sets);

        for (unsigned i = 0; i < changes->len; i++) {
                const FwSetChange *change = g_ptr_array_index(changes, i);

                if (change->before && g_strcmp0(change->before, change->after) != 0)
                        pt_nft_batch_delete_set(batch, TABLE, change->before);
        }
}
