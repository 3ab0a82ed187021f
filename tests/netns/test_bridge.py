# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of bridges with real frames: each field of a rule by a truth table, the order of rules, directions, defaults, counters, the log, and what
becomes of the table when others touch it and filterd starts again."""

import json
import pathlib

import bridge_wire as wires
import nflog
import pytest
from bridge_wire import BROADCAST, MACHINE_MAC, MARKS, ethernet, host_mac
from documents import document
from lab import Lab
from transaction import Transaction, unchanged

ZONE = document("Zone", "wan", interfaces=["wan"])
H1, H2, H3 = (host_mac(port) for port in wires.PORTS)


@pytest.fixture(scope="module")
def lab():
    with Lab("t-bridge") as made:
        made.apply(ZONE)
        yield made


@pytest.fixture(scope="module")
def wire(lab):
    with wires.BridgeWire(lab) as made:
        # the bridge knows who is where
        lab.apply(ZONE + MARKS, "--replace")
        made.send([])
        yield made


def rule(name, **spec):
    return document("BridgeRule", name, **({"action": "drop"} | spec))


def settings(**spec):
    return document("BridgeSettings", "default", **spec)


def apply(lab, *documents):
    lab.apply(ZONE + MARKS + "".join(documents), "--replace")


UDP = wires.udp("10.0.0.1", "10.0.0.2", 1000, 53)
UDP6 = wires.udp("fd00::1", "fd00::2", 1000, 53)
ARP = wires.arp(1, H1, "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
REPLY = wires.arp(2, H1, "10.0.0.1", H2, "10.0.0.2")
LLDP = wires.TOKEN + bytes(40)

# Frames of many sorts from port 1 to the host at port 2: what each is, for the table.
FRAMES = {
    "udp": ethernet(H1, H2, 0x0800, UDP),
    "udp-high": ethernet(H1, H2, 0x0800, wires.udp("10.0.9.1", "10.0.0.2", 1000, 5353)),
    "tcp": ethernet(H1, H2, 0x0800, wires.tcp("10.0.0.1", "10.0.0.2", 1000, 22)),
    "ping": ethernet(H1, H2, 0x0800, wires.icmp("10.0.0.1", "10.0.0.2", 8)),
    "udp6": ethernet(H1, H2, 0x86DD, UDP6),
    "nd": ethernet(H1, H2, 0x86DD, wires.icmp("fd00::1", "fd00::2", 135)),
    "arp": ethernet(H1, BROADCAST, 0x0806, ARP),
    "arp-reply": ethernet(H1, H2, 0x0806, REPLY),
    "arp-forged": ethernet(H1, H2, 0x0806, wires.arp(2, "02:66:00:00:00:01", "10.0.0.254", H2, "10.0.0.2")),
    "arp-of-others": ethernet(H1, H2, 0x0806, wires.arp(1, H1, "10.0.0.1", H2, "10.0.0.2", form=(6, 0x0800, 6, 4))),
    "other": ethernet(H1, H2, 0x88CC, LLDP),
    "foreign": ethernet("02:aa:00:00:00:01", H2, 0x0800, UDP),
    "group": ethernet(H1, "01:00:5e:00:00:fb", 0x0800, UDP),
    "vlan10": ethernet(H1, H2, 0x0800, UDP, vlan=10),
    "vlan20-prio": ethernet(H1, H2, 0x0800, UDP, vlan=0xA000 | 20),
    "vlan20-ad": ethernet(H1, H2, 0x0800, UDP, vlan=20, tag_type=0x88A8),
    "vlan10-arp": ethernet(H1, H2, 0x0806, REPLY, vlan=10),
    "vlan0": ethernet(H1, H2, 0x0800, UDP, vlan=0x6000),
    "double": ethernet(H1, H2, 0x8100, b"\0\x14" + b"\x08\0" + UDP, vlan=10),
}
IPV4 = {"udp", "udp-high", "tcp", "ping", "foreign", "group", "vlan10", "vlan20-prio", "vlan20-ad", "vlan0"}
ARPS = {"arp", "arp-reply", "arp-forged", "arp-of-others", "vlan10-arp"}
TAGGED = {"vlan10", "vlan20-prio", "vlan20-ad", "vlan10-arp", "double"}
UDP53 = IPV4 - {"udp-high", "tcp", "ping"}

# What a rule asks, and which frames it matches.
ASKS = [
    ({}, set(FRAMES)),
    ({"from": ["p1"]}, set(FRAMES)),
    ({"from": ["p*"]}, set(FRAMES)),
    ({"from": ["p2", "p3", "q*"]}, set()),
    ({"to": ["p2"]}, set(FRAMES)),
    ({"to": ["p1", "h*"]}, set()),
    ({"from": ["p1", "x"], "to": ["p2", "y*"]}, set(FRAMES)),
    ({"etherTypes": ["ipv4"]}, IPV4),
    ({"etherTypes": ["ipv6", "0x88cc"]}, {"udp6", "nd", "other"}),
    ({"etherTypes": ["arp"]}, ARPS),
    ({"family": "ipv6"}, {"udp6", "nd"}),
    ({"vlans": [10]}, {"vlan10", "vlan10-arp", "double"}),
    ({"vlans": ["11-30", 4094]}, {"vlan20-prio", "vlan20-ad"}),
    ({"vlans": ["untagged"]}, set(FRAMES) - TAGGED),
    ({"vlans": ["untagged", 10]}, set(FRAMES) - {"vlan20-prio", "vlan20-ad"}),
    ({"vlans": ["1-4094"]}, TAGGED),
    ({"vlans": [10], "protocol": "udp"}, {"vlan10"}),
    ({"sourceMac": [H1]}, set(FRAMES) - {"foreign"}),
    ({"sourceMac": ["02:aa:00:00:00:00/ff:ff:00:00:00:00"]}, {"foreign"}),
    ({"sourceMac": ["02:aa:00:00:00:00/ff:ff:00:00:00:00", H3]}, {"foreign"}),
    ({"sourceMac": [H3, H2]}, set()),
    ({"sourceMacAliases": ["macs"]}, {"foreign"}),
    ({"sourceMac": [H1], "sourceMacAliases": ["macs"]}, set(FRAMES)),
    ({"destinationMac": ["01:00:00:00:00:00/01:00:00:00:00:00"]}, {"arp", "group"}),
    ({"destinationMac": [BROADCAST]}, {"arp"}),
    ({"destinationMac": [H2, "01:00:5e:00:00:00/ff:ff:ff:80:00:00"]}, set(FRAMES) - {"arp"}),
    ({"arp": {"operation": ["request"]}}, {"arp"}),
    ({"arp": {"operation": ["reply", 8]}}, {"arp-reply", "arp-forged", "vlan10-arp"}),
    ({"arp": {"senderMac": [H1]}}, {"arp", "arp-reply", "vlan10-arp"}),
    ({"arp": {"senderMac": ["00:66:00:00:00:00/00:ff:00:00:00:00"]}}, {"arp-forged"}),
    ({"arp": {"senderAddress": ["10.0.0.1", "10.0.0.128/26"]}}, {"arp", "arp-reply", "vlan10-arp"}),
    ({"arp": {"senderAddress": ["10.0.0.128/25"], "targetAddress": ["10.0.0.0-10.0.0.9"]}}, {"arp-forged"}),
    ({"arp": {"targetAddress": ["10.0.0.3"]}}, set()),
    ({"protocol": "udp"}, (UDP53 | {"udp-high", "udp6"})),
    ({"protocol": "tcp", "destination": {"ports": [22]}}, {"tcp"}),
    ({"destination": {"ports": ["50-60"]}}, UDP53 | {"udp6"}),
    ({"destination": {"ports": [22, 5353]}}, {"tcp", "udp-high"}),
    ({"services": ["dns"]}, UDP53 | {"udp6"}),
    ({"services": ["dns", "ssh"], "family": "ipv6"}, {"udp6"}),
    ({"source": {"addresses": ["10.0.9.0/24"]}}, {"udp-high"}),
    ({"source": {"addresses": ["fd00::/64"]}}, {"udp6", "nd"}),
    ({"source": {"addresses": ["fd00::1", "fd00::8/125"]}, "protocol": "udp"}, {"udp6"}),
    ({"source": {"aliases": ["both"]}}, {"udp6", "nd", "udp-high"}),
    ({"source": {"except": {"addresses": ["10.0.0.0/24"]}}}, {"udp-high"}),
    ({"source": {"except": {"aliases": ["both"]}}}, IPV4 - {"udp-high"}),
    ({"destination": {"portAliases": ["named-ports"]}, "family": "ipv4"}, UDP53),
    ({"icmpTypes": ["echo-request"]}, {"ping"}),
    ({"icmpTypes": ["neighbour-solicitation", "echo-reply"]}, {"nd"}),
    ({"bridges": ["br0"]}, "cannot tell bridges apart"),
]
ALIASES = (document("Alias", "macs", type="mac", macs=["02:aa:00:00:00:01", "02:aa:00:00:00:09"]) +
           document("Alias", "both", type="network", addresses=["fd00::/64", "10.0.9.0/24"]) +
           document("Alias", "named-ports", type="port", ports=[53, "100-200"]))


def asked(n):
    return json.dumps(ASKS[n][0])


@pytest.mark.parametrize("action", ("drop", "allow"))
def test_each_field(lab, wire, action):
    """One rule after the other, dropping what it matches where all else passes, and the other way round."""
    wrong = []
    for n, (spec, expected) in enumerate(ASKS):
        text = ZONE + MARKS + ALIASES + rule(f"{action}-{n}", action=action, **spec) + settings(default="allow" if action == "drop" else "drop")
        if isinstance(expected, str):  # what a kernel says that lacks it
            done = lab.ctl("apply", "--replace", "-f", "-", stdin=text, check=False)
            if done.returncode:
                assert expected in done.stderr, done.stderr
                continue
            expected = set(FRAMES)
        else:
            lab.apply(text, "--replace")
        seen = wire.send([(1, frame) for frame in FRAMES.values()])
        passed = {name for index, name in enumerate(FRAMES) if (index, 2) in seen}
        matched = passed if action == "allow" else set(FRAMES) - passed
        if matched != expected:
            wrong.append(f"{asked(n)}: wrongly {sorted(matched - expected)}, missing {sorted(expected - matched)}")
        counted = lab.counted("BridgeRule")[f"{action}-{n}"]
        flooded = sum(2 if name in ("arp", "group") and "to" not in spec else 1 for name in expected)  # asked for each port
        if counted != flooded:
            wrong.append(f"{asked(n)}: counted {counted} frames instead of {flooded}")
    assert not wrong, "\n".join(wrong)


def test_order_and_audit(lab, wire):
    """The first that matches decides; one in audit mode, or of a group that is off, does not."""
    table = [
        ([("a", {"action": "allow"}), ("b", {})], True),
        ([("a", {}), ("b", {"action": "allow"})], False),
        ([("a", {"mode": "audit"}), ("b", {"action": "allow"})], True),
        ([("a", {"action": "allow", "mode": "audit"}), ("b", {})], False),
        ([("b", {"action": "allow", "priority": 5}), ("a", {"priority": 9})], True),
        ([("a", {"enabled": False}), ("b", {"action": "allow"})], True),
        ([("a", {"group": "off"}), ("b", {"action": "allow"})], True),
        ([("a", {"group": "on"}), ("b", {"action": "allow"})], False),
        ([("a", {"etherTypes": ["arp"]}), ("b", {"action": "allow"})], True),
        ([("a", {"schedule": "never"}), ("b", {"action": "allow"})], True),
    ]
    groups = (document("RuleGroup", "off", enabled=False) + document("RuleGroup", "on", enabled=True) + document("FilterSettings", "default", trustClock=True) +
              document("Schedule", "never", windows=[{"dates": ["1999-01-01"]}]))
    for n, (rules, expected) in enumerate(table):
        apply(lab, groups, *(rule(f"{name}{n}", **spec) for name, spec in rules))
        assert bool(wire.send([(1, FRAMES["udp"])])) == expected, rules
        if rules[0][1].get("mode") == "audit":
            assert lab.counted("BridgeRule")[f"a{n}"] == 1 == lab.counted("BridgeRule")[f"b{n}"]


IN = ethernet(H1, MACHINE_MAC, 0x0800, UDP)
OUT = ethernet(MACHINE_MAC, H2, 0x0800, UDP)


@pytest.mark.parametrize("spec, passes", [
    ([], {"forward", "in", "out"}),
    ([rule("r", direction="in")], {"forward", "out"}),
    ([rule("r", direction="out")], {"forward", "in"}),
    ([rule("r")], {"in", "out"}),
    ([rule("r", direction="in", **{"from": ["p2"]})], {"forward", "in", "out"}),
    ([rule("r", direction="in", protocol="udp", **{"from": ["p1"]})], {"forward", "out"}),
    ([rule("r", direction="out", to=["p2"], sourceMac=[MACHINE_MAC], vlans=["untagged"])], {"forward", "in"}),
    ([rule("r", direction="out", to=["p1"])], {"forward", "in", "out"}),
    ([settings(default="drop")], {"in", "out"}),
    ([settings(input="drop")], {"forward", "out"}),
    ([settings(output="drop")], {"forward", "in"}),
    ([settings(default="drop", input="drop", output="drop"), rule("r", action="allow", direction="in")], {"in"}),
])
def test_directions_and_defaults(lab, wire, spec, passes):
    apply(lab, *spec)
    seen = wire.send([(1, FRAMES["udp"]), (1, IN), (0, OUT)])
    assert seen == {{"forward": (0, 2), "in": (1, 0), "out": (2, 2)}[name] for name in passes}


def test_a_flooded_frame_is_asked_for_each_port(lab, wire):
    apply(lab, rule("r", to=["p3"], etherTypes=["arp"]))
    assert wire.send([(1, FRAMES["arp"]), (3, ethernet(H3, BROADCAST, 0x0806, ARP))]) == {(0, 2), (0, 0), (1, 1), (1, 2), (1, 0)}


def test_counters_outlive_edits(lab, wire):
    def policy(*others, **more):
        apply(lab, *others, rule("counts", action="allow", protocol="udp", **more), settings(default="drop"))

    policy()
    wire.send([(1, FRAMES["udp"])] * 3)
    policy(rule("before", etherTypes=["arp"]), rule("other", etherTypes=["0x88cc"]))
    wire.send([(1, FRAMES["udp"])])
    assert lab.counted("BridgeRule")["counts"] == 4
    policy(destination={"ports": [53]})
    wire.send([(1, FRAMES["udp"])])
    assert lab.counted("BridgeRule")["counts"] == 5
    assert next(row for row in lab.counters() if row["name"] == "counts")["carried"]


def bridge_table(lab):
    return lab.exec("router", "nft", "list", "table", "bridge", "patronus", check=False).stdout


def test_no_table_without_need(lab, wire):
    lab.apply(ZONE, "--replace")
    assert "patronus" not in bridge_table(lab)
    lab.apply(ZONE + settings(default="drop"), "--replace")
    assert "bridge/default/forward" in bridge_table(lab)
    assert wire_is_closed(wire)
    lab.apply(ZONE, "--replace")
    assert "patronus" not in bridge_table(lab)
    wire.send([])  # nothing is asked


def wire_is_closed(wire):
    try:
        wires.PATIENCE_S, before = 0.5, wires.PATIENCE_S
        wire.send([])
    except AssertionError:
        return True
    finally:
        wires.PATIENCE_S = before
    return False


def test_a_new_table_says_what_else_is_asked(lab, wire):
    if lab.exec("router", "test", "-e", "/proc/sys/net/bridge", check=False).returncode:
        pytest.skip("this kernel has no br_netfilter")
    lab.apply(ZONE, "--replace")
    assert "bridge-nf-call" not in lab.ctl("plan", "-f", "-", stdin=rule("r")).stderr
    try:
        lab.exec("router", "sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=1")
        assert "net.bridge.bridge-nf-call-ip6tables is 1" in lab.apply(ZONE + rule("r", etherTypes=["arp"]), "--replace").stderr
        assert "bridge-nf-call" not in lab.apply(ZONE + rule("r"), "--replace").stderr  # said once
    finally:
        lab.exec("router", "sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=0")


def test_a_refused_change_changes_nothing(lab):
    apply(lab, rule("r", etherTypes=["arp"]))
    before = bridge_table(lab)
    for bad, code in ((settings(stateful=True), "nf_conntrack_bridge"),
                      (document("Alias", "x", type="host", external=True) + rule("s", source={"aliases": ["x"]}), "external")):
        done = lab.ctl("apply", "-f", "-", stdin=bad, check=False)
        if done.returncode:
            assert code in done.stderr
            assert bridge_table(lab) == before
        else:
            assert code == "nf_conntrack_bridge"  # this kernel has it


@pytest.mark.parametrize("script", [
    "delete table bridge patronus",
    "flush chain bridge patronus forward",
    "add rule bridge patronus forward counter accept",
    "flush ruleset",
])
def test_what_others_change_is_repaired(lab, wire, script):
    apply(lab, rule("r", protocol="udp"))
    before = bridge_table(lab)
    assert wire.send([(1, FRAMES["udp"])]) == set()
    lab.nft(script)
    lab.ctl("status", "--wait", check=False)
    for _ in range(1000):
        if wire.send([(1, FRAMES["udp"])]) == set() and "counter accept" not in bridge_table(lab).replace("packets", ""):
            break
    assert wire.send([(1, FRAMES["udp"])]) == set()
    assert [line.split("counter")[0] for line in before.splitlines()] == [line.split("counter")[0] for line in bridge_table(lab).splitlines()]


def test_a_restart_finds_its_table(lab, wire):
    apply(lab, rule("stays", protocol="udp"), settings(logDefault=True))
    wire.send([(1, FRAMES["udp"])])
    handles = lab.exec("router", "nft", "-a", "list", "table", "bridge", "patronus").stdout
    lab.end("filterd", 9)
    lab.start("filterd")
    assert lab.exec("router", "nft", "-a", "list", "table", "bridge", "patronus").stdout == handles
    assert lab.counted("BridgeRule")["stays"] == 1
    apply(lab, rule("s", protocol="tcp"))
    assert wire.send([(1, FRAMES["udp"]), (1, FRAMES["tcp"])]) == {(0, 2)}


def test_log(lab, wire):
    apply(lab, rule("watch", action="allow", protocol="udp", log=True), rule("would", etherTypes=["arp"], mode="audit"),
          settings(default="drop", logDefault=True))
    with nflog.Log(lab) as log:
        wire.send([(1, FRAMES["vlan10"])])
        line = log.next()
        assert (line["verdict"], line["reason"], line["rule"]["kind"], line["rule"]["name"]) == ("allow", "rule", "BridgeRule", "watch")
        assert (line["in"], line["out"], line["mac"], line["destinationMac"], line["etherType"], line["vlan"]) == ("p1", "p2", H1, H2, "ipv4", 10)
        assert (line["source"], line["destinationPort"]) == ("10.0.0.1", 53)
        assert "from" not in line and "to" not in line
        wire.send([(1, FRAMES["arp-reply"])])
        line, other = log.next(), log.next()
        assert (line["verdict"], line["rule"]["name"], line["etherType"]) == ("audit:drop", "would", "arp")
        assert (other["verdict"], other["reason"], other["source"]) == ("drop", "bridge", "10.0.0.1")
        wire.send([(1, FRAMES["other"])])
        line = log.next()
        assert (line["verdict"], line["reason"], line["etherType"], line["mac"]) == ("drop", "bridge", "0x88cc", H1)
        assert not log.pending()


EXAMPLE = (pathlib.Path(__file__).resolve().parents[2] / "examples/bridge.yaml").read_text()


def test_example(lab, wire):
    """Port 1 and 2 are guests, port 3 is the network."""
    lab.apply(ZONE + MARKS + "---\n" + EXAMPLE.replace("tap*", "p1").replace('["p1"]', '["p1", "p2"]').replace("uplink", "p3"), "--replace")
    rows = [
        (1, ethernet(H1, H2, 0x0800, UDP), None),  # to another guest
        (1, ethernet(H1, H3, 0x0800, UDP), 3),
        (3, ethernet(H3, H1, 0x0800, wires.udp("10.0.0.1", "10.0.0.2", 67, 68)), 1),
        (1, ethernet(H1, H3, 0x0800, wires.udp("10.0.0.9", "10.0.0.2", 67, 68)), None),
        (2, ethernet(H2, H3, 0x86DD, wires.udp("fe80::1", "fe80::2", 547, 546)), None),
        (1, ethernet(H1, H3, 0x0800, UDP, vlan=7), None),
        (3, ethernet(H3, H1, 0x0800, UDP, vlan=7), 1),
        (1, ethernet(H1, H3, 0x0806, wires.arp(2, H1, "10.0.0.1", H3, "10.0.0.7")), None),
        (1, ethernet(H1, H3, 0x0806, wires.arp(2, H1, "10.0.0.2", H3, "10.0.0.7")), 3),
        (2, ethernet(H2, H3, 0x86DD, wires.icmp("fe80::1", "fe80::2", 134)), None),
        (2, ethernet(H2, H3, 0x86DD, wires.icmp("fe80::1", "fe80::2", 136)), 3),
        (1, ethernet(H1, H3, 0x88CC, LLDP), None),
        (3, ethernet(H3, H1, 0x88CC, LLDP), 1),
    ]
    seen = wire.send([row[:2] for row in rows])
    assert seen == {(n, row[2]) for n, row in enumerate(rows) if row[2] is not None}


def stateful(lab, *documents):
    done = lab.ctl("apply", "--replace", "-f", "-", stdin=ZONE + MARKS + "".join(documents), check=False)
    if "nf_conntrack_bridge" in done.stderr:
        pytest.skip("this kernel has no nf_conntrack_bridge: tests/uml runs this on one that has")
    assert done.returncode == 0, done.stderr


SYN, ACK, RST = 0x02, 0x10, 0x04
FOLLOWED = settings(default="drop", stateful=True, logDefault=True)


def tcp(source, target, flags, port=22, vlan=None):
    """Between 10.0.0.SOURCE at port 1 and 10.0.0.TARGET at port 2, or back; `port` is the server's, at port 2."""
    ends = (1000, port) if source == 1 else (port, 1000)
    return source, ethernet(host_mac(source), host_mac(target), 0x0800, wires.tcp(f"10.0.0.{source}", f"10.0.0.{target}", *ends, flags), vlan=vlan)


def test_connections_are_followed(lab, wire):
    stateful(lab, FOLLOWED, rule("out", action="allow", protocol="tcp", **{"from": ["p1"]}, destination={"ports": [22, 80]}), rule("arp", action="allow", etherTypes=["arp"]))
    assert wire.send([tcp(2, 1, SYN | ACK)]) == set()  # of no connection, and no rule lets it begin one
    assert wire.send([tcp(1, 2, SYN)]) == {(0, 2)}
    assert wire.send([tcp(2, 1, SYN | ACK)]) == {(0, 1)}
    assert wire.send([tcp(1, 2, ACK), tcp(2, 1, ACK)]) == {(0, 2), (1, 1)}
    assert wire.send([tcp(2, 1, SYN, port=23)]) == set()
    assert wire.send([tcp(1, 2, SYN | RST, port=80)]) == set()  # it can begin none: not even the rule is asked
    # an error about the connection, and one about none
    _, frame = tcp(1, 2, ACK)
    for packet, expected in ((frame[14:42], {(0, 1)}), (frame[14:34] + b"\x03\xe9" + frame[36:42], set())):
        error = wires.ip("10.0.0.2", "10.0.0.1", 1, b"\x03\x03" + bytes(6) + packet + wires.TOKEN)
        assert wire.send([(2, ethernet(H2, H1, 0x0800, error))]) == expected
    # what is no IP packet belongs to no connection, and is not invalid for that
    assert wire.send([(1, FRAMES["arp-reply"]), (1, FRAMES["other"])]) == {(0, 2)}
    counted = {row["name"]: row["packets"] for row in lab.counters()}
    assert counted["bridge/established"] == 4 and counted["bridge/invalid"] >= 2
    # the connection goes on without its rule, until the bridge is not stateful any more
    stateful(lab, FOLLOWED)
    assert wire.send([tcp(1, 2, ACK), tcp(1, 2, SYN, port=80)]) == {(0, 2)}
    lab.apply(ZONE + MARKS + settings(default="drop"), "--replace")
    assert wire.send([tcp(1, 2, ACK)]) == set()


def test_udp6_is_followed(lab, wire):
    stateful(lab, FOLLOWED, rule("out", action="allow", services=["dns"], **{"from": ["p1"]}))
    back = ethernet(H2, H1, 0x86DD, wires.udp("fd00::2", "fd00::1", 53, 1000))
    assert wire.send([(2, back)]) == set()
    assert wire.send([(1, FRAMES["udp6"])]) == {(0, 2)}
    assert wire.send([(2, back), (2, ethernet(H2, H1, 0x86DD, wires.udp("fd00::2", "fd00::1", 53, 1001)))]) == {(0, 1)}


def test_invalid_is_logged(lab, wire):
    stateful(lab, FOLLOWED, rule("all", action="allow"))
    with nflog.Log(lab) as log:
        assert wire.send([tcp(1, 2, SYN | RST)]) == set()
        line = log.next()
    assert (line["verdict"], line["reason"], line["etherType"], line["in"]) == ("drop", "invalid", "ipv4", "p1")


def test_bridges_are_told_apart(lab, wire):
    done = lab.ctl("apply", "--replace", "-f", "-", stdin=ZONE + MARKS + rule("r", bridges=["br0"]), check=False)
    if "nft_meta_bridge" in done.stderr:
        pytest.skip("this kernel has no nft_meta_bridge: tests/uml runs this on one that has")
    assert done.returncode == 0, done.stderr
    table = [("forward", (1, FRAMES["udp"]), (0, 2)), ("in", (1, IN), (0, 0)), ("out", (0, OUT), (0, 2))]
    for direction, frame, way in table:
        apply(lab, rule("r", bridges=["br1", "bx*"], direction=direction))
        assert wire.send([frame]) == {way}
        apply(lab, rule("r", bridges=["b*"], direction=direction))
        assert wire.send([frame]) == set()


ADMINISTERED = document("FilterSettings", "default", antiLockout={"interfaces": ["br0", "wan"], "ports": [22]})


WHY = ("filter", "why", "--bridge", "br0")
FORWARD = (*WHY, "--in", "p1", "--out", "p2")


@pytest.mark.parametrize("words, code, said", [
    ((*FORWARD, "--src", "10.0.0.1", "--dst", "10.0.0.2", "--proto", "tcp", "--dport", "23"), 6,
     "drop: BridgeRule/telnet drops it\nover bridge br0 from p1 to p2; rule 1 of 2 in their order\n"),
    ((*FORWARD, "--ether-type", "ipv4", "--vlan", "untagged"), 6,
     "drop: no rule matches it, and default of BridgeSettings is drop\nover bridge br0 from p1 to p2\n"),
    ((*FORWARD, "--arp-op", "request", "--src", "10.0.0.1", "--arp-mac", H1), 0,
     "allow: BridgeRule/arp lets it pass\nover bridge br0 from p1 to p2; rule 2 of 2 in their order\n"),
    ((*FORWARD, "--smac", H1, "--dmac", H2), 6,
     "drop: no rule matches it, and default of BridgeSettings is drop; or BridgeRule/arp lets it pass, by what is not known of it beforehand\n"
     "over bridge br0 from p1 to p2\n"),
    ((*WHY, "--in", "p1"), 0, "allow: no rule matches it, and input of BridgeSettings is allow\nover bridge br0 from p1 to this machine\n"),
    ((*WHY, "--out", "p1"), 0, "allow: no rule matches it, and output of BridgeSettings is allow\nover bridge br0 from this machine to p1\n"),
    (WHY, 2, "error: in: say the port that the frame comes by (in), the one that it leaves by (out), or both\n"),
    (("filter", "why", "--src", "10.0.0.1", "--dst", "10.0.0.2", "--proto", "1", "--smac", H1), 2,
     "error: smac: only frames of a bridge have it; say bridge, or leave it out\n"),
])
def test_why(lab, words, code, said):
    """Of a file that is not applied; and nothing is."""
    telnet = rule("telnet", protocol="tcp", destination={"ports": [23]}, priority=1)
    asked = settings(default="drop") + telnet + rule("arp", action="allow", etherTypes=["arp"], priority=2)
    lab.apply(ZONE, "--replace")
    done = lab.ctl(*words, "-f", "-", check=False, stdin=asked)
    assert (done.returncode, done.stdout + done.stderr) == (code, said)
    assert lab.ctl(*FORWARD).stdout == "allow: no rule matches it, and default of BridgeSettings is allow\nover bridge br0 from p1 to p2\n"


def test_why_asks_the_time_and_many(lab):
    lab.apply(ZONE + document("Schedule", "nights", windows=[{"start": "22:00", "end": "06:00"}]) + rule("night", schedule="nights"), "--replace")
    lines = [{"at": "2026-12-24T23:00:00"}, {"at": "2026-12-24T12:00:00"}, {"vlan": "10-20"}, {"vlan": 10, "at": "2026-12-24T05:59:59"}]
    done = lab.ctl("filter", "why", "--batch", "-", check=False, stdin="".join(json.dumps({"bridge": "br0", "in": "p1", "out": "p2"} | line) + "\n" for line in lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and [answer.get("verdict") for answer in answers] == ["drop", "allow", None, "drop"]
    assert answers[0]["rule"]["name"] == "night" and (answers[2]["pointer"], answers[2]["line"]) == ("/vlan", 3)


@pytest.mark.parametrize("spec, cut_by", [
    ([], None),
    ([rule("r")], None),
    ([rule("r", direction="in", protocol="udp")], None),
    ([rule("r", direction="in", protocol="tcp", destination={"ports": [22]})], "BridgeRule/r"),
    ([rule("r", direction="in", services=["ssh"], **{"from": ["p1"]})], "BridgeRule/r"),  # by which port he comes is not known
    ([rule("r", direction="in", source={"addresses": ["10.66.0.2"]})], "BridgeRule/r"),
    ([rule("r", direction="in", source={"addresses": ["10.66.0.3"]})], None),
    ([rule("r", direction="in", protocol="tcp", mode="audit")], None),
    ([rule("a", action="allow", direction="in", etherTypes=["ipv4"]), rule("r", direction="in", protocol="tcp")], None),
    ([rule("a", action="allow", direction="in", vlans=[7]), rule("r", direction="in", protocol="tcp")], "BridgeRule/r"),
    ([rule("r", direction="in", arp={"senderAddress": ["10.66.0.0/24"]})], "what looks for the ends"),
    ([rule("r", direction="out", source={"ports": [22]})], "BridgeRule/r"),
    ([rule("r", direction="out", source={"ports": [23]})], None),
    ([settings(input="drop")], "the default of BridgeSettings"),
    ([settings(output="drop"), rule("r", action="allow", direction="out", etherTypes=["arp", "ipv4"])], None),
])
def test_who_administers_by_a_bridge_is_not_cut_off_unasked(lab, wire, spec, cut_by):
    lab.exec("router", "ip", "address", "replace", "10.66.0.1/24", "dev", "br0")
    apply(lab, ADMINISTERED, *spec)
    revision = json.loads(lab.ctl("status", "-o", "json").stdout)["revision"]["number"]
    transaction = Transaction(lab)
    try:
        for administrator, reason in (("10.66.0.2 51234 10.66.0.1 22", cut_by), ("10.1.0.2 51234 10.1.0.1 22", None)):
            reply = transaction.plan(revision + 1, unchanged(lab, revision), administrator=administrator)
            assert bool(reply["cuts"]) == (reason is not None), reply["cutsWhy"]
            assert (reason or "") in str(reply["cutsWhy"])
    finally:
        transaction.close()
