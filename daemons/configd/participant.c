/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "participant.h"

#include "base/io.h"
#include "base/text.h"
#include "bus/bus.h"
#include "event/backoff.h"
#include "kind/vardict.h"

#include <string.h>
#include <sys/mman.h>

#define DIFFERENCE_DEPTH 4 /* the a{sv}, a variant, and an array of texts in it */

#define TRANSACTION_INTERFACE "org.patronus.Transaction1"

const char *stage_to_string(Stage stage)
{
        static const char *const names[STAGE_MAX] = {
                [STAGE_DATASET] = "dataset", [STAGE_LINK] = "link",     [STAGE_ADDRESS] = "address",
                [STAGE_TUNNEL] = "tunnel",   [STAGE_ROUTE] = "route",   [STAGE_STEER] = "steer",
                [STAGE_SERVICE] = "service", [STAGE_FILTER] = "filter", [STAGE_PUBLISH] = "publish",
        };

        return stage >= 0 && stage < STAGE_MAX ? names[stage] : NULL;
}

const ParticipantClass *participant_class_of(const PtKind *kind)
{
        for (const ParticipantClass *klass = participant_classes; klass->name; klass++)
                if (g_str_has_prefix(kind->api_version, klass->api_prefix))
                        return klass;
        g_assert_not_reached();
}

void participant_init(Participant *participant, const ParticipantClass *klass)
{
        GPtrArray *kinds = g_ptr_array_new();

        participant->klass = klass;
        participant->all_kinds = true;
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                if (g_str_has_prefix((*kind)->api_version, klass->api_prefix))
                        g_ptr_array_add(kinds, (void *) *kind);
                else
                        participant->all_kinds = false;
        g_ptr_array_add(kinds, NULL);
        participant->kinds = (const PtKind **) g_ptr_array_free(kinds, false);
}

void participant_done(Participant *participant)
{
        g_clear_pointer(&participant->kinds, g_free);
        g_clear_pointer(&participant->slice, pt_slice_unref);
        g_clear_pointer(&participant->owner, g_free);
        participant->bus = sd_bus_unref(participant->bus);
}

static bool has_kind(const Participant *participant, const PtKind *kind)
{
        for (const PtKind **k = participant->kinds; *k; k++)
                if (*k == kind)
                        return true;
        return false;
}

PtSlice *participant_project(const Participant *participant, PtSlice *configuration)
{
        /* The same slice, not a copy: indexes of a large one are not small. */
        if (participant->all_kinds)
                return pt_slice_ref(configuration);
        return pt_slice_project(configuration, participant->kinds);
}

PtSlice *participant_project_changes(const Participant *participant, const Changes *changes)
{
        g_autoptr(PtSlice) slice = NULL;

        if (participant->all_kinds)
                return changes->list->len > 0 ? pt_slice_ref(changes->after) : NULL;
        for (guint i = 0; i < changes->list->len; i++) {
                const ObjectChange *change = changes_get(changes, i);
                const PtObject *object = change_object(change);

                if (!has_kind(participant, object->kind))
                        continue;
                if (!slice)
                        slice = pt_slice_clone(participant->slice);
                if (change->after)
                        pt_slice_put(slice, change->after);
                else
                        (void) pt_slice_remove(slice, object->kind, object->name);
        }
        return g_steal_pointer(&slice);
}

static int read_steps(sd_bus_message *m, Answer *answer)
{
        const char *step;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &step)) > 0)
                if (answer->steps->len < PT_PLAN_STEPS_MAX)
                        g_ptr_array_add(answer->steps, g_strdup(step));
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

static int read_digest(sd_bus_message *m, bool *ret_has, PtDigest *ret)
{
        const char *hex;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &hex);
        if (r < 0)
                return r;
        r = pt_digest_from_hex(hex, ret);
        if (r < 0)
                return r;
        *ret_has = true;
        return 0;
}

static int read_bool(sd_bus_message *m, bool *ret)
{
        int value, r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_BOOLEAN, &value);
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

static PtGuarantee guarantee_from_string(const char *text)
{
        for (PtGuarantee i = 0; i < PT_GUARANTEE_MAX; i++)
                if (g_str_equal(text, pt_guarantee_to_string(i)))
                        return i;
        return PT_GUARANTEE_INVALID;
}

static int read_word(sd_bus_message *m, const char **ret)
{
        return sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, ret);
}

static int read_text(sd_bus_message *m, char **ret)
{
        const char *text;
        int r;

        r = read_word(m, &text);
        if (r < 0)
                return r;
        g_free(*ret);
        *ret = g_strdup(text);
        return 0;
}

/* Whatever it says: it is for people, and handed on. */
static int read_difference(sd_bus_message *m, struct json_object **ret)
{
        pt_auto_json *lines = json_object_new_array();
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                struct json_object *line;

                r = pt_vardict_read(m, DIFFERENCE_DEPTH, &line);
                if (r >= 0)
                        json_object_array_add(lines, line);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        json_object_put(*ret);
        *ret = g_steal_pointer(&lines);
        return 0;
}

/* The value of one member, inside its variant. */
static int read_member(sd_bus_message *m, const char *key, PtDiagnostics *diag, Answer *answer)
{
        const char *word;
        int r;

        if (g_str_equal(key, "steps"))
                return read_steps(m, answer);
        if (g_str_equal(key, "diagnostics"))
                return pt_diag_read(m, diag);
        if (g_str_equal(key, "root"))
                return read_digest(m, &answer->has_root, &answer->root);
        if (g_str_equal(key, "markerRoot"))
                return read_digest(m, &answer->has_marker, &answer->marker_root);
        if (g_str_equal(key, "difference"))
                return read_difference(m, &answer->difference);
        if (g_str_equal(key, "differencePartial"))
                return read_bool(m, &answer->difference_partial);
        if (g_str_equal(key, "empty"))
                return read_bool(m, &answer->empty);
        if (g_str_equal(key, "verified"))
                return read_bool(m, &answer->verified);
        if (g_str_equal(key, "prepareUSec"))
                return sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT64, &answer->prepare_usec);
        if (g_str_equal(key, "commitUSec"))
                return sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT64, &answer->commit_usec);
        if (g_str_equal(key, "engineUSec"))
                return sd_bus_message_read_basic(m, SD_BUS_TYPE_UINT64, &answer->engine_usec);
        if (g_str_equal(key, "engine"))
                return read_text(m, &answer->engine);
        if (g_str_equal(key, "cutsWhy"))
                return read_text(m, &answer->cuts_why);
        if (g_str_equal(key, "cuts")) {
                answer->has_cuts = true;
                return read_bool(m, &answer->cuts);
        }
        if (g_str_equal(key, "impact")) {
                r = read_word(m, &word);
                if (r < 0)
                        return r;
                answer->impact = pt_impact_from_string(word);
                return answer->impact < 0 ? -EBADMSG : 0;
        }
        if (g_str_equal(key, "guarantee")) {
                r = read_word(m, &word);
                if (r < 0)
                        return r;
                answer->guarantee = guarantee_from_string(word);
                return answer->guarantee < 0 ? -EBADMSG : 0;
        }
        return sd_bus_message_skip(m, NULL);
}

static int read_entry(sd_bus_message *m, PtDiagnostics *diag, Answer *answer)
{
        const char *key, *contents;
        char type;
        int r;

        r = read_word(m, &key);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        r = read_member(m, key, diag, answer);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m); /* the variant */
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m); /* the entry */
}

static int read_answer(sd_bus_message *m, PtDiagnostics *diag, Answer *answer)
{
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_entry(m, diag, answer);
                if (r < 0)
                        return r;
        }
        return r;
}

/* The bus says NoReply when a name goes away, and sd-bus says it in the bus' name when time is over.
 */
static bool is_vanished(const ParticipantCall *call, const sd_bus_error *error)
{
        uint64_t waited = (uint64_t) g_get_monotonic_time() - call->started_usec;

        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
                return waited < call->deadline_usec;
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

/* Gives the errno of an error reply, with a diagnostic unless it brought its own, or the caller
 * tries again. */
static int read_failure(const ParticipantCall *call, sd_bus_message *m)
{
        const ParticipantClass *klass = call->participant->klass;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int code = -abs(sd_bus_error_get_errno(error));
        size_t errors = pt_diag_errors(call->diag);
        char span[PT_DURATION_TEXT_MAX];

        if (participant_try_again(code))
                return code;
        if (is_vanished(call, error)) {
                pt_diag_error(call->diag, "daemon-died", NULL,
                              "%s ended before it answered %s: see its log", klass->name,
                              call->method);
                return -ECONNRESET;
        }
        (void) pt_bus_read_refusal(m, call->diag);
        if (pt_diag_errors(call->diag) > errors)
                return code;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                pt_diag_error(call->diag, "no-answer", NULL,
                              "%s did not answer %s within %s: see its log", klass->name,
                              call->method, pt_duration_format(call->deadline_usec, span));
        else
                pt_diag_error(call->diag, "daemon-failed", NULL, "%s refused %s: %s", klass->name,
                              call->method, error->message);
        return code;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        ParticipantCall *call = userdata;
        g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(g_free);
        Answer answer = {.steps = steps};
        int r = 0;

        call->slot = sd_bus_slot_unref(call->slot);
        if (sd_bus_message_is_method_error(m, NULL)) {
                r = read_failure(call, m);
        } else {
                r = read_answer(m, call->diag, &answer);
                if (r < 0)
                        pt_diag_error(
                                call->diag, "daemon-failed", NULL,
                                "%s answered %s with what cannot be understood: is it of another "
                                "version?",
                                call->participant->klass->name, call->method);
        }
        call->done(r, &answer, call->userdata);
        g_free(answer.engine);
        g_free(answer.cuts_why);
        json_object_put(answer.difference);
        return 0;
}

static int new_call(const Participant *participant, const char *method, sd_bus_message **ret)
{
        if (!participant->owner)
                return -ENOTCONN;
        return sd_bus_message_new_method_call(participant->bus, ret, participant->owner,
                                              participant->klass->path, TRANSACTION_INTERFACE,
                                              method);
}

static int start_call(ParticipantCall *call, sd_bus_message *m, const char *method,
                      uint64_t deadline_usec)
{
        call->method = method;
        call->deadline_usec = deadline_usec;
        call->started_usec = (uint64_t) g_get_monotonic_time();
        return sd_bus_call_async(call->participant->bus, &call->slot, m, on_reply, call,
                                 deadline_usec);
}

/* A sealed memfd with the delta, or the whole slice, which is streamed, when that is no longer. */
static int slice_memfd(const PtSlice *before, const PtSlice *after)
{
        pt_auto_fd int fd = -EBADF;
        int r;

        if (before && pt_slice_count(before, NULL) > pt_slice_count(after, NULL) / 2) {
                g_autoptr(GString) text = g_string_new(NULL);

                pt_delta_format(before, after, text);
                return pt_memfd_new_sealed("patronus-delta", text->str, text->len);
        }
        fd = memfd_create("patronus-slice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = pt_slice_write(after, fd);
        if (r < 0)
                return r;
        r = pt_memfd_seal(fd);
        if (r < 0)
                return r;
        return pt_steal_fd(&fd);
}

static int append_wish(sd_bus_message *m, const PlanWish *wish)
{
        static const char *const tests[] = {
                [PLAN_TESTS_REFUSE] = "refuse", [PLAN_TESTS_WARN] = "warn"};
        char tuple[PT_TUPLE_TEXT_MAX];
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && wish->administrator)
                r = sd_bus_message_append(m, "{sv}", "administrator", "s",
                                          pt_tuple_format(wish->administrator, tuple));
        if (r >= 0 && wish->analyze)
                r = sd_bus_message_append(m, "{sv}", "analyze", "b", true);
        if (r >= 0 && wish->tests != PLAN_TESTS_NONE)
                r = sd_bus_message_append(m, "{sv}", "tests", "s", tests[wish->tests]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int participant_plan(ParticipantCall *call, uint64_t revision, const PtSlice *before,
                     const PtSlice *after, const PlanWish *wish, uint64_t deadline_usec)
{
        pt_auto_message *m = NULL;
        pt_auto_fd int fd = -EBADF;
        int r;

        r = new_call(call->participant, "Plan", &m);
        if (r < 0)
                return r;
        fd = slice_memfd(before, after);
        if (fd < 0)
                return fd;
        r = sd_bus_message_append(m, "th", revision, fd);
        if (r >= 0)
                r = append_wish(m, wish);
        if (r < 0)
                return r;
        return start_call(call, m, "Plan", deadline_usec);
}

int participant_step(ParticipantCall *call, const char *method, uint64_t revision,
                     uint64_t deadline_usec)
{
        pt_auto_message *m = NULL;
        int r;

        r = new_call(call->participant, method, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "t", revision);
        if (r < 0)
                return r;
        return start_call(call, m, method, deadline_usec);
}

int participant_get_state(ParticipantCall *call, uint64_t deadline_usec)
{
        pt_auto_message *m = NULL;
        int r;

        r = new_call(call->participant, "GetState", &m);
        if (r < 0)
                return r;
        return start_call(call, m, "GetState", deadline_usec);
}

void participant_abort(const Participant *participant, uint64_t revision)
{
        pt_auto_message *m = NULL;

        /* A daemon that does not hear it drops the transaction when the next Plan comes, or has
         * died. */
        if (new_call(participant, "Abort", &m) < 0 || sd_bus_message_append(m, "t", revision) < 0 ||
            sd_bus_message_set_expect_reply(m, false) < 0)
                return;
        (void) sd_bus_message_send(m);
}

void participant_cancel(ParticipantCall *call)
{
        call->slot = sd_bus_slot_unref(call->slot);
}

bool answer_in_force(const Answer *answer, const PtSlice *slice)
{
        PtDigest root;

        pt_slice_root(slice, &root);
        if (answer->has_marker)
                return pt_digest_equal(&answer->marker_root, &root);
        return answer->has_root && pt_digest_equal(&answer->root, &root);
}

bool answer_agrees(const Answer *answer, const PtSlice *slice)
{
        PtDigest root;

        pt_slice_root(slice, &root);
        return answer_in_force(answer, slice) && answer->has_root &&
               pt_digest_equal(&answer->root, &root);
}
