# SPDX-License-Identifier: GPL-3.0-or-later
"""`meson install`, then docs/INSTALL.md word by word on a machine that has never seen Patronus."""

import contextlib
import json
import re
import socket
import stat

import debian
import netns
import pytest
from machines import DOCUMENT, commands, follow, make_machine, tables

PROGRAMS = ["usr/bin/patronusctl", "usr/lib/patronus/patronus-configd", "usr/lib/patronus/patronus-fetch", "usr/lib/patronus/patronus-filterd",
            "usr/lib/patronus/patronus-firewall", "usr/lib/patronus/patronus-nat64", "usr/lib/patronus/patronus-probe"]
FILES = [
    "usr/lib/systemd/system/patronus-fetch.socket", "usr/lib/systemd/system/patronus-fetch@.service",
    "usr/lib/systemd/system/patronus-configd.service", "usr/lib/systemd/system/patronus-filterd.service",
    "usr/lib/systemd/system/patronus-filterd-early.service", "usr/lib/systemd/system/patronus-firewall.service",
    "usr/lib/systemd/system/patronus-nat64.service", "usr/lib/systemd/system/patronus-nat64.socket",
    "usr/lib/systemd/system/patronus-probe@.service", "usr/lib/systemd/system/patronus-probe.socket",
    "usr/lib/sysusers.d/patronus.conf", "usr/lib/tmpfiles.d/patronus.conf",
    "usr/share/dbus-1/system.d/org.patronus.Config1.conf", "usr/share/dbus-1/system.d/org.patronus.Filter1.conf",
    "usr/share/dbus-1/system-services/org.patronus.Config1.service", "usr/share/dbus-1/system-services/org.patronus.Filter1.service",
    "usr/share/bash-completion/completions/patronusctl", "usr/share/zsh/site-functions/_patronusctl",
    "usr/share/fish/vendor_completions.d/patronusctl.fish", "usr/share/man/man8/patronusctl.8", "usr/share/patronus/initial.yaml",
    "usr/share/polkit-1/actions/org.patronus.policy", "usr/share/polkit-1/rules.d/60-patronus.rules",
]


def units(machine, what):
    return {name: machine.run("systemctl", what, f"patronus-{name}.service", check=False).stdout.strip()
            for name in ("firewall", "filterd", "filterd-early", "configd")}


# --- the tree -----------------------------------------------------------------------------------------------------------


def test_everything_is_installed(installed):
    missing = [name for name in PROGRAMS + FILES if not (installed / name).is_file()]
    assert not missing
    for name in PROGRAMS:
        assert stat.S_IMODE((installed / name).stat().st_mode) == 0o755, name
    for name in FILES:
        assert stat.S_IMODE((installed / name).stat().st_mode) == 0o644, name


def test_init_scripts_are_installed(installed_for_openrc):
    modes = {str(path.relative_to(installed_for_openrc)): stat.S_IMODE(path.stat().st_mode)
             for path in installed_for_openrc.rglob("*") if path.is_file()}
    assert modes == {**{f"etc/init.d/patronus-{name}": 0o755 for name in ("configd", "filterd", "filterd-early", "firewall")},
                     **{f"etc/conf.d/patronus-{name}": 0o644 for name in ("configd", "filterd")}}
    for name in modes:
        assert not re.search(r"@\w+@", (installed_for_openrc / name).read_text()), name


def test_nothing_else_is_installed(installed):
    """Nothing in /var, /run or /home, no setuid, no text that was not filled in, nothing about where it was built."""
    for path in (path for path in installed.rglob("*") if not path.is_dir()):
        name = str(path.relative_to(installed))
        assert re.match(r"(etc|usr/(bin|lib|share))/", name), name
        assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IWGRP), name
        data = path.read_bytes()
        assert str(debian.ROOT).encode() not in data, name
        if not data.startswith(b"\x7fELF") and "dbus-1" not in name:
            assert not re.search(rb"@(libexecdir|bindir|datadir|sysconfdir|statedir|rundir|HARDENING)@", data), name


def test_every_man_page_of_a_kind_is_installed(installed):
    pages = {path.name for path in (installed / "usr/share/man/man5").iterdir()}
    assert "patronus-kinds.5" in pages and len(pages) > 5


def test_the_tree_runs_nothing_sanitized(installed):
    for name in PROGRAMS[:3]:
        assert b"libasan" not in (installed / name).read_bytes()


# --- the document -------------------------------------------------------------------------------------------------------


def test_the_build_commands_are_those_that_the_machines_run_with():
    line = re.search(r"^ +meson setup build (.*)$", DOCUMENT, re.M)[1]
    assert tuple(line.split()) == debian.SETUP


@pytest.fixture(scope="module")
def machine(tmp_path_factory, systemd_tree, installed):
    """A machine that has run for a while when Patronus is installed, by the document."""
    with make_machine(tmp_path_factory, [systemd_tree], {}) as made:
        made.boot()
        assert made.run("getent", "passwd", "patronus-configd", check=False).returncode != 0
        made.install(installed)
        assert follow(made, "With systemd") >= 8
        yield made


def test_users_and_groups(machine):
    for user in ("patronus-configd", "patronus-filterd"):
        fields = machine.run("getent", "passwd", user).stdout.strip().split(":")
        assert 0 < int(fields[2]) < 1000 and fields[6] == "/usr/sbin/nologin"
    assert "patronus-filterd" in machine.run("id", "-nG", "patronus-configd").stdout.split()
    assert machine.run("getent", "group", "patronus").returncode == 0


def test_owners_and_modes_of_the_state(machine):
    listed = machine.shell("cd /var/lib/patronus && find . ! -type l -printf '%p %u %g %m\\n'").stdout.splitlines()
    for line in listed:
        name, user, group, mode = line.split()
        # filterd's own folder holds what it found out at run time, for nobody else.
        own = name == "./filterd" or name.startswith("./filterd/")
        assert user == ("patronus-filterd" if own else "patronus-configd"), line
        assert not int(mode, 8) & 0o022, line
        if name == "./filterd":
            assert (group, mode) == ("patronus-filterd", "700"), line
        if re.fullmatch(r"\./revisions/\d+/filterd\.ndjson", name):
            assert (group, mode) == ("patronus-filterd", "640"), line
    assert any(line.split()[0].endswith("/filterd.ndjson") for line in listed)
    assert ". patronus-configd patronus-configd 755" in listed


def test_run_time_directories(machine):
    assert machine.run("stat", "-c", "%U %a", "/run/patronus/filterd", "/run/patronus/configd").stdout.split("\n")[:2] == [
        "patronus-filterd 755", "patronus-configd 755"]


def test_all_of_it_is_enabled_and_active(machine):
    assert set(units(machine, "is-enabled").values()) == {"enabled"}
    active = units(machine, "is-active")
    assert [active[name] for name in ("firewall", "filterd", "configd")] == ["active"] * 3
    assert tables(machine) == ["table inet patronus"]
    assert machine.run("systemctl", "is-system-running", check=False).stdout.strip() == "running", machine.run("systemctl", "--failed").stdout


def test_the_first_revision_is_the_initial_policy(machine):
    history = machine.run("patronusctl", "-o", "json", "history").stdout
    assert "initial policy, /usr/share/patronus/initial.yaml" in history
    assert machine.run("patronusctl", "export", "--revision", "1").stdout.count("kind:") == 1
    made = [json.loads(line) for line in machine.run("patronusctl", "-o", "json", "audit").stdout.splitlines()]
    made = next(entry for entry in made if entry["revision"] == 1)
    # Read from the caller's processes, from inside of configd's sandbox.
    assert (made["user"], made["unit"], made["result"]) == ("root", "patronus-firewall.service", "ok")


def test_restarting_the_whole_restarts_the_daemons_and_keeps_the_revision(machine):
    before = [machine.main_pid(f"patronus-{name}") for name in ("configd", "filterd")]
    revision = machine.run("patronusctl", "-o", "json", "history", "--limit", "1").stdout
    assert follow(machine, "Upgrading") == 5
    assert not set(before) & {machine.main_pid(f"patronus-{name}") for name in ("configd", "filterd")}
    assert machine.run("patronusctl", "-o", "json", "history", "--limit", "1").stdout == revision


def test_stopping_keeps_the_ruleset_in_force(machine):
    before = machine.run("nft", "-s", "list", "ruleset").stdout
    machine.run("systemctl", "stop", "patronus-firewall")
    assert [units(machine, "is-active")[name] for name in ("firewall", "filterd", "configd")] == ["inactive"] * 3
    assert machine.run("nft", "-s", "list", "ruleset").stdout == before
    assert "The ruleset stays in force" in machine.run("journalctl", "-u", "patronus-firewall", "-n", "20", "-p", "notice").stdout
    machine.run("systemctl", "start", "patronus-firewall")
    assert machine.run("nft", "-s", "list", "ruleset").stdout == before


def test_disabling_keeps_it_until_the_table_is_deleted(machine):
    first, second = commands("Stopping it")
    machine.run(*first[0])
    assert tables(machine) == ["table inet patronus"]
    assert set(units(machine, "is-enabled").values()) == {"disabled"}
    machine.run(*second[0])
    assert tables(machine) == []
    machine.power_off()
    machine.boot()
    assert tables(machine) == []
    assert "active" not in units(machine, "is-active").values()
    answer = machine.run("patronusctl", "status", check=False)
    assert answer.returncode == 3 and "patronus-configd" in answer.stderr  # what is disabled is not started by the bus
    machine.run("systemctl", "enable", "--now", "patronus-firewall")
    assert "revision 2" in machine.run("patronusctl", "status").stdout


# --- the first start ----------------------------------------------------------------------------------------------------


def test_a_policy_of_ones_own_is_the_first_revision(new_machine):
    policy = ("apiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: { name: inside }\n"
              "spec: { interfaces: [eth1], input: allow }\n")
    machine = new_machine(files={"/etc/patronus/initial.yaml": policy}).boot()
    machine.run("systemctl", "enable", "--now", "patronus-firewall")
    assert "initial policy, /etc/patronus/initial.yaml" in machine.run("patronusctl", "history").stdout
    assert machine.run("patronusctl", "get", "Zone").stdout.split()[2:]


def test_a_wrong_policy_is_told_and_not_called_in_force(new_machine):
    machine = new_machine(files={"/etc/patronus/initial.yaml": "apiVersion: patronus.firewall/v1\nkind: Zoo\nmetadata: { name: x }\n"}).boot()
    assert machine.run("systemctl", "enable", "--now", "patronus-firewall", check=False).returncode != 0
    assert units(machine, "is-active")["firewall"] == "failed"
    journal = machine.run("journalctl", "-u", "patronus-firewall").stdout
    assert "/etc/patronus/initial.yaml" in journal and "Zoo" in journal
    (machine.path("/etc/patronus/initial.yaml")).unlink()
    machine.run("systemctl", "start", "patronus-firewall")
    assert tables(machine) == ["table inet patronus"]


def test_the_first_start_locks_nobody_out(new_machine):
    """Who sits at its ssh keeps the connection, and gets a new one; other ports are closed."""
    machine = new_machine().boot()
    machine.shell("ip netns add desk; ip link add desk type veth peer name eth0 netns desk; ip link set desk up; ip address add 10.2.0.1/24 dev desk; "
                  "ip -n desk link set eth0 up; ip -n desk address add 10.2.0.2/24 dev eth0")
    with contextlib.ExitStack() as stack:
        listening = {}
        for port in (22, 80):
            with netns.inside(machine.netns()):
                listening[port] = stack.enter_context(socket.create_server(("10.2.0.1", port)))

        def connect(port):
            with netns.inside(machine.netns("desk")):
                made = stack.enter_context(socket.create_connection(("10.2.0.1", port), timeout=2))
            accepted, _ = listening[port].accept()
            stack.enter_context(accepted)
            accepted.settimeout(5)
            return made, accepted

        def speak(client, server):
            client.sendall(b"id\n")
            assert server.recv(16) == b"id\n"
            server.sendall(b"root\n")
            assert client.recv(16) == b"root\n"

        session = connect(22)
        speak(*session)
        speak(*connect(80))
        machine.run("systemctl", "enable", "--now", "patronus-firewall")
        speak(*session)
        speak(*connect(22))
        with pytest.raises(TimeoutError):
            connect(80)
