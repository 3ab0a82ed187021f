/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/live.h"

#include <string.h>

struct FwLive {
        unsigned refs;
        char *folder;
        GHashTable *aliases[FW_LIVE_SORT_MAX]; /* alias -> FwLiveItem */
};

static const char *const sorts[FW_LIVE_SORT_MAX] = {"url", "names", "local", "places"};

const char *fw_live_sort_to_string(FwLiveSort sort)
{
        return sorts[sort];
}

FwLiveSort fw_live_sort_from_string(const char *text)
{
        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++)
                if (strcmp(text, sorts[sort]) == 0)
                        return sort;
        return FW_LIVE_SORT_INVALID;
}

bool fw_alias_asks(const Alias *alias, FwLiveSort sort)
{
        const FwAliasBox *box = fw_alias_box(alias);

        switch (sort) {
        case FW_LIVE_URL:
                return box->url.url != NULL;
        case FW_LIVE_NAMES:
                return box->names.n > 0;
        case FW_LIVE_LOCAL:
                return box->interfaces.n > 0 || alias->hosts6.n > 0;
        case FW_LIVE_PLACES:
                return box->countries.n > 0 || box->continents.n > 0 || box->asns.n > 0;
        case FW_LIVE_SORT_MAX:
        case FW_LIVE_SORT_INVALID:
                break;
        }
        g_assert_not_reached();
}

static FwLiveItem *item_new(FwAliasType type)
{
        FwLiveItem *item = g_new0(FwLiveItem, 1);

        item->refs = 1;
        item->type = type;
        return item;
}

static void item_unref(void *p)
{
        FwLiveItem *item = p;

        if (--item->refs > 0)
                return;
        g_clear_pointer(&item->ranges, g_array_unref);
        g_free(item);
}

FwLive *fw_live_new(const char *folder)
{
        FwLive *live = g_new0(FwLive, 1);

        live->refs = 1;
        live->folder = g_strdup(folder);
        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++)
                live->aliases[sort] =
                        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, item_unref);
        return live;
}

FwLive *fw_live_copy(const FwLive *live)
{
        FwLive *copy = fw_live_new(live->folder);

        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++) {
                GHashTableIter iter;
                gpointer name, item;

                g_hash_table_iter_init(&iter, live->aliases[sort]);
                while (g_hash_table_iter_next(&iter, &name, &item)) {
                        ((FwLiveItem *) item)->refs++;
                        g_hash_table_insert(copy->aliases[sort], g_strdup(name), item);
                }
        }
        return copy;
}

FwLive *fw_live_ref(FwLive *live)
{
        if (live)
                live->refs++;
        return live;
}

void fw_live_unref(FwLive *live)
{
        if (!live || --live->refs > 0)
                return;
        for (FwLiveSort sort = 0; sort < FW_LIVE_SORT_MAX; sort++)
                g_hash_table_unref(live->aliases[sort]);
        g_free(live->folder);
        g_free(live);
}

void fw_live_set_dataset(FwLive *live, const char *alias, FwLiveSort sort, FwAliasType type,
                         const char *digest)
{
        FwLiveItem *item = item_new(type);

        g_strlcpy(item->digest, digest, sizeof(item->digest));
        pt_digest_of(digest, strlen(digest), &item->id);
        g_hash_table_replace(live->aliases[sort], g_strdup(alias), item);
}

static int compare_ranges(const void *a, const void *b)
{
        const PtAddressRange *x = a, *y = b;
        int order = (x->family > y->family) - (x->family < y->family);

        if (order == 0)
                order = memcmp(x->lo, y->lo, sizeof(x->lo));
        return order != 0 ? order : memcmp(x->hi, y->hi, sizeof(x->hi));
}

/* By what they are, not by how they were written: field by field, since a struct may have gaps. */
static void identify(FwLiveItem *item)
{
        PtHasher *hasher = pt_hasher_new();

        for (unsigned i = 0; i < item->ranges->len; i++) {
                const PtAddressRange *range = &g_array_index(item->ranges, PtAddressRange, i);
                uint8_t family = range->family == AF_INET ? 4 : 6;

                pt_hasher_add(hasher, &family, sizeof(family));
                pt_hasher_add(hasher, range->lo, sizeof(range->lo));
                pt_hasher_add(hasher, range->hi, sizeof(range->hi));
        }
        pt_hasher_end(hasher, &item->id);
}

void fw_live_set_ranges(FwLive *live, const char *alias, FwLiveSort sort, FwAliasType type,
                        const PtAddressRange *ranges, unsigned n)
{
        FwLiveItem *item = item_new(type);

        item->ranges = g_array_sized_new(FALSE, FALSE, sizeof(PtAddressRange), n);
        if (n > 0)
                g_array_append_vals(item->ranges, ranges, n);
        g_array_sort(item->ranges, compare_ranges);
        identify(item);
        g_hash_table_replace(live->aliases[sort], g_strdup(alias), item);
}

void fw_live_remove(FwLive *live, const char *alias, FwLiveSort sort)
{
        g_hash_table_remove(live->aliases[sort], alias);
}

const char *fw_live_folder(const FwLive *live)
{
        return live->folder;
}

const FwLiveItem *fw_live_get(const FwLive *live, const char *alias, FwLiveSort sort)
{
        return live ? g_hash_table_lookup(live->aliases[sort], alias) : NULL;
}

const FwLiveItem *fw_live_of(const FwLive *live, const Alias *alias, FwLiveSort sort)
{
        const FwLiveItem *item =
                fw_alias_asks(alias, sort) ? fw_live_get(live, alias->object.name, sort) : NULL;

        return item && (int) item->type == alias->type ? item : NULL;
}

static bool same_item(const FwLiveItem *x, const FwLiveItem *y)
{
        return x == y || (x && y && x->type == y->type && pt_digest_equal(&x->id, &y->id));
}

bool fw_live_same(const FwLive *a, const FwLive *b, const char *alias)
{
        for (FwLiveSort sort = 0; a != b && sort < FW_LIVE_SORT_MAX; sort++)
                if (!same_item(fw_live_get(a, alias, sort), fw_live_get(b, alias, sort)))
                        return false;
        return true;
}

/* What is in `a`, and in `b` otherwise; with `gone` only what is not in `b` at all. */
static unsigned count_changes(const FwLive *a, const FwLive *b, bool gone)
{
        unsigned n = 0;

        for (FwLiveSort sort = 0; a && sort < FW_LIVE_SORT_MAX; sort++) {
                GHashTableIter iter;
                gpointer name, item;

                g_hash_table_iter_init(&iter, a->aliases[sort]);
                while (g_hash_table_iter_next(&iter, &name, &item)) {
                        const FwLiveItem *other = fw_live_get(b, name, sort);

                        n += gone ? !other : !same_item(item, other);
                }
        }
        return n;
}

unsigned fw_live_changes(const FwLive *a, const FwLive *b)
{
        return a == b ? 0 : count_changes(a, b, false) + count_changes(b, a, true);
}

void fw_live_digest(const FwLive *live, PtDigest *ret)
{
        PtHasher *hasher = NULL;

        for (FwLiveSort sort = 0; live && sort < FW_LIVE_SORT_MAX; sort++) {
                GList *names = g_list_sort(g_hash_table_get_keys(live->aliases[sort]),
                                           (GCompareFunc) strcmp);

                for (GList *l = names; l; l = l->next) {
                        const FwLiveItem *item = fw_live_get(live, l->data, sort);
                        uint8_t what[] = {(uint8_t) sort, (uint8_t) item->type};

                        hasher = hasher ?: pt_hasher_new();
                        pt_hasher_add(hasher, what, sizeof(what));
                        pt_hasher_add(hasher, l->data, strlen(l->data) + 1);
                        pt_hasher_add(hasher, item->id.bytes, sizeof(item->id.bytes));
                }
                g_list_free(names);
        }
        *ret = (PtDigest){0};
        if (hasher)
                pt_hasher_end(hasher, ret);
}
