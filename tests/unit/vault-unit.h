/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A kind of the tests, in place of all others: it has secrets, and its third version.
 *
 *   v1   host, port (80 when absent), password
 *   v2   `password` is `auth.password`
 *   v3   `port` is 443 when absent
 */

#include "kind/field.h"
#include "kind/migrate.h"
#include "secret/envelope.h"
#include "unit.h"

#include <string.h>

typedef struct VaultAuth {
        uint64_t present;
        char *user;
        PtSecret password;
} VaultAuth;

typedef struct Vault {
        PtObject object;
        char *host;
        uint16_t port;
        VaultAuth auth;
        PtSecret token;
} Vault;

enum { VAULT_HOST, VAULT_PORT, VAULT_AUTH, VAULT_TOKEN };

static const PtField vault_auth_fields[] = {
        PT_FIELD(VaultAuth, string, user, "user", 0, .doc = "Who."),
        PT_FIELD(VaultAuth, secret, password, "password", PT_F_SECRET, .doc = "What only he knows.",
                 .sealed_as = "password"),
        {},
};

static const PtField vault_fields[] = {
        [VAULT_HOST] = PT_FIELD(Vault, string, host, "host", PT_F_REQUIRED, .doc = "Where."),
        [VAULT_PORT] = PT_FIELD(Vault, u16, port, "port", 0, .doc = "Which.", .def = "443"),
        [VAULT_AUTH] = PT_STRUCT(Vault, VaultAuth, auth, "auth", vault_auth_fields, .doc = "How."),
        [VAULT_TOKEN] = PT_FIELD(Vault, secret, token, "token", PT_F_SECRET, .doc = "A word.",
                                 .min = 4, .max = 100),
        {},
};

static int vault_move_password(struct json_object *spec, PtDiagnostics *diag)
{
        struct json_object *password = NULL, *auth;

        (void) diag;
        if (!json_object_object_get_ex(spec, "password", &password))
                return 0;
        auth = json_object_new_object();
        json_object_object_add(auth, "password", json_object_get(password));
        json_object_object_add(spec, "auth", auth);
        json_object_object_del(spec, "password");
        return 0;
}

static int vault_keep_port(struct json_object *spec, PtDiagnostics *diag)
{
        struct json_object *host = json_object_object_get(spec, "host");

        if (host && strcmp(json_object_get_string(host), "impossible") == 0) {
                pt_diag_error(diag, "impossible", "/spec/host", "it cannot be migrated; delete it");
                return -EINVAL;
        }
        if (!json_object_object_get_ex(spec, "port", NULL))
                json_object_object_add(spec, "port", json_object_new_int(80));
        return 0;
}

static const PtMigration vault_migrations[] = {
        {"patronus.unit/v1", "\"password\" is \"auth.password\"", vault_move_password},
        {"patronus.unit/v2", "the default of \"port\" was 80", vault_keep_port},
        {},
};

static const PtKind vault_kind = {
        .name = "Vault",
        .api_version = "patronus.unit/v3",
        .plural = "vaults",
        .doc = "A place that needs a password.",
        .size = sizeof(Vault),
        .fields = vault_fields,
        .migrations = vault_migrations,
};

const PtKind *const *pt_kinds(void)
{
        static const PtKind *const kinds[] = {&vault_kind, NULL};

        return kinds;
}

/* A text with the form of a sealed value, which is enough for all that does not open it; the caller
 * frees. */
static inline char *vault_sealed(char filling)
{
        uint8_t bytes[PT_ENVELOPE_HEAD + PT_ENVELOPE_BLOCK + PT_ENVELOPE_TAG];

        memset(bytes, filling, sizeof(bytes));
        bytes[0] = 1;
        return pt_envelope_to_text(bytes, sizeof(bytes));
}

#define VAULT_LINE(version, name, spec)                                                            \
        "{\"apiVersion\":\"patronus.unit/" version                                                 \
        "\",\"kind\":\"Vault\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"

static inline int vault_read(const char *text, PtDiagnostics *diag, PtObject **ret)
{
        pt_auto_json *json = NULL;

        assert_int_equal(pt_json_parse(text, strlen(text), NULL, &json), 0);
        return pt_object_from_json(json, PT_FROM_ALLOW_NAMELESS, diag, ret);
}

static inline char *vault_canonical(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

static inline bool vault_has_diag(const PtDiagnostics *diag, PtSeverity severity, const char *code,
                                  const char *pointer)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                if (entry->severity == severity && strcmp(entry->code, code) == 0 &&
                    strcmp(entry->pointer, pointer) == 0)
                        return true;
                print_message("%s: %s: %s\n", entry->pointer, entry->code, entry->text);
        }
        return false;
}
