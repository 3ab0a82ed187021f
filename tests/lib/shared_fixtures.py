# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of every pytest tier.

    build_dir     where the binaries are: $PATRONUS_BUILD, or build/
    private_bus   address of a dbus-daemon for this test alone, on which any name may be taken
    lab           a Lab (lab.py) for this test alone: the daemons run, nothing is configured
    bare_lab      the same without daemons: namespaces and addresses
    edge_lab      one Lab for a whole module, with examples/edge.yaml; tests do not change it

Sanitizer reports of daemons fail the test in which they were written.
"""

import hashlib
import os
import pathlib
import subprocess

import pytest

import lab as lab_module

ROOT = lab_module.ROOT

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="false"/></policy>
</busconfig>
"""


def lab_name(node_id):
    """Bounded, the same in each run (so that a crashed run's lab is found and removed), another in each tree."""
    return "t-" + hashlib.sha256(f"{ROOT} {node_id}".encode()).hexdigest()[:12]


def need_labs():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


def need_daemons():
    need_labs()
    for program in ("daemons/configd/patronus-configd", "daemons/filterd/patronus-filterd", "cli/patronusctl"):
        if not (lab_module.build_dir() / program).exists():
            pytest.fail(f"{lab_module.build_dir() / program} is missing: build it, or set PATRONUS_BUILD")


@pytest.fixture(scope="session")
def build_dir():
    return lab_module.build_dir()


@pytest.fixture
def private_bus(tmp_path):
    config, socket = tmp_path / "bus.conf", tmp_path / "bus"
    config.write_text(BUS_CONFIG.format(path=socket))
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"],
                           stdout=subprocess.PIPE, text=True)
    assert bus.stdout.readline(), "dbus-daemon did not start"
    yield f"unix:path={socket}"
    bus.terminate()
    bus.wait()


@pytest.fixture(autouse=True)
def sanitizer_reports(tmp_path_factory, monkeypatch):
    """Daemons of a lab write their reports here, under whatever user they run."""
    directory = tmp_path_factory.mktemp("sanitizer")
    for parent in (directory, *directory.parents[:3]):  # pytest makes its own private
        if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/tmp"):
            parent.chmod(0o1777 if parent == directory else 0o711)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        monkeypatch.setenv(name, ":".join(filter(None, [os.environ.get(name), f"log_path={directory}/report"])))
    yield directory
    reports = "\n".join(path.read_text(errors="replace")[:4000] for path in sorted(directory.iterdir()))
    assert not reports, f"a daemon's sanitizer reported:\n{reports}"


@pytest.fixture
def lab(request, sanitizer_reports):
    need_daemons()
    with lab_module.Lab(lab_name(request.node.nodeid)) as made:
        yield made


@pytest.fixture
def bare_lab(request):
    need_labs()
    with lab_module.Lab(lab_name(request.node.nodeid), network_only=True) as made:
        yield made


@pytest.fixture(scope="module")
def edge_lab(request):
    need_daemons()
    with lab_module.Lab(lab_name(request.node.nodeid)) as made:
        made.ctl("apply", "--replace", "-f", ROOT / "examples" / "edge.yaml")
        yield made
