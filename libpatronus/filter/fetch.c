/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/fetch.h"

#include "base/io.h"
#include "kind/field.h"
#include "kind/json.h"

#include <string.h>

static const PtChoice sorts[] = {
        {"url", FW_LIVE_URL, ""},
        {"names", FW_LIVE_NAMES, ""},
        {"places", FW_LIVE_PLACES, ""},
        {},
};

static const PtChoice states[] = {
        {"done", FW_FETCH_DONE, ""},
        {"unchanged", FW_FETCH_UNCHANGED, ""},
        {"failed", FW_FETCH_FAILED, ""},
        {},
};

/* clang-format off */
static const PtField request_rows[] = {
        [FW_REQUEST_SORT] = PT_FIELD(FwFetchRequest, enum, sort, "sort", PT_F_REQUIRED,
                .choices = sorts),
        [FW_REQUEST_ETAG] = PT_FIELD(FwFetchRequest, string, etag, "etag", 0,
                .max = FW_FETCH_TEXT_MAX),
        [FW_REQUEST_MODIFIED] = PT_FIELD(FwFetchRequest, string, modified, "modified", 0,
                .max = FW_FETCH_TEXT_MAX),
        [FW_REQUEST_DATABASE] = PT_FIELD(FwFetchRequest, string, database, "database", 0,
                .max = 4096),
        [FW_REQUEST_ASN_DATABASE] = PT_FIELD(FwFetchRequest, string, asn_database, "asnDatabase",
                0, .max = 4096),
        {},
};

static const PtField line_rows[] = {
        [FW_LINE_NAME] = PT_FIELD(FwFetchLine, fqdn, name, "name", 0),
        [FW_LINE_ADDRESSES] = PT_FIELD(FwFetchLine, address_range, addresses, "addresses",
                PT_F_LIST | PT_F_ORDERED, .max_items = FW_FETCH_ADDRESSES_MAX),
        [FW_LINE_TTL] = PT_FIELD(FwFetchLine, u32, ttl, "ttl", 0),
        [FW_LINE_TEXT] = PT_FIELD(FwFetchLine, string, text, "text", 0, .max = FW_FETCH_TEXT_MAX),
        [FW_LINE_PROBLEM] = PT_FIELD(FwFetchLine, string, problem, "problem", 0,
                .max = FW_FETCH_TEXT_MAX),
        [FW_LINE_STATE] = PT_FIELD(FwFetchLine, enum, state, "state", 0, .choices = states),
        [FW_LINE_ETAG] = PT_FIELD(FwFetchLine, string, etag, "etag", 0, .max = FW_FETCH_TEXT_MAX),
        [FW_LINE_MODIFIED] = PT_FIELD(FwFetchLine, string, modified, "modified", 0,
                .max = FW_FETCH_TEXT_MAX),
        [FW_LINE_PROBLEMS] = PT_FIELD(FwFetchLine, u32, problems, "problems", 0),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(request_rows) == FW_REQUEST_ASN_DATABASE + 2);
G_STATIC_ASSERT(G_N_ELEMENTS(line_rows) == FW_LINE_PROBLEMS + 2);

int fw_fetch_request_write(const FwFetchRequest *request, const Alias *alias)
{
        g_autoptr(GString) text = g_string_new(NULL);

        pt_fields_to_canonical(request_rows, request, request->present, text);
        g_string_append_c(text, '\n');
        pt_object_to_canonical(&alias->object, text);
        g_string_append_c(text, '\n');
        return pt_memfd_new_sealed("request", text->str, text->len);
}

int fw_fetch_request_read(int fd, FwFetchRequest *ret, Alias **ret_alias, PtDiagnostics *diag)
{
        g_auto(FwFetchRequest) request = {0};
        g_autofree char *text = NULL;
        pt_auto_json *json = NULL;
        PtObject *object = NULL;
        char *second;
        size_t size;
        int r = pt_read_all(fd, FW_FETCH_REQUEST_MAX, &text, &size);

        if (r < 0)
                return r;
        second = memchr(text, '\n', size);
        if (!second)
                return -EINVAL;
        r = pt_json_parse(text, (size_t) (second - text), diag, &json);
        if (r >= 0)
                r = pt_fields_from_json(request_rows, json, "", diag, &request, &request.present);
        if (r < 0)
                return r;
        second++;
        size -= (size_t) (second - text);
        r = pt_object_from_canonical(second, size - (size > 0), diag, &object);
        if (r < 0)
                return r;
        if (object->kind != &pt_kind_alias) {
                pt_object_unref(object);
                return -EINVAL;
        }
        *ret = request;
        request = (FwFetchRequest){0};
        *ret_alias = (Alias *) object;
        return 0;
}

void fw_fetch_request_done(FwFetchRequest *request)
{
        pt_fields_done(request_rows, request, request->present);
        *request = (FwFetchRequest){0};
}

void fw_fetch_line_write(const FwFetchLine *line, GString *out)
{
        pt_fields_to_canonical(line_rows, line, line->present, out);
        g_string_append_c(out, '\n');
}

int fw_fetch_line_read(const char *text, size_t size, FwFetchLine *ret)
{
        g_auto(FwFetchLine) line = {0};
        pt_auto_json *json = NULL;
        int r = pt_json_parse(text, size, NULL, &json);

        if (r >= 0)
                r = pt_fields_from_json(line_rows, json, "", NULL, &line, &line.present);
        if (r < 0)
                return r;
        *ret = line;
        line = (FwFetchLine){0};
        return 0;
}

void fw_fetch_line_done(FwFetchLine *line)
{
        pt_fields_done(line_rows, line, line->present);
        *line = (FwFetchLine){0};
}
