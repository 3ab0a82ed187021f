# SPDX-License-Identifier: GPL-3.0-or-later
"""A filterd that finds the table of another layout: replaced in one transaction, under traffic, with counters and bans."""

import contextlib
import json
import re
import signal
import socket

import layouts
import netns
import pytest
from exchange import Exchange
from nfmonitor import Monitor
from traffic import PATIENCE_S

POLICY = layouts.LAYOUTS / "policy.yaml"
BANS = ["198.51.100.0/24", "2001:db8:bad::/48", "203.0.113.7"]  # sorted as text
PRESENT = int(re.search(r"#define FW_LAYOUT_VERSION (\d+)",
                        (layouts.LAYOUTS.parents[2] / "daemons/filterd/ruleset.h").read_text())[1])
OLD = sorted(int(path.name.split(".")[0]) for path in layouts.LAYOUTS.glob("*.batch.gz"))


def renamed(batch):
    """The same with names that no filterd knows, of the same length: chains of classes and their folds."""
    for zone in (b"any", b"lan", b"dmz", b"wan", b"router"):
        batch = batch.replace(b"z_" + zone, b"q_" + zone).replace(b"m_" + zone, b"w_" + zone)
    return batch


TABLES = {f"layout {version}": lambda version=version: layouts.read(version) for version in OLD}
TABLES |= {
    "older, other names": lambda: layouts.with_version(renamed(layouts.read(OLD[-1])), 1),
    "newer": lambda: layouts.with_version(layouts.read(OLD[-1]), PRESENT + 1),
    "newer, other names": lambda: layouts.with_version(renamed(layouts.read(OLD[-1])), 999),
}


def without_handles(text):
    return re.sub(r" # handle \d+", "", text)


def packets(lab, name):
    return sum(row["packets"] for row in lab.counters() if row["name"] == name)


def bans(lab):
    return sorted(json.loads(line)["address"] for line in lab.ctl("filter", "bans", "-o", "json").stdout.splitlines())


def listed(lab):
    """The ruleset but for bans' sets, which name no handle but may have another order."""
    return without_handles(lab.ruleset("table", "inet", "patronus"))


@pytest.fixture
def old(lab):
    """A lab whose filterd is gone, with the policy in the store and as another filterd compiled it."""
    lab.ctl("apply", "--replace", "-f", POLICY)
    lab.ctl("filter", "ban", *BANS)
    lab.wanted = listed(lab)
    lab.end("filterd", signal.SIGTERM)

    def put(batch):
        layouts.load(lab, batch)
        # The last one differs from the present one in what this policy does not have: short runs.
        assert listed(lab) != lab.wanted or layouts.with_version(batch, OLD[-1]) == layouts.read(OLD[-1])

    lab.put = put
    return lab


def send_new(lab, source, address, count):
    """UDP packets, each of a connection of its own, and waits for them to arrive."""
    with netns.make_socket(netns.path(lab.name, "dmz"), socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((address, 5000))
        receiver.setblocking(True)
        receiver.settimeout(PATIENCE_S)
        for _ in range(count):
            with netns.make_socket(netns.path(lab.name, source), socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (address, 5000))
            receiver.recv(16)


def send_folded(lab):
    """One packet to an element of a folded run: it is dropped."""
    lab.exec("lan", "ip", "addr", "replace", "10.2.0.4/32", "dev", "eth0")
    with netns.make_socket(netns.path(lab.name, "lan"), socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("10.2.0.4", 0))
        with contextlib.suppress(OSError):
            sock.connect(("10.2.0.1", 2000))


@pytest.mark.parametrize("table", TABLES)
def test_is_replaced_in_one_transaction_with_counters_and_bans(old, table):
    old.put(TABLES[table]())
    send_new(old, "lan", "10.3.0.2", 7)
    send_folded(old)
    with Monitor(old.netns("router")) as monitor:
        old.start("filterd")
        commits = monitor.pending()
    assert [commit.program for commit in commits] == ["patronus-filterd"[:15]]
    assert listed(old) == old.wanted
    assert packets(old, "stream") == 7
    assert packets(old, "host-4") == 1
    assert bans(old) == BANS
    send_new(old, "lan", "10.3.0.2", 2)
    assert packets(old, "stream") == 9
    old.ctl("filter", "unban", BANS[0])  # they are ours again
    assert bans(old) == BANS[1:]
    old.ctl("set", "FirewallRule/ping", "enabled=false")  # and so is the rest
    assert listed(old) != old.wanted


@pytest.mark.parametrize("table", TABLES)
def test_no_packet_of_a_connection_is_lost(old, table):
    """First packets of new ones may be, for a millisecond (docs/ARCHITECTURE.md); they are never let through."""
    old.put(TABLES[table]())
    with Exchange(old, "lan", "dmz", ports=[5000]) as exchange:
        old.start("filterd")
        exchange.await_more()
    assert exchange.lost() == []
    assert listed(old) == old.wanted


def test_every_layout_but_the_present_one_is_recorded():
    """Who raises FW_LAYOUT_VERSION records what it was (golden/layouts/README.md)."""
    assert OLD[-1] == PRESENT - 1
    for version in OLD:
        assert layouts.version_of(layouts.read(version)) == version
