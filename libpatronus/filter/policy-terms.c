/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "policy-terms.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

/* Fields that are understood; any other may be filled at run time. */
#define ALIAS_KNOWN ((UINT64_C(1) << (ALIAS_DATASET + 1)) - 1)

/* Aliases. */

void fw_policy_alias_free(void *data)
{
        FwKnownAlias *alias = data;

        g_clear_pointer(&alias->spans, g_array_unref);
        g_free(alias->key);
        g_free(alias->text);
        g_free(alias);
}

/* What it holds follows from the configuration alone. */
static bool is_constant(const GPtrArray *closure)
{
        for (unsigned i = 0; i < closure->len; i++)
                if (((const PtObject *) g_ptr_array_index(closure, i))->present & ~ALIAS_KNOWN)
                        return false;
        return true;
}

/* 1: more than FW_ALIAS_SPANS_MAX. */
static int read_spans(const FwPolicy *policy, const GPtrArray *closure, FwSetPart part, GArray *ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwFlat) flat = NULL;
        FwSpan span;
        int r = fw_flat_verify(&policy->source, closure, diag);

        if (r >= 0)
                r = fw_flat_new(&policy->source, closure, part, &flat);
        while (r >= 0 && (r = fw_flat_next(flat, &span)) > 0) {
                if (ret->len == FW_ALIAS_SPANS_MAX)
                        return 1;
                g_array_append_val(ret, span);
        }
        return r;
}

/* The same name with other contents is another condition: that it changed is a difference. */
static char *alias_key(const GPtrArray *closure, const char *name, FwDimension dimension,
                       bool constant)
{
        GString *key = g_string_new(NULL);
        char hex[PT_DIGEST_HEX + 1];

        g_string_printf(key, "%u in %s", dimension, name);
        for (unsigned i = 0; constant && i < closure->len; i++) {
                pt_digest_to_hex(&((const PtObject *) g_ptr_array_index(closure, i))->digest, hex);
                g_string_append_printf(key, " %s", hex);
        }
        return g_string_free(key, FALSE);
}

const FwKnownAlias *fw_policy_alias(FwPolicy *policy, FwDimension dimension, int family,
                                    const char *name)
{
        g_autofree char *at = g_strdup_printf("%u %d %s", dimension, family, name);
        FwKnownAlias *alias = g_hash_table_lookup(policy->aliases, at);
        g_autoptr(GPtrArray) closure = NULL;
        bool constant;
        int r = 1;

        if (alias)
                return alias;
        closure = fw_flat_closure(policy->source.slice, name);
        constant = is_constant(closure);
        alias = g_new0(FwKnownAlias, 1);
        alias->constant = constant;
        alias->key = alias_key(closure, name, dimension, constant);
        alias->text = g_strdup_printf("%s in Alias/%s", fw_dimensions[dimension].name, name);
        if (constant) {
                alias->spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));
                r = read_spans(policy, closure, fw_dimension_part(dimension, family), alias->spans);
                if (r < 0)
                        policy->error = r;
        }
        if (r != 0)
                g_clear_pointer(&alias->spans, g_array_unref);
        g_hash_table_insert(policy->aliases, g_steal_pointer(&at), alias);
        return alias;
}

/* Terms: what of a packet they ask, as spans on an axis, or as conditions. */

FwAxis fw_term_axis(FwDimension dimension)
{
        static const struct {
                FwDimension dimension;
                FwAxis axis;
        } rows[] = {
                {FW_DIM_PROTOCOL, FW_AXIS_PROTOCOL},
                {FW_DIM_SOURCE_ADDRESS, FW_AXIS_SOURCE},
                {FW_DIM_DESTINATION_ADDRESS, FW_AXIS_DESTINATION},
                {FW_DIM_SOURCE_PORT, FW_AXIS_SOURCE_PORT},
                {FW_DIM_DESTINATION_PORT, FW_AXIS_DESTINATION_PORT},
                {FW_DIM_ICMP, FW_AXIS_DESTINATION_PORT},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                if (rows[i].dimension == dimension)
                        return rows[i].axis;
        return FW_AXIS_INVALID;
}

/* Marks, code points, and whatever else rules may set one day, are not here. */
bool fw_term_is_fixed(FwDimension dimension)
{
        static const FwDimension fixed[] = {
                FW_DIM_IN_INTERFACE, FW_DIM_OUT_INTERFACE, FW_DIM_LENGTH, FW_DIM_SOURCE_MAC,
                FW_DIM_TCP_FLAGS,    FW_DIM_STATE,         FW_DIM_STATUS,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++)
                if (fixed[i] == dimension)
                        return true;
        return false;
}

static FwNumber last_number(FwDimension dimension, int family)
{
        return fw_number_max(fw_dimension_bytes(dimension, family));
}

static int compare_spans(const void *a, const void *b)
{
        const FwSpan *x = a, *y = b;

        return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Sorted, and none touches another. */
static void settle_spans(GArray *spans)
{
        unsigned out = 0;

        g_array_sort(spans, compare_spans);
        for (unsigned i = 0; i < spans->len; i++) {
                FwSpan next = g_array_index(spans, FwSpan, i);
                FwSpan *last = out > 0 ? &g_array_index(spans, FwSpan, out - 1) : NULL;

                if (last && (last->hi == ~(FwNumber) 0 || next.lo <= last->hi + 1))
                        last->hi = MAX(last->hi, next.hi);
                else
                        g_array_index(spans, FwSpan, out++) = next;
        }
        g_array_set_size(spans, out);
}

static GArray *invert_spans(const GArray *spans, FwNumber last)
{
        GArray *out = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        FwSpan gap = {.lo = 0};

        for (unsigned i = 0; i < spans->len; i++) {
                const FwSpan *span = &g_array_index(spans, FwSpan, i);

                gap.hi = span->lo - 1;
                if (span->lo > gap.lo)
                        g_array_append_val(out, gap);
                if (span->hi == last)
                        return out;
                gap.lo = span->hi + 1;
        }
        gap.hi = last;
        g_array_append_val(out, gap);
        return out;
}

static void add_values(const FwTerm *term, int family, GArray *spans)
{
        size_t size = fw_value_size(fw_dimensions[term->dimension].value);
        size_t len = fw_dimension_bytes(term->dimension, family);

        for (unsigned i = 0; i < term->n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
                FwSpan span;

                if (!fw_value_interval(term->dimension, family,
                                       (const char *) term->items + i * size, lo, hi))
                        continue;
                span = (FwSpan){fw_number_read(lo, len), fw_number_read(hi, len)};
                g_array_append_val(spans, span);
        }
}

GArray *fw_term_spans(FwPolicy *policy, const FwTerm *term, int family)
{
        g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));

        add_values(term, family, spans);
        for (unsigned i = 0; i < term->n_aliases; i++) {
                const FwKnownAlias *alias =
                        fw_policy_alias(policy, term->dimension, family, term->aliases[i]);

                if (alias->spans)
                        g_array_append_vals(spans, alias->spans->data, alias->spans->len);
        }
        settle_spans(spans);
        if (term->negated)
                return invert_spans(spans, last_number(term->dimension, family));
        return g_steal_pointer(&spans);
}

/* A name, or those that begin with it. */
static void describe_ifname(const FwSpan *span, GString *text)
{
        char lo[FW_NUMBER_BYTES_MAX + 1] = {0};

        fw_number_write(span->lo, FW_NUMBER_BYTES_MAX, (uint8_t *) lo);
        g_string_append_printf(text, " %s%s", lo, span->lo == span->hi ? "" : "*");
}

static void describe_mac(FwNumber number, GString *text)
{
        uint8_t mac[6];

        fw_number_write(number, sizeof(mac), mac);
        for (unsigned i = 0; i < sizeof(mac); i++)
                g_string_append_printf(text, "%s%02x", i ? ":" : "", mac[i]);
}

static void describe_end(FwValue value, FwNumber number, GString *text)
{
        if (value == FW_VALUE_MAC)
                describe_mac(number, text);
        else
                g_string_append_printf(text, "%" PRIu64, (uint64_t) number);
}

static void describe_span(const FwTerm *term, const FwSpan *span, GString *text)
{
        FwValue value = fw_dimensions[term->dimension].value;

        if (value == FW_VALUE_IFNAME) {
                describe_ifname(span, text);
                return;
        }
        g_string_append_c(text, ' ');
        describe_end(value, span->lo, text);
        if (span->lo != span->hi) {
                g_string_append_c(text, '-');
                describe_end(value, span->hi, text);
        }
}

static void describe_states(uint32_t mask, GString *text)
{
        static const struct {
                uint32_t bit;
                const char *word;
        } states[] = {
                {NF_CT_STATE_BIT(IP_CT_NEW), "new"},
                {NF_CT_STATE_BIT(IP_CT_RELATED), "related"},
                {NF_CT_STATE_INVALID_BIT, "invalid"},
                {NF_CT_STATE_UNTRACKED_BIT, "untracked"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
                if (mask & states[i].bit)
                        g_string_append_printf(text, " %s", states[i].word);
}

char *fw_term_text(const FwTerm *term, int family)
{
        g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));
        GString *text = g_string_new(fw_dimensions[term->dimension].name);

        if (term->dimension == FW_DIM_STATUS && term->mask == IPS_DST_NAT) {
                g_string_assign(text, "translated destination");
        } else if (term->dimension == FW_DIM_STATE) {
                describe_states(term->mask, text);
        } else if (term->mask) {
                g_string_append_printf(text, term->mask == UINT32_MAX ? " %u" : " %#x/%#x",
                                       term->value, term->mask);
        } else if (term->dimension == FW_DIM_TAGS) {
                for (unsigned i = 0; i < term->n; i++)
                        g_string_append_printf(text, " %s", ((char *const *) term->items)[i]);
        } else {
                add_values(term, family, spans);
                settle_spans(spans);
                for (unsigned i = 0; i < spans->len; i++)
                        describe_span(term, &g_array_index(spans, FwSpan, i), text);
        }
        return g_string_free(text, FALSE);
}
