# SPDX-License-Identifier: GPL-3.0-or-later
"""100,000 packets a second through random commits: a packet that the policies before and after a commit both let through is never lost,
one that both refuse never passes. And why that is so: no transaction changes rules and what these look up (daemons/filterd/stages.h).

The flows get no answers, so each packet of them is a new one to the rules. What the policies say is tests/lib/filter_oracle.py's.
A flow's packets are counted where they arrive; over some commits each flow that all policies allow has as many there as were sent.
"""

import contextlib
import itertools
import json
import os
import random

import flood
import frames
import pytest
from filter_draw import PORTS, draw_aliases, draw_rule, draw_run
from filter_oracle import HOSTS, TCP, UDP, Packet, World, host_addresses
from nfmonitor import Monitor

RATE = 100_000
FLOWS = 512
EPOCH = 10  # commits between two looks at the counts
EPOCHS = 200 if os.environ.get("PATRONUS_LONG") else 20
RULES = 40
SWAP_EPOCHS = 10 if os.environ.get("PATRONUS_LONG") else 1  # of ten commits


def some_flows(draw):
    flows = set()
    while len(flows) < FLOWS:
        family = draw.choice((4, 6))
        target = draw.choice(("wan", "dmz"))
        flows.add((target, draw.choice(host_addresses("lan", family)), draw.choice(host_addresses(target, family)[:3]), draw.choice((TCP, UDP)),
                   draw.choice(PORTS), draw.choice(PORTS)))
    return [Packet(number=number, from_host="lan", to_host=target, source=source, destination=destination, mac=flood.Packet.mac, dscp=0,
                   hops=flood.Packet.hops, protocol=protocol, sport=sport, dport=dport, size=flood.LENGTH - frames.ETHERNET)
            for number, (target, source, destination, protocol, sport, dport) in enumerate(sorted(flows))]


class Network:
    """Nobody's answers, no neighbours to be found, no address that a router would not take as a source."""

    def __init__(self, lab):
        self.lab = lab
        self.mac = self.link("router", "lan")["address"]
        for host in ("wan", "dmz"):
            mac = self.link(host, "eth0")["address"]
            for family in (4, 6):
                for address in host_addresses(host, family)[:3]:
                    lab.exec("router", "ip", "neigh", "replace", address, "lladdr", mac, "dev", host, "nud", "permanent")
        lab.exec("router", "sysctl", "-qw", *(f"net.ipv4.conf.{name}.rp_filter=0" for name in ("all", *HOSTS)))

    def link(self, host, name):
        return json.loads(self.lab.exec(host, "ip", "-j", "-s", "link", "show", name).stdout)[0]

    def lost(self):
        """Packets that the router sent and the wire did not take, which nobody's rules are to blame for."""
        return sum(self.link("router", host)["stats64"]["tx"]["dropped"] for host in ("wan", "dmz"))


def some_rule(draw):
    """Each packet of a flow is to meet the same: a tag that one sets is there for the next, also in rules before."""
    while True:
        spec = draw_rule(draw)
        if "setTag" not in spec and "tagged" not in spec:
            return spec


def broad_rules(draw, number):
    """To one of the two zones: each allows a part of the flows, whatever other rules leave of it; written otherwise, it is another rule that
    does the same."""
    for target, family, protocol in itertools.product(("wan",), (4, 6), ("tcp", "udp")):
        spec = {"action": "allow", "priority": 400, "from": "lan", "to": target, "family": f"ipv{family}", "protocol": protocol}
        spec |= draw.choice(({}, {"destination": {"ports": ["1-65535"]}}, {"interfaces": ["lan"]}, {"source": {"ports": ["1-1024", "1025-65535"]}},
                             {"source": {"addresses": ["0.0.0.0/0" if family == 4 else "::/0"]}}))
        yield f"broad-{target}-{family}-{protocol}-{number}", spec


def edit(draw, world, number):
    """What one commit changes: some rules, at times an alias, at times all of the order."""
    if draw.random() < 0.5:
        world.rules = [rule for rule in world.rules if not rule[0].startswith("broad")] + list(broad_rules(draw, number))
    world.rules = [rule if rule[0].startswith("broad") else (rule[0], some_rule(draw) if draw.random() < 0.05 else rule[1])
                   for rule in world.rules if rule[0].startswith("broad") or draw.random() < 0.97]
    while len(world.rules) < RULES:
        world.rules.append((f"n-{number}-{len(world.rules)}", some_rule(draw)))
    if draw.random() < 0.2:
        draw_aliases(draw, world)
    if draw.random() < 0.1:
        world.rules = [(name, spec if name.startswith("broad") else spec | {"priority": draw.choice((100, 200, 300))})
                       for name, spec in world.rules]


def allowed(world, flows):
    return {flow.number for flow in flows if world.decide(flow)[1]}


class Flood:
    """The flows, and who counts them where they arrive."""

    def __init__(self, stack, lab, build, folder, flows):
        self.network, self.flows, self.build, self.frames = Network(lab), flows, build, folder / "frames"
        self.router = f"plt-{lab.name}-router"
        names = {TCP: "tcp", UDP: "udp"}
        flood.write(self.frames, self.network.mac, [flood.Packet(flow.source, flow.destination, names[flow.protocol], flow.sport, flow.dport)
                                                    for flow in flows])
        self.sinks = [stack.enter_context(flood.Sink(build, f"plt-{lab.name}-{host}", "eth0", FLOWS)) for host in ("wan", "dmz")]

    def counts(self):
        return [sum(both) for both in zip(*(sink.counts() for sink in self.sinks))]

    @contextlib.contextmanager
    def judge(self, always, never):
        """While packets flow, the block leaves in the sets those flows that all of its policies let through, and refuse. What is wrong with
        the rest of the world is in .unlucky."""
        before, lost, self.unlucky = self.counts(), self.network.lost(), False
        with flood.sending(self.build, self.router, "lan", self.frames, RATE) as sender:
            yield
        arrived = [after - then for after, then in zip(self.counts(), before)]
        sent = [sender.sent // FLOWS + (number < sender.sent % FLOWS) for number in range(FLOWS)]
        passed = {number: arrived[number] for number in never if arrived[number]}
        assert not passed, f"{len(passed)} forbidden flows had packets pass, such as {self.flows[min(passed)]}"
        if self.network.lost() != lost:  # by the wire: no word about rules is possible
            self.unlucky = True
            return
        missing = {number: sent[number] - arrived[number] for number in always if arrived[number] != sent[number]}
        assert not missing, (f"of {len(always)} flows that are always allowed {len(missing)} lost packets: "
                             + ", ".join(f"{self.flows[number]}: {count} of {sent[number]}" for number, count in list(missing.items())[:3]))


def table_handle(lab):
    """Another one is another table: the whole was loaded anew."""
    tables = json.loads(lab.exec("router", "nft", "-j", "list", "tables").stdout)["nftables"]
    return [entry["table"]["handle"] for entry in tables if entry.get("table", {}).get("name") == "patronus"]


def first_world(draw):
    world = World()
    draw_aliases(draw, world)
    world.rules = [(f"r-{number}", some_rule(draw)) for number in range(RULES - 24)] + list(draw_run(draw)) + list(broad_rules(draw, 0))
    return world


@pytest.mark.parametrize("seed", range(1))
def test_no_packet_falls_between_two_policies(lab, build_dir, tmp_path, seed):
    if reason := flood.unavailable(build_dir):
        pytest.skip(reason)
    draw = random.Random(seed)
    flows = some_flows(draw)
    world = first_world(draw)
    lab.apply("".join(world.documents()), "--replace")
    handle = table_handle(lab)
    checked = {"always allowed": 0, "always forbidden": 0}
    commits = epochs = unlucky = 0
    with contextlib.ExitStack() as stack:
        packets = Flood(stack, lab, build_dir, tmp_path, flows)
        while epochs < EPOCHS:
            always, never = allowed(world, flows), set(range(FLOWS)) - allowed(world, flows)
            with packets.judge(always, never):
                for _ in range(EPOCH):
                    edit(draw, world, commits)
                    lab.apply("".join(world.documents()), "--replace")
                    commits += 1
                    now = allowed(world, flows)
                    always &= now
                    never -= now
            if packets.unlucky:
                unlucky += 1
                assert unlucky <= EPOCHS, "the machine loses packets in each run"
                continue
            epochs += 1
            checked["always allowed"] += len(always)
            checked["always forbidden"] += len(never)
    assert table_handle(lab) == handle, "the whole table was loaded anew"
    assert min(checked.values()) > EPOCHS * FLOWS / 20, f"the policies tell too little: {checked}"
    print(f"{commits} commits, {checked}, epochs that the wire spoiled: {unlucky}")


def lan_rule(action, priority, **asks):
    return {"action": action, "priority": priority, "from": "lan"} | asks


def alias_swap(kind):
    """Who is in the alias is allowed by it; then others are in it, and who is not in it is allowed."""
    inside = [address for family in (4, 6) for address in host_addresses("lan", family)]
    for members, rules in ((inside, [("swap", lan_rule("allow", 100, source={"aliases": ["swap"]}))]),
                           (["198.51.100.1"], [("swap", lan_rule("drop", 100, source={"aliases": ["swap"]})), ("rest", lan_rule("allow", 200))])):
        world = World()
        world.aliases = {"swap": {"type": kind, "addresses": members}}
        world.rules = rules
        yield world


def run_rules(protocol, action, sources, ports):
    return [(f"{protocol}-{number}", lan_rule(action, 100, protocol=protocol, source={"addresses": [source]}, destination={"ports": ports}))
            for number, source in enumerate(sources)]


def run_swap(fillers):
    """Flows are keys of a map of single values and allowed by it; then other keys are in it, and they are allowed by what comes after it."""
    ports = [str(port) for port in PORTS]
    mine, others = host_addresses("lan", 4), [f"198.51.100.{number}" for number in range(1, 1 + fillers)]
    v6 = [("v6", lan_rule("allow", 300, family="ipv6"))]
    for world, rules in ((World(), [*run_rules("udp", "allow", mine + others, ports), *run_rules("tcp", "allow", mine + others, ports)]),
                         (World(), [*run_rules("udp", "drop", others, ports), *run_rules("tcp", "drop", others, ports), ("v4", lan_rule("allow", 200, family="ipv4"))])):
        world.aliases, world.rules = {}, rules + v6
        yield world


SWAPS = {"networks of an alias": lambda: alias_swap("network"), "hosts of an alias": lambda: alias_swap("host"),
         "a run": lambda: run_swap(24), "a stretch": lambda: run_swap(10)}


@pytest.mark.parametrize("swap", SWAPS)
def test_what_leaves_a_set_is_gone_with_the_rule(lab, build_dir, tmp_path, swap):
    """The kernel shows what leaves a set of intervals some time after the rules; and what of a set of single values a packet finds that
    is on its way is new, while its rules are old."""
    if reason := flood.unavailable(build_dir):
        pytest.skip(reason)
    flows = some_flows(random.Random(1))
    worlds = list(SWAPS[swap]())
    assert all(allowed(world, flows) == set(range(FLOWS)) for world in worlds)
    lab.apply("".join(worlds[0].documents()), "--replace")
    lucky = unlucky = 0
    with contextlib.ExitStack() as stack:
        packets = Flood(stack, lab, build_dir, tmp_path, flows)
        while lucky < SWAP_EPOCHS:
            with packets.judge(set(range(FLOWS)), set()):
                for world in [*worlds[::-1]] * 5:
                    lab.apply("".join(world.documents()), "--replace")
            lucky += not packets.unlucky
            unlucky += packets.unlucky
            assert unlucky <= 10 * SWAP_EPOCHS, "the machine loses packets in each run"


def what_falls_between(commit):
    """What a transaction changes together that must not change together, in words; None when all is well."""
    made = {name for verb, name in commit.changes if verb == "new set"}
    edited = {name for verb, name in commit.changes if verb.endswith("element") and name not in made}
    # Nothing leads to a chain that is new, unless rules or elements of others change as well.
    unreached = {name for verb, name in commit.changes if verb == "new chain"} | {"_rev"}
    rules = {chain for verb, chain in commit.changes if verb in ("new rule", "delete rule")} - unreached
    if edited and rules:
        return f"elements of {sorted(edited)} change with rules of {sorted(rules)}"
    if made and any(verb == "new rule" and chain not in unreached for verb, chain in commit.changes):
        return f"{sorted(made)} are made with rules of {sorted(rules)}"
    parts = [name[:2] for name in edited]
    if len(parts) != len(set(parts)):
        return f"packets are looked up in several of {sorted(edited)}"
    return None


@pytest.mark.parametrize("seed", range(2))
def test_no_transaction_changes_rules_and_what_they_look_up(lab, seed):
    """Whatever a processor does between two instructions; so that it need not happen here."""
    draw = random.Random(seed + 100)
    worlds = [world for swap in SWAPS.values() for world in swap()]
    world = first_world(draw)
    transactions = stages = 0
    lab.apply("".join(world.documents()), "--replace")
    with Monitor(lab.netns("router")) as monitor:
        for number in range(60):
            if number % 12 == 11:
                next_world = worlds[number // 12 * 3 % len(worlds)]
            else:
                edit(draw, world, number)
                if draw.random() < 0.2:  # and nothing else
                    world.aliases["nets"] = {"type": "network", "addresses": draw.sample(host_addresses("lan", 4), 3)}
                next_world = world
            lab.apply("".join(next_world.documents()), "--replace")
            commits = [commit for commit in monitor.pending() if commit.program == "patronus-filterd"[:15]]
            for commit in commits:
                assert not (wrong := what_falls_between(commit)), f"commit {number}: {wrong}"
            transactions += len(commits)
            stages += len(commits) > 1
    assert stages > 20, f"{transactions} transactions tell too little"
