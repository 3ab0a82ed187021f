/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A type: how one sort of value is written, checked, compared and kept. One file types-<name>.c
 * each, with a unit test and a fuzz entry. Text becomes a value here, once; inside there are no
 * strings to check again.
 *
 * Lists and structs are not values of a type: PT_F_LIST makes a PtList of any type, and a row of
 * pt_type_struct has rows of its own, which may be those of a list's items; kind/field.h walks all.
 */

#include "kind/json.h"
#include "secret/secret.h"
#include <sys/socket.h> /* AF_INET, AF_INET6 */

/* IPv4 or IPv6 address, prefix or inclusive range; IPv4 in the first four bytes, network byte
 * order. */
typedef struct PtAddressRange {
        uint8_t family; /* AF_INET or AF_INET6 */
        uint8_t plen;   /* prefix length (32 or 128 for one address), or PT_PLEN_RANGE */
        uint8_t lo[16], hi[16];
} PtAddressRange;
#define PT_PLEN_RANGE 255
/* The text of one; -EINVAL after a diagnostic at `pointer` that says what is wrong and what is
 * right. */
int pt_address_range_parse(const char *text, const char *pointer, PtDiagnostics *diag,
                           PtAddressRange *ret);
/* Sets plen from family, lo and hi. */
void pt_address_range_settle(PtAddressRange *range);
/* Appends the one text that the value has. */
void pt_address_range_format(const PtAddressRange *range, GString *out);

/* IEEE 802 EUI-48. */
typedef struct PtMac {
        uint8_t bytes[6];
} PtMac;

/* All hardware addresses of which (address & mask) == bytes; no bit of bytes is outside the mask. */
typedef struct PtMacMask {
        uint8_t bytes[6], mask[6];
} PtMacMask;

/* Inclusive, 1-4094; both 0: without a tag. */
typedef struct PtVlanRange {
        uint16_t lo, hi;
} PtVlanRange;

/* A type of ICMP (RFC 792) or ICMPv6 (RFC 4443), and perhaps a code. Either may lack it: "redirect"
 * is type 5 of one and 137 of the other. */
typedef struct PtIcmpType {
        int16_t type4, type6; /* 0-255; -1: the family has none */
        int16_t code;         /* 0-255; -1: any */
} PtIcmpType;

/* (mark & mask) == value; no bit of value is outside the mask. */
typedef struct PtMarkMatch {
        uint32_t value, mask;
} PtMarkMatch;

/* So many events in a second, minute, hour or day. */
typedef struct PtRate {
        uint32_t count;
        uint32_t seconds; /* 1, 60, 3600 or 86400 */
} PtRate;

/* A time of day, 0-1439. */
typedef struct PtTime {
        uint16_t minute;
} PtTime;

/* A day of the (Gregorian) calendar; year 0: of every year. */
typedef struct PtDate {
        uint16_t year;
        uint8_t month, day; /* from 1 */
} PtDate;
#define PT_DATE_YEAR_MIN 1970
int pt_date_compare(const PtDate *a, const PtDate *b);
/* "2026-12-24", which what follows does not matter for. */
bool pt_date_parse(const char *text, PtDate *ret);

/* The first and the last of some days: the same one, where they are of every year. */
typedef struct PtDates {
        PtDate first, last;
} PtDates;

/* A time of a day; without a zone, as clocks show it where the machine is. */
typedef struct PtMoment {
        PtDate date;
        uint32_t second; /* since midnight */
        int16_t offset;  /* minutes east of UTC, if it has a zone */
        bool zoned;
} PtMoment;

/* Inclusive, host byte order; lo == hi is one port. Of lengths too. */
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
        /* Parses into `value`, which is zeroed; a diagnostic at `pointer` says what is wrong and
         * what is right. */
        int (*from_json)(const PtField *field, struct json_object *json, const char *pointer,
                         PtDiagnostics *diag, void *value);
        struct json_object *(*to_json)(const PtField *field, const void *value);
        /* The JSON that a person's text on the command line means; the value itself is checked by
         * from_json. */
        int (*from_text)(const PtField *field, const char *text, struct json_object **ret);
        int (*compare)(const void *a,
                       const void *b); /* total order of values: sets are sorted by it */
        void (*copy)(const PtField *field, void *to, const void *from); /* NULL: memcpy */
        void (*done)(const PtField *field, void *value);                /* NULL: nothing is owned */
        void (*complete)(const PtField *field,
                         GString *out); /* candidates, one a line; may be NULL */
};

/* The types, and the C type of the member that a row of each must name. */
extern const PtType pt_type_bool, pt_type_u8, pt_type_u16, pt_type_u32, pt_type_name,
        pt_type_string, pt_type_enum, pt_type_ref, pt_type_ifname, pt_type_address_range,
        pt_type_prefix, pt_type_port_range, pt_type_length_range, pt_type_protocol, pt_type_mac,
        pt_type_icmp_type, pt_type_mark, pt_type_rate, pt_type_dataset, pt_type_fqdn, pt_type_url,
        pt_type_duration, pt_type_secret, pt_type_time, pt_type_dates, pt_type_mac_mask,
        pt_type_ether_type, pt_type_arp_operation, pt_type_vlan_range, pt_type_moment,
        pt_type_struct;
/* All of them except struct, last NULL: for tests and fuzzing. */
extern const PtType *const pt_types[];

typedef bool pt_ctype_bool;
typedef uint8_t pt_ctype_u8; /* the integers: .min and .max narrow them */
typedef uint16_t pt_ctype_u16;
typedef uint32_t pt_ctype_u32;
typedef char *pt_ctype_name;   /* what pt_name_is_valid takes */
typedef char *pt_ctype_string; /* at most .max bytes */
typedef int pt_ctype_enum;     /* a value of .choices */
typedef char *pt_ctype_ref;    /* a name, of an object of the kind .ref; an interned GRefString */
typedef char *pt_ctype_ifname; /* a network interface, or several: a glob that ends in "*" */
typedef PtAddressRange pt_ctype_address_range;
typedef PtAddressRange pt_ctype_prefix; /* never PT_PLEN_RANGE */
typedef PtPortRange pt_ctype_port_range;
typedef PtPortRange pt_ctype_length_range; /* bytes of a packet */
typedef PtMac pt_ctype_mac;
typedef PtIcmpType pt_ctype_icmp_type;
typedef PtMarkMatch pt_ctype_mark;
typedef PtRate pt_ctype_rate;
typedef char *pt_ctype_fqdn;        /* in lower case, without a dot at the end */
typedef char *pt_ctype_url;         /* http or https, without a user */
typedef uint64_t pt_ctype_duration; /* microseconds */
typedef char *pt_ctype_dataset;     /* 64 lower-case hex digits: SHA-256 of the dataset's file */
typedef PtSecret pt_ctype_secret;   /* with PT_F_SECRET, not in a list; at most .max bytes */
typedef int pt_ctype_protocol;      /* IPPROTO_*, or PT_PROTOCOL_ANY */
typedef PtTime pt_ctype_time;
typedef PtDates pt_ctype_dates;
typedef PtMoment pt_ctype_moment;
typedef PtMacMask pt_ctype_mac_mask;
typedef uint16_t pt_ctype_ether_type;    /* from 0x0600 on */
typedef uint16_t pt_ctype_arp_operation; /* 1: request, 2: reply */
typedef PtVlanRange pt_ctype_vlan_range;

#define PT_PROTOCOL_ANY (-1)

/* The offset of a member, or no compilation. */
#define PT_OFFSET_IF(condition, Struct, member)                                                    \
        (offsetof(Struct, member) +                                                                \
         0 * sizeof(struct {                                                                       \
                 _Static_assert(condition, #Struct "." #member " is not of the row's type");       \
                 char unused;                                                                      \
         }))
#define PT_MEMBER_IS(Struct, member, Type)                                                         \
        __builtin_types_compatible_p(__typeof__(((Struct *) 0)->member), Type)

/* A secret is marked as one, so that whatever asks for flags sees it, and is in no list. */
#define PT_SECRET_FITS(Ctype, flag)                                                                \
        (!__builtin_types_compatible_p(Ctype, PtSecret) == !((flag) &PT_F_SECRET) &&               \
         ((flag) & (PT_F_SECRET | PT_F_LIST)) != (PT_F_SECRET | PT_F_LIST))

/* A row: the struct, the type without "pt_type_", the member, the name that people write, the
 * flags, and what else the row says. */
#define PT_FIELD(Struct, Type, member, word, flag, ...)                                            \
        {                                                                                          \
                .name = (word), .type = &pt_type_##Type, .flags = (flag),                          \
                .offset = PT_OFFSET_IF(                                                            \
                        (((flag) &PT_F_LIST) ? PT_MEMBER_IS(Struct, member, PtList)                \
                                             : PT_MEMBER_IS(Struct, member, pt_ctype_##Type)) &&   \
                                PT_SECRET_FITS(pt_ctype_##Type, flag),                             \
                        Struct, member),                                                           \
                __VA_ARGS__                                                                        \
        }

#define PT_BOX_IS(Struct, box, Box) PT_MEMBER_IS(Struct, box, Box *)

/* A row whose member is in the struct Box that the member `box` of Struct points to. */
#define PT_BOXED(Struct, Box, box, Type, member, word, flag, ...)                                  \
        {                                                                                          \
                .name = (word), .type = &pt_type_##Type, .flags = (flag),                          \
                .offset = PT_OFFSET_IF((((flag) &PT_F_LIST)                                        \
                                                ? PT_MEMBER_IS(Box, member, PtList)                \
                                                : PT_MEMBER_IS(Box, member, pt_ctype_##Type)) &&   \
                                               PT_SECRET_FITS(pt_ctype_##Type, flag),              \
                                       Box, member),                                               \
                .box_offset = PT_OFFSET_IF(PT_BOX_IS(Struct, box, Box), Struct, box),              \
                .box_size = sizeof(Box), __VA_ARGS__                                               \
        }

/* A row of rows: the member is a struct Nested, which begins with its `uint64_t present`. */
#define PT_STRUCT(Struct, Nested, member, word, rows, ...)                                         \
        {                                                                                          \
                .name = (word), .type = &pt_type_struct, .fields = (rows),                         \
                .offset = PT_OFFSET_IF(PT_MEMBER_IS(Struct, member, Nested) &&                     \
                                               PT_MEMBER_IS(Nested, present, uint64_t) &&          \
                                               offsetof(Nested, present) == 0,                     \
                                       Struct, member),                                            \
                __VA_ARGS__                                                                        \
        }

/* The same in a box. */
#define PT_STRUCT_BOXED(Struct, Box, box, Nested, member, word, rows, ...)                         \
        {                                                                                          \
                .name = (word), .type = &pt_type_struct, .fields = (rows),                         \
                .offset = PT_OFFSET_IF(PT_MEMBER_IS(Box, member, Nested) &&                        \
                                               PT_MEMBER_IS(Nested, present, uint64_t) &&          \
                                               offsetof(Nested, present) == 0,                     \
                                       Box, member),                                               \
                .box_offset = PT_OFFSET_IF(PT_BOX_IS(Struct, box, Box), Struct, box),              \
                .box_size = sizeof(Box), __VA_ARGS__                                               \
        }

/* A row of lists of rows: the member is a PtList of struct Nested, each of which begins with its
 * `uint64_t present`. They keep their order, and hold no secrets. */
#define PT_STRUCTS(Struct, Nested, member, word, rows, flag, ...)                                  \
        {                                                                                          \
                .name = (word), .type = &pt_type_struct, .fields = (rows),                         \
                .flags = (flag) | PT_F_LIST | PT_F_ORDERED, .item_size = sizeof(Nested),           \
                .offset = PT_OFFSET_IF(PT_MEMBER_IS(Struct, member, PtList) &&                     \
                                               PT_MEMBER_IS(Nested, present, uint64_t) &&          \
                                               offsetof(Nested, present) == 0,                     \
                                       Struct, member),                                            \
                __VA_ARGS__                                                                        \
        }
