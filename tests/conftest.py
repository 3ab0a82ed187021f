# SPDX-License-Identifier: GPL-3.0-or-later
"""What every pytest tier can use; the fixtures are described in tests/lib/shared_fixtures.py."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))

# Whoever runs the tests over ssh, or in tmux, would have to confirm what they commit.
os.environ.setdefault("PATRONUS_CONFIRM", "never")

pytest_plugins = ["shared_fixtures"]
