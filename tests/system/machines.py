# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd machine of this tier: files of its own over the installed tree over Debian, not booted yet; and docs/INSTALL.md, to follow on one."""

import pathlib
import re
import shlex

import debian
from machine import SYSTEMD, Machine

DOCUMENT = (debian.ROOT / "docs" / "INSTALL.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.M | re.S)

BASE_FILES = {
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",  # else systemd calls it a first boot, and enables whatever is installed
    "/etc/hostname": "router\n",
}


def write_files(directory, files):
    """A layer of its own."""
    for path, text in files.items():
        target = pathlib.Path(directory) / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for folder in (directory, *directory.rglob("*")):
        folder.chmod(0o755 if folder.is_dir() else 0o644)
    return directory


BUSES = {"dbus-daemon": "/lib/systemd/system/dbus.service", "dbus-broker": "/lib/systemd/system/dbus-broker.service"}


def make_machine(tmp_path_factory, trees, files, bus="dbus-daemon"):
    media = tmp_path_factory.mktemp("machine")
    layer = write_files(media / "files", {**BASE_FILES, **files})
    alias = layer / "etc/systemd/system/dbus.service"
    alias.parent.mkdir(parents=True, exist_ok=True)
    alias.symlink_to(BUSES[bus])
    return Machine(media, [layer, *trees], SYSTEMD)


def commands(title):
    """The lines of a section's blocks, without sudo; with what their comment says."""
    text = dict(SECTION.findall(DOCUMENT))[title]
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            command, _, says = (part.strip() for part in line.partition("  #"))
            if command:
                yield shlex.split(command.removeprefix("sudo ")), says


def follow(machine, title):
    steps = 0
    for words, says in commands(title):
        done = machine.run(*words)
        revision = re.search(r"revision (\d+)", says)
        if revision:
            assert f"revision {revision[1]}" in done.stdout, f"{words}\n{done.stdout}"
        steps += 1
    return steps


def tables(machine):
    return machine.run("nft", "list", "tables").stdout.split("\n")[:-1]
