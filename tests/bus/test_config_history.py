# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions: list, diff, revert."""

import getpass
import time

import dbus
import pytest

from config_harness import error_name, explain, rule, zone


@pytest.fixture
def history(configd):
    configd.client.accept(zone("lan", interfaces=["eth1"]) + rule("web", to="lan"), comment="one")
    configd.client.accept(rule("web", to="lan", priority=9), comment="two")
    configd.client.accept(rule("ssh"), comment="three")
    return configd


def test_revisions_say_who_when_and_why(history):
    revisions = history.client.config("ListRevisions", "a{sv}", {})
    assert [(int(r["number"]), int(r["parent"]), str(r["comment"]), str(r["state"])) for r in revisions] == [
        (3, 2, "three", "running"), (2, 1, "two", "decided"), (1, 0, "one", "decided")]
    assert {str(r["author"]) for r in revisions} == {getpass.getuser()}
    assert all(abs(int(r["timeUSec"]) / 1e6 - time.time()) < 120 for r in revisions)
    assert str(revisions[0]["root"]) == history.client.root
    assert history.client.config("GetRevision", "t", dbus.UInt64(2))["comment"] == "two"
    older = history.client.config("ListRevisions", "a{sv}", {"before": dbus.UInt64(3), "limit": dbus.UInt32(1)})
    assert [int(r["number"]) for r in older] == [2]
    with pytest.raises(dbus.DBusException) as error:
        history.client.config("GetRevision", "t", dbus.UInt64(9))
    assert error_name(error) == "NotFound"


def test_diff_of_two_revisions(history):
    created, updated = history.client.diff(1, 3)
    assert (created["op"], created["kind"], created["name"]) == ("create", "FirewallRule", "ssh")
    assert {field["pointer"] for field in created["fields"]} >= {"/spec/action"}
    assert (updated["op"], updated["name"]) == ("update", "web")
    assert [(f["pointer"], f.get("before"), f["after"]) for f in updated["fields"]] == [("/spec/priority", None, "9")]
    assert [line["op"] for line in history.client.diff(3, 1)] == ["update", "delete"]
    assert [line["op"] for line in history.client.diff(0, 1)] == ["create", "create"]
    assert history.client.diff(2, 2) == []


def test_revert_is_a_new_revision_with_the_old_content(history):
    first = str(history.client.config("GetRevision", "t", dbus.UInt64(1))["root"])
    reply = history.client.config("Revert", "ta{sv}", dbus.UInt64(1), {})
    assert reply["accepted"] and (reply["revision"], reply["updated"], reply["deleted"]) == (4, 1, 1), explain(reply)
    assert history.client.root == first == history.participant.root
    assert history.client.config("GetRevision", "t", dbus.UInt64(4))["comment"] == "revert to revision 1"
    again = history.client.config("Revert", "ta{sv}", dbus.UInt64(1), {})
    assert again["accepted"] and not again["changed"]
    assert history.client.config("Revert", "ta{sv}", dbus.UInt64(3), {"comment": "back"})["revision"] == 5
    assert history.client.diff(3, 5) == []


def test_revert_to_what_is_not_there(history):
    for number in (9, 2**63):
        with pytest.raises(dbus.DBusException) as error:
            history.client.config("Revert", "ta{sv}", dbus.UInt64(number), {})
        assert error_name(error) == "NotFound" and "the last is 3" in error.value.get_dbus_message()


def test_revert_obeys_the_rules_of_any_commit(history):
    history.participant.on("Commit", "refuse")
    reply = history.client.config("Revert", "ta{sv}", dbus.UInt64(1), {})
    assert not reply["accepted"] and history.client.revision == 3


def test_history_outlives_a_restart(history):
    history.process.end()
    history.start()
    assert [int(r["number"]) for r in history.client.config("ListRevisions", "a{sv}", {})] == [3, 2, 1]
    assert len(history.client.diff(1, 3)) == 2
