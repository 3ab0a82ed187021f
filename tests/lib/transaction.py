# SPDX-License-Identifier: GPL-3.0-or-later
"""A transaction of filterd driven by hand, as configd would: org.patronus.Transaction1 called by configd's user."""

import contextlib
import fcntl
import json
import os
import pathlib
import pwd

import dbus
import dbus.bus

NAME = "org.patronus.Filter1"
PATH = "/org/patronus/Filter1"
INTERFACE = "org.patronus.Transaction1"
USER = "patronus-configd"


@contextlib.contextmanager
def user(name):
    """The bus takes who connects for the user that the process is at that moment."""
    uid = pwd.getpwnam(name).pw_uid
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def sealed(text):
    fd = os.memfd_create("slice", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, text.encode())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return os.fdopen(fd)


def stored(lab, revision):
    """What a revision in the lab's store has for filterd: a slice, or a delta on the one before."""
    return pathlib.Path(lab.directory, "state", "revisions", str(revision), "filterd.ndjson").read_text()


def unchanged(lab, revision):
    """A delta on what the revision, which is in force, has: nothing differs."""
    root = json.loads(stored(lab, revision).splitlines()[0])["root"]
    return json.dumps({"base": root, "changed": 0, "deleted": 0, "patronus": "delta", "root": root}, separators=(",", ":")) + "\n"


class Transaction:
    """transaction = Transaction(lab); transaction.plan(7, stored(lab, 3)); transaction.commit(); transaction.verify()"""

    def __init__(self, lab):
        with user(USER):
            self.bus = dbus.bus.BusConnection(lab.bus)
        self.revision = 0

    def close(self):
        self.bus.close()

    def call(self, method, signature, *args):
        return self.bus.call_blocking(NAME, PATH, INTERFACE, method, signature, args, timeout=60)

    def plan(self, revision, text, **options):
        """`text`: a slice or a delta. A plan takes the place of the one before."""
        self.revision = revision
        with sealed(text) as file:
            return self.call("Plan", "tha{sv}", dbus.UInt64(revision), dbus.types.UnixFd(file), options)

    def step(self, method):
        return self.call(method, "t", dbus.UInt64(self.revision))

    def commit(self):
        self.step("Prepare")
        return self.step("Commit")

    def verify(self):
        """Whether what was planned is in force, and what is said about it."""
        reply = self.step("Verify")
        return bool(reply["verified"]), [str(text) for *_, text in reply["diagnostics"]]

    def abort(self):
        self.step("Abort")
