/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Options of our methods: an a{sv} whose keys and types a table names. An unknown key or a wrong
 * type is an error. */

#include <glib.h>
#include <systemd/sd-bus.h>

typedef enum OptionType {
        OPTION_BOOL,    /* bool * */
        OPTION_UINT32,  /* uint32_t * */
        OPTION_UINT64,  /* uint64_t * */
        OPTION_STRING,  /* char **, owned */
        OPTION_STRINGS, /* char ***, owned */
} OptionType;

typedef struct Option {
        const char *name;
        OptionType type;
        void *value; /* left alone when the option is absent */
} Option;

/* `options` ends with a name of NULL. A method handler's result. */
int options_read(sd_bus_message *m, const Option *options, sd_bus_error *error);
