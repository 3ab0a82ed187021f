# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots: the ruleset is in force before the network is up, with whatever of the machine that is broken."""

import json
import uuid

import pytest
from machines import make_machine

# What is there at the moment from which on interfaces may come up.
WITNESS = """[Unit]
DefaultDependencies=no
After=network-pre.target
Before=systemd-networkd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -c 'nft list ruleset >/run/witness.ruleset; ip -j link >/run/witness.links'
[Install]
WantedBy=sysinit.target
"""
# An interface that the machine's own network service makes and brings up.
NETWORK = {
    "/etc/systemd/system/witness.service": WITNESS,
    "/etc/systemd/network/lan.netdev": "[NetDev]\nName=lan\nKind=veth\n[Peer]\nName=lan-peer\n",
    "/etc/systemd/network/lan.network": "[Match]\nName=lan\n[Link]\nRequiredForOnline=no\n[Network]\nAddress=10.2.0.1/24\nConfigureWithoutCarrier=yes\n",
}
# A machine in namespaces has the boot of the one that it runs on; what is told apart by it gets another.
BOOT_ID = "/etc/boot-id"
POLICY = "\n---\n".join(json.dumps({"apiVersion": "patronus.firewall/v1", **one}) for one in (
    {"kind": "Zone", "metadata": {"name": "lan"}, "spec": {"interfaces": ["lan"]}},
    {"kind": "FirewallRule", "metadata": {"name": "marker"}, "spec": {"action": "allow", "from": "lan", "to": "router", "protocol": "tcp",
                                                                      "destination": {"ports": [4711]}}}))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, systemd_tree, installed):
    """A machine that was set up in its first boot, and is off."""
    with make_machine(tmp_path_factory, [installed, systemd_tree], NETWORK) as machine:
        machine.boot()
        machine.run("systemctl", "enable", "systemd-networkd", "witness")
        machine.run("systemctl", "enable", "--now", "patronus-firewall")
        machine.run("patronusctl", "apply", "-f", "-", stdin=POLICY)
        machine.power_off()
        yield machine


@pytest.fixture
def configured(new_machine, prepared):
    return new_machine(files=NETWORK).clone_of(prepared)


def drop_in(machine, unit, text):
    """In the files of a machine that is off."""
    path = machine.media / "upper/etc/systemd/system" / f"{unit}.service.d" / "test.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def at_network_pre(machine):
    """(ruleset, names of interfaces that were there)"""
    links = json.loads(machine.path("/run/witness.links").read_text())
    return machine.path("/run/witness.ruleset").read_text(), {link["ifname"] for link in links}


def stamp(machine, unit, what):
    return int(machine.run("systemctl", "show", "--value", "-p", what, unit).stdout)


def result(machine, unit):
    return machine.run("systemctl", "show", "--value", "-p", "Result", unit).stdout.strip()


def is_closed(ruleset):
    """Our table, whose hooks drop, and nothing of the configuration."""
    return "table inet patronus" in ruleset and "hook input" in ruleset and "4711" not in ruleset


def test_the_ruleset_is_in_force_before_the_network(configured):
    machine = configured.boot()
    ruleset, links = at_network_pre(machine)
    assert "table inet patronus" in ruleset and "4711" in ruleset
    assert "lan" not in links  # nothing was up that it could have come too late for
    assert "10.2.0.1" in machine.run("ip", "address", "show", "lan").stdout
    done = stamp(machine, "patronus-filterd-early", "ExecMainExitTimestampMonotonic")
    assert 0 < done <= stamp(machine, "network-pre.target", "ActiveEnterTimestampMonotonic")
    assert done < stamp(machine, "systemd-networkd", "ExecMainStartTimestampMonotonic")
    assert done < stamp(machine, "patronus-filterd", "ExecMainStartTimestampMonotonic")
    assert machine.run("systemctl", "is-active", "patronus-firewall").stdout.strip() == "active"
    assert "revision 2" in machine.run("patronusctl", "status", "--wait", "10s").stdout
    log = machine.run("journalctl", "-b", "-u", "patronus-filterd-early").stdout
    assert "revision 2 is in force" in log


def test_a_power_cut(configured):
    machine = configured.boot()
    machine.run("patronusctl", "set", "FirewallRule/marker", "destination.ports=4712")
    machine.power_cut()
    machine.boot()
    ruleset, _ = at_network_pre(machine)
    assert "4712" in ruleset
    assert "revision 3" in machine.run("patronusctl", "status", "--wait", "10s").stdout


def test_what_nobody_confirmed_is_not_what_it_boots_with(configured):
    """The power was cut while a change waited: the next boot, before the network, has what was confirmed."""
    for unit in ("configd", "filterd", "filterd-early"):
        drop_in(configured, f"patronus-{unit}", f"[Service]\nBindReadOnlyPaths={BOOT_ID}:/proc/sys/kernel/random/boot_id\n")
    (configured.media / "upper" / BOOT_ID.lstrip("/")).write_text(str(uuid.uuid4()) + "\n")
    machine = configured.boot()
    waiting = machine.run("patronusctl", "set", "FirewallRule/marker", "destination.ports=4712", "--confirm", "3600", check=False)
    assert waiting.returncode == 4, waiting  # made, and waits
    assert "4712" in machine.run("nft", "list", "ruleset").stdout
    machine.power_cut()
    (machine.media / "upper" / BOOT_ID.lstrip("/")).write_text(str(uuid.uuid4()) + "\n")
    machine.boot()
    ruleset, _ = at_network_pre(machine)
    assert "4711" in ruleset and "4712" not in ruleset
    machine.run("patronusctl", "status", "--wait", "20s")
    now = machine.run("nft", "list", "ruleset").stdout
    assert "4711" in now and "4712" not in now


def test_a_crash_of_configd_keeps_the_deadline(configured):
    """And its restart by systemd is in time."""
    machine = configured.boot()
    with machine.watch("patronus-configd", "taken back", timeout=60) as reverted:
        machine.run("patronusctl", "set", "FirewallRule/marker", "destination.ports=4712", "--confirm", "5", check=False)
        machine.run("systemctl", "kill", "--signal=KILL", "patronus-configd")
        reverted()
    machine.run("patronusctl", "status", "--wait", "20s")
    now = machine.run("nft", "list", "ruleset").stdout
    assert "4711" in now and "4712" not in now


def test_what_cannot_be_read_closes_the_machine(configured):
    state = configured.media / "upper/var/lib/patronus/revisions"
    for path in state.glob("*/*"):
        if path.name.startswith("filterd"):
            path.write_bytes(b"\0" * path.stat().st_size)
    machine = configured.boot()
    ruleset, _ = at_network_pre(machine)
    assert is_closed(ruleset)
    assert "the machine is closed" in machine.run("journalctl", "-b", "-u", "patronus-filterd-early").stdout


def test_a_state_that_cannot_be_mounted_closes_the_machine(configured):
    """Not required for the boot, so that the boot goes on: the network comes up behind a closed filter."""
    (configured.media / "upper/etc/fstab").write_text("/dev/nothing /var/lib/patronus ext4 nofail,x-systemd.device-timeout=1s 0 0\n")
    state = configured.media / "upper/var/lib/patronus"
    state.rename(configured.media / "the-disk-that-is-not-there")
    machine = configured.boot()
    assert result(machine, "var-lib-patronus.mount") != "success" or machine.run("systemctl", "is-active", "var-lib-patronus.mount",
                                                                                check=False).stdout.strip() == "inactive"
    ruleset, _ = at_network_pre(machine)
    assert is_closed(ruleset)
    assert "10.2.0.1" in machine.run("ip", "address", "show", "lan").stdout


def test_without_a_bus(configured):
    """Everything but the asking works; a bus that comes later is used."""
    masks = [configured.media / "upper/etc/systemd/system" / name for name in ("dbus.service", "dbus.socket")]
    for mask in masks:
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    machine = configured.boot()
    ruleset, _ = at_network_pre(machine)
    assert "4711" in ruleset and "4711" in machine.run("nft", "list", "ruleset").stdout
    assert not machine.path("/run/dbus/system_bus_socket").exists()
    for daemon in ("filterd", "configd"):
        assert machine.run("systemctl", "is-active", f"patronus-{daemon}").stdout.strip() == "active"
    pids = [machine.main_pid(f"patronus-{daemon}") for daemon in ("filterd", "configd")]
    with machine.watch("patronus-filterd", "repaired after") as repaired:  # without a bus, too
        machine.run("nft", "delete", "table", "inet", "patronus")
        repaired()
    assert "4711" in machine.run("nft", "list", "ruleset").stdout
    for name in ("dbus.service", "dbus.socket"):
        machine.run("rm", f"/etc/systemd/system/{name}")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "dbus.socket", "dbus.service")
    assert "revision 2" in machine.run("patronusctl", "status", "--wait", "20s").stdout
    assert [machine.main_pid(f"patronus-{daemon}") for daemon in ("filterd", "configd")] == pids


def test_beside_nftables_service(configured):
    """It flushes the ruleset of others when it starts: before ours is loaded, and repaired when it does so later."""
    other = configured.media / "upper/etc/nftables.conf"
    other.write_text("#!/usr/sbin/nft -f\nflush ruleset\ntable inet theirs { }\n")
    machine = configured.boot()
    machine.run("systemctl", "enable", "nftables")
    machine.power_off()
    machine.boot()
    ruleset, _ = at_network_pre(machine)
    assert "table inet theirs" in ruleset and "4711" in ruleset
    with machine.watch("patronus-filterd", "repaired after") as repaired:
        machine.run("systemctl", "restart", "nftables")
        repaired()
    assert "4711" in machine.run("nft", "list", "ruleset").stdout


def test_a_first_boot_with_everything_enabled(new_machine):
    """An image that was installed and enabled without ever running: closed until the initial policy is in force."""
    machine = new_machine(files=NETWORK).boot()
    machine.run("systemctl", "enable", "systemd-networkd", "witness", "patronus-firewall")
    machine.power_off()
    machine.boot()
    ruleset, _ = at_network_pre(machine)
    assert is_closed(ruleset)
    assert "revision 1" in machine.run("patronusctl", "status", "--wait", "10s").stdout
    assert machine.run("systemctl", "is-active", "patronus-firewall").stdout.strip() == "active"


def test_a_configuration_daemon_that_cannot_start_takes_nothing_with_it(configured):
    drop_in(configured, "patronus-configd", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    drop_in(configured, "patronus-firewall", "[Service]\nTimeoutStartSec=2s\n")  # what is asked for would wait longer
    machine = configured.boot()
    assert "4711" in machine.run("nft", "list", "ruleset").stdout
    assert machine.run("systemctl", "is-active", "patronus-filterd").stdout.strip() == "active"
    assert machine.run("systemctl", "is-active", "patronus-firewall", check=False).stdout.strip() == "failed"
