# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets, from what a person writes to the daemon that opens them: what goes where, and what stays nowhere."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import dbus
import pytest

import terminal
from config_harness import CONFIG_NAME, codes, error_name, explain, wait_until
from fault_harness import link, service

WORD, OTHER = "correct-horse-battery", "hunter2-and-more"
REDACTED = "<redacted>"


def digest(word):
    return hashlib.sha256(word.encode()).hexdigest()


def opened(daemon):
    """The digests of the secrets that the daemon's system has, by object."""
    return {name: lines[1:] for name, text in daemon.files().items() if len(lines := text.split("\n")) > 1}


def sealed(daemon, name):
    """The text that is in force for an object's secret."""
    return re.search(r'"secret":"(sealed:v1:[^"]+)"', daemon.files()[name]).group(1)


def pointers(reply):
    return {str(subject).partition("#")[2] for _, subject, _, _ in reply["diagnostics"]}


def sealed_export(faulty):
    return faulty.client.text("ExportSealed", "a{sv}", {})


# --- from end to end ------------------------------------------------------------------------------------------------------


def test_the_owner_opens_it(faulty):
    reply = faulty.client.accept(link("wan", secret=WORD) + service("web", link="wan", secret=OTHER) + service("plain"))
    assert reply["created"] == 3
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    assert opened(faulty.service) == {"TestService.web": [digest(OTHER)]}


class Monitor:
    """What configd and the test daemons send."""

    def __init__(self, faulty, path):
        self.path = path
        names = [CONFIG_NAME, *(daemon.bus_name for daemon in faulty.daemons.values())]
        with path.open("wb") as out:
            self.process = subprocess.Popen(["dbus-monitor", "--address", faulty.address, *(f"sender='{name}'" for name in names)],
                                            stdout=out)

    def text(self, faulty):
        """Once it has seen what was sent until now: the bus keeps the order."""
        mark = f"mark-{os.urandom(8).hex()}"
        with pytest.raises(dbus.DBusException):
            faulty.client.get("TestLink", mark)
        wait_until(lambda: mark.encode() in self.path.read_bytes(), "the last answer")
        self.process.terminate()
        self.process.wait()
        return self.path.read_bytes()


def everything_in(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_it_is_nowhere_in_the_clear(faulty, tmp_path, capfd):
    """Disk, bus, logs, what a client sees, and what /proc shows."""
    monitor = Monitor(faulty, tmp_path / "traffic")
    wait_until(lambda: monitor.path.stat().st_size > 0, "start of dbus-monitor")
    client = faulty.client
    client.accept(link("wan", secret=WORD) + service("web", link="wan", secret=WORD), comment="first")
    session = client.open()
    session.set("TestLink", "lan", {"secret": WORD})
    session.set("TestService", "web", {"secret": OTHER})
    session.call("Rename", "sss", "TestLink", "wan", "uplink")
    seen = [session.get("TestLink", "lan"), session.get("TestService", "web"), session.plan(), session.commit(comment="second")]
    client.apply(service("bad", secret=[WORD]) + service("worse", port=WORD, secret=OTHER) + link("x", secret="x" * 2000 + WORD))
    seen += [client.get("TestLink", "uplink"), client.config("ListRevisions", "a{sv}", {}), client.diff(0, 2), client.diff(1, 2),
             client.export(), client.export(format="json"), sealed_export(faulty), client.config("List", "sa{sv}", "", {})]
    for arguments in (("get", "TestLink", "-o", "yaml"), ("diff", "1", "2"), ("history",), ("export",), ("get", "TestService", "-o", "wide")):
        seen.append(faulty.ctl(*arguments))
    processes = [faulty.process.process, faulty.link.process, faulty.service.process]
    for process in processes:
        for name in ("cmdline", "environ", "comm", "maps"):
            seen.append(pathlib.Path(f"/proc/{process.pid}/{name}").read_bytes())
    traffic = monitor.text(faulty)
    assert b"uplink" in traffic and b"second" in traffic, "it listens"
    client.config("Revert", "ta{sv}", dbus.UInt64(1), {})
    for daemon in faulty.daemons.values():
        daemon.end()
    faulty.process.end()
    logs = "".join(capfd.readouterr())
    for word in (WORD, OTHER):
        # `worse` gave one for its port, which is no secret: the answer may repeat it, but only there.
        assert word not in repr(seen), "answers"
        assert word.encode() not in everything_in(faulty.state), "disk"
        assert word.encode() not in everything_in(faulty.directory), "run directory and systems"
        assert word not in logs, "logs"
        without_port = b"\n".join(line for line in traffic.splitlines() if b"/spec/port" not in line)
        assert word.encode() not in without_port.replace(b'"' + word.encode() + b'" is no', b""), "bus"
    assert REDACTED in repr(seen) and "sealed:v1:" in repr(seen)


def test_no_core_dump_has_it(faulty):
    for process in (faulty.process.process, faulty.link.process):
        limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    # A process that is not dumpable is root's in /proc, whoever it runs as: nobody else of its user reads its memory.
    if os.geteuid() == 0:
        pid = faulty.process.process.pid
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0 and "patronus-configd" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        assert int(re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1)) != 0


# --- comparing ------------------------------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing(faulty):
    data = link("wan", secret=WORD)
    faulty.client.accept(data)
    before = sealed(faulty.link, "TestLink.wan")
    again = faulty.client.accept(data)
    assert not again["changed"] and faulty.client.revision == 1
    faulty.process.kill()
    faulty.start_configd()
    assert not faulty.client.accept(data)["changed"], "nor after a restart"
    changed = faulty.client.accept(link("wan", secret=OTHER))
    assert changed["changed"] and changed["updated"] == 1
    assert sealed(faulty.link, "TestLink.wan") != before
    assert opened(faulty.link) == {"TestLink.wan": [digest(OTHER)]}
    (line,) = faulty.client.diff(1, 2)
    assert [(f["pointer"], f["before"], f["after"]) for f in line["fields"]] == [
        ("/spec/secret", f'"{REDACTED}"', f'"{REDACTED}"')]


def test_equal_words_look_different(faulty):
    faulty.client.accept(link("one", secret=WORD) + link("two", secret=WORD))
    assert sealed(faulty.link, "TestLink.one") != sealed(faulty.link, "TestLink.two")
    assert set(map(tuple, opened(faulty.link).values())) == {(digest(WORD),)}


def test_redacted_is_as_it_is(faulty):
    faulty.client.accept(link("wan", secret=WORD, mtu=1400))
    assert not faulty.client.accept(faulty.client.export(), replace=True)["changed"]
    faulty.client.accept(link("wan", secret=REDACTED, mtu=1300))
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    session = faulty.client.open()
    session.set("TestLink", "wan", {"secret": REDACTED, "label": "x"})
    assert session.commit()["accepted"]
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    session.unset("TestLink", "wan", "secret")
    assert session.commit()["accepted"]
    assert opened(faulty.link) == {}
    refused = faulty.client.apply(link("wan", secret=REDACTED))
    assert codes(refused) == {"no-secret"} and "/spec/secret" in pointers(refused)


def test_a_rename_keeps_it(faulty):
    faulty.client.accept(link("wan", secret=WORD) + service("web", link="wan", secret=OTHER))
    session = faulty.client.open()
    session.call("Rename", "sss", "TestLink", "wan", "uplink")
    session.call("Rename", "sss", "TestService", "web", "shop")
    reply = session.commit()
    assert reply["accepted"], explain(reply)
    assert opened(faulty.link) == {"TestLink.uplink": [digest(WORD)]}
    assert opened(faulty.service) == {"TestService.shop": [digest(OTHER)]}
    assert not faulty.client.accept(link("uplink", secret=WORD))["changed"]


def test_a_backup_comes_back(faulty):
    faulty.client.accept(link("wan", secret=WORD) + service("web", secret=OTHER))
    redacted, backup = faulty.client.export(), sealed_export(faulty)
    empty = faulty.client.accept("", replace=True)
    assert empty["deleted"] == 2
    refused = faulty.client.apply(redacted)
    assert codes(refused) == {"no-secret"}
    faulty.client.accept(backup)
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    assert opened(faulty.service) == {"TestService.web": [digest(OTHER)]}


# --- what is not taken ----------------------------------------------------------------------------------------------------


def test_it_does_not_open_elsewhere(faulty):
    """Moved to another object or field, a sealed value is refused before anything is changed."""
    faulty.client.accept(link("wan", secret=WORD) + service("web", secret=OTHER))
    stolen = sealed(faulty.link, "TestLink.wan")
    refused = faulty.client.apply(link("lan", secret=stolen))
    assert codes(refused) == {"cannot-open"} and pointers(refused) == {"/spec/secret"}, explain(refused)
    refused = faulty.client.apply(service("web", secret=stolen))  # nor the key of another daemon
    assert codes(refused) == {"foreign-secret"}, explain(refused)
    assert faulty.client.revision == 1


def test_a_value_that_was_changed(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    text = sealed(faulty.link, "TestLink.wan")
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1:]
    refused = faulty.client.apply(link("wan", secret=changed))
    assert codes(refused) == {"cannot-open"}
    refused = faulty.client.apply(link("wan", secret=text[:-4]))
    assert codes(refused) == {"bad-secret"}
    assert text[20:40] not in explain(refused)


def test_refusals_do_not_repeat_it(faulty):
    bad = [link("wan", secret="x" * 5000 + WORD), link("wan", secret=[WORD]), link("wan", secret={"a": WORD}),
           link("wan", secret=f"sealed:v1:{WORD}"), f"---\n{{apiVersion: patronus.testlink/v1, kind: TestLink, spec: {{secret: {WORD}}}}}\n"]
    for data in bad:
        reply = faulty.client.apply(data)
        assert not reply["accepted"] and len(reply["diagnostics"]) > 0
        assert WORD not in explain(reply)
    with pytest.raises(dbus.DBusException) as error:
        faulty.client.open().set("TestLink", "wan", {"secret": "x" * 5000 + WORD})
    assert WORD not in str(error.value)


# --- keys -----------------------------------------------------------------------------------------------------------------


def test_the_owner_need_not_run(faulty):
    """Its public key is enough to seal; opening is for later."""
    faulty.link.kill()
    session = faulty.client.open()
    session.set("TestLink", "wan", {"secret": WORD})
    assert session.get("TestLink", "wan")["spec"]["secret"] == REDACTED
    faulty.link.start()
    reply = session.commit()
    assert reply["accepted"], explain(reply)
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}


def test_before_its_first_start_there_is_no_key(faults):
    faults.service.start()
    faults.start_configd()
    refused = faults.client.apply(link("wan", secret=WORD))
    assert codes(refused) == {"no-key"} and "start testlink once" in explain(refused)
    faults.link.start()
    faults.client.accept(link("wan", secret=WORD))


def test_a_key_that_is_lost(faulty):
    faulty.client.accept(link("wan", secret=WORD) + link("lan"))
    faulty.link.kill()
    (faulty.state / "keys/testlink/key").unlink()
    shutil.rmtree(faulty.link.directory / "system")  # as after a boot
    (faulty.link.directory / "marker").unlink()
    faulty.link.start()
    wait_until(lambda: "TestLink.lan" in faulty.link.files(), "what needs no secret")
    assert "TestLink.wan" not in faulty.link.files()
    conditions = {str(k): str(v) for k, v in faulty.link.prop("Conditions").items()}
    assert "TestLink/wan" in conditions["SecretsLost"] and str(faulty.link.prop("State")) == "degraded"
    assert "write each secret again" in faulty.ctl("status", check=False).stdout
    faulty.client.accept(link("lan", mtu=1400))  # others go on
    # The same word: what is there cannot be opened, so it is sealed anew.
    reply = faulty.client.accept(link("wan", secret=WORD))
    assert reply["updated"] == 1
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    assert "SecretsLost" not in faulty.link.prop("Conditions")


def test_a_damaged_key_is_not_replaced(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    faulty.link.kill()
    path = faulty.state / "keys/testlink/key"
    key = path.read_text()
    path.write_text("rubbish")
    faulty.link.spawn()
    assert faulty.link.process.wait(60) != 0
    assert path.read_text() == "rubbish"
    path.write_text(key)
    faulty.link.start()
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}


def test_key_files(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    assert (faulty.state / "keys/testlink/key").stat().st_mode & 0o7777 == 0o600
    compare = (faulty.state / "compare-key").stat()
    assert compare.st_mode & 0o7777 == 0o600
    assert (faulty.state / "keys/testlink/public").stat().st_mode & 0o7777 == 0o644


# --- patronusctl ----------------------------------------------------------------------------------------------------------


def test_patronusctl_reads_it_from_standard_input(faulty):
    faulty.ctl("set", "TestLink/wan", "mtu=1400", "secret=-", input=WORD + "\n")
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}
    done = faulty.ctl("set", "TestLink/wan", f"secret={WORD}", check=False)
    assert done.returncode == 2 and "secret=-" in done.stderr and WORD not in done.stderr
    done = faulty.ctl("set", "TestLink/wan", "secret=-", input="", check=False)
    assert done.returncode == 2 and "nothing was given" in done.stderr
    faulty.ctl("set", "TestLink/wan", "secret=")
    assert opened(faulty.link) == {}


def test_patronusctl_asks_for_it(faulty):
    """At a terminal, which does not show what is typed."""
    command = [faulty.build / "tests/daemons/patronusctl-test", "--bus", faulty.address, "set", "TestLink/wan", "secret=-"]
    with terminal.opened(command) as screen:
        screen.wait_for("secret: ")
        screen.type(WORD + "\n")
        status, text = screen.finish()
    assert status == 0 and WORD not in text
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}


def test_patronusctl_export(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    assert REDACTED in faulty.ctl("export") and "sealed:" not in faulty.ctl("export")
    backup = faulty.ctl("export", "--sealed")
    assert sealed(faulty.link, "TestLink.wan") in backup
    faulty.ctl("delete", "TestLink/wan")
    faulty.ctl("apply", "-f", "-", input=backup)
    assert opened(faulty.link) == {"TestLink.wan": [digest(WORD)]}


def test_patronusctl_edit(faulty, tmp_path):
    """The redacted value is left as it is, or written over."""
    faulty.client.accept(link("wan", secret=WORD, mtu=1400))
    editor = tmp_path / "editor"
    for expression, word in (("s/1400/1300/", WORD), (f's/"{REDACTED}"/{OTHER}/', OTHER)):
        editor.write_text(f"#!/bin/sh\nsed -i '{expression}' \"$1\"\n")
        editor.chmod(0o755)
        faulty.ctl("edit", "TestLink/wan", env={**os.environ, "EDITOR": str(editor), "VISUAL": str(editor)})
        assert opened(faulty.link) == {"TestLink.wan": [digest(word)]}
    assert faulty.client.get("TestLink", "wan")["spec"]["mtu"] == 1300


# --- two administrators ---------------------------------------------------------------------------------------------------


def set_secret(session, word):
    session.set("TestLink", "wan", {"secret": word})


def test_a_conflict_about_a_secret_does_not_tell_it(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    mine, theirs = faulty.client.open(), faulty.client.open()
    set_secret(theirs, OTHER)
    assert theirs.commit()["accepted"]
    set_secret(mine, "a-third-word")
    reply = mine.commit()
    assert not reply["accepted"] and codes(reply) == {"conflict"} and "/spec/secret" in pointers(reply)
    conflict, = reply["conflicts"]
    assert all(REDACTED in conflict[side] for side in ("base", "mine", "theirs"))
    assert not any(word in str(reply) for word in (WORD, OTHER, "a-third-word", "sealed:v1"))
    entry, = faulty.client.config("ListAudit", "a{sv}", {"limit": dbus.UInt32(1)})
    assert not any(word in str(entry) for word in (WORD, OTHER, "a-third-word", "sealed:v1"))


def test_the_same_secret_of_both_is_no_conflict(faulty):
    faulty.client.accept(link("wan", secret=WORD))
    mine, theirs = faulty.client.open(), faulty.client.open()
    for session in (theirs, mine):
        set_secret(session, OTHER)
    assert theirs.commit()["accepted"]
    reply = mine.commit()
    assert reply["accepted"], explain(reply)
    assert opened(faulty.link) == {"TestLink.wan": [digest(OTHER)]}


def test_no_slice_with_a_secret_leaves(faulty):
    faulty.client.accept(link("wan", secret=WORD) + service("plain"))
    with pytest.raises(dbus.DBusException) as caught:
        faulty.client.config("GetSlice", "st", "testlink", dbus.UInt64(1))
    assert error_name(caught) == "NotAuthorized" and "TestLink/wan" in str(caught.value)
    assert faulty.client.config("GetSlice", "st", "testservice", dbus.UInt64(1)).take() >= 0
