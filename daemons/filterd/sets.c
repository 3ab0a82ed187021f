/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OTHER "x" /* what the other name of a set of the same size ends with */

/* An alias in use. */
typedef struct Use {
        char *alias;
        FwAliasType type;
        bool external;
        uint64_t timeout; /* of an external one, seconds; 0: none */
        unsigned rules;   /* times that rules name it; an external one counts as one */
        unsigned sizes[FW_SET_PART_MAX];
        bool others[FW_SET_PART_MAX]; /* the other one of two names of that size */
        char *names[FW_SET_PART_MAX]; /* NULL: it cannot hold any */
} Use;

struct FwSets {
        unsigned refs;
        char *state_dir;    /* of the datasets */
        FwLive *live;       /* what they hold beside the slice; NULL: nothing */
        GHashTable *uses;   /* alias -> Use */
        char *missing;      /* an alias that a rule names and the slice does not have; or NULL */
        GPtrArray *changes; /* FwSetChange */
        GHashTable *moved;  /* aliases with a set of another name than before: a set, borrowed */
};

static const char *prefix_of(FwSetPart part, FwAliasType type)
{
        switch (part) {
        case FW_SET_IPV4:
                return type == FW_ALIAS_HOST ? "h4" : "n4";
        case FW_SET_IPV6:
                return type == FW_ALIAS_HOST ? "h6" : "n6";
        case FW_SET_PORTS:
                return "ap";
        case FW_SET_MACS:
                return "am";
        case FW_SET_PART_MAX:
        case FW_SET_PART_INVALID:
                break;
        }
        g_assert_not_reached();
}

/* What a set's name begins with: all but its size. */
static char *stem_of(const Use *use, FwSetPart part)
{
        if (use->external)
                return g_strdup_printf("x%c_%s/%" PRIu64, part == FW_SET_IPV4 ? '4' : '6',
                                       use->alias, use->timeout);
        return g_strdup_printf("%s_%s", prefix_of(part, use->type), use->alias);
}

static bool is_intervals(FwAliasType type)
{
        return type == FW_ALIAS_NETWORK || type == FW_ALIAS_PORT;
}

static void name_set(Use *use, FwSetPart part, unsigned size, bool other)
{
        g_autofree char *stem = stem_of(use, part);

        g_free(use->names[part]);
        use->names[part] = g_strdup_printf("%s/%u%s", stem, size, other ? OTHER : "");
        use->sizes[part] = size;
        use->others[part] = other;
}

static Use *use_new(const Alias *alias)
{
        Use *use = g_new0(Use, 1);

        use->alias = g_strdup(alias->object.name);
        use->type = (FwAliasType) alias->type;
        use->external = alias->external;
        if (alias->external)
                use->timeout = alias->timeout / G_USEC_PER_SEC;
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                if (fw_part_of_type(part, use->type))
                        name_set(use, part,
                                 use->external ? FW_ALIAS_EXTERNAL_SIZE_BITS : FW_SET_SIZE_MIN,
                                 false);
        return use;
}

static void use_free(void *p)
{
        Use *use = p;

        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                g_free(use->names[part]);
        g_free(use->alias);
        g_free(use);
}

static void change_free(void *p)
{
        FwSetChange *change = p;

        g_free(change->alias);
        g_free(change->before);
        g_free(change->after);
        g_byte_array_unref(change->removed);
        g_byte_array_unref(change->added);
        g_clear_pointer(&change->kept, g_array_unref);
        g_free(change);
}

static FwSets *sets_empty(const char *state_dir, FwLive *live)
{
        FwSets *sets = g_new0(FwSets, 1);

        sets->refs = 1;
        sets->state_dir = g_strdup(state_dir);
        sets->live = fw_live_ref(live);
        sets->uses = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, use_free);
        sets->changes = g_ptr_array_new_with_free_func(change_free);
        sets->moved = g_hash_table_new(g_str_hash, g_str_equal);
        return sets;
}

FwSets *fw_sets_ref(FwSets *sets)
{
        sets->refs++;
        return sets;
}

void fw_sets_unref(FwSets *sets)
{
        if (!sets || --sets->refs > 0)
                return;
        g_hash_table_unref(sets->moved);
        g_ptr_array_unref(sets->changes);
        g_hash_table_unref(sets->uses);
        fw_live_unref(sets->live);
        g_free(sets->missing);
        g_free(sets->state_dir);
        g_free(sets);
}

/* Who names which aliases. */

typedef void (*NameFunc)(const char *alias, void *userdata);

static void each_in_list(const PtList *list, NameFunc each, void *userdata)
{
        char *const *names = list->items;

        for (unsigned i = 0; i < list->n; i++)
                each(names[i], userdata);
}

static void each_in_endpoint(const FwEndpoint *endpoint, NameFunc each, void *userdata)
{
        const FwEndpointBox *box = endpoint->box;

        if (!box)
                return;
        each_in_list(&box->aliases, each, userdata);
        each_in_list(&box->port_aliases, each, userdata);
        each_in_list(&box->mac_aliases, each, userdata);
        each_in_list(&box->except.aliases, each, userdata);
        each_in_list(&box->except.port_aliases, each, userdata);
}

/* Nothing of disabled rules, other kinds and NULL; of an external alias itself. */
static void each_alias(const PtObject *object, NameFunc each, void *userdata)
{
        if (object && object->kind == &pt_kind_firewall_rule) {
                const FirewallRule *rule = (const FirewallRule *) object;

                if (!fw_rule_enabled(rule))
                        return;
                each_in_endpoint(&rule->source, each, userdata);
                each_in_endpoint(&rule->destination, each, userdata);
        } else if (object && object->kind == &pt_kind_alias) {
                if (((const Alias *) object)->external)
                        each(object->name, userdata);
        } else if (object && object->kind == &pt_kind_nat_rule) {
                const NatRule *rule = (const NatRule *) object;

                if (!fw_nat_enabled(rule))
                        return;
                each_in_endpoint(&rule->source, each, userdata);
                each_in_endpoint(&rule->destination, each, userdata);
        }
}

static void count_name(const char *name, void *userdata)
{
        GHashTable *counts = userdata;
        int n = GPOINTER_TO_INT(g_hash_table_lookup(counts, name));

        g_hash_table_insert(counts, (void *) (uintptr_t) name, GINT_TO_POINTER(n + 1));
}

static void uncount_name(const char *name, void *userdata)
{
        GHashTable *counts = userdata;
        int n = GPOINTER_TO_INT(g_hash_table_lookup(counts, name));

        g_hash_table_insert(counts, (void *) (uintptr_t) name, GINT_TO_POINTER(n - 1));
}

static int count_rule(const PtObject *rule, void *userdata)
{
        each_alias(rule, count_name, userdata);
        return 0;
}

static void add_use(FwSets *sets, const PtSlice *slice, const char *name, unsigned rules)
{
        const Alias *alias = (const Alias *) pt_slice_get(slice, &pt_kind_alias, name);
        Use *use;

        if (!alias) {
                if (!sets->missing)
                        sets->missing = g_strdup(name);
                return;
        }
        use = use_new(alias);
        use->rules = rules;
        g_hash_table_insert(sets->uses, use->alias, use);
}

FwSets *fw_sets_new(const PtSlice *slice)
{
        g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
        FwSets *sets = sets_empty(NULL, NULL);
        GHashTableIter iter;
        gpointer name, n;

        (void) pt_slice_foreach(slice, &pt_kind_firewall_rule, count_rule, counts);
        (void) pt_slice_foreach(slice, &pt_kind_nat_rule, count_rule, counts);
        (void) pt_slice_foreach(slice, &pt_kind_alias, count_rule, counts);
        g_hash_table_iter_init(&iter, counts);
        while (g_hash_table_iter_next(&iter, &name, &n))
                add_use(sets, slice, name, GPOINTER_TO_UINT(n));
        return sets;
}

/* Contents. */

typedef struct Packer {
        FwSetChange *change;
        size_t len;
        bool too_many;
} Packer;

static void pack(const FwSpan *span, bool added, void *userdata)
{
        Packer *packer = userdata;
        GByteArray *out = added ? packer->change->added : packer->change->removed;
        uint8_t bytes[2 * FW_NUMBER_BYTES_MAX];

        if (packer->change->intervals) {
                fw_number_write(span->lo, packer->len, bytes);
                fw_number_write(span->hi, packer->len, bytes + packer->len);
                g_byte_array_append(out, bytes, (guint) (2 * packer->len));
                return;
        }
        /* Entries are limited where aliases are checked; a range among hosts would be more. */
        if (span->hi - span->lo >= FW_ALIAS_ENTRIES_MAX) {
                packer->too_many = true;
                return;
        }
        for (FwNumber number = span->lo;; number++) {
                fw_number_write(number, packer->len, bytes);
                g_byte_array_append(out, bytes, (guint) packer->len);
                if (number == span->hi)
                        break;
        }
}

static FwSetChange *change_new(const Use *use, FwSetPart part)
{
        FwSetChange *change = g_new0(FwSetChange, 1);

        change->alias = g_strdup(use->alias);
        change->part = part;
        change->intervals = is_intervals(use->type);
        change->external = use->external;
        change->timeout = use->timeout;
        change->added = g_byte_array_new();
        change->removed = g_byte_array_new();
        return change;
}

/* An interval is two, unless it ends with the last number. */
static size_t count_elements(const FwSetChange *change, const FwFlat *flat)
{
        return change->intervals ? 2 * fw_flat_spans(flat) - fw_flat_reaches_end(flat)
                                 : fw_flat_numbers(flat);
}

/* The difference between two contents into the change; `before` may be NULL. */
static int pack_difference(FwSetChange *change, FwFlat *before, FwFlat *after)
{
        Packer packer = {change, fw_part_key_len(change->part), false};
        int r = fw_flat_compare(before, after, change->intervals, pack, &packer);

        if (r < 0)
                return r;
        change->elements = count_elements(change, after);
        return packer.too_many ? -E2BIG : 0;
}

/* The size of a set that is made for so many elements. */
static unsigned size_for(size_t n)
{
        unsigned size = FW_SET_SIZE_MIN;

        while (((size_t) 1 << size) < n + n / 2)
                size++;
        return size;
}

static bool is_full(size_t n, unsigned size)
{
        return n * 10 > ((size_t) 9 << size);
}

/* All that a set holds, into `added`. */
static int read_whole(FwSetChange *change, const FwSource *source, const GPtrArray *closure)
{
        g_autoptr(FwFlat) flat = NULL;
        int r = fw_flat_new(source, closure, change->part, &flat);

        g_byte_array_set_size(change->added, 0);
        g_byte_array_set_size(change->removed, 0);
        return r < 0 ? r : pack_difference(change, NULL, flat);
}

/* A set that comes: its contents, and a size that they ask for. */
static int make_set(FwSets *sets, Use *use, FwSetPart part, FwSetChange *change,
                    const FwSource *source, const GPtrArray *closure)
{
        int r = read_whole(change, source, closure);

        if (r < 0)
                return r;
        change->size = use->external ? FW_ALIAS_EXTERNAL_SIZE_BITS : size_for(change->elements);
        name_set(use, part, change->size, false);
        change->after = g_strdup(use->names[part]);
        return 0;
}

static int load_use(FwSets *sets, Use *use, const FwSource *source, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(source->slice, use->alias);
        int r = fw_flat_verify(source, closure, diag);

        for (FwSetPart part = 0; r == 0 && part < FW_SET_PART_MAX; part++) {
                FwSetChange *change;

                if (!use->names[part])
                        continue;
                change = change_new(use, part);
                g_ptr_array_add(sets->changes, change);
                r = make_set(sets, use, part, change, source, closure);
        }
        return r;
}

/* configd lets no such slice pass; one from a damaged disk must not make filterd look up a set that
 * there is not. */
static int check_missing(const FwSets *sets, PtDiagnostics *diag)
{
        if (!sets->missing)
                return 0;
        pt_diag_error(diag, "unknown-alias", "", "a rule names the alias %s, which does not exist",
                      sets->missing);
        return -EINVAL;
}

static void set_sources(FwSets *sets, const char *state_dir, FwLive *live)
{
        g_free(sets->state_dir);
        sets->state_dir = g_strdup(state_dir);
        fw_live_ref(live);
        fw_live_unref(sets->live);
        sets->live = live;
}

FwLive *fw_sets_live(const FwSets *sets)
{
        return sets->live;
}

int fw_sets_load(FwSets *sets, const FwSource *source, PtDiagnostics *diag)
{
        GHashTableIter iter;
        Use *use;
        int r = check_missing(sets, diag);

        set_sources(sets, source->state_dir, source->live);
        g_ptr_array_set_size(sets->changes, 0);
        g_hash_table_iter_init(&iter, sets->uses);
        while (r == 0 && g_hash_table_iter_next(&iter, NULL, (void **) &use))
                r = load_use(sets, use, source, diag);
        return r;
}

/* "h4_NAME/12": 12; 0: not a name of ours. */
static unsigned size_of_name(const char *name, size_t *ret_stem, bool *ret_other)
{
        const char *slash = strrchr(name, '/');
        char *end;
        unsigned long size;

        if (!slash || !g_ascii_isdigit(slash[1]))
                return 0;
        errno = 0;
        size = strtoul(slash + 1, &end, 10);
        *ret_other = strcmp(end, OTHER) == 0;
        if (errno != 0 || (*end != '\0' && !*ret_other) || size < FW_SET_SIZE_MIN || size > 31)
                return 0;
        *ret_stem = (size_t) (slash - name);
        return (unsigned) size;
}

bool fw_sets_adopt(FwSets *sets, const GPtrArray *names, const char *state_dir, FwLive *live)
{
        g_autoptr(GHashTable) sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GHashTableIter iter;
        Use *use;

        set_sources(sets, state_dir, live);
        if (sets->missing)
                return false;
        for (unsigned i = 0; i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                size_t stem;
                bool other;
                unsigned size = size_of_name(name, &stem, &other);

                if (size > 0)
                        g_hash_table_insert(sizes, g_strndup(name, stem),
                                            GUINT_TO_POINTER(size * 2 + other));
        }
        g_hash_table_iter_init(&iter, sets->uses);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &use))
                for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++) {
                        g_autofree char *stem = NULL;
                        unsigned size;

                        if (!use->names[part])
                                continue;
                        stem = stem_of(use, part);
                        size = GPOINTER_TO_UINT(g_hash_table_lookup(sizes, stem));
                        if (size == 0)
                                return false;
                        name_set(use, part, size / 2, size % 2);
                }
        return true;
}

/* Changes. */

typedef struct Compare {
        GHashTable *counts; /* alias -> by how many rules more name it */
        unsigned aliases;   /* how many of them changed */
} Compare;

static int compare_object(const PtObject *before, const PtObject *after, void *userdata)
{
        Compare *compare = userdata;

        if ((before ?: after)->kind == &pt_kind_alias)
                compare->aliases++;
        each_alias(before, uncount_name, compare->counts);
        each_alias(after, count_name, compare->counts);
        return 0;
}

/* The uses after the change; which have no contents yet. */
static void copy_uses(FwSets *copy, const FwSets *sets, const PtSlice *slice, GHashTable *counts)
{
        GHashTableIter iter;
        gpointer name, n;
        const Use *use;

        g_hash_table_iter_init(&iter, sets->uses);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &use)) {
                unsigned rules =
                        use->rules + GPOINTER_TO_UINT(g_hash_table_lookup(counts, use->alias));

                if (rules > 0)
                        add_use(copy, slice, use->alias, rules);
        }
        g_hash_table_iter_init(&iter, counts);
        while (g_hash_table_iter_next(&iter, &name, &n))
                if (!g_hash_table_contains(sets->uses, name) && GPOINTER_TO_INT(n) > 0)
                        add_use(copy, slice, name, GPOINTER_TO_UINT(n));
}

/* The same objects, and the same found out for them. */
static bool same_contents(const FwSource *before, const GPtrArray *a, const FwSource *after,
                          const GPtrArray *b)
{
        if (a->len != b->len || memcmp(a->pdata, b->pdata, a->len * sizeof(*a->pdata)) != 0)
                return false;
        for (unsigned i = 0; before->live != after->live && i < a->len; i++) {
                const Alias *alias = g_ptr_array_index(a, i);

                if (!fw_live_same(before->live, after->live, alias->object.name))
                        return false;
        }
        return true;
}

static int compare_part(FwSetChange *change, const FwSource *source_before,
                        const GPtrArray *closure_before, const FwSource *source,
                        const GPtrArray *closure)
{
        g_autoptr(FwFlat) before = NULL, after = NULL;
        int r = fw_flat_new(source_before, closure_before, change->part, &before);

        if (r == 0)
                r = fw_flat_new(source, closure, change->part, &after);
        return r < 0 ? r : pack_difference(change, before, after);
}

/* One set before and after. */
static int change_set(FwSets *sets, const Use *old, Use *use, FwSetPart part,
                      const FwSource *source_before, const GPtrArray *closure_before,
                      const FwSource *source, const GPtrArray *closure)
{
        FwSetChange *change = change_new(use, part);
        int r;

        g_ptr_array_add(sets->changes, change);
        if (!old)
                return make_set(sets, use, part, change, source, closure);

        change->before = g_strdup(old->names[part]);
        r = compare_part(change, source_before, closure_before, source, closure);
        if (r < 0)
                return r;
        if (is_full(change->elements, old->sizes[part])) {
                g_hash_table_add(sets->moved, use->alias);
                return make_set(sets, use, part, change, source, closure);
        }
        name_set(use, part, old->sizes[part], old->others[part]);
        change->size = old->sizes[part];
        change->after = g_strdup(use->names[part]);
        if (change->added->len == 0 && change->removed->len == 0)
                g_ptr_array_remove_index(sets->changes, sets->changes->len - 1);
        return 0;
}

static void keep_names(Use *use, const Use *old)
{
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                if (use->names[part])
                        name_set(use, part, old->sizes[part], old->others[part]);
}

static void drop_set(FwSets *sets, const Use *old, FwSetPart part)
{
        FwSetChange *change = change_new(old, part);

        change->before = g_strdup(old->names[part]);
        g_ptr_array_add(sets->changes, change);
}

static void drop_sets(FwSets *sets, const Use *old)
{
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                if (old->names[part])
                        drop_set(sets, old, part);
}

/* An alias that is in use after the change, and perhaps was before. */
static int change_use(FwSets *sets, const Use *old, Use *use, const FwSource *before,
                      const FwSource *source, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(source->slice, use->alias);
        g_autoptr(GPtrArray) closure_before = fw_flat_closure(before->slice, use->alias);
        int r;

        if (old && (old->type != use->type || old->external != use->external ||
                    old->timeout != use->timeout)) {
                /* Other sets. Rules that name it see the other name. */
                drop_sets(sets, old);
                g_hash_table_add(sets->moved, use->alias);
                old = NULL;
        }
        if (old && same_contents(before, closure_before, source, closure)) {
                keep_names(use, old);
                return 0;
        }
        r = fw_flat_verify(source, closure, diag);
        if (r == 0 && old && fw_flat_verify(before, closure_before, NULL) < 0)
                r = -EUCLEAN;
        for (FwSetPart part = 0; r == 0 && part < FW_SET_PART_MAX; part++)
                if (use->names[part])
                        r = change_set(sets, old, use, part, before, closure_before, source,
                                       closure);
        return r;
}

/* Whether something enters that what leaves covered, so that a packet could be in neither. */
static bool overlaps(const FwSetChange *change)
{
        size_t len = fw_part_key_len(change->part), size = 2 * len;
        const uint8_t *a = change->removed->data, *b = change->added->data;
        const uint8_t *end_a = a + change->removed->len, *end_b = b + change->added->len;

        while (a < end_a && b < end_b) {
                if (memcmp(a + len, b, len) < 0)
                        a += size;
                else if (memcmp(b + len, a, len) < 0)
                        b += size;
                else
                        return true;
        }
        return false;
}

/* A set that goes on under its name, with something else in it. */
static bool is_edit(const FwSetChange *change)
{
        return !change->external && change->after && g_strcmp0(change->before, change->after) == 0;
}

/* Whether a packet may be looked up in two of the sets that are edited: an alias and one that
 * includes it. */
static bool is_nested(const FwSets *sets)
{
        unsigned edits[FW_SET_PART_MAX] = {0};

        for (unsigned i = 0; i < sets->changes->len; i++) {
                const FwSetChange *change = g_ptr_array_index(sets->changes, i);

                if (is_edit(change) && ++edits[change->part] > 1)
                        return true;
        }
        return false;
}

/*
 * The kernel shows what enters and what leaves a set of intervals later than all else in a
 * transaction, and what of a set of single values a packet finds that is on its way already is new
 * while its rules are of before (stages.h). That is no harm when one set with other entries is all
 * that the commit is; else the set is made anew, under its other name, and the rules move there.
 */
static bool needs_renewal(const FwSetChange *change, bool alone, bool nested)
{
        if (!is_edit(change))
                return false;
        if (change->intervals && (!alone || overlaps(change)))
                return true;
        return (!alone || nested) && change->elements <= FW_SET_RENEWED_MAX;
}

static int renew(FwSets *sets, FwSets *old, const FwSource *source, bool alone)
{
        bool nested = is_nested(sets);

        /* Once one moves, rules change too. */
        alone = alone && !fw_sets_any_moves(sets);
        for (unsigned i = 0; i < sets->changes->len && alone; i++)
                alone = !needs_renewal(g_ptr_array_index(sets->changes, i), alone, nested);
        for (unsigned i = 0; i < sets->changes->len; i++) {
                FwSetChange *change = g_ptr_array_index(sets->changes, i);
                const Use *before = g_hash_table_lookup(old->uses, change->alias);
                Use *use = g_hash_table_lookup(sets->uses, change->alias);
                g_autoptr(GPtrArray) closure = NULL;
                int r;

                if (!needs_renewal(change, alone, nested))
                        continue;
                closure = fw_flat_closure(source->slice, change->alias);
                r = read_whole(change, source, closure);
                if (r < 0)
                        return r;
                name_set(use, change->part, change->size, !before->others[change->part]);
                g_free(change->after);
                change->after = g_strdup(use->names[change->part]);
                g_hash_table_add(sets->moved, use->alias);
        }
        return 0;
}

int fw_sets_change(FwSets *sets, const PtSlice *before, const PtSlice *after, bool alone,
                   FwLive *live, PtDiagnostics *diag, FwSets **ret)
{
        g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
        FwSource source_before = {before, sets->state_dir, sets->live};
        FwSource source = {after, sets->state_dir, live};
        g_autoptr(FwSets) changed = NULL;
        Compare compare = {.counts = counts};
        GHashTableIter iter;
        Use *use;
        int r = 0;

        (void) pt_slice_compare(before, after, compare_object, &compare);
        if (compare.aliases == 0 && g_hash_table_size(counts) == 0 && live == sets->live) {
                *ret = NULL;
                return 0;
        }
        changed = sets_empty(sets->state_dir, live);
        copy_uses(changed, sets, after, counts);
        r = check_missing(changed, diag);
        g_hash_table_iter_init(&iter, sets->uses);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &use))
                if (!g_hash_table_contains(changed->uses, use->alias))
                        drop_sets(changed, use);
        g_hash_table_iter_init(&iter, changed->uses);
        while (r == 0 && g_hash_table_iter_next(&iter, NULL, (void **) &use))
                r = change_use(changed, g_hash_table_lookup(sets->uses, use->alias), use,
                               &source_before, &source, diag);
        if (r == 0)
                r = renew(changed, sets, &source,
                          alone && compare.aliases + fw_live_changes(sets->live, live) == 1 &&
                                  g_hash_table_size(counts) == 0);
        if (r == 0)
                *ret = g_steal_pointer(&changed);
        return r;
}

const GPtrArray *fw_sets_changes(const FwSets *sets)
{
        return sets->changes;
}

void fw_sets_settle(FwSets *sets)
{
        g_ptr_array_set_size(sets->changes, 0);
        g_hash_table_remove_all(sets->moved);
}

const char *fw_sets_name(const FwSets *sets, const char *alias, FwSetPart part)
{
        const Use *use = g_hash_table_lookup(sets->uses, alias);

        g_assert(use && use->names[part]);
        return use->names[part];
}

typedef struct Moved {
        GHashTable *moved;
        bool any;
} Moved;

static void look_for_moved(const char *alias, void *userdata)
{
        Moved *moved = userdata;

        moved->any |= g_hash_table_contains(moved->moved, alias);
}

bool fw_sets_any_moves(const FwSets *sets)
{
        return g_hash_table_size(sets->moved) > 0;
}

bool fw_sets_moves_rule(const FwSets *sets, const FirewallRule *rule)
{
        const FwRuleBox *box = fw_rule_box(rule);
        const char *const others[] = {box->limits.overload, box->add_source.alias,
                                      box->add_destination.alias};

        for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
                if (others[i] && g_hash_table_contains(sets->moved, others[i]))
                        return true;
        return fw_sets_moves(sets, &rule->source, &rule->destination);
}

bool fw_sets_moves(const FwSets *sets, const FwEndpoint *source, const FwEndpoint *destination)
{
        Moved moved = {.moved = sets->moved};

        if (fw_sets_any_moves(sets)) {
                each_in_endpoint(source, look_for_moved, &moved);
                each_in_endpoint(destination, look_for_moved, &moved);
        }
        return moved.any;
}
