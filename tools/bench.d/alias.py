# SPDX-License-Identifier: GPL-3.0-or-later
"""Large aliases: a million addresses, a hundred thousand networks, and one of them more."""

import ipaddress
import itertools
import pathlib
import tempfile

from figures import Figure, attempt, costs
from measure import Cost, interleave, run as run_command
from subjects import CTL, Ours, Peer, new_lab

NAME = "alias"
DOC = "an alias of 1,000,000 addresses, one of 100,000 networks, and one entry more"
TIMES = 5
TIMES_ONE = 11

ENGINE_GOAL = 4
END_TO_END_GOAL = 3
MEMORY_GOAL = 8
ONE_GOAL_MS = 5

# Neither dense nor in an order that a hash would like; ascending, as who writes such lists has them.
HOSTS = [str(ipaddress.ip_address(0x01000000 + 3777 * number)) for number in range(1_000_000)]
NETS = [f"{ipaddress.ip_address(0x0B000000 + 512 * number)}/24" for number in range(100_000)]
SORTS = {"hosts-1m": ("host", HOSTS, ""), "nets-100k": ("network", NETS, "flags interval;")}

BASE = """---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: { name: lan }
spec: { interfaces: [lan] }
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: { name: listed }
spec: { action: drop, from: lan, to: lan, source: { aliases: [big] } }
"""


def alias_yaml(kind, digest=""):
    entries = f", dataset: {digest}" if digest else ""
    return f"---\napiVersion: patronus.firewall/v1\nkind: Alias\nmetadata: {{ name: big }}\nspec: {{ type: {kind}{entries} }}\n"


def nft_script(entries, flags):
    elements = ",\n".join(entries)
    return (f"table inet peer {{\n  set big {{ type ipv4_addr; {flags} elements = {{ {elements} }} }}\n"
            f"  chain forward {{ type filter hook forward priority 0; ip saddr @big counter drop; }}\n}}\n")


def put(ours, path):
    """The digest of a list."""
    return ours.lab.ctl("dataset", "put", path).stdout.split()[-1]


class Turns:
    """What takes turns: each begins with nothing there."""

    def __init__(self, ours, peer, kind, entries, flags):
        self.ours, self.peer = ours, peer
        self.kind = kind
        self.list = ours.file("list.txt", "\n".join(entries) + "\n")
        self.script = peer.script("set.nft", nft_script(entries, flags))
        self.empty = ours.file("empty.yaml", BASE + alias_yaml(kind))
        self.full = None

    def clear(self):
        self.ours.ctl("apply", "-f", self.empty)

    def by_nft(self, _):
        """While nobody listens: filterd's monitor makes the kernel write a message for each element, which takes nft as long as
        the rest."""
        self.peer.clear()
        with self.ours.without_filterd():
            return self.peer.load(self.script)

    def engine(self, _):
        self.clear()
        return self.ours.apply(self.full)

    def end_to_end(self, _):
        """The list's text to a verified commit, by two commands."""
        self.clear()
        first = run_command([CTL, "dataset", "put", str(self.list)], daemons=self.ours.processes, env=self.ours.env)
        second = self.ours.ctl("set", "Alias/big", f"dataset={self.digest}")
        return Cost(first.wall + second.wall, first.cpu + second.cpu, {"put": first.wall, "set": second.wall})

    def memory(self):
        """KiB: the larger of the two commands' peaks."""
        peak = self.ours.peak_of("dataset", "put", self.list)
        self.digest = put(self.ours, self.list)
        self.full = self.ours.file("full.yaml", alias_yaml(self.kind, self.digest))
        return max(peak, self.ours.peak_of("set", "Alias/big", f"dataset={self.digest}"))


def loaded(say, label, kind, entries, flags):
    with new_lab("alias") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        turns = Turns(ours, peer, kind, entries, flags)
        turns.clear()
        say(f"{NAME}: memory for {label}, in a fresh lab")
        peak, peer_peak = turns.memory(), peer.peak_of_load(turns.script)
        say(f"{NAME}: {label}, {TIMES} times each by nft -f, by patronusctl and by a warm client")
        nft, ctl, client = interleave(TIMES, turns.by_nft, turns.end_to_end, turns.engine)
        ours.close()
    yield Figure(f"{NAME}.{label}.engine-vs-nft", nft.wall / client.extra["engine"], "x", f">= {ENGINE_GOAL}",
                 costs(client, "engine", "journal", "validate", "plan", "commit", "verify", "total"), costs(nft))
    yield Figure(f"{NAME}.{label}.end-to-end-vs-nft", nft.wall / ctl.wall, "x", f">= {END_TO_END_GOAL}", costs(ctl, "put", "set"), costs(nft))
    yield Figure(f"{NAME}.{label}.memory-vs-nft", peer_peak / peak, "x", f">= {MEMORY_GOAL}", {"pss_peak_kib": peak}, {"max_rss_kib": peer_peak})


def one_more(say, label, kind, entries, flags):
    more = "200.0.0.0/24" if kind == "network" else "200.0.0.1"
    with new_lab("alias") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        turns = Turns(ours, peer, kind, entries, flags)
        turns.clear()
        lists = (entries[:-1], [*entries[:-1], more])  # a dataset has no more than a million
        digests = [put(ours, ours.file("more.txt", "\n".join(lines) + "\n")) for lines in lists]
        files = [ours.file(f"{number}.yaml", alias_yaml(kind, digest)) for number, digest in enumerate(digests)]
        ours.ctl("apply", "-f", files[0])
        peer.load(turns.script)
        say(f"{NAME}: one entry more and less in {label}, {TIMES_ONE} times")
        sides = itertools.cycle((1, 0))
        acts = itertools.cycle(("add", "delete"))
        client, nft = interleave(TIMES_ONE, lambda _: ours.apply(files[next(sides)]),
                                 lambda _: run_command([*peer.prefix, "nft", next(acts), "element", "inet", "peer", "big", f"{{ {more} }}"]))
        ours.close()
    yield Figure(f"{NAME}.{label}.one-more.engine", client.extra["engine"], "ms", f"<= {ONE_GOAL_MS}" if kind == "network" else "",
                 costs(client, "engine", "journal", "validate", "plan", "commit", "verify", "total"), costs(nft))


def run(say):
    for label, sort in SORTS.items():
        yield from attempt(f"{NAME}.{label}", loaded(say, label, *sort))
        yield from attempt(f"{NAME}.{label}.one-more", one_more(say, label, *sort))
