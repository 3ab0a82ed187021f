# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones by address: the longest source decides, before the interface, for where a packet comes from and where it goes."""

import pytest

ZONE = "---\n{{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {{name: {}}}, spec: {{{}}}}}\n"
RULE = "---\n{{apiVersion: patronus.firewall/v1, kind: FirewallRule, metadata: {{name: {}}}, spec: {{{}}}}}\n"

BY_INTERFACE = "".join(ZONE.format(zone, f"interfaces: [{zone}]") for zone in ("wan", "lan", "dmz"))
TRUSTED = ZONE.format("trusted", "sources: [10.2.0.2, 'fd00:2::2']")  # one host of the LAN
MAIL = ZONE.format("mail", "sources: [10.3.0.2/32, 'fd00:3::2/128']")  # one host of the DMZ
AROUND = ZONE.format("around", "sources: [10.2.0.0/24]")  # the whole LAN: shorter than the host
OUT = RULE.format("out", "action: allow, from: trusted, to: wan")
IN = RULE.format("in", "action: allow, from: wan, to: mail")


def passes(lab, host, target, source=None):
    return lab.pings(host, target, *(("-I", source) if source else ()))


def stopped(lab, host, target, source=None):
    return not lab.pings(host, target, *(("-I", source) if source else ()), expect=False)


@pytest.fixture
def second_addresses(lab):
    """Neighbours of the hosts that have a zone of their own."""
    for host, net in (("lan", 2), ("dmz", 3)):
        lab.exec(host, "ip", "addr", "add", f"10.{net}.0.77/24", "dev", "eth0")
        lab.exec(host, "ip", "addr", "add", f"fd00:{net}::77/64", "dev", "eth0", "nodad")


def test_zones_by_address(lab, second_addresses):
    lab.apply(BY_INTERFACE)
    assert stopped(lab, "lan", "10.1.0.2") and stopped(lab, "wan", "10.3.0.2")

    lab.apply(TRUSTED + MAIL + OUT + IN)
    for lan, other, wan, mail, beside in (("10.2.0.2", "10.2.0.77", "10.1.0.2", "10.3.0.2", "10.3.0.77"),
                                          ("fd00:2::2", "fd00:2::77", "fd00:1::2", "fd00:3::2", "fd00:3::77")):
        assert passes(lab, "lan", wan, lan)
        assert stopped(lab, "lan", wan, other)
        assert passes(lab, "wan", mail)
        assert stopped(lab, "wan", beside)
        assert stopped(lab, "lan", mail, lan)

    # Of two sources the longer one decides: the host stays in its zone, its neighbour is in the other now.
    lab.apply(AROUND + RULE.format("around-out", "action: allow, from: around, to: wan"))
    assert passes(lab, "lan", "10.1.0.2", "10.2.0.77")
    lab.apply(RULE.format("out", "action: drop, from: trusted, to: wan"))
    assert passes(lab, "lan", "10.1.0.2", "10.2.0.77")
    assert stopped(lab, "lan", "10.1.0.2", "10.2.0.2")

    # And without any zone by address again.
    lab.ctl("apply", "--replace", "-f", "-", stdin=BY_INTERFACE + RULE.format("out", "action: allow, from: lan, to: wan"))
    assert passes(lab, "lan", "10.1.0.2", "10.2.0.77") and passes(lab, "lan", "fd00:1::2")
    assert stopped(lab, "wan", "10.3.0.2")


def test_masquerade_by_address(lab):
    """The zone of the target decides whether its packets get the router's address."""
    lab.apply(BY_INTERFACE + ZONE.format("far", "sources: [10.1.0.2], masquerade: true") +
              RULE.format("out", "action: allow, from: lan, to: far"))
    assert passes(lab, "lan", "10.1.0.2")
    masquerade = [rule for rule in lab.nft_json("chain", "inet", "patronus", "p_masquerade") if "rule" in rule]
    counters = [part["counter"]["packets"] for entry in masquerade for part in entry["rule"]["expr"] if "counter" in part]
    assert counters == [1]
