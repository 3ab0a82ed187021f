# SPDX-License-Identifier: GPL-3.0-or-later
"""FilterSettings with real packets: defaults, invalid, anti-lockout, antispoof, bogons, private addresses, logs."""

import nflog
import traffic
from test_zone_sources import RULE, ZONE, passes, stopped

ZONES = "".join(ZONE.format(zone, f"interfaces: [{zone}]") for zone in ("wan", "lan", "dmz", "guest"))
OPEN = "".join(RULE.format(f"open-{zone}", f"action: allow, from: {zone}") for zone in ("wan", "lan"))


def settings(spec):
    return f"---\n{{apiVersion: patronus.firewall/v1, kind: FilterSettings, metadata: {{name: default}}, spec: {{{spec}}}}}\n"


def replace(lab, text):
    lab.ctl("apply", "--replace", "-f", "-", stdin=text)


def counter(lab, name):
    return sum(row["packets"] for row in lab.counters() if row["name"] == name)


def probe(lab, *rows):
    return [result.seen for result in traffic.run(lab.name, rows)]


def test_defaults_of_zones(lab):
    replace(lab, ZONES + settings("forward: allow, input: reject, output: drop"))
    assert passes(lab, "lan", "10.3.0.2") and passes(lab, "lan", "fd00:3::2")
    assert stopped(lab, "lan", "10.2.0.1")
    assert stopped(lab, "router", "10.2.0.2")
    # What a zone says itself wins.
    replace(lab, ZONES + ZONE.format("vip", "sources: [10.2.0.2], forward: drop, input: allow, output: allow") +
            settings("forward: allow, input: reject, output: drop"))
    assert stopped(lab, "lan", "10.3.0.2") and passes(lab, "lan", "fd00:3::2")
    assert passes(lab, "lan", "10.2.0.1") and passes(lab, "router", "10.2.0.2")
    replace(lab, ZONES)
    assert stopped(lab, "lan", "10.3.0.2") and passes(lab, "router", "10.2.0.2")


def test_invalid(lab):
    row = traffic.Row("xmas", "xmas", "lan", "dmz", 4, "did not arrive", port=80)
    replace(lab, ZONES + OPEN)
    assert probe(lab, row) == ["did not arrive"]
    with nflog.Log(lab) as log:
        lab.apply(settings("logInvalid: true"))
        assert probe(lab, row) == ["did not arrive"]
        assert log.next()["reason"] == "invalid"
    lab.apply(settings("invalid: allow"))
    assert probe(lab, row) == ["arrived"]


def test_anti_lockout(lab):
    def assert_reach(port, *hosts):
        """Who may connect to the router, by either family."""
        rows = [traffic.Row("tcp", "tcp", host, "router", family, f"answer, seen as {traffic.address(host, family)}" if host in hosts else "no answer", port=port)
                for host in ("lan", "guest") for family in (4, 6)]
        assert probe(lab, *rows) == [row.expect for row in rows]

    replace(lab, ZONES)
    assert_reach(22)
    lab.apply(settings("antiLockout: {interfaces: ['la*']}"))
    assert_reach(22, "lan")
    # By source, over a rule that drops everything, and on a port of one's own.
    lab.apply(RULE.format("nobody", "action: drop, priority: 0, to: router") +
              settings("antiLockout: {sources: [10.4.0.0/24, 'fd00:4::2'], ports: [2222]}"))
    assert_reach(22)
    assert_reach(2222, "guest")
    assert counter(lab, "anti-lockout") > 0 and counter(lab, "anti-lockout/ipv6") > 0


def test_antispoof(lab):
    """A source that is reached by another interface does not pass; one's own does, and link-local addresses do."""
    for spoofed, plen in (("10.3.0.77", 32), ("fd00:3::77", 128)):
        lab.exec("lan", "ip", "addr", "add", f"{spoofed}/{plen}", "dev", "eth0", *(["nodad"] if plen == 128 else []))
    replace(lab, ZONES + OPEN + settings("antispoof: [lan], logDefault: true"))
    with nflog.Log(lab) as log:
        for target, own, spoofed in (("10.1.0.2", "10.2.0.2", "10.3.0.77"), ("fd00:1::2", "fd00:2::2", "fd00:3::77")):
            assert passes(lab, "lan", target, own)
            assert stopped(lab, "lan", target, spoofed)
            assert log.next()["reason"] == "antispoof"
    assert counter(lab, "guard/antispoof") == 2
    assert link_local(lab)
    lab.ctl("set", "FilterSettings/default", "antispoof=dmz,lan")
    assert counter(lab, "guard/antispoof") == 2, "counters stay when the settings change"


def link_local(lab):
    """The router's link-local address on the LAN, pinged from there."""
    addresses = lab.exec("router", "ip", "-6", "-o", "addr", "show", "dev", "lan", "scope", "link").stdout.split()
    return passes(lab, "lan", addresses[addresses.index("inet6") + 1].split("/")[0] + "%eth0")


def test_bogons_and_private(lab):
    for bogon, plen in (("203.0.113.9", 32), ("2001:db8::9", 128), ("172.16.9.9", 32), ("fd99::9", 128)):
        lab.exec("wan", "ip", "addr", "add", f"{bogon}/{plen}", "dev", "eth0", *(["nodad"] if plen == 128 else []))
        lab.exec("router", "ip", "route", "replace", f"{bogon}/{plen}", "dev", "wan")
    sources = {4: ("203.0.113.9", "172.16.9.9"), 6: ("2001:db8::9", "fd99::9")}

    def assert_passes(*expected):
        """Of each family a bogon and a private address."""
        asked = [(("10.3.0.2", "fd00:3::2")[family == 6], source) for family in (4, 6) for source in sources[family]]
        assert [lab.pings("wan", target, "-I", source, expect=wanted) for (target, source), wanted in zip(asked, expected, strict=True)] == list(expected)

    replace(lab, ZONES + OPEN)
    assert_passes(True, True, True, True)
    lab.apply(settings("blockBogons: [wan]"))
    assert_passes(False, True, False, True)
    lab.ctl("set", "FilterSettings/default", "blockPrivate=any")
    assert_passes(False, False, False, False)
    lab.ctl("set", "FilterSettings/default", "blockBogons=")
    assert_passes(True, False, True, False)
    assert counter(lab, "guard/private") > 0
    replace(lab, ZONES + OPEN)
    assert_passes(True, True, True, True)


def test_log_of_what_no_rule_matched(lab):
    """Each place of its own name, and no faster than the rate."""
    replace(lab, ZONES + settings("logDefault: true, logRate: 5/minute"))
    with nflog.Log(lab) as log:
        assert stopped(lab, "lan", "10.3.0.2")
        first = log.next()
        assert (first["reason"], first["from"], first["source"], first["destination"]) == ("default", "lan", "10.2.0.2", "10.3.0.2")
        assert stopped(lab, "guest", "10.4.0.1")
        second = log.next()
        assert (second["reason"], second["from"], second["to"]) == ("default", "guest", "router")
        lab.exec("lan", "ping", "-c20", "-i0.01", "-W0.1", "10.3.0.2", check=False)
        log.next()
        assert len(log.pending()) <= 4, "five at once, then one in twelve seconds"
    replace(lab, ZONES)


def test_wrong_settings(lab):
    replace(lab, ZONES)
    for spec, part in (
        ("antispoof: [nowhere]", "/spec/antispoof/0"),
        ("logRate: 10", "10/second"),
        ("antispoof: [router]", "/spec/antispoof"),
        ("antiLockout: {ports: [0]}", "/spec/antiLockout/ports/0"),
        ("invalid: reject", "known: allow, drop"),
    ):
        refused = lab.ctl("apply", "-f", "-", check=False, stdin=settings(spec))
        assert refused.returncode == 1 and part in refused.stderr, refused.stderr


def test_helpers_that_rules_may_name(lab):
    """By the rule, by a service of one's own, and by a built-in one; from either side."""
    replace(lab, ZONES + settings("helpers: [tftp]"))
    own = "---\n{apiVersion: patronus.firewall/v1, kind: Service, metadata: {name: own}, spec: {tcp: [2121], helper: ftp}}\n"
    for document, place in (
        (RULE.format("named", "action: allow, from: lan, to: wan, protocol: tcp, helper: ftp"), "/spec/helper"),
        (RULE.format("built-in", "action: allow, from: lan, to: wan, services: [dns, ftp]"), "/spec/services/1"),
        (own, "/spec/helper"),
    ):
        refused = lab.ctl("apply", "-f", "-", check=False, stdin=document)
        assert refused.returncode == 1 and place in refused.stderr and "do not list the helper ftp" in refused.stderr, refused.stderr
    lab.apply(RULE.format("no-ftp", "action: drop, from: lan, to: wan, services: [ftp]") + RULE.format("tftp", "action: allow, services: [tftp]"))
    refused = lab.ctl("set", "FilterSettings", "helpers=ftp", check=False)
    assert refused.returncode == 1 and "FirewallRule/tftp names the helper tftp" in refused.stderr and "no-ftp" not in refused.stderr
