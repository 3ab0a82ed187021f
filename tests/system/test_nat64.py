# SPDX-License-Identifier: GPL-3.0-or-later
"""The translator as a service: started by its socket, in its sandbox, with what it needs and no more, and for as long as it is needed."""

import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess

import netns
import pytest

CAP_NET_ADMIN = 1 << 12  # linux/capability.h
NETWORK = """
for host in lan wan; do
        ip netns add $host
        ip link add $host type veth peer name eth0 netns $host
        ip link set $host up
        ip -n $host link set lo up
        ip -n $host link set eth0 up
done
ip address add fd00:2::1/64 dev lan nodad
ip address add 10.1.0.1/24 dev wan
ip -n lan address add fd00:2::2/64 dev eth0 nodad
ip -n wan address add 10.1.0.2/24 dev eth0
ip -n lan route add default via fd00:2::1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"""
OBJECTS = (
    {"kind": "Zone", "metadata": {"name": "lan"}, "spec": {"interfaces": ["lan"]}},
    {"kind": "Zone", "metadata": {"name": "wan"}, "spec": {"interfaces": ["wan"], "masquerade": True}},
    {"kind": "Zone", "metadata": {"name": "translated"}, "spec": {"interfaces": ["nat64"]}},
    {"kind": "FirewallRule", "metadata": {"name": "in"}, "spec": {"action": "allow", "from": "lan", "to": "translated"}},
    {"kind": "FirewallRule", "metadata": {"name": "out"}, "spec": {"action": "allow", "from": "translated", "to": "wan"}},
    {"kind": "Nat64", "metadata": {"name": "n"}, "spec": {"prefix": "fd00:64::/96", "pool": "192.168.255.0/24"}})
POLICY = "\n---\n".join(json.dumps({"apiVersion": "patronus.firewall/v1", **one}) for one in OBJECTS)

if not os.path.exists("/usr/sbin/tayga") or not os.path.exists("/dev/net/tun"):
    pytest.skip("tayga or the kernel's /dev/net/tun is not there", allow_module_level=True)


@pytest.fixture
def with_tayga(machine, tmp_path):
    """The machine, with a network, the program as its package installs it, and the device that udev would give everybody."""
    (tmp_path / "usr/sbin").mkdir(parents=True)
    shutil.copy("/usr/sbin/tayga", tmp_path / "usr/sbin/tayga")
    done = machine.run("patronusctl", "apply", "-f", "-", stdin=POLICY, check=False)
    assert done.returncode and "/usr/sbin/tayga is not there: install the package tayga" in done.stderr
    machine.install(tmp_path)
    # Of the container its first process may make no device.
    subprocess.run(["nsenter", "-t", str(machine.host_pid(1)), "-m", "sh", "-ec", "umask 0; mkdir -p -m 755 /dev/net; mknod /dev/net/tun c 10 200"], check=True)
    machine.shell(NETWORK)
    return machine


def status(pid, what):
    return re.search(rf"^{what}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]


def show(machine, what, unit="patronus-nat64.service"):
    return machine.run("systemctl", "show", "--value", "-p", what, unit).stdout.strip()


def translator(machine):
    return json.loads(machine.run("patronusctl", "filter", "nat64", "-o", "json").stdout)


def end_of(pidfd):
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        assert poll.poll(30000), "it did not end within 30 s"
    finally:
        os.close(pidfd)


def ask(machine):
    """A question by UDP, from a host that has IPv6 to one that has IPv4, and its answer."""
    with netns.make_socket(machine.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as server, \
            netns.make_socket(machine.netns("lan"), socket.AF_INET6, socket.SOCK_DGRAM) as client:
        for sock in (server, client):
            sock.settimeout(30)
        server.bind(("10.1.0.2", 7000))
        client.connect(("fd00:64::10.1.0.2", 7000))
        client.send(b"?")
        data, peer = server.recvfrom(16)
        assert data == b"?" and peer[0] == "10.1.0.1"
        server.sendto(b"!", peer)
        assert client.recv(16) == b"!"


def test_life(with_tayga):
    machine = with_tayga
    with machine.watch("patronus-filterd", "Nat64/n translates") as said:
        machine.run("patronusctl", "apply", "-f", "-", stdin=POLICY)
        said()
    row = translator(machine)
    helper, tayga = machine.host_pid(machine.main_pid("patronus-nat64")), machine.host_pid(row["pid"])
    assert (row["state"], show(machine, "ActiveState")) == ("running", "active")
    ask(machine)
    # A user of its own, who may make interfaces; and tayga may nothing.
    assert int(status(helper, "CapEff"), 16) == CAP_NET_ADMIN and int(status(tayga, "CapEff"), 16) == 0 and int(status(tayga, "CapPrm"), 16) == 0
    users = {status(pid, "Uid").split()[0] for pid in (helper, machine.host_pid(machine.main_pid("patronus-filterd")))}
    assert len(users) == 2 and "0" not in users and status(tayga, "Uid") == status(helper, "Uid")
    assert status(tayga, "Seccomp") == "2" and status(tayga, "NoNewPrivs") == "1"
    # filterd comes and goes.
    with machine.watch("patronus-filterd", "Nat64/n translates") as said:
        machine.run("systemctl", "restart", "patronus-filterd")
        said()
    assert translator(machine)["pid"] == row["pid"]
    ask(machine)
    # The helper is started again, and what it had goes on with another user's number perhaps.
    with machine.watch("patronus-filterd", "Nat64/n translates") as said:
        machine.run("systemctl", "kill", "-s", "KILL", "patronus-nat64")
        said()
    assert translator(machine)["pid"] != row["pid"]
    ask(machine)
    # Nothing is left to translate.
    pidfd = os.pidfd_open(machine.host_pid(machine.main_pid("patronus-nat64")))
    machine.run("patronusctl", "delete", "Nat64/n")
    end_of(pidfd)
    assert show(machine, "Result") == "success" and show(machine, "ActiveState", "patronus-nat64.socket") == "active"
    assert "nat64" not in machine.run("ip", "link").stdout
