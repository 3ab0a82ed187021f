/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/frame.h"

#include "filter/match.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

/* IEEE 802.1Q 9.4. */
#define TAG_CUSTOMER 0x8100
#define TAG_SERVICE 0x88a8
#define VLAN_BITS 0x0fff

/* clang-format off */
const FwFrameFieldInfo fw_frame_fields[FW_FRAME_FIELD_MAX] = {
        [FW_FRAME_BRIDGE] = {"bridge", FW_LAYER_META, 0, IFNAMSIZ, 41, NFT_META_BRI_IIFNAME,
                NFT_META_BRI_OIFNAME, .interval = true},
        [FW_FRAME_FROM] = {"from", FW_LAYER_META, 0, IFNAMSIZ, 41, NFT_META_IIFNAME,
                .interval = true},
        [FW_FRAME_TO] = {"to", FW_LAYER_META, 0, IFNAMSIZ, 41, NFT_META_OIFNAME,
                .interval = true},
        [FW_FRAME_ETHER_TYPE] = {"ether-type", FW_LAYER_META, 0, 2, 10, NFT_META_PROTOCOL},
        [FW_FRAME_VLAN] = {"vlan", FW_LAYER_LINK, 12, 4, FW_DATATYPE_INTEGER, .interval = true},
        [FW_FRAME_DESTINATION_MAC] = {"destination-mac", FW_LAYER_LINK, 0, 6, 9, .interval = true},
        [FW_FRAME_SOURCE_MAC] = {"source-mac", FW_LAYER_LINK, 6, 6, 9, .interval = true},
        /* RFC 826: two numbers of two bytes, two lengths, the operation, then the addresses. */
        [FW_FRAME_ARP_FORM] = {"arp-form", FW_LAYER_NETWORK, 0, 6, FW_DATATYPE_INTEGER},
        [FW_FRAME_ARP_OPERATION] = {"arp-operation", FW_LAYER_NETWORK, 6, 2, 11},
        [FW_FRAME_ARP_SENDER_MAC] = {"arp-sender-mac", FW_LAYER_NETWORK, 8, 6, 9,
                .interval = true},
        [FW_FRAME_ARP_SENDER_ADDRESS] = {"arp-sender-address", FW_LAYER_NETWORK, 14, 4, 7,
                .interval = true},
        [FW_FRAME_ARP_TARGET_ADDRESS] = {"arp-target-address", FW_LAYER_NETWORK, 24, 4, 7,
                .interval = true},
        [FW_FRAME_SOURCE4] = {"source", FW_LAYER_NETWORK, 12, 4, 7, .interval = true},
        [FW_FRAME_DESTINATION4] = {"destination", FW_LAYER_NETWORK, 16, 4, 7, .interval = true},
        [FW_FRAME_SOURCE6] = {"source", FW_LAYER_NETWORK, 8, 16, 8, .interval = true},
        [FW_FRAME_DESTINATION6] = {"destination", FW_LAYER_NETWORK, 24, 16, 8, .interval = true},
        [FW_FRAME_PROTOCOL] = {"protocol", FW_LAYER_META, 0, 1, 12, NFT_META_L4PROTO},
        [FW_FRAME_SOURCE_PORT] = {"source-port", FW_LAYER_TRANSPORT, 0, 2, 13, .interval = true},
        [FW_FRAME_DESTINATION_PORT] = {"destination-port", FW_LAYER_TRANSPORT, 2, 2, 13,
                .interval = true},
        [FW_FRAME_ICMP] = {"icmp", FW_LAYER_TRANSPORT, 0, 2, FW_DATATYPE_INTEGER,
                .interval = true},
};
/* clang-format on */

const uint8_t fw_frame_arp_form[FW_FRAME_ARP_FORM_SIZE] = {
        0, 1, ETH_P_IP >> 8, ETH_P_IP & 0xff, ETH_ALEN, 4};

FwFrameField fw_frame_field_of(FwDimension dimension, int family)
{
        switch ((int) dimension) {
        case FW_DIM_SOURCE_ADDRESS:
                return family == AF_INET6 ? FW_FRAME_SOURCE6 : FW_FRAME_SOURCE4;
        case FW_DIM_DESTINATION_ADDRESS:
                return family == AF_INET6 ? FW_FRAME_DESTINATION6 : FW_FRAME_DESTINATION4;
        case FW_DIM_PROTOCOL:
                return FW_FRAME_PROTOCOL;
        case FW_DIM_SOURCE_PORT:
                return FW_FRAME_SOURCE_PORT;
        case FW_DIM_DESTINATION_PORT:
                return FW_FRAME_DESTINATION_PORT;
        case FW_DIM_ICMP:
                return FW_FRAME_ICMP;
        }
        return FW_FRAME_FIELD_INVALID;
}

/* Objects. */

static void way_free(void *p)
{
        GArray *way = p;

        for (unsigned i = 0; i < way->len; i++)
                g_array_unref(g_array_index(way, FwFrameTest, i).bounds);
        g_array_unref(way);
}

/* Nothing walks the rows: the lists are the BridgeRule's. */
static const PtField no_fields[] = {{}};

/* The name makes comments, uids and counters those of the BridgeRule. In no registry. */
static const PtKind kind_frame_rule = {
        .name = "BridgeRule",
        .size = sizeof(FwFrameRule),
        .fields = no_fields,
        .ordered = true,
        .done = fw_effective_done,
};

const FwFrameRule *fw_frame_rule_of(const FirewallRule *rule)
{
        return rule->object.kind == &kind_frame_rule ? (const FwFrameRule *) rule : NULL;
}

const BridgeRule *fw_frame_rule_origin(const FwFrameRule *rule)
{
        return (const BridgeRule *) rule->effective.origin;
}

/* Writing out. */

typedef struct Builder {
        const FwSource *source;
        FwEffective *effective;
        PtDiagnostics *diag;
        GHashTable *aliases[FW_SET_PART_MAX]; /* name -> GArray of FwBounds */
        GPtrArray *rules;
        int result;
} Builder;

static GArray *bounds_new(void)
{
        return g_array_new(FALSE, FALSE, sizeof(FwBounds));
}

static void add_bounds(GArray *bounds, const void *lo, const void *hi, size_t len)
{
        FwBounds each = {};

        memcpy(each.lo, lo, len);
        memcpy(each.hi, hi, len);
        g_array_append_val(bounds, each);
}

static void add_number(GArray *bounds, uint32_t lo, uint32_t hi)
{
        uint32_t first = htonl(lo), last = htonl(hi);

        add_bounds(bounds, &first, &last, sizeof(first));
}

/* Takes the bounds. */
static FwFrameTest *add_test(GArray *way, FwFrameField field, bool negated, GArray *bounds)
{
        FwFrameTest test = {.field = field, .negated = negated, .bounds = bounds};

        fw_bounds_merge(bounds, fw_frame_fields[field].len);
        g_array_append_val(way, test);
        return &g_array_index(way, FwFrameTest, way->len - 1);
}

static int read_alias(Builder *builder, FwSetPart part, const char *alias, GArray **ret)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(builder->source->slice, alias);
        g_autoptr(GArray) bounds = bounds_new();
        size_t len = fw_part_key_len(part);
        g_autoptr(FwFlat) flat = NULL;
        FwSpan span;
        int r = fw_flat_verify(builder->source, closure, builder->diag);

        if (r >= 0)
                r = fw_flat_new(builder->source, closure, part, &flat);
        while (r >= 0 && (r = fw_flat_next(flat, &span)) > 0) {
                uint8_t lo[FW_NUMBER_BYTES_MAX], hi[FW_NUMBER_BYTES_MAX];

                if (bounds->len == FW_FRAME_ALIAS_MAX) {
                        pt_diag_error(builder->diag, "alias-too-large", "/spec",
                                      "Alias \"%s\" has more than %u entries, which are too many "
                                      "for a rule of bridges; name a smaller one",
                                      alias, FW_FRAME_ALIAS_MAX);
                        return -E2BIG;
                }
                fw_number_write(span.lo, len, lo);
                fw_number_write(span.hi, len, hi);
                add_bounds(bounds, lo, hi, len);
        }
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&bounds);
        return 0;
}

/* Appends what an alias holds; each is read once. */
static void add_alias(Builder *builder, FwSetPart part, const char *alias, GArray *bounds)
{
        GArray *entries = g_hash_table_lookup(builder->aliases[part], alias);
        int r;

        if (!entries) {
                r = read_alias(builder, part, alias, &entries);
                if (r < 0) {
                        builder->result = r;
                        return;
                }
                g_hash_table_insert(builder->aliases[part], g_strdup(alias), entries);
        }
        if (entries->len > 0)
                g_array_append_vals(bounds, entries->data, entries->len);
}

static void add_interfaces(GArray *way, FwFrameField field, const PtList *names)
{
        GArray *bounds;

        if (names->n == 0)
                return;
        bounds = bounds_new();
        for (unsigned i = 0; i < names->n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];

                fw_ifname_interval(((char *const *) names->items)[i], lo, hi);
                add_bounds(bounds, lo, hi, sizeof(lo));
        }
        (void) add_test(way, field, false, bounds);
}

static void add_number16(GArray *way, FwFrameField field, const uint16_t *numbers, unsigned n)
{
        GArray *bounds = bounds_new();

        for (unsigned i = 0; i < n; i++) {
                uint16_t number = htons(numbers[i]);

                add_bounds(bounds, &number, &number, sizeof(number));
        }
        (void) add_test(way, field, false, bounds);
}

/* A tag of either type; of untagged frames, whatever no tag begins with. */
static void add_vlan(GArray *bounds, const PtVlanRange *range)
{
        static const uint32_t tags[] = {TAG_CUSTOMER << 16, (uint32_t) TAG_SERVICE << 16};

        for (unsigned i = 0; i < G_N_ELEMENTS(tags); i++)
                add_number(bounds, tags[i] | range->lo, tags[i] | range->hi);
        if (range->hi > 0)
                return;
        add_number(bounds, 0, tags[0] - 1);
        add_number(bounds, tags[0] + 0x10000, tags[1] - 1);
        add_number(bounds, tags[1] + 0x10000, UINT32_MAX);
}

static void add_vlans(GArray *way, const PtList *vlans)
{
        static const uint8_t mask[] = {0xff, 0xff, VLAN_BITS >> 8, VLAN_BITS & 0xff};
        GArray *bounds;
        FwFrameTest *test;

        if (vlans->n == 0)
                return;
        bounds = bounds_new();
        for (unsigned i = 0; i < vlans->n; i++)
                add_vlan(bounds, (const PtVlanRange *) vlans->items + i);
        test = add_test(way, FW_FRAME_VLAN, false, bounds);
        test->masked = true;
        memcpy(test->mask, mask, sizeof(mask));
}

/* A mask whose ones come first is an interval; another stands alone (kinds/firewall/bridge-rule.c). */
static void add_macs(Builder *builder, GArray *way, FwFrameField field, const PtList *macs,
                     const PtList *aliases)
{
        const PtMacMask *items = macs->items;
        GArray *bounds;
        FwFrameTest *test;

        if (macs->n == 0 && (!aliases || aliases->n == 0))
                return;
        bounds = bounds_new();
        for (unsigned i = 0; i < macs->n; i++) {
                uint8_t hi[sizeof(items->bytes)];

                for (unsigned k = 0; k < sizeof(hi); k++)
                        hi[k] = items[i].bytes[k] | (uint8_t) ~items[i].mask[k];
                add_bounds(bounds, items[i].bytes,
                           fw_mac_mask_is_prefix(&items[i]) ? hi : items[i].bytes, sizeof(hi));
        }
        for (unsigned i = 0; aliases && i < aliases->n; i++)
                add_alias(builder, FW_SET_MACS, ((char *const *) aliases->items)[i], bounds);
        test = add_test(way, field, false, bounds);
        if (macs->n == 1 && !fw_mac_mask_is_prefix(items)) {
                test->masked = true;
                memcpy(test->mask, items->mask, sizeof(items->mask));
        }
}

static void add_addresses(GArray *way, FwFrameField field, const PtList *addresses)
{
        const PtAddressRange *ranges = addresses->items;
        GArray *bounds;

        if (addresses->n == 0)
                return;
        bounds = bounds_new();
        for (unsigned i = 0; i < addresses->n; i++)
                add_bounds(bounds, ranges[i].lo, ranges[i].hi, fw_frame_fields[field].len);
        (void) add_test(way, field, false, bounds);
}

static void add_arp(Builder *builder, GArray *way, const BridgeRule *rule)
{
        static const uint16_t type = ETH_P_ARP;
        GArray *bounds;

        if (!pt_object_has(&rule->object, BRIDGE_RULE_ARP))
                return;
        bounds = bounds_new();
        add_bounds(bounds, fw_frame_arp_form, fw_frame_arp_form, sizeof(fw_frame_arp_form));
        add_number16(way, FW_FRAME_ETHER_TYPE, &type, 1);
        (void) add_test(way, FW_FRAME_ARP_FORM, false, bounds);
        if (rule->arp.operations.n > 0)
                add_number16(way, FW_FRAME_ARP_OPERATION, rule->arp.operations.items,
                             rule->arp.operations.n);
        add_macs(builder, way, FW_FRAME_ARP_SENDER_MAC, &rule->arp.sender_macs, NULL);
        add_addresses(way, FW_FRAME_ARP_SENDER_ADDRESS, &rule->arp.sender_addresses);
        add_addresses(way, FW_FRAME_ARP_TARGET_ADDRESS, &rule->arp.target_addresses);
}

/* What does not depend on the way. */
static void add_link(Builder *builder, GArray *way, const BridgeRule *rule)
{
        add_interfaces(way, FW_FRAME_BRIDGE, &rule->bridges);
        add_interfaces(way, FW_FRAME_FROM, &rule->from);
        add_interfaces(way, FW_FRAME_TO, &rule->to);
        if (rule->ether_types.n > 0)
                add_number16(way, FW_FRAME_ETHER_TYPE, rule->ether_types.items,
                             rule->ether_types.n);
        add_vlans(way, &rule->vlans);
        add_macs(builder, way, FW_FRAME_DESTINATION_MAC, &rule->destination_macs,
                 &rule->destination_mac_aliases);
        add_macs(builder, way, FW_FRAME_SOURCE_MAC, &rule->source_macs, &rule->source_mac_aliases);
        add_arp(builder, way, rule);
}

/* One term of IP: all its values and aliases are one choice. */
static void add_term(Builder *builder, GArray *way, const FwTerm *term, int family)
{
        FwFrameField field = fw_frame_field_of(term->dimension, family);
        size_t size = fw_value_size(fw_dimensions[term->dimension].value);
        GArray *bounds = bounds_new();

        g_assert(field >= 0);
        for (unsigned i = 0; i < term->n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];

                if (fw_value_interval(term->dimension, family,
                                      (const char *) term->items + i * size, lo, hi))
                        add_bounds(bounds, lo, hi, fw_frame_fields[field].len);
        }
        for (unsigned i = 0; i < term->n_aliases; i++)
                add_alias(builder, fw_dimension_part(term->dimension, family), term->aliases[i],
                          bounds);
        (void) add_test(way, field, term->negated, bounds);
}

/* A choice of nothing matches nothing; none of nothing is no question. */
static bool settle_way(GArray *way)
{
        for (unsigned i = 0; i < way->len;) {
                FwFrameTest *test = &g_array_index(way, FwFrameTest, i);

                if (test->bounds->len > 0) {
                        i++;
                        continue;
                }
                if (!test->negated)
                        return false;
                g_array_unref(test->bounds);
                g_array_remove_index(way, i);
        }
        return true;
}

static void add_ways(Builder *builder, FwFrameRule *rule)
{
        FwWays ways = {.rule = &rule->effective.rule};
        FwMatch match;

        while (fw_ways_next(&ways, &match)) {
                GArray *way = g_array_new(FALSE, FALSE, sizeof(FwFrameTest));
                uint16_t type = match.family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP;

                add_link(builder, way, fw_frame_rule_origin(rule));
                if (match.family != AF_UNSPEC)
                        add_number16(way, FW_FRAME_ETHER_TYPE, &type, 1);
                for (unsigned i = 0; i < match.n_terms; i++)
                        add_term(builder, way, &match.terms[i], match.family);
                if (settle_way(way))
                        g_ptr_array_add(rule->effective.ways, way);
                else
                        way_free(way);
        }
}

/* Which state of the rule this is: of all that was written out. */
static void seal(FwFrameRule *rule)
{
        PtObject *object = &rule->effective.rule.object;
        PtHasher *hasher = pt_hasher_new();

        pt_hasher_add(hasher, rule->effective.origin->digest.bytes, PT_DIGEST_SIZE);
        for (unsigned i = 0; i < rule->effective.ways->len; i++) {
                const GArray *way = g_ptr_array_index(rule->effective.ways, i);

                pt_hasher_add(hasher, &way->len, sizeof(way->len));
                for (unsigned k = 0; k < way->len; k++) {
                        const FwFrameTest *test = &g_array_index(way, FwFrameTest, k);
                        uint8_t sort[] = {(uint8_t) test->field, test->negated, test->masked};

                        pt_hasher_add(hasher, sort, sizeof(sort));
                        pt_hasher_add(hasher, test->mask, sizeof(test->mask));
                        pt_hasher_add(hasher, &test->bounds->len, sizeof(test->bounds->len));
                        pt_hasher_add(hasher, test->bounds->data,
                                      test->bounds->len * sizeof(FwBounds));
                }
        }
        pt_hasher_end(hasher, &object->digest);
        object->sealed = true;
}

static int add_rule(const PtObject *object, void *userdata)
{
        const BridgeRule *origin = (const BridgeRule *) object;
        Builder *builder = userdata;
        FirewallRule view = {};
        FwFrameRule *rule;
        FwRuleBox box;

        fw_bridge_rule_view(origin, &view, &box);
        if (!fw_rule_in_force(builder->source->slice, fw_effective_times(builder->effective),
                              &view))
                return 0;
        rule = (FwFrameRule *) pt_object_new(&kind_frame_rule, object->name);
        g_ptr_array_add(builder->rules, rule);
        rule->effective.origin = pt_object_ref(object);
        rule->effective.rule.object.meta = object->meta;
        rule->direction = fw_bridge_direction(origin);
        rule->effective.ways = g_ptr_array_new_with_free_func(way_free);
        fw_bridge_rule_view(origin, &rule->effective.rule, &rule->box);
        /* Nothing helps a connection here: services of one protocol become one choice. */
        rule->effective.rule.action = FW_DROP;
        fw_effective_take_services(&rule->effective, builder->effective, builder->source->slice,
                                   &origin->services);
        rule->effective.rule.action = origin->action;
        if (builder->diag)
                pt_diag_set_subject(builder->diag, "BridgeRule/%s", object->name);
        add_ways(builder, rule);
        if (builder->diag)
                pt_diag_set_subject(builder->diag, NULL);
        seal(rule);
        return builder->result;
}

static int compare_rules(const void *a, const void *b)
{
        return fw_rule_compare_order(*(FirewallRule *const *) a, *(FirewallRule *const *) b);
}

static void unref_object(void *object)
{
        pt_object_unref(object);
}

static void unref_array(void *array)
{
        g_array_unref(array);
}

int fw_frame_rules_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                       GPtrArray **ret)
{
        g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func(unref_object);
        Builder builder = {.source = source, .effective = effective, .diag = diag, .rules = rules};
        size_t n = pt_slice_count(source->slice, &pt_kind_bridge_rule);
        int r;

        if (n > FW_BRIDGE_RULES_MAX) {
                pt_diag_error(diag, "too-many-rules", "",
                              "%zu rules of bridges are too many, at most %d: the kernel asks them "
                              "one after the other",
                              n, FW_BRIDGE_RULES_MAX);
                return -E2BIG;
        }
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                builder.aliases[part] =
                        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_array);
        r = pt_slice_foreach(source->slice, &pt_kind_bridge_rule, add_rule, &builder);
        for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                g_hash_table_unref(builder.aliases[part]);
        if (r < 0)
                return r;
        g_ptr_array_sort(rules, compare_rules);
        *ret = g_steal_pointer(&rules);
        return 0;
}
