/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "health.h"

#include "base/marks.h"

#include <string.h>

#define PREFIX "v_"
/* Whoever else holds the table for so long is not worth waiting for at the start. */
#define RESTARTS_MAX 5

struct FwHealth {
        GHashTable *servers; /* "POOL/ID" -> up or down */
        /* Of a start: pools whose maps were read, a set; a server of them that no slot leads to was
         * dead. NULL: settled. */
        GHashTable *learned;
};

FwHealth *fw_health_new(void)
{
        FwHealth *health = g_new0(FwHealth, 1);

        health->servers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        return health;
}

void fw_health_free(FwHealth *health)
{
        if (!health)
                return;
        g_hash_table_unref(health->servers);
        g_clear_pointer(&health->learned, g_hash_table_unref);
        g_free(health);
}

bool fw_health_is_up(const FwHealth *health, const char *pool, const char *id)
{
        g_autofree char *key = g_strdup_printf("%s/%s", pool, id);
        gpointer up;

        if (health && g_hash_table_lookup_extended(health->servers, key, NULL, &up))
                return GPOINTER_TO_INT(up);
        return !health || !health->learned || !g_hash_table_contains(health->learned, pool);
}

void fw_health_set(FwHealth *health, const char *pool, const char *id, bool up)
{
        g_hash_table_replace(health->servers, g_strdup_printf("%s/%s", pool, id),
                             GINT_TO_POINTER(up));
}

static gboolean is_gone(void *key, void *value, void *userdata)
{
        return !g_hash_table_contains(userdata, key);
}

void fw_health_keep(FwHealth *health, GHashTable *keep)
{
        (void) g_hash_table_foreach_remove(health->servers, is_gone, keep);
}

typedef struct Learn {
        FwHealth *health;
        const char *pool;
} Learn;

/* A slot leads to "v_POOL/ID". */
static int learn_slot(struct nftnl_set_elem *element, void *userdata)
{
        const Learn *learn = userdata;
        const char *chain = nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN);
        const char *slash = chain ? strrchr(chain, '/') : NULL;

        if (slash)
                fw_health_set(learn->health, learn->pool, slash + 1, true);
        return 0;
}

int fw_health_learn(FwHealth *health, PtNft *nft)
{
        g_autoptr(GPtrArray) sets = NULL;
        int r = pt_nft_list_sets(nft, PT_MARK_NFT_TABLE, &sets);

        health->learned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (unsigned i = 0; r == 0 && i < sets->len; i++) {
                const char *name = g_ptr_array_index(sets, i);
                Learn learn = {health, name + strlen(PREFIX)};

                if (!g_str_has_prefix(name, PREFIX))
                        continue;
                g_hash_table_add(health->learned, g_strdup(learn.pool));
                r = -EINTR;
                for (unsigned t = 0; r == -EINTR && t < RESTARTS_MAX; t++)
                        r = pt_nft_dump_elements(nft, PT_MARK_NFT_TABLE, name, learn_slot, &learn);
        }
        return r == -ENOENT ? 0 : r;
}

void fw_health_settle(FwHealth *health, GHashTable *known)
{
        GHashTableIter iter;
        const char *key;

        if (!health->learned)
                return;
        g_hash_table_iter_init(&iter, known);
        while (g_hash_table_iter_next(&iter, (void **) &key, NULL)) {
                const char *slash = strrchr(key, '/');
                g_autofree char *pool = g_strndup(key, (size_t) (slash - key));

                fw_health_set(health, pool, slash + 1, fw_health_is_up(health, pool, slash + 1));
        }
        g_clear_pointer(&health->learned, g_hash_table_unref);
}
