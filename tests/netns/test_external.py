# SPDX-License-Identifier: GPL-3.0-or-later
"""External aliases by calls: what is put in and taken out decides about packets at once, is told by `filter why`, listed and audited, and
outlives commits, restarts of filterd and a table that is made anew."""

import contextlib
import ipaddress
import signal

import dbus
import pytest
import traffic
from documents import document
from nfmonitor import Monitor
from test_audit_acts import acts, reported
from test_bans import INTERFACE, Signals, filterd
from test_limits import LATER, PORT, Server, alias, connect, hold, refused, web
from test_rule_questions import ZONES, rule

MANY = 20000
FULL = 65536
LAN = {family: traffic.address("lan", family) for family in (4, 6)}


@pytest.fixture
def held():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def running(lab):
    lab.apply(ZONES + web(source={"aliases": ["known"]}) + alias("known", timeout="1h") + alias("other"))
    return lab


def strings(values):
    return dbus.Array(values, signature="s")


def add(lab, name, *entries, **options):
    added, wrong = filterd(lab).AddToAlias(name, strings(entries), dbus.Dictionary(options, signature="sv"), dbus_interface=INTERFACE)
    return int(added), {int(index): str(reason) for index, reason in wrong}


def remove(lab, name, *entries):
    return int(filterd(lab).RemoveFromAlias(name, strings(entries), dbus_interface=INTERFACE))


def flush(lab, name):
    return int(filterd(lab).FlushAlias(name, dbus_interface=INTERFACE))


def entries(lab, name, limit=1000):
    """Address: seconds left, 0: it stays."""
    after, listed = "", []
    while True:
        rows, after = filterd(lab).ListAlias(name, dbus.Dictionary({"after": str(after), "limit": dbus.UInt32(limit)}, signature="sv"),
                                             dbus_interface=INTERFACE)
        assert len(rows) <= limit
        listed += [(str(address), int(left) / 1e6) for address, left in rows]
        if not after:
            assert len(dict(listed)) == len(listed)
            return dict(listed)


def why(lab, family, code):
    done = lab.ctl("filter", "why", "--in", "lan", "--src", LAN[family], "--dst", traffic.address("wan", family), "--proto", "tcp", "--dport", str(PORT),
                   check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("family", (4, 6))
def test_entries_decide(running, held, family):
    with Server(running, "wan", PORT):
        assert refused(running, "lan", family)
        assert "no rule lets it pass" in why(running, family, 6)
        assert add(running, "known", LAN[family]) == (1, {})
        left = entries(running, "known")
        assert list(left) == [LAN[family]] and 3500 < left[LAN[family]] <= 3601
        hold(held, running, "lan", family)
        said = why(running, family, 0)
        assert "FirewallRule/web lets it pass" in said and "not known" not in said
        assert remove(running, "known", LAN[family], "192.0.2.77") == 1
        assert refused(running, "lan", family)
        why(running, family, 6)
        add(running, "known", LAN[family])
        assert flush(running, "known") == 1 and not entries(running, "known")
        assert refused(running, "lan", family)


def test_times(running, held):
    assert add(running, "known", LAN[4], LAN[6], timeout="10s") == (2, {})
    assert add(running, "known", LAN[6], timeout="100s") == (1, {}), "what is there gets the new time"
    left = entries(running, "known")
    assert 0 < left[LAN[4]] <= 11 and 90 < left[LAN[6]] <= 101
    add(running, "other", LAN[4])
    assert entries(running, "other") == {LAN[4]: 0}, "an alias without a time keeps it"
    with Server(running, "wan", PORT):
        while LAN[4] in entries(running, "known"):
            pass
        assert refused(running, "lan", 4)
        hold(held, running, "lan", 6)
    add(running, "other", LAN[4], timeout="50s")
    assert 40 < entries(running, "other")[LAN[4]] <= 51


def test_what_is_refused(running):
    added, wrong = add(running, "known", "192.0.2.1", "10.0.0.0/24", "lan", "192.0.2.1-192.0.2.9", "192.0.2.1/32", "2001:db8::1")
    assert added == 2 and sorted(wrong) == [1, 2, 3]
    assert "prefix" in wrong[1] and "is not an address" in wrong[2] and "range" in wrong[3]
    assert set(entries(running, "known")) == {"192.0.2.1", "2001:db8::1"}
    for call in (lambda: add(running, "unknown", "192.0.2.1"), lambda: remove(running, "unknown", "192.0.2.1"), lambda: flush(running, "unknown"),
                 lambda: entries(running, "unknown")):
        with pytest.raises(dbus.DBusException, match='no external alias "unknown"'):
            call()
    running.apply(document("Alias", "plain", type="host", addresses=["192.0.2.1"]))
    with pytest.raises(dbus.DBusException, match='no external alias "plain"'):
        add(running, "plain", "192.0.2.2")
    with pytest.raises(dbus.DBusException, match="prefix"):
        remove(running, "known", "10.0.0.0/24")
    with pytest.raises(dbus.DBusException, match="timeout.*out of range"):
        add(running, "known", "192.0.2.2", timeout="10ms")
    with pytest.raises(dbus.DBusException, match="for"):
        add(running, "known", "192.0.2.2", **{"for": "10s"})
    assert "192.0.2.2" not in entries(running, "known"), "what is refused is not done"


def test_they_outlive(running, held):
    """All but the machine and the end of the alias; beside what rules put there."""
    knock = rule("knock", action="allow", protocol="tcp", destination={"ports": [PORT + 1]}, addSource={"alias": "known", "timeout": "500s"})
    text = ZONES + web(source={"aliases": ["known"]}) + knock
    running.apply(text + alias("known", timeout="1h"))
    add(running, "known", LAN[4], timeout="900s")
    with Server(running, "wan", PORT, PORT + 1):
        hold(held, running, "lan", 6, port=PORT + 1)

        def still():
            left = entries(running, "known")
            assert set(left) == {LAN[4], LAN[6]} and 800 < left[LAN[4]] <= 901 and 400 < left[LAN[6]] <= 501, left
            hold(held, running, "lan", 4)
            hold(held, running, "lan", 6)

        still()
        running.apply(text + rule("else", action="drop", priority=50000) + alias("known", timeout="1h"))
        still()
        running.apply(text + alias("known", timeout="2h"))  # sets of another name
        still()
        for number in (signal.SIGKILL, signal.SIGTERM):
            running.end("filterd", number)
            running.start("filterd")
            still()
        signals = Signals(running)
        running.nft("add chain inet patronus somebody_elses")  # the table is made anew
        signals.until_repaired()
        still()
        running.apply(text.replace('"known"', '"new"') + alias("new"), "--replace")
        with pytest.raises(dbus.DBusException, match='no external alias "known"'):
            entries(running, "known")
        running.apply(text + alias("known", timeout="1h"), "--replace")
        assert not entries(running, "known") and refused(running, "lan", 4)


def test_many(running):
    first = int(ipaddress.ip_address("45.0.0.0"))
    addresses = [str(ipaddress.ip_address(first + i)) for i in range(MANY)]
    with Monitor(running.netns("router")) as monitor:
        assert add(running, "known", *addresses, *addresses[:100]) == (MANY, {})
        assert len(monitor.pending()) == 1, "one transaction"
    assert list(entries(running, "known")) == addresses, "in order, page by page"
    assert add(running, "known", *addresses, timeout="10000s") == (MANY, {})
    assert min(entries(running, "known").values()) > 9000
    assert remove(running, "known", *addresses[::2]) == MANY // 2
    assert list(entries(running, "known", limit=999)) == addresses[1::2]
    full = [str(ipaddress.ip_address(first + MANY + i)) for i in range(FULL)]
    with pytest.raises(dbus.DBusException, match="at most 65536"):
        add(running, "known", *full)
    assert len(entries(running, "known")) == MANY // 2, "all or nothing"
    with pytest.raises(dbus.DBusException, match="at most 65536"):
        add(running, "known", *full, "192.0.2.1")
    assert flush(running, "known") == MANY // 2
    assert int(filterd(running).Get(INTERFACE, "Drifts", dbus_interface="org.freedesktop.DBus.Properties")) == 0


def test_audit_and_property(running):
    add(running, "known", *[f"203.0.113.{i}" for i in range(1, 11)])
    remove(running, "known", "203.0.113.1")
    flush(running, "known")
    entries(running, "known")
    found = reported(running, 3)
    assert [(str(entry["method"]), str(entry["result"]), str(entry["text"])) for entry in found] == [
        ("AddToAlias", "ok", "10 put in"), ("RemoveFromAlias", "ok", "1 taken out"), ("FlushAlias", "ok", "9 taken out")]
    assert str(found[0]["subject"]) == "Alias/known: " + ", ".join(f"203.0.113.{i}" for i in range(1, 9)) + " and 2 more"
    assert str(found[2]["subject"]) == "Alias/known: all that it holds"
    with pytest.raises(dbus.DBusException, match="no external alias"):
        flush(running, "unknown")
    assert len(acts(running)) == 3
    names = filterd(running).Get(INTERFACE, "ExternalAliases", dbus_interface="org.freedesktop.DBus.Properties")
    assert sorted(map(str, names)) == ["known", "other"]


def test_patronusctl(running, held):
    assert running.ctl("filter", "entries", "known").stderr == "it holds nothing\n"
    assert running.ctl("filter", "add", "known", LAN[4], LAN[6], "--for", "10m").stdout == "2 put into known for 10m\n"
    with Server(running, "wan", PORT):
        hold(held, running, "lan", 4)
    done = running.ctl("filter", "add", "other", "192.0.2.8", "10.2.0.0/24", check=False)
    assert (done.returncode, done.stdout) == (1, "1 put into other\n") and "10.2.0.0/24: it is a prefix" in done.stderr
    lines = [line.split() for line in running.ctl("filter", "entries", "known").stdout.splitlines()]
    assert [line[0] for line in lines] == ["ADDRESS", LAN[4], LAN[6]] and lines[1][1].startswith("9m")
    assert running.ctl("filter", "entries", "other").stdout.splitlines()[1].split() == ["192.0.2.8", "until", "taken", "out"]
    assert running.ctl("filter", "remove", "known", LAN[4]).stdout == "1 taken out of known\n"
    done = running.ctl("filter", "remove", "known", LAN[4], check=False)
    assert done.returncode == 1 and "filter entries known" in done.stderr
    assert running.ctl("filter", "remove", "known", "--all").stdout == "1 taken out of known\n"
    assert running.ctl("filter", "remove", "known", check=False).returncode == 2
    assert running.ctl("complete", "--", "filter", "add", "").stdout.split() == ["known", "other"]
    assert running.ctl("complete", "--", "filter", "entries", "ot").stdout.split() == ["other"]


def test_a_rule_that_drops(lab, held):
    """Who is put into an alias of a rule that drops is refused from the next connection on."""
    lab.apply(ZONES + alias("blocked", timeout="1h") + rule("block", action="drop", priority=1, source={"aliases": ["blocked"]}) + LATER)
    with Server(lab, "wan", PORT):
        sock = connect(lab, "lan")
        assert sock
        held.enter_context(contextlib.closing(sock))
        add(lab, "blocked", LAN[4])
        assert refused(lab, "lan") and not refused(lab, "dmz")
