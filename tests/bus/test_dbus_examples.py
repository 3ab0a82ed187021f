# SPDX-License-Identifier: GPL-3.0-or-later
"""The console session in docs/DBUS.md is what busctl really shows."""

import os
import pathlib
import re
import subprocess

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "DBUS.md"


def examples():
    """(command, what it shows)"""
    (block,) = re.findall(r"```console\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def test_examples(lab):
    script = "".join(f"{command} 2>&1; echo END\n" for command, _ in examples())
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus})
    for (command, expected), shown in zip(examples(), done.stdout.split("END\n"), strict=False):
        pattern = re.escape(expected.strip()).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, shown.strip(), re.DOTALL), f"$ {command}\n{shown}\nthe document says:\n{expected}"
