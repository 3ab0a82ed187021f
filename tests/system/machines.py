# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd machine of this tier: files of its own over the installed tree over Debian; not booted yet."""

import pathlib

from machine import SYSTEMD, Machine

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
