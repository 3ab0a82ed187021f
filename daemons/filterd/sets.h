/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The aliases' sets in the kernel. An alias that an enabled rule names has a set for each of what it
 * can hold, whether it holds any or not, so that entries come and go without a rule being touched:
 *
 *      host       h4_NAME/SIZE and h6_NAME/SIZE: hash sets of addresses
 *      network    n4_NAME/SIZE and n6_NAME/SIZE: interval sets of addresses
 *      port       ap_NAME/SIZE: an interval set of ports
 *      mac        am_NAME/SIZE: a hash set
 *
 *      external   x4_NAME/TIMEOUT/16 and x6_NAME/TIMEOUT/16: hash sets of addresses with times (in
 *                 seconds; 0: none), to which the kernel's rules add; there as long as the alias is
 *
 * What an alias includes is flattened into it (filter/flatten.h).
 *
 * Which sets there are follows from the slice. How many elements each may have does not: it is
 * 2^SIZE, half as many again as there were when the set was made, and a set that is more than 90 %
 * full is replaced by a larger one under another name. So the name says the size, and a restarted
 * filterd learns it from the kernel's list of sets. A set that must be made anew in the same size
 * (stages.h) has the name with an x behind it, or without.
 *
 * What an external alias holds is nowhere but in the kernel. Whoever makes its set anew reads what was
 * in the old one (fw_sets_keep()) and puts it in.
 *
 * A change of the slice makes new sets (fw_sets_change()) with the list of what differs from the
 * old ones, packed; it is for one batch (sets-emit.h), and thrown away when that is in force.
 */

#include "filter/flatten.h"
#include "netlink/nft.h"

/* 2^SIZE elements as the kernel counts them: an interval is two. */
#define FW_SET_SIZE_MIN 10U
/* A hash set of so many elements or fewer is made anew when it changes together with anything else,
 * and so is any set that changes together with another one that includes it; a larger one would cost
 * too much for what a packet may meet at that moment. */
#define FW_SET_RENEWED_MAX 4096U

typedef struct FwSets FwSets;

/* One set that comes, goes, or changes. */
typedef struct FwSetChange {
        char *alias;
        FwSetPart part;
        bool intervals;
        unsigned size;
        size_t elements;      /* afterwards, as the kernel counts them */
        char *before, *after; /* names in the kernel; NULL: comes, or goes */
        /* Keys of fw_part_key_len() bytes, with intervals two of them: first and last. Ascending.
         * When `before` is not `after`, all of the new one is added. */
        GByteArray *removed, *added;
        bool external;
        uint64_t timeout; /* of its elements, seconds */
        GArray *kept;     /* FwKept: what of an external one is put in; NULL: nothing */
} FwSetChange;

typedef struct FwKept {
        uint8_t key[FW_NUMBER_BYTES_MAX];
        uint64_t left; /* milliseconds; 0: it stays */
} FwKept;

/* The sets of the aliases in use, of the least size and without contents. */
FwSets *fw_sets_new(const PtSlice *slice);
FwSets *fw_sets_ref(FwSets *sets);
void fw_sets_unref(FwSets *sets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwSets, fw_sets_unref)

/*
 * For a whole load: reads all that the aliases in use hold, and decides on sizes. Errors with a
 * diagnostic when a dataset is missing or damaged, or there are too many.
 */
int fw_sets_load(FwSets *sets, const FwSource *source, PtDiagnostics *diag);
/* The sizes from the names of the kernel's sets, which hold what `live` says beside the slice.
 * false: a set is missing. */
bool fw_sets_adopt(FwSets *sets, const GPtrArray *names, const char *state_dir, FwLive *live);
/*
 * From a slice and its sets to another slice, and what is found out at run time to `live` (may be
 * NULL: nothing). 0 in *ret: nothing differs. Errors as of
 * fw_sets_load(), also for the datasets of the old slice: what is in the kernel is not known then,
 * and all must be loaded (-EUCLEAN, without a diagnostic). `alone`: nothing but aliases differs.
 */
int fw_sets_change(FwSets *sets, const PtSlice *before, const PtSlice *after, bool alone,
                   FwLive *live, PtDiagnostics *diag, FwSets **ret);
/* What the sets were loaded, adopted or changed with; borrowed, NULL: nothing. */
FwLive *fw_sets_live(const FwSets *sets);
/* What the change or load has to do: FwSetChange, in no order. */
const GPtrArray *fw_sets_changes(const FwSets *sets);
/* The one of the sets of those names that an external alias has, whatever its time; NULL: none. */
const char *fw_sets_find_external(const GPtrArray *names, const char *alias, FwSetPart part);
/* Reads what the external aliases hold whose sets are made anew. */
int fw_sets_keep(FwSets *sets, PtNft *nft);
/* The batch is in force: forgets what it had to do. */
void fw_sets_settle(FwSets *sets);

/* The name that a rule looks an alias up by; the sets own it. The alias must be in use. */
const char *fw_sets_name(const FwSets *sets, const char *alias, FwSetPart part);
/* Whether this change gives any set another name. */
bool fw_sets_any_moves(const FwSets *sets);
/* Whether a rule with these endpoints looks up a set that this change gives another name, so that
 * it must be replaced though it is the same object. */
bool fw_sets_moves(const FwSets *sets, const FwEndpoint *source, const FwEndpoint *destination);
bool fw_sets_moves_rule(const FwSets *sets, const FirewallRule *rule);
