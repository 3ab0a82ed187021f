/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "openings.h"

#include "base/log.h"
#include "engine-nft.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <string.h>
#include <time.h>

#define CHAIN_PREFIX "w_"
#define COMMENT_MAX 32
#define RESTARTS_MAX 5
#define RETRY_USEC G_USEC_PER_SEC

struct FwOpenings {
        sd_event *event;
        FwEngine *engine;
        FwBans *bans;
        PtNft *nft;
        GArray *all; /* FwOpening, by id */
        uint32_t last;
        sd_event_source *expiry;
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

char *fw_openings_chain(const char *zone)
{
        return zone[0] ? g_strconcat(CHAIN_PREFIX, zone, NULL) : g_strdup(FW_CHAIN_OPEN_ANY);
}

/* As rules. */

/* In the userdata of each rule; the zone is the chain's. */
typedef struct __attribute__((packed)) Wire {
        uint8_t sort; /* WIRE_SORT: nothing else of ours begins so */
        uint8_t protocol, family, plen;
        uint32_t id; /* big endian, as the ports */
        uint16_t lo, hi;
        uint8_t source[16];
} Wire;
#define WIRE_SORT 0x77

void fw_openings_put_base(PtNftBatch *batch)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = FW_SET_OPEN,
                .flags = NFT_SET_TIMEOUT,
                .key_len = sizeof(uint32_t),
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_add_chain(batch, TABLE, FW_CHAIN_OPEN_ANY, NULL);
}

static void put_jump(const char *from, const char *to, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, from);

        pt_nft_verdict(rule, NFT_JUMP, to);
        fw_finish(batch, rule, to);
}

void fw_openings_put_jumps(const char *zone, const char *chain, PtNftBatch *batch)
{
        g_autofree char *own = fw_openings_chain(zone);

        pt_nft_batch_add_chain(batch, TABLE, own, NULL);
        put_jump(chain, own, batch);
        put_jump(chain, FW_CHAIN_OPEN_ANY, batch);
}

static void match_source(struct nftnl_rule *rule, const FwBan *source)
{
        bool four = source->family == AF_INET;
        uint8_t mask[16] = {0};
        uint32_t size = four ? 4 : 16;

        if (!source->family)
                return;
        fw_match_family(rule, source->family);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, four ? 12 : 8, size, PT_REG(REG_DATA));
        for (unsigned i = 0; i < source->plen; i++)
                mask[i / 8] |= (uint8_t) (0x80 >> i % 8);
        if (source->plen < 8 * size)
                pt_nft_mask(rule, PT_REG(REG_DATA), mask, size);
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, source->address, size);
}

static struct nftnl_rule *match(const FwOpening *opening, const char *chain, uint8_t protocol)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        uint16_t lo = htons(opening->ports.lo), hi = htons(opening->ports.hi);

        match_source(rule, &opening->source);
        fw_match_protocol(rule, protocol);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, PT_REG(REG_DATA));
        pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &lo, &hi, sizeof(lo));
        pt_nft_immediate(rule, PT_REG(REG_DATA), &opening->id, sizeof(opening->id));
        pt_nft_lookup(rule, PT_REG(REG_DATA), -1, FW_SET_OPEN, 0);
        return rule;
}

static void put_rules(const FwOpening *opening, const char *chain, uint8_t protocol, PtRate rate,
                      const FwCount *count, PtNftBatch *batch)
{
        struct nftnl_rule *rule = match(opening, chain, protocol);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        char comment[COMMENT_MAX], prefix[COMMENT_MAX];
        Wire wire = {.sort = WIRE_SORT,
                     .protocol = opening->protocol,
                     .family = opening->source.family,
                     .plen = opening->source.plen,
                     .id = htonl(opening->id),
                     .lo = htons(opening->ports.lo),
                     .hi = htons(opening->ports.hi)};
        size_t size;

        (void) g_snprintf(prefix, sizeof(prefix), "open/%u", opening->id);
        pt_nft_limit(rule, rate.count, rate.seconds);
        pt_nft_log(rule, PT_MARK_NFLOG_GROUP, prefix);
        fw_finish(batch, rule, "log");

        rule = match(opening, chain, protocol);
        pt_nft_counter(rule, count ? count->packets : 0, count ? count->bytes : 0);
        pt_nft_verdict(rule, NF_ACCEPT, NULL);
        (void) g_snprintf(comment, sizeof(comment), "opening/" FW_OPENING_ID "%u", opening->id);
        memcpy(wire.source, opening->source.address, sizeof(wire.source));
        size = pt_nft_userdata(comment, &wire, sizeof(wire), userdata);
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_batch_append_rule(batch, rule);
}

static void put_opening(const FwOpening *opening, PtRate rate, GHashTable *counts,
                        PtNftBatch *batch)
{
        static const uint8_t both[] = {IPPROTO_TCP, IPPROTO_UDP};
        g_autofree char *chain = fw_openings_chain(opening->zone);
        g_autofree char *comment = g_strdup_printf("opening/" FW_OPENING_ID "%u", opening->id);
        const FwCount *count = counts ? g_hash_table_lookup(counts, comment) : NULL;

        if (opening->protocol) {
                put_rules(opening, chain, opening->protocol, rate, count, batch);
                return;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(both); i++) {
                put_rules(opening, chain, both[i], rate, count, batch);
                count = NULL; /* the first goes on from where both were */
        }
}

static struct nftnl_set_elem *element(uint32_t id)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, &id, sizeof(id));
        return e;
}

static void put_element(const FwOpening *opening, uint64_t now, PtNftBatch *batch)
{
        struct nftnl_set_elem *e = element(opening->id);
        uint64_t until = opening->source.until;

        if (until != FW_BAN_FOREVER)
                nftnl_set_elem_set_u64(e, NFTNL_SET_ELEM_TIMEOUT,
                                       ((until > now ? until - now : 0) + FW_BAN_GRACE_USEC) /
                                               1000);
        pt_nft_batch_elements_begin(batch, TABLE, FW_SET_OPEN, 0, false);
        pt_nft_batch_element(batch, e);
        pt_nft_batch_elements_end(batch);
}

static bool has_zone(const FwZones *zones, const char *name)
{
        for (unsigned i = 0; i < zones->n; i++)
                if (strcmp(zones->zones[i].name, name) == 0)
                        return true;
        return !name[0];
}

void fw_openings_put(const FwOpenings *openings, const FwZones *zones, GHashTable *counts,
                     PtNftBatch *batch)
{
        uint64_t now = now_usec();

        for (unsigned i = 0; i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (!has_zone(zones, opening->zone))
                        continue;
                put_element(opening, now, batch);
                put_opening(opening, fw_settings_log_rate(zones->settings), counts, batch);
        }
}

/* Changes. */

typedef struct Change {
        FwOpenings *openings;
        FwOpening opens; /* id 0: it closes */
        GArray *closes;  /* uint32_t; NULL: it opens */
        FwBansDone done; /* NULL: nobody waits */
        void *userdata;
        uint32_t n;
} Change;

static bool is_closed(const Change *change, uint32_t id)
{
        for (unsigned i = 0; change->closes && i < change->closes->len; i++)
                if (g_array_index(change->closes, uint32_t, i) == id)
                        return true;
        return change->opens.id == id;
}

static int some_element(struct nftnl_set_elem *e, void *userdata)
{
        return 0;
}

/* The kernel may have forgotten it: its time may be over. */
static int delete_element(const FwOpenings *openings, uint32_t id, PtNftBatch *batch)
{
        int r = pt_nft_get_element(openings->nft, TABLE, FW_SET_OPEN, &id, sizeof(id), some_element,
                                   NULL);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        pt_nft_batch_elements_begin(batch, TABLE, FW_SET_OPEN, 0, true);
        pt_nft_batch_element(batch, element(id));
        pt_nft_batch_elements_end(batch);
        return 0;
}

/* The chain of a zone as it is to be: all its rules anew, with what they have counted. */
static int make_chain(const Change *change, const char *zone, PtNftBatch *batch)
{
        const FwOpenings *openings = change->openings;
        const FwZones *zones = fw_engine_layout(openings->engine)->zones;
        PtRate rate = fw_settings_log_rate(zones->settings);
        g_autofree char *chain = fw_openings_chain(zone);
        g_autoptr(GHashTable) counts =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        int r = -EINTR;

        if (!has_zone(zones, zone))
                return 0; /* it went with its zone */
        for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++) {
                g_hash_table_remove_all(counts);
                r = pt_nft_dump_rules(openings->nft, TABLE, chain, fw_read_count, counts);
        }
        if (r < 0)
                return r;
        pt_nft_batch_flush_chain(batch, TABLE, chain);
        for (unsigned i = 0; i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (strcmp(opening->zone, zone) == 0 && !is_closed(change, opening->id))
                        put_opening(opening, rate, counts, batch);
        }
        if (change->opens.id && strcmp(change->opens.zone, zone) == 0)
                put_opening(&change->opens, rate, counts, batch);
        return 0;
}

static int make(PtNftBatch **ret, void *userdata)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        g_autoptr(GHashTable) zones = g_hash_table_new(g_str_hash, g_str_equal);
        const Change *change = userdata;
        const FwOpenings *openings = change->openings;
        const FwLayout *layout = fw_engine_layout(openings->engine);
        GHashTableIter iter;
        const char *zone;
        int r = 0;

        if (!layout || (change->opens.id && !has_zone(layout->zones, change->opens.zone)))
                return -ESRCH;
        for (unsigned i = 0; r == 0 && i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (!is_closed(change, opening->id))
                        continue;
                g_hash_table_add(zones, (char *) (uintptr_t) opening->zone);
                r = delete_element(openings, opening->id, batch);
        }
        if (change->opens.id)
                g_hash_table_add(zones, (char *) (uintptr_t) change->opens.zone);
        g_hash_table_iter_init(&iter, zones);
        while (r == 0 && g_hash_table_iter_next(&iter, (void **) &zone, NULL))
                r = make_chain(change, zone, batch);
        if (r < 0)
                return r;
        if (change->opens.id)
                put_element(&change->opens, now_usec(), batch);
        *ret = g_steal_pointer(&batch);
        return 0;
}

static void ring(FwOpenings *openings);

static void settle(FwOpenings *openings, Change *change)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < openings->all->len; i++) {
                FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (!is_closed(change, opening->id))
                        g_array_index(openings->all, FwOpening, kept++) = *opening;
                else
                        change->n++;
        }
        g_array_set_size(openings->all, kept);
        if (change->opens.id) {
                unsigned at = 0;

                while (at < kept &&
                       g_array_index(openings->all, FwOpening, at).id < change->opens.id)
                        at++;
                g_array_insert_val(openings->all, at, change->opens);
                change->n = change->opens.id;
        }
        ring(openings);
}

static void changed(int result, uint32_t n, void *userdata)
{
        Change *change = userdata;

        /* The bans end before the openings do: then nothing rings any more. */
        if (result == 0)
                settle(change->openings, change);
        else if (!change->done && result != -ECANCELED)
                ring(change->openings);
        if (change->done)
                change->done(result == -ESRCH ? -ENOENT : result, change->n, change->userdata);
        if (change->closes)
                g_array_unref(change->closes);
        g_free(change);
}

static int send_change(FwOpenings *openings, const FwOpening *opens, const GArray *closes,
                       FwBansDone done, void *userdata)
{
        Change *change = g_new0(Change, 1);
        int r;

        change->openings = openings;
        if (opens)
                change->opens = *opens;
        if (closes)
                change->closes = g_array_copy((GArray *) (uintptr_t) closes);
        change->done = done;
        change->userdata = userdata;
        r = fw_bans_send_made(openings->bans, make, changed, change);
        if (r < 0) {
                if (change->closes)
                        g_array_unref(change->closes);
                g_free(change);
        }
        return r;
}

int fw_openings_open(FwOpenings *openings, const FwOpening *opening, FwBansDone done,
                     void *userdata)
{
        const FwLayout *layout = fw_engine_layout(openings->engine);
        FwOpening opens = *opening;

        if (!layout || !has_zone(layout->zones, opening->zone))
                return -ENOENT;
        opens.id = 0;
        for (unsigned i = 0; i < openings->all->len; i++) {
                const FwOpening *other = &g_array_index(openings->all, FwOpening, i);

                if (fw_opening_same(other, opening))
                        opens.id = other->id;
        }
        if (opens.id == 0 && openings->all->len >= FW_OPENINGS_MAX)
                return -EFBIG;
        if (opens.id == 0)
                opens.id = ++openings->last;
        return send_change(openings, &opens, NULL, done, userdata);
}

int fw_openings_close(FwOpenings *openings, const GArray *ids, FwBansDone done, void *userdata)
{
        return send_change(openings, NULL, ids, done, userdata);
}

/* Time, and zones. */

static void close_quietly(FwOpenings *openings, const GArray *ids)
{
        if (ids->len > 0 && send_change(openings, NULL, ids, NULL, NULL) < 0)
                ring(openings); /* too much waits: later */
}

static int expire(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwOpenings *openings = userdata;
        g_autoptr(GArray) over = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        uint64_t now = now_usec();

        openings->expiry = sd_event_source_disable_unref(openings->expiry);
        for (unsigned i = 0; i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (opening->source.until <= now)
                        g_array_append_val(over, opening->id);
        }
        if (over->len > 0)
                close_quietly(openings, over);
        else
                ring(openings);
        return 0;
}

/* At the end of the next opening; what should have ended already is tried again a little later. */
static void ring(FwOpenings *openings)
{
        uint64_t next = FW_BAN_FOREVER, now = now_usec();

        openings->expiry = sd_event_source_disable_unref(openings->expiry);
        for (unsigned i = 0; i < openings->all->len; i++)
                next = MIN(next, g_array_index(openings->all, FwOpening, i).source.until);
        if (next == FW_BAN_FOREVER)
                return;
        if (sd_event_add_time(openings->event, &openings->expiry, CLOCK_MONOTONIC,
                              next > now ? next : now + RETRY_USEC, 1000, expire, openings) < 0)
                pt_log(LOG_ERR, "no timer for the end of openings: the kernel will close them");
}

void fw_openings_follow(FwOpenings *openings, const FwZones *zones)
{
        g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        for (unsigned i = 0; i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                if (has_zone(zones, opening->zone))
                        continue;
                pt_log(LOG_NOTICE, FW_OPENING_ID "%u ends: there is no zone %s any more",
                       opening->id, opening->zone);
                g_array_append_val(gone, opening->id);
        }
        close_quietly(openings, gone);
}

/* Asking. */

unsigned fw_openings_count(const FwOpenings *openings)
{
        return openings->all->len;
}

const FwOpening *fw_openings_get(const FwOpenings *openings, unsigned i)
{
        return &g_array_index(openings->all, FwOpening, i);
}

bool fw_openings_admit(const FwOpenings *openings, const FwKnock *knock, FwOpening *ret)
{
        uint64_t now = openings && openings->all->len > 0 ? now_usec() : 0;
        const FwOpening *found = NULL;

        for (unsigned i = 0; openings && i < openings->all->len; i++) {
                const FwOpening *opening = &g_array_index(openings->all, FwOpening, i);

                /* Those of the zone stand before those of all. */
                if (opening->source.until > now && fw_opening_admits(opening, knock) &&
                    (!found || (!found->zone[0] && opening->zone[0])))
                        found = opening;
        }
        if (found)
                *ret = *found;
        return found;
}

/* Reading. */

typedef struct Reader {
        FwOpenings *openings;
        const char *zone;
        uint64_t now;
        FwOpening *opening;
        bool found;
} Reader;

static int compare_ids(const void *a, const void *b)
{
        const FwOpening *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

static int read_rule(struct nftnl_rule *rule, void *userdata)
{
        const Reader *reader = userdata;
        GArray *all = reader->openings->all;
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        size_t len;
        const Wire *wire =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;
        FwOpening opening = {0};

        if (!wire || len != sizeof(*wire) || wire->sort != WIRE_SORT || all->len >= FW_OPENINGS_MAX)
                return 0;
        opening.id = ntohl(wire->id);
        for (unsigned i = 0; i < all->len; i++)
                if (g_array_index(all, FwOpening, i).id == opening.id)
                        return 0; /* the second of two */
        g_strlcpy(opening.zone, reader->zone, sizeof(opening.zone));
        opening.protocol = wire->protocol;
        opening.ports = (PtPortRange){ntohs(wire->lo), ntohs(wire->hi)};
        opening.source.family = wire->family;
        opening.source.plen = wire->plen;
        memcpy(opening.source.address, wire->source, sizeof(wire->source));
        g_array_append_val(all, opening);
        return 0;
}

static int read_time(struct nftnl_set_elem *e, void *userdata)
{
        Reader *reader = userdata;
        uint64_t left;

        reader->found = true;
        reader->opening->source.until = FW_BAN_FOREVER;
        if (!nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_EXPIRATION))
                return 0;
        left = nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_EXPIRATION) * 1000;
        reader->opening->source.until =
                reader->now + (left > FW_BAN_GRACE_USEC ? left - FW_BAN_GRACE_USEC : 0);
        return 0;
}

static int read_all(FwOpenings *openings)
{
        g_autoptr(GPtrArray) chains = NULL;
        Reader reader = {.openings = openings, .now = now_usec()};
        int r = pt_nft_list_chains(openings->nft, TABLE, &chains);

        for (unsigned i = 0; r == 0 && i < chains->len; i++) {
                const char *chain = g_ptr_array_index(chains, i);

                if (strcmp(chain, FW_CHAIN_OPEN_ANY) == 0)
                        reader.zone = "";
                else if (g_str_has_prefix(chain, CHAIN_PREFIX))
                        reader.zone = chain + strlen(CHAIN_PREFIX);
                else
                        continue;
                r = -EINTR;
                for (unsigned t = 0; r == -EINTR && t < RESTARTS_MAX; t++)
                        r = pt_nft_dump_rules(openings->nft, TABLE, chain, read_rule, &reader);
        }
        for (unsigned i = 0; r == 0 && i < openings->all->len; i++) {
                reader.opening = &g_array_index(openings->all, FwOpening, i);
                openings->last = MAX(openings->last, reader.opening->id);
                /* One that the set does not have is over, and closed soon. */
                r = pt_nft_get_element(openings->nft, TABLE, FW_SET_OPEN, &reader.opening->id,
                                       sizeof(uint32_t), read_time, &reader);
                if (r == -ENOENT)
                        r = 0;
        }
        g_array_sort(openings->all, compare_ids);
        return r == -ENOENT ? 0 : r;
}

int fw_openings_new(sd_event *event, int netns_fd, FwEngine *engine, FwBans *bans, FwOpenings **ret)
{
        g_autoptr(FwOpenings) openings = g_new0(FwOpenings, 1);
        int r;

        openings->event = sd_event_ref(event);
        openings->engine = engine;
        openings->bans = bans;
        openings->all = g_array_new(FALSE, FALSE, sizeof(FwOpening));
        r = pt_nft_open(netns_fd, &openings->nft);
        if (r == 0)
                r = read_all(openings);
        if (r < 0)
                return r;
        ring(openings);
        *ret = g_steal_pointer(&openings);
        return 0;
}

void fw_openings_free(FwOpenings *openings)
{
        if (!openings)
                return;
        pt_nft_close(openings->nft);
        sd_event_source_disable_unref(openings->expiry);
        if (openings->all)
                g_array_unref(openings->all);
        sd_event_unref(openings->event);
        g_free(openings);
}
