/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/migrate.h"

#include "kind/field.h"
#include <string.h>

static const PtMigration *find_step(const PtKind *kind, const char *api_version)
{
        for (const PtMigration *step = kind->migrations; step && step->api_version; step++)
                if (strcmp(step->api_version, api_version) == 0)
                        return step;
        return NULL;
}

/* "patronus.firewall/v12": the size up to the number, and the number; false: it is not so. */
static bool split(const char *api_version, size_t *ret_size, uint64_t *ret_number)
{
        const char *at = strstr(api_version, "/v");

        if (!at)
                return false;
        *ret_size = (size_t) (at - api_version) + strlen("/v");
        return pt_parse_unsigned(at + strlen("/v"), strlen(at + strlen("/v")), UINT32_MAX,
                                 ret_number) >= 0;
}

PtVersion pt_kind_version(const PtKind *kind, const char *api_version)
{
        uint64_t ours = 0, theirs = 0;
        size_t size = 0, other = 0;

        if (strcmp(kind->api_version, api_version) == 0)
                return PT_VERSION_CURRENT;
        if (find_step(kind, api_version))
                return PT_VERSION_OLDER;
        if (split(kind->api_version, &size, &ours) && split(api_version, &other, &theirs) &&
            size == other && memcmp(kind->api_version, api_version, size) == 0 && theirs > ours)
                return PT_VERSION_NEWER;
        return PT_VERSION_OTHER;
}

int pt_kind_migrate(const PtKind *kind, const char *api_version, struct json_object *spec,
                    PtDiagnostics *diag, struct json_object **ret)
{
        pt_auto_json *copy = NULL;

        if (!spec)
                copy = json_object_new_object();
        else if (!json_object_is_type(spec, json_type_object))
                return pt_wrong_type(spec, "/spec", diag, "write a mapping of fields");
        else if (json_object_deep_copy(spec, &copy, NULL) < 0)
                return -ENOMEM;
        for (const PtMigration *step = find_step(kind, api_version); step && step->api_version;
             step++) {
                int r = step->migrate(copy, diag);

                if (r < 0)
                        return r;
        }
        *ret = g_steal_pointer(&copy);
        return 0;
}

char *pt_kind_migrations_text(const PtKind *kind, const char *api_version)
{
        GString *out = g_string_new(NULL);

        for (const PtMigration *step = find_step(kind, api_version); step && step->api_version;
             step++)
                g_string_append_printf(out, "%s%s", out->len ? "; " : "", step->doc);
        return g_string_free(out, FALSE);
}
