# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules that #include lines show: layers see only what is below them, daemons never see each other, and D-Bus vtables
are only in bus-*.c."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "libpatronus"

# Lowest first; what each may include besides itself, as its README says.
LAYERS = {
    "base": set(),
    "secret": {"base"},
    "event": {"base"},
    "bus": {"base", "event"},
    "kind": {"base", "secret"},
    "kinds": {"base", "secret", "kind"},
    "netlink": {"base", "event", "kind"},
    "backend": {"base", "event", "kind", "kinds", "netlink"},
    "txn": {"base", "secret", "event", "bus", "kind", "kinds", "netlink"},
    "filter": {"base", "kind", "kinds", "txn"},
}
GENERATED = {"config.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
VTABLE = re.compile(r"\bsd_bus_vtable\s+\w+\s*\[\s*\]\s*=")


def sources(folder):
    return sorted(path for path in folder.rglob("*.[ch]"))


def breaches(text, folder, may_include):
    """What is wrong with the #include lines of a file in `folder`, which sees these layers."""
    for name in INCLUDE.findall(text):
        layer = name.split("/")[0]
        if ".." in pathlib.PurePath(name).parts:
            yield f'"{name}" climbs out of its folder'
        elif name in GENERATED or (folder / name).is_file():
            continue
        elif layer not in LAYERS or "/" not in name:
            yield f'"{name}" is neither beside it nor in libpatronus'
        elif layer not in may_include:
            yield f'"{name}" is in a layer that it must not see'
        elif not (LIBRARY / name).is_file():
            yield f'"{name}" is not there'


def misplaced_vtable(path, text):
    return bool(VTABLE.search(text)) and not (path.name.startswith("bus-") and path.suffix == ".c")


def check(paths, folder_of, may_include):
    wrong = []
    for path in paths:
        text = path.read_text()
        where = path.relative_to(ROOT)
        wrong += [f"{where}: {breach}" for breach in breaches(text, folder_of(path), may_include)]
        if misplaced_vtable(path, text):
            wrong.append(f"{where}: a vtable belongs into bus-*.c")
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_a_layer():
    assert {path.name for path in LIBRARY.iterdir() if path.is_dir()} == set(LAYERS)


def test_layers_go_only_downward():
    below = set()
    for layer, may_include in LAYERS.items():
        assert may_include <= below, f"{layer} would see a layer above it"
        below.add(layer)


@pytest.mark.parametrize("layer", LAYERS)
def test_layer(layer):
    check(sources(LIBRARY / layer), lambda path: path.parent, LAYERS[layer] | {layer})


@pytest.mark.parametrize("program", sorted(path for folder in ("daemons", "helpers") for path in (ROOT / folder).iterdir() if path.is_dir()) + [ROOT / "cli"],
                         ids=lambda path: path.name)
def test_program(program):
    """A daemon, a helper, or the command line: the library, and its own folder."""
    check(sources(program), lambda path: program, set(LAYERS))


@pytest.mark.parametrize("layer, include, complaint", [
    ("base", "kind/kind.h", "must not see"),
    ("kind", "kinds/firewall/firewall.h", "must not see"),
    ("filter", "netlink/nft-batch.h", "must not see"),
    ("txn", "filter/match.h", "must not see"),
    ("txn", "base/no-such.h", "is not there"),
    ("txn", "manager.h", "neither beside it"),
    ("txn", "../daemons/filterd/manager.h", "climbs out"),
    ("txn", "filterd/manager.h", "neither beside it"),
])
def test_a_breach_is_found(layer, include, complaint):
    found = list(breaches(f'#include "{include}"\n', LIBRARY / layer, LAYERS[layer] | {layer}))
    assert len(found) == 1 and complaint in found[0]


def test_a_misplaced_vtable_is_found():
    text = "static const sd_bus_vtable my_vtable[] = {\n"
    assert misplaced_vtable(pathlib.Path("manager.c"), text)
    assert misplaced_vtable(pathlib.Path("bus-config.h"), text)
    assert not misplaced_vtable(pathlib.Path("bus-config.c"), text)
