/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "talkers.h"

#include "base/marks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* A place of the table. */
typedef struct Place {
        FwTalker talker;
        uint64_t missed_connections; /* as talker.missed, when no connection has numbers */
        uint32_t next;               /* of the same bucket, from 1; 0: none */
        uint32_t at;                 /* in the heap */
} Place;

struct FwTalk {
        FwTalkBy by;
        FwTalkWhat what;
        unsigned max, n;
        Place *places;
        uint32_t *buckets; /* the first place, from 1 */
        unsigned n_buckets;
        uint32_t *heap; /* places; that which has least is the first */
        uint64_t seed;  /* strangers must not find keys that share a bucket */
        FwTalkTotal total;
};

G_STATIC_ASSERT(sizeof(FwTalkKey) == 40);
G_STATIC_ASSERT(sizeof(FwTalker) == 104);
G_STATIC_ASSERT(sizeof(FwTalkTotal) == 48);

FwTalk *fw_talk_new(FwTalkBy by, FwTalkWhat what, unsigned keys_max)
{
        FwTalk *talk = g_new0(FwTalk, 1);

        talk->by = by;
        talk->what = talk->total.what = what;
        talk->max = keys_max;
        talk->n_buckets = 2 * keys_max;
        talk->places = g_new0(Place, keys_max);
        talk->buckets = g_new0(uint32_t, talk->n_buckets);
        talk->heap = g_new0(uint32_t, keys_max);
        if (getrandom(&talk->seed, sizeof(talk->seed), 0) != sizeof(talk->seed))
                talk->seed = (uint64_t) (uintptr_t) talk; /* slow at worst */
        return talk;
}

void fw_talk_free(FwTalk *talk)
{
        if (!talk)
                return;
        g_free(talk->places);
        g_free(talk->buckets);
        g_free(talk->heap);
        g_free(talk);
}

/* What a connection is of. */

static bool is_marked(const PtConnection *connection)
{
        return connection->mark & PT_CTMARK_PAIR;
}

/* From one zone (0) to another (1). */
static uint8_t mark_of(const PtConnection *connection, unsigned side)
{
        return (uint8_t) (connection->mark >> (side ? PT_CTMARK_TO_SHIFT : PT_CTMARK_FROM_SHIFT));
}

static void make_key(FwTalkBy by, const PtConnection *connection, FwTalkKey *ret)
{
        size_t size = connection->family == AF_INET ? 4 : 16;

        memset(ret, 0, sizeof(*ret));
        switch (by) {
        case FW_TALK_SOURCE:
        case FW_TALK_DESTINATION:
        case FW_TALK_PAIR:
                ret->family = connection->family;
                if (by != FW_TALK_DESTINATION)
                        memcpy(ret->source, connection->original.source, size);
                if (by != FW_TALK_SOURCE)
                        memcpy(ret->destination, connection->reply.source, size);
                break;
        case FW_TALK_SERVICE:
                ret->protocol = connection->protocol;
                ret->has_port = pt_connection_has_ports(connection);
                ret->port = ret->has_port ? connection->reply.source_port : 0;
                break;
        case FW_TALK_ZONE:
                ret->has_zones = is_marked(connection);
                ret->from = ret->has_zones ? mark_of(connection, 0) : 0;
                ret->to = ret->has_zones ? mark_of(connection, 1) : 0;
                break;
        case FW_TALK_BY_MAX:
                break;
        }
}

static uint32_t bucket_of(const FwTalk *talk, const FwTalkKey *key)
{
        uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = talk->seed;

        memcpy(words, key, sizeof(words));
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
                hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
                hash ^= hash >> 32;
        }
        return (uint32_t) (hash % talk->n_buckets);
}

static Place *find(const FwTalk *talk, const FwTalkKey *key)
{
        for (uint32_t i = talk->buckets[bucket_of(talk, key)]; i; i = talk->places[i - 1].next)
                if (memcmp(&talk->places[i - 1].talker.key, key, sizeof(*key)) == 0)
                        return &talk->places[i - 1];
        return NULL;
}

static void link_place(FwTalk *talk, Place *place)
{
        uint32_t *bucket = &talk->buckets[bucket_of(talk, &place->talker.key)];

        place->next = *bucket;
        *bucket = (uint32_t) (place - talk->places) + 1;
}

static void unlink_place(FwTalk *talk, Place *place)
{
        uint32_t *at = &talk->buckets[bucket_of(talk, &place->talker.key)];

        while (&talk->places[*at - 1] != place)
                at = &talk->places[*at - 1].next;
        *at = place->next;
}

/* Which has least. */

static uint64_t value_of(const FwTalker *talker, FwTalkWhat what)
{
        switch (what) {
        case FW_TALK_BYTES:
                return talker->bytes[0] + talker->bytes[1];
        case FW_TALK_PACKETS:
                return talker->packets[0] + talker->packets[1];
        case FW_TALK_CONNECTIONS:
        case FW_TALK_WHAT_MAX:
                break;
        }
        return talker->connections;
}

/* What it has at most; by connections where that is the same, as without numbers it always is. */
static bool has_less(const FwTalk *talk, const Place *a, const Place *b)
{
        uint64_t x = value_of(&a->talker, talk->what) + a->talker.missed,
                 y = value_of(&b->talker, talk->what) + b->talker.missed;

        return x != y ? x < y
                      : a->talker.connections + a->missed_connections <
                                b->talker.connections + b->missed_connections;
}

static Place *in_heap(const FwTalk *talk, unsigned at)
{
        return &talk->places[talk->heap[at]];
}

static void put_in_heap(FwTalk *talk, unsigned at, uint32_t place)
{
        talk->heap[at] = place;
        talk->places[place].at = at;
}

static void swap(FwTalk *talk, unsigned i, unsigned k)
{
        uint32_t place = talk->heap[i];

        put_in_heap(talk, i, talk->heap[k]);
        put_in_heap(talk, k, place);
}

static void sink(FwTalk *talk, unsigned at)
{
        for (unsigned least = at;; at = least) {
                for (unsigned child = 2 * at + 1; child <= 2 * at + 2 && child < talk->n; child++)
                        if (has_less(talk, in_heap(talk, child), in_heap(talk, least)))
                                least = child;
                if (least == at)
                        return;
                swap(talk, at, least);
        }
}

static void rise(FwTalk *talk, unsigned at)
{
        for (; at > 0 && has_less(talk, in_heap(talk, at), in_heap(talk, (at - 1) / 2));
             at = (at - 1) / 2)
                swap(talk, at, (at - 1) / 2);
}

/* A place for a key that is not there: a free one, or that of the key that has least. */
static Place *take_place(FwTalk *talk)
{
        Place *least;

        if (talk->n < talk->max) {
                put_in_heap(talk, talk->n, talk->n);
                return &talk->places[talk->n++];
        }
        least = in_heap(talk, 0);
        unlink_place(talk, least);
        talk->total.thrown++;
        least->missed_connections += least->talker.connections;
        least->talker = (FwTalker){
                .missed = value_of(&least->talker, talk->what) + least->talker.missed,
        };
        return least;
}

static void note_zone(FwTalker *talker, unsigned side, uint8_t mark)
{
        if (talker->zones[side] == FW_TALK_UNKNOWN) {
                talker->zones[side] = FW_TALK_ONE;
                talker->marks[side] = mark;
        } else if (talker->marks[side] != mark)
                talker->zones[side] = FW_TALK_SEVERAL;
}

static void count(FwTalker *talker, const PtConnection *connection)
{
        bool counted = connection->flags & PT_CONNECTION_COUNTED;

        talker->connections++;
        talker->uncounted += !counted;
        for (unsigned i = 0; i < 2 && counted; i++) {
                talker->packets[i] += connection->packets[i];
                talker->bytes[i] += connection->bytes[i];
        }
        for (unsigned i = 0; i < 2 && is_marked(connection); i++)
                note_zone(talker, i, mark_of(connection, i));
}

void fw_talk_add(FwTalk *talk, const PtConnection *connection)
{
        FwTalkTotal *total = &talk->total;
        Place *place;
        FwTalkKey key;

        make_key(talk->by, connection, &key);
        place = find(talk, &key);
        if (!place) {
                place = take_place(talk);
                place->talker.key = key;
                link_place(talk, place);
        }
        count(&place->talker, connection);
        total->connections++;
        if (connection->flags & PT_CONNECTION_COUNTED) {
                total->packets += connection->packets[0] + connection->packets[1];
                total->bytes += connection->bytes[0] + connection->bytes[1];
        } else
                total->uncounted++;
        /* A new one may have less than those above it, one that was there only more than before. */
        rise(talk, place->at);
        sink(talk, place->at);
}

static int compare(const void *a, const void *b, void *userdata)
{
        const FwTalker *x = a, *y = b;
        FwTalkWhat what = *(const FwTalkWhat *) userdata;
        uint64_t p = value_of(x, what), q = value_of(y, what);

        if (p == q) {
                p = x->connections;
                q = y->connections;
        }
        return p != q ? (p < q) - (p > q) : memcmp(&x->key, &y->key, sizeof(x->key));
}

GArray *fw_talk_top(FwTalk *talk, unsigned limit, FwTalkTotal *ret)
{
        GArray *rows = g_array_sized_new(FALSE, FALSE, sizeof(FwTalker), talk->n);
        bool numbers = talk->total.uncounted < talk->total.connections;
        FwTalkWhat what = numbers ? talk->what : FW_TALK_CONNECTIONS;

        for (unsigned i = 0; i < talk->n; i++) {
                FwTalker row = talk->places[i].talker;

                if (!numbers)
                        row.missed = talk->places[i].missed_connections;
                g_array_append_val(rows, row);
        }
        g_array_sort_with_data(rows, compare, &what);
        g_array_set_size(rows, MIN(rows->len, limit));
        talk->total.what = what;
        talk->total.rows = rows->len;
        *ret = talk->total;
        return rows;
}
