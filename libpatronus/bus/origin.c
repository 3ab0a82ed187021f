/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/origin.h"

#include "bus/bus.h"

#include <stdlib.h>
#include <systemd/sd-login.h>

void pt_origin_free(PtOrigin *origin)
{
        if (!origin)
                return;
        free(origin->unit);
        free(origin->session);
        free(origin->remote);
        g_free(origin);
}

/* What logind says of the session that the process is in; true: it has a seat and no network
 * between it and the person. */
static bool read_session(PtOrigin *origin)
{
        char *seat = NULL;
        bool local;

        if (sd_pid_get_session(origin->pid, &origin->session) < 0)
                return false;
        if (sd_session_is_remote(origin->session) > 0)
                origin->is_remote = true;
        (void) sd_session_get_remote_host(origin->session, &origin->remote);
        local = sd_session_get_seat(origin->session, &seat) >= 0 && !origin->is_remote;
        free(seat);
        return local;
}

PtOrigin *pt_origin_of(pid_t pid)
{
        PtOrigin *origin = g_new0(PtOrigin, 1);
        PtProcess chain[PT_ANCESTORS_MAX];
        const PtProcess *carrier, *keeper;
        bool seat;
        int n = pid > 0 ? pt_process_ancestors(pid, chain) : -ESRCH;

        if (n < 0) {
                origin->is_remote = true;
                return origin;
        }
        origin->pid = pid;
        (void) sd_pid_get_unit(pid, &origin->unit);
        seat = read_session(origin);
        keeper = pt_process_keeper(chain, (unsigned) n);
        carrier = pt_process_carrier(chain, (unsigned) n);
        if (keeper || carrier)
                origin->is_remote = true;
        /* A keeper below the server for a connection (tmux run from an ssh login and not left) can
         * be attached to from an older one, too. */
        if (carrier && !keeper)
                origin->since_usec = carrier->start_usec;
        origin->console = !origin->is_remote && (seat || pt_process_on_console(chain));
        return origin;
}

int pt_origin_read(sd_bus_message *m, PtOrigin **ret)
{
        pt_auto_creds *creds = NULL;
        pid_t pid;
        int r;

        r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_PID, &creds);
        if (r < 0)
                return r;
        if (sd_bus_creds_get_pid(creds, &pid) < 0)
                pid = 0;
        *ret = pt_origin_of(pid);
        return 0;
}
