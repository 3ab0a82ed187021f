/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A kind is pure data: one static table in C describes one kind of object that people configure.
 * From the table derive JSON, YAML, D-Bus a{sv}, validation and its messages, schema, help,
 * completion and diff; none of these is written by hand. All kinds live in
 * libpatronus/kinds/<domain>/.
 *
 *         static const PtField lamp_fields[] = {
 *                 [LAMP_COLOUR] = PT_FIELD(Lamp, enum, colour, "colour", PT_F_REQUIRED,
 *                                          .doc = "What it shines in.",
 *                                          .choices = lamp_colours),
 *                 [LAMP_ROOM] = PT_FIELD(Lamp, ref, room, "room", 0, .ref = "Room",
 *                                        .doc = "Room that it hangs in."),
 *                 [LAMP_SWITCH] = PT_STRUCT(Lamp, LampSwitch, by, "switch", switch_fields,
 *                                           .doc = "..."),
 *                 {},
 *         };
 *
 * A row that names a C member of another type than its PtType's does not compile (kind/type.h).
 */

#include "base/diag.h"
#include "base/digest.h"

typedef struct PtKind PtKind;
typedef struct PtField PtField;
typedef struct PtType PtType;
typedef struct PtObject PtObject;
struct PtSecret; /* secret/secret.h */
struct json_object;
typedef struct PtSlice PtSlice; /* txn/slice.h; kinds see other objects only through PtLookup */

typedef enum PtFieldFlags {
        PT_F_REQUIRED = 1 << 0,
        PT_F_SECRET = 1 << 1,
        PT_F_IMMUTABLE = 1 << 2,
        PT_F_LIST = 1 << 3,    /* the member is a PtList of the type */
        PT_F_ORDERED = 1 << 4, /* the order of the list has a meaning; else it is a set, sorted by
                                  typed value, without duplicates */
        PT_F_ADVANCED = 1 << 5,
        PT_F_DEPRECATED = 1 << 6,
        PT_F_READONLY = 1 << 7,
} PtFieldFlags;

/* How disruptive a change of the field is; the plan prints the worst. */
typedef enum PtImpact {
        PT_IMPACT_LIVE,       /* nothing is interrupted */
        PT_IMPACT_RELOAD,     /* the back end reads its configuration again */
        PT_IMPACT_RECREATE,   /* the kernel object is made anew */
        PT_IMPACT_DISRUPTIVE, /* connections break; said in the plan */
        PT_IMPACT_MAX,
        PT_IMPACT_INVALID = -EINVAL,
} PtImpact;

/* What the entries of a dataset are. */
typedef enum PtDatasetContent {
        PT_DATASET_ADDRESSES,
        PT_DATASET_MACS,
        PT_DATASET_CONTENT_MAX,
        PT_DATASET_CONTENT_INVALID = -EINVAL,
} PtDatasetContent;

typedef struct PtChoice { /* of an enum or flags; the last has name NULL */
        const char *name;
        int value;
        const char *doc;
} PtChoice;

struct PtField {
        const char *name; /* as people write it: camelCase */
        const PtType *type;
        size_t offset; /* of the C member in the object's or nested struct */
        unsigned flags;
        PtImpact impact;
        int64_t min, max; /* limits of a number, both 0: the type's own; for a list see max_items */
        unsigned max_items;      /* of a list; 0: PT_LIST_MAX */
        const PtChoice *choices; /* of an enum or flags */
        const char *ref;         /* of a reference: the kind's name */
        const char *unit;        /* for help: "seconds" */
        const char *def;   /* default as text, for help and for what engines assume; never stored */
        const char *doc;   /* one sentence or more, for everybody */
        const char *label; /* for forms; absent: derived from the name */
        const char *group; /* for forms and help */
        const char *example; /* as written in YAML flow style: "[80, 443]" */
        const char *since;   /* "1" */
        const PtField
                *fields;  /* of a struct: its rows, last has name NULL; with PT_F_LIST, those of
                                  each struct of the list */
        size_t item_size; /* of a list of structs: the size of one */
        /* What few objects have lives in a box: an allocation behind a pointer of the struct, there
         * once a row of it is set. `offset` is then in the box. */
        size_t box_offset;   /* of the pointer */
        size_t box_size;     /* of the box; 0: the row is in the struct itself */
        const char *dataset; /* of a list: the row beside it (of type dataset) that takes the list's
                                place above PT_LIST_MAX entries; NULL: there is none */
        PtDatasetContent dataset_content; /* of such a list, and of a row of type dataset */
        /* Of a secret that a migration gave another name: the path that it had first. Sealed values
         * are bound to it (secret/seal.h). */
        const char *sealed_as;
};

#define PT_LIST_MAX 4096 /* an inline list above this becomes a dataset */
#define PT_FIELDS_MAX 64 /* rows of one table: the presence bitmap is 64 bits */

/* A list member: `n` values of the type's size in one allocation. */
typedef struct PtList {
        void *items; /* allocated, or `small` */
        unsigned n;
        uint8_t small[4]; /* one port needs no allocation: most lists of ports are one */
} PtList;

/* What a dataset holds, as far as its header says (txn/dataset.h). */
typedef struct PtDatasetInfo {
        PtDatasetContent content;
        uint32_t hosts4, hosts6;   /* single addresses */
        uint32_t ranges4, ranges6; /* prefixes and ranges, merged */
        uint32_t macs;
} PtDatasetInfo;

/* What check_set may ask about other objects. */
typedef struct PtLookup {
        /* The object, sealed and owned by the lookup, or NULL. */
        const PtObject *(*get)(const void *ctx, const PtKind *kind, const char *name);
        /* Calls `each` for every object of a kind, in no order; stops at a return other than 0 and
         * returns it. */
        int (*foreach)(const void *ctx, const PtKind *kind,
                       int (*each)(const PtObject *object, void *userdata), void *userdata);
        /* What a dataset holds; -ENOENT: there is none with this digest. NULL: datasets cannot be
         * asked about here. */
        int (*dataset)(const void *ctx, const char *digest, PtDatasetInfo *ret);
        const void *ctx;
} PtLookup;

typedef struct PtBuiltin {
        const char *name;
        const char *doc;  /* its metadata.description */
        const char *spec; /* JSON */
} PtBuiltin;

/* A step from one version of a kind to the next (kind/migrate.h). */
typedef struct PtMigration {
        const char *api_version; /* of the documents that it takes; the last has NULL */
        const char *doc;         /* what it does, for people: a clause without a full stop */
        /* Changes the spec of a document in place. What it does not know it leaves alone: the next
         * version's table says what is wrong. -EINVAL after diagnostics: it cannot. */
        int (*migrate)(struct json_object *spec, PtDiagnostics *diag);
} PtMigration;

struct PtKind {
        const char *name;        /* "Lamp" */
        const char *api_version; /* "patronus.house/v1" */
        const char *plural;      /* "lamps": accepted by the command line too */
        const char *doc;
        const char *example;     /* a whole YAML document */
        size_t size;             /* of the C struct, whose first member is `PtObject object` */
        const PtField *fields;   /* of the spec; the last has name NULL */
        bool ordered;            /* objects get metadata.position from the order of their file */
        const char *order_field; /* of an ordered kind: a number, with a default, that orders before
                                    the position does: "priority"; or NULL */
        bool singleton;          /* the only object is called "default" */
        /* Its objects are there to be referred to, and do nothing else unless they have one of the rows
         * `acts_by` (bits of PtObject.present). */
        bool passive;
        uint64_t acts_by;
        const char *const
                *reserved_names; /* NULL-terminated, or NULL: "router" and "any" for Zone */
        /* Objects that are there without being configured, sorted by name; the last has name NULL.
         * An object of the same name takes the place of one. They are in no slice and no revision.
         */
        const PtBuiltin *builtins;
        /* From the oldest version on, each to the one that the next row takes, the last to
         * api_version; NULL: there has been one version only. */
        const PtMigration *migrations;
        /* Rules across fields; the tables hold no conditionals. Returns 0, or -EINVAL after
         * diagnostics. */
        int (*check)(const PtObject *object, PtDiagnostics *diag);
        /* Rules across objects: `object` is new or changed, or another one that `object`'s change
         * may touch. */
        int (*check_set)(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag);
        /* Frees what the object has beside its rows, and takes back what it only borrows; NULL:
         * nothing. For kinds that a daemon derives from others and that are in no registry. */
        void (*done)(PtObject *object);
};

typedef struct PtMeta { /* what few objects have; NULL in the object when all is absent */
        /* The canonical line of an object that was stored by an older version of its kind. The C
         * struct is what the migrations made of it, but the object is still what the line says: its
         * digest is the line's. A copy of the object, and whatever is made of its JSON, is of the
         * current version. */
        char *stored;
        char *description;
        char **labels; /* "key=value" sorted by key, NULL-terminated; or NULL */
        char *uid; /* 32 lower-case hex digits, only when it is not the one that the name gives */
} PtMeta;

#define PT_LABEL_SET "patronus.firewall/set"
#define PT_DESCRIPTION_MAX 512
#define PT_LABELS_MAX 32
#define PT_POSITION_MAX 0x80000000U

/*
 * An object: reference counted, writable until sealed, `const` afterwards. One allocation holds the
 * struct and the name, so that a hundred thousand of them stay small.
 */
struct PtObject {
        unsigned refs;
        bool sealed;
        bool nameless;     /* its document had no name (PT_FROM_ALLOW_NAMELESS): apply replaces the
                              nameless of its set */
        uint32_t position; /* metadata.position; 0: absent */
        uint64_t present;  /* bit i: field i of kind->fields is set */
        const PtKind *kind;
        char *name;
        PtMeta *meta;
        PtDigest digest; /* of the canonical line, once sealed */
};

PtObject *pt_object_new(const PtKind *kind, const char *name);
PtObject *pt_object_ref(const PtObject *object);
void pt_object_unref(PtObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtObject, pt_object_unref)
/* A deep, writable copy, under another name if `name` is not NULL. */
PtObject *pt_object_copy(const PtObject *object, const char *name);
/* Computes the digest and forbids changes. */
void pt_object_seal(PtObject *object);

/* true if field `index` of the table (its enum constant in the kind's header) is set. */
static inline bool pt_object_has(const PtObject *object, unsigned index)
{
        return object->present >> index & 1;
}

/* -1, 0, 1 by kind name, then object name, by bytes: the order of slices. */
int pt_object_compare_identity(const PtObject *a, const PtObject *b);
/* The 128-bit uid: the stored one, else the first half of SHA-256("kind/name"). */
void pt_object_uid(const PtObject *object, uint8_t ret[static 16]);
/* Value of a label or NULL. */
const char *pt_object_label(const PtObject *object, const char *key);
void pt_object_set_label(PtObject *object, const char *key,
                         const char *value); /* value NULL removes */

/* Runs required, limits and kind->check. The parse functions below have done the limits already. */
int pt_object_check(const PtObject *object, PtDiagnostics *diag);
/* Calls `each` for every reference that the object holds: kind and name referred to, and the
 * pointer where. */
int pt_object_foreach_ref(const PtObject *object,
                          int (*each)(const PtKind *kind, const char *name, const char *pointer,
                                      void *userdata),
                          void *userdata);

/* The same for every dataset that the object refers to, by its digest. */
int pt_object_foreach_dataset(const PtObject *object,
                              int (*each)(const char *digest, const char *pointer, void *userdata),
                              void *userdata);
/* Whether objects of the kind can refer to datasets. */
bool pt_kind_has_dataset(const PtKind *kind);

/* The same for every secret: its row, its path ("auth.secret"), its value. */
int pt_object_foreach_secret(const PtObject *object,
                             int (*each)(const PtField *field, const char *path,
                                         const struct PtSecret *secret, void *userdata),
                             void *userdata);
/* Whether objects of the kind can have secrets. */
bool pt_kind_has_secret(const PtKind *kind);

/* true if the object was stored by an older version of its kind and not written anew since. */
static inline bool pt_object_is_older(const PtObject *object)
{
        return object->meta && object->meta->stored;
}
/* The apiVersion that the object was stored with; the kind's, unless it is older. Interned. */
const char *pt_object_api_version(const PtObject *object);

/* All kinds, sorted by name, last NULL (kinds/registry.h). */
const PtKind *const *pt_kinds(void);
/* By name, plural or lower-case name; NULL if unknown. */
const PtKind *pt_kind_find(const char *name);
/* The row of "destination.ports" (dots go into structs; a list has no index); NULL if unknown. */
const PtField *pt_kind_find_field(const PtKind *kind, const char *path);

/* Whether a name is that of a built-in object. */
bool pt_kind_has_builtin(const PtKind *kind, const char *name);
/* The built-in object of that name, made anew and sealed, or NULL; the caller's. */
PtObject *pt_kind_builtin(const PtKind *kind, const char *name);

const char *pt_impact_to_string(PtImpact impact);
PtImpact pt_impact_from_string(const char *text);
