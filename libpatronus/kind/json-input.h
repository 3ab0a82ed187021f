/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * JSON where YAML is expected: one text, or one on each line (NDJSON), as exports are. It is read
 * by the JSON parser: JSON writes characters beyond U+FFFF as two escapes, which YAML refuses, and
 * two lines of JSON are not YAML at all.
 */

#include "kind/yaml.h"

/* As pt_yaml_read_large() (`hook` may be NULL). False: the input is something else, and nothing was done; else its result is
 * in ret_result. */
bool pt_json_input_read(const char *source, const char *text, size_t size, unsigned flags,
                        PtDiagnostics *diag, PtDocumentHook hook, PtObjectSink sink, void *userdata,
                        int *ret_result);

/* ": Zone/lan", as far as a document says what it is, for diagnostics; the caller frees. */
char *pt_document_identity(struct json_object *document);
