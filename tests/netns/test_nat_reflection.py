# SPDX-License-Identifier: GPL-3.0-or-later
"""Reflected forwards: who is inside reaches them by their outside address, and so does the router; what of sources NatSettings leave in
force. With real connections."""

import dataclasses

import pytest
from nat import ALL, EACH, OUTSIDE, ZONES, add_addresses, counters, nat, router, rule
from traffic import address
from witness import Probe, Witness

PORTS = (25, 80, 443, 8000, 8001)
OTHER = {4: "10.2.0.77", 6: "fd00:2::77"}  # of the host lan


@pytest.fixture
def witness(lab):
    add_addresses(lab, "lan", OTHER.values())
    with Witness(lab.name, PORTS) as made:
        yield made


def settings(spec):
    return rule("default", spec, "NatSettings")


def seen(witness, probe):
    """From the host's first address, unless the probe says."""
    if not probe.source and probe.host != "router":
        probe = dataclasses.replace(probe, source=address(probe.host, probe.family))
    sight = witness.look([probe])[0]
    return sight and (sight.host, sight.source, sight.destination, sight.port)


def forwards(to, *more, **fields):
    """One for each family: port 443 of the router's address outside."""
    return "".join(nat(f"web-{family}", ", ".join((
        "type: forward, zone: wan", f"destination: {{addresses: ['{router('wan', family)}'], ports: [443]}}",
        f"translation: {{addresses: ['{to[family]}'], ports: [8000]}}", *more, *(f"{name}: {value}" for name, value in fields.items()))))
        for family in (4, 6))


def addresses(host):
    return {family: address(host, family) for family in (4, 6)}


@pytest.mark.parametrize("opened", (True, False), ids=("all-allowed", "linked-rule"))
def test_from_other_zones(lab, witness, opened):
    """As they are: the target is in another zone, and sees who asks. The rule that comes with it lets them pass too."""
    lab.apply(ZONES + (ALL if opened else "") + forwards(addresses("dmz"), reflection="true"))
    for family, protocol in EACH:
        for host in ("wan", "lan", "guest"):
            assert seen(witness, Probe(host, protocol, router("wan", family), 443)) == ("dmz", address(host, family), address("dmz", family), 8000)
            # Only what the rule says: another port, another address of the router.
            other = witness.look([Probe(host, protocol, router("wan", family), 80, answered=opened)])[0]
            assert (other and other.host) == ("router" if opened else None)
        other = witness.look([Probe("lan", protocol, router("lan", family), 443, answered=opened)])[0]
        assert (other and other.host) == ("router" if opened else None)
        # The target asked for directly is the filter's own business.
        direct = witness.look([Probe("lan", protocol, address("dmz", family), 8000, answered=opened)])[0]
        assert (direct and direct.host) == ("dmz" if opened else None)
    counts = counters(lab)
    assert {(name, zone): n for (name, zone), n in counts.items() if n} == {
        (f"web-{family}", zone): n for family in (4, 6) for zone, n in (("wan", 2), ("any", 4))}


def test_without_it(lab, witness):
    """Not reflected: who is inside meets the router."""
    lab.apply(ZONES + ALL + forwards(addresses("dmz")))
    for family, protocol in EACH:
        assert seen(witness, Probe("lan", protocol, router("wan", family), 443))[0] == "router"
        assert seen(witness, Probe("wan", protocol, router("wan", family), 443))[0] == "dmz"


def test_hairpin(lab, witness):
    """Client and target in one zone: the target sees the router, else it would answer past it. From elsewhere it sees who asks."""
    lab.apply(ZONES + forwards(OTHER, reflection="true"))
    for family, protocol in EACH:
        to = router("wan", family)
        assert seen(witness, Probe("lan", protocol, to, 443, address("lan", family))) == ("lan", router("lan", family), OTHER[family], 8000)
        assert seen(witness, Probe("guest", protocol, to, 443)) == ("lan", address("guest", family), OTHER[family], 8000)
        assert seen(witness, Probe("wan", protocol, to, 443)) == ("lan", address("wan", family), OTHER[family], 8000)


def test_hairpin_before_other_sources(lab, witness):
    """What goes back where it came from does so before the rules of the zone; what does not, does not."""
    lab.apply(ZONES.replace("interfaces: [lan]", "interfaces: [lan], masquerade: true") + forwards(OTHER, reflection="true") +
              nat("lan-4", f"type: source, zone: lan, translation: {{addresses: ['{OUTSIDE[4]}9']}}"))
    to = router("wan", 4)
    assert seen(witness, Probe("lan", "tcp", to, 443, address("lan", 4)))[1] == router("lan", 4)
    assert seen(witness, Probe("guest", "tcp", to, 443))[1] == f"{OUTSIDE[4]}9"


def test_hairpin_of_zones_by_address(lab, witness):
    """The client's zone is found by its address: it is another one than the target's on the same wire."""
    desks = rule("desks", f"sources: ['{address('lan', 4)}', '{address('lan', 6)}']", "Zone")
    lab.apply(ZONES + desks + ALL + forwards(OTHER, reflection="true"))
    # The host's own address comes back to it: it takes the packet for forged.
    assert seen(witness, Probe("lan", "udp", router("wan", 4), 443, address("lan", 4), answered=False)) is None
    lab.apply(ZONES + ALL + forwards(OTHER, reflection="true") + rule("desks", f"sources: ['{address('guest', 4)}', '{address('guest', 6)}']", "Zone"), "--replace")
    for family, protocol in EACH:
        assert seen(witness, Probe("lan", protocol, router("wan", family), 443, address("lan", family))) == ("lan", router("lan", family), OTHER[family], 8000)
        assert seen(witness, Probe("guest", protocol, router("wan", family), 443)) == ("lan", address("guest", family), OTHER[family], 8000)


def test_of_the_router_itself(lab, witness):
    """Its programs are led there too, when the rule names the address."""
    lab.apply(ZONES + ALL + forwards(addresses("dmz"), reflection="true"))
    for family, protocol in EACH:
        sight = witness.look([Probe("router", protocol, router("wan", family), 443)])[0]
        assert (sight.host, sight.destination, sight.port) == ("dmz", address("dmz", family), 8000)
        assert seen(witness, Probe("router", protocol, router("wan", family), 80))[0] == "router"
    assert {n for (_, zone), n in counters(lab).items() if zone == "router"} == {2}


def test_of_all_addresses(lab, witness):
    """Without addresses: what is for the router, but not what is for the address that is nearest to the client."""
    lab.apply(ZONES + ALL + "".join(nat(f"web-{family}", "type: forward, zone: wan, reflection: true, destination: {ports: [443]}, "
                                                         f"translation: {{addresses: ['{address('dmz', family)}'], ports: [8000]}}") for family in (4, 6)))
    for family, protocol in EACH:
        assert seen(witness, Probe("lan", protocol, router("wan", family), 443))[0] == "dmz"
        assert seen(witness, Probe("lan", protocol, router("lan", family), 443))[0] == "router"
        assert seen(witness, Probe("lan", protocol, address("guest", family), 443))[0] == "guest"
        assert seen(witness, Probe("router", protocol, router("wan", family), 443))[0] == "router"


def test_for_some_sources(lab, witness):
    lab.apply(ZONES + ALL + "".join(
        nat(f"web-{family}", f"type: forward, zone: wan, reflection: true, source: {{addresses: ['{address('lan', family)}']}}, "
                             f"destination: {{addresses: ['{router('wan', family)}'], ports: [443]}}, translation: {{addresses: ['{address('dmz', family)}']}}")
        for family in (4, 6)))
    for family, protocol in EACH:
        to = router("wan", family)
        assert seen(witness, Probe("lan", protocol, to, 443, address("lan", family)))[0] == "dmz"
        assert seen(witness, Probe("lan", protocol, to, 443, OTHER[family]))[0] == "router"


def test_settings_say_for_those_that_do_not(lab, witness):
    """A change of NatSettings is a commit like any other: rules that it touches come and go, others keep their counters."""
    def who():
        return [seen(witness, Probe("lan", "tcp", router("wan", 4), port))[0] for port in (443, 80, 25)]

    def forward(name, port, more=""):
        return nat(name, f"type: forward, zone: wan, destination: {{addresses: [{router('wan', 4)}], ports: [{port}]}}, "
                         f"translation: {{addresses: [{address('dmz', 4)}]}}{more}")

    lab.apply(ZONES + ALL + forward("silent", 443) + forward("never", 80, ", reflection: false") + forward("always", 25, ", reflection: true"))
    assert who() == ["router", "router", "dmz"]
    lab.apply(settings("reflection: true"))
    assert who() == ["dmz", "router", "dmz"]
    assert counters(lab)["always", "any"] == 2
    lab.ctl("delete", "NatSettings/default")
    assert who() == ["router", "router", "dmz"]
    assert counters(lab)["always", "any"] == 3
    lab.apply(ZONES + ALL, "--replace")
    assert "n_" not in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout


OUTBOUND = (
    # zone's own masquerade alone, a rule and a masquerade, rules alone, nothing
    ("automatic", [router("wan", 4), router("wan", 4)]),
    ("hybrid", [f"{OUTSIDE[4]}7", router("wan", 4)]),
    ("manual", [f"{OUTSIDE[4]}7", address("guest", 4)]),
    ("off", [address("lan", 4), address("guest", 4)]),
)


def test_outbound_modes(lab, witness):
    """What translates sources; a switch is one commit, and what maps both ways is no part of it."""
    zones = ZONES.replace("interfaces: [wan]", "interfaces: [wan], masquerade: true")
    rules = (nat("from-lan", f"type: source, zone: wan, filter: auto, source: {{addresses: [{address('lan', 4)}]}}, translation: {{addresses: ['{OUTSIDE[4]}7']}}") +
             nat("mail", f"type: one-to-one, zone: wan, destination: {{addresses: ['{OUTSIDE[4]}5']}}, translation: {{addresses: [{address('dmz', 4)}]}}"))
    for position, (mode, sources) in enumerate(OUTBOUND + OUTBOUND[::-1]):
        lab.apply((zones + ALL + rules if position == 0 else "") + settings(f"outbound: {mode}"))
        found = witness.look([Probe(host, "tcp", address("wan", 4), 443) for host in ("lan", "guest", "dmz")])
        assert [sight.source for sight in found] == [*sources, f"{OUTSIDE[4]}5"], mode


def test_outbound_takes_the_filters_rule_along(lab, witness):
    """A rule of sources that is not in force lets nothing pass either."""
    lab.apply(ZONES + nat("from-lan", f"type: masquerade, zone: wan, filter: auto, source: {{addresses: [{address('lan', 4)}]}}"))
    assert seen(witness, Probe("lan", "tcp", address("wan", 4), 443))[1] == router("wan", 4)
    lab.apply(settings("outbound: off"))
    assert seen(witness, Probe("lan", "tcp", address("wan", 4), 443, answered=False)) is None
    lab.apply(settings("outbound: manual"))
    assert seen(witness, Probe("lan", "tcp", address("wan", 4), 443))[1] == router("wan", 4)


@pytest.mark.parametrize("spec, says", (
    ("type: redirect, zone: lan, destination: {ports: [80]}, translation: {ports: [3128]}, reflection: true", "only a forward is reflected"),
    ("type: one-to-one, zone: wan, destination: {addresses: [10.99.0.5]}, translation: {addresses: [10.3.0.2]}, reflection: true", "only a forward is reflected"),
))
def test_refusals(lab, spec, says):
    done = lab.ctl("apply", "-f", "-", stdin=ZONES + nat("bad", spec), check=False)
    assert done.returncode != 0 and "/spec/reflection" in done.stderr and says in done.stderr
