# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples and real packets: each row of each table is what its example promises."""

import pathlib

import pytest
import traffic
from edge import both, seen_as
from traffic import Row, address

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def masqueraded(line="wan"):
    """IPv4 leaves with the router's address on the line, IPv6 with the LAN host's own."""
    return lambda family: f"answer, seen as {address('router', 4, at=line) if family == 4 else address('lan', 6)}"


def forwarded(what, source, target, port, expect, line="wan", **more):
    """To the router's IPv4 address on the line."""
    return Row(what, "tcp", source, target, 4, expect, port=port, to=address("router", 4, at=line), **more)


HOME = [
    *both("family to internet, TCP 443", "tcp", "lan", "wan", masqueraded(), port=443),
    *both("family to a lamp, TCP 80", "tcp", "lan", "guest", seen_as("lan"), port=80),
    *both("family to router, DNS", "udp", "lan", "router", seen_as("lan"), port=53),
    *both("family to router, ping", "ping", "lan", "router", "answer"),
    *both("family to router, ssh by anti-lockout", "tcp", "lan", "router", seen_as("lan"), port=22),
    *both("family to router, TCP 8080", "tcp", "lan", "router", "no answer", port=8080),
    *both("visitor to internet, UDP 443", "udp", "guest", "wan",
          lambda family: f"answer, seen as {address('router', 4, at='wan') if family == 4 else address('guest', 6)}", port=443),
    *both("visitor to internet, mail is rejected", "tcp", "guest", "wan", "refused", port=25),
    *both("visitor to family, TCP 445", "tcp", "guest", "lan", "no answer", port=445),
    *both("visitor to router, DNS", "udp", "guest", "router", seen_as("guest"), port=53),
    *both("visitor to router, ssh", "tcp", "guest", "router", "no answer", port=22),
    forwarded("internet to the game by IPv4", "wan", "lan", 25565, "answer, seen as 10.1.0.2"),
    Row("internet to the game by IPv6", "tcp", "wan", "lan", 6, "answer, seen as fd00:1::2", port=25565),
    forwarded("internet to another port of the router", "wan", "lan", 25566, "no answer"),
    *both("internet to family, TCP 22", "tcp", "wan", "lan", "no answer", port=22),
    *both("internet to router, ssh", "tcp", "wan", "router", "no answer", port=22),
]

OFFICE = [
    forwarded("internet to the web server, TCP 443", "wan", "dmz", 443, "answer, seen as 10.1.0.2"),
    forwarded("internet to the web server, TCP 80", "wan", "dmz", 80, "answer, seen as 10.1.0.2"),
    forwarded("administrator outside, TCP 8022 to 22", "wan", "dmz", 8022, "answer, seen as 10.1.0.2", listen=22),
    forwarded("internet to the router, TCP 22", "wan", "router", 22, "no answer"),
    Row("internet to the web server by IPv6", "tcp", "wan", "dmz", 6, "answer, seen as fd00:1::2", port=443),
    *both("internet to the server past the forward, TCP 22", "tcp", "wan", "dmz", "no answer", port=22),
    *both("internet to desks", "tcp", "wan", "lan", "no answer", port=443),
    *both("administrator to server, ssh", "tcp", "lan", "dmz", seen_as("lan"), port=22),
    *both("desk to server, TCP 443", "tcp", "lan", "dmz", seen_as("lan"), port=443),
    *both("desk to server, TCP 3306, is told so", "tcp", "lan", "dmz", "refused", port=3306),
    *both("desk to internet, TCP 443", "tcp", "lan", "wan", masqueraded(), port=443),
    *both("desk to internet, TCP 6667, is told so", "tcp", "lan", "wan", "refused", port=6667),
    *both("server to internet, UDP 123", "udp", "dmz", "wan",
          lambda family: f"answer, seen as {address('router', 4, at='wan') if family == 4 else address('dmz', 6)}", port=123),
    *both("server to desk", "tcp", "dmz", "lan", "refused", port=443),
    *both("visitor to server", "tcp", "guest", "dmz", "refused", port=443),
    *both("visitor to internet, UDP 53", "udp", "guest", "wan",
          lambda family: f"answer, seen as {address('router', 4, at='wan') if family == 4 else address('guest', 6)}", port=53),
    *both("administrator to router, ssh by anti-lockout", "tcp", "lan", "router", seen_as("lan"), port=22),
    *both("desk pings server", "ping", "lan", "dmz", "answer"),
]

# The second line is the lab's spare network.
LINES = [
    Row("LAN by fibre, TCP 25, an address of the pool", "tcp", "lan", "wan", 4, "answer, seen as 10.1.0.100-103", port=25),
    Row("LAN by fibre, IPv6", "tcp", "lan", "wan", 6, "answer, seen as fd00:2::2", port=25),
    Row("LAN by mobile, TCP 443", "tcp", "lan", "spare", 4, "answer, seen as 10.5.0.1", port=443),
    *both("LAN by mobile, TCP 25", "tcp", "lan", "spare", "no answer", port=25),
    forwarded("fibre to the web server", "wan", "dmz", 443, "answer, seen as 10.1.0.2", listen=8443),
    forwarded("mobile to the web server", "spare", "dmz", 443, "answer, seen as 10.5.0.2", line="spare", listen=8443),
    *both("fibre to the web server past the forward", "tcp", "wan", "dmz", "no answer", port=8443),
    *both("mobile to LAN", "tcp", "spare", "lan", "no answer", port=443),
    *both("server by mobile", "tcp", "dmz", "spare", "no answer", port=443),
    *both("LAN to router, ssh", "tcp", "lan", "router", seen_as("lan"), port=22),
]

OUTSIDE = "fd00:1:0:2::2"  # the LAN host as the internet knows it
ONLY6 = [
    Row("LAN to internet", "tcp", "lan", "wan", 6, f"answer, seen as {OUTSIDE}", port=443),
    Row("LAN pings internet", "ping", "lan", "wan", 6, "answer"),
    Row("LAN to internet, hop limit 2", "expiring", "lan", "wan", 6, "time exceeded from fd00:1::2", port=33434, to="2001:db8::1"),
    Row("LAN to internet, larger than a link there", "big", "lan", "wan", 6, "too big for 1280 from fd00:1::2", port=33434, to="2001:db8::1"),
    Row("internet to the shop", "tcp", "wan", "lan", 6, "answer, seen as fd00:1::2", port=443, to=OUTSIDE),
    Row("internet pings the shop", "ping", "wan", "lan", 6, "answer", to=OUTSIDE),
    Row("internet to the shop, ssh", "tcp", "wan", "lan", 6, "no answer", port=22, to=OUTSIDE),
    Row("LAN to server, TCP 443", "tcp", "lan", "dmz", 6, "answer, seen as fd00:2::2", port=443),
    Row("LAN to server, TCP 80, is told so", "tcp", "lan", "dmz", 6, "refused", port=80),
    Row("server to LAN", "tcp", "dmz", "lan", 6, "refused", port=443),
    Row("LAN to router, ssh by anti-lockout", "tcp", "lan", "router", 6, "answer, seen as fd00:2::2", port=22),
    Row("LAN pings router", "ping", "lan", "router", 6, "answer"),
    Row("IPv4 from the LAN", "tcp", "lan", "dmz", 4, "refused", port=443),
    Row("IPv4 from the internet", "tcp", "wan", "lan", 4, "no answer", port=443),
]

# The lab is the project's; its group is off.
COMPANY = [
    *both("desk to internet, TCP 443", "tcp", "lan", "wan", masqueraded(), port=443),
    *both("desk to internet, telnet is only counted", "tcp", "lan", "wan", masqueraded(), port=23),
    *both("desk to internet, SMB is told so", "tcp", "lan", "wan",
          lambda family: "error EHOSTUNREACH" if family == 4 else "error EACCES", port=445),
    *both("desk pings internet", "ping", "lan", "wan", "answer"),
    *both("lab pings desk", "ping", "dmz", "lan", "answer"),
    *both("desk pings lab", "ping", "lan", "dmz", "no answer"),
    *both("desk pings router", "ping", "lan", "router", "answer"),
    *both("project is off", "tcp", "lan", "dmz", "no answer", port=443),
]

# IPv4 alone.
TESTED = [
    Row("administrator to router, ssh", "tcp", "lan", "router", 4, "answer, seen as 10.2.0.2", port=22),
    Row("office to internet", "tcp", "lan", "wan", 4, masqueraded()(4), port=443),
    forwarded("internet to the web server", "wan", "dmz", 443, "answer, seen as 10.1.0.2"),
    Row("web server to office", "tcp", "dmz", "lan", 4, "no answer", port=22),
    Row("internet to router, ssh", "tcp", "wan", "router", 4, "no answer", port=22),
]


SITE = [
    forwarded("internet to the site", "wan", "dmz", 443, "answer, seen as 10.1.0.2", listen=8443),
    Row("desk to the site by its outside address", "tcp", "lan", "dmz", 4, "answer, seen as 10.2.0.2", port=443, to="10.1.0.1", listen=8443),
    Row("server to its own site", "tcp", "dmz", "dmz", 4, "answer, seen as 10.3.0.1", port=443, to="10.1.0.1", listen=8443),
    forwarded("internet to another port", "wan", "router", 80, "no answer"),
    Row("internet to a server past the site", "tcp", "wan", "dmz", 4, "no answer", port=8443),
    Row("desk to a server past the site", "tcp", "lan", "dmz", 4, "no answer", port=8443),
    Row("desk to internet", "tcp", "lan", "wan", 4, "answer, seen as 10.1.0.1", port=443),
    *both("server to internet is told so", "tcp", "dmz", "wan", "refused", port=443),
]

# Three connections at once are nobody's guessing; what comes after them is. Whom it is refused to is asked from the second table on.
FORCED = [
    [
        *[forwarded(f"ssh from the internet, try {number} of three", "wan", "router", 22, "answer, seen as 10.1.0.2") for number in (1, 2, 3)],
        forwarded("internet to another port of the router", "wan", "router", 80, "no answer"),
        *both("LAN to router, ssh", "tcp", "lan", "router", seen_as("lan"), port=22),
    ],
    [forwarded("ssh from the internet, the fourth try", "wan", "router", 22, "no answer")],
    [
        forwarded("the guesser, again", "wan", "router", 22, "no answer"),
        Row("by IPv6 it is another source", "tcp", "wan", "router", 6, "answer, seen as fd00:1::2", port=22),
        *[Row(f"LAN to router, ssh, try {number}", "tcp", "lan", "router", 4, "answer, seen as 10.2.0.2", port=22) for number in range(8)],
        *both("LAN to internet", "tcp", "lan", "wan", masqueraded(), port=443),
    ],
]


def knock(port):
    return [*both(f"knock at {port} is not answered", "udp", "wan", "router", "no answer", port=port)]


DOOR_IS_SHUT = [*both("internet to router, ssh", "tcp", "wan", "router", "no answer", port=22)]
DOOR_IS_OPEN = [*both("internet to router, ssh, after the knocks", "tcp", "wan", "router", seen_as("wan"), port=22)]
KNOCKING = [
    [*DOOR_IS_SHUT, *both("LAN to router, ssh", "tcp", "lan", "router", seen_as("lan"), port=22),
     *both("LAN to internet", "tcp", "lan", "wan", masqueraded(), port=443)],
    knock(7000), knock(8000), DOOR_IS_SHUT, knock(9000), DOOR_IS_SHUT,  # the wrong order
    knock(7000), knock(9000), knock(8000), DOOR_IS_OPEN,
]


TAGGED = [
    Row("administrator to server, ssh", "tcp", "lan", "dmz", 4, seen_as("lan")(4), port=22),
    Row("administrator to router, ssh", "tcp", "lan", "router", 4, seen_as("lan")(4), port=22),
    Row("administrator to internet, TCP 443", "tcp", "lan", "wan", 4, "answer, seen as 10.1.0.1", port=443),
    Row("administrator to internet, TCP 25", "tcp", "lan", "wan", 4, "no answer", port=25),
    Row("who has no tag, TCP 443", "tcp", "lan", "wan", 6, "no answer", port=443),
    *both("server to LAN, ssh", "tcp", "dmz", "lan", "no answer", port=22),
    *both("internet to server, TCP 443", "tcp", "wan", "dmz", "no answer", port=443),
]


PROXIED = [
    Row("internet to the shop, TCP 443", "tcp", "wan", "dmz", 4, "answer, seen as 10.1.0.2", port=443),
    Row("internet to the shop, TCP 22", "tcp", "wan", "dmz", 4, "no answer", port=22),
    Row("internet to the shop by IPv6", "tcp", "wan", "dmz", 6, "no answer", port=443),
    *both("shop to internet, TCP 443", "tcp", "dmz", "wan", "no answer", port=443),
]


def second_server(lab):
    lab.exec("dmz", "ip", "addr", "add", "10.3.0.3/24", "dev", "eth0")


def second_line(lab):
    """The spare network is the mobile line, and the pool's addresses are the router's."""
    lab.exec("router", "ip", "link", "set", "spare", "down")
    lab.exec("router", "ip", "link", "set", "spare", "name", "wan2")
    lab.exec("router", "ip", "link", "set", "wan2", "up")
    lab.exec("router", "ip", "addr", "replace", "10.5.0.1/24", "dev", "wan2")
    lab.exec("router", "ip", "addr", "replace", "fd00:5::1/64", "dev", "wan2", "nodad")
    lab.exec("router", "ip", "route", "replace", "default", "via", "10.1.0.2")
    for last in range(100, 104):
        lab.exec("router", "ip", "addr", "add", f"10.1.0.{last}/32", "dev", "wan")


# Tables one after the other, for rules that remember what came before.
CASES = {"home": ([HOME], None), "company": ([COMPANY], None), "office-dmz": ([OFFICE], None), "servers": ([SITE], second_server),
         "two-lines": ([LINES], second_line), "tested": ([TESTED], None), "ipv6-only": ([ONLY6], None), "brute-force": (FORCED, None),
         "port-knocking": (KNOCKING, None), "tagged": ([TAGGED], None), "syn-proxy": ([PROXIED], None)}
# What these promise depends on more than packets.
ELSEWHERE = {"edge": "test_edge.py", "schedules": "test_schedules.py", "nat64": "test_nat64.py", "bridge": "test_bridge.py"}


@pytest.mark.parametrize("name", sorted(CASES))
def test_example(lab, name):
    tables, prepare = CASES[name]
    if prepare:
        prepare(lab)
    lab.ctl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))
    wrong = []
    for result in (result for rows in tables for result in traffic.run(lab.name, rows)):
        seen = result.seen
        if result.row.expect.endswith("10.1.0.100-103") and seen[-3:] in ("100", "101", "102", "103"):
            seen = seen[:-3] + "100-103"
        if seen != result.row.expect:
            wrong.append(f"{result.row.what}: expected {result.row.expect}, saw {seen}")
    assert wrong == []


def test_every_example_has_a_table():
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {*CASES, *ELSEWHERE}
    assert [name for name, module in ELSEWHERE.items() if f"{name}.yaml" not in (pathlib.Path(__file__).parent / module).read_text()] == []
