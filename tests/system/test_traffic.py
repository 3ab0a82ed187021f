# SPDX-License-Identifier: GPL-3.0-or-later
"""No packet is lost while daemons are restarted, killed, hung and replaced, the bus too: numbered packets through the machine, old connections and new."""

import json
import re
import shutil

import debian
import pytest
from machines import BUSES
from stream import Stream

MACHINE_FILES = {f"/etc/systemd/system/patronus-{name}.service.d/test.conf": "[Service]\nWatchdogSec=1s\nRestartSec=100ms\n"
                 for name in ("configd", "filterd")}
DAEMONS = ("configd", "filterd")
VERSION = re.search(r"version : '(.*?)'", (debian.ROOT / "meson.build").read_text())[1].encode()
NEXT_VERSION = VERSION[:-1] + (b"0" if VERSION.endswith(b"9") else bytes([VERSION[-1] + 1]))  # as long

pytestmark = pytest.mark.parametrize("machine", BUSES, indirect=True, scope="module")

NETWORK = """
ip netns add lan
ip netns add wan
for host in lan wan; do
        ip link add $host type veth peer name eth0 netns $host
        ip link set $host up
        ip -n $host link set lo up
        ip -n $host link set eth0 up
done
ip address add 10.2.0.1/24 dev lan
ip address add 10.1.0.1/24 dev wan
ip -n lan address add 10.2.0.2/24 dev eth0
ip -n wan address add 10.1.0.2/24 dev eth0
ip -n lan route add default via 10.2.0.1
ip -n wan route add default via 10.1.0.1
sysctl -qw net.ipv4.ip_forward=1
"""
POLICY = "\n---\n".join(json.dumps({"apiVersion": "patronus.firewall/v1", **one}) for one in (
    {"kind": "Zone", "metadata": {"name": "lan"}, "spec": {"interfaces": ["lan"]}},
    {"kind": "Zone", "metadata": {"name": "wan"}, "spec": {"interfaces": ["wan"]}},
    {"kind": "FirewallRule", "metadata": {"name": "out"}, "spec": {"action": "allow", "from": "lan", "to": "wan", "protocol": "udp",
                                                                   "destination": {"ports": [5000]}}}))


@pytest.fixture(scope="module")
def network(machine):
    machine.shell(NETWORK)
    machine.run("patronusctl", "apply", "-f", "-", stdin=POLICY)


@pytest.fixture
def stream(machine, network):
    """Nothing that a test does while it is under way may cost a packet."""
    with Stream(machine.netns("lan"), machine.netns("wan"), "10.1.0.2") as made:
        yield made
        settle(machine)
    assert made.lost() == [], f"{len(made.lost())} of {made.sent}"


def settle(machine):
    machine.run("patronusctl", "status", "--wait", "30s")


def test_the_filter_is_in_the_way(machine, network):
    """What the stream passes is a rule: without it nothing arrives."""
    machine.run("patronusctl", "set", "FirewallRule/out", "action=drop")
    with pytest.raises(AssertionError, match="does not arrive"):
        with Stream(machine.netns("lan"), machine.netns("wan"), "10.1.0.2", patience=1):
            pass
    machine.run("patronusctl", "set", "FirewallRule/out", "action=allow")


@pytest.mark.parametrize("name", DAEMONS)
def test_restart(machine, stream, name):
    for _ in range(3):
        with stream.under_way():
            machine.run("systemctl", "restart", f"patronus-{name}")


@pytest.mark.parametrize("name", DAEMONS)
@pytest.mark.parametrize("how", ["KILL", "STOP"])
def test_crash_and_hang(machine, stream, name, how):
    """A hung daemon is ended by the watchdog."""
    with stream.under_way(), machine.watch(f"patronus-{name}", "Started patronus-") as started:
        machine.run("kill", f"-{how}", machine.main_pid(f"patronus-{name}"))
        started()


def test_stop_and_start_of_the_whole(machine, stream):
    with stream.under_way():
        machine.run("systemctl", "stop", "patronus-firewall")
    with stream.under_way():
        machine.run("systemctl", "start", "patronus-firewall")


def test_the_early_service_once_more(machine, stream):
    """It adopts what is in force."""
    with stream.under_way():
        machine.run("systemctl", "restart", "patronus-filterd-early")


def test_commits_and_restarts_at_once(machine, stream):
    for i in range(5):
        with stream.under_way():
            machine.run("systemctl", "restart", "--no-block", "patronus-filterd")
            machine.run("patronusctl", "set", "FilterSettings", f"logDefault={'true' if i % 2 else 'false'}", check=False)  # refused while it is away
            settle(machine)


def test_the_bus_is_restarted(machine, stream):
    with stream.under_way():
        machine.run("systemctl", "restart", "dbus.service")
        settle(machine)


def test_upgrade(machine, stream, installed, tmp_path):
    """Installed over it, then as docs/INSTALL.md says; the new programs are those that run afterwards."""
    tree = tmp_path / "next"
    shutil.copytree(installed, tree)
    for name in DAEMONS:
        program = tree / "usr/lib/patronus" / f"patronus-{name}"
        data = program.read_bytes()
        assert VERSION in data
        program.write_bytes(data.replace(VERSION, NEXT_VERSION))
    before = {name: version(machine, name) for name in DAEMONS}
    with stream.under_way():
        machine.install(tree)
    assert {name: version(machine, name) for name in DAEMONS} == before  # the old ones go on
    with stream.under_way():
        machine.run("systemctl", "daemon-reload")
    with stream.under_way():
        machine.run("systemctl", "restart", "patronus-firewall")
        settle(machine)
    assert {name: version(machine, name) for name in DAEMONS} == dict.fromkeys(DAEMONS, NEXT_VERSION.decode())
    with stream.under_way():  # and back
        machine.install(installed)
        machine.run("systemctl", "restart", "patronus-firewall")
        settle(machine)
    assert {name: version(machine, name) for name in DAEMONS} == before


def version(machine, name):
    bus_name = {"configd": "org.patronus.Config1", "filterd": "org.patronus.Filter1"}[name]
    answer = machine.run("busctl", "get-property", bus_name, "/" + bus_name.replace(".", "/"), "org.patronus.Daemon1", "Version")
    return json.loads(answer.stdout.split()[1])
