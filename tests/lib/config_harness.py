# SPDX-License-Identifier: GPL-3.0-or-later
"""configd on a private bus, a client of it, and a participant whose steps can be told to fail."""

import contextlib
import json
import os
import pathlib
import pwd
import select
import shutil
import subprocess
import sys
import tempfile
import time

import dbus
import dbus.bus

CONFIG_NAME = "org.patronus.Config1"
CONFIG_PATH = "/org/patronus/Config1"
SESSION_INTERFACE = "org.patronus.Session1"
FILTER_NAME = "org.patronus.Filter1"
FILTER_PATH = "/org/patronus/Filter1"
USER = "patronus-configd"
WAIT_S = 60
COMMITS = {"Apply", "Commit", "Revert"}  # methods whose last argument may say how they are confirmed


def wait_until(condition, what, seconds=WAIT_S):
    """For what no event tells us from outside: the end of a repair, the death of a session."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)
    return value


def as_user(user):
    """Popen arguments to run as another user; none when we are not root, and so are our own."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid)}


def memfd(data):
    fd = os.memfd_create("test", os.MFD_CLOEXEC)
    os.write(fd, data.encode() if isinstance(data, str) else data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def rule(name, position=None, **spec):
    """One YAML document (JSON is YAML)."""
    metadata = {} if name is None else {"name": name}
    if position is not None:
        metadata["position"] = position
    return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "FirewallRule", "metadata": metadata,
                                 "spec": {"action": "allow", **spec}}) + "\n"


def zone(name, **spec):
    return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "Zone", "metadata": {"name": name},
                                 "spec": spec}) + "\n"


class Client:
    """One connection to the bus. Options are keyword arguments."""

    def __init__(self, address):
        self.bus = dbus.bus.BusConnection(address)

    def close(self):
        self.bus.close()

    def call(self, path, interface, method, signature, *args, name=CONFIG_NAME):
        if method in COMMITS and name == CONFIG_NAME and "confirm" not in args[-1]:
            # Whoever runs the tests over ssh would have to confirm what they commit.
            args = (*args[:-1], {**args[-1], "confirm": "never"})
        return self.bus.call_blocking(name, path, interface, method, signature, args, timeout=120)

    def config(self, method, signature="", *args):
        return self.call(CONFIG_PATH, CONFIG_NAME, method, signature, *args)

    def open(self, **options):
        return Session(self, self.config("OpenSession", "a{sv}", options))

    def apply(self, data, **options):
        with contextlib.closing(os.fdopen(memfd(data))) as file:
            return self.config("Apply", "ha{sv}", dbus.types.UnixFd(file), options)

    def accept(self, data, **options):
        """Apply what must be accepted."""
        reply = self.apply(data, **options)
        assert reply["accepted"], explain(reply)
        return reply

    @staticmethod
    def memfd(data):
        return os.fdopen(memfd(data))

    def put(self, entries, **options):
        """PutDataset of one entry a line."""
        with self.memfd("".join(f"{entry}\n" for entry in entries)) as file:
            return self.config("PutDataset", "ha{sv}", dbus.types.UnixFd(file), options)

    def get(self, kind, name):
        return self.config("Get", "ss", kind, name)

    def names(self, kind=""):
        objects, _ = self.config("List", "sa{sv}", kind, {"limit": dbus.UInt32(1000)})
        return [str(item["metadata"]["name"]) for item in objects]

    def order(self):
        """Names of all rules by position."""
        objects, _ = self.config("List", "sa{sv}", "FirewallRule", {"limit": dbus.UInt32(1000)})
        return [str(item["metadata"]["name"]) for item in sorted(objects, key=lambda item: item["metadata"]["position"])]

    def position(self, name):
        return int(self.get("FirewallRule", name)["metadata"]["position"])

    def text(self, method, signature, *args):
        with os.fdopen(self.config(method, signature, *args).take()) as file:
            file.seek(0)
            return file.read()

    def export(self, **options):
        return self.text("Export", "a{sv}", options)

    def diff(self, before, after):
        lines = self.text("Diff", "tt", dbus.UInt64(before), dbus.UInt64(after))
        return [json.loads(line) for line in lines.splitlines()]

    def prop(self, name):
        return self.call(CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", CONFIG_NAME, name)

    @property
    def revision(self):
        return int(self.prop("Revision"))

    @property
    def root(self):
        return str(self.prop("Root"))


class Session:
    def __init__(self, client, path):
        self.client, self.path = client, path

    def call(self, method, signature="", *args):
        return self.client.call(self.path, SESSION_INTERFACE, method, signature, *args)

    def set(self, kind, name, spec, metadata=None):
        self.call("Set", "ssa{sv}a{sv}", kind, name, dbus.Dictionary(spec, signature="sv"),
                  dbus.Dictionary(metadata or {}, signature="sv"))

    def get(self, kind, name):
        return self.call("Get", "ss", kind, name)

    def unset(self, kind, name, *paths):
        self.call("Unset", "ssas", kind, name, dbus.Array(paths, signature="s"))

    def delete(self, kind, name):
        self.call("Delete", "ss", kind, name)

    def load(self, data, **options):
        with contextlib.closing(os.fdopen(memfd(data))) as file:
            return self.call("Load", "ha{sv}", dbus.types.UnixFd(file), options)

    def validate(self):
        return self.call("Validate")

    def plan(self):
        return self.call("Plan")

    def commit(self, **options):
        return self.call("Commit", "a{sv}", dbus.Dictionary(options, signature="sv"))


def redacted(spec):
    """A spec as it is stored, as it is shown."""
    return {key: "<redacted>" if str(value).startswith("sealed:") else value for key, value in spec.items()}


def explain(reply):
    return "\n".join(": ".join(map(str, entry)) for entry in reply["diagnostics"])


def codes(reply):
    return {str(code) for _, _, code, _ in reply["diagnostics"]}


def error_name(error):
    return error.value.get_dbus_name().rpartition(".")[2]


class Process:
    """A daemon of the test; `name` is what it has on the bus when it is ready."""

    def __init__(self, client, name, command, **popen):
        self.name = name
        self.process = subprocess.Popen(command, **popen)
        wait_until(lambda: client.bus.name_has_owner(name) or self.process.poll() is not None, f"start of {name}")
        assert self.process.poll() is None, f"{command[0]} ended with {self.process.returncode}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class Participant(Process):
    def __init__(self, client, address, root=None):
        script = pathlib.Path(__file__).with_name("scripted_participant.py")
        super().__init__(client, FILTER_NAME,
                         [sys.executable, str(script), address, *([root] if root else [])], stdout=subprocess.PIPE, text=True)
        self.client = client
        assert self.process.stdout.readline() == "ready\n"

    def script(self, method, signature="", *args):
        return self.client.call(FILTER_PATH, "test.Script1", method, signature, *args, name=FILTER_NAME)

    def on(self, method, behaviour):
        self.script("On", "ss", method, behaviour)

    def log(self):
        return json.loads(self.script("Log"))

    def methods(self):
        return [call[0] for call in self.log()]

    def cuts(self, answer):
        self.script("Cuts", "s", answer)

    def administrators(self):
        """What each Plan was asked about, "" for nothing."""
        return json.loads(self.script("Administrators"))

    @property
    def root(self):
        return str(self.script("Root"))

    def died(self):
        poll = select.poll()
        pidfd = os.pidfd_open(self.process.pid)
        try:
            poll.register(pidfd, select.POLLIN)
            return bool(poll.poll(WAIT_S * 1000))
        finally:
            os.close(pidfd)


class Setup:
    """configd with a state directory that outlives its restarts."""

    def __init__(self, build, address):
        self.build, self.address = build, address
        self.client = Client(address)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="patronus-configd-"))
        self.directory.chmod(0o755)
        self.state = self.directory / "state"
        self.state.mkdir()
        if os.geteuid() == 0:
            entry = pwd.getpwnam(USER)
            os.chown(self.state, entry.pw_uid, entry.pw_gid)
        self.process = self.participant = None
        self.clients = [self.client]

    def start(self, *options, wrap=()):
        """`wrap`: a command that becomes configd, and sees to its user."""
        program = self.directory / "patronus-configd"
        if not program.exists():  # where the tree lies may be closed to other users
            shutil.copy(self.build / "daemons/configd/patronus-configd", program)
        self.process = Process(self.client, CONFIG_NAME,
                               [*wrap, str(program), "--bus", self.address, "--state-dir", str(self.state), "--run-dir",
                                str(self.directory), *options], **({} if wrap else as_user(USER)))

    def start_with_limits(self):
        """For full_disk(), which is an error then, and no signal."""
        self.start(wrap=["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "env", "--ignore-signal=XFSZ"])

    def full_disk(self, size):
        """No file grows beyond `size` bytes any more; "unlimited": there is room again."""
        subprocess.run(["prlimit", "--pid", str(self.process.process.pid), f"--fsize={size}:unlimited"], check=True, **as_user(USER))

    def start_participant(self, root=None):
        self.participant = Participant(self.client, self.address, root)
        return self.participant

    def connect(self):
        self.clients.append(Client(self.address))
        return self.clients[-1]

    def settled(self):
        """Until configd and its participant agree."""
        wait_until(lambda: self.participant.root == self.client.root, "agreement of configd and participant")

    def close(self):
        for process in (self.process, self.participant):
            if process:
                process.end()
        for client in self.clients:
            client.close()
        shutil.rmtree(self.directory)
