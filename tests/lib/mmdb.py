# SPDX-License-Identifier: GPL-3.0-or-later
"""Small databases of networks in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), for tests: data() gives the bytes of one.

    data({"192.0.2.0/24": {"country": {"iso_code": "DE"}, "continent": {"code": "EU"}}}, "Test-Country")
"""

import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"
RECORD_BITS = 24
UINT16, UINT32, UINT64 = 5, 6, 9  # types of a field; a number without one is of 32 bits


def _control(kind, size):
    """The type and the size of a field: kinds above 7 have a byte of their own."""
    sizes = bytes([size]) if size < 29 else bytes([29, size - 29])
    first, rest = sizes[0], sizes[1:]
    return bytes([(kind << 5 if kind <= 7 else 0) | first]) + (bytes([kind - 7]) if kind > 7 else b"") + rest


def _field(value):
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(_field(key) + _field(item) for key, item in value.items())
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_field, value))
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    kind, number = value if isinstance(value, tuple) else (UINT32, value)
    packed = number.to_bytes(8, "big").lstrip(b"\0")
    return _control(kind, len(packed)) + packed


def data(networks, name):
    nodes, records, section = [[None, None]], {}, b""
    for network, value in networks.items():
        network = ipaddress.ip_network(network)
        number, bits = int(network.network_address), network.prefixlen + (96 if network.version == 4 else 0)
        encoded = _field(value)
        if encoded not in records:
            records[encoded] = len(section)
            section += encoded
        node = 0
        for depth in range(bits - 1):
            side = number >> (127 - depth) & 1
            if nodes[node][side] is None:
                nodes.append([None, None])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][number >> (128 - bits) & 1] = ("data", records[encoded])
    count, tree = len(nodes), b""
    for node in nodes:
        for record in node:
            value = count if record is None else count + 16 + record[1] if isinstance(record, tuple) else record
            tree += struct.pack("!I", value)[1:]
    metadata = {"node_count": count, "record_size": (UINT16, RECORD_BITS), "ip_version": (UINT16, 6), "database_type": name, "languages": ["en"],
                "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0), "build_epoch": (UINT64, 1),
                "description": {"en": name}}
    return tree + bytes(16) + section + MARKER + _field(metadata)
