# SPDX-License-Identifier: GPL-3.0-or-later
"""dbus-interfaces/*.xml are what the binaries say about themselves: an interface does not change unnoticed."""

import pathlib
import subprocess
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "dbus-interfaces"
DAEMONS = sorted(path.parent.name for path in ROOT.glob("daemons/*/main.c"))


def introspect(build_dir, daemon):
    program = build_dir / "daemons" / daemon / f"patronus-{daemon}"
    assert program.exists(), f"{program} is missing: build it, or set PATRONUS_BUILD"
    result = subprocess.run([program, "--introspect"], capture_output=True, text=True, timeout=20)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("daemon", DAEMONS)
def test_interfaces_are_the_golden_ones(build_dir, daemon):
    golden = GOLDENS / f"patronus-{daemon}.xml"
    told = introspect(build_dir, daemon)
    assert told == (golden.read_text() if golden.exists() else ""), \
        f"if that is meant: build/daemons/{daemon}/patronus-{daemon} --introspect > {golden.relative_to(ROOT)}"


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_daemon_has_what_all_have(build_dir, daemon):
    names = {node.get("name") for node in xml.etree.ElementTree.fromstring(introspect(build_dir, daemon)).iter("interface")}
    assert {"org.patronus.Daemon1", "org.freedesktop.LogControl1"} <= names


def test_there_is_no_golden_without_a_daemon():
    assert {path.stem for path in GOLDENS.glob("*.xml")} <= {f"patronus-{daemon}" for daemon in DAEMONS}
