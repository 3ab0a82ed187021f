# SPDX-License-Identifier: GPL-3.0-or-later
"""The revision store as it lies on disk (libpatronus/txn/store.h), read by the format's description and not by our code."""

import json
import os
import pathlib


def linked(state, name):
    """The revision that a link names: "decided", "confirmed"; 0 without one."""
    try:
        return int(os.readlink(pathlib.Path(state) / "revisions" / name))
    except FileNotFoundError:
        return 0


def objects(state, daemon, number):
    """{(kind, name): document} of a daemon's slice at a revision: the newest snapshot at or before it, and the deltas since."""
    chain = []
    while number:
        folder = pathlib.Path(state) / "revisions" / str(number)
        path = folder / f"{daemon}.ndjson"
        if path.exists():
            header, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            chain.append((header, lines))
            if header["patronus"] == "slice":
                break
        record, *_ = (folder / "meta.json").read_text(encoding="utf-8").splitlines()  # the others say when it was confirmed
        number = json.loads(record)["record"]["parent"]
    found = {}
    for header, lines in reversed(chain):
        for line in lines:
            if "delete" in line:
                del found[tuple(line["delete"].split("/", 1))]
            else:
                found[line["kind"], line["metadata"]["name"]] = line
    return found
