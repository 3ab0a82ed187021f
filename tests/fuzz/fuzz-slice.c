/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Slices and deltas from disk or from a memfd. No fuzzer finds a SHA-256, so the input is read
 * twice: as it is, and with a header that fits the objects in it.
 */

#include "base/io.h"
#include "kinds/firewall/firewall.h"
#include "txn/slice.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The base of the deltas in the corpus. */
static PtSlice *make_base(void)
{
        PtSlice *slice = pt_slice_new();

        for (unsigned i = 0; i < 3; i++) {
                char name[] = {'a', (char) ('0' + i), '\0'};
                g_autoptr(PtObject) object = pt_object_new(&pt_kind_firewall_rule, name);

                ((FirewallRule *) (void *) object)->action = FW_ALLOW;
                object->present = UINT64_C(1) << FW_RULE_ACTION;
                pt_object_seal(object);
                pt_slice_put(slice, object);
        }
        return slice;
}

/* What is accepted must survive being written, as a slice and as a delta. */
static void check_accepted(const PtSlice *base, const PtSlice *slice)
{
        g_autoptr(GString) again = g_string_new(NULL);
        g_autoptr(PtSlice) taken = NULL;
        PtDigest before, after;

        pt_slice_format(slice, again);
        g_assert(pt_delta_apply(NULL, again->str, again->len, NULL, &taken) == 0);
        pt_slice_root(slice, &before);
        pt_slice_root(taken, &after);
        g_assert(pt_digest_equal(&before, &after));

        g_string_truncate(again, 0);
        pt_delta_format(base, slice, again);
        g_clear_pointer(&taken, pt_slice_unref);
        g_assert(pt_delta_apply(base, again->str, again->len, NULL, &taken) == 0);
        pt_slice_root(taken, &after);
        g_assert(pt_digest_equal(&before, &after));
}

static void read_text(const PtSlice *base, const char *text, size_t size)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) applied = NULL, slice = NULL;
        pt_auto_fd int fd = pt_memfd_new_sealed("fuzz", text, size);
        int r = pt_delta_apply(base, text, size, diag, &applied);

        g_assert((r == 0) == (applied != NULL));
        g_assert((r == 0) == (pt_diag_errors(diag) == 0));
        if (r == 0)
                check_accepted(base, applied);
        g_assert(fd >= 0);
        if (pt_slice_read(fd, NULL, &slice) == 0)
                g_assert(r == 0);
}

/* A slice of the lines after the first, whatever they are, under a header that fits them. */
static void read_objects(const PtSlice *base, const char *lines, size_t size)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GString) text = g_string_new(NULL);
        g_auto(GStrv) split = NULL;
        g_autofree char *copy = g_strndup(lines, size);
        char hex[PT_DIGEST_HEX + 1];
        unsigned objects = 0;
        PtDigest root;

        split = g_strsplit(copy, "\n", 1000);
        for (char **line = split; *line; line++) {
                g_autofree char *single = g_strdup_printf(
                        "{\"objects\":1,\"patronus\":\"slice\",\"root\":\"%064d\"}\n%s\n", 0,
                        *line);
                g_autoptr(PtSlice) ignored = NULL;
                g_autoptr(PtObject) object = NULL;

                g_assert(pt_delta_apply(NULL, single, strlen(single), NULL, &ignored) < 0);
                if (pt_object_from_canonical(*line, strlen(*line), NULL, &object) < 0)
                        continue;
                pt_object_seal(object);
                pt_slice_put(slice, object);
                objects++;
        }
        pt_slice_root(slice, &root);
        pt_digest_to_hex(&root, hex);
        g_string_printf(text, "{\"objects\":%u,\"patronus\":\"slice\",\"root\":\"%s\"}\n", objects,
                        hex);
        g_string_append_len(text, lines, (gssize) size);
        read_text(base, text->str, text->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(PtSlice) base = make_base();
        const char *text = (const char *) data,
                   *newline = size > 0 ? memchr(text, '\n', size) : NULL;

        read_text(base, text, size);
        if (newline)
                read_objects(base, newline + 1, size - (size_t) (newline + 1 - text));
        return 0;
}
