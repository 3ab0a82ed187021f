/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: Explain, ExplainBatch and Compare (docs/DBUS.md). */

#include "bus-filter.h"

#include "base/io.h"
#include "event/worker.h"
#include "explain.h"
#include "kind/json.h"
#include "kind/vardict.h"
#include "review.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>

#define QUESTIONS_MAX 256 /* of Explain, whose answers are in one message */
#define EXPLAIN_USEC (120 * G_USEC_PER_SEC)

/* A call that a child works for. */
typedef struct Call {
        FwManager *manager;
        PtWorker *worker;
        sd_bus_message *message;
        FwExplain explain;
        int questions, answers; /* memfds of lines, or what the caller gave */
        bool batch;
        bool compares; /* `questions` and the slice that is asked about are two slices */
} Call;

static void call_free(void *p)
{
        Call *call = p;

        pt_worker_free(call->worker);
        sd_bus_message_unref(call->message);
        pt_slice_unref(call->explain.slice);
        fw_live_unref(call->explain.live);
        pt_closep(&call->explain.fd);
        pt_closep(&call->questions);
        pt_closep(&call->answers);
        g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

GPtrArray *fw_explanations_new(void)
{
        return g_ptr_array_new_with_free_func(call_free);
}

static Call *call_new(FwManager *manager, sd_bus_message *m, bool batch)
{
        const FwLayout *layout = fw_engine_layout(fw_manager_engine(manager));
        Call *call = g_new0(Call, 1);

        call->manager = manager;
        call->message = sd_bus_message_ref(m);
        call->questions = call->answers = -EBADF;
        call->batch = batch;
        call->explain = (FwExplain){
                .at = time(NULL),
                .trusted = fw_engine_trusts_clock(fw_manager_engine(manager)),
                .slice = layout ? pt_slice_ref(layout->slice) : NULL,
                .fd = -EBADF,
                .bans = fw_manager_bans(manager),
                .openings = fw_manager_openings(manager),
                .panic = fw_panic_is_on(fw_manager_panic(manager)),
                .state_dir = fw_manager_state_dir(manager),
                .live = layout ? fw_live_ref(fw_sets_live(layout->sets)) : NULL,
                .netns_fd = fw_manager_netns(manager),
                .foreign = !batch,
        };
        return call;
}

/* In the child. */
static int run(void *userdata, GString *out)
{
        const Call *call = userdata;

        if (call->compares)
                return fw_compare_run(call->questions, call->explain.fd, call->explain.state_dir,
                                      call->answers, out);
        return fw_explain_run(&call->explain, call->questions, call->answers, out);
}

/* The answers as a{sv} each. */
static int append_answers(const Call *call, sd_bus_message *reply)
{
        g_autofree char *text = NULL;
        size_t size;
        int r = lseek(call->answers, 0, SEEK_SET) < 0 ? -errno : 0;

        if (r == 0)
                r = pt_read_all(call->answers, PT_REPLY_MAX, &text, &size);
        if (r == 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (const char *line = text, *next; r >= 0 && line < text + size; line = next + 1) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_json *json = NULL;

                next = memchr(line, '\n', (size_t) (text + size - line));
                if (!next)
                        return -EBADMSG;
                r = pt_json_parse(line, (size_t) (next - line), diag, &json);
                if (r == 0)
                        r = pt_vardict_append(json, reply);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int answer(const Call *call, sd_bus_error *error)
{
        pt_auto_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call->message, &reply);

        if (r >= 0 && call->batch) {
                r = pt_memfd_seal(call->answers);
                if (r == 0)
                        r = sd_bus_message_append(reply, "h", call->answers);
        } else if (r >= 0) {
                r = append_answers(call, reply);
        }
        if (r == -EFBIG)
                return pt_bus_fail(error, r,
                                   "The answers are too long for one message; "
                                   "ask ExplainBatch");
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int refuse(int result, const GString *why, sd_bus_error *error)
{
        if (result == -E2BIG)
                return pt_bus_fail(error, -EFBIG,
                                   "At most %u packets, and %u MiB of them, are answered for at a "
                                   "time",
                                   FW_QUESTIONS_MAX, FW_QUESTIONS_SIZE_MAX >> 20);
        if (why->len > 0)
                return pt_bus_fail(error, result, "The slice cannot be asked: %s", why->str);
        return pt_bus_fail(error, result, "It cannot be told: %s", g_strerror(-result));
}

static void on_answered(int result, const GString *out, void *userdata)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;
        Call *call = userdata;
        int r;

        call->worker = NULL;
        r = result < 0 ? refuse(result, out, &error) : answer(call, &error);
        if (r < 0)
                (void) sd_bus_reply_method_errno(call->message, r, &error);
        (void) g_ptr_array_remove_fast(fw_manager_explanations(call->manager), call);
}

static bool is_file(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_descriptor(sd_bus_message *m, int *ret)
{
        int fd, r = sd_bus_message_read_basic(m, 'h', &fd);

        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        pt_closep(ret);
        *ret = fd;
        return 0;
}

/* a{sv}: slice h, at t. */
static int read_options(sd_bus_message *m, Call *call, sd_bus_error *error)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (g_str_equal(key, "slice")) {
                        r = sd_bus_message_enter_container(m, 'v', "h");
                        if (r < 0)
                                return pt_bus_fail(error, -EINVAL, "slice is a descriptor (h)");
                        r = read_descriptor(m, &call->explain.fd);
                } else if (g_str_equal(key, "at")) {
                        r = sd_bus_message_enter_container(m, 'v', "t");
                        if (r < 0)
                                return pt_bus_fail(error, -EINVAL,
                                                   "at is a number of seconds since 1970 (t)");
                        r = sd_bus_message_read(m, "t", &call->explain.at);
                        call->explain.at = CLAMP(call->explain.at, 0, FW_SCHEDULE_TIME_MAX);
                        call->explain.trusted = true;
                } else {
                        return pt_bus_fail(error, -EINVAL,
                                           "There is no option \"%s\"; known: slice, at", key);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        if (call->explain.fd >= 0 && !is_file(call->explain.fd))
                return pt_bus_fail(error, -EINVAL, "slice must be a memfd or a regular file");
        if (call->explain.fd < 0 && !call->explain.slice)
                return pt_bus_fail(error, -ENOENT, "There is no policy in force yet");
        return 0;
}

static int new_file(int *ret)
{
        int fd = memfd_create("patronus-why", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

/* aa{sv} to a line each. */
static int read_questions(sd_bus_message *m, Call *call, sd_bus_error *error)
{
        g_autoptr(GString) lines = g_string_new(NULL);
        unsigned n = 0;
        int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_json *json = NULL;

                if (++n > QUESTIONS_MAX)
                        return pt_bus_fail(error, -EFBIG,
                                           "At most %u packets at a time; ask ExplainBatch",
                                           QUESTIONS_MAX);
                r = pt_fields_read(fw_question_fields, m, diag, &json);
                if (r < 0)
                        return pt_diag_errors(diag) > 0 ? pt_bus_refuse(m, r, diag) : r;
                pt_json_to_canonical(json, lines);
                g_string_append_c(lines, '\n');
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = new_file(&call->questions);
        return r < 0 ? r : pt_write_all(call->questions, lines->str, lines->len);
}

/* The call is taken. */
static int start(Call *taken, sd_bus_error *error)
{
        g_autoptr(Call) call = taken;
        GPtrArray *calls = fw_manager_explanations(call->manager);
        int r;

        if (calls->len >= FW_EXPLANATIONS_MAX)
                return pt_bus_fail(error, -EBUSY, "%u such calls are being answered: try again",
                                   FW_EXPLANATIONS_MAX);
        r = new_file(&call->answers);
        if (r == 0)
                r = pt_worker_start(fw_manager_event(call->manager), EXPLAIN_USEC, run, on_answered,
                                    call, &call->worker);
        if (r < 0)
                return r;
        g_ptr_array_add(calls, g_steal_pointer(&call));
        return 1;
}

int fw_method_explain(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        g_autoptr(Call) call = call_new(userdata, m, false);
        int r = read_questions(m, call, error);

        if (r > 0)
                return r; /* refused, with what is wrong */
        if (r == 0)
                r = read_options(m, call, error);
        return r < 0 ? r : start(g_steal_pointer(&call), error);
}

int fw_method_explain_batch(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        g_autoptr(Call) call = call_new(userdata, m, true);
        int r = read_descriptor(m, &call->questions);

        if (r == 0 && !is_file(call->questions))
                return pt_bus_fail(error, -EINVAL, "packets must be a memfd or a regular file");
        if (r == 0)
                r = read_options(m, call, error);
        return r < 0 ? r : start(g_steal_pointer(&call), error);
}

/* No options are known yet. */
static int read_no_options(sd_bus_message *m, sd_bus_error *error)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        if (r >= 0 && sd_bus_message_at_end(m, false) == 0)
                return pt_bus_fail(error, -EINVAL, "Compare takes no options");
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int fw_method_compare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        g_autoptr(Call) call = call_new(userdata, m, true);
        int r = read_descriptor(m, &call->questions);

        if (r == 0)
                r = read_descriptor(m, &call->explain.fd);
        if (r == 0 && (!is_file(call->questions) || !is_file(call->explain.fd)))
                return pt_bus_fail(error, -EINVAL,
                                   "before and after must be memfds or regular files");
        if (r == 0)
                r = read_no_options(m, error);
        call->compares = true;
        return r < 0 ? r : start(g_steal_pointer(&call), error);
}
