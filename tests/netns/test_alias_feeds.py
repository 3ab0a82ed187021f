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
    taken = set()

    def wait(name, source="url"):
        def find(seen):
            return [event for event in seen if event[2:4] == (name, source) and event[1] not in taken]
        event = signals.wait(find, f"a refresh of {name}")[0]
        taken.add(event[1])
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


def url(web, page, **more):
    return {"url": web.url(page), "refresh": "1m", **more}


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
    assert early.wait(60) == 0, early.stderr.read()
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


def test_tables_and_documents(lab, web, told):
    """Of a CSV table a column, of a JSON document what a path leads to."""
    web.pages["/table"] = 'first;net\r\n# a comment\r\nx;"198.18.0.0/24"\r\n"a;""b";198.18.1.0/24\r\nshort\r\ny;nonsense\r\n'
    web.pages["/document"] = json.dumps({"made": 1.5, "prefixes": [{"net": "198.18.2.0/24"}, {"net": 7}, {"other": 1}, {"net": "2001:db8::/32"}]})
    replace(lab, ZONES + alias("bad", type="network", aliases=["other"], url=url(web, "/table", format="csv", separator="semicolon", column=2))
            + alias("other", type="network", url=url(web, "/document", format="json", path="prefixes.*.net")) + drops())
    assert told("bad") == "" and told("other") == ""
    assert hits(lab, "198.18.0.1", "198.18.1.1", "198.18.2.1", "198.18.3.1") == 3
    table, document = states(lab, "bad")["url"], states(lab, "other")["url"]
    assert (table["entries"], table["problems"]) == (1, 2)  # they touch
    assert "line:5" in table["lines"][0] and "1 columns" in table["lines"][0]
    assert "line:6" in table["lines"][1] and "nonsense" in table["lines"][1]
    assert (document["entries"], document["problems"]) == (2, 1) and "not a string" in document["lines"][0]
    web.pages["/document"] = '{"prefixes": [{"net": '
    assert "no JSON document" in refresh(lab, told, "other")


def test_a_million_lines(lab, web, told):
    """Within bounds, and filterd answers meanwhile; more than that is refused."""
    web.pages["/list"] = "".join(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n" for n in range(0x0B000000, 0x0B000000 + 2_000_000, 2))
    replace(lab, ZONES + alias("bad", type="host", url=url(web, "/list")) + drops())
    assert told("bad") == ""
    assert states(lab, "bad")["url"]["entries"] == 1_000_000
    assert hits(lab, "11.0.0.0", "11.0.0.1", "11.15.66.64", "11.30.132.126", "11.30.132.127") == 3
    web.pages["/list"] += "12.0.0.1\n"
    error = refresh(lab, told)
    assert "more than 1000000 entries" in error, error
    assert hits(lab, "11.0.0.0", "12.0.0.1") == 1
    with open(f"/proc/{lab.pid('filterd')}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert peak < 200_000 or "asan" in os.environ.get("PATRONUS_BUILD", ""), f"{peak} kB"


def test_https_is_verified(lab, tmp_path, told):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", tmp_path / "key",
                    "-out", tmp_path / "certificate", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with WebServer(lab.netns("router"), wrap=lambda listener: context.wrap_socket(listener, server_side=True)) as web:
        web.pages["/list"] = "198.18.0.1\n"
        replace(lab, ZONES + alias("bad", type="host", url=url(web, "/list")) + drops())
        error = told("bad")
        assert "certificate" in error.lower(), error
        assert hits(lab, "198.18.0.1") == 0 and web.seen == []


@pytest.fixture
def names(lab):
    """A name server that the router asks."""
    folder = f"/etc/netns/plt-{lab.name}-router"
    os.makedirs(folder, exist_ok=True)
    try:
        with open(f"{folder}/resolv.conf", "w", encoding="ascii") as conf:
            conf.write("nameserver 127.0.0.1\n")
        lab.end("filterd", signal.SIGTERM)
        lab.start("filterd")  # it is bound into its mounts
        with NameServer(lab.netns("router")) as server:
            yield server
    finally:
        os.unlink(f"{folder}/resolv.conf")
        os.rmdir(folder)
        lab.end("filterd", signal.SIGTERM)
        lab.start("filterd")


def test_names(lab, names, told):
    names.zone.update({"one.example": (60, ["198.18.0.1", "2001:db8::1"]), "two.example": (5, ["198.18.0.2"])})
    replace(lab, ZONES + alias("bad", type="host", names=["one.example", "two.example", "none.example"]) + drops())
    assert told("bad", "names") == ""
    state = states(lab, "bad")["names"]
    assert (state["state"], state["entries"]) == ("ready", 3)
    # The shortest time to live, but not below 30 s.
    assert 25e6 < state["nextUSec"] - state["checkedUSec"] < 31e6
    assert hits(lab, "198.18.0.1", "198.18.0.2", "198.18.0.3") == 2
    # What is gone from the answer is gone; what is not answered stays, each name for itself.
    names.zone.update({"one.example": None, "two.example": (60, ["198.18.0.3"])})
    assert "one.example" in refresh(lab, told, source="names")
    assert hits(lab, "198.18.0.1", "198.18.0.2", "198.18.0.3") == 2
    # A name that is no longer configured takes its addresses along, though nobody answers for the other.
    lab.apply(alias("bad", type="host", names=["one.example"]))
    assert told("bad", "names") != ""
    assert hits(lab, "198.18.0.1", "198.18.0.2", "198.18.0.3") == 1
    # A list is fetched by name too.
    with WebServer(lab.netns("router")) as web:
        web.pages["/list"] = "198.18.0.9\n"
        names.zone["lists.example"] = (60, ["127.0.0.1"])
        lab.apply(alias("bad", type="host", url={"url": web.url("/list", host="lists.example")}))
        assert told("bad") == ""
        assert web.seen[-1][1]["Host"].startswith("lists.example:")
    assert hits(lab, "198.18.0.1", "198.18.0.9") == 1


def elements_until(monitor, awaited):
    """All that commits change, but for the marker, to the one that has what is awaited."""
    changes = set()
    while awaited not in changes:
        changes |= monitor.next_commit().changes - {("new rule", "_rev"), ("delete rule", "_rev")}
    return changes


def test_networks_of_interfaces(lab, told):
    lab.exec("router", "ip", "link", "add", "tst0", "type", "veth", "peer", "name", "tsp0")
    try:
        lab.exec("router", "ip", "addr", "add", "198.18.7.1/24", "dev", "tst0")
        lab.exec("router", "ip", "link", "set", "tst0", "up")
        replace(lab, ZONES + alias("bad", type="network", interfaces=["tst*"]) + rule("drop", 1, action="drop", source={"aliases": ["bad"]})
                + rule("rest", 2, action="drop"))
        assert told("bad", "local") == ""
        assert states(lab, "bad")["local"]["entries"] == 1
        assert "198.18.7.0/24" in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        with Monitor(lab.netns("router")) as monitor:
            lab.exec("router", "ip", "addr", "add", "2001:db8:7::1/64", "dev", "tst0", "nodad")
            assert elements_until(monitor, ("new element", "n6_bad/10")) == {("new element", "n6_bad/10")}
            lab.exec("router", "ip", "addr", "del", "198.18.7.1/24", "dev", "tst0")
            assert elements_until(monitor, ("delete element", "n4_bad/10")) == {("delete element", "n4_bad/10")}
        listed = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        assert "198.18.7.0/24" not in listed and "2001:db8:7::/64" in listed
    finally:
        lab.exec("router", "ip", "link", "del", "tst0")


def test_hosts_behind_a_changing_prefix(lab, told):
    lab.exec("router", "ip", "link", "add", "tst0", "type", "veth", "peer", "name", "tsp0")
    try:
        lab.exec("router", "ip", "addr", "add", "2001:db8:7::1/64", "dev", "tst0", "nodad")
        lab.exec("router", "ip", "link", "set", "tst0", "up")
        replace(lab, ZONES + alias("bad", type="host", hosts6=[{"interface": "tst0", "suffix": "::42"}]) + drops())
        assert told("bad", "local") == ""
        assert "elements = { 2001:db8:7::42 }" in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        lab.exec("router", "ip", "addr", "flush", "dev", "tst0", "scope", "global")
        assert told("bad", "local") == ""
        lab.exec("router", "ip", "addr", "add", "2001:db8:8::1/56", "dev", "tst0", "nodad")
        assert told("bad", "local") == ""
        assert "elements = { 2001:db8:8::42 }" in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        refused = lab.ctl("apply", "-f", "-", stdin=alias("bad", type="host", hosts6=[{"interface": "tst0", "suffix": "2001:db8::1"}]), check=False)
        assert refused.returncode and "lower 64 bits" in refused.stderr
    finally:
        lab.exec("router", "ip", "link", "del", "tst0")


COUNTRIES = {"DE": ("EU", "198.18.1.0/24"), "FR": ("EU", "198.18.2.0/24"), "US": ("NA", "198.18.3.0/24"), "JP": ("AS", "198.18.4.0/24"),
             "BR": ("SA", "198.18.5.0/24")}


def place(country, continent):
    return {"country": {"iso_code": country}, "continent": {"code": continent}}


def database(lab, path, content):
    """As geoipupdate does it: another file in its place."""
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").chmod(0o644)
    path.with_suffix(".new").rename(path)


def test_countries(lab, told):
    """Five countries by the sources of real packets; another database is other elements, and no rule."""
    folder = lab.directory / "geoip"
    folder.mkdir(exist_ok=True)
    country, asn = folder / "country.mmdb", folder / "asn.mmdb"
    networks = {network: place(code, continent) for code, (continent, network) in COUNTRIES.items()}
    database(lab, country, mmdb.data({**networks, "2001:db8:de::/48": place("DE", "EU")}, "Test-Country"))
    database(lab, asn, mmdb.data({"198.18.8.0/24": {"autonomous_system_number": 64496}}, "Test-ASN"))
    settings = ("---\napiVersion: patronus.firewall/v1\nkind: FilterSettings\nmetadata: { name: default }\n"
                f"spec: {{ geoipDatabase: {country}, asnDatabase: {asn} }}\n")

    def seen(**spec):
        lab.apply(alias("bad", type="network", **spec))
        error = told("bad", "places")
        return error or [hits(lab, network[:-4] + "9") for _, network in COUNTRIES.values()] + [hits(lab, "198.18.8.9"), hits(lab, "198.18.9.9")]

    replace(lab, settings + ZONES + alias("bad", type="network", countries=["DE"]) + drops())
    assert told("bad", "places") == ""
    assert states(lab, "bad")["places"]["entries"] == 2
    assert seen(countries=["DE", "JP"]) == [1, 0, 0, 1, 0, 0, 0]
    assert seen(continents=["EU"]) == [1, 1, 0, 0, 0, 0, 0]
    assert seen(continents=["EU"], countries=["US"], invert=True) == [0, 0, 0, 1, 1, 0, 0]
    assert seen(asns=[64496]) == [0, 0, 0, 0, 0, 1, 0]
    assert seen(countries=["DE", "XX"], asns=[64496]) == [1, 0, 0, 0, 0, 1, 0]
    (line,) = states(lab, "bad")["places"]["lines"]
    assert "XX has no network" in line
    with Monitor(lab.netns("router")) as monitor:
        database(lab, country, mmdb.data({"198.18.5.0/24": place("DE", "EU")}, "Test-Country"))
        assert told("bad", "places") == ""
        changes = {(what, name.rstrip("x")) for commit in monitor.pending() for what, name in commit.changes}
        assert changes - {("new rule", "_rev"), ("delete rule", "_rev")} == {
            ("new element", "n4_bad/10"), ("delete element", "n4_bad/10"), ("delete element", "n6_bad/10")}
    assert hits(lab, "198.18.1.9") == 0 and hits(lab, "198.18.5.9") == 1
    database(lab, country, b"no database")
    assert "cannot be read" in told("bad", "places")
    assert hits(lab, "198.18.1.9") == 0 and hits(lab, "198.18.5.9") == 1
