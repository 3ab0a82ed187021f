/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lines.h"

#include <netinet/in.h>
#include <string.h>

#define LISTED_MAX 4 /* of a list in a text; the rest is counted */

FwChange fw_change_of(const FwPair *pair)
{
        bool before = pair->before->action == FW_ALLOW, after = pair->after->action == FW_ALLOW;

        if (before != after)
                return after ? FW_CHANGE_ALLOWED : FW_CHANGE_DENIED;
        return after ? FW_CHANGE_ALLOWED_OTHERWISE : FW_CHANGE_DENIED_OTHERWISE;
}

static void line_free(void *data)
{
        FwLine *line = data;

        for (unsigned i = 0; i < FW_LINE_AXES; i++)
                g_array_unref(line->axes[i]);
        g_free(line);
}

/* From parts to lines. */

static FwRankSpan span_of(const FwSpace *space, const FwCube *cube, FwAxis axis)
{
        FwCube all = fw_space_all(space, fw_space_family(space, cube));
        FwRankSpan span = {cube->lo[axis], cube->hi[axis]};

        if ((axis == FW_AXIS_SOURCE || axis == FW_AXIS_DESTINATION) && span.lo == all.lo[axis] &&
            span.hi == all.hi[axis])
                span = (FwRankSpan){0, UINT32_MAX};
        return span;
}

static FwLine *line_new(const FwSpace *space, const FwCube *cube, const FwPair *pair)
{
        FwLine *line = g_new0(FwLine, 1);
        uint32_t family = fw_space_family(space, cube) == AF_INET ? 4 : 6;

        line->pair = *pair;
        line->holds = cube->holds;
        line->fails = cube->fails;
        for (unsigned i = 0; i < FW_LINE_AXES; i++) {
                FwRankSpan span = i == FW_LINE_FAMILY ? (FwRankSpan){family, family}
                                                      : span_of(space, cube, (FwAxis) i);

                line->axes[i] = g_array_new(FALSE, FALSE, sizeof(FwRankSpan));
                g_array_append_val(line->axes[i], span);
        }
        return line;
}

/* What two lines must have alike to become one on an axis. */
static char *key_of(const FwLine *line, unsigned but)
{
        GString *key = g_string_new(NULL);

        g_string_printf(key, "%d %p %p %" PRIx64 " %" PRIx64, (int) line->change,
                        (const void *) line->pair.before, (const void *) line->pair.after,
                        line->holds, line->fails);
        for (unsigned i = 0; i < FW_LINE_AXES; i++) {
                g_string_append_c(key, '/');
                for (unsigned k = 0; i != but && k < line->axes[i]->len; k++) {
                        const FwRankSpan *span = &g_array_index(line->axes[i], FwRankSpan, k);

                        g_string_append_printf(key, "%x-%x,", span->lo, span->hi);
                }
        }
        return g_string_free(key, FALSE);
}

static int compare_spans(const void *a, const void *b)
{
        const FwRankSpan *x = a, *y = b;

        return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Neighbours melt, but not the last address of IPv4 with the first of IPv6, and families neither. */
static void unite(const FwSpace *space, FwLine *line, const FwLine *other, unsigned axis)
{
        GArray *spans = line->axes[axis];
        bool addresses = axis == FW_AXIS_SOURCE || axis == FW_AXIS_DESTINATION;
        unsigned out = 0;

        g_array_append_vals(spans, other->axes[axis]->data, other->axes[axis]->len);
        g_array_sort(spans, compare_spans);
        for (unsigned i = 0; i < spans->len; i++) {
                FwRankSpan next = g_array_index(spans, FwRankSpan, i);
                FwRankSpan *last = out > 0 ? &g_array_index(spans, FwRankSpan, out - 1) : NULL;

                if (last && axis != FW_LINE_FAMILY &&
                    (next.lo <= last->hi || next.lo == last->hi + 1) &&
                    !(addresses && next.lo == space->n4))
                        last->hi = MAX(last->hi, next.hi);
                else
                        g_array_index(spans, FwRankSpan, out++) = next;
        }
        g_array_set_size(spans, out);
}

static bool melt_axis(const FwSpace *space, GPtrArray *lines, unsigned axis)
{
        g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        unsigned out = 0, n = lines->len;

        for (unsigned i = 0; i < n; i++) {
                FwLine *line = g_ptr_array_index(lines, i), *like;
                char *key = key_of(line, axis);

                like = g_hash_table_lookup(known, key);
                if (like) {
                        unite(space, like, line, axis);
                        line_free(line);
                        g_free(key);
                } else {
                        g_hash_table_insert(known, key, line);
                        lines->pdata[out++] = line;
                }
        }
        for (unsigned i = out; i < n; i++)
                lines->pdata[i] = NULL;
        lines->len = out;
        return out < n;
}

static void melt_lines(const FwSpace *space, GPtrArray *lines)
{
        static const unsigned order[FW_LINE_AXES] = {
                FW_AXIS_DESTINATION_PORT, FW_AXIS_SOURCE_PORT, FW_AXIS_DESTINATION, FW_AXIS_SOURCE,
                FW_LINE_FAMILY,           FW_AXIS_PROTOCOL,    FW_AXIS_TO,          FW_AXIS_FROM,
        };
        bool again = true;

        while (again) { /* each round but the last leaves fewer */
                again = false;
                for (unsigned i = 0; i < FW_LINE_AXES; i++)
                        again = melt_axis(space, lines, order[i]) || again;
        }
}

static int compare_lines(const void *a, const void *b)
{
        const FwLine *x = *(FwLine *const *) a, *y = *(FwLine *const *) b;
        int r = (int) x->change - (int) y->change;

        for (unsigned i = 0; r == 0 && i < FW_LINE_AXES; i++)
                r = compare_spans(x->axes[i]->data, y->axes[i]->data);
        return r;
}

static char *group_of(const FwPart *part, bool deciders)
{
        return deciders ? g_strdup_printf("%p %p", (const void *) part->pair.before,
                                          (const void *) part->pair.after)
                        : g_strdup_printf("%d", (int) fw_change_of(&part->pair));
}

static void add_lines(const FwSpace *space, GArray *cubes, const FwPart *part, bool deciders,
                      GPtrArray *lines)
{
        fw_cubes_melt(cubes);
        for (unsigned i = 0; i < cubes->len; i++) {
                FwLine *line = line_new(space, &g_array_index(cubes, FwCube, i),
                                        deciders ? &part->pair : &(FwPair){NULL, NULL});

                line->change = fw_change_of(&part->pair);
                g_ptr_array_add(lines, line);
        }
}

GPtrArray *fw_lines_new(const FwSpace *space, const GArray *parts, bool deciders)
{
        GPtrArray *lines = g_ptr_array_new_with_free_func(line_free);
        g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GPtrArray) cubes = g_ptr_array_new_with_free_func((GDestroyNotify) g_array_unref);
        g_autoptr(GPtrArray) firsts = g_ptr_array_new(); /* FwPart: the first of each group */

        for (unsigned i = 0; i < parts->len; i++) {
                const FwPart *part = &g_array_index(parts, FwPart, i);
                char *key = group_of(part, deciders);
                GArray *group = g_hash_table_lookup(groups, key);

                if (group) {
                        g_free(key);
                } else {
                        group = g_array_new(FALSE, FALSE, sizeof(FwCube));
                        g_ptr_array_add(cubes, group);
                        g_ptr_array_add(firsts, (void *) (uintptr_t) part);
                        g_hash_table_insert(groups, key, group);
                }
                g_array_append_val(group, part->cube);
        }
        for (unsigned i = 0; i < cubes->len; i++)
                add_lines(space, g_ptr_array_index(cubes, i), g_ptr_array_index(firsts, i),
                          deciders, lines);
        melt_lines(space, lines);
        g_ptr_array_sort(lines, compare_lines);
        return lines;
}

/* What a list on an axis says: texts; NULL: everything. */

static bool is_whole(const FwSpace *space, const FwLine *line, unsigned axis)
{
        const FwRankSpan *span = &g_array_index(line->axes[axis], FwRankSpan, 0);
        uint32_t last[FW_LINE_AXES] = {
                [FW_AXIS_PROTOCOL] = UINT8_MAX,          [FW_AXIS_DESTINATION] = UINT32_MAX,
                [FW_AXIS_DESTINATION_PORT] = UINT16_MAX, [FW_AXIS_SOURCE] = UINT32_MAX,
                [FW_AXIS_SOURCE_PORT] = UINT16_MAX,
        };

        if (axis == FW_LINE_FAMILY)
                return line->axes[axis]->len == 2;
        if (axis == FW_AXIS_FROM || axis == FW_AXIS_TO)
                return span->lo == 0 && space->zones->len > 1 && span->hi + 1 >= space->zones->len;
        return span->lo == 0 && span->hi == last[axis];
}

static void add_zones(const FwSpace *space, const FwLine *line, unsigned axis, GPtrArray *words)
{
        uint32_t router = fw_space_router(space);
        bool any = is_whole(space, line, axis);

        if (any)
                g_ptr_array_add(words, g_strdup(FW_ZONE_ANY));
        for (unsigned i = 0; i < line->axes[axis]->len; i++) {
                FwRankSpan span = g_array_index(line->axes[axis], FwRankSpan, i);

                for (uint32_t zone = any ? router : span.lo; zone <= span.hi; zone++)
                        g_ptr_array_add(words,
                                        g_strdup(zone == router
                                                         ? FW_ZONE_ROUTER
                                                         : g_ptr_array_index(space->zones, zone)));
        }
}

static char *format_addresses(const FwSpace *space, FwAxis axis, FwRankSpan ranks)
{
        FwCube cube = {0};
        FwSpan span;
        PtAddressRange range = {.family = ranks.lo < space->n4 ? AF_INET : AF_INET6};
        size_t len = range.family == AF_INET ? 4 : 16;
        GString *text = g_string_new(NULL);

        cube.lo[axis] = ranks.lo;
        cube.hi[axis] = ranks.hi;
        span = fw_space_span(space, axis, &cube);
        fw_number_write(span.lo, len, range.lo);
        fw_number_write(span.hi, len, range.hi);
        pt_address_range_settle(&range);
        pt_address_range_format(&range, text);
        return g_string_free(text, FALSE);
}

static char *format_protocol(uint32_t number)
{
        int protocol = (int) number;
        pt_auto_json *word = pt_type_protocol.to_json(NULL, &protocol);

        return g_strdup(json_object_get_string(word));
}

static char *format_protocols(FwRankSpan span)
{
        g_autofree char *lo = format_protocol(span.lo), *hi = NULL;

        if (span.lo == span.hi)
                return g_steal_pointer(&lo);
        return g_strdup_printf("%u-%u", span.lo, span.hi);
}

static char *format_ports(FwRankSpan span)
{
        return span.lo == span.hi ? g_strdup_printf("%u", span.lo)
                                  : g_strdup_printf("%u-%u", span.lo, span.hi);
}

/* Type and code: "8", "3/4", "0-7"; what begins or ends within a type is told by both. */
static char *format_icmp(FwRankSpan span)
{
        bool whole = (span.lo & 0xff) == 0 && (span.hi & 0xff) == 0xff;
        uint32_t lo = span.lo >> 8, hi = span.hi >> 8;

        if (whole)
                return format_ports((FwRankSpan){lo, hi});
        if (span.lo == span.hi)
                return g_strdup_printf("%u/%u", lo, span.lo & 0xff);
        return g_strdup_printf("%u/%u-%u/%u", lo, span.lo & 0xff, hi, span.hi & 0xff);
}

static bool is_icmp(const FwLine *line)
{
        const GArray *protocols = line->axes[FW_AXIS_PROTOCOL];
        const FwRankSpan *span = &g_array_index(protocols, FwRankSpan, 0);

        return protocols->len == 1 && span->lo == span->hi &&
               (span->lo == IPPROTO_ICMP || span->lo == IPPROTO_ICMPV6);
}

static GPtrArray *words_of(const FwSpace *space, const FwLine *line, unsigned axis)
{
        GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

        if (axis == FW_AXIS_FROM || axis == FW_AXIS_TO)
                add_zones(space, line, axis, words);
        else if (is_whole(space, line, axis))
                return words;
        for (unsigned i = 0; axis > FW_AXIS_TO && i < line->axes[axis]->len; i++) {
                FwRankSpan span = g_array_index(line->axes[axis], FwRankSpan, i);

                if (axis == FW_AXIS_SOURCE || axis == FW_AXIS_DESTINATION)
                        g_ptr_array_add(words, format_addresses(space, (FwAxis) axis, span));
                else if (axis == FW_AXIS_PROTOCOL)
                        g_ptr_array_add(words, format_protocols(span));
                else if (axis == FW_AXIS_DESTINATION_PORT && is_icmp(line))
                        g_ptr_array_add(words, format_icmp(span));
                else
                        g_ptr_array_add(words, format_ports(span));
        }
        return words;
}

static GPtrArray *conditions_of(const FwSpace *space, const FwLine *line)
{
        GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; i < space->conditions->len; i++) {
                const char *text = g_ptr_array_index(space->conditions, i);

                if (line->holds >> i & 1)
                        g_ptr_array_add(words, g_strdup(text));
                else if (line->fails >> i & 1)
                        g_ptr_array_add(words, g_strdup_printf("not %s", text));
        }
        return words;
}

/* Texts. */

static void append_list(GString *text, const char *before, const GPtrArray *words)
{
        for (unsigned i = 0; i < MIN(words->len, LISTED_MAX); i++)
                g_string_append_printf(text, "%s%s", i ? "," : before,
                                       (const char *) g_ptr_array_index(words, i));
        if (words->len > LISTED_MAX)
                g_string_append_printf(text, " and %u more", words->len - LISTED_MAX);
}

static void append_axis(const FwSpace *space, const FwLine *line, unsigned axis, const char *before,
                        GString *text)
{
        g_autoptr(GPtrArray) words = words_of(space, line, axis);

        append_list(text, before, words);
}

static char *decided_by(const FwPolicyRule *rule)
{
        static const char *const words[FW_ACTION_MAX] = {"allow", "drop", "reject"};
        g_autofree char *name = fw_policy_name(rule);

        return g_strdup_printf("%s by %s", words[rule->action], name);
}

static const char *family_of(const FwLine *line)
{
        const FwRankSpan *span = &g_array_index(line->axes[FW_LINE_FAMILY], FwRankSpan, 0);

        if (line->axes[FW_LINE_FAMILY]->len == 2)
                return NULL;
        return span->lo == 4 ? "ipv4" : "ipv6";
}

static bool has_addresses(const FwSpace *space, const FwLine *line)
{
        return !is_whole(space, line, FW_AXIS_SOURCE) ||
               !is_whole(space, line, FW_AXIS_DESTINATION);
}

/* Numbers alone could be anything. */
static bool has_number(const FwLine *line)
{
        const GArray *spans = line->axes[FW_AXIS_PROTOCOL];

        for (unsigned i = 0; i < spans->len; i++) {
                const FwRankSpan *span = &g_array_index(spans, FwRankSpan, i);
                g_autofree char *word = format_protocols(*span);

                if (g_ascii_isdigit(word[0]))
                        return true;
        }
        return false;
}

static void append_where(const FwSpace *space, const FwLine *line, GString *text)
{
        g_autoptr(GPtrArray) conditions = conditions_of(space, line);
        bool icmp = is_icmp(line);

        append_axis(space, line, FW_AXIS_FROM, "", text);
        append_axis(space, line, FW_AXIS_SOURCE, " ", text);
        append_axis(space, line, FW_AXIS_SOURCE_PORT, " from port ", text);
        append_axis(space, line, FW_AXIS_TO, " -> ", text);
        append_axis(space, line, FW_AXIS_DESTINATION, " ", text);
        if (family_of(line) && !has_addresses(space, line))
                g_string_append_printf(text, " %s", family_of(line));
        append_axis(space, line, FW_AXIS_PROTOCOL, has_number(line) ? " protocol " : " ", text);
        append_axis(space, line, FW_AXIS_DESTINATION_PORT, icmp ? " type " : "/", text);
        append_list(text, " if ", conditions);
}

static const char *const changes[FW_CHANGE_MAX] = {
        [FW_CHANGE_ALLOWED] = "newly-allowed",
        [FW_CHANGE_DENIED] = "newly-denied",
        [FW_CHANGE_ALLOWED_OTHERWISE] = "allowed-otherwise",
        [FW_CHANGE_DENIED_OTHERWISE] = "denied-otherwise",
};

static char *describe(const FwSpace *space, const FwLine *line)
{
        GString *text = g_string_new(NULL);

        g_string_printf(text, "%s: ", changes[line->change]);
        g_strdelimit(text->str, "-", ' ');
        append_where(space, line, text);
        if (line->pair.before) {
                g_autofree char *before = decided_by(line->pair.before);
                g_autofree char *after = decided_by(line->pair.after);

                g_string_append_printf(text, " (before: %s; after: %s)", before, after);
        }
        return g_string_free(text, FALSE);
}

/* For programs. */

static void add_words(struct json_object *json, const char *member, const GPtrArray *words)
{
        struct json_object *list;

        if (words->len == 0)
                return;
        list = json_object_new_array();
        for (unsigned i = 0; i < words->len; i++)
                json_object_array_add(list, json_object_new_string(g_ptr_array_index(words, i)));
        json_object_object_add(json, member, list);
}

static void add_axis(const FwSpace *space, const FwLine *line, unsigned axis, const char *member,
                     struct json_object *json)
{
        g_autoptr(GPtrArray) words = words_of(space, line, axis);

        add_words(json, member, words);
}

static void add_text(struct json_object *json, const char *member, const char *text)
{
        json_object_object_add(json, member, json_object_new_string(text));
}

struct json_object *fw_line_to_json(const FwSpace *space, const FwLine *line)
{
        struct json_object *json = json_object_new_object();
        g_autoptr(GPtrArray) conditions = conditions_of(space, line);
        g_autofree char *text = describe(space, line);

        add_text(json, "change", changes[line->change]);
        add_axis(space, line, FW_AXIS_FROM, "from", json);
        add_axis(space, line, FW_AXIS_TO, "to", json);
        if (family_of(line))
                add_text(json, "family", family_of(line));
        add_axis(space, line, FW_AXIS_SOURCE, "source", json);
        add_axis(space, line, FW_AXIS_DESTINATION, "destination", json);
        add_axis(space, line, FW_AXIS_PROTOCOL, "protocol", json);
        add_axis(space, line, FW_AXIS_SOURCE_PORT, "sourcePorts", json);
        add_axis(space, line, FW_AXIS_DESTINATION_PORT, is_icmp(line) ? "icmpTypes" : "ports",
                 json);
        add_words(json, "conditions", conditions);
        if (line->pair.before) {
                g_autofree char *before = decided_by(line->pair.before);
                g_autofree char *after = decided_by(line->pair.after);

                add_text(json, "before", before);
                add_text(json, "after", after);
        }
        add_text(json, "text", text);
        return json;
}
