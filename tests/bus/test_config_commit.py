# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits that go wrong, with a participant that does as it is told; and what a restart makes of them."""

import threading

import dbus
import dbus.bus
import dbus.mainloop.glib
import pytest
from gi.repository import GLib

from config_harness import CONFIG_NAME, codes, explain, rule, wait_until


# Enough that a delta is shorter than the whole.
BASE = rule("base") + rule("x") + rule("y") + rule("z")
NAMES = ["base", "x", "y", "z"]


def assert_nothing_happened(configd, revision, root):
    client = configd.client
    assert (client.revision, client.root) == (revision, root)
    configd.settled()


@pytest.fixture
def based(configd):
    """Revision 1 is running."""
    configd.client.accept(BASE)
    configd.base_root = configd.client.root
    return configd


def test_an_atomic_participant_is_not_asked_to_prepare(configd):
    configd.client.accept(rule("a"))
    assert configd.participant.methods() == ["Plan", "Commit", "Verify"]


def test_another_one_is(configd):
    configd.participant.script("Guarantee", "s", "compensated")
    reply = configd.client.accept(rule("a"))
    assert configd.participant.methods() == ["Plan", "Prepare", "Commit", "Verify"]
    assert reply["guarantee"] == "compensated"


def test_each_daemon_s_plan_is_told(configd):
    plan = {"daemon": "filterd", "engine": "script", "guarantee": "atomic", "impact": "live", "prepareUSec": 1000,
            "commitUSec": 1000, "stage": "filter"}
    assert [dict(entry) for entry in configd.client.apply(rule("a"), dryRun=True)["plans"]] == [plan]
    assert [dict(entry) for entry in configd.client.accept(rule("a"))["plans"]] == [plan]
    assert configd.client.accept(rule("a"))["plans"] == [], "nobody takes part when nothing changes"


@pytest.mark.parametrize("step", ["Plan", "Prepare"])
def test_a_refusal_before_the_intent_leaves_everything(based, step):
    based.participant.script("Guarantee", "s", "compensated")
    based.participant.on(step, "refuse")
    reply = based.client.apply(rule("a"))
    assert not reply["accepted"] and reply["revision"] == 0
    assert [tuple(map(str, entry)) for entry in reply["diagnostics"]] == [
        ("error", "FirewallRule/web#/spec/action", "refused-by-script", f"{step} is refused")]
    assert based.participant.methods().count("Commit") == 1, "that of the base"
    assert_nothing_happened(based, 1, based.base_root)
    based.participant.on(step, "")
    assert based.client.accept(rule("a"))["revision"] == 2, "no number was used up"


@pytest.mark.parametrize("behaviour", ["silent", "mute", "once:mute"])
def test_silence_is_never_success(based, behaviour):
    based.process.end()
    based.start("--step-timeout", "1000")
    based.participant.on("Commit", behaviour)
    done = based.client.apply(rule("a"))
    assert not done["accepted"] and "no-answer" in codes(done)
    assert based.client.config("GetRevision", "t", dbus.UInt64(2))["state"] == "aborted"
    based.participant.on("Commit", "")
    assert_nothing_happened(based, 1, based.base_root)
    assert based.client.accept(rule("a"))["revision"] == 3, "2 is the one that failed"


def test_a_refused_commit_is_reverted(based):
    based.participant.on("Commit", "refuse")
    reply = based.client.apply(rule("a"))
    assert not reply["accepted"] and "refused-by-script" in codes(reply)
    assert_nothing_happened(based, 1, based.base_root)
    revisions = based.client.config("ListRevisions", "a{sv}", {})
    assert [(int(r["number"]), str(r["state"])) for r in revisions] == [(2, "aborted"), (1, "running")]


def test_what_does_not_verify_is_reverted(based):
    based.participant.on("Verify", "unverified")
    reply = based.client.apply(rule("a"))
    assert not reply["accepted"] and "not-verified" in codes(reply)
    based.participant.on("Verify", "")
    assert_nothing_happened(based, 1, based.base_root)
    assert based.participant.root == based.base_root


def test_what_cannot_be_reverted_now_is_reverted_later(based):
    based.participant.on("Verify", "unverified")
    reply = {}
    thread = threading.Thread(target=lambda: reply.update(based.connect().apply(rule("a"))))
    thread.start()
    wait_until(lambda: "Verify" in based.participant.methods()[4:], "the first verification")
    based.participant.on("Plan", "refuse")
    thread.join()
    assert not reply["accepted"] and {"not-verified", "not-reverted"} <= codes(reply)
    assert based.participant.root != based.base_root
    based.participant.on("Plan", "")
    based.participant.on("Verify", "")
    based.settled()
    assert based.participant.root == based.base_root


@pytest.mark.parametrize("step, behaviour", [("Plan", "die"), ("Commit", "die"), ("Commit", "act-and-die"), ("Verify", "die")])
def test_a_daemon_that_dies_in_a_commit(based, step, behaviour):
    based.process.end()
    based.start("--step-timeout", "3000")  # it is waited for, a sixth of that
    based.participant.on(step, behaviour)
    reply = based.client.apply(rule("a"))
    assert not reply["accepted"], explain(reply)
    assert based.participant.died()
    assert based.client.revision == 1
    based.start_participant("f" * 64)  # it comes back with whatever it had
    based.settled()
    assert based.participant.root == based.base_root


def test_a_daemon_that_is_down_matters_only_if_its_part_changes(based):
    based.participant.kill()
    reply = based.client.apply(rule("a"))
    assert not reply["accepted"] and codes(reply) == {"daemon-unreachable"}
    assert "filterd does not run" in explain(reply) and "start patronus-filterd.service" in explain(reply)
    assert not based.client.accept(rule("base"))["changed"], "nothing changes: nobody is needed"


def test_a_daemon_with_another_base_gets_the_whole_slice(based):
    based.participant.script("Force", "s", "e" * 64)
    reply = based.client.accept(rule("a"))
    assert reply["revision"] == 2
    plans = [header["patronus"] for method, _, header, _ in based.participant.log() if method == "Plan"]
    assert plans[-2:] == ["delta", "slice"]
    assert based.participant.root == based.client.root


def test_a_daemon_that_appears_is_brought_to_the_running_revision(based):
    based.participant.kill()
    based.start_participant()
    based.settled()
    assert [call[0] for call in based.participant.log()][:4] == ["GetState", "Plan", "Commit", "Verify"]
    assert based.participant.log()[1][1] == 1, "the revision that is running"


def test_a_daemon_that_appears_with_the_right_slice_is_left_alone(based):
    root = based.participant.root
    based.participant.kill()
    based.start_participant(root)
    wait_until(lambda: "GetState" in based.participant.methods(), "the question")
    based.client.accept(rule("a"))
    first = next((number, header["patronus"]) for method, number, header, _ in based.participant.log() if method == "Plan")
    assert first == (2, "delta"), "the first it was told is the next commit"


def test_before_the_first_revision_nobody_is_touched(idle):
    idle.start_participant("a" * 64)
    idle.start()
    idle.client.names()
    assert "Plan" not in idle.participant.methods()


def test_calls_during_a_commit_wait_for_it(based):
    """Both are carried out, one after the other, and nothing of either is lost."""
    based.participant.script("Guarantee", "s", "compensated")
    replies = []
    threads = [threading.Thread(target=lambda i=i: replies.append(based.connect().apply(rule(f"t{i}")))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(reply["accepted"] for reply in replies), [explain(reply) for reply in replies]
    assert sorted(int(reply["revision"]) for reply in replies) == list(range(2, 10))
    assert len(based.client.names()) == 12


def restart(configd):
    configd.process.kill()
    configd.start()


def test_a_restart_keeps_the_configuration(based):
    restart(based)
    assert_nothing_happened(based, 1, based.base_root)
    assert based.client.names() == NAMES
    assert based.client.accept(rule("a"))["revision"] == 2


def commit_in_background(configd):
    """A commit whose Commit step gets no answer, so that configd can die in it."""
    client = configd.connect()

    def run():
        try:
            client.apply(rule("a"))
        except dbus.DBusException:
            pass  # configd died, as it should

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: configd.participant.methods().count("Commit") == 2, "the commit")
    return thread


def test_death_after_the_participant_committed_rolls_forward(based):
    based.participant.on("Commit", "mute")
    thread = commit_in_background(based)
    based.process.kill()
    thread.join()
    committed = based.participant.root
    assert committed != based.base_root
    based.participant.on("Commit", "")
    based.start()
    wait_until(lambda: based.client.revision == 2, "the decision")
    assert based.client.root == committed and based.client.names() == ["a", *NAMES]


def test_death_before_the_participant_committed_rolls_back(based):
    based.participant.on("Commit", "silent")
    thread = commit_in_background(based)
    based.process.kill()
    thread.join()
    assert based.participant.root == based.base_root
    based.participant.on("Commit", "")
    based.start()
    assert_nothing_happened(based, 1, based.base_root)
    revisions = based.client.config("ListRevisions", "a{sv}", {})
    assert [(int(r["number"]), str(r["state"])) for r in revisions] == [(2, "aborted"), (1, "running")]


def test_signals(based):
    """Committed for each revision, Reverted for one that failed."""
    seen = []
    listener = dbus.bus.BusConnection(based.address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
    listener.add_signal_receiver(lambda *args, member: seen.append((str(member), args)), dbus_interface=CONFIG_NAME, member_keyword="member")
    based.client.accept(rule("a"), comment="why")
    based.participant.on("Commit", "refuse")
    based.client.apply(rule("b"))
    wait_until(lambda: not GLib.MainContext.default().iteration(False) and len(seen) >= 2, "both signals")
    listener.close()
    (committed, (revision, details)), (reverted, numbers) = seen
    assert (committed, revision, details["comment"], details["created"]) == ("Committed", 2, "why", 1)
    assert (reverted, numbers) == ("Reverted", (3, 2))
