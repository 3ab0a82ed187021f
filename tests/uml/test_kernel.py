# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of C that talk to the kernel, on Linux 6.1: commits in random order are what a fresh load is, map by map and chain by chain."""

import re

import pytest
import uml


@pytest.fixture(autouse=True)
def kernel():
    if reason := uml.unavailable():
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def plain(build_dir):
    """AddressSanitizer's shadow has no place in that kernel's address space."""
    if b"libasan" in (build_dir / "tests/unit/test-engine-nft").read_bytes():
        pytest.skip("needs a build without sanitizers: PATRONUS_BUILD names one")


@pytest.mark.parametrize("program", ("test-engine-nft", "test-bans"))
def test_program(build_dir, program):
    code, printed = uml.run(f"{build_dir}/tests/unit/{program}")
    assert re.search(r"^kernel 6\.1\.", printed, re.M), printed
    assert code == 0 and "FAILED" not in printed, printed
    assert re.search(r"\[ +PASSED +\] [1-9]", printed), printed
