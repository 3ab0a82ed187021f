# SPDX-License-Identifier: GPL-3.0-or-later
"""No sequence of valid changes takes the administrator's access away without a pending confirmation.

He is at the lan and changes the policy over ssh, again and again, each time from what is in force: rules of zones and floating ones,
groups, schedules, limits, fragments, tags, SYN proxies, translation and reflection, settings, aliases, zones; between them he bans
addresses and switches panic. After whatever is taken without a confirmation a new connection of his comes in; what is to be
confirmed is reverted, and he comes in again.

A failure prints its seed and its steps. With tools/check --long, or PATRONUS_LONG=1. PATRONUS_LOCKOUT_SCRIPTS=N runs N scripts, PATRONUS_LOCKOUT_SEED=S begins with another seed.
"""

import collections
import concurrent.futures
import contextlib
import copy
import os
import random
import socket

import dbus
import dbus.bus
import lab as lab_module
import netns
import pytest
import ssh
import traffic
from shared_fixtures import lab_name, need_daemons
from test_lockout import ADMIN, CONFIG, CUTS, base, text_of

SCRIPTS = int(os.environ.get("PATRONUS_LOCKOUT_SCRIPTS", "200" if os.environ.get("PATRONUS_LONG") else "0"))
FIRST_SEED = int(os.environ.get("PATRONUS_LOCKOUT_SEED", "1"))
STEPS = 12
LABS = 2
TAKEN, TO_CONFIRM = 0, 4  # exit codes of patronusctl apply
# Of all steps: otherwise nothing is found out.
TAKEN_MIN, TO_CONFIRM_MIN = 0.2, 0.05

LOCKOUT = {"interfaces": ["lan"], "ports": [22]}
ALWAYS = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
NEVER = [{"dates": ["2001-01-01"], "start": "10:00", "end": "11:00"}]


def ssh_rule(draw, objects):
    """The spec of a rule that may be what lets him in."""
    rules = [name for name, (kind, spec) in objects.items()
             if kind == "FirewallRule" and spec["action"] == "allow" and not spec.get("floating")]
    return objects[draw.choice(rules)][1] if rules else {}


def new_name(draw, objects, prefix):
    return f"{prefix}-{draw.randrange(4)}"  # sometimes in place of one that is there


def some_rule(draw, action=None):
    spec = {"action": action or draw.choice(["allow", "allow", "drop", "reject"]), "priority": draw.choice([1, 50, 99, 100, 101, 200])}
    if draw.random() < 0.7:
        spec["from"] = draw.choice(["lan", "lan", "wan", "any"])
    if draw.random() < 0.7:
        spec["to"] = draw.choice(["router", "router", "wan", "any"])
    if draw.random() < 0.4:
        spec["source"] = {"addresses": [draw.choice([ADMIN, "10.2.0.0/28", "10.4.0.0/16", "10.1.0.2"])]}
    if draw.random() < 0.6:
        spec.update(protocol="tcp", destination={"ports": [draw.choice([22, "1-1023", 80, 443])]})
    elif draw.random() < 0.3:
        spec["protocol"] = draw.choice(["udp", "icmp"])
    return spec


# --- what is changed ----------------------------------------------------------------------------------------------------------


def rule(draw, objects):
    objects[new_name(draw, objects, "rule")] = ("FirewallRule", some_rule(draw))


def floating(draw, objects):
    spec = {**some_rule(draw), "floating": True, "quick": draw.random() < 0.5}
    if draw.random() < 0.5:
        spec["direction"] = draw.choice(["in", "out", "any"])
        if draw.random() < 0.5:
            spec["interfaces"] = [draw.choice(["lan", "wan", "l*"])]
    objects[new_name(draw, objects, "floating")] = ("FirewallRule", spec)


def group(draw, objects):
    name = new_name(draw, objects, "group")
    objects[name] = ("RuleGroup", {"enabled": draw.random() < 0.7})
    ssh_rule(draw, objects)["group"] = name


def group_switched(draw, objects):
    for name, (kind, spec) in objects.items():
        if kind == "RuleGroup":
            spec["enabled"] = not spec["enabled"]


def schedule(draw, objects):
    name = new_name(draw, objects, "hours")
    objects[name] = ("Schedule", {"timeZone": "UTC", "windows": draw.choice([ALWAYS, ALWAYS, NEVER])})
    target = ssh_rule(draw, objects) if draw.random() < 0.6 else some_rule(draw, "drop")
    target["schedule"] = name
    if target.get("action") == "allow" and draw.random() < 0.5:
        target["endConnections"] = True
    elif target.get("action") == "drop":
        objects[new_name(draw, objects, "timed")] = ("FirewallRule", target)


def limits(draw, objects):
    """That leave room for him: what is beyond one is refused without a question, as it says (docs/LIMITS.md)."""
    ssh_rule(draw, objects)["limits"] = draw.choice([{"connections": 1000}, {"connectionsPerSource": 1000}, {"rate": "1000/second", "burst": 1000},
                                                     {"ratePerSource": "1000/second", "burst": 1000}])


def fragments(draw, objects):
    objects[new_name(draw, objects, "fragments")] = ("FirewallRule", {"action": "drop", "fragments": True, "from": draw.choice(["lan", "any"])})


def tags(draw, objects):
    tag = draw.choice(["a", "b"])
    if draw.random() < 0.7:
        objects[new_name(draw, objects, "tag")] = ("FirewallRule", {**some_rule(draw, "continue"), "setTag": tag})
    if draw.random() < 0.5:
        ssh_rule(draw, objects)["tagged"] = [tag]
    else:
        objects[new_name(draw, objects, "tagged")] = ("FirewallRule", {**some_rule(draw, "drop"), "tagged": [tag]})


def syn_proxy(draw, objects):
    target = ssh_rule(draw, objects)
    target["synProxy"] = True
    target.pop("limits", None)


def ssh_changed(draw, objects):
    spec = ssh_rule(draw, objects)
    field, value = draw.choice([("mode", "audit"), ("enabled", False), ("states", ["established"]), ("interfaces", ["wan"]), ("interfaces", ["lan"]),
                                ("priority", 1), ("priority", 60000), ("log", True), ("to", "any"), ("from", "any"), ("dscp", "ef"),
                                ("setMark", {"value": 5, "mask": 255}), ("length", "1-39"), ("tcpFlags", {"set": ["ack"]}),
                                ("helper", "ftp"), ("mark", {"value": 1, "mask": 255})])
    spec[field] = value


def forward(draw, objects):
    spec = {"type": draw.choice(["forward", "redirect"]), "zone": draw.choice(["wan", "lan"]), "protocol": "tcp",
            "destination": {"ports": [draw.choice([22, 80, 2222])]}}
    if draw.random() < 0.5:
        spec["destination"]["addresses"] = [draw.choice(["10.2.0.1", "10.1.0.1", "192.0.2.9"])]
    if spec["type"] == "forward":
        spec["translation"] = {"addresses": ["10.3.0.77"]}
        if draw.random() < 0.6:
            spec["reflection"] = True
        if draw.random() < 0.4:
            spec["sourceLimit"] = 1
    else:
        spec["translation"] = {"ports": [draw.choice([22, 2200])]}
    if draw.random() < 0.3:
        spec["source"] = {"addresses": [ADMIN]}
    objects[new_name(draw, objects, "forward")] = ("NatRule", spec)


def hidden(draw, objects):
    objects[new_name(draw, objects, "hidden")] = ("NatRule", {"type": "masquerade", "zone": draw.choice(["wan", "lan"])})


def settings(draw, objects):
    _, spec = objects.setdefault("default", ("FilterSettings", {}))
    field, values = draw.choice([("input", ["allow", "drop", "reject"]), ("output", ["allow", "drop"]), ("antispoof", [["lan"], ["wan"]]),
                                 ("blockPrivate", [["lan"], ["wan"], []]), ("blockBogons", [["lan"], ["wan"], []]), ("revoke", [True, False]),
                                 ("antiLockout", [LOCKOUT, LOCKOUT, {"interfaces": ["wan"], "ports": [22]},
                                                  {"interfaces": ["lan"], "ports": [2222]}]),
                                 ("trustClock", [True, False]), ("logDefault", [True, False])])
    spec[field] = draw.choice(values)


def settings_gone(draw, objects):
    objects.pop("default", None)


def zone(draw, objects):
    objects[draw.choice(["lan", "wan"])][1][draw.choice(["input", "forward"])] = draw.choice(["allow", "drop"])


def something_gone(draw, objects):
    others = [name for name in objects if name not in ("wan", "lan", "admins")]
    if others:
        del objects[draw.choice(others)]


def as_before(draw, objects):
    """What lets him in, and nothing that does not."""
    objects.clear()
    objects.update(copy.deepcopy(base()))


CHANGES = (rule, floating, group, group_switched, schedule, limits, fragments, tags, syn_proxy, ssh_changed, forward, hidden, settings, settings_gone,
           zone, something_gone, as_before)


def cut(draw, objects):
    """One of those that the other test draws; they change what is in base()."""
    chosen = draw.choice(CUTS)
    if {"ssh", "admins", "lan"} <= objects.keys():
        chosen(draw, objects)


# --- one administrator --------------------------------------------------------------------------------------------------------


class Script:
    def __init__(self, lab, bus, server, shell, seed, directory):
        self.bus = bus
        self.lab, self.server, self.shell, self.seed = lab, server, shell, seed
        self.draw = random.Random(seed)
        self.policy = directory / "policy.yaml"
        self.ctl = [str(lab_module.build_dir() / "cli/patronusctl"), "--bus", lab.bus]
        self.said = []
        self.counts = collections.Counter()

    def comes_in(self):
        """Whether the server greets him, on a new connection."""
        with netns.make_socket(netns.path(self.lab.name, "lan"), socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(traffic.PATIENCE_S)
            try:
                sock.connect((ssh.ROUTER["lan"], self.server.port))
                return sock.recv(4) == b"SSH-"
            except OSError:
                return False

    def must_come_in(self, why):
        assert self.comes_in(), f"PATRONUS_LOCKOUT_SEED={self.seed}: {why}, and he cannot come in:\n" + "\n".join(self.said) + self.lab.logs()[-4000:]

    def revert(self):
        """Ends a window, if there is one."""
        def get(name):
            return int(self.bus.call_blocking(CONFIG, "/org/patronus/Config1", "org.freedesktop.DBus.Properties", "Get", "ss", (CONFIG, name)))

        if get("ConfirmRevision"):
            self.lab.ctl("revert", get("ConfirmedRevision"))

    def act(self, objects):
        """Who banned himself, or panics without an anti-lockout of his own, has asked for it (docs/RUNTIME.md)."""
        safe = objects.get("default", ("", {}))[1].get("antiLockout") == LOCKOUT
        words = self.draw.choice([("ban", "198.51.100.0/24", "--for", "1h"), ("unban", "198.51.100.0/24"), ("panic", "off")] +
                                 [("ban", ADMIN, "--for", "1h"), ("panic", "on")] * safe)
        status, text = self.shell.run(*self.ctl, "filter", *words)
        self.said.append(f"{words}: {status} {text}")
        assert status == 0 or words[0] == "unban", text
        self.counts[words[0]] += 1
        self.must_come_in(f"{words} was done")

    def commit(self, objects):
        """The objects that are in force then."""
        wanted = copy.deepcopy(objects)
        changes = [self.draw.choice((*CHANGES, cut, cut)) for _ in range(self.draw.randint(1, 3))]
        for change in changes:
            change(self.draw, wanted)
        self.policy.write_text(text_of(wanted))
        status, text = self.shell.run(*self.ctl, "apply", "--replace", "-f", self.policy)
        self.said.append(f"{[change.__name__ for change in changes]}: {status} {text}\n{self.policy.read_text()}")
        if status == TAKEN:
            self.counts["taken"] += 1
            self.must_come_in("a commit was taken without a confirmation")
            return wanted
        if status == TO_CONFIRM:
            self.counts["to confirm"] += 1
            self.revert()
            self.must_come_in("what was to be confirmed was taken back")
        else:
            assert "error" in text, text
            self.counts["refused"] += 1
        return objects

    def run(self):
        objects = base()
        for _ in range(STEPS):
            if self.draw.random() < 0.2:
                self.act(objects)
            else:
                objects = self.commit(objects)

    def end(self):
        self.revert()
        self.lab.ctl("filter", "panic", "off")
        self.lab.ctl("filter", "unban", "--all")
        self.lab.apply(text_of(base()), "--replace")


def run_some(name, directory, seeds):
    """In one lab, one after the other."""
    directory.mkdir()
    counts, failed = collections.Counter(), []
    with lab_module.Lab(name) as lab, contextlib.closing(dbus.bus.BusConnection(lab.bus)) as bus:
        lab.apply(text_of(base()))
        with ssh.Server(lab, directory) as server:
            for seed in seeds:
                with server.login("lan") as shell:
                    script = Script(lab, bus, server, shell, seed, directory)
                    try:
                        script.run()
                    except AssertionError as error:
                        failed.append(str(error))
                    script.end()
                    counts += script.counts
    return counts, failed


@pytest.mark.skipif(SCRIPTS == 0, reason="takes minutes: PATRONUS_LONG=1")
def test_no_sequence_of_changes_takes_it_away(request, tmp_path, record_property):
    need_daemons()
    seeds = range(FIRST_SEED, FIRST_SEED + SCRIPTS)
    with concurrent.futures.ThreadPoolExecutor(LABS) as pool:
        running = [pool.submit(run_some, lab_name(f"{request.node.nodeid} {i}"), tmp_path / str(i), seeds[i::LABS]) for i in range(LABS)]
    counts, failed = collections.Counter(), []
    for future in running:
        some, errors = future.result()
        counts += some
        failed += errors
    report = f"{SCRIPTS} scripts: {dict(counts)}"
    print(report)
    record_property("report", report)
    assert not failed, "\n\n".join(failed)
    steps = sum(counts.values())
    assert counts["taken"] > TAKEN_MIN * steps and counts["to confirm"] > TO_CONFIRM_MIN * steps, report
