# SPDX-License-Identifier: GPL-3.0-or-later
"""Administrators who log in from the lan through the firewall that they change, by a real OpenSSH server in the router."""

import re
import time

import dbus
import dbus.bus
import pytest

import lab as lab_module
import ssh

CONFIG = "org.patronus.Config1"
LATE_S = 1
ERASE = "\r\x1b[K"
ZONES = "".join(f"---\napiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: {{ name: {zone} }}\nspec: {{ interfaces: [{zone}] }}\n"
                for zone in ("wan", "lan"))
SSH = """---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {{ name: ssh }}
spec: {{ action: {action}, from: lan, to: router, protocol: tcp, destination: {{ ports: [22] }} }}
"""


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Configd:
    """Its properties, which outlive its restarts."""

    def __init__(self, lab):
        self.bus = dbus.bus.BusConnection(lab.bus)

    def __getattr__(self, name):
        return int(self.bus.call_blocking(CONFIG, "/org/patronus/Config1", "org.freedesktop.DBus.Properties", "Get", "ss", (CONFIG, name)))

    @property
    def deadline(self):
        return self.ConfirmDeadlineUSec / 1e6


@pytest.fixture
def server(lab, tmp_path):
    """The lan may log in at the router."""
    lab.apply(ZONES + SSH.format(action="allow"))
    (tmp_path / "open.yaml").write_text(SSH.format(action="allow"))
    (tmp_path / "cut.yaml").write_text(SSH.format(action="drop"))
    with ssh.Server(lab, tmp_path) as made:
        yield made


@pytest.fixture
def ctl(lab):
    return [str(lab_module.build_dir() / "cli/patronusctl"), "--bus", lab.bus]


@pytest.fixture
def configd(lab):
    return Configd(lab)


def restored(server, deadline, host="lan"):
    """Seconds after the deadline until new connections come in again; none comes in before it."""
    while not server.answers(host):
        assert boottime() < deadline + LATE_S, "new connections are refused still"
    late = boottime() - deadline
    assert late > -0.01, f"new connections came in {-late:.3f} s before the end of the window"
    return late


def test_locked_out_and_back(server, ctl, configd, tmp_path):
    """The whole story, as the administrator sees it."""
    with server.login("lan") as other:
        with server.screen("lan", "env", "NO_COLOR=1", *ctl, "apply", "-f", tmp_path / "cut.yaml", "--confirm", "5") as screen:
            screen.wait_for("5 s to confirm: open a new connection and run: patronusctl confirm")
            deadline = configd.deadline
            status, text = other.run(*ctl, "confirm")
            assert status == 1 and "Your connection is older than revision 2" in text
            assert not server.answers("lan"), "a new connection came in"
            screen.wait_for("2 s to confirm")  # the old ones go on
            late = restored(server, deadline)
            status, text = screen.finish()
        assert status == 5 and text.rstrip().endswith(ERASE + "error: revision 2 was taken back: it was not confirmed")
        assert late < LATE_S and configd.ConfirmedRevision == 3
        status, text = other.run(*ctl, "history")
        assert status == 0 and re.search("^ *3 .* configd +running .* revision 2 was not confirmed$", text, re.M), text
        assert re.search("^ *2 .* root +taken back ", text, re.M), text


@pytest.mark.parametrize("address", [ssh.ROUTER["lan"], ssh.ROUTER6["lan"]])
def test_auto(server, ctl, configd, tmp_path, address):
    """What cuts new logins off is armed, what does not is not, and which connection that is, is found."""
    with server.login("lan", address=address) as admin:
        (tmp_path / "harmless.yaml").write_text(SSH.format(action="allow").replace("[22]", "[22, 443]"))
        status, text = admin.run("env", "-u", "SSH_CONNECTION", *ctl, "plan", "-f", tmp_path / "harmless.yaml")
        ends = re.search(r"^confirmation: none: new connections like yours \((\S+) \d+ (\S+) 22\) pass$", text, re.M)
        assert status == 0 and ends and ends.group(2) == address, text
        status, text = admin.run(*ctl, "apply", "-f", tmp_path / "harmless.yaml")
        assert status == 0 and "confirm" not in text and configd.ConfirmedRevision == 2, text

        status, text = admin.run(*ctl, "apply", "-f", tmp_path / "cut.yaml")
        assert status == 4 and "FirewallRule/ssh" in re.search("new connections like yours would be refused; filterd: (.*)", text).group(1), text
        assert not server.answers("lan", address) and configd.ConfirmRevision == 3
        status, text = admin.run(*ctl, "revert", "2")
        assert status == 0, text
        assert server.answers("lan", address) and (configd.ConfirmRevision, configd.ConfirmedRevision) == (0, 4)


def test_a_new_connection_confirms(server, ctl, configd, tmp_path):
    """And a second session in an old one does not, however new it is."""
    shared = ("-o", f"ControlPath={tmp_path}/master")
    with server.login("lan", options=("-o", "ControlMaster=yes", *shared)) as old:
        status, text = old.run(*ctl, "set", "FirewallRule/web", "action=allow", "--confirm", "60")
        assert status == 4 and "revision 2 is taken back in 60 s unless it is confirmed" in text
        with server.login("lan", options=("-o", "ControlMaster=no", *shared)) as second:
            status, text = second.run(*ctl, "confirm")
            assert status == 1 and "Your connection is older than revision 2" in text
        with server.login("lan", address=ssh.ROUTER6["lan"]) as new:
            assert new.run(*ctl, "confirm") == (0, "revision 2 is confirmed\n")
    assert (configd.ConfirmRevision, configd.ConfirmedRevision) == (0, 2)
