# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be called of the daemons (dbus-interfaces/*.xml), and who may by docs/DBUS.md, which is the specification."""

import dataclasses
import pathlib
import re
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTERFACES = ROOT / "dbus-interfaces"
FREEDESKTOP = {"LogControl1": "org.freedesktop.LogControl1", "Peer": "org.freedesktop.DBus.Peer",
               "Introspectable": "org.freedesktop.DBus.Introspectable"}
NOBODY = "nothing yet"


@dataclasses.dataclass(frozen=True)
class Member:
    """A method, or all properties of an interface: "<read>", "<write>"."""
    daemon: str
    path: str
    interface: str
    name: str
    signature: str = ""
    arguments: tuple = ()  # names
    properties: tuple = ()  # (name, type)

    def __str__(self):
        return f"{self.interface}.{self.name}"


def members(daemon):
    return members_of((INTERFACES / f"patronus-{daemon}.xml").read_text(), daemon)


def members_of(text, daemon):
    """Of what its --introspect prints."""
    found = []
    for node in xml.etree.ElementTree.fromstring(text).findall("node"):
        for interface in node.findall("interface"):
            where = (daemon, "/" + node.get("name"), interface.get("name"))
            for method in interface.findall("method"):
                arguments = [arg for arg in method.findall("arg") if arg.get("direction") == "in"]
                found.append(Member(*where, method.get("name"), "".join(arg.get("type") for arg in arguments),
                                    tuple(arg.get("name") for arg in arguments)))
            for access, name in (("read", "<read>"), ("write", "<write>")):
                properties = tuple((prop.get("name"), prop.get("type")) for prop in interface.findall("property")
                                   if access in prop.get("access"))
                if properties:
                    found.append(Member(*where, name, properties=properties))
    return found


def _rows():
    text = (ROOT / "docs/DBUS.md").read_text().partition("## Who may call what")[2].partition("\n## ")[0]
    return re.findall(r"^\| (?!action)(?!-)(.*?) \| (.*?) \|$", text, re.MULTILINE)


def names():
    """The actions that polkit decides."""
    return {match[1] for action, _ in _rows() if (match := re.fullmatch(r"`(.*)`", action))}


def _full(interface):
    return FREEDESKTOP.get(interface, f"org.patronus.{interface}")


def documented():
    """{(interface, member): action}; "internal" and "anybody" are actions too."""
    found = {}
    for action, what in _rows():
        action = action.strip("`").partition(":")[0]
        for part in what.split("; "):
            if part == NOBODY:
                continue
            if match := re.fullmatch(r"(setting )?properties of (\w+)", part):
                keys = [(_full(match[2]), "<write>" if match[1] else "<read>")]
            else:
                interface, listed = part.split(": ")
                keys = [(_full(interface), member) for member in listed.split(", ")]
            for key in keys:
                assert key not in found, f"{key} has two actions"
                found[key] = action
    return found
