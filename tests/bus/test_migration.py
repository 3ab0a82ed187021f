# SPDX-License-Identifier: GPL-3.0-or-later
"""From one release to the next and back: programs that know TestService v1 alone, and programs that know v3 (tests/daemons/kinds.h)."""

import hashlib
import json
import shutil
import subprocess

import dbus
import pytest

import config_harness
from config_harness import codes, explain, wait_until
from fault_harness import link, service

WORD = "correct-horse-battery"
OLD = "patronus.testservice/v1"
NEW = "patronus.testservice/v3"


def document(version, name="web", **spec):
    return "---\n" + json.dumps({"apiVersion": f"patronus.testservice/{version}", "kind": "TestService", "metadata": {"name": name},
                                 "spec": {"port": 80, **spec}}) + "\n"


def start(faults, version, *options):
    faults.version = version
    faults.start(*options)


def stop(faults):
    faults.process.end()
    for daemon in faults.daemons.values():
        daemon.end()
        wait_until(lambda daemon=daemon: not daemon.running(), f"end of {daemon.name} on the bus")


def stored(daemon, name="TestService.web"):
    """The line that the system has, and the digest of the secret in it, if there is one."""
    line, *digests = daemon.files()[name].split("\n")
    return json.loads(line), digests


def digest(word):
    return hashlib.sha256(word.encode()).hexdigest()


def revisions(faults):
    return [(int(r["number"]), str(r["author"]), str(r["comment"])) for r in faults.client.config("ListRevisions", "a{sv}", {})]


@pytest.fixture
def older(faults):
    """What the last release left: a revision with a TestService v1."""
    start(faults, "-v1")
    faults.client.accept(link("wan", secret=WORD) + document("v1", password=WORD, link="wan") + document("v1", "slow", idle=300), comment="old")
    assert stored(faults.service)[0]["apiVersion"] == OLD
    stop(faults)
    return faults


# --- upwards --------------------------------------------------------------------------------------------------------------


def test_it_is_migrated_as_a_revision(older):
    start(older, "")
    wait_until(lambda: older.client.revision == 2, "the migrated revision")
    assert revisions(older)[0][1:] == ("configd", f"migrated to {NEW}")
    older.agree()
    line, digests = stored(older.service)
    assert line["apiVersion"] == NEW and line["spec"]["idle"] == 30 and "password" not in line["spec"]
    assert digests == [digest(WORD)], "what was sealed as `password` is opened as `secret`"
    assert stored(older.service, "TestService.slow")[0]["spec"] == {"idle": 300, "port": 80}
    # As before, once it is done.
    older.process.kill()
    older.start_configd()
    assert older.client.revision == 2
    # The same password is still the same.
    assert not older.client.accept(service("web", secret=WORD, link="wan", idle=30))["changed"]


def test_it_is_shown_as_a_diff(older):
    start(older, "")
    wait_until(lambda: older.client.revision == 2, "the migrated revision")
    changes = {line["name"]: {f["pointer"]: (f.get("before"), f.get("after")) for f in line["fields"]} for line in older.client.diff(1, 2)}
    assert changes == {
        "web": {"/apiVersion": (OLD, NEW), "/spec/password": ('"<redacted>"', None), "/spec/secret": (None, '"<redacted>"'),
                "/spec/idle": (None, "30")},
        "slow": {"/apiVersion": (OLD, NEW)},
    }
    text = older.ctl("diff", "1", "2")
    assert "idle" in text and NEW in text and "sealed:" not in text


def test_a_daemon_alone_touches_nothing(older):
    """It starts from the older slice, whose root is that of its marker."""
    before, marker = older.service.files(), older.service.marker()
    older.version = ""
    older.service.start()
    assert (older.service.files(), older.service.marker()) == (before, marker)
    assert older.service.revision == 1 and str(older.service.prop("State")) == "running"


def test_a_daemon_alone_after_a_boot(older):
    older.version = ""
    shutil.rmtree(older.service.directory)
    older.service.start()
    line, digests = stored(older.service)
    assert line["apiVersion"] == OLD and digests == [digest(WORD)]
    assert older.service.marker()[0] == 1


def test_the_daemon_is_upgraded_first(older):
    """A configd of the last release goes on with it."""
    start(older, "-v1")
    older.service.kill()
    older.version = ""
    older.service.start()
    older.client.accept(document("v1", "more", idle=5))
    older.agree()
    older.process.kill()
    older.start_configd()
    wait_until(lambda: older.client.revision == 3, "the migrated revision")
    older.agree()


def test_configd_is_upgraded_first(older):
    """It waits for a daemon that understands, and says so. Other changes go on."""
    start(older, "-v1")
    older.process.kill()
    older.version = ""
    older.start_configd()
    wait_until(lambda: "Migration" in older.conditions(), "the condition")
    assert "is in force as it is" in older.conditions()["Migration"] and older.client.revision == 1
    assert stored(older.service)[0]["apiVersion"] == OLD and str(older.service.prop("State")) == "running"
    older.client.accept(link("wan", secret=WORD, mtu=1400))
    older.service.kill()
    older.service.start()
    wait_until(lambda: older.client.revision == 3 and older.conditions() == {}, "the migrated revision")
    older.agree()


def test_migrated_before_others_commit(older):
    """A client that was faster than the migration edits what it made, and nothing is lost."""
    start(older, "")
    session = older.client.open()
    session.set("TestService", "web", {"port": dbus.UInt16(81)})
    reply = session.commit()
    assert reply["accepted"], explain(reply)
    wait_until(lambda: older.client.get("TestService", "slow")["spec"]["idle"] == 300, "the other")
    spec = older.client.get("TestService", "web")["spec"]
    assert (spec["port"], spec["idle"], spec["secret"]) == (81, 30, "<redacted>")
    assert stored(older.service)[1] == [digest(WORD)]
    wait_until(lambda: stored(older.service, "TestService.slow")[0]["apiVersion"] == NEW, "the migrated revision")
    older.agree()


def test_back_to_before_it(older):
    """A revert brings what was; it is migrated again."""
    start(older, "")
    wait_until(lambda: older.client.revision == 2, "the migrated revision")
    older.client.accept(service("web", port=9, idle=1))
    reply = older.client.config("Revert", "ta{sv}", dbus.UInt64(1), {"confirm": "never"})
    assert reply["accepted"], explain(reply)
    wait_until(lambda: older.client.revision == 5, "the migrated revision")
    line, digests = stored(older.service)
    assert line["apiVersion"] == NEW and line["spec"]["idle"] == 30 and digests == [digest(WORD)]
    older.agree()


def test_input_of_an_older_version(faults):
    start(faults, "")
    reply = faults.client.accept(document("v1", password=WORD) + document("v2", "two", secret=WORD))
    notices = [(str(severity), str(code)) for severity, _, code, _ in reply["diagnostics"]]
    assert notices == [("notice", "migrated")] * 2 and "password" in explain(reply)
    assert faults.client.revision == 1
    assert faults.client.get("TestService", "web")["spec"]["idle"] == 30
    assert stored(faults.service)[1] == [digest(WORD)]


# --- downwards ------------------------------------------------------------------------------------------------------------


def test_input_of_a_newer_version(faults):
    start(faults, "")
    refused = faults.client.apply(document("v4"))
    assert codes(refused) == {"newer-version"} and "update it" in explain(refused)


def test_an_older_program_leaves_a_newer_store_alone(faults, capfd):
    start(faults, "")
    faults.client.accept(link("wan"))
    faults.client.accept(service("web", idle=30))
    stop(faults)
    files, store = faults.service.files(), (faults.state / "journal").read_bytes()
    capfd.readouterr()
    faults.version = "-v1"
    done = subprocess.run([faults.program("tests/daemons/patronus-configd-test-v1"), "--bus", faults.address, "--state-dir", faults.state,
                           "--run-dir", faults.directory], capture_output=True, text=True, timeout=60, check=False,
                          **config_harness.as_user(config_harness.USER))
    assert done.returncode != 0
    assert "a newer one wrote them" in done.stderr and "install that version again" in done.stderr
    faults.service.start()
    assert "NewerVersion" in faults.service.prop("Conditions") and str(faults.service.prop("State")) == "degraded"
    assert faults.service.files() == files and (faults.state / "journal").read_bytes() == store
    faults.service.end()
    wait_until(lambda: not faults.service.running(), "end of testservice on the bus")
    start(faults, "")
    assert faults.client.revision == 2
    faults.agree()
