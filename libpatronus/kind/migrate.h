/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Documents of older versions of a kind. PtKind.migrations has a step from each version to the
 * next; a document that says an older version is taken through all that follow, before it is read
 * by the kind's table as it is now.
 */

#include "kind/json.h"

typedef enum PtVersion {
        PT_VERSION_CURRENT,
        PT_VERSION_OLDER, /* there are migrations from it */
        PT_VERSION_NEWER, /* of the same API group, with a higher number */
        PT_VERSION_OTHER, /* none of the kind's */
        PT_VERSION_MAX,
        PT_VERSION_INVALID = -EINVAL,
} PtVersion;

PtVersion pt_kind_version(const PtKind *kind, const char *api_version);
/*
 * The spec of a document of an older version (NULL: it has none) as the current one has it: a tree
 * that the caller puts; `spec` stays as it is. -EINVAL with diagnostics: it cannot be migrated.
 */
int pt_kind_migrate(const PtKind *kind, const char *api_version, struct json_object *spec,
                    PtDiagnostics *diag, struct json_object **ret);
/* What the steps from that version on do, a sentence each; the caller's. */
char *pt_kind_migrations_text(const PtKind *kind, const char *api_version);
