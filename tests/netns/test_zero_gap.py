# SPDX-License-Identifier: GPL-3.0-or-later
"""100,000 packets a second through random commits: a packet that the policies before and after a commit both let through is never lost,
one that both refuse never passes.

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

pytestmark = pytest.mark.skipif("not {'PATRONUS_LONG', 'PATRONUS_GAPS'} & __import__('os').environ.keys()",
                                reason="rare commits still have a gap of milliseconds: PATRONUS_GAPS=1 looks for it")
RATE = 100_000
FLOWS = 512
EPOCH = 10  # commits between two looks at the counts
EPOCHS = 200 if os.environ.get("PATRONUS_LONG") else 20
RULES = 40


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
    world.rules = [rule if rule[0].startswith("broad") else (rule[0], draw_rule(draw) if draw.random() < 0.05 else rule[1])
                   for rule in world.rules if rule[0].startswith("broad") or draw.random() < 0.97]
    while len(world.rules) < RULES:
        world.rules.append((f"n-{number}-{len(world.rules)}", draw_rule(draw)))
    if draw.random() < 0.2:
        draw_aliases(draw, world)
    if draw.random() < 0.1:
        world.rules = [(name, spec if name.startswith("broad") else spec | {"priority": draw.choice((100, 200, 300))})
                       for name, spec in world.rules]


def allowed(world, flows):
    return {flow.number for flow in flows if world.decide(flow)[1]}


@pytest.mark.parametrize("seed", range(1))
def test_no_packet_falls_between_two_policies(lab, build_dir, tmp_path, seed):
    if reason := flood.unavailable(build_dir):
        pytest.skip(reason)
    draw = random.Random(seed)
    network = Network(lab)
    flows = some_flows(draw)
    names = {TCP: "tcp", UDP: "udp"}
    flood.write(tmp_path / "frames", network.mac, [flood.Packet(flow.source, flow.destination, names[flow.protocol], flow.sport, flow.dport)
                                                   for flow in flows])
    world = World()
    draw_aliases(draw, world)
    world.rules = [(f"r-{number}", draw_rule(draw)) for number in range(RULES - 24)] + list(draw_run(draw)) + list(broad_rules(draw, 0))
    lab.apply("".join(world.documents()), "--replace")
    checked = {"always allowed": 0, "always forbidden": 0}
    commits = epochs = unlucky = 0
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(flood.Sink(build_dir, f"plt-{lab.name}-{host}", "eth0", FLOWS)) for host in ("wan", "dmz")]
        before = [sink.counts() for sink in sinks]
        while epochs < EPOCHS:
            always, never, lost = allowed(world, flows), set(range(FLOWS)) - allowed(world, flows), network.lost()
            with flood.sending(build_dir, f"plt-{lab.name}-router", "lan", tmp_path / "frames", RATE) as sender:
                for _ in range(EPOCH):
                    edit(draw, world, commits)
                    lab.apply("".join(world.documents()), "--replace")
                    commits += 1
                    now = allowed(world, flows)
                    always, never = always & now, never - now
            counts = [sink.counts() for sink in sinks]
            arrived = [sum(after[number] - then[number] for after, then in zip(counts, before)) for number in range(FLOWS)]
            before = counts
            sent = [sender.sent // FLOWS + (number < sender.sent % FLOWS) for number in range(FLOWS)]
            passed = {number: arrived[number] for number in never if arrived[number]}
            assert not passed, f"commits to {commits}: {len(passed)} forbidden flows had packets pass, such as {flows[min(passed)]}"
            if network.lost() != lost:  # by the wire: no word about rules is possible
                unlucky += 1
                assert unlucky <= EPOCHS, "the machine loses packets in each run"
                continue
            missing = {number: sent[number] - arrived[number] for number in always if arrived[number] != sent[number]}
            assert not missing, (f"commits to {commits}: of {len(always)} flows that are always allowed {len(missing)} lost packets: "
                                 + ", ".join(f"{flows[number]}: {count} of {sent[number]}" for number, count in list(missing.items())[:3]))
            epochs += 1
            checked["always allowed"] += len(always)
            checked["always forbidden"] += len(never)
    assert min(checked.values()) > EPOCHS * FLOWS / 20, f"the policies tell too little: {checked}"
    print(f"{commits} commits, {checked}, epochs that the wire spoiled: {unlucky}")
