/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "listing.h"

#include "base/marks.h"
#include "ruleset.h"

#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

typedef struct Listing {
        PtNft *nft;
        const FwClass *klass;
        void (*each)(const FwCounterRow *row, void *userdata);
        void *userdata;

        /* Of the unit being read: what has been found, by entry. */
        const FwUnit *unit;
        unsigned start; /* entry where it begins */
        FwCounterRow *rows;
        unsigned first, n; /* entries wanted */
        unsigned entry;    /* of a fold: whose keys are being read */
} Listing;

static void add(Listing *listing, unsigned entry, uint64_t packets, uint64_t bytes,
                const FwTag *tag)
{
        FwCounterRow *row;

        if (entry < listing->first || entry - listing->first >= listing->n)
                return;
        row = &listing->rows[entry - listing->first];
        row->packets += packets;
        row->bytes += bytes;
        row->carried |= (tag->flags & FW_TAG_CARRIED) != 0;
}

static int read_shard_rule(struct nftnl_rule *rule, void *userdata)
{
        Listing *listing = userdata;
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        uint64_t packets, bytes;
        FwTag tag, wanted;

        if (!fw_tag_read(data, size, &tag) || !pt_nft_rule_counter(rule, &packets, &bytes))
                return 0;
        for (unsigned i = 0; i < listing->unit->n; i++) {
                fw_tag_of(g_array_index(listing->klass->entries, FwEntry, listing->start + i).rule,
                          0, false, &wanted);
                if (memcmp(wanted.uid, tag.uid, sizeof(tag.uid)) == 0) {
                        add(listing, listing->start + i, packets, bytes, &tag);
                        break;
                }
        }
        return 0;
}

static int read_fold_element(struct nftnl_set_elem *element, void *userdata)
{
        Listing *listing = userdata;
        uint32_t size = 0;
        const void *data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);
        uint64_t packets, bytes;
        FwTag tag;

        if (fw_tag_read(data, size, &tag) && pt_nft_element_counter(element, &packets, &bytes))
                add(listing, listing->entry, packets, bytes, &tag);
        return 0;
}

static int read_fold(Listing *listing)
{
        size_t len = fw_shape_key_len(listing->unit->shape);

        for (unsigned i = 0; i < listing->n; i++) {
                FwKey keys[FW_KEYS_MAX];
                unsigned n;

                listing->entry = listing->first + i;
                n = fw_match_keys(
                        g_array_index(listing->klass->entries, FwEntry, listing->entry).rule,
                        listing->unit->shape, keys);
                for (unsigned k = 0; k < n; k++) {
                        int r = pt_nft_get_element(listing->nft, TABLE, listing->unit->name,
                                                   keys[k].bytes, (uint32_t) len, read_fold_element,
                                                   listing);

                        if (r < 0 && r != -ENOENT)
                                return r;
                }
        }
        return 0;
}

/* Up to `limit` rows of a class from an entry on; their number, or a negative errno. */
static int list_class(Listing *listing, const FwClass *klass, unsigned from, unsigned limit)
{
        g_autofree FwCounterRow *rows = g_new0(FwCounterRow, limit);
        unsigned start = 0, listed = 0;

        listing->klass = klass;
        for (unsigned i = 0; i < klass->units->len && listed < limit; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);
                int r;

                if (from + listed < start + unit->n) {
                        listing->unit = unit;
                        listing->start = start;
                        listing->first = from + listed;
                        listing->n = MIN(limit - listed, start + unit->n - listing->first);
                        listing->rows = rows + listed;
                        r = unit->shape ? read_fold(listing)
                                        : pt_nft_dump_rules(listing->nft, TABLE, unit->name,
                                                            read_shard_rule, listing);
                        if (r < 0 && r != -ENOENT)
                                return r;
                        listed += listing->n;
                }
                start += unit->n;
        }
        for (unsigned i = 0; i < listed; i++) {
                const PtObject *object =
                        &g_array_index(klass->entries, FwEntry, from + i).rule->object;

                rows[i].kind = object->kind->name;
                rows[i].name = object->name;
                rows[i].klass = klass->name;
                listing->each(&rows[i], listing->userdata);
        }
        return (int) listed;
}

static int list_fixed(Listing *listing, const FwZones *zones)
{
        g_autoptr(GHashTable) counts = NULL;
        g_autoptr(GList) names = NULL;
        int r;

        r = fw_ruleset_read_fixed(listing->nft, zones, &counts);
        if (r < 0)
                return r;
        names = g_list_sort(g_hash_table_get_keys(counts), (GCompareFunc) strcmp);
        for (GList *name = names; name; name = name->next) {
                const FwCount *count = g_hash_table_lookup(counts, name->data);
                FwCounterRow row = {.kind = "",
                                    .name = name->data,
                                    .klass = "",
                                    .packets = count->packets,
                                    .bytes = count->bytes};

                listing->each(&row, listing->userdata);
        }
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp((*(FwClass *const *) a)->name, (*(FwClass *const *) b)->name);
}

/* A cursor is "CLASS#ENTRY": what comes next. A class that a commit has taken away meanwhile
 * continues at the one after. */
static int parse_cursor(const char *after, char **ret_class, unsigned *ret_entry)
{
        const char *hash = strchr(after, '#');
        uint64_t entry;

        if (!hash || !g_ascii_string_to_unsigned(hash + 1, 10, 0, UINT32_MAX, &entry, NULL))
                return -EINVAL;
        *ret_class = g_strndup(after, (size_t) (hash - after));
        *ret_entry = (unsigned) entry;
        return 0;
}

int fw_list_counters(FwEngine *engine, const char *after, unsigned limit,
                     void (*each)(const FwCounterRow *row, void *userdata), void *userdata,
                     char **ret_next)
{
        const FwLayout *layout = fw_engine_layout(engine);
        Listing listing = {.nft = fw_engine_nft_socket(engine), .each = each, .userdata = userdata};
        g_autoptr(GPtrArray) classes = g_ptr_array_new();
        g_autofree char *name = NULL;
        unsigned entry = 0;
        GHashTableIter iter;
        FwClass *klass;
        int r;

        if (!layout)
                return -ENODATA;
        if (after[0] != '\0') {
                r = parse_cursor(after, &name, &entry);
                if (r < 0)
                        return r;
        } else {
                r = list_fixed(&listing, layout->zones);
                if (r < 0)
                        return r == -ENOENT ? -ENODATA : r;
        }
        g_hash_table_iter_init(&iter, layout->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                g_ptr_array_add(classes, klass);
        g_ptr_array_sort(classes, compare_names);

        for (unsigned i = 0; i < classes->len; i++) {
                unsigned from = 0;

                klass = g_ptr_array_index(classes, i);
                if (name && strcmp(klass->name, name) < 0)
                        continue;
                if (name && strcmp(klass->name, name) == 0)
                        from = MIN(entry, klass->entries->len);
                if (limit == 0) {
                        *ret_next = g_strdup_printf("%s#%u", klass->name, from);
                        return 0;
                }
                r = list_class(&listing, klass, from, MIN(limit, klass->entries->len - from));
                if (r < 0)
                        return r;
                limit -= (unsigned) r;
                if (from + (unsigned) r < klass->entries->len) {
                        *ret_next = g_strdup_printf("%s#%u", klass->name, from + (unsigned) r);
                        return 0;
                }
        }
        *ret_next = g_strdup("");
        return 0;
}
