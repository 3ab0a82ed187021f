# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons as services: started by the bus, watched, restarted, sandboxed, logged; under both implementations of the bus."""

import json
import os
import re
import select


import pytest
from machines import BUSES

MACHINE_FILES = {
    # A member of the group, and one whom a rule of the machine's own lets look.
    "/usr/lib/sysusers.d/zz-test.conf": "u auditor - -\nu member - -\nm member patronus\n",
    "/etc/polkit-1/rules.d/50-test.rules": """polkit.addRule(function(action, subject) {
    if (action.id == "org.patronus.config.read" && subject.user == "auditor")
        return polkit.Result.YES;
});""",
    # So that a daemon that hangs is noticed within a test's time; all else is as installed.
    **{f"/etc/systemd/system/patronus-{name}.service.d/test.conf": "[Service]\nWatchdogSec=1s\nRestartSec=100ms\n" for name in ("configd", "filterd")},
}
DAEMONS = {"configd": "org.patronus.Config1", "filterd": "org.patronus.Filter1"}
CAP_NET_ADMIN, CAP_SYS_RESOURCE = 1 << 12, 1 << 24  # linux/capability.h

pytestmark = pytest.mark.parametrize("machine", BUSES, indirect=True, scope="module")
each_daemon = pytest.mark.parametrize("name", DAEMONS)


def path_of(bus_name):
    return "/" + bus_name.replace(".", "/")


def ruleset(machine):
    return machine.run("nft", "-s", "list", "ruleset").stdout


def prop(machine, name, what):
    return machine.run("systemctl", "show", "--value", "-p", what, f"patronus-{name}").stdout.strip()


def effective_capabilities(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("CapEff:")).split()[1], 16)


def end_of(machine, name):
    """Awaits the end of the process that a service has now."""
    pidfd = os.pidfd_open(machine.host_pid(machine.main_pid(f"patronus-{name}")))

    def ended(timeout=30):
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        try:
            assert poll.poll(timeout * 1000), f"{name} did not end within {timeout} s"
        finally:
            os.close(pidfd)

    return ended


def settle(machine):
    machine.run("patronusctl", "status", "--wait", "30s")


# --- started ------------------------------------------------------------------------------------------------------------


@each_daemon
def test_the_bus_starts_it_for_the_first_call(machine, name):
    machine.run("systemctl", "stop", f"patronus-{name}")
    assert prop(machine, name, "ActiveState") == "inactive"
    answer = machine.run("busctl", "get-property", DAEMONS[name], path_of(DAEMONS[name]), "org.patronus.Daemon1", "Version")
    assert re.match(r's "\d', answer.stdout)
    assert prop(machine, name, "ActiveState") == "active"
    settle(machine)


@each_daemon
def test_it_is_ready_when_its_name_is_on_the_bus(machine, name):
    machine.run("systemctl", "restart", f"patronus-{name}")
    owner = machine.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                        "s", DAEMONS[name]).stdout.split()
    assert owner == ["u", str(machine.main_pid(f"patronus-{name}"))]
    settle(machine)


def test_which_bus_this_is(machine, request):
    expected = request.node.callspec.params["machine"]
    assert machine.run("systemctl", "show", "--value", "-p", "Id", "dbus.service").stdout.strip() == (
        "dbus.service" if expected == "dbus-daemon" else "dbus-broker.service")


# --- watched and restarted ----------------------------------------------------------------------------------------------


@each_daemon
def test_a_daemon_that_hangs_is_ended_and_started_again(machine, name):
    before, pid = ruleset(machine), machine.main_pid(f"patronus-{name}")
    ended = end_of(machine, name)
    with machine.watch(f"patronus-{name}", "Started patronus-") as started:
        machine.run("kill", "-STOP", pid)
        ended()
        started()
    assert machine.main_pid(f"patronus-{name}") not in (0, pid)
    assert "Watchdog timeout" in machine.run("journalctl", "-u", f"patronus-{name}").stdout
    assert ruleset(machine) == before
    settle(machine)


@each_daemon
def test_the_watchdog_is_fed(machine, name):
    """For longer than it waits, busy or not: the time of the last feeding moves on, and the process stays."""
    pid = machine.main_pid(f"patronus-{name}")
    first = int(prop(machine, name, "WatchdogTimestampMonotonic"))
    with machine.watch(f"patronus-{name}", "Watchdog timeout", timeout=3) as hung:  # three times as long
        for i in range(10):
            machine.run("patronusctl", "set", "FilterSettings", f"logDefault={'true' if i % 2 else 'false'}")
        with pytest.raises(AssertionError, match="did not say"):
            hung()
    assert int(prop(machine, name, "WatchdogTimestampMonotonic")) > first > 0
    assert machine.main_pid(f"patronus-{name}") == pid


@each_daemon
def test_a_daemon_that_dies_is_started_again_however_often(machine, name):
    """More often than systemd's default limit of 5 starts in 10 s lets pass."""
    before = ruleset(machine)
    for _ in range(6):
        ended = end_of(machine, name)
        with machine.watch(f"patronus-{name}", "Started patronus-") as started:
            machine.run("systemctl", "kill", "--signal=KILL", f"patronus-{name}")
            ended()
            started()
        assert ruleset(machine) == before
    assert int(prop(machine, name, "NRestarts")) >= 6
    settle(machine)


def test_the_whole_stays_active_meanwhile(machine):
    with machine.watch("patronus-filterd", "Started patronus-") as started:
        machine.run("systemctl", "kill", "--signal=KILL", "patronus-filterd")
        started()
    assert machine.run("systemctl", "is-active", "patronus-firewall").stdout.strip() == "active"
    settle(machine)


def test_a_bus_that_is_restarted(machine):
    """Their connection is lost, they stay and come back to the new one."""
    pids = [machine.main_pid(f"patronus-{name}") for name in DAEMONS]
    before = ruleset(machine)
    machine.run("systemctl", "restart", "dbus.service")
    settle(machine)
    assert [machine.main_pid(f"patronus-{name}") for name in DAEMONS] == pids
    assert ruleset(machine) == before


# --- what they may --------------------------------------------------------------------------------------------------------


@each_daemon
def test_what_a_process_is_left_with(machine, name):
    """In the kernel's words, not the unit file's."""
    pid = machine.host_pid(machine.main_pid(f"patronus-{name}"))
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    allowed = CAP_NET_ADMIN if name == "filterd" else 0
    assert {int(status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {allowed}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["Uid"].split()[0]) != 0
    limits = dict((line[:26].strip(), line[26:].split()) for line in open(f"/proc/{pid}/limits").read().splitlines()[1:])
    assert limits["Max core file size"][:2] == ["0", "0"]
    assert prop(machine, name, "OOMScoreAdjust") == "-500"
    if effective_capabilities(machine.pid) & CAP_SYS_RESOURCE:  # else process 1 may not either
        assert int(open(f"/proc/{pid}/oom_score_adj").read()) == -500
    mounts = [line.split() for line in open(f"/proc/{pid}/mounts").read().splitlines()]
    options = {fields[1]: fields[3].split(",") for fields in mounts}
    assert "ro" in options["/"] and "ro" in options["/proc/sys"]
    assert ("rw" in options.get("/proc/sys/net", [])) == (name == "filterd")
    networks = {os.readlink(f"/proc/{each}/ns/net") for each in (pid, machine.pid)}
    assert len(networks) == (2 if name == "configd" else 1)


@each_daemon
def test_exposure_on_the_running_machine(machine, name):
    ceiling = {"configd": 6, "filterd": 11}[name]
    machine.run("systemd-analyze", "security", f"--threshold={ceiling}", "--no-pager", f"patronus-{name}")


def test_configd_sees_the_processes_of_its_callers(machine):
    """Of other users, and which boot this is: it says who changed what, from where."""
    pid = machine.host_pid(machine.main_pid("patronus-configd"))
    assert "hidepid" not in open(f"/proc/{pid}/mounts").read() and "subset=pid" not in open(f"/proc/{pid}/mounts").read()
    filterd = machine.host_pid(machine.main_pid("patronus-filterd"))
    assert "hidepid" in open(f"/proc/{filterd}/mounts").read()


# --- who may call what (the whole matrix is tests/bus's) ------------------------------------------------------------------


def call(machine, user, bus_name, interface, method, *arguments):
    return machine.run("busctl", "call", "--auto-start=no", bus_name, path_of(bus_name), interface, method, *arguments, user=user, check=False)


def test_bus_policy_as_installed(machine):
    state = ("org.patronus.Transaction1", "GetState")
    assert call(machine, None, DAEMONS["filterd"], *state).returncode == 0
    for user in ("nobody", "member"):
        answer = call(machine, user, DAEMONS["filterd"], *state)
        assert answer.returncode != 0 and re.search(r"denied|not allowed|not authorized", answer.stderr, re.I), (user, answer)
    assert call(machine, "member", DAEMONS["filterd"], "org.freedesktop.DBus.Properties", "GetAll", "s", "").returncode == 0
    assert call(machine, "nobody", DAEMONS["filterd"], "org.freedesktop.DBus.Properties", "GetAll", "s", "").returncode != 0


def may(machine, user):
    """(look, change)"""
    looked = machine.run("patronusctl", "history", user=user, check=False)
    changed = machine.run("patronusctl", "set", "FilterSettings", "logInvalid=true", user=user, check=False)
    for done in (looked, changed):
        assert done.returncode == 0 or (done.returncode == 1 and done.stderr), done
    return looked.returncode == 0, changed.returncode == 0


def test_polkit_as_installed(machine):
    everybody = ("root", "member", "auditor", "nobody")
    expected = {"root": (True, True), "member": (True, True), "auditor": (True, False), "nobody": (False, False)}
    assert {user: may(machine, user) for user in everybody} == expected
    assert machine.run("systemctl", "is-active", "polkit").stdout.strip() == "active"  # started by the question
    machine.run("systemctl", "mask", "--runtime", "--now", "polkit")
    try:  # installed, and not to be started: nothing is said in favour of anybody
        assert {user: may(machine, user) for user in everybody} == {**dict.fromkeys(everybody, (False, False)), "root": (True, True)}
    finally:
        machine.run("systemctl", "unmask", "--runtime", "polkit")
    assert {user: may(machine, user) for user in everybody} == expected


def test_without_polkit(machine):
    """Not installed: root and the group."""
    activation = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
    machine.run("systemctl", "stop", "polkit")
    machine.run("mv", activation, "/run/away")
    machine.run("systemctl", "reload", "dbus")
    try:
        assert {user: may(machine, user) for user in ("root", "member", "auditor", "nobody")} == {
            "root": (True, True), "member": (True, True), "auditor": (False, False), "nobody": (False, False)}
    finally:
        machine.run("mv", "/run/away", activation)
        machine.run("systemctl", "reload", "dbus")


@pytest.mark.parametrize("user", ["nobody", "root", "patronus-configd"])
def test_nobody_else_takes_a_daemons_name(machine, user):
    """Also not while nobody has it; only configd's own user may have configd's."""
    for name, bus_name in DAEMONS.items():
        answer = machine.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su",
                             bus_name, 4, user=user, check=False)  # 4: do not queue
        if f"patronus-{name}" == user:
            assert answer.stdout.strip() == "u 3"  # D-Bus specification, RequestName: somebody has it
        else:
            assert answer.returncode != 0, (name, answer.stdout)


# --- what they say ----------------------------------------------------------------------------------------------------------


def test_the_journal_has_fields(machine):
    with machine.watch("patronus-filterd", "repaired after") as repaired:
        machine.run("nft", "delete", "table", "inet", "patronus")
        repaired()
    entries = [json.loads(line) for line in machine.run("journalctl", "-u", "patronus-filterd", "-o", "json", "-n", "50").stdout.splitlines()]
    entry = next(entry for entry in entries if "repaired after" in entry["MESSAGE"])
    assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"], entry["_TRANSPORT"]) == ("patronus-filterd", str(4), "journal")
    assert entry["_SYSTEMD_UNIT"] == "patronus-filterd.service"
    settle(machine)


def test_the_journal_is_searched_by_field(machine):
    """A commit by its revision, as journalctl's own match."""
    machine.run("patronusctl", "set", "FilterSettings", "logInvalid=true", "-m", "for the journal")
    machine.run("patronusctl", "set", "FilterSettings", "logInvalid=false", "-m", "for the journal")
    number = json.loads(machine.run("patronusctl", "-o", "json", "history", "--limit", "1").stdout)["number"]
    machine.run("journalctl", "--sync")
    entries = [json.loads(line) for line in machine.run("journalctl", "-o", "json", f"PATRONUS_REVISION={number}", "-t", "patronus-configd").stdout.splitlines()]
    assert entries and all("MESSAGE_ID" in entry and entry["_SYSTEMD_UNIT"] == "patronus-configd.service" for entry in entries)


@each_daemon
def test_the_log_level_is_changed_while_it_runs(machine, name):
    unit = f"patronus-{name}.service"
    assert machine.run("systemctl", "service-log-level", unit).stdout.strip() == "info"
    machine.run("systemctl", "service-log-level", unit, "debug")
    assert machine.run("systemctl", "service-log-level", unit).stdout.strip() == "debug"
    machine.run("systemctl", "service-log-level", unit, "info")


def test_nothing_was_complained_about(machine):
    """No line of ours in systemd's or the bus's log, and no error of the daemons."""
    log = machine.run("journalctl", "-b", "-o", "short").stdout
    assert not [line for line in log.splitlines() if re.search(r"(Unknown (key|lvalue|section)|Failed to parse|bogus|deprecated).*", line) and "atronus" in line]
    errors = machine.run("journalctl", "-b", "-p", "err", "-o", "cat", "-t", "patronus-filterd", "-t", "patronus-configd").stdout
    assert errors in ("", "-- No entries --\n")
