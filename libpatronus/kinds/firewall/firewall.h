/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The C shape of the firewall's kinds. Engines read these structs; the tables beside this file fill
 * them. */

#include "kinds/firewall/alias.h"

typedef enum FwAction {
        FW_ALLOW,
        FW_DROP,
        FW_REJECT,
        FW_CONTINUE, /* of rules only: counts, logs, sets, and leaves the decision to others */
        FW_ACTION_MAX,
        FW_ACTION_INVALID = -EINVAL,
} FwAction;

#define FW_ZONE_ROUTER "router" /* the machine itself; reserved */
#define FW_ZONE_ANY "any"       /* reserved */
/* Packets of no zone, which are dropped; no zone has the name. */
#define FW_ZONE_UNASSIGNED "unassigned"

/* Bits of Zone.object.present. */
enum { ZONE_INTERFACES, ZONE_SOURCES, ZONE_INPUT, ZONE_FORWARD, ZONE_OUTPUT, ZONE_MASQUERADE };

typedef struct Zone {
        PtObject object;
        PtList interfaces; /* char *: names, or globs that end in "*"; a set */
        PtList sources;    /* PtAddressRange, prefixes only; a set */
        /* FwAction for what no rule matched; absent: what FilterSettings say. */
        int input;       /* from the zone to the router */
        int forward;     /* from the zone to any zone */
        int output;      /* from the router to the zone */
        bool masquerade; /* IPv4 that leaves by the zone gets the interface's address */
} Zone;

/* Bits of FwExcept.present. */
enum { FW_EXCEPT_ADDRESSES, FW_EXCEPT_ALIASES, FW_EXCEPT_PORTS, FW_EXCEPT_PORT_ALIASES };

/* What an endpoint must not be; each member excludes for itself. */
typedef struct FwExcept {
        uint64_t present;
        PtList addresses;    /* PtAddressRange; a set */
        PtList aliases;      /* char *: Alias of type host or network; a set */
        PtList ports;        /* PtPortRange; a set */
        PtList port_aliases; /* char *: Alias of type port; a set */
} FwExcept;

/* What few endpoints have. */
typedef struct FwEndpointBox {
        PtList aliases;      /* char *: Alias of type host or network; a set */
        PtList port_aliases; /* char *: Alias of type port; a set */
        PtList macs;         /* PtMac; a set; of sources only */
        PtList mac_aliases;  /* char *: Alias of type mac; a set; of sources only */
        FwExcept except;
} FwEndpointBox;

/* Bits of FwEndpoint.present. */
enum {
        FW_ENDPOINT_ADDRESSES,
        FW_ENDPOINT_PORTS,
        FW_ENDPOINT_ALIASES,
        FW_ENDPOINT_PORT_ALIASES,
        FW_ENDPOINT_MACS,
        FW_ENDPOINT_MAC_ALIASES,
        FW_ENDPOINT_EXCEPT,
};

/* The packet's address must be in one of `addresses` or `aliases`, if there are any of either; its
 * port in one of `ports` or `port_aliases`; its MAC in one of `macs` or `mac_aliases`; none of them
 * in what `except` names. */
typedef struct FwEndpoint {
        uint64_t present;
        PtList addresses; /* PtAddressRange: addresses, prefixes and ranges of one family; a set */
        PtList ports;     /* PtPortRange; a set */
        FwEndpointBox *box; /* NULL: nothing of it; see fw_endpoint_box() */
} FwEndpoint;

/* Bits of FirewallRule.object.present. */
enum {
        FW_RULE_ACTION,
        FW_RULE_ENABLED,
        FW_RULE_PRIORITY,
        FW_RULE_FROM,
        FW_RULE_TO,
        FW_RULE_FAMILY,
        FW_RULE_PROTOCOL,
        FW_RULE_SOURCE,
        FW_RULE_DESTINATION,
        FW_RULE_DSCP,
        FW_RULE_SERVICES,
        FW_RULE_ICMP_TYPES,
        FW_RULE_MARK,
        FW_RULE_STATES,
        FW_RULE_HELPER,
        FW_RULE_LOG,
        FW_RULE_LOG_RATE,
        FW_RULE_REJECT_WITH,
        FW_RULE_TCP_FLAGS,
        FW_RULE_LENGTH,
        FW_RULE_INTERFACES,
        FW_RULE_SCHEDULE,
        FW_RULE_FLOATING,
        FW_RULE_QUICK,
        FW_RULE_DIRECTION,
        FW_RULE_GROUP,
        FW_RULE_MODE,
        FW_RULE_SET_MARK,
        FW_RULE_SET_DSCP,
        FW_RULE_LIMITS,
        FW_RULE_ADD_SOURCE,
        FW_RULE_ADD_DESTINATION,
        FW_RULE_SET_TAG,
        FW_RULE_TAGGED,
        FW_RULE_FRAGMENTS,
        FW_RULE_END_CONNECTIONS,
        FW_RULE_SYN_PROXY,
};

#define FW_PRIORITY_DEFAULT 32768

/* Ways in which the aliases of one rule may come together: each is a rule in the kernel. */
#define FW_ALIAS_COMBINATIONS_MAX 64

typedef enum FwState { /* of the connection that a packet belongs to */
                       FW_STATE_NEW,
                       FW_STATE_RELATED, /* an expectation of a helper; ICMP errors pass without a rule */
                       FW_STATE_INVALID,
                       FW_STATE_UNTRACKED,
                       FW_STATE_MAX,
} FwState;

/* What follows a protocol's second connections. */
typedef enum FwHelper {
        FW_HELPER_AMANDA,
        FW_HELPER_FTP,
        FW_HELPER_H323,
        FW_HELPER_IRC,
        FW_HELPER_NETBIOS_NS,
        FW_HELPER_PPTP,
        FW_HELPER_SANE,
        FW_HELPER_SIP,
        FW_HELPER_SNMP,
        FW_HELPER_TFTP,
        FW_HELPER_MAX,
        FW_HELPER_INVALID = -EINVAL,
} FwHelper;

extern const PtChoice fw_helpers[];
/* What the kernel calls it (struct nf_conntrack_helper.name), and for which protocols it has one. */
const char *fw_helper_kernel_name(FwHelper helper);
bool fw_helper_has_protocol(FwHelper helper, int protocol);

/* How a packet is refused. */
typedef enum FwRejectWith {
        FW_REJECT_DEFAULT, /* a reset for TCP, else admin-prohibited */
        FW_REJECT_TCP_RESET,
        FW_REJECT_PORT_UNREACHABLE,
        FW_REJECT_HOST_UNREACHABLE,
        FW_REJECT_NET_UNREACHABLE,
        FW_REJECT_ADMIN_PROHIBITED,
        FW_REJECT_NO_ROUTE,
        FW_REJECT_WITH_MAX,
        FW_REJECT_WITH_INVALID = -EINVAL,
} FwRejectWith;

typedef enum FwRuleMode {
        FW_MODE_ENFORCE, /* the default */
        FW_MODE_AUDIT,   /* counts and logs, and does nothing else */
        FW_MODE_MAX,
        FW_MODE_INVALID = -EINVAL,
} FwRuleMode;

/* Which way a floating rule looks. */
typedef enum FwDirection {
        FW_DIRECTION_ANY, /* the default */
        FW_DIRECTION_IN,  /* what arrives by an interface */
        FW_DIRECTION_OUT, /* what leaves by one */
        FW_DIRECTION_MAX,
        FW_DIRECTION_INVALID = -EINVAL,
} FwDirection;

/* Where a rule stands in the order of evaluation. */
typedef enum FwRulePlace {
        FW_PLACE_FRAGMENTS, /* about fragments: before all others, and before all else */
        FW_PLACE_QUICK,     /* floating: before all rules of zones */
        FW_PLACE_ZONES,
        FW_PLACE_LATE, /* floating and not quick: after them, the last one first */
        FW_PLACE_MAX,
        FW_PLACE_INVALID = -EINVAL,
} FwRulePlace;

/* Bits of FwTcpFlags.present. */
enum { FW_TCP_FLAGS_SET, FW_TCP_FLAGS_CLEAR };

typedef struct FwTcpFlags {
        uint64_t present;
        PtList set, clear; /* int: bits of the header's byte (RFC 9293 3.1); sets */
} FwTcpFlags;

/* Bits of FwLimits.present. */
enum {
        FW_LIMIT_CONNECTIONS,
        FW_LIMIT_CONNECTIONS_PER_SOURCE,
        FW_LIMIT_RATE,
        FW_LIMIT_RATE_PER_SOURCE,
        FW_LIMIT_BURST,
        FW_LIMIT_OVERLOAD,
        FW_LIMIT_OVERLOAD_FOR,
};

/* The kernel looks at each connection that a limit counts when a new one comes. */
#define FW_LIMIT_CONNECTIONS_MAX 65535

/* How much a rule lets pass; what is beyond is dropped. */
typedef struct FwLimits {
        uint64_t present;
        uint32_t connections, connections_per_source; /* that exist at one time */
        PtRate rate, rate_per_source;                 /* of new ones */
        uint32_t burst;                               /* of both rates; default FW_BURST_DEFAULT */
        char *overload;        /* Alias: gets the sources of what exceeds one per source; or NULL */
        uint64_t overload_for; /* microseconds; absent: as the alias says */
} FwLimits;

#define FW_BURST_DEFAULT 5 /* but no more than the rate says at all */

/* As of a ban: 366 days. */
#define FW_ADD_TIMEOUT_MAX (INT64_C(366) * 86400 * G_USEC_PER_SEC)

/* Bits of FwAdd.present. */
enum { FW_ADD_ALIAS, FW_ADD_TIMEOUT };

/* Puts an address of the packet into an external alias. */
typedef struct FwAdd {
        uint64_t present;
        char *alias;
        uint64_t timeout; /* microseconds; absent: as the alias says */
} FwAdd;

/* What few rules have. */
typedef struct FwRuleBox {
        PtList services;   /* char *: Service; a set */
        PtList icmp_types; /* PtIcmpType; a set */
        PtList states;     /* int: FwState; a set */
        PtMarkMatch mark;
        PtRate log_rate;
        int helper; /* FwHelper */
        bool log;
        char *schedule;  /* Schedule, or NULL: always */
        int reject_with; /* FwRejectWith; absent is FW_REJECT_DEFAULT */
        FwTcpFlags tcp_flags;
        PtList lengths;       /* PtPortRange: bytes of the IP packet; a set */
        PtList interfaces;    /* char *: names, or globs that end in "*"; a set */
        bool floating;        /* default false */
        bool quick;           /* of floating ones; default true */
        int direction;        /* FwDirection; of floating ones */
        char *group;          /* RuleGroup, or NULL */
        int mode;             /* FwRuleMode */
        PtMarkMatch set_mark; /* bits of PT_MARK_RULES (base/marks.h), if present */
        uint8_t set_dscp;     /* if present */
        FwLimits limits;
        FwAdd add_source, add_destination;
        char *set_tag; /* or NULL */
        PtList tagged; /* char *: tags; a set */
        bool fragments;
        bool end_connections; /* with the window of the schedule; default false */
        bool syn_proxy;
} FwRuleBox;

#define FW_LOG_RATE_DEFAULT ((PtRate){10, 1})

typedef struct FirewallRule {
        PtObject object;
        int action;        /* FwAction */
        bool enabled;      /* default true */
        uint8_t dscp;      /* if present */
        uint16_t priority; /* 0-65535, lower first; default FW_PRIORITY_DEFAULT */
        char *from;        /* zone name, "router", "any", or NULL: any zone */
        char *to;          /* zone name, "router", "any", or NULL: any zone and the router */
        int family;        /* AF_INET, AF_INET6 or 0: both (or what the addresses say) */
        int protocol;      /* if present; see fw_rule_protocol() */
        FwEndpoint source;
        FwEndpoint destination;
        FwRuleBox *box; /* NULL: nothing of it; see fw_rule_box() */
} FirewallRule;

typedef enum FwNatType {
        FW_NAT_MASQUERADE,
        FW_NAT_SOURCE,
        FW_NAT_FORWARD,
        FW_NAT_ONE_TO_ONE,
        FW_NAT_PREFIX,
        FW_NAT_REDIRECT,
        FW_NAT_TYPE_MAX,
        FW_NAT_TYPE_INVALID = -EINVAL,
} FwNatType;

typedef enum FwNatFilter {
        FW_NAT_FILTER_AUTO,
        FW_NAT_FILTER_NONE,
        FW_NAT_FILTER_MAX,
        FW_NAT_FILTER_INVALID = -EINVAL,
} FwNatFilter;

/* Bits of FwTranslation.present. */
enum { FW_TRANSLATION_ADDRESSES, FW_TRANSLATION_PORTS, FW_TRANSLATION_PERSISTENT };

typedef struct FwTranslation {
        uint64_t present;
        PtList addresses; /* PtAddressRange; a set */
        PtList ports;     /* PtPortRange; at most one */
        bool persistent;  /* default true */
} FwTranslation;

/* Bits of NatRule.object.present. */
enum {
        NAT_RULE_TYPE,
        NAT_RULE_ENABLED,
        NAT_RULE_PRIORITY,
        NAT_RULE_ZONE,
        NAT_RULE_FAMILY,
        NAT_RULE_PROTOCOL,
        NAT_RULE_SOURCE,
        NAT_RULE_DESTINATION,
        NAT_RULE_TRANSLATION,
        NAT_RULE_FILTER,
        NAT_RULE_FILTER_RULE,
        NAT_RULE_REFLECTION,
        NAT_RULE_SERVICES,
        NAT_RULE_POOL,
        NAT_RULE_SOURCE_LIMIT,
};

typedef struct NatRule {
        PtObject object;
        int type;          /* FwNatType */
        bool enabled;      /* default true */
        uint16_t priority; /* as of FirewallRule */
        char *zone;        /* the outside; or "any" */
        int family;
        int protocol;
        FwEndpoint source;
        FwEndpoint destination;
        FwTranslation translation;
        int filter;        /* FwNatFilter; see fw_nat_filter() */
        char *filter_rule; /* FirewallRule, or NULL */
        bool reflection;   /* of forwards; default: what NatSettings say */
        char *pool;        /* ServerPool, in place of the translation; or NULL */
        PtList services; /* char *: Service; a set; in place of protocol and destination's ports */
        uint32_t source_limit; /* connections of one source; if present */
} NatRule;

extern const PtKind pt_kind_nat_rule;

bool fw_nat_enabled(const NatRule *rule);
unsigned fw_nat_priority(const NatRule *rule);
/* As fw_rule_protocol() and fw_rule_family(); the family may also follow from the translation. */
int fw_nat_protocol(const NatRule *rule);
int fw_nat_family(const NatRule *rule);
/* auto for FW_NAT_FORWARD and FW_NAT_REDIRECT unless said otherwise, none with a filterRule and for
 * all others. */
FwNatFilter fw_nat_filter(const NatRule *rule);
int fw_nat_compare_order(const NatRule *a, const NatRule *b);

#define FW_POOL_SERVERS_MAX 64 /* a pool's chain asks for each, when clients keep their servers */
#define FW_WEIGHT_MAX 100
#define FW_POOL_WEIGHTS_MAX 1024 /* each is an element in the kernel */
#define FW_CHECK_COUNT_MAX 20
#define FW_CHECK_PATH_MAX 512

typedef enum FwBalance {
        FW_BALANCE_ROUND_ROBIN,
        FW_BALANCE_RANDOM,
        FW_BALANCE_SOURCE_HASH,
        FW_BALANCE_MAX,
        FW_BALANCE_INVALID = -EINVAL,
} FwBalance;

typedef enum FwCheckType {
        FW_CHECK_NONE,
        FW_CHECK_TCP,
        FW_CHECK_HTTP,
        FW_CHECK_TYPE_MAX,
        FW_CHECK_TYPE_INVALID = -EINVAL,
} FwCheckType;

/* Bits of FwServer.present. */
enum { FW_SERVER_ADDRESS, FW_SERVER_PORT, FW_SERVER_WEIGHT, FW_SERVER_ENABLED };

typedef struct FwServer {
        uint64_t present;
        PtAddressRange address; /* one address */
        uint16_t port;          /* if present */
        uint8_t weight;
        bool enabled; /* default true */
} FwServer;

/* Bits of FwCheck.present. */
enum {
        FW_CHECK_TYPE,
        FW_CHECK_PORT,
        FW_CHECK_INTERVAL,
        FW_CHECK_TIMEOUT,
        FW_CHECK_RISE,
        FW_CHECK_FALL,
        FW_CHECK_PATH,
        FW_CHECK_EXPECT,
};

typedef struct FwCheck {
        uint64_t present;
        int type; /* FwCheckType */
        uint16_t port, expect;
        uint8_t rise, fall;
        uint64_t interval, timeout; /* microseconds */
        char *path;
} FwCheck;

/* Bits of ServerPool.object.present. */
enum {
        SERVER_POOL_SERVERS,
        SERVER_POOL_ALGORITHM,
        SERVER_POOL_STICKY,
        SERVER_POOL_CHECK,
        SERVER_POOL_FALLBACK,
        SERVER_POOL_WHEN_DOWN,
};

typedef struct ServerPool {
        PtObject object;
        PtList servers;  /* FwServer, as written; at least one */
        int algorithm;   /* FwBalance; default FW_BALANCE_ROUND_ROBIN */
        uint64_t sticky; /* microseconds; 0: no */
        FwCheck check;
        FwServer fallback;
        int when_down; /* FwAction */
} ServerPool;

extern const PtKind pt_kind_server_pool;

bool fw_server_enabled(const FwServer *server);
unsigned fw_server_weight(const FwServer *server);
/* A pool's check with defaults filled in. */
typedef struct FwCheckSpec {
        FwCheckType type;
        uint16_t port; /* 0: the server's own */
        uint16_t expect;
        unsigned rise, fall;
        uint64_t interval_usec, timeout_usec;
        const char *path; /* the pool's */
} FwCheckSpec;
FwCheckSpec fw_pool_check(const ServerPool *pool);
const FwServer *fw_pool_fallback(const ServerPool *pool); /* NULL: none */
int fw_pool_family(const ServerPool *pool);               /* AF_INET or AF_INET6 */
bool fw_pool_has_ports(const ServerPool *pool);
bool fw_pool_answers(const ServerPool *pool); /* has a server that is not disabled, or a fallback */
FwAction fw_pool_when_down(const ServerPool *pool);

/* What translates the sources of connections that leave. */
typedef enum FwOutbound {
        FW_OUTBOUND_AUTOMATIC, /* Zone.masquerade */
        FW_OUTBOUND_HYBRID,    /* NAT rules, then Zone.masquerade */
        FW_OUTBOUND_MANUAL,    /* NAT rules */
        FW_OUTBOUND_OFF,
        FW_OUTBOUND_MAX,
        FW_OUTBOUND_INVALID = -EINVAL,
} FwOutbound;

/* Bits of NatSettings.object.present. */
enum { NAT_SETTINGS_OUTBOUND, NAT_SETTINGS_REFLECTION };

/* The one object of it, "default", may be absent: then all is as the defaults say. */
typedef struct NatSettings {
        PtObject object;
        int outbound; /* FwOutbound */
        bool reflection;
} NatSettings;

extern const PtKind pt_kind_nat_settings;

/* Both take NULL: no settings. */
FwOutbound fw_nat_settings_outbound(const NatSettings *settings);
bool fw_nat_settings_reflection(const NatSettings *settings);

/* Bits of Service.object.present. */
enum { SERVICE_TCP, SERVICE_UDP, SERVICE_SCTP, SERVICE_PROTOCOLS, SERVICE_HELPER };

typedef struct Service {
        PtObject object;
        PtList tcp, udp, sctp; /* PtPortRange; sets */
        PtList protocols;      /* int: IPPROTO_*, whatever the ports; a set */
        int helper;            /* FwHelper, if present */
} Service;

extern const PtKind pt_kind_service;

/* Bits of RuleGroup.object.present. */
enum { RULE_GROUP_ENABLED };

typedef struct RuleGroup {
        PtObject object;
        bool enabled; /* default true */
} RuleGroup;

extern const PtKind pt_kind_rule_group;
bool fw_group_enabled(const RuleGroup *group);

typedef enum FwDay { /* ISO 8601: the week begins with Monday */
                     FW_MONDAY,
                     FW_TUESDAY,
                     FW_WEDNESDAY,
                     FW_THURSDAY,
                     FW_FRIDAY,
                     FW_SATURDAY,
                     FW_SUNDAY,
                     FW_DAY_MAX,
                     FW_DAY_INVALID = -EINVAL,
} FwDay;

/* What filterd looks at for each day when it looks ahead; more is a calendar and not a schedule. */
#define FW_SCHEDULE_WINDOWS_MAX 64
#define FW_SCHEDULE_DATES_MAX 512
/* The longest name of the IANA database has 32 bytes. */
#define FW_TIME_ZONE_MAX 64

/* Bits of FwWindow.present. */
enum { FW_WINDOW_DAYS, FW_WINDOW_START, FW_WINDOW_END, FW_WINDOW_DATES };

typedef struct FwWindow {
        uint64_t present;
        PtList days;       /* int: FwDay; a set */
        PtList dates;      /* PtDates; a set */
        PtTime start, end; /* default both 00:00 */
} FwWindow;

/* Bits of Schedule.object.present. */
enum { SCHEDULE_TIME_ZONE, SCHEDULE_WINDOWS, SCHEDULE_EXCEPT };

typedef struct Schedule {
        PtObject object;
        char *time_zone; /* or NULL: the machine's */
        PtList windows;  /* FwWindow */
        PtList except;   /* PtDates; a set */
} Schedule;

extern const PtKind pt_kind_schedule;

/* Bits of PolicyTest.object.present. */
enum {
        POLICY_TEST_FROM,
        POLICY_TEST_TO,
        POLICY_TEST_SOURCE,
        POLICY_TEST_DESTINATION,
        POLICY_TEST_PROTOCOL,
        POLICY_TEST_SOURCE_PORT,
        POLICY_TEST_DESTINATION_PORT,
        POLICY_TEST_ICMP_TYPE,
        POLICY_TEST_EXPECT,
        POLICY_TEST_EXPECT_RULE,
        POLICY_TEST_EXPECT_DESTINATION,
        POLICY_TEST_EXPECT_DESTINATION_PORT,
        POLICY_TEST_EXPECT_SOURCE,
        POLICY_TEST_AT,
};

/* A packet, the first of a new connection, and what must become of it. */
typedef struct PolicyTest {
        PtObject object;
        char *from, *to;                    /* zones or "router"; `to` may be NULL */
        PtAddressRange source, destination; /* single addresses */
        int protocol;                       /* see fw_test_protocol() */
        uint16_t source_port, destination_port;
        PtIcmpType icmp_type;
        int expect; /* FwAction */
        char *expect_rule;
        PtAddressRange expect_destination, expect_source;
        uint16_t expect_destination_port;
        PtMoment at;
} PolicyTest;

extern const PtKind pt_kind_policy_test;
int fw_test_protocol(const PolicyTest *test);

/* Bits of FwLockout.present. */
enum { FW_LOCKOUT_INTERFACES, FW_LOCKOUT_SOURCES, FW_LOCKOUT_PORTS };

typedef struct FwLockout {
        uint64_t present;
        PtList interfaces; /* char *: names or globs; a set */
        PtList sources;    /* PtAddressRange; a set */
        PtList ports;      /* PtPortRange of TCP; default 22, 80, 443 */
} FwLockout;

/* Bits of FilterSettings.object.present. */
enum {
        SETTINGS_INPUT,
        SETTINGS_FORWARD,
        SETTINGS_OUTPUT,
        SETTINGS_LOG_DEFAULT,
        SETTINGS_LOG_INVALID,
        SETTINGS_LOG_RATE,
        SETTINGS_INVALID,
        SETTINGS_ANTI_LOCKOUT,
        SETTINGS_ANTISPOOF,
        SETTINGS_BLOCK_BOGONS,
        SETTINGS_BLOCK_PRIVATE,
        SETTINGS_HELPERS,
        SETTINGS_GEOIP_DATABASE,
        SETTINGS_ASN_DATABASE,
        SETTINGS_REVOKE,
        SETTINGS_TRUST_CLOCK,
};

/* Where Debian's geoipupdate puts what it fetches. */
#define FW_GEOIP_DATABASE "/var/lib/GeoIP/GeoLite2-Country.mmdb"
#define FW_ASN_DATABASE "/var/lib/GeoIP/GeoLite2-ASN.mmdb"
#define FW_PATH_MAX 1024

/* The one object of it, "default", may be absent: then all is as the defaults say. */
typedef struct FilterSettings {
        PtObject object;
        int input, forward,
                output;   /* FwAction: what zones do that do not say; see fw_settings_*() */
        bool log_default; /* log what no rule matched; default false */
        bool log_invalid; /* default false */
        PtRate log_rate;  /* of both; default FW_LOG_RATE_DEFAULT */
        int invalid;      /* FwAction: FW_ALLOW or FW_DROP, the default */
        FwLockout anti_lockout;
        PtList antispoof;     /* char *: Zone; a set */
        PtList block_bogons;  /* char *: Zone; a set */
        PtList block_private; /* char *: Zone; a set */
        PtList helpers;       /* int: FwHelper, those that rules may name; absent: all */
        char *geoip_database; /* path; see fw_settings_geoip_database() */
        char *asn_database;   /* path */
        bool revoke;          /* a commit ends what it does not allow any more; default true */
        bool trust_clock;     /* default false */
} FilterSettings;

extern const PtKind pt_kind_filter_settings;

/* All take NULL: no settings. */
FwAction fw_settings_input(const FilterSettings *settings);
FwAction fw_settings_forward(const FilterSettings *settings);
FwAction fw_settings_output(const FilterSettings *settings);
FwAction fw_settings_invalid(const FilterSettings *settings);
bool fw_settings_revoke(const FilterSettings *settings);
PtRate fw_settings_log_rate(const FilterSettings *settings);
const char *fw_settings_geoip_database(const FilterSettings *settings);
const char *fw_settings_asn_database(const FilterSettings *settings);
bool fw_settings_helper(const FilterSettings *settings, FwHelper helper); /* may be named */
bool fw_settings_trust_clock(const FilterSettings *settings);

/* A box with nothing in it when the endpoint or the rule has none, so that its lists can be read
 * without asking. */
const FwEndpointBox *fw_endpoint_box(const FwEndpoint *endpoint);
const FwRuleBox *fw_rule_box(const FirewallRule *rule);
bool fw_protocol_has_ports(int protocol);
bool fw_endpoint_has_ports(const FwEndpoint *endpoint); /* says something of ports */

extern const PtChoice fw_actions[];
extern const PtKind pt_kind_zone;
extern const PtKind pt_kind_firewall_rule;

/* What the rule says with defaults filled in. Whether its group is enabled is not in it: see
 * fw_rule_in_force() (filter/effective.h). */
bool fw_rule_enabled(const FirewallRule *rule);
unsigned fw_rule_priority(const FirewallRule *rule);
/* IPPROTO_*, or -1: any, or what the services say; ports without a protocol mean TCP and UDP. */
int fw_rule_protocol(const FirewallRule *rule);
int fw_rule_family(const FirewallRule *rule); /* AF_INET, AF_INET6, or AF_UNSPEC for both */
/* The bits of a list of TCP flags. */
uint8_t fw_tcp_flag_bits(const PtList *flags);
/* Whether its interfaces may be those that packets come by, and those that they leave by. */
bool fw_rule_looks_in(const FirewallRule *rule);
bool fw_rule_looks_out(const FirewallRule *rule);
bool fw_rule_floating(const FirewallRule *rule);
bool fw_rule_fragments(const FirewallRule *rule);
bool fw_rule_ends_connections(const FirewallRule *rule);
/* Whether the router shakes hands before the server does: false in audit mode. */
bool fw_rule_proxies(const FirewallRule *rule);
FwRulePlace fw_rule_place(const FirewallRule *rule);
/* Whether what it matches goes no further: false for `continue` and in audit mode. */
bool fw_rule_decides(const FirewallRule *rule);
/* One in audit mode logs unless it says that it does not. */
bool fw_rule_logs(const FirewallRule *rule);
/* Whether it does something to connections beside its verdict, in force as it is. */
bool fw_rule_sets_mark(const FirewallRule *rule);
bool fw_rule_sets_dscp(const FirewallRule *rule);
bool fw_rule_sets_tag(const FirewallRule *rule);
/* What is unusual about it, for lists: "floating late, audit, group guests"; NULL: nothing. The
 * caller's. */
char *fw_rule_notes(const FirewallRule *rule);
/* -1, 0, 1: the order of evaluation: place, then priority, then position, then name by bytes; those
 * three backwards in FW_PLACE_LATE. */
int fw_rule_compare_order(const FirewallRule *a, const FirewallRule *b);
/* Whether it lets pass no more than so much, and whether it puts addresses into aliases. */
bool fw_rule_limits(const FirewallRule *rule);
bool fw_rule_adds(const FirewallRule *rule);

#define FW_NAT64_MAX 16 /* each is a process, and an interface */
#define FW_NAT64_HOSTS_MAX 256

/* Bits of FwNat64Host.present. */
enum { FW_NAT64_HOST_IPV4, FW_NAT64_HOST_IPV6 };

typedef struct FwNat64Host {
        uint64_t present;
        PtAddressRange ipv4, ipv6; /* one address each */
} FwNat64Host;

/* Bits of Nat64.object.present. */
enum {
        NAT64_ENABLED,
        NAT64_PREFIX,
        NAT64_POOL,
        NAT64_INTERFACE,
        NAT64_MTU,
        NAT64_HOSTS,
};

typedef struct Nat64 {
        PtObject object;
        bool enabled;
        uint16_t mtu;
        PtAddressRange prefix, pool;
        char *interface;
        PtList hosts; /* FwNat64Host, as written */
} Nat64;

extern const PtKind pt_kind_nat64;

/* With defaults filled in. */
bool fw_nat64_enabled(const Nat64 *nat64);
PtAddressRange fw_nat64_prefix(const Nat64 *nat64);
const char *fw_nat64_interface(const Nat64 *nat64); /* the object's, or a constant */
unsigned fw_nat64_mtu(const Nat64 *nat64);
