# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard between a call and polkit's answer: order, limits, and a polkit that is slow, wrong or gone (scripted_polkit.py)."""

import json
import os
import pathlib
import pwd
import select
import subprocess
import sys

import pytest

import access_harness
from access_harness import MEMBER, NAMES, OTHER
from config_harness import WAIT_S, wait_until
from wire import Wire

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")

PER_UID, ALL = 8, 32  # bus/access.h
LATE_S = 10  # bus/polkit.h
USERS = (OTHER, MEMBER, "bin", "sys", "man", "mail")  # of every Debian


class Polkit:
    def __init__(self, address):
        script = pathlib.Path(__file__).with_name("scripted_polkit.py")
        self.process = subprocess.Popen([sys.executable, str(script), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""
        assert self.line() == "ready"

    def line(self, seconds=WAIT_S):
        """The next line; None if none comes in time."""
        while b"\n" not in self.rest:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return None
            self.rest += os.read(self.process.stdout.fileno(), 65536)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def next(self, seconds=WAIT_S):
        line = self.line(seconds)
        return line and json.loads(line)

    def asked(self):
        """Of the next question: its number, and what it says."""
        word, number, *question = self.next()
        assert word == "asked"
        return number, question

    def answer(self, word, number):
        self.process.stdin.write(f"{word} {number}\n".encode())
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def world(build_dir):
    with access_harness.running(build_dir, "configd") as made:
        yield made


@pytest.fixture
def polkit(world):
    made = Polkit(world.address)
    yield made
    made.end()


def config(method, signature="", *values, interactive=False):
    return (NAMES["configd"], "/org/patronus/Config1", "org.patronus.Config1", method, signature, values, interactive)


def session(number, method, signature="", *values):
    return (NAMES["configd"], f"/org/patronus/Config1/session/{number}", "org.patronus.Session1", method, signature, values, False)


GET = config("Get", "ss", "zones", "lan")


def word(error):
    return error and error[0].rpartition(".")[2]


def outcome(caller):
    return [(index, word(error)) for index, error in caller.finish()]


def root_is_answered(world):
    """Whatever waits, others do not."""
    return one(world.caller("root"), GET) == "NotFound"


def one(caller, call):
    caller.begin(call)
    (_, result), = outcome(caller)
    return result


def test_what_polkit_is_asked(world, polkit):
    caller = world.connect(OTHER)
    for call, action, details, flags in (
            (GET, "config.read", {"kind": "Zone", "name": "lan", "method": "org.patronus.Config1.Get"}, 0),
            (config("Get", "ss", "zoone", "lan", interactive=True), "config.read",
             {"kind": "", "name": "lan", "method": "org.patronus.Config1.Get"}, 1),
            (config("List", "sa{sv}", "aliases", {}), "config.read", {"kind": "Alias", "name": "", "method": "org.patronus.Config1.List"}, 0),
            (config("Revert", "ta{sv}", 0, {}), "config.revert", {"kind": "", "name": "", "method": "org.patronus.Config1.Revert"}, 0),
            (session(1, "Rename", "sss", "Zone", "lan", "dmz"), "config.edit",
             {"kind": "Zone", "name": "lan", "method": "org.patronus.Session1.Rename"}, 0),
            (session(1, "Set", "ss", "Zone", "x" * 5000), "config.edit",
             {"kind": "Zone", "name": "", "method": "org.patronus.Session1.Set"}, 0),
            ((NAMES["configd"], "/org/freedesktop/LogControl1", "org.freedesktop.DBus.Properties", "Set", "ssv",
              ("org.freedesktop.LogControl1", "LogLevel", "debug"), True), "system.admin",
             {"kind": "", "name": "", "method": "org.freedesktop.LogControl1.*"}, 1)):
        caller.begin(call)
        number, question = polkit.asked()
        assert question == [caller.unique_name, f"org.patronus.{action}", details, flags]
        polkit.answer("no", number)
        assert outcome(caller) == [(0, "NotAuthorized")]


@pytest.mark.parametrize("answer, result, text", [
    ("yes", "NotFound", "lan"),
    ("no", "NotAuthorized", "polkit does not allow org.patronus.config.read to nobody"),
    ("challenge", "NotAuthorized", "org.patronus.config.read needs authentication, which this call does not allow to ask for"),
    ("error", "NotAuthorized", "org.patronus.config.read could not be decided, polkit says: as it was told"),
    ("garbage", "NotAuthorized", "org.patronus.config.read could not be decided"),
])
def test_answers(world, polkit, answer, result, text):
    caller = world.connect(OTHER)
    caller.begin(GET)
    polkit.answer(answer, polkit.asked()[0])
    (_, error), = caller.finish()
    assert word(error) == result and text in error[1]


def test_nobody_authenticated(world, polkit):
    caller = world.connect(OTHER)
    caller.begin(config("Get", "ss", "Zone", "lan", interactive=True))
    polkit.answer("challenge", polkit.asked()[0])
    (_, error), = caller.finish()
    assert word(error) == "NotAuthorized" and "nobody authenticated" in error[1]


def test_members_of_the_group_are_asked_for_too(world, polkit):
    """The group counts only where there is no polkit."""
    caller = world.connect(MEMBER)
    caller.begin(GET)
    polkit.answer("no", polkit.asked()[0])
    assert outcome(caller) == [(0, "NotAuthorized")]


def test_calls_of_one_sender_keep_their_order(world, polkit):
    """Whatever the order of the answers; a refused one stops none of the others."""
    caller = world.connect(OTHER)
    calls = [config("OpenSession", "a{sv}", {}), session(1, "Set", "ssa{sv}a{sv}", "Zone", "lan", {}, {}), session(1, "Get", "ss", "Zone", "lan"),
             session(1, "Load", "ha{sv}", {"h": 0}, {}), session(1, "Delete", "ss", "Zone", "lan"), session(1, "Get", "ss", "Zone", "lan")]
    caller.begin(*calls)
    numbers = [polkit.asked()[0] for _ in calls]
    for index in (5, 1, 4, 2):
        polkit.answer("yes", numbers[index])
    assert root_is_answered(world)
    polkit.answer("no", numbers[3])
    polkit.answer("yes", numbers[0])
    assert outcome(caller) == [(3, "NotAuthorized"), (0, None), (1, None), (2, None), (4, None), (5, "NotFound")]


def test_another_sender_does_not_wait(world, polkit):
    first, second = world.connect(OTHER), world.connect(OTHER)
    first.begin(GET)
    late, _ = polkit.asked()
    second.begin(GET)
    polkit.answer("yes", polkit.asked()[0])
    assert outcome(second) == [(0, "NotFound")]
    polkit.answer("yes", late)
    assert outcome(first) == [(0, "NotFound")]


def test_limits_of_one_user_and_of_all(world, polkit):
    callers = [world.connect(user) for user in USERS]
    for caller in callers[:ALL // PER_UID]:
        caller.begin(*[GET] * PER_UID)
    numbers = {}
    for _ in range(ALL):
        number, (sender, *_) = polkit.asked()
        numbers.setdefault(sender, []).append(number)
    assert one(world.connect(OTHER), GET) == "Busy"  # of this user
    assert one(callers[-1], GET) == "Busy"  # of all
    assert root_is_answered(world)
    for number in numbers.pop(callers[0].unique_name):
        polkit.answer("yes", number)
    assert [result for _, result in outcome(callers[0])] == ["NotFound"] * PER_UID
    callers[-1].begin(GET)
    polkit.answer("no", polkit.asked()[0])
    assert outcome(callers[-1]) == [(0, "NotAuthorized")]
    for number in sum(numbers.values(), []):
        polkit.answer("no", number)
    for caller in callers[1:ALL // PER_UID]:
        assert {result for _, result in outcome(caller)} == {"NotAuthorized"}


def test_who_leaves_makes_room_and_is_done_nothing_for(world, polkit):
    caller = world.connect(OTHER)
    caller.begin(*[config("OpenSession", "a{sv}", {})] * PER_UID)
    numbers = [polkit.asked()[0] for _ in range(PER_UID)]
    caller.process.kill()
    assert sorted(polkit.next()[1] for _ in numbers) == sorted(numbers)  # cancelled
    for number in numbers:
        polkit.answer("yes", number)  # too late
    other = world.connect(OTHER)
    other.begin(config("OpenSession", "a{sv}", {}))
    polkit.answer("yes", polkit.asked()[0])
    assert outcome(other) == [(0, None)]
    sessions = world.client.call_blocking(NAMES["configd"], "/org/patronus/Config1", "org.freedesktop.DBus.Properties", "Get", "ss",
                                          ("org.patronus.Config1", "Sessions"))
    assert sessions == 1


def test_a_large_call_is_not_kept(world, polkit):
    caller = world.connect(OTHER)
    for signature, values in (("ssa{sv}a{sv}", ("Zone", "lan", {"description": "x" * (5 << 20)}, {})),
                              ("ssa{sv}a{sv}", ("Zone", "lan", {"interfaces": ["x" * 30] * 150_000}, {})),
                              ("ssaya{sv}", ("Zone", "lan", [7] * (5 << 20), {}))):
        assert one(caller, session(1, "Set", signature, *values)) == "TooLarge"
    caller.begin(session(1, "Set", "ssa{sv}a{sv}", "Zone", "lan", {"description": "x" * (3 << 20)}, {}))
    polkit.answer("no", polkit.asked()[0])
    assert outcome(caller) == [(0, "NotAuthorized")]


def test_a_polkit_that_dies(world, polkit):
    caller = world.connect(OTHER)
    caller.begin(GET, GET)
    polkit.asked()
    polkit.process.kill()
    assert {result for _, result in outcome(caller)} == {"NotAuthorized"}
    wait_until(lambda: not world.client.name_has_owner(access_harness.POLKIT_NAME), "end of polkit")
    assert one(world.connect(MEMBER), GET) == "NotFound"  # none is there now


def test_a_polkit_that_says_nothing(world, polkit):
    """A no, in time; and members of the group are not let in."""
    caller = world.connect(MEMBER)
    caller.begin(GET)
    number, _ = polkit.asked()
    assert root_is_answered(world)
    assert polkit.next(LATE_S + WAIT_S) == ["cancelled", number]
    (_, error), = caller.finish()
    assert word(error) == "NotAuthorized" and "could not be decided" in error[1]
    polkit.answer("yes", number)  # too late
    caller.begin(GET)
    polkit.answer("yes", polkit.asked()[0])
    assert outcome(caller) == [(0, "NotFound")]


def test_a_bus_that_goes(world, polkit):
    """What waits is gone with it, and configd comes back."""
    caller = world.connect(OTHER)
    caller.begin(GET)
    polkit.asked()
    world.restart_bus()
    assert one(world.connect("root"), GET) == "NotFound"
    assert world.processes["configd"].poll() is None


def test_what_is_not_of_the_bus_is_not_believed(world):
    """A stranger says that a client left, and that filterd is he; what the bus says is believed."""
    name, path = access_harness.WHERE["configd"]
    with Wire(world.address) as root, Wire(world.address, uid=pwd.getpwnam(OTHER).pw_uid) as stranger:
        opened = root.call(name, path, "org.patronus.Config1", "OpenSession", "a{sv}", [{}])
        assert root.answer(opened) is None
        validate = name, root.bodies[opened], "org.patronus.Session1", "Validate"
        for interface, owned, owner in (("org.freedesktop.DBus", root.unique_name, ""),
                                        ("org.freedesktop.DBus", NAMES["filterd"], stranger.unique_name)):
            for path in ("/org/freedesktop/DBus", path):
                stranger.signal(name, path, interface, "NameOwnerChanged", "sss", [owned, owned, owner])
        assert stranger.answer(stranger.call(name, "/", "org.freedesktop.DBus.Peer", "Ping")) is None  # configd has them all
        assert root.answer(root.call(*validate)) is None
        conditions = world.client.call_blocking(name, access_harness.WHERE["configd"][1], "org.freedesktop.DBus.Properties", "Get", "ss",
                                                ("org.patronus.Daemon1", "Conditions"))
        assert "does not run" in conditions["filterd"], conditions
    wait_until(lambda: word(world.connect("root").call(name, validate[1], "org.patronus.Session1", "Validate")) == "UnknownObject",
               "end of the session of who left")
