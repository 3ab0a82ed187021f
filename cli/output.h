/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What people and programs get to see: messages on standard error, colours, one value as YAML or
 * JSON; rows.h has tables. In text from outside the characters that act on a terminal are escaped.
 */

#include "rows.h"
#include <stdio.h>

/* "error: …", "warning: …", "notice: …", coloured on a terminal without NO_COLOR. */
void ctl_say(PtSeverity severity, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define ctl_error(...) ctl_say(PT_SEVERITY_ERROR, __VA_ARGS__)
/* All entries: "error: FirewallRule/web /spec/x: text". */
void ctl_say_diagnostics(const PtDiagnostics *diag);

typedef enum CtlColour {
        CTL_PLAIN,
        CTL_BOLD,
        CTL_DIM,
        CTL_RED,
        CTL_GREEN,
        CTL_YELLOW,
        CTL_ERROR, /* bold red */
        CTL_COLOUR_MAX,
} CtlColour;

/* Escape sequence that switches to the colour, or "" where `stream` is no terminal for colours. */
const char *ctl_colour(FILE *stream, CtlColour colour);
/* Colours everywhere, or nowhere: what --color always and never mean, here and in programs that are
 * started. */
void ctl_set_colours(bool wanted);

/* The text with control characters escaped ("\\x1b", "\\n"), and those that change the direction of
 * text ("\\u202e"). */
char *ctl_safe(const char *text);

/* Prints one value as YAML or as one line of JSON. */
void ctl_print_json(struct json_object *json, CtlFormat format);
/* The member at "a.b.c", or NULL. */
struct json_object *ctl_json_at(struct json_object *json, const char *path);
/* A string member, or "". */
const char *ctl_json_string(struct json_object *json, const char *path);
uint64_t ctl_json_number(struct json_object *json, const char *path);
