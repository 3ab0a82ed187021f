# SPDX-License-Identifier: GPL-3.0-or-later
"""Callers who are allowed and mean no good, and strangers who are not: random and wrong input to every method and property of every
daemon, floods, and descriptors that are not what they should be. No daemon ends, keeps others waiting, or grows.

The seed is in each failure's text; PATRONUS_SEED repeats it, PATRONUS_LONG=1 draws one, and goes on for longer.
"""

import contextlib
import fcntl
import os
import pathlib
import pwd
import random
import socket
import threading
import time

import pytest

import access_harness
import actions
from access_harness import MEMBER, OTHER
from config_harness import WAIT_S, wait_until
from wire import BUS, INTERACTIVE, NO_REPLY, Wire, split

LONG = bool(os.environ.get("PATRONUS_LONG"))
ROUNDS = 20_000 if LONG else 2_000  # calls of each daemon
SEED = int(os.environ.get("PATRONUS_SEED", random.SystemRandom().randrange(1 << 32) if LONG else 1))
ANSWER_S = 1.0  # what somebody who behaves waits at most, whatever others do
LISTING_S = 30  # a listing of connections waits so long for who asks for its next page
PATIENCE_S = 60.0  # for what those may ask for who are allowed to
GROWTH = 24 << 20  # bytes that a daemon may have more after all that: caches, free lists, the heap's holes
PROPERTIES = "org.freedesktop.DBus.Properties"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")

# ---- what is sent ------------------------------------------------------------------------------

WORDS = ["", "x", "Zone", "FirewallRule", "Alias", "zones", "lan", "any", "default", "patronus", "json", "yaml", "packed", "first", "before", "spec.action",
         "metadata.labels.x", "destination.ports", "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::", "10.0.0.1-10.0.0.9",
         "ff" * 32, "-1", "18446744073709551616", "../../../etc/passwd", "/", "a/b", "%s%n%n", "\n", "\t\x01\x7f", "é" * 40, "\U0001f525",
         "x" * 63, "x" * 64, "x" * 255, "x" * 4096, "x" * 70_000, "org.patronus.Config1", "Version", "LogLevel", "debug", "auto", "{", "[[[[", "---\n",
         "\ufffe", "\u202e", "a=b", "a=b=c", "=", "..", ".", "1h", "auto", "never", "10.0.0.1 22 10.0.0.2 4000"]
KEYS = ["limit", "after", "format", "filter", "kinds", "revision", "labels", "brief", "comment", "dryRun", "confirm", "connection", "merge", "source", "set",
        "replace", "content", "idleUSec", "before", "force", "administrator", "address", "state", "port", "allowOffline", "x", ""]
PATHS = ["/", "/org", "/org/patronus/Config1", "/org/patronus/Config1/session/1", "/org/patronus/Config1/session/18446744073709551616",
         "/org/patronus/Config1/session/_", "/a" * 100]
BASIC = "ybnqiuxtdsog"


class Values:
    """Random values of a type; some are what a method expects, most are not."""

    def __init__(self, rng):
        self.rng = rng

    def text(self):
        if self.rng.random() < 0.7:
            return self.rng.choice(WORDS)
        return "".join(chr(self.rng.choice((self.rng.randrange(1, 128), self.rng.randrange(0xa0, 0xd800), self.rng.randrange(0x10000, 0x110000))))
                       for _ in range(self.rng.randrange(20)))

    def number(self, bits, signed):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return self.rng.choice((low, high, 0, 1, self.rng.randint(low, high), min(high, self.rng.randrange(100))))

    def signature(self, depth=3):
        kind = self.rng.random()
        if depth == 0 or kind < 0.5:
            return self.rng.choice(BASIC)
        if kind < 0.65:
            return "a" + self.signature(depth - 1)
        if kind < 0.8:
            return "a{" + self.rng.choice("sqty") + self.signature(depth - 1) + "}"
        if kind < 0.9:
            return "(" + "".join(self.signature(depth - 1) for _ in range(self.rng.randrange(1, 4))) + ")"
        return "v"

    def of(self, kind, fds=0, depth=0):
        letter = kind[0]
        if letter in "ynqiuxt":
            bits = {"y": 8, "n": 16, "q": 16, "i": 32, "u": 32, "x": 64, "t": 64}[letter]
            return self.number(bits, letter in "nix")
        if letter == "b":
            return self.rng.randrange(2)
        if letter == "d":
            return self.rng.choice((0.0, -1.0, float("inf"), float("nan"), 1e308, self.rng.random()))
        if letter == "s":
            return self.text()
        if letter == "o":
            return self.rng.choice(PATHS)
        if letter == "g":
            return self.rng.choice(("", "s", "a{sv}", "(" * 30 + "y" + ")" * 30))
        if letter == "h":
            return self.rng.randrange(fds) if fds else 0
        if letter == "v":
            return self.variant(depth)
        if letter == "a":
            return self.array(kind[1:], fds, depth)
        return [self.of(inner, fds, depth + 1) for inner in split(kind[1:-1])]

    def variant(self, depth):
        if depth == 0 and self.rng.random() < 0.05:  # as deep as D-Bus lets it be
            value = ("s", "deep")
            for _ in range(self.rng.randrange(55)):
                value = ("v", value)
            return value
        kind = self.signature(3 if depth < 4 else 0)
        return kind, self.of(kind, 0, depth + 1)

    def array(self, kind, fds, depth):
        if depth == 0 and self.rng.random() < 0.03 and kind in ("s", "(st)", "y"):
            item = self.of(kind, fds, 9)
            if len(str(item)) > 100:  # the bus hangs up on a message beyond its limit
                item = {"s": "x", "(st)": ["x", 0]}[kind]
            return [item] * self.rng.choice((1000, 70_000))
        if kind.startswith("{"):
            key, content = split(kind[1:-1])
            return [[self.rng.choice(KEYS) if key == "s" and self.rng.random() < 0.8 else self.of(key, 0, 9), self.of(content, 0, depth + 1)]
                    for _ in range(self.rng.randrange(4))]
        return [self.of(kind, fds, depth + 1) for _ in range(self.rng.choice((0, 1, 2, 5)))]


# ---- who looks ---------------------------------------------------------------------------------

class Watch:
    """Somebody who behaves: asks a property again and again. Its longest wait is what the others may cost."""

    def __init__(self, address, seconds, *targets):
        self.address, self.seconds, self.targets = address, seconds, targets
        self.longest = {target: 0.0 for target in targets}
        self.bus = 0.0  # the bus' own longest answer: what this machine costs now, and no daemon's fault
        self.stopped = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with Wire(self.address) as wire:
                while not self.stopped.wait(0.02):
                    for name, path in self.targets:
                        begin = time.monotonic()
                        error = wire.answer(wire.call(name, path, PROPERTIES, "Get", "ss", ["org.patronus.Daemon1", "Version"]),
                                            max(self.seconds, 60))
                        assert error is None, error
                        self.longest[name, path] = max(self.longest[name, path], time.monotonic() - begin)
                    begin = time.monotonic()
                    wire.answer(wire.call(*BUS, "GetId"))
                    self.bus = max(self.bus, time.monotonic() - begin)
        except Exception as failure:  # told by the test
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()
        if not error[0]:
            assert not self.failure, self.failure
            assert max(self.longest.values()) < self.seconds + self.bus, f"who behaves waited: {self.longest}, for the bus {self.bus}"


def status(process, word):
    """Of a daemon: private_tree() ends in exec, so the process is the daemon."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(word + ":"):
            return int(line.split()[1])
    raise KeyError(word)


def memory(process):
    return status(process, "VmRSS") * 1024


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


@contextlib.contextmanager
def unharmed(world, seconds=ANSWER_S):
    """The daemons are there, as large as before, with as many descriptors, and answered all the time."""
    processes = world.processes
    before = {daemon: (memory(process), descriptors(process)) for daemon, process in processes.items()}
    # Sanitizers take their time, and keep what is freed.
    with Watch(world.address, seconds * (30 if world.sanitized else 1), *(access_harness.WHERE[daemon] for daemon in processes)):
        yield
    for daemon, process in processes.items():
        assert process.poll() is None, f"{daemon} ended with {process.returncode}"
        wait_until(lambda: descriptors(process) <= before[daemon][1], f"end of what {daemon} had open for callers that are gone",
                   LISTING_S + WAIT_S)
        grown = memory(process) - before[daemon][0]
        assert grown < GROWTH or world.sanitized, f"{daemon} has grown by {grown >> 10} KiB"


@pytest.fixture(scope="module")
def world(build_dir):
    with access_harness.running(build_dir, *access_harness.WHERE) as made:
        yield made


@pytest.fixture
def root(world):
    with Wire(world.address) as wire:
        yield wire


def uid(user):
    return pwd.getpwnam(user).pw_uid


def config(wire, member, signature="", values=(), fds=(), flags=0, path="/org/patronus/Config1", interface="org.patronus.Config1"):
    return wire.call("org.patronus.Config1", path, interface, member, signature, values, fds, flags)


# ---- random input ------------------------------------------------------------------------------

def random_call(rng, values, wire, daemon, members, session):
    """One call of one member: mostly with the types that it takes."""
    name, _ = access_harness.WHERE[daemon]
    member = rng.choice(members)
    path, interface, call, signature = member.path, member.interface, member.name, member.signature
    if path.endswith("/session/1"):
        path = session if rng.random() < 0.9 else path.replace("/1", "/77")
    if call in ("<read>", "<write>"):
        prop, kind = rng.choice(member.properties)
        verb = rng.choice(("Get", "GetAll", "Set"))
        interface, call, signature = PROPERTIES, verb, {"Get": "ss", "GetAll": "s", "Set": "ssv"}[verb]
        arguments = [member.interface, prop, (kind, values.of(kind)) if rng.random() < 0.5 else values.of("v")][:len(signature)]
        if rng.random() < 0.2:
            arguments[0] = values.text()
        return wire.call(name, path, interface, call, signature, arguments)
    if rng.random() < 0.15:
        signature = "".join(values.signature() for _ in range(rng.randrange(4)))
    elif rng.random() < 0.05:
        signature = signature[:0] if rng.random() < 0.5 else signature + "v"
    count = rng.randrange(1, 4) if "h" in signature or rng.random() < 0.05 else 0
    fds = [os.open(rng.choice(("/dev/null", "/dev/zero", "/etc/passwd", "/proc/self/maps", "/")), os.O_RDONLY) for _ in range(count)]
    try:
        return wire.call(name, path, interface, call, signature, [values.of(kind, count) for kind in split(signature)], fds,
                         rng.choice((0, 0, 0, INTERACTIVE)))
    finally:
        for fd in fds:
            os.close(fd)


def attack(world, daemon, rng, rounds):
    values, members = Values(rng), actions.members_of(access_harness.introspect(world.build, daemon), daemon)
    seen = {}
    done = 0
    while done < rounds:
        # Many connections, each of which ends in the middle of something.
        user = rng.choice(("root", "root", MEMBER, OTHER))
        with Wire(world.address, uid(user)) as wire:
            opened = config(wire, "OpenSession", "a{sv}", [{}]) if daemon == "configd" else None
            session = "/org/patronus/Config1/session/1"
            if opened and wire.answer(opened) is None:
                session = wire.bodies[opened]
            for _ in range(rng.randrange(60)):
                random_call(rng, values, wire, daemon, members, session)
                done += 1
                if len(wire.pending) > 16:
                    wire.read(lambda: len(wire.pending) <= 8)
            if rng.random() < 0.9:
                for error in wire.drain().values():
                    word = error[0] if error else ""
                    seen[word] = seen.get(word, 0) + 1
    return seen


@pytest.mark.parametrize("daemon", list(access_harness.WHERE))
def test_random_calls(world, daemon):
    rng = random.Random(f"{SEED} {daemon}")
    print(f"PATRONUS_SEED={SEED}")
    attack(world, daemon, rng, ROUNDS // 5)  # heaps and caches get the size that they have
    with unharmed(world):
        seen = attack(world, daemon, rng, ROUNDS)
    assert seen.get("", 0) > ROUNDS // 50 and len(seen) > 4, seen  # some reach what they call


# ---- as large as the bus lets it be --------------------------------------------------------------

DEEP = ("s", "x")
for _ in range(58):
    DEEP = ("v", DEEP)

LARGE = {
    "a string": lambda: ("s", "x" * (10 << 20)),
    "many strings": lambda: ("as", ["x"] * 60_000),
    "many bytes": lambda: ("ay", bytes(14 << 20)),
    "many structs": lambda: ("a(st)", [["192.0.2.1", 0]] * 30_000),
    "many variants": lambda: ("av", [("y", 1)] * 40_000),
    "deep": lambda: ("v", DEEP),
}


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("user", ["root", OTHER])
def test_large_arguments(world, root, size, user):
    """In an option, in a spec and in the place of an argument, to all daemons at once."""
    variant = LARGE[size]()
    with unharmed(world), Wire(world.address, uid(user)) as wire:
        for _ in range(3 if LONG else 1):
            for options in ({"limit": variant}, {"after": variant}, {"x": variant}):
                config(wire, "List", "sa{sv}", ["Zone", options])
                wire.call(*access_harness.WHERE["filterd"], "org.patronus.Filter1", "ListConnections", "a{sv}", [options])
                wire.drain()
            opened = config(wire, "OpenSession", "a{sv}", [{}])
            if wire.answer(opened) is None:
                session = wire.bodies[opened]
                for key in ("interfaces", "description"):
                    config(wire, "Set", "ssa{sv}a{sv}", ["Zone", "lan", {key: variant}, {"labels": variant}], path=session,
                           interface="org.patronus.Session1")
                wire.drain()
            for name, path in access_harness.WHERE.values():
                wire.call(name, path, "org.patronus.Daemon1", "Describe", variant[0], [variant[1]])
                wire.call(name, path, "org.patronus.Transaction1", "Prepare", variant[0], [variant[1]])
            assert all(wire.drain().values())


# ---- descriptors ---------------------------------------------------------------------------------

class Descriptors:
    """Things to give for a file, by name; each is made anew, and closed in the end."""

    def __init__(self, stack, directory):
        self.stack, self.directory = stack, directory

    def own(self, fd):
        self.stack.callback(os.close, fd)
        return fd

    def memfd(self, data=b"", seals=0):
        fd = self.own(os.memfd_create("hostile", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        os.write(fd, data)
        if seals:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    def sparse(self, size, seals=0):
        fd = self.memfd()
        os.truncate(fd, size)
        if seals:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    def pipe(self):
        end, other = os.pipe()
        self.own(other)
        return self.own(end)

    def path(self, path, flags=os.O_RDONLY):
        return self.own(os.open(path, flags | os.O_NONBLOCK))

    def fifo(self):
        path = self.directory / f"fifo-{time.monotonic_ns()}"
        os.mkfifo(path)
        return self.path(path, os.O_RDWR)

    def socket(self):
        near, far = socket.socketpair()
        self.stack.callback(far.close)
        return self.own(near.detach())

    def listener(self):
        made = socket.socket()
        made.listen()
        return self.own(made.detach())


ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # SEAL, SHRINK, GROW, WRITE
THINGS = {
    "empty memfd": lambda d: d.memfd(),
    "unsealed garbage": lambda d: d.memfd(random.Random(1).randbytes(100_000)),
    "sealed garbage": lambda d: d.memfd(random.Random(2).randbytes(100_000), ALL_SEALS),
    "sealed for growing only": lambda d: d.memfd(b"{}\n", 0x4),
    "sealed with half a delta": lambda d: d.memfd(b'{"patronus":"delta","base":"' + b"0" * 64 + b'","root":"', ALL_SEALS),
    "sealed with zeros": lambda d: d.sparse(64 << 20, ALL_SEALS),
    "sealed, too large": lambda d: d.sparse(2 << 30, ALL_SEALS),
    "a terabyte": lambda d: d.sparse(1 << 40),
    "one line": lambda d: d.memfd(b"x" * (8 << 20), ALL_SEALS),
    "deep JSON": lambda d: d.memfd(b"[" * 1_000_000, ALL_SEALS),
    "deep YAML": lambda d: d.memfd(b"- " * 1_000_000, ALL_SEALS),
    "pipe": lambda d: d.pipe(),
    "fifo": lambda d: d.fifo(),
    "socket": lambda d: d.socket(),
    "listening socket": lambda d: d.listener(),
    "directory": lambda d: d.path("/etc"),
    "path only": lambda d: d.path("/etc/passwd", os.O_PATH),
    "write only": lambda d: d.path("/dev/null", os.O_WRONLY),
    "/dev/zero": lambda d: d.path("/dev/zero"),
    "/dev/random": lambda d: d.path("/dev/random"),
    "/proc/self/mem": lambda d: d.path("/proc/self/mem"),
    "/proc/kmsg": lambda d: d.path("/proc/kmsg"),
    "terminal": lambda d: d.own(os.openpty()[0]),
    "eventfd": lambda d: d.own(os.eventfd(0)),
    "pidfd": lambda d: d.own(os.pidfd_open(os.getpid())),
}


def give(wire, fds, session):
    """The descriptors to everything that takes one."""
    for fd in fds:
        config(wire, "Apply", "ha{sv}", [0, {"dryRun": ("b", 1)}], [fd])
        config(wire, "PutDataset", "ha{sv}", [0, {}], [fd])
        config(wire, "Load", "ha{sv}", [0, {}], [fd], path=session, interface="org.patronus.Session1")
        for daemon in ("filterd", "testlink"):
            wire.call(*access_harness.WHERE[daemon], "org.patronus.Transaction1", "Plan", "tha{sv}", [7, 0, {}], [fd])
            wire.call(*access_harness.WHERE[daemon], "org.patronus.Transaction1", "Abort", "t", [7])


def open_session(wire):
    opened = config(wire, "OpenSession", "a{sv}", [{}])
    assert wire.answer(opened) is None
    return wire.bodies[opened]


@pytest.mark.parametrize("thing", THINGS)
def test_descriptors(world, root, tmp_path, thing):
    with contextlib.ExitStack() as stack, unharmed(world):
        fd = THINGS[thing](Descriptors(stack, tmp_path))
        give(root, [fd], open_session(root))
        assert any(root.drain().values())
    # An index that no descriptor has, and more of them than anybody asked for.
    with unharmed(world):
        null = os.open("/dev/null", os.O_RDONLY)
        try:
            for index in (1, 15, 0xFFFFFFFF):
                config(root, "PutDataset", "ha{sv}", [index, {}], [null])
            config(root, "Get", "ss", ["Zone", "lan"], [null] * 16)
        finally:
            os.close(null)
        with contextlib.suppress(ConnectionError):  # a bus may hang up on whoever says so
            assert all(root.drain().values())


def test_memfds_that_change_while_they_are_read(world, root):
    """They shrink to nothing and grow again, all the time."""
    stop = threading.Event()
    document = b'{"apiVersion":"patronus.firewall/v1","kind":"Zone","metadata":{"name":"lan"},"spec":{}}\n' * 2_000

    def change(fd):
        while not stop.is_set():
            os.ftruncate(fd, 0)
            os.ftruncate(fd, len(document))
            os.pwrite(fd, document, 0)
            os.ftruncate(fd, 5000)

    with contextlib.ExitStack() as stack, unharmed(world):
        fd = Descriptors(stack, None).memfd(document)
        session = open_session(root)
        thread = threading.Thread(target=change, args=(fd,))
        thread.start()
        try:
            for _ in range(100 if LONG else 15):
                give(root, [fd], session)
                root.drain()
        finally:
            stop.set()
            thread.join()


# ---- floods --------------------------------------------------------------------------------------

def test_sessions(world, root):
    """16 of a user, 64 in all, and gone with their clients."""
    users = ["root", MEMBER, "patronus-configd", "bin", "sys"]
    with unharmed(world), contextlib.ExitStack() as stack:
        opened = 0
        for user in users:
            wire = stack.enter_context(Wire(world.address, uid(user)))
            for _ in range(40):
                config(wire, "OpenSession", "a{sv}", [{}])
            answers = list(wire.drain().values())
            granted = answers.count(None)
            assert granted <= 16 and {error[0] for error in answers if error} <= {
                "org.patronus.Error.Busy", "org.patronus.Error.NotAuthorized"}
            opened += granted
        assert 32 <= opened <= 64
        assert sessions(root) == opened
    wait_until(lambda: sessions(root) == 0, "end of the sessions")


def sessions(wire):
    """Their number: as many as there are objects below the path."""
    serial = wire.call("org.patronus.Config1", "/org/patronus/Config1/session", "org.freedesktop.DBus.Introspectable", "Introspect")
    error = wire.answer(serial)
    return 0 if error else wire.bodies[serial].count("<node name=")


def test_signals(world, root):
    """Names that change hands, properties and time-outs that a stranger tells of: nothing of it is believed, and nothing kept."""
    with unharmed(world), Wire(world.address, uid(OTHER)) as wire:
        session = open_session(root)
        owner = {name: root.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner", "s", [name])
                 for name, _ in access_harness.WHERE.values()}
        for serial in owner.values():
            assert root.answer(serial) is None
        for i in range(20_000 if LONG else 4_000):
            for name, path in access_harness.WHERE.values():
                wire.signal(name, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", "sss",
                            [("org.patronus.Filter1", root.unique_name, wire.unique_name)[i % 3], ":1.1", ""])
                wire.signal(name, path, PROPERTIES, "PropertiesChanged", "sa{sv}as", ["org.patronus.Daemon1", {"Revision": ("t", i)}, []])
        assert wire.answer(wire.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId")) is None  # all of it is at the bus
        assert root.answer(config(root, "Validate", path=session, interface="org.patronus.Session1")) is None  # its client is here


@pytest.mark.parametrize("user", ["root", OTHER])
@pytest.mark.parametrize("flags", [0, NO_REPLY])
def test_calls_without_reading_the_answers(world, root, user, flags):
    """More than a socket holds, until the bus has enough of it; and from somebody who leaves. Fewer answers with descriptors than
    make dbus-daemon hold a daemon back (docs/ARCHITECTURE.md)."""
    document = "".join(f"192.0.2.{i % 256}\n" for i in range(3000)).encode()
    # Who may call keeps the daemons as busy as he likes: calls are answered in their order. A stranger cannot.
    with unharmed(world, PATIENCE_S if user == "root" else ANSWER_S), contextlib.ExitStack() as stack:
        fd = Descriptors(stack, None).memfd(document)
        wires = [stack.enter_context(Wire(world.address, uid(user))) for _ in range(4)]
        for wire in wires:
            wire.socket.settimeout(30)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                for i in range(60 if LONG else 30):
                    config(wire, "Export", "a{sv}", [{}], flags=flags)
                    config(wire, "List", "sa{sv}", ["", {}], flags=flags)
                    config(wire, "PutDataset", "ha{sv}", [0, {}], [fd], flags=flags)
                    config(wire, "Revert", "ta{sv}", [0, {}], flags=flags)
                    for name, path in access_harness.WHERE.values():
                        wire.call(name, path, "org.patronus.Daemon1", "GetSchema", "s", [""], flags=flags)
                        wire.call(name, path, PROPERTIES, "GetAll", "s", [""], flags=flags)
                    wire.call(*access_harness.WHERE["filterd"], "org.patronus.Filter1", "ListConnections", "a{sv}", [{}], flags=flags)
                    wire.call(*access_harness.WHERE["filterd"], "org.patronus.Filter1", "ListCounters", "a{sv}", [{}], flags=flags)
        for name, path in access_harness.WHERE.values():  # whatever is in front of it is done
            assert root.answer(root.call(name, path, "org.freedesktop.DBus.Peer", "Ping"), 120) is None


def test_connections_that_come_and_go(world, root):
    """Each says one thing and leaves before the answer."""
    with unharmed(world):
        for i in range(3_000 if LONG else 400):
            with Wire(world.address, uid(("root", OTHER, MEMBER)[i % 3])) as wire:
                config(wire, ("OpenSession", "Export")[i % 2], "a{sv}", [{}])
        wait_until(lambda: sessions(root) == 0, "end of the sessions")
