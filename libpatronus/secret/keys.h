/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Keys on disk, below the state directory:
 *
 *   keys/<daemon>/key      what the daemon opens its secrets with; 0600, its own user's
 *   keys/<daemon>/public   what configd seals to; 0644. There even while the daemon is down
 *   compare-key            what configd compares with; 0600
 *
 * Each is one line: what it is, a colon, and base64. They are made when they are first needed, and
 * durable before they are used. The folder of a daemon's keys is its own: the service manager makes
 * it (StateDirectory=patronus/keys/<daemon>), as the state directory is configd's. A private key that is lost is lost with all that was sealed to it:
 * a file that is damaged is therefore never replaced.
 */

#include "base/diag.h"

#define PT_KEY_SIZE 32
#define PT_KEY_ID 8

typedef struct PtPublicKey {
        uint8_t bytes[PT_KEY_SIZE];
        uint8_t id[PT_KEY_ID]; /* the first bytes of its SHA-256 */
} PtPublicKey;

typedef struct PtKeyPair {
        uint8_t private[PT_KEY_SIZE];
        PtPublicKey public;
} PtKeyPair;

typedef struct PtCompareKey {
        uint8_t bytes[PT_KEY_SIZE];
} PtCompareKey;

/*
 * The pair of a daemon, made with its folder if there is none; ret_made says so. Publishes the
 * public key. -EBADMSG: the file is damaged, or not only its user's; other errors: it cannot be
 * read or written. Diagnostics say which file, and what to do.
 */
int pt_key_pair_open(const char *state_dir, const char *daemon, PtDiagnostics *diag, PtKeyPair *ret,
                     bool *ret_made);
/* What a daemon published; -ENOENT: nothing yet. */
int pt_public_key_read(const char *state_dir, const char *daemon, PtPublicKey *ret);
/* configd's, made if there is none. */
int pt_compare_key_open(const char *state_dir, PtDiagnostics *diag, PtCompareKey *ret);
