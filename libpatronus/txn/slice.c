/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/slice.h"

#include <string.h>

/*
 * A bucket is a sorted array of objects (by kind, then name), shared between slices and copied
 * before one of them writes to it while another holds it too. There is no other index: the bucket
 * is found by digest, the object in it by bisection.
 */
typedef struct Bucket {
        unsigned refs;
        unsigned n, allocated;
        bool digest_valid;
        PtDigest digest;
        const PtObject *objects[];
} Bucket;

/* Which buckets hold objects of a kind, so that ten zones are found among a hundred thousand rules.
 */
typedef struct KindUse {
        const PtKind *kind;
        size_t count;
        uint64_t buckets[PT_SLICE_BUCKETS / 64];
} KindUse;

struct PtSlice {
        unsigned refs;
        bool root_valid;
        size_t count;
        PtDigest root;
        GArray *uses; /* KindUse, of kinds with at least one object; a configuration has a few dozen
                         at most */
        Bucket *buckets[PT_SLICE_BUCKETS]; /* NULL: empty */
};

PtSlice *pt_slice_new(void)
{
        PtSlice *slice = g_new0(PtSlice, 1);

        slice->refs = 1;
        slice->uses = g_array_new(FALSE, FALSE, sizeof(KindUse));
        return slice;
}

PtSlice *pt_slice_ref(PtSlice *slice)
{
        slice->refs++;
        return slice;
}

static void bucket_unref(Bucket *bucket)
{
        if (!bucket || --bucket->refs > 0)
                return;
        for (unsigned i = 0; i < bucket->n; i++)
                pt_object_unref((PtObject *) bucket->objects[i]);
        g_free(bucket);
}

void pt_slice_unref(PtSlice *slice)
{
        if (!slice || --slice->refs > 0)
                return;
        for (unsigned i = 0; i < PT_SLICE_BUCKETS; i++)
                bucket_unref(slice->buckets[i]);
        g_array_unref(slice->uses);
        g_free(slice);
}

PtSlice *pt_slice_clone(const PtSlice *slice)
{
        PtSlice *clone = g_memdup2(slice, sizeof(*slice));

        clone->refs = 1;
        clone->uses = g_array_copy(slice->uses);
        for (unsigned i = 0; i < PT_SLICE_BUCKETS; i++)
                if (clone->buckets[i])
                        clone->buckets[i]->refs++;
        return clone;
}

static unsigned bucket_index(const PtKind *kind, const char *name)
{
        char small[256], *key = small;
        g_autofree char *large = NULL;
        size_t kind_size = strlen(kind->name), name_size = strlen(name);
        PtDigest digest;

        if (kind_size + 1 + name_size > sizeof(small))
                key = large = g_malloc(kind_size + 1 + name_size);
        memcpy(key, kind->name, kind_size);
        key[kind_size] = '/';
        memcpy(key + kind_size + 1, name, name_size);
        pt_digest_of(key, kind_size + 1 + name_size, &digest);
        return ((unsigned) digest.bytes[0] << 8 | digest.bytes[1]) % PT_SLICE_BUCKETS;
}

/* By kind, then name; a NULL name stands before all of its kind. */
static int compare_key(const PtObject *object, const PtKind *kind, const char *name)
{
        int r = object->kind == kind ? 0 : strcmp(object->kind->name, kind->name);

        if (r != 0)
                return r;
        return name ? strcmp(object->name, name) : 1;
}

/* The index of the first object that is not before (kind, name). */
static unsigned bucket_search(const Bucket *bucket, const PtKind *kind, const char *name)
{
        unsigned low = 0, high = bucket ? bucket->n : 0;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;

                if (compare_key(bucket->objects[middle], kind, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool bucket_has(const Bucket *bucket, unsigned i, const PtKind *kind, const char *name)
{
        return bucket && i < bucket->n && compare_key(bucket->objects[i], kind, name) == 0;
}

static Bucket *bucket_copy(Bucket *bucket, unsigned allocated)
{
        Bucket *copy = g_malloc(sizeof(*copy) + allocated * sizeof(copy->objects[0]));

        memcpy(copy, bucket, sizeof(*copy) + bucket->n * sizeof(copy->objects[0]));
        for (unsigned i = 0; i < copy->n; i++)
                pt_object_ref((PtObject *) copy->objects[i]);
        copy->refs = 1;
        bucket_unref(bucket);
        return copy;
}

/* Makes bucket `index` the slice's own, with room for one object more, and the digests above it
 * stale. */
static Bucket *bucket_writable(PtSlice *slice, unsigned index)
{
        Bucket *bucket = slice->buckets[index];
        unsigned allocated = bucket ? bucket->n + 1 + bucket->n / 4 : 1;

        if (!bucket) {
                bucket = g_malloc(sizeof(*bucket) + allocated * sizeof(bucket->objects[0]));
                *bucket = (Bucket){.refs = 1, .allocated = allocated};
        } else if (bucket->refs > 1) {
                bucket = bucket_copy(bucket, allocated);
                bucket->allocated = allocated;
        } else if (bucket->n == bucket->allocated) {
                bucket =
                        g_realloc(bucket, sizeof(*bucket) + allocated * sizeof(bucket->objects[0]));
                bucket->allocated = allocated;
        }
        bucket->digest_valid = false;
        slice->root_valid = false;
        slice->buckets[index] = bucket;
        return bucket;
}

static KindUse *find_use(const PtSlice *slice, const PtKind *kind)
{
        KindUse *uses = (KindUse *) (void *) slice->uses->data;

        for (unsigned i = 0; i < slice->uses->len; i++)
                if (uses[i].kind == kind)
                        return &uses[i];
        return NULL;
}

static void use_added(PtSlice *slice, const PtKind *kind, unsigned index)
{
        KindUse *use = find_use(slice, kind);

        if (!use) {
                g_array_append_val(slice->uses, ((KindUse){.kind = kind}));
                use = &g_array_index(slice->uses, KindUse, slice->uses->len - 1);
        }
        use->count++;
        use->buckets[index / 64] |= UINT64_C(1) << index % 64;
        slice->count++;
}

static void use_removed(PtSlice *slice, const PtKind *kind, unsigned index)
{
        const Bucket *bucket = slice->buckets[index];
        unsigned first = bucket_search(bucket, kind, NULL);
        KindUse *use = find_use(slice, kind);

        if (!bucket || first == bucket->n || bucket->objects[first]->kind != kind)
                use->buckets[index / 64] &= ~(UINT64_C(1) << index % 64);
        use->count--;
        slice->count--;
}

const PtObject *pt_slice_get(const PtSlice *slice, const PtKind *kind, const char *name)
{
        const Bucket *bucket = slice->buckets[bucket_index(kind, name)];
        unsigned i = bucket_search(bucket, kind, name);

        return bucket_has(bucket, i, kind, name) ? bucket->objects[i] : NULL;
}

void pt_slice_put(PtSlice *slice, const PtObject *object)
{
        unsigned index = bucket_index(object->kind, object->name);
        Bucket *bucket = slice->buckets[index];
        unsigned i = bucket_search(bucket, object->kind, object->name);
        bool replace = bucket_has(bucket, i, object->kind, object->name);

        g_assert(object->sealed);
        if (replace && pt_digest_equal(&bucket->objects[i]->digest, &object->digest))
                return;
        bucket = bucket_writable(slice, index);
        pt_object_ref((PtObject *) object);
        if (replace) {
                pt_object_unref((PtObject *) bucket->objects[i]);
                bucket->objects[i] = object;
                return;
        }
        memmove(&bucket->objects[i + 1], &bucket->objects[i],
                (bucket->n - i) * sizeof(bucket->objects[0]));
        bucket->objects[i] = object;
        bucket->n++;
        use_added(slice, object->kind, index);
}

bool pt_slice_remove(PtSlice *slice, const PtKind *kind, const char *name)
{
        unsigned index = bucket_index(kind, name);
        unsigned i = bucket_search(slice->buckets[index], kind, name);
        const PtObject *object;
        Bucket *bucket;

        if (!bucket_has(slice->buckets[index], i, kind, name))
                return false;
        bucket = bucket_writable(slice, index);
        object = bucket->objects[i];
        bucket->n--;
        memmove(&bucket->objects[i], &bucket->objects[i + 1],
                (bucket->n - i) * sizeof(bucket->objects[0]));
        if (bucket->n == 0) {
                bucket_unref(bucket);
                slice->buckets[index] = NULL;
        }
        use_removed(slice, kind, index);
        pt_object_unref((PtObject *) object);
        return true;
}

size_t pt_slice_count(const PtSlice *slice, const PtKind *kind)
{
        const KindUse *use;

        if (!kind)
                return slice->count;
        use = find_use(slice, kind);
        return use ? use->count : 0;
}

static int foreach_all(const PtSlice *slice, int (*each)(const PtObject *object, void *userdata),
                       void *userdata)
{
        for (unsigned index = 0; index < PT_SLICE_BUCKETS; index++) {
                const Bucket *bucket = slice->buckets[index];

                for (unsigned i = 0; bucket && i < bucket->n; i++) {
                        int r = each(bucket->objects[i], userdata);

                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

int pt_slice_foreach(const PtSlice *slice, const PtKind *kind,
                     int (*each)(const PtObject *object, void *userdata), void *userdata)
{
        const KindUse *use;

        if (!kind)
                return foreach_all(slice, each, userdata);
        use = find_use(slice, kind);
        for (unsigned word = 0; use && word < G_N_ELEMENTS(use->buckets); word++)
                for (uint64_t bits = use->buckets[word]; bits; bits &= bits - 1) {
                        const Bucket *bucket =
                                slice->buckets[word * 64 + (unsigned) __builtin_ctzll(bits)];
                        unsigned i = bucket_search(bucket, kind, NULL);

                        for (; i < bucket->n && bucket->objects[i]->kind == kind; i++) {
                                int r = each(bucket->objects[i], userdata);

                                if (r != 0)
                                        return r;
                        }
                }
        return 0;
}

static int append_object(const PtObject *object, void *userdata)
{
        g_ptr_array_add(userdata, (gpointer) object);
        return 0;
}

static int compare_pointers(gconstpointer a, gconstpointer b)
{
        return pt_object_compare_identity(*(const PtObject *const *) a,
                                          *(const PtObject *const *) b);
}

GPtrArray *pt_slice_sorted(const PtSlice *slice, const PtKind *kind)
{
        GPtrArray *objects = g_ptr_array_sized_new((unsigned) pt_slice_count(slice, kind));

        pt_slice_foreach(slice, kind, append_object, objects);
        g_ptr_array_sort(objects, compare_pointers);
        return objects;
}

static int compare_buckets(const Bucket *before, const Bucket *after,
                           int (*each)(const PtObject *before, const PtObject *after,
                                       void *userdata),
                           void *userdata)
{
        unsigned i = 0, j = 0, ni = before ? before->n : 0, nj = after ? after->n : 0;

        while (i < ni || j < nj) {
                const PtObject *a = i < ni ? before->objects[i] : NULL,
                               *b = j < nj ? after->objects[j] : NULL;
                int order = a == b ? 0 : !a ? 1 : !b ? -1 : pt_object_compare_identity(a, b), r = 0;

                i += order <= 0;
                j += order >= 0;
                if (order < 0)
                        r = each(a, NULL, userdata);
                else if (order > 0)
                        r = each(NULL, b, userdata);
                else if (a != b && !pt_digest_equal(&a->digest, &b->digest))
                        r = each(a, b, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

static bool known_equal(const Bucket *a, const Bucket *b)
{
        return a == b || (a && b && a->digest_valid && b->digest_valid &&
                          pt_digest_equal(&a->digest, &b->digest));
}

int pt_slice_compare(const PtSlice *before, const PtSlice *after,
                     int (*each)(const PtObject *before, const PtObject *after, void *userdata),
                     void *userdata)
{
        for (unsigned index = 0; index < PT_SLICE_BUCKETS; index++) {
                int r;

                if (known_equal(before->buckets[index], after->buckets[index]))
                        continue;
                r = compare_buckets(before->buckets[index], after->buckets[index], each, userdata);
                if (r != 0)
                        return r;
        }
        return 0;
}

static const PtDigest *bucket_digest(Bucket *bucket)
{
        static const PtDigest empty;
        PtHasher *hasher;

        if (!bucket)
                return &empty;
        if (!bucket->digest_valid) {
                hasher = pt_hasher_new();
                for (unsigned i = 0; i < bucket->n; i++)
                        pt_hasher_add(hasher, bucket->objects[i]->digest.bytes, PT_DIGEST_SIZE);
                pt_hasher_end(hasher, &bucket->digest);
                bucket->digest_valid = true;
        }
        return &bucket->digest;
}

void pt_slice_root(const PtSlice *slice, PtDigest *ret)
{
        if (!slice->root_valid) {
                PtSlice *cache = (PtSlice *)
                        slice; /* what is remembered does not change what the slice says */
                PtHasher *hasher = pt_hasher_new();

                for (unsigned index = 0; index < PT_SLICE_BUCKETS; index++)
                        pt_hasher_add(hasher, bucket_digest(slice->buckets[index])->bytes,
                                      PT_DIGEST_SIZE);
                pt_hasher_end(hasher, &cache->root);
                cache->root_valid = true;
        }
        *ret = slice->root;
}

static const PtObject *lookup_get(const void *ctx, const PtKind *kind, const char *name)
{
        return pt_slice_get(ctx, kind, name);
}

static int lookup_foreach(const void *ctx, const PtKind *kind,
                          int (*each)(const PtObject *object, void *userdata), void *userdata)
{
        return pt_slice_foreach(ctx, kind, each, userdata);
}

PtLookup pt_slice_lookup(const PtSlice *slice)
{
        return (PtLookup){.get = lookup_get, .foreach = lookup_foreach, .ctx = slice};
}

static int put_object(const PtObject *object, void *userdata)
{
        pt_slice_put(userdata, object);
        return 0;
}

PtSlice *pt_slice_project(const PtSlice *slice, const PtKind *const *kinds)
{
        size_t covered = 0;
        PtSlice *projected;

        for (const PtKind *const *kind = kinds; *kind; kind++)
                covered += pt_slice_count(slice, *kind);
        if (covered == slice->count) /* as is: nothing is of another kind */
                return pt_slice_clone(slice);
        projected = pt_slice_new();
        for (const PtKind *const *kind = kinds; *kind; kind++)
                pt_slice_foreach(slice, *kind, put_object, projected);
        return projected;
}
