# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals of a bus, for who waits until something happened."""

from gi.repository import Gio, GLib

WAIT_S = 60


class Signals:
    """Signals of one member, in the order in which they were sent; wait() is for one of them. It may be used in any one thread."""

    def __init__(self, address, interface, member):
        self.seen = []
        self.context = GLib.MainContext.new()  # that thread's, and nobody else's
        self.context.push_thread_default()
        try:
            self.bus = Gio.DBusConnection.new_for_address_sync(
                address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
            self.bus.signal_subscribe(None, interface, member, None, None, Gio.DBusSignalFlags.NONE, self.on_signal)
        finally:
            self.context.pop_thread_default()
        self.bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None, Gio.DBusCallFlags.NONE, -1,
                           None)  # the bus has the match

    def on_signal(self, _bus, _sender, path, _interface, _member, parameters):
        self.seen.append((path, *parameters.unpack()))

    def update(self):
        while self.context.iteration(False):
            pass
        return self.seen

    def wait(self, condition, what, seconds=WAIT_S):
        """Until the condition on what was seen is true; its value."""
        late = []
        timer = GLib.timeout_source_new(seconds * 1000)
        timer.set_callback(lambda *_: late.append(True))
        timer.attach(self.context)
        try:
            while not (value := condition(self.update())):
                assert not late, f"{what} was not signalled within {seconds} s, but {self.seen}"
                self.context.iteration(True)
        finally:
            timer.destroy()
        return value

    def close(self):
        self.bus.close_sync(None)
