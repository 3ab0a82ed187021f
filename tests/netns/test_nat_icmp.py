# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors about translated connections arrive, about the addresses that the receiver knows: a socket gets one only when the packet
inside it is one of its own.

    wan (10.1.0.2) --- router --- dmz, a router too --- deep (10.33.0.2, fd00:33::2), a link of 1280 bytes

Outside, deep is 10.99.0.5 and fd00:99::5.
"""

import subprocess

import pytest
import traffic
from nat import OUTSIDE, ZONES, nat, rule
from traffic import Row, address

DEEP = {4: "10.33.0.2", 6: "fd00:33::2"}
AFAR = {4: "192.0.2.1", 6: "2001:db8::1"}  # behind wan, over a link of 1280 bytes (tools/lab)


def ip(*command):
    subprocess.run(["ip", *command], check=True)


@pytest.fixture
def deep(lab):
    """One more host behind the DMZ, which becomes a router."""
    dmz, name = f"plt-{lab.name}-dmz", f"plt-{lab.name}-deep"
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)  # of a run that was killed
    ip("netns", "add", name)
    try:
        ip("-n", dmz, "link", "add", "deep", "mtu", "1280", "type", "veth", "peer", "name", "eth0", "mtu", "1280", "netns", name)
        lab.exec("dmz", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        lab.exec("deep", "sysctl", "-qw", *[f"net.ipv6.conf.{which}.accept_dad=0" for which in ("all", "default")],
                 "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        # Both ends are up before they get addresses, as in tools/lab: neighbour discovery works at once then.
        for netns, device in ((dmz, "deep"), (name, "eth0")):
            ip("-n", netns, "link", "set", device, "up")
        for netns, device, last in ((dmz, "deep", 1), (name, "eth0", 2)):
            ip("-n", netns, "addr", "add", f"10.33.0.{last}/24", "dev", device)
            for a in (f"fd00:33::{last}/64", f"fe80::{last}/64"):
                ip("-n", netns, "addr", "add", a, "dev", device, "nodad")
        for prefix, via in (("default", "10.33.0.1"), ("default", "fd00:33::1")):
            ip("-n", name, "route", "add", prefix, "via", via)
        for family, prefix in ((4, "10.33.0.0/24"), (6, "fd00:33::/64")):
            lab.exec("router", "ip", "route", "add", prefix, "via", address("dmz", family))
        yield
    finally:
        ip("netns", "del", name)


def one_to_one(family):
    return nat(f"deep-{family}", f"type: one-to-one, zone: wan, filter: auto, destination: {{addresses: ['{OUTSIDE[family]}5']}}, "
                                 f"translation: {{addresses: ['{DEEP[family]}']}}")


OUT = rule("out", "action: allow, from: dmz, to: wan")


def check(lab, rows):
    wrong = [f"{result.row.what}: {result.seen} instead of {result.row.expect}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, "\n".join(wrong)


def test_from_outside(lab, deep):
    """Whichever router on the way inside says it: outside it comes from the one address that is known there."""
    lab.apply(ZONES + OUT + one_to_one(4) + one_to_one(6))
    check(lab, [
        Row(f"{probe}, IPv{family}", probe, "wan", "deep", family, f"{error} from {OUTSIDE[family]}5", port=33434, to=f"{OUTSIDE[family]}5")
        for family in (4, 6) for probe, error in (
            ("closed-udp", "port unreachable"), ("expiring-first", "time exceeded"), ("expiring", "time exceeded"), ("big", "too big for 1280"))])


def test_from_inside(lab, deep):
    """Errors of the world about what left with another address."""
    lab.apply(ZONES + OUT + one_to_one(4) + one_to_one(6))
    rows = [Row(f"closed, IPv{family}", "closed-udp", "deep", "wan", family, f"port unreachable from {address('wan', family)}", port=33434)
            for family in (4, 6)]
    rows += [Row(f"second hop, IPv{family}", "expiring", "deep", "wan", family, f"time exceeded from {address('router', family, at='dmz')}",
                 port=33434, to=AFAR[family]) for family in (4, 6)]
    check(lab, rows)


@pytest.mark.parametrize("kind", ("masquerade", "source", "prefix"))
def test_from_inside_through_sources(lab, kind):
    """The same for what has another address of the router, one of a pool, or another prefix."""
    translations = {
        "masquerade": nat("m4", "type: masquerade, zone: wan") + nat("m6", "type: masquerade, zone: wan, family: ipv6"),
        "source": nat("s4", "type: source, zone: wan, translation: {addresses: [10.99.0.1, 10.99.0.16/28]}") +
                  nat("s6", "type: source, zone: wan, translation: {addresses: ['fd00:99::1', 'fd00:99::10/124']}"),
        "prefix": nat("p4", "type: one-to-one, zone: wan, destination: {addresses: [10.99.2.0/24]}, translation: {addresses: [10.2.0.0/24]}") +
                  nat("p6", "type: prefix, zone: wan, destination: {addresses: ['fd00:99:2::/64']}, translation: {addresses: ['fd00:2::/64']}"),
    }
    lab.apply(ZONES + rule("out", "action: allow, from: lan, to: wan") + translations[kind])
    check(lab, [
        Row(f"{probe}, IPv{family}", probe, "lan", "wan", family, f"{error} from {address('wan', family)}", port=33434, to=to)
        for family in (4, 6) for probe, error, to in (
            ("closed-udp", "port unreachable", address("wan", family)), ("expiring", "time exceeded", AFAR[family]),
            ("big", "too big for 1280", AFAR[family]))])


def test_forward(lab, deep):
    """Of a port forward, the address is the router's own."""
    lab.apply(ZONES + "".join(
        nat(f"dns-{family}", f"type: forward, zone: wan, protocol: udp, destination: {{ports: [33434]}}, translation: {{addresses: ['{DEEP[family]}'], "
                             f"ports: [7]}}") for family in (4, 6)))
    outside = {family: address("router", family, at="wan") for family in (4, 6)}
    check(lab, [
        Row(f"{probe}, IPv{family}", probe, "wan", "deep", family, f"{error} from {outside[family]}", port=33434, to=outside[family])
        for family in (4, 6) for probe, error in (("closed-udp", "port unreachable"), ("expiring", "time exceeded"), ("big", "too big for 1280"))])
