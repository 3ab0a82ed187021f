# SPDX-License-Identifier: GPL-3.0-or-later
"""Another kernel than the one that runs: User-mode Linux, with the root of this machine, read-only.

The kernel is $PATRONUS_UML_KERNEL, or shared/lab/linux.uml beside the tree: Linux 6.1 with inet tables of nf_tables built in. Debian's
own (package user-mode-linux) has none but those of bridges.
"""

import os
import pathlib
import re
import subprocess
import tempfile

import lab

KERNEL = pathlib.Path(os.environ.get("PATRONUS_UML_KERNEL", lab.ROOT.parent / "shared/lab/linux.uml"))
TIMEOUT_S = 300
INIT = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
ip link set lo up
echo "kernel $(uname -r)"
cd {directory} || exit
{command}
echo "exit code $?"
halt -f -p 2>/dev/null || echo o > /proc/sysrq-trigger
"""


def unavailable():
    """Why there is none, or None."""
    if not os.access(KERNEL, os.X_OK):
        return f"no User-mode Linux kernel: {KERNEL} is not there; $PATRONUS_UML_KERNEL names another"
    return None


def run(command, memory="1G", env=None):
    """A shell command as root of that kernel: (exit code, what it printed)."""
    exports = "".join(f"export {name}='{value}'\n" for name, value in (env or {}).items())
    with tempfile.TemporaryDirectory(dir=lab.build_dir(), prefix="uml-") as directory:
        init = pathlib.Path(directory) / "init"
        init.write_text(INIT.format(directory=lab.ROOT, command=exports + command))
        init.chmod(0o755)
        done = subprocess.run([KERNEL, f"mem={memory}", "rootfstype=hostfs", "rootflags=/", "ro", "con=null", "con0=fd:0,fd:1", "quiet",
                               f"init={init}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S,
                              env={**os.environ, "TMPDIR": directory})
    code = re.search(r"^exit code (\d+)", done.stdout, re.M)
    assert code, f"{KERNEL} did not come to the end of it:\n{done.stdout}{done.stderr}"
    return int(code[1]), done.stdout
