/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "backend/nat64.h"

#include "backend/config-file.h"
#include "base/io.h"
#include "kind/json.h"
#include "netlink/tun.h"

#include <string.h>

static const uint8_t well_known[12] = {0x00, 0x64, 0xff, 0x9b};

char *pt_nat64_obstacle(void)
{
        int r;

        if (access(PT_NAT64_PROGRAM, X_OK) < 0)
                return errno == ENOENT ? g_strdup(PT_NAT64_PROGRAM
                                                  " is not there: install the package tayga")
                                       : g_strdup_printf(PT_NAT64_PROGRAM " cannot be run: %s",
                                                         strerror(errno));
        r = pt_tun_check();
        if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
                return g_strdup("the kernel has no /dev/net/tun: load the module tun");
        return r < 0 ? g_strdup_printf("/dev/net/tun cannot be opened: %s", strerror(-r)) : NULL;
}

int pt_nat64_write(const GPtrArray *objects)
{
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < objects->len; i++) {
                pt_object_to_canonical(g_ptr_array_index(objects, i), text);
                g_string_append_c(text, '\n');
        }
        return pt_memfd_new_sealed("nat64", text->str, text->len);
}

static void unref_object(void *p)
{
        pt_object_unref(p);
}

int pt_nat64_read(int fd, GPtrArray **ret)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(unref_object);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *text = NULL;
        size_t size;
        int r = pt_memfd_check(fd, PT_NAT64_OBJECTS_MAX, &size);

        if (r >= 0)
                r = pt_read_all(fd, PT_NAT64_OBJECTS_MAX, &text, &size);
        for (char *line = text; r >= 0 && line && line < text + size;) {
                char *end = memchr(line, '\n', (size_t) (text + size - line));
                PtObject *object;

                if (!end || objects->len >= FW_NAT64_MAX)
                        return -EINVAL;
                r = pt_object_from_canonical(line, (size_t) (end - line), diag, &object);
                if (r >= 0)
                        g_ptr_array_add(objects, object);
                if (r >= 0 && object->kind != &pt_kind_nat64)
                        r = -EINVAL;
                if (r >= 0)
                        pt_object_seal(object);
                line = end + 1;
        }
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&objects);
        return 0;
}

bool pt_nat64_is_well_known(const Nat64 *nat64)
{
        PtAddressRange prefix = fw_nat64_prefix(nat64);

        return prefix.plen == 96 && memcmp(prefix.lo, well_known, sizeof(well_known)) == 0;
}

PtAddressRange pt_nat64_address4(const Nat64 *nat64)
{
        PtAddressRange address = nat64->pool;

        address.lo[3]++; /* of a network's first address the last bit is 0 */
        memcpy(address.hi, address.lo, sizeof(address.lo));
        address.plen = 32;
        return address;
}

/* RFC 6052 2.2: behind the prefix, around bits 64 to 71. */
static void embed(PtAddressRange *prefix, const uint8_t address[4])
{
        unsigned at = prefix->plen / 8U;

        for (unsigned i = 0; i < 4; i++) {
                if (at == 8)
                        at++;
                prefix->lo[at++] = address[i];
        }
        memcpy(prefix->hi, prefix->lo, sizeof(prefix->lo));
        prefix->plen = 128;
}

PtAddressRange pt_nat64_address6(const Nat64 *nat64)
{
        PtAddressRange address4 = pt_nat64_address4(nat64), address6 = fw_nat64_prefix(nat64);

        if (pt_nat64_is_well_known(nat64)) {
                uint8_t uid[16];

                pt_object_uid(&nat64->object, uid);
                memset(address6.lo, 0, sizeof(address6.lo));
                address6.lo[0] = 0xfd; /* RFC 4193 3.1: and 40 bits that nobody else has */
                memcpy(address6.lo + 1, uid, 5);
        }
        embed(&address6, address4.lo);
        return address6;
}

static int put(GString *text, const char *directive, const PtAddressRange *value,
               const PtAddressRange *second)
{
        g_autoptr(GString) first = g_string_new(NULL), other = g_string_new(NULL);

        pt_address_range_format(value, first);
        if (second)
                pt_address_range_format(second, other);
        return pt_config_file_put_words(
                text, (const char *[]){directive, first->str, second ? other->str : NULL, NULL});
}

int pt_nat64_put_config(const Nat64 *nat64, const char *folder, GString *text)
{
        PtAddressRange prefix = fw_nat64_prefix(nat64), address4 = pt_nat64_address4(nat64),
                       address6 = pt_nat64_address6(nat64);
        const FwNat64Host *hosts = nat64->hosts.items;
        int r = pt_config_file_put_words(
                text, (const char *[]){"tun-device", fw_nat64_interface(nat64), NULL});

        if (r >= 0)
                r = put(text, "ipv4-addr", &address4, NULL);
        /* Behind any other prefix it finds its address itself, and takes none there. */
        if (r >= 0 && pt_nat64_is_well_known(nat64))
                r = put(text, "ipv6-addr", &address6, NULL);
        if (r >= 0)
                r = put(text, "prefix", &prefix, NULL);
        if (r >= 0)
                r = put(text, "dynamic-pool", &nat64->pool, NULL);
        if (r >= 0)
                r = pt_config_file_put_words(text, (const char *[]){"data-dir", folder, NULL});
        for (unsigned i = 0; r >= 0 && i < nat64->hosts.n; i++)
                r = put(text, "map", &hosts[i].ipv4, &hosts[i].ipv6);
        return r;
}
