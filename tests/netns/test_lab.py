# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/lab itself: it leaves nothing behind, works from any half state, and says what to do."""

import os
import pathlib
import signal
import subprocess

import pytest
from lab import LAB, Lab

HOST_NETWORK = (("ip", "-j", "link"), ("ip", "-j", "address"), ("ip", "-j", "rule"), ("ip", "-j", "route"), ("sysctl", "net.ipv4.ip_forward"))


def host_network():
    return [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in HOST_NETWORK]


def leftovers(name):
    return [entry.name for entry in pathlib.Path("/run/netns").iterdir() if entry.name.startswith(f"plt-{name}-")] + list(
        Lab(name).directory.parent.glob(f"*{name}*"))


def test_down_leaves_nothing_and_the_host_is_untouched(bare_lab):
    before = host_network()
    bare_lab.tool("down")
    assert leftovers(bare_lab.name) == []
    bare_lab.tool("up", "--network-only")
    assert host_network() == before
    assert bare_lab.pings("lan", "10.3.0.2")
    assert bare_lab.pings("lan", "fd00:1::2")


def test_down_from_half_a_lab(bare_lab):
    subprocess.run(["ip", "netns", "delete", f"plt-{bare_lab.name}-dmz"], check=True)
    sleeper = bare_lab.popen("router", "sleep", "1000")  # what somebody forgot there
    bare_lab.tool("down")
    assert sleeper.wait(timeout=60) == -signal.SIGTERM
    assert leftovers(bare_lab.name) == []
    bare_lab.tool("down")  # and of none


def test_up_after_a_crash(lab):
    for daemon in ("bus", "configd", "filterd"):
        lab.end(daemon, signal.SIGKILL)
    lab.tool("up")
    assert lab.pid("filterd")


def test_a_reused_pid_is_not_ended(bare_lab):
    """Another process got the pid of one of ours: another start time."""
    innocent = subprocess.Popen(["sleep", "1000"])
    try:
        (bare_lab.directory / "pids" / "filterd").write_text(f"{innocent.pid} 1\n")
        bare_lab.tool("down")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_the_daemons_run_as_themselves(lab):
    for daemon, capabilities in (("configd", 0), ("filterd", 1 << 12)):  # CAP_NET_ADMIN, linux/capability.h
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{lab.pid(daemon)}/status").read_text().splitlines())
        assert int(status["Uid"].split()[0]) != 0
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {capabilities}
        assert status["NoNewPrivs"] == "1"
        assert os.stat(f"/proc/{lab.pid(daemon)}/ns/net").st_ino == os.stat(lab.netns("router")).st_ino


@pytest.mark.parametrize("args, message", [
    (["exec", "t-none", "lan", "true"], "no lab 't-none': make it with: tools/lab up t-none"),
    (["up", "Bad_name"], "at most 24 of a-z, 0-9 and -"),
    (["up", "t-none", "--config", "/nonexistent"], "give --config a file that exists"),
    (["fly", "t-none"], "usage: tools/lab COMMAND"),
    ([], "usage: tools/lab COMMAND"),
])
def test_errors_say_what_to_do(args, message):
    done = subprocess.run([LAB, *args], capture_output=True, text=True)
    assert done.returncode in (1, 2)
    assert message in done.stderr


def test_a_policy_that_is_refused_leaves_no_lab(lab, tmp_path):
    lab.tool("down")
    policy = tmp_path / "bad.yaml"
    policy.write_text("apiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: { name: a }\nspec: { colour: red }\n")
    done = lab.tool("up", "--config", policy, check=False)
    assert done.returncode == 1
    assert "/spec/colour" in done.stdout + done.stderr
    assert leftovers(lab.name) == []
