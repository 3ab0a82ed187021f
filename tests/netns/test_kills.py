# SPDX-License-Identifier: GPL-3.0-or-later
"""Each daemon is killed at each step of a transaction, by name. Afterwards configd, kernel and disk agree on the state
before or on the one after, what was answered is kept, and the next commit works. -rP prints which it was."""

import collections
import difflib
import json
import os
import subprocess
import threading
import time

import dbus
import dbus.bus
import pytest

import kills
import lab as lab_module
import shared_fixtures
import ssh
from config_harness import wait_until, zone

CONFIG, FILTER = "org.patronus.Config1", "org.patronus.Filter1"
WAIT_S = 60
ZONES = zone("wan", interfaces=["wan"]) + zone("lan", interfaces=["lan"])
RULE = """---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {{ name: {} }}
spec: {{ action: allow, from: lan, to: {}, protocol: tcp, destination: {{ ports: [{}] }} }}
"""
BASE = ZONES + RULE.format("ssh", "router", 22)
CHANGE = RULE.format("web", "wan", 80)

# What the daemons do in a commit of one engine, which is its own last agent: no Prepare.
COMMIT = {
    "configd": ["receive Apply", "call Plan", "write intent", "sync intent", "call Commit", "call Verify", "write decided",
                "sync decided", "rename filterd.ndjson", "rename meta.json", "rename decided", "rename confirmed",
                "signal Committed", "answer Apply"],
    "filterd": ["receive Plan", "answer Plan", "receive Commit", "batch before", "batch", "batch after", "answer Commit", "receive Verify", "answer Verify"],
}
# With --confirm: the deadline is on the disk before the decision is.
WINDOW = [*COMMIT["configd"][:6], "rename unconfirmed", *COMMIT["configd"][6:]]
CONFIRM = ["receive Confirm", "write confirmed", "sync confirmed", "rename meta.json", "rename decided", "rename confirmed",
           "remove unconfirmed", "signal Confirmed", "answer Confirm"]

BEFORE, AFTER = "before", "after"


def points(steps, only=None):
    """Before, amid and after each step; the moment before one is the moment after the one before it, which is tried twice
    with PATRONUS_LONG=1 alone."""
    for index, step in enumerate(steps):
        if only and step not in only:
            continue
        if not step.startswith("receive") and (os.environ.get("PATRONUS_LONG") or index == 0 or only):
            yield f"before {step}"
        if step.startswith("write"):
            yield f"amid {step}"
        yield f"after {step}"


def outcome(steps, point, decisive):
    """What a point must lead to: `decisive` is the first step whose end makes the new state certain."""
    when, _, step = point.partition(" ")
    position = steps.index(step) + (when == "after")
    return AFTER if position > steps.index(decisive) else BEFORE


def timeless(value):
    if isinstance(value, dict):
        return {key: sorted(map(json.dumps, map(timeless, inner))) if key == "elem" and isinstance(inner, list) else timeless(inner)
                for key, inner in value.items() if key not in ("handle", "packets", "bytes", "expires")}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


class Machine:
    """The lab, and what its three witnesses say."""

    def __init__(self, lab):
        self.lab = lab
        self.connection = dbus.bus.BusConnection(lab.bus)
        self.program = [str(lab_module.build_dir() / "cli/patronusctl"), "--bus", lab.bus]
        self.reset()
        self.states = {BEFORE: self.state()}
        lab.apply(CHANGE)
        self.states[AFTER] = self.state()

    def get(self, name):
        return self.connection.call_blocking(CONFIG, "/org/patronus/Config1", "org.freedesktop.DBus.Properties", "Get", "ss",
                                             (CONFIG, name))

    def reset(self):
        if int(self.get("ConfirmRevision")):
            self.lab.ctl("revert", int(self.get("ConfirmedRevision")))
        self.lab.ctl("apply", "--replace", "-f", "-", stdin=BASE)

    def kernel(self):
        """The table without what is its history: handles, counts, the order in which chains and elements came, and the
        marker, whose root is asked for."""
        places, found = collections.Counter(), []
        for item in self.lab.nft_json("table", "inet", "patronus"):
            (kind, thing), = item.items()
            if thing.get("chain") == "_rev":
                continue
            if kind == "rule":
                places[thing["chain"]] += 1
                thing["place"] = places[thing["chain"]]
            found.append(json.dumps({kind: timeless(thing)}, sort_keys=True))
        return "\n".join(sorted(found))

    def roots(self):
        state = self.connection.call_blocking(FILTER, "/org/patronus/Filter1", "org.patronus.Transaction1", "GetState", "", ())
        return {str(self.get("Root")), str(state["root"]), str(state["markerRoot"])}

    def disk(self):
        """What the link names, and its root."""
        revisions = self.lab.directory / "state/revisions"
        number = int(os.readlink(revisions / "decided"))
        record = json.loads((revisions / str(number) / "meta.json").read_text().splitlines()[0])["record"]
        return number, record["root"]

    def state(self):
        """All that must agree; waits until configd and filterd do, which no signal tells."""
        root, = wait_until(lambda: roots if len(roots := self.roots()) == 1 else None, "agreement of configd and filterd", WAIT_S)
        assert self.disk() == (int(self.get("Revision")), root)
        return root, self.kernel()

    def which(self):
        found = self.state()
        names = [name for name, state in self.states.items() if state == found]
        assert names, "neither before nor after:\n" + "\n".join(difflib.unified_diff(
            self.states[AFTER][1].splitlines(), found[1].splitlines(), "after", "found", n=0, lineterm=""))
        return names[0]


@pytest.fixture(scope="module")
def machine(request, tmp_path_factory):
    shared_fixtures.need_daemons()
    with lab_module.Lab(shared_fixtures.lab_name(request.node.nodeid), preload=kills.LIBRARY) as lab:
        made = Machine(lab)
        with ssh.Server(lab, tmp_path_factory.mktemp("kills")) as server:
            made.server = server
            yield made


@pytest.fixture(autouse=True)
def base(machine):
    machine.reset()


def killed(machine, daemon, point, *words):
    """Runs patronusctl, which brings the daemon to the point, starts the daemon again, and returns what patronusctl did."""
    with kills.Kill(machine.lab, daemon, point) as kill, subprocess.Popen(
            [*machine.program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ctl:
        ctl.stdin.write(CHANGE)
        ctl.stdin.close()
        kill.died()
        machine.lab.start(daemon)
        text = ctl.stdout.read()
        return ctl.wait(WAIT_S), text


def tell(daemon, point, state):
    print(f"{daemon} killed {point}: the state is the one {state}")


def test_the_steps_have_these_names(machine):
    last = {daemon: steps[-1] for daemon, steps in COMMIT.items()}
    assert kills.trace(machine.lab, lambda: machine.lab.apply(CHANGE), last) == COMMIT


@pytest.mark.parametrize("point", points(COMMIT["configd"]))
def test_configd_killed_in_a_commit(machine, point):
    status, text = killed(machine, "configd", point, "apply", "-f", "-")
    state = machine.which()
    tell("configd", point, state)
    # Once filterd was told, it does it: its marker says so to the configd that starts.
    assert state == outcome(COMMIT["configd"], point, "call Commit")
    assert status != 0 or state == AFTER, f"an answered commit was lost: {text}"
    if point == "after answer Apply":
        assert status == 0, text
    machine.lab.apply(CHANGE)
    assert machine.which() == AFTER


@pytest.mark.parametrize("point", points(COMMIT["filterd"]))
def test_filterd_killed_in_a_commit(machine, point):
    status, text = killed(machine, "filterd", point, "apply", "-f", "-")
    state = machine.which()
    tell("filterd", point, state)
    assert (status == 0) == (state == AFTER), text
    if outcome(COMMIT["filterd"], point, "batch") == BEFORE:
        assert state == BEFORE
    machine.lab.apply(CHANGE)
    assert machine.which() == AFTER


def waits(machine):
    """The revision that waits, if its deadline is known too; configd and disk agree on it."""
    number = int(machine.get("ConfirmRevision"))
    assert bool(int(machine.get("ConfirmDeadlineUSec"))) == bool(number)
    assert (machine.lab.directory / "state/revisions/unconfirmed").exists() == bool(number)
    return number


@pytest.mark.parametrize("point", points(WINDOW, ("rename unconfirmed", "write decided", "sync decided", "rename decided")))
def test_configd_killed_when_it_decides_what_is_to_be_confirmed(machine, point):
    before = int(machine.get("Revision"))
    killed(machine, "configd", point, "apply", "--confirm", "60", "-f", "-")
    state = machine.which()
    tell("configd", point, state)
    assert state == AFTER
    assert waits(machine) == before + 1 == int(machine.get("Revision"))
    assert int(machine.get("ConfirmedRevision")) == before
    left = int(machine.get("ConfirmDeadlineUSec")) / 1e6 - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 30 < left < 60


def confirm_from_afar(machine, act):
    """From a login that is newer than the commit."""
    machine.lab.ctl("apply", "--confirm", "60", "-f", "-", stdin=CHANGE, check=False)
    number = waits(machine)
    assert number
    wait_until(lambda: machine.disk()[0] == number, "the files of the commit, which are written after its answer", WAIT_S)
    with machine.server.login("lan") as login:
        act(lambda: login.run(*machine.program, "confirm"))
    return number


def test_the_steps_of_a_confirmation_have_these_names(machine):
    def act(confirm):
        assert kills.trace(machine.lab, confirm, {"configd": CONFIRM[-1], "filterd": None}) == {"configd": CONFIRM, "filterd": []}

    confirm_from_afar(machine, act)


@pytest.mark.parametrize("point", points(CONFIRM))
def test_configd_killed_when_it_confirms(machine, point):
    answers = []

    def act(confirm):
        with kills.Kill(machine.lab, "configd", point) as kill:
            thread = threading.Thread(target=lambda: answers.append(confirm()))
            thread.start()
            kill.died()
            machine.lab.start("configd")
            thread.join()

    number = confirm_from_afar(machine, act)
    assert machine.which() == AFTER
    confirmed = waits(machine) == 0
    tell("configd", point, AFTER if confirmed else BEFORE)
    assert int(machine.get("ConfirmedRevision")) == (number if confirmed else number - 1)
    # A record that was written is there, synced or not, for whoever was not cut off from power.
    assert confirmed == (outcome(CONFIRM, point, "write confirmed") == AFTER)
    assert answers[0][0] != 0 or confirmed, "an answered confirmation was lost"
