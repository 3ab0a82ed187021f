/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/access.h"

#include "bus/bus.h"

#include <grp.h>
#include <pwd.h>

/* More groups than any sane account has; of one that has more only these are looked at. */
#define GROUPS_MAX 256
#define RECORD_MAX 4096 /* bytes of one passwd or group entry without its members */

static void caller_free(void *data)
{
        PtCaller *caller = data;

        g_free(caller->user);
        g_free(caller);
}

void pt_access_init(PtAccess *access)
{
        access->callers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, caller_free);
}

void pt_access_done(PtAccess *access)
{
        g_clear_pointer(&access->callers, g_hash_table_unref);
}

void pt_access_reset(PtAccess *access)
{
        g_hash_table_remove_all(access->callers);
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
        caller->allowed = uid == 0 || uid == geteuid() || (user && user_in_group(user));
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
                        pt_access_reset(access);
                caller = caller_new(uid);
                g_hash_table_insert(access->callers, g_strdup(sender), (void *) caller);
        }
        if (!caller->allowed)
                return pt_bus_fail(error, -EPERM,
                                   "Only root and members of the group %s may do this",
                                   PT_ACCESS_GROUP);
        *ret = caller;
        return 0;
}
