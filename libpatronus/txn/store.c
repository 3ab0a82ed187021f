/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The commit path: intend, decide, abort; and what is asked about revisions. */

#include "txn/store-datasets.h"
#include "base/log.h"
#include "base/text.h"
#include "kind/json.h"

#include <inttypes.h>
#include <string.h>

/* A daemon's whole slice of so few objects goes into the journal, instead of into a file that needs
 * three fsyncs. */
#define INLINE_OBJECTS 256

uint64_t pt_store_decided(const PtStore *store)
{
        return store->decided;
}

uint64_t pt_store_last(const PtStore *store)
{
        return store->last;
}

uint64_t pt_store_pending(const PtStore *store)
{
        return store->pending ? store->pending->info.number : 0;
}

PtStoreRevision *pt_store_find(const PtStore *store, uint64_t number)
{
        if (store->pending && store->pending->info.number == number)
                return store->pending;
        for (unsigned i = store->revisions->len; i > 0; i--) {
                PtStoreRevision *revision = g_ptr_array_index(store->revisions, i - 1);

                if (revision->info.number == number)
                        return revision;
        }
        return NULL;
}

static void drop_texts(PtStoreRevision *revision)
{
        for (unsigned i = 0; i < revision->slices->len; i++) {
                PtStoreSlice *slice = g_ptr_array_index(revision->slices, i);

                g_clear_pointer(&slice->text, g_free);
        }
}

void pt_store_add_revision(PtStore *store, PtStoreRevision *revision)
{
        unsigned at = store->revisions->len, aborted = 0;

        for (; at > 0; at--) {
                const PtStoreRevision *other = g_ptr_array_index(store->revisions, at - 1);

                if (other->info.number < revision->info.number)
                        break;
        }
        g_ptr_array_insert(store->revisions, (int) at, revision);
        if (revision->info.state == PT_REVISION_ABORTED)
                drop_texts(revision);

        /* Failed attempts say little, and anybody who may commit can make many. */
        for (unsigned i = store->revisions->len; i > 0; i--) {
                const PtStoreRevision *other = g_ptr_array_index(store->revisions, i - 1);

                if (other->info.state == PT_REVISION_ABORTED && ++aborted > PT_STORE_REVISIONS_KEPT)
                        g_ptr_array_remove_index(store->revisions, i - 1);
        }
}

static const char *text_of(const void *ctx, uint64_t number, const char *daemon)
{
        const PtStoreRevision *revision = pt_store_find(ctx, number);
        const PtStoreSlice *slice = revision ? pt_store_revision_slice(revision, daemon) : NULL;

        return slice ? slice->text : NULL;
}

void pt_store_reader(const PtStore *store, PtStoreReader *ret, GArray **ret_numbers)
{
        GArray *numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);

                if (revision->info.state == PT_REVISION_DECIDED)
                        g_array_append_val(numbers, revision->info.number);
        }
        if (store->pending)
                g_array_append_val(numbers, store->pending->info.number);
        *ret = (PtStoreReader){
                .revisions_fd = store->revisions_fd,
                .numbers = numbers,
                .text = text_of,
                .ctx = store,
        };
        *ret_numbers = numbers;
}

static int count_difference(const PtObject *before, const PtObject *after, void *userdata)
{
        (void) before;
        (void) after;
        ++*(size_t *) userdata;
        return 0;
}

typedef struct Projection {
        const PtKind *const *kinds;
        PtSlice *slice;
} Projection;

static int apply_difference(const PtObject *before, const PtObject *after, void *userdata)
{
        const PtObject *object = after ? after : before;
        const Projection *projection = userdata;

        for (const PtKind *const *kind = projection->kinds; *kind; kind++) {
                if (*kind != object->kind)
                        continue;
                if (after)
                        pt_slice_put(projection->slice, after);
                else
                        pt_slice_remove(projection->slice, object->kind, object->name);
        }
        return 0;
}

/* Sets daemon->slice and daemon->next to its parts of `before` and `after`, at the cost of what
 * differs. */
static void project(PtStoreDaemon *daemon, const PtSlice *before, const PtSlice *after)
{
        size_t covered = 0;
        PtDigest whole;

        pt_slice_root(before, &whole);
        if (!daemon->slice || !pt_digest_equal(&whole, &daemon->whole)) {
                g_clear_pointer(&daemon->slice, pt_slice_unref);
                daemon->slice = pt_slice_project(before, daemon->kinds);
                daemon->whole = whole;
        }
        g_clear_pointer(&daemon->next, pt_slice_unref);
        for (const PtKind *const *kind = daemon->kinds; *kind; kind++)
                covered += pt_slice_count(after, *kind);
        if (covered == pt_slice_count(after, NULL)) {
                daemon->next = pt_slice_clone(after);
        } else {
                daemon->next = pt_slice_clone(daemon->slice);
                pt_slice_compare(before, after, apply_difference,
                                 &(Projection){daemon->kinds, daemon->next});
        }
}

/* Learns how the daemon's chain stands at the decided revision; false if nothing can be built on
 * it. */
static bool measure(PtStore *store, PtStoreDaemon *daemon)
{
        pt_cleanup(pt_store_chain_clear) PtStoreChain chain = {0};
        g_autoptr(GArray) numbers = NULL;
        PtStoreReader reader;
        uint64_t bad;

        if (daemon->measured == store->decided)
                return true;
        pt_store_reader(store, &reader, &numbers);
        if (pt_store_walk(&reader, store->decided, daemon->name, NULL, &chain, &bad) < 0)
                return false;
        daemon->measured = store->decided;
        daemon->deltas = chain.numbers->len - 1;
        daemon->delta_size = chain.delta_size;
        daemon->snapshot_size = chain.snapshot_size;
        return true;
}

/* Whether a delta on daemon->slice can follow what the files of the decided revision say. */
static bool can_follow(PtStore *store, PtStoreDaemon *daemon)
{
        const PtStoreRevision *revision =
                store->decided > 0 ? pt_store_find(store, store->decided) : NULL;
        const PtStoreSlice *slice =
                revision ? pt_store_revision_slice(revision, daemon->name) : NULL;
        PtDigest root;

        if (!slice)
                return false;
        pt_slice_root(daemon->slice, &root);
        return pt_digest_equal(&root, &slice->root) && measure(store, daemon);
}

/* Puts a daemon's part of the change into the record, or into a file that is durable before the
 * record is. */
static int add_slice(PtStore *store, PtStoreDaemon *daemon, PtStoreRevision *revision, size_t *room)
{
        g_autoptr(GString) text = g_string_new(NULL);
        size_t changes = 0, objects = pt_slice_count(daemon->next, NULL);
        PtDigest root;

        pt_slice_root(daemon->next, &root);
        pt_slice_compare(daemon->slice, daemon->next, count_difference, &changes);
        if (changes <= objects / 2 && can_follow(store, daemon))
                pt_delta_format(daemon->slice, daemon->next, text);
        else if (objects <= INLINE_OBJECTS)
                pt_slice_format(daemon->next, text);

        if (text->len > 0 && text->len <= *room) {
                *room -= text->len;
                pt_store_revision_add(revision, daemon->name, daemon->gid, &root,
                                      g_strdup(text->str));
                return 0;
        }
        pt_store_revision_add(revision, daemon->name, daemon->gid, &root, NULL);
        return pt_store_write_slice(store->revisions_fd, revision->info.number, daemon->name,
                                    daemon->gid, &store->warned, text->len > 0 ? text->str : NULL,
                                    daemon->next, true);
}

/* Every object must be in some daemon's file, or it would be lost. */
static int check_covered(const PtStore *store, const PtSlice *after)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                bool covered = pt_slice_count(after, *kind) == 0;

                for (unsigned i = 0; i < store->daemons->len && !covered; i++) {
                        const PtStoreDaemon *daemon = g_ptr_array_index(store->daemons, i);

                        for (const PtKind *const *own = daemon->kinds; *own && !covered; own++)
                                covered = *own == *kind;
                }
                if (!covered) {
                        pt_log(LOG_ERR,
                               "no daemon of the revision store takes objects of the kind %s",
                               (*kind)->name);
                        return -EINVAL;
                }
        }
        return 0;
}

static int write_intent(PtStore *store, PtStoreRevision *revision, const PtSlice *before,
                        const PtSlice *after)
{
        g_autofree char *record = NULL;
        size_t room = PT_STORE_INLINE_MAX;

        for (unsigned i = 0; i < store->daemons->len; i++) {
                PtStoreDaemon *daemon = g_ptr_array_index(store->daemons, i);
                int r;

                project(daemon, before, after);
                r = add_slice(store, daemon, revision, &room);
                if (r < 0)
                        return r;
        }
        record = pt_store_record_format(revision, true);
        if (strlen(record) > PT_DOCUMENT_MAX) /* by its comment: the texts are limited */
                return -EFBIG;
        return pt_journal_append(store->journal, record);
}

static bool is_utf8(const char *text)
{
        return !text || g_utf8_validate(text, -1, NULL);
}

int pt_store_intend(PtStore *store, const PtRevision *revision, const PtSlice *before,
                    const PtSlice *after)
{
        g_autoptr(PtStoreRevision) intent = NULL;
        const PtStoreRevision *parent;
        int r;

        if (store->pending)
                return -EBUSY;
        if (revision->number <= store->last || revision->number > INT64_MAX ||
            revision->time_usec > INT64_MAX || revision->confirm_usec > PT_DURATION_MAX_USEC ||
            !is_utf8(revision->author) || !is_utf8(revision->comment))
                return -EINVAL;
        r = check_covered(store, after);
        if (r < 0)
                return r;
        intent = pt_store_revision_new(revision);
        intent->info.parent = store->decided;
        parent = store->decided > 0 ? pt_store_find(store, store->decided) : NULL;
        intent->info.parent_digest = parent ? parent->info.digest : (PtDigest){{0}};
        intent->info.confirmed_usec = 0;
        intent->info.state = PT_REVISION_INTENT;
        pt_slice_root(after, &intent->info.root);
        r = pt_store_datasets_intend(store, intent, before, after);
        if (r >= 0 && intent->info.confirm_usec > 0)
                r = pt_store_confirm_intend(store, intent);
        if (r < 0)
                return r;
        r = write_intent(store, intent, before, after);
        if (r < 0) {
                (void) pt_store_delete(store->revisions_fd, revision->number);
                return r;
        }
        pt_store_record_digest(intent);
        store->last = revision->number;
        store->pending = g_steal_pointer(&intent);
        store->pending_replayed = false;
        return 0;
}

/* What was learnt for the intent holds for the decided revision now. */
static void advance(PtStoreDaemon *daemon, const PtStoreRevision *revision)
{
        const PtStoreSlice *slice = pt_store_revision_slice(revision, daemon->name);
        PtSliceHeader header;

        if (slice && slice->text && daemon->measured == revision->info.parent &&
            pt_slice_header(slice->text, strlen(slice->text), &header) >= 0 && header.delta) {
                daemon->measured = revision->info.number;
                daemon->deltas++;
                daemon->delta_size += strlen(slice->text);
        }
        if (daemon->next) {
                g_clear_pointer(&daemon->slice, pt_slice_unref);
                daemon->slice = g_steal_pointer(&daemon->next);
                daemon->whole = revision->info.root;
        }
}

int pt_store_write_out(PtStore *store, PtDiagnostics *check)
{
        bool wrote = false;

        for (unsigned i = 0; i < store->revisions->len; i++) {
                PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);
                int r;

                if (!revision->unwritten)
                        continue;
                r = pt_store_write_revision(store->revisions_fd, revision, &store->warned, check);
                if (r < 0)
                        return r;
                revision->unwritten = false;
                drop_texts(revision);
                wrote = true;
        }
        return wrote ? pt_store_write_links(store, check) : 0;
}

int pt_store_decide(PtStore *store, uint64_t number)
{
        PtStoreRevision *revision = store->pending;
        g_autofree char *record = NULL;
        int r = 0;

        if (!revision || revision->info.number != number)
                return -EINVAL;
        if (revision->info.confirm_usec > 0)
                r = pt_store_confirm_decide(store, revision);
        if (r < 0)
                return r;
        record = pt_store_record_decided(revision);
        r = pt_journal_append(store->journal, record);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < store->daemons->len; i++)
                advance(g_ptr_array_index(store->daemons, i), revision);
        pt_store_datasets_decide(store, revision);
        store->pending = NULL;
        store->decided = number;
        revision->info.state = PT_REVISION_DECIDED;
        revision->unwritten = true;
        if (revision->info.confirm_usec == 0) {
                revision->info.confirmed_usec = revision->info.time_usec;
                store->confirmed = number;
        }
        pt_store_add_revision(store, revision);

        /* From here on nothing can make it undecided: what fails is tried again, at the latest at
         * the next start. */
        r = pt_store_write_out(store, NULL);
        if (r >= 0 && pt_store_overdue(store, 2))
                r = pt_store_tidy(store);
        if (r < 0)
                pt_log(LOG_ERR,
                       "revision %" PRIu64
                       " is decided and in the journal, but its files cannot be written: %s",
                       number, g_strerror(-r));
        return 0;
}

int pt_store_abort(PtStore *store, uint64_t number)
{
        g_autofree char *record = pt_store_record_mark("aborted", number);
        PtStoreRevision *revision = store->pending;
        int r;

        if (!revision || revision->info.number != number)
                return -EINVAL;
        r = pt_journal_append(store->journal, record);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < store->daemons->len; i++) {
                PtStoreDaemon *daemon = g_ptr_array_index(store->daemons, i);

                g_clear_pointer(&daemon->next, pt_slice_unref);
        }
        store->pending = NULL;
        revision->info.state = PT_REVISION_ABORTED;
        pt_store_add_revision(store, revision);
        r = pt_store_delete(store->revisions_fd, number);
        if (r >= 0 && revision->info.confirm_usec > 0) /* its decision may have failed half-way */
                r = pt_store_write_links(store, NULL);
        if (r < 0)
                pt_log(LOG_WARNING,
                       "the folder of the aborted revision %" PRIu64 " cannot be deleted: %s",
                       number, g_strerror(-r));
        return 0;
}

static int put_object(const PtObject *object, void *userdata)
{
        pt_slice_put(userdata, object);
        return 0;
}

static int load_slices(PtStore *store, const PtStoreRevision *revision, PtDiagnostics *diag,
                       PtSlice **ret)
{
        g_autoptr(PtSlice) whole = pt_slice_new();
        g_autoptr(GArray) numbers = NULL;
        PtStoreReader reader;

        pt_store_reader(store, &reader, &numbers);
        for (unsigned i = 0; i < revision->slices->len; i++) {
                const PtStoreSlice *entry = g_ptr_array_index(revision->slices, i);
                g_autoptr(PtSlice) slice = NULL;
                PtDigest root;
                uint64_t bad;
                int r = pt_store_read(&reader, revision->info.number, entry->daemon, diag, &slice,
                                      &bad);

                if (r < 0)
                        return r;
                pt_slice_root(slice, &root);
                if (!pt_digest_equal(&root, &entry->root)) {
                        pt_diag_error(diag, "revision-damaged", NULL,
                                      "revisions/%" PRIu64
                                      "/%s.ndjson is a slice of another revision",
                                      revision->info.number, entry->daemon);
                        return -EBADMSG;
                }
                if (revision->slices->len == 1) {
                        pt_slice_unref(whole);
                        whole = g_steal_pointer(&slice);
                } else {
                        pt_slice_foreach(slice, NULL, put_object, whole);
                }
        }
        *ret = g_steal_pointer(&whole);
        return 0;
}

int pt_store_load(PtStore *store, uint64_t number, PtDiagnostics *diag, PtSlice **ret)
{
        const PtStoreRevision *revision = pt_store_find(store, number);
        g_autoptr(PtSlice) slice = NULL;
        PtDigest root;
        int r;

        if (number == 0) {
                *ret = pt_slice_new();
                return 0;
        }
        if (!revision || revision->info.state == PT_REVISION_ABORTED)
                return -ENOENT;
        if (revision->info.damaged) {
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revision %" PRIu64 " was changed after it was written", number);
                return -EBADMSG;
        }
        r = load_slices(store, revision, diag, &slice);
        if (r < 0)
                return r == -EPROTONOSUPPORT ? r : -EBADMSG;
        pt_slice_root(slice, &root);
        if (!pt_digest_equal(&root, &revision->info.root)) {
                pt_diag_error(diag, "revision-damaged", NULL,
                              "the slices of revision %" PRIu64 " together do not give its root",
                              number);
                return -EBADMSG;
        }
        *ret = g_steal_pointer(&slice);
        return 0;
}

int pt_store_load_newest(PtStore *store, uint64_t number, PtDiagnostics *diag, PtSlice **ret,
                         uint64_t *ret_number)
{
        int r = pt_store_load(store, number, diag, ret);

        if (r >= 0) {
                *ret_number = number;
                return 0;
        }
        if (r == -EPROTONOSUPPORT) /* nothing older takes the place of what is only newer */
                return r;
        for (unsigned i = store->revisions->len; i > 0; i--) {
                const PtRevision *revision =
                        &((PtStoreRevision *) g_ptr_array_index(store->revisions, i - 1))->info;

                if (revision->state != PT_REVISION_DECIDED || revision->number >= number ||
                    pt_store_load(store, revision->number, diag, ret) < 0)
                        continue;
                *ret_number = revision->number;
                pt_diag_error(diag, "revision-damaged", NULL,
                              "revision %" PRIu64 " cannot be loaded; revision %" PRIu64
                              " is used instead",
                              number, revision->number);
                return 0;
        }
        return r;
}

static void revision_freep(gpointer data)
{
        pt_revision_free(data);
}

int pt_store_list(PtStore *store, uint64_t before, unsigned limit, GPtrArray **ret)
{
        GPtrArray *list = g_ptr_array_new_with_free_func(revision_freep);

        if (store->pending && (before == 0 || store->pending->info.number < before) &&
            list->len < limit)
                g_ptr_array_add(list, pt_revision_copy(&store->pending->info));
        for (unsigned i = store->revisions->len; i > 0 && list->len < limit; i--) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i - 1);

                if (before == 0 || revision->info.number < before)
                        g_ptr_array_add(list, pt_revision_copy(&revision->info));
        }
        *ret = list;
        return 0;
}

int pt_store_get(PtStore *store, uint64_t number, PtRevision **ret)
{
        const PtStoreRevision *revision = pt_store_find(store, number);

        if (!revision)
                return -ENOENT;
        *ret = pt_revision_copy(&revision->info);
        return 0;
}
