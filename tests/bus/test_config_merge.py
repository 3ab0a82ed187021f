# SPDX-License-Identifier: GPL-3.0-or-later
"""Two administrators at once: random edits of two sessions, against the model of tests/lib/merge_model.py."""

import json
import os
import random
import signal
import subprocess
import sys

import dbus
import pytest

import merge_model
from config_harness import CONFIG_NAME, codes, explain, rule, wait_until, zone
from merge_model import Thing

RULE = "FirewallRule"
ACTIONS = ("allow", "drop", "reject")


def snapshot(config_or_session):
    """A configuration as the model has it."""
    things = {}
    for kind in (RULE, "Zone"):
        objects, following = config_or_session.call("List", "sa{sv}", kind, {"limit": dbus.UInt32(1000)})
        assert not following
        for item in objects:
            metadata = item["metadata"]
            name = str(metadata["name"])
            content = json.dumps({"spec": item["spec"], "description": metadata.get("description", "")}, sort_keys=True)
            uid = str(metadata.get("uid", f"{kind}/{name}"))
            things[kind, name] = Thing(content, int(metadata.get("position", 0)), uid)
    return with_uids(things)


def with_uids(things):
    """The uid that a name gives is told by the name; one that an object brought from its first name by its digits."""
    import hashlib
    return {(kind, name): thing._replace(uid=hashlib.sha256(thing.uid.encode()).hexdigest()[:32] if "/" in thing.uid else thing.uid)
            for (kind, name), thing in things.items()}


class Running:
    def __init__(self, client):
        self.client = client

    def call(self, method, signature, *args):
        return self.client.config(method, signature, *args)


def edit(rng, session, names):
    """One random edit; one that is refused (a name that is taken, what is gone) is none."""
    name, other = rng.choice(names), rng.choice(names)
    what = rng.choice(("action", "action", "description", "create", "delete", "rename", "move", "move", "ends", "zone"))
    try:
        if what == "action":
            session.get(RULE, name)
            session.set(RULE, name, {"action": rng.choice(ACTIONS)})
        elif what == "description":
            session.get(RULE, name)
            session.set(RULE, name, {}, {"description": rng.choice("xyz")})
        elif what == "create":
            session.set(RULE, rng.choice("uvwxyz"), {"action": rng.choice(ACTIONS)})
        elif what == "delete":
            session.delete(RULE, name)
        elif what == "rename":
            session.call("Rename", "sss", RULE, name, rng.choice("uvwxyz"))
        elif what == "move":
            session.call("Move", "ssss", RULE, name, rng.choice(("before", "after")), other)
        elif what == "ends":
            session.call("Move", "ssss", RULE, name, rng.choice(("first", "last")), "")
        else:
            session.set("Zone", rng.choice(("lan", "dmz")), {"masquerade": rng.choice((True, False))})
    except dbus.DBusException as error:
        assert error.get_dbus_name().rpartition(".")[2] in ("NotFound", "Invalid"), error


def check_merge(client, seed):
    rng = random.Random(seed)
    names = [f"r{i}" for i in range(rng.choice((2, 4, 7)))]
    client.accept("".join(rule(name, priority=5) for name in names) + zone("lan"), replace=True)
    base = snapshot(Running(client))
    mine, theirs = client.open(), client.open()
    for session in (mine, theirs):
        for _ in range(rng.randint(1, 5)):
            edit(rng, session, names)
    here, there = snapshot(mine), snapshot(theirs)
    reply = theirs.commit()
    assert reply["accepted"], explain(reply)
    was, running = client.revision, snapshot(Running(client))
    assert running == there
    reply = mine.commit()

    merged, conflicts = merge_model.merge_objects(base, here, there)
    told = {(str(conflict["kind"]), str(conflict["name"])) for conflict in reply["conflicts"]}
    if conflicts:
        assert not reply["accepted"] and conflicts <= told and "conflict" in codes(reply), (conflicts, told, explain(reply))
    elif not merge_model.order_is_possible(base, here, there, merged, RULE):
        assert not reply["accepted"] and told and "conflict" in codes(reply), explain(reply)
    else:
        assert reply["accepted"], explain(reply)
        result = snapshot(Running(client))
        assert {name: (thing.content, thing.uid) for name, thing in result.items()} == \
            {name: (thing.content, thing.uid) for name, thing in merged.items()}
        assert merge_model.order_is_right(base, here, there, merged, result, RULE) is None
        assert int(reply["mergedWith"]) == (was if there != base else 0), explain(reply)
        assert snapshot(mine) == result, "the session goes on from what is running"
    if not reply["accepted"]:
        assert client.revision == was and snapshot(Running(client)) == running and snapshot(mine) == here
        check_rebase(client, mine, rng, base, here, running, conflicts)
    for session in (mine, theirs):
        session.call("Close")
    return bool(conflicts), bool(reply["accepted"])


def check_rebase(client, session, rng, base, here, running, conflicts):
    """A preference resolves what is in conflict, and the rest is merged; then the commit is an ordinary one."""
    reply = session.call("Rebase", "a{sv}", {})
    assert not reply["accepted"] and snapshot(session) == here, "only reported"
    prefer = rng.choice(("mine", "theirs"))
    reply = session.call("Rebase", "a{sv}", {"prefer": prefer})
    assert reply["accepted"], explain(reply)
    candidate = snapshot(session)
    for identity in conflicts:
        was, mine, theirs = (side[identity].content if identity in side else None for side in (base, here, running))
        content, wrong = merge_model.three_way(was, mine, theirs)
        if wrong or None in (was, mine, theirs):
            content = mine if prefer == "mine" else theirs
        assert (candidate[identity].content if identity in candidate else None) == content, (identity, prefer)
    reply = session.commit()
    assert reply["accepted"] and int(reply["mergedWith"]) == 0, explain(reply)
    assert snapshot(Running(client)) == candidate


@pytest.mark.parametrize("block", range(40 if os.environ.get("PATRONUS_LONG") else 4))
def test_random_edits_of_two_sessions(client, block):
    outcomes = [check_merge(client, block * 1000 + i) for i in range(25)]
    assert any(conflict for conflict, _ in outcomes) and any(accepted for _, accepted in outcomes), "the draw is worth nothing"


# What is said of it, and the cases that a draw may miss.

@pytest.fixture
def two(client):
    """Two sessions on rules a, b, c and a zone."""
    client.accept(zone("lan", interfaces=["eth1"]) + rule("a", to="lan") + rule("b") + rule("c"))
    return client.open(), client.open()


def said(reply):
    return {(str(place), str(text)) for _, place, code, text in reply["diagnostics"] if code == "conflict"}


def test_other_objects_are_merged_and_that_is_said(client, two):
    mine, theirs = two
    theirs.set(RULE, "b", {"action": "drop"})
    theirs.delete(RULE, "c")
    assert theirs.commit(comment="theirs")["revision"] == 2
    mine.set(RULE, "a", {"action": "reject"})
    plan = mine.plan()
    assert plan["accepted"] and plan["mergedWith"] == 2 and plan["revision"] == 0
    reply = mine.commit()
    assert reply["accepted"] and (reply["revision"], reply["mergedWith"]) == (3, 2) and list(reply["conflicts"]) == []
    (severity, place, code, text), = reply["diagnostics"]
    assert (severity, place, code) == ("notice", "", "merged")
    assert "begun on revision 1" in text and "revision 2 (by root)" in text and f"{RULE}/b, {RULE}/c" in text
    assert [(str(op), str(name)) for op, _, name in reply["changes"]] == [("update", "a")], "only what I changed"
    assert client.get(RULE, "a")["spec"]["action"] == "reject" and client.get(RULE, "b")["spec"]["action"] == "drop"
    assert client.names(RULE) == ["a", "b"]
    # And again, the session being at revision 3.
    mine.set(RULE, "b", {"action": "allow"})
    reply = mine.commit()
    assert (reply["revision"], reply["mergedWith"]) == (4, 0)


def test_fields_in_conflict_are_named_with_all_three_values(client, two):
    mine, theirs = two
    theirs.set(RULE, "a", {"action": "reject", "log": True})
    theirs.commit()
    mine.set(RULE, "a", {"action": "drop"}, {"description": "mine"})
    reply = mine.commit()
    assert not reply["accepted"] and reply["revision"] == 0 and reply["mergedWith"] == 0 and client.revision == 2
    assert said(reply) == {
        ("", "revision 2 (by root) is running, and this session began on 1: 1 object was changed on both sides"),
        (f"{RULE}/a#/spec/action", "both changed this: base allow, yours drop, theirs reject"),
        (f"{RULE}/a#/metadata/description", "you changed this: base none, yours mine"),
        (f"{RULE}/a#/spec/log", "they changed this: base none, theirs true")}
    conflict, = reply["conflicts"]
    base, here, there = (json.loads(conflict[side]) for side in ("base", "mine", "theirs"))
    assert (conflict["kind"], conflict["name"]) == (RULE, "a")
    assert (base["spec"]["action"], here["spec"]["action"], there["spec"]) == ("allow", "drop", {"action": "reject", "log": True, "to": "lan"})


def test_equal_changes_are_no_conflict(client, two):
    mine, theirs = two
    for session in two:
        session.set(RULE, "a", {"action": "drop"})
        session.delete(RULE, "b")
        session.set(RULE, "new", {"action": "drop"})
        session.call("Rename", "sss", RULE, "c", "z")
    theirs.commit()
    reply = mine.commit()
    assert reply["accepted"] and not reply["changed"] and (reply["revision"], reply["mergedWith"]) == (2, 2), explain(reply)
    assert client.names(RULE) == ["a", "new", "z"]


@pytest.mark.parametrize("mine_does, theirs_do, name, text", [
    (lambda s: s.delete(RULE, "a"), lambda s: s.set(RULE, "a", {"action": "drop"}), "a", "this was deleted here, and changed up to revision 2"),
    (lambda s: s.set(RULE, "a", {"action": "drop"}), lambda s: s.delete(RULE, "a"), "a", "this was changed here, and deleted up to revision 2"),
    (lambda s: s.call("Rename", "sss", RULE, "a", "x"), lambda s: s.delete(RULE, "a"), "a", 'this was renamed to "x" here, and deleted'),
    (lambda s: s.call("Rename", "sss", RULE, "a", "x"), lambda s: s.call("Rename", "sss", RULE, "a", "y"), "a",
     'this was renamed to "x" here, and renamed to "y"'),
    (lambda s: s.set(RULE, "a", {"action": "drop"}), lambda s: s.call("Rename", "sss", RULE, "a", "y"), "a",
     'this was changed here, and renamed to "y"'),
    (lambda s: s.call("Move", "ssss", RULE, "a", "last", ""), lambda s: s.delete(RULE, "a"), "a", "this was changed here, and deleted"),
    (lambda s: s.set(RULE, "n", {"action": "drop"}), lambda s: s.set(RULE, "n", {"action": "allow"}), "n",
     "both created it: yours drop, theirs allow"),
    (lambda s: s.call("Move", "ssss", RULE, "a", "last", ""), lambda s: s.call("Move", "ssss", RULE, "a", "after", "b"), "a",
     "both changed this: base 1024, yours 4096, theirs 2560"),
    (lambda s: s.call("Move", "ssss", RULE, "c", "before", "b"), lambda s: s.call("Move", "ssss", RULE, "b", "first", ""), "c",
     "both changed the order: you placed this with regard to FirewallRule/b"),
])
def test_what_is_in_conflict(client, two, mine_does, theirs_do, name, text):
    mine, theirs = two
    theirs_do(theirs)
    assert theirs.commit()["accepted"]
    mine_does(mine)
    before = snapshot(mine)
    reply = mine.commit()
    assert not reply["accepted"] and codes(reply) == {"conflict"} and [str(entry["name"]) for entry in reply["conflicts"]] == [name]
    assert any(text in line for _, line in said(reply)), explain(reply)
    assert snapshot(mine) == before and client.revision == 2


def test_who_edits_and_who_moves_do_not_meet(client, two):
    mine, theirs = two
    theirs.call("Move", "ssss", RULE, "c", "first", "")
    theirs.commit()
    mine.set(RULE, "c", {"action": "drop"})
    reply = mine.commit()
    assert reply["accepted"] and reply["mergedWith"] == 2
    assert client.order() == ["c", "a", "b"] and client.get(RULE, "c")["spec"]["action"] == "drop"


def test_what_both_append_stays_together(client, two):
    mine, theirs = two
    for session, names in ((theirs, ("t1", "t2")), (mine, ("m1", "m2"))):
        for name in names:
            session.set(RULE, name, {"action": "allow"})
    theirs.commit()
    reply = mine.commit()
    assert reply["accepted"], explain(reply)
    assert client.order() == ["a", "b", "c", "t1", "t2", "m1", "m2"] and reply["updated"] == 0, "theirs stay where they are"


def test_what_both_put_into_one_place_stays_together(client, two):
    mine, theirs = two
    for session, names in ((theirs, ("t1", "t2")), (mine, ("m1", "m2"))):
        for name in names:
            session.set(RULE, name, {"action": "allow"})
            session.call("Move", "ssss", RULE, name, "before", "b")
    theirs.commit()
    assert mine.commit()["accepted"]
    assert client.order() == ["a", "t1", "t2", "m1", "m2", "b", "c"]


def test_first_of_both_that_knew_each_other_is_kept(client, two):
    """I moved c before everything, a among it; they moved a to the front, where it was. That c is before a is what I wanted."""
    mine, theirs = two
    theirs.call("Move", "ssss", RULE, "b", "first", "")
    theirs.commit()
    mine.call("Move", "ssss", RULE, "c", "first", "")
    assert mine.commit()["accepted"] and client.order() == ["c", "b", "a"]


def test_a_merge_that_does_not_validate_names_both(client, two):
    mine, theirs = two
    theirs.set(RULE, "a", {"to": "any"})
    theirs.delete("Zone", "lan")
    theirs.commit()
    mine.set(RULE, "b", {"to": "lan"})
    reply = mine.commit()
    assert not reply["accepted"] and codes(reply) == {"dangling-reference", "conflict", "merged"}
    (_, text), = said(reply)
    assert "begun on revision 1 (FirewallRule/b)" in text and "revision 2 (by root) (FirewallRule/a, Zone/lan)" in text
    mine.set(RULE, "b", {"to": "any"})
    assert mine.commit()["accepted"]


def test_without_merging_it_is_as_strict_as_can_be(client, two):
    mine, theirs = two
    theirs.set(RULE, "b", {"action": "drop"})
    theirs.commit()
    mine.set(RULE, "a", {"action": "drop"})
    reply = mine.commit(merge=False)
    assert not reply["accepted"] and codes(reply) == {"conflict"} and list(reply["conflicts"]) == []
    assert "nothing changed on both sides" in explain(reply)
    assert mine.commit()["accepted"]


def test_rebase(client, two):
    mine, theirs = two
    theirs.set(RULE, "a", {"action": "reject"})
    theirs.set(RULE, "b", {"action": "drop"})
    theirs.commit()
    mine.set(RULE, "a", {"action": "drop"})
    mine.set(RULE, "c", {"action": "drop"})
    reply = mine.call("Rebase", "a{sv}", {})
    assert not reply["accepted"] and codes(reply) == {"conflict"} and len(reply["conflicts"]) == 1
    assert mine.get(RULE, "b")["spec"]["action"] == "allow"
    reply = mine.call("Rebase", "a{sv}", {"prefer": "theirs"})
    assert reply["accepted"] and reply["mergedWith"] == 2 and [str(entry["name"]) for entry in reply["conflicts"]] == ["a"]
    assert [(str(op), str(name)) for op, _, name in reply["changes"]] == [("update", "c")], "what is left of my changes"
    assert [mine.get(RULE, name)["spec"]["action"] for name in "abc"] == ["reject", "drop", "drop"]
    reply = mine.commit(merge=False)
    assert reply["accepted"] and reply["mergedWith"] == 0
    assert not mine.call("Rebase", "a{sv}", {})["mergedWith"], "it is on the running one"
    with pytest.raises(dbus.DBusException) as error:
        mine.call("Rebase", "a{sv}", {"prefer": "ours"})
    assert "use mine or theirs" in error.value.get_dbus_message()


def test_a_large_conflict_is_named_but_not_told_in_full(client, two):
    mine, theirs = two
    text = "x" * 500
    for session, more in ((theirs, "t"), (mine, "m")):
        for i in range(40):
            session.set(RULE, f"n{i:02}", {"action": "allow"}, {"description": text + more})
    theirs.commit()
    reply = mine.commit()
    assert not reply["accepted"] and [str(entry["name"]) for entry in reply["conflicts"]] == [f"n{i:02}" for i in range(40)]
    told = [entry for entry in reply["conflicts"] if "mine" in entry]
    assert 0 < len(told) < 40 and sum(len(entry[side]) for entry in told for side in ("base", "mine", "theirs")) <= 32768


# What becomes of a session whose client is killed.

CLIENT = f"""
import dbus, dbus.bus, dbus.lowlevel, sys
bus = dbus.bus.BusConnection(sys.argv[1])
path = bus.call_blocking("{CONFIG_NAME}", "/org/patronus/Config1", "{CONFIG_NAME}", "OpenSession", "a{{sv}}", ({{}},))
bus.call_blocking("{CONFIG_NAME}", path, "org.patronus.Session1", "Set", "ssa{{sv}}a{{sv}}", ("{RULE}", "late", dbus.Dictionary({{"action": "drop"}}, "sv"), dbus.Dictionary({{}}, "sv")))
print("open", flush=True)
sys.stdin.readline()
bus.call_async("{CONFIG_NAME}", path, "org.patronus.Session1", "Commit", "a{{sv}}", ({{}},), None, None)
bus.flush()
print("committing", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def victim(configd):
    configd.process.end()
    configd.start("--step-timeout", "1000")
    process = subprocess.Popen([sys.executable, "-c", CLIENT, configd.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_killed_between_calls(configd, victim):
    assert configd.client.prop("Sessions") == 1
    kill(victim)
    wait_until(lambda: configd.client.prop("Sessions") == 0, "the end of the session")
    assert configd.client.revision == 0 and configd.participant.methods() == []


def test_killed_while_its_commit_runs(configd, victim):
    """What was asked for is done: the commit ends as it would have, and the session is gone."""
    configd.participant.on("Verify", "once:silent")
    victim.stdin.write("go\n")
    victim.stdin.flush()
    assert victim.stdout.readline() == "committing\n"
    wait_until(lambda: "Verify" in configd.participant.methods(), "the middle of the commit")
    kill(victim)
    wait_until(lambda: configd.client.prop("Sessions") == 0, "the end of the session")
    assert configd.client.prop("Phase") in ("verify", "revert", "")
    wait_until(lambda: configd.client.prop("Phase") == "", "the end of the commit")
    configd.settled()
    state = configd.client.config("GetRevision", "t", dbus.UInt64(1))["state"]
    assert (state, configd.client.revision) in (("running", 1), ("aborted", 0))
    assert configd.client.accept(rule("after"))["accepted"]


# Two people with patronusctl at the same moment: the first commit waits for its daemon, and the second began before it ended.

@pytest.mark.parametrize("name, status, says", [
    ("a", 1, ["error: revision 2 (by root) is running, and this session began on 1: 1 object was changed on both sides",
              "error: FirewallRule/a /spec/action: both changed this: base allow, yours reject, theirs drop", "nothing was changed"]),
    ("b", 0, ["notice: your change, begun on revision 1, was merged with revision 2 (by root), which changed FirewallRule/a"]),
])
def test_what_patronusctl_says(configd, name, status, says):
    client = configd.client
    client.accept(rule("a") + rule("b"))

    def ctl(*args):
        return subprocess.Popen([configd.build / "cli/patronusctl", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                stdin=subprocess.DEVNULL, env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": configd.address, "NO_COLOR": "1"})
    participant = configd.participant.process.pid
    os.kill(participant, signal.SIGSTOP)
    try:
        first = ctl("set", f"{RULE}/a", "action=drop")
        wait_until(lambda: client.prop("Phase") == "plan", "the first commit")
        second = ctl("set", f"{RULE}/{name}", "action=reject")
        wait_until(lambda: client.prop("Sessions") == 2, "the second session")
    finally:
        os.kill(participant, signal.SIGCONT)
    first.communicate()
    _, errors = second.communicate()
    assert (first.returncode, second.returncode) == (0, status), errors
    for line in says:
        assert line in errors
    assert client.get(RULE, "a")["spec"]["action"] == "drop"
