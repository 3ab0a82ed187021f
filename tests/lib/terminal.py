# SPDX-License-Identifier: GPL-3.0-or-later
"""A program on a terminal (pty) of a given size: what it prints there, and keys that are typed."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

WAIT_S = 60


class Terminal:
    """A child of ours whose `streams` are the terminal; it is the terminal's session leader, so that keys become signals."""

    def __init__(self, command, size=(24, 80), streams=("stdin", "stdout", "stderr"), **options):
        self.fd, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        attributes = termios.tcgetattr(its)
        attributes[1] &= ~termios.OPOST  # lines end as they were written
        termios.tcsetattr(its, termios.TCSANOW, attributes)
        rest = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr") if name not in streams}
        self.process = subprocess.Popen(list(map(str, command)), **{name: its for name in streams}, **rest, **options,
                                        start_new_session=True, preexec_fn=lambda: self._begin(its))
        os.close(its)
        self.text = ""

    @staticmethod
    def _begin(its):
        """In the child. Who runs the tests in the background has them ignore interrupts, and a login would not."""
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _read(self, end):
        """False at the end of what the child will ever print."""
        ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
        assert ready, f"nothing for {WAIT_S} s after: {self.text!r}"
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self.text += data.decode()
        return bool(data)

    def wait_for(self, words):
        """Until the terminal has shown this."""
        end = time.monotonic() + WAIT_S
        while words not in self.text:
            assert self._read(end), f"{words!r} never came: {self.text!r}"

    def wait_for_match(self, pattern):
        end = time.monotonic() + WAIT_S
        while not (match := re.search(pattern, self.text)):
            assert self._read(end), f"{pattern!r} never came: {self.text!r}"
        return match

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def finish(self):
        """The exit status and all that it printed."""
        end = time.monotonic() + WAIT_S
        while self._read(end):
            pass
        return self.process.wait(WAIT_S), self.text

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)


@contextlib.contextmanager
def opened(command, **options):
    terminal = Terminal(command, **options)
    try:
        yield terminal
    finally:
        terminal.close()


def run(command, **options):
    """Exit status and text."""
    with opened(command, **options) as terminal:
        return terminal.finish()
