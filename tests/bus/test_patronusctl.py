# SPDX-License-Identifier: GPL-3.0-or-later
"""patronusctl with the real daemons: what it prints, and what it leaves with."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import lab as lab_module
import shared_fixtures
import terminal

# A sanitized build is not what people wait for.
SLOWDOWN = 10 if lab_module.is_sanitized() else 1

ROOT = pathlib.Path(__file__).resolve().parents[2]

BASE = """
apiVersion: patronus.firewall/v1
kind: Zone
metadata: { name: lan }
spec: { interfaces: [lan] }
---
apiVersion: patronus.firewall/v1
kind: Zone
metadata: { name: wan }
spec: { interfaces: [wan], masquerade: true }
---
apiVersion: patronus.firewall/v1
kind: FirewallRule
metadata: { name: web }
spec: { action: allow, from: wan, to: lan, destination: { ports: [80, 443] } }
"""


def rule(name, **spec):
    return json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "FirewallRule", "metadata": {"name": name},
                       "spec": {"action": "allow", **spec}})


@pytest.fixture(scope="module")
def running(request):
    shared_fixtures.need_daemons()
    with lab_module.Lab(shared_fixtures.lab_name(request.node.nodeid)) as made:
        yield made


@pytest.fixture
def base(running):
    """The lab with BASE and nothing else."""
    running.ctl("apply", "--replace", "-f", "-", stdin=BASE)
    return running


def revision(lab):
    return json.loads(lab.ctl("status", "-o", "json").stdout)["revision"]["number"]


def get(lab, what):
    return json.loads(lab.ctl("get", what, "-o", "json").stdout)


# --- apply, plan --------------------------------------------------------------------------------------------------------


def test_apply_lists_creates_updates_deletes(base):
    before = revision(base)
    done = base.apply(BASE.replace("443", "8443").replace("name: lan", "name: inside").replace("to: lan", "to: inside"), "--replace", "-m", "why")
    lines = done.stdout.splitlines()
    assert lines[:3] == ["+ Zone/inside", "~ FirewallRule/web", "- Zone/lan"]
    assert re.fullmatch(rf"revision {before + 1} is in force \(1 created, 1 updated, 1 deleted; \d+ ms\)", lines[-1])
    assert done.stderr == ""
    assert base.ctl("history", "--limit", "1").stdout.splitlines()[1].endswith(" why")


def test_apply_again_changes_nothing(base):
    before = revision(base)
    done = base.apply(BASE)
    assert done.stdout == f"nothing to do: revision {before} says this already\n"
    assert revision(base) == before


@pytest.mark.parametrize("command", [("plan",), ("apply", "--dry-run"), ("apply", "-n")])
def test_trials_change_nothing(base, command):
    before = revision(base)
    done = base.ctl(*command, "-f", "-", stdin=rule("new"))
    assert done.stdout.startswith("+ FirewallRule/new\n")
    assert "guarantee: " in done.stdout
    assert done.stdout.endswith("nothing was changed: this was a trial (1 created)\n")
    assert revision(base) == before


def test_refusal_says_where_why_and_what_did_not_happen(base, tmp_path):
    before = revision(base)
    policy = tmp_path / "policy.yaml"
    policy.write_text(BASE.replace("443", "70000"))
    done = base.ctl("apply", "-f", policy, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert re.fullmatch(rf"error: {policy}:\d+:\d+: FirewallRule/web /spec/destination/ports/1: 70000 is .*1-65535.*", lines[0])
    assert lines[1:] == ["nothing was changed"]
    assert revision(base) == before


def test_refusal_as_data(base):
    done = base.ctl("apply", "-o", "json", "-f", "-", stdin=rule("x", to="nowhere"), check=False)
    assert done.returncode == 1
    reply = json.loads(done.stdout)
    assert reply["accepted"] is False
    assert any(d["severity"] == "error" and "nowhere" in d["text"] for d in reply["diagnostics"])


def test_apply_as_data(base):
    reply = json.loads(base.ctl("apply", "-o", "json", "-f", "-", stdin=rule("x")).stdout)
    assert reply["changes"] == [{"op": "create", "kind": "FirewallRule", "name": "x"}]
    assert reply["created"] == 1 and reply["revision"] == revision(base) and reply["timings"]["totalUSec"] > 0


# --- directories --------------------------------------------------------------------------------------------------------


@pytest.fixture
def policy_d(tmp_path):
    directory = tmp_path / "policy.d"
    directory.mkdir()
    (directory / "20-json.json").write_text(rule("json-one") + "\n" + rule("json-two") + "\n")
    (directory / "10-zones.yaml").write_text("---" + BASE.rpartition("---")[0])
    (directory / "15-only-comments.yml").write_text("# nothing\n\n")
    (directory / "30-rules.yml").write_text("\ufeff" + rule("r2") + "\n---\n" + rule("r1"))  # neither mark nor newline at the end matters
    (directory / "40-more.yaml").write_text("%YAML 1.1\n---\n" + rule("r0") + "\n...\n")
    (directory / "README").write_text("not: [ours")
    (directory / ".hidden.yaml").write_text("not: [ours")
    return directory


def test_directory_is_one_input(base, policy_d):
    done = base.ctl("apply", "--replace", "-f", policy_d)
    assert [line for line in done.stdout.splitlines() if line[0] in "+~-"] == [
        "+ FirewallRule/json-one", "+ FirewallRule/json-two", "+ FirewallRule/r0", "+ FirewallRule/r1", "+ FirewallRule/r2", "- FirewallRule/web"]
    positions = {name: get(base, f"FirewallRule/{name}")["metadata"]["position"] for name in ("json-one", "json-two", "r2", "r1", "r0")}
    assert sorted(positions, key=positions.get) == ["json-one", "json-two", "r2", "r1", "r0"]


@pytest.mark.parametrize("file, text, place", [
    ("10-zones.yaml", "---\nkind: Zone\napiVersion: patronus.firewall/v1\nmetadata: { name: a }\nspec: { nonsense: 1 }\n", "10-zones.yaml:5:"),
    ("20-json.json", rule("fine") + "\n" + rule("bad", nonsense=1) + "\n" + rule("fine-too"), "20-json.json:2:"),
    ("30-rules.yml", "kind: &a FirewallRule\n", "30-rules.yml:1:7"),
    ("30-rules.yml", "\n\nkind: [open\n", "30-rules.yml:"),
    ("40-more.yaml", "%YAML 1.1\n---\n\nkind: *a\n", "40-more.yaml:4:7"),
])
def test_places_in_a_directory_are_those_of_the_files(base, policy_d, file, text, place):
    before = revision(base)
    (policy_d / file).write_text(text)
    done = base.ctl("apply", "-f", policy_d, check=False)
    assert done.returncode == 1
    assert f"error: {policy_d}/{place}" in done.stderr
    assert done.stderr.endswith("\nnothing was changed\n")
    assert revision(base) == before


def test_set_of_a_directory_deletes_what_left_it(base, policy_d):
    base.ctl("apply", "--set", "policy", "-f", policy_d)
    (policy_d / "30-rules.yml").unlink()
    done = base.ctl("apply", "--set", "policy", "-f", policy_d)
    assert [line for line in done.stdout.splitlines() if line[0] in "+~-"] == ["- FirewallRule/r1", "- FirewallRule/r2"]
    assert get(base, "FirewallRule/web")


# --- get, export --------------------------------------------------------------------------------------------------------


def test_get_as_a_table(base):
    lines = base.ctl("get", "firewallrules").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ACTION", "FROM", "TO", "DESTINATION.PORTS"]
    assert lines[1].split() == ["web", "allow", "wan", "lan", "80,443"]
    assert lines[0].index("FROM") == lines[1].index("wan")
    assert "DESTINATION" not in base.ctl("get", "zones").stdout


def on_a_terminal(lab, *args, size=(24, 80), **environment):
    env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus, "NO_COLOR": "1", "TERM": "xterm", **environment}
    env.pop("COLUMNS", None)
    status, text = terminal.run([lab_module.build_dir() / "cli/patronusctl", *args], size=size, env=env)
    assert status == 0, text
    return text.splitlines()


def test_tables_are_cut_fairly_on_a_terminal(base):
    base.ctl("set", "FirewallRule/web", "source.addresses=" + ",".join(f"198.51.100.{i}" for i in range(1, 40)),
             "metadata.description=" + "\u6f22\u5b57" * 30, "metadata.labels.team=web", "priority=7")
    whole = base.ctl("get", "FirewallRule").stdout.splitlines()
    assert "\u2026" not in whole[1] and len(whole[1]) > 300
    lines = on_a_terminal(base, "get", "FirewallRule", size=(24, 120))
    assert lines[0].split() == ["NAME", "ACTION", "PRIORITY", "FROM", "TO", "SOURCE.ADDRESSES", "DESTINATION.PORTS", "DESCRIPTION"]
    assert lines[1].split()[:5] == ["web", "allow", "7", "wan", "lan"], "what is narrow is whole"
    addresses, description = re.search(r"(198\S+)\u2026.*?(\S+)\u2026$", lines[1]).groups()
    assert set(description) <= set("\u6f22\u5b57")
    assert 2 * len(description) + 1 <= len(addresses) + 2, "wide characters are two columns each"
    assert len(lines[1]) + len(description) <= 120

    assert "\u2026TION.PORTS" in on_a_terminal(base, "get", "FirewallRule", size=(24, 72))[0], "of a heading the end says more"

    narrow = on_a_terminal(base, "get", "FirewallRule", size=(24, 60))
    assert all(len(line) <= 60 for line in narrow) and narrow[1].startswith("web")
    assert narrow[-1] == "1 more column: -o wide shows all" and "DESCRIPTION" not in narrow[0]
    wide = on_a_terminal(base, "get", "FirewallRule", "-o", "wide", size=(24, 60))
    assert "\u2026" not in wide[1] and wide[1].endswith(" team=web") and wide[0].split()[-2:] == ["POSITION", "LABELS"]


def test_what_others_wrote_cannot_act_on_the_terminal(base):
    base.ctl("set", "FirewallRule/web", "metadata.description=a\u202eb\x9bc", "-m", "say\x1b[31m\nwhat")
    for command in (("get", "FirewallRule"), ("get", "FirewallRule", "-o", "wide"), ("diff",)):
        assert r"a\u202eb\u009bc" in base.ctl(*command).stdout
    assert r"say\x1b[31m\nwhat" in base.ctl("history", "--limit", "1").stdout
    assert r"say\x1b[31m\nwhat" in base.ctl("status").stdout


def test_tables_are_in_the_order_that_counts(base):
    base.apply("\n---\n".join((rule("b"), rule("a"), rule("late", priority=40000), rule("early", priority=1))))
    assert [line.split()[0] for line in base.ctl("get", "FirewallRule").stdout.splitlines()] == ["NAME", "early", "web", "b", "a", "late"]
    assert [json.loads(line)["metadata"]["name"] for line in base.ctl("get", "FirewallRule", "-o", "json").stdout.splitlines()] == [
        "a", "b", "early", "late", "web"]


def test_get_takes_pages(base):
    base.apply("\n---\n".join(rule(f"r{i:04}", priority=i) for i in range(2500)))
    names = [json.loads(line)["metadata"]["name"] for line in base.ctl("get", "FirewallRule", "-o", "json").stdout.splitlines()]
    assert names == sorted([f"r{i:04}" for i in range(2500)] + ["web"])


def test_get_of_what_is_not_there(base):
    done = base.ctl("get", "Zone/absent", check=False)
    assert done.returncode == 1 and "absent" in done.stderr
    base.ctl("delete", "FirewallRule/web")
    done = base.ctl("get", "FirewallRule")
    assert (done.stdout, done.stderr) == ("", "there is no FirewallRule\n")


@pytest.mark.parametrize("options", [("get", "FirewallRule/web"), ("get", "FirewallRule/web", "-o", "json"), ("get", "Zone", "-o", "yaml"),
                                     ("get", "Zone", "-o", "json"), ("export",), ("export", "-o", "json"), ("export", "--kind", "zones")])
def test_what_it_prints_it_takes_back(base, options):
    text = base.ctl(*options).stdout
    assert text.count("patronus.firewall/v1") == {"get": 2 if "Zone" in options else 1, "export": 2 if "--kind" in options else 3}[options[0]]
    assert base.apply(text).stdout.startswith("nothing to do")


def test_export_of_a_revision(base):
    then = revision(base)
    text = base.ctl("export").stdout
    base.ctl("delete", "FirewallRule/web")
    assert base.ctl("export").stdout != text
    assert base.ctl("export", "--revision", then).stdout == text


# --- set, delete --------------------------------------------------------------------------------------------------------


def test_set_and_unset(base):
    base.ctl("set", "FirewallRule/web", "priority=7", "destination.ports=22,8000-8010", "metadata.description=a b",
             "metadata.labels.x.y/z=w")
    web = get(base, "FirewallRule/web")
    assert web["spec"] == {"action": "allow", "priority": 7, "from": "wan", "to": "lan", "destination": {"ports": [22, "8000-8010"]}}
    assert web["metadata"]["description"] == "a b" and web["metadata"]["labels"] == {"x.y/z": "w"}
    base.ctl("set", "FirewallRule/web", "priority=", "destination.ports=", "protocol=tcp", "metadata.description=", "metadata.labels.x.y/z=")
    web = get(base, "FirewallRule/web")
    assert web["spec"] == {"action": "allow", "from": "wan", "to": "lan", "protocol": "tcp"}
    assert web["metadata"].keys() <= {"name", "position", "uid"}


def test_set_creates(base):
    done = base.ctl("set", "firewallrules/ssh", "action=allow", "to=router")
    assert done.stdout.startswith("+ FirewallRule/ssh\n")


def test_set_refused(base):
    before = revision(base)
    for assignments, says in ((["to=nowhere"], "FirewallRule/web /spec/to: "), (["source.addresses=10.0.0.1,::1"], "each family"),
                              (["action="], "action")):
        done = base.ctl("set", "FirewallRule/web", *assignments, check=False)
        assert done.returncode == 1
        assert says in done.stderr and done.stderr.endswith("\nnothing was changed\n")
    assert base.ctl("set", "FirewallRule/absent", "priority=", check=False).returncode == 1
    assert revision(base) == before


def test_delete(base):
    done = base.ctl("delete", "Zone/lan", check=False)
    assert done.returncode == 1
    assert "FirewallRule/web" in done.stderr and done.stderr.endswith("\nnothing was changed\n")
    done = base.ctl("delete", "Zone/lan", "FirewallRule/web", "-m", "gone")
    assert done.stdout.splitlines()[:2] == ["- FirewallRule/web", "- Zone/lan"]
    assert base.ctl("delete", "Zone/lan", check=False).returncode == 1


def test_singletons_need_no_name(base):
    done = base.ctl("get", "FilterSettings")
    assert (done.stdout, done.returncode) == ("", 0) and "everything has its default" in done.stderr
    done = base.ctl("set", "FilterSettings", "logDefault=true")
    assert done.stdout.startswith("+ FilterSettings/default\n")
    assert get(base, "FilterSettings")["spec"] == {"logDefault": True}
    assert base.ctl("get", "FilterSettings").stdout == base.ctl("get", "FilterSettings/default").stdout
    assert base.ctl("get", "FilterSettings", "-o", "table").stdout.splitlines()[1].split() == ["default", "true"]
    done = base.ctl("set", "FilterSettings", "logDefault=maybe", check=False)
    assert done.stderr.startswith("error: FilterSettings/default /spec/logDefault: ")
    done = base.ctl("set", "FilterSettings/other", "logDefault=true", check=False)
    assert done.returncode == 1 and 'called "default"' in done.stderr
    base.ctl("delete", "FilterSettings")
    assert "everything has its default" in base.ctl("get", "FilterSettings").stderr


def test_builtin_objects(base):
    assert get(base, "Service/ssh")["spec"]["tcp"] == [22]
    done = base.ctl("get", "services")
    assert done.stdout == "" and "there is no Service of your own" in done.stderr
    base.ctl("set", "Service/ssh", "tcp=2222")
    assert get(base, "Service/ssh")["spec"]["tcp"] == [2222] and base.ctl("get", "services").stdout.splitlines()[1].split() == ["ssh", "2222"]
    assert "[22]" in base.ctl("get", "Service/ssh", "--builtin").stdout


@pytest.mark.parametrize("line, says", [
    ("get Zone/lann", 'did you mean "lan"?'), ("get Service/htps", 'did you mean "https"?'), ("delete Zone/wann", 'did you mean "wan"?'),
    ("rename FirewallRule/wbe x", 'did you mean "web"?'), ("move FirewallRule/web --before wwb", 'did you mean "web"?'),
    ("set FirewallRule/web to=lam", 'did you mean "lan"?'), ("set FirewallRule/web to=routr", 'did you mean "router"?')])
def test_names_that_are_nearly_right(base, line, says):
    done = base.ctl(*line.split(), check=False)
    assert done.returncode == 1 and says in done.stderr


# --- rename, move -------------------------------------------------------------------------------------------------------


def test_rename(base):
    before = revision(base)
    done = base.ctl("rename", "Zone/lan", "inside", "-m", "clearer")
    assert done.stdout.splitlines()[:3] == ["+ Zone/inside", "~ FirewallRule/web", "- Zone/lan"]
    assert get(base, "FirewallRule/web")["spec"]["to"] == "inside" and revision(base) == before + 1
    assert base.ctl("rename", "Zone/inside", "Zone/lan", "--dry-run").stdout.startswith("+ Zone/lan\n")
    for arguments, says in ((("Zone/inside", "wan"), "exists already"), (("Zone/none", "x"), "no Zone"), (("Zone/inside", "any"), "meaning")):
        done = base.ctl("rename", *arguments, check=False)
        assert done.returncode == 1 and says in done.stderr and done.stderr.endswith("\nnothing was changed\n")
    assert base.ctl("rename", "Zone/inside", "FirewallRule/x", check=False).returncode == 2
    assert revision(base) == before + 1


def order(lab):
    rules = [json.loads(line) for line in lab.ctl("get", "FirewallRule", "-o", "json").stdout.splitlines()]
    return [rule["metadata"]["name"] for rule in sorted(rules, key=lambda rule: rule["metadata"]["position"])]


def test_move(base):
    base.apply("\n---\n".join((rule("ssh"), rule("dns"), rule("vip", priority=1))))
    assert order(base) == ["web", "ssh", "dns", "vip"]
    done = base.ctl("move", "FirewallRule/dns", "--before", "web")
    assert done.stdout.splitlines()[0] == "~ FirewallRule/dns" and order(base) == ["dns", "web", "ssh", "vip"]
    base.ctl("move", "FirewallRule/dns", "--after", "FirewallRule/ssh")
    base.ctl("move", "FirewallRule/ssh", "--first")
    assert order(base) == ["ssh", "web", "dns", "vip"]
    base.ctl("move", "FirewallRule/ssh", "--last")
    assert order(base) == ["web", "dns", "vip", "ssh"]
    assert base.ctl("move", "FirewallRule/ssh", "--last").stdout.startswith("nothing to do")
    done = base.ctl("move", "FirewallRule/ssh", "--before", "vip", check=False)
    assert done.returncode == 1 and "set priority=1 first" in done.stderr and "FirewallRule/ssh /spec/priority: " in done.stderr
    for line in (["--first", "--last"], [], ["--before", "Zone/lan"]):
        assert base.ctl("move", "FirewallRule/ssh", *line, check=False).returncode == 2
    assert base.ctl("complete", "--", "move", "FirewallRule/ssh", "--before", "w").stdout.split() == ["web"]
    assert base.ctl("complete", "--", "move", "FirewallRule/ssh", "--before=w").stdout.split() == ["--before=web"]


# --- revisions ----------------------------------------------------------------------------------------------------------


def test_diff_history_revert(base):
    first = revision(base)
    base.ctl("set", "FirewallRule/web", "destination.ports=80")
    base.ctl("set", "Zone/wan", "masquerade=")
    assert base.ctl("diff").stdout == "~ Zone/wan\n    /spec/masquerade: true (unset)\n"
    assert base.ctl("diff", first, first + 1).stdout == "~ FirewallRule/web\n    /spec/destination/ports: [80, 443] -> [80]\n"
    assert [line for line in base.ctl("diff", first).stdout.splitlines() if line[0] == "~"] == ["~ FirewallRule/web", "~ Zone/wan"]
    rows = [json.loads(line) for line in base.ctl("history", "-o", "json", "--limit", "3").stdout.splitlines()]
    assert [row["number"] for row in rows] == [first + 2, first + 1, first]
    assert [row["parent"] for row in rows][:2] == [first + 1, first]

    done = base.ctl("revert", first, "-m", "back")
    assert done.stdout.endswith(" ms)\n") and revision(base) == first + 3
    done = base.ctl("diff", first, first + 3)
    assert (done.stdout, done.stderr) == ("", "no difference\n")
    assert base.ctl("revert", 9999, check=False).returncode == 1
    assert base.ctl("diff", 9999, check=False).returncode == 1


def test_diff_in_colours(base):
    base.ctl("set", "FirewallRule/web", "destination.ports=80")
    base.ctl("set", "Zone/wan", "masquerade=false", "metadata.description=out")
    text = "\n".join(on_a_terminal(base, "diff", NO_COLOR=""))
    assert "\x1b[33m~\x1b[0m Zone/wan" in text
    assert "/spec/masquerade: \x1b[31mtrue\x1b[0m -> \x1b[32mfalse\x1b[0m" in text
    assert "/metadata/description: \x1b[32mout\x1b[0m" in text
    assert "\x1b" not in base.ctl("diff").stdout and "\x1b[33m~" in base.ctl("diff", "--color=always").stdout
    added = base.ctl("apply", "--color", "always", "-f", "-", stdin=rule("new")).stdout
    assert added.startswith("\x1b[32m+\x1b[0m FirewallRule/new\n")
    assert base.ctl("delete", "FirewallRule/new", "--color=always").stdout.startswith("\x1b[31m-\x1b[0m FirewallRule/new\n")


def test_diff_of_a_file(base, tmp_path):
    before = revision(base)
    policy = tmp_path / "policy.yaml"
    policy.write_text(BASE.replace("443", "8443"))
    assert base.ctl("diff", "-f", policy).stdout == "~ FirewallRule/web\n    /spec/destination/ports: [80, 443] -> [80, 8443]\n"
    row = json.loads(base.ctl("diff", "-f", policy, "-o", "json").stdout)
    assert row["op"] == "update" and row["fields"][0]["pointer"] == "/spec/destination/ports"
    policy.write_text("kind: Nothing")
    done = base.ctl("diff", "-f", policy, check=False)
    assert done.returncode == 1 and str(policy) in done.stderr
    assert revision(base) == before


# --- status, counters, completion ---------------------------------------------------------------------------------------


def test_status(base):
    lines = base.ctl("status").stdout.splitlines()
    assert re.fullmatch(rf"revision {revision(base)}, root [0-9a-f]{{12}}, 3 objects, \d+ open sessions", lines[0])
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["configd"][1] == "running"
    assert rows["filterd"][1:3] == ["running", str(revision(base))]
    assert len(lines) < 24
    data = json.loads(base.ctl("status", "-o", "json").stdout)
    assert {daemon["daemon"] for daemon in data["daemons"]} == {"configd", "filterd"}


def test_filter_counters(base):
    rows = [json.loads(line) for line in base.ctl("filter", "counters", "-o", "json").stdout.splitlines()]
    web = [row for row in rows if (row["kind"], row["name"]) == ("FirewallRule", "web")]
    assert len(web) == 1
    assert (web[0]["class"], web[0]["packets"], web[0]["bytes"]) == ("wan/lan", 0, 0)
    assert any(row["kind"] == "" for row in rows)
    lines = base.ctl("filter", "counters").stdout.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "BETWEEN", "PACKETS", "BYTES", "CARRIED", "NOTES"] and len(lines) == len(rows) + 1


def test_completion_knows_what_is_there(base):
    base.apply(rule("web-2") + "\n---\n" + rule("we") + "\n---\n" + rule("wf"))
    assert base.ctl("complete", "--", "get", "FirewallRule/web").stdout.split() == ["FirewallRule/web", "FirewallRule/web-2"]
    assert base.ctl("complete", "--", "delete", "firewallrules/w").stdout.split() == [
        f"firewallrules/{name}" for name in ("we", "web", "web-2", "wf")]
    assert base.ctl("complete", "--", "delete", "Zone/").stdout.split() == ["Zone/lan", "Zone/wan"]


def test_completion_of_references_and_revisions(base):
    base.ctl("set", "Alias/servers", "type=network", "addresses=192.0.2.1")
    base.ctl("set", "Alias/servers-2", "type=network", "addresses=192.0.2.2")

    def complete(*words):
        return base.ctl("complete", "--", *words).stdout.split()

    assert complete("set", "FirewallRule/web", "from=") == ["from=any", "from=router", "from=lan", "from=wan"]
    assert complete("set", "FirewallRule/web", "from=l") == ["from=lan"]
    assert complete("set", "FirewallRule/web", "source.aliases=servers,s") == ["source.aliases=servers,servers-2"]
    assert str(revision(base)) in complete("revert", "")


def test_completion_is_quick(base):
    """A shell asks at each Tab: 50 ms are felt as at once."""
    base.apply("\n---\n".join(rule(f"rule-with-a-name-{i:04}", source={"addresses": ["192.0.2.1"]}) for i in range(1000)))
    times = []
    for _ in range(9):
        start = time.monotonic()
        words = base.ctl("complete", "--", "get", "FirewallRule/rule").stdout.split()
        times.append(time.monotonic() - start)
        assert len(words) == 1000
    assert min(times) < 0.05 * SLOWDOWN, times  # the others are those of a busy machine


# --- when somebody is not there -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def watching(lab, member):
    """Yields a function that waits until somebody called this method."""
    monitor = subprocess.Popen(["dbus-monitor", "--address", lab.bus, f"type='method_call',member='{member}'"], stdout=subprocess.PIPE, text=True)
    line = monitor.stdout.readline()  # its own NameAcquired: it watches now
    assert "NameAcquired" in line, line

    def wait():
        for line in monitor.stdout:
            if f"member={member}" in line:
                return

    try:
        yield wait
    finally:
        monitor.terminate()
        monitor.wait()


def test_daemon_that_dies_in_the_middle_leaves_the_outcome_open(lab):
    configd = lab.pid("configd")
    os.kill(configd, signal.SIGSTOP)
    with watching(lab, "Apply") as wait:
        client = subprocess.Popen([lab_module.build_dir() / "cli/patronusctl", "apply", "-f", "-"], env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus},
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        client.stdin.write(BASE)
        client.stdin.close()
        client.stdin = None
        wait()
        os.kill(configd, signal.SIGKILL)
        out, err = client.communicate(timeout=60)
    assert (client.returncode, out) == (3, "")
    assert "org.patronus.Config1 did not answer" in err
    assert 'not known; look with "patronusctl status"' in err
    done = lab.ctl("status", check=False)
    assert done.returncode == 3
    assert re.search(r"^configd +not running", done.stdout, re.M) and re.search(r"^filterd +running|^filterd +unconfigured", done.stdout, re.M)
    assert "systemctl status patronus-configd" in done.stderr


def test_strangers_are_refused(base):
    program = lab_module.build_dir() / "cli/patronusctl"
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*nobody, "test", "-x", program]).returncode:
        pytest.skip(f"nobody cannot run {program}")
    before = revision(base)
    done = subprocess.run([*nobody, program, "--bus", base.bus, "set", "Zone/wan", "masquerade=false"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: not allowed: ")
    assert revision(base) == before
