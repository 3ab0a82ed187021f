# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines themselves (tests/lib/machine.py): nothing of them stays, and nothing of ours can be written from inside."""

import os
import pathlib
import select
import signal
import subprocess
import sys

import pytest
from machine import GROUPS

MAKER = """
import pathlib, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from machines import BASE_FILES, write_files
from machine import SYSTEMD, Machine
media = pathlib.Path(sys.argv[3])
machine = Machine(media, [write_files(media / "files", BASE_FILES), sys.argv[4]], SYSTEMD)
machine.boot()
print(machine.name, machine.pid, flush=True)
sys.stdin.read()
"""


def lives(pid):
    """Whether there is such a process, other than one that is dead and not yet reaped."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def groups(name):
    return list(GROUPS.glob(f"**/{name}"))


def test_nothing_is_left(new_machine):
    machine = new_machine().boot()
    name, pid, media = machine.name, machine.pid, machine.media
    machine.run("systemd-run", "--collect", "sleep", "1000")
    assert groups(name)
    machine.__exit__()
    assert not groups(name) and not media.exists()
    assert not lives(pid)
    assert name not in pathlib.Path("/proc/self/mounts").read_text()


def test_a_failure_inside_the_block_leaves_nothing(new_machine, tmp_path):
    machine = new_machine()
    with pytest.raises(ZeroDivisionError):
        with machine:
            machine.boot()
            pid = machine.pid
            raise ZeroDivisionError
    assert not groups(machine.name) and not lives(pid)


def test_a_killed_maker_takes_it_with_it(systemd_tree, tmp_path, new_machine):
    """Whoever comes next removes the control groups."""
    here = pathlib.Path(__file__).parent
    maker = subprocess.Popen([sys.executable, "-c", MAKER, here, here.parent / "lib", tmp_path, systemd_tree], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    name, pid = maker.stdout.readline().split()
    pidfd = os.pidfd_open(int(pid))
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    assert groups(name)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(20000), "the machine outlived its maker"
    os.close(pidfd)
    new_machine()
    assert not groups(name)


def test_what_is_the_real_machines_cannot_be_changed(machine):
    """Only what would change nothing is tried: if it were possible, it would be done to the machine that runs the tests."""
    for path in ("/proc/sys/kernel/pid_max", "/proc/sys/vm/swappiness", "/sys/kernel/mm/ksm/run"):
        if machine.path(path).exists():
            refused = machine.shell(f"v=$(cat {path}) && echo $v > {path}", check=False)
            assert refused.returncode != 0 and "ead-only" in refused.stderr, path
    for pid in ("self", "1"):
        status = dict(line.split(":\t", 1) for line in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines())
        for name, bit in (("sys_time", 25), ("sys_module", 16), ("sys_rawio", 17), ("syslog", 34)):  # linux/capability.h
            assert not int(status["CapBnd"], 16) >> bit & 1 and not int(status["CapEff"], 16) >> bit & 1, (pid, name)


def test_what_is_the_machines_own_can(machine):
    before = pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text()
    machine.run("sysctl", "-w", "net.ipv4.ip_forward=1")
    machine.run("sysctl", "-w", "net.ipv4.ip_forward=0")
    machine.run("hostname", "another")
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == before
    assert os.uname().nodename != "another"
