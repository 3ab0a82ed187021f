# SPDX-License-Identifier: GPL-3.0-or-later
"""NatRules and real connections: each type, both families, TCP and UDP, as the servers see them.

Outside addresses are of 10.99.0.0/16 and fd00:99::/32: the host wan sends them to the router, which has none of them.
"""

import collections

import pytest
from traffic import address
from witness import Probe, Sight, Witness

ZONES = "".join(
    f"---\n{{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {{name: {zone}}}, spec: {{interfaces: [{zone}]}}}}\n"
    for zone in ("wan", "lan", "dmz", "guest"))
PORTS = (25, 53, 80, 443, 3128, 8000, 8001, 8009, 8443, 9000, 9001, 9009)
OUTSIDE = {4: "10.99.0.", 6: "fd00:99::"}


def rule(name, spec, kind="FirewallRule"):
    return f"---\n{{apiVersion: patronus.firewall/v1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n"


def nat(name, spec):
    return rule(name, spec, "NatRule")


ALL = rule("all", "action: allow")


def counters(lab):
    """Packets of each NAT rule, by name and zone: a connection's first packet counts."""
    return {(name, zone): packets for (name, zone), packets in all_counters(lab).items() if "/" not in zone}


def linked_counters(lab):
    """Of the rules of the filter that came with them, by name."""
    counts = collections.Counter()
    for (name, zones), packets in all_counters(lab).items():
        if "/" in zones:
            counts[name] += packets
    return counts


def all_counters(lab):
    rows = [line.split() for line in lab.ctl("filter", "counters").stdout.splitlines()]
    return {(name, zones): int(packets) for kind, name, zones, packets, *_ in rows if kind == "NatRule"}


@pytest.fixture
def witness(lab):
    with Witness(lab.name, PORTS) as made:
        yield made


EACH = [(family, protocol) for family in (4, 6) for protocol in ("tcp", "udp")]


def router(at, family):
    return address("router", family, at)


def looks(witness, make, expect):
    """Each family and protocol: make(family, protocol) is asked, expect(family, protocol) is (host, source, destination, port)."""
    seen = witness.look([make(*each) for each in EACH])
    assert [sight and (sight.host, sight.source, sight.destination, sight.port) for sight in seen] == [expect(*each) for each in EACH]


def test_forward(lab, witness):
    """By the router's own addresses, to another port, and back."""
    rules = [nat(f"web-{family}", f"type: forward, zone: wan, destination: {{ports: [443, 8443]}}, "
                                  f"translation: {{addresses: ['{address('dmz', family)}'], ports: [8000]}}") for family in (4, 6)]
    lab.apply(ZONES + ALL + "".join(rules))
    for port in (443, 8443):
        looks(witness, lambda family, protocol: Probe("wan", protocol, router("wan", family), port),
              lambda family, protocol: ("dmz", address("wan", family), address("dmz", family), 8000))
    # To any address of the router; not to one that it forwards; from no other zone; to no other port.
    looks(witness, lambda family, protocol: Probe("wan", protocol, router("lan", family), 443),
          lambda family, protocol: ("dmz", address("wan", family), address("dmz", family), 8000))
    looks(witness, lambda family, protocol: Probe("wan", protocol, address("lan", family), 443),
          lambda family, protocol: ("lan", address("wan", family), address("lan", family), 443))
    looks(witness, lambda family, protocol: Probe("lan", protocol, router("lan", family), 443),
          lambda family, protocol: ("router", address("lan", family), router("lan", family), 443))
    looks(witness, lambda family, protocol: Probe("wan", protocol, router("wan", family), 80),
          lambda family, protocol: ("router", address("wan", family), router("wan", family), 80))
    # Each new connection is one packet.
    assert counters(lab) == {("web-4", "wan"): 6, ("web-6", "wan"): 6}


def test_forward_of_a_range(lab, witness):
    """Port by port; without ports of the translation they stay."""
    lab.apply(ZONES + ALL + "".join(
        nat(f"moved-{family}", f"type: forward, zone: wan, destination: {{ports: [8000-8009]}}, "
                               f"translation: {{addresses: ['{address('dmz', family)}'], ports: [9000-9009]}}") +
        nat(f"same-{family}", f"type: forward, zone: guest, destination: {{ports: [8000-8009]}}, "
                              f"translation: {{addresses: ['{address('dmz', family)}']}}") for family in (4, 6)))
    for port in (8000, 8001, 8009):
        for host, becomes in (("wan", port + 1000), ("guest", port)):
            looks(witness, lambda family, protocol: Probe(host, protocol, router(host, family), port),
                  lambda family, protocol: ("dmz", address(host, family), address("dmz", family), becomes))


def test_forward_for_some_sources(lab, witness):
    for family in (4, 6):
        lab.exec("wan", "ip", "addr", "add", f"10.1.0.77/24" if family == 4 else "fd00:1::77/64", "dev", "eth0", *(["nodad"] if family == 6 else []))
    lab.apply(ZONES + ALL + "".join(
        nat(f"ssh-{family}", f"type: forward, zone: wan, protocol: tcp, source: {{addresses: ['{address('wan', family)}']}}, "
                             f"destination: {{ports: [443]}}, translation: {{addresses: ['{address('dmz', family)}']}}") for family in (4, 6)))
    for family, other in ((4, "10.1.0.77"), (6, "fd00:1::77")):
        to = router("wan", family)
        assert witness.see("wan", "tcp", to, 443, source=address("wan", family)).host == "dmz"
        assert witness.see("wan", "tcp", to, 443, source=other).host == "router"
        assert witness.see("wan", "udp", to, 443, source=address("wan", family)).host == "router"


def test_masquerade_and_nat66(lab, witness):
    """IPv4 unless the rule says IPv6; after the rules of the zone comes its own masquerade."""
    zones = ZONES.replace("interfaces: [wan]", "interfaces: [wan], masquerade: true")
    lab.apply(zones + ALL + nat("lan-6", f"type: masquerade, zone: wan, family: ipv6, source: {{addresses: ['{address('lan', 6)}']}}"))
    looks(witness, lambda family, protocol: Probe("lan", protocol, address("wan", family), 443),
          lambda family, protocol: ("wan", router("wan", family), address("wan", family), 443))
    looks(witness, lambda family, protocol: Probe("guest", protocol, address("wan", family), 443),
          lambda family, protocol: ("wan", router("wan", 4) if family == 4 else address("guest", 6), address("wan", family), 443))

    lab.apply(ZONES + nat("lan-4", "type: masquerade, zone: wan, translation: {ports: [30000-30009]}"))  # the zone's own has gone
    seen = witness.look([Probe("guest", protocol, address("wan", family), 443) for family, protocol in EACH])
    assert [sight.source for sight in seen] == [router("wan", 4)] * 2 + [address("guest", 6)] * 2
    assert all(30000 <= sight.source_port <= 30009 for sight in seen[:2])


def test_source(lab, witness):
    """One address, by source, destination and protocol; the first rule that matches."""
    lab.apply(ZONES + ALL + "".join(
        nat(f"to-wan-{family}", f"type: source, zone: wan, priority: 200, source: {{addresses: ['{address('lan', family)}']}}, "
                                f"translation: {{addresses: ['{OUTSIDE[family]}7']}}") +
        nat(f"web-{family}", f"type: source, zone: wan, priority: 100, protocol: tcp, destination: {{addresses: ['{address('wan', family)}'], "
                             f"ports: [80]}}, translation: {{addresses: ['{OUTSIDE[family]}8']}}") for family in (4, 6)))
    looks(witness, lambda family, protocol: Probe("lan", protocol, address("wan", family), 443),
          lambda family, protocol: ("wan", f"{OUTSIDE[family]}7", address("wan", family), 443))
    looks(witness, lambda family, protocol: Probe("lan", protocol, address("wan", family), 80),
          lambda family, protocol: ("wan", f"{OUTSIDE[family]}{8 if protocol == 'tcp' else 7}", address("wan", family), 80))
    looks(witness, lambda family, protocol: Probe("guest", protocol, address("wan", family), 443),
          lambda family, protocol: ("wan", address("guest", family), address("wan", family), 443))
    looks(witness, lambda family, protocol: Probe("lan", protocol, address("dmz", family), 443),
          lambda family, protocol: ("dmz", address("lan", family), address("dmz", family), 443))
    assert counters(lab) == {("to-wan-4", "wan"): 3, ("to-wan-6", "wan"): 3, ("web-4", "wan"): 1, ("web-6", "wan"): 1}


def test_any_zone(lab, witness):
    """Rules for any zone come with each zone's own, in one order; a zone without rules has them too."""
    lab.apply(ZONES + ALL +
              nat("everywhere", f"type: forward, zone: any, priority: 200, destination: {{ports: [80, 443]}}, translation: {{addresses: [{address('dmz', 4)}]}}") +
              nat("own", f"type: forward, zone: wan, priority: 100, destination: {{ports: [443]}}, translation: {{addresses: [{address('lan', 4)}]}}"))
    assert witness.see("wan", "tcp", router("wan", 4), 443).host == "lan"
    assert witness.see("wan", "tcp", router("wan", 4), 80).host == "dmz"
    assert witness.see("guest", "tcp", router("guest", 4), 443).host == "dmz"
    assert counters(lab) == {("everywhere", "any"): 1, ("everywhere", "wan"): 1, ("own", "wan"): 1}


def test_changes_are_incremental(lab, witness):
    """A change replaces the rule that changed: the counters of others go on, its own is carried, and other chains stay as they are."""
    def forward(port):
        return nat("edited", f"type: forward, zone: wan, protocol: tcp, destination: {{ports: [443]}}, "
                             f"translation: {{addresses: [{address('dmz', 4)}], ports: [{port}]}}")

    lab.apply(ZONES + ALL + forward(8000) + nat("other", f"type: forward, zone: wan, protocol: tcp, destination: {{ports: [80]}}, "
                                                         f"translation: {{addresses: [{address('dmz', 4)}]}}") +
              nat("away", "type: masquerade, zone: wan"))
    probes = [Probe("wan", "tcp", router("wan", 4), port) for port in (80, 80, 443)] + [Probe("lan", "tcp", address("wan", 4), 443)]
    assert [sight.port for sight in witness.look(probes)] == [80, 80, 8000, 443]
    before = lab.ruleset("table", "inet", "patronus").splitlines()
    lab.apply(forward(9000))
    after = lab.ruleset("table", "inet", "patronus").splitlines()
    different = set(before) ^ set(after)
    assert all("NatRule/edited" in line or "revision" in line for line in different), different
    assert len(different) == 6, different  # the translation, the rule that comes with it, and the marker
    assert counters(lab) == {("edited", "wan"): 1, ("other", "wan"): 2, ("away", "wan"): 1}
    assert [sight.port for sight in witness.look(probes)] == [80, 80, 9000, 443]
    assert counters(lab) == {("edited", "wan"): 2, ("other", "wan"): 4, ("away", "wan"): 2}

    lab.ctl("delete", "NatRule/other")
    assert [sight.host for sight in witness.look(probes)] == ["router", "router", "dmz", "wan"]
    assert counters(lab) == {("edited", "wan"): 3, ("away", "wan"): 3}
