/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "editor.h"

#include "output.h"
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>

extern char **environ;

/* The words of the editor's command line; NULL after a message. */
static char **editor_words(void)
{
        const char *const variables[] = {"VISUAL", "EDITOR"};
        g_autoptr(GError) error = NULL;
        char **words = NULL;
        g_autofree char *found = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
                const char *value = getenv(variables[i]);

                if (!value || !*value)
                        continue;
                if (g_shell_parse_argv(value, NULL, &words, &error))
                        return words;
                ctl_error("$%s \"%s\" cannot be understood: %s", variables[i], value,
                          error->message);
                return NULL;
        }
        /* What nobody chose is an editor for terminals. */
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
                ctl_error("there is no terminal to edit on; set $EDITOR, or use \"set\" or "
                          "\"apply\"");
                return NULL;
        }
        found = g_find_program_in_path("editor"); /* Debian's alternative */
        return g_strsplit(found ? "editor" : "vi", " ", 1);
}

/* Signals from the keyboard go to every program of the terminal's foreground: they are the
 * editor's, not ours. */
typedef struct Keyboard {
        struct sigaction interrupt, quit;
        struct termios terminal;
        bool saved;
} Keyboard;

static bool in_foreground(void)
{
        return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void hand_over(Keyboard *keyboard)
{
        const struct sigaction ignore = {.sa_handler = SIG_IGN};

        sigaction(SIGINT, &ignore, &keyboard->interrupt);
        sigaction(SIGQUIT, &ignore, &keyboard->quit);
        keyboard->saved = in_foreground() && tcgetattr(STDIN_FILENO, &keyboard->terminal) == 0;
}

static void take_back(const Keyboard *keyboard)
{
        /* An editor that was killed leaves the terminal as it had it. */
        if (keyboard->saved && in_foreground())
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &keyboard->terminal);
        sigaction(SIGINT, &keyboard->interrupt, NULL);
        sigaction(SIGQUIT, &keyboard->quit, NULL);
}

/* Starts the program with the keyboard's signals as they usually are. */
static int spawn(char **words, pid_t *ret)
{
        posix_spawnattr_t attributes;
        sigset_t defaults;
        int r;

        r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGINT);
        sigaddset(&defaults, SIGQUIT);
        (void) posix_spawnattr_setsigdefault(&attributes, &defaults);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        r = posix_spawnp(ret, words[0], NULL, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
        return -r;
}

static int say_end(const char *name, int status)
{
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return CTL_DONE;
        if (WIFEXITED(status))
                ctl_error("the editor \"%s\" ended with code %d", name, WEXITSTATUS(status));
        else
                ctl_error("the editor \"%s\" was ended by signal %d (%s)", name, WTERMSIG(status),
                          strsignal(WTERMSIG(status)));
        return CTL_REFUSED;
}

int ctl_editor_run(const char *path)
{
        g_auto(GStrv) words = editor_words(), all = NULL;
        Keyboard keyboard = {};
        int status = 0, r;
        unsigned n;
        pid_t pid;

        if (!words)
                return CTL_REFUSED;
        n = g_strv_length(words);
        all = g_new0(char *, n + 2);
        for (unsigned i = 0; i < n; i++)
                all[i] = g_strdup(words[i]);
        all[n] = g_strdup(path);

        hand_over(&keyboard);
        r = spawn(all, &pid);
        while (r >= 0 && waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        r = -errno;
        take_back(&keyboard);
        if (r < 0) {
                ctl_error("cannot run the editor \"%s\": %s; set EDITOR to one that is there",
                          words[0], g_strerror(-r));
                return CTL_REFUSED;
        }
        return say_end(words[0], status);
}
