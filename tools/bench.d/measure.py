# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring: wall and CPU time beside each other, memory, medians."""

import dataclasses
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time


@dataclasses.dataclass
class Cost:
    """Of one act. Milliseconds, but for what its name says."""

    wall: float
    cpu: float
    extra: dict = dataclasses.field(default_factory=dict)


TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def cpu_ms(pids):
    """CPU time that processes have used (/proc/PID/schedstat: nanoseconds on the processor), and their ended children (filterd
    sends large batches from one), in clock ticks: proc(5), cutime and cstime."""
    total = 0
    for pid in pids:
        process = pathlib.Path(f"/proc/{pid}")
        total += int((process / "schedstat").read_text().split()[0]) / 1e6
        total += sum(int(ticks) for ticks in (process / "stat").read_text().rpartition(")")[2].split()[13:15]) * TICK_MS
    return total


def run(command, daemons=(), env=None, discard=False):
    """Runs a command; its CPU is its own, its children's and what the daemons used meanwhile. With `discard` what it prints goes
    to /dev/null, else it is kept for the message of a failure."""
    before = cpu_ms(daemons)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL if discard else output,
                                   stderr=output if discard else subprocess.STDOUT, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command[:8])}: exit code {process.returncode}\n{output.read()[-4000:].decode(errors='replace')}")
    cpu = (usage.ru_utime + usage.ru_stime) * 1000 + cpu_ms(daemons) - before
    return Cost(wall * 1000, cpu)


def pss_kib(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def children(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Sampler:
    """Calls sample() as fast as it can, in a thread; keeps the largest answer."""

    def __init__(self):
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.is_set():
            self.peak = max(self.peak, self.sample())


class PssPeak(Sampler):
    """Of processes and their children together, KiB."""

    def __init__(self, pids):
        super().__init__()
        self.pids = list(pids)

    def sample(self):
        return sum(pss_kib(process) for pid in self.pids for process in (pid, *children(pid)))


class HighWaterMark(Sampler):
    """The maximum resident set of the process `pid`, KiB, once it runs its own program."""

    pid = None

    def sample(self):
        try:
            status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines())
            return int(status["VmHWM"].split()[0]) if status["Name"].strip() == "nft" else 0
        except (FileNotFoundError, ProcessLookupError, KeyError):
            return 0  # not yet, or no more


def median(costs):
    """The median of each figure on its own."""
    costs = list(costs)
    keys = set.intersection(*(set(cost.extra) for cost in costs))
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs),
                {key: statistics.median(cost.extra[key] for cost in costs) for key in sorted(keys)})


def interleave(times, *acts):
    """Runs acts alternately, so that what disturbs the machine disturbs them all; a list of medians."""
    costs = [[] for _ in acts]
    for number in range(times):
        for act, kept in zip(acts, costs):
            kept.append(act(number))
    return [median(kept) for kept in costs]
