# SPDX-License-Identifier: GPL-3.0-or-later
"""Nat64: hosts that have IPv6 only reach IPv4 hosts, through tayga as filterd runs it.

    lan (fd00:2::2, no IPv4) --- router, nat64 --- wan (10.1.0.2), a router too --- afar (192.0.2.1), a link of 1280 bytes
"""

import hashlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import threading
import time

import netns
import pytest
import traffic
from nat import rule
from signals import Signals
from traffic import Row
from witness import Probe, Witness

PREFIX = "fd00:64::"
SERVER, AFAR, OUTSIDE = "10.1.0.2", "192.0.2.1", "10.1.0.1"  # as the server sees those that are masqueraded
WAIT_S = 30
EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "nat64.yaml"
ZONES = (rule("wan", "interfaces: [wan], masquerade: true", "Zone") + rule("lan", "interfaces: [lan]", "Zone") +
         rule("translated", "interfaces: [nat64]", "Zone"))
RULES = rule("in", "action: allow, from: lan, to: translated, family: ipv6") + rule("out", "action: allow, from: translated, to: wan, family: ipv4")

if not os.path.exists("/usr/sbin/tayga") or not os.path.exists("/dev/net/tun"):
    pytest.skip("tayga or the kernel's /dev/net/tun is not there", allow_module_level=True)


def nat64(name="n", prefix="fd00:64::/96", pool="192.168.255.0/24", more=""):
    return rule(name, f"prefix: '{prefix}', pool: {pool}{', ' if more else ''}{more}", "Nat64")


def behind(address, prefix=PREFIX):
    """The IPv6 address that stands for an IPv4 address, as the kernel writes it."""
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, prefix)[:12] + socket.inet_aton(address))


class Changes(Signals):
    """What filterd tells of translators."""

    def __init__(self, lab):
        super().__init__(lab.bus, "org.patronus.Filter1", "Nat64Changed")

    def wait_for(self, state, name="n", after=0):
        """The error that came with it; of what came after so many."""
        return self.wait(lambda seen: next(((error,) for _, _, *told, error in seen[after:] if told == [name, state]), None),
                         f"{name} {state}", WAIT_S)[0]


def translators(lab):
    return {row["name"]: row for row in map(json.loads, lab.ctl("filter", "nat64", "-o", "json").stdout.splitlines())}


def up(lab, text, names=("n",)):
    """In force, and translating."""
    changes = Changes(lab)
    try:
        lab.apply(text, "--replace")
        for name in names:
            changes.wait_for("running", name)
    finally:
        changes.close()


@pytest.fixture
def v6_only(lab):
    """The lab, whose host lan has no IPv4."""
    lab.exec("lan", "ip", "addr", "del", "10.2.0.2/24", "dev", "eth0")
    return lab


class Talk:
    """Questions by UDP, one after the other; each must be answered. The client's socket is one, or another for each question."""

    def __init__(self, lab, to=behind(SERVER), port=7000):
        self.count, self.failed = 0, None
        self._changed, self._stop = threading.Condition(), threading.Event()
        self._server = netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind((SERVER, port))
        self._client = netns.make_socket(lab.netns("lan"), socket.AF_INET6, socket.SOCK_DGRAM)
        self._client.connect((to, port))
        for sock in (self._server, self._client):
            sock.setblocking(True)
            sock.settimeout(WAIT_S)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self._stop.is_set():
                self._client.send(str(self.count).encode())
                question, peer = self._server.recvfrom(64)
                self._server.sendto(question, peer)
                assert self._client.recv(64) == str(self.count).encode()
                with self._changed:
                    self.count += 1
                    self._changed.notify_all()
        except (OSError, AssertionError) as error:
            with self._changed:
                self.failed = error
                self._changed.notify_all()

    def more(self, n=20):
        with self._changed:
            end = self.count + n
            self._changed.wait_for(lambda: self.count >= end or self.failed, WAIT_S)
            assert not self.failed and self.count >= end, f"after {self.count} answers: {self.failed}"

    def __enter__(self):
        self._thread.start()
        self.more()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._server.close()
        self._client.close()


def check(lab, rows):
    wrong = [f"{result.row.what}: {result.seen} instead of {result.row.expect}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, "\n".join(wrong)


def ping(expect="answer", to=behind(SERVER), host="lan", target="wan"):
    return Row(f"ping {to}", "ping", host, target, 6 if ":" in to else 4, expect, to=to)


def test_tcp_udp_icmp(v6_only):
    up(v6_only, ZONES + RULES + nat64())
    with Witness(v6_only.name, [80, 443]) as witness:
        probes = [Probe("lan", protocol, behind(SERVER), port) for protocol in ("tcp", "udp") for port in (80, 443)]
        for probe, sight in zip(probes, witness.look(probes)):
            assert sight, f"{probe} was not answered"
            assert (sight.host, sight.source, sight.destination, sight.port) == ("wan", OUTSIDE, SERVER, probe.port)
    check(v6_only, [ping()])


def test_example(v6_only):
    """examples/nat64.yaml, as it is."""
    changes = Changes(v6_only)
    v6_only.ctl("apply", "-f", EXAMPLE)
    changes.wait_for("running", "internet")
    changes.close()
    with Witness(v6_only.name, [25, 443]) as witness:
        assert witness.see("lan", "tcp", behind(SERVER), 443).source == OUTSIDE
        assert witness.see("lan", "udp", behind(SERVER), 443).source == OUTSIDE
        assert witness.see("lan", "tcp", "fd00:1::2", 443).source == "fd00:2::2"  # what has IPv6 is reached by it
        assert witness.see("wan", "tcp", "fd00:2::2", 443, answered=False) is None
    # The refusal of IPv4 is one of IPv6 for the client.
    check(v6_only, [Row("mail is rejected", "tcp", "lan", "wan", 6, "refused", port=25, to=behind(SERVER))])


def test_many_hosts_share_what_leaves(v6_only):
    """Each has an address of the pool; outside there is one, and connections are told apart by ports."""
    clients = [f"fd00:2::1:{number:x}" for number in range(1, 101)]
    v6_only.exec("lan", "ip", "-batch", "-", input="".join(f"addr add {client}/64 dev eth0 nodad\n" for client in clients))
    up(v6_only, ZONES + RULES + nat64())
    with Witness(v6_only.name, [80]) as witness:
        sights = witness.look([Probe("lan", "tcp", behind(SERVER), 80, source=client, source_port=4000) for client in clients])
    assert all(sights) and {sight.source for sight in sights} == {OUTSIDE}
    assert len({sight.source_port for sight in sights}) == len(clients)


def test_icmp_errors(v6_only):
    """They come from the address that stands for who sent them, and say sizes of IPv6."""
    up(v6_only, ZONES + RULES + nat64())
    check(v6_only, [
        Row("closed port", "closed-udp", "lan", "wan", 6, f"port unreachable from {behind(SERVER)}", port=33434, to=behind(SERVER)),
        Row("narrow link", "big", "lan", "wan", 6, f"too big for 1300 from {behind(SERVER)}", port=33434, to=behind(AFAR)),
    ])


def transfer(lab, size=400_000):
    """So many bytes from the server to the client, and back, by TCP; the largest segment that the server sent in the end."""
    with netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_STREAM) as listener, \
            netns.make_socket(lab.netns("lan"), socket.AF_INET6, socket.SOCK_STREAM) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((SERVER, 7001))
        listener.listen(1)
        for sock in (listener, client):
            sock.setblocking(True)
            sock.settimeout(WAIT_S)
        client.connect((behind(SERVER), 7001))
        server, _ = listener.accept()
        with server:
            server.settimeout(WAIT_S)
            for sender, receiver in ((server, client), (client, server)):
                thread = threading.Thread(target=sender.sendall, args=(bytes(size),), daemon=True)
                thread.start()
                left = size
                while left:
                    got = len(receiver.recv(65536))
                    assert got, f"the connection ended {left} bytes early"
                    left -= got
                thread.join()
            return server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def narrow(lab, host, mtu):
    """The router's link to a host takes no more; the host does not know."""
    lab.exec("router", "ip", "link", "set", host, "mtu", str(mtu))


def test_path_mtu_towards_ipv6(v6_only):
    """What the router says of IPv6 reaches the IPv4 server, whose segments get smaller: 40 bytes of IPv6 header, 20 of TCP and 12 of
    its options are no payload."""
    up(v6_only, ZONES + RULES + nat64())
    assert transfer(v6_only) == 1500 - 40 - 20 - 12
    narrow(v6_only, "lan", 1400)
    assert transfer(v6_only) == 1400 - 40 - 20 - 12


def test_path_mtu_towards_ipv4(v6_only):
    """What somebody says of IPv4 reaches the IPv6 client, as a size of IPv6; and a client keeps to it."""
    narrow(v6_only, "wan", 1320)
    up(v6_only, ZONES + RULES + nat64())
    check(v6_only, [Row("the router's own narrow link", "big", "lan", "wan", 6, f"too big for 1340 from {behind('10.1.0.1')}", port=33434,
                        to=behind(SERVER))])
    transfer(v6_only)


def test_large_datagrams(v6_only):
    """Fragments of either family come out whole."""
    up(v6_only, ZONES + RULES + nat64())
    with netns.make_socket(v6_only.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as server, \
            netns.make_socket(v6_only.netns("lan"), socket.AF_INET6, socket.SOCK_DGRAM) as client:
        for sock in (server, client):
            sock.setblocking(True)
            sock.settimeout(WAIT_S)
        server.bind((SERVER, 7002))
        client.connect((behind(SERVER), 7002))
        client.send(b"a" * 4000)
        data, peer = server.recvfrom(8192)
        assert data == b"a" * 4000
        server.sendto(b"b" * 5000, peer)
        assert client.recv(8192) == b"b" * 5000


def test_rules_decide(v6_only):
    """Each side of the translation is asked for."""
    up(v6_only, ZONES + RULES + nat64())
    with Witness(v6_only.name, [80]) as witness:
        for one in ("in, action: allow, from: lan, to: translated, family: ipv6", "out, action: allow, from: translated, to: wan, family: ipv4"):
            name, _, spec = one.partition(", ")
            v6_only.apply(ZONES + rule(name, spec) + nat64(), "--replace")
            assert witness.see("lan", "tcp", behind(SERVER), 80, answered=False) is None
        v6_only.apply(ZONES + RULES + nat64(), "--replace")
        assert witness.see("lan", "tcp", behind(SERVER), 80)


def test_well_known_prefix(v6_only):
    """It leads to public addresses, and to no private ones (RFC 6052 3.1)."""
    public = "8.8.4.4"
    v6_only.exec("wan", "ip", "addr", "add", f"{public}/32", "dev", "lo")
    v6_only.exec("router", "ip", "route", "add", f"{public}/32", "via", SERVER)
    up(v6_only, ZONES + RULES + rule("n", "pool: 192.168.255.0/24", "Nat64"))
    check(v6_only, [ping(to=behind(public, "64:ff9b::"))])
    check(v6_only, [Row("a private address", "ping", "lan", "wan", 6, "no answer", to=behind(SERVER, "64:ff9b::"))])
    v6_only.exec("wan", "ip", "route", "add", "8.8.8.0/24", "via", "10.1.0.99", "mtu", "lock", "1280")
    v6_only.exec("router", "ip", "route", "add", "8.8.8.0/24", "via", SERVER)
    # Who says so has a private address, so the translator says it itself, by an address of its own.
    own = socket.inet_ntop(socket.AF_INET6, b"\xfd" + hashlib.sha256(b"Nat64/n").digest()[:5] + bytes(6) + socket.inet_aton("192.168.255.1"))
    assert f"{own} dev nat64" in v6_only.exec("router", "ip", "-6", "route").stdout
    check(v6_only, [Row("narrow link", "big", "lan", "wan", 6, f"too big for 1300 from {own}", port=33434, to=behind("8.8.8.8", "64:ff9b::"))])


# Of 10.1.0.2, as RFC 6052 2.2 has it.
LENGTHS = [
    ("fd00:64::/32", "fd00:64:a01:2::"), ("fd00:64:5500::/40", "fd00:64:550a:100:2::"), ("fd00:64:55::/48", "fd00:64:55:a01:0:200::"),
    ("fd00:64:55:aa00::/56", "fd00:64:55:aa0a:1:2::"), ("fd00:64:55:aabb::/64", "fd00:64:55:aabb:a:100:200:0")]


def test_prefixes_of_other_lengths(v6_only):
    for prefix, server in LENGTHS:
        up(v6_only, ZONES + RULES + nat64(prefix=prefix))
        check(v6_only, [ping(to=server)])


def test_hosts_have_an_address_of_their_own(v6_only):
    """By which IPv4 hosts reach them."""
    client = "fd00:2::5"
    v6_only.exec("lan", "ip", "addr", "add", f"{client}/64", "dev", "eth0", "nodad")
    v6_only.exec("wan", "ip", "route", "add", "192.168.255.0/24", "via", "10.1.0.1")
    back = rule("back", "action: allow, from: wan, to: translated") + rule("back6", "action: allow, from: translated, to: lan")
    up(v6_only, ZONES + RULES + back + nat64(more=f"hosts: [{{ipv4: 192.168.255.10, ipv6: '{client}'}}]"))
    with Witness(v6_only.name, [80]) as witness:
        sight = witness.see("wan", "tcp", "192.168.255.10", 80)
        assert (sight.host, sight.source, sight.destination) == ("lan", behind(SERVER), client)


def test_two(v6_only):
    """Each has its prefix, pool, interface and program."""
    zones = ZONES.replace("interfaces: [nat64]", "interfaces: ['nat*']")
    both = nat64("a") + nat64("b", "fd00:65::/96", "192.168.254.0/24", "interface: nat65")
    up(v6_only, zones + RULES + both, ("a", "b"))
    check(v6_only, [ping(), ping(to=behind(SERVER, "fd00:65::"))])
    assert {(row["interface"], row["state"]) for row in translators(v6_only).values()} == {("nat64", "running"), ("nat65", "running")}
    v6_only.ctl("delete", "Nat64/a")
    await_that(v6_only, lambda: links(v6_only) == ["nat65"], "only the other one is left")
    check(v6_only, [ping(to=behind(SERVER, "fd00:65::"))])
    assert routes(v6_only) == ["192.168.254.0/24", "fd00:65::/96"]


# --- what becomes of it ------------------------------------------------------------------------------------------------


def links(lab):
    return sorted(line.split(":")[1].strip() for line in lab.exec("router", "ip", "-o", "link").stdout.splitlines() if ": nat" in line)


def link(lab):
    """Of nat64: whether it is up, and its MTU; None: it is not there."""
    found = json.loads(lab.exec("router", "ip", "-j", "link", "show", "nat64", check=False).stdout or "[]")
    return ("UP" in found[0]["flags"], found[0]["mtu"]) if found else None


def await_that(lab, condition, what):
    """Looks again whenever the kernel tells that an interface or a route has changed."""
    with subprocess.Popen(["ip", "-n", f"plt-{lab.name}-router", "monitor", "link", "route"], stdout=subprocess.PIPE) as monitor:
        end = time.monotonic() + WAIT_S
        try:
            while not condition():
                assert time.monotonic() < end, f"{what}: not within {WAIT_S} s"
                # What changed before the monitor listened is found a second later.
                if select.select([monitor.stdout], [], [], 1)[0]:
                    os.read(monitor.stdout.fileno(), 65536)
        finally:
            monitor.kill()


def routes(lab):
    return sorted(line.split()[0] for family in ("-4", "-6")
                  for line in lab.exec("router", "ip", family, "route", "show", "proto", "80").stdout.splitlines())


def folders(lab):
    return sorted(path.name for folder in ("run/filterd/translators", "state/filterd/nat64") for path in (lab.directory / folder).glob("*"))


def alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def await_end(pid):
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        assert poll.poll(WAIT_S * 1000), f"{pid} did not end within {WAIT_S} s"
    finally:
        os.close(pidfd)


def helper(lab):
    """The pid of patronus-nat64."""
    path = str(lab.directory / "run/filterd/nat64")
    for each in pathlib.Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                words = (each / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"patronus-nat64" and path.encode() in words:
                return int(each.name)
    return None


def test_restart_of_filterd(v6_only):
    """No packet notices: neither when it is told to end, nor when it is killed."""
    up(v6_only, ZONES + RULES + nat64())
    before = translators(v6_only)["n"]
    with Talk(v6_only) as talk:
        for number in (signal.SIGTERM, signal.SIGKILL):
            v6_only.end("filterd", number)
            talk.more()
            v6_only.start("filterd")
            talk.more()
            changes = Changes(v6_only)
            if translators(v6_only)["n"]["state"] != "running":  # it has not been told yet
                changes.wait_for("running")
            changes.close()
            now = translators(v6_only)["n"]
            assert (now["pid"], now["restarts"], now["sinceUSec"]) == (before["pid"], 0, before["sinceUSec"])


def test_commits_leave_it_alone(v6_only):
    up(v6_only, ZONES + RULES + nat64())
    before = translators(v6_only)["n"]
    with Talk(v6_only) as talk:
        v6_only.apply(rule("another", "action: allow, from: lan, to: wan"))
        talk.more()
        assert translators(v6_only)["n"] == before


def pool_addresses(lab, port):
    """Of whom a server's port is asked by IPv4, before they are masqueraded."""
    rows = lab.ctl("filter", "connections", f"destinationPort={port}", "family=ipv4", "-o", "json").stdout.splitlines()
    addresses = {json.loads(row)["original"]["source"] for row in rows}
    assert addresses and all(each.startswith("192.168.255.") for each in addresses)
    return addresses


def test_kill_of_tayga(v6_only):
    """It is started again; when it was told to end, a client has the address of the pool that it had."""
    up(v6_only, ZONES + RULES + nat64())
    changes = Changes(v6_only)
    pid = translators(v6_only)["n"]["pid"]
    with Talk(v6_only, port=7000):
        before = pool_addresses(v6_only, 7000)
    os.kill(pid, signal.SIGTERM)  # it keeps what it knows when it ends so
    assert changes.wait_for("waiting").startswith(("it ended with exit code 0", "it was ended by signal 15"))
    changes.wait_for("running")
    with Talk(v6_only, port=7001):
        assert pool_addresses(v6_only, 7001) == before
    seen = len(changes.update())
    now = translators(v6_only)["n"]
    assert now["restarts"] == 1 and now["pid"] != pid and not alive(pid)
    os.kill(now["pid"], signal.SIGKILL)
    assert "signal 9" in changes.wait_for("waiting", after=seen)
    changes.wait_for("running", after=seen)
    check(v6_only, [ping()])
    assert "Nat64" not in v6_only.ctl("status").stdout
    changes.close()


def test_kill_of_the_helper(v6_only):
    """tayga is asked to end with it; filterd starts another one, which takes the interface over."""
    up(v6_only, ZONES + RULES + nat64())
    changes = Changes(v6_only)
    index = v6_only.exec("router", "cat", "/sys/class/net/nat64/ifindex").stdout
    tayga, pid = translators(v6_only)["n"]["pid"], helper(v6_only)
    os.kill(pid, signal.SIGKILL)
    await_end(tayga)
    changes.wait_for("running")
    assert helper(v6_only) != pid
    assert v6_only.exec("router", "cat", "/sys/class/net/nat64/ifindex").stdout == index
    check(v6_only, [ping()])
    changes.close()


def test_change_of_prefix(v6_only):
    up(v6_only, ZONES + RULES + nat64())
    assert routes(v6_only) == ["192.168.255.0/24", "fd00:64::/96"]
    check(v6_only, [ping()])
    done = v6_only.ctl("plan", "-f", "-", stdin=nat64(prefix="fd00:65::/96"))
    assert "restart Nat64/n, by which fd00:65::/96 leads to IPv4" in done.stdout and "disruptive" in done.stdout
    up(v6_only, ZONES + RULES + nat64(prefix="fd00:65::/96", pool="192.168.254.0/24"))
    assert routes(v6_only) == ["192.168.254.0/24", "fd00:65::/96"]
    check(v6_only, [ping("no answer"), ping(to=behind(SERVER, "fd00:65::"))])


def test_change_of_interface(v6_only):
    up(v6_only, ZONES + RULES + nat64())
    zones = ZONES.replace("interfaces: [nat64]", "interfaces: [other]")
    up(v6_only, zones + RULES + nat64(more="interface: other, mtu: 1400"))
    assert v6_only.exec("router", "cat", "/sys/class/net/other/mtu").stdout == "1400\n"
    assert links(v6_only) == []
    check(v6_only, [ping()])


def test_removal(v6_only):
    """Nothing of it is left, when it is removed or is not enabled: no interface, no route, no program, no file."""
    for rest in ("", nat64(more="enabled: false")):
        up(v6_only, ZONES + RULES + nat64())
        check(v6_only, [ping()])
        pids = [translators(v6_only)["n"]["pid"], helper(v6_only)]
        assert folders(v6_only) == ["n", "n.conf"]
        v6_only.apply(ZONES + RULES + rest, "--replace")
        for pid in pids:
            await_end(pid)
        assert (links(v6_only), routes(v6_only), folders(v6_only), translators(v6_only)) == ([], [], [], {})


def test_removal_while_filterd_is_away(v6_only):
    """filterd that starts with none puts away what there is."""
    up(v6_only, ZONES + RULES + nat64())
    pids = [translators(v6_only)["n"]["pid"], helper(v6_only)]
    v6_only.end("filterd", signal.SIGKILL)
    v6_only.ctl("delete", "Nat64/n", "--allow-offline")
    v6_only.start("filterd")
    for pid in pids:
        await_end(pid)
    assert (links(v6_only), routes(v6_only), folders(v6_only)) == ([], [], [])


def test_interface_of_another(v6_only):
    """It is left alone, and said; when it is gone the translation begins by itself."""
    v6_only.exec("router", "ip", "link", "add", "nat64", "type", "veth", "peer", "name", "nothing")
    changes = Changes(v6_only)
    v6_only.apply(ZONES + RULES + nat64(), "--replace")
    assert changes.wait_for("waiting").startswith("there is an interface nat64 already, which is another's")
    assert "there is an interface nat64 already" in v6_only.ctl("status").stdout
    v6_only.exec("router", "ip", "link", "del", "nat64")
    changes.wait_for("running")
    check(v6_only, [ping()])
    changes.close()


def test_somebody_changes_the_interface(v6_only):
    up(v6_only, ZONES + RULES + nat64())
    for command in (["set", "nat64", "down"], ["set", "nat64", "mtu", "600"], ["del", "nat64"]):
        changes = Changes(v6_only)
        v6_only.exec("router", "ip", "link", *command)
        await_that(v6_only, lambda: link(v6_only) == (True, 1500) and routes(v6_only) == ["192.168.255.0/24", "fd00:64::/96"], "as it was")
        if command[0] == "del":  # the program behind it is another one
            changes.wait_for("running")
        check(v6_only, [ping()])
        changes.close()


# --- where it cannot run -----------------------------------------------------------------------------------------------


def in_mounts_of(lab, daemon, *command):
    """In the mount namespace of a daemon, which is its own."""
    subprocess.run(["nsenter", "-t", str(lab.pid(daemon)), "-m", *command], check=True)


HIDDEN = {
    "tayga": (("mount", "-t", "tmpfs", "none", "/usr/sbin"), "/usr/sbin/tayga is not there: install the package tayga"),
    "a program that cannot be run": (("mount", "--bind", "/etc/passwd", "/usr/sbin/tayga"), "/usr/sbin/tayga cannot be run: Permission denied"),
    "the device": (("mount", "-t", "tmpfs", "none", "/dev/net"), "the kernel has no /dev/net/tun: load the module tun"),
}


def test_refused_without(v6_only):
    """Before anything is done, with what is to be done; nothing else of the commit is in force then."""
    for command, says in HIDDEN.values():
        in_mounts_of(v6_only, "filterd", *command)
        done = v6_only.ctl("apply", "-f", "-", stdin=ZONES + nat64(), check=False)
        assert done.returncode and "Nat64/n" in done.stderr and says in done.stderr
        assert links(v6_only) == [] and 'there is no Nat64 "n"' in v6_only.ctl("get", "Nat64/n", check=False).stderr
        in_mounts_of(v6_only, "filterd", "umount", command[-1])
    # One that is not enabled needs nothing.
    in_mounts_of(v6_only, "filterd", *HIDDEN["tayga"][0])
    v6_only.apply(ZONES + nat64(more="enabled: false"))


def test_forced_without(v6_only):
    """Whoever insists gets a translation that begins when there is a program."""
    in_mounts_of(v6_only, "filterd", *HIDDEN["tayga"][0])
    changes = Changes(v6_only)
    done = v6_only.ctl("apply", "--force", "-f", "-", stdin=ZONES + RULES + nat64())
    assert HIDDEN["tayga"][1] in done.stdout + done.stderr
    assert HIDDEN["tayga"][1] in changes.wait_for("waiting")
    # What is in force already is no reason to refuse something else.
    v6_only.apply(rule("another", "action: allow, from: lan, to: wan"))
    assert HIDDEN["tayga"][1] in v6_only.ctl("status").stdout
    assert translators(v6_only)["n"]["state"] == "waiting"
    changes.close()


def test_interface_of_no_zone(v6_only):
    """Nothing would pass: that is said."""
    done = v6_only.ctl("plan", "-f", "-", stdin=ZONES.replace("[nat64]", "[other]") + nat64())
    assert "the interface nat64 is in no zone, so nothing passes it" in done.stdout + done.stderr
    done = v6_only.ctl("plan", "-f", "-", stdin=ZONES.replace("[nat64]", "['nat*']") + nat64())
    assert "is in no zone" not in done.stdout + done.stderr
