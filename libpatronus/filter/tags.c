/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/tags.h"

#include "kinds/firewall/firewall.h"

#include <string.h>

typedef struct Row {
        char *name;
        unsigned bit;
} Row;

struct FwTags {
        unsigned refs;
        GArray *rows; /* Row, sorted by name */
        unsigned next;
};

static void row_clear(void *p)
{
        g_free(((Row *) p)->name);
}

FwTags *fw_tags_new_empty(unsigned next_bit)
{
        FwTags *tags = g_new0(FwTags, 1);

        tags->refs = 1;
        tags->rows = g_array_new(FALSE, FALSE, sizeof(Row));
        g_array_set_clear_func(tags->rows, row_clear);
        tags->next = next_bit % FW_TAG_BITS;
        return tags;
}

FwTags *fw_tags_ref(FwTags *tags)
{
        if (tags)
                tags->refs++;
        return tags;
}

void fw_tags_unref(FwTags *tags)
{
        if (!tags || --tags->refs > 0)
                return;
        g_array_unref(tags->rows);
        g_free(tags);
}

static const Row *row_at(const FwTags *tags, unsigned i)
{
        return &g_array_index(tags->rows, Row, i);
}

/* Where a name is, or would be. */
static unsigned find(const FwTags *tags, const char *name)
{
        unsigned lo = 0, hi = tags->rows->len;

        while (lo < hi) {
                unsigned middle = lo + (hi - lo) / 2;

                if (strcmp(row_at(tags, middle)->name, name) < 0)
                        lo = middle + 1;
                else
                        hi = middle;
        }
        return lo;
}

int fw_tags_bit(const FwTags *tags, const char *name)
{
        unsigned at = find(tags, name);

        if (at == tags->rows->len || strcmp(row_at(tags, at)->name, name) != 0)
                return -ENOENT;
        return (int) row_at(tags, at)->bit;
}

static bool is_taken(const FwTags *tags, unsigned bit)
{
        for (unsigned i = 0; tags && i < tags->rows->len; i++)
                if (row_at(tags, i)->bit == bit)
                        return true;
        return false;
}

int fw_tags_add(FwTags *tags, const char *name, unsigned bit)
{
        Row row = {.bit = bit};

        if (bit >= FW_TAG_BITS || is_taken(tags, bit) || fw_tags_bit(tags, name) >= 0 ||
            tags->rows->len == FW_TAGS_MAX)
                return -EINVAL;
        row.name = g_strdup(name);
        g_array_insert_val(tags->rows, find(tags, name), row);
        return 0;
}

FwNumber fw_tags_mask(const FwTags *tags, char *const *names, unsigned n)
{
        FwNumber mask = 0;

        for (unsigned i = 0; i < n; i++) {
                int bit = fw_tags_bit(tags, names[i]);

                if (bit >= 0)
                        mask |= (FwNumber) 1 << bit;
        }
        return mask;
}

bool fw_tags_same(const FwTags *a, const FwTags *b)
{
        if (a->rows->len != b->rows->len || a->next != b->next)
                return false;
        for (unsigned i = 0; i < a->rows->len; i++)
                if (row_at(a, i)->bit != row_at(b, i)->bit ||
                    strcmp(row_at(a, i)->name, row_at(b, i)->name) != 0)
                        return false;
        return true;
}

unsigned fw_tags_count(const FwTags *tags)
{
        return tags->rows->len;
}

const char *fw_tags_get(const FwTags *tags, unsigned index, unsigned *ret_bit)
{
        *ret_bit = row_at(tags, index)->bit;
        return row_at(tags, index)->name;
}

bool fw_tags_is_unused(const FwTags *tags)
{
        return tags->rows->len == 0 && tags->next == 0;
}

unsigned fw_tags_next_bit(const FwTags *tags)
{
        return tags->next;
}

/* Names of a slice. */

static int collect(const PtObject *object, void *userdata)
{
        GHashTable *names = userdata;
        const FwRuleBox *box = fw_rule_box((const FirewallRule *) object);

        if (box->set_tag)
                g_hash_table_add(names, box->set_tag);
        for (unsigned i = 0; i < box->tagged.n; i++)
                g_hash_table_add(names, ((char *const *) box->tagged.items)[i]);
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static unsigned next_free(FwTags *tags, const FwTags *before)
{
        unsigned bit = tags->next;

        while (is_taken(tags, bit) || is_taken(before, bit))
                bit = (bit + 1) % FW_TAG_BITS;
        tags->next = (bit + 1) % FW_TAG_BITS;
        return bit;
}

int fw_tags_new(const PtSlice *slice, const FwTags *before, PtDiagnostics *diag, FwTags **ret)
{
        g_autoptr(FwTags) tags = fw_tags_new_empty(before ? before->next : 0);
        g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
        g_autofree const char **names = NULL;
        unsigned n;

        (void) pt_slice_foreach(slice, &pt_kind_firewall_rule, collect, set);
        names = (const char **) g_hash_table_get_keys_as_array(set, &n);
        if (n > FW_TAGS_MAX) {
                pt_diag_error(diag, "too-many-tags", "",
                              "the rules name %u tags; there may be %d at most: remove some", n,
                              FW_TAGS_MAX);
                return -E2BIG;
        }
        qsort(names, n, sizeof(*names), compare_names);
        /* Those that stay first: their bits are nobody else's. */
        for (unsigned i = 0; before && i < n; i++) {
                int bit = fw_tags_bit(before, names[i]);

                if (bit >= 0)
                        (void) fw_tags_add(tags, names[i], (unsigned) bit);
        }
        for (unsigned i = 0; i < n; i++)
                if (fw_tags_bit(tags, names[i]) < 0)
                        (void) fw_tags_add(tags, names[i], next_free(tags, before));
        *ret = g_steal_pointer(&tags);
        return 0;
}
