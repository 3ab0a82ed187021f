/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Datasets: lists of up to PT_DATASET_ENTRIES_MAX addresses or MACs that objects refer to by
 * digest. A dataset is one immutable file, <state>/datasets/<SHA-256 of the file, 64 lower-case hex
 * digits>. configd writes it, daemons read it. An engine that wants the entries:
 *
 *         r = pt_dataset_open(state_dir, digest, &dataset);
 *         while (r >= 0 && (r = pt_dataset_read(dataset, &chunk)) > 0)
 *                 for (size_t i = 0; i < chunk.n; i++)
 *                         add(batch, chunk.section, chunk.records + i * chunk.size);
 *         if (r < 0)      -EBADMSG: damaged; throw the batch away
 *
 * and one that wants disjoint ascending intervals, as an nf_tables interval set does:
 *
 *         r = pt_dataset_verify(dataset);
 *         if (r >= 0)
 *                 intervals = pt_dataset_intervals_new(dataset, AF_INET);
 *         while (r >= 0 && (r = pt_dataset_intervals_next(intervals, lo, hi)) > 0)
 *                 add_interval(batch, lo, hi);
 *
 * The file, all numbers and addresses in network byte order:
 *
 *   offset   bytes
 *        0       8   "PTRNDATA"
 *        8       4   version, 1
 *       12       4   content: 1 addresses, 2 MACs
 *       16    4 x 5  number of records of each section
 *       36      28   zero
 *       64           the sections, one after the other, in the order of PtDatasetSection
 *
 * The form is canonical: the same set of entries has the same bytes. Records ascend by their bytes
 * and are unique; prefixes and ranges are merged where they overlap or touch; a host inside a range
 * is not there; hosts are never made into ranges. A range has more than one address.
 *
 * Files are read by pread(): a file that somebody truncates is an error and not a SIGBUS.
 */

#include "kind/type.h"

#define PT_DATASET_FOLDER "datasets"
#define PT_DATASET_ENTRIES_MAX 1000000U
/* Bytes of a text that is imported: the longest lines of so many entries fit, two IPv6 addresses
 * each. */
#define PT_DATASET_TEXT_MAX (80U * 1024U * 1024U)
#define PT_DATASET_LINE_MAX 4096U /* bytes of one line, its comment included */
#define PT_DATASET_HEADER_SIZE 64U

/* For importing only, in place of a PtDatasetContent (kind/kind.h): the first entry decides. */
#define PT_DATASET_ANY PT_DATASET_CONTENT_MAX
/* "addresses", "macs"; "" for PT_DATASET_ANY. */
const char *pt_dataset_content_to_string(PtDatasetContent content);
PtDatasetContent pt_dataset_content_from_string(const char *text);

typedef enum PtDatasetSection {                    /* what a record is */
                                PT_DATASET_HOSTS4, /* 4 bytes: an IPv4 address */
                                PT_DATASET_HOSTS6, /* 16 bytes: an IPv6 address */
                                PT_DATASET_RANGES4, /* 4 + 4 bytes: first and last address, inclusive */
                                PT_DATASET_RANGES6, /* 16 + 16 bytes */
                                PT_DATASET_ETHERS,  /* 6 bytes: a MAC address */
                                PT_DATASET_SECTION_MAX,
                                PT_DATASET_SECTION_INVALID = -EINVAL,
} PtDatasetSection;
/* Bytes of one record. */
size_t pt_dataset_record_size(PtDatasetSection section);

typedef struct PtDatasetHeader {
        PtDatasetContent content;
        uint32_t counts[PT_DATASET_SECTION_MAX]; /* records of each section */
} PtDatasetHeader;
uint32_t pt_dataset_header_entries(const PtDatasetHeader *header);
/* Bytes of the file. */
uint64_t pt_dataset_header_size(const PtDatasetHeader *header);

/* Reading. */

typedef struct PtDataset PtDataset;

/*
 * Opens a dataset and reads its header. -EINVAL: `digest` is not one; -ENOENT: there is no such
 * dataset; -EBADMSG: not a dataset, of a limit's excess, or of another size than its header says;
 * other errors of open() and read(). The contents have not been looked at yet.
 */
int pt_dataset_open(const char *state_dir, const char *digest, PtDataset **ret);
/* The same from a descriptor, which it closes (on failure too). */
int pt_dataset_open_fd(int fd, const PtDigest *digest, PtDataset **ret);
void pt_dataset_close(PtDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDataset, pt_dataset_close)
const PtDatasetHeader *pt_dataset_header(const PtDataset *dataset);

typedef struct PtDatasetChunk {
        PtDatasetSection section;
        const uint8_t *records; /* n * size bytes, the dataset's until the next call */
        size_t n;               /* at least 1 */
        size_t size;            /* of one record */
} PtDatasetChunk;

/*
 * The next records, some 64 KiB at once, in the order of the file. > 0: there are some; 0: that was
 * all, and the digest of the whole file is the expected one; reading begins anew. -EBADMSG: the
 * records are not in order, or (at the end) the file is not what its name says: nothing that was
 * read may be used. Another negative errno: it cannot be read.
 */
int pt_dataset_read(PtDataset *dataset, PtDatasetChunk *ret);
/* Reads it all: 0, or the error that pt_dataset_read() would give. 4 MB take 10 ms. */
int pt_dataset_verify(PtDataset *dataset);
/* Reads the records [first, first + n) of a section into `records`, without looking at the digest:
 * for pages. The caller keeps within the section's count. */
int pt_dataset_read_at(const PtDataset *dataset, PtDatasetSection section, uint32_t first,
                       uint32_t n, uint8_t *records);

/*
 * Hosts and ranges of a family (AF_INET, AF_INET6) as one ascending sequence of disjoint intervals
 * between which there is a gap: adjacent hosts and ranges are one. Two parts of the file are read
 * side by side, so the digest is not checked: pt_dataset_verify() before. The dataset is borrowed,
 * and may be read by others at the same time.
 */
typedef struct PtDatasetIntervals PtDatasetIntervals;
PtDatasetIntervals *pt_dataset_intervals_new(const PtDataset *dataset, uint8_t family);
void pt_dataset_intervals_free(PtDatasetIntervals *intervals);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDatasetIntervals, pt_dataset_intervals_free)
/* First and last address, inclusive; IPv4 in the first four bytes, the others zero. > 0: one; 0: no
 * more; -EBADMSG: out of order, though it was verified; another negative errno. */
int pt_dataset_intervals_next(PtDatasetIntervals *intervals, uint8_t lo[static 16],
                              uint8_t hi[static 16]);

/* The entries as text, one a line: an address, a prefix where a range is one, else FIRST-LAST; or a
 * MAC. What is imported gives the dataset again. */
void pt_dataset_record_format(PtDatasetSection section, const uint8_t *record, GString *out);
/* Appends a chunk's. */
void pt_dataset_chunk_format(const PtDatasetChunk *chunk, GString *out);
/* Appends the lines of the entries [first, first + n) of the whole, as far as there are such. */
int pt_dataset_page_format(const PtDataset *dataset, uint32_t first, uint32_t n, GString *out);

/* Writing. */

typedef struct PtDatasetBuilder PtDatasetBuilder;

/* Collects entries in any order, in about the size of the dataset. */
PtDatasetBuilder *pt_dataset_builder_new(PtDatasetContent content);
void pt_dataset_builder_free(PtDatasetBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDatasetBuilder, pt_dataset_builder_free)

/*
 * Adding. -EMEDIUMTYPE: the entry is not of the builder's content. -EFBIG: more than
 * PT_DATASET_ENTRIES_MAX different hosts, ranges or MACs (counted before hosts inside ranges
 * disappear); nothing more can be added.
 */
int pt_dataset_builder_add(PtDatasetBuilder *builder, const PtAddressRange *range);
int pt_dataset_builder_add_mac(PtDatasetBuilder *builder, const PtMac *mac);
/* All entries of another dataset, verified: also the errors of pt_dataset_read(). */
int pt_dataset_builder_add_dataset(PtDatasetBuilder *builder, PtDataset *dataset);

/*
 * Adds a text: one entry a line (address, prefix, FIRST-LAST, or MAC), spaces around it, blank
 * lines, and comments from "#" or ";" to the end of the line. -EINVAL: lines are wrong; the first
 * ten are in `diag` ("source:line"), and a last entry says how many there are. -EFBIG: too many
 * entries, or a text above PT_DATASET_TEXT_MAX, with a diagnostic. Of a descriptor, from where it
 * stands to its end: also the errors of read().
 */
int pt_dataset_import(PtDatasetBuilder *builder, const char *source, const char *text, size_t size,
                      PtDiagnostics *diag);
int pt_dataset_import_fd(PtDatasetBuilder *builder, const char *source, int fd,
                         PtDiagnostics *diag);

/*
 * The same for lists of strangers, of which what is wrong is left out instead of all of them:
 *
 *         import = pt_dataset_import_begin(builder, "https://...", diag);
 *         r = pt_dataset_import_text(import, text, size);    or pt_dataset_import_entry() for each
 *         ... pt_dataset_import_problems(import) ...
 *         pt_dataset_import_end(import);
 *
 * -EFBIG and -EINVAL: it cannot go on, with a diagnostic; wrong entries are no error, and are told
 * as those above. Entries have spaces around them, and comments, as lines have; the number of the
 * line is what is told. `hosts_only`: prefixes and ranges are wrong.
 */
typedef struct PtDatasetImport PtDatasetImport;
PtDatasetImport *pt_dataset_import_begin(PtDatasetBuilder *builder, const char *source,
                                         bool hosts_only, PtDiagnostics *diag);
int pt_dataset_import_text(PtDatasetImport *import, const char *text, size_t size);
int pt_dataset_import_entry(PtDatasetImport *import, size_t line, const char *text, size_t size);
/* Says of a line what the caller found wrong with it. */
void pt_dataset_import_refuse(PtDatasetImport *import, size_t line, const char *why);
size_t pt_dataset_import_problems(const PtDatasetImport *import); /* wrong entries */
size_t pt_dataset_import_entries(const PtDatasetImport *import);  /* good ones, twice if so given */
void pt_dataset_import_end(PtDatasetImport *import);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDatasetImport, pt_dataset_import_end)

/* Brings what was added into canonical form. -EFBIG: more than PT_DATASET_ENTRIES_MAX entries. */
int pt_dataset_builder_finish(PtDatasetBuilder *builder, PtDatasetHeader *ret);

/* The same, and the digest that the dataset will have. */
int pt_dataset_builder_digest(PtDatasetBuilder *builder, PtDatasetHeader *ret_header,
                              PtDigest *ret_digest);

/* Finishes, and writes what would be the file's contents to `fd`. Errors of writing, -EFBIG. */
int pt_dataset_write(PtDatasetBuilder *builder, int fd, PtDatasetHeader *ret_header,
                     PtDigest *ret_digest);

#define PT_DATASET_NO_GROUP ((gid_t) -1)
/*
 * Finishes, and writes the file into the folder `dirfd`: mode 0640 and of the group `gid` (0644
 * with PT_DATASET_NO_GROUP, when several must read it), durable on return. One that is
 * there already is mended if it is damaged; its time becomes now. Errors of writing, -EFBIG.
 */
int pt_dataset_store(PtDatasetBuilder *builder, int dirfd, gid_t gid, PtDatasetHeader *ret_header,
                     PtDigest *ret_digest);
