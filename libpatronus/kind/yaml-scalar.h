/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a plain scalar means: YAML 1.2.2, 10.3.2 (the core schema's tag resolution). */

#include "base/macros.h"

typedef enum PtYamlScalar {
        PT_YAML_NULL,
        PT_YAML_TRUE,
        PT_YAML_FALSE,
        PT_YAML_INTEGER,
        PT_YAML_TOO_LARGE, /* an integer of more than 64 bits */
        PT_YAML_FLOAT,
        PT_YAML_STRING,
} PtYamlScalar;

/* `ret_number` is set for PT_YAML_INTEGER; may be NULL. */
PtYamlScalar pt_yaml_resolve(const char *text, int64_t *ret_number);
