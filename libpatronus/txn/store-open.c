/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Opening the store: what the journal says, what the folders have, and one agreed state of both.
 * The journal is right where the two differ, unless it lost records: a folder with a meta.json was
 * decided.
 */

#include "txn/store-datasets.h"
#include "base/log.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define GROUP_BUFFER (64U * 1024U) /* getgrnam_r() stores the members' names too */

typedef struct Replay {
        PtStore *store;
        PtDiagnostics *diag;
        uint64_t decided; /* the last number that the journal calls decided */
        bool begun;       /* a record was read */
        bool continued;   /* the first says that there were others before it */
        bool damaged;     /* records that do not fit together, or were lost */
} Replay;

static void settle(PtStore *store, PtRevisionState state)
{
        PtStoreRevision *revision = g_steal_pointer(&store->pending);

        if (!revision)
                return;
        revision->info.state = state;
        revision->unwritten = state == PT_REVISION_DECIDED;
        if (state == PT_REVISION_DECIDED && revision->info.confirm_usec == 0)
                revision->info.confirmed_usec = revision->info.time_usec;
        /* Of a decision whose record is lost; `unconfirmed` was later than this. */
        if (revision->deadline_usec == 0)
                revision->deadline_usec = revision->boot_usec + revision->info.confirm_usec;
        pt_store_add_revision(store, revision);
}

static void on_intent(Replay *replay, struct json_object *record)
{
        g_autoptr(PtStoreRevision) revision = NULL;
        PtStore *store = replay->store;

        if (pt_store_record_parse(record, &revision) < 0 ||
            pt_store_find(store, revision->info.number)) {
                replay->damaged = true;
                pt_diag_error(replay->diag, "journal-damaged", NULL,
                              "the journal has an intent that is incomplete or uses a number "
                              "again; it is ignored");
                return;
        }
        /* Without its own record, it is the parent of the next one that tells what was decided. */
        if (store->pending && revision->info.parent > store->pending->info.number) {
                /* There were records between these two: whether it has a folder tells. */
                g_clear_pointer(&store->pending, pt_store_revision_free);
        } else if (store->pending) {
                bool decided = revision->info.parent == store->pending->info.number;

                if (decided)
                        replay->decided = store->pending->info.number;
                settle(store, decided ? PT_REVISION_DECIDED : PT_REVISION_ABORTED);
        }
        store->last = MAX(store->last, revision->info.number);
        store->pending = g_steal_pointer(&revision);
        store->pending_replayed = true;
}

static void on_confirmed(Replay *replay, struct json_object *record, uint64_t number)
{
        PtStoreRevision *revision = pt_store_find(replay->store, number);
        uint64_t time_usec;

        if (revision && revision->info.state == PT_REVISION_DECIDED &&
            pt_store_record_number(record, "timeUSec", &time_usec) && time_usec > 0) {
                if (revision->info.confirm_usec > 0)
                        revision->info.confirmed_usec = time_usec;
                return;
        }
        replay->damaged = true;
        pt_diag_error(replay->diag, "journal-damaged", NULL,
                      "the journal has no decision of revision %" PRIu64
                      ", which it calls confirmed",
                      number);
}

static void on_settled(Replay *replay, PtRevisionState state, struct json_object *record,
                       uint64_t number)
{
        PtStore *store = replay->store;

        store->last = MAX(store->last, number);
        if (state == PT_REVISION_DECIDED)
                replay->decided = MAX(replay->decided, number);
        if (store->pending && store->pending->info.number == number) {
                (void) pt_store_record_number(record, "deadlineUSec",
                                              &store->pending->deadline_usec);
                settle(store, state);
                return;
        }
        replay->damaged = true;
        pt_diag_error(replay->diag, "journal-damaged", NULL,
                      "the journal has no intent of revision %" PRIu64 ", which it calls %s",
                      number, state == PT_REVISION_DECIDED ? "decided" : "aborted");
}

static void on_retired(PtStore *store, uint64_t oldest)
{
        store->oldest = MAX(store->oldest, oldest);
        while (store->revisions->len > 0) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, 0);

                if (revision->info.number >= store->oldest)
                        break;
                g_ptr_array_remove_index(store->revisions, 0);
        }
}

static void on_record(struct json_object *record, void *userdata)
{
        const char *type = pt_store_record_type(record);
        Replay *replay = userdata;
        uint64_t number = 0;

        if (!replay->begun)
                replay->continued = strcmp(type, "checkpoint") == 0;
        replay->begun = true;
        if (strcmp(type, "intent") == 0)
                on_intent(replay, record);
        else if (!pt_store_record_number(record, "number", &number))
                pt_diag_warning(replay->diag, "journal-unknown", NULL,
                                "the journal has a record of the unknown type \"%s\"", type);
        else if (strcmp(type, "decided") == 0)
                on_settled(replay, PT_REVISION_DECIDED, record, number);
        else if (strcmp(type, "aborted") == 0)
                on_settled(replay, PT_REVISION_ABORTED, record, number);
        else if (strcmp(type, "confirmed") == 0)
                on_confirmed(replay, record, number);
        else if (strcmp(type, "retired") == 0)
                on_retired(replay->store, number);
        else if (strcmp(type, PT_STORE_RECORD_DAMAGED) == 0)
                pt_store_chain_told(replay->store, number);
        else if (strcmp(type, "checkpoint") == 0)
                replay->store->last = MAX(replay->store->last, number);
        else
                pt_diag_warning(replay->diag, "journal-unknown", NULL,
                                "the journal has a record of the unknown type \"%s\"", type);
}

static void delete_folder(PtStore *store, uint64_t number)
{
        int r = pt_store_delete(store->revisions_fd, number);

        if (r < 0)
                pt_log(LOG_WARNING, "the folder of revision %" PRIu64 " cannot be deleted: %s",
                       number, g_strerror(-r));
}

/* A folder with a whole meta.json that the journal does not know. */
static void adopt(Replay *replay, PtStoreRevision *revision)
{
        PtStore *store = replay->store;

        /* Below what the journal has decided, its record was dropped when the journal was
         * shortened. */
        if (revision->info.number > replay->decided)
                replay->damaged = true;
        if (store->pending && store->pending->info.number == revision->info.number) {
                store->pending->info.confirmed_usec = revision->info.confirmed_usec;
                settle(store, PT_REVISION_DECIDED);
                pt_store_revision_free(revision);
                return;
        }
        revision->info.state = PT_REVISION_DECIDED;
        revision->synced = revision->info.number <= replay->decided;
        revision->deadline_usec = revision->boot_usec + revision->info.confirm_usec;
        pt_store_add_revision(store, revision);
}

/* A revision that both have: was the journal cut off before it was confirmed? */
static void compare(Replay *replay, PtStoreRevision *known, const PtStoreRevision *found)
{
        if (!pt_digest_equal(&known->info.digest, &found->info.digest) ||
            pt_store_is_confirmed(known) || found->info.confirmed_usec == 0)
                return;
        known->info.confirmed_usec = found->info.confirmed_usec;
        replay->damaged = true;
        pt_diag_error(replay->diag, "journal-damaged", NULL,
                      "the journal does not say that revision %" PRIu64
                      " was confirmed: its end was removed, or an old copy took its place",
                      known->info.number);
}

static void visit_folder(Replay *replay, uint64_t number)
{
        g_autoptr(PtStoreRevision) revision = NULL;
        PtStore *store = replay->store;
        PtStoreRevision *known = pt_store_find(store, number);
        int r = pt_store_read_meta(store->revisions_fd, number, &revision);

        store->last = MAX(store->last, number);
        if (number < store->oldest || (known && known->info.state == PT_REVISION_ABORTED) ||
            (!known && r == -ENOENT)) {
                delete_folder(store, number); /* left over by a crash */
                return;
        }
        if (known && known->info.state == PT_REVISION_DECIDED) {
                if (r >= 0)
                        compare(replay, known, revision);
                return; /* written again if need be */
        }
        if (r >= 0)
                adopt(replay, g_steal_pointer(&revision));
        else if (r != -ENOENT)
                pt_diag_error(replay->diag, "revision-damaged", NULL,
                              "revisions/%" PRIu64 "/" PT_STORE_META
                              " cannot be used: %s; the revision is not in the history",
                              number, g_strerror(-r));
}

static int visit_folders(Replay *replay)
{
        g_autoptr(GArray) numbers = NULL;
        int r = pt_store_scan(replay->store->revisions_fd, true, &numbers);

        if (r < 0) {
                pt_diag_error(replay->diag, "cannot-read", NULL,
                              "the folder revisions cannot be read: %s", g_strerror(-r));
                return r;
        }
        for (unsigned i = 0; i < numbers->len; i++)
                visit_folder(replay, g_array_index(numbers, uint64_t, i));
        return 0;
}

/* A journal that replaced another begins with a checkpoint. */
static void check_head(Replay *replay)
{
        static const PtDigest none;

        if (replay->continued || pt_digest_equal(pt_journal_head(replay->store->journal), &none))
                return;
        replay->damaged = true;
        pt_diag_error(replay->diag, "journal-damaged", NULL,
                      "the beginning of the journal was removed");
}

/* The newest decided revision of all sources. */
static int agree(Replay *replay)
{
        PtStore *store = replay->store;
        uint64_t link = 0;
        int r;

        for (unsigned i = 0; i < store->revisions->len; i++) {
                const PtStoreRevision *revision = g_ptr_array_index(store->revisions, i);

                if (revision->info.state == PT_REVISION_DECIDED)
                        store->decided = revision->info.number;
                if (pt_store_is_confirmed(revision))
                        store->confirmed = revision->info.number;
        }
        if (store->decided > replay->decided)
                pt_diag_error(replay->diag, "journal-damaged", NULL,
                              "the journal ends at revision %" PRIu64 ", and revision %" PRIu64
                              " was decided: its end was removed, or an old copy took its place",
                              replay->decided, store->decided);
        if (store->decided < replay->decided) {
                replay->damaged = true;
                pt_diag_error(replay->diag, "revision-damaged", NULL,
                              "revision %" PRIu64 " was decided and is lost; revision %" PRIu64
                              " is used",
                              replay->decided, store->decided);
        }
        r = pt_store_read_link(store->revisions_fd, PT_STORE_DECIDED, &link);
        store->last = MAX(store->last, link);
        if (store->decided == 0 && r != -ENOENT) {
                pt_diag_error(replay->diag, "revision-damaged", NULL,
                              "the store has decided revisions before, and none is left; restore "
                              "it, or move it away");
                return -EBADMSG;
        }
        return 0;
}

/* Brings files and link up to what was agreed. Not being able to is no reason not to run: it is
 * tried again. */
static void bring_up(Replay *replay)
{
        PtStore *store = replay->store;
        int r = pt_store_check_unconfirmed(store, replay->diag);

        if (r >= 0)
                r = pt_store_write_out(store, replay->diag);
        if (r >= 0)
                r = pt_store_write_links(store, replay->diag);
        pt_store_check_chain(store, replay->diag);
        if (r >= 0 && (replay->damaged || pt_journal_damaged(store->journal) > 0)) {
                r = pt_store_restart_journal(store, PT_STORE_JOURNAL_DAMAGED);
                if (r >= 0)
                        pt_diag_notice(replay->diag, "journal-restarted", NULL,
                                       "a new journal was begun; the damaged one is kept "
                                       "as " PT_STORE_JOURNAL_DAMAGED);
        }
        if (r < 0)
                pt_diag_warning(
                        replay->diag, "cannot-write", NULL,
                        "the files of the revision store cannot be brought up to its journal: %s",
                        g_strerror(-r));
}

static int cannot_open(PtDiagnostics *diag, const char *state_dir, const char *what, int error)
{
        pt_diag_error(diag, "cannot-open", NULL, "%s%s cannot be opened: %s", state_dir, what,
                      g_strerror(-error));
        return error;
}

/* A journal that was to replace the other when the run ended. */
static void delete_unfinished(const PtStore *store)
{
        pt_cleanup(pt_closedirp) DIR *dir = NULL;
        int fd = openat(store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct dirent *entry;

        if (fd < 0 || !(dir = fdopendir(fd))) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        while ((entry = readdir(dir)))
                if (g_str_has_prefix(entry->d_name, PT_STORE_JOURNAL ".") &&
                    g_str_has_suffix(entry->d_name, ".tmp"))
                        (void) unlinkat(store->dirfd, entry->d_name, 0);
}

static int open_folders(PtStore *store, const char *state_dir, PtDiagnostics *diag)
{
        if (mkdir(state_dir, 0755) < 0 && errno != EEXIST)
                return cannot_open(diag, state_dir, "", -errno);
        store->dirfd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->dirfd < 0)
                return cannot_open(diag, state_dir, "", -errno);
        store->lock_fd =
                openat(store->dirfd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (store->lock_fd < 0)
                return cannot_open(diag, state_dir, "/lock", -errno);
        if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return cannot_open(diag, state_dir, "/lock", -errno);
                pt_diag_error(diag, "store-busy", NULL,
                              "another configd uses %s; stop it, or use another folder", state_dir);
                return -EBUSY;
        }
        if (mkdirat(store->dirfd, "revisions", 0755) < 0 && errno != EEXIST)
                return cannot_open(diag, state_dir, "/revisions", -errno);
        store->revisions_fd =
                openat(store->dirfd, "revisions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (store->revisions_fd < 0)
                return cannot_open(diag, state_dir, "/revisions", -errno);
        /* Daemons of other users look for their files in it, whatever the umask says. */
        if (fchmod(store->revisions_fd, 0755) < 0)
                return cannot_open(diag, state_dir, "/revisions", -errno);
        store->datasets_fd = pt_store_datasets_open(store->dirfd);
        if (store->datasets_fd < 0)
                return cannot_open(diag, state_dir, "/" PT_DATASET_FOLDER, store->datasets_fd);
        delete_unfinished(store);
        return 0;
}

static void daemon_free(gpointer data)
{
        PtStoreDaemon *daemon = data;

        g_free(daemon->name);
        pt_slice_unref(daemon->slice);
        pt_slice_unref(daemon->next);
        g_free(daemon);
}

static void revision_free(gpointer data)
{
        pt_store_revision_free(data);
}

int pt_store_open(const char *state_dir, PtDiagnostics *diag, PtStore **ret)
{
        g_autoptr(PtStore) store = g_new0(PtStore, 1);
        Replay replay = {.store = store, .diag = diag};
        int r;

        store->dirfd = store->lock_fd = store->revisions_fd = store->datasets_fd = -EBADF;
        store->datasets_gid = PT_DATASET_NO_GROUP;
        store->daemons = g_ptr_array_new_with_free_func(daemon_free);
        store->revisions = g_ptr_array_new_with_free_func(revision_free);
        store->told = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        r = open_folders(store, state_dir, diag);
        if (r >= 0)
                r = pt_journal_open(store->dirfd, PT_STORE_JOURNAL, on_record, &replay, diag,
                                    &store->journal);
        if (r >= 0) {
                check_head(&replay);
                r = visit_folders(&replay);
        }
        if (r >= 0)
                r = agree(&replay);
        if (r < 0)
                return r;
        bring_up(&replay);
        *ret = g_steal_pointer(&store);
        return 0;
}

void pt_store_close(PtStore *store)
{
        if (!store)
                return;
        pt_journal_close(store->journal);
        g_ptr_array_unref(store->daemons);
        g_ptr_array_unref(store->revisions);
        g_array_unref(store->told);
        pt_store_revision_free(store->pending);
        if (store->references)
                g_hash_table_unref(store->references);
        if (store->references_next)
                g_hash_table_unref(store->references_next);
        pt_closep(&store->datasets_fd);
        pt_closep(&store->revisions_fd);
        pt_closep(&store->lock_fd);
        pt_closep(&store->dirfd);
        g_free(store);
}

static gid_t group_id(const char *group)
{
        g_autofree char *buffer = g_malloc(GROUP_BUFFER);
        struct group entry, *found = NULL;
        int r;

        if (!group)
                return PT_STORE_NO_GROUP;
        r = getgrnam_r(group, &entry, buffer, GROUP_BUFFER, &found);
        if (found)
                return found->gr_gid;
        pt_log(LOG_WARNING,
               "there is no group %s%s%s; its daemon may not be able to read its revisions", group,
               r ? ": " : "", r ? g_strerror(r) : "");
        return PT_STORE_NO_GROUP;
}

/* Who reads datasets: the daemon whose kinds refer to some, unless there are several. */
static void add_reader(PtStore *store, const PtStoreDaemon *daemon)
{
        bool reads = false;

        for (const PtKind *const *kind = daemon->kinds; *kind; kind++)
                reads = reads || pt_kind_has_dataset(*kind);
        if (!reads)
                return;
        if (store->datasets_gid != PT_DATASET_NO_GROUP && store->datasets_gid != daemon->gid)
                store->datasets_shared = true;
        store->datasets_gid = daemon->gid;
}

void pt_store_add_daemon(PtStore *store, const char *daemon, const PtKind *const *kinds,
                         const char *group)
{
        PtStoreDaemon *entry = g_new0(PtStoreDaemon, 1);

        entry->name = g_strdup(daemon);
        entry->kinds = kinds;
        entry->gid = group_id(group);
        g_ptr_array_add(store->daemons, entry);
        add_reader(store, entry);
}
