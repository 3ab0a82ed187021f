/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/access-internal.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/polkit.h"

/* A call of which polkit was asked. */
typedef struct Waiting {
        PtAccess *access;
        sd_bus_message *m;
        const PtAccessRow *row;
        PtCaller caller; /* as it was when it called */
        PtPolkit *polkit;
        sd_bus_slot *leaving; /* tells when the sender leaves the bus */
        bool granted;         /* but an earlier call of the same sender is not answered */
} Waiting;

static void waiting_free(void *data)
{
        Waiting *waiting = data;

        pt_polkit_free(waiting->polkit);
        sd_bus_slot_unref(waiting->leaving);
        sd_bus_message_unref(waiting->m);
        pt_caller_clear(&waiting->caller);
        g_free(waiting);
}

static void waiting_freep(Waiting **waiting)
{
        if (*waiting)
                waiting_free(*waiting);
}

static void granted_free(void *m)
{
        sd_bus_message_unref(m);
}

void pt_guard_init(PtAccess *access)
{
        g_queue_init(&access->waiting);
        access->granted = g_hash_table_new_full(g_direct_hash, g_direct_equal, granted_free, NULL);
}

static void forget(PtAccess *access)
{
        g_queue_clear_full(&access->waiting, waiting_free);
        g_hash_table_remove_all(access->granted);
        g_hash_table_remove_all(access->callers);
        access->filter = sd_bus_slot_unref(access->filter);
        access->bus = sd_bus_unref(access->bus);
}

void pt_guard_done(PtAccess *access)
{
        forget(access);
        g_clear_pointer(&access->granted, g_hash_table_unref);
}

/* ---- what is said --------------------------------------------------------------------------- */

static int refuse(PtAccess *access, sd_bus_message *m, const PtCaller *caller, const char *action,
                  sd_bus_error *error, const char *why)
{
        /* Strangers cause this at any rate, and the log has better things to keep. */
        pt_log(LOG_DEBUG, "%s.%s is refused to %s: %s", sd_bus_message_get_interface(m),
               sd_bus_message_get_member(m), caller->user, why);
        if (access->refused)
                access->refused(access->userdata, m, caller, action, why);
        return pt_bus_fail(error, -EPERM, "%s", why);
}

int pt_access_refuse(PtAccess *access, sd_bus_message *m, sd_bus_error *error, const char *format,
                     ...)
{
        g_autofree char *why = NULL;
        const PtAccessRow *row;
        const PtCaller *caller;
        va_list ap;
        int r;

        va_start(ap, format);
        why = g_strdup_vprintf(format, ap);
        va_end(ap);
        r = pt_access_check(access, m, &caller, error);
        if (r < 0)
                return r;
        row = sd_bus_message_rewind(m, true) >= 0 ? pt_access_find(access, m) : NULL;
        return refuse(access, m, caller, row ? pt_action_to_string(row->action) : "", error, why);
}

static void tell_allowed(PtAccess *access, sd_bus_message *m, const PtCaller *caller,
                         const PtAccessRow *row)
{
        if (access->allowed && !pt_action_is_read(row->action))
                access->allowed(access->userdata, m, caller, pt_action_to_string(row->action));
}

static char *explain(const Waiting *waiting, PtPolkitAnswer answer, const char *why)
{
        const char *action = pt_action_to_string(waiting->row->action);

        switch (answer) {
        case PT_POLKIT_NO:
                return g_strdup_printf("polkit does not allow %s to %s", action,
                                       waiting->caller.user);
        case PT_POLKIT_CHALLENGE:
                return sd_bus_message_get_allow_interactive_authorization(waiting->m) > 0
                               ? g_strdup_printf("%s needs authentication, and nobody "
                                                 "authenticated",
                                                 action)
                               : g_strdup_printf("%s needs authentication, which this call does "
                                                 "not allow to ask for; root and members of the "
                                                 "group " PT_ACCESS_GROUP " need none",
                                                 action);
        case PT_POLKIT_ABSENT:
                return g_strdup_printf("%s is, without polkit, for root and members of the "
                                       "group " PT_ACCESS_GROUP,
                                       action);
        case PT_POLKIT_FAILED:
                return g_strdup_printf("%s could not be decided, polkit says: %s", action, why);
        case PT_POLKIT_YES:
        case PT_POLKIT_MAX:
        case PT_POLKIT_INVALID:
                break;
        }
        return g_strdup(action);
}

/* ---- calls that wait ------------------------------------------------------------------------ */

static bool same_sender(const Waiting *a, const Waiting *b)
{
        return g_strcmp0(sd_bus_message_get_sender(a->m), sd_bus_message_get_sender(b->m)) == 0;
}

/* Nothing that the same sender sent before is still undecided. */
static bool is_first(const Waiting *waiting)
{
        for (GList *link = waiting->access->waiting.head; link->data != waiting; link = link->next)
                if (same_sender(link->data, waiting))
                        return false;
        return true;
}

/* The message comes through the guard again, and passes. */
static void dispatch(Waiting *waiting)
{
        PtAccess *access = waiting->access;
        int r;

        tell_allowed(access, waiting->m, &waiting->caller, waiting->row);
        g_hash_table_add(access->granted, sd_bus_message_ref(waiting->m));
        r = sd_bus_enqueue_for_read(access->bus, waiting->m);
        if (r < 0) {
                g_hash_table_remove(access->granted, waiting->m);
                (void) sd_bus_reply_method_errno(waiting->m, r, NULL);
        }
}

static void dispatch_all(PtAccess *access)
{
        for (GList *link = access->waiting.head, *next; link; link = next) {
                Waiting *waiting = link->data;

                next = link->next;
                if (!waiting->granted || !is_first(waiting))
                        continue;
                dispatch(waiting);
                g_queue_delete_link(&access->waiting, link);
                waiting_free(waiting);
        }
}

static void drop(Waiting *waiting)
{
        PtAccess *access = waiting->access;

        g_queue_remove(&access->waiting, waiting);
        waiting_free(waiting);
        dispatch_all(access); /* what came after it */
}

static void decided(void *userdata, PtPolkitAnswer answer, const char *why)
{
        Waiting *waiting = userdata;
        pt_auto_error error = SD_BUS_ERROR_NULL;
        g_autofree char *text = NULL;
        int r;

        if (answer == PT_POLKIT_YES || (answer == PT_POLKIT_ABSENT && waiting->caller.member)) {
                waiting->granted = true;
                dispatch_all(waiting->access);
                return;
        }
        text = explain(waiting, answer, why);
        r = refuse(waiting->access, waiting->m, &waiting->caller,
                   pt_action_to_string(waiting->row->action), &error, text);
        (void) sd_bus_reply_method_errno(waiting->m, r, &error);
        drop(waiting);
}

/* Nobody is there who could be answered, and nothing is done for nobody. */
static int sender_left(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        drop(userdata);
        return 0;
}

static int watch_sender(Waiting *waiting)
{
        g_autofree char *match = g_strdup_printf(
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                sd_bus_message_get_sender(waiting->m));

        return sd_bus_add_match_async(waiting->access->bus, &waiting->leaving, match, sender_left,
                                      NULL, waiting);
}

static int check_room(PtAccess *access, const PtCaller *caller, sd_bus_error *error)
{
        unsigned all = g_queue_get_length(&access->waiting), of_uid = 0;

        for (const GList *link = access->waiting.head; link; link = link->next)
                of_uid += ((const Waiting *) link->data)->caller.uid == caller->uid;
        if (of_uid >= PT_ACCESS_WAITING_PER_UID_MAX || all >= PT_ACCESS_WAITING_MAX)
                return pt_bus_fail(error, -EBUSY,
                                   "%u calls wait for polkit already, %u of them yours: try again "
                                   "when one is answered",
                                   all, of_uid);
        return 0;
}

static int check_size(sd_bus_message *m, sd_bus_error *error)
{
        if (pt_access_fits(m, PT_ACCESS_MESSAGE_MAX))
                return 0;
        return pt_bus_fail(error, -EFBIG,
                           "A call may hold %u MiB at most; what is larger goes into a file, or in "
                           "parts",
                           PT_ACCESS_MESSAGE_MAX / 1024 / 1024);
}

static int ask(PtAccess *access, sd_bus_message *m, const PtAccessRow *row, const PtCaller *caller,
               sd_bus_error *error)
{
        pt_cleanup(waiting_freep) Waiting *waiting = NULL;
        g_autofree char *call = g_strdup_printf("%s.%s", row->interface, row->member);
        PtPolkitQuestion question = {
                .sender = sd_bus_message_get_sender(m),
                .action = pt_action_to_string(row->action),
                .call = call,
                .interactive = sd_bus_message_get_allow_interactive_authorization(m) > 0,
                .id = ++access->questions,
        };
        int r;

        r = check_room(access, caller, error);
        if (r < 0)
                return r;
        r = check_size(m, error);
        if (r < 0)
                return r;
        pt_access_about(access, row, m, &question.kind, &question.name);
        waiting = g_new0(Waiting, 1);
        *waiting = (Waiting){
                .access = access,
                .m = sd_bus_message_ref(m),
                .row = row,
                .caller = {caller->uid, g_strdup(caller->user), caller->member},
        };
        r = watch_sender(waiting);
        if (r < 0)
                return r;
        r = pt_polkit_ask(access->bus, &question, decided, waiting, &waiting->polkit);
        if (r < 0)
                return r;
        g_queue_push_tail(&access->waiting, g_steal_pointer(&waiting));
        return 1;
}

/* ---- the filter ----------------------------------------------------------------------------- */

/*
 * A signal that says it is the bus', and is somebody else's: anybody may send one to us. libsystemd
 * (252) does not compare the sender of a message with the well-known name in a match, so that
 * sd_bus_track, and each match of ours, would believe it: sessions would end and daemons change
 * hands at a stranger's word. The senders of the bus' own are given by the D-Bus specification, and
 * by sd-bus for what it says to itself.
 */
static bool is_counterfeit(sd_bus_message *m)
{
        static const char *const interfaces[] = {"org.freedesktop.DBus",
                                                 "org.freedesktop.DBus.Local"};
        const char *sender = sd_bus_message_get_sender(m);

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++)
                if (sd_bus_message_is_signal(m, interfaces[i], NULL) > 0)
                        return g_strcmp0(sender, interfaces[i]) != 0;
        return false;
}

static int guard(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtAccess *access = userdata;
        const PtAccessRow *row;
        const PtCaller *caller;
        int r;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return is_counterfeit(m) ? 1 : 0;
        if (g_hash_table_remove(access->granted, m))
                return 0;
        row = pt_access_find(access, m);
        if (!row)
                return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_METHOD,
                                         "%s.%s is nothing that can be called here, or nothing "
                                         "says who may",
                                         sd_bus_message_get_interface(m) ?: "",
                                         sd_bus_message_get_member(m));
        if (row->action == PT_ACTION_ANYBODY)
                return 0;
        r = pt_access_check(access, m, &caller, error);
        if (r < 0)
                return r;
        if (caller->uid == 0 ||
            (row->action == PT_ACTION_INTERNAL ? pt_access_is_peer(access, caller->uid)
                                               : caller->uid == geteuid())) {
                r = check_size(m, error);
                if (r < 0)
                        return r;
                tell_allowed(access, m, caller, row);
                return 0;
        }
        if (row->action == PT_ACTION_INTERNAL) {
                g_autofree char *why = g_strdup_printf(
                        "This is between daemons (%s): for root and them alone, and you are uid %u",
                        pt_action_to_string(row->action), caller->uid);

                return refuse(access, m, caller, pt_action_to_string(row->action), error, why);
        }
        return ask(access, m, row, caller, error);
}

int pt_access_guard(PtAccess *access, sd_bus *bus)
{
        forget(access);
        access->bus = sd_bus_ref(bus);
        return sd_bus_add_filter(bus, &access->filter, guard, access);
}
