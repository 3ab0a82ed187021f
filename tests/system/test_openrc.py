# SPDX-License-Identifier: GPL-3.0-or-later
"""The init scripts, on a machine that sysvinit's init and OpenRC boot: Debian's own packages of both."""

import contextlib
import os
import select

import debian
import pytest
from machine import OPENRC, Machine
from machines import follow, tables, write_files

FILES = {
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/hostname": "router\n",
    # Debian's, without consoles; the end of the boot is told.
    "/etc/inittab": ("id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl0:0:wait:/etc/init.d/rc 0\nl2:2:wait:/etc/init.d/rc 2\n"
                     "rd:2:once:/usr/bin/perl /etc/ready.pl\n"),
    "/etc/ready.pl": ('use IO::Socket::UNIX;\nIO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/host/ready")->send("READY=1\\n");\n'),
    # What is there when ifupdown brings an interface up.
    "/etc/network/interfaces": ("auto lo\niface lo inet loopback\n\nauto lan\niface lan inet static\n  address 10.2.0.1/24\n"
                                "  pre-up nft list ruleset > /run/witness.ruleset; ip link add lan type veth peer name lan-peer\n"),
    # So that a daemon that hangs is noticed within a test's time.
    **{f"/etc/conf.d/patronus-{name}": 'healthcheck_delay="1"\nhealthcheck_timer="1"\nhealthcheck_timeout="1"\nretry="TERM/1/KILL/5"\n'
       for name in ("configd", "filterd")},
}
SERVICES = ("patronus-configd", "patronus-filterd")
CAP_NET_ADMIN = 1 << 12  # linux/capability.h


@pytest.fixture(scope="module")
def machine(tmp_path_factory, installed, installed_for_openrc):
    tree = debian.tree("openrc", debian.OPENRC)
    media = tmp_path_factory.mktemp("machine")
    layer = write_files(media / "files", FILES)
    with Machine(media, [layer, installed_for_openrc, installed, tree], OPENRC) as made:
        made.boot()
        assert follow(made, "With OpenRC") >= 7
        yield made


def pid_of(machine, name):
    """The daemon's, inside; supervise-daemon is its parent."""
    found = machine.run("pgrep", "-f", f"^/usr/lib/patronus/{name} ", check=False).stdout.split()
    return int(found[0]) if found else 0


@contextlib.contextmanager
def another(machine, name):
    """The process that there is ends in the block, or by what the block did; and another one takes its place, and is at work."""
    pid = pid_of(machine, name)
    pidfd = os.pidfd_open(machine.host_pid(pid))
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        yield pid
        assert poll.poll(60000), f"{name} did not end"
    finally:
        os.close(pidfd)
    machine.run("patronusctl", "status", "--wait", "30s")
    assert pid_of(machine, name) not in (0, pid)


def state(machine, name):
    return machine.run("rc-service", name, "status", check=False).stdout.strip()


def ruleset(machine):
    return machine.run("nft", "-s", "list", "ruleset").stdout


def test_started(machine):
    for name in (*SERVICES, "patronus-firewall"):
        assert "started" in state(machine, name), name
    assert "stopped" in state(machine, "patronus-filterd-early")  # at the next boot: it would have closed the machine meanwhile
    assert tables(machine) == ["table inet patronus"]
    assert "initial policy" in machine.run("patronusctl", "history").stdout


def test_directories_and_owners(machine):
    listed = machine.run("stat", "-c", "%n %U %G %a", "/var/lib/patronus", "/run/patronus", "/run/patronus/filterd", "/run/patronus/configd",
                         "/var/log/patronus").stdout.splitlines()
    assert listed == ["/var/lib/patronus patronus-configd patronus-configd 755", "/run/patronus root root 755",
                      "/run/patronus/filterd patronus-filterd patronus-filterd 755", "/run/patronus/configd patronus-configd patronus-configd 755",
                      "/var/log/patronus root root 750"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_process_is_left_with(machine, name):
    pid = machine.host_pid(pid_of(machine, name))
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    allowed = CAP_NET_ADMIN if name == "patronus-filterd" else 0
    assert {int(status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {allowed}
    assert status["NoNewPrivs"] == "1" and int(status["Uid"].split()[0]) != 0
    assert machine.run("id", "-u", name).stdout.strip() == status["Uid"].split()[0]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("how", ["KILL", "STOP"])
def test_crash_and_hang(machine, name, how):
    before = ruleset(machine)
    with another(machine, name) as pid:
        machine.run("kill", f"-{how}", pid)
    assert ruleset(machine) == before
    assert "started" in state(machine, name)


def test_it_is_started_again_however_often(machine):
    """More often than supervise-daemon's default of 10 lets pass."""
    for _ in range(11):
        with another(machine, "patronus-filterd") as pid:
            machine.run("kill", "-KILL", pid)


@pytest.mark.parametrize("name", SERVICES)
def test_restart(machine, name):
    before = ruleset(machine)
    with another(machine, name):
        machine.run("rc-service", name, "restart")
    assert ruleset(machine) == before


def test_a_bus_that_is_restarted(machine):
    pids = [pid_of(machine, name) for name in SERVICES]
    machine.run("rc-service", "dbus", "restart")
    machine.run("patronusctl", "status", "--wait", "30s")
    assert [pid_of(machine, name) for name in SERVICES] == pids


def test_stop_keeps_the_ruleset_in_force(machine):
    before = ruleset(machine)
    for name in ("patronus-firewall", *SERVICES):
        machine.run("rc-service", name, "stop")
        assert "stopped" in state(machine, name)
    assert [pid_of(machine, name) for name in SERVICES] == [0, 0]
    assert ruleset(machine) == before and "table inet patronus" in before
    machine.run("rc-service", "patronus-firewall", "start")  # wants them
    assert all(pid_of(machine, name) for name in SERVICES)
    assert ruleset(machine) == before


def test_boot(machine):
    """The ruleset is there before ifupdown brings anything up, and all of it afterwards."""
    machine.run("patronusctl", "set", "FilterSettings", "antiLockout.ports=22,4711")
    machine.power_off()
    machine.boot()
    witness = machine.path("/run/witness.ruleset").read_text()
    assert "table inet patronus" in witness and "4711" in witness
    assert "10.2.0.1" in machine.run("ip", "address", "show", "lan").stdout
    for name in (*SERVICES, "patronus-firewall", "patronus-filterd-early"):
        assert "started" in state(machine, name), name
    assert "revision 2" in machine.run("patronusctl", "status", "--wait", "30s").stdout


def test_boot_with_what_cannot_be_read(machine):
    """Closed before the network."""
    machine.shell("for f in /var/lib/patronus/revisions/*/filterd*; do head -c 100 /dev/zero > $f; done")
    machine.power_cut()
    machine.boot()
    witness = machine.path("/run/witness.ruleset").read_text()
    assert "table inet patronus" in witness and "hook input" in witness and "4711" not in witness
