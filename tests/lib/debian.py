# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees for tests/lib/machine.py: Debian 12 with some packages, made once, and Patronus installed as `meson install` does it.

A tree is kept under /var/cache/patronus-tests (or $PATRONUS_TEST_CACHE), under a name that follows from its packages, and is
never written to afterwards.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("PATRONUS_TEST_CACHE", "/var/cache/patronus-tests"))
SUITE = "bookworm"
MAKE_TIMEOUT_S = 900  # the mirror may be far away

RUN = ("dbus", "iproute2", "nftables", "procps", "libglib2.0-0", "libjson-c5", "libyaml-0-2", "libmnl0", "libnftnl11",
       "libcurl4", "libc-ares2", "libmaxminddb0", "libseccomp2", "zlib1g", "ca-certificates")
SYSTEMD = ("systemd", "systemd-sysv", "dbus-broker", "polkitd", *RUN)
OPENRC = ("openrc", "sysvinit-core", "initscripts", "ifupdown", *RUN)


@contextlib.contextmanager
def _locked(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _last_line(done):
    return ((done.stdout + done.stderr).strip().rpartition("\n")[2] or f"exit code {done.returncode}")[:200]


def tree(name, packages):
    """The tree with these packages; skips the test when it cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("machines need root")
    key = hashlib.sha256(" ".join([SUITE, *sorted(packages)]).encode()).hexdigest()[:12]
    path = CACHE / f"{name}-{key}"
    with _locked(CACHE / f"{name}.lock"):
        if path.exists():
            return path
        if not shutil.which("mmdebstrap"):
            pytest.skip("mmdebstrap is not installed: tools/deps installs it")
        making = path.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(making)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAKE_TIMEOUT_S)
        if done.returncode:
            shutil.rmtree(making, ignore_errors=True)
            pytest.skip(f"mmdebstrap cannot make a Debian tree: {_last_line(done)}")
        making.rename(path)
        return path


def _must(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"


# As docs/INSTALL.md says, without tests.
SETUP = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var", "--buildtype=release")


def install(directory, openrc):
    """Builds as for a release, and installs into `directory`, what is OpenRC's alone into `openrc`. Another build than the tests':
    machines run no sanitizers."""
    build = ROOT / "build-system"
    with _locked(build / ".lock"):
        if not (build / "build.ninja").exists():
            _must("meson", "setup", build, ROOT, *SETUP, "-Dtests=false", "-Dopenrc=true")
        _must("ninja", "-C", build)
        _must("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", directory)
    (openrc / "etc").mkdir(parents=True)
    for folder in ("init.d", "conf.d"):
        (directory / "etc" / folder).rename(openrc / "etc" / folder)
    for folder in (openrc, openrc / "etc"):
        folder.chmod(0o755)
