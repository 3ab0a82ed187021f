/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Collecting entries, bringing them into canonical form, and writing the file. */

#include "txn/dataset-internal.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Records of a section that are kept before duplicates are looked for: so that a long text of few
 * different entries stays small, and is not sorted often. */
#define RECORDS_MAX (PT_DATASET_ENTRIES_MAX + PT_DATASET_ENTRIES_MAX / 2)
#define RECORDS_MIN 1024U /* of the first allocation */
#define RECORD_SIZE_MAX 32U

typedef struct Records {
        uint8_t *data;
        uint32_t n, allocated;
} Records;

struct PtDatasetBuilder {
        PtDatasetContent content;
        bool full;
        Records sections[PT_DATASET_SECTION_MAX];
};

PtDatasetBuilder *pt_dataset_builder_new(PtDatasetContent content)
{
        PtDatasetBuilder *builder = g_new0(PtDatasetBuilder, 1);

        builder->content = content;
        return builder;
}

void pt_dataset_builder_free(PtDatasetBuilder *builder)
{
        if (!builder)
                return;
        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++)
                g_free(builder->sections[i].data);
        g_free(builder);
}

/* Sorting. */

static inline bool is_sorted(const uint8_t *data, size_t n, size_t size, size_t key)
{
        for (size_t i = 1; i < n; i++)
                if (memcmp(data + (i - 1) * size, data + i * size, key) > 0)
                        return false;
        return true;
}

/*
 * Radix sort, a byte at a time from the last of the key: of a million addresses an eighth of what
 * qsort() takes. Bytes that are the same everywhere, as the first of most IPv6 lists are, cost only
 * the counting. The sizes are constants at each call, for the compiler.
 */
static inline __attribute__((always_inline)) void sort_sized(Records *records, size_t size,
                                                             size_t key)
{
        g_autofree uint8_t *spare = NULL;
        size_t n = records->n;

        if (is_sorted(records->data, n, size, key))
                return;
        spare = g_malloc_n(n, size);
        for (size_t byte = key; byte-- > 0;) {
                uint32_t at[256] = {}, sum = 0;
                uint8_t *swap;

                for (size_t i = 0; i < n; i++)
                        at[records->data[i * size + byte]]++;
                if (at[records->data[byte]] == n)
                        continue;
                for (unsigned i = 0; i < 256; i++) {
                        uint32_t count = at[i];

                        at[i] = sum;
                        sum += count;
                }
                for (size_t i = 0; i < n; i++) {
                        const uint8_t *record = records->data + i * size;

                        memcpy(spare + at[record[byte]]++ * size, record, size);
                }
                swap = records->data;
                records->data = spare;
                spare = swap;
                records->allocated = records->n;
        }
}

static void sort_records(PtDatasetSection section, Records *records)
{
        switch (section) {
        case PT_DATASET_HOSTS4:
                sort_sized(records, 4, 4);
                break;
        case PT_DATASET_HOSTS6:
                sort_sized(records, 16, 16);
                break;
        case PT_DATASET_RANGES4:
                sort_sized(records, 8, 4);
                break;
        case PT_DATASET_RANGES6:
                sort_sized(records, 32, 16);
                break;
        case PT_DATASET_ETHERS:
                sort_sized(records, 6, 6);
                break;
        case PT_DATASET_SECTION_MAX:
        case PT_DATASET_SECTION_INVALID:
                break;
        }
}

static void drop_duplicates(Records *records, size_t size)
{
        uint32_t kept = 0;

        for (uint32_t i = 0; i < records->n; i++) {
                const uint8_t *record = records->data + i * size;

                if (kept > 0 && memcmp(records->data + (kept - 1) * size, record, size) == 0)
                        continue;
                memmove(records->data + kept++ * size, record, size);
        }
        records->n = kept;
}

/* Ranges that are sorted by their first addresses. */
static void merge_ranges(Records *records, size_t key)
{
        size_t size = 2 * key;
        uint32_t kept = 0;

        for (uint32_t i = 0; i < records->n; i++) {
                const uint8_t *record = records->data + i * size;

                if (kept > 0) {
                        uint8_t *last = records->data + (kept - 1) * size + key;
                        bool joins = memcmp(record, last, key) <= 0 ||
                                     pt_dataset_touches(last, record, key);

                        if (joins && memcmp(record + key, last, key) > 0)
                                memcpy(last, record + key, key);
                        if (joins)
                                continue;
                }
                memmove(records->data + kept++ * size, record, size);
        }
        records->n = kept;
}

static void compact(PtDatasetSection section, Records *records)
{
        if (records->n == 0)
                return;
        sort_records(section, records);
        if (pt_dataset_is_range(section))
                merge_ranges(records, pt_dataset_key_size(section));
        else
                drop_duplicates(records, pt_dataset_record_size(section));
}

/* Both in canonical form. */
static void drop_hosts_in_ranges(Records *hosts, const Records *ranges, size_t key)
{
        uint32_t kept = 0, range = 0;

        for (uint32_t i = 0; i < hosts->n; i++) {
                const uint8_t *host = hosts->data + i * key;

                while (range < ranges->n &&
                       memcmp(ranges->data + range * 2 * key + key, host, key) < 0)
                        range++;
                if (range < ranges->n && memcmp(ranges->data + range * 2 * key, host, key) <= 0)
                        continue;
                memmove(hosts->data + kept++ * key, host, key);
        }
        hosts->n = kept;
}

/* Adding. */

/* Room for `n` more records, where they go; NULL: there are too many. */
static uint8_t *make_room(PtDatasetBuilder *builder, PtDatasetSection section, uint32_t n)
{
        Records *records = &builder->sections[section];
        size_t size = pt_dataset_record_size(section);

        if (builder->full)
                return NULL;
        if (records->n + n > RECORDS_MAX) {
                compact(section, records);
                if (records->n > PT_DATASET_ENTRIES_MAX || records->n + n > RECORDS_MAX) {
                        builder->full = true;
                        return NULL;
                }
        }
        if (records->n + n > records->allocated) {
                records->allocated = MAX(records->n + n, MAX(records->n * 2, RECORDS_MIN));
                records->data = g_realloc_n(records->data, records->allocated, size);
        }
        records->n += n;
        return records->data + (records->n - n) * size;
}

static bool takes(PtDatasetBuilder *builder, PtDatasetContent content)
{
        if (builder->content == PT_DATASET_ANY)
                builder->content = content;
        return builder->content == content;
}

int pt_dataset_builder_add(PtDatasetBuilder *builder, const PtAddressRange *range)
{
        size_t key = range->family == AF_INET ? 4 : 16;
        bool host = memcmp(range->lo, range->hi, key) == 0;
        PtDatasetSection section = key == 4 ? (host ? PT_DATASET_HOSTS4 : PT_DATASET_RANGES4)
                                            : (host ? PT_DATASET_HOSTS6 : PT_DATASET_RANGES6);
        uint8_t *record;

        if (!takes(builder, PT_DATASET_ADDRESSES))
                return -EMEDIUMTYPE;
        record = make_room(builder, section, 1);
        if (!record)
                return -EFBIG;
        memcpy(record, range->lo, key);
        if (!host)
                memcpy(record + key, range->hi, key);
        return 0;
}

int pt_dataset_builder_add_mac(PtDatasetBuilder *builder, const PtMac *mac)
{
        uint8_t *record;

        if (!takes(builder, PT_DATASET_MACS))
                return -EMEDIUMTYPE;
        record = make_room(builder, PT_DATASET_ETHERS, 1);
        if (!record)
                return -EFBIG;
        memcpy(record, mac->bytes, sizeof(mac->bytes));
        return 0;
}

int pt_dataset_builder_add_dataset(PtDatasetBuilder *builder, PtDataset *dataset)
{
        PtDatasetChunk chunk;
        int r;

        if (!takes(builder, pt_dataset_header(dataset)->content))
                return -EMEDIUMTYPE;
        r = pt_dataset_verify(dataset);
        if (r < 0)
                return r;
        while ((r = pt_dataset_read(dataset, &chunk)) > 0) {
                uint8_t *records = make_room(builder, chunk.section, (uint32_t) chunk.n);

                if (!records)
                        return -EFBIG;
                memcpy(records, chunk.records, chunk.n * chunk.size);
        }
        return r;
}

int pt_dataset_builder_finish(PtDatasetBuilder *builder, PtDatasetHeader *ret)
{
        Records *sections = builder->sections;
        PtDatasetHeader header = {
                .content = builder->content == PT_DATASET_ANY ? PT_DATASET_ADDRESSES
                                                              : builder->content,
        };
        uint64_t entries = 0;

        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++)
                compact(i, &sections[i]);
        drop_hosts_in_ranges(&sections[PT_DATASET_HOSTS4], &sections[PT_DATASET_RANGES4], 4);
        drop_hosts_in_ranges(&sections[PT_DATASET_HOSTS6], &sections[PT_DATASET_RANGES6], 16);
        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++) {
                header.counts[i] = sections[i].n;
                entries += sections[i].n;
        }
        if (builder->full || entries > PT_DATASET_ENTRIES_MAX)
                return -EFBIG;
        *ret = header;
        return 0;
}

/* Writing. */

static void digest_of(const PtDatasetBuilder *builder,
                      const uint8_t header[static PT_DATASET_HEADER_SIZE], PtDigest *ret)
{
        PtHasher *hasher = pt_hasher_new();

        pt_hasher_add(hasher, header, PT_DATASET_HEADER_SIZE);
        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX; i++)
                pt_hasher_add(hasher, builder->sections[i].data,
                              builder->sections[i].n * pt_dataset_record_size(i));
        pt_hasher_end(hasher, ret);
}

static int write_sections(const PtDatasetBuilder *builder,
                          const uint8_t header[static PT_DATASET_HEADER_SIZE], int fd)
{
        int r = pt_write_all(fd, header, PT_DATASET_HEADER_SIZE);

        for (unsigned i = 0; i < PT_DATASET_SECTION_MAX && r >= 0; i++)
                r = pt_write_all(fd, builder->sections[i].data,
                                 builder->sections[i].n * pt_dataset_record_size(i));
        return r;
}

static int write_content(const PtDatasetBuilder *builder,
                         const uint8_t header[static PT_DATASET_HEADER_SIZE], gid_t gid, int fd)
{
        int r = write_sections(builder, header, fd);

        if (r < 0)
                return r;
        /* Without the group the daemon cannot read it, but it is not lost: the caller has warned
         * when it looked the group up, as of revisions' files. */
        if (gid != PT_DATASET_NO_GROUP)
                (void) !fchown(fd, (uid_t) -1, gid);
        if (fchmod(fd, gid == PT_DATASET_NO_GROUP ? 0644 : 0640) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int pt_dataset_builder_digest(PtDatasetBuilder *builder, PtDatasetHeader *ret_header,
                              PtDigest *ret_digest)
{
        uint8_t head[PT_DATASET_HEADER_SIZE];
        PtDatasetHeader header;
        int r;

        r = pt_dataset_builder_finish(builder, &header);
        if (r < 0)
                return r;
        pt_dataset_header_write(&header, head);
        digest_of(builder, head, ret_digest);
        *ret_header = header;
        return 0;
}

int pt_dataset_write(PtDatasetBuilder *builder, int fd, PtDatasetHeader *ret_header,
                     PtDigest *ret_digest)
{
        uint8_t head[PT_DATASET_HEADER_SIZE];
        int r = pt_dataset_builder_digest(builder, ret_header, ret_digest);

        if (r < 0)
                return r;
        pt_dataset_header_write(ret_header, head);
        return write_sections(builder, head, fd);
}

/* Whether the file is there, whole; then its time becomes now. */
static bool is_stored(int dirfd, const char *name, const PtDigest *digest)
{
        g_autoptr(PtDataset) dataset = NULL;
        int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

        return fd >= 0 && pt_dataset_open_fd(fd, digest, &dataset) >= 0 &&
               pt_dataset_verify(dataset) >= 0 &&
               utimensat(dirfd, name, NULL, AT_SYMLINK_NOFOLLOW) >= 0;
}

static int write_dataset(const PtDatasetBuilder *builder, int dirfd, const char *name,
                         const PtDatasetHeader *header, gid_t gid)
{
        uint8_t head[PT_DATASET_HEADER_SIZE];
        g_autofree char *temporary = NULL;
        pt_auto_fd int fd = -EBADF;
        uint64_t nonce;
        int r;

        pt_dataset_header_write(header, head);
        /* Two imports may write the same list at the same time. */
        if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
                return -EIO;
        temporary = g_strdup_printf("%s.%016" G_GINT64_MODIFIER "x.tmp", name, (guint64) nonce);
        fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = write_content(builder, head, gid, fd);
        if (r >= 0 && renameat(dirfd, temporary, dirfd, name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dirfd, temporary, 0);
                return r;
        }
        return fsync(dirfd) < 0 ? -errno : 0;
}

int pt_dataset_store(PtDatasetBuilder *builder, int dirfd, gid_t gid, PtDatasetHeader *ret_header,
                     PtDigest *ret_digest)
{
        char name[PT_DIGEST_HEX + 1];
        PtDatasetHeader header;
        PtDigest digest;
        int r;

        r = pt_dataset_builder_digest(builder, &header, &digest);
        if (r < 0)
                return r;
        pt_digest_to_hex(&digest, name);
        if (!is_stored(dirfd, name, &digest)) {
                r = write_dataset(builder, dirfd, name, &header, gid);
                if (r < 0)
                        return r;
        }
        *ret_header = header;
        *ret_digest = digest;
        return 0;
}
