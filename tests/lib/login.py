# SPDX-License-Identifier: GPL-3.0-or-later
"""A login over the network, for who asks where a process came from; and the shell at the end of any (ssh.py)."""

import os
import shutil
import subprocess

import boottime


class Shell:
    """A shell in a process, which stays. After each line that it is given it says "status N"."""

    def __init__(self, process):
        self.process = process

    def ask(self, command):
        """Exit status and text."""
        print(command, file=self.process.stdin, flush=True)
        text = ""
        for line in self.process.stdout:
            if line.startswith("status "):
                return int(line.split()[1]), text
            text += line
        raise AssertionError(f"the login ended: {text}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Login(Shell):
    """A shell called sshd: what it runs came by a connection that began when it did."""

    def __init__(self, directory, environment=()):
        program = directory / "sshd"
        if not program.exists():
            shutil.copy("/bin/sh", program)
        boottime.until(boottime.now() + 2 / os.sysconf("SC_CLK_TCK"))  # the kernel tells the start of a process in ticks, rounded down
        super().__init__(subprocess.Popen([program, "-c", 'while read -r line; do eval "$line"; echo "status $?"; done'], text=True,
                                          env={**os.environ, **dict(environment)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT))
        self.run("true")  # it has begun

    def run(self, *command):
        """Exit status and text."""
        return self.ask(" ".join(f"'{word}'" for word in map(str, command)))
