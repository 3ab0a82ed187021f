# SPDX-License-Identifier: GPL-3.0-or-later
"""filterd commits, ends by a signal or by force, and starts again, under traffic: no packet is lost, and nothing that it held."""

import json
import signal

import netns
import pytest
from config_harness import zone
from download import Download
from exchange import Exchange
from nfmonitor import Monitor
from stream import Stream

POLICY = zone("lan", interfaces=["lan"], sources=["10.2.0.0/16"]) + zone("dmz", interfaces=["dmz"]) + zone("wan", interfaces=["wan"]) + """---
apiVersion: patronus.firewall/v1
kind: Alias
metadata: { name: servers }
spec: { type: network, addresses: [10.2.0.0/24, 10.3.0.0/24] }
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: { name: stream }
spec: { action: allow, protocol: udp, destination: { aliases: [servers], ports: [5000-5009] } }
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: { name: out }
spec: { action: allow, from: lan, to: wan }
"""
RESTARTS = 4


@pytest.fixture
def running(lab):
    lab.apply(POLICY, "--replace")
    lab.ctl("filter", "ban", "203.0.113.7", "198.51.100.0/24")
    lab.ctl("filter", "ban", "--for", "1h", "2001:db8:bad::/48")
    return lab


def bans(lab):
    """Each with what is said of it: those that end say when."""
    rows = map(json.loads, lab.ctl("filter", "bans", "-o", "json").stdout.splitlines())
    return sorted((row["address"], sorted(row)) for row in rows)


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGKILL), ids=("SIGTERM", "SIGKILL"))
def test_no_packet_is_lost(running, number):
    lan, dmz = (netns.path(running.name, host) for host in ("lan", "dmz"))
    before, banned = running.ruleset(), bans(running)
    with Stream(lan, dmz, "10.3.0.2") as out, Stream(dmz, lan, "10.2.0.2") as home, Download(running, "lan", "wan") as download, \
            Monitor(running.netns("router")) as monitor:
        for _ in range(RESTARTS):
            with out.under_way(), home.under_way():
                running.end("filterd", number)
            with out.under_way(), home.under_way():
                running.start("filterd")
        download.check()
        assert monitor.pending() == []  # nothing was even touched
    assert (out.lost(), home.lost()) == ([], [])
    assert running.ruleset() == before
    assert bans(running) == banned


def test_connections_outlive_the_table(running):
    """Removed by another program while filterd is away: what is established passes by connection tracking, and is not lost."""
    banned = bans(running)
    with Exchange(running, "lan", "dmz") as exchange:
        running.end("filterd", signal.SIGTERM)
        running.exec("router", "nft", "flush", "ruleset")
        exchange.await_more()
        running.start("filterd")
        exchange.await_more()
    assert exchange.lost() == []
    assert len(banned) == 3 and bans(running) == []  # they were in the kernel alone then


def test_edits_lose_no_first_packet(running):
    """Of the only rule of a pair of zones too, which is no reason to dispatch anew."""
    lan, dmz = (netns.path(running.name, host) for host in ("lan", "dmz"))
    with Stream(lan, dmz, "10.3.0.2") as out, Stream(dmz, lan, "10.2.0.2") as home, out.under_way(), home.under_way():
        for number in range(30):
            running.ctl("set", "FirewallRule/out", f"action={'drop' if number % 2 else 'reject'}")
    assert (out.lost(), home.lost()) == ([], [])
