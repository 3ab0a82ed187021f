# SPDX-License-Identifier: GPL-3.0-or-later
"""CLOCK_BOOTTIME, by which windows of confirmation end: what it says, and who waits for a moment of it.

    boottime.until(deadline - 1)
"""

import ctypes
import os
import time

TFD_CLOEXEC, TFD_TIMER_ABSTIME = os.O_CLOEXEC, 1  # sys/timerfd.h
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("it_interval", _Timespec), ("it_value", _Timespec)]


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def until(moment):
    """Returns at once when it is over."""
    if moment <= now():
        return
    fd = _libc.timerfd_create(time.CLOCK_BOOTTIME, TFD_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    try:
        value = _Itimerspec(_Timespec(), _Timespec(int(moment), int(moment % 1 * 1e9)))
        if _libc.timerfd_settime(fd, TFD_TIMER_ABSTIME, ctypes.byref(value), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        os.read(fd, 8)
    finally:
        os.close(fd)
