/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The YAML front end, by libyaml's events: a stream of documents, each one object. Scalars follow
 * the YAML 1.2 core schema (null, true/false, integers), so `on`, `yes` and 010 are strings and
 * decimals. Refused with line, column and remedy: anchors, aliases, tags, duplicate and non-string
 * keys, floats, several objects in a document, nesting beyond PT_JSON_DEPTH_MAX. JSON is taken by
 * the same call: one text, or one on each line.
 */

#include "kind/json.h"

/* Called for each document's object, unsealed and checked, in input order; takes ownership.
 * Non-zero stops. */
typedef int (*PtObjectSink)(PtObject *object, void *userdata);

/*
 * Reads a stream. `source` names it in diagnostics ("policy.yaml"). Goes on after a bad document,
 * to report all; returns -EINVAL at the end if any was bad, -EFBIG beyond PT_INPUT_MAX, else what
 * `sink` returned last.
 */
int pt_yaml_read(const char *source, const char *text, size_t size, unsigned flags,
                 PtDiagnostics *diag, PtObjectSink sink, void *userdata);
/*
 * What may be done with a document before an object is made of it. 0: go on, with `ret` in the
 * document's place if that is set (a new reference); > 0: the document is no object, and has been
 * dealt with; -EINVAL: diagnostics with pointers into the document say what is wrong.
 */
typedef int (*PtDocumentHook)(struct json_object *document, PtDiagnostics *diag, void *userdata,
                              struct json_object **ret);
/* As pt_yaml_read(), but documents may have PT_LARGE_DOCUMENT_MAX bytes, and each goes through
 * `hook` first, which leaves an object of ordinary size. */
int pt_yaml_read_large(const char *source, const char *text, size_t size, unsigned flags,
                       PtDiagnostics *diag, PtDocumentHook hook, PtObjectSink sink, void *userdata);
/*
 * Gives each entry of `found` that is about an object ("Kind/name", as validation reports it) the
 * place of what its pointer names in the YAML that the object came from, as pt_yaml_read() would
 * have; the others follow as they are.
 */
void pt_yaml_place(const char *source, const char *text, size_t size, const PtDiagnostics *found,
                   PtDiagnostics *diag);
/* Any document as a tree (the last, if there are several; NULL is null), for values that are
 * written in YAML. */
int pt_yaml_parse(const char *source, const char *text, size_t size, PtDiagnostics *diag,
                  struct json_object **ret);
/* One document, with "---\n" before it. */
void pt_object_to_yaml(const PtObject *object, bool secrets, GString *out);
/* YAML of any JSON tree, block style; lists of scalars in flow style while they fit a line. */
void pt_json_to_yaml(struct json_object *json, GString *out);
/* The same on one line, in flow style and without newline: "[80, 443]". */
void pt_json_to_flow(struct json_object *json, GString *out);
