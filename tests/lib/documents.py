# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of objects, for those who apply them."""

import json


def document(kind, name, **spec):
    """One, and the line that parts it from what stands before."""
    return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}) + "\n"
