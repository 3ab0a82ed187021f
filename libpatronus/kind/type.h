/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A type: how one sort of value is written, checked, compared and kept. One file types-<name>.c each, with a unit test
 * and a fuzz entry. Text becomes a value here, once; inside there are no strings to check again.
 */

#include "kind/json.h"

/* IPv4 or IPv6 address, prefix or inclusive range; IPv4 in the first four bytes, network byte order. */
typedef struct PtAddressRange {
        uint8_t family; /* AF_INET or AF_INET6 */
        uint8_t plen;   /* prefix length (32 or 128 for one address), or PT_PLEN_RANGE */
        uint8_t lo[16], hi[16];
} PtAddressRange;
#define PT_PLEN_RANGE 255

/* Inclusive, host byte order; lo == hi is one port. */
typedef struct PtPortRange {
        uint16_t lo, hi;
} PtPortRange;

struct PtType {
        const char *name;      /* "port-range" */
        const char *signature; /* D-Bus signature of one value */
        size_t size;           /* of the C value */
        const char *syntax;    /* for help: "PORT or FIRST-LAST" */
        /* Adds "type", "pattern" and the like to a JSON Schema object. */
        void (*schema)(const PtField *field, struct json_object *schema);
        /* Parses into `value`, which is zeroed; a diagnostic at `pointer` says what is wrong and what is right. */
        int (*from_json)(const PtField *field, struct json_object *json, const char *pointer, PtDiagnostics *diag,
                         void *value);
        struct json_object *(*to_json)(const PtField *field, const void *value);
        /* The JSON that a person's text on the command line means; the value itself is checked by from_json. */
        int (*from_text)(const PtField *field, const char *text, struct json_object **ret);
        int (*compare)(const void *a, const void *b); /* total order of values: sets are sorted by it */
        void (*copy)(const PtField *field, void *to, const void *from); /* NULL: memcpy */
        void (*done)(const PtField *field, void *value);                /* NULL: nothing is owned */
        void (*complete)(const PtField *field, GString *out);           /* candidates, one a line; may be NULL */
};
