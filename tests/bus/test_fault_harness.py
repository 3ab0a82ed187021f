# SPDX-License-Identifier: GPL-3.0-or-later
"""The test daemons do what they are told, and nothing else: what the fault tests rely on."""

import subprocess

import dbus
import pytest

from config_harness import codes, error_name, explain
from fault_harness import Steps, link, service


def test_a_commit_of_both(faulty):
    steps = Steps(faulty)
    reply = faulty.client.accept(link("wan", label="a") + service("web", link="wan", greeting="a"))
    assert [(str(plan["daemon"]), str(plan["guarantee"]), str(plan["stage"])) for plan in reply["plans"]] == [
        ("testlink", "compensated", "link"), ("testservice", "eventual", "service")]
    assert list(faulty.link.files()) == ["TestLink.wan"] and list(faulty.service.files()) == ["TestService.web"]
    assert faulty.link.marker()[0] == faulty.service.marker()[0] == 1
    faulty.agree()
    steps.wait_for(faulty.service, "verify")
    for daemon in faulty.daemons:
        assert [step for name, step in steps.seen if name == daemon] == ["observe", "plan", "prepare", "commit", "verify"]
    steps.close()


def test_a_daemon_is_asked_only_about_its_part(faulty):
    faulty.client.accept(link("wan", label="a") + service("web", greeting="a"))
    steps = Steps(faulty)
    faulty.client.accept(service("web", greeting="b"))
    steps.wait_for(faulty.service, "verify")
    assert {name for name, _ in steps.seen} == {"testservice"}
    assert faulty.link.revision == 1 and faulty.service.revision == 2
    faulty.agree()
    steps.close()


def test_a_daemon_that_starts_applies_what_is_on_disk(faulty):
    faulty.client.accept(link("wan", label="a"))
    faulty.link.kill()
    (faulty.link.directory / "system" / "TestLink.wan").unlink()
    (faulty.link.directory / "marker").unlink()
    faulty.link.start()
    faulty.agree()


@pytest.mark.parametrize("call", [("commit", "sulk"), ("rest", "die"), ("plan", "late:1"), ("commit", "delay"), ("commit", "die:5"),
                                  ("abort", "refuse"), ("commit", "delay:x")])
def test_what_it_cannot_do_is_refused(faulty, call):
    with pytest.raises(dbus.DBusException) as error:
        faulty.link.on(*call)
    assert error_name(error) == "Invalid"
    with pytest.raises(dbus.DBusException) as error:
        faulty.link.release()
    assert error_name(error) == "NotFound"


def test_once_is_once(faulty):
    faulty.link.on("plan", "once:refuse")
    reply = faulty.client.apply(link("wan"))
    assert not reply["accepted"] and codes(reply) == {"told-to-refuse"}, explain(reply)
    faulty.client.accept(link("wan"))
    faulty.agree()


def test_it_is_told_from_the_start_too(faulty):
    faulty.link.kill()
    faulty.link.start("--on", "plan=refuse")
    assert codes(faulty.client.apply(link("wan"))) == {"told-to-refuse"}
    done = subprocess.run([faulty.build / "tests/daemons/patronus-testd", "link", "--on", "plan=late:1"], capture_output=True, check=False)
    assert done.returncode == 2


def test_patronusctl_knows_the_kinds(faulty):
    faulty.client.accept(link("wan", mtu=9000))
    assert faulty.ctl("get", "testlink/wan", "-o", "yaml").count("mtu: 9000") == 1
    assert "TestService.port" in faulty.ctl("explain", "TestService.port")
    faulty.ctl("set", "TestService/web", "port=80", "link=wan")
    faulty.agree()
    done = faulty.ctl("delete", "TestLink/wan", check=False)
    assert done.returncode == 1 and "TestService/web" in done.stderr, "references between them are checked"
