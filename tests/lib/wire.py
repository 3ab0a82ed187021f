# SPDX-License-Identifier: GPL-3.0-or-later
"""D-Bus by hand, for clients that no library would be: messages of any shape, sent without reading the answers, with any descriptors.

    with Wire(address, uid=65534) as wire:
        serial = wire.call(name, path, interface, member, "sa{sv}", ["Zone", {"limit": ("u", 7)}])
        wire.answer(serial)     # None, or (error name, text)

Values by their signature: a number, a text, a bool, an index into the descriptors for h, a list for arrays and structs, a dictionary or a
list of pairs for a{..}, and (signature, value) for a variant. The D-Bus specification, "Marshaling (Wire Format)".
"""

import array
import os
import select
import socket
import struct
import threading
import time

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY, INTERACTIVE = 1, 4
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
ALIGN = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "b": 4, "i": 4, "u": 4, "s": 4, "o": 4, "a": 4, "h": 4, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}

CONNECTING = threading.Lock()  # the effective uid is the process'


def split(signature):
    """Its complete types: "sa{sv}(ii)" is s, a{sv}, (ii)."""
    found, depth, start = [], 0, 0
    for i, letter in enumerate(signature):
        depth += (letter in "({") - (letter in ")}")
        if depth == 0 and letter != "a":
            found.append(signature[start:i + 1])
            start = i + 1
    return found


def pad(out, alignment):
    out += bytes(-len(out) % alignment)


def put(out, kind, value):
    """Appends one value of one complete type."""
    letter = kind[0]
    pad(out, ALIGN[letter])
    if letter in FIXED:
        out += struct.pack("<" + FIXED[letter], value)
    elif letter in "so":
        data = value if isinstance(value, bytes) else value.encode()
        out += struct.pack("<I", len(data)) + data + b"\0"
    elif letter == "g":
        out += bytes([len(value)]) + value.encode() + b"\0"
    elif letter == "v":
        inner, content = value
        put(out, "g", inner)
        put(out, inner, content)
    elif letter == "a":
        put_array(out, kind[1:], value)
    else:
        for inner, content in zip(split(kind[1:-1]), value):
            put(out, inner, content)


def put_array(out, kind, value):
    out += bytes(4)
    length = len(out)
    pad(out, ALIGN[kind[0]])
    start = len(out)
    if kind == "y":
        out += bytes(value)
    else:
        for item in value.items() if isinstance(value, dict) else value:
            put(out, kind, item)
    struct.pack_into("<I", out, length - 4, len(out) - start)


def marshal(signature, values):
    out = bytearray()
    for kind, value in zip(split(signature), values):
        put(out, kind, value)
    return bytes(out)


class Wire:
    def __init__(self, address, uid=None):
        path = address.removeprefix("unix:path=")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.serial = 0
        self.buffer = bytearray()
        self.answers = {}  # serial: None, or (name, text)
        self.bodies = {}  # serial: the first argument, if it is a text
        self.pending = set()
        with CONNECTING:
            own = os.geteuid()
            try:
                if uid is not None:
                    os.seteuid(uid)  # the kernel tells the bus who connects
                self.socket.connect(path)
                self._authenticate(os.geteuid())
            finally:
                os.seteuid(own)
        hello = self.call(*BUS, "Hello")
        self.answer(hello)
        self.unique_name = self.bodies[hello]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def _authenticate(self, uid):
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        said = b""
        while said.count(b"\r\n") < 2:
            data = self.socket.recv(256)
            assert data, f"the bus refused us: {said}"
            said += data
        assert said.startswith(b"OK ") and b"AGREE_UNIX_FD" in said, said

    def message(self, kind, path, interface, member, destination, signature, body, fds=(), flags=0):
        self.serial += 1
        fields = [[1, ("o", path)], [3, ("s", member)]]
        if interface:
            fields.append([2, ("s", interface)])
        if destination:
            fields.append([6, ("s", destination)])
        if signature:
            fields.append([8, ("g", signature)])
        if fds:
            fields.append([9, ("u", len(fds))])
        head = bytearray(struct.pack("<cBBBII", b"l", kind, flags, 1, len(body), self.serial))
        put(head, "a(yv)", fields)
        pad(head, 8)
        return bytes(head) + body

    def _send(self, data, fds):
        view = memoryview(data)
        if fds:
            sent = self.socket.sendmsg([view[:65536]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            view = view[sent:]
        self.socket.sendall(view)

    def call(self, name, path, interface, member, signature="", values=(), fds=(), flags=0):
        data = self.message(CALL, path, interface, member, name, signature, marshal(signature, values), fds, flags)
        self._send(data, list(fds))
        if not flags & NO_REPLY:
            self.pending.add(self.serial)
        return self.serial

    def signal(self, destination, path, interface, member, signature="", values=()):
        self._send(self.message(SIGNAL, path, interface, member, destination, signature, marshal(signature, values)), [])

    def answer(self, serial, seconds=60.0):
        """None, or (error name, text). TimeoutError."""
        self.read(lambda: serial in self.answers, seconds)
        return self.answers.pop(serial)

    def drain(self, seconds=60.0):
        """All that is asked is answered: {serial: None or (error name, text)}."""
        self.read(lambda: not self.pending, seconds)
        answers, self.answers = self.answers, {}
        self.bodies.clear()
        return answers

    def read(self, done, seconds=60.0):
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError(f"{len(self.pending)} calls are not answered after {seconds} s")
            data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 64)
            for fd in fds:
                os.close(fd)
            if not data:
                raise ConnectionError("the bus hung up")
            self.buffer += data
            while self._take():
                pass

    def _take(self):
        """One message, if a whole one is there."""
        if len(self.buffer) < 16:
            return False
        _, kind, _, _, size, _, fields = struct.unpack_from("<cBBBIII", self.buffer)
        start = 16 + fields + -(16 + fields) % 8
        if len(self.buffer) < start + size:
            return False
        reply_serial, error = self._fields(16, 16 + fields)
        text = ""
        if size > 4 and kind in (RETURN, ERROR):
            length, = struct.unpack_from("<I", self.buffer, start)
            if length < size:
                text = bytes(self.buffer[start + 4:start + 4 + length]).decode(errors="replace")
        del self.buffer[:start + size]
        if kind in (RETURN, ERROR) and reply_serial in self.pending:
            self.pending.discard(reply_serial)
            self.answers[reply_serial] = (error, text) if kind == ERROR else None
            self.bodies[reply_serial] = text
        return True

    def _fields(self, at, end):
        reply_serial, error = 0, ""
        while at < end:
            at += -at % 8
            code, kind = self.buffer[at], chr(self.buffer[at + 2])
            at += 4  # code, length of the signature, the signature, its end
            if kind == "g":
                at += 1 + self.buffer[at] + 1
                continue
            at += -at % 4
            number, = struct.unpack_from("<I", self.buffer, at)
            at += 4
            if kind == "u":
                if code == 5:
                    reply_serial = number
                continue
            if code == 4:
                error = bytes(self.buffer[at:at + number]).decode()
            at += number + 1
        return reply_serial, error
