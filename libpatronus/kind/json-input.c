/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/json-input.h"

#include "base/text.h"
#include <string.h>

typedef struct Input {
        const char *source, *text;
        size_t size;
        unsigned flags;
        PtDiagnostics *diag;
        PtDocumentHook hook; /* or NULL */
        PtObjectSink sink;
        void *userdata;
} Input;

static int parse(const Input *input, const char *text, size_t size, PtDiagnostics *diag,
                 struct json_object **ret)
{
        return input->hook ? pt_json_parse_large(text, size, diag, ret)
                           : pt_json_parse(text, size, diag, ret);
}

/* A line that is not blank. */
typedef struct Line {
        const char *text;
        size_t size;
        size_t number; /* from 1; 0: before the first */
        size_t next;   /* offset of what follows */
} Line;

static size_t skip_blanks(const char *text, size_t size)
{
        size_t n = 0;

        while (n < size && (text[n] == ' ' || text[n] == '\t' || text[n] == '\r'))
                n++;
        return n;
}

/* The next line that is not blank, if there is one; begins with a Line of zeros. */
static bool next_line(const Input *input, Line *line)
{
        while (line->next < input->size) {
                const char *start = input->text + line->next;
                size_t rest = input->size - line->next;
                const char *newline = memchr(start, '\n', rest);
                size_t size = newline ? (size_t) (newline - start) : rest;
                size_t blanks = skip_blanks(start, size);

                line->number++;
                line->next += size + (newline ? 1 : 0);
                line->text = start + blanks;
                line->size = size - blanks;
                if (line->size > 0)
                        return true;
        }
        return false;
}

char *pt_document_identity(struct json_object *document)
{
        struct json_object *kind = NULL, *metadata = NULL, *name = NULL;

        if (!json_object_is_type(document, json_type_object) ||
            !json_object_object_get_ex(document, "kind", &kind) ||
            !json_object_is_type(kind, json_type_string))
                return g_strdup("");
        if (json_object_object_get_ex(document, "metadata", &metadata) &&
            json_object_is_type(metadata, json_type_object))
                (void) json_object_object_get_ex(metadata, "name", &name);
        if (!json_object_is_type(name, json_type_string))
                return g_strdup_printf(": %.*s", PT_NAME_MAX, json_object_get_string(kind));
        return g_strdup_printf(": %.*s/%.*s", PT_NAME_MAX, json_object_get_string(kind),
                               PT_NAME_MAX, json_object_get_string(name));
}

/* Makes the object of a tree; `place` names the tree in diagnostics. > 0 or < 0 is the sink's. */
static int read_tree(const Input *input, const char *place, struct json_object *json, bool *bad)
{
        g_autofree char *identity = pt_document_identity(json);
        pt_auto_json *changed = NULL;
        PtObject *object = NULL;
        int r = 0;

        pt_diag_set_subject(input->diag, "%s%s", place, identity);
        if (input->hook)
                r = input->hook(json, input->diag, input->userdata, &changed);
        if (r == 0)
                r = pt_object_from_json(changed ?: json, input->flags, input->diag, &object);
        pt_diag_set_subject(input->diag, NULL);
        if (r < 0) {
                *bad = true;
                return 0;
        }
        return object ? input->sink(object, input->userdata) : 0;
}

static int read_line(const Input *input, const Line *line, bool *bad)
{
        g_autofree char *place = g_strdup_printf("%s:%zu", input->source, line->number);
        pt_auto_json *json = NULL;
        int r;

        pt_diag_set_subject(input->diag, "%s", place);
        r = parse(input, line->text, line->size, input->diag, &json);
        pt_diag_set_subject(input->diag, NULL);
        if (r < 0) {
                *bad = true;
                return 0;
        }
        return read_tree(input, place, json, bad);
}

static int read_lines(const Input *input)
{
        bool bad = false;
        Line line = {};
        int r = 0;

        while (r == 0 && next_line(input, &line)) {
                if (bad && (!input->diag || pt_diag_count(input->diag) >= PT_DIAG_MAX))
                        break; /* refused anyway, and there is room for no further reason */
                r = read_line(input, &line, &bad);
        }
        return r == 0 && bad ? -EINVAL : r;
}

/* The first line is a JSON text and the second begins another, which no YAML does. */
static bool is_lines(const Input *input)
{
        Line line = {};
        pt_auto_json *json = NULL;

        if (!next_line(input, &line) || line.text[0] != '{' ||
            parse(input, line.text, line.size, NULL, &json) < 0)
                return false;
        return next_line(input, &line) && line.text[0] == '{';
}

bool pt_json_input_read(const char *source, const char *text, size_t size, unsigned flags,
                        PtDiagnostics *diag, PtDocumentHook hook, PtObjectSink sink, void *userdata,
                        int *ret_result)
{
        Input input = {source, text, size, flags, diag, hook, sink, userdata};
        pt_auto_json *json = NULL;
        bool bad = false;
        Line line = {};
        int r;

        if (!next_line(&input, &line) || line.text[0] != '{')
                return false;
        if (is_lines(&input)) {
                *ret_result = read_lines(&input);
                return true;
        }
        if (parse(&input, text, size, NULL, &json) < 0)
                return false;
        r = read_tree(&input, source, json, &bad);
        *ret_result = r == 0 && bad ? -EINVAL : r;
        return true;
}
