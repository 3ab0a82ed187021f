/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secrets.h"

#include "participant.h"

#include "kind/field.h"
#include "secret/seal.h"

#include <string.h>

#define UID_SIZE 16

struct Secrets {
        char *state_dir;
        PtCompareKey compare;
        bool has_compare; /* read, or made, when the first secret is sealed */
};

Secrets *secrets_new(const char *state_dir)
{
        Secrets *secrets = g_new0(Secrets, 1);

        secrets->state_dir = g_strdup(state_dir);
        return secrets;
}

void secrets_free(Secrets *secrets)
{
        if (!secrets)
                return;
        g_free(secrets->state_dir);
        explicit_bzero(secrets, sizeof(*secrets));
        g_free(secrets);
}

/* One object that is settled. */
typedef struct Settling {
        Secrets *secrets;
        const PtObject *object, *old;
        PtDiagnostics *diag;
        uint8_t uid[UID_SIZE];
        bool same_uid; /* as `old` has */
        PtPublicKey owner;
        bool has_owner;
        int result;
} Settling;

static int refuse(Settling *settling, const char *path, const char *code, const char *text)
{
        g_auto(GStrv) words = g_strsplit(path, ".", -1);
        g_autofree char *inside = g_strjoinv("/", words),
                        *pointer = g_strconcat("/spec/", inside, NULL);

        pt_diag_error(settling->diag, code, pointer, "%s", text);
        settling->result = -EINVAL;
        return 0; /* the others are looked at too */
}

typedef struct Search {
        const char *path;
        const char *found; /* sealed text, borrowed */
} Search;

static int match_path(const PtField *field, const char *path, const PtSecret *secret,
                      void *userdata)
{
        Search *search = userdata;

        if (strcmp(path, search->path) != 0 || pt_secret_state(secret) != PT_SECRET_SEALED)
                return 0;
        search->found = pt_secret_sealed_text(secret);
        return 1;
}

/* The sealed text that the old object has there, or NULL. */
static const char *old_text(const Settling *settling, const char *path)
{
        Search search = {.path = path};

        if (settling->old)
                (void) pt_object_foreach_secret(settling->old, match_path, &search);
        return search.found;
}

static int need_owner(Settling *settling, const char *path)
{
        const ParticipantClass *klass = participant_class_of(settling->object->kind);
        g_autofree char *text = NULL;
        int r;

        if (settling->has_owner)
                return 1;
        r = pt_public_key_read(settling->secrets->state_dir, klass->name, &settling->owner);
        if (r >= 0) {
                settling->has_owner = true;
                return 1;
        }
        text = r == -ENOENT
                       ? g_strdup_printf("there is no key yet to seal it to: start %s once, which "
                                         "makes one",
                                         klass->name)
                       : g_strdup_printf(
                                 "the key to seal it to (%s/keys/%s/public) cannot be read: "
                                 "%s",
                                 settling->secrets->state_dir, klass->name, g_strerror(-r));
        return refuse(settling, path, "no-key", text);
}

static int need_compare(Settling *settling)
{
        Secrets *secrets = settling->secrets;
        int r;

        if (secrets->has_compare)
                return 0;
        r = pt_compare_key_open(secrets->state_dir, settling->diag, &secrets->compare);
        secrets->has_compare = r >= 0;
        return r;
}

static int seal_plain(Settling *settling, const PtField *field, const char *path, PtSecret *secret)
{
        const PtSecretIdentity identity = {settling->object->kind->name, settling->uid,
                                           field->sealed_as ?: path};
        const char *there = settling->same_uid ? old_text(settling, path) : NULL, *plain;
        g_autofree uint8_t *bytes = NULL;
        g_autofree char *text = NULL;
        PtEnvelope envelope;
        size_t size;
        int r = need_owner(settling, path);

        if (r <= 0)
                return r;
        r = need_compare(settling);
        if (r < 0)
                return r;
        plain = pt_secret_plain_bytes(secret, &size);
        if (there && pt_envelope_from_text(there, &bytes, &envelope) >= 0 &&
            pt_sealed_is(&envelope, &settling->owner, &settling->secrets->compare, &identity, plain,
                         size) > 0)
                text = g_strdup(there);
        else
                r = pt_seal(&settling->owner, &settling->secrets->compare, &identity, plain, size,
                            &text);
        if (r < 0)
                return refuse(settling, path, "not-sealed", g_strerror(-r));
        pt_secret_done(secret);
        pt_secret_set_sealed(secret, text);
        return 0;
}

static int keep_old(Settling *settling, const char *path, PtSecret *secret)
{
        const char *there = old_text(settling, path);

        if (!there)
                return refuse(settling, path, "no-secret",
                              "\"" PT_SECRET_REDACTED
                              "\" leaves a secret as it is, and there is none: write the secret "
                              "itself");
        if (!settling->same_uid)
                return refuse(settling, path, "no-secret",
                              "a secret is bound to the uid of its object, which changes here: "
                              "write the secret itself");
        pt_secret_done(secret);
        pt_secret_set_sealed(secret, there);
        return 0;
}

/* From a backup of this machine. Whether it belongs to this object only the owner can say, which
 * does so when it plans. */
static int check_sealed(Settling *settling, const char *path, const PtSecret *secret)
{
        const char *text = pt_secret_sealed_text(secret);
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;
        int r;

        if (settling->same_uid && g_strcmp0(text, old_text(settling, path)) == 0)
                return 0;
        r = need_owner(settling, path);
        if (r <= 0)
                return r;
        if (pt_envelope_from_text(text, &bytes, &envelope) >= 0 &&
            pt_sealed_for(&envelope, &settling->owner))
                return 0;
        return refuse(settling, path, "foreign-secret",
                      "it was sealed on another machine, or to a key that was lost since: write "
                      "the secret itself");
}

static int settle_one(const PtField *field, const char *path, const PtSecret *value, void *userdata)
{
        Settling *settling = userdata;
        PtSecret *secret = (PtSecret *) value; /* of an object that is not sealed */

        switch (pt_secret_state(secret)) {
        case PT_SECRET_PLAIN:
                return seal_plain(settling, field, path, secret);
        case PT_SECRET_UNCHANGED:
                return keep_old(settling, path, secret);
        case PT_SECRET_SEALED:
                return check_sealed(settling, path, secret);
        case PT_SECRET_NONE:
        case PT_SECRET_STATE_MAX:
        case PT_SECRET_STATE_INVALID:
                break;
        }
        g_assert_not_reached(); /* what is present has a value */
}

int secrets_settle(Secrets *secrets, PtObject *object, const PtObject *old, PtDiagnostics *diag)
{
        Settling settling = {.secrets = secrets, .object = object, .old = old, .diag = diag};
        uint8_t old_uid[UID_SIZE];
        int r;

        if (!pt_kind_has_secret(object->kind))
                return 0;
        g_assert(!object->sealed);
        pt_object_uid(object, settling.uid);
        if (old) {
                pt_object_uid(old, old_uid);
                settling.same_uid = memcmp(settling.uid, old_uid, UID_SIZE) == 0;
        }
        r = pt_object_foreach_secret(object, settle_one, &settling);
        return r < 0 ? r : settling.result;
}

/* Whether two sealed texts of one place hold the same value: configd's own mark says so. */
static bool same_value(const char *a, const char *b)
{
        g_autofree uint8_t *x_bytes = NULL, *y_bytes = NULL;
        PtEnvelope x, y;

        return pt_envelope_from_text(a, &x_bytes, &x) >= 0 &&
               pt_envelope_from_text(b, &y_bytes, &y) >= 0 &&
               memcmp(x.key, y.key, PT_ENVELOPE_KEY) == 0 &&
               memcmp(x.compare, y.compare, PT_ENVELOPE_COMPARE) == 0;
}

/* The text of `other` that holds the same, and is another one; else NULL. */
static const char *text_like(const PtObject *other, const char *path, const PtSecret *secret)
{
        Search search = {.path = path};

        if (pt_secret_state(secret) != PT_SECRET_SEALED)
                return NULL;
        (void) pt_object_foreach_secret(other, match_path, &search);
        return search.found && !g_str_equal(search.found, pt_secret_sealed_text(secret)) &&
                               same_value(search.found, pt_secret_sealed_text(secret))
                       ? search.found
                       : NULL;
}

static int find_like(const PtField *field, const char *path, const PtSecret *secret, void *userdata)
{
        return text_like(userdata, path, secret) ? 1 : 0;
}

static int take_like(const PtField *field, const char *path, const PtSecret *value, void *userdata)
{
        PtSecret *secret = (PtSecret *) value; /* of an object that is not sealed */
        const char *text = text_like(userdata, path, secret);

        if (text) {
                pt_secret_done(secret);
                pt_secret_set_sealed(secret, text);
        }
        return 0;
}

PtObject *secrets_like(const PtObject *object, const PtObject *other)
{
        PtObject *copy;

        if (!pt_kind_has_secret(object->kind) ||
            pt_object_foreach_secret(object, find_like, (void *) other) == 0)
                return pt_object_ref(object);
        copy = pt_object_copy(object, NULL);
        (void) pt_object_foreach_secret(copy, take_like, (void *) other);
        pt_object_seal(copy);
        return copy;
}

static int refuse_unsealed(const PtField *field, const char *path, const PtSecret *secret,
                           void *userdata)
{
        return pt_secret_state(secret) == PT_SECRET_SEALED ? 0 : 1;
}

bool secrets_are_sealed(const PtObject *object, PtDiagnostics *diag)
{
        if (!pt_kind_has_secret(object->kind) ||
            pt_object_foreach_secret(object, refuse_unsealed, NULL) == 0)
                return true;
        pt_diag_error(diag, "no-secret", "/spec", "it has a secret that is not sealed");
        return false;
}
