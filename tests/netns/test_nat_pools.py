# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of source addresses: every address is used, about as often as any other, and a client keeps its own."""

import collections
import ipaddress

import pytest
from nat import ALL, ZONES, add_addresses, nat
from traffic import address
from witness import Probe, Witness

CLIENTS = {4: [f"10.2.0.{last}" for last in range(10, 250)], 6: [f"fd00:2::1:{last:x}" for last in range(1, 241)]}
TARGETS = {4: [f"10.1.0.{last}" for last in range(10, 130)], 6: [f"fd00:1::1:{last:x}" for last in range(1, 121)]}
# One address, eight and seven: 16 in three ranges, which are of 1, 8 and 7 sixteenths.
POOL = {4: ["10.99.0.1", "10.99.0.8/29", "10.99.0.32-10.99.0.38"], 6: ["fd00:99::1", "fd00:99::8/125", "fd00:99::20-fd00:99::26"]}


def members(pool):
    """The ranges, each as the set of its addresses."""
    ranges = []
    for text in pool:
        if "-" in text:
            first, last = map(ipaddress.ip_address, text.split("-"))
        else:
            network = ipaddress.ip_network(text)
            first, last = network[0], network[-1]
        ranges.append({str(first + i) for i in range(int(last) - int(first) + 1)})
    return ranges


def pool(family, more=""):
    addresses = ", ".join(f"'{text}'" for text in POOL[family])
    return nat(f"pool-{family}", f"type: source, zone: wan, translation: {{addresses: [{addresses}]{more}}}")


def assert_spread(used, ranges, n):
    """No address is left out, each range has its share, and within a range none has much more than its own. The hashes are fixed, and so
    are the clients: this cannot fail by chance."""
    size = sum(map(len, ranges))
    assert set(used) <= set().union(*ranges)
    for members_ in ranges:
        share = n * len(members_) / size
        assert abs(sum(used[a] for a in members_) - share) < 4 * share ** 0.5, used
    for each in set().union(*ranges):
        assert 0 < used[each] < 3 * n / size, used


@pytest.fixture
def witness(lab):
    with Witness(lab.name, (80, 443), hosts=("wan",)) as made:
        yield made


@pytest.mark.parametrize("family", (4, 6))
def test_clients_are_spread_and_keep_their_address(lab, witness, family):
    add_addresses(lab, "lan", CLIENTS[family])
    add_addresses(lab, "wan", TARGETS[family][:2])
    lab.apply(ZONES + ALL + pool(family))

    def sources(to, protocol, port):
        return [sight.source for sight in witness.look([Probe("lan", protocol, to, port, source=client) for client in CLIENTS[family]])]

    first = sources(address("wan", family), "udp", 80)
    assert_spread(collections.Counter(first), members(POOL[family]), len(first))
    # Another protocol, another port, other servers.
    assert sources(address("wan", family), "tcp", 443) == first
    assert sources(TARGETS[family][0], "udp", 443) == first
    # And after the rule was made anew, without connections that remember.
    lab.ctl("delete", f"NatRule/pool-{family}")
    lab.exec("router", "conntrack", "-F")
    assert sources(address("wan", family), "udp", 80) == CLIENTS[family]
    lab.exec("router", "conntrack", "-F")
    lab.apply(pool(family))
    assert sources(TARGETS[family][1], "udp", 80) == first


@pytest.mark.parametrize("family", (4, 6))
def test_one_client_uses_the_whole_pool_when_it_need_not_keep(lab, witness, family):
    add_addresses(lab, "wan", TARGETS[family])
    lab.apply(ZONES + ALL + pool(family, ", persistent: false"))
    seen = witness.look([Probe("lan", "udp", to, 80) for to in TARGETS[family]])
    assert_spread(collections.Counter(sight.source for sight in seen), members(POOL[family]), len(seen))
    lab.apply(pool(family))
    lab.exec("router", "conntrack", "-F")
    assert len({sight.source for sight in witness.look([Probe("lan", "udp", to, 80) for to in TARGETS[family]])}) == 1


@pytest.mark.parametrize("family", (4, 6))
def test_one_range(lab, witness, family):
    """The kernel chooses in it by itself."""
    add_addresses(lab, "lan", CLIENTS[family])
    one = POOL[family][1]
    lab.apply(ZONES + ALL + nat("one", f"type: source, zone: wan, translation: {{addresses: ['{one}'], ports: [20000-29999]}}"))
    seen = witness.look([Probe("lan", "tcp", address("wan", family), 80, source=client) for client in CLIENTS[family]])
    used = collections.Counter(sight.source for sight in seen)
    assert_spread(used, members([one]), len(seen))
    assert all(20000 <= sight.source_port <= 29999 for sight in seen)
