# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/lab for tests: one object is one lab."""

import collections
import json
import os
import pathlib
import select
import signal
import subprocess

import netns
import traffic

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = str(ROOT / "tools" / "lab")
END_S = 60
LABS = pathlib.Path(os.environ.get("PATRONUS_LAB_DIR", "/run/patronus-lab"))


def build_dir():
    return pathlib.Path(os.environ.get("PATRONUS_BUILD", ROOT / "build")).resolve()


def is_sanitized():
    """Whether the build has sanitizers: it is several times as slow."""
    return b"__asan_init" in (build_dir() / "cli/patronusctl").read_bytes()


class Lab:
    """with Lab("t-1") as lab: lab.apply(text); lab.exec("lan", "ping", ...)"""

    def __init__(self, name, network_only=False, preload=None):
        self.name = name
        self.network_only = network_only
        self.directory = LABS / name
        self.bus = f"unix:path={self.directory}/bus"
        self.env = {**os.environ, "PATRONUS_BUILD": str(build_dir()), "PATRONUS_LAB_PRELOAD": preload or ""}
        if preload:  # it comes before the sanitizer's library, and needs nothing of it
            self.env["ASAN_OPTIONS"] = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))

    def __enter__(self):
        self.tool("down")
        self.tool("up", *(["--network-only"] if self.network_only else []))
        return self

    def __exit__(self, *_):
        self.tool("down")

    def tool(self, command, *args, check=True):
        done = subprocess.run([LAB, command, self.name, *map(str, args)], env=self.env, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(f"tools/lab {command} {' '.join(map(str, args))}: exit code {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}{self.logs()}")
        return done

    def logs(self):
        """The last lines of each daemon's log, for messages."""
        return "".join(f"--- {path.name}\n{path.read_text(errors='replace')[-8000:]}" for path in sorted(self.directory.glob("log/*.log")))

    # --- the configuration

    def ctl(self, *args, check=True, stdin=None):
        """patronusctl; stdin is text."""
        done = subprocess.run([str(build_dir() / "cli/patronusctl"), *map(str, args)], input=stdin, capture_output=True, text=True,
                              env={**self.env, "DBUS_SYSTEM_BUS_ADDRESS": self.bus})
        if check and done.returncode:
            raise AssertionError(f"patronusctl {' '.join(map(str, args))}: exit code {done.returncode}\n{done.stdout}{done.stderr}{self.logs()}")
        return done

    def apply(self, text, *options):
        return self.ctl("apply", *options, "-f", "-", stdin=text)

    def counters(self):
        """The rows of `filter counters`."""
        return [json.loads(line) for line in self.ctl("filter", "counters", "-o", "json").stdout.splitlines()]

    def counted(self, kind="FirewallRule"):
        """Packets by the rule's name; of a rule between several pairs of zones the sum."""
        counts = collections.Counter()
        for row in self.counters():
            if row["kind"] == kind:
                counts[row["name"]] += row["packets"]
        return dict(counts)

    # --- processes

    def pid(self, daemon):
        return int(self.tool("pid", daemon).stdout)

    def start(self, daemon):
        self.tool("start", daemon)

    def run_daemon(self, daemon, *options, **popen):
        """A daemon in the foreground with options of one's own; the Popen's pid is the daemon's."""
        return subprocess.Popen([LAB, "run", self.name, daemon, *options], env=self.env, text=True, **popen)

    def end(self, daemon, number):
        """Sends a signal and waits for the end."""
        pidfd = os.pidfd_open(self.pid(daemon))
        try:
            signal.pidfd_send_signal(pidfd, number)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            assert poll.poll(END_S * 1000), f"{daemon} did not end within {END_S} s of signal {number}"
        finally:
            os.close(pidfd)

    # --- the network

    def netns(self, host):
        return netns.path(self.name, host)

    def exec(self, host, *command, check=True, **run):
        done = subprocess.run(["ip", "netns", "exec", f"plt-{self.name}-{host}", *command], capture_output=True, text=True, **run)
        if check and done.returncode:
            raise AssertionError(f"{host}: {' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def pings(self, host, target, *options, expect=True):
        """Whether one is answered; who expects that it is not waits as long as a silence takes."""
        patience = traffic.PATIENCE_S if expect else traffic.SILENCE_S
        return self.exec(host, "ping", "-c1", f"-W{patience}", *options, target, check=False).returncode == 0

    def popen(self, host, *command, **popen):
        return subprocess.Popen(["ip", "netns", "exec", f"plt-{self.name}-{host}", *command], text=True, **popen)

    def nft(self, script):
        """Loads a script in the router, as another program would."""
        return self.exec("router", "nft", "-f", "-", input=script)

    def nft_json(self, *what):
        """`nft -j list WHAT` without its metainfo; ("ruleset",) when nothing is named."""
        listed = json.loads(self.exec("router", "nft", "-j", "list", *(what or ("ruleset",))).stdout)["nftables"]
        return [item for item in listed if "metainfo" not in item]

    def ruleset(self, *what):
        """`nft list WHAT` as text, with handles and without counters' values: what must not change."""
        return self.exec("router", "nft", "-a", "-s", "list", *(what or ("ruleset",))).stdout
