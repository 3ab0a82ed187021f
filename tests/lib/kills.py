# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons of a lab that die at a named step (tests/lib/kill-points.c).

    with Lab(name, preload=kills.LIBRARY) as lab:
        kills.trace(lab, lambda: lab.apply(text))  ->  {"configd": ["receive Apply", ...], "filterd": [...]}
        with kills.Kill(lab, "configd", "after sync intent") as kill:
            process = ...                          # what makes it come there
            kill.died()                            # by now it is dead, and may be started again
"""

import os
import select

LIBRARY = "tests/lib/libkill-points.so"
DAEMONS = ("configd", "filterd")
WAIT_MS = 20000


def order(lab, daemon, text):
    """In one piece: the daemon may look at any time."""
    new = lab.directory / f"kill-point.{daemon}.new"
    new.write_text(text + "\n")
    new.chmod(0o644)
    new.rename(lab.directory / f"kill-point.{daemon}")


def trace(lab, act, last):
    """The steps of each daemon while `act` runs, until configd's `last`."""
    files = {daemon: lab.directory / f"trace.{daemon}" for daemon in DAEMONS}
    pipe = files["configd"]
    for daemon, file in files.items():
        file.unlink(missing_ok=True)
        if daemon == "configd":
            os.mkfifo(file)
        else:
            file.write_text("")
        file.chmod(0o666)
    reader = os.open(pipe, os.O_RDWR)  # for writing too: no end of file when a writer closes it
    try:
        for daemon, file in files.items():
            order(lab, daemon, f"trace {file}")
        act()
        text = ""
        while f"{last}\n" not in text:
            assert select.select([reader], [], [], WAIT_MS / 1000)[0], f"{last} did not come after {text}"
            text += os.read(reader, 4096).decode()
    finally:
        os.close(reader)
    for daemon in DAEMONS:
        (lab.directory / f"kill-point.{daemon}").unlink()
    return {"configd": text.splitlines(), "filterd": files["filterd"].read_text().splitlines()}


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
