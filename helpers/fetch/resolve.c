/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "resolve.h"

#include "reply.h"

#include <ares.h>
#include <netdb.h>
#include <string.h>
#include <sys/select.h>

/* Names that are asked for at the same time: more than a name server likes would only be lost. */
#define AT_ONCE 16U
/* What is lost is asked again after this, doubled each time. */
#define TIMEOUT_MSEC 2000
#define TRIES 3

typedef struct Query {
        struct Resolver *resolver;
        const char *name;
        unsigned pending; /* families that have not answered */
        GArray *addresses;
        uint32_t ttl;
        const char *error;
} Query;

typedef struct Resolver {
        ares_channel channel;
        const char *const *names;
        unsigned n, next, running;
        ResolvedFunc each;
        void *userdata;
        int result;
} Resolver;

static bool knows(const Query *query, const PtAddressRange *host)
{
        for (unsigned i = 0; i < query->addresses->len; i++)
                if (memcmp(&g_array_index(query->addresses, PtAddressRange, i), host,
                           sizeof(*host)) == 0)
                        return true;
        return false;
}

static void take_addresses(Query *query, const struct ares_addrinfo *info)
{
        for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
                query->ttl = MIN(query->ttl, (uint32_t) MAX(c->ttl, 0));
        for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
                PtAddressRange host;

                if (query->addresses->len >= FW_FETCH_ADDRESSES_MAX)
                        return;
                if (node->ai_family == AF_INET)
                        work_host(AF_INET,
                                  &((const struct sockaddr_in *) (const void *) node->ai_addr)
                                           ->sin_addr,
                                  &host);
                else if (node->ai_family == AF_INET6)
                        work_host(AF_INET6,
                                  &((const struct sockaddr_in6 *) (const void *) node->ai_addr)
                                           ->sin6_addr,
                                  &host);
                else
                        continue;
                query->ttl = MIN(query->ttl, (uint32_t) MAX(node->ai_ttl, 0));
                if (!knows(query, &host))
                        g_array_append_val(query->addresses, host);
        }
}

static void end_query(Query *query)
{
        Resolver *resolver = query->resolver;
        Resolved resolved = {.name = query->name,
                             .addresses = (const PtAddressRange *) (void *) query->addresses->data,
                             .n = query->addresses->len,
                             .ttl = query->ttl == UINT32_MAX ? 0 : query->ttl,
                             .error = query->error};

        if (resolver->result >= 0)
                resolver->result = resolver->each(&resolved, resolver->userdata);
        resolver->running--;
        g_array_unref(query->addresses);
        g_free(query);
}

static void answered(void *userdata, int status, int timeouts, struct ares_addrinfo *info)
{
        Query *query = userdata;

        /* That there is no such name, or none of this family, is an answer. */
        if (status == ARES_SUCCESS)
                take_addresses(query, info);
        else if (status != ARES_ENODATA && status != ARES_ENOTFOUND)
                query->error = ares_strerror(status);
        if (info)
                ares_freeaddrinfo(info);
        if (--query->pending == 0)
                end_query(query);
}

static void ask(Resolver *resolver, const char *name)
{
        static const int families[] = {AF_INET, AF_INET6};
        Query *query = g_new0(Query, 1);

        query->resolver = resolver;
        query->name = name;
        query->addresses = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
        query->ttl = UINT32_MAX;
        query->pending = G_N_ELEMENTS(families);
        resolver->running++;
        /* Apart, so that each says whether it was answered. */
        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                struct ares_addrinfo_hints hints = {.ai_family = families[i],
                                                    .ai_flags = ARES_AI_NOSORT};

                ares_getaddrinfo(resolver->channel, name, NULL, &hints, answered, query);
        }
}

static void ask_more(Resolver *resolver)
{
        while (resolver->result >= 0 && resolver->running < AT_ONCE && resolver->next < resolver->n)
                ask(resolver, resolver->names[resolver->next++]);
}

static void wait_and_read(Resolver *resolver)
{
        struct timeval most = {.tv_sec = 1}, buffer, *timeout;
        fd_set readable, writable;
        int n;

        FD_ZERO(&readable);
        FD_ZERO(&writable);
        n = ares_fds(resolver->channel, &readable, &writable);
        timeout = ares_timeout(resolver->channel, &most, &buffer);
        (void) select(n, &readable, &writable, NULL, timeout);
        ares_process(resolver->channel, &readable, &writable);
}

int resolve_names(const char *const *names, unsigned n, ResolvedFunc each, void *userdata)
{
        Resolver resolver = {.names = names, .n = n, .each = each, .userdata = userdata};
        struct ares_options options = {.timeout = TIMEOUT_MSEC, .tries = TRIES};
        char lookups[] = "fb";

        options.lookups = lookups;
        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
                return -EIO;
        if (ares_init_options(&resolver.channel, &options,
                              ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS |
                                      ARES_OPT_LOOKUPS) != ARES_SUCCESS)
                return -EIO;
        ask_more(&resolver);
        while (resolver.running > 0) {
                wait_and_read(&resolver);
                ask_more(&resolver);
        }
        ares_destroy(resolver.channel);
        ares_library_cleanup();
        return resolver.result;
}

/* The names of an alias. */

static int tell(const Resolved *resolved, void *userdata)
{
        const Work *work = userdata;
        FwFetchLine line = {
                .present = UINT64_C(1) << FW_LINE_NAME,
                .name = (char *) (uintptr_t) resolved->name,
                .addresses = {.items = (void *) (uintptr_t) resolved->addresses, .n = resolved->n},
                .ttl = resolved->ttl,
                .text = (char *) (uintptr_t) resolved->error,
        };

        if (resolved->error)
                line.present |= UINT64_C(1) << FW_LINE_TEXT;
        else
                line.present |= UINT64_C(1) << FW_LINE_TTL;
        if (!resolved->error && resolved->n > 0)
                line.present |= UINT64_C(1) << FW_LINE_ADDRESSES;
        return work_say(work, &line);
}

int work_resolve_names(const Work *work)
{
        const PtList *names = &fw_alias_box(work->alias)->names;
        FwFetchLine end = {.present = UINT64_C(1) << FW_LINE_STATE, .state = FW_FETCH_DONE};
        int r = resolve_names(names->items, names->n, tell, (void *) (uintptr_t) work);

        if (r == -EIO)
                return work_fail(work, "there is no resolver: is /etc/resolv.conf there?");
        return r < 0 ? r : work_say(work, &end);
}
