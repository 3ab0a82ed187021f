# SPDX-License-Identifier: GPL-3.0-or-later
"""configd starts on a store that somebody changed: the newest good revision runs, and configd says so."""

import hashlib
import json

import dbus

from config_harness import CONFIG_PATH, rule, wait_until

DAEMON = "org.patronus.Daemon1"


def condition(client):
    conditions = client.call(CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", DAEMON, "Conditions")
    return str(conditions.get("StoreDamaged", ""))


def states(client):
    return [(int(r["number"]), str(r["state"])) for r in client.config("ListRevisions", "a{sv}", {})]


def commit(client, *names):
    for name in names:
        client.accept(rule(name))


def test_the_newest_good_revision_runs(configd):
    client = configd.client
    commit(client, "one", "two", "three")
    assert condition(client) == ""
    configd.process.end()
    (configd.state / "journal").unlink()  # so that nothing can be put right
    slice_of_3 = configd.state / "revisions/3/filterd.ndjson"
    slice_of_3.write_bytes(slice_of_3.read_bytes().replace(b"three", b"thief"))

    configd.start()
    assert client.names("FirewallRule") == ["one", "two"]
    assert client.revision == 2
    assert "see its log" in condition(client)
    configd.settled()  # the participant is taken there too
    client.accept(rule("four"))
    assert (client.revision, client.names("FirewallRule")) == (4, ["four", "one", "two"])
    configd.process.end()
    configd.start()
    assert (client.revision, client.names("FirewallRule")) == (4, ["four", "one", "two"])
    wait_until(lambda: condition(client) == "", "the end of the condition")


def test_a_forged_revision_is_shown_and_not_loaded(configd):
    client = configd.client
    commit(client, "one", "two", "three")
    configd.process.end()
    (configd.state / "journal").unlink()
    meta = configd.state / "revisions/2/meta.json"
    older = (configd.state / "revisions/1/meta.json").read_text()
    assert meta.read_text() != older
    meta.write_text(forged(meta.read_text()))

    configd.start()
    assert client.revision == 3
    assert states(client) == [(3, "running"), (2, "damaged"), (1, "decided")]
    assert "see its log" in condition(client)
    for number, fits in ((2, False), (1, True)):
        reply = revert(client, number)
        assert bool(reply) == fits


def forged(line):
    """Somebody else's name in it, and a digest that fits."""
    entry = json.loads(line)
    entry["record"]["author"] = "mallory"
    covered = f'"prev":"{entry["prev"]}","record":{json.dumps(entry["record"], separators=(",", ":"), sort_keys=True)}}}'
    return f'{{"digest":"{hashlib.sha256(covered.encode()).hexdigest()}",{covered}\n'


def revert(client, number):
    try:
        return client.config("Revert", "ta{sv}", dbus.UInt64(number), {})["accepted"]
    except dbus.DBusException as error:
        assert f"revision {number}" in error.get_dbus_message().lower()
        return None
