# SPDX-License-Identifier: GPL-3.0-or-later
"""configd-test with the two test daemons of tests/daemons, which do wrong what they are told.

    with fault_harness.FaultSetup(build, address) as setup:
        setup.start("--step-timeout", "1500")
        setup.link.on("commit", "die-after")
        setup.client.apply(link("wan") + service("web", link="wan"))
        setup.agree()
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import threading

import dbus
import dbus.bus

import config_harness
from config_harness import CONFIG_NAME, WAIT_S, wait_until
from signals import Signals


def link(name, **spec):
    return "---\n" + json.dumps({"apiVersion": "patronus.testlink/v1", "kind": "TestLink", "metadata": {"name": name},
                                 "spec": spec}) + "\n"


def service(name, port=80, **spec):
    return "---\n" + json.dumps({"apiVersion": "patronus.testservice/v3", "kind": "TestService", "metadata": {"name": name},
                                 "spec": {"port": port, **spec}}) + "\n"


class TestDaemon:
    """patronus-testd in one of its roles. It can be restarted as a service manager would do it."""

    __test__ = False  # the name is no test's

    def __init__(self, setup, role):
        self.setup, self.role = setup, role
        self.name = f"test{role}"
        self.bus_name = f"org.patronus.Test{role.title()}1"
        self.path = "/" + self.bus_name.replace(".", "/")
        self.kind = f"Test{role.title()}"
        self.directory = setup.directory / self.name
        self.process = None
        self.keeper = None
        self.restarts = 0
        self.blocked = False  # it cannot be told anything any more

    def spawn(self, *options):
        program = self.setup.program("tests/daemons/patronus-testd" + self.setup.version)
        self.process = subprocess.Popen([str(program), self.role, "--bus", self.setup.address, "--state-dir", str(self.setup.state),
                                         "--run-dir", str(self.setup.directory), *options])

    def start(self, *options):
        self.spawn(*options)
        wait_until(lambda: self.running() or self.process.poll() is not None, f"start of {self.name}")
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}"

    def running(self):
        return self.setup.client.bus.name_has_owner(self.bus_name)

    def kill(self):
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.running(), f"end of {self.name} on the bus")

    def keep(self, *starts):
        """Starts it again when it dies, once, or once with each of these lists of options."""
        def watch():
            for options in starts or ([],):
                pidfd = os.pidfd_open(self.process.pid)
                try:
                    ready, _, _ = select.select([pidfd, self.keeper[1]], [], [])
                finally:
                    os.close(pidfd)
                if self.keeper[1] in ready:
                    return
                self.process.wait()
                self.restarts += 1
                self.spawn(*options)

        reader, writer = os.pipe()
        self.keeper = [threading.Thread(target=watch, daemon=True), reader, writer]
        self.keeper[0].start()

    def end_keeper(self):
        """It is not started again any more. One that was started just now gets the time for it."""
        if not self.keeper:
            return
        thread, reader, writer = self.keeper
        os.write(writer, b"x")
        thread.join(WAIT_S)
        os.close(reader)
        os.close(writer)
        self.keeper = None
        if self.restarts:
            wait_until(lambda: self.running() or self.process.poll() is not None, f"restart of {self.name}")

    def end(self):
        self.end_keeper()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:  # told to hang
                self.process.kill()
                self.process.wait()

    def call(self, method, signature="", *args):
        return self.setup.client.call(self.path, "org.patronus.Test1", method, signature, *args, name=self.bus_name)

    def on(self, step, behaviour):
        self.call("On", "ss", step, behaviour)
        self.blocked = step in ("observe", "plan", "abort") and behaviour == "hang"

    def behave(self):
        """Everything works again, and what hangs goes on."""
        for step in ("observe", "plan", "cuts", "prepare", "commit", "verify", "abort"):
            self.on(step, "")
        with contextlib.suppress(dbus.DBusException):
            self.release()

    def release(self):
        self.call("Release")

    def estimate(self, prepare_usec, commit_usec):
        self.call("Estimate", "tt", dbus.UInt64(prepare_usec), dbus.UInt64(commit_usec))

    def prop(self, name):
        return self.setup.client.call(self.path, "org.freedesktop.DBus.Properties", "Get", "ss", "org.patronus.Daemon1", name,
                                      name=self.bus_name)

    @property
    def revision(self):
        return int(self.prop("Revision"))

    def files(self):
        """What its system holds: {"TestLink.wan": line}."""
        return {path.name: path.read_text() for path in (self.directory / "system").iterdir()}

    def marker(self):
        """(revision, root), or None."""
        try:
            revision, root = (self.directory / "marker").read_text().split()
        except FileNotFoundError:
            return None
        return int(revision), root


class Background(threading.Thread):
    """An Apply under way, on a connection of its own."""

    def __init__(self, setup, data, options):
        super().__init__(daemon=True)
        self.client, self.data, self.options = setup.connect(), data, options
        self.reply = self.error = None
        self.start()

    def run(self):
        try:
            self.reply = self.client.apply(self.data, **self.options)
        except dbus.DBusException as error:
            self.error = error

    def result(self, seconds=60):
        self.join(seconds)
        assert not self.is_alive(), "the Apply did not end"
        if self.error:
            raise self.error
        return self.reply


class Steps(Signals):
    """What the engines of the test daemons do: [("testlink", "plan"), ...]."""

    def __init__(self, setup):
        self.names = {daemon.path: daemon.name for daemon in setup.daemons.values()}
        super().__init__(setup.address, "org.patronus.Test1", "Stepped")

    def on_signal(self, _bus, _sender, path, _interface, _member, parameters):
        self.seen.append((self.names[path], *parameters.unpack()))

    def wait_for(self, daemon, step):
        self.wait(lambda seen: (daemon.name, step) in seen, f"{step} of {daemon.name}")


class FaultSetup(config_harness.Setup):
    version = ""  # of the programs that are started; "-v1": those that know the first version of TestService alone

    def __init__(self, build, address):
        super().__init__(build, address)
        self.link, self.service = TestDaemon(self, "link"), TestDaemon(self, "service")
        self.daemons = {daemon.name: daemon for daemon in (self.link, self.service)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def program(self, path):
        """A copy that other users can reach."""
        copy = self.directory / pathlib.Path(path).name
        if not copy.exists():
            shutil.copy(self.build / path, copy)
        return copy

    def start_configd(self, *options):
        self.process = config_harness.Process(
            self.client, CONFIG_NAME,
            [str(self.program("tests/daemons/patronus-configd-test" + self.version)), "--bus", self.address, "--state-dir", str(self.state), "--run-dir",
             str(self.directory), *options], **config_harness.as_user(config_harness.USER))

    def start(self, *options):
        for daemon in self.daemons.values():
            daemon.start()
        self.start_configd(*options)

    def tags(self):
        """The label of each object, by name: which of two configurations it is."""
        return {name: str(self.client.get(kind, name)["spec"][field])
                for kind, field in (("TestLink", "label"), ("TestService", "greeting")) for name in self.client.names(kind)}

    def ctl(self, *args, check=True, **popen):
        """patronusctl-test; its standard output."""
        done = subprocess.run([self.build / "tests/daemons/patronusctl-test", "--bus", self.address, *map(str, args)], text=True,
                              capture_output=True, check=False, timeout=120, **popen)
        assert not check or done.returncode == 0, done.stderr
        return done if not check else done.stdout

    def background(self, data, **options):
        """An Apply under way; result() is its reply."""
        return Background(self, data, options)

    def conditions(self):
        """configd's, but for that of filterd, which nobody starts here."""
        return {str(k): str(v) for k, v in self.client.call(
            config_harness.CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss", "org.patronus.Daemon1", "Conditions").items()
                if k != "filterd"}

    def state_word(self):
        return str(self.client.call(config_harness.CONFIG_PATH, "org.freedesktop.DBus.Properties", "Get", "ss",
                                    "org.patronus.Daemon1", "State"))

    def disk_root(self, daemon):
        """The root of the daemon's slice in the decided revision on disk; None before the first."""
        try:
            folder = self.state / "revisions" / os.readlink(self.state / "revisions" / "decided")
            with (folder / f"{daemon.name}.ndjson").open() as file:
                return json.loads(file.readline())["root"]
        except FileNotFoundError:
            return None

    def agree(self):
        """What configd, the disk, each daemon and its system say is the same."""
        decided = self.state / "revisions" / "decided"
        number = int(os.readlink(decided)) if decided.is_symlink() else 0
        assert self.client.revision == number, "configd and its disk"
        for daemon in self.daemons.values():
            self.agrees(daemon)
        assert self.conditions() == {}, "nothing is wrong"

    def settled(self):
        """Until all agree: what configd does about them after its start nobody waits for."""
        def agreed():
            try:
                self.agree()
            except (AssertionError, OSError) as error:  # files come and go meanwhile
                last.append(error)
                return False
            return True

        last = []
        try:
            wait_until(agreed, "agreement")
        except AssertionError as error:
            raise (last or [error])[-1] from None

    def agrees(self, daemon):
        files = {}
        for name in self.client.names(daemon.kind):
            files[f"{daemon.kind}.{name}"] = self.client.get(daemon.kind, name)["spec"]
        found = {name: config_harness.redacted(json.loads(text.split("\n")[0])["spec"]) for name, text in daemon.files().items()}
        assert found == files, f"{daemon.name}: configuration and system"
        assert not list((daemon.directory / "staging").iterdir()), f"{daemon.name}: left from a Prepare"
        state = self.client.call(daemon.path, "org.patronus.Transaction1", "GetState", "", name=daemon.bus_name)
        assert state.get("root") == state.get("markerRoot"), f"{daemon.name}: what it and its system say"
        assert (daemon.marker() or (0, None))[1] == state.get("markerRoot"), f"{daemon.name}: what it says and its marker"
        if files:
            assert self.disk_root(daemon) == state["root"], f"{daemon.name}: disk and system"
        assert str(daemon.prop("State")) in ("running", "unconfigured")

    def close(self):
        for daemon in self.daemons.values():
            daemon.end()
        super().close()
