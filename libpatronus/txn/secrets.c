/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/secrets.h"

#include "kind/field.h"
#include "secret/seal.h"
#include <string.h>

#define UID_SIZE 16

typedef struct Owner {
        PtSecrets secrets; /* what the participant sees */
        PtKeyPair pair;
} Owner;

static int open_value(const Owner *owner, const PtObject *object, const PtField *field,
                      const char *path, const PtSecret *secret, PtRevealed **ret)
{
        g_autofree uint8_t *bytes = NULL;
        PtSecretIdentity identity = {.kind = object->kind->name, .field = field->sealed_as ?: path};
        PtEnvelope envelope;
        uint8_t uid[UID_SIZE];
        int r;

        if (pt_secret_state(secret) != PT_SECRET_SEALED)
                return -EBADMSG; /* configd sends nothing else */
        r = pt_envelope_from_text(pt_secret_sealed_text(secret), &bytes, &envelope);
        if (r < 0)
                return r;
        pt_object_uid(object, uid);
        identity.uid = uid;
        return pt_sealed_open(&envelope, &owner->pair, &identity, ret);
}

typedef struct Check {
        const Owner *owner;
        const PtObject *object;
        PtDiagnostics *diag;
        unsigned lost;
} Check;

static int check_value(const PtField *field, const char *path, const PtSecret *secret,
                       void *userdata)
{
        Check *check = userdata;
        g_autoptr(PtRevealed) revealed = NULL;
        g_auto(GStrv) words = g_strsplit(path, ".", -1);
        g_autofree char *inside = g_strjoinv("/", words),
                        *pointer = g_strconcat("/spec/", inside, NULL);
        int r = open_value(check->owner, check->object, field, path, secret, &revealed);

        if (r >= 0)
                return 0;
        check->lost++;
        pt_diag_set_subject(check->diag, "%s/%s", check->object->kind->name, check->object->name);
        pt_diag_error(check->diag, "cannot-open", pointer, "%s: write the secret itself",
                      r == -ENOKEY ? "it is sealed to a key that was lost or replaced"
                                   : "it was sealed for another object, or changed");
        pt_diag_set_subject(check->diag, NULL);
        return 0;
}

static int check_object(const PtObject *object, void *userdata)
{
        Check *check = userdata;

        check->object = object;
        return pt_object_foreach_secret(object, check_value, check);
}

static int check_change(const PtObject *before, const PtObject *after, void *userdata)
{
        return after ? check_object(after, userdata) : 0;
}

static unsigned check(PtSecrets *secrets, const PtSlice *before, const PtSlice *after,
                      PtDiagnostics *diag)
{
        Check state = {.owner = (Owner *) secrets, .diag = diag};

        if (before)
                (void) pt_slice_compare(before, after, check_change, &state);
        for (const PtKind *const *kind = pt_kinds(); !before && *kind; kind++)
                if (pt_kind_has_secret(*kind))
                        (void) pt_slice_foreach(after, *kind, check_object, &state);
        return state.lost;
}

int pt_secrets_new(const char *state_dir, const char *daemon, PtDiagnostics *diag, PtSecrets **ret)
{
        g_autoptr(PtSecrets) secrets = (PtSecrets *) g_new0(Owner, 1);
        bool made;
        int r = pt_process_conceal();

        if (r < 0) {
                pt_diag_error(diag, "not-concealed", NULL,
                              "a core dump of this process cannot be ruled out: %s",
                              g_strerror(-r));
                return r;
        }
        secrets->check = check;
        r = pt_key_pair_open(state_dir, daemon, diag, &((Owner *) secrets)->pair, &made);
        if (r < 0)
                return r;
        if (made)
                pt_diag_notice(diag, "key-made", NULL, "a key was made for the secrets of %s",
                               daemon);
        *ret = g_steal_pointer(&secrets);
        return 0;
}

void pt_secrets_free(PtSecrets *secrets)
{
        if (!secrets)
                return;
        explicit_bzero(secrets, sizeof(Owner));
        g_free(secrets);
}

typedef struct Search {
        const char *path;
        const PtField *field;
        const PtSecret *secret;
} Search;

static int match_path(const PtField *field, const char *path, const PtSecret *secret,
                      void *userdata)
{
        Search *search = userdata;

        if (strcmp(path, search->path) != 0)
                return 0;
        search->field = field;
        search->secret = secret;
        return 1;
}

int pt_secrets_open(const PtSecrets *secrets, const PtObject *object, const char *path,
                    PtRevealed **ret)
{
        Search search = {.path = path};

        if (pt_object_foreach_secret(object, match_path, &search) == 0)
                return -ENOENT;
        return open_value((const Owner *) secrets, object, search.field, path, search.secret, ret);
}
