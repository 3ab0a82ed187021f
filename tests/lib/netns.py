# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets in other network namespaces: a socket belongs for ever to the namespace in which it was made."""

import contextlib
import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000  # sched.h; Python has os.setns from 3.12 on
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


def path(lab, host):
    """Where `ip netns` keeps a host of a lab (tools/lab)."""
    return f"/run/netns/plt-{lab}-{host}"


@contextlib.contextmanager
def inside(netns_path):
    """Moves the calling thread into the namespace for the block; what is opened there stays there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(netns_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def make_socket(netns_path, *args):
    """socket.socket(*args), non-blocking, in the namespace."""
    with inside(netns_path):
        made = socket.socket(*args)
    made.setblocking(False)
    return made
