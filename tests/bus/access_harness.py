# SPDX-License-Identifier: GPL-3.0-or-later
"""configd and filterd on a bus with a real polkitd, and callers who are somebody else.

Everything runs in mount namespaces of its own, with a /etc/group in which USERS are members, and with polkit's folders replaced: the
machine's polkit, users and firewall are not touched.
"""

import contextlib
import grp
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile

import dbus
import dbus.bus

from config_harness import CONFIG_NAME, FILTER_NAME, WAIT_S, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLKIT = "/usr/lib/polkit-1/polkitd"
POLKIT_NAME = "org.freedesktop.PolicyKit1"
NAMES = {"configd": CONFIG_NAME, "filterd": FILTER_NAME}
# All that World.start() knows, with the object that each has.
WHERE = {"configd": (CONFIG_NAME, "/org/patronus/Config1"), "filterd": (FILTER_NAME, "/org/patronus/Filter1"),
         "testlink": ("org.patronus.TestLink1", "/org/patronus/TestLink1"),
         "testservice": ("org.patronus.TestService1", "/org/patronus/TestService1")}

# Users of every Debian; who they are here.
MEMBER, OTHER, SHOP = "games", "nobody", "news"
MEMBERS = {"patronus": [MEMBER], "shop": [SHOP]}

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">{policy}</policy>
  {more}
</busconfig>
"""
# Everybody may do everything, so that the daemons' own checks are seen.
OPEN = '<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="false"/>'
# What Debian's system bus says, to which the installed policies are added.
STRICT = """<allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
  <allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
  <allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
  <allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/>"""

RULES = {
    "yes": 'polkit.addRule(function(action) { if (action.id.indexOf("org.patronus.") === 0) return polkit.Result.YES; });',
    "no": 'polkit.addRule(function(action) { if (action.id.indexOf("org.patronus.") === 0) return polkit.Result.NO; });',
    "shipped": (ROOT / "units/polkit/60-patronus.rules").read_text(),
}

# Reads a line of JSON for each call, [name, path, interface, member, signature, arguments, interactive], and answers with one: the
# error's name and text, or null. The argument {"h": n} is a descriptor of an empty file; several calls in a list are sent at once,
# and answered in the order of their answers: [[index, error], ...].
CALLER = r"""
import dbus, dbus.bus, dbus.lowlevel, json, os, sys
import dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])
loop = GLib.MainLoop()

def value(argument):
    if isinstance(argument, dict) and "h" in argument:
        fd = os.memfd_create("caller")
        try:
            return dbus.types.UnixFd(fd)
        finally:
            os.close(fd)
    return argument

def message(call):
    name, path, interface, member, signature, arguments, interactive = call
    m = dbus.lowlevel.MethodCallMessage(name, path, interface, member)
    m.append(*map(value, arguments), signature=signature)
    if interactive:
        m.set_allow_interactive_authorization(True)
    return m

def send(calls):
    answers = []
    def on_reply(index):
        def answered(reply):
            error = None
            if reply.get_type() == dbus.lowlevel.MESSAGE_TYPE_ERROR:
                error = [reply.get_error_name(), str((reply.get_args_list() or [""])[0])]
            answers.append([index, error])
            if len(answers) == len(calls):
                loop.quit()
        return answered
    for index, call in enumerate(calls):
        bus.send_message_with_reply(message(call), on_reply(index), 60)
    if len(answers) < len(calls):
        loop.run()
    return answers

print(bus.get_unique_name(), flush=True)
for line in sys.stdin:
    calls = json.loads(line)
    print(json.dumps(send(calls)), flush=True)
"""


def program(daemon):
    """Its file below the build directory, and the first of its arguments."""
    if daemon.startswith("test"):
        return pathlib.Path("tests/daemons/patronus-testd"), [daemon.removeprefix("test")]
    return pathlib.Path(f"daemons/{daemon}/patronus-{daemon}"), []


def introspect(build, daemon):
    path, role = program(daemon)
    return subprocess.run([build / path, *role, "--introspect"], capture_output=True, text=True, timeout=20, check=True).stdout


def private_tree(group_file, mounts=()):
    """A command prefix: what follows sees this /etc/group, and these folders in the place of others."""
    script = 'mount --bind "$1" /etc/group || exit; shift\n'
    words = [str(group_file)]
    for source, target in mounts:
        script += f'mount --bind "$1" {target} || exit; shift\n'
        words.append(str(source))
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "sh", *words]


class Caller:
    def __init__(self, address, user):
        entry = pwd.getpwnam(user)
        self.user = user
        self.process = subprocess.Popen([sys.executable, "-c", CALLER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd="/", user=entry.pw_uid, group=entry.pw_gid, extra_groups=[entry.pw_gid])
        self.unique_name = self.process.stdout.readline().strip()
        assert self.unique_name

    def begin(self, *calls):
        """Sends all at once; finish() gives [(index, error)] in the order of the answers."""
        self.process.stdin.write(json.dumps(calls) + "\n")
        self.process.stdin.flush()

    def finish(self):
        return json.loads(self.process.stdout.readline())

    def call(self, name, path, interface, member, signature="", *arguments, interactive=False):
        """None, or (error name, text)."""
        self.begin((name, path, interface, member, signature, arguments, interactive))
        (_, error), = self.finish()
        return error and tuple(error)

    def close(self):
        self.process.kill()  # it may wait for an answer
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class World:
    def __init__(self, build, strict=False):
        self.stack = contextlib.ExitStack()
        self.build = build
        self.sanitized = b"__asan_init" in (build / program("configd")[0]).read_bytes()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="patronus-access-"))
        self.stack.callback(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        self.group_file = self.directory / "group"
        self.group_file.write_text(self._groups())
        self._start_bus(strict)
        self.client = dbus.bus.BusConnection(self.address)
        self.stack.callback(self.client.close)
        self.polkitd = None
        self.stack.callback(self.polkit, "absent")
        self.processes = {}
        self.callers = {}

    @staticmethod
    def _groups():
        lines = [f"{group.gr_name}:x:{group.gr_gid}:" + ",".join(group.gr_mem + MEMBERS.get(group.gr_name, []))
                 for group in grp.getgrall()]
        assert not {"shop"} & {group.gr_name for group in grp.getgrall()}
        return "\n".join([*lines, f"shop:x:64999:{SHOP}", ""])

    def _start_bus(self, strict):
        self.strict = strict
        path, config = self.directory / "bus", self.directory / "bus.conf"
        more = f"<includedir>{ROOT}/units/dbus</includedir><include>/usr/share/dbus-1/system.d/{POLKIT_NAME}.conf</include>"
        config.write_text(BUS.format(path=path, policy=STRICT if strict else OPEN, more=more if strict else ""))
        bus = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # it tells what it refuses
        self.bus = bus
        self.stack.callback(self._end, bus)
        assert bus.stdout.readline(), "dbus-daemon did not start"
        self.address = f"unix:path={path}"

    def restart_bus(self):
        """The connections of callers, and the client, are gone with it."""
        self._end(self.bus)
        self._start_bus(self.strict)
        self.client = dbus.bus.BusConnection(self.address)
        self.stack.callback(self.client.close)
        self.callers = {}
        for daemon, process in self.processes.items():
            self._await(WHERE[daemon][0], process)

    @staticmethod
    def _end(process):
        process.terminate()
        process.wait(WAIT_S)
        if process.stdout:
            process.stdout.close()

    def _await(self, name, process):
        wait_until(lambda: self.client.name_has_owner(name) or process.poll() is not None, f"start of {name}")
        assert process.poll() is None, f"{name} ended with {process.returncode}"

    def start(self, daemon, *options):
        user = pwd.getpwnam("patronus-filterd" if daemon.startswith("test") else f"patronus-{daemon}")
        source, role = program(daemon)
        copy = self.directory / source.name
        if not copy.exists():  # where the tree lies may be closed to other users
            shutil.copy(self.build / source, copy)
        alone = daemon.startswith("test")  # configd does not know it
        state, run = self.directory / ("state-" + daemon if alone else "state"), self.directory / f"run-{daemon}"
        for path, owner in ((state, user if alone else pwd.getpwnam("patronus-configd")), (run, user)):
            if not path.exists():
                path.mkdir()
                os.chown(path, owner.pw_uid, owner.pw_gid)
        capabilities = "-all,+net_admin" if daemon == "filterd" else "-all"
        network = ["unshare", "--net"] if daemon == "filterd" else []
        process = subprocess.Popen(
            [*private_tree(self.group_file), *network, "setpriv", "--reuid", user.pw_name, "--regid", user.pw_name, "--init-groups",
             "--inh-caps", capabilities, "--ambient-caps", capabilities, "--bounding-set", capabilities, "--no-new-privs", "--",
             str(copy), *role, "--bus", self.address, "--state-dir", str(state), "--run-dir", str(run), *options], cwd="/")
        self.processes[daemon] = process
        self.stack.callback(self._end, process)
        self._await(WHERE[daemon][0], process)
        return process

    def polkit(self, mode, rules=None):
        """Another polkitd: with one of RULES, with rules given as text, or "absent"."""
        if self.polkitd:
            self._end(self.polkitd)
            wait_until(lambda: not self.client.name_has_owner(POLKIT_NAME), "end of polkitd")
            self.polkitd = None
        if mode == "absent":
            return
        folders = {}
        for name in ("rules", "more", "actions"):
            folders[name] = self.directory / f"polkit-{name}"
            shutil.rmtree(folders[name], ignore_errors=True)
            folders[name].mkdir()
        shutil.copy(ROOT / "units/polkit/org.patronus.policy", folders["actions"])
        (folders["rules"] / "60-test.rules").write_text(rules or RULES[mode])
        mounts = [(folders["rules"], "/usr/share/polkit-1/rules.d"), (folders["more"], "/etc/polkit-1/rules.d"),
                  (folders["actions"], "/usr/share/polkit-1/actions")]
        self.polkitd = subprocess.Popen([*private_tree(self.group_file, mounts), POLKIT], cwd="/", stdout=subprocess.DEVNULL,
                                        env={"PATH": os.environ["PATH"], "DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self._await(POLKIT_NAME, self.polkitd)

    def caller(self, user):
        """One connection for each user; connect() makes another."""
        if user not in self.callers:
            self.callers[user] = self.connect(user)
        return self.callers[user]

    def connect(self, user):
        caller = Caller(self.address, user)
        self.stack.callback(caller.close)
        return caller

    def close(self):
        self.stack.close()


@contextlib.contextmanager
def running(build, *daemons, strict=False):
    """A World with these daemons."""
    made = World(build, strict)
    try:
        for daemon in daemons:
            made.start(daemon)
        yield made
    finally:
        made.close()
