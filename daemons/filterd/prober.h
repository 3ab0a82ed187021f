/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who looks at servers (probe.h) for filterd: a helper without any privilege, since filterd itself
 * may not talk to other machines (units/systemd/patronus-probe@.service); it is reached by a socket
 * beside filterd's run directory, a datagram (SOCK_SEQPACKET) a question and an answer. Where there
 * is no such socket nothing restricts filterd either, and it looks itself.
 */

#include "probe.h"

#define FW_PROBER_SOCKET "probe"
#define FW_PROBER_VERSION 1

typedef struct __attribute__((packed)) FwProberAsk {
        uint8_t version;
        uint64_t id;
        uint8_t family, type; /* AF_*; FwCheckType */
        uint8_t address[16];
        uint16_t port, expect;
        uint64_t timeout_usec;
        char path[FW_CHECK_PATH_MAX + 1];
} FwProberAsk;

typedef struct __attribute__((packed)) FwProberTell {
        uint8_t version;
        uint64_t id;
        uint8_t good;
        char error[128]; /* when it is not */
} FwProberTell;

typedef enum FwLookResult {
        FW_LOOK_GOOD,
        FW_LOOK_BAD,
        FW_LOOK_NONE, /* nobody looked: it says nothing about the server */
        FW_LOOK_RESULT_MAX,
        FW_LOOK_RESULT_INVALID = -EINVAL,
} FwLookResult;

typedef struct FwProber FwProber;
FwProber *fw_prober_new(sd_event *event, const char *run_dir);
void fw_prober_free(FwProber *prober); /* no look may be left */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwProber, fw_prober_free)

typedef struct FwLook FwLook;
/* Called once, from the loop; the look is freed by the callee, or by whoever wants no answer. */
typedef void (*FwLookDone)(FwLookResult result, const char *error, void *userdata);
/* Negative: nobody can look. */
int fw_look_new(FwProber *prober, const FwServer *server, const FwCheckSpec *check, FwLookDone done,
                void *userdata, FwLook **ret);
void fw_look_free(FwLook *look);
