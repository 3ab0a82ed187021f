# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections through a lab, and what their servers see of them: for address translation.

    with Witness(lab.name, ports=[80, 443]) as witness:
        witness.look([Probe("wan", "tcp", "10.1.0.1", 443)])  ->  [Sight("dmz", "10.1.0.2", 40123, "10.3.0.2", 8443)]

Every host of the lab, the router too, answers on every port of `ports` with who it is and the four numbers of the connection
as it sees them. The client's socket is connected, so an answer says that the way back was translated as well. No answer is None.
"""

import asyncio
import dataclasses
import json
import socket
import struct

import netns
import traffic

HOSTS = ("wan", "lan", "dmz", "guest", "router")
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
IP_PKTINFO = 8  # linux/in.h
PROBES_AT_ONCE = 200  # SYN queues and file descriptors are finite


@dataclasses.dataclass(frozen=True)
class Probe:
    host: str  # who asks
    protocol: str  # "tcp", "udp"
    to: str
    port: int
    source: str = ""  # address to ask from; "": whatever the routing says
    source_port: int = 0
    answered: bool = True  # whether to wait long for an answer

    @property
    def family(self):
        return 6 if ":" in self.to else 4


@dataclasses.dataclass(frozen=True)
class Sight:
    host: str  # who answered
    source: str
    source_port: int
    destination: str
    port: int


class Witness:
    def __init__(self, lab, ports, hosts=HOSTS, protocols=("tcp", "udp")):
        self.lab = lab
        self.ports, self.hosts, self.protocols = ports, hosts, protocols
        self.servers = []

    def __enter__(self):
        for host in self.hosts:
            with netns.inside(netns.path(self.lab, host)):
                for family in FAMILIES:
                    for protocol in self.protocols:
                        for port in self.ports:
                            self.servers.append((host, protocol, self._server(family, protocol, port)))
        return self

    def __exit__(self, *_):
        for _, _, sock in self.servers:
            sock.close()

    @staticmethod
    def _server(family, protocol, port):
        sock = socket.socket(FAMILIES[family], KINDS[protocol])
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.bind(("::" if family == 6 else "0.0.0.0", port))
        if protocol == "tcp":
            sock.listen(256)
        return sock

    def look(self, probes):
        """What was seen of each, in order."""
        return asyncio.run(self._look(probes))

    def see(self, *probe, **more):
        return self.look([Probe(*probe, **more)])[0]

    async def _look(self, probes):
        loop = asyncio.get_running_loop()
        tasks = []
        for host, protocol, sock in self.servers:
            if protocol == "tcp":
                tasks.append(loop.create_task(self._serve_tcp(host, sock)))
            else:
                loop.add_reader(sock, self._answer_udp, host, sock)
        limit = asyncio.Semaphore(PROBES_AT_ONCE)
        try:
            return await asyncio.gather(*(self._ask(probe, limit) for probe in probes))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _, protocol, sock in self.servers:
                if protocol == "udp":
                    loop.remove_reader(sock)

    @staticmethod
    def _sight(host, peer, name):
        return json.dumps([host, peer[0], peer[1], name[0], name[1]]).encode()

    async def _serve_tcp(self, host, sock):
        loop = asyncio.get_running_loop()
        while True:
            client, peer = await loop.sock_accept(sock)
            with client:
                client.setblocking(False)
                try:
                    await loop.sock_sendall(client, self._sight(host, peer, client.getsockname()))
                except OSError:
                    pass  # the client gave up

    def _answer_udp(self, host, sock):
        """From the address that was asked: a host may have several."""
        try:
            _, ancillary, _, peer = sock.recvmsg(64, 256)
            level, kind, info = ancillary[0]
            if sock.family == socket.AF_INET:
                destination = socket.inet_ntop(socket.AF_INET, info[8:12])  # struct in_pktinfo: ipi_addr
                info = struct.pack("=i4s4s", 0, info[8:12], b"\0" * 4)  # sent from ipi_spec_dst, by any interface
            else:
                destination = socket.inet_ntop(socket.AF_INET6, info[:16])
                info = info[:16] + struct.pack("=I", 0)
            port = sock.getsockname()[1]
            sock.sendmsg([self._sight(host, peer, (destination, port))], [(level, kind, info)], 0, peer)
        except (BlockingIOError, ConnectionError):
            pass  # an error that came back for an earlier answer

    async def _ask(self, probe, limit):
        async with limit:
            try:
                patience = traffic.PATIENCE_S if probe.answered else traffic.SILENCE_S
                return await asyncio.wait_for(self._client(probe), patience)
            except (asyncio.TimeoutError, OSError):
                return None

    async def _client(self, probe):
        loop = asyncio.get_running_loop()
        with netns.make_socket(netns.path(self.lab, probe.host), FAMILIES[probe.family], KINDS[probe.protocol]) as sock:
            if probe.source or probe.source_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((probe.source, probe.source_port))
            await loop.sock_connect(sock, (probe.to, probe.port))
            if probe.protocol == "udp":
                await loop.sock_sendall(sock, b"?")
            data = await loop.sock_recv(sock, 512)
            return Sight(*json.loads(data)) if data else None
