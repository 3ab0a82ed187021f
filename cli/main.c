/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "call.h"
#include "output.h"

#include "config.h"

static int run(Ctl *ctl, int argc, char **argv)
{
        g_autoptr(GString) help = NULL;
        int r = ctl_parse(ctl, argc, argv);

        if (r != CTL_DONE)
                return r;
        if (ctl->values[CTL_VERSION]) {
                puts("patronusctl " PT_VERSION);
                return CTL_DONE;
        }
        if (ctl->values[CTL_HELP]) {
                help = g_string_new(NULL);
                if (ctl->command || ctl->arguments->len == 0)
                        ctl_help(ctl->command, help);
                else
                        ctl_help_below(ctl_argument(ctl, 0), help);
                fputs(help->str, stdout);
                return CTL_DONE;
        }
        return ctl->command->run(ctl);
}

int main(int argc, char **argv)
{
        Ctl ctl = {.arguments = g_ptr_array_new()};
        int r = run(&ctl, argc, argv);

        if (r < 0) {
                ctl_error("%s", g_strerror(-r));
                r = CTL_REFUSED;
        }
        if (fflush(stdout) != 0 || ferror(stdout)) {
                ctl_error("standard output: %s", g_strerror(errno));
                r = r == CTL_DONE ? CTL_REFUSED : r;
        }
        sd_bus_close_unref(ctl.bus);
        g_free(ctl.address);
        g_ptr_array_unref(ctl.arguments);
        return r;
}
