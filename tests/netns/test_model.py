# SPDX-License-Identifier: GPL-3.0-or-later
"""Random edits, commits, confirmations, reverts and kills against a model (tests/lib/config_model.py): after each step that is not
interrupted the answer is the model's, and at rest kernel, disk and what the daemons say agree with it.

A failure prints its seed and its steps. PATRONUS_MODEL_SCRIPTS=N runs N scripts, PATRONUS_MODEL_SEED=S begins with another seed.
"""

import contextlib
import os
import random
import re
import signal
import threading
import time

import dbus
import pytest

import boottime
import config_model
import lab as lab_module
import store_files
from config_harness import FILTER_NAME, FILTER_PATH, Client, codes, explain, wait_until
from login import Login

SCRIPTS = int(os.environ.get("PATRONUS_MODEL_SCRIPTS", "2000" if os.environ.get("PATRONUS_LONG") else "100"))
FIRST_SEED = int(os.environ.get("PATRONUS_MODEL_SEED", "1"))
STEPS = 14
ZONES = ("lan", "wan", "dmz")
RULES = tuple(f"r{i}" for i in range(5))
WINDOW_S = 5  # the shortest
MARGIN_S = 2.5  # a step takes less, so that no window ends in the middle of one
KILL_SPREAD_S = 0.012  # a commit takes a few milliseconds


def plain(spec):
    """Of an object on the bus or on disk: what the model knows."""
    return {str(key): str(value) if isinstance(value, str) else value for key, value in spec.items()
            if key in ("action", "from", "to", "input")}


class Script:
    def __init__(self, lab, seed, directory):
        self.directory = directory
        self.login = Login(directory)
        self.login.run("true")  # it has begun
        self.lab, self.random = lab, random.Random(seed)
        self.model = config_model.Model()
        self.log = []
        self.clients = {}
        self.observer = Client(lab.bus)
        self.deadline = 0  # at or after that of the window

    def close(self):
        self.login.close()
        for client in [self.observer, *(client for client, _ in self.clients.values())]:
            client.close()

    def say(self, text):
        self.log.append(text)

    # --- sessions

    def new_session(self):
        name = f"s{len(self.log)}"
        client = Client(self.lab.bus)
        self.clients[name] = client, client.open()
        self.model.open(name)
        self.say(f"open {name}")
        return name

    def some_session(self):
        if not self.clients or (len(self.clients) < 3 and self.random.random() < 0.3):
            return self.new_session()
        return self.random.choice(sorted(self.clients))

    def forget(self, name):
        client, _ = self.clients.pop(name)
        client.close()

    def restarted(self):
        """configd is another process."""
        for name in list(self.clients):
            self.forget(name)
        self.model.restart()

    # --- steps

    def edit(self, name=None):
        name = name or self.some_session()
        session, candidate = self.clients[name][1], self.model.sessions[name].candidate
        for _ in range(self.random.randint(1, 3)):
            kind = self.random.choice(["Zone", "FirewallRule", "FirewallRule"])
            key = kind, self.random.choice(ZONES if kind == "Zone" else RULES)
            if key in candidate and self.random.random() < 0.25:
                session.delete(*key)
                self.model.sessions[name].delete(key)
                self.say(f"{name}: delete {key}")
                continue
            if kind == "Zone":
                spec = {"input": self.random.choice(["allow", "drop", "reject"])}
            else:
                spec = {"action": self.random.choice(["allow", "drop", "reject"])}
                zones = [zone for kind, zone in sorted(candidate) if kind == "Zone"]
                for field in ("from", "to"):
                    if self.random.random() < 0.5:  # seldom of a zone that is not there
                        spec[field] = self.random.choice(ZONES if not zones or self.random.random() < 0.1 else zones)
            session.set(*key, spec)
            self.model.sessions[name].set(key, spec)
            self.say(f"{name}: set {key} {spec}")

    def window(self):
        return WINDOW_S if self.random.random() < 0.25 else 0

    def options(self, window):
        return {"confirm": str(window) if window else "never"}

    def check_answer(self, reply, expected):
        assert bool(reply["accepted"]) == expected.accepted, f"expected {expected}: {explain(reply)}"
        if expected.accepted:
            assert bool(reply["changed"]) == expected.changed
        else:
            assert codes(reply) & expected.codes, f"expected {expected}: {explain(reply)}"
        return expected.accepted

    def commit(self):
        name, window = self.some_session(), self.window()
        expected = self.model.judge_commit(name)
        self.say(f"{name}: commit, window {window}: {expected}")
        reply = self.clients[name][1].commit(**self.options(window))
        if self.check_answer(reply, expected):
            self.model.commit(name, int(reply["revision"]), window)
            self.deadline = time.monotonic() + window

    def revert(self):
        number, window = self.random.choice(sorted(self.model.kept)), self.window()
        expected = self.model.judge_revert(number)
        if self.model.waiting:
            window = 0
        self.say(f"revert to {number}, window {window}: {expected}")
        reply = self.observer.config("Revert", "ta{sv}", dbus.UInt64(number), self.options(window))
        if self.check_answer(reply, expected):
            self.model.revert(number, int(reply["revision"]), window)
            self.deadline = time.monotonic() + window

    def confirm(self):
        """By a login that began after the commit. One from before is refused, and changes nothing."""
        if not self.model.waiting:
            return
        early = self.random.random() < 0.5
        self.say(f"confirm, by {'the old login' if early else 'a new one'}")
        login = self.login if early else Login(self.directory)
        status, text = login.run(lab_module.build_dir() / "cli/patronusctl", "--bus", self.lab.bus, "confirm")
        if early:
            assert status and "patronusctl confirm" in text, text
            return
        login.close()
        assert status == 0, text
        self.model.confirm()

    def expire(self):
        """Nobody confirms."""
        self.say("the window passes")
        wait_until(lambda: not self.confirming(), "end of the window", WINDOW_S + 5)
        self.model.expire(self.observer.revision)

    def leave(self):
        """A client that dies takes its session along."""
        name = self.some_session()
        self.say(f"{name} is gone")
        self.forget(name)
        self.model.close(name)

    def kill(self):
        which = self.random.choice(["configd", "filterd"])
        self.say(f"{which} is killed")
        self.kill_and_start(which)

    def kill_and_start(self, which):
        self.lab.end(which, signal.SIGKILL)
        if which == "configd":
            self.restarted()
        self.lab.start(which)

    def kill_in_commit(self):
        """The answer, if there was one, holds; else what is in force is that before or that after."""
        name, which = self.some_session(), self.random.choice(["configd", "filterd"])
        self.edit(name)
        expected = self.model.judge_commit(name)
        wanted = self.model.wanted_by(name)[0] if expected.changed else None
        before, answers = self.model.revision, []

        def commit():
            with contextlib.suppress(dbus.DBusException):  # configd died
                answers.append(self.clients[name][1].commit(**self.options(0)))

        thread = threading.Thread(target=commit)
        moment = self.random.uniform(0, KILL_SPREAD_S)
        self.say(f"{name}: commit ({expected}), {which} is killed {moment * 1000:.1f} ms later")
        thread.start()
        boottime.until(boottime.now() + moment)
        self.lab.end(which, signal.SIGKILL)
        if which == "filterd":
            self.lab.start("filterd")
        thread.join()
        if which == "configd":
            self.lab.start("configd")
        self.settle()
        after = self.observer.revision
        found = self.running()
        assert found in self.model.crashed(wanted), f"{found} is neither that before nor that after"
        if answers and answers[0]["accepted"] and expected.changed:
            assert found == wanted, "an answered commit was lost"
        if found == wanted and after != before:
            self.model.commit(name, after)
        if which == "configd":
            self.restarted()

    def flush(self):
        """Another program takes the table away, and it comes back."""
        self.say("nft flush ruleset")
        self.lab.exec("router", "nft", "flush", "ruleset")

    # --- what is

    def confirming(self):
        return int(self.observer.prop("ConfirmRevision"))

    def running(self):
        found = {}
        for kind in ("Zone", "FirewallRule"):
            objects, _ = self.observer.config("List", "sa{sv}", kind, {"limit": dbus.UInt32(1000)})
            found.update({(kind, str(item["metadata"]["name"])): plain(item["spec"]) for item in objects})
        return found

    def roots(self):
        """What configd, filterd and the kernel's marker say."""
        try:
            state = self.observer.call(FILTER_PATH, "org.patronus.Transaction1", "GetState", "", name=FILTER_NAME)
            return {self.observer.root, str(state.get("root", "")), str(state.get("markerRoot", ""))}
        except dbus.DBusException:
            return set()

    def rules_in_kernel(self):
        listed = self.lab.exec("router", "nft", "list", "table", "inet", "patronus", check=False).stdout
        return set(re.findall(r'comment "FirewallRule/(r\d)"', listed))

    def agree(self):
        roots = self.roots()
        if self.observer.revision == 0:  # filterd has nothing in force then, or a commit that configd has not heard the end of
            return roots and not roots - {self.observer.root, ""}
        return len(roots) == 1

    def settle(self):
        """Until the daemons are at rest and of one mind."""
        wait_until(self.agree, "agreement of configd, filterd and the kernel")

    def check(self):
        model = self.model
        self.settle()
        assert self.running() == model.running
        assert self.observer.revision == model.revision
        assert self.confirming() == (model.revision if model.waiting else 0)
        assert int(self.observer.prop("ConfirmedRevision")) == model.confirmed
        zones = any(kind == "Zone" for kind, _ in model.running)  # without one no packet ever comes to a rule
        rules = {name for kind, name in model.running if kind == "FirewallRule" and zones}
        if model.revision == 0:
            return
        assert self.rules_in_kernel() == rules
        state = self.lab.directory / "state"
        assert store_files.linked(state, "decided") == model.revision
        assert store_files.linked(state, "confirmed") == model.confirmed
        for number in {model.revision, model.confirmed}:
            stored = {key: plain(document["spec"]) for key, document in store_files.objects(state, "filterd", number).items()}
            assert stored == model.kept[number], f"revision {number} on disk"

    def run(self):
        steps = [self.edit] * 3 + [self.commit] * 7 + [self.confirm] * 4 + [self.revert, self.leave, self.kill, self.kill_in_commit, self.kill_in_commit, self.flush]
        name = self.new_session()
        for zone in ZONES[:2]:
            self.clients[name][1].set("Zone", zone, {"input": "allow"})
            self.model.sessions[name].set(("Zone", zone), {"input": "allow"})
        for _ in range(STEPS):
            step = self.random.choice(steps)
            if self.model.waiting and self.random.random() < 0.2:
                step = self.expire
            if self.model.waiting and time.monotonic() > self.deadline - MARGIN_S:
                step = self.expire
            step()
            if step != self.expire and self.model.waiting and time.monotonic() > self.deadline:
                pytest.skip("the machine is too slow for this script: a window ended in the middle of a step")
            self.check()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SCRIPTS))
def test_script(lab, seed, tmp_path):
    script = Script(lab, seed, tmp_path)
    try:
        script.run()
    except BaseException:
        print(f"seed {seed}", *script.log, sep="\n  ")
        raise
    finally:
        script.close()
