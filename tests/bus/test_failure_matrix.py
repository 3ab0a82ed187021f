# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a daemon can fail a commit, at every step, in each of two daemons.

Whatever happens, the change is whole or it is not there: the files that are the daemons' systems, what is on disk and
what everybody says are those before the commit, or those after it, and the reply says which. The rows of the table in
docs/ARCHITECTURE.md have a test each, by name, below the matrix.
"""

import itertools
import subprocess

import pytest

from config_harness import codes, explain, wait_until
from fault_harness import Steps, link, service
from signals import Signals

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
    if reply["accepted"]:
        faults.agree()
    else:  # an Abort is not waited for
        faults.settled()
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


# ---- the rows, by name ---------------------------------------------------------------------------------------------------


def unchanged(faults, reply):
    """It was refused before anything was done, and says so."""
    assert outcome(faults, reply) == "before"
    assert [revision["number"] for revision in faults.client.config("ListRevisions", "a{sv}", {})] == [1], "no intent was written"
    for daemon in faults.daemons.values():
        assert daemon.marker()[0] == 1


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_prepare_that_is_refused(before, daemon):
    steps = Steps(before)
    before.daemons[daemon].on("prepare", "once:refuse")
    reply = before.client.apply(configuration("after"), replace=True)
    assert codes(reply) == {"told-to-refuse"}
    for other in before.daemons.values():
        steps.wait_for(other, "abort")
    steps.close()
    unchanged(before, reply)


def test_a_prepare_that_is_late(before):
    """The deadline is three times the estimate, or a twelfth of a step's time; both prepare meanwhile."""
    steps = Steps(before)
    before.service.on("prepare", "hang")
    reply = before.client.apply(configuration("after"), replace=True)
    assert codes(reply) == {"no-answer"} and "did not answer Prepare within 900ms" in explain(reply)
    assert 900_000 <= reply["timings"]["totalUSec"] < 10_000_000
    before.service.behave()
    for daemon in before.daemons.values():
        steps.wait_for(daemon, "abort")
    assert ("testlink", "commit") not in steps.seen
    steps.close()
    unchanged(before, reply)


def test_daemons_prepare_at_the_same_time(before):
    steps = Steps(before)
    for daemon in before.daemons.values():
        daemon.estimate(10_000_000, 1000)
        daemon.on("prepare", "hang")
    commit = before.background(configuration("after"), replace=True)
    for daemon in before.daemons.values():
        steps.wait_for(daemon, "prepare")  # neither has ended
    assert {str(name) for name in before.client.prop("Waiting")} == {"testlink", "testservice"}
    assert before.client.prop("Phase") == "prepare"
    before.service.release()
    wait_until(lambda: [str(name) for name in before.client.prop("Waiting")] == ["testlink"], "the answer of testservice")
    before.link.release()
    assert outcome(before, commit.result()) == "after"
    steps.close()


def test_progress_is_told_each_second(before):
    progress = Signals(before.address, "org.patronus.Config1", "Progress")
    before.link.estimate(10_000_000, 1000)
    before.link.on("prepare", "hang")
    commit = before.background(configuration("after"), replace=True)
    progress.wait(lambda seen: len(seen) >= 2, "progress")
    (_, phase, waiting, first), (*_, second) = progress.seen[:2]
    assert (phase, waiting) == ("prepare", ["testlink"]) and 900_000 <= second - first <= 5_000_000
    before.link.release()
    assert outcome(before, commit.result()) == "after"
    progress.close()


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_daemon_that_vanishes_in_prepare(before, daemon):
    """Also one that had prepared, while another still does."""
    gone, = (before.daemons[name] for name in before.daemons if name == daemon)
    slow, = (before.daemons[name] for name in before.daemons if name != daemon)
    slow.estimate(10_000_000, 1000)
    slow.on("prepare", "hang")
    commit = before.background(configuration("after"), replace=True)
    wait_until(lambda: [str(name) for name in before.client.prop("Waiting")] == [slow.name], "the other's preparation")
    gone.kill()
    gone.start()
    slow.release()
    reply = commit.result()
    assert codes(reply) == {"daemon-died"} and f"{daemon} ended after it had planned the change" in explain(reply)
    unchanged(before, reply)


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_daemon_that_is_down(before, daemon):
    down, = (before.daemons[name] for name in before.daemons if name == daemon)
    other, = (before.daemons[name] for name in before.daemons if name != daemon)
    down.kill()
    wait_until(lambda: before.conditions() == {daemon: "does not run"}, "the condition")
    # Its slice does not change: ignored.
    theirs = link("wan", label="other") if other is before.link else service("web", link="wan", greeting="other")
    assert before.client.accept(theirs)["revision"] == 2
    # It changes: refused, or recorded.
    reply = before.client.apply(configuration("after"), replace=True)
    assert not reply["accepted"] and codes(reply) == {"daemon-unreachable"} and "--allow-offline" in explain(reply)
    assert before.client.revision == 2
    dry = before.client.apply(configuration("after"), replace=True, allowOffline=True, dryRun=True)
    assert dry["accepted"] and codes(dry) == {"offline"} and [str(plan["daemon"]) for plan in dry["plans"]] == [other.name]
    reply = before.client.apply(configuration("after"), replace=True, allowOffline=True)
    assert reply["accepted"] and reply["revision"] == 3 and codes(reply) == {"offline"}
    before.agrees(other)
    wait_until(lambda: before.conditions() == {daemon: "does not run; revision 3 is for it when it starts"}, "the condition")
    down.start()
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    before.agree()
    assert before.tags() == AFTER


def test_all_daemons_are_down(before):
    for daemon in before.daemons.values():
        daemon.kill()
    wait_until(lambda: len(before.conditions()) == 2, "the conditions")
    assert before.client.apply(configuration("after"), replace=True, allowOffline=True)["accepted"]
    for daemon in before.daemons.values():
        daemon.start()
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    before.agree()
    assert before.tags() == AFTER


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_an_engine_that_fails_in_commit(before, daemon):
    """All who were told to commit are taken back, by the same steps; who was not told is asked to abort."""
    reverted = Signals(before.address, "org.patronus.Config1", "Reverted")
    steps = Steps(before)
    before.daemons[daemon].on("commit", "once:refuse")
    reply = before.client.apply(configuration("after"), replace=True)
    assert codes(reply) == {"told-to-refuse"} and outcome(before, reply) == "before"
    reverted.wait(lambda seen: [entry[1:] for entry in seen] == [(2, 1)], "the revert")
    later = [step for name, step in steps.update() if name == "testservice"]
    assert later.count("commit") == (0 if daemon == "testlink" else 2)
    assert [step for name, step in steps.seen if name == "testlink"].count("commit") == 2
    steps.close()
    reverted.close()


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_an_engine_that_cannot_be_taken_back(before, daemon):
    """configd is degraded, says it aloud, and tries again until it succeeds."""
    degraded = Signals(before.address, "org.patronus.Config1", "Degraded")
    recovered = Signals(before.address, "org.patronus.Config1", "Recovered")
    before.daemons[daemon].on("commit", "refuse")
    reply = before.client.apply(configuration("after"), replace=True)
    assert not reply["accepted"] and codes(reply) == {"told-to-refuse", "not-reverted"}
    assert before.state_word() == "degraded" and "is refused, as it was told" in before.conditions()[daemon]
    degraded.wait(lambda seen: [entry[1:3] for entry in seen] == [(daemon, 1)], "the alarm")
    assert f"configd: {daemon}: commit is refused, as it was told" in before.ctl("status")
    # Other commits go on meanwhile, as far as it is not concerned.
    assert not before.client.apply(link("x") + service("y"))["accepted"]
    steps = Steps(before)
    steps.wait_for(before.daemons[daemon], "commit")  # it is tried again, without anybody's doing
    assert [entry[1:3] for entry in degraded.update()] == [(daemon, 1)], "one alarm for one trouble"
    before.daemons[daemon].on("commit", "")
    recovered.wait(lambda seen: [entry[1:] for entry in seen] == [(daemon, 1)], "the end of the alarm")
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    assert outcome(before, reply) == "before"
    for signals in (degraded, recovered, steps):
        signals.close()


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("behaviour", ["hang", "mute"])
def test_a_commit_that_does_not_end(before, daemon, behaviour):
    """A time-out is no success, whether it was done or not; and the daemon is taken back when it comes round."""
    bad = before.daemons[daemon]
    bad.on("commit", behaviour)
    reply = before.client.apply(configuration("after"), replace=True)
    assert not reply["accepted"] and {"no-answer", "not-reverted"} == codes(reply)
    assert before.conditions()[daemon] == "it is busy with a step that has not ended"
    bad.on("commit", "")
    bad.release()
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    assert outcome(before, reply) == "before"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_daemon_that_dies_in_commit_and_comes_back_without_the_change(before, daemon):
    bad = before.daemons[daemon]
    bad.keep()
    bad.on("commit", "die-half")
    reply = before.client.apply(configuration("after"), replace=True)
    assert codes(reply) == {"daemon-died"} and "started again without the change" in explain(reply)
    assert bad.restarts == 1 and outcome(before, reply) == "before"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("step, behaviour", [("commit", "die-after"), ("verify", "die")])
def test_a_daemon_that_dies_in_commit_and_comes_back_with_the_change(before, daemon, step, behaviour):
    bad = before.daemons[daemon]
    bad.keep()
    bad.on(step, behaviour)
    reply = before.client.apply(configuration("after"), replace=True)
    assert reply["accepted"] and codes(reply) == {"daemon-restarted"}
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    assert bad.restarts == 1 and outcome(before, reply) == "after"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_daemon_that_dies_in_commit_twice(before, daemon):
    """Once is forgiven: what it does then, it does to be taken back."""
    bad = before.daemons[daemon]
    bad.keep(["--on", "verify=once:die"], [])
    bad.on("commit", "die-after")
    reply = before.client.apply(configuration("after"), replace=True)
    assert not reply["accepted"] and "daemon-died" in codes(reply), explain(reply)
    wait_until(lambda: bad.restarts == 2 and bad.running(), "the second restart")
    heal(before, bad)
    assert outcome(before, reply) == "before"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_a_daemon_that_dies_in_commit_and_stays_away(before, daemon):
    bad = before.daemons[daemon]
    bad.on("commit", "die-after")
    reply = before.client.apply(configuration("after"), replace=True)
    assert codes(reply) == {"daemon-died", "not-reverted"} and "did not start again" in explain(reply)
    assert before.state_word() == "degraded" and before.client.revision == 1
    bad.start()
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    assert outcome(before, reply) == "before"


def test_stages(before):
    """What belongs to a link is done before what may need it; and so it is taken back."""
    steps = Steps(before)
    before.link.on("commit", "once:hang")
    commit = before.background(configuration("after"), replace=True)
    steps.wait_for(before.link, "commit")
    assert ("testservice", "prepare") in steps.update() and ("testservice", "commit") not in steps.seen
    assert str(before.client.prop("Phase")) == "commit"
    before.link.release()
    assert outcome(before, commit.result()) == "after"
    assert steps.update().index(("testlink", "commit")) < steps.seen.index(("testservice", "commit")) < steps.seen.index(("testlink", "verify"))
    steps.close()


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("deed", ["edit", "remove", "add"])
def test_what_is_changed_behind_our_back_before_it_is_verified(before, daemon, deed):
    bad = before.daemons[daemon]
    steps = Steps(before)
    bad.on("verify", "once:hang")
    commit = before.background(configuration("after"), replace=True)
    steps.wait_for(bad, "verify")
    system = bad.directory / "system"
    name = "TestLink.wan" if daemon == "testlink" else "TestService.web"
    if deed == "edit":
        (system / name).write_text("{}")
    elif deed == "remove":
        (system / name).unlink()
    else:
        (system / "TestLink.stray").write_text("{}")
    bad.release()
    reply = commit.result()
    assert not reply["accepted"] and {"differs", "not-verified"} <= codes(reply)
    wait_until(lambda: before.conditions() == {}, "the end of all trouble")
    assert outcome(before, reply) == "before"
    steps.close()


def test_the_client_dies(before, tmp_path):
    """What it asked for is decided or not, without it."""
    (tmp_path / "after.yaml").write_text(configuration("after"))
    steps = Steps(before)
    before.service.on("commit", "once:hang")
    client = subprocess.Popen([before.build / "tests/daemons/patronusctl-test", "--bus", before.address, "apply", "--replace", "--confirm",
                               "never", "-f", tmp_path / "after.yaml"])
    steps.wait_for(before.service, "commit")
    client.kill()
    client.wait()
    before.service.release()
    wait_until(lambda: before.client.revision == 2, "the decision")
    before.agree()
    assert before.tags() == AFTER
    wait_until(lambda: before.client.prop("Phase") == "", "the end of the commit")
    steps.close()


# ---- configd dies --------------------------------------------------------------------------------------------------------


def killed(before, daemon, step, behaviour="hang"):
    """configd is killed when the daemon is in that step of a commit, and the daemon goes on."""
    steps = Steps(before)
    bad = before.daemons[daemon]
    bad.on(step, behaviour)
    commit = before.background(configuration("after"), replace=True)
    steps.wait_for(bad, step)
    if behaviour == "mute":  # it is done, and nobody was told
        wait_until(lambda: bad.marker() and bad.marker()[0] == 2, "the commit")
    before.process.kill()
    with pytest.raises(Exception):
        commit.result()
    steps.close()
    return bad


def states(faults):
    return [(int(revision["number"]), str(revision["state"])) for revision in faults.client.config("ListRevisions", "a{sv}", {})]


def settled(before):
    before.settled()
    tags = before.tags()
    assert tags in (BEFORE, AFTER)
    return "after" if tags == AFTER else "before"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
@pytest.mark.parametrize("step", ["prepare", "commit"])
def test_configd_dies_before_all_have_committed(before, daemon, step):
    """What some have is taken from them; what one still commits too, once it is done."""
    bad = killed(before, daemon, step)
    before.start_configd()
    if step == "commit":  # the intent is settled before it goes on: else it would be in time
        wait_until(lambda: states(before) == [(2, "aborted"), (1, "running")], "the end of the intent")
    bad.behave()
    assert settled(before) == "before"


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_configd_dies_and_a_daemon_still_commits(before, daemon):
    """It ends long after the next configd has decided that the revision is aborted."""
    bad = killed(before, daemon, "commit")
    before.start_configd()
    wait_until(lambda: before.conditions().get(daemon) == "it is busy with a step that has not ended", "the condition")
    before.process.kill()  # and the one after it must find that out too
    before.start_configd()
    wait_until(lambda: before.conditions().get(daemon) == "it is busy with a step that has not ended", "the condition")
    bad.behave()
    assert settled(before) == "before"


@pytest.mark.parametrize("daemon, step", [("testservice", "commit"), ("testlink", "verify"), ("testservice", "verify")])
def test_configd_dies_when_all_have_committed(before, daemon, step):
    bad = killed(before, daemon, step, "mute" if step == "commit" else "hang")
    before.start_configd()
    bad.behave()
    assert settled(before) == "after"
    assert states(before) == [(2, "running"), (1, "decided")]


def test_what_is_decided_after_a_crash_is_verified(before):
    """The daemon says that it has the change, and its system is another one."""
    bad = killed(before, "testlink", "verify")
    bad.behave()
    (bad.directory / "system" / "TestLink.wan").write_text("{}")
    steps = Steps(before)
    before.start_configd()
    steps.wait_for(bad, "verify")
    assert settled(before) == "after"
    steps.close()


@pytest.mark.parametrize("daemon", ["testlink", "testservice"])
def test_configd_and_a_daemon_die(before, daemon):
    bad = killed(before, daemon, "commit", "mute")
    bad.kill()
    before.start_configd()
    bad.start()
    assert settled(before) == "before", "one of them could not say that it has it"


def test_the_first_revision_fails_and_configd_dies(faults):
    """Nothing was ever decided; what was tried is taken back all the same."""
    faults.start("--step-timeout", str(STEP_MSEC))
    faults.service.on("commit", "refuse")
    reply = faults.client.apply(configuration("after"))
    assert "not-reverted" in codes(reply)
    faults.process.kill()
    faults.service.on("commit", "")
    faults.start_configd()
    faults.settled()
    assert faults.tags() == {} and faults.service.files() == {}


def test_plan_shows_each_daemon(before, tmp_path):
    (tmp_path / "after.yaml").write_text(configuration("after"))
    before.service.estimate(400, 25_000)
    text = before.ctl("plan", "-f", tmp_path / "after.yaml", "--replace")
    rows = [line.split() for line in text.splitlines()]
    assert ["DAEMON", "STAGE", "ENGINE", "GUARANTEE", "IMPACT", "PREPARE", "COMMIT"] in rows
    assert ["testlink", "link", "file", "compensated", "live", "300", "ms", "1", "ms"] in rows
    assert ["testservice", "service", "file", "eventual", "live", "<", "1", "ms", "25", "ms"] in rows
    before.agree()
    assert before.tags() == BEFORE


def test_allow_offline_of_patronusctl(before, tmp_path):
    (tmp_path / "after.yaml").write_text(configuration("after"))
    before.link.kill()
    done = before.ctl("apply", "-f", tmp_path / "after.yaml", "--replace", check=False)
    assert done.returncode == 1 and "--allow-offline" in done.stderr and done.stderr.endswith("nothing was changed\n")
    done = before.ctl("apply", "-f", tmp_path / "after.yaml", "--replace", "--allow-offline", check=False)
    assert done.returncode == 0 and "warning: testlink does not run" in done.stderr and "revision 2 is in force" in done.stdout
