/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include <string.h>

#define MSEC G_GINT64_CONSTANT(1000)
#define HOUR (3600 * G_GINT64_CONSTANT(1000000))

static const PtChoice algorithms[] = {
        {"round-robin", FW_BALANCE_ROUND_ROBIN, "one after the other"},
        {"random", FW_BALANCE_RANDOM, "any of them"},
        {"source-hash", FW_BALANCE_SOURCE_HASH,
         "by the client's address: a client keeps its server as long as that lives, and others "
         "keep "
         "theirs when one dies"},
        {},
};

static const PtChoice checks[] = {
        {"none", FW_CHECK_NONE, "servers count as alive"},
        {"tcp", FW_CHECK_TCP, "a connection can be made to the port"},
        {"http", FW_CHECK_HTTP, "a GET of the path is answered with the status"},
        {},
};

static const PtChoice refusals[] = {
        {"drop", FW_DROP, "discards the packet"},
        {"reject", FW_REJECT, "tells the sender: a reset for TCP, else an ICMP error"},
        {},
};

/* clang-format off */
static const PtField server_fields[] = {
        [FW_SERVER_ADDRESS] = PT_FIELD(FwServer, address_range, address, "address", PT_F_REQUIRED,
                .doc = "The server's address. All servers of a pool are of one family.",
                .example = "10.3.0.10"),
        [FW_SERVER_PORT] = PT_FIELD(FwServer, u16, port, "port", 0,
                .min = 1, .max = UINT16_MAX,
                .doc = "The port that connections get; all servers of a pool have one, or none. "
                       "Absent: the port stays.",
                .example = "8443"),
        [FW_SERVER_WEIGHT] = PT_FIELD(FwServer, u8, weight, "weight", 0,
                .min = 1, .max = FW_WEIGHT_MAX, .def = "1",
                .doc = "How many connections it gets beside those of the others.",
                .example = "3"),
        [FW_SERVER_ENABLED] = PT_FIELD(FwServer, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether it gets new connections. Those that exist go on.",
                .example = "false"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(server_fields) == FW_SERVER_ENABLED + 2);

static const PtField check_fields[] = {
        [FW_CHECK_TYPE] = PT_FIELD(FwCheck, enum, type, "type", 0,
                .choices = checks, .def = "tcp",
                .doc = "What a server must do to count as alive.",
                .example = "http"),
        [FW_CHECK_PORT] = PT_FIELD(FwCheck, u16, port, "port", 0,
                .min = 1, .max = UINT16_MAX,
                .doc = "The TCP port that is asked. Absent: the server's own.",
                .example = "8080"),
        [FW_CHECK_INTERVAL] = PT_FIELD(FwCheck, duration, interval, "interval", 0,
                .min = 100 * MSEC, .max = HOUR, .def = "5s",
                .doc = "How often each server is asked.",
                .example = "2s"),
        [FW_CHECK_TIMEOUT] = PT_FIELD(FwCheck, duration, timeout, "timeout", 0,
                .min = 10 * MSEC, .max = HOUR, .def = "2s",
                .doc = "How long an answer may take; less than the interval.",
                .example = "500ms"),
        [FW_CHECK_RISE] = PT_FIELD(FwCheck, u8, rise, "rise", 0,
                .min = 1, .max = FW_CHECK_COUNT_MAX, .def = "2",
                .doc = "After how many good answers in a row a dead server is alive again.",
                .example = "3"),
        [FW_CHECK_FALL] = PT_FIELD(FwCheck, u8, fall, "fall", 0,
                .min = 1, .max = FW_CHECK_COUNT_MAX, .def = "3",
                .doc = "After how many failures in a row a server is dead.",
                .example = "2"),
        [FW_CHECK_PATH] = PT_FIELD(FwCheck, string, path, "path", 0,
                .max = FW_CHECK_PATH_MAX, .def = "/",
                .doc = "What is asked for by http: a path, perhaps with a query.",
                .example = "/health"),
        [FW_CHECK_EXPECT] = PT_FIELD(FwCheck, u16, expect, "expect", 0,
                .min = 100, .max = 599, .def = "200",
                .doc = "The status that http must answer with.",
                .example = "204"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(check_fields) == FW_CHECK_EXPECT + 2);

static const PtField pool_fields[] = {
        [SERVER_POOL_SERVERS] = PT_STRUCTS(ServerPool, FwServer, servers, "servers", server_fields,
                PT_F_REQUIRED,
                .max_items = FW_POOL_SERVERS_MAX,
                .doc = "Who answers.",
                .example = "[{ address: 10.3.0.10, port: 8443 }]"),
        [SERVER_POOL_ALGORITHM] = PT_FIELD(ServerPool, enum, algorithm, "algorithm", 0,
                .choices = algorithms, .def = "round-robin",
                .doc = "Which server a new connection gets.",
                .example = "source-hash"),
        [SERVER_POOL_STICKY] = PT_FIELD(ServerPool, duration, sticky, "sticky", 0,
                .min = 1000 * MSEC, .max = 24 * HOUR,
                .doc = "For how long after its last new connection a client keeps its server, "
                       "whatever the algorithm says for others. Absent: it does not.",
                .example = "30m"),
        [SERVER_POOL_CHECK] = PT_STRUCT(ServerPool, FwCheck, check, "check", check_fields,
                .doc = "How servers are watched; one that is dead gets no new connections. The "
                       "router itself asks, so its rules must let it. Absent: they are not "
                       "watched.",
                .example = "{ type: http, path: /health, interval: 2s }"),
        [SERVER_POOL_FALLBACK] = PT_STRUCT(ServerPool, FwServer, fallback, "fallback",
                server_fields,
                .doc = "Who answers when no server is alive. It is not watched.",
                .example = "{ address: 10.3.0.99, port: 8080 }"),
        [SERVER_POOL_WHEN_DOWN] = PT_FIELD(ServerPool, enum, when_down, "whenDown", 0,
                .choices = refusals, .def = "reject",
                .doc = "What happens to new connections when there is nobody to answer them.",
                .example = "drop"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(pool_fields) == SERVER_POOL_WHEN_DOWN + 2);

bool fw_server_enabled(const FwServer *server)
{
        return !(server->present & 1U << FW_SERVER_ENABLED) || server->enabled;
}

unsigned fw_server_weight(const FwServer *server)
{
        return server->present & 1U << FW_SERVER_WEIGHT ? server->weight : 1;
}

FwCheckSpec fw_pool_check(const ServerPool *pool)
{
        const FwCheck *check = &pool->check;
        uint64_t has = check->present;

        return (FwCheckSpec){
                .type = !pt_object_has(&pool->object, SERVER_POOL_CHECK) ? FW_CHECK_NONE
                        : has & 1U << FW_CHECK_TYPE                      ? (FwCheckType) check->type
                                                                         : FW_CHECK_TCP,
                .port = has & 1U << FW_CHECK_PORT ? check->port : 0,
                .interval_usec = has & 1U << FW_CHECK_INTERVAL ? check->interval : 5 * 1000 * 1000,
                .timeout_usec = has & 1U << FW_CHECK_TIMEOUT ? check->timeout : 2 * 1000 * 1000,
                .rise = has & 1U << FW_CHECK_RISE ? check->rise : 2,
                .fall = has & 1U << FW_CHECK_FALL ? check->fall : 3,
                .path = has & 1U << FW_CHECK_PATH ? check->path : "/",
                .expect = has & 1U << FW_CHECK_EXPECT ? check->expect : 200,
        };
}

const FwServer *fw_pool_fallback(const ServerPool *pool)
{
        return pt_object_has(&pool->object, SERVER_POOL_FALLBACK) ? &pool->fallback : NULL;
}

int fw_pool_family(const ServerPool *pool)
{
        return ((const FwServer *) pool->servers.items)->address.family;
}

bool fw_pool_has_ports(const ServerPool *pool)
{
        return ((const FwServer *) pool->servers.items)->present & 1U << FW_SERVER_PORT;
}

bool fw_pool_answers(const ServerPool *pool)
{
        const FwServer *servers = pool->servers.items;

        for (unsigned i = 0; i < pool->servers.n; i++)
                if (fw_server_enabled(&servers[i]))
                        return true;
        return fw_pool_fallback(pool) != NULL;
}

FwAction fw_pool_when_down(const ServerPool *pool)
{
        return pt_object_has(&pool->object, SERVER_POOL_WHEN_DOWN) ? (FwAction) pool->when_down
                                                                   : FW_REJECT;
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *text)
{
        pt_diag_error(diag, code, pointer, "%s", text);
        return -EINVAL;
}

/* Like the first one: of one family, with a port or without. */
static int check_server(const ServerPool *pool, const FwServer *server, const char *pointer,
                        PtDiagnostics *diag)
{
        const FwServer *first = pool->servers.items;
        g_autofree char *address = g_strconcat(pointer, "/address", NULL),
                        *port = g_strconcat(pointer, "/port", NULL);
        int r = 0;

        if (memcmp(server->address.lo, server->address.hi, sizeof(server->address.lo)) != 0)
                r = refuse(diag, "one-address", address,
                           "a server has one address: address: 10.3.0.10");
        if (server->address.family != first->address.family)
                r = refuse(diag, "mixed-families", address,
                           "the servers of a pool are all IPv4 or all IPv6; make a pool for each");
        if ((server->present ^ first->present) & 1U << FW_SERVER_PORT)
                r = refuse(diag, "mixed-ports", port,
                           "either all servers of a pool have a port, or none has one");
        return r;
}

static bool same_server(const FwServer *a, const FwServer *b)
{
        return a->port == b->port &&
               memcmp(a->address.lo, b->address.lo, sizeof(a->address.lo)) == 0;
}

static int check_servers(const ServerPool *pool, PtDiagnostics *diag)
{
        const FwServer *servers = pool->servers.items;
        unsigned weights = 0;
        int r = 0;

        if (pool->servers.n == 0)
                return refuse(diag, "no-servers", "/spec/servers",
                              "a pool has at least one server: servers: [{ address: 10.3.0.10 }]");
        for (unsigned i = 0; i < pool->servers.n; i++) {
                g_autofree char *pointer = g_strdup_printf("/spec/servers/%u", i);

                weights += fw_server_weight(&servers[i]);
                if (check_server(pool, &servers[i], pointer, diag) < 0)
                        r = -EINVAL;
                for (unsigned k = 0; k < i; k++)
                        if (same_server(&servers[i], &servers[k]))
                                r = refuse(diag, "twice", pointer,
                                           "this server is in the pool already; give it a weight");
        }
        if (weights > FW_POOL_WEIGHTS_MAX) {
                pt_diag_error(diag, "too-heavy", "/spec/servers",
                              "the weights are %u together, more than %d; only their ratio counts",
                              weights, FW_POOL_WEIGHTS_MAX);
                r = -EINVAL;
        }
        return r;
}

static int check_fallback(const ServerPool *pool, PtDiagnostics *diag)
{
        const FwServer *fallback = fw_pool_fallback(pool), *servers = pool->servers.items;
        int r;

        if (!fallback)
                return 0;
        r = check_server(pool, fallback, "/spec/fallback", diag);
        if (fallback->present & (1U << FW_SERVER_WEIGHT | 1U << FW_SERVER_ENABLED))
                r = refuse(diag, "alone", "/spec/fallback",
                           "who answers alone needs an address and a port, and nothing else");
        for (unsigned i = 0; i < pool->servers.n; i++)
                if (same_server(fallback, &servers[i]))
                        r = refuse(diag, "twice", "/spec/fallback",
                                   "this server is in the pool already; name another one");
        return r;
}

static int check_check(const ServerPool *pool, PtDiagnostics *diag)
{
        FwCheckSpec check = fw_pool_check(pool);
        int r = 0;

        if (check.type == FW_CHECK_NONE)
                return 0;
        if (check.port == 0 && !fw_pool_has_ports(pool))
                r = refuse(diag, "needs-port", "/spec/check/port",
                           "the servers have no port, so say which one is asked: port: 443");
        if (check.timeout_usec >= check.interval_usec)
                r = refuse(
                        diag, "too-slow", "/spec/check/timeout",
                        "an answer must come before the next is due; make the timeout shorter than "
                        "the interval");
        if (check.type != FW_CHECK_HTTP &&
            pool->check.present & (1U << FW_CHECK_PATH | 1U << FW_CHECK_EXPECT))
                r = refuse(diag, "needs-http", "/spec/check",
                           "a path and a status are of http: type: http");
        if (check.path[0] != '/')
                r = refuse(diag, "no-path", "/spec/check/path", "a path begins with /: /health");
        for (const char *p = check.path; *p; p++)
                if (!g_ascii_isgraph(*p)) {
                        r = refuse(diag, "no-path", "/spec/check/path",
                                   "a path has no blanks and only ASCII; write others as %XX");
                        break;
                }
        return r;
}

static int pool_check(const PtObject *object, PtDiagnostics *diag)
{
        const ServerPool *pool = (const ServerPool *) object;
        int r = check_servers(pool, diag);

        if (pool->servers.n == 0)
                return r;
        if (check_fallback(pool, diag) < 0 || check_check(pool, diag) < 0)
                r = -EINVAL;
        if (pt_object_has(object, SERVER_POOL_STICKY) && pool->algorithm == FW_BALANCE_SOURCE_HASH)
                r = refuse(diag, "two-ways", "/spec/sticky",
                           "a client keeps its server by its address already; remove one");
        return r;
}

const PtKind pt_kind_server_pool = {
        .name = "ServerPool",
        .api_version = "patronus.firewall/v1",
        .plural = "serverpools",
        .doc = "Several servers that answer for one, for a NatRule of the type forward: new "
               "connections are spread among those that are alive; connections that exist stay "
               "where they are.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: ServerPool\n"
                   "metadata:\n"
                   "  name: web\n"
                   "spec:\n"
                   "  servers:\n"
                   "    - { address: 10.3.0.10, port: 8443, weight: 2 }\n"
                   "    - { address: 10.3.0.11, port: 8443 }\n"
                   "  check: { type: tcp, interval: 2s, timeout: 1s }\n",
        .size = sizeof(ServerPool),
        .fields = pool_fields,
        .passive = true,
        .check = pool_check,
};
