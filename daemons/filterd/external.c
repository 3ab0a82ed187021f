/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "external.h"

#include "base/marks.h"
#include "sets-emit.h"

#include <string.h>
#include <time.h>

#define TABLE PT_MARK_NFT_TABLE
/* Another transaction between our reading and its end: read anew. */
#define RESTARTS_MAX 5
/* More than so many are not asked for one by one: the set is read. */
#define ASK_MAX (8U * PT_NFT_GET_MAX)

struct FwExternal {
        FwEngine *engine;
        FwBans *bans;
        PtNft *nft; /* of its own: the engine's may be waiting for a child */
};

static const struct {
        int family;
        FwSetPart part;
} families[] = {{AF_INET, FW_SET_IPV4}, {AF_INET6, FW_SET_IPV6}};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

int fw_external_new(FwEngine *engine, FwBans *bans, int netns_fd, FwExternal **ret)
{
        g_autoptr(FwExternal) external = g_new0(FwExternal, 1);
        int r;

        external->engine = engine;
        external->bans = bans;
        r = pt_nft_open(netns_fd, &external->nft);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&external);
        return 0;
}

void fw_external_free(FwExternal *external)
{
        if (!external)
                return;
        pt_nft_close(external->nft);
        g_free(external);
}

static const Alias *find(const FwExternal *external, const char *name)
{
        const FwLayout *layout = fw_engine_layout(external->engine);
        const Alias *alias =
                layout ? (const Alias *) pt_slice_get(layout->slice, &pt_kind_alias, name) : NULL;

        return alias && alias->external ? alias : NULL;
}

bool fw_external_has(const FwExternal *external, const char *name, uint64_t *ret_timeout)
{
        const Alias *alias = find(external, name);

        if (alias && ret_timeout)
                *ret_timeout = alias->timeout;
        return alias;
}

static int add_name(const PtObject *object, void *userdata)
{
        if (((const Alias *) object)->external)
                g_ptr_array_add(userdata, g_strdup(object->name));
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *fw_external_list(const FwExternal *external)
{
        const FwLayout *layout = fw_engine_layout(external->engine);
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

        if (layout)
                (void) pt_slice_foreach(layout->slice, &pt_kind_alias, add_name, names);
        g_ptr_array_sort(names, compare_names);
        return names;
}

/* Of the alias in force, which must be external; sets are there as long as it is. */
static const char *set_of(const FwExternal *external, const char *alias, unsigned f)
{
        return fw_sets_name(fw_engine_layout(external->engine)->sets, alias, families[f].part);
}

/* Reading. */

static int compare(const void *a, const void *b)
{
        return fw_ban_compare(a, b);
}

typedef struct Reader {
        GArray *entries;
        int family;
        uint64_t now;
} Reader;

static int read_element(struct nftnl_set_elem *element, void *userdata)
{
        const Reader *reader = userdata;
        uint32_t size = 0, width = reader->family == AF_INET ? 4 : 16;
        const void *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);
        FwBan entry = {.family = (uint8_t) reader->family,
                       .plen = (uint8_t) (8 * width),
                       .until = FW_BAN_FOREVER};

        if (!key || size != width)
                return 0;
        memcpy(entry.address, key, size);
        if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPIRATION))
                entry.until = reader->now +
                              nftnl_set_elem_get_u64(element, NFTNL_SET_ELEM_EXPIRATION) * 1000;
        g_array_append_val(reader->entries, entry);
        return 0;
}

int fw_external_read_set(PtNft *nft, const char *set, int family, GArray *entries)
{
        Reader reader = {entries, family, now_usec()};
        unsigned before = entries->len;
        int r = -EINTR;

        for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++) {
                g_array_set_size(entries, before);
                r = pt_nft_dump_elements(nft, TABLE, set, read_element, &reader);
        }
        return r;
}

int fw_external_read(const FwExternal *external, const char *alias, int family, GArray **ret)
{
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FwBan));
        int r;

        if (!find(external, alias))
                return -ESRCH;
        r = fw_external_read_set(external->nft, set_of(external, alias, family != AF_INET), family,
                                 entries);
        if (r < 0)
                return r;
        g_array_sort(entries, compare);
        *ret = g_steal_pointer(&entries);
        return 0;
}

/* Which of some (ascending, `n` of one family) the set has. */
static int read_some(const FwExternal *external, const char *set, unsigned f, const FwBan *some,
                     unsigned n, GArray *there)
{
        g_autoptr(GArray) all = NULL;
        Reader reader = {there, families[f].family, now_usec()};

        if (n > ASK_MAX) {
                int r;

                all = g_array_new(FALSE, FALSE, sizeof(FwBan));
                r = fw_external_read_set(external->nft, set, families[f].family, all);
                if (r < 0)
                        return r;
                g_array_sort(all, compare);
                for (unsigned i = 0, k = 0; i < all->len && k < n;) {
                        int order = fw_ban_compare(&g_array_index(all, FwBan, i), &some[k]);

                        if (order == 0)
                                g_array_append_val(there, some[k]);
                        i += order <= 0;
                        k += order >= 0;
                }
                return 0;
        }
        for (unsigned i = 0; i < n; i++) {
                int r = pt_nft_get_element(external->nft, TABLE, set, some[i].address,
                                           families[f].family == AF_INET ? 4 : 16, read_element,
                                           &reader);

                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

/* Changing. */

typedef struct Change {
        const FwExternal *external;
        char *alias;
        GArray *entries; /* ascending, each once; NULL: all that there are */
        bool remove;
        uint32_t n;
        FwBansDone done;
        void *userdata;
} Change;

static void put(unsigned f, const char *set, const FwBan *entries, unsigned n, bool remove,
                PtNftBatch *batch)
{
        uint64_t now = now_usec();

        if (n == 0)
                return;
        pt_nft_batch_elements_begin(batch, TABLE, set, 0, remove);
        if (!remove)
                pt_nft_batch_elements_may_exist(batch); /* a rule may put it there meanwhile */
        for (unsigned i = 0; i < n; i++) {
                uint64_t left = entries[i].until == FW_BAN_FOREVER ? 0
                                : entries[i].until > now + 1000    ? (entries[i].until - now) / 1000
                                                                   : 1;

                if (remove)
                        pt_nft_batch_key(batch, entries[i].address,
                                         fw_part_key_len(families[f].part), 0);
                else
                        pt_nft_batch_element(batch, fw_external_element(families[f].part,
                                                                        entries[i].address, left));
        }
        pt_nft_batch_elements_end(batch);
}

static int make_flush(Change *change, PtNftBatch *batch)
{
        for (unsigned f = 0; f < G_N_ELEMENTS(families); f++) {
                const char *set = set_of(change->external, change->alias, f);
                g_autoptr(GArray) there = g_array_new(FALSE, FALSE, sizeof(FwBan));
                int r = fw_external_read_set(change->external->nft, set, families[f].family, there);

                if (r < 0)
                        return r;
                change->n += there->len;
                pt_nft_batch_flush_set(batch, TABLE, set);
        }
        return 0;
}

/* What is there already is taken out first: kernels before 6.12 leave it its old time. */
static int make_some(Change *change, PtNftBatch *batch)
{
        const FwBan *entries = &g_array_index(change->entries, FwBan, 0);

        for (unsigned f = 0, from = 0; f < G_N_ELEMENTS(families); f++) {
                const char *set = set_of(change->external, change->alias, f);
                g_autoptr(GArray) there = g_array_new(FALSE, FALSE, sizeof(FwBan));
                unsigned n = 0;
                int r;

                while (from + n < change->entries->len &&
                       entries[from + n].family == families[f].family)
                        n++;
                r = read_some(change->external, set, f, entries + from, n, there);
                if (r < 0)
                        return r;
                put(f, set, &g_array_index(there, FwBan, 0), there->len, true, batch);
                if (!change->remove)
                        put(f, set, entries + from, n, false, batch);
                change->n += change->remove ? there->len : n;
                from += n;
        }
        return 0;
}

static int make(PtNftBatch **ret, void *userdata)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        Change *change = userdata;
        int r;

        change->n = 0;
        if (!find(change->external, change->alias))
                return -ESRCH;
        r = change->entries ? make_some(change, batch) : make_flush(change, batch);
        if (r == 0)
                *ret = g_steal_pointer(&batch);
        return r;
}

static void change_free(Change *change)
{
        if (change->entries)
                g_array_unref(change->entries);
        g_free(change->alias);
        g_free(change);
}

static void made(int result, uint32_t n, void *userdata)
{
        Change *change = userdata;

        change->done(result, change->n, change->userdata);
        change_free(change);
}

static int send_change(FwExternal *external, const char *alias, GArray *entries, bool remove,
                       FwBansDone done, void *userdata)
{
        Change *change = g_new0(Change, 1);
        int r;

        *change = (Change){.external = external,
                           .alias = g_strdup(alias),
                           .entries = entries,
                           .remove = remove,
                           .done = done,
                           .userdata = userdata};
        r = fw_bans_send_made(external->bans, make, made, change);
        if (r < 0)
                change_free(change);
        return r;
}

/* In order, each once: of two alike the later counts. */
static GArray *sorted(const GArray *entries)
{
        GArray *sorted = g_array_copy((GArray *) (uintptr_t) entries);
        unsigned n = 0;

        g_array_sort(sorted, compare);
        for (unsigned i = 0; i < sorted->len; i++) {
                FwBan *entry = &g_array_index(sorted, FwBan, i);

                if (n > 0 && fw_ban_compare(entry, &g_array_index(sorted, FwBan, n - 1)) == 0)
                        n--;
                g_array_index(sorted, FwBan, n++) = *entry;
        }
        g_array_set_size(sorted, n);
        return sorted;
}

int fw_external_add(FwExternal *external, const char *alias, const GArray *entries, FwBansDone done,
                    void *userdata)
{
        return entries->len > FW_EXTERNAL_BATCH_MAX
                       ? -EFBIG
                       : send_change(external, alias, sorted(entries), false, done, userdata);
}

int fw_external_remove(FwExternal *external, const char *alias, const GArray *entries,
                       FwBansDone done, void *userdata)
{
        return entries->len > FW_EXTERNAL_BATCH_MAX
                       ? -EFBIG
                       : send_change(external, alias, sorted(entries), true, done, userdata);
}

int fw_external_flush(FwExternal *external, const char *alias, FwBansDone done, void *userdata)
{
        return send_change(external, alias, NULL, true, done, userdata);
}
