/* SPDX-License-Identifier: GPL-3.0-or-later */

/* rename, move: what an object is called, and where it stands among its like. */

#include "call.h"
#include "commit.h"
#include "output.h"
#include <string.h>

/* "NAME" or "KIND/NAME", with the same kind. */
static int parse_other(const char *text, const PtKind *kind, const char **ret)
{
        const PtKind *other;
        const char *name;
        int r;

        if (!strchr(text, '/')) {
                *ret = text;
                return CTL_DONE;
        }
        r = ctl_parse_object(text, &other, &name);
        if (r != CTL_DONE)
                return r;
        if (other != kind) {
                ctl_error("\"%s\" is no %s: both must be of one kind", text, kind->name);
                return CTL_USAGE;
        }
        *ret = name;
        return CTL_DONE;
}

int ctl_run_rename(Ctl *ctl)
{
        const char *name, *new_name;
        g_autofree char *path = NULL;
        const PtKind *kind;
        CtlTarget session;
        int r;

        r = ctl_parse_object(ctl_argument(ctl, 0), &kind, &name);
        if (r == CTL_DONE)
                r = parse_other(ctl_argument(ctl, 1), kind, &new_name);
        if (r != CTL_DONE)
                return r;
        r = ctl_open_session(ctl, &path, &session);
        if (r == CTL_DONE)
                r = ctl_commit_refuse(ctl_ask(ctl, &session, "Rename", CTL_CALL_READS, NULL, "sss",
                                              kind->name, name, new_name));
        return r != CTL_DONE ? r : ctl_commit_session(ctl, &session);
}

/* Which of the options that say where was given: exactly one. */
static int parse_where(const Ctl *ctl, CtlOptionId *ret)
{
        static const CtlOptionId places[] = {CTL_BEFORE, CTL_AFTER, CTL_FIRST, CTL_LAST};
        unsigned n = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
                if (ctl->values[places[i]]) {
                        *ret = places[i];
                        n++;
                }
        if (n == 1)
                return CTL_DONE;
        ctl_error("\"move\" needs one of --before NAME, --after NAME, --first, --last");
        return CTL_USAGE;
}

int ctl_run_move(Ctl *ctl)
{
        const char *name, *other = "";
        g_autofree char *path = NULL;
        CtlOptionId where = CTL_LAST;
        const PtKind *kind;
        CtlTarget session;
        int r;

        r = ctl_parse_object(ctl_argument(ctl, 0), &kind, &name);
        if (r == CTL_DONE)
                r = parse_where(ctl, &where);
        if (r == CTL_DONE)
                r = parse_other(ctl->values[where], kind, &other);
        if (r != CTL_DONE)
                return r;
        r = ctl_open_session(ctl, &path, &session);
        if (r == CTL_DONE)
                r = ctl_commit_refuse(ctl_ask(ctl, &session, "Move", CTL_CALL_READS, NULL, "ssss",
                                              kind->name, name, ctl_options[where].name, other));
        return r != CTL_DONE ? r : ctl_commit_session(ctl, &session);
}
