# SPDX-License-Identifier: GPL-3.0-or-later
"""No method without an action: what the vtables have, what the guard's tables say (--actions), what docs/DBUS.md promises and what
polkit is told (units/polkit) are the same."""

import pathlib
import subprocess
import xml.etree.ElementTree

import pytest

import actions

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = sorted(path.stem.removeprefix("patronus-") for path in (ROOT / "dbus-interfaces").glob("*.xml"))
POLICY = ROOT / "units/polkit/org.patronus.policy"


def table(build_dir, daemon):
    """{(interface, member): (action, about)} as the daemon's binary says."""
    done = subprocess.run([build_dir / "daemons" / daemon / f"patronus-{daemon}", "--actions"], capture_output=True, text=True,
                          timeout=20, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    keys = [(interface, member) for interface, member, _, _ in rows]
    assert len(set(keys)) == len(keys), "a row that stands twice"
    return {(interface, member): (action, about) for interface, member, action, about in rows}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_no_method_and_no_property_is_without_an_action(build_dir, daemon):
    have = {(member.interface, member.name) for member in actions.members(daemon)}
    rows = table(build_dir, daemon)
    missing = have - set(rows)
    assert not missing, f"nobody may call these: they are in no table (daemons/{daemon}/actions.c)"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_no_row_is_for_what_is_not_there(build_dir, daemon):
    anywhere = {(member.interface, member.name) for other in DAEMONS for member in actions.members(other)}
    builtin = {(f"org.freedesktop.DBus.{interface}", member)
               for interface, member in (("Peer", "Ping"), ("Peer", "GetMachineId"), ("Introspectable", "Introspect"))}
    assert set(table(build_dir, daemon)) - anywhere <= builtin | {("*", "<read>")}


@pytest.mark.parametrize("daemon", DAEMONS)
def test_the_details_are_what_the_arguments_are(build_dir, daemon):
    """What is told to polkit as kind and name are arguments of that name."""
    for member in actions.members(daemon):
        about = table(build_dir, daemon)[member.interface, member.name][1]
        expected = {("kind", "name"): "object"}.get(member.arguments[:2], "kind" if member.arguments[:1] == ("kind",) else "-")
        if member.interface != "org.patronus.Daemon1":  # a schema is of no object
            assert about == expected, member


def test_the_documentation_says_the_same(build_dir):
    documented = actions.documented()
    told = {}
    for daemon in DAEMONS:
        for (interface, member), (action, _) in table(build_dir, daemon).items():
            if interface != "*":
                told[interface, member] = action
    assert documented == told


def test_all_at_once_needs_what_the_strictest_needs(build_dir):
    """GetAll of the interface "": what the object's own interface needs, where all others need that or runtime.read."""
    for daemon in DAEMONS:
        rows = table(build_dir, daemon)
        reads = {action for (interface, member), (action, _) in rows.items() if member == "<read>" and interface != "*"}
        assert reads - {"org.patronus.runtime.read"} <= {rows["*", "<read>"][0]}


def policy():
    return {action.get("id"): action for action in xml.etree.ElementTree.parse(POLICY).getroot().iter("action")}


def test_polkit_knows_the_actions_and_no_others():
    assert set(policy()) == actions.names()


def test_nothing_is_free_and_the_daemons_may_ask():
    users = {f"unix-user:{line.split()[1]}" for line in (ROOT / "units/sysusers/patronus.conf").read_text().splitlines()
             if line.startswith("u ")}
    assert users == {f"unix-user:patronus-{daemon}" for daemon in DAEMONS}
    for name, action in policy().items():
        assert {default.text for default in action.find("defaults")} == {"auth_admin_keep"}, name
        assert len(action.find("defaults")) == 3, name
        assert {note.get("key"): set(note.text.split()) for note in action.iter("annotate")} == \
            {"org.freedesktop.policykit.owner": users}, name
