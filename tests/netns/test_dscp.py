# SPDX-License-Identifier: GPL-3.0-or-later
"""FirewallRule.dscp: packets of both families are told apart by their code point."""


POLICY = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan]}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan]}}
---
{apiVersion: patronus.firewall/v1, kind: FirewallRule, metadata: {name: voice}, spec: {action: allow, from: lan, to: wan, dscp: 46}}
"""
# Each packet to a port of its own: only the first of a connection meets the rules.
SEND = """
import socket
for family, level, option, address in ((socket.AF_INET, socket.IPPROTO_IP, socket.IP_TOS, "10.1.0.2"),
                                       (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_TCLASS, "fd00:1::2")):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        for port, dscp in enumerate((46, 46, 46, 0, 45, 47, 14), 7000):
            s.setsockopt(level, option, dscp << 2 | 1)  # the two bits below are ECN
            s.sendto(b"x", (address, port))
"""


def test_dscp_of_both_families(lab):
    lab.apply(POLICY)
    lab.exec("lan", "/usr/bin/python3", "-c", SEND)
    assert [row["packets"] for row in lab.counters() if row["name"] == "voice"] == [6]


def test_a_code_point_has_six_bits(lab):
    refused = lab.ctl("apply", "-f", "-", stdin=POLICY.replace("dscp: 46", "dscp: 64"), check=False)
    assert refused.returncode == 1
    assert "/spec/dscp: 64 is out of range 0-63" in refused.stderr
