# SPDX-License-Identifier: GPL-3.0-or-later
"""NatRules and real connections: each type, both families, TCP and UDP, as the servers see them."""

import signal

import pytest
from download import Download
from nat import ALL, EACH, OUTSIDE, ZONES, add_addresses, counters, linked_counters, nat, router, rule
from nfmonitor import Monitor
from traffic import address
from witness import Probe, Witness

PORTS = (25, 53, 80, 443, 3128, 8000, 8001, 8009, 8443, 9000, 9001, 9009)


@pytest.fixture
def witness(lab):
    with Witness(lab.name, PORTS) as made:
        yield made


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
    add_addresses(lab, "wan", ["10.1.0.77", "fd00:1::77"])
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


def test_zones_by_address(lab, witness):
    """The address decides before the interface: of what arrives the source, of what leaves the destination, after its translation."""
    other = {4: "10.1.0.77", 6: "fd00:1::77"}
    add_addresses(lab, "wan", other.values())
    partner = rule("partner", f"sources: [{other[4]}, '{other[6]}']", "Zone")
    lab.apply(ZONES + partner + ALL + "".join(
        nat(f"{zone}-in-{family}", f"type: forward, zone: {zone}, destination: {{ports: [443]}}, translation: {{addresses: ['{address(target, family)}']}}") +
        nat(f"{zone}-out-{family}", f"type: source, zone: {zone}, translation: {{addresses: ['{OUTSIDE[family]}{last}']}}")
        for family in (4, 6) for zone, target, last in (("wan", "dmz", 1), ("partner", "lan", 2))))
    for zone, peer, target, last in (("wan", {family: address("wan", family) for family in (4, 6)}, "dmz", 1), ("partner", other, "lan", 2)):
        looks(witness, lambda family, protocol: Probe("wan", protocol, router("wan", family), 443, source=peer[family]),
              lambda family, protocol: (target, peer[family], address(target, family), 443))
        looks(witness, lambda family, protocol: Probe("guest", protocol, peer[family], 80),
              lambda family, protocol: ("wan", f"{OUTSIDE[family]}{last}", peer[family], 80))
        assert {key: packets for key, packets in counters(lab).items() if key[1] == zone} == {
            (f"{zone}-{side}-{family}", zone): 2 for side in ("in", "out") for family in (4, 6)}

    # A zone by address without rules is not asked again by its interface; with its own masquerade, that is all it has.
    lab.apply(ZONES + partner.replace("sources", "masquerade: true, sources") + ALL + nat("wan", "type: source, zone: wan, translation: {addresses: [10.99.0.1]}"), "--replace")
    assert witness.see("guest", "tcp", address("wan", 4), 80).source == "10.99.0.1"
    assert witness.see("guest", "tcp", other[4], 80).source == router("wan", 4)
    lab.apply(ZONES + partner + ALL + nat("wan", "type: source, zone: wan, translation: {addresses: [10.99.0.1]}"), "--replace")
    assert witness.see("guest", "tcp", other[4], 80).source == address("guest", 4)


def test_counters_of_both_ways_for_any_zone(lab, witness):
    """Where a zone has rules of its own on one side only."""
    both = nat("both", "type: one-to-one, zone: any, destination: {addresses: [10.99.0.5]}, translation: {addresses: [10.3.0.2]}")
    for own in ("type: forward, zone: wan, destination: {ports: [443]}, translation: {addresses: [10.2.0.2]}", "type: masquerade, zone: wan"):
        lab.apply(ZONES + ALL + both + nat("own", own), "--replace")
        before = counters(lab)
        assert witness.see("wan", "tcp", "10.99.0.5", 25).host == "dmz"
        assert witness.see("dmz", "tcp", address("wan", 4), 25).source == "10.99.0.5"
        assert witness.see("guest", "tcp", "10.99.0.5", 25).host == "dmz"
        after = counters(lab)
        assert sum(packets for (name, _), packets in after.items() if name == "both") == sum(
            packets for (name, _), packets in before.items() if name == "both") + 3
        assert {zone for name, zone in after if name == "both"} == {"any", "wan"}


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


def test_aliases(lab, witness):
    """Entries come and go without a rule being touched; a set that grows out of its size takes its rules along, with their counts."""
    def friends(addresses):
        return rule("friends", "type: host, addresses: [" + ", ".join(f"'{text}'" for text in addresses) + "]", "Alias")

    def forwarded():
        return witness.see("wan", "tcp", router("wan", 4), 443).host == "dmz"

    def rules(*, handles):
        listing = lab.exec("router", "nft", *(["-a"] if handles else []), "-s", "list", "table", "inet", "patronus").stdout
        return [line for line in listing.splitlines() if "NatRule/web" in line and "dnat ip to" in line]

    web = nat("web", f"type: forward, zone: wan, protocol: tcp, source: {{aliases: [friends]}}, destination: {{ports: [443]}}, "
                     f"translation: {{addresses: [{address('dmz', 4)}]}}")
    lab.apply(ZONES + ALL + friends(["192.0.2.1"]) + web)
    assert not forwarded()
    before = rules(handles=True)
    lab.apply(friends([address("wan", 4)]))
    assert forwarded() and rules(handles=True) == before
    lab.apply(friends([address("wan", 4), *(f"192.0.{n >> 8}.{n & 255}" for n in range(1, 1500))]))
    assert rules(handles=False) != [line.partition(" # handle")[0] for line in before]  # the set has another name
    assert forwarded() and counters(lab) == {("web", "wan"): 2}
    lab.apply(friends(["192.0.2.1"]))
    assert not forwarded()


def test_nft_reads_what_it_lists(lab):
    """What nft prints of every translation is what it takes, and gives the same again: no expression is one that only we understand."""
    pool = "'10.99.0.1', 10.99.0.16/28, 10.99.0.33-10.99.0.40"
    lab.apply(ZONES + ALL + "".join(nat(f"n-{number}", spec) for number, spec in enumerate((
        "type: masquerade, zone: wan, translation: {ports: [1000-2000]}",
        "type: forward, zone: wan, destination: {ports: [443]}, translation: {addresses: [10.3.0.2], ports: [8443]}",
        "type: forward, zone: wan, destination: {ports: [8000-8009]}, translation: {addresses: ['fd00:3::2'], ports: [9000-9009]}",
        "type: redirect, zone: lan, destination: {ports: [80]}, translation: {ports: [3128]}",
        "type: one-to-one, zone: any, destination: {addresses: [10.99.0.0/24]}, translation: {addresses: [10.4.0.0/24]}",
        "type: prefix, zone: wan, destination: {addresses: ['fd00:99::/64']}, translation: {addresses: ['fd00:4::/64']}",
        f"type: source, zone: wan, translation: {{addresses: [{pool}]}}",
        f"type: source, zone: dmz, translation: {{addresses: [{pool}], persistent: false, ports: [1024-2047]}}",
        "type: source, zone: guest, translation: {addresses: ['fd00:99::1', 'fd00:99:1::/64']}"))))
    chains = [item["chain"]["name"] for item in lab.nft_json("table", "inet", "patronus") if "chain" in item]

    def translations(hook):
        return [line for chain in chains if chain.startswith(f"n_{hook}/") and chain.count("/") == 2
                for line in lab.exec("router", "nft", "list", "chain", "inet", "patronus", chain).stdout.splitlines() if "NatRule/" in line]

    arriving, leaving = translations("in"), translations("out")
    assert len(arriving) >= 5 and len(leaving) >= 6
    table = ["table inet copy {", "\tchain prerouting {", "\t\ttype nat hook prerouting priority dstnat; policy accept;", *arriving, "\t}", "",
             "\tchain postrouting {", "\t\ttype nat hook postrouting priority srcnat; policy accept;", *leaving, "\t}", "}", ""]
    lab.exec("spare", "nft", "-f", "-", input="\n".join(table))
    assert lab.exec("spare", "nft", "list", "ruleset").stdout == "\n".join(table)


def test_services(lab, witness):
    """In place of protocol and ports; to the same ports or to another, and for sources. A change of the service reaches the rule."""
    def shop(spec):
        return rule("shop", spec, "Service")

    def hosts(*ports, protocol="tcp"):
        sights = witness.look([Probe("wan", protocol, router("wan", 4), port) for port in ports])
        return [(sight.host, sight.port) for sight in sights]

    lab.apply(ZONES + ALL + shop("tcp: [443], udp: [8000]") +
              nat("same", f"type: forward, zone: wan, services: [shop, smtp], translation: {{addresses: [{address('dmz', 4)}]}}") +
              nat("moved", f"type: forward, zone: guest, services: [shop], translation: {{addresses: [{address('dmz', 4)}], ports: [9000]}}") +
              nat("away", "type: masquerade, zone: wan, services: [http]"))
    assert hosts(25, 443, 8000, 80) == [("dmz", 25), ("dmz", 443), ("router", 8000), ("router", 80)]
    assert hosts(8000, 443, protocol="udp") == [("dmz", 8000), ("router", 443)]
    moved = witness.look([Probe("guest", protocol, router("guest", 4), port) for protocol in ("tcp", "udp") for port in (443, 8000)])
    assert [(sight.host, sight.port) for sight in moved] == [("dmz", 9000), ("router", 8000), ("router", 443), ("dmz", 9000)]
    assert [sight.source for sight in witness.look([Probe("lan", "tcp", address("wan", 4), port) for port in (80, 443)])] == [
        router("wan", 4), address("lan", 4)]
    before = counters(lab)
    lab.apply(shop("tcp: [8000]"))
    assert hosts(25, 443, 8000) == [("dmz", 25), ("router", 443), ("dmz", 8000)]
    after = counters(lab)
    assert {key: after[key] - before[key] for key in after} == {("same", "wan"): 2, ("moved", "guest"): 0, ("away", "wan"): 0}


def test_services_bring_their_rule_of_the_filter(lab, witness):
    """Exactly what was translated passes, and helpers come along."""
    lab.apply(ZONES + rule("shop", "tcp: [443, 8001]", "Service") +
              nat("same", f"type: forward, zone: wan, services: [shop], translation: {{addresses: [{address('dmz', 4)}]}}") +
              nat("moved", f"type: forward, zone: guest, services: [shop], translation: {{addresses: [{address('dmz', 4)}], ports: [9000]}}"))
    assert [witness.see("wan", "tcp", router("wan", 4), port).port for port in (443, 8001)] == [443, 8001]
    assert [witness.see("guest", "tcp", router("guest", 4), port).port for port in (443, 8001)] == [9000, 9000]
    assert witness.see("wan", "tcp", address("dmz", 4), 443, answered=False) is None
    assert witness.see("wan", "udp", router("wan", 4), 443, answered=False) is None
    lab.apply(nat("files", f"type: forward, zone: wan, services: [ftp], translation: {{addresses: [{address('dmz', 4)}]}}"))
    listing = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
    assert [line for line in listing.splitlines() if "NatRule/files" in line and 'ct helper set "h_ftp_tcp"' in line]


@pytest.mark.parametrize("spec, pointer, says", (
    ("type: forward, zone: wan, services: [http], protocol: tcp, translation: {addresses: [10.3.0.2]}", "/spec/protocol", "services say the protocol"),
    ("type: forward, zone: wan, services: [http], destination: {ports: [80]}, translation: {addresses: [10.3.0.2]}", "/spec/destination/ports",
     "services say the protocol"),
    ("type: forward, zone: wan, services: [http], translation: {addresses: [10.3.0.2], ports: [8000-8001]}", "/spec/translation/ports", "needs one range of as many"),
    ("type: forward, zone: wan, services: [ipsec], translation: {addresses: [10.3.0.2], ports: [500]}", "/spec/services/0", "protocols without ports"),
    ("type: one-to-one, zone: wan, services: [http], destination: {addresses: [10.99.0.5]}, translation: {addresses: [10.3.0.2]}", "/spec/services",
     "addresses stand for addresses"),
))
def test_services_refused(lab, spec, pointer, says):
    done = lab.ctl("apply", "-f", "-", stdin=ZONES + nat("bad", spec), check=False)
    assert done.returncode != 0 and pointer in done.stderr and says in done.stderr


# --- both ways


def test_one_to_one(lab, witness):
    """In from the zone and out to it, whoever begins; one row of counters. Other zones see the inside address."""
    lab.apply(ZONES + ALL + "".join(
        nat(f"mail-{family}", f"type: one-to-one, zone: wan, destination: {{addresses: ['{OUTSIDE[family]}5']}}, "
                              f"translation: {{addresses: ['{address('dmz', family)}']}}") for family in (4, 6)))
    looks(witness, lambda family, protocol: Probe("wan", protocol, f"{OUTSIDE[family]}5", 25),
          lambda family, protocol: ("dmz", address("wan", family), address("dmz", family), 25))
    looks(witness, lambda family, protocol: Probe("dmz", protocol, address("wan", family), 25),
          lambda family, protocol: ("wan", f"{OUTSIDE[family]}5", address("wan", family), 25))
    looks(witness, lambda family, protocol: Probe("lan", protocol, address("dmz", family), 25),
          lambda family, protocol: ("dmz", address("lan", family), address("dmz", family), 25))
    looks(witness, lambda family, protocol: Probe("dmz", protocol, address("lan", family), 25),
          lambda family, protocol: ("lan", address("dmz", family), address("lan", family), 25))
    assert counters(lab) == {("mail-4", "wan"): 4, ("mail-6", "wan"): 4}


def test_one_to_one_of_prefixes(lab, witness):
    """Address by address, the rest of it stays; also for NPTv6."""
    outside = {4: "10.99.3.", 6: "fd00:99:3::"}
    add_addresses(lab, "dmz", ["10.3.0.77", "fd00:3::77"])
    lab.apply(ZONES + ALL +
              nat("four", "type: one-to-one, zone: wan, destination: {addresses: [10.99.3.0/24]}, translation: {addresses: [10.3.0.0/24]}") +
              nat("six", "type: prefix, zone: wan, destination: {addresses: ['fd00:99:3::/64']}, translation: {addresses: ['fd00:3::/64']}"))
    for last in ("2", "77"):
        inside = {4: f"10.3.0.{last}", 6: f"fd00:3::{last}"}
        looks(witness, lambda family, protocol: Probe("wan", protocol, outside[family] + last, 25),
              lambda family, protocol: ("dmz", address("wan", family), inside[family], 25))
        looks(witness, lambda family, protocol: Probe("dmz", protocol, address("wan", family), 25, source=inside[family]),
              lambda family, protocol: ("wan", outside[family] + last, address("wan", family), 25))
    assert counters(lab) == {("four", "wan"): 8, ("six", "wan"): 8}


def test_one_to_one_for_some(lab, witness):
    """`source` is the other side, whoever begins."""
    add_addresses(lab, "wan", ["10.1.0.77"])
    lab.apply(ZONES + ALL + nat("partner", f"type: one-to-one, zone: wan, protocol: tcp, source: {{addresses: [{address('wan', 4)}]}}, "
                                           f"destination: {{addresses: [10.99.0.5]}}, translation: {{addresses: [{address('dmz', 4)}]}}"))
    assert witness.see("wan", "tcp", "10.99.0.5", 25, source=address("wan", 4)).host == "dmz"
    assert witness.see("wan", "tcp", "10.99.0.5", 25, source="10.1.0.77", answered=False) is None
    assert witness.see("wan", "udp", "10.99.0.5", 25, source=address("wan", 4), answered=False) is None
    assert witness.see("dmz", "tcp", address("wan", 4), 25).source == "10.99.0.5"
    assert witness.see("dmz", "tcp", "10.1.0.77", 25).source == address("dmz", 4)
    assert witness.see("dmz", "udp", address("wan", 4), 25).source == address("dmz", 4)
    assert counters(lab) == {("partner", "wan"): 2}


# --- redirect


def test_redirect(lab, witness):
    """A transparent proxy: what passes from the LAN to TCP 80 comes to the router; the client sees whom it asked."""
    lab.apply(ZONES + nat("proxy", "type: redirect, zone: lan, protocol: tcp, destination: {ports: [80]}, translation: {ports: [3128]}"))
    for family in (4, 6):
        for target in (address("wan", family), address("dmz", family), router("lan", family)):
            seen = witness.see("lan", "tcp", target, 80)
            assert (seen.host, seen.source, seen.destination, seen.port) == ("router", address("lan", family), router("lan", family), 3128)
        # The rule that came with it allows what was translated, not the port.
        assert witness.see("lan", "tcp", router("lan", family), 3128, answered=False) is None
        assert witness.see("lan", "tcp", address("wan", family), 443, answered=False) is None
        assert witness.see("lan", "udp", address("wan", family), 80, answered=False) is None
        assert witness.see("guest", "tcp", address("wan", family), 80, answered=False) is None
    assert counters(lab) == {("proxy", "lan"): 6} and linked_counters(lab) == {"proxy": 6}


# --- the filter


FORWARD = "type: forward, zone: wan, protocol: tcp, destination: {{ports: [443]}}, translation: {{addresses: ['{}'], ports: [8000]}}"


@pytest.mark.parametrize("family", (4, 6))
def test_linked_rule(lab, witness, family):
    spec, inside = FORWARD.format(address("dmz", family)), address("dmz", family)

    def forwarded(**how):
        return witness.see("wan", "tcp", router("wan", family), 443, **how)

    lab.apply(ZONES + nat("web", spec))
    assert forwarded().host == "dmz"
    assert linked_counters(lab) == {"web": 1}
    # Exactly what was translated: the same target, asked for directly, stays closed.
    assert witness.see("wan", "tcp", inside, 8000, answered=False) is None
    assert witness.see("wan", "tcp", inside, 443, answered=False) is None

    lab.apply(nat("web", spec + ", filter: none"))
    assert forwarded(answered=False) is None
    lab.apply(rule("allow-web", "action: allow, from: wan, to: dmz, protocol: tcp, destination: {ports: [8000]}") +
              nat("web", spec + ", filterRule: allow-web"))
    assert forwarded().host == "dmz"
    lab.apply(rule("allow-web", "action: drop, from: wan, to: dmz, protocol: tcp, destination: {ports: [8000]}"))
    assert forwarded(answered=False) is None
    assert linked_counters(lab) == {}
    refused = lab.ctl("delete", "FirewallRule/allow-web", check=False)
    assert refused.returncode and "NatRule" in refused.stderr

    # It stands at the forward's place in the order of the filter: behind this one.
    lab.apply(rule("allow-web", "action: drop, priority: 5, from: wan") + nat("web", spec + ", priority: 6"))
    assert forwarded(answered=False) is None
    lab.apply(nat("web", spec + ", priority: 4"))
    assert forwarded().host == "dmz"
    # And it is for the sources of the forward.
    lab.apply(nat("web", spec + f", priority: 4, source: {{addresses: ['{OUTSIDE[family]}1']}}"))
    assert forwarded(answered=False) is None


# --- while connections run


def test_connections_keep_their_translation(lab):
    def source(last):
        return nat("pool", f"type: source, zone: wan, translation: {{addresses: [10.99.0.{last}]}}")

    lab.apply(ZONES + ALL + source(7))
    with Witness(lab.name, (80,)) as witness, Download(lab, "lan", "wan") as download:
        download.check()
        for last in (8, 9):
            lab.apply(source(last))
            assert witness.see("lan", "tcp", address("wan", 4), 80).source == f"10.99.0.{last}"
            download.check()
        lab.ctl("delete", "NatRule/pool")
        assert witness.see("lan", "tcp", address("wan", 4), 80).source == address("lan", 4)
        download.check()
        tracked = lab.exec("router", "conntrack", "-L", "-p", "tcp", "--dport", "443").stdout
        assert tracked.count("dst=10.99.0.7") == 1


def test_restart_takes_over_what_is_there(lab, witness):
    lab.apply(ZONES + ALL + "".join(
        nat(name, spec) for name, spec in (
            ("in", FORWARD.format(address("dmz", 4))),
            ("out", "type: source, zone: wan, source: {addresses: [10.2.0.0/16]}, translation: {addresses: [10.99.0.1, 10.99.0.8/29]}"),
            ("both", "type: one-to-one, zone: any, destination: {addresses: [10.99.0.5]}, translation: {addresses: [10.4.0.2]}"))))
    probes = [Probe("wan", "tcp", router("wan", 4), 443), Probe("lan", "tcp", address("wan", 4), 80),
              Probe("guest", "tcp", address("wan", 4), 80)]
    seen = [(sight.host, sight.source) for sight in witness.look(probes)]
    before, counted = lab.ruleset("table", "inet", "patronus"), counters(lab)
    with Monitor(lab.netns("router")) as monitor:
        lab.end("filterd", signal.SIGKILL)
        lab.start("filterd")
        assert monitor.pending() == []
    assert lab.ruleset("table", "inet", "patronus") == before and counters(lab) == counted
    assert [(sight.host, sight.source) for sight in witness.look(probes)] == seen
    assert counters(lab) == {key: 2 * packets for key, packets in counted.items()}
    lab.apply(nat("out", "type: masquerade, zone: wan"))  # from the layout that was taken over
    assert witness.see("lan", "tcp", address("wan", 4), 80).source == router("wan", 4)


def test_repair_keeps_what_was_counted(lab, witness):
    """Somebody deletes a chain of translations: all is loaded again, and goes on counting where it was."""
    lab.apply(ZONES + ALL + nat("in", FORWARD.format(address("dmz", 4))) + nat("out", "type: masquerade, zone: wan"))
    probes = [Probe("wan", "tcp", router("wan", 4), 443), Probe("lan", "tcp", address("wan", 4), 80)]
    assert [sight.host for sight in witness.look(probes * 3)] == ["dmz", "wan"] * 3
    with Monitor(lab.netns("router")) as monitor:
        lab.exec("router", "nft", "flush", "chain", "inet", "patronus", "n_out/wan")
        while "patronus" not in monitor.next_commit().program:
            pass
    assert [(sight.host, sight.source) for sight in witness.look(probes)] == [("dmz", address("wan", 4)), ("wan", router("wan", 4))]
    assert counters(lab) == {("in", "wan"): 4, ("out", "wan"): 4}


# --- another program's translations

DOCKER = """
table ip nat {
        chain PREROUTING { type nat hook prerouting priority -100; policy accept; fib daddr type local counter jump DOCKER; }
        chain OUTPUT { type nat hook output priority -100; policy accept; ip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER; }
        chain POSTROUTING { type nat hook postrouting priority 100; policy accept; oifname "wan" ip saddr 10.4.0.0/16 counter masquerade; }
        chain DOCKER { tcp dport 18080 counter dnat to 10.3.0.2:80; }
}
"""


@pytest.mark.parametrize("first", ("theirs", "ours"))
def test_beside_docker(lab, witness, first):
    """Both translate, whoever was there first; ours never touches theirs."""
    ours = (ZONES + ALL + nat("web", FORWARD.format(address("dmz", 4))) +
            nat("lan", "type: source, zone: wan, source: {addresses: [10.2.0.0/16]}, translation: {addresses: [10.99.0.7]}"))
    if first == "ours":
        lab.apply(ours)
    lab.nft(DOCKER)
    if first == "theirs":
        lab.apply(ours)
    theirs = lab.ruleset("table", "ip", "nat")
    for _ in range(2):
        seen = witness.look([Probe("wan", "tcp", router("wan", 4), 443), Probe("wan", "tcp", router("wan", 4), 18080),
                             Probe("lan", "tcp", address("wan", 4), 80), Probe("guest", "tcp", address("wan", 4), 80)])
        assert [(sight.host, sight.source, sight.port) for sight in seen] == [
            ("dmz", address("wan", 4), 8000), ("dmz", address("wan", 4), 80),
            ("wan", "10.99.0.7", 80), ("wan", router("wan", 4), 80)]
        lab.apply(nat("more", "type: masquerade, zone: lan"))
    lab.ctl("delete", "NatRule/more")
    assert lab.ruleset("table", "ip", "nat") == theirs
