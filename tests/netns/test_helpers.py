# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of connection tracking that rules name: the second connections of FTP and TFTP pass, and only then."""

import contextlib
import ftplib
import socket
import struct

import netns
import pytest
import traffic

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan]}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan]}}
"""
MASQUERADE = """---
{apiVersion: patronus.firewall/v1, kind: NatRule, metadata: {name: out}, spec: {type: masquerade, zone: wan}}
"""
PLAIN = "protocol: tcp, destination: {ports: [21]}"
WITH_HELPER = PLAIN + ", helper: ftp"
AS_SERVICE = "services: [ftp]"
SERVER = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
import socket
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[2])
FTPHandler.authorizer = authorizer
FTPHandler.permit_privileged_ports = True  # what is refused is for the firewall to refuse
FTPHandler.active_dtp.timeout = 5
server = FTPServer((sys.argv[1], 21), FTPHandler)
print("ready", flush=True)
server.serve_forever(handle_exit=False)
"""
ADDRESSES = {4: ("10.1.0.2", "10.2.0.2"), 6: ("fd00:1::2", "fd00:2::2")}  # of wan and lan, as tools/lab has them


def rule(spec, name="files"):
    return (f"---\n{{apiVersion: patronus.firewall/v1, kind: FirewallRule, metadata: {{name: {name}}}, "
            f"spec: {{action: allow, from: lan, to: wan, {spec}}}}}\n")


@contextlib.contextmanager
def ftp_server(lab, directory, family):
    """A real server in the host wan, with a file."""
    (directory / "hello").write_text("from afar\n")
    server = lab.popen("wan", "/usr/bin/python3", "-c", SERVER, ADDRESSES[family][0], str(directory), stdout=-1, stderr=-3)
    try:
        assert server.stdout.readline() == "ready\n"
        yield
    finally:
        server.kill()
        server.wait()


def fetch(lab, family, passive, patience=traffic.PATIENCE_S):
    """The file, by a client in the host lan; its data connection goes there (passive) or comes from there (active)."""
    with netns.inside(lab.netns("lan")):
        with ftplib.FTP(timeout=patience) as ftp:
            ftp.connect(ADDRESSES[family][0], 21)
            ftp.login()
            ftp.set_pasv(passive)
            parts = []
            ftp.retrbinary("RETR hello", parts.append)
            return b"".join(parts)


def kernel_helpers(lab):
    return sorted(item["ct helper"]["name"] for item in lab.nft_json("table", "inet", "patronus") if "ct helper" in item)


@pytest.mark.parametrize("passive", (True, False), ids=("passive", "active"))
@pytest.mark.parametrize("family", (4, 6))
def test_ftp(lab, tmp_path, family, passive):
    with ftp_server(lab, tmp_path, family):
        lab.apply(ZONES + rule(WITH_HELPER))
        assert fetch(lab, family, passive) == b"from afar\n"
        assert kernel_helpers(lab) == ["h_ftp_tcp"]
        # the same by a service, which brings its helper along
        lab.apply(rule(AS_SERVICE))
        assert fetch(lab, family, passive) == b"from afar\n"
        # without one, the control connection comes about and nothing else
        lab.apply(rule(PLAIN))
        assert kernel_helpers(lab) == []
        with pytest.raises((TimeoutError, OSError, ftplib.Error)):
            fetch(lab, family, passive, patience=4)


@pytest.mark.parametrize("passive", (True, False), ids=("passive", "active"))
def test_ftp_through_masquerade(lab, tmp_path, passive):
    """The address that the client names inside the control connection is translated too."""
    with ftp_server(lab, tmp_path, 4):
        lab.apply(ZONES + MASQUERADE + rule(WITH_HELPER))
        assert fetch(lab, 4, passive) == b"from afar\n"


def test_an_expected_connection_below_1024_is_refused(lab, tmp_path):
    """A client cannot have its helper open a privileged port of its own to the server."""
    with ftp_server(lab, tmp_path, 4), netns.inside(lab.netns("lan")):
        lab.apply(ZONES + rule(WITH_HELPER))
        for port, passes in ((1023, False), (1024, True)):
            with socket.create_server(("10.2.0.2", port)) as listener, ftplib.FTP(timeout=traffic.PATIENCE_S) as ftp:
                ftp.connect("10.1.0.2", 21)
                ftp.login()
                ftp.voidcmd("TYPE I")
                listener.settimeout(0 if not passes else traffic.PATIENCE_S)
                if passes:
                    ftp.sendcmd(f"PORT 10,2,0,2,{port >> 8},{port & 255}")
                    ftp.putcmd("RETR hello")
                    assert listener.accept()[0].recv(64) == b"from afar\n"
                else:  # the server tries, and gives up
                    with pytest.raises(ftplib.error_temp, match="timed out"):
                        ftp.sendcmd(f"PORT 10,2,0,2,{port >> 8},{port & 255}")
                    with pytest.raises(BlockingIOError):
                        listener.accept()
                ftp.close()


def tftp(lab, answer_from, expect=True):
    """A read request from lan to wan's port 69; the answer comes from another port (RFC 1350 4). Whether it arrived."""
    with (netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as server,
          netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as answering,
          netns.make_socket(lab.netns("lan"), socket.AF_INET, socket.SOCK_DGRAM) as client):
        for sock in (server, answering, client):
            sock.setblocking(True)
        server.bind(("10.1.0.2", 69))
        answering.bind(("10.1.0.2", answer_from))
        client.sendto(struct.pack("!H", 1) + b"hello\0octet\0", ("10.1.0.2", 69))
        server.settimeout(traffic.PATIENCE_S)
        request, peer = server.recvfrom(512)
        assert request[2:7] == b"hello"
        answering.sendto(struct.pack("!HH", 3, 1) + b"block", peer)
        client.settimeout(traffic.PATIENCE_S if expect else traffic.SILENCE_S)
        try:
            return client.recv(512)[4:] == b"block"
        except TimeoutError:
            return False


def test_tftp(lab):
    lab.apply(ZONES + rule("services: [tftp]"))
    assert kernel_helpers(lab) == ["h_tftp_udp"]
    assert tftp(lab, 40001)
    lab.apply(rule("protocol: udp, destination: {ports: [69]}"))
    assert not tftp(lab, 40002, expect=False)


def test_helpers_come_and_go(lab):
    """One object for all rules that name it, as long as one does; the kernel knows all helpers by our names."""
    lab.apply(ZONES + rule(WITH_HELPER) + rule("services: [ftp, sip]", "more"))
    assert kernel_helpers(lab) == ["h_ftp_tcp", "h_sip_tcp", "h_sip_udp"]
    lab.ctl("delete", "FirewallRule/files")
    assert kernel_helpers(lab) == ["h_ftp_tcp", "h_sip_tcp", "h_sip_udp"]
    # a service of one's own takes the place of the built-in one, and the rule follows
    lab.apply("{apiVersion: patronus.firewall/v1, kind: Service, metadata: {name: sip}, spec: {udp: [5070], helper: sip}}")
    assert kernel_helpers(lab) == ["h_ftp_tcp", "h_sip_udp"]
    lab.ctl("delete", "FirewallRule/more")
    assert kernel_helpers(lab) == []
    tcp, udp = ("amanda", "netbios-ns", "snmp", "tftp"), ("ftp", "h323", "irc", "pptp", "sane")
    lab.apply("".join(rule(f"protocol: {protocol}, destination: {{ports: [7]}}, helper: {name}", name)
                      for protocol, names in (("udp", tcp), ("tcp", udp)) for name in names))
    assert len(kernel_helpers(lab)) == len(tcp) + len(udp)
    # the listing of a restarted daemon is the same
    before = lab.ruleset("table", "inet", "patronus")
    lab.end("filterd", 15)
    lab.start("filterd")
    assert lab.ruleset("table", "inet", "patronus") == before
