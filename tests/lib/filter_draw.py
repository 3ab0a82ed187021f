# SPDX-License-Identifier: GPL-3.0-or-later
"""Random policies, and packets aimed at their rules and just beside them, for filter_oracle.World."""

import ipaddress

import frames
from filter_oracle import (AH, ESP, HOSTS, ICMP, ICMP6, ICMP_NAMES, MARKS, PROTOCOLS, SCTP, TCP, UDP, UNTRACKED_HOPS, Packet, host_addresses,
                           in_addresses)

PORTS = (1, 22, 53, 80, 1023, 1024, 1025, 2000, 2001, 2002, 2047, 2048, 65534, 65535)
MACS = tuple(f"02:00:5e:00:00:{number:02x}" for number in range(1, 7))
CODE_POINTS = (0, 10, 46, 47, 63)
LENGTHS = (42, 54, 62, 66, 74, 86)  # of the tests' packets, some
TAGS = ("known", "slow", "watched")
OF_FRAGMENTS = ("priority", "from", "family", "protocol", "dscp", "length", "interfaces", "group", "mode", "log", "logRate")
GROUPS = ("guests", "servers", "trial")
MARK_MATCHES = ("0x11", "0x10/0xf0", "0x1/0x1", "0xff000000/0xff000000", "0x0/0xff")


def some(draw, things, least=1, most=3):
    return draw.sample(list(things), draw.randint(least, min(most, len(things))))


def some_port_texts(draw, most=3):
    texts = set()
    for _ in range(draw.randint(1, most)):
        first, last = sorted(draw.choices(PORTS, k=2))
        texts.add(str(first) if draw.random() < 0.5 else f"{first}-{last}" if first != last else str(first))
    return sorted(texts)


def some_address_texts(draw, host, family, most=3):
    texts = {}  # by first and last: none twice, however it is written
    for address in some(draw, host_addresses(host, family), 1, most):
        address = ipaddress.ip_address(address)
        kind = draw.random()
        if kind < 0.75:
            last = address + (draw.choice((1, 2, 7)) if kind > 0.5 else 0)
            texts[address, last] = f"{address}-{last}" if last != address else str(address)
        else:
            network = ipaddress.ip_network(f"{address}/{draw.choice((16, 24, 29, 31) if family == 4 else (32, 64, 125, 127))}", strict=False)
            texts[network[0], network[-1]] = str(network)
    return list(texts.values())


def draw_aliases(draw, world):
    for name in ("hosts", "others"):
        host = draw.choice(list(HOSTS))
        families = some(draw, (4, 6), 1, 2)  # of one there may be nothing
        world.aliases[name] = {"type": "host", "addresses": [text for family in families for text in some(draw, host_addresses(host, family))]}
    families = some(draw, (4, 6), 1, 2)
    world.aliases["nets"] = {"type": "network", "addresses": [text for family in families
                                                              for text in some_address_texts(draw, draw.choice(list(HOSTS)), family)]}
    world.aliases["ports"] = {"type": "port", "ports": some_port_texts(draw)}
    world.aliases["macs"] = {"type": "mac", "macs": some(draw, MACS)}
    world.groups = {name: {"enabled": draw.random() < 0.6} for name in GROUPS}
    world.services["shop"] = {"tcp": some_port_texts(draw), "udp": some_port_texts(draw, 1), "sctp": some_port_texts(draw, 1)}
    if draw.random() < 0.5:
        world.services["ssh"] = {"tcp": some_port_texts(draw, 2)}
    else:
        world.services.pop("ssh", None)


def draw_endpoint(draw, host, family, source, ports):
    endpoint, excluded = {}, {}
    if draw.random() < 0.4:
        if family:
            endpoint["addresses"] = some_address_texts(draw, host, family, draw.choice((1, 2, 5)))
        if not family or draw.random() < 0.4:
            endpoint["aliases"] = some(draw, ("hosts", "others", "nets"), 1, 2)
    if draw.random() < 0.2:
        if family and draw.random() < 0.6:
            excluded["addresses"] = some_address_texts(draw, host, family, 2)
        else:
            excluded["aliases"] = some(draw, ("hosts", "nets"), 1, 2)
    if ports:
        if draw.random() < 0.6:
            endpoint["ports"] = sorted({text for _ in range(draw.choice((1, 1, 8))) for text in some_port_texts(draw)})
        if draw.random() < 0.2:
            endpoint["portAliases"] = ["ports"]
        if draw.random() < 0.25:
            excluded["ports"] = some_port_texts(draw)
        elif draw.random() < 0.15:
            excluded["portAliases"] = ["ports"]
    if source and draw.random() < 0.2:
        if draw.random() < 0.7:
            endpoint["macs"] = some(draw, MACS)
        else:
            endpoint["macAliases"] = ["macs"]
    if excluded:
        endpoint["except"] = excluded
    return endpoint


def draw_icmp(draw, spec):
    """Types by name, of one family or both; or by number, with the protocol."""
    if draw.random() < 0.3:
        spec["protocol"] = draw.choice(("icmp", "icmpv6"))
        numbers = ("3/1", "3/4", 8, 13, 11) if spec["protocol"] == "icmp" else ("1/4", 2, 128, "129/0")
        spec["icmpTypes"] = some(draw, numbers)
        spec.pop("family", None)
        return 4 if spec["protocol"] == "icmp" else 6
    family = draw.choice((0, 0, 4, 6))
    names = [name for name, types in ICMP_NAMES.items() if not family or family in types]
    spec["icmpTypes"] = [name + draw.choice(("", "", "/1", "/4")) for name in some(draw, names, 1, 4)]
    spec.pop("family", None)
    if family:
        spec["family"] = f"ipv{family}"
    elif all(6 not in ICMP_NAMES[text.partition("/")[0]] for text in spec["icmpTypes"]):
        return 4
    elif all(4 not in ICMP_NAMES[text.partition("/")[0]] for text in spec["icmpTypes"]):
        return 6
    return family


def draw_rare(draw, spec):
    """What few rules ask, and how they stand among the others."""
    if spec.get("protocol") == "tcp" and draw.random() < 0.3:
        names = draw.sample(("syn", "ack", "fin"), 2)
        spec["tcpFlags"] = draw.choice(({"set": names[:1]}, {"clear": names[:1]}, {"set": names[:1], "clear": names[1:]}))
    if draw.random() < 0.1:
        first = draw.choice(LENGTHS)
        spec["length"] = sorted({str(first), f"{first + 1}-{first + draw.choice((1, 20))}"} if draw.random() < 0.5 else {str(first)})
    if draw.random() < 0.1:
        spec["interfaces"] = some(draw, ("wan", "lan", "dmz", "w*", "eth7"), 1, 2)
    if draw.random() < 0.15:
        spec["floating"] = True
        if draw.random() < 0.5:
            spec["quick"] = False
        if draw.random() < 0.5:
            spec["direction"] = draw.choice(("in", "any") if spec.get("to") == "router" else ("in", "out", "any"))
    if draw.random() < 0.2:
        spec["group"] = draw.choice(GROUPS)
    if draw.random() < 0.1 and "quick" not in spec:
        spec["action"] = "continue"
    elif draw.random() < 0.1:
        spec["mode"] = "audit"
    if draw.random() < 0.1:
        spec["tagged"] = some(draw, TAGS, 1, 2)
    if draw.random() < 0.15 and spec["action"] in ("allow", "continue") and "mode" not in spec:
        spec["setTag"] = draw.choice(TAGS)


def of_fragments(draw, spec):
    """The rule, of fragments: what can be asked of one."""
    found = {word: spec[word] for word in OF_FRAGMENTS if word in spec} | {"action": "drop", "fragments": True}
    for name in ("source", "destination"):
        endpoint = {word: value for word, value in spec.get(name, {}).items() if word in ("addresses", "aliases", "macs", "macAliases")}
        excluded = {word: value for word, value in spec.get(name, {}).get("except", {}).items() if word in ("addresses", "aliases")}
        endpoint |= {"except": excluded} if excluded else {}
        if endpoint:
            found[name] = endpoint
    if draw.random() < 0.3:
        found["length"] = [draw.choice(("1-39", "44-1500", "36", "64", "34-60"))]
    return found


def draw_rule(draw):
    spec = {"action": draw.choice(("allow", "allow", "drop")), "priority": draw.choice((100, 200, 200, 200, 300))}
    source, target = draw.choice(("any", *HOSTS)), draw.choice(("any", "router", *HOSTS, *HOSTS))
    if source != "any" or draw.random() < 0.5:
        spec["from"] = source
    if target != "any" or draw.random() < 0.5:
        spec["to"] = target
    family = draw.choice((0, 4, 6))
    if family and draw.random() < 0.5:
        spec["family"] = f"ipv{family}"
    about = draw.choice(("ports", "ports", "ports", "services", "icmp", "protocol", "nothing"))
    if about == "services":
        spec["services"] = some(draw, ("ssh", "dns", "ipsec", "shop"))
    elif about == "icmp":
        family = draw_icmp(draw, spec)
    elif about == "protocol":
        spec["protocol"] = draw.choice(("tcp", "udp", "sctp", "esp"))
    elif about == "ports" and draw.random() < 0.6:
        spec["protocol"] = draw.choice(("tcp", "udp", "sctp"))
    for name, host in (("source", source), ("destination", target)):
        host = host if host in HOSTS else draw.choice(list(HOSTS))
        endpoint = draw_endpoint(draw, host, family, name == "source", about == "ports" or (about == "services" and name == "source"))
        if endpoint:
            spec[name] = endpoint
    if draw.random() < 0.12:
        spec["dscp"] = draw.choice(CODE_POINTS)
    if draw.random() < 0.12:
        spec["mark"] = draw.choice(MARK_MATCHES)
    if draw.random() < 0.15:
        spec["states"] = some(draw, ("new", "invalid", "untracked"), 1, 2)
    if draw.random() < 0.1:
        spec |= {"log": True, "logRate": "1/day"}
    draw_rare(draw, spec)
    if draw.random() < 0.08:
        spec = of_fragments(draw, spec)
    asks = spec.keys() - {"action", "priority", "from", "to", "family", "log", "logRate", "floating", "quick", "direction", "group", "mode", "setTag", "fragments"}
    return spec if asks else draw_rule(draw)  # what matches nearly all would hide all that comes after it


def draw_run(draw):
    """Rules of one shape, so that most of them become keys of one map; some ask for more, which breaks it."""
    for number in range(24):
        addresses = some(draw, host_addresses("lan", 4), 1, 2)
        spec = {"action": draw.choice(("allow", "drop")), "priority": 250, "from": "lan", "to": "wan", "protocol": draw.choice(("tcp", "udp")),
                "source": {"addresses": addresses}, "destination": {"ports": [str(port) for port in some(draw, PORTS, 1, 2)]}}
        if draw.random() < 0.1:
            spec["source"]["except"] = {"addresses": addresses[:1]}
        yield f"f-{number}", spec


def interesting_ports(draw, endpoint):
    """The ends of a rule's ranges, and what is just beside them."""
    texts = endpoint.get("ports", []) + endpoint.get("except", {}).get("ports", [])
    if not texts:
        return draw.choice(PORTS)
    end = int(draw.choice(draw.choice(texts).split("-")))
    return min(max(end + draw.choice((-1, 0, 0, 1)), 1), 65535)


def texts_of(world, endpoint):
    """What an endpoint wants and what it excludes, with what is in aliases."""
    for each in (endpoint, endpoint.get("except", {})):
        yield from each.get("addresses", [])
        for alias in each.get("aliases", []):
            yield from world.aliases[alias]["addresses"]


def interesting_source(draw, world, endpoint, host, family):
    """The ends of a rule's ranges, and what is just beside them; none that a router would not take as a source (RFC 1812 5.3.7)."""
    texts = [text for text in texts_of(world, endpoint) if (":" in text) == (family == 6)]
    if texts and draw.random() < 0.8:
        text = draw.choice(texts)
        first, last = map(ipaddress.ip_address, text.split("-")) if "-" in text else (ipaddress.ip_network(text)[0], ipaddress.ip_network(text)[-1])
        address = draw.choice((first, last, first - 1, last + 1))
        if int(address) & 0xFF not in (0, 1, 0xFF) or int(address) >> 8 & 0xFF:
            return str(address)
    return draw.choice(host_addresses(host, family))


def interesting_destination(draw, world, endpoint, host, family):
    """One that somebody has: what the rule wants, if there is any of it, more often than others."""
    there = host_addresses(host, family)[:3]
    wanted = [address for address in there if in_addresses(texts_of(world, endpoint), address)]
    return draw.choice(wanted if wanted and draw.random() < 0.6 else there)


def draw_packet(draw, world, number, spec):
    """Aimed at a rule, so that most meet one, and often just beside it."""
    source_host = spec.get("from") if spec.get("from") in HOSTS else draw.choice(list(HOSTS))
    target_host = spec.get("to") if spec.get("to") in HOSTS else draw.choice(list(HOSTS))
    if source_host == target_host:
        target_host = draw.choice([host for host in HOSTS if host != source_host])
    family = int(spec.get("family", draw.choice(("ipv4", "ipv6")))[-1])
    if spec.get("protocol") in ("icmp", "icmpv6") and draw.random() < 0.9:
        family = 4 if spec["protocol"] == "icmp" else 6
    protocol = PROTOCOLS.get(spec.get("protocol"), draw.choice((TCP, UDP, SCTP, ESP)))
    if "ipsec" in spec.get("services", ()) and draw.random() < 0.5:
        protocol = draw.choice((UDP, ESP, AH) if family == 4 else (UDP, ESP))  # of IPv6, AH is a header before the protocol
    if "icmpTypes" in spec or protocol in (ICMP, ICMP6) or draw.random() < 0.1:
        protocol = ICMP if family == 4 else ICMP6
    words = [str(text).partition("/")[0] for text in spec.get("icmpTypes", ())] or list(ICMP_NAMES)
    word = draw.choice(words)
    kind = int(word) if word.isdigit() else ICMP_NAMES[word].get(family, 8 if family == 4 else 128)
    ports = protocol in (TCP, UDP, SCTP)
    dport = interesting_ports(draw, spec.get("destination", {}))
    if "services" in spec and draw.random() < 0.7:
        dport = draw.choice((22, 53, 500, 4500))
    return Packet(
        number=number, from_host=source_host, to_host=target_host,
        source=interesting_source(draw, world, spec.get("source", {}), source_host, family),
        destination=interesting_destination(draw, world, spec.get("destination", {}), target_host, family),
        mac=draw.choice(spec.get("source", {}).get("macs", MACS) if draw.random() < 0.6 else MACS), dscp=spec.get("dscp", 0) if draw.random() < 0.7 else draw.choice(CODE_POINTS),
        hops=draw.choice((60, 60, 60, *MARKS, UNTRACKED_HOPS)), protocol=protocol,
        sport=interesting_ports(draw, spec.get("source", {})) if ports else 0, dport=dport if ports else 0,
        flags=draw.choice((frames.TCP_SYN, frames.TCP_SYN, frames.TCP_SYN | frames.TCP_ACK)), icmp=(kind, draw.choice((0, 1, 4))),
        pieces=draw.choice((1, 2, 2, 2)) if spec.get("fragments") else draw.choice((1,) * 9 + (2,)),
    )
