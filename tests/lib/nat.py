# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and readings that the tests of address translation share.

Outside addresses are of 10.99.0.0/16 and fd00:99::/32: the host wan sends them to the router, which has none of them.
"""

import collections

from traffic import address

OUTSIDE = {4: "10.99.0.", 6: "fd00:99::"}
EACH = [(family, protocol) for family in (4, 6) for protocol in ("tcp", "udp")]


def rule(name, spec, kind="FirewallRule"):
    return f"---\n{{apiVersion: patronus.firewall/v1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n"


def nat(name, spec):
    return rule(name, spec, "NatRule")


ZONES = "".join(rule(zone, f"interfaces: [{zone}]", "Zone") for zone in ("wan", "lan", "dmz", "guest"))
ALL = rule("all", "action: allow")


def router(at, family):
    return address("router", family, at)


def counters(lab):
    """Packets of each NAT rule, by name and zone: a connection's first packet counts."""
    return {(name, zone): packets for (name, zone), packets in _all_counters(lab).items() if "/" not in zone}


def linked_counters(lab):
    """Of the rules of the filter that came with them, by name."""
    counts = collections.Counter()
    for (name, zones), packets in _all_counters(lab).items():
        if "/" in zones:
            counts[name] += packets
    return counts


def _all_counters(lab):
    rows = [line.split() for line in lab.ctl("filter", "counters").stdout.splitlines()]
    return {(name, zones): int(packets) for kind, name, zones, packets, *_ in rows if kind == "NatRule"}


def add_addresses(lab, host, addresses):
    """More addresses of a host, on its only interface."""
    lines = [f"addr add {a}/{'64' if ':' in a else '24'} dev eth0{' nodad' if ':' in a else ''}\n" for a in addresses]
    lab.exec(host, "ip", "-batch", "-", input="".join(lines))
