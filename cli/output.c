/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "output.h"

#include "kind/yaml.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const escapes[CTL_COLOUR_MAX] = {
        [CTL_PLAIN] = "\033[0m",    [CTL_BOLD] = "\033[1m",   [CTL_DIM] = "\033[2m",
        [CTL_RED] = "\033[31m",     [CTL_GREEN] = "\033[32m", [CTL_YELLOW] = "\033[33m",
        [CTL_ERROR] = "\033[1;31m",
};

const char *ctl_colour(FILE *stream, CtlColour colour)
{
        const char *force = getenv("CLICOLOR_FORCE"), *no_color = getenv("NO_COLOR"),
                   *term = getenv("TERM");

        /* https://no-color.org, https://bixense.com/clicolors: set and not empty. --color sets
         * them (ctl_set_colours). */
        if (no_color && *no_color)
                return "";
        if (force && *force)
                return escapes[colour];
        if (!isatty(fileno(stream)) || !term || strcmp(term, "dumb") == 0)
                return "";
        return escapes[colour];
}

void ctl_set_colours(bool wanted)
{
        setenv(wanted ? "CLICOLOR_FORCE" : "NO_COLOR", "1", true);
        unsetenv(wanted ? "NO_COLOR" : "CLICOLOR_FORCE");
}

/* Characters that act on the terminal instead of being seen: controls, and those that turn the
 * direction of what follows (Unicode TR 9). */
static bool is_unsafe(gunichar c)
{
        return g_unichar_iscntrl(c) || c == 0x200e || c == 0x200f || c == 0x061c ||
               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 ||
               c == 0x2029;
}

char *ctl_safe(const char *text)
{
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        GString *out = g_string_sized_new(strlen(valid));

        for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (c == '\n')
                        g_string_append(out, "\\n");
                else if (c == '\t')
                        g_string_append(out, "\\t");
                else if (is_unsafe(c))
                        g_string_append_printf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
                else
                        g_string_append_unichar(out, c);
        }
        return g_string_free(out, FALSE);
}

void ctl_say(PtSeverity severity, const char *format, ...)
{
        CtlColour colour = severity == PT_SEVERITY_ERROR     ? CTL_ERROR
                           : severity == PT_SEVERITY_WARNING ? CTL_YELLOW
                                                             : CTL_BOLD;
        g_autofree char *text = NULL, *safe = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        safe = ctl_safe(text);
        fprintf(stderr, "%s%s:%s %s\n", ctl_colour(stderr, colour), pt_severity_to_string(severity),
                ctl_colour(stderr, CTL_PLAIN), safe);
}

void ctl_say_diagnostics(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *d = pt_diag_get(diag, i);
                bool subject = *d->subject, pointer = *d->pointer;

                ctl_say(d->severity, "%s%s%s%s%s", d->subject, subject && pointer ? " " : "",
                        d->pointer, subject || pointer ? ": " : "", d->text);
        }
        if (pt_diag_dropped(diag) > 0)
                ctl_say(PT_SEVERITY_NOTICE, "%zu more messages are not shown",
                        pt_diag_dropped(diag));
}

struct json_object *ctl_json_at(struct json_object *json, const char *path)
{
        g_auto(GStrv) steps = g_strsplit(path, ".", -1);

        for (char **step = steps; *step && json; step++) {
                if (!json_object_is_type(json, json_type_object))
                        return NULL;
                json = json_object_object_get(json, *step);
        }
        return json;
}

const char *ctl_json_string(struct json_object *json, const char *path)
{
        struct json_object *value = ctl_json_at(json, path);

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

uint64_t ctl_json_number(struct json_object *json, const char *path)
{
        struct json_object *value = ctl_json_at(json, path);

        return json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;
}

void ctl_print_json(struct json_object *json, CtlFormat format)
{
        if (format == CTL_YAML) {
                g_autoptr(GString) out = g_string_new("---\n");

                pt_json_to_yaml(json, out);
                fputs(out->str, stdout);
        } else {
                puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
        }
}
