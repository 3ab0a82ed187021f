# SPDX-License-Identifier: GPL-3.0-or-later
"""Between Commit and Verify somebody else changes the kernel: what is not in force is never called verified.

filterd's transactions are driven by hand, as configd would. It repairs what it hears of; when it is asked first, the answer is no
(test-engine-nft.c has that order).
"""

import os
import signal
import threading

import dbus
import pytest
from config_harness import zone
from nfmonitor import Monitor
from transaction import Transaction, stored

POLICY = zone("wan", interfaces=["wan"]) + zone("lan", interfaces=["lan"]) + """---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: { name: bad }
spec: { action: drop, from: wan, to: lan, source: { aliases: [bad] } }
"""
RULE = """---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {{ name: {name} }}
spec: {{ action: allow, from: {zone}, to: router, protocol: tcp, source: {{ addresses: [10.9.0.{n}] }}, destination: {{ ports: [{port}] }} }}
"""


def policy(source, port):
    """256 rules that fold into a map, one that does not, and an alias that differs."""
    folded = "".join(RULE.format(name=f"f-{n}", zone=source, n=n % 256, port=port) for n in range(256))
    return POLICY + folded + f"""---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: {{ name: range }}
spec: {{ action: allow, from: lan, to: wan, protocol: tcp, destination: {{ ports: [{port}-{port + 100}] }} }}
---
apiVersion: patronus.firewall/v1
kind: Alias
metadata: {{ name: bad }}
spec: {{ type: host, addresses: [203.0.113.1, 203.0.113.{port // 100}] }}
"""


class Kernel:
    """The table as it is, by names that the layout gives."""

    def __init__(self, lab):
        self.items = lab.nft_json("table", "inet", "patronus")

    def of(self, kind):
        return [item[kind] for item in self.items if kind in item]

    def chain(self, prefix):
        return next(chain["name"] for chain in self.of("chain") if chain["name"].startswith(prefix))

    def rule(self, chain):
        return next(rule["handle"] for rule in self.of("rule") if rule["chain"] == chain)

    def map(self, prefix):
        return next(each for kind in ("map", "set") for each in self.of(kind) if each["name"].startswith(prefix))


def delete_rule(kernel):
    chain = kernel.chain("z_lan/wan/")
    return f'delete rule inet patronus {chain} handle {kernel.rule(chain)}'


def delete_untouched_rule(kernel):
    return f'delete rule inet patronus p_common handle {kernel.rule("p_common")}'


def flush_chain(kernel):
    return f'flush chain inet patronus {kernel.chain("z_lan/wan/")}'


def flush_base_chain(kernel):
    return "flush chain inet patronus forward"


def add_rule(kernel):
    return f'add rule inet patronus {kernel.chain("z_lan/wan/")} accept'


def insert_into_base_chain(kernel):
    return "insert rule inet patronus input accept"


def flush_alias(kernel):
    return f'flush set inet patronus {kernel.map("h4_bad")["name"]}'


def add_to_alias(kernel):
    return f'add element inet patronus {kernel.map("h4_bad")["name"]} {{ 192.0.2.77 }}'


def flush_fold(kernel):
    return f'flush map inet patronus {kernel.map("m_")["name"]}'


def delete_marker(kernel):
    return "flush chain inet patronus _rev"


def replace_marker(kernel):
    return 'flush chain inet patronus _rev; add rule inet patronus _rev counter comment "revision 7"'


def delete_table(kernel):
    return "delete table inet patronus"


def flush_ruleset(kernel):
    return "flush ruleset"


def remake_table(kernel):
    return "delete table inet patronus; add table inet patronus; add chain inet patronus _rev"


CHANGES = (delete_rule, delete_untouched_rule, flush_chain, flush_base_chain, add_rule, insert_into_base_chain, flush_alias, add_to_alias,
           flush_fold, delete_marker, replace_marker, delete_table, flush_ruleset, remake_table)


@pytest.fixture
def transaction(lab):
    transaction = Transaction(lab)
    yield transaction
    transaction.close()


@pytest.fixture
def committed(lab, transaction):
    """A transaction that waits for its Verify, without configd, who would ask for it."""
    lab.apply(policy("wan", 1000), "--replace")
    first = stored(lab, 1)
    lab.apply(policy("wan", 2000), "--replace")
    lab.end("configd", signal.SIGTERM)
    transaction.plan(3, first)
    transaction.commit()
    return lab


def without_handles(text):
    """What the table consists of: sets and chains stand in the order in which they were made."""
    blocks = "\n".join(line.split(" # handle")[0] for line in text.splitlines() if line not in ("}", "") or not line).split("\n\n")
    return sorted(block.removeprefix("table inet patronus {\n").strip("\n") for block in blocks)


def verify_after(lab, transaction, script):
    """Whether filterd says that all is in force: what it could hear of the change waits for it together with the question."""
    answer = []

    def ask():
        try:
            answer.append(transaction.verify()[0])
        except dbus.exceptions.DBusException as error:
            assert error.get_dbus_name() == "org.patronus.Error.Conflict", error
            answer.append(False)

    pid, asking = lab.pid("filterd"), threading.Thread(target=ask)
    os.kill(pid, signal.SIGSTOP)
    try:
        if script:
            lab.nft(script)
        asking.start()
    finally:
        os.kill(pid, signal.SIGCONT)
    asking.join()
    return answer[0]


@pytest.mark.parametrize("change", CHANGES)
def test_what_somebody_changed_is_repaired_before_it_is_verified(committed, transaction, change):
    after = without_handles(committed.ruleset())
    with Monitor(committed.netns("router")) as monitor:
        verified = verify_after(committed, transaction, change(Kernel(committed)))
        programs = [monitor.next_commit().program for _ in range(2)] if not verified else [commit.program for commit in monitor.pending()]
        assert programs == ["nft", "patronus-filterd"[:15]]
        assert without_handles(committed.ruleset()) == after
        assert verified or transaction.verify() == (True, [])
        assert monitor.pending() == []


def test_what_nobody_changed_is_verified(committed, transaction):
    assert verify_after(committed, transaction, None)


def test_what_others_do_to_their_own_tables_is_not_ours(committed, transaction):
    assert verify_after(committed, transaction, "add table inet others; add chain inet others c { type filter hook input priority 7; }")
