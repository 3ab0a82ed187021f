/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/flatten.h"

#include "txn/dataset.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define RECORDS_READ 2048U /* at once */

FwNumber fw_number_read(const uint8_t *bytes, size_t len)
{
        FwNumber number = 0;
        uint32_t word;

        /* A million of them are read at once: in whole words what is whole words. */
        for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
                memcpy(&word, bytes, sizeof(word));
                number = number << 32 | be32toh(word);
        }
        while (len-- > 0)
                number = number << 8 | *bytes++;
        return number;
}

void fw_number_write(FwNumber number, size_t len, uint8_t *ret)
{
        for (; len % sizeof(uint32_t) != 0; number >>= 8)
                ret[--len] = (uint8_t) number;
        for (; len > 0; number >>= 32) {
                uint32_t word = htobe32((uint32_t) number);

                len -= sizeof(word);
                memcpy(ret + len, &word, sizeof(word));
        }
}

FwNumber fw_number_max(size_t len)
{
        return ~(FwNumber) 0 >> (8 * (sizeof(FwNumber) - len));
}

size_t fw_part_key_len(FwSetPart part)
{
        static const uint8_t lengths[FW_SET_PART_MAX] = {
                [FW_SET_IPV4] = 4, [FW_SET_IPV6] = 16, [FW_SET_PORTS] = 2, [FW_SET_MACS] = 6};

        return lengths[part];
}

bool fw_part_of_type(FwSetPart part, FwAliasType type)
{
        switch (type) {
        case FW_ALIAS_HOST:
        case FW_ALIAS_NETWORK:
                return part == FW_SET_IPV4 || part == FW_SET_IPV6;
        case FW_ALIAS_PORT:
                return part == FW_SET_PORTS;
        case FW_ALIAS_MAC:
                return part == FW_SET_MACS;
        case FW_ALIAS_TYPE_MAX:
        case FW_ALIAS_TYPE_INVALID:
                break;
        }
        g_assert_not_reached();
}

GPtrArray *fw_flat_closure(const PtSlice *slice, const char *name)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        GPtrArray *closure = g_ptr_array_new();
        const PtObject *object = pt_slice_get(slice, &pt_kind_alias, name);

        if (object)
                g_ptr_array_add(closure, (void *) (uintptr_t) object);
        for (unsigned i = 0; i < closure->len; i++) {
                const Alias *alias = g_ptr_array_index(closure, i);
                char *const *names = alias->aliases.items;

                g_hash_table_add(seen, (void *) (uintptr_t) alias);
                for (unsigned k = 0; k < alias->aliases.n; k++) {
                        object = pt_slice_get(slice, &pt_kind_alias, names[k]);
                        if (object && g_hash_table_add(seen, (void *) (uintptr_t) object))
                                g_ptr_array_add(closure, (void *) (uintptr_t) object);
                }
        }
        return closure;
}

static int refuse(const Alias *alias, const char *digest, const char *pointer, const char *remedy,
                  int error, PtDiagnostics *diag)
{
        bool missing = error == -ENOENT;
        g_autofree char *subject =
                g_strdup_printf("%s/%s", alias->object.kind->name, alias->object.name);
        g_autofree char *text =
                missing ? g_strdup_printf("there is no dataset %s; %s", digest, remedy)
                        : g_strdup_printf("the dataset %s cannot be read: %s; %s", digest,
                                          error == -EBADMSG ? "it is damaged" : strerror(-error),
                                          remedy);

        pt_diag_add_full(diag, PT_SEVERITY_ERROR, subject, pointer,
                         missing ? "dataset-missing" : "dataset-broken", text);
        return error;
}

/* The file of what was found out at run time. */
static int open_live(const FwSource *source, const FwLiveItem *item, PtDataset **ret)
{
        g_autofree char *path = g_build_filename(fw_live_folder(source->live), item->digest, NULL);
        pt_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        PtDigest digest;
        int r;

        if (fd < 0)
                return -errno;
        r = pt_digest_from_hex(item->digest, &digest);
        return r < 0 ? r : pt_dataset_open_fd(pt_steal_fd(&fd), &digest, ret);
}

/* A dataset of the item, or NULL: it has none. */
static const FwLiveItem *live_dataset(const FwSource *source, const Alias *alias, FwLiveSort sort)
{
        const FwLiveItem *item = fw_live_of(source->live, alias, sort);

        return item && item->digest[0] ? item : NULL;
}

static int verify_live(const FwSource *source, const Alias *alias, PtDiagnostics *diag)
{
        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++) {
                const FwLiveItem *item = live_dataset(source, alias, sort);
                g_autoptr(PtDataset) dataset = NULL;
                g_autofree char *pointer = NULL;
                int r;

                if (!item)
                        continue;
                r = open_live(source, item, &dataset);
                if (r == 0)
                        r = pt_dataset_verify(dataset);
                if (r == 0)
                        continue;
                pointer = g_strdup_printf("/spec/%s", fw_live_sort_to_string(sort));
                return refuse(alias, item->digest, pointer, "refresh the alias", r, diag);
        }
        return 0;
}

static unsigned count_datasets(const Alias *alias)
{
        return (alias->dataset != NULL) + fw_alias_asks(alias, FW_LIVE_URL) +
               fw_alias_asks(alias, FW_LIVE_PLACES);
}

static int open_dataset(const FwSource *source, const Alias *alias, PtDataset **ret)
{
        return source->state_dir ? pt_dataset_open(source->state_dir, alias->dataset, ret)
                                 : -ENOENT;
}

int fw_flat_verify(const FwSource *source, const GPtrArray *closure, PtDiagnostics *diag)
{
        unsigned n = 0;

        for (unsigned i = 0; i < closure->len; i++) {
                const Alias *alias = g_ptr_array_index(closure, i);
                g_autoptr(PtDataset) dataset = NULL;
                int r;

                n += count_datasets(alias);
                if (n > FW_FLAT_DATASETS_MAX) {
                        const Alias *root = g_ptr_array_index(closure, 0);

                        pt_diag_error(diag, "too-many-datasets", "",
                                      "the alias %s and what it includes have more than %d "
                                      "datasets; join some of them",
                                      root->object.name, FW_FLAT_DATASETS_MAX);
                        return -E2BIG;
                }
                r = verify_live(source, alias, diag);
                if (r < 0)
                        return r;
                if (!alias->dataset)
                        continue;
                r = open_dataset(source, alias, &dataset);
                if (r == 0)
                        r = pt_dataset_verify(dataset);
                if (r < 0)
                        return refuse(alias, alias->dataset, "/spec/dataset", "load it again", r,
                                      diag);
        }
        return 0;
}

/* A section of a dataset that is being read. */
typedef struct Stream {
        PtDataset *dataset; /* borrowed */
        PtDatasetSection section;
        size_t size;      /* of a record */
        uint8_t *records; /* so many are read, and `at` is the next of them */
        uint32_t next, n, at;
        FwSpan head; /* what comes next */
} Stream;

struct FwFlat {
        FwSetPart part;
        size_t len;
        GArray *entries; /* FwSpan of the aliases' own lists, ascending */
        unsigned at;
        GPtrArray *datasets; /* PtDataset */
        GArray *streams;     /* Stream; those that have ended are gone */
        FwSpan pending;      /* may still grow */
        bool begun;
        size_t spans, numbers; /* that were given */
        FwNumber last;         /* of them */
};

static void stream_clear(void *p)
{
        g_free(((Stream *) p)->records);
}

static void dataset_free(void *p)
{
        pt_dataset_close(p);
}

/* The next record becomes the head. 0: there is none. */
static int advance(Stream *stream, size_t len)
{
        const uint8_t *record;

        if (stream->at == stream->n) {
                uint32_t count = pt_dataset_header(stream->dataset)->counts[stream->section];
                int r;

                stream->next += stream->n;
                stream->n = MIN(count - stream->next, RECORDS_READ);
                stream->at = 0;
                if (stream->n == 0)
                        return 0;
                r = pt_dataset_read_at(stream->dataset, stream->section, stream->next, stream->n,
                                       stream->records);
                if (r < 0)
                        return r;
        }
        record = stream->records + stream->size * stream->at++;
        stream->head.lo = fw_number_read(record, len);
        stream->head.hi = stream->size == len ? stream->head.lo : fw_number_read(record + len, len);
        return 1;
}

/* Ends when there is nothing in the section. */
static int add_stream(FwFlat *flat, PtDataset *dataset, PtDatasetSection section)
{
        Stream stream = {
                .dataset = dataset, .section = section, .size = pt_dataset_record_size(section)};
        int r;

        if (pt_dataset_header(dataset)->counts[section] == 0)
                return 0;
        stream.records = g_malloc(RECORDS_READ * stream.size);
        r = advance(&stream, flat->len);
        g_array_append_val(flat->streams, stream); /* which frees it in any case */
        return MIN(r, 0);
}

/* Takes the dataset. */
static int add_dataset(FwFlat *flat, PtDataset *dataset)
{
        int r;

        g_ptr_array_add(flat->datasets, dataset);
        switch (flat->part) {
        case FW_SET_IPV4:
                r = add_stream(flat, dataset, PT_DATASET_HOSTS4);
                return r < 0 ? r : add_stream(flat, dataset, PT_DATASET_RANGES4);
        case FW_SET_IPV6:
                r = add_stream(flat, dataset, PT_DATASET_HOSTS6);
                return r < 0 ? r : add_stream(flat, dataset, PT_DATASET_RANGES6);
        case FW_SET_MACS:
                return add_stream(flat, dataset, PT_DATASET_ETHERS);
        case FW_SET_PORTS:
                return 0;
        case FW_SET_PART_MAX:
        case FW_SET_PART_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void add_entry(FwFlat *flat, FwNumber lo, FwNumber hi)
{
        FwSpan span = {lo, hi};

        g_array_append_val(flat->entries, span);
}

static void add_ranges(FwFlat *flat, const PtAddressRange *ranges, unsigned n)
{
        int family = flat->part == FW_SET_IPV4 ? AF_INET : AF_INET6;

        for (unsigned i = 0; i < n; i++)
                if (ranges[i].family == family)
                        add_entry(flat, fw_number_read(ranges[i].lo, flat->len),
                                  fw_number_read(ranges[i].hi, flat->len));
}

static void add_lists(FwFlat *flat, const Alias *alias)
{
        const PtPortRange *ports = alias->ports.items;
        const PtMac *macs = alias->macs.items;

        switch (flat->part) {
        case FW_SET_IPV4:
        case FW_SET_IPV6:
                add_ranges(flat, alias->addresses.items, alias->addresses.n);
                break;
        case FW_SET_PORTS:
                for (unsigned i = 0; i < alias->ports.n; i++)
                        add_entry(flat, ports[i].lo, ports[i].hi);
                break;
        case FW_SET_MACS:
                for (unsigned i = 0; i < alias->macs.n; i++) {
                        FwNumber mac = fw_number_read(macs[i].bytes, flat->len);

                        add_entry(flat, mac, mac);
                }
                break;
        case FW_SET_PART_MAX:
        case FW_SET_PART_INVALID:
                g_assert_not_reached();
        }
}

/* What was found out at run time. */
static int add_live(FwFlat *flat, const FwSource *source, const Alias *alias)
{
        bool addresses = flat->part == FW_SET_IPV4 || flat->part == FW_SET_IPV6;

        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++) {
                const FwLiveItem *item = fw_live_of(source->live, alias, sort);
                PtDataset *dataset = NULL;
                int r;

                if (!item)
                        continue;
                if (!item->digest[0]) {
                        if (addresses)
                                add_ranges(flat,
                                           (const PtAddressRange *) (void *) item->ranges->data,
                                           item->ranges->len);
                        continue;
                }
                r = open_live(source, item, &dataset);
                if (r == 0)
                        r = add_dataset(flat, dataset);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_spans(const void *a, const void *b)
{
        const FwSpan *x = a, *y = b;

        return x->lo < y->lo ? -1 : x->lo > y->lo;
}

int fw_flat_new(const FwSource *source, const GPtrArray *closure, FwSetPart part, FwFlat **ret)
{
        g_autoptr(FwFlat) flat = g_new0(FwFlat, 1);

        flat->part = part;
        flat->len = fw_part_key_len(part);
        flat->entries = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        flat->streams = g_array_new(FALSE, FALSE, sizeof(Stream));
        g_array_set_clear_func(flat->streams, stream_clear);
        flat->datasets = g_ptr_array_new_with_free_func(dataset_free);
        for (unsigned i = 0; i < closure->len; i++) {
                const Alias *alias = g_ptr_array_index(closure, i);
                PtDataset *dataset = NULL;
                int r;

                add_lists(flat, alias);
                r = add_live(flat, source, alias);
                if (r < 0)
                        return r;
                if (!alias->dataset)
                        continue;
                r = open_dataset(source, alias, &dataset);
                if (r == 0)
                        r = add_dataset(flat, dataset);
                if (r < 0)
                        return r;
        }
        g_array_sort(flat->entries, compare_spans);
        *ret = g_steal_pointer(&flat);
        return 0;
}

void fw_flat_free(FwFlat *flat)
{
        if (!flat)
                return;
        g_clear_pointer(&flat->entries, g_array_unref);
        g_clear_pointer(&flat->streams, g_array_unref);
        g_clear_pointer(&flat->datasets, g_ptr_array_unref);
        g_free(flat);
}

/* The entry with the lowest beginning; 0: none is left. */
static int take_lowest(FwFlat *flat, FwSpan *ret)
{
        const FwSpan *entry = flat->at < flat->entries->len
                                      ? &g_array_index(flat->entries, FwSpan, flat->at)
                                      : NULL;
        Stream *streams = (Stream *) (void *) flat->streams->data;
        unsigned lowest = 0;
        int r;

        for (unsigned i = 1; i < flat->streams->len; i++)
                if (streams[i].head.lo < streams[lowest].head.lo)
                        lowest = i;
        if (flat->streams->len > 0 && (!entry || streams[lowest].head.lo < entry->lo)) {
                *ret = streams[lowest].head;
                r = advance(&streams[lowest], flat->len);
                if (r < 0)
                        return r;
                if (r > 0 && streams[lowest].head.lo < ret->lo)
                        return -EBADMSG;
                if (r == 0)
                        g_array_remove_index_fast(flat->streams, lowest);
                return 1;
        }
        if (!entry)
                return 0;
        *ret = *entry;
        flat->at++;
        return 1;
}

int fw_flat_next(FwFlat *flat, FwSpan *ret)
{
        for (;;) {
                FwSpan span = {0};
                int r = take_lowest(flat, &span);

                if (r < 0)
                        return r;
                if (r > 0 && !flat->begun) {
                        flat->pending = span;
                        flat->begun = true;
                } else if (r > 0 && span.lo <= flat->pending.hi) {
                        flat->pending.hi = MAX(flat->pending.hi, span.hi);
                } else if (r > 0 && span.lo - flat->pending.hi == 1) {
                        flat->pending.hi = span.hi;
                } else if (flat->begun) {
                        *ret = flat->pending;
                        flat->pending = span;
                        flat->begun = r > 0;
                        flat->spans++;
                        flat->last = ret->hi;
                        flat->numbers += (size_t) (ret->hi - ret->lo) + 1;
                        return 1;
                } else {
                        return 0;
                }
        }
}

size_t fw_flat_spans(const FwFlat *flat)
{
        return flat->spans;
}

bool fw_flat_reaches_end(const FwFlat *flat)
{
        return flat->spans > 0 && flat->last == fw_number_max(flat->len);
}

size_t fw_flat_numbers(const FwFlat *flat)
{
        return flat->numbers;
}

/* One side of a comparison. */
typedef struct Side {
        FwFlat *flat;
        FwSpan span;
        bool any;
} Side;

static int step(Side *side)
{
        int r = side->flat ? fw_flat_next(side->flat, &side->span) : 0;

        side->any = r > 0;
        return MIN(r, 0);
}

/* What of the lower span lies before the other one, or both up to where the first of them ends. */
static int step_numbers(Side *before, Side *after, FwDiffer each, void *userdata)
{
        Side *lower =
                !after->any || (before->any && before->span.lo < after->span.lo) ? before : after;
        Side *other = lower == before ? after : before;
        FwNumber end;
        int r = 0;

        if (!other->any || lower->span.lo < other->span.lo) {
                FwSpan only = lower->span;

                if (other->any && only.hi >= other->span.lo)
                        only.hi = other->span.lo - 1;
                each(&only, lower == after, userdata);
                if (only.hi == lower->span.hi)
                        return step(lower);
                lower->span.lo = only.hi + 1;
                return 0;
        }
        end = MIN(lower->span.hi, other->span.hi);
        for (unsigned i = 0; r == 0 && i < 2; i++) {
                Side *side = i == 0 ? before : after;

                if (side->span.hi == end)
                        r = step(side);
                else
                        side->span.lo = end + 1;
        }
        return r;
}

static int step_spans(Side *before, Side *after, FwDiffer each, void *userdata)
{
        bool both = before->any && after->any;
        int r = 0;

        if (both && before->span.lo == after->span.lo && before->span.hi == after->span.hi) {
                r = step(before);
                return r < 0 ? r : step(after);
        }
        if (before->any && (!both || before->span.lo <= after->span.lo)) {
                each(&before->span, false, userdata);
                r = step(before);
        } else {
                each(&after->span, true, userdata);
                r = step(after);
        }
        return r;
}

int fw_flat_compare(FwFlat *before, FwFlat *after, bool spans, FwDiffer each, void *userdata)
{
        Side old = {.flat = before}, new = {.flat = after};
        int r = step(&old);

        if (r == 0)
                r = step(&new);
        while (r == 0 && (old.any || new.any))
                r = spans ? step_spans(&old, &new, each, userdata)
                          : step_numbers(&old, &new, each, userdata);
        return r;
}
