# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method and property of every daemon, called by everybody, with a real polkit that says yes or no, has the shipped rule, or is
not there. What is expected is what docs/DBUS.md says; what there is to call is in dbus-interfaces."""

import dataclasses
import os
import pathlib
import re

import pytest

import access_harness
import actions
from access_harness import MEMBER, NAMES, OTHER, SHOP

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALLERS = ("root", MEMBER, OTHER, "patronus-configd", "patronus-filterd")
PROPERTIES = "org.freedesktop.DBus.Properties"
# What the guard, and the bus, say; and what nobody says whose method was reached.
REFUSED = {"org.patronus.Error.NotAuthorized", "org.freedesktop.DBus.Error.AccessDenied"}
UNREACHED = {f"org.freedesktop.DBus.Error.{name}" for name in (
    "UnknownMethod", "UnknownInterface", "UnknownProperty", "ServiceUnknown", "NameHasNoOwner", "NoReply", "Timeout", "Disconnected")}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else"),
    pytest.mark.skipif(not pathlib.Path(access_harness.POLKIT).exists(), reason="polkitd is not installed (tools/deps)"),
]


@pytest.fixture(scope="module", params=["open", "strict"])
def world(request, build_dir):
    """"strict": a bus with the installed policies; "open": without any, so that the daemons are on their own."""
    with access_harness.running(build_dir, *NAMES, strict=request.param == "strict") as made:
        yield made


@pytest.fixture
def configd(build_dir):
    with access_harness.running(build_dir, "configd") as made:
        yield made


def may(action, user, daemon, mode):
    """The specification."""
    if action == "anybody" or user == "root":
        return True
    if action == "internal":
        return user == ("patronus-filterd" if daemon == "configd" else "patronus-configd")
    if user == f"patronus-{daemon}" or mode == "yes":
        return True
    return user == MEMBER and mode in ("shipped", "absent")


def argument(signature):
    """Something of the type that no handler does much with."""
    return {"s": "x", "o": "/x", "h": {"h": 0}, "b": False}.get(signature, 0 if signature in "ynqiuxtd" else None)


def arguments(signature):
    values = []
    for part in re.findall(r"a*(?:\((?:\w|\(\w+\))*\)|\{\w[^}]*\}|\w)", signature):
        values.append(({} if part.startswith("a{") else []) if part.startswith("a") else argument(part))
    return values


def calls(daemon, member):
    """Ways to do what the member is: [(interface, member, signature, arguments)]."""
    if member.name == "<read>":
        return [(PROPERTIES, "GetAll", "s", [member.interface]),
                *((PROPERTIES, "Get", "ss", [member.interface, name]) for name, _ in member.properties)]
    if member.name == "<write>":
        # The value is wrong, which is said by the property.
        return [(PROPERTIES, "Set", "ssv", [member.interface, name, "x"]) for name, _ in member.properties]
    return [(member.interface, member.name, member.signature, arguments(member.signature))]


def test_arguments():
    assert arguments("ta{sv}") == [0, {}] and arguments("a(st)a{sv}") == [[], {}] and arguments("ssas") == ["x", "x", []]
    assert arguments("ha{sv}") == [{"h": 0}, {}] and arguments("") == []


def everything():
    for daemon in NAMES:
        found = actions.members(daemon)
        path = found[0].path
        builtin = [actions.Member(daemon, path, f"org.freedesktop.DBus.{interface}", name)
                   for interface, name in (("Peer", "Ping"), ("Peer", "GetMachineId"), ("Introspectable", "Introspect"))]
        for member in [*found, *builtin]:
            # Of no session that there is: those are their users'. The guard comes before the object.
            yield daemon, dataclasses.replace(member, path=re.sub(r"session/1$", "session/999999", member.path))


@pytest.mark.parametrize("mode", ["yes", "no", "shipped", "absent"])
def test_everything_by_everybody(world, mode):
    world.polkit(mode)
    documented = actions.documented()
    wrong, seen = [], {True: 0, False: 0}
    for daemon, member in everything():
        action = documented[member.interface, member.name]
        for user in CALLERS:
            expected = may(action, user, daemon, mode)
            for interface, name, signature, values in calls(daemon, member):
                error = world.caller(user).call(NAMES[daemon], member.path, interface, name, signature, *values)
                allowed = not error or error[0] not in REFUSED
                seen[allowed] += 1
                what = f"{user} calls {interface}.{name}{tuple(values)} of {daemon}: {error}"
                if allowed != expected or (error and error[0] in UNREACHED):
                    wrong.append(what)
                elif not allowed and action.startswith("org.patronus") and action not in error[1]:
                    wrong.append(f"{what}, which does not name {action}")
    assert not wrong, "\n".join(wrong)
    assert min(seen.values()) >= 18  # both happen: Transaction1 is refused to three at least
    for daemon, process in world.processes.items():
        assert process.poll() is None, daemon


@pytest.mark.parametrize("mode", ["yes", "absent"])
def test_what_is_in_no_table_is_refused(world, mode):
    world.polkit(mode)
    path = "/org/patronus/Config1"
    for user in ("root", MEMBER, OTHER):
        for interface, name, signature, values in (
                ("org.patronus.Config1", "Format", "", []), ("org.patronus.Config2", "Get", "ss", ["Zone", "lan"]),
                (PROPERTIES, "GetAll", "s", ["org.patronus.Config2"]), (PROPERTIES, "Format", "", []), (PROPERTIES, "Get", "u", [7]),
                ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", [])):
            error = world.caller(user).call(NAMES["configd"], path, interface, name, signature, *values)
            assert error and error[0] in ("org.freedesktop.DBus.Error.UnknownMethod", "org.freedesktop.DBus.Error.AccessDenied"), \
                (user, interface, name, error)


def config(method, signature="", *values):
    return (NAMES["configd"], "/org/patronus/Config1", "org.patronus.Config1", method, signature, values, False)


def session(number, method, signature="", *values):
    return (NAMES["configd"], f"/org/patronus/Config1/session/{number}", "org.patronus.Session1", method, signature, values, False)


def one(caller, call):
    """None, or the error's last word."""
    caller.begin(call)
    (_, error), = caller.finish()
    return error and error[0].rpartition(".")[2]


def test_a_session_is_its_users_whatever_polkit_says(configd):
    configd.polkit("yes")
    owner, same, other, root = (configd.connect(user) for user in (OTHER, OTHER, MEMBER, "root"))
    assert one(owner, config("OpenSession", "a{sv}", {})) is None
    assert one(other, session(1, "Validate")) == "NotAuthorized"
    assert one(other, session(1, "Close")) == "NotAuthorized"
    assert one(same, session(1, "Validate")) is None and one(root, session(1, "Validate")) is None
    assert one(root, session(1, "Close")) is None


def test_no_answer_is_used_twice(configd):
    caller = configd.connect(OTHER)
    for mode, expected in (("yes", None), ("no", "NotAuthorized"), ("yes", None), ("absent", "NotAuthorized")):
        configd.polkit(mode)
        assert one(caller, config("Get", "ss", "Zone", "lan")) == (expected or "NotFound")


def test_the_rule_in_the_readme(configd):
    """kind and name reach polkit, the kind by its one name."""
    text = (ROOT / "units/polkit/README.md").read_text()
    configd.polkit("rules", re.search(r"```js\n(.*?)```", text, re.DOTALL)[1])
    caller = configd.connect(SHOP)
    spec = {"type": "host", "addresses": ["192.0.2.1"]}
    assert one(caller, config("OpenSession", "a{sv}", {})) is None
    for kind, name, expected in (("Alias", "shop-a", None), ("aliases", "shop-b", None), ("Alias", "office", "NotAuthorized"),
                                 ("Zone", "shop-a", "NotAuthorized"), ("Alias", "shop-\n", "NotAuthorized")):
        assert one(caller, session(1, "Set", "ssa{sv}a{sv}", kind, name, spec, {})) == expected, (kind, name)
    assert one(caller, session(1, "Load", "ha{sv}", {"h": 0}, {})) == "NotAuthorized"
    assert one(caller, config("Apply", "ha{sv}", {"h": 0}, {})) == "NotAuthorized"
    assert one(caller, session(1, "Commit", "a{sv}", {})) is None
    assert one(caller, session(1, "Close")) is None
    assert one(configd.connect(OTHER), config("OpenSession", "a{sv}", {})) == "NotAuthorized"
