# SPDX-License-Identifier: GPL-3.0-or-later
"""What is renamed is the same for the kernel: its counters go on, and its traffic passes."""

POLICY = "---\n".join(f"apiVersion: patronus.firewall/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n" for kind, name, spec in (
    ("Zone", "wan", "{ interfaces: [wan] }"),
    ("Zone", "lan", "{ interfaces: [lan] }"),
    ("FirewallRule", "ping", "{ action: allow, from: lan, to: wan, protocol: icmp }"),
    ("FirewallRule", "web", "{ action: allow, from: lan, to: wan, destination: { ports: [80] } }")))


def counters(lab):
    return {row["name"]: row for row in lab.counters() if row["kind"] == "FirewallRule"}


def ping(lab):
    assert lab.pings("lan", "10.1.0.2")


def test_counters_go_on_under_a_new_name(lab):
    lab.apply(POLICY)
    for _ in range(3):
        ping(lab)
    before = counters(lab)["ping"]
    assert before["packets"] == 3
    lab.ctl("rename", "FirewallRule/ping", "echo")
    after = counters(lab)
    assert "ping" not in after
    assert (after["echo"]["packets"], after["echo"]["bytes"]) == (before["packets"], before["bytes"])
    ping(lab)
    assert counters(lab)["echo"]["packets"] == 4
    lab.ctl("set", "FirewallRule/ping", "action=drop", "from=lan", "to=wan", "protocol=icmp")
    lab.ctl("move", "FirewallRule/ping", "--first")
    assert not lab.pings("lan", "10.1.0.2", expect=False)
    rows = counters(lab)
    assert rows["ping"]["packets"] == 1, "another object of the old name counts for itself"
    assert rows["echo"]["packets"] == 4


def test_renamed_zone_keeps_its_rules(lab):
    lab.apply(POLICY)
    ping(lab)
    lab.ctl("rename", "Zone/lan", "inside")
    ping(lab)
    assert counters(lab)["ping"]["class"] == "inside/wan"
