#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as filterds of other layouts (FW_LAYOUT_VERSION) make them: the transaction of a whole load, as bytes.

    layouts.load(lab, layouts.read(5))          in place of what the lab's router has

A text for `nft -f` would not do: it has no place for what filterd writes into userdata, which is who a rule is, and the marker.

    layouts.py record LAB FILE                  what the lab's filterd sends when its table is gone; needs strace
"""

import gzip
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import netns
from nfmonitor import Monitor

LAYOUTS = pathlib.Path(__file__).resolve().parents[1] / "golden" / "layouts"
NETLINK_NETFILTER = 12
NFNL_BATCH_GENID = 1  # linux/netfilter/nfnetlink.h
HEADER, GENERATION = 20, 28  # bytes of struct nlmsghdr with struct nfgenmsg; and of the attribute behind them
DUMPED = re.compile(rb"^ \| [0-9a-f]+  (.{49}) ", re.MULTILINE | re.DOTALL)  # strace -e write: sixteen bytes a line
MARKER = re.compile(rb"revision \d+\0.{2}(?P<version>..)(?P<revision>.{8})", re.DOTALL)  # ruleset.c, WireMarker


def read(version):
    return gzip.decompress((LAYOUTS / f"{version}.batch.gz").read_bytes())


def version_of(batch):
    return struct.unpack("!H", MARKER.search(batch)["version"])[0]


def with_version(batch, version):
    at = MARKER.search(batch).start("version")
    return batch[:at] + struct.pack("!H", version) + batch[at + 2 :]


def without_generation(batch):
    """0: whatever the ruleset's generation is."""
    size, kind = struct.unpack_from("=HH", batch, HEADER)
    assert (size, kind) == (8, NFNL_BATCH_GENID)
    return batch[: HEADER + 4] + bytes(4) + batch[GENERATION:]


def load(lab, batch):
    """Sends it in the lab's router; the kernel's refusal is an OSError."""
    with netns.make_socket(lab.netns("router"), socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as sock:
        sock.setblocking(True)
        sock.bind((0, 0))
        sock.setsockopt(socket.SOL_SOCKET, 32, 4 * len(batch))  # SO_SNDBUFFORCE
        sock.send(batch)
        sock.setblocking(False)
        try:
            while True:
                answer = sock.recv(1 << 16)
                size, kind, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
                if kind == 2 and error:  # NLMSG_ERROR
                    raise OSError(-error, os.strerror(-error))
        except BlockingIOError:
            pass


def record(lab):
    """What filterd sends to repair a table that is gone."""
    pid = int(subprocess.run([pathlib.Path(__file__).parents[2] / "tools" / "lab", "pid", lab, "filterd"], capture_output=True, text=True,
                             check=True).stdout)
    with tempfile.NamedTemporaryFile() as output, Monitor(netns.path(lab, "router")) as monitor:
        strace = subprocess.Popen(["strace", "-p", str(pid), "-e", "trace=sendto", "-e", "write=all", "-o", output.name],
                                  stderr=subprocess.PIPE, text=True)
        assert "attached" in strace.stderr.readline()
        subprocess.run(["ip", "netns", "exec", f"plt-{lab}-router", "nft", "flush", "ruleset"], check=True)
        monitor.next_commit()
        monitor.next_commit()
        strace.send_signal(signal.SIGINT)
        strace.wait()
        sent = [b"".join(bytes.fromhex(line.decode()) for line in DUMPED.findall(call)) for call in output.read().split(b"sendto(")]
    return without_generation(max(sent, key=len))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "record":
        sys.exit(__doc__)
    pathlib.Path(sys.argv[3]).write_bytes(gzip.compress(record(sys.argv[2]), mtime=0))
