# SPDX-License-Identifier: GPL-3.0-or-later
"""What configd should do, as a model small enough to read: plain dictionaries, nothing of ours imported.

A configuration is {(kind, name): spec}; spec holds only what these tests set, and references are told apart by REFERENCES.
An operation returns an Outcome: whether it is accepted and, if not, the codes one of which must be among those given. The
model does not know what a crash interrupts: `crashed` says what may be in force after one, and `settle` is told which it was.
"""

import copy
import dataclasses

REFERENCES = {"FirewallRule": {"from": "Zone", "to": "Zone"}}


@dataclasses.dataclass(frozen=True)
class Outcome:
    accepted: bool
    codes: frozenset = frozenset()  # of the refusal: one of them
    changed: bool = False


def refused(*codes):
    return Outcome(False, frozenset(codes))


def changes(before, after):
    """{key: spec or None (deleted)}: what makes `after` of `before`."""
    keys = before.keys() | after.keys()
    return {key: after.get(key) for key in keys if before.get(key) != after.get(key)}


def patched(configuration, patch):
    result = {key: spec for key, spec in configuration.items() if key not in patch}
    result.update({key: spec for key, spec in patch.items() if spec is not None})
    return result


def broken_references(configuration):
    """[(who refers, whom)] of references to nothing."""
    return [(key, (kind, spec[field]))
            for key, spec in configuration.items()
            for field, kind in REFERENCES.get(key[0], {}).items()
            if field in spec and (kind, spec[field]) not in configuration]


@dataclasses.dataclass
class Session:
    base: dict
    candidate: dict
    base_revision: int

    def set(self, key, spec):
        """Fields given replace, others stay."""
        self.candidate[key] = {**self.candidate.get(key, {}), **spec}

    def delete(self, key):
        del self.candidate[key]


class Model:
    def __init__(self):
        self.running = {}
        self.revision = 0
        self.confirmed = 0
        self.kept = {0: {}}  # revision: configuration
        self.waiting = False  # the running revision must be confirmed
        self.sessions = {}

    # --- sessions

    def open(self, name):
        self.sessions[name] = Session(copy.deepcopy(self.running), copy.deepcopy(self.running), self.revision)

    def close(self, name):
        del self.sessions[name]

    # --- what changes the system

    def _judge(self, wanted):
        """Why a configuration cannot come into force."""
        if not broken_references(wanted):
            return None
        return refused("dangling-reference", "in-use")

    def _bring(self, wanted, number, window):
        """Into force as revision `number`."""
        self.running, self.revision = copy.deepcopy(wanted), number
        self.kept[number] = copy.deepcopy(wanted)
        self.waiting = window > 0
        if not self.waiting:
            self.confirmed = number

    def wanted_by(self, name):
        """(configuration, None) that a commit of the session is about, or (None, the conflict)."""
        session = self.sessions[name]
        if session.base_revision == self.revision:
            return session.candidate, None
        mine, theirs = changes(session.base, session.candidate), changes(session.base, self.running)
        if any(mine[key] != theirs[key] for key in mine.keys() & theirs.keys()):
            return None, refused("conflict")
        return patched(self.running, mine), None

    def judge_commit(self, name):
        wanted, conflict = self.wanted_by(name)
        wrong = conflict or self._judge(wanted)
        if self.waiting:
            return refused("confirm-pending", *(wrong.codes if wrong else ()))
        return wrong or Outcome(True, changed=wanted != self.running)

    def commit(self, name, number, window=0):
        """After judge_commit() said accepted; `number` is the revision that it became."""
        wanted, _ = self.wanted_by(name)
        if wanted != self.running:
            self._bring(wanted, number, window)
        session = self.sessions[name]
        session.base, session.candidate, session.base_revision = copy.deepcopy(wanted), copy.deepcopy(wanted), number

    def judge_revert(self, number):
        """To a kept revision. While a confirmation is awaited only the confirmed one."""
        if self.waiting and number != self.confirmed:
            return refused("confirm-pending")
        wanted = self.kept[number]
        return self._judge(wanted) or Outcome(True, changed=wanted != self.running)

    def revert(self, number, new_number, window=0):
        if self.kept[number] != self.running or self.waiting:
            self._bring(self.kept[number], new_number, window)

    def confirm(self):
        self.waiting = False
        self.confirmed = self.revision

    def expire(self, new_number):
        """Nobody confirmed in time: the confirmed configuration is in force again, as a new revision."""
        assert self.waiting
        self._bring(self.kept[self.confirmed], new_number, 0)

    # --- crashes

    def crashed(self, wanted=None):
        """The configurations one of which is in force after a crash, while `wanted` was to come into force."""
        return [self.running] if wanted is None else [self.running, wanted]

    def restart(self):
        """configd is a new process: nobody's session outlives it."""
        self.sessions.clear()
