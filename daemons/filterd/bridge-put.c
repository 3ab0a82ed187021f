/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bridge-put.h"

#include "netlink/nft-expr.h"

#include <string.h>

#define REG 0 /* every value is loaded into the first register */

static void load(const FwFrameFieldInfo *info, FwBridgeDirection direction, size_t len,
                 struct nftnl_rule *rule)
{
        static const uint32_t bases[FW_LAYER_MAX] = {
                [FW_LAYER_LINK] = NFT_PAYLOAD_LL_HEADER,
                [FW_LAYER_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
                [FW_LAYER_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
        };

        if (info->layer == FW_LAYER_META)
                pt_nft_meta(rule,
                            direction == FW_BRIDGE_OUT && info->key_out ? info->key_out : info->key,
                            PT_REG(REG));
        else
                pt_nft_payload(rule, bases[info->layer], info->offset, (uint32_t) len, PT_REG(REG));
}

bool fw_frame_test_set(const FwFrameTest *test, FwValueSet *ret)
{
        const FwFrameFieldInfo *info = &fw_frame_fields[test->field];

        if (test->bounds->len < 2)
                return false;
        *ret = (FwValueSet){.key_type = info->datatype,
                            .len = info->len,
                            .intervals = info->interval,
                            .bounds = test->bounds};
        return true;
}

/* One interval; leading bytes alone are asked where they say it. */
static void put_interval(const FwFrameTest *test, FwBridgeDirection direction,
                         struct nftnl_rule *rule)
{
        const FwFrameFieldInfo *info = &fw_frame_fields[test->field];
        const FwBounds *bounds = &g_array_index(test->bounds, FwBounds, 0);
        int plen = fw_prefix_length(bounds->lo, bounds->hi, info->len);
        size_t len = plen > 0 && plen % 8 == 0 && !test->masked ? (size_t) plen / 8 : info->len;

        load(info, direction, len, rule);
        if (test->masked)
                pt_nft_mask(rule, PT_REG(REG), test->mask, info->len);
        if (len < info->len || memcmp(bounds->lo, bounds->hi, len) == 0)
                pt_nft_cmp(rule, PT_REG(REG), test->negated ? NFT_CMP_NEQ : NFT_CMP_EQ, bounds->lo,
                           (uint32_t) len);
        else
                pt_nft_range(rule, PT_REG(REG), test->negated ? NFT_RANGE_NEQ : NFT_RANGE_EQ,
                             bounds->lo, bounds->hi, info->len);
}

void fw_frame_way_put(const GArray *way, FwBridgeDirection direction, struct nftnl_rule *rule)
{
        for (unsigned i = 0; i < way->len; i++) {
                const FwFrameTest *test = &g_array_index(way, FwFrameTest, i);
                g_autofree char *name = NULL;
                FwValueSet set;

                if (!fw_frame_test_set(test, &set)) {
                        put_interval(test, direction, rule);
                        continue;
                }
                name = fw_value_set_name(&set);
                load(&fw_frame_fields[test->field], direction, set.len, rule);
                if (test->masked)
                        pt_nft_mask(rule, PT_REG(REG), test->mask, (uint32_t) set.len);
                if (test->negated)
                        pt_nft_lookup_not(rule, PT_REG(REG), name, 0);
                else
                        pt_nft_lookup(rule, PT_REG(REG), -1, name, 0);
        }
}
