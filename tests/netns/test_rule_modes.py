# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that decide nothing (audit, continue), and groups of rules with one switch; with real packets."""

import nflog
import pytest
import traffic
from documents import document
from nfmonitor import Monitor
from traffic import Row, address

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan], forward: drop, input: drop}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan], forward: drop, input: drop}}
"""


def rule(name, **spec):
    return document("FirewallRule", name, **({"from": "lan", "protocol": "udp"} | spec))


def assert_passes(lab, answers):
    """{port: whether it passes}, both families."""
    rows = [Row(f"{port} {family}", "udp", "lan", "wan", family, f"answer, seen as {address('lan', family)}" if passes else "no answer", port)
            for port, passes in answers.items() for family in (4, 6)]
    wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, "\n".join(wrong)


def test_audit_counts_and_logs_and_decides_nothing(lab):
    lab.apply(ZONES + rule("would-drop", action="drop", mode="audit", destination={"ports": [7001, "7010-7019"]})
              + rule("would-reject", action="reject", mode="audit", rejectWith="no-route", log=False)
              + rule("pass", action="allow", destination={"ports": ["7001-7002"]})
              + rule("would-pass", action="allow", mode="audit", destination={"ports": [7003]})
              + rule("not-reached", action="drop", mode="audit", destination={"ports": [7002]}))
    with nflog.Log(lab) as log:
        assert_passes(lab, {7001: True, 7002: True, 7003: False, 7011: False})
        assert_passes(lab, {7001: True})
        logged = [(each["rule"]["name"], each["verdict"], each["reason"]) for each in log.exactly(8)]
    assert lab.counted() == {"would-drop": 6, "would-reject": 10, "pass": 6, "would-pass": 2, "not-reached": 0}
    assert sorted(logged) == [("would-drop", "audit:drop", "audit")] * 6 + [("would-pass", "audit:allow", "audit")] * 2


def test_continue_counts_a_packet_once(lab):
    """Whatever it is in the kernel: in several parts that overlap, as a set, in a row with others, as floating rule by two interfaces."""
    alias = {"type": "network", "addresses": ["10.2.0.0/16", "fd00:2::/64"]}
    lab.apply(ZONES + document("Alias", "one", **alias) + document("Alias", "other", **alias)
              + rule("overlap", action="continue", source={"aliases": ["one", "other"]}, destination={"ports": [7001, "7000-7009", 7002]})
              + rule("plain", action="continue") + rule("noted", action="continue", log=True, destination={"ports": [7001, 7002]})
              + document("FirewallRule", "floats", action="continue", floating=True, interfaces=["wan", "lan"])
              + document("FirewallRule", "audits", action="drop", mode="audit", log=False, floating=True, quick=False, interfaces=["wan", "lan"])
              + rule("pass", action="allow", destination={"ports": [7001]}) + rule("after", action="continue"))
    with nflog.Log(lab) as log:
        assert_passes(lab, {7001: True, 7002: False, 7020: False})
        logged = [(each["rule"]["name"], each["verdict"]) for each in log.exactly(4)]
    assert lab.counted() == {"overlap": 4, "plain": 6, "noted": 4, "floats": 6, "audits": 4, "pass": 2, "after": 4}
    assert logged == [("noted", "continue")] * 4
    # a rule that decided no longer does, and does again, with its packets counted on
    lab.apply(ZONES + rule("pass", action="allow", mode="audit", destination={"ports": [7001]}))
    assert_passes(lab, {7001: False})
    lab.apply(ZONES + rule("pass", action="allow", destination={"ports": [7001]}))
    assert_passes(lab, {7001: True})
    assert lab.counted()["pass"] == 6 and lab.counted()["overlap"] == 8
    rows = lab.counters()
    notes = {row["name"]: row.get("notes") for row in rows if row["kind"] == "FirewallRule"}
    assert notes == {"overlap": "continue", "plain": "continue", "noted": "continue", "floats": "floating, continue",
                     "audits": "floating late, audit", "pass": None, "after": "continue"}


def test_a_group_is_one_switch_and_one_transaction(lab):
    """Rules that fold and rules that do not, of the group, of another and of none."""
    rules = [rule(f"in-{n}", action="allow", group="guests", source={"addresses": [f"10.2.0.{n}"]}, destination={"ports": [7001]}) for n in range(2, 40)]
    rules += [rule("in-six", action="allow", group="guests", family="ipv6", destination={"ports": [7001, 7005], "except": {"ports": [7004]}}, log=True),
              rule("off", action="allow", group="guests", enabled=False, destination={"ports": [7002]}),
              rule("other", action="allow", group="staff", destination={"ports": [7003]}),
              rule("none", action="allow", destination={"ports": [7004]})]
    lab.apply(ZONES + document("RuleGroup", "guests") + document("RuleGroup", "staff", enabled=True) + "".join(rules))
    on, off = {7001: True, 7002: False, 7003: True, 7004: True}, {7001: False, 7002: False, 7003: True, 7004: True}
    assert_passes(lab, on)
    for enabled, answers in ((False, off), (True, on), (False, off)):
        with Monitor(lab.netns("router")) as monitor:
            lab.ctl("set", "RuleGroup/guests", f"enabled={str(enabled).lower()}")
            commits = [monitor.next_commit(), *monitor.pending()]
            # before and after the one that decides, what nothing leads to comes and goes
            deciding = [commit for commit in commits if any(holder == "z_lan/any" for _, holder in commit.changes)]
            assert len(deciding) == 1, commits
        assert_passes(lab, answers)
        assert sum(name.startswith("in-") for name in lab.counted()) == (39 if enabled else 0)
    # an edit of a rule while its group is off; of its group in the same commit
    lab.ctl("set", "FirewallRule/other", "group=guests")
    assert_passes(lab, {7003: False})
    lab.apply(document("RuleGroup", "guests", enabled=True) + rule("other", action="allow", group="staff", destination={"ports": [7003]}))
    assert_passes(lab, on)
    refused = lab.ctl("delete", "RuleGroup/guests", check=False)
    assert refused.returncode != 0 and "guests" in refused.stderr
    refused = lab.ctl("apply", "-f", "-", stdin=rule("lost", action="drop", group="nobody"), check=False)
    assert refused.returncode != 0 and "/spec/group" in refused.stderr


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "continue", "floating": True, "quick": False}, "/spec/quick", "decides nothing"),
    ({"action": "continue", "rejectWith": "no-route"}, "/spec/rejectWith", "action: reject"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + document("FirewallRule", "r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr
