/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret-input.h"

#include "base/io.h"
#include "kind/field.h"
#include "output.h"
#include "secret/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

/* One line, while the terminal shows nothing. */
static int ask(const char *path, char **ret)
{
        struct termios before, quiet;
        char *line = NULL; /* of getline(): malloc()'s */
        size_t allocated = 0;
        ssize_t n;

        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return -errno;
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t) ECHO;
        if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
                return -errno;
        fprintf(stderr, "%s: ", path);
        n = getline(&line, &allocated, stdin);
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
        if (n > 0 && line[n - 1] == '\n')
                line[--n] = '\0';
        *ret = g_strdup(n > 0 ? line : "");
        if (line)
                explicit_bzero(line, allocated);
        free(line);
        return 0;
}

static int read_all(char **ret)
{
        size_t size;
        int r = pt_read_all(STDIN_FILENO, PT_SEALED_TEXT_MAX, ret, &size);

        if (r >= 0 && size > 0 && (*ret)[size - 1] == '\n')
                (*ret)[size - 1] = '\0';
        return r;
}

int ctl_secret_assignment(const PtKind *kind, const char *assignment, char **ret)
{
        const char *equals = strchr(assignment, '=');
        g_autofree char *path =
                equals ? g_strndup(assignment, (size_t) (equals - assignment)) : NULL;
        const PtField *field = path ? pt_kind_find_field(kind, path) : NULL;
        char *value = NULL;
        int r;

        *ret = NULL;
        if (!field || !(field->flags & PT_F_SECRET) || !equals[1] || pt_sealed_text_is(equals + 1))
                return CTL_DONE;
        if (strcmp(equals + 1, "-") != 0) {
                ctl_error("%s is a secret, and others see command lines: write \"%s=-\", and it is "
                          "asked for, or read from standard input",
                          path, path);
                return CTL_USAGE;
        }
        r = isatty(STDIN_FILENO) ? ask(path, &value) : read_all(&value);
        if (r < 0) {
                ctl_error("%s cannot be read: %s", path, g_strerror(-r));
                return CTL_REFUSED;
        }
        if (*value)
                *ret = g_strconcat(path, "=", value, NULL);
        else
                ctl_error("%s: nothing was given; \"%s=\" unsets it", path, path);
        r = *ret ? CTL_DONE : CTL_USAGE;
        pt_wipe_free(value, strlen(value));
        return r;
}
