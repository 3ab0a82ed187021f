# SPDX-License-Identifier: GPL-3.0-or-later
"""What filterd does besides the configuration: connections beside conntrack, bans beside nft."""

import ipaddress
import pathlib
import subprocess
import tempfile

from figures import Figure, attempt, costs
from measure import Cost, children, cpu_ms, interleave
from measure import run as run_command
from subjects import CTL, Ours, Peer, new_lab, build_dir

import conntrack  # of tests/lib, which subjects has put on the path

NAME = "runtime"
DOC = "250,000 connections listed, one ended; 50,000 addresses banned by one call"
CONNECTIONS = 250000
LIST_TIMES = 9
KILLS = 200
KILLS_BY_CONNTRACK = 5  # it reads the whole table for each
BANS = 50000
BAN_TIMES = 7
BANS_ONE_BY_ONE = 50
PAGE = 25000

LIST_GOAL = 1.7
KILL_GOAL_MS = 1
BANS_GOAL_MS = 1000

CLIENT = str(build_dir() / "tests/perf/runtime-client")


class Client:
    """tests/perf/runtime-client.c"""

    def __init__(self, ours):
        self.ours = ours
        self.process = subprocess.Popen([CLIENT], env=ours.env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def act(self, line, expect):
        before = cpu_ms(self.ours.processes)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        wall, cpu, number = (int(field) for field in self.process.stdout.readline().split())
        if number != expect:
            raise RuntimeError(f"{line}: {number} instead of {expect}")
        settle(self.ours)
        return Cost(wall / 1000, cpu / 1000 + cpu_ms(self.ours.processes) - before)


def settle(ours):
    """A child's CPU is counted once filterd has waited for it."""
    while children(ours.lab.pid("filterd")):
        pass


def by_ctl(ours, *args):
    before = cpu_ms(ours.processes)
    cost = run_command([CTL, *args], env=ours.env, discard=True)
    settle(ours)
    return Cost(cost.wall, cost.cpu + cpu_ms(ours.processes) - before)


def connections(say, lab, ours):
    router = lab.netns("router")
    conntrack.fill(router, CONNECTIONS)
    peer = ["nsenter", f"--net={router}", "conntrack"]
    with Client(ours) as client:
        say(f"{NAME}: {CONNECTIONS} connections listed by conntrack -L, by patronusctl and by the calls alone (packed, as patronusctl asks), {LIST_TIMES} times each")
        theirs, ctl, table, calls = interleave(
            LIST_TIMES,
            lambda _: run_command([*peer, "-L"], discard=True),
            lambda _: by_ctl(ours, "filter", "connections", "-o", "json"),
            lambda _: by_ctl(ours, "filter", "connections"),
            lambda _: client.act(f"list packed {PAGE}", CONNECTIONS))
        yield Figure(f"{NAME}.connections.ctl-vs-conntrack", theirs.wall / ctl.wall, "x", f">= {LIST_GOAL}", costs(ctl), costs(theirs))
        yield Figure(f"{NAME}.connections.calls-vs-conntrack", theirs.wall / calls.wall, "x", f">= {LIST_GOAL}", costs(calls), costs(theirs))
        yield Figure(f"{NAME}.connections.table-vs-conntrack", theirs.wall / table.wall, "x", "", costs(table), costs(theirs))

        say(f"{NAME}: {KILLS} of them ended one by one")
        first = int(ipaddress.ip_address("10.64.0.1"))

        def name(number):
            return str(ipaddress.ip_address(first + number // 50)), 1024 + number % 50000

        def kill(number):
            source, port = name(number * 7)
            return client.act(f"kill {source} {port} 192.0.2.1 443", 1)

        def kill_by_conntrack(number):
            source, port = name(number * 7 + 3)
            return run_command([*peer, "-D", "-p", "tcp", "-s", source, "--sport", str(port), "-d", "192.0.2.1", "--dport", "443"])

        (one,) = interleave(KILLS, kill)
        (their_one,) = interleave(KILLS_BY_CONNTRACK, kill_by_conntrack)
        yield Figure(f"{NAME}.connections.kill-one", one.wall, "ms", f"<= {KILL_GOAL_MS}", costs(one), costs(their_one))


def bans(say, ours, peer):
    first = int(ipaddress.ip_address("45.0.0.0"))
    addresses = [str(ipaddress.ip_address(first + i)) for i in range(BANS)]
    table = "table inet peer {\n  set ban { type ipv4_addr; flags timeout; %s }\n}\n"
    script = peer.script("bans.nft", table % ("elements = { " + ", ".join(f"{address} timeout 10m" for address in addresses) + " }"))
    empty = peer.script("none.nft", table % "")

    with Client(ours) as client:
        def ban(_):
            cost = client.act(f"ban {BANS} 45.0.0.0", BANS)
            client.act("flush", BANS)
            return cost

        def by_nft(_):
            peer.clear()
            return peer.load(script)

        def one_by_nft(number):
            return run_command([*peer.prefix, "nft", f"add element inet peer ban {{ {addresses[number]} timeout 10m }}"])

        say(f"{NAME}: {BANS} addresses banned by one call, and by one nft -f, {BAN_TIMES} times each")
        ours_cost, theirs = interleave(BAN_TIMES, ban, by_nft)
        peer.clear()
        peer.load(empty)
        (single,) = interleave(BANS_ONE_BY_ONE, one_by_nft)
        yield Figure(f"{NAME}.bans.one-call", ours_cost.wall, "ms", f"<= {BANS_GOAL_MS}", costs(ours_cost),
                     {**costs(theirs), "one_element_a_command_ms": round(single.wall, 2)})
        yield Figure(f"{NAME}.bans.one-call-vs-nft", theirs.wall / ours_cost.wall, "x", "", costs(ours_cost), costs(theirs))


def measure(say):
    with new_lab("runtime") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        ours.ctl("apply", "--replace", "-f", pathlib.Path(__file__).resolve().parents[2] / "examples" / "edge.yaml")
        yield from bans(say, ours, peer)
        if conntrack.maximum() < CONNECTIONS:
            raise RuntimeError(f"net.netfilter.nf_conntrack_max of the machine is below {CONNECTIONS}")
        yield from connections(say, lab, ours)


def run(say):
    yield from attempt(NAME, measure(say))
