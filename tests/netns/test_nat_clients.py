# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts behind one address, all at the same time."""

import contextlib
import json
import re
import socket
import threading

import netns
import pytest
from nat import ZONES, add_addresses, rule
from traffic import address

CLIENTS = [f"10.2.0.{last}" for last in range(100, 200)]
PORT, SOURCE_PORT = 7000, 4000  # the same of all: the router has to tell them apart
WAIT_S = 30
MASQUERADE = ZONES.replace("interfaces: [wan]", "interfaces: [wan], masquerade: true") + rule("out", "action: allow, from: lan, to: wan")


def make(stack, lab, host, kind, at):
    sock = stack.enter_context(netns.make_socket(lab.netns(host), socket.AF_INET, kind))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(True)
    sock.settimeout(WAIT_S)
    sock.bind(at)
    return sock


def connect_all(stack, lab, kind):
    """All connections at once, and what the server sees as the other end of each: {client's address: (address, port)}."""
    server = make(stack, lab, "wan", kind, (address("wan", 4), PORT))
    clients = {at: make(stack, lab, "lan", kind, (at, SOURCE_PORT)) for at in CLIENTS}
    if kind == socket.SOCK_STREAM:
        server.listen(len(CLIENTS))
    together = threading.Barrier(len(CLIENTS))

    def ask(at, sock):
        together.wait()
        sock.connect((address("wan", 4), PORT))
        sock.sendall(at.encode().ljust(16))

    threads = [threading.Thread(target=ask, args=client) for client in clients.items()]
    for thread in threads:
        thread.start()
    seen = {}
    for _ in CLIENTS:
        if kind == socket.SOCK_STREAM:
            sock, peer = server.accept()
            stack.enter_context(sock)
            sock.settimeout(WAIT_S)
            said = sock.recv(16, socket.MSG_WAITALL)
            sock.sendall(said)
        else:
            said, peer = server.recvfrom(16)
            server.sendto(said, peer)
        seen[said.decode().strip()] = peer
    for thread in threads:
        thread.join()
    for at, sock in clients.items():  # each gets its own answer back, and nobody else's
        assert sock.recv(16).decode().strip() == at
    return seen


@pytest.mark.parametrize("kind", (socket.SOCK_STREAM, socket.SOCK_DGRAM), ids=("tcp", "udp"))
def test_hundred_at_once(lab, kind):
    """They share the router's address, with a port each; the kernel's table shows both ends of each, and so does ours."""
    add_addresses(lab, "lan", CLIENTS)
    lab.apply(MASQUERADE)
    with contextlib.ExitStack() as stack:
        seen = connect_all(stack, lab, kind)
        assert sorted(seen) == CLIENTS
        assert {peer[0] for peer in seen.values()} == {address("router", 4, at="wan")}
        assert len({peer[1] for peer in seen.values()}) == len(CLIENTS)
        table = lab.exec("router", "conntrack", "-L", "--src-nat").stdout
        shown = {source: (reply, int(port)) for source, reply, port in re.findall(
            rf"src=(10\.2\.0\.\d+) dst={re.escape(address('wan', 4))} sport={SOURCE_PORT} dport={PORT} .*?src=\S+ dst=(\S+) sport={PORT} dport=(\d+)", table)}
        assert shown == seen
        rows = [json.loads(line) for line in lab.ctl("filter", "connections", f"port={PORT}", "nat=true", "-o", "json").stdout.splitlines()]
        assert {row["original"]["source"]: (row["reply"]["destination"], row["reply"]["destinationPort"]) for row in rows} == seen
