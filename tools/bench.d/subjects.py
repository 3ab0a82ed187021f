# SPDX-License-Identifier: GPL-3.0-or-later
"""The two that are compared: Patronus in a lab's router, and nft in another namespace of the same lab."""

import fcntl
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import dbus  # noqa: E402
import dbus.lowlevel  # noqa: E402
from lab import Lab, build_dir  # noqa: E402
from measure import Cost, HighWaterMark, PssPeak, cpu_ms, run  # noqa: E402

CTL = str(build_dir() / "cli/patronusctl")
ALL_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
CALL_TIMEOUT_S = 300


class Peer:
    """nft in a namespace of its own."""

    def __init__(self, lab, directory):
        self.prefix = ["ip", "netns", "exec", f"plt-{lab.name}-guest"]
        self.directory = directory

    def clear(self):
        """Deletes the ruleset, and waits for the kernel to free it: a set's destruction goes on after its commit, and the next
        transaction that needs the same work queue waits for it."""
        subprocess.run([*self.prefix, "nft", "flush", "ruleset"], check=True)
        subprocess.run([*self.prefix, "nft", "add table inet settle; delete table inet settle"], check=True)

    def load(self, path):
        return run([*self.prefix, "nft", "-f", str(path)])

    def peak_of_load(self, path):
        """nft's maximum resident set while it loads, KiB. Not by wait4(2), whose maximum begins with what our own process had
        when it started nft."""
        with HighWaterMark() as mark:
            process = subprocess.Popen([*self.prefix, "nft", "-f", str(path)])
            mark.pid = process.pid
            process.wait()
        return mark.peak

    def script(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def add(self, rule):
        return run([*self.prefix, "nft", "; ".join(f"add rule inet peer {rule.chain} {line}" for line in rule.nft())])


class Ours:
    """The daemons of a lab: by patronusctl, or by a client that stays connected."""

    def __init__(self, lab, directory):
        self.lab = lab
        self.directory = directory
        self.env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus}
        self.daemons = [lab.pid("configd"), lab.pid("filterd")]
        self.processes = [*self.daemons, lab.pid("bus")]
        self.connection = dbus.bus.BusConnection(lab.bus)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def ctl(self, *args):
        """patronusctl from its start to its end."""
        return run([CTL, *map(str, args)], daemons=self.processes, env=self.env)

    def apply(self, text, **options):
        """One call of a warm client; the reply's timings are in `extra`, as milliseconds."""
        fd = os.memfd_create("bench", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        try:
            daemons, own = cpu_ms(self.processes), time.process_time()
            start = time.perf_counter()
            with open(fd, "wb", closefd=False) as memfd:
                memfd.write(text)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, ALL_SEALS)
            call = dbus.lowlevel.MethodCallMessage("org.patronus.Config1", "/org/patronus/Config1", "org.patronus.Config1", "Apply")
            call.append(dbus.types.UnixFd(fd), options, signature="ha{sv}")
            answer = self.connection.send_message_with_reply_and_block(call, CALL_TIMEOUT_S)
            wall = time.perf_counter() - start
            cpu = (time.process_time() - own) * 1000 + cpu_ms(self.processes) - daemons
        finally:
            os.close(fd)
        (reply,) = answer.get_args_list()  # that Python is slow at it is not what is measured
        if not reply["accepted"] or not reply["changed"]:
            raise RuntimeError(f"a benchmark's change was not taken: {[tuple(map(str, entry)) for entry in reply['diagnostics']]}")
        timings = {key.removesuffix("USec"): int(value) / 1000 for key, value in reply["timings"].items()}
        return Cost(wall * 1000, cpu, timings)

    def peak_of(self, *args):
        """Summed Pss of the daemons, their children and patronusctl while it runs, KiB. A run of its own: sampling disturbs."""
        with PssPeak(self.daemons) as peak:
            process = subprocess.Popen([CTL, *map(str, args)], env=self.env, stdout=subprocess.DEVNULL)
            peak.pids.append(process.pid)
            process.wait()
        if process.returncode:
            raise RuntimeError(f"patronusctl {args}: exit code {process.returncode}")
        return peak.peak


def new_lab(name):
    return Lab(f"bench-{name}")
