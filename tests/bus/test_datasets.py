# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of many addresses: put, looked at, referred to, deleted."""

import concurrent.futures
import grp
import json
import os
import shutil
import subprocess
import time

import dbus
import pytest

from config_harness import USER, codes, error_name, explain, rule, wait_until

TWO_HOURS_S = 7200


def alias(name, kind="network", **spec):
    return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "Alias", "metadata": {"name": name},
                                 "spec": {"type": kind, **spec}}) + "\n"


def addresses(count, first=0x0A000000, step=2):
    """Hosts with gaps between them."""
    return [".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
            for value in range(first, first + count * step, step)]


def listed(client):
    datasets, following = client.config("ListDatasets", "a{sv}", {"limit": dbus.UInt32(1000)})
    assert following == ""
    return {str(entry["digest"]): entry for entry in datasets}


def read(client, digest, limit=1000):
    entries, after = [], ""
    while True:
        page, after = client.config("ReadDataset", "sa{sv}", digest, {"after": after, "limit": dbus.UInt32(limit)})
        assert len(page) <= limit
        entries += map(str, page)
        if not after:
            return entries


def age(configd, digest, seconds=TWO_HOURS_S):
    path = configd.state / "datasets" / digest
    os.utime(path, (time.time() - seconds,) * 2)


def test_put_list_and_pages(configd):
    entries = addresses(2500) + ["192.0.2.0/24", "2001:db8::1"]
    reply = configd.client.put(entries, source="list")
    assert reply["accepted"] and (reply["content"], reply["entries"]) == ("addresses", 2502), explain(reply)
    assert reply["size"] == 64 + 2500 * 4 + 16 + 8
    digest = str(reply["digest"])
    entry = listed(configd.client)[digest]
    assert (entry["content"], entry["entries"], entry["size"], entry["references"], entry["revisions"], entry["damaged"]) \
        == ("addresses", 2502, reply["size"], 0, 0, False)
    assert abs(int(entry["timeUSec"]) / 1e6 - time.time()) < 120
    wanted = entries[:2500] + ["2001:db8::1", "192.0.2.0/24"]
    for limit in (1000, 834, 417):
        assert read(configd.client, digest, limit) == wanted
    assert configd.client.put(reversed(entries + entries))["digest"] == digest
    macs = configd.client.put(["02:00:00:00:00:01"])
    assert (macs["content"], macs["entries"]) == ("macs", 1)
    assert read(configd.client, macs["digest"]) == ["02:00:00:00:00:01"]


def test_list_in_pages(configd):
    digests = sorted(str(configd.client.put([f"10.0.0.{i}"])["digest"]) for i in range(5))
    found, after = [], ""
    while True:
        page, after = configd.client.config("ListDatasets", "a{sv}", {"after": after, "limit": dbus.UInt32(2)})
        found += [str(entry["digest"]) for entry in page]
        if not after:
            break
    assert found == digests


def test_wrong_lists_are_told_line_by_line(configd):
    reply = configd.client.put(["10.0.0.1", "nonsense", "10.0.0.1/8"], source="bad.txt")
    assert not reply["accepted"] and "digest" not in reply
    assert [str(place) for _, place, _, _ in reply["diagnostics"]] == ["bad.txt:2", "bad.txt:3"]
    reply = configd.client.put(["bad"] * 50, source="bad.txt")
    assert len(reply["diagnostics"]) == 11 and "50 lines are wrong" in explain(reply)
    assert not configd.client.put(["02:00:00:00:00:01"], content="addresses")["accepted"]
    assert listed(configd.client) == {}
    with pytest.raises(dbus.DBusException) as error:
        configd.client.put([], content="ports")
    assert error_name(error) == "Invalid"
    reader, writer = os.pipe()
    with os.fdopen(reader) as pipe, os.fdopen(writer), pytest.raises(dbus.DBusException) as error:
        configd.client.config("PutDataset", "ha{sv}", dbus.types.UnixFd(pipe), {})
    assert error_name(error) == "Invalid"


def answers_during(configd, call, *arguments):
    """How often configd answers meanwhile; if its loop stood still, that were once at most, at the end."""
    answers = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = pool.submit(call, *arguments)
        while not pending.done():
            answers += bool(configd.client.root)
    return answers, pending.result()


def test_configd_answers_while_a_list_is_imported_and_exported(configd):
    other = configd.connect()
    answers, put = answers_during(configd, other.put, addresses(500000))
    assert put["entries"] == 500000 and answers >= 3
    configd.client.accept(alias("a", dataset=put["digest"]))
    answers, text = answers_during(configd, other.export)
    assert text.count("\n") > 500000 and answers >= 3


def test_references(configd):
    one, two = (str(configd.client.put([address])["digest"]) for address in ("10.0.0.1", "10.0.0.2"))
    reply = configd.client.apply(alias("a", dataset="0" * 64))
    assert not reply["accepted"] and codes(reply) == {"dangling-reference"}, explain(reply)
    assert "Alias/a#/spec/dataset" in explain(reply) and "put it first" in explain(reply)
    configd.client.accept(alias("a", dataset=one) + alias("b", dataset=one))
    assert (listed(configd.client)[one]["references"], listed(configd.client)[one]["revisions"]) == (2, 1)
    with pytest.raises(dbus.DBusException) as error:
        configd.client.config("DeleteDataset", "s", one)
    assert error_name(error) == "Busy" and "running configuration" in error.value.get_dbus_message()
    configd.client.accept(alias("a", dataset=two) + alias("b", dataset=two))
    with pytest.raises(dbus.DBusException) as error:
        configd.client.config("DeleteDataset", "s", one)
    assert error_name(error) == "Busy" and "reverted" in error.value.get_dbus_message()
    assert configd.client.config("Revert", "ta{sv}", dbus.UInt64(1), {})["accepted"]
    for digest in ("nonsense", "0" * 64):
        with pytest.raises(dbus.DBusException) as error:
            configd.client.config("DeleteDataset", "s", digest)
        assert error_name(error) == "NotFound"
        with pytest.raises(dbus.DBusException) as error:
            read(configd.client, digest)
        assert error_name(error) == "NotFound"


def test_a_session_keeps_what_it_refers_to(configd):
    digest = str(configd.client.put(["10.0.0.1"])["digest"])
    session = configd.client.open()
    session.set("Alias", "a", {"type": "network", "dataset": digest})
    with pytest.raises(dbus.DBusException) as error:
        configd.client.config("DeleteDataset", "s", digest)
    assert error_name(error) == "Busy" and "session" in error.value.get_dbus_message()
    session.call("Close")
    configd.client.config("DeleteDataset", "s", digest)
    assert listed(configd.client) == {}


def test_a_wrong_dataset_is_refused(configd):
    """The kinds look into it: MACs are no networks, and a host alias has no prefixes."""
    macs = str(configd.client.put(["02:00:00:00:00:01"])["digest"])
    networks = str(configd.client.put(["10.0.0.0/24"])["digest"])
    for document in (alias("a", dataset=macs), alias("a", "host", dataset=networks), alias("a", "mac", dataset=networks)):
        reply = configd.client.apply(document)
        assert not reply["accepted"] and codes(reply) <= {"wrong-entries", "not-a-host"}, explain(reply)
    (configd.state / "datasets" / networks).write_bytes(b"damage")
    reply = configd.client.apply(alias("a", dataset=networks))
    assert not reply["accepted"] and "put the same list again" in explain(reply)
    assert listed(configd.client)[networks]["damaged"]
    assert configd.client.put(["10.0.0.0/24"])["digest"] == networks
    configd.client.accept(alias("a", dataset=networks))


def test_what_nothing_needs_goes(configd):
    """After a commit and at the start; what was put lately stays, and what can be reverted to."""
    old, young, held, running = (str(configd.client.put([f"10.0.0.{i}"])["digest"]) for i in range(4))
    configd.client.accept(alias("a", dataset=running))
    session = configd.client.open()
    session.set("Alias", "b", {"type": "network", "dataset": held})
    for digest in (old, held, running):
        age(configd, digest)
    age(configd, young, 60)
    configd.client.accept(rule("web"))
    wait_until(lambda: old not in listed(configd.client), "collection")
    assert set(listed(configd.client)) == {young, held, running}
    configd.client.accept(alias("a", dataset=young))
    configd.process.end()
    configd.start()
    wait_until(lambda: held not in listed(configd.client), "collection at the start")
    assert set(listed(configd.client)) == {young, running}
    configd.settled()
    assert configd.client.config("Revert", "ta{sv}", dbus.UInt64(1), {})["accepted"]


def test_files_are_for_their_daemon(configd):
    """Readable by the group that reads the slices, or by all where there is no such group."""
    digest = str(configd.client.put(["10.0.0.1"])["digest"])
    status = (configd.state / "datasets" / digest).stat()
    try:
        group = grp.getgrnam("patronus-filterd").gr_gid
    except KeyError:
        group = None
    assert (status.st_gid, status.st_mode & 0o777) == ((status.st_gid, 0o644) if group is None else (group, 0o640))


def dataset_document(entries, name=None, content="addresses", **spec):
    metadata = {} if name is None else {"metadata": {"name": name}}
    return "---\n" + json.dumps({"apiVersion": "patronus.config/v1", "kind": "Dataset", **metadata,
                                 "spec": {"content": content, "entries": "".join(f"{e}\n" for e in entries), **spec}}) + "\n"


def spec_of(client, name):
    return client.get("Alias", name)["spec"]


def test_a_long_list_becomes_a_dataset(configd):
    short, long = addresses(4096), addresses(4097)
    configd.client.accept(alias("short", addresses=short) + alias("long", addresses=long))
    assert len(spec_of(configd.client, "short")["addresses"]) == 4096 and "dataset" not in spec_of(configd.client, "short")
    spec = spec_of(configd.client, "long")
    assert "addresses" not in spec and read(configd.client, spec["dataset"]) == long
    session = configd.client.open()
    assert session.load(alias("macs", "mac", macs=[f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(5000)]))["accepted"]
    assert len(read(configd.client, session.get("Alias", "macs")["spec"]["dataset"])) == 5000
    # the same again changes nothing
    assert not configd.client.accept(alias("short", addresses=short) + alias("long", addresses=long))["changed"]


def test_a_long_list_beside_a_dataset_is_their_union(configd):
    put = configd.client.put(["192.0.2.0/24", "10.0.0.0"])
    configd.client.accept(alias("a", dataset=put["digest"], addresses=addresses(5000)))
    assert read(configd.client, spec_of(configd.client, "a")["dataset"]) == addresses(5000) + ["192.0.2.0/24"]
    reply = configd.client.apply(alias("a", "mac", dataset=put["digest"], macs=[f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}"
                                                                                 for i in range(5000)]))
    assert not reply["accepted"] and codes(reply) == {"mixed-content"}, explain(reply)


def test_wrong_entries_of_a_long_list_have_their_places(configd):
    entries = addresses(5000)
    entries[7] = "nonsense"
    document = "apiVersion: patronus.firewall/v1\nkind: Alias\nmetadata:\n  name: a\nspec:\n  type: network\n  addresses:\n" \
        + "".join(f"    - {entry}\n" for entry in entries)
    reply = configd.client.apply(document, source="policy.yaml")
    assert not reply["accepted"] and len(reply["diagnostics"]) == 1
    assert str(reply["diagnostics"][0][1]) == "policy.yaml:15:7: Alias/a#/spec/addresses/7", explain(reply)
    reply = configd.client.apply(alias("a", addresses=["nonsense"] * 5000))
    assert len(reply["diagnostics"]) == 11 and "5000 entries are wrong" in explain(reply)
    reply = configd.client.apply(alias("a", ports=list(range(1, 5000))))
    assert not reply["accepted"] and "too-long" in codes(reply), explain(reply)
    for wrong in ("nonsense", 5):
        reply = configd.client.apply(alias("a", addresses=addresses(5000), dataset=wrong))
        assert not reply["accepted"] and "Alias/a#/spec/dataset" in explain(reply), explain(reply)
    # what is wrong beside a long list is told where it stands
    reply = configd.client.apply(document.replace("nonsense", "192.0.2.1").replace("spec:\n", "spec:\n  hue: red\n"), source="x")
    assert str(reply["diagnostics"][0][1]) == "x:6:3: Alias/a#/spec/hue", explain(reply)


def test_documents_of_datasets(configd):
    digest = str(configd.client.put(["10.0.0.1", "10.1.0.0/16"])["digest"])
    configd.client.config("DeleteDataset", "s", digest)
    document = dataset_document(["10.1.0.0/16", "10.0.0.1"], digest)
    reply = configd.client.accept(document + alias("a", dataset=digest))
    assert reply["created"] == 1 and listed(configd.client)[digest]["entries"] == 2
    reply = configd.client.apply(dataset_document(["10.0.0.2"], digest))
    assert not reply["accepted"] and codes(reply) == {"wrong-digest"}
    assert "these entries are the dataset" in explain(reply), explain(reply)
    for wrong, code in ((dataset_document(["x"]), "invalid-address"),
                        (dataset_document([], content="ports"), "required"),
                        (dataset_document([], hue="red"), "unknown-field"),
                        (dataset_document([]).replace("config/v1", "config/v2"), "unknown-version"),
                        (dataset_document(["02:00:00:00:00:01"]), "mixed-content"),
                        (dataset_document([], name=7), "wrong-type"),
                        ("---\napiVersion: patronus.config/v1\nkind: Dataset\n", "wrong-type")):
        reply = configd.client.apply(wrong)
        assert not reply["accepted"] and codes(reply) == {code}, explain(reply)
    assert set(listed(configd.client)) == {digest}


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_export_wipe_and_apply_give_the_same_root(configd, form):
    big = configd.client.put([*addresses(100000), *(f"2001:db8:{i:x}::/48" for i in range(0, 200, 2))])["digest"]
    macs = configd.client.put(["02:00:00:00:00:01", "02:00:00:00:00:02"])["digest"]
    empty = configd.client.put(["# nothing"])["digest"]
    configd.client.accept(alias("big", dataset=big) + alias("same", dataset=big) + alias("macs", "mac", dataset=macs)
                          + alias("none", dataset=empty) + rule("web"))
    root, text = configd.client.root, configd.client.export(format=form)
    assert text.count(str(big)) == 3 and text.index('"Dataset"' if form == "json" else "kind: Dataset") < text.index("Alias")
    others = configd.client.export(format=form, kinds=dbus.Array(["FirewallRule"], signature="s"))
    assert "Dataset" not in others

    configd.process.end()
    configd.participant.end()
    shutil.rmtree(configd.state)
    configd.state.mkdir()
    if os.geteuid() == 0:
        shutil.chown(configd.state, USER)
    configd.start_participant()
    configd.start()
    assert configd.client.names() == [] and listed(configd.client) == {}
    configd.client.accept(text, replace=True)
    assert configd.client.root == root
    assert configd.client.export(format=form) == text
    assert set(listed(configd.client)) == {big, macs, empty}


@pytest.fixture
def ctl(configd):
    def run(*arguments, **options):
        return subprocess.run([configd.build / "cli/patronusctl", "--bus", configd.address, *map(str, arguments)],
                              capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, **options)

    return run


def test_patronusctl_puts_lists_and_shows(configd, ctl, tmp_path):
    entries = addresses(2500)
    path = tmp_path / "list.txt"
    path.write_text("# a list\n" + "\n".join(entries))
    done = ctl("dataset", "put", path)
    assert (done.returncode, done.stderr) == (0, "")
    digest = done.stdout.strip()
    assert ctl("dataset", "put", "-", input=path.read_text()).stdout.strip() == digest
    assert ctl("dataset", "show", digest).stdout.split() == entries
    assert ctl("dataset", "show", digest[:6], "--limit", 3).stdout.split() == entries[:3]
    assert [json.loads(line) for line in ctl("dataset", "show", digest, "-o", "json", "-l", "2").stdout.splitlines()] == entries[:2]
    done = ctl("set", "Alias/a", "type=network", f"dataset={digest}")
    assert done.returncode == 0, done.stderr
    (row,) = [json.loads(line) for line in ctl("dataset", "list", "-o", "json").stdout.splitlines()]
    assert (row["digest"], row["entries"], row["references"], row["revisions"]) == (digest, 2500, 1, 1)
    heading, line = ctl("dataset", "list").stdout.splitlines()
    assert heading.split()[:4] == ["DIGEST", "CONTENT", "ENTRIES", "BYTES"] and line.split()[:3] == [digest[:12], "addresses", "2500"]
    assert digest in ctl("dataset", "list", "-o", "wide").stdout
    assert ctl("complete", "--", "dataset", "show", digest[:2]).stdout.split() == [digest]
    assert json.loads(ctl("dataset", "put", path, "-o", "json").stdout)["entries"] == 2500


def test_patronusctl_deletes_datasets(configd, ctl):
    digests = [ctl("dataset", "put", "-", input=f"10.0.0.{i}\n").stdout.strip() for i in range(40)]
    assert ctl("set", "Alias/a", "type=network", f"dataset={digests[0]}").returncode == 0
    done = ctl("dataset", "delete", digests[0])
    assert done.returncode == 1 and "running configuration refer to it" in done.stderr
    done = ctl("dataset", "delete", digests[1][:10], digests[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert set(listed(configd.client)) == set(digests) - set(digests[1:3])


def test_patronusctl_says_what_is_wrong(configd, ctl, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text("10.0.0.1\nnonsense\n")
    done = ctl("dataset", "put", bad)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {bad}:2: ") and "is not an address" in done.stderr
    assert ctl("dataset", "put", tmp_path).returncode == 1
    assert "addresses" in ctl("dataset", "put", bad, "--content", "ports").stderr
    for digest, code, text in (("nonsense", 2, "hex digits"), ("abc", 2, "hex digits"), ("0" * 64, 1, "There is no dataset"),
                               ("0000", 1, "there is no dataset")):
        for command in ("show", "delete"):
            done = ctl("dataset", command, digest)
            assert done.returncode == code and text in done.stderr, done.stderr
    assert "there is no dataset" in ctl("dataset", "list").stderr
