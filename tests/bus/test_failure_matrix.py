# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a daemon can fail a commit, at every step, in each of two daemons.

Whatever happens, the change is whole or it is not there: the files that are the daemons' systems, what is on disk and
what everybody says are those before the commit, or those after it, and the reply says which. The rows of the table in
docs/ARCHITECTURE.md have a test each, by name, below the matrix.
"""

import itertools

import pytest

from config_harness import codes, explain, wait_until
from fault_harness import Signals, Steps, link, service

STEP_MSEC = 1500  # what a step gets; a Prepare gets three times its estimate if that is more than a twelfth of it
PREPARE_USEC = 300_000
LATE_MSEC = 2 * STEP_MSEC

BEFORE = {"wan": "before", "web": "before", "old": "before", "gone": "before"}
AFTER = {"wan": "after", "web": "after", "new": "after", "born": "after"}


def both(tag, *names):
    """A configuration of both daemons, its name in each object."""
    (link_name, *_), (service_name, *_) = names
    return (link("wan", label=tag) + link(link_name, label=tag) +
            service("web", link="wan", greeting=tag) + service(service_name, greeting=tag))


def configuration(tag):
    """Each has an object that is updated, one that is created and one that is deleted."""
    return both(tag, ("old",), ("gone",)) if tag == "before" else both(tag, ("new",), ("born",))


def start(faults, *options):
    faults.start("--step-timeout", str(STEP_MSEC), *options)
    for daemon in faults.daemons.values():
        daemon.estimate(PREPARE_USEC, 1000)
    faults.client.accept(configuration("before"), replace=True)
    faults.agree()
    assert faults.tags() == BEFORE
    return faults


@pytest.fixture
def before(faults):
    """Revision 1 is in force everywhere."""
    return start(faults)


def heal(faults, daemon):
    """The daemon works again, however it was left; then all come to agree."""
    wait_until(daemon.running, f"restart of {daemon.name}")
    daemon.end_keeper()
    if daemon.process.poll() is None and daemon.blocked:
        daemon.kill()
    if daemon.process.poll() is not None:
        daemon.start()
    else:
        daemon.behave()
    wait_until(lambda: faults.conditions() == {}, "the end of all trouble")
    wait_until(lambda: daemon.prop("State") in ("running", "unconfigured"), f"{daemon.name} is idle")


def outcome(faults, reply):
    """Which configuration is in force everywhere, and the reply says so."""
    faults.agree()
    tags = faults.tags()
    assert tags in (BEFORE, AFTER), "neither before nor after"
    assert bool(reply["accepted"]) == (tags == AFTER), explain(reply)
    assert faults.client.revision == (int(reply["revision"]) or 1)
    return "after" if tags == AFTER else "before"


STEPS = ["observe", "plan", "prepare", "commit", "verify", "abort"]
BEHAVIOURS = ["refuse", f"delay:{LATE_MSEC}", "hang", "die", "die-after", "lie"]
# What can be told but is a matter of one step.
MORE = [("prepare", "mute"), ("prepare", f"late:{LATE_MSEC}"), ("commit", "die-half"), ("commit", "mute"), ("commit", f"late:{LATE_MSEC}"),
        ("commit", "settle:500"), ("commit", "settle:60000"), ("verify", "mute"), ("verify", f"late:{LATE_MSEC}")]


def expected(step, behaviour, restarts):
    """What becomes of the change, as docs/ARCHITECTURE.md has it."""
    if step == "abort":
        return "after"  # nobody is asked to abort
    if step == "observe" and behaviour == "lie":
        return "before"  # what it did not see it does not remove
    if behaviour == "settle:500":
        return "after"  # it shows within the time that a verification has
    if step == "commit" and behaviour == "die-after" and restarts:
        return "after"  # it is there again with the change in force
    if step == "verify" and behaviour in ("die", "die-after") and restarts:
        return "after"
    if step == "prepare" and behaviour == "lie":
        return "before"  # the commit finds nothing prepared
    return "before"


CASES = [(step, behaviour) for step, behaviour in itertools.product(STEPS, BEHAVIOURS) if (step, behaviour) != ("abort", "refuse")] + MORE


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("step, behaviour", CASES, ids=[f"{step}-{behaviour}" for step, behaviour in CASES])
def test_matrix(before, daemon, step, behaviour):
    bad = before.daemons[daemon]
    bad.keep()  # a service manager would start it again
    bad.on(step, behaviour)
    reply = before.client.apply(configuration("after"), replace=True)
    heal(before, bad)
    assert outcome(before, reply) == expected(step, behaviour, restarts=True)
    # And it goes on from there.
    before.client.accept(configuration("after"), replace=True)
    before.agree()
    assert before.tags() == AFTER


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("behaviour", ["die", "die-after", "lie", "hang"])
def test_abort(before, daemon, behaviour):
    """What a daemon does wrong when it is asked to abort is its own trouble."""
    bad, = (before.daemons[name] for name in before.daemons if name == daemon)
    other, = (before.daemons[name] for name in before.daemons if name != daemon)
    bad.keep()
    bad.on("abort", behaviour)
    other.on("prepare", "once:refuse")
    steps = Steps(before)
    reply = before.client.apply(configuration("after"), replace=True)
    steps.wait_for(bad, "abort")
    steps.close()
    if behaviour in ("die", "die-after"):
        wait_until(lambda: bad.restarts == 1 and bad.running(), "its restart")
    heal(before, bad)
    if behaviour == "lie":  # it kept what it had prepared, until it prepares again
        before.client.accept(configuration("after"), replace=True)
        assert before.tags() == AFTER
        before.agree()
    else:
        assert outcome(before, reply) == "before"
