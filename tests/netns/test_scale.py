# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of thousands of rules, in one go and in pieces: the kernel has exactly those, in their order."""

import pathlib
import random
import sys

import dbus
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "bench.d"))

import rules  # noqa: E402

COUNT = 3000  # a batch that filterd hands to a child
PAGE = dbus.Dictionary({"limit": dbus.UInt32(1000)}, signature="sv")


def in_kernel(lab):
    """The names of the rules of each pair of zones, in the order of their evaluation: filterd reads their counters' objects."""
    filterd = dbus.bus.BusConnection(lab.bus).get_object("org.patronus.Filter1", "/org/patronus/Filter1", introspect=False)
    pairs, after = {}, ""
    while True:
        options = dbus.Dictionary({**PAGE, **({"after": after} if after else {})}, signature="sv")
        counters, after = filterd.ListCounters(options, dbus_interface="org.patronus.Filter1")
        for kind, name, zones, *_ in counters:
            if kind:
                pairs.setdefault(str(zones), []).append(str(name))
        if not after:
            return pairs


def wanted(policy):
    pairs = {}
    for rule in policy:
        pairs.setdefault(f"{rule.source_zone}/{rule.target_zone}", []).append(rule.name)
    return pairs


@pytest.mark.parametrize("mix", rules.MIXES)
def test_all_at_once_then_nothing(lab, mix):
    policy = rules.make(mix, COUNT)
    lab.apply(rules.yaml(policy))
    assert in_kernel(lab) == wanted(policy)
    lab.apply(rules.zones_yaml(), "--replace")
    assert in_kernel(lab) == {}


def test_in_random_pieces(lab):
    """Rules come, change and go in commits that are each incremental."""
    draw = random.Random(7)
    every = rules.make("mixed", 600)
    altered = {old.name: new for old, new in rules.changed("mixed", every, 300)}
    for _ in range(8):
        policy = [altered.get(rule.name, rule) if draw.random() < 0.3 else rule for rule in every if draw.random() < 0.5]
        lab.apply(rules.yaml(policy), "--replace")
        assert in_kernel(lab) == wanted(policy)
