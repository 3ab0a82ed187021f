# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of configd: an entry for every change and every refused attempt, and none that can be changed unseen."""

import json
import os
import subprocess
import sys
import time

import dbus
import pytest

from config_harness import CONFIG_NAME, CONFIG_PATH, FILTER_NAME, SESSION_INTERFACE, as_user, codes, explain, memfd, rule, wait_until

BURST, REFILL_S = 20, 60  # daemons/configd/audit.h
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")


def entries(client, **options):
    """Oldest first, as plain values."""
    return [{str(key): value for key, value in entry.items()} for entry in
            reversed(client.config("ListAudit", "a{sv}", {"limit": dbus.UInt32(1000), **options}))]


def last(client):
    return entries(client, limit=dbus.UInt32(1))[0]


def verify(client):
    return client.config("VerifyAudit")


def good(client):
    reply = verify(client)
    assert reply["good"] and not reply["diagnostics"], explain(reply)
    return reply


def journal(configd):
    return configd.state / "audit" / "journal"


def test_it_begins(client):
    entry, = entries(client)
    assert (entry["number"], entry["method"], entry["user"], entry["result"]) == (1, "AuditBegins", "configd", "ok")
    reply = good(client)
    assert (reply["entries"], reply["files"], reply["first"], reply["last"], reply["damaged"]) == (1, 1, 1, 1, 0)
    assert reply["digest"] == entry["digest"]


def test_a_commit_says_who_what_and_why(client):
    session = client.open()
    session.set("Zone", "lan", {"interfaces": dbus.Array(["eth1"], signature="s")})
    session.set("FirewallRule", "web", {"action": "allow", "to": "lan"})
    assert len(entries(client)) == 1, "a candidate changes nothing"
    assert session.plan()["accepted"] and session.commit(dryRun=True)["accepted"] and len(entries(client)) == 1, "nor does a trial"
    assert session.commit(comment="the shop opens")["accepted"]
    entry = last(client)
    assert (entry["number"], entry["uid"], entry["pid"]) == (2, os.geteuid(), os.getpid())
    assert (entry["daemon"], entry["method"], entry["action"]) == ("configd", "Commit", "org.patronus.config.commit")
    assert (entry["subject"], entry["reason"], entry["result"], entry["revision"]) == ("FirewallRule/web, Zone/lan", "the shop opens", "ok", 1)
    assert entry["text"] == "2 created, 0 updated, 0 deleted; confirm never" and "leftOut" not in entry
    assert session.commit()["accepted"] and len(entries(client)) == 2, "nothing was changed"
    good(client)


def test_apply_revert_and_what_is_refused(client):
    client.accept(rule("a"))
    client.accept(rule("a", priority=2), comment="second")
    assert client.config("Revert", "ta{sv}", dbus.UInt64(1), {})["accepted"]
    reply = client.apply(rule("b", to="nowhere"), comment="wrong")
    assert not reply["accepted"]
    found = [(str(entry["method"]), str(entry["action"]).rpartition(".")[2], str(entry["result"]), int(entry.get("revision", 0)))
             for entry in entries(client)[1:]]
    assert found == [("Apply", "commit", "ok", 1), ("Apply", "commit", "ok", 2), ("Revert", "revert", "ok", 3), ("Apply", "commit", "refused", 0)]
    entry = last(client)
    assert entry["reason"] == "wrong" and entry["subject"] == "FirewallRule/b"
    assert entry["text"].startswith("dangling-reference: FirewallRule/b/spec/to: ")


def test_what_was_begun_and_taken_back_has_failed(configd):
    configd.client.accept(rule("a"))
    configd.participant.on("Commit", "refuse")
    assert not configd.client.apply(rule("b"))["accepted"]
    entry = last(configd.client)
    assert (entry["result"], entry["revision"], entry["subject"]) == ("failed", 2, "FirewallRule/b")
    assert entry["text"].startswith("refused-by-script")


def test_a_conflict_names_what_is_in_it(client):
    mine, theirs = client.open(), client.open()
    for session, action in ((theirs, "drop"), (mine, "allow")):
        session.set("FirewallRule", "a", {"action": action})
        session.commit()
    entry = last(client)
    assert (entry["result"], entry["subject"]) == ("refused", "FirewallRule/a") and entry["text"].startswith("conflict: ")
    mine.call("Rebase", "a{sv}", {"prefer": "mine"})
    theirs.set("FirewallRule", "b", {"action": "drop"})
    theirs.commit()
    mine.commit()
    assert "merged with revision 2" in last(client)["text"]


def test_the_client_s_address_and_who_says_so(client):
    session = client.open()
    session.set("FirewallRule", "a", {"action": "allow"})
    assert session.commit(connection="192.0.2.7 50000 198.51.100.1 22")["accepted"]
    entry = last(client)
    assert entry["client"] == "192.0.2.7" and entry["claimed"] == True  # noqa: E712, it is a dbus.Boolean


def test_datasets(client):
    digest = str(client.put(["192.0.2.1"])["digest"])
    entry = last(client)
    assert (entry["method"], entry["subject"], entry["result"]) == ("PutDataset", f"Dataset/{digest}", "ok")
    client.config("DeleteDataset", "s", digest)
    assert (last(client)["method"], last(client)["subject"]) == ("DeleteDataset", f"Dataset/{digest}")


def test_confirmations(configd):
    client = configd.client
    client.accept(rule("a"))
    assert client.accept(rule("b"), confirm="5")["confirmUSec"] == 5_000_000
    assert "to be confirmed within 5 s" in last(client)["text"]
    with pytest.raises(dbus.DBusException):
        client.config("Confirm", "ta{sv}", dbus.UInt64(2), {})
    entry = last(client)
    if entry["method"] == "Confirm":  # where the test is on a console it is not refused
        assert entry["result"] == "refused" and "revision 2" in entry["text"]
    wait_until(lambda: client.revision == 3, "the return to revision 1")
    entry = last(client)
    assert (entry["method"], entry["user"], entry["result"], entry["revision"]) == ("AutoRevert", "configd", "ok", 3)
    assert entry["reason"] == "revision 2 was not confirmed"


STRANGER = f"""
import dbus, dbus.bus, sys
bus = dbus.bus.BusConnection(sys.argv[1])
for i in range(int(sys.argv[2])):
    try:
        bus.call_blocking("{CONFIG_NAME}", "{CONFIG_PATH}", "{CONFIG_NAME}", "Revert", "ta{{sv}}", (1, {{}}))
        sys.exit("was allowed")
    except dbus.DBusException as error:
        assert error.get_dbus_name() == "org.patronus.Error.NotAuthorized", error
"""


def strange(configd, times):
    done = subprocess.run([sys.executable, "-c", STRANGER, configd.address, str(times)], capture_output=True, text=True, **as_user("nobody"))
    assert done.returncode == 0, done.stderr


@root
def test_a_refused_stranger(configd):
    strange(configd, 1)
    entry = last(configd.client)
    assert (entry["user"], entry["method"], entry["action"], entry["result"]) == ("nobody", "Revert", "org.patronus.config.revert", "refused")
    assert entry["subject"] == CONFIG_NAME and entry["text"] and entry["uid"] == as_user("nobody")["user"]


@root
def test_a_flood_of_refused_attempts_is_counted_and_not_written(configd):
    begin = time.monotonic()
    strange(configd, 500)
    found = [entry for entry in entries(configd.client) if entry["result"] == "refused"]
    assert BURST <= len(found) <= BURST + (time.monotonic() - begin) / REFILL_S
    configd.client.accept(rule("a"))
    assert last(configd.client)["method"] == "Apply", "others are not in its way"
    good(configd.client)


@root
def test_a_session_of_somebody_else(configd):
    """root may use it; what a third one tries is refused by the guard before that."""
    session = configd.client.open()
    session.set("FirewallRule", "a", {"action": "allow"})
    script = f"""
import dbus, dbus.bus, sys
bus = dbus.bus.BusConnection(sys.argv[1])
try:
    bus.call_blocking("{CONFIG_NAME}", sys.argv[2], "{SESSION_INTERFACE}", "Commit", "a{{sv}}", ({{}},))
except dbus.DBusException as error:
    print(error.get_dbus_name())
"""
    done = subprocess.run([sys.executable, "-c", script, configd.address, session.path], capture_output=True, text=True, **as_user("patronus-configd"))
    assert done.stdout.strip() == "org.patronus.Error.NotAuthorized", done.stderr
    entry = last(configd.client)
    assert (entry["user"], entry["method"], entry["result"]) == ("patronus-configd", "Commit", "refused")
    assert configd.client.revision == 0


def test_what_another_daemon_reports(configd):
    """Only what owns a participant's name is believed."""
    report = {"uid": dbus.UInt32(1000), "user": "alice", "pid": dbus.UInt32(77), "method": "Ban", "action": "org.patronus.runtime.operate",
              "subject": "192.0.2.66", "result": "ok", "text": "1 banned"}
    with pytest.raises(dbus.DBusException) as error:
        configd.client.config("RecordAudit", "a{sv}", dbus.Dictionary(report, signature="sv"))
    assert error.value.get_dbus_name().endswith("NotAuthorized")
    assert (last(configd.client)["method"], last(configd.client)["result"]) == ("RecordAudit", "refused")
    configd.participant.process.kill()
    configd.participant.process.wait()
    filterd = configd.connect()
    filterd.bus.request_name(FILTER_NAME)

    def recorded():
        try:
            filterd.config("RecordAudit", "a{sv}", dbus.Dictionary(report, signature="sv"))
        except dbus.DBusException:
            return False  # configd has not heard of the new owner
        return True
    wait_until(recorded, "the new owner of the name")
    entry = last(configd.client)
    assert (entry["daemon"], entry["user"], entry["uid"], entry["pid"], entry["subject"]) == ("filterd", "alice", 1000, 77, "192.0.2.66")
    with pytest.raises(dbus.DBusException) as error:
        filterd.config("RecordAudit", "a{sv}", dbus.Dictionary({**report, "result": "maybe"}, signature="sv"))
    assert "ok, refused or failed" in error.value.get_dbus_message()


def test_secrets_and_the_log(client):
    """What is not a change, and matters all the same: who took sealed secrets out, and who set what is logged."""
    client.config("ExportSealed", "a{sv}", {})
    entry = last(client)
    assert (entry["method"], entry["action"], entry["result"]) == ("ExportSealed", "org.patronus.secret.read", "ok")
    client.call("/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties", "Set", "ssv", "org.freedesktop.LogControl1", "LogLevel", "info")
    entry = last(client)
    assert (entry["method"], entry["action"], entry["result"]) == ("Set", "org.patronus.system.admin", "ok")


def test_pages(client):
    for i in range(7):
        client.accept(rule(f"r{i}"))
    seen, before = [], 0
    while True:
        page = client.config("ListAudit", "a{sv}", {"limit": dbus.UInt32(3), **({"before": dbus.UInt64(before)} if before else {})})
        seen += [int(entry["number"]) for entry in page]
        if not page:
            break
        before = seen[-1]
    assert seen == list(range(8, 0, -1))


def test_it_goes_on_after_a_restart(configd):
    configd.client.accept(rule("a"))
    configd.process.end()
    configd.start()
    configd.client.accept(rule("b"))
    assert [(int(entry["number"]), str(entry["method"])) for entry in entries(configd.client)] == [(1, "AuditBegins"), (2, "Apply"), (3, "Apply")]
    assert good(configd.client)["last"] == 3


def test_what_a_crash_took_is_written_anew(configd):
    configd.client.accept(rule("a"))
    before = journal(configd).read_bytes()
    configd.client.accept(rule("b"), comment="lost")
    configd.participant.on("Commit", "refuse")
    assert not configd.client.apply(rule("c"), comment="failed")["accepted"]
    configd.participant.on("Commit", "")
    configd.process.kill()
    journal(configd).write_bytes(before)  # as if nothing of it had reached the disk
    configd.start()
    configd.settled()
    found = entries(configd.client)[2:]
    assert [(str(entry["method"]), str(entry["result"]), int(entry["revision"]), str(entry["reason"])) for entry in found] == \
        [("Commit", "ok", 2, "lost"), ("Commit", "failed", 3, "failed")]
    assert all("written anew" in entry["text"] and entry["uid"] == os.geteuid() for entry in found)
    good(configd.client)


@pytest.mark.parametrize("behaviour, result", [("once:mute", "failed"), ("once:act-and-die", "failed")])
def test_a_commit_that_a_crash_interrupted(configd, behaviour, result):
    """Whatever became of it, there is one entry that says so."""
    configd.client.accept(rule("a"))
    configd.participant.on("Verify", "silent")
    other = configd.connect()
    fd = memfd(rule("b"))
    other.bus.call_async(CONFIG_NAME, CONFIG_PATH, CONFIG_NAME, "Apply", "ha{sv}", (dbus.types.UnixFd(fd), {"confirm": "never"}), None, None)
    os.close(fd)
    wait_until(lambda: configd.participant.methods().count("Verify") == 2, "the middle of the commit")
    configd.process.kill()
    configd.participant.on("Verify", "")
    configd.start()
    configd.settled()
    wait_until(lambda: configd.client.config("GetRevision", "t", dbus.UInt64(2))["state"] != "intent", "a decision")
    state = str(configd.client.config("GetRevision", "t", dbus.UInt64(2))["state"])
    found = [entry for entry in entries(configd.client) if entry.get("revision") == 2]
    assert [str(entry["result"]) for entry in found] == ["ok" if state == "running" else "failed"]


def test_tampering_is_found_and_named(configd):
    for name in "abc":
        configd.client.accept(rule(name))
    good(configd.client)
    whole = journal(configd).read_bytes()
    lines = whole.splitlines(keepends=True)

    def places(content):
        journal(configd).write_bytes(content)
        reply = verify(configd.client)
        assert not reply["good"] and reply["damaged"] > 0
        return [str(place) for _, place, code, _ in reply["diagnostics"] if code == "audit-damaged"]
    assert "journal:3" in places(whole.replace(b'"FirewallRule/a"', b'"FirewallRule/x"'))
    assert "journal:3" in places(b"".join(lines[:2] + lines[3:]))
    assert "journal:4" in places(b"".join(lines[:3] + [lines[2]] + lines[3:]))
    assert places(b"".join(lines[:-1])) == ["journal"], "the end, which only configd itself knows"
    assert "journal" in places(b"")
    journal(configd).write_bytes(whole)
    good(configd.client)
    journal(configd).write_bytes(whole.replace(b'"FirewallRule/b"', b'"FirewallRule/x"'))
    configd.process.end()
    configd.start()
    configd.client.accept(rule("d"))
    reply = verify(configd.client)
    assert [str(place) for _, place, _, _ in reply["diagnostics"]] == ["journal:4"] and reply["last"] == 5, "told for as long as it is kept"


def full_disk(configd, full):
    """The limit on the size of files stands for a full disk."""
    configd.full_disk(journal(configd).stat().st_size if full else "unlimited")


@root
def test_nothing_is_changed_that_cannot_be_audited(configd):
    configd.process.end()
    configd.start_with_limits()
    configd.client.accept(rule("early"))
    revision = configd.client.revision
    full_disk(configd, True)
    assert codes(configd.client.apply(rule("late"))) == {"journal-failed"}, "there was room for its entry when it began"
    reply = configd.client.apply(rule("late"))
    assert not reply["accepted"] and codes(reply) == {"audit-failed"} and configd.client.revision == revision
    with pytest.raises(dbus.DBusException):
        configd.client.config("DeleteDataset", "s", "0" * 64)
    assert "audit" in configd.client.call(CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", "org.patronus.Daemon1", "Conditions")
    assert configd.client.names("FirewallRule"), "what only reads goes on"
    full_disk(configd, False)
    assert configd.client.apply(rule("late"))["accepted"]
    assert "audit" not in configd.client.call(CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", "org.patronus.Daemon1", "Conditions")
    refused = [entry for entry in entries(configd.client) if entry["result"] == "refused"]
    assert [str(entry["text"]).partition(":")[0] for entry in refused] == ["journal-failed", "audit-failed"], "they waited for the disk"
    good(configd.client)


@root
def test_a_folder_that_is_no_folder(idle):
    (idle.state / "audit").write_text("in the way")
    idle.start_participant()
    idle.start()
    assert codes(idle.client.apply(rule("a"))) == {"audit-failed"}
    (idle.state / "audit").unlink()
    assert idle.client.accept(rule("a"))["revision"] == 1
    assert [str(entry["method"]) for entry in entries(idle.client)][-1] == "Apply"


def ctl(configd, *args):
    return subprocess.run([configd.build / "cli/patronusctl", "audit", *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": configd.address, "TZ": "UTC"})


@root
def test_patronusctl_lists_it(configd):
    for i in range(30):
        configd.client.accept(rule("a", priority=i), comment=f"number {i}")
    strange(configd, 2)
    lines = ctl(configd).stdout.splitlines()
    assert lines[0].split() == ["ENTRY", "TIME", "USER", "METHOD", "RESULT", "REVISION", "SUBJECT", "REASON", "DETAILS"] and len(lines) == 21
    assert lines[1].split()[0] == "33" and " nobody " in lines[1] and " refused " in lines[1]
    assert lines[3].split()[0] == "31" and " number 29 " in lines[3] and " FirewallRule/a " in lines[3]
    rows = [json.loads(line) for line in ctl(configd, "-o", "json", "--limit", "100").stdout.splitlines()]
    assert [row["number"] for row in rows] == list(range(33, 0, -1))
    wide = ctl(configd, "-o", "wide", "-l", "1").stdout.splitlines()
    assert {"UID", "DAEMON", "ACTION", "PID", "UNIT", "SESSION", "DIGEST"} <= set(wide[0].split()) and rows[0]["digest"][:12] in wide[1]
    assert "number: 33" in ctl(configd, "-o", "yaml", "-l", "1").stdout
    for user in ("nobody", str(as_user("nobody")["user"])):
        assert [json.loads(line)["number"] for line in ctl(configd, "-o", "json", "--user", user).stdout.splitlines()] == [33, 32]
    done = ctl(configd, "--user", "alice")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "there is no such entry\n")


def test_patronusctl_verifies_it(configd):
    configd.client.accept(rule("a"))
    done = ctl(configd, "--verify")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout == ("2 entries, 1 to 2, in 1 file\n" f"digest of the last: {last(configd.client)['digest']}\n" "nothing was changed\n")
    assert json.loads(ctl(configd, "--verify", "-o", "json").stdout)["good"] is True
    journal(configd).write_bytes(journal(configd).read_bytes().replace(b'"FirewallRule/a"', b'"FirewallRule/x"'))
    done = ctl(configd, "--verify")
    assert done.returncode == 1 and "journal:3: this line was changed after it was written" in done.stderr
    assert "places do not fit: entries were changed or lost" in done.stderr
    assert ctl(configd, "--verify", "--user", "root").returncode == 2
