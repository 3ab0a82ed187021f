# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines with Patronus installed, and a network around them.

    installed       what `meson install` makes (a folder); installed_for_openrc: what -Dopenrc=true adds
    systemd_tree    Debian 12 with systemd
    new_machine     makes a systemd machine for one test; not booted: new_machine(files={"/etc/x": "..."})
    machine         one for a module, booted, with the firewall enabled; a module may say other files by MACHINE_FILES, and ask for both
                    implementations of the bus: @pytest.mark.parametrize("machine", BUSES, indirect=True, scope="module")
"""

import debian
import pytest
from machines import make_machine


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    common, openrc = (tmp_path_factory.mktemp(name) for name in ("installed", "openrc"))
    common.chmod(0o755)
    debian.install(common, openrc)
    return common, openrc


@pytest.fixture(scope="session")
def installed(trees):
    return trees[0]


@pytest.fixture(scope="session")
def installed_for_openrc(trees):
    return trees[1]


@pytest.fixture(scope="session")
def systemd_tree():
    return debian.tree("systemd", debian.SYSTEMD)


@pytest.fixture
def new_machine(tmp_path_factory, systemd_tree, installed):
    made = []

    def make(files=None, bus="dbus-daemon"):
        made.append(make_machine(tmp_path_factory, [installed, systemd_tree], files or {}, bus))
        return made[-1].__enter__()

    yield make
    for one in made:
        one.__exit__()


@pytest.fixture(scope="module")
def machine(request, tmp_path_factory, systemd_tree, installed):
    with make_machine(tmp_path_factory, [installed, systemd_tree], getattr(request.module, "MACHINE_FILES", {}),
                      getattr(request, "param", "dbus-daemon")) as made:
        made.boot()
        made.run("systemctl", "enable", "--now", "patronus-firewall")
        yield made
