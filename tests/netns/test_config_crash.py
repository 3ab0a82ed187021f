# SPDX-License-Identifier: GPL-3.0-or-later
"""configd is killed at any moment of a commit: what was answered is kept, and configd and kernel agree afterwards."""

import signal
import threading
import time

import dbus
import dbus.bus
import pytest

CONFIG, FILTER = "org.patronus.Config1", "org.patronus.Filter1"
ZONES = "".join(f"---\napiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: {{ name: {zone} }}\nspec: {{ interfaces: [{zone}] }}\n"
                for zone in ("wan", "lan"))
RULE = "---\napiVersion: patronus.firewall/v1\nkind: FirewallRule\nmetadata: {{ name: r{0} }}\nspec: {{ action: allow, from: lan, to: wan, priority: {0} }}\n"
MOMENTS_MS = (0, 1, 2, 4, 6, 9, 14, 25)


def root_of_configd(bus):
    return str(bus.call_blocking(CONFIG, "/org/patronus/Config1", "org.freedesktop.DBus.Properties", "Get", "ss", (CONFIG, "Root")))


def roots_of_filterd(bus):
    state = bus.call_blocking(FILTER, "/org/patronus/Filter1", "org.patronus.Transaction1", "GetState", "", ())
    return str(state["root"]), str(state["markerRoot"])


def agree(bus):
    return {root_of_configd(bus)} == set(roots_of_filterd(bus))


@pytest.mark.parametrize("moment", MOMENTS_MS)
def test_killed_in_a_commit(lab, moment):
    lab.apply(ZONES + RULE.format(1))
    answered, bus = [1], dbus.bus.BusConnection(lab.bus)
    committing = threading.Event()

    def commit_until_it_dies():
        for number in range(2, 100):
            committing.set()
            if lab.ctl("apply", "-f", "-", stdin=RULE.format(number), check=False).returncode:
                return
            answered.append(number)

    thread = threading.Thread(target=commit_until_it_dies)
    thread.start()
    committing.wait()
    time.sleep(0.03 + moment / 1000)  # not waiting for anything: this is the moment that the test is about
    lab.end("configd", signal.SIGKILL)
    thread.join()
    lab.start("configd")

    end = time.monotonic() + 20
    while not agree(bus):
        assert time.monotonic() < end, "configd and filterd do not agree"
        time.sleep(0.01)
    kept = lab.ctl("get", "FirewallRule", "-o", "json").stdout
    assert all(f'"r{number}"' in kept for number in answered), "an answered commit was lost"
    lab.apply(RULE.format(100))
    assert agree(bus)
    bus.close()
