# SPDX-License-Identifier: GPL-3.0-or-later
"""The service units: systemd understands every line, and what they expose stays below a ceiling."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# systemd-analyze's exposure times ten; filterd's is its CAP_NET_ADMIN and the host's network, patronus-firewall's that it asks as root; of
# patronus-nat64 it is CAP_NET_ADMIN, the host's network and a device.
CEILINGS = {"patronus-configd": 6, "patronus-filterd": 11, "patronus-filterd-early": 11, "patronus-firewall": 7,
            "patronus-fetch@": 16, "patronus-nat64": 15, "patronus-probe@": 16}

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def unit_path(build_dir, name):
    path = build_dir / "units" / f"{name}.service"
    assert path.exists(), f"{path} is missing: build it, or set PATRONUS_BUILD"
    return path


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


def test_every_unit_has_a_ceiling():
    assert {path.name.removesuffix(".service.in") for path in (ROOT / "units/systemd").glob("*.in")} == set(CEILINGS)


@pytest.mark.parametrize("name", CEILINGS)
def test_exposure(build_dir, name):
    result = analyze("security", "--offline=yes", f"--threshold={CEILINGS[name]}", unit_path(build_dir, name))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", CEILINGS)
def test_every_line_is_understood(build_dir, name):
    result = analyze("verify", "--man=no", unit_path(build_dir, name))
    # It is not installed where it will be.
    complaints = [line for line in result.stderr.splitlines()
                  if f"{name}.service" in line and not re.search(r"/lib/patronus/\S+ is not executable", line)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("name", CEILINGS)
def test_nothing_was_left_to_fill_in(build_dir, name):
    assert not re.search(r"@[A-Za-z_]+@", unit_path(build_dir, name).read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "units/dbus").glob("*.service")), ids=lambda path: path.stem)
def test_the_bus_starts_a_unit_that_exists(build_dir, path):
    unit = re.search(r"^SystemdService=(.*)$", path.read_text(), re.MULTILINE)[1]
    assert any(f"Alias={unit}" in unit_path(build_dir, name).read_text() for name in CEILINGS)
