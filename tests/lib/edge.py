# SPDX-License-Identifier: GPL-3.0-or-later
"""What examples/edge.yaml must do to packets: the table of tools/try, and a test each in tests/netns/test_edge.py."""

from traffic import Row, address


def both(what, probe, source, target, expect, **more):
    """A row for each family; `expect` may be a text or a function of the family."""
    return [
        Row(f"{what}, IPv{family}", probe, source, target, family, expect(family) if callable(expect) else expect, **more)
        for family in (4, 6)
    ]


def seen_as(host):
    return lambda family: f"answer, seen as {address(host, family)}"


def through_masquerade(host):
    """IPv4 leaves with the router's address, IPv6 with its own."""
    return lambda family: f"answer, seen as {address('router', 4, at='wan') if family == 4 else address(host, 6)}"


AFAR = {4: "192.0.2.1", 6: "2001:db8::1"}  # behind the internet host (tools/lab)


def error_from_afar(what, probe, error):
    return [
        Row(f"{what}, IPv{family}", probe, "lan", "wan", family, f"{error} from {address('wan', family)}", port=33434, to=AFAR[family])
        for family in (4, 6)
    ]


ROWS = [
    # the LAN goes anywhere
    *both("LAN to internet, TCP 443", "tcp", "lan", "wan", through_masquerade("lan"), port=443),
    *both("LAN to internet, UDP 123", "udp", "lan", "wan", through_masquerade("lan"), port=123),
    *both("LAN to internet, ping", "ping", "lan", "wan", "answer"),
    *both("LAN to internet, mail (TCP 25) is rejected", "tcp", "lan", "wan", "refused", port=25),
    *both("LAN to DMZ, TCP 22", "tcp", "lan", "dmz", seen_as("lan"), port=22),
    *both("LAN to guests, TCP 631", "tcp", "lan", "guest", seen_as("lan"), port=631),
    # ICMP errors find their way back
    *both("LAN to a closed UDP port of the internet", "closed-udp", "lan", "wan",
          lambda family: f"port unreachable from {address('wan', family)}", port=7),
    *error_from_afar("LAN to internet, hop limit 2", "expiring", "time exceeded"),
    *error_from_afar("LAN to internet, larger than a link there", "big", "too big for 1280"),
    # the router itself
    *both("LAN to router, ssh", "tcp", "lan", "router", seen_as("lan"), port=22),
    *both("LAN to router, DNS over UDP", "udp", "lan", "router", seen_as("lan"), port=53),
    *both("LAN to router, DNS over TCP", "tcp", "lan", "router", seen_as("lan"), port=53),
    *both("LAN to router, ping", "ping", "lan", "router", "answer"),
    *both("LAN to router, TCP 8080", "tcp", "lan", "router", "no answer", port=8080),
    *both("Router to internet, TCP 443", "tcp", "router", "wan", lambda family: f"answer, seen as {address('router', family, at='wan')}",
          port=443),
    # guests
    *both("Guest to internet, TCP 443", "tcp", "guest", "wan", through_masquerade("guest"), port=443),
    *both("Guest to internet, UDP 53", "udp", "guest", "wan", through_masquerade("guest"), port=53),
    *both("Guest to internet, ping", "ping", "guest", "wan", "answer"),
    *both("Guest to LAN, TCP 445", "tcp", "guest", "lan", "no answer", port=445),
    *both("Guest to LAN, ping", "ping", "guest", "lan", "no answer"),
    *both("Guest to DMZ, TCP 80", "tcp", "guest", "dmz", "no answer", port=80),
    *both("Guest to router, ssh", "tcp", "guest", "router", "no answer", port=22),
    # the internet
    *both("Internet to web server, TCP 80", "tcp", "wan", "dmz", seen_as("wan"), port=80),
    *both("Internet to web server, TCP 443", "tcp", "wan", "dmz", seen_as("wan"), port=443),
    *both("Internet to web server, UDP 443", "udp", "wan", "dmz", "no answer", port=443),
    *both("Internet to web server, ssh", "tcp", "wan", "dmz", "no answer", port=22),
    *both("Internet to LAN, TCP 80", "tcp", "wan", "lan", "no answer", port=80),
    *both("Internet to LAN, UDP 53", "udp", "wan", "lan", "no answer", port=53),
    *both("Internet to router, ssh", "tcp", "wan", "router", "no answer", port=22),
    *both("Internet to router, ping", "ping", "wan", "router", "no answer"),
    # the DMZ
    *both("DMZ to internet, TCP 443", "tcp", "dmz", "wan", through_masquerade("dmz"), port=443),
    *both("DMZ to LAN, TCP 80", "tcp", "dmz", "lan", "no answer", port=80),
    *both("DMZ to router, ssh", "tcp", "dmz", "router", "no answer", port=22),
    # packets that belong to nothing
    *both("LAN to internet, a first SYN by hand", "syn", "lan", "wan", "arrived", port=4001),
    *both("LAN to internet, SYN+ACK nobody asked for", "syn-ack", "lan", "wan", "did not arrive", port=4002),
    *both("LAN to internet, FIN of no connection", "fin", "lan", "wan", "did not arrive", port=4003),
    *both("LAN to internet, SYN+FIN+RST", "xmas", "lan", "wan", "did not arrive", port=4004),
    *both("LAN to internet, ICMP error for no connection", "orphan-error", "lan", "wan", "did not arrive"),
    # an interface that no zone has
    *both("Unassigned interface to internet, TCP 443", "tcp", "spare", "wan", "no answer", port=443),
    *both("Unassigned interface to LAN, ping", "ping", "spare", "lan", "no answer"),
    *both("Unassigned interface to router, ping", "ping", "spare", "router", "no answer"),
    *both("LAN to unassigned interface, TCP 80", "tcp", "lan", "spare", "no answer", port=80),
]
