# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says of a policy: rules and objects that do nothing, and what changes for packets."""

import json
import re
import shlex

import lab as lab_module
from signals import Signals
from documents import document

POLICY = """
apiVersion: patronus.firewall/v1
kind: Zone
metadata: {name: wan}
spec: {interfaces: [wan]}
---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: {name: lan}
spec: {interfaces: [lan]}
---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: {name: dmz}
spec: {interfaces: [dmz]}
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {name: web}
spec: {action: allow, from: wan, to: dmz, protocol: tcp, destination: {addresses: [10.2.0.5], ports: [80, 443]}}
"""
MORE = POLICY + """
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {name: ssh}
spec: {action: allow, from: lan, to: dmz, protocol: tcp, source: {addresses: [10.1.0.0/24]}, destination: {addresses: [10.2.0.5], ports: [22]}}
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {name: no-web}
spec: {action: drop, from: wan, to: dmz, protocol: tcp, destination: {addresses: [10.2.0.5], ports: [443]}}
---
apiVersion: patronus.firewall/v1
kind: Alias
metadata: {name: nobody}
spec: {type: host, addresses: [192.0.2.1]}
---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: {name: guest}
spec: {interfaces: [guest]}
---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: {name: closed}
spec: {interfaces: [closed], input: reject}
"""


def plan(lab, text, *options):
    return json.loads(lab.ctl("plan", "-o", "json", *options, "-f", "-", stdin=text).stdout)


def diagnostics(reply):
    return sorted((one["code"], one["place"].split(": ")[-1]) for one in reply["diagnostics"] if one["severity"] == "warning")


def test_plan_says_what_does_nothing_and_what_changes(lab):
    lab.apply(POLICY)
    reply = plan(lab, MORE)
    assert diagnostics(reply) == [("shadowed", "FirewallRule/no-web#/spec"), ("unused", "Alias/nobody"), ("unused", "Zone/guest")]
    texts = [line["text"] for line in reply["difference"]]
    assert texts[0] == "newly allowed: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22 (before: drop by the default; after: allow by FirewallRule/ssh)"
    assert texts[-2:] == ["Zone/closed is new", "Zone/guest is new"]
    assert reply["difference"][0]["source"] == ["10.1.0.0/24"] and reply["difference"][0]["ports"] == ["22"]
    assert reply["differencePartial"] is False
    shown = lab.ctl("plan", "-f", "-", stdin=MORE)
    assert f"difference:\n  {texts[0]}\n" in shown.stdout
    assert "FirewallRule/web before it decides all that it matches" in shown.stderr
    # A commit is not analysed: it says nothing of this, and does it.
    applied = lab.apply(MORE)
    assert "difference" not in applied.stdout and "before it" not in applied.stderr
    taken = [line["text"] for line in plan(lab, POLICY, "--replace")["difference"]]
    assert taken[0].startswith("newly denied: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22")


def expectation(name, **spec):
    return document("PolicyTest", name, **spec)


CLIENT = {"from": "wan", "source": "198.51.100.7", "destinationPort": 443}
SERVER = {**CLIENT, "to": "dmz", "destination": "10.2.0.5"}
FORWARD = """
---
apiVersion: patronus.firewall/v1
kind: NatRule
metadata: {name: shop}
spec: {type: forward, zone: wan, protocol: tcp, destination: {addresses: [192.0.2.80], ports: [443]}, translation: {addresses: [10.2.0.9], ports: [8443]}}
"""


def refusal(lab, text, *options):
    done = lab.ctl("apply", *options, "-f", "-", stdin=text, check=False)
    return done.returncode, done.stderr


def test_a_failing_test_blocks(lab):
    tests = expectation("web", **SERVER, expect="allow", expectRule="web") + expectation("no-ssh", **{**SERVER, "destinationPort": 22}, expect="drop")
    lab.apply(POLICY + tests)
    before = lab.ctl("status", "-o", "json").stdout
    closed = POLICY.replace("ports: [80, 443]", "ports: [80]")
    code, errors = refusal(lab, closed)
    assert code == 1 and "PolicyTest/web /spec/expect: expected allow, but" in errors and "--force" in errors and "nothing was changed" in errors
    code, errors = refusal(lab, POLICY + "---\n" + MORE.split("---\n")[4].replace("from: lan", "from: wan").replace("10.1.0.0/24", "198.51.100.0/24"))
    assert code == 1 and "PolicyTest/no-ssh /spec/expect: expected drop, but FirewallRule/ssh" in errors
    assert json.loads(before)["revision"] == json.loads(lab.ctl("status", "-o", "json").stdout)["revision"]
    # A trial is refused as well; forced, it is done, and the audit says so.
    assert lab.ctl("plan", "-f", "-", stdin=closed, check=False).returncode == 1
    done = lab.apply(closed, "--force")
    assert "PolicyTest/web /spec/expect: expected allow, but" in done.stderr and "--force" not in done.stderr
    entry = json.loads(lab.ctl("audit", "-l", "1", "-o", "json").stdout.splitlines()[0])
    assert "forced against PolicyTest/web" in entry["text"], entry
    # What failed before is still looked at: each commit that touches the policy is one.
    assert refusal(lab, closed.replace("[80]", "[80, 81]"))[0] == 1
    lab.apply(POLICY)


def test_who_decides_and_translations(lab):
    policy = POLICY + FORWARD
    outside = {**CLIENT, "destination": "192.0.2.80", "to": "dmz"}
    good = expectation("shop", **outside, expect="allow", expectRule="shop", expectDestination="10.2.0.9", expectDestinationPort=8443,
                       expectSource="198.51.100.7")
    lab.apply(policy + good)
    wrong = {"expectDestination": "10.2.0.5", "expectDestinationPort": 443, "expectSource": "192.0.2.1", "expectRule": "web"}
    for field, value in wrong.items():
        code, errors = refusal(lab, expectation("wrong", **outside, expect="allow", **{field: value}))
        assert code == 1 and f"PolicyTest/wrong /spec/{field}: expected" in errors, errors
    # One that asks for what is not said is not certain.
    rule = document("FirewallRule", "one-mac", action="reject", priority=1, source={"macs": ["02:00:00:00:00:07"]}, **{"from": "wan"})
    code, errors = refusal(lab, rule + expectation("web", **SERVER, expect="allow"))
    assert code == 1 and "not certain" in errors and "one-mac" in errors
    # Both families, and other protocols.
    lab.apply(expectation("ping", **{"from": "lan", "to": "wan", "source": "2001:db8::1", "destination": "2001:db8:9::1", "protocol": "icmpv6"}, expect="drop")
              + expectation("own", **{"from": "router", "to": "wan", "source": "192.0.2.1", "destination": "9.9.9.9", "protocol": "udp", "destinationPort": 53},
                            expect="allow"))


def test_where_it_goes_must_be_known(lab):
    lab.apply(POLICY)
    lab.exec("router", "ip", "route", "add", "unreachable", "203.0.113.77")
    code, errors = refusal(lab, expectation("far", **{"from": "wan", "source": "198.51.100.7", "destination": "203.0.113.77", "protocol": "gre"}, expect="drop"))
    assert code == 1 and 'PolicyTest/far /spec/to: it cannot be told where the packet goes' in errors and 'add "to"' in errors


# 2026-12-21 is a Monday; Vienna is an hour east of UTC then.
TIMED = POLICY.replace("ports: [80, 443]}", "ports: [80, 443]}, schedule: office") + """
---
apiVersion: patronus.firewall/v1
kind: Schedule
metadata: {name: office}
spec: {timeZone: Europe/Vienna, windows: [{days: [mon, tue], start: "10:00", end: "17:30"}], except: [2026-12-22]}
"""


def test_at_the_time_of_a_test(lab):
    """Schedules count as they will be then, whatever the time is now."""
    expected = {"2026-12-21T10:00:00+01:00": "allow", "2026-12-21T09:00Z": "allow", "2026-12-21T17:29:59+01:00": "allow",
                "2026-12-21T08:59:59Z": "drop", "2026-12-21T17:30:00+01:00": "drop", "2026-12-22T10:00:00+01:00": "drop", "2026-12-29T10:00:00+01:00": "allow",
                "1970-01-01T10:00:00Z": "drop"}
    lab.apply(TIMED + "".join(expectation(f"at-{number}", **SERVER, expect=verdict, at=at) for number, (at, verdict) in enumerate(expected.items())))
    # As its text is read, and as it is shown.
    assert json.loads(lab.ctl("get", "PolicyTest/at-1", "-o", "json").stdout)["spec"]["at"] == "2026-12-21T09:00:00Z"
    for number, (at, verdict) in enumerate(expected.items()):
        other = "drop" if verdict == "allow" else "allow"
        code, errors = refusal(lab, expectation(f"at-{number}", **SERVER, expect=other, at=at))
        assert code == 1 and f"PolicyTest/at-{number} /spec/expect: expected {other}, but" in errors, (at, errors)
    # Without a zone, by the machine's clock, as "filter why --at" takes it.
    for local in ("2026-12-21T09:30:00", "2026-12-21T23:30:00"):
        said = lab.ctl("filter", "why", "--from", "wan", "--to", "dmz", "--src", "198.51.100.7", "--dst", "10.2.0.5", "--proto", "tcp", "--dport", "443",
                       "--at", local, check=False).stdout.split(":")[0]
        lab.apply(expectation("local", **SERVER, expect=said, at=local))
    # The schedule is a part of the policy: what it changes is asked about as well.
    code, errors = refusal(lab, TIMED.replace("17:30", "16:00"))
    assert code == 1 and "PolicyTest/at-2 /spec/expect: expected allow, but no rule lets it pass" in errors, errors
    code, errors = refusal(lab, expectation("wrong", **SERVER, expect="allow", at="2026-12-21"))
    assert code == 1 and "/spec/at" in errors and "2026-12-24T18:00:00" in errors


def test_what_aliases_hold_is_known_to_tests(lab):
    """Also what nobody configured: here the networks of an interface."""
    alias = """
---
apiVersion: patronus.firewall/v1
kind: Alias
metadata: {name: own}
spec: {type: network, interfaces: [lan]}
"""
    signals = Signals(lab.bus, "org.patronus.Filter1", "AliasRefreshed")
    lab.apply(POLICY + alias + """
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {name: own-out}
spec: {action: allow, from: lan, to: wan, source: {aliases: [own]}}
""")
    signals.wait(lambda seen: "own" in [event[2] for event in seen], "that the networks are known", 30)
    signals.close()
    packet = {"from": "lan", "to": "wan", "destination": "192.0.2.7", "protocol": "icmp"}
    lab.apply(expectation("own", **packet, source="10.2.0.77", expect="allow") + expectation("other", **packet, source="10.77.0.77", expect="drop"))
    assert refusal(lab, expectation("own", **packet, source="10.2.0.77", expect="drop"))[0] == 1


def test_what_restores_asks_nobody(lab):
    """A revision that was not confirmed is taken back, even if tests would now refuse it."""
    lab.apply(POLICY.replace("ports: [80, 443]", "ports: [80]"))
    lab.ctl("apply", "--confirm", "3600", "-f", "-", stdin=POLICY + expectation("web", **SERVER, expect="allow"), check=False)
    done = lab.ctl("revert", "1")
    assert "is in force" in done.stdout


def test_semantic_difference_of_revisions(lab):
    lab.apply(POLICY)
    lab.apply(MORE)
    line = "newly allowed: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22 (before: drop by the default; after: allow by FirewallRule/ssh)"
    assert lab.ctl("diff", "--semantic").stdout == lab.ctl("diff", "--semantic", 1, 2).stdout
    assert lab.ctl("diff", "--semantic", 1, 2).stdout.splitlines()[0] == line
    back = lab.ctl("diff", "--semantic", 2, 1, "-o", "json").stdout.splitlines()
    assert json.loads(back[0])["change"] == "newly-denied"
    assert "no difference" in lab.ctl("diff", "--semantic", 2, 2).stderr
    # Of a file that nobody applied.
    opened = MORE.replace("ports: [22]", "ports: [22, 3389]")
    assert [text for text in lab.ctl("diff", "--semantic", "-f", "-", stdin=opened).stdout.splitlines()] == [line.replace("tcp/22", "tcp/3389")]


def test_the_page(lab):
    """docs/ANALYSIS.md, as a reader would type it."""
    text = (lab_module.ROOT / "docs" / "ANALYSIS.md").read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    said, steps = "", 0
    for language, block in blocks:
        if language == "":
            assert block in said, f"{block}\n{said}"
        for line in block.splitlines() if language == "sh" else ():
            command, _, says = (part.strip() for part in line.partition("  #"))
            words = shlex.split(command)
            assert words[0] == "patronusctl", line
            done = lab.ctl(*[str(lab_module.ROOT / word) if word.startswith("examples/") else word for word in words[1:]], check=False)
            assert (done.returncode != 0) == says.startswith("fails"), f"{line}\n{done.stdout}{done.stderr}"
            for name in re.findall(r"PolicyTest/[\w-]+", says):
                assert name in done.stderr, done.stderr
            said, steps = said + done.stdout, steps + 1
    assert steps == 8
