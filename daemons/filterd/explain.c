/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "explain.h"

#include "base/io.h"
#include "base/marks.h"
#include "kind/field.h"
#include "kind/json.h"
#include "netlink/nft.h"
#include "ways.h"

#include <linux/netfilter.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_SIZE (256U * 1024U)

typedef struct Explainer {
        const FwExplain *explain;
        const FwTimes *times;
        FwLists *lists;
        FwWays *ways;
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

static int evaluate(Explainer *explainer, const FwQuestion *question, FwPacket *packet,
                    FwOutcome *ret)
{
        FwWorld world = {
                .lists = explainer->lists,
                .times = explainer->times,
                .route = find_way,
                .back = find_back,
                .banned = explainer->explain->bans ? find_ban : NULL,
                .userdata = explainer,
        };
        int r = fw_question_packet(question, fw_lists_zones(explainer->lists), explainer->diag,
                                   packet);

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
        if (r == 0)
                r = evaluate(explainer, &question, &packet, &outcome);
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

static int answer_all(Explainer *explainer, const char *text, size_t size, int fd)
{
        const char *end = text + size;
        unsigned line = 0;
        int r = 0;

        while (r == 0 && text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text)) ?: end;

                if (++line > FW_QUESTIONS_MAX)
                        return -E2BIG;
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
        g_autoptr(FwTimes) times = NULL;
        g_autoptr(FwWays) ways = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) foreign = NULL;
        g_autoptr(GString) lines = g_string_sized_new(WRITE_SIZE + 4096);
        Explainer explainer = {.explain = explain, .diag = diag, .out = lines};
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
        if (r == 0)
                r = fw_ways_open(explain->netns_fd, &ways);
        if (r == 0 && explain->foreign)
                r = list_foreign(explain->netns_fd, &foreign);
        if (r < 0)
                return r;
        times = fw_times_new(source.slice, explain->at, explain->trusted);
        explainer.times = times;
        explainer.lists = lists;
        explainer.ways = ways;
        explainer.foreign = foreign;
        return answer_all(&explainer, text, size, answers);
}
