/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/ban.h"

#include <netinet/in.h>
#include <string.h>

int fw_ban_compare(const FwBan *a, const FwBan *b)
{
        if (a->family != b->family)
                return a->family < b->family ? -1 : 1;
        if (a->plen != b->plen)
                return a->plen < b->plen ? -1 : 1;
        return memcmp(a->address, b->address, sizeof(a->address));
}

int fw_ban_parse(const char *text, FwBan *ret, char **ret_reason)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtAddressRange range;
        int r = pt_address_range_parse(text, "", diag, &range);

        if (r < 0) {
                *ret_reason = g_strdup(pt_diag_get(diag, 0)->text);
                return -EINVAL;
        }
        if (range.plen == PT_PLEN_RANGE) {
                *ret_reason = g_strdup_printf("%s is a range; ban its prefixes", text);
                return -EINVAL;
        }
        ret->family = range.family;
        ret->plen = range.plen;
        memset(ret->address, 0, sizeof(ret->address));
        memcpy(ret->address, range.lo, range.family == AF_INET ? 4 : 16);
        return 0;
}

void fw_ban_format(const FwBan *ban, GString *out)
{
        PtAddressRange range = {.family = ban->family, .plen = ban->plen};

        memcpy(range.lo, ban->address, sizeof(range.lo));
        pt_address_range_format(&range, out);
}

bool fw_ban_contains(const FwBan *ban, uint8_t family, const uint8_t *address)
{
        unsigned whole = ban->plen / 8, rest = ban->plen % 8;

        return ban->family == family && memcmp(ban->address, address, whole) == 0 &&
               (rest == 0 || (ban->address[whole] ^ address[whole]) >> (8 - rest) == 0);
}
