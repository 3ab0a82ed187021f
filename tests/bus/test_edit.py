# SPDX-License-Identifier: GPL-3.0-or-later
"""patronusctl edit: a scripted editor in place of the user, with the real daemons."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

import lab as lab_module
import shared_fixtures
import terminal

BASE = "---\n".join(f"apiVersion: patronus.firewall/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n" for kind, name, spec in (
    ("Zone", "lan", "{ interfaces: [lan] }"), ("Zone", "wan", "{ interfaces: [wan] }"),
    ("FirewallRule", "web", "{ action: allow, from: wan, to: lan, destination: { ports: [80, 443] } }"),
    ("FirewallRule", "ssh", "{ action: allow, from: wan, to: lan, destination: { ports: [22] } }")))

# One call of the editor a step; what it was shown is kept.
EDITOR = """n=$(($(cat "$DIR/n" 2>/dev/null) + 1))
echo $n > "$DIR/n"
cp "$1" "$DIR/seen.$n"
echo "$1" > "$DIR/path"
. "$DIR/step.$n"
"""


@pytest.fixture(scope="module")
def running(request):
    shared_fixtures.need_daemons()
    with lab_module.Lab(shared_fixtures.lab_name(request.node.nodeid)) as made:
        yield made


@pytest.fixture
def base(running):
    running.ctl("apply", "--replace", "-f", "-", stdin=BASE)
    return running


class Editing:
    """`edit` with an editor that does these shell scripts, one each time that it is called; "$1" is the file."""

    def __init__(self, lab, directory, steps):
        self.lab, self.directory = lab, directory
        for i, step in enumerate(steps, 1):
            (directory / f"step.{i}").write_text(step + "\n")
        (directory / "editor.sh").write_text(EDITOR)
        self.env = {**{name: value for name, value in os.environ.items() if name != "VISUAL"}, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus,
                    "EDITOR": f"sh {shlex.quote(str(directory / 'editor.sh'))}", "DIR": str(directory), "TMPDIR": str(directory),
                    "CTL": str(lab_module.build_dir() / "cli/patronusctl"), "TERM": "xterm", "NO_COLOR": "1"}

    def run(self, *args):
        return subprocess.run([self.env["CTL"], "edit", *args], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def seen(self, number):
        return (self.directory / f"seen.{number}").read_text()

    @property
    def calls(self):
        path = self.directory / "n"
        return int(path.read_text()) if path.exists() else 0

    @property
    def file(self):
        return pathlib.Path((self.directory / "path").read_text().strip())


@pytest.fixture
def edit(base, tmp_path):
    return lambda *steps: Editing(base, tmp_path, steps)


def get(lab, what):
    return json.loads(lab.ctl("get", what, "-o", "json").stdout)


def order(lab):
    rules = [json.loads(line) for line in lab.ctl("get", "FirewallRule", "-o", "json").stdout.splitlines()]
    return [rule["metadata"]["name"] for rule in sorted(rules, key=lambda rule: rule["metadata"]["position"])]


def revision(lab):
    return json.loads(lab.ctl("status", "-o", "json").stdout)["revision"]["number"]


def test_what_is_saved_is_in_force(base, edit):
    editing = edit("sed -i 's/80, 443/8080/' \"$1\"; stat -c %a \"$1\" > \"$DIR/mode\"")
    before = get(base, "FirewallRule/web")["metadata"]
    done = editing.run("FirewallRule/web", "-m", "other port")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("~ FirewallRule/web\nrevision ")
    web = get(base, "FirewallRule/web")
    assert web["spec"]["destination"] == {"ports": [8080]} and web["metadata"] == before
    assert "position" not in editing.seen(1) and "uid" not in editing.seen(1)
    assert (editing.directory / "mode").read_text() == "600\n" and not editing.file.exists()
    assert base.ctl("history", "--limit", "1").stdout.splitlines()[1].endswith("other port")


@pytest.mark.parametrize("what", ["FirewallRule/web", "FirewallRule/new", "FirewallRule", "FilterSettings", "Service/ssh", "Alias"])
def test_without_a_change_nothing_happens(base, edit, what):
    before = revision(base)
    editing = edit(":")
    done = editing.run(what)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing was changed: the text is as it was\n")
    assert revision(base) == before and editing.calls == 1 and not editing.file.exists()


def test_a_new_object_begins_with_all_that_it_can_say(base, edit):
    editing = edit("sed -i 's/^  # action: .*/  action: drop/; s/^  # protocol: .*/  protocol: udp/' \"$1\"")
    done = editing.run("firewallrules/no-udp")
    assert done.returncode == 0, done.stderr
    assert get(base, "FirewallRule/no-udp")["spec"] == {"action": "drop", "protocol": "udp"}
    skeleton = editing.seen(1)
    for line in ("  name: no-udp", "  ## Needed. What happens", "One of new, related, invalid, untracked.", "  # destination: { ports: [80, 443] }", "##   kind: FirewallRule"):
        assert line in skeleton, skeleton
    assert max(map(len, skeleton.splitlines())) <= 110


def test_skeletons_are_right_when_uncommented(base, edit):
    """Every example in every skeleton is a value that its field takes; what it goes with is another matter."""
    seen = 0
    for kind in ("FirewallRule", "NatRule", "Alias", "Service", "Zone", "FilterSettings"):
        editing = edit(":")
        (editing.directory / "n").unlink(missing_ok=True)
        editing.run(kind if kind == "FilterSettings" else f"{kind}/new")
        for field in re.findall(r"^  # (\w+: .*)$", editing.seen(1).partition("\nspec:")[2], re.M):
            path = editing.directory / "one.yaml"
            path.write_text(re.sub(r"(?ms)^spec:.*", f"spec:\n  {field}\n", editing.seen(1)))
            reply = json.loads(base.ctl("plan", "-o", "json", "-f", path, check=False).stdout)
            codes = {entry["code"] for entry in reply["diagnostics"]}
            assert not codes & {"unknown-field", "unknown-value", "wrong-type", "out-of-range", "syntax", "yaml-syntax"}, (field, codes)
            seen += 1
    assert seen > 30


def test_singleton_and_builtin(base, edit):
    editing = edit("sed -i 's/^  # logDefault: .*/  logDefault: true/' \"$1\"")
    assert editing.run("FilterSettings").returncode == 0
    assert get(base, "FilterSettings/default")["spec"] == {"logDefault": True}
    (editing.directory / "n").unlink()
    (editing.directory / "step.1").write_text("sed -i 's/22/2222/' \"$1\"\n")
    done = editing.run("Service/ssh")
    assert done.returncode == 0 and "takes its place" in editing.seen(1)
    assert get(base, "Service/ssh")["spec"]["tcp"] == [2222]


def test_errors_come_back_marked_until_they_are_mended(base, edit):
    before = revision(base)
    editing = edit("sed -i 's/allow/alow/; s/443/70000/' \"$1\"",          # what the types refuse
                   "sed -i 's/alow/drop/; s/70000/444/; s/to: lan/to: lann/' \"$1\"",  # what only configd can know
                   "printf 'x: y: z' >> \"$1\"; sed -i 's/lann/lan/' \"$1\"",  # no YAML at all
                   "sed -i '/^x: y/d' \"$1\"")
    done = editing.run("FirewallRule/web")
    assert done.returncode == 0 and editing.calls == 4, done.stderr
    assert get(base, "FirewallRule/web")["spec"]["action"] == "drop" and revision(base) == before + 1

    second = editing.seen(2).splitlines()
    assert second[0].startswith("#! Nothing was changed.")
    assert '#! error: FirewallRule/web /spec/action: unknown value "alow"; did you mean "allow"? (marked below)' in second
    at = second.index("  action: alow")
    assert second[at - 1] == '  #! unknown value "alow"; did you mean "allow"?'
    assert any(line.startswith("#! error: FirewallRule/web /spec/destination/ports/1: 70000 is out of range") for line in second)

    third = editing.seen(3).splitlines()
    assert third[third.index("  to: lann") - 1].startswith('  #! Zone "lann" does not exist')
    assert "alow" not in editing.seen(3)
    assert "#! error: " in editing.seen(4) and editing.seen(4).count("#! Nothing") == 1


def test_given_up_the_text_is_kept(base, edit):
    before = revision(base)
    editing = edit("sed -i 's/allow/alow/' \"$1\"", ":")
    done = editing.run("FirewallRule/web")
    assert done.returncode == 1 and revision(base) == before
    assert 'unknown value "alow"' in done.stderr
    assert done.stderr.endswith(f"nothing was changed; the text is in {editing.file}\n")
    assert "alow" in editing.file.read_text()
    # And can be gone on with: the lines are those of the file.
    line = int(re.search(rf"{editing.file}:(\d+):", done.stderr)[1])
    assert "alow" in editing.file.read_text().splitlines()[line - 1] and "#!" not in editing.file.read_text()
    text = editing.file.read_text().replace("action: alow", "action: drop")
    assert base.apply(text).stdout.startswith("~ FirewallRule/web\n")


def test_editor_that_fails(base, edit):
    editing = edit("sed -i 's/allow/drop/' \"$1\"; exit 3")
    done = editing.run("FirewallRule/web")
    assert done.returncode == 1 and 'the editor "sh" ended with code 3' in done.stderr and str(editing.file) in done.stderr
    assert get(base, "FirewallRule/web")["spec"]["action"] == "allow"
    editing.env["EDITOR"] = "/nonexistent/editor --wait"
    done = editing.run("FirewallRule/web")
    assert done.returncode == 1 and 'cannot run the editor "/nonexistent/editor": No such file' in done.stderr
    editing.env["EDITOR"] = "sh 'unclosed"
    assert "cannot be understood" in editing.run("FirewallRule/web").stderr


def test_no_editor_and_no_terminal(base, edit):
    editing = edit(":")
    del editing.env["EDITOR"]
    editing.env.pop("VISUAL", None)
    done = editing.run("Zone/lan")
    assert done.returncode == 1 and "there is no terminal to edit on; set $EDITOR" in done.stderr


def test_visual_goes_before_editor(base, edit):
    editing = edit(":")
    editing.env["VISUAL"], editing.env["EDITOR"] = editing.env["EDITOR"], "false"
    assert editing.run("Zone/lan").returncode == 0 and editing.calls == 1


def test_conflict_is_shown_and_edited_again(base, edit):
    editing = edit("\"$CTL\" set FirewallRule/web priority=9 && sed -i 's/443/444/' \"$1\"",
                   "grep -q 'priority: 9' \"$1\" && \"$CTL\" set Zone/lan metadata.description=else")
    done = editing.run("FirewallRule/web")
    assert done.returncode == 0 and editing.calls == 2, done.stderr
    second = editing.seen(2)
    assert "#! error: FirewallRule/web was changed by somebody else meanwhile (/spec/priority: none -> 9)" in second and "#!     priority: 9" in second
    # Saved as it is, it replaces; what others did to other objects is no conflict.
    assert "priority" not in get(base, "FirewallRule/web")["spec"] and get(base, "FirewallRule/web")["spec"]["destination"]["ports"] == [80, 444]
    assert get(base, "Zone/lan")["metadata"]["description"] == "else"


@pytest.mark.parametrize("answer, status, ports, priority", [("m", 0, [80, 444], None), ("t", 1, [80, 443], 9), ("e", 0, [80, 445], None)])
def test_conflict_is_asked_about_on_a_terminal(base, edit, answer, status, ports, priority):
    editing = edit("\"$CTL\" set FirewallRule/web priority=9 && sed -i 's/443/444/' \"$1\"", "sed -i 's/444/445/' \"$1\"")
    with terminal.opened([editing.env["CTL"], "edit", "FirewallRule/web"], env=editing.env) as screen:
        screen.wait_for("[e]dit it again, put [m]ine over theirs, or leave [t]heirs? [E/m/t] ")
        assert "(/spec/priority: none -> 9)" in screen.text
        screen.type(answer + "\r")
        left, text = screen.finish()
    assert left == status, text
    spec = get(base, "FirewallRule/web")["spec"]
    assert (spec["destination"]["ports"], spec.get("priority")) == (ports, priority)
    assert ("nothing was changed; the text is in" in text) == (answer == "t")


def test_object_that_appeared_meanwhile(base, edit):
    editing = edit("\"$CTL\" set FirewallRule/new action=reject && sed -i 's/^  # action: .*/  action: drop/' \"$1\"", ":")
    done = editing.run("FirewallRule/new")
    assert done.returncode == 0 and "action: reject" in editing.seen(2) and get(base, "FirewallRule/new")["spec"]["action"] == "drop"


def test_all_of_a_kind_and_their_order(base, edit):
    editing = edit("""python3 - "$1" <<'PY'
import sys
text = open(sys.argv[1]).read()
first, second = text.split("---\\n")[1:]
open(sys.argv[1], "w").write("---\\n" + second + "---\\n" + first.replace("443", "444"))
PY""")
    assert order(base) == ["web", "ssh"]
    done = editing.run("FirewallRule")
    assert done.returncode == 0, done.stderr
    assert order(base) == ["ssh", "web"] and get(base, "FirewallRule/web")["spec"]["destination"]["ports"] == [80, 444]


REMOVE_SSH = """python3 - "$1" <<'PY'
import sys
documents = open(sys.argv[1]).read().split("---\\n")
open(sys.argv[1], "w").write("---\\n".join(document for document in documents if "name: ssh" not in document))
PY"""


def test_a_document_that_is_gone_is_deleted_only_on_demand(base, edit):
    editing = edit(REMOVE_SSH, ":")
    done = editing.run("FirewallRule")
    assert done.returncode == 1 and "FirewallRule/ssh is gone from the text: put it back, or say --delete" in done.stderr
    assert order(base) == ["web", "ssh"]
    (editing.directory / "n").unlink()
    done = editing.run("FirewallRule", "--delete")
    assert done.returncode == 0 and done.stdout.startswith("- FirewallRule/ssh\n") and order(base) == ["web"]


@pytest.mark.parametrize("answer, left", [("y", ["web"]), ("n", ["web", "ssh"])])
def test_deletion_is_asked_about_on_a_terminal(base, edit, answer, left):
    editing = edit(REMOVE_SSH, ":")
    with terminal.opened([editing.env["CTL"], "edit", "FirewallRule"], env=editing.env) as screen:
        screen.wait_for("- FirewallRule/ssh\ndelete what is no longer in the text? [y/N] ")
        screen.type(answer + "\r")
        status, _ = screen.finish()
    assert status == (0 if answer == "y" else 1) and order(base) == left


def test_interrupt_is_the_editors(base, edit):
    """Ctrl-C in the editor does not end patronusctl under it, and the terminal is afterwards as it was."""
    editing = edit("trap 'sed -i s/443/444/ \"$1\"; exit 0' INT; stty -echo; echo waiting > /dev/tty; read answer < /dev/tty")
    with terminal.opened([editing.env["CTL"], "edit", "FirewallRule/web"], env=editing.env) as screen:
        screen.wait_for("waiting")
        screen.type("\x03")
        screen.wait_for("is in force")
        status, _ = screen.finish()
    assert status == 0 and get(base, "FirewallRule/web")["spec"]["destination"]["ports"] == [80, 444]


def test_terminal_is_restored_after_an_editor_that_was_killed(base, edit):
    editing = edit("stty -echo raw; kill -KILL $$")
    script = f"stty -a > {editing.directory}/before; \"$CTL\" edit Zone/lan; stty -a > {editing.directory}/after"
    with terminal.opened(["sh", "-c", script], env=editing.env) as screen:
        _, text = screen.finish()
    assert "ended by signal 9" in text
    assert (editing.directory / "before").read_text() == (editing.directory / "after").read_text()


def test_dry_run(base, edit):
    before = revision(base)
    done = edit("sed -i 's/443/444/' \"$1\"").run("FirewallRule/web", "--dry-run")
    assert done.returncode == 0 and done.stdout.endswith("nothing was changed: this was a trial (1 updated)\n") and revision(base) == before


def test_daemon_that_goes_away_does_not_cost_the_text(lab, tmp_path):
    editing = Editing(lab, tmp_path, [f"kill -9 {lab.pid('configd')}; sed -i 's/^  # interfaces: .*/  interfaces: [eth7]/' \"$1\""])
    done = editing.run("Zone/new")
    assert done.returncode == 3 and "eth7" in editing.file.read_text() and str(editing.file) in done.stderr
