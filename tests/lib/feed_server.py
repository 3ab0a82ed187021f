# SPDX-License-Identifier: GPL-3.0-or-later
"""Those whom patronus-fetch asks: a web server and a name server in a network namespace, which do what a test says."""

import http.server
import ipaddress
import socket
import socketserver
import struct
import threading

import netns


class WebServer:
    """with WebServer(netns_path) as web: web.pages["/list"] = "192.0.2.1\\n"; ... web.url("/list")

    A page is text, bytes, or a function of the request's handler that answers itself. `seen` has the requests: (path, headers)."""

    def __init__(self, netns_path, address="127.0.0.1", wrap=None):
        self.pages, self.seen, self.tags = {}, [], {}
        with netns.inside(netns_path):
            listener = socket.create_server((address, 0))
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                owner.seen.append((self.path, dict(self.headers)))
                page = owner.pages.get(self.path)
                if callable(page):
                    page(self)
                elif page is None:
                    self.answer(404, b"")
                elif self.path in owner.tags and self.headers.get("If-None-Match") == owner.tags[self.path]:
                    self.answer(304, b"", ETag=owner.tags[self.path])
                else:
                    self.answer(200, page if isinstance(page, bytes) else page.encode(),
                                **({"ETag": owner.tags[self.path]} if self.path in owner.tags else {}))

            def answer(self, status, body, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def __init__(self):
                super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
                self.socket.close()
                self.socket = wrap(listener) if wrap else listener

            def handle_error(self, *_):
                pass  # who asked went away, as many tests want it

        self.port = listener.getsockname()[1]
        self.scheme = "https" if wrap else "http"
        self.address = address
        self._server = Server()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def url(self, path, host=None):
        return f"{self.scheme}://{host or self.address}:{self.port}{path}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class NameServer:
    """with NameServer(netns_path) as names: names.zone["www.example.com"] = (ttl, ["192.0.2.1", "2001:db8::1"])

    A name that is not in the zone does not exist; one whose entry is None fails (SERVFAIL, RFC 1035). `asked` has the questions."""

    def __init__(self, netns_path, address="127.0.0.1"):
        self.zone, self.asked = {}, []
        with netns.inside(netns_path):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if query == b"end":
                return
            self._socket.sendto(self._answer(query), peer)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        name, question = ".".join(labels), query[12:at + 5]
        self.asked.append((name, kind))
        entry = self.zone.get(name, ())
        code = 2 if entry is None else 3 if entry == () else 0
        ttl, addresses = entry if entry else (0, [])
        wanted = {1: 4, 28: 6}.get(kind)
        packed = [ipaddress.ip_address(a).packed for a in addresses if ipaddress.ip_address(a).version == wanted]
        answers = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, ttl, len(data)) + data for data in packed)
        return query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(packed), 0, 0) + question + answers

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"end", self._socket.getsockname())  # in whose namespace it is
        self._thread.join()
        self._socket.close()
