/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One connection of the kernel's table: from the bytes of ctnetlink, and to JSON. The table may
 * have hundreds of thousands, so both ways cost well below a microsecond, and the struct is also
 * how they travel: a page with format "packed" is an array of it (docs/DBUS.md), in the byte order
 * of the machine, which both ends share.
 */

#include "base/macros.h"
#include "kind/kind.h"

struct nlmsghdr;

/* The states of all protocols that have any (uapi/linux/netfilter/nf_conntrack_tcp.h,
 * nf_conntrack_sctp.h, net/netfilter/nf_conntrack_proto_dccp.c). */
typedef enum PtConnectionState {
        PT_CONNECTION_STATELESS, /* UDP, ICMP and the like */
        PT_CONNECTION_NONE,
        PT_CONNECTION_SYN_SENT,
        PT_CONNECTION_SYN_RECV,
        PT_CONNECTION_ESTABLISHED,
        PT_CONNECTION_FIN_WAIT,
        PT_CONNECTION_CLOSE_WAIT,
        PT_CONNECTION_LAST_ACK,
        PT_CONNECTION_TIME_WAIT,
        PT_CONNECTION_CLOSE,
        PT_CONNECTION_SYN_SENT2,
        PT_CONNECTION_COOKIE_WAIT,
        PT_CONNECTION_COOKIE_ECHOED,
        PT_CONNECTION_SHUTDOWN_SENT,
        PT_CONNECTION_SHUTDOWN_RECD,
        PT_CONNECTION_SHUTDOWN_ACK_SENT,
        PT_CONNECTION_HEARTBEAT_SENT,
        PT_CONNECTION_REQUEST,
        PT_CONNECTION_RESPOND,
        PT_CONNECTION_PARTOPEN,
        PT_CONNECTION_OPEN,
        PT_CONNECTION_CLOSEREQ,
        PT_CONNECTION_CLOSING,
        PT_CONNECTION_STATE_MAX,
        PT_CONNECTION_STATE_INVALID = -EINVAL,
} PtConnectionState;
/* "established"; NULL for PT_CONNECTION_STATELESS. */
const char *pt_connection_state_to_string(PtConnectionState state);
extern const PtChoice pt_connection_states[];

/* One direction. IPv4 in the first four bytes. Ports in host byte order; of ICMP, the source port
 * is the id and the destination port is type << 8 | code. */
typedef struct PtConnectionTuple {
        uint8_t source[16], destination[16];
        uint16_t source_port, destination_port;
} PtConnectionTuple;

typedef enum PtConnectionFlags {
        PT_CONNECTION_COUNTED = 1 << 0, /* packets and bytes are known: accounting is on */
        PT_CONNECTION_REPLIED = 1 << 1, /* packets were seen both ways */
        PT_CONNECTION_ASSURED = 1 << 2, /* not thrown out early when the table is full */
        PT_CONNECTION_SNAT = 1 << 3,
        PT_CONNECTION_DNAT = 1 << 4,
        PT_CONNECTION_DYING = 1 << 5,
} PtConnectionFlags;

#define PT_CONNECTION_HELPER_MAX 16 /* NF_CT_HELPER_NAME_LEN */

/* No padding, so that no byte of it is undefined; checked in connection.c. */
typedef struct PtConnection {
        uint64_t packets[2], bytes[2]; /* original, reply; as the tuples */
        PtConnectionTuple original, reply;
        uint32_t id;
        uint32_t mark;
        uint32_t timeout; /* seconds until it is forgotten */
        uint16_t zone;
        uint8_t family;                        /* AF_INET or AF_INET6 */
        uint8_t protocol;                      /* IPPROTO_* */
        uint8_t state;                         /* PtConnectionState */
        uint8_t flags;                         /* PtConnectionFlags */
        char helper[PT_CONNECTION_HELPER_MAX]; /* "ftp", or "" */
        uint8_t reserved[6];
} PtConnection;

/* Reads a message of type IPCTNL_MSG_CT_NEW, whose header and length the caller has checked.
 * -EBADMSG: no connection in it. */
int pt_connection_parse(const struct nlmsghdr *header, PtConnection *ret);

/* The most that pt_connection_write_json() writes. */
#define PT_CONNECTION_JSON_MAX 768
/*
 * Writes one JSON object without newline and returns its length:
 *
 *         {"id":7,"family":"ipv4","protocol":"tcp","state":"established","original":{"source":
 *         "10.0.0.2","sourcePort":4711,"destination":"192.0.2.1","destinationPort":443,
 *         "packets":9,"bytes":900},"reply":{...},"replied":true,"assured":true,"nat":"source",
 *         "timeoutUSec":431999000000,"mark":1,"zone":2,"helper":"ftp"}
 *
 * ICMP has "icmpId", "icmpType" and "icmpCode" in place of ports, and other protocols none. What
 * is 0, empty or unknown is left out, but for id and timeout.
 */
size_t pt_connection_write_json(const PtConnection *connection,
                                char out[static PT_CONNECTION_JSON_MAX]);

/* The name of an IP protocol as people write it, or its number, into a buffer; returns it. */
#define PT_PROTOCOL_TEXT_MAX 16
const char *pt_connection_protocol(uint8_t protocol, char buffer[static PT_PROTOCOL_TEXT_MAX]);
/* "10.0.0.2:443", "[fd00::2]:443", or without port where the protocol has none. Returns it. */
#define PT_ENDPOINT_TEXT_MAX 64
const char *pt_connection_endpoint(const PtConnection *connection, const uint8_t *address,
                                   uint16_t port, char buffer[static PT_ENDPOINT_TEXT_MAX]);
/* "source", "destination", "both", or NULL: neither address is translated. */
const char *pt_connection_nat(const PtConnection *connection);
bool pt_connection_has_ports(const PtConnection *connection);
bool pt_connection_is_icmp(const PtConnection *connection);
