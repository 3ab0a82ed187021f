# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 as it is on the wire: extension headers and fragments do not hide what rules ask for, and no policy takes neighbour discovery away."""

import json
import socket
import time

import netns
import pytest
from documents import document
from traffic import PATIENCE_S, address

ZONES = "---\n".join(json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "Zone", "metadata": {"name": host},
                                 "spec": {"interfaces": [host], "forward": "drop", "input": "drop", "output": "drop"}}) + "\n"
                     for host in ("wan", "lan"))
IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59  # linux/in6.h
NOTHING = bytes((0, 0, 1, 4, 0, 0, 0, 0))  # RFC 8200 4.2: next header and length, then four bytes of padding
OPTIONS = {
    "destination-options": (6, socket.IPPROTO_IPV6, IPV6_DSTOPTS, NOTHING),
    "hop-by-hop": (6, socket.IPPROTO_IPV6, IPV6_HOPOPTS, NOTHING),
    "ipv4-options": (4, socket.IPPROTO_IP, socket.IP_OPTIONS, bytes((1, 1, 1, 0))),  # RFC 791 3.1: no operation
    "none-6": (6, None, None, None),
    "none-4": (4, None, None, None),
}


def rule(name, **spec):
    return document("FirewallRule", name, **spec)


@pytest.mark.parametrize("what", OPTIONS)
def test_ports_are_found_behind_headers(lab, what):
    """Short and in fragments: what may pass arrives whole, what may not does not."""
    family, level, option, value = OPTIONS[what]
    lab.apply(ZONES + rule("passes", action="allow", protocol="udp", destination={"ports": [7001]})
              + rule("refused", action="drop", protocol="udp", destination={"ports": [7002]}) + rule("others", action="allow", protocol="udp"))
    af = socket.AF_INET if family == 4 else socket.AF_INET6
    sizes = (10, 3000)
    with netns.make_socket(lab.netns("wan"), af, socket.SOCK_DGRAM) as server, netns.make_socket(lab.netns("lan"), af, socket.SOCK_DGRAM) as client, \
            netns.make_socket(lab.netns("wan"), af, socket.SOCK_DGRAM) as closed:
        for sock, port in ((server, 7001), (closed, 7002)):
            sock.bind(("::" if family == 6 else "0.0.0.0", port))
        server.setblocking(True)
        server.settimeout(PATIENCE_S)
        if level is not None:
            client.setsockopt(level, option, value)
        for port in (7002, 7001):
            for size in sizes:
                client.sendto(b"x" * size, (address("wan", family), port))
        assert [len(server.recv(4096)) for _ in sizes] == list(sizes)
        with pytest.raises(BlockingIOError):
            closed.setblocking(False)
            closed.recv(4096)
    found = lab.counted()
    # nobody answers, so that each is the first of its connection
    assert (found["passes"], found["refused"], found["others"]) == (2, 2, 0)


def ndp(lab):
    return next(row["packets"] for row in lab.counters() if row["name"] == "prologue/ndp-input")


def test_no_policy_takes_neighbour_discovery_away(lab):
    """Everything is dropped, by floating rules too, in and out; neighbours are found, and routers are solicited and advertise."""
    lab.apply(ZONES + rule("all", action="drop", floating=True) + rule("late", action="drop", floating=True, quick=False)
              + rule("icmp", action="drop", icmpTypes=["echo-request"]))
    target = address("router", 6, at="lan")
    lab.exec("lan", "ip", "-6", "neigh", "flush", "all")
    deadline = time.monotonic() + PATIENCE_S
    while True:  # until the router was asked, and answered
        assert not lab.pings("lan", target, expect=False)
        entries = json.loads(lab.exec("lan", "ip", "-j", "-6", "neigh", "show", target).stdout)
        if entries and all("lladdr" in entry for entry in entries):
            break
        assert time.monotonic() < deadline, entries
    before = ndp(lab)
    # RFC 4861 4.1: a solicitation of routers, from the LAN to all routers
    with netns.make_socket(lab.netns("lan"), socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, int(lab.exec("lan", "cat", "/sys/class/net/eth0/ifindex").stdout))
        sock.sendto(bytes((133, 0, 0, 0, 0, 0, 0, 0)), ("ff02::2", 0))
        sock.sendto(bytes((134, 0, 0, 0, 64, 0, 0, 0)) + bytes(8), ("ff02::1", 0))
    assert ndp(lab) >= before + 2
