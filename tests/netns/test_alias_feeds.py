# SPDX-License-Identifier: GPL-3.0-or-later
"""What aliases hold at run time, with real packets: lists of others, names, interfaces, countries. A change is elements of sets."""

import gzip
import json
import os
import signal
import ssl
import subprocess

import pytest
import mmdb
from feed_server import NameServer, WebServer
from nfmonitor import Monitor
from signals import Signals
from test_aliases import ZONES, alias, packets, rule, send


@pytest.fixture
def web(lab):
    with WebServer(lab.netns("router")) as server:
        yield server


@pytest.fixture
def told(lab):
    """Waits until a source of an alias was asked; its error, "" for none."""
    signals = Signals(lab.bus, "org.patronus.Filter1", "AliasRefreshed")
    taken = []

    def wait(name, source="url"):
        def find(seen):
            return [event for event in seen[len(taken):] if event[2:4] == (name, source)]
        event = signals.wait(find, f"a refresh of {name}")[0]
        taken.extend(signals.seen[len(taken):signals.seen.index(event) + 1])
        return event[5]

    yield wait
    signals.close()


def states(lab, name):
    """Of an alias, by source."""
    rows = [json.loads(line) for line in lab.ctl("filter", "alias", name, "-o", "json").stdout.splitlines()]
    return {row["source"]: row for row in rows}


def drops(name="bad", **spec):
    return rule("drop", 1, action="drop", destination={"aliases": [name]}) + rule("rest", 2, action="drop")


def hits(lab, *destinations):
    before = packets(lab, "drop")
    send(lab, *destinations)
    return packets(lab, "drop") - before


def url(web, path, **more):
    return {"url": web.url(path), "refresh": "1m", **more}


def replace(lab, text):
    lab.ctl("apply", "--replace", "-f", "-", stdin=text)


def refresh(lab, told, name="bad", source="url"):
    lab.ctl("filter", "refresh", name)
    return told(name, source)


def test_a_list(lab, web, told):
    """Comes after the commit, beside what is configured; a change of it is elements alone, and rules count on."""
    web.pages["/list"] = "# bad ones\n198.18.0.0/24\n198.18.1.7 ; a comment\n\n2001:db8:bad::/48\n"
    replace(lab, ZONES + alias("bad", type="network", addresses=["198.18.9.0/24"], url=url(web, "/list")) + drops())
    assert told("bad") == ""
    assert hits(lab, "198.18.0.0", "198.18.0.255", "198.18.1.7", "198.18.1.8", "198.18.9.1") == 4
    state = states(lab, "bad")["url"]
    assert (state["state"], state["entries"], state["problems"]) == ("ready", 3, 0)
    with Monitor(lab.netns("router")) as monitor:
        web.pages["/list"] = "198.18.1.8\n198.18.0.0/24\n"
        assert refresh(lab, told) == ""
        commit = monitor.next_commit()
        while ("new rule", "_rev") not in commit.changes:
            commit = monitor.next_commit()
        assert {what for what in commit.changes if what[1] != "_rev"} == {
            ("new element", "n4_bad/10"), ("delete element", "n4_bad/10"), ("delete element", "n6_bad/10")}
    assert hits(lab, "198.18.1.7", "198.18.1.8") == 1
    # A revision is not made by it.
    assert json.loads(lab.ctl("history", "-o", "json").stdout.splitlines()[0])["state"] != "pending"


def test_failures_keep_what_was(lab, web, told):
    web.pages["/list"] = "198.18.0.1\n"
    replace(lab, ZONES + alias("bad", type="host", url=url(web, "/list")) + drops())
    assert told("bad") == ""
    body = gzip.compress(b"198.18.0.2\n" * 5000)

    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"198.18.0.2\n")
        handler.close_connection = True

    wrong = {
        "the server answers 404": None,
        "transfer closed": cut,
        "it is no list": "<html>\n<p>sorry\n</html>\n",
        "damaged or cut off": body[:-20],
        "MiB when it is unpacked": gzip.compress(b"\0" * (200 << 20), compresslevel=9),
        "redirects to file:///etc/passwd, which is neither": lambda h: h.answer(302, b"", Location="file:///etc/passwd"),
        "more than 5 times": lambda h: h.answer(302, b"", Location="/list"),
        "not a host": None,
    }
    wrong.pop("not a host")
    for why, page in wrong.items():
        web.pages["/list"] = page
        error = refresh(lab, told)
        assert why in error, (why, error)
        assert hits(lab, "198.18.0.1", "198.18.0.2") == 1
    state = states(lab, "bad")["url"]
    assert (state["state"], state["entries"]) == ("failed", 1) and "5 times" in state["error"]
    assert "Alias/bad (url)" in lab.ctl("status").stdout
    # It goes on when it can be had again, and where a redirect leads.
    web.pages["/list"] = lambda h: h.answer(301, b"", Location=web.url("/other"))
    web.pages["/other"] = gzip.compress(b"198.18.0.2\n") + gzip.compress(b"198.18.0.3\n")
    assert refresh(lab, told) == ""
    assert hits(lab, "198.18.0.1", "198.18.0.2", "198.18.0.3") == 2
    assert "Alias/bad" not in lab.ctl("status").stdout


def test_wrong_lines_are_told(lab, web, told):
    web.pages["/list"] = "198.18.0.1\nhello\n198.18.0.2\n198.18.0.0/24\n198.18.0.3\n"
    replace(lab, ZONES + alias("bad", type="host", url=url(web, "/list")) + drops())
    assert told("bad") == ""
    state = states(lab, "bad")["url"]
    assert (state["entries"], state["problems"]) == (3, 2)
    assert "line:2" in state["lines"][0] and "hello" in state["lines"][0]
    assert "line:4" in state["lines"][1] and "more than one address" in state["lines"][1]


def test_unchanged_is_not_sent_again(lab, web, told):
    web.pages["/list"], web.tags["/list"] = "198.18.0.1\n", '"one"'
    spec = {"type": "host", "url": url(web, "/list")}
    replace(lab, ZONES + alias("bad", **spec) + drops())
    assert told("bad") == ""
    # Who asks by hand gets all of it; who restarts asks whether there is another one.
    assert refresh(lab, told) == "" and "If-None-Match" not in web.seen[-1][1]
    lab.end("filterd", signal.SIGTERM)
    lab.start("filterd")
    lab.ctl("status", "--wait", "10s")
    assert hits(lab, "198.18.0.1", "198.18.0.2") == 1


def test_restart_and_early_keep_the_last_good(lab, web, told):
    web.pages["/list"] = "198.18.0.1\n"
    replace(lab, ZONES + alias("bad", type="host", url=url(web, "/list")) + drops())
    assert told("bad") == ""
    web.pages["/list"] = None
    # The ruleset is the kernel's: a restart touches nothing.
    before = lab.ruleset("table", "inet", "patronus")
    lab.end("filterd", signal.SIGKILL)
    lab.start("filterd")
    assert lab.ruleset("table", "inet", "patronus") == before
    assert hits(lab, "198.18.0.1", "198.18.0.2") == 1
    # A boot, without bus and network.
    lab.end("filterd", signal.SIGKILL)
    lab.exec("router", "nft", "delete", "table", "inet", "patronus")
    early = lab.run_daemon("filterd", "--bus", "none", "--early", stderr=subprocess.PIPE)
    assert early.wait(20) == 0, early.stderr.read()
    assert "198.18.0.1" in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
    lab.start("filterd")
    assert hits(lab, "198.18.0.1", "198.18.0.2") == 1
    # What is damaged is left out, and the machine is a firewall still.
    lab.end("filterd", signal.SIGKILL)
    lab.exec("router", "nft", "delete", "table", "inet", "patronus")
    for path in (lab.directory / "state/filterd").iterdir():
        if len(path.name) == 64:
            path.write_bytes(path.read_bytes()[:-1])
    lab.start("filterd")
    assert hits(lab, "198.18.0.1") == 0 and packets(lab, "rest") > 0
