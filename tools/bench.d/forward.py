# SPDX-License-Identifier: GPL-3.0-or-later
"""What one packet costs that the router forwards, by how many rules there are."""

import pathlib
import resource
import statistics
import subprocess
import tempfile

import flood
import mixes
import rules
from figures import Figure, attempt
from lab import build_dir
from measure import run as run_command
from subjects import Ours, new_lab

NAME = "forward"
DOC = "nanoseconds a forwarded packet, beside nft's linear rules and no firewall"
COUNTS = (10, 100, 1000, 10000, 100000)
MAIN = 10000
FRAMES = 2048
TIMES = 5
SLICE_MS = 400  # of one measurement, but for what needs longer to see each frame once

LINEAR_GOAL = 20
FOLDED_GOAL = 100
NONE_GOAL = 1.3

# Every packet is classified: neither side tracks what comes from the generator, or only the first packets of connections would be.
UNTRACKED = "table inet untracked { chain first { type filter hook prerouting priority -500; iifname lan notrack; }\n}\n"


class Router:
    """One lab whose router has our table, nft's, or none, one after the other; and packets for it."""

    def __init__(self, lab, directory):
        self.lab, self.directory, self.build = lab, directory, str(build_dir())
        self.router = f"plt-{lab.name}-router"
        self.mac = subprocess.run(["ip", "netns", "exec", self.router, "cat", "/sys/class/net/lan/address"], check=True,
                                  capture_output=True, text=True).stdout.strip()
        self.nft(UNTRACKED)

    def nft(self, script):
        path = self.directory / "script.nft"
        path.write_text(script)
        return run_command(["ip", "netns", "exec", self.router, "nft", "-f", str(path)])

    def write(self, policy):
        flood.write(self.directory / "frames", self.mac, [flood.Packet(*packet) for packet in mixes.packets(policy, FRAMES)])

    def send(self, count):
        """CPU time of a packet: the kernel's whole receive path runs in the sender's name."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        flood.send(self.build, self.router, "lan", self.directory / "frames", count)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e9 / count

    def nanoseconds(self):
        """The median of several runs of about SLICE_MS."""
        first = self.send(FRAMES)
        count = max(FRAMES, int(SLICE_MS * 1e6 / first) // FRAMES * FRAMES)
        return statistics.median(self.send(count) for _ in range(TIMES))


def linear(policy):
    return rules.nft(policy)


def measure(say, router, ours, policy, empty, expert=None, floor=True):
    """Nanoseconds: of ours, nft's linear rules, a map written by hand, no table."""
    router.write(policy)
    found = {}
    ours.ctl("apply", "--replace", "-f", empty)
    ours.ctl("apply", "-f", ours.file("policy.yaml", rules.yaml(policy)))
    found["ours"] = router.nanoseconds()
    with ours.without_filterd():
        router.nft("delete table inet patronus")
        if floor:
            found["none"] = router.nanoseconds()
        router.nft(linear(policy))
        found["linear"] = router.nanoseconds()
        router.nft("delete table inet peer")
        if expert:
            router.nft(expert)
            found["map"] = router.nanoseconds()
            router.nft("delete table inet peer")
    say(f"{NAME}: " + ", ".join(f"{name} {value:.0f} ns" for name, value in found.items()))
    return found


def figures(say):
    with new_lab(NAME) as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as name:
        directory = pathlib.Path(name)
        ours, router = Ours(lab, directory), Router(lab, directory)
        empty = ours.file("zones.yaml", rules.zones_yaml())
        for count in COUNTS:
            for mix in ("like", *mixes.MIXES):
                policy = rules.make(mix, count) if mix == "like" else mixes.make(mix, count)
                say(f"{NAME}: {count} {mix} rules")
                found = measure(say, router, ours, policy, empty, rules.nft_map(policy) if mix == "like" else None)
                rounded = {f"{side}_ns": round(value) for side, value in found.items()}
                goal = f">= {FOLDED_GOAL if mix == 'like' else LINEAR_GOAL}" if count == MAIN else ""
                label = f"{NAME}.{mix}.{count}"
                yield Figure(f"{label}.vs-linear", found["linear"] / found["ours"], "x", goal, rounded)
                if count >= MAIN:  # of fewer, it is a difference of figures that are nearly alike
                    # Without what forwarding itself costs: of that no firewall can take anything away.
                    yield Figure(f"{label}.rules-vs-linear", (found["linear"] - found["none"]) / (found["ours"] - found["none"]), "x", "", rounded)
                yield Figure(f"{label}.vs-none", found["ours"] / found["none"], "of", f"<= {NONE_GOAL}" if mix == "like" and count == MAIN else "", rounded)
        ours.close()


def run(say):
    reason = flood.unavailable(build_dir())
    if reason:
        raise SystemExit(f"bench: {NAME}: {reason}")
    yield from attempt(NAME, figures(say))
