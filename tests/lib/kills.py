# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons of a lab that die at a named step (tests/lib/kill-points.c).

    with Lab(name, preload=kills.LIBRARY) as lab:
        kills.trace(lab, lambda: lab.apply(text), {"configd": "answer Apply"})  ->  {"configd": ["receive Apply", ...]}
        with kills.Kill(lab, "configd", "after sync intent") as kill:
            process = ...                          # what makes it come there
            kill.died()                            # by now it is dead, and may be started again
"""

import os
import select

LIBRARY = "tests/lib/libkill-points.so"
WAIT_MS = 60000


def order(lab, daemon, text):
    """In one piece: the daemon may look at any time."""
    new = lab.directory / f"kill-point.{daemon}.new"
    new.write_text(text + "\n")
    new.chmod(0o644)
    new.rename(lab.directory / f"kill-point.{daemon}")


def read_until(pipe, last):
    text = ""
    while select.select([pipe], [], [], 0)[0] if last is None else f"{last}\n" not in text:
        assert select.select([pipe], [], [], WAIT_MS / 1000)[0], f"{last} did not come after {text}"
        text += os.read(pipe, 4096).decode()
    return text.splitlines()


def trace(lab, act, last):
    """The steps of each daemon that `last` names while `act` runs, until the one that is its last;
    None: what there is when the daemons named before have come to theirs."""
    pipes = {}
    try:
        for daemon in last:
            file = lab.directory / f"trace.{daemon}"
            file.unlink(missing_ok=True)
            os.mkfifo(file)
            file.chmod(0o666)
            pipes[daemon] = os.open(file, os.O_RDWR)  # for writing too: no end of file when a writer closes it
            order(lab, daemon, f"trace {file}")
        act()
        return {daemon: read_until(pipe, last[daemon]) for daemon, pipe in pipes.items()}
    finally:
        for daemon, pipe in pipes.items():
            os.close(pipe)
            (lab.directory / f"kill-point.{daemon}").unlink()


class Kill:
    """`point` is "before STEP", "after STEP" or "amid STEP"."""

    def __init__(self, lab, daemon, point):
        self.lab, self.daemon, self.point = lab, daemon, point

    def __enter__(self):
        self.pidfd = os.pidfd_open(self.lab.pid(self.daemon))
        order(self.lab, self.daemon, self.point)
        return self

    def __exit__(self, *_):
        os.close(self.pidfd)
        (self.lab.directory / f"kill-point.{self.daemon}").unlink(missing_ok=True)

    def died(self):
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        assert poll.poll(WAIT_MS), f"{self.daemon} never came to: {self.point}"
        (self.lab.directory / f"kill-point.{self.daemon}").unlink()
