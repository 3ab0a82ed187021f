/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Hosts and ranges of a dataset side by side, as disjoint intervals. */

#include "txn/dataset-internal.h"

#include <string.h>

#define CURSOR_RECORDS 1024U

/* One section that is read from its beginning. */
typedef struct Cursor {
        PtDatasetSection section;
        uint32_t next, count; /* records */
        uint32_t at, filled;  /* of the buffer */
        uint8_t records[CURSOR_RECORDS * 32];
} Cursor;

struct PtDatasetIntervals {
        const PtDataset *dataset;
        size_t key;
        Cursor hosts, ranges;
        uint8_t floor[16]; /* what comes next is above: else the file is out of order */
        bool begun;
};

static void cursor_init(Cursor *cursor, const PtDataset *dataset, PtDatasetSection section)
{
        cursor->section = section;
        cursor->count = pt_dataset_header(dataset)->counts[section];
        cursor->next = cursor->at = cursor->filled = 0;
}

/* The record that the cursor is at; NULL in *ret: none is left. */
static int cursor_peek(Cursor *cursor, const PtDataset *dataset, const uint8_t **ret)
{
        int r;

        if (cursor->at == cursor->filled) {
                uint32_t n = MIN(cursor->count - cursor->next, CURSOR_RECORDS);

                r = pt_dataset_read_at(dataset, cursor->section, cursor->next, n, cursor->records);
                if (r < 0)
                        return r;
                cursor->next += n;
                cursor->at = 0;
                cursor->filled = n;
        }
        *ret = cursor->at == cursor->filled
                       ? NULL
                       : cursor->records + cursor->at * pt_dataset_record_size(cursor->section);
        return 0;
}

PtDatasetIntervals *pt_dataset_intervals_new(const PtDataset *dataset, uint8_t family)
{
        PtDatasetIntervals *intervals = g_new(PtDatasetIntervals, 1);
        bool v4 = family == AF_INET;

        intervals->dataset = dataset;
        intervals->begun = false;
        cursor_init(&intervals->hosts, dataset, v4 ? PT_DATASET_HOSTS4 : PT_DATASET_HOSTS6);
        cursor_init(&intervals->ranges, dataset, v4 ? PT_DATASET_RANGES4 : PT_DATASET_RANGES6);
        intervals->key = pt_dataset_key_size(intervals->hosts.section);
        return intervals;
}

void pt_dataset_intervals_free(PtDatasetIntervals *intervals)
{
        g_free(intervals);
}

/* The cursor that has the lower first address; NULL in *ret: both are at their end. */
static int lower(PtDatasetIntervals *intervals, Cursor **ret, const uint8_t **ret_record)
{
        const uint8_t *host, *range;
        bool take_host;
        int r;

        r = cursor_peek(&intervals->hosts, intervals->dataset, &host);
        if (r < 0)
                return r;
        r = cursor_peek(&intervals->ranges, intervals->dataset, &range);
        if (r < 0)
                return r;
        take_host = host && (!range || memcmp(host, range, intervals->key) < 0);
        *ret = take_host ? &intervals->hosts : range ? &intervals->ranges : NULL;
        *ret_record = take_host ? host : range;
        return 0;
}

int pt_dataset_intervals_next(PtDatasetIntervals *intervals, uint8_t lo[static 16],
                              uint8_t hi[static 16])
{
        uint8_t first[16] = {}, last[16] = {};
        size_t key = intervals->key;
        bool any = false;

        for (;;) {
                const uint8_t *record, *end;
                Cursor *cursor;
                int r = lower(intervals, &cursor, &record);

                if (r < 0)
                        return r;
                if (!cursor)
                        break;
                end = cursor == &intervals->ranges ? record + key : record;
                if (any && memcmp(record, last, key) > 0 && !pt_dataset_touches(last, record, key))
                        break;
                if (memcmp(record, end, key) > 0 ||
                    (intervals->begun && memcmp(record, intervals->floor, key) <= 0))
                        return -EBADMSG;
                if (!any)
                        memcpy(first, record, key);
                if (!any || memcmp(end, last, key) > 0)
                        memcpy(last, end, key);
                any = true;
                cursor->at++;
        }
        if (!any)
                return 0;
        memcpy(intervals->floor, last, sizeof(last));
        intervals->begun = true;
        memcpy(lo, first, sizeof(first));
        memcpy(hi, last, sizeof(last));
        return 1;
}
