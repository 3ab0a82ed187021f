# SPDX-License-Identifier: GPL-3.0-or-later
"""A polkit that answers when and what it is told, for what the real one cannot be made to do: be slow, answer out of order, die.

    scripted_polkit.py ADDRESS

It prints a line of JSON for each question, ["asked", id, subject's name, action, details, flags], and for each that is given up,
["cancelled", id]. It reads lines: "yes ID", "no ID", "challenge ID", "garbage ID", "error ID".
"""

import json
import os
import sys

import dbus
import dbus.bus
import dbus.lowlevel
import dbus.mainloop.glib
from gi.repository import GLib

ANSWERS = {"yes": (True, False), "no": (False, False), "challenge": (False, True)}


class Polkit:
    def __init__(self, address):
        self.asked = {}
        self.bus = dbus.bus.BusConnection(address)
        self.bus.add_message_filter(self.on_message)
        self.bus.request_name("org.freedesktop.PolicyKit1")

    @staticmethod
    def tell(*words):
        print(json.dumps(words), flush=True)

    def on_message(self, _, message):
        if message.get_type() != dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL:
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        args = message.get_args_list()
        if message.get_member() == "CheckAuthorization":
            subject, action, details, flags, number = args
            self.asked[str(number)] = message
            self.tell("asked", number, subject[1]["name"], action, dict(details), int(flags))
        elif message.get_member() == "CancelCheckAuthorization":
            self.tell("cancelled", args[0])
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    def on_input(self, *_):
        """Whole lines come: each is written at once, and is shorter than a pipe's page."""
        for line in os.read(sys.stdin.fileno(), 65536).decode().splitlines():
            self.on_line(*line.split())
        return True

    def on_line(self, word, number):
        message = self.asked.pop(number)
        if word == "error":
            answer = dbus.lowlevel.ErrorMessage(message, "org.freedesktop.PolicyKit1.Error.Failed", "as it was told")
        else:
            answer = dbus.lowlevel.MethodReturnMessage(message)
            if word == "garbage":
                answer.append("what?", signature="s")
            else:
                answer.append((*ANSWERS[word], dbus.Dictionary({}, signature="ss")), signature="(bba{ss})")
        self.bus.send_message(answer)
        self.bus.flush()


if __name__ == "__main__":
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    polkit = Polkit(sys.argv[1])
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN, polkit.on_input)
    print("ready", flush=True)
    GLib.MainLoop().run()
