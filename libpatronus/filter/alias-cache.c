/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/alias-cache.h"

/* Spans that are kept, of all aliases together: 128 MiB. What is beyond is read anew for each
 * question. */
#define SPANS_MAX (4U * 1024 * 1024)

struct FwAliasCache {
        const FwSource *source;
        GHashTable *spans[FW_SET_PART_MAX]; /* name -> GArray of FwSpan, ascending */
        size_t n;
        FwExternalRead read; /* of external ones; NULL: they are not known */
        void *userdata;
};

static const FwSpan nothing = {1, 0};

static void unref_array(void *array)
{
        g_array_unref(array);
}

FwAliasCache *fw_alias_cache_new(const FwSource *source)
{
        FwAliasCache *cache = g_new0(FwAliasCache, 1);

        cache->source = source;
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                cache->spans[part] =
                        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_array);
        return cache;
}

void fw_alias_cache_free(FwAliasCache *cache)
{
        if (!cache)
                return;
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                g_hash_table_unref(cache->spans[part]);
        g_free(cache);
}

void fw_alias_cache_set_external(FwAliasCache *cache, FwExternalRead read, void *userdata)
{
        cache->read = read;
        cache->userdata = userdata;
}

static bool is_external(const FwAliasCache *cache, const char *name)
{
        const PtObject *alias = pt_slice_get(cache->source->slice, &pt_kind_alias, name);

        return alias && ((const Alias *) alias)->external;
}

bool fw_alias_cache_is_unknown(const FwAliasCache *cache, const char *name)
{
        return !cache->read && is_external(cache, name);
}

static int open_alias(const FwAliasCache *cache, FwSetPart part, const char *alias, FwFlat **ret)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(cache->source->slice, alias);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r = fw_flat_verify(cache->source, closure, diag);

        return r < 0 ? r : fw_flat_new(cache->source, closure, part, ret);
}

static int compare_spans(const void *a, const void *b)
{
        const FwSpan *x = a, *y = b;

        return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static int load_external(FwAliasCache *cache, FwSetPart part, const char *alias, GArray *spans)
{
        int r = cache->read(alias, part, spans, cache->userdata);

        if (r == 0)
                g_array_sort(spans, compare_spans);
        return r;
}

/* All spans; -E2BIG: they are too many to be kept. */
static int load(FwAliasCache *cache, FwSetPart part, const char *alias, GArray **ret)
{
        g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        g_autoptr(FwFlat) flat = NULL;
        FwSpan span;
        int r = cache->read && is_external(cache, alias) ? load_external(cache, part, alias, spans)
                                                         : open_alias(cache, part, alias, &flat);

        while (r >= 0 && flat && (r = fw_flat_next(flat, &span)) > 0) {
                if (cache->n + spans->len == SPANS_MAX)
                        return -E2BIG;
                g_array_append_val(spans, span);
        }
        if (r < 0)
                return r;
        cache->n += spans->len;
        *ret = spans;
        g_hash_table_insert(cache->spans[part], g_strdup(alias), g_steal_pointer(&spans));
        return 0;
}

static int stream(const FwAliasCache *cache, FwSetPart part, const char *alias, FwNumber value,
                  FwSpan *ret)
{
        g_autoptr(FwFlat) flat = NULL;
        FwSpan span;
        int r = open_alias(cache, part, alias, &flat);

        while (r >= 0 && (r = fw_flat_next(flat, &span)) > 0)
                if (span.hi >= value) {
                        *ret = span;
                        return 0;
                }
        *ret = nothing;
        return MIN(r, 0);
}

static FwSpan search(const GArray *spans, FwNumber value)
{
        unsigned lo = 0, hi = spans->len;

        while (lo < hi) {
                unsigned middle = (lo + hi) / 2;

                if (g_array_index(spans, FwSpan, middle).hi < value)
                        lo = middle + 1;
                else
                        hi = middle;
        }
        return lo < spans->len ? g_array_index(spans, FwSpan, lo) : nothing;
}

int fw_alias_cache_find(FwAliasCache *cache, FwSetPart part, const char *alias, FwNumber value,
                        FwSpan *ret)
{
        GArray *spans = g_hash_table_lookup(cache->spans[part], alias);
        int r = spans ? 0 : load(cache, part, alias, &spans);

        if (r == -E2BIG)
                return stream(cache, part, alias, value, ret);
        if (r == 0)
                *ret = search(spans, value);
        return r;
}
