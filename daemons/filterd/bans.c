/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bans-internal.h"

#include "base/log.h"

#include <netinet/in.h>
#include <time.h>

/* From this size on the kernel works for tens of milliseconds: a child waits for it. */
#define FORK_SIZE (1024U * 1024U)
/* Bans that end are looked for this often at most, since that looks at all. */
#define EXPIRY_INTERVAL_USEC (G_USEC_PER_SEC / 2)
/* What a batch of others names may vanish by itself between its making and its sending. */
#define MAKE_TRIES 5U

/* A change that waits, or is on its way. */
typedef struct Change {
        GTree *bans; /* FwBan; NULL: all */
        bool other;  /* no bans, but this batch */
        PtNftBatch *batch;
        FwBansMake make; /* or what this makes */
        unsigned tries;
        bool remove;
        bool over; /* those whose time is over when it is sent */
        FwBansDone done;
        void *userdata;
} Change;

struct FwBans {
        sd_event *event;
        PtNft *nft;           /* of its own: the engine's may be waiting for a child */
        GTree *all;           /* FwBan, its own key: what is in force */
        FwBanLengths lengths; /* of `all` */

        GQueue *queue; /* Change; the first is on its way when `sending` */
        bool sending, holding;
        bool anew;       /* the first is settled, and sent with all that is in force */
        bool stale;      /* the table was made anew under a change on its way: send all again */
        uint32_t before; /* bans before it was settled */

        sd_event_source *expiry;
        uint64_t expiry_usec; /* when it rings */
        uint64_t scanned_usec;
        FwBansChanged changed;
        void *userdata;
};

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static int compare(gconstpointer a, gconstpointer b, gpointer userdata)
{
        return fw_ban_compare(a, b);
}

static GTree *tree_new(void)
{
        /* The value is the key. */
        return g_tree_new_full(compare, NULL, g_free, NULL);
}

uint32_t fw_bans_port(const FwBans *bans)
{
        return pt_nft_port(bans->nft);
}

uint32_t fw_bans_count(const FwBans *bans)
{
        return (uint32_t) g_tree_nnodes(bans->all);
}

bool fw_bans_has(const FwBans *bans, const FwBan *ban)
{
        return g_tree_lookup(bans->all, ban) != NULL;
}

bool fw_bans_cover(const FwBans *bans, uint8_t family, const uint8_t *address, FwBan *ret)
{
        unsigned width = family == AF_INET ? 32 : 128;

        for (unsigned plen = 0; plen <= width; plen++) {
                FwBan ban = {.family = family, .plen = (uint8_t) plen};
                const FwBan *found;

                if (bans->lengths.n[family == AF_INET ? 0 : 1][plen] == 0)
                        continue;
                for (unsigned i = 0; i < width / 8; i++)
                        ban.address[i] =
                                address[i] &
                                (uint8_t) (0xff00 >> CLAMP((int) plen - (int) i * 8, 0, 8));
                found = g_tree_lookup(bans->all, &ban);
                if (!found)
                        continue;
                if (ret)
                        *ret = *found;
                return true;
        }
        return false;
}

void fw_bans_watch(FwBans *bans, FwBansChanged changed, void *userdata)
{
        bans->changed = changed;
        bans->userdata = userdata;
}

bool fw_bans_list(const FwBans *bans, const FwBan *after, unsigned limit,
                  void (*each)(const FwBan *ban, void *userdata), void *userdata)
{
        GTreeNode *node =
                after ? g_tree_upper_bound(bans->all, after) : g_tree_node_first(bans->all);

        for (; node && limit > 0; node = g_tree_node_next(node), limit--)
                each(g_tree_node_key(node), userdata);
        return node != NULL;
}

/* Time. */

static int expire(sd_event_source *source, uint64_t usec, void *userdata);

static void ring_at(FwBans *bans, uint64_t usec)
{
        if (usec == FW_BAN_FOREVER || !bans->event || (bans->expiry && bans->expiry_usec <= usec))
                return;
        usec = MAX(usec, bans->scanned_usec + EXPIRY_INTERVAL_USEC);
        bans->expiry = sd_event_source_disable_unref(bans->expiry);
        bans->expiry_usec = usec;
        if (sd_event_add_time(bans->event, &bans->expiry, CLOCK_MONOTONIC, usec, 1000, expire,
                              bans) < 0)
                pt_log(LOG_ERR, "no timer for the end of bans: the kernel will lift them");
}

typedef struct Scan {
        uint64_t now, next;
        GTree *over;
} Scan;

static gboolean look(gpointer key, gpointer value, gpointer userdata)
{
        const FwBan *ban = key;
        Scan *scan = userdata;

        if (ban->until > scan->now) {
                scan->next = MIN(scan->next, ban->until);
        } else {
                FwBan *copy = g_memdup2(ban, sizeof(*ban));

                g_tree_replace(scan->over, copy, copy);
        }
        return FALSE;
}

/* Adds all whose time is over, and looks forward to the next. */
static void find_over(FwBans *bans, GTree *over)
{
        Scan scan = {.now = now_usec(), .next = FW_BAN_FOREVER, .over = over};

        bans->scanned_usec = scan.now;
        g_tree_foreach(bans->all, look, &scan);
        ring_at(bans, scan.next);
}

/* What is in force. */

static gboolean take_in(gpointer key, gpointer value, gpointer userdata)
{
        FwBans *bans = userdata;
        FwBan *ban = g_memdup2(key, sizeof(*ban));

        if (!g_tree_lookup(bans->all, ban))
                ++*fw_ban_length(&bans->lengths, ban);
        g_tree_replace(bans->all, ban, ban);
        ring_at(bans, ban->until);
        return FALSE;
}

static gboolean take_out(gpointer key, gpointer value, gpointer userdata)
{
        FwBans *bans = userdata;

        if (g_tree_remove(bans->all, key))
                --*fw_ban_length(&bans->lengths, key);
        return FALSE;
}

static void settle(FwBans *bans, const Change *change)
{
        if (!change->bans) {
                g_tree_remove_all(bans->all);
                bans->lengths = (FwBanLengths){0};
        } else {
                g_tree_foreach(change->bans, change->remove ? take_out : take_in, bans);
        }
}

/* The members of `some` that are in force: what the kernel is told to delete. */
typedef struct Split {
        const FwBans *bans;
        GTree *there;
        FwBanLengths *lengths; /* after the change */
        bool remove;
} Split;

static gboolean split(gpointer key, gpointer value, gpointer userdata)
{
        Split *s = userdata;
        bool there = g_tree_lookup(s->bans->all, key) != NULL;

        if (there)
                g_tree_insert(s->there, g_memdup2(key, sizeof(FwBan)), key);
        if (there && s->remove)
                --*fw_ban_length(s->lengths, key);
        else if (!there && !s->remove)
                ++*fw_ban_length(s->lengths, key);
        return FALSE;
}

static bool same_lengths(const FwBanLengths *a, const FwBanLengths *b)
{
        for (unsigned f = 0; f < 2; f++)
                for (unsigned plen = 0; plen < G_N_ELEMENTS(a->n[f]); plen++)
                        if ((a->n[f][plen] > 0) != (b->n[f][plen] > 0))
                                return false;
        return true;
}

/* Sending. */

static PtNftBatch *make_change(const FwBans *bans, const Change *change)
{
        PtNftBatch *batch = pt_nft_batch_new(0);
        g_autoptr(GTree) there = tree_new();
        g_autoptr(GHashTable) counts = NULL;
        FwBanLengths after = bans->lengths;
        Split s = {bans, there, &after, change->remove};
        bool rules;

        if (change->bans)
                g_tree_foreach(change->bans, split, &s);
        else
                after = (FwBanLengths){0};
        rules = !same_lengths(&bans->lengths, &after);
        if (rules) {
                (void) fw_bans_read_counts(bans->nft, &counts);
                fw_bans_delete_rules(batch);
                fw_bans_put_sets(&bans->lengths, &after, batch);
        }
        /* Elements of a set that goes need not go first. */
        if (change->bans)
                fw_bans_delete_elements(there, batch);
        if (change->bans && !change->remove)
                fw_bans_put_elements(change->bans, now_usec(), batch);
        if (rules) {
                fw_bans_put_rules(&after, counts, batch);
                fw_bans_delete_sets(&bans->lengths, &after, batch);
        }
        return batch;
}

/* All that is in force, in place of whatever the kernel has of ours. */
static int make_anew(FwBans *bans, PtNftBatch **ret)
{
        g_autoptr(GTree) there = tree_new();
        g_autoptr(GHashTable) counts = NULL;
        FwBanLengths sets = {0}, none = {0};
        PtNftBatch *batch;
        int r = fw_bans_read_counts(bans->nft, &counts);

        if (r == 0)
                r = fw_bans_read(bans->nft, now_usec(), there, &sets);
        if (r < 0)
                return r;
        batch = pt_nft_batch_new(0);
        fw_bans_delete_rules(batch);
        fw_bans_delete_sets(&sets, &none, batch);
        fw_bans_put(bans, counts, batch);
        *ret = batch;
        return 0;
}

static void change_free(Change *change)
{
        if (change->bans)
                g_tree_unref(change->bans);
        pt_nft_batch_free(change->batch);
        g_free(change);
}

static void answer(FwBans *bans, int result)
{
        Change *change = g_queue_pop_head(bans->queue);
        bool adds = change->bans && !change->remove;
        uint32_t n =
                adds ? (uint32_t) g_tree_nnodes(change->bans) : bans->before - fw_bans_count(bans);

        bans->anew = false;
        if (bans->changed && n > 0)
                bans->changed(adds ? n : 0, adds ? 0 : n, bans->userdata);
        if (change->done)
                change->done(result, n, change->userdata);
        change_free(change);
}

static void finish_other(FwBans *bans, int result)
{
        Change *change = g_queue_peek_head(bans->queue);

        if (change->make && result == -ENOENT && ++change->tries < MAKE_TRIES)
                return; /* it is sent again */
        (void) g_queue_pop_head(bans->queue);
        change->done(result, 0, change->userdata);
        change_free(change);
}

/* The first of the queue was sent, in the first place or, when the kernel did not have what we
 * thought or lost it meanwhile, with all that is in force. */
static void finish(FwBans *bans, int result, const char *what)
{
        bool again = bans->stale || result < 0;

        bans->sending = bans->stale = false;
        if (((Change *) g_queue_peek_head(bans->queue))->other) {
                finish_other(bans, result);
                return;
        }
        if (bans->anew) {
                if (result < 0)
                        pt_log(LOG_WARNING, "bans wait for the repair of the table: %s: %s",
                               what ?: "they could not be sent", strerror(-result));
                answer(bans, result < 0 ? -EAGAIN : 0);
                return;
        }
        bans->before = fw_bans_count(bans);
        settle(bans, g_queue_peek_head(bans->queue));
        if (again)
                bans->anew = true;
        else
                answer(bans, 0);
}

static void pump(FwBans *bans);

static void sent(int result, const char *what, void *userdata)
{
        finish(userdata, result, what);
        pump(userdata);
}

static void send_first(FwBans *bans)
{
        Change *change = g_queue_peek_head(bans->queue);
        g_autoptr(PtNftBatch) batch = NULL, nothing = pt_nft_batch_new(0);
        g_autofree char *what = NULL;
        int r = 0;

        bans->sending = true;
        /* Not before: one that waited here may have got more time meanwhile. */
        if (change->over && !bans->anew)
                find_over(bans, change->bans);
        if (change->make)
                r = change->make(&batch, change->userdata);
        else if (change->other)
                batch = g_steal_pointer(&change->batch);
        else if (bans->anew)
                r = make_anew(bans, &batch);
        else
                batch = make_change(bans, change);
        if (r == 0 && pt_nft_batch_size(batch) == pt_nft_batch_size(nothing)) {
                finish(bans, 0, NULL);
                return;
        }
        if (r == 0 && pt_nft_batch_size(batch) >= FORK_SIZE && bans->event) {
                r = pt_nft_send_forked(bans->nft, bans->event, batch, sent, bans);
                if (r == 0) {
                        (void) g_steal_pointer(&batch); /* the socket has taken it */
                        return;
                }
        } else if (r == 0) {
                r = pt_nft_send(bans->nft, batch, &what);
        }
        finish(bans, r, what);
}

static void pump(FwBans *bans)
{
        while (!bans->sending && !bans->holding && !g_queue_is_empty(bans->queue))
                send_first(bans);
}

void fw_bans_hold(FwBans *bans, bool hold)
{
        bans->holding = hold;
        pump(bans);
}

bool fw_bans_sending(const FwBans *bans)
{
        return bans->sending;
}

void fw_bans_put(FwBans *bans, GHashTable *counts, PtNftBatch *batch)
{
        fw_bans_put_sets(NULL, &bans->lengths, batch);
        fw_bans_put_elements(bans->all, now_usec(), batch);
        fw_bans_put_rules(&bans->lengths, counts, batch);
        /* A change on its way is not in it. */
        bans->stale = bans->sending;
}

/* Calls. */

static void queue(FwBans *bans, GTree *list, bool remove, FwBansDone done, void *userdata)
{
        Change *change = g_new0(Change, 1);

        change->bans = list;
        change->remove = remove;
        change->over = !done; /* nobody else asks for nothing */
        change->done = done;
        change->userdata = userdata;
        g_queue_push_tail(bans->queue, change);
        pump(bans);
}

static GTree *tree_of(const FwBan *list, size_t n)
{
        GTree *tree = tree_new();

        for (size_t i = 0; i < n; i++) {
                FwBan *copy = g_memdup2(&list[i], sizeof(*copy));

                g_tree_replace(tree, copy, copy); /* of two alike the later counts */
        }
        return tree;
}

static void count_added(gpointer data, gpointer userdata)
{
        const Change *change = data;

        if (change->bans && !change->remove)
                *(size_t *) userdata += (size_t) g_tree_nnodes(change->bans);
}

int fw_bans_add(FwBans *bans, const FwBan *list, size_t n, FwBansDone done, void *userdata)
{
        size_t total = fw_bans_count(bans);

        if (bans->queue->length >= FW_BAN_QUEUE_MAX)
                return -EBUSY;
        g_queue_foreach(bans->queue, count_added, &total);
        for (size_t i = 0; i < n; i++)
                total += !fw_bans_has(bans, &list[i]);
        if (n > FW_BAN_BATCH_MAX || total > FW_BANS_MAX)
                return -EFBIG;
        queue(bans, tree_of(list, n), false, done, userdata);
        return 0;
}

int fw_bans_remove(FwBans *bans, const FwBan *list, size_t n, FwBansDone done, void *userdata)
{
        if (bans->queue->length >= FW_BAN_QUEUE_MAX)
                return -EBUSY;
        queue(bans, tree_of(list, n), true, done, userdata);
        return 0;
}

int fw_bans_flush(FwBans *bans, FwBansDone done, void *userdata)
{
        if (bans->queue->length >= FW_BAN_QUEUE_MAX)
                return -EBUSY;
        queue(bans, NULL, true, done, userdata);
        return 0;
}

static int queue_other(FwBans *bans, PtNftBatch *batch, FwBansMake make, FwBansDone done,
                       void *userdata)
{
        Change *change;

        if (bans->queue->length >= FW_BAN_QUEUE_MAX)
                return -EBUSY;
        change = g_new0(Change, 1);
        change->other = true;
        change->batch = batch;
        change->make = make;
        change->done = done;
        change->userdata = userdata;
        g_queue_push_tail(bans->queue, change);
        pump(bans);
        return 0;
}

int fw_bans_send(FwBans *bans, PtNftBatch *batch, FwBansDone done, void *userdata)
{
        return queue_other(bans, batch, NULL, done, userdata);
}

int fw_bans_send_made(FwBans *bans, FwBansMake make, FwBansDone done, void *userdata)
{
        return queue_other(bans, NULL, make, done, userdata);
}

static int expire(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwBans *bans = userdata;

        bans->expiry = sd_event_source_disable_unref(bans->expiry);
        queue(bans, tree_new(), true, NULL, NULL);
        return 0;
}

static gboolean learn(gpointer key, gpointer value, gpointer userdata)
{
        FwBans *bans = userdata;
        const FwBan *ban = key;

        ++*fw_ban_length(&bans->lengths, ban);
        ring_at(bans, ban->until);
        return FALSE;
}

int fw_bans_new(sd_event *event, int netns_fd, FwBans **ret)
{
        g_autoptr(FwBans) bans = g_new0(FwBans, 1);
        FwBanLengths sets = {0};
        int r;

        bans->all = tree_new();
        bans->queue = g_queue_new();
        bans->event = event ? sd_event_ref(event) : NULL;
        r = pt_nft_open(netns_fd, &bans->nft);
        if (r < 0)
                return r;
        r = fw_bans_read(bans->nft, now_usec(), bans->all, &sets);
        if (r < 0 && r != -ENOENT)
                return r;
        g_tree_foreach(bans->all, learn, bans);
        *ret = g_steal_pointer(&bans);
        return 0;
}

void fw_bans_free(FwBans *bans)
{
        Change *change;

        if (!bans)
                return;
        pt_nft_close(bans->nft);
        while ((change = g_queue_pop_head(bans->queue))) {
                if (change->done)
                        change->done(-ECANCELED, 0, change->userdata);
                change_free(change);
        }
        g_queue_free(bans->queue);
        sd_event_source_disable_unref(bans->expiry);
        g_tree_unref(bans->all);
        sd_event_unref(bans->event);
        g_free(bans);
}
