/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A dataset's file and its reading from beginning to end; dataset-interval.c reads it by address,
 * dataset-text.c as text, and dataset-build.c makes it. */

#include "txn/dataset-internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC "PTRNDATA"
#define VERSION 1U
#define CHUNK_SIZE (64U * 1024U)

typedef struct Section {
        size_t key; /* bytes of one address */
        bool range; /* two of them */
        bool macs;  /* of a dataset of MACs */
} Section;

static const Section sections[PT_DATASET_SECTION_MAX] = {
        [PT_DATASET_HOSTS4] = {.key = 4},
        [PT_DATASET_HOSTS6] = {.key = 16},
        [PT_DATASET_RANGES4] = {.key = 4, .range = true},
        [PT_DATASET_RANGES6] = {.key = 16, .range = true},
        [PT_DATASET_ETHERS] = {.key = 6, .macs = true},
};

struct PtDataset {
        int fd;
        PtDigest digest;
        PtDatasetHeader header;

        /* Where pt_dataset_read() is. */
        PtHasher *hasher; /* NULL: at the beginning */
        uint64_t offset;
        unsigned section;
        uint32_t done;    /* records of the section that were read */
        uint8_t last[32]; /* the last of them */
        uint8_t buffer[CHUNK_SIZE];
};

const char *pt_dataset_content_to_string(PtDatasetContent content)
{
        switch (content) {
        case PT_DATASET_ADDRESSES:
                return "addresses";
        case PT_DATASET_MACS:
                return "macs";
        case PT_DATASET_CONTENT_MAX: /* PT_DATASET_ANY */
        case PT_DATASET_CONTENT_INVALID:
                break;
        }
        return "";
}

PtDatasetContent pt_dataset_content_from_string(const char *text)
{
        if (strcmp(text, "addresses") == 0)
                return PT_DATASET_ADDRESSES;
        return strcmp(text, "macs") == 0 ? PT_DATASET_MACS : PT_DATASET_CONTENT_INVALID;
}

size_t pt_dataset_key_size(PtDatasetSection section)
{
        return sections[section].key;
}

bool pt_dataset_is_range(PtDatasetSection section)
{
        return sections[section].range;
}

size_t pt_dataset_record_size(PtDatasetSection section)
{
        return sections[section].key << sections[section].range;
}

uint32_t pt_dataset_header_entries(const PtDatasetHeader *header)
{
        uint32_t n = 0;

        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++)
                n += header->counts[i];
        return n;
}

static uint64_t section_offset(const PtDatasetHeader *header, unsigned section)
{
        uint64_t offset = PT_DATASET_HEADER_SIZE;

        for (unsigned i = 0; i < section; i++)
                offset += (uint64_t) header->counts[i] * pt_dataset_record_size(i);
        return offset;
}

uint64_t pt_dataset_header_size(const PtDatasetHeader *header)
{
        return section_offset(header, PT_DATASET_SECTION_MAX);
}

static void put_u32(uint8_t *at, uint32_t value)
{
        value = GUINT32_TO_BE(value);
        memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const uint8_t *at)
{
        uint32_t value;

        memcpy(&value, at, sizeof(value));
        return GUINT32_FROM_BE(value);
}

void pt_dataset_header_write(const PtDatasetHeader *header,
                             uint8_t ret[static PT_DATASET_HEADER_SIZE])
{
        memset(ret, 0, PT_DATASET_HEADER_SIZE);
        memcpy(ret, MAGIC, 8);
        put_u32(ret + 8, VERSION);
        put_u32(ret + 12, header->content + 1U);
        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++)
                put_u32(ret + 16 + 4 * i, header->counts[i]);
}

int pt_dataset_header_read(const uint8_t data[static PT_DATASET_HEADER_SIZE], PtDatasetHeader *ret)
{
        uint8_t again[PT_DATASET_HEADER_SIZE];
        uint32_t content = get_u32(data + 12) - 1;
        PtDatasetHeader header;
        uint64_t entries = 0;

        if (content >= PT_DATASET_CONTENT_MAX)
                return -EBADMSG;
        header.content = content;
        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++) {
                header.counts[i] = get_u32(data + 16 + 4 * i);
                entries += header.counts[i];
                if (header.counts[i] > 0 && sections[i].macs != (content == PT_DATASET_MACS))
                        return -EBADMSG;
        }
        /* A header has one form: magic, version and zeroes are compared here. */
        pt_dataset_header_write(&header, again);
        if (entries > PT_DATASET_ENTRIES_MAX || memcmp(data, again, sizeof(again)) != 0)
                return -EBADMSG;
        *ret = header;
        return 0;
}

bool pt_dataset_touches(const uint8_t *hi, const uint8_t *lo, size_t size)
{
        size_t i = size - 1;

        /* hi + 1 == lo, from the last byte on: 0xff carries. */
        while (i > 0 && hi[i] == 0xff && lo[i] == 0)
                i--;
        return hi[i] != 0xff && hi[i] + 1 == lo[i] && memcmp(hi, lo, i) == 0;
}

/* All `size` bytes at `offset`; a file that ends before is damaged. */
static int read_exactly(int fd, void *data, size_t size, uint64_t offset)
{
        uint8_t *at = data;

        while (size > 0) {
                ssize_t n = pread(fd, at, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EBADMSG;
                at += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

static int read_header(int fd, PtDatasetHeader *ret)
{
        uint8_t data[PT_DATASET_HEADER_SIZE];
        PtDatasetHeader header;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        r = read_exactly(fd, data, sizeof(data), 0);
        if (r < 0)
                return r;
        r = pt_dataset_header_read(data, &header);
        if (r < 0)
                return r;
        if ((uint64_t) st.st_size != pt_dataset_header_size(&header))
                return -EBADMSG;
        *ret = header;
        return 0;
}

int pt_dataset_open_fd(int fd, const PtDigest *digest, PtDataset **ret)
{
        pt_auto_fd int owned = fd;
        PtDatasetHeader header;
        PtDataset *dataset;
        int r;

        r = read_header(fd, &header);
        if (r < 0)
                return r;
        dataset = g_new(PtDataset, 1);
        dataset->fd = pt_steal_fd(&owned);
        dataset->digest = *digest;
        dataset->header = header;
        dataset->hasher = NULL;
        *ret = dataset;
        return 0;
}

int pt_dataset_open(const char *state_dir, const char *digest, PtDataset **ret)
{
        g_autofree char *path = NULL;
        PtDigest expected;
        int fd, r;

        r = pt_digest_from_hex(digest, &expected);
        if (r < 0)
                return r;
        path = g_strdup_printf("%s/" PT_DATASET_FOLDER "/%s", state_dir, digest);
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return pt_dataset_open_fd(fd, &expected, ret);
}

static void rewind_dataset(PtDataset *dataset)
{
        PtDigest ignored;

        if (dataset->hasher)
                pt_hasher_end(g_steal_pointer(&dataset->hasher), &ignored);
}

void pt_dataset_close(PtDataset *dataset)
{
        if (!dataset)
                return;
        rewind_dataset(dataset);
        close(dataset->fd);
        g_free(dataset);
}

const PtDatasetHeader *pt_dataset_header(const PtDataset *dataset)
{
        return &dataset->header;
}

int pt_dataset_read_at(const PtDataset *dataset, PtDatasetSection section, uint32_t first,
                       uint32_t n, uint8_t *records)
{
        size_t size = pt_dataset_record_size(section);

        g_return_val_if_fail(n <= dataset->header.counts[section] &&
                                     first <= dataset->header.counts[section] - n,
                             -EINVAL);
        return read_exactly(dataset->fd, records, n * size,
                            section_offset(&dataset->header, section) + (uint64_t) first * size);
}

/* Whether `record` may come after `last` (NULL: as the first). */
static bool in_order(PtDatasetSection section, const uint8_t *last, const uint8_t *record)
{
        size_t key = sections[section].key;

        if (!sections[section].range)
                return !last || memcmp(last, record, key) < 0;
        if (memcmp(record, record + key, key) >= 0)
                return false;
        return !last || (memcmp(last + key, record, key) < 0 &&
                         !pt_dataset_touches(last + key, record, key));
}

static bool chunk_in_order(PtDataset *dataset, const PtDatasetChunk *chunk)
{
        const uint8_t *last = dataset->done > 0 ? dataset->last : NULL;

        for (size_t i = 0; i < chunk->n; i++) {
                const uint8_t *record = chunk->records + i * chunk->size;

                if (!in_order(chunk->section, last, record))
                        return false;
                last = record;
        }
        memcpy(dataset->last, last, chunk->size);
        return true;
}

/* The header is hashed as it was read: a file that was exchanged since is found by its digest. */
static void begin(PtDataset *dataset)
{
        uint8_t header[PT_DATASET_HEADER_SIZE];

        pt_dataset_header_write(&dataset->header, header);
        dataset->hasher = pt_hasher_new();
        pt_hasher_add(dataset->hasher, header, sizeof(header));
        dataset->offset = PT_DATASET_HEADER_SIZE;
        dataset->section = 0;
        dataset->done = 0;
}

static int end(PtDataset *dataset)
{
        PtDigest digest;

        pt_hasher_end(g_steal_pointer(&dataset->hasher), &digest);
        return pt_digest_equal(&digest, &dataset->digest) ? 0 : -EBADMSG;
}

static int read_chunk(PtDataset *dataset, PtDatasetChunk *ret)
{
        PtDatasetChunk chunk = {.section = dataset->section, .records = dataset->buffer};
        int r;

        chunk.size = pt_dataset_record_size(chunk.section);
        chunk.n =
                MIN(dataset->header.counts[chunk.section] - dataset->done, CHUNK_SIZE / chunk.size);
        r = read_exactly(dataset->fd, dataset->buffer, chunk.n * chunk.size, dataset->offset);
        if (r < 0)
                return r;
        if (!chunk_in_order(dataset, &chunk))
                return -EBADMSG;
        pt_hasher_add(dataset->hasher, dataset->buffer, chunk.n * chunk.size);
        dataset->offset += chunk.n * chunk.size;
        dataset->done += (uint32_t) chunk.n;
        *ret = chunk;
        return 1;
}

int pt_dataset_read(PtDataset *dataset, PtDatasetChunk *ret)
{
        int r;

        if (!dataset->hasher)
                begin(dataset);
        while (dataset->section < PT_DATASET_SECTION_MAX &&
               dataset->done == dataset->header.counts[dataset->section]) {
                dataset->section++;
                dataset->done = 0;
        }
        if (dataset->section == PT_DATASET_SECTION_MAX)
                return end(dataset);
        r = read_chunk(dataset, ret);
        if (r < 0)
                rewind_dataset(dataset);
        return r;
}

int pt_dataset_verify(PtDataset *dataset)
{
        PtDatasetChunk chunk;
        int r;

        rewind_dataset(dataset);
        do
                r = pt_dataset_read(dataset, &chunk);
        while (r > 0);
        return r;
}
