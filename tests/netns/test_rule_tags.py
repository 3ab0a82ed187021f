# SPDX-License-Identifier: GPL-3.0-or-later
"""FirewallRule.setTag and tagged: who sees a tag, from when on, and that a tag keeps its bit."""

import itertools
import json
import re

import pytest
from test_rule_marks import Talk, rule
from traffic import address

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan], forward: drop, input: drop}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan], forward: drop, input: drop, output: drop}}
"""
OTHERS = """
table inet others {
  chain before { type filter hook prerouting priority raw; udp dport 7009 notrack; }
}
"""


def bits(lab):
    """{tag: bit} as the kernel's table says, and the chains that set and ask for them say the same."""
    text = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
    kept = re.search(r"chain _tags \{(.*?)\}", text, re.DOTALL)
    found = {name: label for label, name in re.findall(r'ct label set (\S+) comment "tag/(\S+)"', kept[1])} if kept else {}
    assert len(set(found.values())) == len(found), text
    return found


def why(lab, port, source="lan", **more):
    options = itertools.chain.from_iterable((f"--{key}", str(value)) for key, value in more.items())
    answer = lab.ctl("filter", "why", "--src", address(source, 4), "--dst", address("wan", 4, at=source), "--proto", "udp", "--dport", str(port),
                     "-o", "json", *options, check=False)
    return json.loads(answer.stdout)


@pytest.mark.parametrize("source, target", (("lan", "wan"), ("lan", "router"), ("router", "lan")))
def test_later_rules_see_it_at_once(lab, source, target):
    zones = {"from": source, "to": target}
    lab.apply(ZONES + rule("no-tag", action="drop", tagged=["one", "two"], **zones)
              + rule("one", action="continue", setTag="one", destination={"ports": [7000]}, **zones)
              + rule("trial", action="continue", mode="audit", setTag="two", log=False, **zones)
              + rule("two", action="continue", setTag="two", tagged=["one"], source={"ports": ["1-65535"]}, **zones)
              + rule("never", action="drop", tagged=["three"], **zones)
              + rule("both", action="allow", tagged=["three", "two"], **zones))
    for family in (4, 6):
        with Talk(lab, source, target, family, 7000) as talk:
            talk.there(), talk.back(), talk.there()
        with Talk(lab, source, target, family, 7001) as talk:
            try:
                talk.client.sendto(b"there", talk.to)
            except PermissionError:  # what the router drops of its own
                assert source == "router"
    assert lab.counted() == {"no-tag": 0, "one": 2, "trial": 4, "two": 2, "never": 0, "both": 2}
    assert set(bits(lab)) == {"one", "two", "three"}


def test_what_why_says(lab):
    lab.apply(ZONES + rule("known", action="allow", tagged=["old"], destination={"ports": [7001]})
              + rule("maybe", action="continue", setTag="maybe", length=["100-200"])
              + rule("one", action="continue", setTag="one", destination={"ports": [7000]})
              + rule("both", action="allow", tagged=["one"])
              + rule("unsure", action="allow", tagged=["maybe"]))
    assert why(lab, 7000)["rule"]["name"] == "both"
    assert why(lab, 7001)["verdict"] == "drop"
    assert why(lab, 7001)["doubt"]["name"] == "unsure"
    assert why(lab, 7001, length=150)["rule"]["name"] == "unsure"
    assert "doubt" not in why(lab, 7001, length=99)
    assert why(lab, 7001, tag="old,one")["rule"]["name"] == "known"
    assert why(lab, 7002, tag="one")["rule"]["name"] == "both"
    untracked = why(lab, 7000, state="untracked", length=9)
    assert untracked["verdict"] == "drop" and "doubt" not in untracked
    refused = lab.ctl("filter", "why", "--from", "lan", "--src", "10.2.0.7", "--dst", "192.0.2.1", "--proto", "gre", "--tag", "no", check=False)
    assert refused.returncode == 2 and 'no rule sets or asks for the tag "no"' in refused.stderr + refused.stdout


def test_tags_live_with_the_connection(lab):
    """Packets that no answer came to are asked again, and have what the first one got: also from a rule that let it pass."""
    lab.apply(ZONES + rule("again", action="allow", tagged=["seen"]) + rule("first", action="allow", setTag="seen"))
    for family in (4, 6):
        with Talk(lab, "lan", "wan", family, 7000) as talk:
            talk.there(), talk.there(), talk.there()
    assert lab.counted() == {"again": 4, "first": 2}


def test_what_is_not_tracked_has_none(lab):
    lab.nft(OTHERS)
    lab.apply(ZONES + rule("set", action="continue", setTag="one") + rule("asked", action="drop", tagged=["one"]) + rule("pass", action="allow"))
    with Talk(lab, "lan", "wan", 4, 7009) as talk:
        talk.there(), talk.there()
    assert lab.counted() == {"set": 2, "asked": 0, "pass": 2}


def test_a_tag_keeps_its_bit(lab):
    """Through commits and restarts; and those that come get bits that none had which goes with the same commit."""
    def policy(*tags):
        return ZONES + rule("pass", action="allow", tagged=tags[:1]) + "".join(rule(f"set-{tag}", action="allow", setTag=tag) for tag in tags)

    lab.apply(policy("m", "z"))
    first = bits(lab)
    with Talk(lab, "lan", "wan", 4, 7000) as talk:
        talk.there()
        for tags in (("a", "m"), ("m", "b", "c"), ("m", "a")):
            before = bits(lab)
            lab.apply(policy(*tags), "--replace")
            after = bits(lab)
            assert set(after) == set(tags)
            assert after["m"] == first["m"]
            assert not {after[tag] for tag in set(after) - set(before)} & set(before.values())
        before = bits(lab)
        lab.end("filterd", 9)
        lab.start("filterd")
        assert bits(lab) == before
        lab.apply(policy("m", "a") + rule("more", action="drop"), "--replace")
        assert bits(lab) == before
        # the table made anew
        lab.nft('add chain inet patronus mine')
        lab.apply(policy("m", "a"), "--replace")
        assert bits(lab) == before
        lab.end("filterd", 9)
        lab.nft('add rule inet patronus _rev counter')
        lab.start("filterd")
        assert bits(lab) == before
        assert lab.counted()["pass"] == 0
        talk.there()  # it has the tag since the beginning, and its first rule asks for it
        assert lab.counted()["pass"] == 1
    lab.apply(ZONES, "--replace")
    assert not bits(lab)
    lab.apply(policy("m"), "--replace")
    assert not set(bits(lab).values()) & set(before.values())


def test_limit_of_tags(lab):
    lab.apply(ZONES + "".join(rule(f"r{i}", action="continue", setTag=f"t{i}") for i in range(64)))
    assert len(bits(lab)) == 64
    refused = lab.ctl("apply", "-f", "-", stdin=rule("more", action="allow", tagged=["t64"]), check=False)
    assert refused.returncode == 1 and "65 tags" in refused.stderr, refused.stderr
    # all at once: no bit is one of before
    before = set(bits(lab).values())
    lab.apply(ZONES + "".join(rule(f"r{i}", action="continue", setTag=f"s{i}") for i in range(64)), "--replace")
    assert len(bits(lab)) == 64 and not set(bits(lab).values()) & before
    # the next bit that is free is right before one that goes: the one after it is taken until the commit is over
    stays = ZONES + rule("r0", action="continue", setTag="s0")
    lab.apply(stays + "".join(rule(f"r{i}", action="continue", setTag=f"u{i}") for i in range(1, 64)), "--replace")
    before = set(bits(lab).values())
    lab.apply(ZONES + "".join(rule(f"r{i}", action="continue", setTag=f"v{i}") for i in range(64)), "--replace")
    assert len(bits(lab)) == 64 and not set(bits(lab).values()) & before


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "drop", "setTag": "a"}, "/spec/setTag", "action: continue"),
    ({"action": "reject", "setTag": "a"}, "/spec/setTag", "action: allow"),
    ({"action": "allow", "setTag": "A b"}, "/spec/setTag", "is not a name"),
    ({"action": "allow", "tagged": ["a", "?"]}, "/spec/tagged/1", "is not a name"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr
