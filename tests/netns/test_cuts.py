# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan cuts an administrator off: what filterd says of random policies and connections, and what real packets meet.

The kernel is the oracle. A connection that filterd calls refused must not arrive where it is sent, at the same port; any other must.
"""

import collections
import dataclasses
import errno
import ipaddress
import json
import os
import random
import re
import select
import socket
import time

import netns
import pytest
from traffic import NUMBERS, PATIENCE_S, SILENCE_S
from transaction import Transaction, stored, unchanged

HOSTS = ("wan", "lan", "dmz", "guest")
PORTS = (22, 80, 443, 2000, 2001, 2002)
RULES = 25
TUPLES = 200
DRAWS = 4 * TUPLES  # until then, one answer is given to four fifths of the connections at most
UNKNOWN = "not known"  # filterd says that it depends


def near(host, family):
    number = NUMBERS[host]
    return [f"10.{number}.0.{n}" for n in (2, 3, 9)] if family == 4 else [f"fd00:{number}::{n}" for n in (2, 3, 9)]


def sources(host, family):
    """Of the host wan, the internet's too, and such that are nobody's."""
    far = {4: ["9.9.9.9", "198.18.0.5"], 6: ["2620:fe::9", "3fff::5"]}
    return near(host, family) + (far[family] if host == "wan" else [])


def routers(family):
    return [f"10.{NUMBERS[host]}.0.1" if family == 4 else f"fd00:{NUMBERS[host]}::1" for host in HOSTS]


@dataclasses.dataclass(frozen=True)
class Connection:
    host: str
    source: str
    target: str
    port: int

    @property
    def family(self):
        return ipaddress.ip_address(self.source).version


# --- what is drawn -------------------------------------------------------------------------------------------------------


def some(draw, things, most=3):
    return draw.sample(list(things), draw.randint(1, min(most, len(things))))


def some_ports(draw):
    first, last = sorted(draw.choices(PORTS, k=2))
    return [first] if draw.random() < 0.6 else [f"{first}-{last}"] if first != last else some(draw, PORTS, 2)


def some_sources(draw, family):
    texts = {}
    for _ in range(draw.randint(1, 3)):
        address = ipaddress.ip_address(draw.choice(sources(draw.choice(HOSTS), family)))
        kind = draw.random()
        if kind < 0.5:
            texts[address, address] = str(address)
        elif kind < 0.75:
            last = address + draw.choice((1, 6, 7))
            texts[address, last] = f"{address}-{last}"
        else:
            network = ipaddress.ip_network(f"{address}/{draw.choice((0, 16, 24, 31) if family == 4 else (0, 32, 64, 127))}", strict=False)
            texts[network[0], network[-1]] = str(network)
    return list(texts.values())


def draw_endpoint(draw, family, macs, source):
    endpoint, excluded = {}, {}
    if family and draw.random() < 0.5:
        endpoint["addresses"] = some_sources(draw, family) if source else some(draw, routers(family) + near(draw.choice(HOSTS), family), 2)
    if draw.random() < 0.2:
        endpoint["aliases"] = some(draw, ("hosts", "nets"), 2)
    if family and draw.random() < 0.2:
        excluded["addresses"] = some_sources(draw, family)[:1]
    elif draw.random() < 0.1:
        excluded["aliases"] = ["hosts"]
    if source and draw.random() < 0.15:
        endpoint["macs"] = some(draw, macs, 2)
    if excluded:
        endpoint["except"] = excluded
    return endpoint


def draw_rule(draw, macs):
    family = draw.choice((0, 4, 6))
    spec = {"action": draw.choice(("allow", "allow", "drop", "reject")), "priority": draw.choice((100, 200, 200, 300))}
    if draw.random() < 0.8:
        spec["from"] = draw.choice(HOSTS[:3] + ("any",))
    if draw.random() < 0.8:
        spec["to"] = draw.choice(("router", "router", "any", *HOSTS[:3]))
    if family and draw.random() < 0.5:
        spec["family"] = f"ipv{family}"
    source, destination = draw_endpoint(draw, family, macs, True), draw_endpoint(draw, family, macs, False)
    what = draw.random()
    if what < 0.15:
        spec["services"] = some(draw, ("ssh", "http", "shop", "dns"), 2)
    elif what < 0.7:
        spec["protocol"] = draw.choice(("tcp", "tcp", "tcp", "udp"))
        if draw.random() < 0.8:
            destination["ports"] = some_ports(draw)
        elif draw.random() < 0.5:
            destination["portAliases"] = ["ports"]
        else:
            destination.setdefault("except", {})["ports"] = some_ports(draw)
        if draw.random() < 0.1:
            source["ports"] = [draw.choice(("1-1023", "1024-65535", "30000-40000"))]
    if draw.random() < 0.1:
        spec["states"] = some(draw, ("new", "related", "untracked"), 2)
    if draw.random() < 0.04:
        spec["mark"] = "0x1/0xff"
    if draw.random() < 0.1:
        spec["enabled"] = False
    if source:
        spec["source"] = source
    if destination:
        spec["destination"] = destination
    return spec


def draw_nat(draw):
    family = draw.choice((4, 6))
    kind = draw.choice(("forward", "forward", "redirect", "one-to-one"))
    spec = {"type": kind, "zone": draw.choice(("any", *HOSTS[:3])), "priority": draw.choice((100, 200)), "enabled": draw.random() < 0.8}
    if draw.random() < 0.3:
        spec["source"] = {"addresses": some_sources(draw, family)}
    inside = draw.choice(near("dmz", family) + routers(family)[:2])
    if kind == "one-to-one":
        spec["destination"] = {"addresses": [draw.choice(routers(family))]}  # whose, else, would hosts answer to?
        spec["translation"] = {"addresses": [inside]}
        return spec
    spec["protocol"] = "tcp"
    first, second = draw.sample(PORTS, 2)
    ranges = kind == "forward" and draw.random() < 0.2
    spec["destination"] = {"ports": ["2000-2001" if ranges else first]}
    spec["translation"] = {"ports": ["2001-2002" if ranges else draw.choice((first, second))]}
    if kind == "forward":
        spec["translation"]["addresses"] = [inside]
        if draw.random() < 0.5:
            spec["destination"]["addresses"] = some(draw, routers(family), 2)
    else:
        spec["family"] = f"ipv{family}"
        spec.pop("source", None)
    if draw.random() < 0.3:
        spec["filter"] = "none"
    return spec


def draw_settings(draw, macs):
    spec = {"antispoof": ["any"]}
    if draw.random() < 0.6:
        lockout = spec["antiLockout"] = {}
        sources_ = some_sources(draw, 4) + some_sources(draw, 6)
        for word, value in (("interfaces", some(draw, (*HOSTS, "d*"), 2)), ("sources", sources_), ("ports", some_ports(draw))):
            if draw.random() < 0.5:
                lockout[word] = value
    if draw.random() < 0.4:
        spec["blockBogons"] = [draw.choice(("wan", "any"))]
    if draw.random() < 0.3:
        spec["blockPrivate"] = [draw.choice(("wan", "lan"))]
    if draw.random() < 0.3:
        spec["input"] = draw.choice(("allow", "reject"))
    return spec


def draw_zone(draw, name):
    spec = {"interfaces": [draw.choice((name, name, name[:2] + "*"))]}
    for word in ("input", "forward"):
        if draw.random() < 0.3:
            spec[word] = draw.choice(("allow", "drop", "reject"))
    if draw.random() < 0.3:
        # of another interface: no two zones may have the same
        other = {"wan": "lan", "lan": "dmz", "dmz": "wan"}[name]
        spec["sources"] = [f"10.{NUMBERS[other]}.0.8/30", f"fd00:{NUMBERS[other]}::8/126"][: draw.randint(1, 2)]
    return spec


def draw_policy(draw, macs):
    """Objects as (kind, name, spec)."""
    yield "FilterSettings", "default", draw_settings(draw, macs)
    for zone in HOSTS[:3]:
        yield "Zone", zone, draw_zone(draw, zone)
    yield "Alias", "hosts", {"type": "host", "addresses": sorted({draw.choice(sources(host, family)) for host in HOSTS for family in (4, 6)})}
    yield "Alias", "more", {"type": "network", "addresses": some_sources(draw, 6)}
    yield "Alias", "nets", {"type": "network", "addresses": some_sources(draw, 4), "aliases": ["more"]}
    yield "Alias", "ports", {"type": "port", "ports": some_ports(draw)}
    yield "Service", "shop", {"tcp": some_ports(draw), "udp": [53]}
    for number in range(RULES):
        yield "FirewallRule", f"r-{number}", draw_rule(draw, macs)
    for number in range(draw.randint(0, 4)):
        yield "NatRule", f"n-{number}", draw_nat(draw)


def document(kind, name, spec):
    return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}) + "\n"


def draw_connection(draw):
    family, host = draw.choice((4, 6)), draw.choice(HOSTS)
    target = draw.choice(routers(family))
    if draw.random() < 0.3:
        target = draw.choice(near(draw.choice([other for other in HOSTS if other != host]), family))
    return Connection(host, draw.choice(sources(host, family)), target, draw.choice(PORTS))


def draw_bans(draw):
    """Networks of some that ask; written as they are, without bits beyond their length."""
    drawn = [draw.choice(sources(host, draw.choice((4, 6)))) for host in some(draw, HOSTS, 2)]
    lengths = [draw.choice((128, 126, 64) if ":" in source else (32, 30, 24)) for source in drawn]
    return sorted({str(ipaddress.ip_network(f"{source}/{length}", strict=False)) for source, length in zip(drawn, lengths)})


# --- what is there -------------------------------------------------------------------------------------------------------


class Wire:
    """Servers on all hosts and the router, each of which says who and where it is; and clients."""

    def __init__(self, lab):
        self.lab = lab
        self.poll = select.epoll()
        self.servers = {}
        for host in HOSTS:
            device = "eth0"
            lines = [f"addr add {address}/{32 if ':' not in address else 128} dev {device} {'nodad' if ':' in address else ''}"
                     for family in (4, 6) for address in sources(host, family) if address not in near(host, family)[:1]]
            lab.exec(host, "ip", "-batch", "-", input="\n".join(lines) + "\n")
        for host in ("router", *HOSTS):
            for family in (socket.AF_INET, socket.AF_INET6):
                for port in PORTS:
                    self._serve(host, family, port)

    def _serve(self, host, family, port):
        sock = netns.make_socket(netns.path(self.lab.name, host), family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("", port))
        sock.listen(256)
        self.servers[sock.fileno()] = (sock, f"{host} {port}")
        self.poll.register(sock, select.EPOLLIN)

    def close(self):
        for sock, _ in self.servers.values():
            sock.close()
        self.poll.close()

    def ask(self, connections, expected):
        """What each connection met: "HOST PORT" that answered, "refused", or "no answer"; waits for the expected ones."""
        clients, met = {}, {}
        for connection in connections:
            family = socket.AF_INET if connection.family == 4 else socket.AF_INET6
            sock = netns.make_socket(netns.path(self.lab.name, connection.host), family, socket.SOCK_STREAM)
            sock.bind((connection.source, 0))
            sock.connect_ex((connection.target, connection.port))
            clients[sock.fileno()] = (sock, connection)
            self.poll.register(sock, select.EPOLLIN | select.EPOLLERR)
        patience = time.monotonic() + PATIENCE_S
        while expected - met.keys() and time.monotonic() < patience:
            self._turn(clients, met, 0.1)
        silence = time.monotonic() + SILENCE_S
        while time.monotonic() < silence:
            self._turn(clients, met, 0.05)
        for sock, _ in clients.values():
            sock.close()
        return {connection: met.get(connection, "no answer") for connection in connections}

    def _turn(self, clients, met, timeout):
        for fd, _ in self.poll.poll(timeout):
            if fd in self.servers:
                server, name = self.servers[fd]
                accepted, _ = server.accept()
                with accepted:
                    accepted.send(name.encode())
                continue
            sock, connection = clients[fd]
            try:
                met[connection] = sock.recv(64).decode()
            except OSError as error:
                met[connection] = "refused" if error.errno in (errno.ECONNREFUSED, errno.EACCES, errno.EHOSTUNREACH) else str(error)
            self.poll.unregister(fd)


def host_of(address):
    if address in routers(4) + routers(6):
        return "router"
    return next(host for host in HOSTS for family in (4, 6) if address in near(host, family))


def expected_by(connection, why):
    """What is met, where the reason says it; None: it does not."""
    if why.endswith((" rejects it", " is reject")):
        return "refused"
    if why.endswith((" drops it", " is drop")) or "takes nothing" in why or "belongs to no zone" in why:
        return "no answer"
    passes = why.endswith((" lets it pass", " lets it in", " is allow"))
    led = re.search(r" leads it to (\S+) port (\d+), where ", why)
    if passes and led and host_of(led[1]) != connection.host:  # who is led to himself does not know the answer
        return f"{host_of(led[1])} {led[2]}"
    led = re.search(r" leads it to port (\d+) of the router, where ", why)
    return f"router {led[1]}" if passes and led else None


def mac_of(lab, host):
    return json.loads(lab.exec(host, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


@pytest.fixture
def wire(lab):
    wire = Wire(lab)
    yield wire
    wire.close()


@pytest.fixture
def transaction(lab):
    transaction = Transaction(lab)
    yield transaction
    transaction.close()


def revision_of(lab):
    return json.loads(lab.ctl("status", "-o", "json").stdout)["revision"]["number"]


def ask_filterd(transaction, number, text, connection, port=51234):
    """Whether it is cut, and why: a plan of `text` is asked about it."""
    reply = transaction.plan(number, text, administrator=f"{connection.source} {port} {connection.target} {connection.port}")
    assert "cuts" in reply, f"{connection}: {reply['cutsWhy']}"
    return bool(reply["cuts"]), str(reply["cutsWhy"])


@pytest.mark.parametrize("seed", range(60 if os.environ.get("PATRONUS_LONG") else 5))
def test_what_is_called_cut_does_not_arrive(lab, wire, transaction, seed):
    draw = random.Random(seed)
    macs = [mac_of(lab, host) for host in HOSTS] + ["02:00:5e:00:00:01"]
    everyone = [Connection(host, source, routers(family)[NUMBERS[host] - 1], 9) for host in HOSTS for family in (4, 6)
                for source in sources(host, family)]
    wire.ask(everyone, set())  # nothing is loaded yet: who sends is known to the neighbours afterwards
    reasons, all_outcomes = collections.Counter(), collections.Counter()
    for _ in range(3):
        lab.apply("".join(document(*each) for each in draw_policy(draw, macs)), "--replace")
        bans = draw_bans(draw)
        lab.ctl("filter", "ban", "--force", *bans)
        number = revision_of(lab)
        text = unchanged(lab, number)
        said, outcomes, draws = {}, collections.Counter(), 0
        while len(said) < TUPLES and draws < 2 * DRAWS:
            draws += 1
            connection = draw_connection(draw)
            if connection in said:
                continue
            cuts, why = ask_filterd(transaction, number + 1, text, connection)
            assert cuts == (why != "")
            if UNKNOWN in why or (outcomes[cuts] >= TUPLES * 4 // 5 and draws < DRAWS):
                continue
            outcomes[cuts] += 1
            said[connection] = cuts, why
            reasons.update(word for word in ("ban", "default", "drops", "rejects", "leads", "no zone", "takes nothing", "private") if word in why)
        transaction.abort()
        assert len(said) > TUPLES / 2
        all_outcomes.update(outcomes)
        met = wire.ask(list(said), {connection for connection, (cuts, _) in said.items() if not cuts})
        wrong = [f"{connection} met {met[connection]}; filterd says {why or 'it arrives'}" for connection, (cuts, why) in said.items()
                 if (met[connection] != f"{host_of(connection.target)} {connection.port}") != cuts]
        assert not wrong, "\n".join(wrong[:8])
        for connection, (_, why) in said.items():  # how it is refused, and where else it goes
            expected = expected_by(connection, why)
            assert expected in (None, met[connection]), f"{connection} met {met[connection]}: {why}"
        lab.ctl("filter", "unban", *bans)
    assert len(reasons) >= 4 and min(all_outcomes[True], all_outcomes[False]) > TUPLES / 20, f"{reasons} {all_outcomes}"  # else it tells little


ZONES = document("Zone", "wan", {"interfaces": ["wan"]}) + document("Zone", "lan", {"interfaces": ["lan"]})
REDIRECT = document("NatRule", "ssh-elsewhere", {"type": "redirect", "zone": "wan", "protocol": "tcp", "destination": {"ports": [2000]},
                                                 "translation": {"ports": [22]}})


def test_a_translated_connection_is_asked_for_as_it_began(lab, wire, transaction):
    lab.apply(ZONES, "--replace")
    without = stored(lab, revision_of(lab))
    lab.apply(ZONES + REDIRECT, "--replace")
    number = revision_of(lab)
    text = unchanged(lab, number)
    client = netns.make_socket(netns.path(lab.name, "wan"), socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.setblocking(True)
        client.settimeout(PATIENCE_S)
        client.connect(("10.1.0.1", 2000))
        seen = Connection("wan", "10.1.0.2", "10.1.0.1", 22)  # as the server has it
        assert ask_filterd(transaction, number + 1, text, seen, client.getsockname()[1]) == (False, "")
        cuts, why = ask_filterd(transaction, number + 1, without, seen, client.getsockname()[1])
        assert cuts and why == "nothing leads it from port 2000, where it begins, to port 22 any more"
        # one that did not begin so is another matter
        cuts, why = ask_filterd(transaction, number + 1, text, seen, 1)
        assert cuts and why == "no rule lets it in, and the default of zone wan is drop"


def test_what_cannot_be_said(lab, transaction):
    """`cuts` is left out, with a reason, when the kernel knows no way, or more than one."""
    lab.apply(ZONES, "--replace")
    number = revision_of(lab)
    text = unchanged(lab, number)
    lab.exec("router", "ip", "route", "add", "unreachable", "203.0.113.0/24")
    for tuple_, reason in (("203.0.113.7 1 10.1.0.1 22", "No route to host"), ("fe80::2 1 fe80::1 22", "interface")):
        reply = transaction.plan(number + 1, text, administrator=tuple_)
        assert "cuts" not in reply
        assert reason in str(reply["cutsWhy"])
    assert "cutsWhy" not in transaction.plan(number + 1, text)  # nobody asked
