/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "touched.h"

#include "emit-rule.h"

#include "base/marks.h"

#include <string.h>

typedef struct TouchedChain {
        char *name;
        FwTag *tags; /* what must be there, in order */
        unsigned n;
} TouchedChain;

typedef struct TouchedElement {
        char *map;
        FwKey key;
        uint32_t len;
        uint32_t flags;
        bool gone;
        bool member; /* of a set: it has no tag */
        bool begins; /* gone is the range that began with the key, perhaps not the key */
        FwTag tag;
} TouchedElement;

typedef struct TouchedSet {
        char *name;
        size_t entries;
} TouchedSet;

struct FwTouched {
        GArray *sets;
        GArray *chains;
        GArray *elements;
        unsigned chain_step, element_step; /* every how many-th is kept */
        unsigned chains_seen, elements_seen;
};

static void chain_clear(void *p)
{
        TouchedChain *chain = p;

        g_free(chain->name);
        g_free(chain->tags);
}

static void element_clear(void *p)
{
        g_free(((TouchedElement *) p)->map);
}

static void set_clear(void *p)
{
        g_free(((TouchedSet *) p)->name);
}

FwTouched *fw_touched_new(void)
{
        FwTouched *touched = g_new0(FwTouched, 1);

        touched->sets = g_array_new(FALSE, FALSE, sizeof(TouchedSet));
        g_array_set_clear_func(touched->sets, set_clear);

        touched->chains = g_array_new(FALSE, FALSE, sizeof(TouchedChain));
        g_array_set_clear_func(touched->chains, chain_clear);
        touched->elements = g_array_new(FALSE, FALSE, sizeof(TouchedElement));
        g_array_set_clear_func(touched->elements, element_clear);
        touched->chain_step = touched->element_step = 1;
        return touched;
}

void fw_touched_free(FwTouched *touched)
{
        if (!touched)
                return;
        g_array_unref(touched->sets);
        g_array_unref(touched->elements);
        g_array_unref(touched->chains);
        g_free(touched);
}

typedef struct Sizes {
        unsigned chains, elements;
} Sizes;

static void add_plan(Sizes *sizes, const FwPlan *plan)
{
        for (unsigned i = 0; i < plan->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(plan->chains, i);

                for (unsigned k = 0; k < chain->pieces->len; k++) {
                        const FwPiece *piece = g_ptr_array_index(chain->pieces, k);

                        sizes->chains += piece->sort == FW_PIECE_SHARD;
                        if (fw_piece_is_map(piece))
                                sizes->elements += piece->n;
                }
        }
}

static void add_sizes(const FwClass *klass, void *userdata)
{
        Sizes *sizes = userdata;

        for (unsigned i = 0; i < klass->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);

                if (unit->plan)
                        add_plan(sizes, unit->plan);
                else if (unit->shape)
                        sizes->elements += g_hash_table_size(unit->keys);
                else
                        sizes->chains++;
        }
}

void fw_touched_expect(FwTouched *touched, const FwLayout *layout)
{
        Sizes sizes = {0};

        fw_layout_foreach_class(layout, add_sizes, &sizes);
        touched->chain_step = sizes.chains / FW_TOUCHED_CHAINS_MAX + 1;
        touched->element_step = sizes.elements / FW_TOUCHED_ELEMENTS_MAX + 1;
}

void fw_touched_chain(FwTouched *touched, const char *name, const FirewallRule *const *rules,
                      unsigned n)
{
        TouchedChain chain = {0};
        GArray *tags;

        if (touched->chains_seen++ % touched->chain_step != 0 ||
            touched->chains->len == FW_TOUCHED_CHAINS_MAX)
                return;
        chain.name = g_strdup(name);
        tags = g_array_new(FALSE, FALSE, sizeof(FwTag));
        for (unsigned i = 0; i < n; i++) {
                const FirewallRule *rule = rules[i];
                unsigned parts = fw_match_parts(rule);

                for (unsigned part = 0; part < parts; part++) {
                        unsigned numbers[FW_PART_RULES_MAX];
                        unsigned n_numbers = fw_rule_part_numbers(rule, part, numbers);

                        for (unsigned k = 0; k < n_numbers; k++) {
                                FwTag tag;

                                fw_tag_of(rule, numbers[k], false, &tag);
                                g_array_append_val(tags, tag);
                        }
                }
        }
        chain.n = tags->len;
        chain.tags = (FwTag *) (void *) g_array_free(tags, FALSE);
        g_array_append_val(touched->chains, chain);
}

void fw_touched_element(FwTouched *touched, const char *map, const void *key, size_t len,
                        const FirewallRule *rule)
{
        TouchedElement element = {.len = (uint32_t) len};

        if (touched->elements_seen++ % touched->element_step != 0 ||
            touched->elements->len == FW_TOUCHED_ELEMENTS_MAX)
                return;
        /* A key that left and comes again is here. */
        for (unsigned i = 0; i < touched->elements->len; i++) {
                TouchedElement *other = &g_array_index(touched->elements, TouchedElement, i);

                if (other->gone && other->len == len && memcmp(other->key.bytes, key, len) == 0 &&
                    strcmp(other->map, map) == 0) {
                        g_array_remove_index_fast(touched->elements, i);
                        break;
                }
        }
        memcpy(element.key.bytes, key, len);
        element.map = g_strdup(map);
        fw_tag_of(rule, 0, false, &element.tag);
        g_array_append_val(touched->elements, element);
}

void fw_touched_gone(FwTouched *touched, const char *map, const void *key, size_t len, bool begins)
{
        TouchedElement element = {.len = (uint32_t) len, .gone = true, .begins = begins};

        if (touched->elements->len == FW_TOUCHED_ELEMENTS_MAX)
                return;
        memcpy(element.key.bytes, key, len);
        element.map = g_strdup(map);
        g_array_append_val(touched->elements, element);
}

void fw_touched_set(FwTouched *touched, const char *set, size_t entries)
{
        TouchedSet it = {.entries = entries};

        if (touched->sets->len == FW_TOUCHED_SETS_MAX)
                return;
        it.name = g_strdup(set);
        g_array_append_val(touched->sets, it);
}

void fw_touched_member(FwTouched *touched, const char *set, const void *key, size_t len,
                       uint32_t flags, bool gone)
{
        TouchedElement element = {
                .len = (uint32_t) len, .flags = flags, .gone = gone, .member = true};

        g_assert(len <= sizeof(element.key.bytes));
        if (touched->elements->len == FW_TOUCHED_ELEMENTS_MAX)
                return;
        memcpy(element.key.bytes, key, len);
        element.map = g_strdup(set);
        g_array_append_val(touched->elements, element);
}

typedef struct ChainCheck {
        const TouchedChain *chain;
        unsigned at;
        bool differs;
} ChainCheck;

static int check_rule(struct nftnl_rule *rule, void *userdata)
{
        ChainCheck *check = userdata;
        FwTag tag;

        if (check->at >= check->chain->n || !fw_tag_read_rule(rule, &tag) ||
            !fw_tag_same(&tag, &check->chain->tags[check->at]))
                check->differs = true;
        check->at++;
        return 0;
}

typedef struct ElementCheck {
        const TouchedElement *element;
        bool found, same;
} ElementCheck;

/* An interval set answers with the element that begins or ends the interval around the key. */
static bool is_member(const struct nftnl_set_elem *element, const TouchedElement *touched)
{
        uint32_t size = 0;
        const void *key = nftnl_set_elem_get((struct nftnl_set_elem *) (uintptr_t) element,
                                             NFTNL_SET_ELEM_KEY, &size);

        return key && size == touched->len && memcmp(key, touched->key.bytes, size) == 0;
}

static int check_element(struct nftnl_set_elem *element, void *userdata)
{
        ElementCheck *check = userdata;
        FwTag tag;

        check->found = !check->element->begins || is_member(element, check->element);
        if (check->element->member) {
                check->found = check->same = is_member(element, check->element);
                return 0;
        }
        check->same = fw_tag_read_element(element, &tag) && fw_tag_same(&tag, &check->element->tag);
        return 0;
}

static int mismatch(PtDiagnostics *diag, const char *what, const char *name)
{
        pt_diag_error(
                diag, "not-in-force", "",
                "the kernel does not have %s %s as it was committed: something else changed it",
                what, name);
        return -EUCLEAN;
}

static int verify_set(const TouchedSet *set, PtNft *nft, PtDiagnostics *diag)
{
        uint32_t count;
        int r = pt_nft_count_elements(nft, PT_MARK_NFT_TABLE, set->name, &count);

        if (r == -ENODATA)
                return 0;
        if (r < 0 && r != -ENOENT)
                return r;
        return r == -ENOENT || count != set->entries ? mismatch(diag, "set", set->name) : 0;
}

static const TouchedElement *touched_element(const FwTouched *touched, unsigned i)
{
        return &g_array_index(touched->elements, TouchedElement, i);
}

static int verify_element(const TouchedElement *element, PtNft *nft, PtDiagnostics *diag)
{
        ElementCheck check = {.element = element};
        int r = pt_nft_get_element_flags(nft, PT_MARK_NFT_TABLE, element->map, element->key.bytes,
                                         element->len, element->flags, check_element, &check);

        if (r < 0 && r != -ENOENT)
                return r;
        if (check.found ? element->gone || !check.same : !element->gone)
                return mismatch(diag, "an element of", element->map);
        return 0;
}

/* How many from there on can be asked for at once: elements of one map that must be there. */
static unsigned alike(const FwTouched *touched, unsigned from)
{
        const TouchedElement *first = touched_element(touched, from);
        unsigned n = 0;

        while (from + n < touched->elements->len && n < PT_NFT_GET_MAX) {
                const TouchedElement *element = touched_element(touched, from + n);

                if (element->gone || element->member || element->len != first->len ||
                    strcmp(element->map, first->map) != 0)
                        break;
                n++;
        }
        return MAX(n, 1);
}

typedef struct ElementsCheck {
        const FwTouched *touched;
        unsigned at, end;
        bool differs;
} ElementsCheck;

static int check_next(struct nftnl_set_elem *element, void *userdata)
{
        ElementsCheck *check = userdata;
        ElementCheck one = {0};

        if (check->at == check->end) {
                check->differs = true;
                return 0;
        }
        one.element = touched_element(check->touched, check->at++);
        (void) check_element(element, &one);
        check->differs = check->differs || !one.same;
        return 0;
}

static int verify_elements(const FwTouched *touched, unsigned from, unsigned n, PtNft *nft,
                           PtDiagnostics *diag)
{
        const TouchedElement *first = touched_element(touched, from);
        ElementsCheck check = {touched, from, from + n, false};
        const void *keys[PT_NFT_GET_MAX];
        int r;

        for (unsigned i = 0; i < n; i++)
                keys[i] = touched_element(touched, from + i)->key.bytes;
        r = pt_nft_get_elements(nft, PT_MARK_NFT_TABLE, first->map, keys, n, first->len, check_next,
                                &check);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == -ENOENT || check.differs || check.at != check.end)
                return mismatch(diag, "an element of", first->map);
        return 0;
}

int fw_touched_verify(const FwTouched *touched, PtNft *nft, PtDiagnostics *diag)
{
        for (unsigned i = 0; i < touched->sets->len; i++) {
                int r = verify_set(&g_array_index(touched->sets, TouchedSet, i), nft, diag);

                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < touched->chains->len; i++) {
                ChainCheck check = {.chain = &g_array_index(touched->chains, TouchedChain, i)};
                int r = pt_nft_dump_rules(nft, PT_MARK_NFT_TABLE, check.chain->name, check_rule,
                                          &check);

                if (r < 0 && r != -ENOENT)
                        return r;
                if (r == -ENOENT || check.differs || check.at != check.chain->n)
                        return mismatch(diag, "chain", check.chain->name);
        }
        for (unsigned i = 0; i < touched->elements->len;) {
                unsigned n = alike(touched, i);
                int r = n > 1 ? verify_elements(touched, i, n, nft, diag)
                              : verify_element(touched_element(touched, i), nft, diag);

                if (r < 0)
                        return r;
                i += n;
        }
        return 0;
}
