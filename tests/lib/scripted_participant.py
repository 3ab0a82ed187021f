# SPDX-License-Identifier: GPL-3.0-or-later
"""A participant whose every step can be told to fail: org.patronus.Filter1 on a private bus.

    scripted_participant.py ADDRESS [ROOT]

It holds no rules: its state is the root of the slice in force, at first ROOT or that of the empty slice. It checks what
a real one checks (a delta's base) and does as test.Script1.On(method, behaviour) says, "" being to work:

    refuse      an error of org.patronus.Error.Invalid with a diagnostic
    silent      no answer, and nothing done
    mute        done, but no answer
    die         the process ends, nothing done
    act-and-die done, and the process ends without an answer
    unverified  (Verify) the answer is no

"once:" before it makes it so for the next call only.

test.Script1.Cuts(answer) is what it says of the administrator's connection, when it is asked: "no" (at first), "yes:WHY",
"unknown:WHY", or "" for nothing at all.

test.Script1.Root() gives its root; Log() gives the calls so far as JSON: [method, revision, header of the slice or null, lines after it].
"""

import hashlib
import json
import os
import sys

import dbus
import dbus.bus
import dbus.lowlevel
import dbus.mainloop.glib
from gi.repository import GLib

NAME = "org.patronus.Filter1"
EMPTY_ROOT = hashlib.sha256(bytes(32) * 1024).hexdigest()


class Participant:
    def __init__(self, address, root):
        self.root = root
        self.revision = 0
        self.planned = None
        self.behaviour = {}
        self.guarantee = "atomic"
        self.cuts = "no"
        self.administrators = []
        self.calls = []
        self.bus = dbus.bus.BusConnection(address)
        self.bus.add_message_filter(self.on_message)
        self.bus.request_name(NAME)

    def on_message(self, _, message):
        if message.get_type() != dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        interface, method, args = message.get_interface(), message.get_member(), message.get_args_list()
        if interface == "test.Script1":
            self.script(message, method, args)
        elif interface == "org.patronus.Transaction1":
            self.transaction(message, method, args)
        else:
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    def reply(self, message, signature="", *values):
        if message.get_no_reply():
            return
        answer = dbus.lowlevel.MethodReturnMessage(message)
        if signature:
            answer.append(*values, signature=signature)
        self.bus.send_message(answer)
        self.bus.flush()

    def fail(self, message, name, text, diagnostics=None):
        answer = dbus.lowlevel.ErrorMessage(message, "org.patronus.Error." + name, text)
        if diagnostics is not None:
            answer.append(diagnostics, signature="a(ssss)")
        self.bus.send_message(answer)
        self.bus.flush()

    def script(self, message, method, args):
        if method == "On":
            self.behaviour[str(args[0])] = str(args[1])
        elif method == "Guarantee":
            self.guarantee = str(args[0])
        elif method == "Cuts":
            self.cuts = str(args[0])
        elif method == "Administrators":
            self.reply(message, "s", json.dumps(self.administrators))
            return
        elif method == "Force":
            self.root = str(args[0])
        elif method == "Root":
            self.reply(message, "s", self.root)
            return
        elif method == "Log":
            self.reply(message, "s", json.dumps(self.calls))
            return
        self.reply(message)

    def transaction(self, message, method, args):
        header, lines = None, []
        if method == "Plan":
            with os.fdopen(args[1].take(), encoding="utf-8") as slice_file:
                slice_file.seek(0)
                header, *lines = [json.loads(line) for line in slice_file]
        self.calls.append([method, int(args[0]) if args else None, header, lines])
        behaviour = self.behaviour.get(method, "")
        if behaviour.startswith("once:"):
            behaviour = behaviour.removeprefix("once:")
            self.behaviour[method] = ""
        if behaviour == "die":
            os._exit(1)
        if behaviour == "silent":
            return
        if behaviour == "refuse":
            self.fail(message, "Invalid", f"{method} is refused",
                      [("error", "FirewallRule/web#/spec/action", "refused-by-script", f"{method} is refused")])
            return
        if method == "Plan" and header["patronus"] == "delta" and header["base"] != self.root:
            self.fail(message, "NeedFull", "The delta is on another slice")
            return
        answer = getattr(self, "on_" + method.lower())(header, args)
        if behaviour == "act-and-die":
            os._exit(1)
        if behaviour == "mute":
            return
        if behaviour == "unverified":
            answer["verified"] = False
        self.reply(message, "a{sv}", dbus.Dictionary(answer, signature="sv"))

    def on_plan(self, header, args):
        self.planned = int(args[0]), header["root"]
        self.administrators.append(str(args[2].get("administrator", "")))
        return {
            **(self.cut() if "administrator" in args[2] else {}),
            "steps": dbus.Array([f"take {header['root'][:8]}"], signature="s"),
            "impact": "live",
            "engine": "script",
            "guarantee": self.guarantee,
            "prepareUSec": dbus.UInt64(1000),
            "commitUSec": dbus.UInt64(1000),
            "empty": header["root"] == self.root,
            "root": header["root"],
            "diagnostics": dbus.Array([], signature="(ssss)"),
        }

    def cut(self):
        answer, _, why = self.cuts.partition(":")
        return {**({"cuts": answer == "yes"} if answer in ("yes", "no") else {}), **({"cutsWhy": why} if answer else {})}

    def on_prepare(self, *_):
        return {}

    def on_commit(self, *_):
        self.revision, self.root = self.planned
        return {"engineUSec": dbus.UInt64(1)}

    def on_verify(self, *_):
        return {"verified": self.planned is not None and self.root == self.planned[1]}

    def on_abort(self, *_):
        self.planned = None
        return {}

    def on_getstate(self, *_):
        return {
            "revision": dbus.UInt64(self.revision),
            "root": self.root,
            "markerRevision": dbus.UInt64(self.revision),
            "markerRoot": self.root,
        }


if __name__ == "__main__":
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    participant = Participant(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else EMPTY_ROOT)
    print("ready", flush=True)
    GLib.MainLoop().run()
