# SPDX-License-Identifier: GPL-3.0-or-later
"""What patronusctl says without any daemon: help, usage errors, explain, schema, completion.

UPDATE_GOLDEN=1 writes cli/*.txt anew. What the kind tables say is not a golden: adding a field is not a change of the client.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

import terminal

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = pathlib.Path(__file__).parent / "cli"
NOWHERE = "unix:path=/nonexistent/bus"
COMMANDS = ["apply", "plan", "get", "set", "edit", "delete", "rename", "move", "diff", "history", "audit", "revert", "confirm", "export", "status",
            "dataset put", "dataset list", "dataset show", "dataset delete", "filter connections", "filter top", "filter log", "filter ban", "filter unban",
            "filter bans", "filter why", "filter alias", "filter aliases", "filter refresh", "filter add", "filter remove", "filter entries", "filter open", "filter close", "filter openings", "filter panic", "filter drift", "filter servers", "filter nat64", "filter counters", "explain", "schema",
            "help"]


@pytest.fixture(scope="session")
def ctl(build_dir):
    def run(*args, **options):
        env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": NOWHERE, "LC_ALL": "C.UTF-8"}
        return subprocess.run([build_dir / "cli/patronusctl", *args], env=env, capture_output=True, text=True, **options)

    return run


@pytest.fixture(scope="session")
def kinds(ctl):
    return [json.loads(line) for line in ctl("explain", "-o", "json").stdout.splitlines()]


def same(name, text):
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path} differs; if that is meant: UPDATE_GOLDEN=1"


# --- help ---------------------------------------------------------------------------------------------------------------


def test_help(ctl):
    done = ctl("--help")
    assert done.returncode == 0
    same("help.txt", done.stdout)
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.stdout, re.M)


@pytest.mark.parametrize("words", (("help", "filter"), ("filter", "--help")))
def test_help_of_a_group(ctl, words):
    """The commands that begin with a word."""
    done = ctl(*words)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("usage: patronusctl filter COMMAND\n")
    listed = re.findall(r"^  (filter [a-z]+) +[A-Z]", done.stdout, re.M)
    assert listed == re.findall(r"^  (filter [a-z]+) ", ctl("--help").stdout, re.M)
    assert ctl("filter").returncode == 2 and ctl("help", "filte").returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(ctl, command):
    done = ctl("help", *command.split())
    assert done.returncode == 0
    same(f"help-{command.replace(' ', '-')}.txt", done.stdout)
    assert ctl(*command.split(), "--help").stdout == done.stdout
    assert ctl("-h", *command.split()).stdout == done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_no_command_is_a_usage_error(ctl):
    done = ctl()
    assert (done.returncode, done.stdout) == (2, "")
    same("no-command.txt", done.stderr)
    assert len(done.stderr.splitlines()) < 20, "a short screen"


def test_version(ctl):
    done = ctl("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"patronusctl \d+\.\d+\.\d+\n", done.stdout)


def formatted(page):
    """The page as man shows it; nothing in it is amiss."""
    for width in ("80", "120"):
        done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env={**os.environ, "MANWIDTH": width})
        assert (done.returncode, done.stderr) == (0, ""), page
    found = subprocess.run(["lexgrog", page], capture_output=True, text=True)
    assert found.returncode == 0 and f'"{page.stem} - ' in found.stdout, "whatis finds it"
    return done.stdout


def test_man_page_names_all_and_formats(ctl, tmp_path):
    page = tmp_path / "patronusctl.8"
    page.write_text(ctl("man").stdout)
    text = formatted(page)
    for command in COMMANDS:
        assert re.search(rf"^   {command}$", text, re.M), command
    for option in re.findall(r"--[a-z-]+", (GOLDEN / "help-apply.txt").read_text()):
        assert option in text
    for code in ("0", "1", "2", "3", "130"):
        assert re.search(rf"^       {code} ", text.partition("EXIT STATUS")[2], re.M)


def test_man_pages_of_kinds(ctl, kinds, tmp_path):
    assert ctl("man", tmp_path / "man5").returncode == 0
    pages = {page.name: formatted(page) for page in (tmp_path / "man5").iterdir()}
    assert set(pages) == {"patronus-kinds.5", *(f"patronus-{kind['kind'].lower()}.5" for kind in kinds)}
    for kind in kinds:
        text = pages[f"patronus-{kind['kind'].lower()}.5"]
        assert f"patronus-{kind['kind'].lower()}(5)" in pages["patronus-kinds.5"]
        for path, _ in leaves(json.loads(ctl("schema", kind["kind"]).stdout)["properties"]["spec"]):
            assert re.search(rf"^ +{re.escape(path)}( |$)", text, re.M), path
        assert f"kind: {kind['kind']}\n" in text.partition("EXAMPLE")[2]
    services = pages["patronus-service.5"].partition("BUILT IN")[2]
    assert all(re.search(rf"^ +{name}\b", services, re.M) for name in ("ssh", "https", "wireguard"))
    full = ctl("man", "/proc/nonexistent/man5")
    assert full.returncode == 1 and "/proc/nonexistent" in full.stderr


# --- the command line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, says", [
    ("aply -f x", 'unknown command "aply"; did you mean "apply"?'),
    ("filter", 'unknown command "filter"; after "filter" comes one of '),
    ("filter nonsense", 'unknown command "filter nonsense"; after "filter" comes one of '),
    ("fitler counters", 'did you mean "filter counters"?'),
    ("filter", 'unknown command "filter"; after "filter" comes one of '),
    ("help hisotry", 'did you mean "history"?'),
    ("get zonez", 'unknown kind "zonez"; did you mean zones?'),
    ("filter countrs", 'did you mean "filter counters"?'),
    ("apply", '"apply" needs --file FILE|DIR|-'),
    ("apply -f", "--file needs a value"),
    ("apply -f a -f b", "--file is given twice"),
    ("apply -f a --replcae", "unknown option --replcae; did you mean --replace?"),
    ("apply -f a -x", "unknown option -x"),
    ("apply -f a --replace=1", "--replace takes no value"),
    ("apply -f a --replace --set x", "exclude each other"),
    ("apply -f a --set -x", "cannot name a set"),
    ("apply -f a b", 'does not take the argument "b"'),
    ("get", '"get" needs an argument'),
    ("get -o xml zones", '--output is one of table|wide|yaml|json, not "xml"'),
    ("get --color yes zones", '--color is one of auto|always|never, not "yes"'),
    ("get --replace zones", '"get" does not take --replace'),
    ("get FirewalRule", 'unknown kind "FirewalRule"; did you mean FirewallRule?'),
    ("get Zone/UPPER", '"Zone/UPPER" is not KIND/NAME'),
    ("set Zone/lan", '"set" needs more arguments'),
    ("set Zone/lan masquerade", "is not FIELD=VALUE"),
    ("set Zone/lan metadata.name=x", "metadata.description=TEXT"),
    ("delete Zone", '"Zone" is not KIND/NAME'),
    ("revert x", '"x" is not a revision'),
    ("revert 0", '"0" is not a revision'),
    ("revert 1 2", 'does not take the argument "2"'),
    ("diff 1 2 3", 'does not take the argument "3"'),
    ("diff -f x 1", "not both"),
    ("history --limit 0", "--limit is a number from 1"),
    ("export -o table", "export prints yaml or json"),
    ("export --kind Zone,Nothing", 'unknown kind "Nothing"'),
    ("filter connections portt=1", '"portt=1" is not FIELD=VALUE of a connection; did you mean "port"?'),
    ("filter connections 10.0.0.1", '"10.0.0.1" is not FIELD=VALUE of a connection'),
    ("filter connections source=10.0.0", "/source"),
    ("filter connections state=estab", "/state"),
    ("filter ban", '"filter ban" needs an argument'),
    ("filter ban 192.0.2.1 --for 30", '"30" is no time; write a number with'),
    ("filter ban 192.0.2.1 --for 367d", "at most 366d"),
    ("filter unban", "takes either addresses or --all"),
    ("filter unban --all 192.0.2.1", "takes either addresses or --all"),
    ("filter counters --watch 1ms", '"1ms" is no time to wait'),
    ("filter counters --kind Nothing", 'unknown kind "Nothing"'),
    ("filter connections --kill", "--kill needs a condition"),
    ("filter connections --limit x", "--limit is a number from 1"),
    ("explain FirewallRule.prioritty", "priority"),
    ("schema Nothing", 'unknown kind "Nothing"'),
    ("help nothing", 'unknown command "nothing"'),
])
def test_usage_errors(ctl, line, says):
    done = ctl(*line.split())
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and says in done.stderr


@pytest.mark.parametrize("line", ["-o json explain", "explain -o json", "explain --output json", "explain --output=json", "explain -ojson",
                                  "-o json -- explain"])
def test_options_stand_anywhere(ctl, line):
    done = ctl(*line.split())
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0])["kind"]


@pytest.mark.parametrize("line, place", [
    ("set FirewallRule/web priority=70000", "FirewallRule/web /spec/priority: "),
    ("set FirewallRule/web destination.ports=80,70000", "FirewallRule/web /spec/destination/ports/1: "),
    ("set FirewallRule/web prioritty=1", "priority"),
    ("set FirewallRule/web action=alow", "allow"),
])
def test_set_refuses_bad_values_before_it_looks_for_a_bus(ctl, line, place):
    done = ctl(*line.split())
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and place in done.stderr
    assert done.stderr.endswith("\nnothing was changed\n")


@pytest.mark.parametrize("line", ["status", "get zones", "apply -f -", "history", "filter connections", "filter counters", "set Zone/lan masquerade=true"])
def test_no_bus(ctl, line):
    done = ctl(*line.split(), input="")
    assert done.returncode == 3
    assert done.stdout == ""
    assert NOWHERE in done.stderr and "dbus" in done.stderr


@pytest.mark.parametrize("line", ["status", "get zones", "filter counters", "history"])
def test_no_service_on_the_bus(ctl, private_bus, line):
    done = ctl("--bus", private_bus, *line.split())
    assert done.returncode == 3
    assert re.search(r"org\.patronus\.(Config|Filter)1 is not on the bus at unix:path=.*systemctl status patronus-(config|filter)d", done.stderr)


def test_input_that_cannot_be_read(ctl, tmp_path):
    done = ctl("apply", "-f", tmp_path / "absent.yaml")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/absent.yaml: No such file or directory\nnothing was changed\n"
    done = ctl("apply", "-f", tmp_path)
    assert done.returncode == 1
    assert "no *.yaml, *.yml or *.json" in done.stderr
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(200 << 20)
    done = ctl("apply", "-f", huge)
    assert done.returncode == 1
    assert "larger than 128 MiB" in done.stderr
    with huge.open("rb") as file:
        assert "larger than 128 MiB" in ctl("apply", "-f", "-", stdin=file).stderr


def test_full_disk_is_an_error(ctl, build_dir):
    with open("/dev/full", "w") as full:
        done = subprocess.run([build_dir / "cli/patronusctl", "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def on_a_terminal(build_dir, *args, size=(24, 100), stream="stdout", returncode=0, **environment):
    """What it prints when its standard output (or standard error) is a terminal of so many rows and columns."""
    env = {**{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}, "TERM": "xterm", **environment}
    status, text = terminal.run([build_dir / "cli/patronusctl", *args], size=size, streams=[stream], env=env)
    assert status == returncode, text
    return text


def test_colours_only_where_they_are_wanted(ctl, build_dir):
    assert "\x1b[1mKIND" in on_a_terminal(build_dir, "explain")
    assert "\x1b" not in on_a_terminal(build_dir, "explain", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(build_dir, "explain", TERM="dumb")
    assert "\x1b" not in on_a_terminal(build_dir, "explain", "--color=never")
    assert "\x1b[1mKIND" in on_a_terminal(build_dir, "explain", "--color", "always", NO_COLOR="1")
    assert "\x1b" not in ctl("explain").stdout
    assert "\x1b[1mKIND" in ctl("explain", "--color=always").stdout
    assert "\x1b" not in ctl("explain", "--color=auto").stdout


def test_errors_are_bold_red_on_a_terminal(ctl, build_dir):
    assert on_a_terminal(build_dir, "get", "Zonee", stream="stderr", returncode=2).startswith("\x1b[1;31merror:\x1b[0m unknown kind")
    assert ctl("get", "Zonee").stderr.startswith("error: unknown kind")


def test_tables_fit_the_terminal(ctl, build_dir):
    whole = ctl("explain").stdout.splitlines()
    assert max(map(len, whole)) > 100, "else this shows nothing"
    for columns in (100, 72, 50, 30):
        lines = on_a_terminal(build_dir, "explain", size=(24, columns), NO_COLOR="1").splitlines()
        assert len(lines) == len(whole) and max(map(len, lines)) <= columns
        assert any(line.endswith("\u2026") for line in lines)
        assert columns < 50 or all(line.split()[:2] == other.split()[:2] for line, other in zip(lines, whole)), "narrow columns are whole"
    assert on_a_terminal(build_dir, "explain", COLUMNS="400", NO_COLOR="1").splitlines() == whole
    assert on_a_terminal(build_dir, "explain", "-o", "wide", NO_COLOR="1").splitlines() == whole
    assert len(max(on_a_terminal(build_dir, "explain", size=(0, 0), NO_COLOR="1").splitlines(), key=len)) == 80
    assert ctl("explain", "-o", "wide").stdout.splitlines() == whole


# --- the tables ---------------------------------------------------------------------------------------------------------


def leaves(schema, path=()):
    """Dotted paths of all fields in a kind's schema, with their schemas."""
    for name, field in schema.get("properties", {}).items():
        yield ".".join((*path, name)), field
        yield from leaves(field, (*path, name))


def test_explain_lists_the_kinds(ctl, kinds):
    done = ctl("explain")
    assert done.returncode == 0
    assert [kind["kind"] for kind in kinds] == sorted(kind["kind"] for kind in kinds)
    for kind in kinds:
        assert re.search(rf"^{kind['kind']} +{kind['plural']} +\S", done.stdout, re.M)


def test_explain_knows_all_that_the_schema_knows(ctl, kinds):
    for kind in kinds:
        name = kind["kind"]
        spec = json.loads(ctl("schema", name).stdout)["properties"]["spec"]
        whole = ctl("explain", name)
        assert whole.returncode == 0 and kind["description"].split(".")[0] in " ".join(whole.stdout.split())
        for path, field in leaves(spec):
            done = ctl("explain", f"{name}.{path}")
            assert done.returncode == 0, f"{name}.{path}: {done.stderr}"
            assert field["description"].split(".")[0] in " ".join(done.stdout.split())
        assert ctl("explain", kind["plural"]).stdout == whole.stdout


def test_examples_of_fields_are_what_set_takes(ctl, kinds):
    """`explain` shows a command line for each field: it is right as far as can be said without a daemon."""
    seen = 0
    for kind in kinds:
        for path, _ in leaves(json.loads(ctl("schema", kind["kind"]).stdout)["properties"]["spec"]):
            explained = ctl("explain", f"{kind['kind']}.{path}").stdout
            for line in re.findall(r"^  patronusctl (set .*)$", explained, re.M):
                done = ctl(*shlex.split(line.replace("/NAME", "/x")))
                assert done.returncode == 3, f"{line}: {done.stderr}"
                seen += 1
    assert seen > 30


def test_builtin_objects_are_there_without_a_daemon(ctl):
    lines = ctl("get", "services", "--builtin").stdout.splitlines()
    assert lines[0].split()[0] == "NAME" and any(line.startswith("ssh ") for line in lines)
    ssh = json.loads(ctl("get", "Service/ssh", "--builtin", "-o", "json").stdout)
    assert ssh["metadata"]["name"] == "ssh" and ssh["spec"]["tcp"] == [22]
    done = ctl("get", "zones", "--builtin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no Zone is built in\n")
    done = ctl("get", "Service/nothing-like-it", "--builtin")
    assert done.returncode == 1 and 'no Service "nothing-like-it" is built in' in done.stderr


def test_schema(ctl, kinds):
    done = ctl("schema", "-o", "json")
    schema = json.loads(done.stdout)
    assert set(schema["$defs"]) >= {kind["kind"] for kind in kinds}
    assert done.stdout.count("\n") == 1
    assert json.loads(ctl("schema").stdout) == schema
    assert ctl("schema", "-o", "yaml").stdout.startswith("---\n")


# --- completion ---------------------------------------------------------------------------------------------------------


def complete(ctl, line):
    """What a shell would ask for this line."""
    words = line.split(" ")[1:]
    done = ctl("complete", "--", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_complete_commands_and_options(ctl):
    assert complete(ctl, "patronusctl ap") == ["apply"]
    assert set(complete(ctl, "patronusctl ")) == {command.split()[0] for command in COMMANDS}
    assert complete(ctl, "patronusctl filter ") == ["connections", "top", "log", "ban", "unban", "bans", "why", "alias", "aliases", "refresh", "add", "remove", "entries", "open", "close", "openings", "panic", "drift", "servers", "nat64", "counters"]
    assert complete(ctl, "patronusctl help fil") == ["filter"]
    assert complete(ctl, "patronusctl help filter cou") == ["counters"]
    assert complete(ctl, "patronusctl filter connections ass") == ["assured="]
    assert complete(ctl, "patronusctl filter connections state=es") == ["state=established"]
    assert complete(ctl, "patronusctl filter top --by s") == ["source", "service"]
    assert complete(ctl, "patronusctl filter top --what=b") == ["--what=bytes"]
    assert complete(ctl, "patronusctl apply --r") == ["--replace"]
    assert "--replace" not in complete(ctl, "patronusctl get --")
    assert complete(ctl, "patronusctl get -o ") == ["table", "wide", "yaml", "json"]
    assert complete(ctl, "patronusctl get --color=a") == ["--color=auto", "--color=always"]
    assert complete(ctl, "patronusctl get --output=j") == ["--output=json"]
    assert complete(ctl, "patronusctl apply -f ") == [":files"]


def test_complete_kinds_and_fields(ctl, kinds):
    assert complete(ctl, "patronusctl schema ") == [kind["kind"] for kind in kinds]
    assert complete(ctl, "patronusctl export --kind Fir") == ["FirewallRule"]
    assert complete(ctl, "patronusctl delete Zo") == ["Zone/"]
    assert "FirewallRule.priority" in complete(ctl, "patronusctl explain FirewallRule.pr")
    assert "priority=" in complete(ctl, "patronusctl set FirewallRule/web pr")
    assert set(complete(ctl, "patronusctl set FirewallRule/web action=")) == {"action=allow", "action=drop", "action=reject", "action=continue"}
    assert complete(ctl, "patronusctl set FirewallRule/web priority=1 action=dr") == ["action=drop"]
    assert "destination.ports=" in complete(ctl, "patronusctl set FirewallRule/web destination.")


def test_complete_lists_and_references(ctl):
    assert complete(ctl, "patronusctl set FirewallRule/web states=new,inv") == ["states=new,invalid"]
    assert complete(ctl, "patronusctl set FirewallRule/web services=ssh,htt") == [f"services=ssh,{name}" for name in ("http", "http3", "https")]
    assert complete(ctl, "patronusctl set FirewallRule/web services=http,http") == ["services=http,http3", "services=http,https"]
    assert complete(ctl, "patronusctl set FirewallRule/web from=ro") == ["from=router"]
    assert "source.aliases=" in complete(ctl, "patronusctl set FirewallRule/web source.a")
    assert "lo" in [word.partition("=")[2] for word in complete(ctl, "patronusctl set Zone/lan interfaces=l")]
    assert complete(ctl, "patronusctl export --kind Zone,Fir") == ["Zone,FirewallRule"]
    assert complete(ctl, "patronusctl get Service/htt") == ["Service/http", "Service/http3", "Service/https"]
    assert complete(ctl, "patronusctl delete Service/htt") == []


def test_complete_singletons(ctl):
    assert complete(ctl, "patronusctl set Filt") == ["FilterSettings"]
    assert complete(ctl, "patronusctl set FilterSettings logD") == ["logDefault="]


def test_complete_is_silent_without_a_bus(ctl):
    assert complete(ctl, "patronusctl get Zone/") == []


BASH = r"""
. /usr/share/bash-completion/bash_completion
. "$ROOT/cli/completion/patronusctl"
compopt() { printf 'option %s\n' "${@: -1}"; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE}
_patronusctl
printf '%s\n' "${COMPREPLY[@]}"
"""


def bash_completes(build_dir, line):
    """The completion function under bash, with the words that readline makes of the line."""
    words = re.findall(r"[=:]+|[^ =:]+", line)
    if line.endswith((" ", "=")):
        words.append("")
    words[0] = str(build_dir / "cli/patronusctl")
    env = {**os.environ, "ROOT": str(ROOT), "LINE": line.replace("patronusctl", words[0], 1), "DBUS_SYSTEM_BUS_ADDRESS": NOWHERE}
    done = subprocess.run(["bash", "-c", BASH, "bash", *words], env=env, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("line, candidates", [
    ("patronusctl hist", ["history"]),
    ("patronusctl set FirewallRule/web act", ["option nospace", "action="]),
    ("patronusctl set FirewallRule/web action=a", ["allow"]),
    ("patronusctl set FirewallRule/web action=", ["allow", "drop", "reject", "continue"]),
    ("patronusctl get --output=y", ["yaml"]),
    ("patronusctl delete Zo", ["option nospace", "Zone/"]),
    ("patronusctl apply -f cli/completion/REA", ["option filenames", "cli/completion/README.md"]),
])
def test_bash_completion(build_dir, line, candidates):
    assert bash_completes(build_dir, line) == candidates


def pty_shell_completes(build_dir, tmp_path, shell, line):
    """What a real interactive shell makes of the line when Tab is pressed, the program being on its path."""
    env = {"PATH": f"{build_dir / 'cli'}:{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8",
           "DBUS_SYSTEM_BUS_ADDRESS": NOWHERE, "ROOT": str(ROOT)}
    if shell == "fish":
        script = f"source {ROOT}/cli/completion/patronusctl.fish; complete --do-complete '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()
    (tmp_path / ".zshrc").write_text(f"fpath=({ROOT}/cli/completion $fpath)\nautoload -Uz compinit && compinit -u -D\nPS1='ready> '\n"
                                     "zstyle ':completion:*' list-prompt ''\n")
    with terminal.opened(["zsh", "-i"], env=env, size=(50, 150)) as shell_terminal:
        shell_terminal.wait_for("ready> ")
        shell_terminal.type(f"{line}\t")
        # The widget ran when what it inserted is there: the line is then printed as the shell has it.
        shell_terminal.type("\x01print -r -- got: \r")
        shell_terminal.wait_for("\ngot: ")
        shell_terminal.type("exit\r")
        _, text = shell_terminal.finish()
        return re.search(r"^got: (.*?)\r?$", text, re.M)[1].split()


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_other_shells(build_dir, tmp_path, shell):
    whole = {"fish": lambda words, line: words, "zsh": lambda words, line: words[-1:]}[shell]
    for line, candidate in (("patronusctl hist", "history"), ("patronusctl set FirewallRule/web act", "action="),
                            ("patronusctl set FirewallRule/web action=al", "action=allow"), ("patronusctl delete Zo", "Zone/"),
                            ("patronusctl get --output=y", "--output=yaml")):
        assert whole(pty_shell_completes(build_dir, tmp_path, shell, line), line) == [candidate], line
