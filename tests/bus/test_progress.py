# SPDX-License-Identifier: GPL-3.0-or-later
"""What patronusctl shows while something takes long, and what Ctrl-C does to it: a participant whose steps hang."""

import os
import re
import signal

import pytest

import terminal
from config_harness import rule, wait_until

TRIES = 20
ERASE = "\r\x1b[K"


@pytest.fixture
def ctl(configd, build_dir, tmp_path):
    """patronusctl applying a rule, on a terminal."""
    def start(name="web", term="xterm"):
        policy = tmp_path / f"{name}.yaml"
        policy.write_text(rule(name))
        return terminal.opened([build_dir / "cli/patronusctl", "--bus", configd.address, "apply", "-f", policy],
                               env={**os.environ, "TERM": term, "NO_COLOR": "1"})

    return start


def was_called(configd, method):
    wait_until(lambda: method in configd.participant.methods(), f"a call of {method}")


def test_what_is_quick_shows_nothing(ctl):
    for number in range(TRIES):  # a busy machine may be slow once, and twice
        with ctl(f"web-{number}") as screen:
            status, text = screen.finish()
        assert status == 0
        if ERASE not in text:
            assert text.startswith(f"+ FirewallRule/web-{number}\n")
            return
    pytest.fail(f"it is shown each time: {text!r}")


def test_phase_and_time_are_shown_and_erased(configd, client, ctl):
    configd.participant.on("Verify", "unverified")
    with ctl() as screen:
        first = int(screen.wait_for_match(r"looking whether it took \(filterd\), (\d+) s \(Ctrl-C gives it up\)")[1])
        screen.wait_for_match(rf"looking whether it took \(filterd\), (?!{first} s)\d+ s")  # it goes on counting
        configd.participant.on("Verify", "")
        status, text = screen.finish()
    assert status == 0 and client.revision == 1
    *lines, rest = text.split(ERASE)
    assert re.fullmatch(r"\+ FirewallRule/web\nrevision 1 is in force \(1 created; \d+ ms\)\n", rest), "the line is gone when the result comes"
    assert all(re.fullmatch(r"(|[-|/\\] [a-z ]+( \(filterd\))?, \d+ s \(Ctrl-C gives it up\))", line, re.I) for line in lines)


def test_interrupt_before_it_is_decided_gives_it_up(configd, client, ctl):
    configd.participant.on("Plan", "silent")
    with ctl() as screen:
        screen.wait_for("the daemons plan (filterd), ")
        assert client.prop("Phase") == "plan"
        screen.type("\x03")
        status, text = screen.finish()
    assert status == 1 and client.revision == 0 and client.prop("Phase") == ""
    assert text.split(ERASE)[-1].replace("^C", "").endswith(
        "giving it up, unless it is decided; Ctrl-C again leaves\n"
        "error: it was cancelled before anything was decided\nnothing was changed\n")
    was_called(configd, "Abort")
    configd.participant.on("Plan", "")
    client.accept(rule("other"))
    assert client.names() == ["other"]


def test_interrupt_without_a_line(configd, client, ctl):
    configd.participant.on("Plan", "silent")
    with ctl(term="dumb") as screen:
        was_called(configd, "Plan")
        screen.type("\x03")
        status, text = screen.finish()
    assert status == 1 and "cancelled before anything was decided" in text and ERASE not in text and client.revision == 0


def test_interrupt_when_it_is_too_late(configd, client, ctl):
    configd.participant.on("Verify", "unverified")
    with ctl() as screen:
        screen.wait_for("looking whether it took")
        screen.type("\x03")
        screen.wait_for("too late to give it up: it goes on\n")
        configd.participant.on("Verify", "")
        status, text = screen.finish()
    assert status == 0 and text.split(ERASE)[-1].endswith(" ms)\n") and client.revision == 1


def test_second_interrupt_leaves(configd, client, ctl):
    configd.participant.on("Plan", "silent")
    with ctl() as screen:
        screen.wait_for("the daemons plan")
        os.kill(configd.process.process.pid, signal.SIGSTOP)
        try:
            screen.type("\x03")
            screen.wait_for("Ctrl-C again leaves\n")
            screen.type("\x03")
            status, text = screen.finish()
        finally:
            os.kill(configd.process.process.pid, signal.SIGCONT)
    assert status == -signal.SIGINT
    assert text.endswith('left; whether the change is in force is not known; look with "patronusctl status"\n')
    wait_until(lambda: client.prop("Phase") == "", "end of what the client asked to be given up")


def test_interrupt_of_a_plan_leaves_nothing_behind(configd, client, build_dir, tmp_path):
    configd.participant.on("Plan", "silent")
    (tmp_path / "policy.yaml").write_text(rule("web"))
    with terminal.opened([build_dir / "cli/patronusctl", "--bus", configd.address, "plan", "-f", tmp_path / "policy.yaml"],
                         env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}) as screen:
        screen.wait_for("the daemons plan (filterd), ")
        assert client.config("Cancel") == False  # noqa: E712: it is another client's
        screen.type("\x03")
        status, text = screen.finish()
    assert status == -signal.SIGINT and text.replace("^C", "").endswith(ERASE), "the line is gone"
    wait_until(lambda: client.prop("Phase") == "", "end of the plan")


def test_interrupt_while_others_are_before(configd, client, ctl):
    """A call that waits for its turn is given up; the commit under way is somebody else's."""
    configd.participant.on("Plan", "silent")
    with ctl("first") as first:
        first.wait_for("the daemons plan")
        with ctl("second") as second:
            second.wait_for(" s (Ctrl-C")
            second.type("\x03")
            status, text = second.finish()
        assert status == 1 and "it was cancelled before anything was done\nnothing was changed\n" in text
        assert client.prop("Phase") == "plan"
        first.type("\x03")
        status, text = first.finish()
        assert status == 1 and "before anything was decided" in text
    assert client.config("Cancel") == False  # noqa: E712: a D-Bus boolean
