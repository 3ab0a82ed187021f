/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "stages.h"

#include "base/digest.h"
#include "base/marks.h"

#include <linux/membarrier.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TABLE PT_MARK_NFT_TABLE

/* "NAME/0123456789ab" */
static bool is_fixed(const char *name)
{
        const char *slash = strrchr(name, '/');

        return slash && strlen(slash + 1) == FW_STAGES_DIGEST &&
               strspn(slash + 1, "0123456789abcdef") == FW_STAGES_DIGEST;
}

FwStages *fw_stages_of_batch(PtNftBatch *batch)
{
        FwStages *stages = g_new0(FwStages, 1);

        stages->before = stages->batch = stages->after = batch;
        stages->wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        stages->parts = g_ptr_array_new();
        return stages;
}

FwStages *fw_stages_new(uint32_t generation, const GPtrArray *sets, bool begun)
{
        FwStages *stages = fw_stages_of_batch(NULL);

        stages->generation = generation;
        stages->before = pt_nft_batch_new(generation);
        stages->batch = pt_nft_batch_new(generation);
        stages->after = pt_nft_batch_new(0);
        stages->there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (unsigned i = 0; sets && i < sets->len; i++)
                if (is_fixed(g_ptr_array_index(sets, i)))
                        g_hash_table_add(stages->there, g_strdup(g_ptr_array_index(sets, i)));
        if (begun)
                stages->begun = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (unsigned i = 0; begun && sets && i < sets->len; i++)
                g_hash_table_add(stages->begun, g_strdup(g_ptr_array_index(sets, i)));
        return stages;
}

bool fw_stages_has(const FwStages *stages, const char *name)
{
        return stages->begun && g_hash_table_contains(stages->begun, name);
}

void fw_stages_free(FwStages *stages)
{
        if (!stages)
                return;
        if (stages->there) {
                pt_nft_batch_free(stages->before);
                pt_nft_batch_free(stages->batch);
                pt_nft_batch_free(stages->after);
                g_hash_table_unref(stages->there);
        }
        for (unsigned i = stages->sent_parts; i < stages->parts->len; i++)
                pt_nft_batch_free(g_ptr_array_index(stages->parts, i));
        g_ptr_array_unref(stages->parts);
        g_hash_table_unref(stages->wanted);
        g_clear_pointer(&stages->begun, g_hash_table_unref);
        g_free(stages);
}

static void element_free(void *p)
{
        nftnl_set_elem_free(p);
}

GPtrArray *fw_stages_elements_new(void)
{
        return g_ptr_array_new_with_free_func(element_free);
}

static void hash_part(PtHasher *hasher, const struct nftnl_set_elem *element, uint16_t attribute)
{
        uint32_t size = 0;
        const void *data =
                nftnl_set_elem_is_set(element, attribute)
                        ? nftnl_set_elem_get((struct nftnl_set_elem *) (uintptr_t) element,
                                             attribute, &size)
                        : NULL;

        pt_hasher_add(hasher, &size, sizeof(size));
        if (data)
                pt_hasher_add(hasher, data, size);
}

static char *name_of(const PtNftSetSpec *spec, const GPtrArray *elements)
{
        static const uint16_t parts[] = {NFTNL_SET_ELEM_KEY,     NFTNL_SET_ELEM_KEY_END,
                                         NFTNL_SET_ELEM_FLAGS,   NFTNL_SET_ELEM_VERDICT,
                                         NFTNL_SET_ELEM_CHAIN,   NFTNL_SET_ELEM_DATA,
                                         NFTNL_SET_ELEM_USERDATA};
        PtHasher *hasher = pt_hasher_new();
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_hasher_add(hasher, &spec->flags, sizeof(spec->flags));
        pt_hasher_add(hasher, &spec->key_type, sizeof(spec->key_type));
        pt_hasher_add(hasher, &spec->key_len, sizeof(spec->key_len));
        for (unsigned i = 0; i < elements->len; i++)
                for (unsigned k = 0; k < G_N_ELEMENTS(parts); k++)
                        hash_part(hasher, g_ptr_array_index(elements, i), parts[k]);
        pt_hasher_end(hasher, &digest);
        pt_digest_to_hex(&digest, hex);
        hex[FW_STAGES_DIGEST] = '\0';
        return g_strdup_printf("%s/%s", spec->name, hex);
}

/* A chain that is there already stays as it is. */
static void add_targets(FwStages *stages, const GPtrArray *elements)
{
        g_autoptr(GHashTable) chains = g_hash_table_new(g_str_hash, g_str_equal);

        for (unsigned i = 0; i < elements->len; i++) {
                const char *chain = nftnl_set_elem_get_str(g_ptr_array_index(elements, i),
                                                           NFTNL_SET_ELEM_CHAIN);

                if (chain && g_hash_table_add(chains, (void *) (uintptr_t) chain))
                        pt_nft_batch_add_chain(stages->before, TABLE, chain, NULL);
        }
}

const char *fw_stages_set(FwStages *stages, const PtNftSetSpec *spec, GPtrArray *elements)
{
        g_autofree char *made = name_of(spec, elements);
        PtNftSetSpec fixed = *spec;
        char *name;

        if (g_hash_table_lookup_extended(stages->wanted, made, (void **) &name, NULL)) {
                g_ptr_array_unref(elements);
                return name;
        }
        name = g_steal_pointer(&made);
        g_hash_table_add(stages->wanted, name);
        if (!stages->there || !g_hash_table_contains(stages->there, name)) {
                fw_stages_part(stages);
                add_targets(stages, elements);
                fixed.name = name;
                pt_nft_batch_add_set(stages->before, &fixed);
                pt_nft_batch_elements_begin(stages->before, TABLE, name, 0, false);
                for (unsigned i = 0; i < elements->len; i++)
                        pt_nft_batch_element(stages->before, g_ptr_array_index(elements, i));
                pt_nft_batch_elements_end(stages->before);
                g_ptr_array_set_free_func(elements, NULL); /* the batch has freed them */
        }
        g_ptr_array_unref(elements);
        return name;
}

void fw_stages_drop_unused(FwStages *stages)
{
        GHashTableIter iter;
        const char *name;

        if (!stages->there)
                return;
        g_hash_table_iter_init(&iter, stages->there);
        while (g_hash_table_iter_next(&iter, (void **) &name, NULL))
                if (!g_hash_table_contains(stages->wanted, name))
                        pt_nft_batch_delete_set(stages->after, TABLE, name);
}

void fw_stages_part(FwStages *stages)
{
        if (!stages->there || pt_nft_batch_size(stages->before) < FW_STAGES_PART_SIZE)
                return;
        g_ptr_array_add(stages->parts, stages->before);
        stages->before = pt_nft_batch_new(stages->generation);
}

void fw_stages_chain(FwStages *stages, const char *name)
{
        fw_stages_part(stages);
        pt_nft_batch_add_chain(stages->before, TABLE, name, NULL);
        if (stages->begun)
                pt_nft_batch_flush_chain(stages->before, TABLE, name);
}

PtNftBatch *fw_stages_first(FwStages *stages)
{
        return stages->parts->len ? g_ptr_array_index(stages->parts, 0) : stages->before;
}

/* Zero is skipped (nft_base_seq_inc() in net/netfilter/nf_tables_api.c). */
static uint32_t following(uint32_t generation)
{
        return generation + 1 ?: 1;
}

void fw_stages_follow(FwStages *stages, uint32_t generation)
{
        for (unsigned i = 0; i < stages->parts->len; i++) {
                pt_nft_batch_set_generation(g_ptr_array_index(stages->parts, i), generation);
                generation = following(generation);
        }
        pt_nft_batch_set_generation(stages->before, generation);
        if (!pt_nft_batch_is_empty(stages->before))
                generation = following(generation);
        pt_nft_batch_set_generation(stages->batch, generation);
}

PtNftBatch *fw_stages_take(FwStages *stages, FwStagesStep *ret)
{
        PtNftBatch **const all[FW_STAGES_MAX] = {[FW_STAGES_BEFORE] = &stages->before,
                                                 [FW_STAGES_BATCH] = &stages->batch,
                                                 [FW_STAGES_AFTER] = &stages->after};

        *ret = FW_STAGES_BEFORE;
        if (stages->sent_parts < stages->parts->len)
                return g_ptr_array_index(stages->parts, stages->sent_parts++);
        for (; *ret < FW_STAGES_MAX; (*ret)++)
                if (*all[*ret] && !pt_nft_batch_is_empty(*all[*ret]))
                        return g_steal_pointer(all[*ret]);
        return NULL;
}

/* Where the kernel knows no such thing (membarrier(2): nohz_full, or it is built without), only time
 * passes, which is nearly always enough. */
void fw_stages_let_pass(void)
{
        (void) syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

size_t fw_stages_size(const FwStages *stages)
{
        size_t size = pt_nft_batch_size(stages->before) + pt_nft_batch_size(stages->batch) +
                      pt_nft_batch_size(stages->after);

        for (unsigned i = 0; i < stages->parts->len; i++)
                size += pt_nft_batch_size(g_ptr_array_index(stages->parts, i));
        return size;
}
