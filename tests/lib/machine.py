# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with a real init as process 1, in namespaces and over a tree (debian.py): boots in seconds, and nothing of it is left.

    with Machine(tmp_path, [installed, debian.tree("systemd", debian.SYSTEMD)], SYSTEMD) as machine:
        machine.boot()
        machine.run("systemctl", "is-active", "dbus.service")
        machine.power_off()             # what it wrote stays for the next boot(); power_cut() does not ask

Commands run inside, started from here: in its namespaces, but in our own control group. The process that holds it all together
dies with us, and its end is the end of whatever runs inside.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import threading

BOOT = str(pathlib.Path(__file__).parent / "machine-boot")
BOOT_TIMEOUT_S = 120
OFF_TIMEOUT_S = 60
RUN_TIMEOUT_S = 120
GROUPS = pathlib.Path("/sys/fs/cgroup")
PREFIX = "patronus-test-"
# What no namespace keeps from the real machine; nothing inside has them, neither what its init starts nor what run() does.
DROPPED = ",".join(f"-{name}" for name in ("sys_module", "sys_rawio", "sys_time", "syslog", "wake_alarm", "block_suspend", "mac_admin", "mac_override",
                                           "linux_immutable"))
PR_SET_PDEATHSIG = 1  # sys/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Init:
    command: tuple
    environment: str
    off: tuple
    logs: tuple


# Says READY=1 on the socket when the boot has finished (systemd(1), NOTIFY_SOCKET).
SYSTEMD = Init(
    ("/lib/systemd/systemd", "--show-status=0", "--log-target=journal-or-kmsg", "systemd.unit=multi-user.target"),
    "container=patronus NOTIFY_SOCKET=/run/host/ready",
    ("systemctl", "poweroff"),
    ("journalctl", "--no-pager", "-b", "-n", "300"))


# /etc/inittab starts what says READY=1 here (tests/system/test_openrc.py).
OPENRC = Init(("/sbin/init",), "container=patronus", ("init", "0"), ("sh", "-c", "rc-status --all; tail -n 100 /var/log/patronus/*"))


class MachineError(AssertionError):
    pass


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _hierarchies():
    if (GROUPS / "cgroup.controllers").exists():
        return [GROUPS]
    return [path for path in GROUPS.iterdir() if path.is_dir() and not path.is_symlink()]


def _remove_groups(name):
    for hierarchy in _hierarchies():
        for path, _, _ in os.walk(hierarchy / name, topdown=False):
            os.rmdir(path)


def _remove_forgotten_groups():
    """Those of test runs that were killed: their maker's pid is in the name."""
    names = {path.name for hierarchy in _hierarchies() for path in hierarchy.glob(f"{PREFIX}*")}
    for name in names:
        if not pathlib.Path(f"/proc/{name.removeprefix(PREFIX).partition('-')[0]}").exists():
            with contextlib.suppress(OSError):  # another worker was faster
                _remove_groups(name)


def _kill_session(process):
    """nsenter and what it started, which would keep our pipes open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Machine:
    _made = 0

    def __init__(self, directory, trees, init):
        Machine._made += 1
        self.name = f"{PREFIX}{os.getpid()}-{Machine._made}"
        self.media = pathlib.Path(directory) / self.name
        self.trees = trees
        self.init = init
        self.holder = None  # the process outside that is process 1's parent
        self.pid = 0  # of process 1, as we see it
        self.boots = 0
        for part in ("upper", "work", "root", "host"):
            (self.media / part).mkdir(parents=True)
        (self.media / "upper").chmod(0o755)  # it is / inside

    def __enter__(self):
        _remove_forgotten_groups()
        return self

    def __exit__(self, *_):
        self.power_cut()
        if self.media.exists():
            shutil.rmtree(self.media)

    def clone_of(self, other):
        """Before the first boot: with all that a machine that is off has written. Returns self."""
        (self.media / "upper").rmdir()
        subprocess.run(["cp", "-a", str(other.media / "upper"), str(self.media)], check=True)
        return self

    # --- its life

    def start(self):
        """Starts the boot, and returns the socket on which its end is told."""
        self.boots += 1
        path = self.media / "host" / "ready"
        path.unlink(missing_ok=True)
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(str(path))
        path.chmod(0o666)
        ready.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.console = (self.media / f"console-{self.boots}").open("w")
        self.holder = subprocess.Popen(
            [BOOT, self.name, str(self.media), ":".join(map(str, self.trees)), *self.init.command], stdin=subprocess.DEVNULL,
            stdout=self.console, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent,
            env={"PATH": os.environ["PATH"], "PATRONUS_MACHINE_ENV": self.init.environment, "PATRONUS_MACHINE_DROP": DROPPED})
        return ready

    def boot(self):
        with self.start() as ready:
            ready.settimeout(BOOT_TIMEOUT_S)
            try:
                while True:
                    text, ancillary, _, _ = ready.recvmsg(4096, socket.CMSG_SPACE(12))
                    self.pid = next(int.from_bytes(data[:4], "little") for level, kind, data in ancillary
                                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS))
                    if b"READY=1" in text.split(b"\n"):
                        break
            except TimeoutError:
                raise MachineError(f"not booted after {BOOT_TIMEOUT_S} s:\n{self.logs()}") from None
        self.pid = self._first_process()
        return self

    def _first_process(self):
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        if len(children) != 1:
            raise MachineError(f"the machine is gone:\n{self.logs()}")
        return int(children[0])

    def power_off(self):
        """Asks for it, and waits."""
        self.run(*self.init.off, check=False)
        try:
            self.holder.wait(OFF_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise MachineError(f"still there {OFF_TIMEOUT_S} s after {self.init.off[0]}:\n{self.logs()}") from None
        self._gone()

    def power_cut(self):
        if not self.holder:
            return
        self.holder.kill()  # unshare --kill-child: process 1 follows, and with it all of its namespace
        self.holder.wait()
        self._gone()

    def _gone(self):
        first, self.holder, self.pid = self.pid, None, 0
        with contextlib.suppress(OSError):  # the control groups are empty when process 1 was reaped, which comes last
            pidfd = os.pidfd_open(first)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll(OFF_TIMEOUT_S * 1000)
            os.close(pidfd)
        self.console.close()
        _remove_groups(self.name)

    # --- inside

    def command(self, *words, user=None, netns_name=None):
        # --root: whoever runs the tests below another root would else be outside of the machine.
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--root", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
                  "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C.UTF-8", "setpriv", "--bounding-set", DROPPED]
        if user:
            inside += ["runuser", "-u", user, "--"]
        if netns_name:
            inside += ["ip", "netns", "exec", netns_name]
        return [*inside, *map(str, words)]

    def run(self, *words, check=True, stdin=None, timeout=RUN_TIMEOUT_S, **where):
        """A command inside; its output is text."""
        process = subprocess.Popen(self.command(*words, **where), stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_session(process)
            raise MachineError(f"{' '.join(map(str, words))}: not done after {timeout} s\n{self.logs()}") from None
        done = subprocess.CompletedProcess(words, process.returncode, out, err)
        if check and done.returncode:
            raise MachineError(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}{done.stderr}\n{self.logs()}")
        return done

    def shell(self, script, **more):
        return self.run("sh", "-euc", script, **more)

    def install(self, tree):
        """Copies a tree over the running machine's files, as a package manager would: new files take the place of old ones."""
        pack = subprocess.Popen(["tar", "-C", str(tree), "--owner=0", "--group=0", "-cf", "-", "."], stdout=subprocess.PIPE)
        unpack = subprocess.run(self.command("tar", "-C", "/", "--no-overwrite-dir", "-xf", "-"), stdin=pack.stdout, capture_output=True, text=True)
        if pack.wait() or unpack.returncode:
            raise MachineError(f"installing {tree}: {unpack.stderr}")

    def main_pid(self, unit):
        """0: it does not run. As it is inside; host_pid() tells ours."""
        return int(self.run("systemctl", "show", "--value", "-p", "MainPID", unit).stdout)

    @contextlib.contextmanager
    def watch(self, unit, text, timeout=30):
        """with machine.watch("x", "done") as said: ...; said()     awaits a line of a service's log that is written from now on."""
        cursor = self.run("journalctl", "-n1", "-q", "-o", "cat", "--show-cursor").stdout.rpartition("-- cursor: ")[2].strip()
        # Not with -u: journalctl then skips the first entry that matches instead of the one with the cursor.
        follow = subprocess.Popen(self.command("journalctl", "-f", f"--after-cursor={cursor}", "-o", "json"),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)

        def said():
            late = threading.Timer(timeout, _kill_session, [follow])
            late.start()
            try:
                for line in follow.stdout:
                    entry = json.loads(line)
                    if f"{unit}.service" in (entry.get("UNIT"), entry.get("_SYSTEMD_UNIT")) and text in entry["MESSAGE"]:
                        return entry["MESSAGE"]
            finally:
                late.cancel()
            raise MachineError(f'{unit} did not say "{text}" within {timeout} s:\n{self.logs()}')

        try:
            yield said
        finally:
            _kill_session(follow)
            follow.stdout.close()

    def path(self, path):
        """A file of the running machine, from outside."""
        return pathlib.Path(f"/proc/{self.pid}/root") / str(path).lstrip("/")

    def host_pid(self, pid):
        """A process by the number that it has inside, as we see it."""
        mine = f"/proc/{self.pid}/ns/pid"
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(numbers) > 1 and int(numbers[-1]) == pid and os.stat(status.parent / "ns/pid").st_ino == os.stat(mine).st_ino:
                    return int(status.parent.name)
        raise MachineError(f"no process {pid} inside")

    def netns(self, name=None):
        """Of the machine itself, or of one made there with `ip netns add`; for netns.inside()."""
        return str(self.path(f"/run/netns/{name}")) if name else f"/proc/{self.pid}/ns/net"

    def logs(self):
        text = self.console_text()
        if self.pid and pathlib.Path(f"/proc/{self.pid}").exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                done = subprocess.run(self.command(*self.init.logs), capture_output=True, text=True, timeout=20)
                text += done.stdout + done.stderr
        return text[-12000:]

    def console_text(self):
        return (self.media / f"console-{self.boots}").read_text(errors="replace")
