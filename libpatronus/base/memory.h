/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Giving memory back after something large. */

#include "base/macros.h"

/* Once, at the start of a daemon: what is large comes from the kernel and goes back to it when
 * freed; left alone, glibc raises that limit at the first large block that is freed, and keeps the
 * next ones. */
void pt_memory_init(void);

/*
 * To be called when `handled` bytes of input have become what they are to be, and what was needed
 * on the way is freed: the allocator keeps freed memory below what is in use, and a daemon that
 * lives for months must not stay as large as its largest moment. Does nothing for small inputs,
 * where it would cost more than it brings.
 */
void pt_memory_settle(size_t handled);
