/* SPDX-License-Identifier: GPL-3.0-or-later */

/* edit: objects as YAML in the user's editor, again and again until they are accepted or given up. */

#include "base/io.h"
#include "edit-text.h"
#include "edit.h"
#include "editor.h"
#include "objects.h"
#include "output.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void edit_done(Edit *edit)
{
        g_clear_pointer(&edit->before, g_ptr_array_unref);
        g_free(edit->path);
        g_free(edit->text);
        g_free(edit->note);
        pt_diag_free(edit->wrong);
}

static char *make_text(const Edit *edit)
{
        pt_auto_json *builtin = edit->name ? ctl_builtin(edit->kind, edit->name) : NULL;
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < edit->before->len; i++)
                ctl_edit_append_object(g_ptr_array_index(edit->before, i), text);
        if (edit->before->len > 0)
                return g_string_free(text, FALSE);
        if (builtin) {
                g_string_append(text, "# This is built in; what you make of it takes its place.\n");
                ctl_edit_append_object(builtin, text);
        } else
                ctl_edit_append_skeleton(edit->kind, edit->name ?: "NAME", text);
        return g_string_free(text, FALSE);
}

static int say_file(const char *path, int code)
{
        ctl_error("%s: %s", path, g_strerror(-code));
        return CTL_REFUSED;
}

/* A file that only the user can read. */
static int make_file(Edit *edit)
{
        g_autofree char *name = g_strdup_printf("patronusctl-%s%s%s-XXXXXX.yaml", edit->kind->name,
                                                edit->name ? "-" : "", edit->name ?: "");
        pt_auto_fd int fd = -EBADF;

        edit->path = g_build_filename(g_get_tmp_dir(), name, NULL);
        fd = mkostemps(edit->path, strlen(".yaml"), O_CLOEXEC);
        if (fd >= 0)
                return CTL_DONE;
        return say_file(edit->path, -errno);
}

/* The same file each time, whoever replaced it. */
static int write_file(const char *path, const char *text)
{
        pt_auto_fd int fd = -EBADF;

        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : pt_write_all(fd, text, strlen(text));
}

/* Lets the user edit the text, with messages if something was wrong with it. */
static int let_edit(const Edit *edit, char **ret)
{
        g_autofree char *shown =
                pt_diag_count(edit->wrong) > 0
                        ? ctl_edit_annotate(edit->text, edit->path, edit->wrong, edit->note)
                        : g_strdup(edit->text);
        g_autofree char *text = NULL;
        size_t size;
        int r;

        r = write_file(edit->path, shown);
        if (r < 0)
                return say_file(edit->path, r);
        r = ctl_editor_run(edit->path);
        if (r != CTL_DONE)
                return r;
        r = pt_read_file(AT_FDCWD, edit->path, PT_INPUT_MAX, &text, &size);
        if (r < 0)
                return say_file(edit->path, r);
        *ret = ctl_edit_strip(text);
        return CTL_DONE;
}

/* What becomes of the file when nothing came of the edit. */
static int give_up(const Edit *edit, int r)
{
        fprintf(stderr, "nothing was changed; the text is in %s\n", edit->path);
        return r;
}

/* The same for a text that was read: without our messages, so that the lines in what is said now
 * are those of the file. */
static int give_up_text(const Edit *edit, int r)
{
        int written = write_file(edit->path, edit->text);

        if (written < 0)
                (void) say_file(edit->path, written);
        ctl_say_diagnostics(edit->wrong);
        return give_up(edit, r);
}

/* It was in force, and is to be found again when it does not stay there. */
static int keep_text(const Edit *edit, int r)
{
        int written = write_file(edit->path, edit->text);

        if (written < 0)
                (void) say_file(edit->path, written);
        else
                fprintf(stderr, "the text is in %s\n", edit->path);
        return r;
}

static int forget(const Edit *edit, const char *why)
{
        (void) unlink(edit->path);
        if (why)
                fprintf(stderr, "nothing was changed: %s\n", why);
        return CTL_DONE;
}

/* Nothing but comments and white space. */
static bool is_empty(const char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                const char *p = *line + strspn(*line, " \t\r");

                if (*p && *p != '#' && strcmp(p, "---") != 0)
                        return false;
        }
        return true;
}

static int edit_loop(Edit *edit)
{
        for (;;) {
                g_autofree char *text = NULL;
                bool again = pt_diag_count(edit->wrong) > 0, same;
                int r;

                r = let_edit(edit, &text);
                if (r != CTL_DONE)
                        return give_up(edit, r);
                same = strcmp(text, edit->text) == 0;
                if (same && !again)
                        return forget(edit, "the text is as it was");
                if (same && !edit->note)
                        return give_up_text(edit, CTL_REFUSED);
                if (edit->before->len == 0 && is_empty(text))
                        return forget(edit, "the text has no object");
                g_free(edit->text);
                edit->text = g_steal_pointer(&text);
                g_clear_pointer(&edit->note, g_free);
                pt_diag_free(edit->wrong);
                edit->wrong = pt_diag_new();

                r = ctl_edit_commit(edit);
                if (r == CTL_DONE)
                        return forget(edit, NULL);
                if (r == CTL_UNCONFIRMED || r == CTL_TAKEN_BACK)
                        return keep_text(edit, r);
                if (r != CTL_REFUSED || pt_diag_count(edit->wrong) == 0)
                        return give_up_text(edit, r);
        }
}

int ctl_run_edit(Ctl *ctl)
{
        const char *what = ctl_argument(ctl, 0);
        Edit edit __attribute__((cleanup(edit_done))) = {.ctl = ctl, .wrong = pt_diag_new()};
        int r = CTL_DONE;

        edit.kind = strchr(what, '/') ? NULL : ctl_parse_kind(what);
        if (!edit.kind && !strchr(what, '/'))
                return CTL_USAGE;
        if (!edit.kind || edit.kind->singleton)
                r = ctl_parse_object(what, &edit.kind, &edit.name);
        if (r == CTL_DONE)
                r = ctl_edit_read(&edit, &ctl_config, &edit.before);
        if (r == CTL_DONE)
                r = make_file(&edit);
        if (r != CTL_DONE)
                return r;
        edit.text = make_text(&edit);
        return edit_loop(&edit);
}
