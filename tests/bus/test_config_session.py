# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: candidates by object, their limits, their lives, and who may use them."""

import json
import os
import subprocess
import sys

import dbus
import pytest

from config_harness import CONFIG_NAME, CONFIG_PATH, as_user, codes, error_name, explain, rule, wait_until, zone


def test_set_commit_get(client):
    session = client.open()
    session.set("Zone", "lan", {"interfaces": dbus.Array(["eth1"], signature="s")})
    session.set("FirewallRule", "web", {"action": "allow", "to": "lan"}, {"description": "public"})
    assert client.names() == [], "a candidate is nobody else's business"
    assert session.get("FirewallRule", "web")["spec"]["to"] == "lan"
    reply = session.commit(comment="by hand")
    assert reply["accepted"] and reply["revision"] == 1, explain(reply)
    web = client.get("FirewallRule", "web")
    assert web["apiVersion"] == "patronus.firewall/v1" and web["kind"] == "FirewallRule"
    assert web["metadata"]["description"] == "public" and web["metadata"]["position"] == 1024
    assert web["spec"] == {"action": "allow", "to": "lan"}
    # The session goes on from there.
    session.set("FirewallRule", "web", {"action": "drop"})
    assert session.commit()["revision"] == 2
    assert client.get("FirewallRule", "web")["spec"] == {"action": "drop", "to": "lan"}


def test_set_merges_and_unset_removes(client):
    session = client.open()
    ports = dbus.Array([dbus.UInt16(80)], signature="q")
    addresses = dbus.Array(["192.0.2.1"], signature="s")
    session.set("FirewallRule", "web", {"action": "allow", "destination": dbus.Dictionary({"ports": ports}, signature="sv")})
    session.set("FirewallRule", "web", {"destination": dbus.Dictionary({"addresses": addresses}, signature="sv")})
    assert set(session.get("FirewallRule", "web")["spec"]["destination"]) == {"ports", "addresses"}
    session.unset("FirewallRule", "web", "destination.ports")
    assert set(session.get("FirewallRule", "web")["spec"]["destination"]) == {"addresses"}
    session.unset("FirewallRule", "web", "destination.addresses")
    assert "destination" not in session.get("FirewallRule", "web")["spec"]
    session.set("FirewallRule", "web", {}, {"description": "x", "labels": dbus.Dictionary({"team.a/b": "c"}, signature="sv")})
    session.unset("FirewallRule", "web", "metadata.description", "metadata.labels.team.a/b")
    assert not {"description", "labels"} & set(session.get("FirewallRule", "web")["metadata"])


@pytest.mark.parametrize("edit, name, text", [
    (lambda s: s.set("FirewallRule", "w", {"action": "permit"}), "Invalid", "/spec/action"),
    (lambda s: s.set("FirewallRule", "w", {"action": "allow", "priority": dbus.UInt32(70000)}), "Invalid", "0-65535"),
    (lambda s: s.set("FirewallRule", "w", {"action": "allow", "prioritty": dbus.UInt32(7)}), "Invalid", "priority"),
    (lambda s: s.set("FirewallRule", "w", {"action": "allow", "source": "x"}), "Invalid", "/spec/source"),
    (lambda s: s.set("FirewallRule", "w", {}), "Invalid", "action"),
    (lambda s: s.set("FirewallRule", "Bad Name", {"action": "allow"}), "Invalid", "Bad Name"),
    (lambda s: s.set("FirewallRule", "w", {"action": "allow"}, {"name": "v"}), "Invalid", "name"),
    (lambda s: s.set("Firewallrul", "w", {"action": "allow"}), "NotFound", "FirewallRule"),
    (lambda s: s.unset("FirewallRule", "web", "destination.prots"), "Invalid", "ports"),
    (lambda s: s.unset("FirewallRule", "web", "action"), "Invalid", "action"),
    (lambda s: s.unset("FirewallRule", "nobody", "from"), "NotFound", "nobody"),
    (lambda s: s.delete("FirewallRule", "nobody"), "NotFound", "nobody"),
    (lambda s: s.get("FirewallRule", "nobody"), "NotFound", "nobody"),
])
def test_bad_edits_are_refused_and_change_nothing(client, edit, name, text):
    session = client.open()
    session.set("FirewallRule", "web", {"action": "allow", "destination": dbus.Dictionary(
        {"ports": dbus.Array([dbus.UInt16(80)], signature="q")}, signature="sv")})
    before = session.get("FirewallRule", "web")
    with pytest.raises(dbus.DBusException) as error:
        edit(session)
    assert error_name(error) == name and text in error.value.get_dbus_message()
    assert session.get("FirewallRule", "web") == before and session.plan()["created"] == 1


def test_validate_says_what_is_wrong_and_commit_refuses_it(client):
    session = client.open()
    session.set("FirewallRule", "web", {"action": "allow", "from": "lann"})
    session.set("Zone", "lan", {})
    (severity, place, code, text), = session.validate()
    assert (severity, place, code) == ("error", "FirewallRule/web#/spec/from", "dangling-reference")
    assert "lann" in text and '"lan"' in text
    reply = session.commit()
    assert not reply["accepted"] and codes(reply) == {"dangling-reference"} and client.revision == 0
    session.set("FirewallRule", "web", {"from": "lan"})
    assert list(session.validate()) == [] and session.commit()["accepted"]


def test_what_is_in_use_is_not_deleted(client):
    client.accept(zone("lan", interfaces=["eth1"]) + zone("dmz", interfaces=["eth2"]) + rule("web", to="lan") + rule("any", to="any"))
    session = client.open()
    session.delete("Zone", "dmz")
    session.delete("Zone", "lan")
    reply = session.commit()
    assert not reply["accepted"]
    assert [tuple(map(str, entry[:3])) for entry in reply["diagnostics"]] == [("error", "FirewallRule/web#/spec/to", "in-use")]
    session.delete("FirewallRule", "web")
    reply = session.commit()
    assert reply["accepted"] and reply["deleted"] == 3


def test_rename_takes_references_and_uid_along(client):
    client.accept(zone("lan", interfaces=["eth1"]) + rule("web", to="lan", **{"from": "lan"}) + rule("ssh", to="any"))
    session = client.open()
    session.call("Rename", "sss", "Zone", "lan", "inside")
    session.call("Rename", "sss", "FirewallRule", "web", "shop")
    session.set("FirewallRule", "web", {"action": "drop"})  # the old name is free
    position = client.position("web")
    reply = session.commit()
    assert reply["accepted"], explain(reply)
    assert (reply["created"], reply["updated"], reply["deleted"]) == (2, 1, 1) and client.revision == 2
    shop = client.get("FirewallRule", "shop")
    assert shop["spec"] == {"action": "allow", "from": "inside", "to": "inside"} and shop["metadata"]["position"] == position
    assert len({str(client.get("FirewallRule", name)["metadata"].get("uid")) for name in ("shop", "web", "ssh")}) == 3

    # What is exported comes back the same, and a copy of a document does not bring its uid.
    text, root = client.export(), client.root
    client.accept("", replace=True)
    client.accept(text, replace=True)
    assert client.root == root
    reply = client.apply(text.replace("name: shop", "name: shop-2"))
    assert not reply["accepted"] and codes(reply) == {"duplicate-uid"}


def test_move_changes_positions_only(client):
    client.accept("".join(rule(name) for name in "abcd"))
    session = client.open()
    session.call("Move", "ssss", "FirewallRule", "d", "before", "b")
    assert session.commit()["updated"] == 1 and client.order() == list("adbc")
    session.call("Move", "ssss", "FirewallRule", "a", "last", "")
    assert session.commit()["updated"] == 1 and client.order() == list("dbca")
    session.call("Move", "ssss", "FirewallRule", "d", "first", "")
    assert not session.commit()["changed"]


@pytest.mark.parametrize("member, args, name, text", [
    ("Rename", ("Zone", "lan", "dmz"), "Invalid", "exists already"),
    ("Rename", ("Zone", "lan", "any"), "Invalid", "meaning"),
    ("Rename", ("Zone", "lan", "L A N"), "Invalid", "/metadata/name"),
    ("Rename", ("Zone", "wan", "x"), "NotFound", 'no Zone "wan"'),
    ("Rename", ("Zoen", "lan", "x"), "NotFound", "Zone"),
    ("Move", ("Zone", "lan", "first", ""), "Invalid", "no meaning"),
    ("Move", ("FirewallRule", "a", "behind", "b"), "Invalid", "before, after, first or last"),
    ("Move", ("FirewallRule", "a", "before", "c"), "Invalid", "set priority=7 first"),
    ("Move", ("FirewallRule", "a", "before", "x"), "NotFound", 'no FirewallRule "x"'),
])
def test_renames_and_moves_that_are_refused(client, member, args, name, text):
    client.accept(zone("lan") + zone("dmz") + rule("a") + rule("b", to="lan") + rule("c", priority=7))
    session = client.open()
    with pytest.raises(dbus.DBusException) as error:
        session.call(member, "s" * len(args), *args)
    assert error_name(error) == name and text in error.value.get_dbus_message()
    assert not session.commit()["changed"]


def test_plan_reports_and_leaves_no_transaction(client, configd):
    session = client.open()
    session.set("FirewallRule", "web", {"action": "allow"})
    reply = session.plan()
    assert (reply["accepted"], reply["revision"], reply["created"], list(map(len, reply["steps"]))) == (True, 0, 1, [13])
    assert configd.participant.methods() == ["Plan", "Abort"] and client.revision == 0


def test_diff_of_the_candidate(client):
    client.accept(rule("a", priority=1) + rule("b"))
    session = client.open()
    session.set("FirewallRule", "a", {"priority": dbus.UInt16(2)})
    session.delete("FirewallRule", "b")
    session.set("FirewallRule", "c", {"action": "drop"})
    with os.fdopen(session.call("Diff").take()) as file:
        file.seek(0)
        text = file.read()
    assert [line.split('"op":')[1][:8] for line in text.splitlines()] == ['"create"', '"update"', '"delete"']
    assert '"after":"2","before":"1"' in text and "/spec/priority" in text


def test_brief_list(client):
    client.accept(zone("lan", interfaces=["eth1"]) + rule("web", to="lan"))
    objects, following = client.config("List", "sa{sv}", "", {"brief": True})
    assert objects == [{"kind": "FirewallRule", "metadata": {"name": "web"}}, {"kind": "Zone", "metadata": {"name": "lan"}}] and following == ""


def test_pages_cover_everything_once_in_order(client):
    client.accept("".join(rule(f"r{i:03}") for i in range(250)) + zone("lan"))
    for kind, expected in (("FirewallRule", 250), ("", 251), ("zones", 1)):
        seen, after = [], ""
        while True:
            objects, following = client.config("List", "sa{sv}", kind, {"limit": dbus.UInt32(100), "after": after})
            seen += [(str(item["kind"]), str(item["metadata"]["name"])) for item in objects]
            assert len(objects) <= 100
            if not following:
                break
            after = following
        assert seen == sorted(seen) and len(set(seen)) == len(seen) == expected


def test_list_by_label(client):
    client.accept(rule("a") + rule("b"), set="web")
    client.accept(rule("c"))
    objects, _ = client.config("List", "sa{sv}", "", {"labels": dbus.Array(["patronus.firewall/set=web"], signature="s")})
    assert [item["metadata"]["name"] for item in objects] == ["a", "b"]


def test_a_stale_base_is_a_conflict(client):
    client.accept(rule("a", priority=1) + rule("b"))
    session = client.open()
    session.set("FirewallRule", "a", {"priority": dbus.UInt16(2)})
    client.accept(rule("a", priority=3))
    reply = session.commit()
    assert not reply["accepted"] and codes(reply) == {"conflict"}
    assert "FirewallRule/a" in explain(reply) and "revision 2" in explain(reply)
    assert client.get("FirewallRule", "a")["spec"]["priority"] == 3


def test_a_session_dies_with_its_client(client, configd):
    other = configd.connect()
    path = other.open().path
    assert client.prop("Sessions") == 1
    configd.clients.remove(other)
    other.close()
    wait_until(lambda: client.prop("Sessions") == 0, "the end of the session")
    with pytest.raises(dbus.DBusException):
        client.call(path, "org.patronus.Session1", "Validate", "")


def test_a_session_for_many_connections_outlives_each_and_ends_when_idle(client, configd):
    """What busctl needs: every call of it is another connection."""
    other = configd.connect()
    session = other.open(idleUSec=dbus.UInt64(1_500_000))
    session.set("FirewallRule", "a", {"action": "allow"})
    configd.clients.remove(other)
    other.close()
    reply = client.call(session.path, "org.patronus.Session1", "Commit", "a{sv}", {})
    assert reply["accepted"]
    wait_until(lambda: client.prop("Sessions") == 0, "the end of the session")


def test_close(client):
    session = client.open()
    session.call("Close")
    assert client.prop("Sessions") == 0
    with pytest.raises(dbus.DBusException):
        session.validate()


def test_sessions_are_limited_and_the_limit_is_a_clear_error(client):
    sessions = [client.open() for _ in range(16)]
    with pytest.raises(dbus.DBusException) as error:
        client.open()
    assert error_name(error) == "Busy" and "close one" in error.value.get_dbus_message()
    sessions[3].call("Close")
    client.open()


def test_options_are_checked(client):
    with pytest.raises(dbus.DBusException) as error:
        client.apply(rule("a"), replaec=True)
    assert error_name(error) == "Invalid" and "replace" in error.value.get_dbus_message()
    with pytest.raises(dbus.DBusException) as error:
        client.apply(rule("a"), replace="yes")
    assert error_name(error) == "Invalid" and "type b" in error.value.get_dbus_message()


STRANGER = f"""
import dbus, dbus.bus, sys
bus = dbus.bus.BusConnection(sys.argv[1])
for path, method, signature, args in (("{CONFIG_PATH}", "OpenSession", "a{{sv}}", ({{}},)), ("{CONFIG_PATH}", "List", "sa{{sv}}", ("", {{}})),
                                      ("{CONFIG_PATH}", "Revert", "ta{{sv}}", (1, {{}})), ("{CONFIG_PATH}", "Export", "a{{sv}}", ({{}},))):
    try:
        bus.call_blocking("{CONFIG_NAME}", path, "org.patronus.Config1", method, signature, args)
        print(method, "was allowed")
    except dbus.DBusException as error:
        print(method, error.get_dbus_name())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_strangers_are_refused(configd):
    done = subprocess.run([sys.executable, "-c", STRANGER, configd.address], capture_output=True, text=True, **as_user("nobody"))
    assert done.stdout.split("\n")[:-1] == [f"{method} org.patronus.Error.NotAuthorized" for method in
                                            ("OpenSession", "List", "Revert", "Export")], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_configd_does_not_run_as_root(build_dir, tmp_path):
    done = subprocess.run([build_dir / "daemons/configd/patronus-configd", "--bus", "none", "--state-dir", tmp_path],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "does not run as root" in done.stderr
    assert not list(tmp_path.iterdir())


# --- what a daemon would get of a candidate, or of a revision --------------------------------------------------------------


def slice_lines(client, path, interface, method, signature, *args):
    fd = client.call(path, interface, method, signature, *args).take()
    with os.fdopen(fd) as text:
        text.seek(0)
        header, *objects = [json.loads(line) for line in text]
    return header, {f'{o["kind"]}/{o["metadata"]["name"]}' for o in objects}


def get_slice(client, revision, daemon="filterd"):
    return slice_lines(client, CONFIG_PATH, CONFIG_NAME, "GetSlice", "st", daemon, dbus.UInt64(revision))


def test_get_slice(client):
    client.accept(zone("lan", interfaces=["eth1"]))
    assert get_slice(client, 0) == ({"objects": 0, "patronus": "slice", "root": get_slice(client, 0)[0]["root"]}, set())
    header, objects = get_slice(client, 1)
    assert header["root"] == client.root and objects == {"Zone/lan"}
    session = client.open()
    session.set("FirewallRule", "web", {"action": "allow", "to": "lan"})
    header, objects = slice_lines(client, session.path, "org.patronus.Session1", "GetSlice", "s", "filterd")
    assert objects == {"Zone/lan", "FirewallRule/web"} and header["root"] != client.root
    assert client.names() == ["lan"], "to look is not to commit"
    session.commit()
    assert get_slice(client, 2)[0] == header


def test_get_slice_refuses(client):
    client.accept(zone("lan", interfaces=["eth1"]))
    for daemon, revision, word in (("filtered", 1, "filtered"), ("filterd", 9, "revision 9")):
        with pytest.raises(dbus.DBusException) as caught:
            get_slice(client, revision, daemon)
        assert error_name(caught) == "NotFound" and word in str(caught.value)
    session = client.open()
    session.set("FirewallRule", "web", {"action": "allow", "to": "lann"})
    with pytest.raises(dbus.DBusException) as caught:
        slice_lines(client, session.path, "org.patronus.Session1", "GetSlice", "s", "filterd")
    assert error_name(caught) == "Invalid" and "lann" in str(caught.value)
