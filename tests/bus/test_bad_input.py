# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused whole, with place, reason and remedy, and changes nothing."""

import os

import dbus
import pytest

from config_harness import codes, explain, rule, zone

HEAD = "apiVersion: patronus.firewall/v1\n"
RULE = HEAD + "kind: FirewallRule\nmetadata: { name: web }\nspec: "
GOOD = zone("lan", interfaces=["eth1"]) + rule("base", to="lan")


def bomb():
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for previous, this in zip("abcdefgh", "bcdefghi"):
        lines.append(f"{this}: &{this} [" + ",".join(["*" + previous] * 9) + "]")
    return "\n".join(lines) + "\n"


# what, the input, where, what the text must say
CASES = {
    "unknown field": (RULE + "{ action: allow, prot: tcp }", "/spec/prot", "protocol"),
    "unknown top-level field": (RULE + "{ action: allow }\nspecs: {}", "/specs", "spec"),
    "unknown metadata": (RULE.replace("name: web", "name: web, lables: {}") + "{ action: allow }", "/metadata/lables", "labels"),
    "unknown kind": (HEAD + "kind: FirewalRule\nmetadata: { name: a }\nspec: {}", "/kind", "FirewallRule"),
    "unknown version": (RULE.replace("/v1", "/v9") + "{ action: allow }", "/apiVersion", "patronus.firewall/v1"),
    "no kind": (HEAD + "metadata: { name: a }\nspec: {}", "/kind", "required"),
    "no action": (RULE + "{}", "/spec/action", "required"),
    "wrong type": (RULE + "{ action: allow, priority: high }", "/spec/priority", "0-65535"),
    "a map for a list": (RULE + "{ action: allow, source: { ports: { a: 1 } } }", "/spec/source/ports", "list"),
    "unknown choice": (RULE + "{ action: permit }", "/spec/action", "allow"),
    "out of range": (RULE + "{ action: allow, destination: { ports: [80, 70000] } }", "/spec/destination/ports/1", "70000 is out of range 1-65535"),
    "priority out of range": (RULE + "{ action: allow, priority: 65536 }", "/spec/priority", "0-65535"),
    "backward range": (RULE + "{ action: allow, destination: { ports: [90-80] } }", "/spec/destination/ports/0", "80-90"),
    "bad address": (RULE + "{ action: allow, source: { addresses: [10.0.0.256] } }", "/spec/source/addresses/0", "10.0.0.256"),
    "host bits": (RULE + "{ action: allow, source: { addresses: [10.0.0.1/8] } }", "/spec/source/addresses/0", "10.0.0.0/8"),
    "bad name": (RULE.replace("name: web", "name: Web!") + "{ action: allow }", "/metadata/name", "Web!"),
    "reserved name": (zone("router"), "/metadata/name", "meaning of its own"),
    "duplicate key": (RULE + "{ action: allow, action: drop }", "action", "twice"),
    "duplicate name": (rule("a") + rule("a", priority=1), "/metadata/name", "twice"),
    "dangling reference": (rule("a", to="lam"), "FirewallRule/a#/spec/to", 'did you mean "lan"'),
    "mixed families": (rule("a", source={"addresses": ["10.0.0.1"]}, destination={"addresses": ["2001:db8::1"]}), "/spec/destination/addresses", "IPv6"),
    "mixed families in one list": (rule("a", source={"addresses": ["10.0.0.1", "2001:db8::1"]}), "/spec/source/addresses", "famil"),
    "two zones claim one interface": (zone("x", interfaces=["eth7"]) + zone("y", interfaces=["eth7"]), "/spec/interfaces/0", "eth7"),
    "a zone claims another's interface": (zone("x", interfaces=["eth1"]), "Zone/x#/spec/interfaces/0", "Zone/lan"),
    "anchor": (RULE + "&a { action: allow }", "7:7", "anchor"),
    "alias bomb": (bomb(), "4:", "anchor"),
    "tag": (RULE + "!!map { action: allow }", "7:7", "tag"),
    "two objects in a list": ("- a\n- b\n", "4:1", "object"),
    "not an object": ("hello\n", "4:1", "object"),
    "truncated": (RULE + "{ action: allow, destination: { ports: [80", "", ""),
    "truncated JSON": ('{"apiVersion":"patronus.firewall/v1","kind":"Firewall', "", ""),
    "tabs": (RULE + "\n\taction: allow", "", ""),
    "binary": (bytes(range(256)) * 16, "", ""),
    "NUL": (RULE.encode() + b"{ action: allow }\0", "", ""),
    "invalid UTF-8": (RULE.encode() + b"{ action: allow }\n# \xff\xfe", "", "UTF-8"),
    "deep nesting": (RULE + "[" * 100_000, "", ""),
    "deep JSON": ('{"a":' * 100_000, "", ""),
    "a float": (RULE + "{ action: allow, priority: 1.5 }", "7:34", "whole number"),
    "a huge number": (RULE + "{ action: allow, priority: 99999999999999999999999 }", "7:34", "64 bits"),
}


@pytest.mark.parametrize("what", CASES)
def test_is_refused_whole(client, configd, what):
    data, place, text = CASES[what]
    client.accept(GOOD)
    root, calls = client.root, len(configd.participant.log())
    data = data.encode() if isinstance(data, str) else data
    reply = client.apply(rule("fine").encode() + b"---\n" + data, source="bad.yaml")
    assert not reply["accepted"] and reply["revision"] == 0
    errors = [tuple(map(str, entry)) for entry in reply["diagnostics"] if entry[0] == "error"]
    assert errors, "no reason was given"
    assert any(place in error[1] or place in error[3] for error in errors), errors
    assert any(text in error[3] for error in errors), errors
    assert all(error[2] and error[3] for error in errors)
    assert (client.revision, client.root) == (1, root)
    assert client.names() == ["base", "lan"]
    assert len(configd.participant.log()) == calls, "a daemon was bothered"


def test_all_that_is_wrong_is_reported_at_once(client):
    reply = client.apply(rule("a", priority=70000, protocl="tcp") + rule("b", action="permit") + rule("c"))
    places = [str(entry[1]) for entry in reply["diagnostics"]]
    assert len(places) == 3 and not reply["accepted"] and client.names() == []


def test_two_hundred_megabytes_are_refused_at_once(client):
    fd = os.memfd_create("large")
    chunk = rule("a").encode() * 10_000
    while os.lseek(fd, 0, os.SEEK_CUR) < 200 * 2**20:
        os.write(fd, chunk)
    with os.fdopen(fd) as file:
        reply = client.config("Apply", "ha{sv}", dbus.types.UnixFd(file), {})
    assert not reply["accepted"] and codes(reply) == {"too-large"} and "128 MiB" in explain(reply)


def test_the_most_that_is_read_can_be_nonsense(client):
    reply = client.apply(b"x" * (64 * 2**20))
    assert not reply["accepted"]


def test_what_could_block_is_not_read(client):
    reader, writer = os.pipe()
    with os.fdopen(reader) as file:
        reply = client.config("Apply", "ha{sv}", dbus.types.UnixFd(file), {})
    os.close(writer)
    assert not reply["accepted"] and codes(reply) == {"bad-input"} and "regular file" in explain(reply)


def test_many_errors_are_counted_not_kept(client):
    reply = client.apply("".join(rule(f"r{i}", priority=70000) for i in range(5000)))
    assert not reply["accepted"] and len(reply["diagnostics"]) <= 101
