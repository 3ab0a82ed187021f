# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenSSH server in a lab's router, and administrators who log in at it.

    with Server(lab, tmp_path) as server:
        with server.login("lan") as admin:
            admin.run("patronusctl", "confirm")  ->  (1, "error: ...")

Everything of it (keys, configuration) is in the given directory; it takes keys only, and of nobody but its own users.
"""

import contextlib
import os
import pathlib
import select
import shlex
import socket
import subprocess

import netns
import terminal
from login import Shell

ROUTER = {"lan": "10.2.0.1", "wan": "10.1.0.1", "dmz": "10.3.0.1", "guest": "10.4.0.1", "spare": "10.5.0.1"}
ROUTER6 = {host: f"fd00:{address.split('.')[1]}::1" for host, address in ROUTER.items()}
WAIT_S = 20

CONFIG = """
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/client_key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
"""


class Login(Shell):
    """One connection with a shell at its end, which stays. Its words are run there, one command after the other."""

    def __init__(self, command):
        super().__init__(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        try:
            self.run("true")
        except AssertionError:
            self.close()
            raise

    def run(self, *words, **environment):
        """Exit status and text."""
        command = " ".join([*(f"{name}={shlex.quote(value)}" for name, value in environment.items()), *map(shlex.quote, map(str, words))])
        return self.ask(f"{command} 2>&1; echo status $?")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        super().close()


class Server:
    def __init__(self, lab, directory, port=22):
        self.lab, self.port = lab, port
        self.directory = pathlib.Path(directory) / "ssh"

    def __enter__(self):
        self.directory.mkdir()
        for key in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(self.directory / key)], check=True)
        (self.directory / "sshd_config").write_text(CONFIG.format(port=self.port, directory=self.directory))
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where it locks children up; its package's own place
        notify, log = self.directory / "notify", self.directory / "log"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, log.open("w") as errors:
            told.bind(str(notify))
            self.process = self.lab.popen("router", "/usr/sbin/sshd", "-D", "-e", "-f", str(self.directory / "sshd_config"), stderr=errors,
                                          env={**os.environ, "NOTIFY_SOCKET": str(notify)})
            with os.fdopen(os.pidfd_open(self.process.pid)) as end:
                ready, _, _ = select.select([told, end], [], [], WAIT_S)
            assert told in ready, log.read_text()
            assert b"READY=1" in told.recv(4096)  # Debian's sshd tells that it listens, as a service of type notify does
        assert log.read_text().count("Server listening on") == 2, "IPv4 and IPv6"
        return self

    def __exit__(self, *_):
        self.process.terminate()  # its children, one a connection, end with these
        self.process.wait()

    def command(self, host, *words, address=None, options=()):
        """A command line that logs in from a host, and runs words there."""
        return ["ip", "netns", "exec", f"plt-{self.lab.name}-{host}", "ssh", "-F", "none", "-i", str(self.directory / "client_key"),
                "-p", str(self.port), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=2", *options, f"root@{address or ROUTER[host]}", *map(shlex.quote, map(str, words))]

    @contextlib.contextmanager
    def login(self, host, **options):
        login = Login(self.command(host, "sh", **options))
        try:
            yield login
        finally:
            login.close()

    def screen(self, host, *words, options=(), **terminal_options):
        """The words run there on a terminal of ours: tests/lib/terminal.py."""
        return terminal.opened(self.command(host, *words, options=("-tt", *options)),
                               env={**os.environ, "TERM": "xterm"}, **terminal_options)

    def answers(self, host, address=None, wait_s=0.1):
        """Whether a new connection from the host comes in, asked with one packet."""
        address = address or ROUTER[host]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with netns.make_socket(netns.path(self.lab.name, host), family, socket.SOCK_STREAM) as sock:
            sock.settimeout(wait_s)  # shorter than the kernel's own second attempt, after a second
            try:
                sock.connect((address, self.port))
            except OSError:
                return False
            return True
