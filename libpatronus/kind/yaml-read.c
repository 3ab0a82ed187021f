/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/yaml.h"

#include "kind/field.h"
#include "kind/json-input.h"
#include "kind/yaml-scalar.h"
#include <string.h>
#include <yaml.h>

/*
 * Events become a json-c tree for each document, and that an object. Nothing is ever expanded: an
 * alias is refused when its event comes, so no input costs more than its own length.
 */

/* Events of one document: a document of PT_DOCUMENT_MAX bytes that is not meant to be hard on us
 * has fewer. */
#define YAML_EVENTS_MAX (PT_DOCUMENT_MAX / 2)
/* Problems of form that are told for one document: the first few say it all. */
#define YAML_PROBLEMS_MAX 10

typedef struct Mark { /* from 1 */
        uint32_t line, column;
} Mark;

/* A mapping or sequence that is being read. */
typedef struct Frame {
        struct json_object *container; /* borrowed: the document owns all */
        char *key; /* of the value that comes next; NULL: a key comes next, or a sequence */
} Frame;

typedef struct Reader {
        const char *source, *text;
        size_t size, fed; /* of the text; given to libyaml so far */
        unsigned flags;
        PtDiagnostics *diag;
        PtDocumentHook hook; /* or NULL */
        PtObjectSink sink;
        void *userdata;
        struct json_object **tree; /* or NULL: where the one document goes instead of the sink */
        GPtrArray *unplaced;       /* or NULL: PtDiagnostic, looked for instead of using the sink */
        bool bad;                  /* some document was */

        /* The document that is being read. */
        struct json_object *root; /* NULL: none yet, or null */
        size_t document_fed;      /* `fed` when it began */
        bool too_large;
        unsigned events, problems;
        GArray *marks; /* Mark of each value in the order of the text; of a mapping's member, that
                          of its key */
        Mark key_mark;
        Frame frames[PT_JSON_DEPTH_MAX];
        unsigned depth;
        unsigned skipped_depth; /* levels inside a key, which are not kept */
} Reader;

static Mark mark_of(const yaml_mark_t *mark)
{
        return (Mark){(uint32_t) mark->line + 1, (uint32_t) mark->column + 1};
}

static size_t document_max(const Reader *reader)
{
        return reader->hook ? PT_LARGE_DOCUMENT_MAX : PT_DOCUMENT_MAX;
}

static unsigned events_max(const Reader *reader)
{
        return reader->hook ? PT_LARGE_VALUES_MAX : YAML_EVENTS_MAX;
}

/* libyaml's input: parts of the text, as long as the document does not exceed its limit. What
 * libyaml reads ahead makes the count coarse by some kilobytes. */
static int feed(void *data, unsigned char *buffer, size_t size, size_t *ret_size)
{
        Reader *reader = data;
        size_t n = MIN(size, reader->size - reader->fed);

        if (reader->fed - reader->document_fed > document_max(reader)) {
                reader->too_large = true;
                return 0;
        }
        memcpy(buffer, reader->text + reader->fed, n);
        reader->fed += n;
        *ret_size = n;
        return 1;
}

static void G_GNUC_PRINTF(4, 5)
        problem(Reader *reader, Mark mark, const char *code, const char *format, ...)
{
        g_autofree char *text = NULL, *subject = NULL;
        va_list args;

        reader->bad = true;
        if (reader->problems++ >= YAML_PROBLEMS_MAX)
                return;
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        subject =
                g_strdup_printf("%s:%" PRIu32 ":%" PRIu32, reader->source, mark.line, mark.column);
        pt_diag_add_full(reader->diag, PT_SEVERITY_ERROR, subject, "", code, text);
}

static void document_done(Reader *reader)
{
        g_clear_pointer(&reader->root, json_object_put);
        for (unsigned i = 0; i < reader->depth; i++)
                g_clear_pointer(&reader->frames[i].key, g_free);
        reader->depth = reader->skipped_depth = 0;
        reader->events = reader->problems = 0;
        g_array_set_size(reader->marks, 0);
}

/* Number of values in a tree: the tree is at most PT_JSON_DEPTH_MAX deep. */
static unsigned count_values(struct json_object *json)
{
        unsigned n = 1;

        if (json_object_is_type(json, json_type_object)) {
                json_object_object_foreach(json, key, value)
                {
                        (void) key;
                        n += count_values(value);
                }
        }
        if (json_object_is_type(json, json_type_array))
                for (size_t i = 0; i < json_object_array_length(json); i++)
                        n += count_values(json_object_array_get_idx(json, i));
        return n;
}

/* If `pointer` continues with `key`, what follows it; else NULL. */
static const char *pointer_enters(const char *pointer, const char *key)
{
        g_autoptr(GString) escaped = g_string_new(NULL);

        pt_pointer_append(escaped, key);
        if (!g_str_has_prefix(pointer, escaped->str))
                return NULL;
        pointer += escaped->len;
        return *pointer == '/' || *pointer == '\0' ? pointer : NULL;
}

/* The place of what a JSON pointer names, or of the innermost thing on the way that exists. Marks
 * are in the order of the text, which is the order of the tree's values, since json-c keeps it. */
static Mark find_mark(const Reader *reader, const char *pointer)
{
        struct json_object *json = reader->root;
        unsigned index = 0;

        while (*pointer) {
                const char *rest = NULL;
                unsigned at = index + 1;
                struct json_object *next = NULL;

                if (json_object_is_type(json, json_type_object)) {
                        json_object_object_foreach(json, key, value)
                        {
                                rest = pointer_enters(pointer, key);
                                next = value;
                                if (rest)
                                        break;
                                at += count_values(value);
                        }
                } else if (json_object_is_type(json, json_type_array)) {
                        for (size_t i = 0; !rest && i < json_object_array_length(json); i++) {
                                g_autofree char *key = g_strdup_printf("%zu", i);

                                rest = pointer_enters(pointer, key);
                                next = json_object_array_get_idx(json, i);
                                if (!rest)
                                        at += count_values(next);
                        }
                }
                if (!rest)
                        break;
                pointer = rest;
                json = next;
                index = at;
        }
        return g_array_index(reader->marks, Mark, index);
}

/* Adds an entry with its line and column in the document. */
static void add_placed(const Reader *reader, const PtDiagnostic *entry)
{
        Mark mark = find_mark(reader, entry->pointer);
        g_autofree char *identity = pt_document_identity(reader->root);
        g_autofree char *subject = g_strdup_printf("%s:%" PRIu32 ":%" PRIu32 "%s", reader->source,
                                                   mark.line, mark.column, identity);

        pt_diag_add_full(reader->diag, entry->severity, subject, entry->pointer, entry->code,
                         entry->text);
}

/* Places those entries that are about the document's object. */
static void place_document(const Reader *reader)
{
        g_autofree char *identity = pt_document_identity(reader->root);

        for (guint i = 0; i < reader->unplaced->len;) {
                const PtDiagnostic *entry = g_ptr_array_index(reader->unplaced, i);
                g_autofree char *subject = g_strconcat(": ", entry->subject, NULL);

                if (*entry->subject && strcmp(subject, identity) == 0) {
                        add_placed(reader, entry);
                        g_ptr_array_remove_index(reader->unplaced, i);
                } else
                        i++;
        }
}

/* Makes the document's object and gives it to the sink; what was wrong with it gets its line and
 * column. */
static int document_to_sink(Reader *reader)
{
        g_autoptr(PtDiagnostics) found = NULL;
        pt_auto_json *changed = NULL;
        PtObject *object = NULL;
        int r = 0;

        if (reader->tree) {
                json_object_put(*reader->tree);
                *reader->tree = g_steal_pointer(&reader->root);
                return 0;
        }
        if (reader->unplaced) {
                place_document(reader);
                return 0;
        }
        found = pt_diag_new();
        if (reader->hook)
                r = reader->hook(reader->root, found, reader->userdata, &changed);
        if (r == 0)
                r = pt_object_from_json(changed ?: reader->root, reader->flags, found, &object);
        for (size_t i = 0; i < pt_diag_count(found); i++)
                add_placed(reader, pt_diag_get(found, i));
        if (r < 0) {
                reader->bad = true;
                return 0;
        }
        return object ? reader->sink(object, reader->userdata) : 0;
}

/* Puts a value where the document is: takes it over. */
static void add_value(Reader *reader, struct json_object *value, Mark mark)
{
        Frame *frame = reader->depth > 0 ? &reader->frames[reader->depth - 1] : NULL;

        if (!frame) {
                reader->root = value;
        } else if (frame->key) {
                json_object_object_add(frame->container, frame->key, value);
                g_clear_pointer(&frame->key, g_free);
                mark = reader->key_mark;
        } else {
                json_object_array_add(frame->container, value);
        }
        g_array_append_val(reader->marks, mark);
}

/* true if a key comes next. */
static bool at_key(const Reader *reader)
{
        const Frame *frame = reader->depth > 0 ? &reader->frames[reader->depth - 1] : NULL;

        return frame && !frame->key && json_object_is_type(frame->container, json_type_object);
}

static void read_key(Reader *reader, const yaml_event_t *event, Mark mark)
{
        Frame *frame = &reader->frames[reader->depth - 1];
        const char *text = (const char *) event->data.scalar.value;
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

        if (plain && pt_yaml_resolve(text, NULL) != PT_YAML_STRING)
                problem(reader, mark, "yaml-key",
                        "the key \"%s\" is not a string; put it in quotes", text);
        else if (strlen(text) != event->data.scalar.length)
                problem(reader, mark, "nul", "NUL in a key; leave it out");
        else if (json_object_object_get_ex(frame->container, text, NULL))
                problem(reader, mark, "duplicate-key", "\"%s\" is given twice; remove one", text);
        reader->key_mark = mark;
        frame->key = g_strdup(text); /* a bad one too: its value belongs somewhere */
}

static void read_scalar(Reader *reader, const yaml_event_t *event, Mark mark)
{
        const char *text = (const char *) event->data.scalar.value;
        struct json_object *value = NULL;
        int64_t number = 0;

        if (at_key(reader)) {
                read_key(reader, event, mark);
                return;
        }
        if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
                if (strlen(text) != event->data.scalar.length)
                        problem(reader, mark, "nul", "NUL in a string; leave it out");
                add_value(reader, json_object_new_string(text), mark);
                return;
        }
        switch (pt_yaml_resolve(text, &number)) {
        case PT_YAML_NULL:
                break; /* json-c's null is NULL */
        case PT_YAML_TRUE:
                value = json_object_new_boolean(true);
                break;
        case PT_YAML_FALSE:
                value = json_object_new_boolean(false);
                break;
        case PT_YAML_INTEGER:
                value = json_object_new_int64(number);
                break;
        case PT_YAML_TOO_LARGE:
                problem(reader, mark, "out-of-range", "%s has more than 64 bits; no field takes it",
                        text);
                break;
        case PT_YAML_FLOAT:
                problem(reader, mark, "not-an-integer",
                        "%s has a fraction or an exponent; write a whole number, or put it in "
                        "quotes if it is a word",
                        text);
                break;
        case PT_YAML_STRING:
                value = json_object_new_string(text);
                break;
        }
        add_value(reader, value, mark);
}

static int read_start(Reader *reader, struct json_object *container, Mark mark)
{
        /* libyaml's time for a token grows with the depth of flow collections: no further token is
         * asked for. */
        if (reader->depth + reader->skipped_depth >= PT_JSON_DEPTH_MAX) {
                json_object_put(container);
                problem(reader, mark, "too-deep", "nested deeper than %d", PT_JSON_DEPTH_MAX);
                return -EINVAL;
        }
        if (at_key(reader) || reader->skipped_depth > 0) {
                json_object_put(container);
                if (reader->skipped_depth++ == 0)
                        problem(reader, mark, "yaml-key",
                                "a key that is not a string; write a word");
                return 0;
        }
        add_value(reader, container, mark);
        reader->frames[reader->depth++] = (Frame){container, NULL};
        return 0;
}

static void read_end(Reader *reader)
{
        if (reader->skipped_depth == 0)
                reader->depth--;
        else if (--reader->skipped_depth == 0)
                reader->frames[reader->depth - 1].key =
                        g_strdup(""); /* its value belongs somewhere */
}

/* Anchors and tags, which nodes may have. */
static void check_properties(Reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag,
                             Mark mark)
{
        if (anchor)
                problem(reader, mark, "yaml-anchor",
                        "the anchor &%s is not taken; remove it and write the value where it is "
                        "needed",
                        anchor);
        if (tag)
                problem(reader, mark, "yaml-tag",
                        "the tag %s is not taken; remove it: the field says the type", tag);
}

static int read_event(Reader *reader, const yaml_event_t *event)
{
        Mark mark = mark_of(&event->start_mark);

        switch (event->type) {
        case YAML_DOCUMENT_START_EVENT:
                reader->document_fed = reader->fed;
                return 0;
        case YAML_SCALAR_EVENT:
                check_properties(reader, event->data.scalar.anchor, event->data.scalar.tag, mark);
                if (reader->skipped_depth == 0)
                        read_scalar(reader, event, mark);
                return 0;
        case YAML_ALIAS_EVENT:
                problem(reader, mark, "yaml-alias",
                        "the alias *%s is not taken; write the value itself",
                        event->data.alias.anchor);
                if (reader->skipped_depth > 0)
                        return 0;
                if (at_key(reader)) {
                        reader->key_mark = mark;
                        reader->frames[reader->depth - 1].key = g_strdup("");
                } else {
                        add_value(reader, NULL, mark);
                }
                return 0;
        case YAML_SEQUENCE_START_EVENT:
                check_properties(reader, event->data.sequence_start.anchor,
                                 event->data.sequence_start.tag, mark);
                return read_start(reader, json_object_new_array_ext(4), mark);
        case YAML_MAPPING_START_EVENT:
                check_properties(reader, event->data.mapping_start.anchor,
                                 event->data.mapping_start.tag, mark);
                return read_start(reader, json_object_new_object(), mark);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                read_end(reader);
                return 0;
        case YAML_DOCUMENT_END_EVENT: {
                int r = 0;

                /* "---" with nothing below it says nothing, and files often end with one. */
                if (reader->problems == 0 && reader->root)
                        r = document_to_sink(reader);
                document_done(reader);
                return r;
        }
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
                return 0;
        }
        return 0;
}

/* What libyaml found wrong, which ends the reading. */
static int parser_failed(Reader *reader, const yaml_parser_t *parser)
{
        Mark mark =
                mark_of(parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark);

        reader->problems = 0;
        if (reader->too_large) {
                problem(reader, mark, "too-large", "a document of more than %zu bytes",
                        document_max(reader));
                return -EFBIG;
        }
        problem(reader, mark, "yaml-syntax", "%s%s%s", parser->context ? parser->context : "",
                parser->context ? ": " : "", parser->problem ? parser->problem : "not YAML");
        return -EINVAL;
}

static int read_stream(Reader *reader)
{
        yaml_parser_t parser;
        bool end = false;
        int r = 0;

        if (!yaml_parser_initialize(&parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input(&parser, feed, reader);
        while (r == 0 && !end) {
                yaml_event_t event;

                if (reader->bad && (!reader->diag || pt_diag_count(reader->diag) >= PT_DIAG_MAX))
                        break; /* refused anyway, and there is room for no further reason */

                if (!yaml_parser_parse(&parser, &event)) {
                        r = parser_failed(reader, &parser);
                        break;
                }

                end = event.type == YAML_STREAM_END_EVENT;
                if (++reader->events > events_max(reader)) {
                        problem(reader, mark_of(&event.start_mark), "too-large",
                                "a document of more than %u values", events_max(reader));
                        r = -EFBIG;
                } else {
                        r = read_event(reader, &event);
                }
                yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
        document_done(reader);
        return r;
}

static Mark mark_at(const Reader *reader, const char *at)
{
        Mark mark = {1, 1};

        for (const char *c = reader->text; c < at; c++) {
                mark.column++;
                if (*c == '\n')
                        mark = (Mark){mark.line + 1, 1};
        }
        return mark;
}

/* true if `at` begins a line: after any of YAML 1.1's five line breaks, or a byte order mark. */
static bool begins_line(const Reader *reader, const char *at)
{
        static const gunichar breaks[] = {'\n', '\r', 0x85, 0x2028, 0x2029, 0xfeff};
        gunichar before;

        if (at == reader->text)
                return true;
        before = g_utf8_get_char(g_utf8_prev_char(at));
        for (size_t i = 0; i < G_N_ELEMENTS(breaks); i++)
                if (before == breaks[i])
                        return true;
        return false;
}

/*
 * What libyaml must not see: UTF-16, Latin-1 and NUL, which it takes in places, and %TAG
 * directives, of which it compares each with all before.
 */
static int check_text(Reader *reader)
{
        static const char directive[] = "%TAG";
        const char *end = reader->text + reader->size, *at;

        if (!g_utf8_validate_len(reader->text, reader->size, &at)) {
                problem(reader, mark_at(reader, at), "not-utf8",
                        "byte 0x%02x is not UTF-8 text; save the file as UTF-8",
                        (unsigned char) *at);
                return -EINVAL;
        }
        at = reader->text;
        while ((at = memmem(at, (size_t) (end - at), directive, strlen(directive)))) {
                if (begins_line(reader, at)) {
                        problem(reader, mark_at(reader, at), "yaml-tag",
                                "%%TAG is not taken; remove it");
                        return -EINVAL;
                }
                at += strlen(directive);
        }
        return 0;
}

static int read_checked(Reader *reader)
{
        int r = check_text(reader);

        if (r < 0)
                return r;
        reader->marks = g_array_new(FALSE, FALSE, sizeof(Mark));
        r = read_stream(reader);
        g_array_unref(reader->marks);
        return r == 0 && reader->bad ? -EINVAL : r;
}

int pt_yaml_parse(const char *source, const char *text, size_t size, PtDiagnostics *diag,
                  struct json_object **ret)
{
        pt_auto_json *tree = NULL;
        Reader reader = {.source = source, .text = text, .size = size, .diag = diag, .tree = &tree};
        int r;

        if (size > PT_DOCUMENT_MAX)
                return -EFBIG;
        r = read_checked(&reader);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&tree);
        return 0;
}

void pt_yaml_place(const char *source, const char *text, size_t size, const PtDiagnostics *found,
                   PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) unplaced = g_ptr_array_new();
        Reader reader = {
                .source = source, .text = text, .size = size, .diag = diag, .unplaced = unplaced};

        for (size_t i = 0; i < pt_diag_count(found); i++)
                g_ptr_array_add(unplaced, (void *) pt_diag_get(found, i));
        if (size <= PT_INPUT_MAX)
                (void) read_checked(&reader); /* it was read before, or what is wrong is told */
        for (guint i = 0; i < unplaced->len; i++) {
                const PtDiagnostic *entry = g_ptr_array_index(unplaced, i);

                pt_diag_add_full(diag, entry->severity, entry->subject, entry->pointer, entry->code,
                                 entry->text);
        }
}

int pt_yaml_read_large(const char *source, const char *text, size_t size, unsigned flags,
                       PtDiagnostics *diag, PtDocumentHook hook, PtObjectSink sink, void *userdata)
{
        Reader reader = {
                .source = source,
                .text = text,
                .size = size,
                .flags = flags,
                .diag = diag,
                .hook = hook,
                .sink = sink,
                .userdata = userdata,
        };
        int r;

        if (size > PT_INPUT_MAX) {
                problem(&reader, (Mark){1, 1}, "too-large", "%zu bytes are too many, at most %u",
                        size, PT_INPUT_MAX);
                return -EFBIG;
        }
        if (pt_json_input_read(source, text, size, flags, diag, hook, sink, userdata, &r))
                return r;
        return read_checked(&reader);
}

int pt_yaml_read(const char *source, const char *text, size_t size, unsigned flags,
                 PtDiagnostics *diag, PtObjectSink sink, void *userdata)
{
        return pt_yaml_read_large(source, text, size, flags, diag, NULL, sink, userdata);
}
