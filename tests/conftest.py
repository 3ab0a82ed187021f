# SPDX-License-Identifier: GPL-3.0-or-later
"""What every pytest tier can use; the fixtures are described in tests/lib/shared_fixtures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))

pytest_plugins = ["shared_fixtures"]
