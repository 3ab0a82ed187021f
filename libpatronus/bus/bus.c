/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/bus.h"

#include "base/text.h"
#include <string.h>

const sd_bus_error_map pt_bus_errors[] = {
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Invalid", EINVAL),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "NotFound", ENOENT),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Exists", EEXIST),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Busy", EBUSY),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "NeedFull", ESTALE),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Conflict", EAGAIN),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Timeout", ETIME),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "NotAuthorized", EPERM),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "TooLarge", EFBIG),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Damaged", EBADMSG),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "DaemonUnreachable", ENOTCONN),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Cancelled", ECANCELED),
        SD_BUS_ERROR_MAP(PT_ERROR_PREFIX "Failed", EIO),
        SD_BUS_ERROR_MAP_END,
};

int pt_bus_errors_register(void)
{
        int r = sd_bus_error_add_map(pt_bus_errors);

        return MIN(r, 0);
}

const char *pt_bus_error_name(int error)
{
        for (const sd_bus_error_map *e = pt_bus_errors; e->name; e++)
                if (e->code == -error)
                        return e->name;
        return PT_ERROR_PREFIX "Failed";
}

/* A text with a stray byte makes the bus driver cut the connection of whoever sends it. */
static char *utf8_text(const char *text)
{
        return pt_utf8_is_valid(text, strlen(text)) ? g_strdup(text) : g_utf8_make_valid(text, -1);
}

int pt_bus_fail(sd_bus_error *error, int code, const char *format, ...)
{
        g_autofree char *text = NULL, *valid = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        valid = utf8_text(text);
        (void) sd_bus_error_set(error, pt_bus_error_name(code), valid);
        return code;
}

/* "Kind/name#/spec/x". */
static char *place_join(const PtDiagnostic *d)
{
        g_autofree char *place = d->pointer[0] ? g_strconcat(d->subject, "#", d->pointer, NULL)
                                               : g_strdup(d->subject);

        return utf8_text(place);
}

int pt_diag_append(const PtDiagnostics *diag, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "(ssss)");
        if (r < 0)
                return r;
        for (size_t i = 0; diag && i < pt_diag_count(diag); i++) {
                const PtDiagnostic *d = pt_diag_get(diag, i);
                g_autofree char *place = place_join(d);
                g_autofree char *text = utf8_text(d->text);

                r = sd_bus_message_append(m, "(ssss)", pt_severity_to_string(d->severity), place,
                                          d->code, text);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

int pt_diag_read(sd_bus_message *m, PtDiagnostics *diag)
{
        const char *severity, *place, *code, *text;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(ssss)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ssss)", &severity, &place, &code, &text)) > 0) {
                PtSeverity s = pt_severity_from_string(severity);
                /* No kind, name or pointer begins with "#/": what stands before is the subject. */
                const char *split = strstr(place, "#/");
                g_autofree char *subject =
                        split ? g_strndup(place, (size_t) (split - place)) : g_strdup(place);

                if (s < 0)
                        return -EBADMSG;
                pt_diag_add_full(diag, s, subject, split ? split + 1 : "", code, text);
        }
        if (r < 0)
                return r;
        return sd_bus_message_exit_container(m);
}

/* The first error, as one sentence with its place. */
static char *refusal_text(int code, const PtDiagnostics *diag)
{
        for (size_t i = 0; diag && i < pt_diag_count(diag); i++) {
                const PtDiagnostic *d = pt_diag_get(diag, i);
                g_autofree char *place = NULL, *text = NULL;

                if (d->severity != PT_SEVERITY_ERROR)
                        continue;
                place = place_join(d);
                text = utf8_text(d->text);
                return place[0] ? g_strconcat(place, ": ", text, NULL) : g_steal_pointer(&text);
        }
        return g_strdup(g_strerror(-code));
}

int pt_bus_refuse(sd_bus_message *call, int code, const PtDiagnostics *diag)
{
        g_autofree char *text = refusal_text(code, diag);
        pt_auto_error error = SD_BUS_ERROR_NULL;
        pt_auto_message *reply = NULL;
        int r;

        (void) sd_bus_error_set(&error, pt_bus_error_name(code), text);
        r = sd_bus_message_new_method_error(call, &reply, &error);
        if (r < 0)
                return r;
        r = pt_diag_append(diag, reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

int pt_bus_read_refusal(sd_bus_message *reply, PtDiagnostics *diag)
{
        int r;

        if (!sd_bus_message_has_signature(reply, "sa(ssss)"))
                return 0;
        r = sd_bus_message_rewind(reply, true);
        if (r < 0)
                return r;
        r = sd_bus_message_skip(reply, "s");
        if (r < 0)
                return r;
        return pt_diag_read(reply, diag);
}

int pt_bus_sender_uid(sd_bus_message *m, uid_t *ret)
{
        pt_auto_creds *creds = NULL;
        int r;

        r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds);
        if (r < 0)
                return r;
        return sd_bus_creds_get_euid(creds, ret);
}
