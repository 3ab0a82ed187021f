/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who calls, and whether they may. One guard stands before all objects of a daemon, as a filter of
 * its connection, and looks each method call up in tables of rows:
 *
 *         static const PtAccessRow rows[] = {
 *                 PT_MAY_CALL("org.patronus.Session1", "Set", CONFIG_EDIT, PT_ABOUT_OBJECT),
 *                 PT_MAY_READ("org.patronus.Config1", CONFIG_READ),
 *                 {},
 *         };
 *
 * A method, or an interface's properties, that is in no table is refused: a row is missing sooner
 * than a check. Root and the daemon's own user pass without a question (a private instance is
 * driven so). Of all others polkit is asked, without waiting for it: the call is kept, and
 * dispatched again when the answer is there. Nothing of an answer is kept for the next call. On a
 * machine without polkit the members of the group "patronus" may do everything, and others nothing.
 *
 * It drops signals that say they are the bus' own and are not, too: what is tracked leaves when the
 * bus says so.
 *
 * Calls of one sender are dispatched in the order in which they came. A handler is only called when
 * its caller may, so that pt_access_check() there only tells who it is.
 */

#include "base/macros.h"
#include <systemd/sd-bus.h>

#define PT_ACCESS_GROUP "patronus"
/* Connections whose user is remembered. A bus never uses a unique name twice. */
#define PT_ACCESS_CACHE_MAX 256
/* Calls that wait for polkit, in all and of one uid. Each keeps its message, with up to 16
 * descriptors (the system bus' limit for a message): all of them together leave half of the usual
 * 1024 free. */
#define PT_ACCESS_WAITING_MAX 32
#define PT_ACCESS_WAITING_PER_UID_MAX 8
/* What the arguments of a call hold, whoever calls: more than the largest Ban or Set, few enough that
 * all that wait are less than a configuration, and that nobody else waits long while they are read:
 * D-Bus itself would let 32 MiB of single bytes through. */
#define PT_ACCESS_MESSAGE_MAX (4U * 1024U * 1024U)

/* What one may be allowed to do: the polkit actions of units/polkit, and two that polkit does not
 * decide. */
typedef enum PtAction {
        PT_ACTION_ANYBODY,  /* tells nothing that is not in the documentation */
        PT_ACTION_INTERNAL, /* between daemons: root and the peers, by their uid */
        PT_ACTION_CONFIG_READ,
        PT_ACTION_CONFIG_EDIT,
        PT_ACTION_CONFIG_COMMIT,
        PT_ACTION_CONFIG_REVERT,
        PT_ACTION_SECRET_READ,
        PT_ACTION_RUNTIME_READ,
        PT_ACTION_RUNTIME_OPERATE,
        PT_ACTION_CAPTURE,
        PT_ACTION_SYSTEM_ADMIN,
        PT_ACTION_MAX,
        PT_ACTION_INVALID = -EINVAL,
} PtAction;

/* "org.patronus.config.read"; "anybody", "internal". */
const char *pt_action_to_string(PtAction action);
/* It only tells: no audit of who did. */
bool pt_action_is_read(PtAction action);

typedef enum PtAccessWhat {
        PT_ACCESS_CALL, /* a method */
        PT_ACCESS_READ, /* Get and GetAll of the interface's properties; of the interface "": GetAll
                            of all interfaces at once */
        PT_ACCESS_WRITE, /* Set */
} PtAccessWhat;

/* Where a call says what it is about, for polkit's rules and the question that people see. */
typedef enum PtAccessAbout {
        PT_ABOUT_NOTHING, /* it does not, or it is about many objects */
        PT_ABOUT_KIND,    /* the first argument is a kind */
        PT_ABOUT_OBJECT,  /* the first two are kind and name */
} PtAccessAbout;

typedef struct PtAccessRow {
        const char *interface;
        const char *member; /* "*" for properties */
        PtAction action;
        PtAccessAbout about;
        PtAccessWhat what;
} PtAccessRow;

#define PT_MAY_CALL(interface_, member_, action_, ...)                                             \
        {                                                                                          \
                (interface_), (member_), PT_ACTION_##action_, __VA_ARGS__                          \
        }
#define PT_MAY_READ(interface_, action_)                                                           \
        {                                                                                          \
                (interface_), "*", PT_ACTION_##action_, .what = PT_ACCESS_READ                     \
        }
#define PT_MAY_WRITE(interface_, action_)                                                          \
        {                                                                                          \
                (interface_), "*", PT_ACTION_##action_, .what = PT_ACCESS_WRITE                    \
        }

/* The interfaces of one daemon; what all daemons have is in access-table.c. */
typedef struct PtAccessTable {
        const PtAccessRow *rows; /* the last has interface NULL */
        /* A kind's one name for the word of a caller ("rules"), or NULL; NULL: there are no kinds.
         * So a polkit rule need know one word. */
        const char *(*kind)(const char *word);
} PtAccessTable;

typedef struct PtCaller {
        uid_t uid;
        char *user;  /* name, or the uid as a number */
        bool member; /* of the group "patronus" */
} PtCaller;

typedef struct PtAccess {
        const PtAccessTable *table;
        sd_bus *bus; /* that is guarded; referenced, NULL: none */
        sd_bus_slot *filter;
        GHashTable *callers; /* unique name: PtCaller */
        GArray *peers;       /* uid_t: the daemons that may call what is INTERNAL */
        GQueue waiting;      /* calls of which polkit was asked, in the order in which they came */
        GHashTable *granted; /* sd_bus_message: may pass, once */
        uint64_t questions;  /* asked so far */

        /* For the audit; may be NULL. Strangers can cause the first at any rate. `caller` and
         * `action` as they were looked at; `why` is for people. The second is for all that was
         * allowed and does not only read. */
        void (*refused)(void *userdata, sd_bus_message *m, const PtCaller *caller,
                        const char *action, const char *why);
        void (*allowed)(void *userdata, sd_bus_message *m, const PtCaller *caller,
                        const char *action);
        void *userdata;
} PtAccess;

/* `table` outlives it. */
void pt_access_init(PtAccess *access, const PtAccessTable *table);
void pt_access_done(PtAccess *access);
/* A daemon that may call what is INTERNAL; again is harmless. Root always may. */
void pt_access_add_peer(PtAccess *access, uid_t uid);
/* Guards a new connection, before it has objects; all that lived on an earlier one is forgotten. */
int pt_access_guard(PtAccess *access, sd_bus *bus);
/* The sender of a message, valid until the next call. A method handler's error when the bus does
 * not say, which is so when the sender has left. */
int pt_access_check(PtAccess *access, sd_bus_message *m, const PtCaller **ret, sd_bus_error *error);
/* A method handler's error for what is refused for another reason than the table, so that the audit
 * hears of it. */
int pt_access_refuse(PtAccess *access, sd_bus_message *m, sd_bus_error *error, const char *format,
                     ...) G_GNUC_PRINTF(4, 5);
/* "INTERFACE MEMBER ACTION ABOUT" a line, of all rows that a daemon with this table has; member is
 * "<read>" and "<write>" for properties, and interface "*" for all of them at once. */
void pt_access_print(const PtAccessTable *table, GString *out);
