# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of bridges on a kernel that follows connections through bridges, and tells bridges apart: the lab of tests/netns/test_bridge.py inside it."""

import re

import pytest
import uml


@pytest.fixture(autouse=True)
def kernel(build_dir):
    if reason := uml.unavailable():
        pytest.skip(reason)
    # AddressSanitizer's shadow has no place in that kernel's address space.
    if b"libasan" in (build_dir / "daemons/filterd/patronus-filterd").read_bytes():
        pytest.skip("needs a build without sanitizers: PATRONUS_BUILD names one")


# what other kernels may lack
TESTS = "told_apart or followed or invalid"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_frames(build_dir):
    code, printed = uml.run(f"ln -sfn /proc/self/fd /dev/fd; /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/netns/test_bridge.py -rs -k '{TESTS}' 2>&1",
                            env={"PATRONUS_BUILD": build_dir, "PATH": PATH})
    assert re.search(r"^kernel ", printed, re.M), printed
    assert code == 0 and re.search(r"[1-9] passed", printed), printed
    assert "skipped" not in printed, printed
