# SPDX-License-Identifier: GPL-3.0-or-later
"""What apply does: upsert, sets, replace, names, positions."""

import dbus

from config_harness import codes, explain, rule, zone

STEP = 1024


def names(reply, op):
    return [str(name) for change_op, _, name in reply["changes"] if change_op == op]


def test_creates_updates_and_keeps(client):
    reply = client.accept(zone("lan", interfaces=["eth1"]) + rule("web") + rule("ssh"), source="a.yaml", comment="first")
    assert (reply["changed"], reply["revision"], reply["created"], reply["updated"], reply["deleted"]) == (True, 1, 3, 0, 0)
    assert [tuple(map(str, change)) for change in reply["changes"]] == [
        ("create", "FirewallRule", "ssh"), ("create", "FirewallRule", "web"), ("create", "Zone", "lan")]
    assert reply["guarantee"] == "atomic" and reply["impact"] == "live" and len(reply["steps"]) == 1
    assert reply["timings"]["totalUSec"] > 0

    reply = client.accept(rule("web", priority=7))
    assert (reply["revision"], reply["created"], reply["updated"], reply["deleted"]) == (2, 0, 1, 0)
    assert client.get("FirewallRule", "web")["spec"]["priority"] == 7
    assert client.names() == ["ssh", "web", "lan"]


def test_spec_and_metadata_are_replaced_as_a_whole(client):
    client.accept('{"apiVersion":"patronus.firewall/v1","kind":"FirewallRule","metadata":{"name":"web","description":"x",'
                  '"labels":{"team":"a"}},"spec":{"action":"allow","priority":3}}')
    client.accept(rule("web", enabled=False))
    web = client.get("FirewallRule", "web")
    assert set(web["spec"]) == {"action", "enabled"}
    assert not {"description", "labels"} & set(web["metadata"])


def test_nothing_changed_is_no_revision(client, configd):
    text = zone("lan", interfaces=["eth1"]) + rule("web")
    client.accept(text)
    calls = len(configd.participant.log())
    reply = client.accept(text)
    assert (reply["changed"], reply["revision"], client.revision) == (False, 1, 1)
    assert len(configd.participant.log()) == calls, "a daemon was bothered about nothing"


def test_only_the_difference_is_sent(client, configd):
    client.accept("".join(rule(f"r{i}") for i in range(50)))
    client.accept(rule("r7", priority=1))
    plans = [(header, lines) for method, _, header, lines in configd.participant.log() if method == "Plan"]
    header, lines = plans[-1]
    assert header["patronus"] == "delta" and header["changed"] == 1 and header["deleted"] == 0
    assert [line["metadata"]["name"] for line in lines] == ["r7"]


def test_set_deletes_what_left_it(client):
    client.accept(rule("alien"))
    client.accept(rule("a") + rule("b") + rule("c"), set="web")
    reply = client.accept(rule("a") + rule("c", priority=1) + rule("d"), set="web")
    assert (names(reply, "create"), names(reply, "update"), names(reply, "delete")) == (["d"], ["c"], ["b"])
    assert client.names() == ["a", "alien", "c", "d"]
    assert client.get("FirewallRule", "a")["metadata"]["labels"] == {"patronus.firewall/set": "web"}


def test_set_name_is_checked(client):
    reply = client.apply(rule("a"), set="No Good")
    assert not reply["accepted"] and codes(reply) == {"bad-name"}


def test_replace_leaves_nothing_else(client):
    client.accept(zone("lan", interfaces=["eth1"]) + rule("a") + rule("b"))
    reply = client.accept(rule("b"), replace=True)
    assert names(reply, "delete") == ["a", "lan"] and client.names() == ["b"]
    assert client.accept("", replace=True)["deleted"] == 1


def test_edited_nameless_objects_replace_their_old_selves(client):
    first = client.accept(rule(None, priority=1) + rule(None, priority=2) + rule("named"))
    assert first["created"] == 3
    assert all(name.startswith("firewallrule-") or name == "named" for name in client.names())
    again = client.accept(rule(None, priority=1) + rule(None, priority=2) + rule("named"))
    assert not again["changed"]
    edited = client.accept(rule(None, priority=1) + rule(None, priority=3))
    assert (edited["created"], edited["deleted"]) == (1, 1)
    assert "named" in client.names(), "it is not of the set"


def test_one_object_of_the_default_set_applied_alone_keeps_the_others(client):
    client.accept(rule(None, priority=1) + rule(None, priority=2))
    name = client.order()[0]
    document = next(text for text in client.export().split("---\n") if name in text)
    reply = client.accept("---\n" + document)
    assert not reply["changed"], "it has its name now, and says nothing of its set"


def test_equal_nameless_objects_are_refused(client):
    reply = client.apply(rule(None, priority=1) + rule(None, priority=1), source="twice.yaml")
    assert not reply["accepted"] and codes(reply) == {"duplicate-name"} and "must differ" in explain(reply)


def test_positions_follow_the_file(client):
    client.accept(rule("a") + rule("b") + rule("c"))
    assert [client.position(name) for name in "abc"] == [STEP, 2 * STEP, 3 * STEP]


def test_what_comes_between_gets_a_position_between(client):
    client.accept(rule("a") + rule("b"))
    reply = client.accept(rule("a") + rule("x") + rule("y") + rule("b"))
    assert names(reply, "create") == ["x", "y"] and names(reply, "update") == []
    assert client.order() == ["a", "x", "y", "b"]


def test_what_moves_gets_a_new_position_and_others_keep_theirs(client):
    client.accept(rule("a") + rule("b") + rule("c") + rule("d"))
    reply = client.accept(rule("b") + rule("a") + rule("c") + rule("d"))
    assert names(reply, "update") == ["a"]
    assert client.order() == ["b", "a", "c", "d"]


def test_new_objects_come_after_all_of_their_set(client):
    client.accept(rule("a") + rule("b") + rule("c"))
    client.accept(rule("d"))
    assert client.position("d") == 4 * STEP
    client.accept(rule("a") + rule("e"))
    assert client.position("e") == 5 * STEP
    client.accept(rule("first-of-web"), set="web")
    assert client.position("first-of-web") == STEP, "another set counts for itself"


def test_without_room_the_neighbour_moves(client):
    client.accept(rule("a", position=1) + rule("b", position=2) + rule("c", position=9000))
    reply = client.accept(rule("a") + rule("x") + rule("b") + rule("c"))
    assert names(reply, "update") == ["b"] and client.order() == ["a", "x", "b", "c"]


def test_explicit_positions_win(client):
    client.accept(rule("a") + rule("b"))
    client.accept(rule("a", position=5000) + rule("b"))
    assert (client.position("a"), client.position("b") > 5000) == (5000, True)
    reply = client.apply(rule("a", position=1) + rule("x") + rule("b", position=2))
    assert not reply["accepted"] and codes(reply) == {"no-position"}


def test_a_long_run_of_inserts_in_one_place_never_fails(client):
    client.accept(rule("first") + rule("last"))
    order = ["first", "last"]
    for i in range(40):  # many more than the gap can be halved
        order.insert(1, f"n{i}")
        client.accept("".join(rule(name) for name in order))
    assert client.order() == order


def test_an_export_applied_with_replace_is_the_same_configuration(client):
    client.accept(zone("lan", interfaces=["eth1"], masquerade=True) + rule("b", source={"addresses": ["10.0.0.0/8"]}) + rule(None, priority=9)
                  + rule("a", to="lan", destination={"ports": [80, "8000-8010"]}))
    client.accept(rule("in-set", protocol="udp"), set="web")
    root = client.root
    for file_format in ("yaml", "json"):
        text = client.export(format=file_format)
        assert not client.accept(text, replace=True)["changed"], file_format
        client.accept("", replace=True)
        assert client.names() == []
        client.accept(text, replace=True)
        assert client.root == root, file_format
    assert client.export(revision=dbus.UInt64(1)).count("---") == 4
    assert client.export(kinds=["zones"]).count("---") == 1


def test_dry_run_changes_nothing(client, configd):
    reply = client.accept(rule("a"), dryRun=True)
    assert (reply["changed"], reply["revision"], reply["created"]) == (True, 0, 1)
    assert client.revision == 0 and client.names() == []
    assert configd.participant.methods() == ["Plan", "Abort"]
