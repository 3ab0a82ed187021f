/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "explain.h"

#include "base/io.h"
#include "base/marks.h"
#include "event/parts.h"
#include "explain-frames.h"
#include "external.h"
#include "kind/field.h"
#include "kind/json.h"
#include "netlink/nft.h"
#include "ways.h"

#include <linux/netfilter.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_SIZE (256U * 1024U)
/* More of a batch are answered by several processes, each with so many at least, since it costs some
 * 0.5 ms to begin one. So many processes: others wait for processors too. */
#define PART_LINES_MIN 1024U
#define PARTS_MAX 8U
/* They begin when lists and their indices have been made, which the first questions do. */
#define FIRST_LINES 256U
#define SENDFILE_SIZE (64U * 1024 * 1024)
/* Times that questions are about, of which is remembered what schedules say. */
#define TIMES_MAX 256U

/* What an external alias holds: what the kernel has, whichever time the alias has there. One that is
 * not there yet begins with nothing. */
typedef struct External {
        PtNft *nft;
        GPtrArray *sets; /* names */
} External;

typedef struct Explainer {
        const FwExplain *explain;
        FwTimes *times;
        GHashTable *others; /* what schedules say at other times: int64_t -> FwTimes */
        FwLists *lists;
        FwExplainFrames *frames;
        FwWays *ways;
        External *external;
        const FwQuestion *question;
        GPtrArray *foreign; /* PtNftBaseChain; NULL: they are not named */
        PtDiagnostics *diag;
        GString *out;
} Explainer;

/* Callbacks of the evaluator. */

static int find_way(const FwPacket *packet, const uint8_t *destination, FwWay *ret, void *userdata)
{
        const Explainer *explainer = userdata;
        int r = fw_ways_forth(explainer->ways, packet, destination, ret);

        if (explainer->question->out && (r < 0 || !ret->local)) {
                *ret = (FwWay){};
                g_strlcpy(ret->out, explainer->question->out, sizeof(ret->out));
                return 0;
        }
        return r;
}

static int find_back(const FwPacket *packet, const uint8_t *source, FwWay *ret, void *userdata)
{
        return fw_ways_back(((const Explainer *) userdata)->ways, packet, source, ret);
}

static bool find_ban(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata)
{
        return fw_bans_cover(((const Explainer *) userdata)->explain->bans, family, address, ret);
}

static int read_external(const char *alias, FwSetPart part, GArray *spans, void *userdata)
{
        const External *external = userdata;
        int family = part == FW_SET_IPV4 ? AF_INET : AF_INET6;
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(FwBan));
        const char *set = fw_sets_find_external(external->sets, alias, part);
        int r = set ? fw_external_read_set(external->nft, set, family, entries) : 0;

        for (unsigned i = 0; r == 0 && i < entries->len; i++) {
                FwNumber number = fw_number_read(g_array_index(entries, FwBan, i).address,
                                                 fw_part_key_len(part));
                FwSpan span = {number, number};

                g_array_append_val(spans, span);
        }
        return r == -ENOENT ? 0 : r;
}

static int open_external(int netns_fd, External *ret)
{
        int r = pt_nft_open(netns_fd, &ret->nft);

        if (r == 0)
                r = pt_nft_list_sets(ret->nft, PT_MARK_NFT_TABLE, &ret->sets);
        if (r == -ENOENT) {
                ret->sets = g_ptr_array_new();
                r = 0;
        }
        return r;
}

static void external_done(External *external)
{
        pt_nft_close(external->nft);
        if (external->sets)
                g_ptr_array_unref(external->sets);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(External, external_done)

static bool find_opening(const FwKnock *knock, FwOpening *ret, void *userdata)
{
        return fw_openings_admit(((const Explainer *) userdata)->explain->openings, knock, ret);
}

/* One question. */

/* By which interface it comes that leads to its source, if that is of the zone it is said to come
 * from; else by one of the zone. */
static void find_interface(Explainer *explainer, FwPacket *packet)
{
        const FwZones *zones = fw_lists_zones(explainer->lists);
        size_t size = packet->family == AF_INET ? 4 : 16;
        const FwZone *from = packet->from;
        uint8_t source[16];
        FwWay back;
        int r;

        if (packet->in[0] || (from && !from->zone))
                return;
        fw_number_write(packet->values[FW_DIM_SOURCE_ADDRESS].lo, size, source);
        r = fw_ways_back(explainer->ways, packet, source, &back);
        if (r == 0 && back.local) {
                if (!from)
                        packet->from = &zones->router;
                return;
        }
        if (r == 0 && (!from || fw_zones_find(zones, packet->family, source, back.out) == from)) {
                g_strlcpy(packet->in, back.out, sizeof(packet->in));
                fw_packet_set_interface(packet, FW_DIM_IN_INTERFACE, back.out);
                return;
        }
        fw_packet_set_unknown(packet, FW_DIM_IN_INTERFACE);
}

static void append_foreign(const Explainer *explainer, const FwOutcome *outcome)
{
        uint32_t hook = outcome->way.local                      ? NF_INET_LOCAL_IN
                        : outcome->from && !outcome->from->zone ? NF_INET_LOCAL_OUT
                                                                : NF_INET_FORWARD;
        bool any = false;

        g_string_truncate(explainer->out, explainer->out->len - 1);
        g_string_append(explainer->out, ",\"foreign\":[");
        for (unsigned i = 0; i < explainer->foreign->len; i++) {
                const PtNftBaseChain *chain = g_ptr_array_index(explainer->foreign, i);

                if (chain->hook != hook && chain->hook != NF_INET_PRE_ROUTING &&
                    chain->hook != NF_INET_POST_ROUTING)
                        continue;
                if (any)
                        g_string_append_c(explainer->out, ',');
                any = true;
                pt_canonical_string(chain->text, strlen(chain->text), explainer->out);
        }
        g_string_append(explainer->out, "]}");
}

static void append_diagnostic(const Explainer *explainer, unsigned line)
{
        const PtDiagnostic *first = pt_diag_get(explainer->diag, 0);

        fw_answer_append_error(line, first->pointer, first->text, explainer->out);
}

/* What schedules say at the time that it is about. */
static FwTimes *times_of(Explainer *explainer, const FwQuestion *question)
{
        FwTimes *times;
        int64_t at;

        if (!fw_question_time(question, &at))
                return explainer->times;
        times = g_hash_table_lookup(explainer->others, &at);
        if (times)
                return times;
        if (g_hash_table_size(explainer->others) >= TIMES_MAX)
                g_hash_table_remove_all(explainer->others);
        times = fw_times_at(fw_lists_source(explainer->lists)->slice, at);
        g_hash_table_insert(explainer->others, g_memdup2(&at, sizeof(at)), times);
        return times;
}

static int evaluate(Explainer *explainer, const FwQuestion *question, FwPacket *packet,
                    FwOutcome *ret)
{
        FwWorld world = {
                .lists = explainer->lists,
                .times = times_of(explainer, question),
                .route = find_way,
                .back = find_back,
                .banned = explainer->explain->bans ? find_ban : NULL,
                .opened = find_opening,
                .panic = explainer->explain->panic,
                .userdata = explainer,
        };
        int r = fw_question_packet(question, explainer->lists, explainer->diag, packet);

        if (r < 0)
                return r;
        explainer->question = question;
        find_interface(explainer, packet);
        if (!packet->in[0] && !packet->from) {
                pt_diag_error(explainer->diag, "no-route", "/src",
                              "the kernel knows no way to it, so where it comes from is not known: "
                              "say from or in");
                return -EINVAL;
        }
        r = fw_evaluate(&world, packet, ret);
        if (r < 0)
                pt_diag_error(explainer->diag, "no-route", "/dst",
                              "the kernel knows no way to it (%s): say to or out", g_strerror(-r));
        return r;
}

static void answer(Explainer *explainer, const char *text, size_t size, unsigned line)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_auto(FwQuestion) question = {};
        pt_auto_json *json = NULL;
        FwOutcome outcome;
        FwPacket packet;
        int r;

        explainer->diag = diag;
        r = pt_json_parse(text, size, explainer->diag, &json);
        if (r == 0)
                r = pt_fields_from_json(fw_question_fields, json, "", explainer->diag, &question,
                                        &question.present);
        if (r == 0 && fw_question_is_frame(&question)) {
                r = fw_explain_frame(explainer->frames, &question, times_of(explainer, &question),
                                     diag, explainer->out);
                if (r == 0)
                        return;
        } else if (r == 0) {
                r = evaluate(explainer, &question, &packet, &outcome);
        }
        if (r < 0) {
                append_diagnostic(explainer, line);
                return;
        }
        fw_answer_append(&outcome, &packet, explainer->out);
        if (explainer->foreign && outcome.action == FW_ALLOW)
                append_foreign(explainer, &outcome);
}

/* All of them. */

static int flush(Explainer *explainer, int fd)
{
        int r = pt_write_all(fd, explainer->out->str, explainer->out->len);

        g_string_truncate(explainer->out, 0);
        return r;
}

/* Some of the lines, and how many come before them. */
typedef struct Lines {
        const char *text;
        size_t size;
        unsigned before;
} Lines;

static const char *line_end(const Lines *lines, const char *line)
{
        const char *end = lines->text + lines->size;

        return memchr(line, '\n', (size_t) (end - line)) ?: end;
}

static int answer_lines(Explainer *explainer, const Lines *lines, int fd)
{
        const char *text = lines->text;
        unsigned line = lines->before;
        int r = 0;

        while (r == 0 && text < lines->text + lines->size) {
                const char *newline = line_end(lines, text);

                line++;
                if (newline > text) {
                        answer(explainer, text, (size_t) (newline - text), line);
                        g_string_append_c(explainer->out, '\n');
                }
                text = newline + 1;
                if (explainer->out->len >= WRITE_SIZE)
                        r = flush(explainer, fd);
        }
        return r < 0 ? r : flush(explainer, fd);
}

/* Takes lines from the front, as many as there are if they are fewer. */
static Lines take_lines(Lines *lines, unsigned n)
{
        Lines taken = {.text = lines->text, .before = lines->before};
        const char *at = lines->text, *end = lines->text + lines->size;

        for (; n > 0 && at < end; n--) {
                at = line_end(lines, at);
                at += at < end;
                lines->before++;
        }
        taken.size = (size_t) (at - lines->text);
        lines->text = at;
        lines->size -= taken.size;
        return taken;
}

/* What is asked about by several processes: what lists and indices are needed is known by then. */
typedef struct Batch {
        Explainer *explainer;
        Lines parts[PARTS_MAX];
        int answers[PARTS_MAX]; /* of the first part: where all answers go */
} Batch;

static int answer_part(unsigned part, void *userdata)
{
        const Batch *batch = userdata;
        Explainer *explainer = batch->explainer;
        int r = 0;

        if (part > 0) {
                /* Two who ask the kernel by one socket would take each other's answers. */
                fw_ways_close(g_steal_pointer(&explainer->ways));
                r = fw_ways_open(explainer->explain->netns_fd, &explainer->ways);
                pt_nft_close(g_steal_pointer(&explainer->external->nft));
                if (r == 0)
                        r = pt_nft_open(explainer->explain->netns_fd, &explainer->external->nft);
        }
        return r < 0 ? r : answer_lines(explainer, &batch->parts[part], batch->answers[part]);
}

/* Appends what a file holds to another one. */
static int append_file(int from, int to)
{
        off_t at = 0;
        ssize_t n;

        while ((n = sendfile(to, from, &at, SENDFILE_SIZE)) > 0)
                ;
        return n < 0 ? -errno : 0;
}

static int answer_parts(Explainer *explainer, Lines *lines, unsigned n_lines, int fd)
{
        unsigned n = MIN(MIN(g_get_num_processors(), n_lines / PART_LINES_MIN), PARTS_MAX);
        Batch batch = {.explainer = explainer, .answers = {fd}};
        int r = 0;

        if (n < 2)
                return answer_lines(explainer, lines, fd);
        for (unsigned i = 0; i < n; i++) {
                batch.parts[i] = take_lines(lines, i + 1 < n ? n_lines / n : n_lines);
                if (i > 0)
                        batch.answers[i] = memfd_create("patronus-why-part", MFD_CLOEXEC);
                if (r == 0 && batch.answers[i] < 0)
                        r = -errno;
        }
        if (r == 0)
                r = pt_parts_run(n, answer_part, &batch);
        for (unsigned i = 1; i < n; i++) {
                if (r == 0)
                        r = append_file(batch.answers[i], fd);
                pt_closep(&batch.answers[i]);
        }
        return r;
}

static int answer_all(Explainer *explainer, const char *text, size_t size, int fd)
{
        Lines all = {.text = text, .size = size}, rest = all, first;
        int r;

        (void) take_lines(&rest, FW_QUESTIONS_MAX);
        if (rest.size > 0)
                return -E2BIG;
        first = take_lines(&all, FIRST_LINES);
        r = answer_lines(explainer, &first, fd);
        return r < 0 ? r : answer_parts(explainer, &all, rest.before - all.before, fd);
}

typedef struct Check {
        PtLookup lookup;
        PtDiagnostics *diag;
} Check;

/* What configd has looked at, of a slice that comes from a stranger. */
static int check_object(const PtObject *object, void *userdata)
{
        Check *check = userdata;

        pt_diag_set_subject(check->diag, "%s/%s", object->kind->name, object->name);
        (void) pt_object_check(object, check->diag);
        if (object->kind->check_set)
                (void) object->kind->check_set(object, &check->lookup, check->diag);
        return pt_diag_errors(check->diag) > 0 ? -EINVAL : 0;
}

static void tell(const PtDiagnostics *diag, GString *out)
{
        const PtDiagnostic *first = pt_diag_count(diag) > 0 ? pt_diag_get(diag, 0) : NULL;

        if (first)
                g_string_printf(out, "%s%s%s: %s", first->subject, first->pointer[0] ? "#" : "",
                                first->pointer, first->text);
}

int fw_foreign_slice_read(int fd, GString *out, PtSlice **ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) slice = NULL;
        Check check = {.diag = diag};
        int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;

        if (r == 0)
                r = pt_slice_read(fd, diag, &slice);
        if (r == 0) {
                check.lookup = pt_slice_lookup(slice);
                r = pt_slice_foreach(slice, NULL, check_object, &check);
        }
        if (r < 0) {
                tell(diag, out);
                return -EINVAL;
        }
        *ret = g_steal_pointer(&slice);
        return 0;
}

static int list_foreign(int netns_fd, GPtrArray **ret)
{
        g_autoptr(PtNft) nft = NULL;
        int r = pt_nft_open(netns_fd, &nft);

        return r < 0 ? r : pt_nft_list_base_chains(nft, PT_MARK_NFT_TABLE, ret);
}

static int map_questions(int fd, const char **ret, size_t *ret_size)
{
        struct stat st;
        void *text;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > FW_QUESTIONS_SIZE_MAX)
                return -E2BIG;
        *ret_size = (size_t) st.st_size;
        *ret = "";
        if (st.st_size == 0)
                return 0;
        text = mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED)
                return -errno;
        *ret = text;
        return 0;
}

int fw_explain_run(const FwExplain *explain, int questions, int answers, GString *out)
{
        g_autoptr(PtSlice) slice = NULL;
        g_autoptr(FwLists) lists = NULL;
        g_autoptr(FwExplainFrames) frames = NULL;
        g_autoptr(FwTimes) times = NULL;
        g_autoptr(GHashTable) others = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                                             (GDestroyNotify) fw_times_unref);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) foreign = NULL;
        g_autoptr(GString) lines = g_string_sized_new(WRITE_SIZE + 4096);
        g_auto(External) external = {};
        Explainer explainer = {
                .explain = explain, .external = &external, .diag = diag, .out = lines};
        FwSource source = {.state_dir = explain->state_dir, .live = explain->live};
        const char *text;
        size_t size = 0;
        int r = map_questions(questions, &text, &size);

        if (r == 0 && explain->fd >= 0)
                r = fw_foreign_slice_read(explain->fd, out, &slice);
        if (r < 0)
                return r;
        source.slice = slice ?: explain->slice;
        r = fw_lists_new(&source, NULL, diag, &lists);
        if (r < 0)
                tell(diag, out);
        if (r == 0 && explain->foreign)
                r = list_foreign(explain->netns_fd, &foreign);
        if (r == 0)
                r = fw_ways_open(explain->netns_fd, &explainer.ways);
        if (r == 0)
                r = open_external(explain->netns_fd, &external);
        if (r < 0)
                return r;
        fw_alias_cache_set_external(fw_lists_aliases(lists), read_external, &external);
        times = fw_times_new(source.slice, explain->at, explain->trusted);
        explainer.times = times;
        explainer.others = others;
        explainer.lists = lists;
        explainer.frames = frames = fw_explain_frames_new(&source);
        explainer.foreign = foreign;
        r = answer_all(&explainer, text, size, answers);
        fw_ways_close(explainer.ways);
        return r;
}
