/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A list over http or https, by libcurl. Names are resolved here and given to it, and redirects
 * followed here one by one: so what is asked for is known at each step, and nothing of the C
 * library's name service (its modules, sockets and threads) is needed in the sandbox.
 */

#include "list.h"
#include "reply.h"
#include "resolve.h"

#include <curl/curl.h>
#include <string.h>

#define REDIRECTS_MAX 5U
#define CONNECT_SEC 15L
/* A server that sends less than this for so long is as good as gone. */
#define SLOW_BYTES 100L
#define SLOW_SEC 20L
#define TRANSFER_SEC 100L
/* More than half of the lines wrong: it is no list, but an error page or something else. */
#define TOO_WRONG(problems, entries) ((problems) > (entries))

typedef struct Fetch {
        const Work *work;
        CURL *curl;
        GByteArray *body;
        bool too_large;
        char *etag, *modified; /* what the server says */
        char error[CURL_ERROR_SIZE];
} Fetch;

static void fetch_done(Fetch *fetch)
{
        if (fetch->curl)
                curl_easy_cleanup(fetch->curl);
        g_byte_array_unref(fetch->body);
        g_free(fetch->etag);
        g_free(fetch->modified);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fetch, fetch_done)

static size_t take_body(char *data, size_t one, size_t size, void *userdata)
{
        Fetch *fetch = userdata;

        if (fetch->body->len + size > PT_DATASET_TEXT_MAX) {
                fetch->too_large = true;
                return 0;
        }
        g_byte_array_append(fetch->body, (const uint8_t *) data, (guint) size);
        return size;
}

static void keep_header(const char *data, size_t size, const char *name, char **value)
{
        size_t len = strlen(name);
        char *text;

        if (size <= len || g_ascii_strncasecmp(data, name, len) != 0)
                return;
        text = g_strstrip(g_strndup(data + len, size - len));
        g_free(*value);
        *value = NULL;
        for (const char *c = text; *c; c++)
                if (*c < 0x20 || *c >= 0x7f) {
                        g_free(text);
                        return;
                }
        if (strlen(text) > 0 && strlen(text) <= FW_FETCH_TEXT_MAX)
                *value = text;
        else
                g_free(text);
}

static size_t take_header(char *data, size_t one, size_t size, void *userdata)
{
        Fetch *fetch = userdata;

        keep_header(data, size, "ETag:", &fetch->etag);
        keep_header(data, size, "Last-Modified:", &fetch->modified);
        return size;
}

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
        char *text = NULL, *copy;

        if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
                return NULL;
        copy = g_strdup(text);
        curl_free(text);
        return copy;
}

/* "HOST:PORT:ADDRESS,ADDRESS", as CURLOPT_RESOLVE takes it. */
typedef struct Where {
        GString *entry;
        char *error;
        unsigned n;
} Where;

static int take_resolved(const Resolved *resolved, void *userdata)
{
        Where *where = userdata;

        if (resolved->error)
                where->error = g_strdup(resolved->error);
        for (unsigned i = 0; i < resolved->n; i++) {
                g_string_append_c(where->entry, where->n++ > 0 ? ',' : ':');
                pt_address_range_format(&resolved->addresses[i], where->entry);
        }
        return 0;
}

static bool is_address(const char *host)
{
        PtAddressRange range;

        return host[0] == '[' || pt_address_range_parse(host, NULL, NULL, &range) == 0;
}

/* Finds the host's addresses for libcurl. *ret may be NULL: the host is one. > 0: it failed, and
 * was said. */
static int find_host(const Fetch *fetch, CURLU *url, struct curl_slist **ret)
{
        g_autofree char *host = url_part(url, CURLUPART_HOST, 0);
        g_autofree char *port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
        g_autoptr(GString) entry = g_string_new(NULL);
        g_autofree char *error = NULL;
        Where where = {.entry = entry};
        const char *names[1];
        int r;

        *ret = NULL;
        if (!host || !port)
                return work_fail(fetch->work, "the URL has no host") < 0 ? -EPIPE : 1;
        if (is_address(host))
                return 0;
        g_string_printf(entry, "%s:%s", host, port);
        names[0] = host;
        r = resolve_names(names, 1, take_resolved, &where);
        error = where.error;
        if (r < 0 || where.n == 0) {
                r = work_fail(fetch->work, "%s cannot be found: %s", host,
                              r < 0   ? "there is no resolver"
                              : error ? error
                                      : "it has no address");
                return r < 0 ? r : 1;
        }
        *ret = curl_slist_append(NULL, entry->str);
        return 0;
}

static struct curl_slist *conditions(const FwFetchRequest *request)
{
        struct curl_slist *headers = curl_slist_append(NULL, "Accept-Encoding: gzip");

        if (request->etag) {
                g_autofree char *line = g_strdup_printf("If-None-Match: %s", request->etag);

                headers = curl_slist_append(headers, line);
        }
        if (request->modified) {
                g_autofree char *line = g_strdup_printf("If-Modified-Since: %s", request->modified);

                headers = curl_slist_append(headers, line);
        }
        return headers;
}

static CURLcode perform(Fetch *fetch, CURLU *url, struct curl_slist *hosts, bool secure)
{
        struct curl_slist *headers = conditions(&fetch->work->request);
        CURL *curl = fetch->curl;
        CURLcode code;

        curl_easy_reset(curl);
        g_byte_array_set_size(fetch->body, 0);
        g_clear_pointer(&fetch->etag, g_free);
        g_clear_pointer(&fetch->modified, g_free);
        fetch->error[0] = '\0';
        curl_easy_setopt(curl, CURLOPT_CURLU, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, secure ? "https" : "http,https");
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "patronus-fetch");
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SEC);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_SEC);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, TRANSFER_SEC);
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) PT_DATASET_TEXT_MAX);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_RESOLVE, hosts);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, fetch->error);
        code = curl_easy_perform(curl);
        curl_slist_free_all(headers);
        return code;
}

static int read_body(Fetch *fetch)
{
        const Work *work = fetch->work;
        const FwAliasUrl *url = &fw_alias_box(work->alias)->url;
        bool macs = work->alias->type == FW_ALIAS_MAC;
        g_autoptr(PtDatasetBuilder) builder =
                pt_dataset_builder_new(macs ? PT_DATASET_MACS : PT_DATASET_ADDRESSES);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtDatasetImport) import = NULL;
        FwFetchLine end = {.present = UINT64_C(1) << FW_LINE_PROBLEMS};
        size_t problems, entries;
        int r = list_unpack(&fetch->body, PT_DATASET_TEXT_MAX);

        if (r == -EFBIG)
                return work_fail(work, "the list is larger than %u MiB when it is unpacked",
                                 PT_DATASET_TEXT_MAX >> 20);
        if (r < 0)
                return work_fail(work, "what is packed with gzip is damaged or cut off");
        import = pt_dataset_import_begin(builder, "line", work->alias->type == FW_ALIAS_HOST, diag);
        r = list_read(url, (const char *) fetch->body->data, fetch->body->len, import, diag);
        problems = pt_dataset_import_problems(import);
        entries = pt_dataset_import_entries(import);
        g_clear_pointer(&import, pt_dataset_import_end);
        if (r < 0 || TOO_WRONG(problems, entries)) {
                const PtDiagnostic *d = pt_diag_count(diag) > 0 ? pt_diag_get(diag, 0) : NULL;

                return work_fail(work, "it is no list: %s%s%s",
                                 d && d->subject[0] ? d->subject : "",
                                 d && d->subject[0] ? ": " : "", d ? d->text : "it cannot be read");
        }
        end.problems = (uint32_t) problems;
        if (fetch->etag) {
                end.present |= UINT64_C(1) << FW_LINE_ETAG;
                end.etag = fetch->etag;
        }
        if (fetch->modified) {
                end.present |= UINT64_C(1) << FW_LINE_MODIFIED;
                end.modified = fetch->modified;
        }
        return work_finish(work, builder, diag, &end);
}

static int say_unchanged(const Work *work)
{
        FwFetchLine end = {.present = UINT64_C(1) << FW_LINE_STATE, .state = FW_FETCH_UNCHANGED};

        return work_say(work, &end);
}

static bool is_https(CURLU *url)
{
        g_autofree char *scheme = url_part(url, CURLUPART_SCHEME, 0);

        return g_strcmp0(scheme, "https") == 0;
}

/* Where a redirect leads, into `url`. > 0: not there, and it was said. */
static int redirect(const Fetch *fetch, CURLU *url, bool secure)
{
        g_autofree char *scheme = NULL;
        char *target = NULL;
        int r = 0;

        curl_easy_getinfo(fetch->curl, CURLINFO_REDIRECT_URL, &target);
        if (!target || curl_url_set(url, CURLUPART_URL, target, 0) != CURLUE_OK) {
                r = work_fail(fetch->work, "the server redirects to nowhere");
                return r < 0 ? r : 1;
        }
        scheme = url_part(url, CURLUPART_SCHEME, 0);
        if (g_strcmp0(scheme, "https") == 0 || (g_strcmp0(scheme, "http") == 0 && !secure))
                return 0;
        r = work_fail(fetch->work, "the server redirects to %s, which is %s", target,
                      secure ? "not https as the list's own URL is" : "neither http nor https");
        return r < 0 ? r : 1;
}

static int say_refused(const Fetch *fetch, CURLcode code)
{
        if (fetch->too_large || code == CURLE_FILESIZE_EXCEEDED)
                return work_fail(fetch->work, "the list is larger than %u MiB",
                                 PT_DATASET_TEXT_MAX >> 20);
        return work_fail(fetch->work, "%s",
                         fetch->error[0] ? fetch->error : curl_easy_strerror(code));
}

/* One request. > 0: said how it ended; 0: `url` is the next one. */
static int step(Fetch *fetch, CURLU *url, bool secure)
{
        struct curl_slist *hosts = NULL;
        long status = 0;
        CURLcode code;
        int r = find_host(fetch, url, &hosts);

        if (r != 0)
                return r;
        code = perform(fetch, url, hosts, secure);
        curl_slist_free_all(hosts);
        if (code != CURLE_OK) {
                r = say_refused(fetch, code);
                return r < 0 ? r : 1;
        }
        curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
        switch (status) {
        case 200:
                r = read_body(fetch);
                break;
        case 304:
                r = say_unchanged(fetch->work);
                break;
        case 301:
        case 302:
        case 303:
        case 307:
        case 308:
                return redirect(fetch, url, secure);
        default:
                r = work_fail(fetch->work, "the server answers %ld", status);
                break;
        }
        return r < 0 ? r : 1;
}

int work_fetch_url(const Work *work)
{
        g_auto(Fetch) fetch = {.work = work, .body = g_byte_array_new()};
        CURLU *url = curl_url();
        bool secure;
        int r = 0;

        fetch.curl = curl_easy_init();
        if (!fetch.curl || !url ||
            curl_url_set(url, CURLUPART_URL, fw_alias_box(work->alias)->url.url, 0) != CURLUE_OK) {
                curl_url_cleanup(url);
                return work_fail(work, "the URL cannot be read");
        }
        secure = is_https(url);
        for (unsigned i = 0; r == 0; i++) {
                if (i > REDIRECTS_MAX) {
                        r = work_fail(work, "the server redirects more than %u times",
                                      REDIRECTS_MAX);
                        break;
                }
                r = step(&fetch, url, secure);
                secure = secure || is_https(url);
        }
        curl_url_cleanup(url);
        return MIN(r, 0);
}
