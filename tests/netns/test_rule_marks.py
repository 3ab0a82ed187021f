# SPDX-License-Identifier: GPL-3.0-or-later
"""FirewallRule.setMark and setDscp: what the first packet of a connection gets and what all others do, both ways, in both families."""

import itertools
import socket

import netns
import pytest
import traffic
from documents import document
from traffic import Row, address

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan], forward: drop, input: drop}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan], forward: drop, input: drop, output: drop}}
"""
# What leaves, by mark; others have bits of their own.
OTHERS = """
table inet others {
  set seen { type mark; flags dynamic; counter; }
  chain before { type filter hook prerouting priority raw; meta mark set 0xab000000; udp dport 7009 notrack; udp sport 7009 notrack; }
  chain out { type filter hook output priority raw; meta mark set 0xab000000; }
  chain after { type filter hook postrouting priority 200; udp dport 7000-7100 update @seen { meta mark }; udp sport 7000-7100 update @seen { meta mark }; }
  chain in { type filter hook input priority 200; udp dport 7000-7100 update @seen { meta mark }; udp sport 7000-7100 update @seen { meta mark }; }
}
"""


def rule(name, **spec):
    return document("FirewallRule", name, **({"protocol": "udp"} | spec))


def marks(lab):
    """{mark: packets}; and from then on none were seen."""
    found = {}
    for item in lab.nft_json("set", "inet", "others", "seen"):
        for each in item.get("set", {}).get("elem", []):
            each = each["elem"]
            found[each["val"]] = found.get(each["val"], 0) + each["counter"]["packets"]
    lab.nft("flush set inet others seen")
    return found


class Talk:
    """UDP there and back again, and the code points (with ECN) that were seen on either wire."""

    def __init__(self, lab, source, target, family, port):
        af = socket.AF_INET if family == 4 else socket.AF_INET6
        self.family, self.port = family, port
        self.client = netns.make_socket(lab.netns(source), af, socket.SOCK_DGRAM)
        self.server = netns.make_socket(lab.netns(target), af, socket.SOCK_DGRAM)
        self.server.bind(("::" if family == 6 else "0.0.0.0", port))
        for sock in (self.client, self.server):
            sock.setblocking(True)
            sock.settimeout(traffic.PATIENCE_S)
            # ECN of both: 1
            sock.setsockopt(*((socket.IPPROTO_IP, socket.IP_TOS, 1) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 1)))
            sock.setsockopt(*((socket.IPPROTO_IP, socket.IP_RECVTOS, 1) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)))
        self.to = (address(target, family, at=source), port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.close()

    @staticmethod
    def _receive(sock):
        _, ancillary, _, peer = sock.recvmsg(64, 256)
        (_, _, data), = ancillary
        return data[0], peer

    def there(self):
        self.client.sendto(b"there", self.to)
        seen, self.peer = self._receive(self.server)
        return seen

    def back(self):
        self.server.sendto(b"back", self.peer)
        return self._receive(self.client)[0]


@pytest.fixture
def others(lab):
    lab.nft(OTHERS)


@pytest.mark.parametrize("source, target", (("lan", "wan"), ("lan", "router"), ("router", "lan")))
def test_all_packets_of_a_connection(lab, others, source, target):
    zones = {"from": source, "to": target}
    lab.apply(ZONES + rule("voice", action="allow", setDscp=46, setMark="0x15/0x1f", destination={"ports": [7000]}, **zones)
              + rule("dscp", action="allow", setDscp=0, destination={"ports": [7001]}, **zones)
              + rule("mark", action="allow", setMark="0x20/0xff", destination={"ports": [7002]}, **zones)
              + rule("plain", action="allow", destination={"ports": [7003]}, **zones))
    expected = ((7000, 46, 0xAB000015), (7001, 0, 0xAB000000), (7002, 0, 0xAB000020), (7003, 0, 0xAB000000))
    for family, (port, dscp, mark) in itertools.product((4, 6), expected):
        with Talk(lab, source, target, family, port) as talk:
            assert [talk.there(), talk.back(), talk.there(), talk.there(), talk.back()] == [dscp << 2 | 1] * 5, port
        # a packet is seen where it leaves, or where it comes in
        assert marks(lab) == {mark: 5}, port
    assert lab.counted() == {"voice": 2, "dscp": 2, "mark": 2, "plain": 2}
    assert "unknown" not in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout


def test_rules_see_what_earlier_ones_set(lab, others):
    """Marks of several rules come together, under their masks; the last one to set a bit wins; audit sets nothing."""
    lab.apply(ZONES + rule("low", action="continue", setMark="0x3/0xf", source={"ports": ["1-65535"]})
              + rule("trial", action="continue", mode="audit", setMark="0xff/0xff", setDscp=1, log=False)
              + rule("high", action="continue", setMark="0xa0/0xf0", setDscp=10, mark="0x3/0xff")
              + rule("again", action="continue", setMark="0x4/0x6", dscp=10)
              + rule("not-asked", action="drop", mark="0xff/0xff")
              + rule("pass", action="allow", setDscp=12, mark="0xab0000a5"))
    for family in (4, 6):
        with Talk(lab, "lan", "wan", family, 7000) as talk:
            assert [talk.there(), talk.back(), talk.there()] == [12 << 2 | 1] * 3
    assert marks(lab) == {0xAB0000A5: 6}
    assert lab.counted() == {"low": 2, "trial": 2, "high": 2, "again": 2, "not-asked": 0, "pass": 2}


def test_what_is_not_tracked_is_decided_too(lab, others):
    lab.apply(ZONES + rule("there", action="allow", setDscp=46, setMark="0x10/0xff", destination={"ports": [7009]})
              + rule("back", action="allow", source={"ports": [7009]}))
    for family in (4, 6):
        with Talk(lab, "lan", "wan", family, 7009) as talk:
            assert [talk.there(), talk.there(), talk.back()] == [46 << 2 | 1, 46 << 2 | 1, 1]
    assert marks(lab) == {0xAB000010: 4, 0xAB000000: 2}


def test_a_tcp_connection_has_good_checksums(lab, others):
    """A server takes no segment and no IPv4 header whose checksum is wrong."""
    lab.apply(ZONES + rule("all", action="allow", protocol="tcp", setDscp=34))
    wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, [
        Row(f"tcp {family}", "tcp", "lan", "wan", family, f"answer, seen as {address('lan', family)}", 7100) for family in (4, 6)]) if not result.ok]
    assert not wrong


def test_connections_keep_what_they_have(lab, others):
    """Whatever becomes of the rule, and of filterd."""
    lab.apply(ZONES + rule("voice", action="allow", setDscp=46, setMark="0x15/0x1f"))
    with Talk(lab, "lan", "wan", 4, 7000) as talk:
        assert [talk.there(), talk.back()] == [46 << 2 | 1] * 2
        lab.apply(ZONES + rule("voice", action="allow", setDscp=10))
        assert [talk.there(), talk.back()] == [46 << 2 | 1] * 2
        lab.end("filterd", 9)
        lab.start("filterd")
        assert [talk.there(), talk.back()] == [46 << 2 | 1] * 2
    assert marks(lab) == {0xAB000015: 6}


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "drop", "setMark": "0x1/0x1"}, "/spec/setMark", "action: continue"),
    ({"action": "reject", "setDscp": 3}, "/spec/setDscp", "action: allow"),
    ({"action": "allow", "setMark": "0x110/0xff0"}, "/spec/setMark", "0x10/0xf0"),
    ({"action": "allow", "setMark": "0x10"}, "/spec/setMark", "0x10/0xff"),
    ({"action": "allow", "setDscp": 64}, "/spec/setDscp", "0-63"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr
