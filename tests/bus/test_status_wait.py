# SPDX-License-Identifier: GPL-3.0-or-later
"""`patronusctl status --wait`: done when all is in force, and not before."""

import json
import select
import signal
import subprocess

import lab as lab_module

POLICY = json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "Zone", "metadata": {"name": "lan"}, "spec": {"interfaces": ["lan"]}})


def waiting(lab):
    """The program, waiting; it has answered by the time its table is printed."""
    return subprocess.Popen([lab_module.build_dir() / "cli/patronusctl", "status", "--wait", "60s"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**lab.env, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus})


def is_silent(process, msec):
    """It has printed nothing within that time."""
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    return not poll.poll(msec)


def test_without_a_configuration_nothing_is_in_force(lab):
    done = lab.ctl("status", "--wait", "200ms", check=False)
    assert done.returncode == 1
    assert "no configuration yet" in done.stdout and "after 200ms not everything is in force" in done.stderr
    client = waiting(lab)
    assert is_silent(client, 300)
    lab.apply(POLICY)
    out, err = client.communicate(timeout=60)
    assert (client.returncode, err) == (0, "") and "revision 1" in out


def test_it_waits_for_each_daemon(lab):
    lab.apply(POLICY)
    assert lab.ctl("status", "--wait", "60s").stdout.startswith("revision 1")
    for daemon in ("filterd", "configd"):
        lab.end(daemon, signal.SIGKILL)
        client = waiting(lab)
        assert is_silent(client, 300), daemon
        lab.start(daemon)
        out, err = client.communicate(timeout=60)
        assert (client.returncode, err) == (0, "") and f"{daemon}  running" in out


def test_one_that_does_not_come_is_told(lab):
    lab.apply(POLICY)
    lab.end("configd", signal.SIGKILL)
    done = lab.ctl("status", "--wait", "200ms", check=False)
    assert done.returncode == 3 and "org.patronus.Config1 is not on the bus" in done.stderr
    lab.start("configd")
    lab.end("filterd", signal.SIGKILL)
    done = lab.ctl("status", "--wait", "200ms", check=False)
    assert done.returncode == 1 and "filterd: does not run" in done.stdout


def test_a_time_that_is_none(lab):
    done = lab.ctl("status", "--wait", "soon", check=False)
    assert done.returncode == 2 and '"soon" is no time; write' in done.stderr
