# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the documentation names are there."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("[A-Z]*-*.md")), *(ROOT / "docs" / f"{name}.md" for name in ("ARCHITECTURE", "BENCHMARKS", "DBUS", "INSTALL"))]
FOLDERS = "daemons|libpatronus|bpf|dbus-interfaces|units|cli|tests|docs|examples|tools|packaging"
# A whole word: one with a part to be filled in (<x>, [ch], …) names no one file.
NAMED = re.compile(rf"(?:\./)?((?:{FOLDERS})/[\w./-]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_are_there(page):
    words = re.split(r"[\s`|,;()]+", page.read_text())
    named = {match[1] for match in map(NAMED.fullmatch, words) if match}
    assert named
    assert not sorted(path for path in named if not (ROOT / path).exists())
