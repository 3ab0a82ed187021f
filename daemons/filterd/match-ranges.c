/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Boxes as elements of maps of concatenated ranges. */

#include "match-put.h"
#include "netlink/nft-expr.h"

#include <linux/netfilter.h>
#include <string.h>
#include <sys/socket.h>

typedef struct Field {
        FwDimension dimension;
        unsigned ranges; /* of which of FW_RANGES_* it is; 0: always */
        int number;      /* FwBoxNumber; negative: an address */
} Field;

static const Field fields[FW_RANGES_FIELDS_MAX + 1] = {
        {FW_DIM_SOURCE_ADDRESS, 0, -1},
        {FW_DIM_DESTINATION_ADDRESS, 0, -1},
        {FW_DIM_PROTOCOL, FW_RANGES_PROTOCOL, FW_BOX_PROTOCOL},
        {FW_DIM_SOURCE_PORT, FW_RANGES_PORTS, FW_BOX_SOURCE_PORT},
        {FW_DIM_DESTINATION_PORT, FW_RANGES_PORTS, FW_BOX_DESTINATION_PORT},
        {FW_DIM_ICMP, FW_RANGES_ICMP, FW_BOX_ICMP},
};

static size_t in_registers(size_t bytes)
{
        return (bytes + 3) / 4 * 4;
}

static bool has(const Field *field, unsigned ranges)
{
        return field->ranges == 0 || (field->ranges & ranges) != 0;
}

static bool is_part(const FwBox *box, FwBoxNumber number)
{
        return box->number[number].lo > 0 ||
               box->number[number].hi < (number == FW_BOX_PROTOCOL ? UINT8_MAX : UINT16_MAX);
}

unsigned fw_box_ranges(const FwBox *box)
{
        unsigned ranges = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (fields[i].number >= 0 && is_part(box, (FwBoxNumber) fields[i].number))
                        ranges |= fields[i].ranges | FW_RANGES_PROTOCOL;
        return ranges;
}

unsigned fw_ranges_fields(int family, unsigned ranges, uint8_t ret[static FW_RANGES_FIELDS_MAX])
{
        unsigned n = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (has(&fields[i], ranges))
                        ret[n++] = (uint8_t) fw_dimension_bytes(fields[i].dimension, family);
        return n;
}

size_t fw_ranges_key_len(int family, unsigned ranges)
{
        size_t len = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (has(&fields[i], ranges))
                        len += in_registers(fw_dimension_bytes(fields[i].dimension, family));
        return len;
}

uint32_t fw_ranges_key_type(int family, unsigned ranges)
{
        uint32_t type = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (has(&fields[i], ranges))
                        type = type << FW_DATATYPE_BITS |
                               fw_dimension_place(fields[i].dimension, family)->datatype;
        return type;
}

void fw_ranges_keys(const FwBox *box, unsigned ranges, uint8_t *lo, uint8_t *hi)
{
        size_t len = fw_ranges_key_len(box->family, ranges), at = 0;

        memset(lo, 0, len);
        memset(hi, 0, len);
        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
                size_t bytes = fw_dimension_bytes(fields[i].dimension, box->family);
                FwSpan span;

                if (!has(&fields[i], ranges))
                        continue;
                if (fields[i].number < 0)
                        span = box->address[i];
                else
                        span = (FwSpan){box->number[fields[i].number].lo,
                                        box->number[fields[i].number].hi};
                fw_number_write(span.lo, bytes, lo + at);
                fw_number_write(span.hi, bytes, hi + at);
                at += in_registers(bytes);
        }
}

void fw_ranges_put(int family, unsigned ranges, const char *map, struct nftnl_rule *rule)
{
        uint32_t reg = 0;

        fw_put_family(family, rule);
        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
                size_t bytes = fw_dimension_bytes(fields[i].dimension, family);

                if (!has(&fields[i], ranges))
                        continue;
                fw_put_load(fields[i].dimension, family, bytes, reg, rule);
                reg += (uint32_t) (in_registers(bytes) / 4);
        }
        pt_nft_lookup(rule, PT_REG(0), NFT_REG_VERDICT, map, 0);
}
