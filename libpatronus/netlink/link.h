/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Interfaces that are ours, over rtnetlink: found, set up, given routes, removed. Whose an interface
 * is says its alias (base/marks.h); of routes it is their protocol.
 */

#include "kind/type.h"

#include <net/if.h>
#include <systemd/sd-event.h>

struct nlmsghdr;

/* Of the flags: somebody is at the other end (IFF_LOWER_UP of linux/if.h, which does not go with
 * net/if.h). */
#define PT_LINK_CARRIER (1U << 16)
#define PT_LINK_ALIAS_MAX 255 /* IFALIASZ, without its NUL */

typedef struct PtLink {
        uint32_t index;
        unsigned flags; /* IFF_* */
        unsigned mtu;
        char name[IF_NAMESIZE];
        char alias[PT_LINK_ALIAS_MAX + 1]; /* "": none */
} PtLink;

/* `netns_fd` negative: the process's own namespace, in all of these. */

/* -ENODEV: there is none of this name. */
int pt_link_get(int netns_fd, const char *name, PtLink *ret);
/* Those whose alias begins so; the caller unrefs. */
int pt_links_find(int netns_fd, const char *alias_prefix, GArray **ret);
/* Up, with this MTU and alias. */
int pt_link_set(int netns_fd, uint32_t index, unsigned mtu, const char *alias);
int pt_link_delete(int netns_fd, uint32_t index);

/* A route of ours for a prefix, to the interface. One that is there is as good. */
int pt_link_route_add(int netns_fd, uint32_t index, const PtAddressRange *prefix);
int pt_link_route_delete(int netns_fd, uint32_t index, const PtAddressRange *prefix);
/* The prefixes of the routes of ours to it; PtAddressRange; the caller unrefs. */
int pt_link_routes(int netns_fd, uint32_t index, GArray **ret);

/* Tells that an interface came, changed or went, or that what was told was lost. */
typedef struct PtLinkMonitor PtLinkMonitor;
int pt_link_monitor_new(int netns_fd, sd_event *event, void (*changed)(void *userdata),
                        void *userdata, PtLinkMonitor **ret);
void pt_link_monitor_free(PtLinkMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtLinkMonitor, pt_link_monitor_free)

/* One message of an answer each; -ENOENT: it is another one, or of another interface or owner.
 * Apart, for tests. */
int pt_link_parse(const struct nlmsghdr *header, PtLink *ret);
int pt_link_route_parse(const struct nlmsghdr *header, uint32_t index, PtAddressRange *ret);
