# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet generator of tests/perf: frames for it, the sender and the counting sink as processes."""

import contextlib
import json
import pathlib
import socket
import struct
import subprocess

import frames

LENGTH, MARK = 80, b"\x50\x46"  # tests/perf/flood.h
HEADERS = {(4, "udp"): 42, (4, "tcp"): 54, (6, "udp"): 62, (6, "tcp"): 74}


def unavailable(build):
    """Why it cannot be used, or None."""
    if not (pathlib.Path(build) / "tests/perf/flood").exists():
        return "tests/perf/flood was not built: clang-14 or libbpf is missing"
    return None


class Packet:
    """TCP (a SYN) or UDP; the fields that frames.frame() asks for."""

    mac, dscp, hops, flags, icmp = "02:00:00:00:00:01", 0, 64, frames.TCP_SYN, (0, 0)

    def __init__(self, source, destination, proto, sport, dport, number=0):
        self.source, self.destination, self.proto, self.sport, self.dport, self.number = source, destination, proto, sport, dport, number
        self.protocol = socket.IPPROTO_TCP if proto == "tcp" else socket.IPPROTO_UDP


def frame(to_mac, packet, index):
    """One frame of the generator: the sink counts it under the index."""
    family = 6 if ":" in packet.source else 4
    room = LENGTH - HEADERS[family, packet.proto]
    made = frames.frame(to_mac, packet, bytes(room - 6) + MARK + struct.pack("!I", index))
    assert len(made) == LENGTH, (len(made), packet.__dict__)
    return made


def write(path, to_mac, packets):
    """A file of frames; the index of each is its place."""
    pathlib.Path(path).write_bytes(b"".join(frame(to_mac, packet, index) for index, packet in enumerate(packets)))


def send(build, netns, interface, path, count, rate=0):
    """Nanoseconds that `count` frames took; `rate` a second, or as fast as it can."""
    done = subprocess.run(["ip", "netns", "exec", netns, f"{build}/tests/perf/flood", "send", interface, str(path), str(count), str(rate)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["ns"]


@contextlib.contextmanager
def sending(build, netns, interface, path, rate):
    """Sends again and again while the block runs; .sent afterwards."""
    process = subprocess.Popen(["ip", "netns", "exec", netns, f"{build}/tests/perf/flood", "send", interface, str(path), "0", str(rate)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        out, err = process.communicate("")
    assert process.returncode == 0, err
    process.sent = json.loads(out)["sent"]


class Sink:
    """Counts what arrives on an interface, which it takes for itself: everything of the generator is dropped there."""

    def __init__(self, build, netns, interface, n):
        self.process = subprocess.Popen(["ip", "netns", "exec", netns, f"{build}/tests/perf/flood", "sink", interface, str(n)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the sink did not start"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate("")

    def counts(self):
        """How often each index has come so far."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(count) for count in self.process.stdout.readline().split()]
