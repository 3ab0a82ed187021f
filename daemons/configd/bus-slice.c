/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-slice.h"

#include "base/io.h"
#include "bus/bus.h"
#include "secret/secret.h"

#include <sys/mman.h>

static const Participant *find_participant(const Manager *manager, const char *daemon)
{
        for (unsigned i = 0; i < manager->members->len; i++) {
                const Member *member = g_ptr_array_index(manager->members, i);

                if (g_str_equal(member->participant.klass->name, daemon))
                        return &member->participant;
        }
        return NULL;
}

static int stop_at_secret(const PtField *field, const char *path, const PtSecret *secret,
                          void *userdata)
{
        return 1;
}

static int find_secret(const PtObject *object, void *userdata)
{
        const PtObject **ret = userdata;

        if (pt_object_foreach_secret(object, stop_at_secret, NULL) == 0)
                return 0;
        *ret = object;
        return 1;
}

/* An object that has a secret, or NULL. */
static const PtObject *with_secret(const PtSlice *slice)
{
        const PtObject *found = NULL;

        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (pt_kind_has_secret(*kind) &&
                    pt_slice_foreach(slice, *kind, find_secret, &found) != 0)
                        break;
        return found;
}

int bus_slice_reply(Manager *manager, sd_bus_message *call, PtSlice *configuration,
                    const char *daemon, sd_bus_error *error)
{
        const Participant *participant = find_participant(manager, daemon);
        g_autoptr(PtSlice) slice = NULL;
        const PtObject *secret;
        pt_auto_fd int fd = -EBADF;
        int r;

        if (!participant)
                return pt_bus_fail(error, -ENOENT, "No daemon \"%s\" takes part in commits",
                                   daemon);
        slice = participant_project(participant, configuration);
        secret = with_secret(slice);
        if (secret)
                return pt_bus_fail(error, -EPERM,
                                   "%s/%s has a secret, and what %s gets is nobody else's",
                                   secret->kind->name, secret->name, daemon);
        fd = memfd_create("patronus-slice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = pt_slice_write(slice, fd);
        if (r == 0)
                r = pt_memfd_seal(fd);
        return r < 0 ? r : sd_bus_reply_method_return(call, "h", fd);
}
