# SPDX-License-Identifier: GPL-3.0-or-later
"""The two that are compared: Patronus in a lab's router, and nft in another namespace of the same lab."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from lab import Lab, build_dir  # noqa: E402
from measure import Cost, HighWaterMark, PssPeak, cpu_ms, run  # noqa: E402

CTL = str(build_dir() / "cli/patronusctl")
CLIENT = str(build_dir() / "tests/perf/warm-client")


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
        self.find_daemons()
        self.client = None

    def find_daemons(self):
        self.daemons = [self.lab.pid("configd"), self.lab.pid("filterd")]
        self.processes = [*self.daemons, self.lab.pid("bus")]

    @contextlib.contextmanager
    def without_filterd(self):
        self.lab.end("filterd", signal.SIGTERM)
        try:
            yield
        finally:
            self.lab.start("filterd")
            self.find_daemons()

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def ctl(self, *args):
        """patronusctl from its start to its end."""
        return run([CTL, *map(str, args)], daemons=self.processes, env=self.env)

    def apply(self, path):
        """One call of a client that stays connected (tests/perf/warm-client.c); the reply's timings are in `extra`, as milliseconds."""
        if not self.client:
            self.client = subprocess.Popen([CLIENT], env=self.env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        before = cpu_ms(self.processes)
        self.client.stdin.write(f"{path}\n")
        self.client.stdin.flush()
        fields = self.client.stdout.readline().split()
        timings = {key.removesuffix("USec"): int(value) / 1000 for key, value in (field.split("=") for field in fields[2:])}
        if "total" not in timings:
            raise RuntimeError(f"a benchmark's change was not taken: {path}")
        return Cost(int(fields[0]) / 1000, cpu_ms(self.processes) - before + int(fields[1]) / 1000, timings)

    def close(self):
        if self.client:
            self.client.stdin.close()
            self.client.wait()

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
