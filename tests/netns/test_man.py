# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command line that a man page shows runs, and every object that one shows is accepted."""

import contextlib
import os
import re
import subprocess

import pytest

import lab as lab_module
import shared_fixtures
from login import Login

BASE = "---\n".join(f"apiVersion: patronus.firewall/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n" for kind, name, spec in (
    ("Zone", "lan", "{ interfaces: [lan] }"), ("Zone", "wan", "{ interfaces: [wan] }"), ("Zone", "dmz", "{ interfaces: [dmz] }"),
    ("FirewallRule", "web", "{ action: allow, from: wan, to: dmz, priority: 7, destination: { ports: [80] } }"),
    ("Zone", "guest", "{ interfaces: [guest] }"), ("Alias", "guests", "{ type: host, external: true }"), ("Alias", "bad-hosts", "{ type: host, names: [bad.example.net] }"),
    ("FirewallRule", "bad", "{ action: drop, priority: 5, from: wan, to: lan, source: { aliases: [bad-hosts] } }"),
    ("FirewallRule", "ssh", "{ action: allow, from: lan, to: router, priority: 7, destination: { ports: [22] } }")))


def literals(page):
    """What a page shows between .nf and .fi, as a reader sees it."""
    for block in re.findall(r"^\.nf\n(.*?)^\.fi$", page, re.M | re.S):
        yield block.replace(r"\&", "").replace(r"\-", "-").replace(r"\e", "\\")


def program_page(build):
    return subprocess.run([build / "cli/patronusctl", "man"], capture_output=True, text=True, check=True).stdout


EXAMPLES = [line for block in literals(program_page(lab_module.build_dir())) for line in block.splitlines()]


@pytest.fixture(scope="module")
def running(request):
    shared_fixtures.need_daemons()
    with lab_module.Lab(shared_fixtures.lab_name(request.node.nodeid)) as made:
        for i in range(8):  # revisions to compare and to bring back
            made.apply(BASE.replace("[80]", f"[{80 + i}]"))
        yield made


@pytest.fixture
def base(running):
    running.ctl("apply", "--replace", "-f", "-", stdin=BASE)
    return running


@pytest.fixture
def folder(tmp_path):
    """The files that the examples name."""
    (tmp_path / "policy.yaml").write_text(BASE.replace("[80]", "[8443]"))
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d/10-all.yaml").write_text(BASE)
    (tmp_path / "packets.jsonl").write_text('{"from": "lan", "src": "10.2.0.2", "dst": "10.2.0.1", "proto": "tcp", "dport": 22}\n')
    (tmp_path / "blocklist.txt").write_text("192.0.2.1\n198.51.100.0/24\n")
    return tmp_path


def test_the_page_has_examples():
    assert len(EXAMPLES) > 20 and all(line.startswith("patronusctl ") for line in EXAMPLES)


# xdist takes "::" in a name, as addresses have it, for another scope: the lab would be shared by two processes.
@pytest.mark.parametrize("line", EXAMPLES, ids=[re.sub(r"[^A-Za-z0-9]+", "-", line) for line in EXAMPLES])
def test_example(base, folder, line):
    digest = base.ctl("dataset", "put", folder / "blocklist.txt").stdout.strip()
    command = line.replace("/etc/patronus/policy.d", str(folder / "policy.d")).replace("3f0a12", digest[:12])
    env = {**base.env, "DBUS_SYSTEM_BUS_ADDRESS": base.bus, "EDITOR": "sed -i s/spec:/spec:/", "PATH":
           f"{lab_module.build_dir() / 'cli'}:{os.environ['PATH']}"}
    watches = "--watch" in line or "--follow" in line  # until somebody ends it
    waits = "--confirm" in line  # it is left to wait for a confirmation
    asks = " filter why " in line and "--batch" not in line  # the exit code is the answer: 0 allow, 6 drop, 7 reject
    if line == "patronusctl confirm":
        base.ctl("apply", "-f", folder / "policy.yaml", "--confirm", "60", check=False)
        with contextlib.closing(Login(folder, env)) as newer:
            assert newer.run(*line.split())[0] == 0
        return
    run = ["timeout", "--preserve-status", "-s", "INT", "3"] if watches else []
    done = subprocess.run([*run, "sh", "-ec", command], cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode in ((0, 130, -2) if watches else (4,) if waits else (0, 6, 7) if asks else (0,)), f"{command}\n{done.stdout}{done.stderr}"
    assert "error" not in done.stderr
    if waits:
        base.ctl("revert", re.search("back to revision ([0-9]+)", base.ctl("status").stdout).group(1))


def test_objects_of_the_kinds_pages(base, folder):
    subprocess.run([lab_module.build_dir() / "cli/patronusctl", "man", folder / "man5"], check=True)
    pages = sorted((folder / "man5").glob("patronus-*.5"))
    assert len(pages) > 5
    for page in pages:
        for block in literals(page.read_text()):
            done = base.ctl("apply", "-f", "-", stdin=block, check=False)
            assert done.returncode == 0, f"{page.name}: {done.stderr}"
