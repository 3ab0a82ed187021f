# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits to be confirmed: armed by plans, kept over the end of configd, taken back in time, confirmed by whom.

Callers that logged in are programs below a shell that is called as the ssh server is; the real one is in
tests/netns/test_confirm.py. Windows are of 5 seconds, the least that there is.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import socket
import subprocess
import termios

import dbus
import dbus.bus
import dbus.mainloop.glib
import pytest
from gi.repository import GLib

import boottime
import terminal
from config_harness import CONFIG_NAME, CONFIG_PATH, WAIT_S, codes, error_name, explain, rule, wait_until
from login import Login

WINDOW_S = 5
LATE_S = 10  # a deadline is kept within this on a machine that does much else
HERE = "203.0.113.5 40000 203.0.113.1 22"
KEEPERS = {"sshd", "sshd-session", "dropbear", "tmux: server", "screen", "mosh-server", "zellij", "dtach", "abduco"}
ERASE = "\r\x1b[K"


def remote_here():
    """Whether whoever runs the tests came over the network, for all that configd can know."""
    pid = os.getpid()
    while pid:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:]
        if name in KEEPERS:
            return True
        pid = int(rest.split()[1])
    return False


@pytest.fixture
def login(tmp_path):
    """login(): one that begins now."""
    with contextlib.ExitStack() as stack:
        def make(**environment):
            return stack.enter_context(contextlib.closing(Login(tmp_path, environment)))

        yield make


@pytest.fixture
def ctl(configd, build_dir):
    """The words of a patronusctl command for this configd."""
    return lambda *words: [build_dir / "cli/patronusctl", "--bus", configd.address, *words]


@pytest.fixture
def based(configd):
    """Revision 1 is confirmed: one rule."""
    configd.client.accept(rule("base"))
    return configd


def waits(client):
    """The revision that waits, and its deadline in seconds."""
    return int(client.prop("ConfirmRevision")), int(client.prop("ConfirmDeadlineUSec")) / 1e6


def revisions(client):
    return {int(row["number"]): row for row in client.config("ListRevisions", "a{sv}", {})}


def confirm(client, revision, **options):
    client.config("Confirm", "ta{sv}", dbus.UInt64(revision), options)


def taken_back(setup, deadline, revision=2):
    """The content of the revision before is in force, in time, and all say so."""
    client = setup.client
    wait_until(lambda: client.revision == revision + 1, f"the end of revision {revision}")
    late = boottime.now() - deadline
    assert -0.01 < late < LATE_S, f"{late:.3f} s after the deadline"
    assert waits(client) == (0, 0) and client.prop("ConfirmedRevision") == revision + 1
    assert client.names() == ["base"] and setup.participant.root == client.root
    made, gone = revisions(client)[revision + 1], revisions(client)[revision]
    assert (made["author"], made["comment"]) == ("configd", f"revision {revision} was not confirmed")
    assert gone["confirmedUSec"] == 0 and made["confirmedUSec"] > 0
    return late


# --- the deadline


def test_what_is_not_confirmed_is_taken_back(based):
    client, seen = based.client, []
    listener = dbus.bus.BusConnection(based.address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
    listener.add_signal_receiver(lambda *args, member: seen.append((str(member), int(args[0]), args[1])), dbus_interface=CONFIG_NAME,
                                 member_keyword="member")
    reply = client.accept(rule("new"), confirm=str(WINDOW_S), comment="try it")
    assert (reply["confirmUSec"], reply["confirmWhy"]) == (WINDOW_S * 1000000, "it was asked for")
    revision, deadline = waits(client)
    assert revision == 2 and 0 < deadline - boottime.now() <= WINDOW_S
    assert client.prop("ConfirmedRevision") == 1 and client.names() == ["base", "new"]
    taken_back(based, deadline)
    wait_until(lambda: not GLib.MainContext.default().iteration(False) and len(seen) >= 3, "the signals")
    listener.close()
    assert [(member, number) for member, number, _ in seen] == [("Committed", 2), ("Committed", 3), ("Reverted", 2)]
    assert seen[2][2] == 3
    client.accept(rule("next"))


@pytest.mark.parametrize("dead_s", [1, WINDOW_S + 0.5], ids=["back before", "back after"])
def test_end_of_configd(based, dead_s):
    """Killed while it waits: the deadline is kept by the next one, and one that is over when it starts is over."""
    client = based.client
    client.accept(rule("new"), confirm=str(WINDOW_S))
    _, deadline = waits(client)
    based.process.kill()
    boottime.until(deadline - WINDOW_S + dead_s)
    based.start()
    taken_back(based, max(deadline, boottime.now()))


@pytest.mark.skipif(os.geteuid() != 0, reason="another boot is a mount over /proc/sys/kernel/random/boot_id")
def test_another_boot(based, tmp_path):
    """After a power cut the time is over, however much of it was left."""
    client = based.client
    client.accept(rule("new"), confirm="3600")
    based.process.kill()
    other = tmp_path / "boot_id"
    other.write_text("00000000-1111-4222-8333-444444444444\n")
    other.chmod(0o644)
    # What a daemon has after another boot is what it read itself: the confirmed revision.
    root = str(revisions_of_store(based)[1])
    based.participant.script("Force", "s", root)
    based.start(wrap=["unshare", "--mount", "sh", "-c", f"mount --bind {other} /proc/sys/kernel/random/boot_id && "
                      'exec setpriv --reuid=patronus-configd --regid=patronus-configd --init-groups "$@"', "sh"])
    taken_back(based, boottime.now())
    assert "Commit" in based.participant.methods()


def revisions_of_store(setup):
    """Number: root, from the journal."""
    return {int(number): root for number, root in
            re.findall(r'"number":(\d+)[^\n]*?"root":"([0-9a-f]{64})"', (setup.state / "journal").read_text())}


def test_a_trial_makes_place(based):
    """Somebody's plan hangs when the time is over."""
    client = based.client
    client.accept(rule("new"), confirm=str(WINDOW_S))
    _, deadline = waits(client)
    based.participant.on("Plan", "once:silent")
    with client.memfd(rule("trial")) as file:
        answers = []
        trial = dbus.bus.BusConnection(based.address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
        trial.call_async(CONFIG_NAME, CONFIG_PATH, CONFIG_NAME, "Apply", "ha{sv}", (dbus.types.UnixFd(file), {"dryRun": True}),
                         answers.append, answers.append)
        wait_until(lambda: client.prop("Phase") == "plan", "the trial")
        taken_back(based, deadline)
        wait_until(lambda: not GLib.MainContext.default().iteration(False) and answers, "the trial's answer")
        trial.close()
    assert codes(answers[0]) == {"cancelled"}


def test_it_is_tried_again(based):
    """A daemon that refuses: an alarm, and another attempt until it does not."""
    client = based.client
    client.accept(rule("new"), confirm=str(WINDOW_S))
    based.participant.on("Plan", "refuse")

    def daemon(name):
        return client.call(CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", "org.patronus.Daemon1", name)

    wait_until(lambda: "confirm" in daemon("Conditions"), "the alarm")
    assert daemon("State") == "degraded"
    assert re.fullmatch("revision 2 was not confirmed and cannot be taken back yet: .*Plan is refused", daemon("Conditions")["confirm"])
    assert codes(client.apply(rule("other"))) == {"confirm-pending"}
    based.participant.on("Plan", "")
    taken_back(based, boottime.now())
    wait_until(lambda: daemon("State") == "running" and not daemon("Conditions"), "the end of the alarm")


def test_a_daemon_that_is_down(based):
    """What is confirmed is decided without it, and it gets that when it comes back with what is not."""
    client = based.client
    client.accept(rule("new"), confirm=str(WINDOW_S))
    root, (_, deadline) = based.participant.root, waits(client)
    based.participant.kill()
    wait_until(lambda: client.revision == 3, "the end of revision 2")
    assert -0.01 < boottime.now() - deadline < LATE_S and waits(client) == (0, 0) and client.names() == ["base"]
    based.start_participant(root)
    back = boottime.now()
    wait_until(lambda: based.participant.root == client.root, "the confirmed content")
    assert boottime.now() - back < LATE_S


@pytest.mark.skipif(os.geteuid() != 0, reason="as another user, it takes root")
def test_the_disk_is_full(based):
    """Nothing can be written: the daemon gets what is confirmed in time all the same, and the record follows when there is room."""
    client = based.client
    based.process.end()
    based.start_with_limits()
    root = client.root
    client.accept(rule("new"), confirm=str(WINDOW_S))
    _, deadline = waits(client)
    based.full_disk((based.state / "journal").stat().st_size)
    wait_until(lambda: based.participant.root == root, "the confirmed content in the daemon")
    assert -0.01 < boottime.now() - deadline < LATE_S and waits(client)[0] == 2
    with pytest.raises(dbus.exceptions.DBusException) as error:
        confirm(client, 2)
    assert error_name(error) == "Timeout"
    based.full_disk("unlimited")
    taken_back(based, boottime.now())


def test_what_is_confirmed_is_damaged(based):
    """Its file is lost with configd's memory of it: an older confirmed one is still better than what nobody confirmed."""
    client = based.client
    client.accept("".join(rule(f"kept-{number}") for number in range(300)))  # too many for the journal
    client.accept(rule("new"), confirm=str(WINDOW_S))
    _, deadline = waits(client)
    based.process.kill()
    for path in (based.state / "revisions" / "2").glob("*.ndjson"):
        path.write_bytes(path.read_bytes()[:-20])
    based.start()
    taken_back(based, deadline, revision=3)


# --- meanwhile


def test_one_at_a_time(based):
    client = based.client
    client.accept(rule("new"), confirm="60")
    reply = client.apply(rule("other"))
    assert codes(reply) == {"confirm-pending"} and "revert to revision 1" in explain(reply)
    session = client.open()
    session.set("FirewallRule", "other", {"action": "drop"})
    assert codes(session.commit()) == {"confirm-pending"}
    assert session.plan()["accepted"], "a trial changes nothing"
    assert codes(client.config("Revert", "ta{sv}", dbus.UInt64(0), {})) == {"confirm-pending"}
    assert waits(client)[0] == 2

    reply = client.config("Revert", "ta{sv}", dbus.UInt64(1), {"confirm": "30"})
    assert reply["accepted"] and (reply["revision"], reply["confirmUSec"]) == (3, 0), explain(reply)
    assert waits(client) == (0, 0) and client.prop("ConfirmedRevision") == 3
    assert client.names() == ["base"] and revisions(client)[2]["confirmedUSec"] == 0
    assert session.commit(merge=True)["accepted"]


@pytest.mark.parametrize("options", [{"confirm": "4"}, {"confirm": "3601"}, {"confirm": "soon"}, {"confirm": "-5"}, {"confirm": ""},
                                     {"connection": ""}, {"connection": "here"}, {"connection": "10.0.0.1 1 fd00::1 22"},
                                     {"connection": "10.0.0.1 1 10.0.0.2 65536"}, {"connection": "10.0.0.1 1 10.0.0.2 22 x"}],
                         ids=str)
def test_bad_options(client, options):
    with pytest.raises(dbus.exceptions.DBusException) as error:
        client.apply(rule("web"), **options)
    assert error_name(error) == "Invalid" and client.revision == 0


# --- auto


@pytest.mark.parametrize(("cuts", "armed", "why"), [
    ("no", False, r"new connections like yours \(203.0.113.5 40000 203.0.113.1 22\) pass"),
    ("yes:FirewallRule/x drops them", True, "new connections like yours would be refused; filterd: FirewallRule/x drops them"),
    ("unknown:no idea", True, "whether new connections like yours would be refused cannot be told; filterd: no idea"),
    ("", True, "whether new connections like yours would be refused cannot be told; filterd"),
])
def test_auto_from_afar(based, login, ctl, tmp_path, cuts, armed, why):
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))
    based.participant.cuts(cuts)
    user = login(SSH_CONNECTION=HERE, PATRONUS_CONFIRM="auto")
    status, text = user.run(*ctl("plan", "-f", policy))
    assert status == 0 and re.search(rf"^confirmation: {'within 60 s' if armed else 'none'}: {why}$", text, re.M), text
    before = boottime.now()
    status, text = user.run(*ctl("apply", "-f", policy))
    after = boottime.now()
    assert status == (4 if armed else 0), text
    assert based.participant.administrators()[-2:] == [HERE, HERE]
    assert waits(based.client)[0] == (2 if armed else 0)
    if armed:
        assert re.search(rf"^it must be confirmed: {why}$", text, re.M), text
        assert ("revision 2 is taken back in 60 s unless it is confirmed: open a new connection and run: patronusctl confirm 2\n") in text
        assert before + 60 <= waits(based.client)[1] <= after + 60


def test_auto_without_a_known_connection(based, login, ctl, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))
    user = login(SSH_CONNECTION="UNKNOWN 65535 UNKNOWN 65535", PATRONUS_CONFIRM="auto")
    status, text = user.run(*ctl("apply", "-f", policy))
    assert status == 4 and "by which connection is not known" in text
    assert based.participant.administrators()[-1] == ""


@pytest.mark.skipif(remote_here(), reason="these tests are run over the network, or in tmux")
def test_auto_at_the_machine(based):
    based.participant.cuts("unknown:no idea")
    reply = based.client.accept(rule("a"), confirm="auto", connection=HERE)
    assert (reply["confirmUSec"], reply["confirmWhy"]) == (0, "you did not come over the network")
    reply = based.client.accept(rule("b"), confirm="auto")
    assert (reply["confirmUSec"], reply["confirmWhy"]) == (0, "you did not come over the network")


def test_never(based, login, ctl, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))
    based.participant.cuts("yes:all of it")
    user = login(SSH_CONNECTION=HERE, PATRONUS_CONFIRM="auto")
    status, text = user.run(*ctl("apply", "-f", policy, "--confirm", "never"))
    assert status == 0 and "confirm" not in text
    assert waits(based.client) == (0, 0) and based.client.prop("ConfirmedRevision") == 2


# --- who may


def test_an_older_connection_proves_nothing(based, login, ctl):
    old = login()
    based.client.accept(rule("new"), confirm="60")
    status, text = old.run(*ctl("confirm"))
    assert status == 1 and "Your connection is older than revision 2, so it does not prove that new ones come in: log in anew" in text
    with pytest.raises(dbus.exceptions.DBusException) as error:
        confirm(based.client, 2)
    assert error_name(error) == "NotAuthorized"
    loop = login(SSH_CONNECTION="203.0.113.1 40001 203.0.113.1 22")
    status, text = loop.run(*ctl("confirm"))
    assert status == 1 and "came from this machine itself" in text
    assert waits(based.client)[0] == 2, "nothing of this confirmed it"

    new = login(SSH_CONNECTION=HERE)
    assert new.run(*ctl("confirm", "1")) == (1, "error: Revision 2 waits to be confirmed, not 1; run the command again\n")
    assert new.run(*ctl("confirm")) == (0, "revision 2 is confirmed\n")
    assert waits(based.client) == (0, 0) and based.client.prop("ConfirmedRevision") == 2
    assert revisions(based.client)[2]["confirmedUSec"] > 0
    assert new.run(*ctl("confirm", "2"))[0] == 0, "it is so already"
    assert new.run(*ctl("confirm"))[0] == 1 and new.run(*ctl("confirm", "1"))[0] == 1
    based.client.accept(rule("next"))


def test_tmux_hides_who_sits_there(based, login, ctl, tmp_path):
    based.client.accept(rule("new"), confirm="60")
    shutil.copy("/bin/sh", tmp_path / "tmux: server")
    words = " ".join(map(str, ctl("confirm")))
    status, text = login().run(tmp_path / "tmux: server", "-c", f"{words}; exit $?")
    assert status == 1 and "tmux or its like is between" in text


def test_tmux_may_remember_a_login_that_is_gone(based, ctl, login, tmp_path):
    """What the environment there says counts while that connection exists."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))
    shutil.copy("/bin/sh", tmp_path / "tmux: server")
    words = " ".join(map(str, ctl("plan", "-f", policy)))
    user = login(PATRONUS_CONFIRM="auto")

    def plan(connection):
        return user.run("env", f"SSH_CONNECTION={connection}", tmp_path / "tmux: server", "-c", f"{words}; exit $?")

    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((host, 0), family=family) as server, socket.create_connection(server.getsockname()[:2]) as client:
            peer, _ = server.accept()
            here = " ".join(str(word) for end in (client, peer) for word in end.getsockname()[:2])
            status, text = plan(here)
            assert status == 0 and "confirmation: none: new connections like yours" in text
            assert based.participant.administrators()[-1] == here
            peer.close()
    status, text = plan(here)
    assert status == 0 and re.search("^confirmation: within 60 s: .*by which connection is not known", text, re.M), text
    assert based.participant.administrators()[-1] == ""


def test_the_confirmation_is_kept(based, login, ctl):
    """Confirmed, and configd killed at once: it does not wait any more."""
    based.client.accept(rule("new"), confirm=str(WINDOW_S))
    _, deadline = waits(based.client)
    assert login().run(*ctl("confirm"))[0] == 0
    based.process.kill()
    based.start()
    assert waits(based.client) == (0, 0) and based.client.prop("ConfirmedRevision") == 2
    boottime.until(deadline + 0.2)  # nothing happens then
    assert based.client.revision == 2


def test_every_command_that_commits(based, ctl, tmp_path):
    """Each leaves with 4, and edit keeps the text."""
    environment = {**os.environ, "EDITOR": "sed -i s/allow/drop/", "TMPDIR": str(tmp_path)}
    commands = (["set", "FirewallRule/base", "priority=7"], ["edit", "FirewallRule/base"], ["delete", "FirewallRule/base"],
                ["rename", "FirewallRule/base", "basis"], ["revert", "2"])
    for command in commands:
        done = subprocess.run(ctl(*command, "--confirm", "60"), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 4 and "unless it is confirmed" in done.stderr and "nothing was changed" not in done.stderr, done
        if command[0] == "edit":
            path = re.search("^the text is in (.*)$", done.stderr, re.M).group(1)
            assert "action: drop" in pathlib.Path(path).read_text()
        assert subprocess.run(ctl("revert", str(based.client.prop("ConfirmedRevision"))), capture_output=True, check=False).returncode == 0
        assert waits(based.client) == (0, 0) and based.client.names() == ["base"]


@pytest.mark.parametrize("value", ["4", "3601", "soon", ""])
def test_bad_windows_are_usage_errors(ctl, value):
    done = subprocess.run(ctl("delete", "FirewallRule/base", f"--confirm={value}"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2, f'error: --confirm is auto, never, or a number of seconds from 5 to 3600, not "{value}"\n')


# --- patronusctl on a terminal


@pytest.fixture
def screen(based, ctl, tmp_path):
    """patronusctl applying a rule there, for a window."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))

    def start(window, **options):
        return terminal.opened(ctl("apply", "-f", policy, "--confirm", str(window)),
                               env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}, **options)

    return start


def test_countdown_to_the_end(based, screen):
    with screen(WINDOW_S) as shown:
        shown.wait_for(" s to confirm: ")
        _, deadline = waits(based.client)
        status, text = shown.finish()
        taken_back(based, max(deadline, boottime.now()))
    assert status == 5 and text.endswith(ERASE + "error: revision 2 was taken back: it was not confirmed\n")
    lines = [line for line in text.split(ERASE) if "to confirm" in line]
    shown = [int(re.fullmatch(r"([1-5]) s to confirm: open a new connection and run: patronusctl confirm", line)[1]) for line in lines]
    assert shown and shown == sorted(set(shown), reverse=True)  # a busy machine may not come to each second


def test_countdown_until_it_is_confirmed(based, screen, login, ctl):
    with screen(60, size=(24, 30)) as shown:
        shown.wait_for("60 s to confirm: ")
        based.process.kill()
        based.start()  # it goes on waiting
        shown.wait_for("59 s to confirm: ")
        status, text = login().run(*ctl("status"))
        assert re.search(r"^ *2 .* root +not confirmed ", login().run(*ctl("history"))[1], re.M)
        assert status == 0 and re.search("^not confirmed: in 5[0-9]s it is taken back to revision 1; to keep it, ", text, re.M), text
        assert login().run(*ctl("confirm"))[0] == 0
        status, text = shown.finish()
    assert status == 0 and text.endswith(ERASE + "revision 2 is confirmed\n")
    assert all(len(line) < 30 for line in text.split(ERASE)[1:-1]), "a line that wraps cannot be drawn again"


class Console:
    """A virtual console of the machine that nobody uses: a program at it, what its screen shows, and keys."""

    NUMBER = 59

    def __init__(self, command, **environment):
        try:
            self.fd = os.open(f"/dev/tty{self.NUMBER}", os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            pytest.skip(f"this machine has no virtual consoles: {error}")
        os.write(self.fd, b"\033c")  # an empty screen
        self.process = subprocess.Popen(list(map(str, command)), stdin=self.fd, stdout=self.fd, stderr=self.fd, start_new_session=True,
                                        env={**os.environ, "TERM": "linux", **environment},
                                        preexec_fn=lambda: fcntl.ioctl(self.fd, termios.TIOCSCTTY, 0))

    def shows(self, words):
        """Whether the words are on the screen, of which each line is as wide as it."""
        with open(f"/dev/vcs{self.NUMBER}", "rb") as screen:
            return words in " ".join(screen.read().decode(errors="replace").split())

    def type(self, keys):
        for key in keys:
            fcntl.ioctl(self.fd, termios.TIOCSTI, key.encode())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)


@pytest.mark.skipif(os.geteuid() != 0 or remote_here(), reason="a console is root's, and not of one who came over the network")
def test_enter_at_the_console(based, ctl, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(rule("new"))
    with contextlib.closing(Console(ctl("apply", "-f", policy, "--confirm", "60"))) as console:
        wait_until(lambda: console.shows("s to confirm: press Enter, or run elsewhere: patronusctl confirm"), "the countdown")
        assert waits(based.client)[0] == 2
        console.type("\n")
        assert console.process.wait(WAIT_S) == 0
        assert console.shows("revision 2 is confirmed")
    assert waits(based.client) == (0, 0) and based.client.prop("ConfirmedRevision") == 2
    # Whoever logged in before the change and walks to the console may.
    based.client.accept(rule("more"), confirm="60")
    with contextlib.closing(Console(ctl("confirm"))) as console:
        assert console.process.wait(WAIT_S) == 0
    assert waits(based.client) == (0, 0)


def test_leaving_leaves_it_running(based, screen):
    with screen(60) as shown:
        shown.wait_for("60 s to confirm: ")
        shown.type("\x03")
        status, text = shown.finish()
    assert status == 4 and re.search("revision 2 is taken back in (60|59) s unless it is confirmed: open a new connection", text)
    assert waits(based.client)[0] == 2


def test_a_terminal_for_errors_alone_is_nobody_who_waits(based, screen):
    with screen(60, streams=("stderr",)) as shown:
        status, text = shown.finish()
    assert status == 4 and "revision 2 is taken back in 60 s" in text and ERASE not in text
