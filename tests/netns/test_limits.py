# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules let pass at most, and what they put into external aliases: connections at one time and new ones in a time, of one source and of all;
who exceeds a limit is found in an alias; with real packets of both families."""

import contextlib
import signal
import socket
import struct

import netns
import pytest
import traffic
from documents import document
from test_bans import Signals
from test_rule_questions import ZONES, rule

PORT = 7100


class Server:
    """Listens at ports of a host, and counts on the kernel to complete connections that nobody accepts."""

    def __init__(self, lab, host, *ports, kind=socket.SOCK_STREAM):
        self._sockets = []
        with netns.inside(lab.netns(host)):
            for port in ports:
                for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                    sock = socket.socket(family, kind)
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind((any_address, port))
                    if kind == socket.SOCK_STREAM:
                        sock.listen(128)
                    self._sockets.append(sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._sockets:
            sock.close()


def connect(lab, source, family=4, port=PORT, target="wan", patience=traffic.PATIENCE_S, to=None):
    """The connection, or None when nothing came back."""
    with netns.inside(lab.netns(source)):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    # a reset in place of FIN: the connection is over at once, for the kernel that counts too
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.settimeout(patience)
    try:
        sock.connect((to or traffic.address(target, family), port))
    except TimeoutError:
        sock.close()
        return None
    return sock


def refused(lab, *args, **options):
    sock = connect(lab, *args, patience=traffic.SILENCE_S, **options)
    if sock:
        sock.close()
    return sock is None


@pytest.fixture
def held():
    with contextlib.ExitStack() as stack:
        yield stack


def hold(held, *args, **options):
    sock = connect(*args, **options)
    assert sock, "no connection"
    return held.enter_context(contextlib.closing(sock))


def limited(lab):
    return {row["name"].rpartition("/")[2]: row["packets"] for row in lab.counters() if row["name"].startswith("limit/")}


def alias(name, **spec):
    return document("Alias", name, type="host", external=True, **spec)


def web(**spec):
    return rule("web", action="allow", protocol="tcp", destination={"ports": [PORT]}, **spec)


# what is beyond a limit must not come to this one
LATER = rule("later", action="allow", protocol="tcp", destination={"ports": [PORT]}, priority=40000)


def members(lab, name):
    """Address: seconds left, or None; of the kernel's sets."""
    found = {}
    for entry in lab.nft_json("table", "inet", "patronus"):
        entry = entry.get("set", {})
        if entry.get("name", "").startswith((f"x4_{name}/", f"x6_{name}/")):
            for element in entry.get("elem", []):
                element = element.get("elem", element) if isinstance(element, dict) else {"val": element}
                found[element["val"]] = element.get("expires")
    return found


@pytest.mark.parametrize("family", (4, 6))
def test_connections_of_all(lab, held, family):
    lab.apply(ZONES + web(limits={"connections": 3}) + LATER)
    with Server(lab, "wan", PORT):
        first, *_ = [hold(held, lab, source, family) for source in ("lan", "dmz", "lan")]
        assert refused(lab, "lan", family) and refused(lab, "dmz", family)
        first.close()
        hold(held, lab, "dmz", family)
        assert refused(lab, "lan", family)
    assert lab.counted() == {"web": 4, "later": 0}
    assert limited(lab)["web"] >= 3


@pytest.mark.parametrize("family", (4, 6))
def test_connections_of_each_source(lab, held, family):
    lab.apply(ZONES + web(limits={"connectionsPerSource": 2}) + LATER)
    with Server(lab, "wan", PORT):
        first, _ = [hold(held, lab, "lan", family) for _ in range(2)]
        assert refused(lab, "lan", family)
        for _ in range(2):
            hold(held, lab, "dmz", family)
        assert refused(lab, "dmz", family)
        first.close()
        hold(held, lab, "lan", family)
        assert refused(lab, "lan", family)
    assert lab.counted()["later"] == 0


def forward(family, **spec):
    return document("NatRule", f"forward-{family}", type="forward", zone="inside", protocol="tcp", destination={"ports": [8080]},
                    translation={"addresses": [traffic.address("wan", family)], "ports": [PORT]}, **spec)


@pytest.mark.parametrize("family", (4, 6))
def test_connections_of_each_source_of_a_forward(lab, held, family):
    """The rule that comes with it counts, and what is beyond comes to no other."""
    lab.apply(ZONES + forward(family, sourceLimit=2) + LATER)
    router = traffic.address("router", family, at="lan")
    with Server(lab, "wan", PORT):
        first, _ = [hold(held, lab, "lan", family, port=8080, to=router) for _ in range(2)]
        assert refused(lab, "lan", family, port=8080, to=router)
        # what is not translated is not of it
        hold(held, lab, "lan", family)
        first.close()
        hold(held, lab, "lan", family, port=8080, to=router)
        assert refused(lab, "lan", family, port=8080, to=router)
    assert limited(lab)[f"forward-{family}"] >= 2
    why = lab.ctl("filter", "why", "--src", traffic.address("lan", family), "--dst", router, "--proto", "tcp", "--dport", 8080).stdout
    assert "unless it is beyond a limit" in why


def test_connections_of_each_source_that_is_masqueraded(lab, held):
    lab.apply(ZONES + document("NatRule", "hide", type="masquerade", zone="outside", filter="auto", sourceLimit=1) + LATER)
    with Server(lab, "wan", PORT):
        for source in ("lan", "dmz"):
            hold(held, lab, source)
            assert refused(lab, source)


def test_a_source_limit_needs_a_rule_that_counts(lab):
    for spec in ({"type": "masquerade", "zone": "outside"}, {"type": "forward", "zone": "outside", "filter": "none", "translation": {"addresses": ["10.2.0.9"]}}):
        done = lab.ctl("apply", "-f", "-", stdin=ZONES + document("NatRule", "r", sourceLimit=1, **spec), check=False)
        assert done.returncode == 1 and "/spec/sourceLimit" in done.stderr and "filter: auto" in done.stderr, done.stderr


def test_limits_outlive_commits_and_restarts(lab, held):
    def policy(limit, ports):
        return ZONES + rule("web", action="allow", protocol="tcp", destination={"ports": ports}, limits={"connectionsPerSource": limit})

    lab.apply(policy(2, [PORT]))
    with Server(lab, "wan", PORT, PORT + 1):
        for _ in range(2):
            hold(held, lab, "lan")
        assert refused(lab, "lan")
        dropped = limited(lab)["web"]
        # another port of the same rule: what it counts stays, and so does what it has dropped
        lab.apply(policy(2, [PORT, PORT + 1]))
        assert refused(lab, "lan", port=PORT + 1)
        lab.end("filterd", signal.SIGKILL)
        lab.start("filterd")
        assert refused(lab, "lan", port=PORT + 1)
        assert limited(lab)["web"] > dropped
        # another limit is another one: those from before are not known to it
        lab.apply(policy(1, [PORT]))
        hold(held, lab, "lan")
        assert refused(lab, "lan")
        lab.apply(ZONES, "--replace")
    assert not any(word in lab.ruleset() for word in ("c_FirewallRule", "q4_", "q6_"))


@pytest.mark.parametrize("family", (4, 6))
def test_rates(lab, held, family):
    lab.apply(ZONES + web(limits={"rate": "1/second", "burst": 3}) + LATER)
    with Server(lab, "wan", PORT):
        for source in ("lan", "dmz", "lan"):
            hold(held, lab, source, family)
        assert refused(lab, "dmz", family)
        hold(held, lab, "dmz", family)  # TCP asks again while the rate fills up
    assert lab.counted()["later"] == 0


def test_rates_of_each_source(lab, held):
    lab.apply(ZONES + web(limits={"ratePerSource": "1/hour", "burst": 2}) + LATER)
    with Server(lab, "wan", PORT):
        for source in ("lan", "dmz"):
            for _ in range(2):
                hold(held, lab, source)
            assert refused(lab, source)
    assert lab.counted()["later"] == 0


@pytest.mark.parametrize("family", (4, 6))
def test_overload(lab, held, family):
    """Whoever tries too often is refused everything, for a time."""
    refuse = rule("brute-force", action="drop", priority=1, source={"aliases": ["brutes"]})
    other = rule("other", action="allow", protocol="tcp", destination={"ports": [PORT + 1]})
    lab.apply(ZONES + alias("brutes", timeout="1h") + refuse + other + web(limits={"ratePerSource": "1/hour", "burst": 2, "overload": "brutes", "overloadFor": "100s"}))
    with Server(lab, "wan", PORT, PORT + 1):
        for _ in range(2):
            hold(held, lab, "lan", family)
        assert not members(lab, "brutes")
        assert refused(lab, "lan", family)
        found = members(lab, "brutes")
        assert list(found) == [traffic.address("lan", family)] and 0 < found[traffic.address("lan", family)] <= 100
        assert refused(lab, "lan", family, port=PORT + 1)
        hold(held, lab, "dmz", family, port=PORT + 1)


@pytest.mark.parametrize("family", (4, 6))
def test_knocking(lab, held, family):
    """A door that opens for who asks at three others, in their order."""
    knocks = (7201, 7202, 7203)
    text = ZONES
    for stage, port in enumerate(knocks, 1):
        text += alias(f"knock-{stage}", timeout="30s")
        source = {"source": {"aliases": [f"knock-{stage - 1}"]}} if stage > 1 else {}
        text += rule(f"knock-{stage}", action="allow", protocol="udp", destination={"ports": [port]}, addSource={"alias": f"knock-{stage}"}, to="outside", **source)
    lab.apply(text + web(source={"aliases": ["knock-3"]}))
    with netns.inside(lab.netns("lan")):
        knocker = held.enter_context(socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM))

    def knock(*ports):
        for port in ports:
            try:
                knocker.sendto(b"knock", (traffic.address("wan", family), port))
            except ConnectionRefusedError:
                knocker.sendto(b"knock", (traffic.address("wan", family), port))

    with Server(lab, "wan", PORT), Server(lab, "wan", *knocks, kind=socket.SOCK_DGRAM):
        assert refused(lab, "lan", family)
        knock(7203, 7202, 7201)  # not in their order
        assert refused(lab, "lan", family)
        knock(7202, 7203)
        hold(held, lab, "lan", family)
        assert refused(lab, "dmz", family)


def test_external_aliases_outlive(lab, held):
    """Other commits, restarts of filterd, a change of the alias's own time, and the table's being made anew."""
    knock = rule("knock", action="allow", protocol="tcp", destination={"ports": [PORT + 1]}, addSource={"alias": "known", "timeout": "1000s"})
    text = ZONES + knock + web(source={"aliases": ["known"]})
    lab.apply(text + alias("known", timeout="1h"))
    with Server(lab, "wan", PORT, PORT + 1):
        assert refused(lab, "lan")
        hold(held, lab, "lan", port=PORT + 1)
        hold(held, lab, "lan", 6, port=PORT + 1)
        known = members(lab, "known")
        assert set(known) == {traffic.address("lan", 4), traffic.address("lan", 6)}

        def still():
            left = members(lab, "known")
            assert set(left) == set(known) and all(900 < seconds <= 1000 for seconds in left.values()), left
            hold(held, lab, "lan")
            hold(held, lab, "lan", 6)

        lab.apply(text + rule("else", action="drop", priority=50000) + alias("known", timeout="1h"))
        still()
        lab.apply(text + alias("known", timeout="2h"))
        still()
        lab.apply(text + alias("known"))
        still()
        lab.end("filterd", signal.SIGKILL)
        lab.start("filterd")
        still()
        signals = Signals(lab)
        lab.nft("add chain inet patronus somebody_elses")  # the table is made anew
        signals.until_repaired()
        still()
        lab.apply(ZONES + alias("known"), "--replace")
        assert set(members(lab, "known")) == set(known), "an alias that no rule names keeps what it holds"


def test_example_port_knocking(lab, held):
    lab.ctl("apply", "-f", "examples/port-knocking.yaml")
    with netns.inside(lab.netns("wan")):
        knocker = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    router = traffic.address("router", 4, at="wan")

    def door_is_shut():
        return refused(lab, "wan", port=22, to=router)

    with Server(lab, "router", 22):
        assert door_is_shut()
        for port in (7000, 8000, 9000):
            knocker.sendto(b"", (router, port))
        assert door_is_shut()
        for port in (7000, 9000, 8000):
            knocker.sendto(b"", (router, port))
        hold(held, lab, "wan", port=22, to=router)
        hold(held, lab, "lan", port=22, to=traffic.address("router", 4, at="lan"))


def test_example_brute_force(lab, held):
    lab.ctl("apply", "-f", "examples/brute-force.yaml")
    router = traffic.address("router", 4, at="wan")
    with Server(lab, "router", 22):
        for _ in range(3):
            hold(held, lab, "wan", port=22, to=router)
        assert refused(lab, "wan", port=22, to=router)
        assert list(members(lab, "guessers")) == [traffic.address("wan", 4)]
        assert limited(lab)["ssh"] == 1


def test_audit_limits_nothing(lab, held):
    lab.apply(ZONES + alias("seen") + web(mode="audit", limits={"connections": 1}, addSource={"alias": "seen"}) + LATER)
    with Server(lab, "wan", PORT):
        for _ in range(3):
            hold(held, lab, "lan")
    assert lab.counted() == {"web": 3, "later": 3} and not members(lab, "seen") and not limited(lab)
