/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What external aliases hold, read from the kernel when their sets are made anew. */

#include "sets.h"

#include "base/marks.h"

#include <string.h>

static int keep_element(struct nftnl_set_elem *element, void *userdata)
{
        GArray *kept = userdata;
        FwKept it = {0};
        uint32_t size = 0;
        const void *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);

        if (!key || size > sizeof(it.key))
                return 0;
        memcpy(it.key, key, size);
        /* One that is over is gone when it is asked about next. */
        if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_EXPIRATION))
                it.left = MAX(nftnl_set_elem_get_u64(element, NFTNL_SET_ELEM_EXPIRATION), 1);
        g_array_append_val(kept, it);
        return 0;
}

const char *fw_sets_find_external(const GPtrArray *names, const char *alias, FwSetPart part)
{
        g_autofree char *prefix =
                g_strdup_printf("x%c_%s/", part == FW_SET_IPV4 ? '4' : '6', alias);

        for (unsigned i = 0; i < names->len; i++)
                if (g_str_has_prefix(g_ptr_array_index(names, i), prefix))
                        return g_ptr_array_index(names, i);
        return NULL;
}

int fw_sets_keep(FwSets *sets, PtNft *nft)
{
        const GPtrArray *changes = fw_sets_changes(sets);
        g_autoptr(GPtrArray) names = NULL;
        int r = 0;

        for (unsigned i = 0; r == 0 && i < changes->len; i++) {
                FwSetChange *change = g_ptr_array_index(changes, i);
                const char *name;

                if (!change->external || !change->after)
                        continue;
                g_clear_pointer(&change->kept, g_array_unref);
                change->kept = g_array_new(FALSE, FALSE, sizeof(FwKept));
                if (!names)
                        r = pt_nft_list_sets(nft, PT_MARK_NFT_TABLE, &names);
                name = r == 0 ? fw_sets_find_external(names, change->alias, change->part) : NULL;
                if (name)
                        r = pt_nft_dump_elements(nft, PT_MARK_NFT_TABLE, name, keep_element,
                                                 change->kept);
        }
        return r == -ENOENT ? 0 : r;
}
