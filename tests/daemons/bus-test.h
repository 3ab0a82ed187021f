/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * org.patronus.Test1, by which a test tells the daemon what to do wrong. Anybody may call it.
 *
 *         On(s step, s behaviour)               behaviour.h
 *         Release()                             the step that hangs goes on; NotFound: none does
 *         Estimate(t prepareUSec, t commitUSec) what plans say from now on
 *         Stepped(s step)                       signal: the engine begins with a step
 */

#include "bus/access.h"
#include "engine-file.h"
#include <systemd/sd-bus.h>

typedef struct TestBus {
        TestEngine *engine;
        sd_bus *bus; /* referenced; NULL: none yet */
        const char *path;
} TestBus;

extern const PtAccessTable test_bus_access;

/* `self` may be NULL for --introspect. */
int test_bus_attach(TestBus *self, sd_bus *bus, const char *path);
void test_bus_done(TestBus *self);
