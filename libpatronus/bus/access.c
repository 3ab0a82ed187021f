/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/access-internal.h"

#include "bus/bus.h"

#include <grp.h>
#include <pwd.h>

/* More groups than any sane account has; of one that has more only these are looked at. */
#define GROUPS_MAX 256
#define RECORD_MAX 4096 /* bytes of one passwd or group entry without its members */

static const char *const action_names[PT_ACTION_MAX] = {
        [PT_ACTION_ANYBODY] = "anybody",
        [PT_ACTION_INTERNAL] = "internal",
        [PT_ACTION_CONFIG_READ] = "org.patronus.config.read",
        [PT_ACTION_CONFIG_EDIT] = "org.patronus.config.edit",
        [PT_ACTION_CONFIG_COMMIT] = "org.patronus.config.commit",
        [PT_ACTION_CONFIG_REVERT] = "org.patronus.config.revert",
        [PT_ACTION_SECRET_READ] = "org.patronus.secret.read",
        [PT_ACTION_RUNTIME_READ] = "org.patronus.runtime.read",
        [PT_ACTION_RUNTIME_OPERATE] = "org.patronus.runtime.operate",
        [PT_ACTION_CAPTURE] = "org.patronus.capture",
        [PT_ACTION_SYSTEM_ADMIN] = "org.patronus.system.admin",
};

const char *pt_action_to_string(PtAction action)
{
        return action >= 0 && action < PT_ACTION_MAX ? action_names[action] : NULL;
}

bool pt_action_is_read(PtAction action)
{
        switch (action) {
        case PT_ACTION_ANYBODY:
        case PT_ACTION_CONFIG_READ:
        case PT_ACTION_RUNTIME_READ:
                return true;
        case PT_ACTION_INTERNAL:
        case PT_ACTION_CONFIG_EDIT:
        case PT_ACTION_CONFIG_COMMIT:
        case PT_ACTION_CONFIG_REVERT:
        case PT_ACTION_SECRET_READ:
        case PT_ACTION_RUNTIME_OPERATE:
        case PT_ACTION_CAPTURE:
        case PT_ACTION_SYSTEM_ADMIN:
        case PT_ACTION_MAX:
        case PT_ACTION_INVALID:
                break;
        }
        return false;
}

void pt_caller_clear(PtCaller *caller)
{
        g_clear_pointer(&caller->user, g_free);
}

static void caller_free(void *data)
{
        pt_caller_clear(data);
        g_free(data);
}

void pt_access_init(PtAccess *access, const PtAccessTable *table)
{
        *access = (PtAccess){
                .table = table,
                .callers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, caller_free),
                .peers = g_array_new(false, false, sizeof(uid_t)),
        };
        pt_guard_init(access);
}

void pt_access_done(PtAccess *access)
{
        if (!access->callers)
                return;
        pt_guard_done(access);
        g_clear_pointer(&access->callers, g_hash_table_unref);
        g_array_unref(access->peers);
}

bool pt_access_is_peer(const PtAccess *access, uid_t uid)
{
        for (guint i = 0; i < access->peers->len; i++)
                if (g_array_index(access->peers, uid_t, i) == uid)
                        return true;
        return false;
}

void pt_access_add_peer(PtAccess *access, uid_t uid)
{
        if (!pt_access_is_peer(access, uid))
                g_array_append_val(access->peers, uid);
}

static bool user_in_group(const struct passwd *user)
{
        gid_t groups[GROUPS_MAX];
        int n = GROUPS_MAX;
        const struct group *group = getgrnam(PT_ACCESS_GROUP);
        gid_t gid;

        if (!group)
                return false;
        gid = group->gr_gid;
        if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) < 0)
                n = GROUPS_MAX;
        for (int i = 0; i < n; i++)
                if (groups[i] == gid)
                        return true;
        return false;
}

static PtCaller *caller_new(uid_t uid)
{
        PtCaller *caller = g_new0(PtCaller, 1);
        char buffer[RECORD_MAX];
        struct passwd record, *user = NULL;

        caller->uid = uid;
        (void) getpwuid_r(uid, &record, buffer, sizeof(buffer), &user);
        caller->user = user ? g_strdup(user->pw_name) : g_strdup_printf("%u", uid);
        caller->member = user && user_in_group(user);
        return caller;
}

int pt_access_check(PtAccess *access, sd_bus_message *m, const PtCaller **ret, sd_bus_error *error)
{
        const char *sender = sd_bus_message_get_sender(m);
        const PtCaller *caller;
        uid_t uid;
        int r;

        caller = sender ? g_hash_table_lookup(access->callers, sender) : NULL;
        if (!caller) {
                r = pt_bus_sender_uid(m, &uid);
                if (r < 0)
                        return pt_bus_fail(error, -EPERM, "The bus does not say who calls");
                if (g_hash_table_size(access->callers) >= PT_ACCESS_CACHE_MAX)
                        g_hash_table_remove_all(access->callers);
                caller = caller_new(uid);
                g_hash_table_insert(access->callers, g_strdup(sender), (void *) caller);
        }
        *ret = caller;
        return 0;
}
