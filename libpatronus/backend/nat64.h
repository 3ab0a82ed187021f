/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What filterd and patronus-nat64 (helpers/nat64), which runs the translators, say to each other:
 * over a SOCK_SEQPACKET socket, a datagram each. filterd may come and go: the helper keeps what it
 * was told last, and tells whoever comes how it is.
 */

#include "base/text.h"
#include "kinds/firewall/firewall.h"

#include <net/if.h>

#define PT_NAT64_VERSION 1
#define PT_NAT64_PROGRAM "/usr/sbin/tayga"   /* where Debian has it */
#define PT_NAT64_OBJECTS_MAX (1024U * 1024U) /* bytes of all objects: 16 with 256 hosts each */
#define PT_NAT64_TEXT_MAX 384

typedef enum PtNat64Ask {
        PT_NAT64_CHECK,     /* could it translate? Answered by PT_NAT64_CHECKED */
        PT_NAT64_CONFIGURE, /* with a sealed memfd: these, and no others. Answered by a
                               PT_NAT64_STATE for each, and again whenever one changes */
        PT_NAT64_ASK_MAX,
        PT_NAT64_ASK_INVALID = -EINVAL,
} PtNat64Ask;

typedef enum PtNat64Tell {
        PT_NAT64_CHECKED,
        PT_NAT64_STATE,
        PT_NAT64_GONE, /* a translator of this name is no more */
        PT_NAT64_TELL_MAX,
        PT_NAT64_TELL_INVALID = -EINVAL,
} PtNat64Tell;

typedef struct __attribute__((packed)) PtNat64Asked {
        uint8_t version, what;
} PtNat64Asked;

typedef struct __attribute__((packed)) PtNat64Told {
        uint8_t version, what;
        uint8_t state; /* PtRunnerState */
        uint32_t pid, restarts;
        uint64_t since_usec; /* CLOCK_REALTIME: of the state */
        char name[PT_NAME_MAX + 1];
        char interface[IF_NAMESIZE];
        char text[PT_NAT64_TEXT_MAX]; /* why it cannot, or why it ended last; "" */
} PtNat64Told;

/* Why nothing can be translated here, for people: the program or the kernel's device is not to be
 * had; or NULL. */
char *pt_nat64_obstacle(void);

/* The sealed memfd with these (Nat64), or a negative errno; and read again: the caller unrefs.
 * -EINVAL: it holds something else. */
int pt_nat64_write(const GPtrArray *objects);
int pt_nat64_read(int fd, GPtrArray **ret);

/* The translator's own addresses: the pool's second one; and that behind the prefix, or of the
 * well-known prefix, which must not hold private ones, a unique local one (RFC 4193) that the
 * object's uid gives. */
PtAddressRange pt_nat64_address4(const Nat64 *nat64);
PtAddressRange pt_nat64_address6(const Nat64 *nat64);
bool pt_nat64_is_well_known(const Nat64 *nat64);
/* Appends the configuration of tayga, whose memory is in the folder. -EINVAL: its syntax cannot
 * hold it. */
int pt_nat64_put_config(const Nat64 *nat64, const char *folder, GString *text);
