/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Small worlds in which all packets can be asked: two zones and the router, 16 addresses of each
 * side, four protocols, five ports, and a mark that is set or not. Random policies over them, as
 * slices and as what a naive reader makes of the same words.
 */

#include "filter-unit.h"

enum { W_LAN, W_WAN, W_ROUTER, W_ANY, W_ZONES = W_ROUTER + 1 };
enum { W_TCP, W_UDP, W_GRE, W_OTHER, W_PROTOCOLS, W_NO_PROTOCOL }; /* no rule names W_OTHER */
#define W_PORTS 5 /* port 0, which no rule names, three others, and all above */
#define W_MARKS 2

typedef struct WorldPacket {
        int from, to, protocol, source, destination, port, mark;
} WorldPacket;

typedef struct WorldSpan {
        int lo, hi; /* lo < 0: not asked */
} WorldSpan;

typedef struct WorldRule {
        char name[16];
        int action, from, to, protocol, mark; /* mark < 0: not asked */
        WorldSpan source, destination, except, port;
        bool log;
} WorldRule;

typedef struct World {
        int bits; /* of an address */
        unsigned n, named;
        WorldRule rules[24];
        int forward[2], input[2], output[2]; /* of lan and wan */
} World;

static const char *const world_zones[] = {"lan", "wan", "router"};
static const char *const world_actions[] = {"allow", "drop", "reject"};
static const char *const world_protocols[] = {"tcp", "udp", "gre"};
static const int world_numbers[] = {6, 17, 47, 50};

static inline bool world_has_ports(int protocol)
{
        return protocol == W_TCP || protocol == W_UDP;
}

static inline bool world_within(WorldSpan span, int value)
{
        return span.lo < 0 || (value >= span.lo && value <= span.hi);
}

static inline bool world_matches(const WorldRule *rule, const WorldPacket *packet)
{
        bool ports = rule->port.lo >= 0;

        if (rule->from == W_ANY ? packet->from == W_ROUTER : rule->from != packet->from)
                return false;
        if (rule->to != W_ANY && rule->to != packet->to)
                return false;
        if (rule->protocol != W_NO_PROTOCOL && rule->protocol != packet->protocol)
                return false;
        if (ports &&
            (!world_has_ports(packet->protocol) || !world_within(rule->port, packet->port)))
                return false;
        if (rule->except.lo >= 0 && world_within(rule->except, packet->source))
                return false;
        return world_within(rule->source, packet->source) &&
               world_within(rule->destination, packet->destination) &&
               (rule->mark < 0 || rule->mark == packet->mark);
}

static inline int world_default(const World *world, const WorldPacket *packet)
{
        if (packet->from == W_ROUTER)
                return world->output[packet->to];
        return packet->to == W_ROUTER ? world->input[packet->from] : world->forward[packet->from];
}

/* The first that matches, or -1; as if one of them (-1: none) were not there. */
static inline int world_first(const World *world, const WorldPacket *packet, int without)
{
        for (unsigned i = 0; i < world->n; i++)
                if ((int) i != without && world_matches(&world->rules[i], packet))
                        return (int) i;
        return -1;
}

static inline int world_verdict(const World *world, const WorldPacket *packet, int without)
{
        int first = world_first(world, packet, without);

        return first < 0 ? world_default(world, packet) : world->rules[first].action;
}

/* All packets: begins with {0}; false after the last. What has no ports has the first one only. */
static inline bool world_next(const World *world, WorldPacket *packet)
{
        int addresses = 1 << world->bits;

        do {
                if (++packet->mark < W_MARKS)
                        continue;
                packet->mark = 0;
                if (++packet->port < (world_has_ports(packet->protocol) ? W_PORTS : 1))
                        continue;
                packet->port = 0;
                if (++packet->source < addresses)
                        continue;
                packet->source = 0;
                if (++packet->destination < addresses)
                        continue;
                packet->destination = 0;
                if (++packet->protocol < W_PROTOCOLS)
                        continue;
                packet->protocol = 0;
                if (++packet->to < W_ZONES)
                        continue;
                packet->to = 0;
                if (++packet->from == W_ZONES)
                        return false;
        } while (packet->from == W_ROUTER && packet->to == W_ROUTER);
        return true;
}

/* Random ones. */

static inline WorldSpan world_random_span(GRand *rand, int n, int none)
{
        WorldSpan span = {-1, -1};

        if (g_rand_int_range(rand, 0, none) == 0)
                return span;
        span.lo = g_rand_int_range(rand, 0, n);
        span.hi = g_rand_boolean(rand) ? span.lo : g_rand_int_range(rand, span.lo, n);
        return span;
}

static inline void world_random_rule(World *world, GRand *rand, WorldRule *rule)
{
        int addresses = 1 << world->bits;

        g_snprintf(rule->name, sizeof(rule->name), "r%02u", world->named++);
        rule->action = g_rand_int_range(rand, 0, 5) % 3;
        do {
                rule->from = g_rand_int_range(rand, 0, 6) % 4;
                rule->to = g_rand_int_range(rand, 0, 6) % 4;
        } while (rule->from == W_ROUTER && rule->to == W_ROUTER);
        if (g_rand_boolean(rand))
                rule->from = rule->to = W_ANY;
        rule->source = world_random_span(rand, addresses, 2);
        rule->destination = world_random_span(rand, addresses, 2);
        rule->except = world_random_span(rand, addresses, 1);
        if (g_rand_int_range(rand, 0, 6) == 0)
                rule->except = world_random_span(rand, addresses, 4);
        rule->protocol = g_rand_boolean(rand) ? W_NO_PROTOCOL : g_rand_int_range(rand, 0, 3);
        rule->port = (WorldSpan){-1, -1};
        if (rule->protocol != W_GRE)
                rule->port = world_random_span(rand, W_PORTS - 1, 2);
        if (rule->port.lo >= 0)
                rule->port = (WorldSpan){rule->port.lo + 1, rule->port.hi + 1};
        rule->mark = g_rand_int_range(rand, 0, 8) == 0 ? 1 : -1;
        rule->log = g_rand_int_range(rand, 0, 4) == 0;
}

static inline void world_random(World *world, GRand *rand)
{
        world->n = (unsigned) g_rand_int_range(rand, 1, 13);
        world->named = 0;
        for (unsigned i = 0; i < world->n; i++)
                world_random_rule(world, rand, &world->rules[i]);
        for (unsigned i = 0; i < 2; i++) {
                world->forward[i] = g_rand_int_range(rand, 0, 3);
                world->input[i] = g_rand_int_range(rand, 0, 3);
                world->output[i] = g_rand_int_range(rand, 0, 3);
        }
}

/* As a slice. */

static inline void world_put_addresses(GString *spec, const char *member, WorldSpan span)
{
        if (span.lo >= 0)
                g_string_append_printf(spec, "\"%s\":[\"10.0.0.%d-10.0.0.%d\"]", member, span.lo,
                                       span.hi);
}

static inline char *world_spec(const World *world, const WorldRule *rule)
{
        GString *spec = g_string_new(NULL);
        /* Nobody has an address above. */
        WorldSpan all = {0, (1 << world->bits) - 1};
        WorldSpan source = rule->source.lo >= 0 ? rule->source : all;
        WorldSpan destination = rule->destination.lo >= 0 ? rule->destination : all;

        g_string_printf(spec, "{\"action\":\"%s\"", world_actions[rule->action]);
        if (rule->from != W_ANY)
                g_string_append_printf(spec, ",\"from\":\"%s\"", world_zones[rule->from]);
        if (rule->to != W_ANY)
                g_string_append_printf(spec, ",\"to\":\"%s\"", world_zones[rule->to]);
        if (rule->protocol != W_NO_PROTOCOL)
                g_string_append_printf(spec, ",\"protocol\":\"%s\"",
                                       world_protocols[rule->protocol]);
        if (rule->mark >= 0)
                g_string_append(spec, ",\"mark\":\"0x1/0x1\"");
        if (rule->log)
                g_string_append(spec, ",\"log\":true");
        g_string_append(spec, ",\"source\":{");
        world_put_addresses(spec, "addresses", source);
        if (rule->except.lo >= 0) {
                g_string_append(spec, ",\"except\":{");
                world_put_addresses(spec, "addresses", rule->except);
                g_string_append(spec, "}");
        }
        g_string_append(spec, "},\"destination\":{");
        world_put_addresses(spec, "addresses", destination);
        if (rule->port.lo >= 0)
                g_string_append_printf(spec, ",\"ports\":[\"%d-%d\"]", rule->port.lo,
                                       rule->port.hi < W_PORTS - 1 ? rule->port.hi : 65535);
        g_string_append(spec, "}}");
        return g_string_free(spec, FALSE);
}

static inline PtSlice *world_slice(const World *world)
{
        PtSlice *slice = pt_slice_new();

        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *spec = g_strdup_printf(
                        "{\"interfaces\":[\"%s0\"],\"forward\":\"%s\",\"input\":\"%s\",\"output\":"
                        "\"%s\"}",
                        world_zones[i], world_actions[world->forward[i]],
                        world_actions[world->input[i]], world_actions[world->output[i]]);

                fw_put_zone(slice, world_zones[i], spec);
        }
        for (unsigned i = 0; i < world->n; i++) {
                g_autofree char *spec = world_spec(world, &world->rules[i]);

                fw_put_rule(slice, world->rules[i].name, i + 1, spec);
        }
        return slice;
}
