# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart of curves over numbers of rules, both axes logarithmic, as SVG: docs/forward.svg, from what `tools/bench forward --json`
printed."""

import json
import math
import pathlib
from xml.sax.saxutils import escape

PATH = pathlib.Path(__file__).resolve().parents[2] / "docs" / "forward.svg"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 460, 70, 150, 40, 50
COLOURS = {"ours": "#1b7837", "linear": "#b2182b", "map": "#2166ac", "none": "#777777"}
DASHES = {"like": "", "acl": "7 3", "ipc": "3 3", "fw": "1 3"}


def _ends(values):
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))


def draw(path, title, lines):
    """`lines`: "MIX SIDE" -> [(rules, value)]."""
    x_lo, x_hi = _ends([x for line in lines.values() for x, _ in line])
    y_lo, y_hi = _ends([y for line in lines.values() for _, y in line])
    along = lambda x: LEFT + (math.log10(x) - x_lo) / (x_hi - x_lo) * (WIDTH - LEFT - RIGHT)
    up = lambda y: HEIGHT - BOTTOM - (math.log10(y) - y_lo) / (y_hi - y_lo) * (HEIGHT - TOP - BOTTOM)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>']
    for power in range(x_lo, x_hi + 1):
        x = along(10 ** power)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                     f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10 ** power:,}</text>')
    for power in range(y_lo, y_hi + 1):
        y = up(10 ** power)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10 ** power:,}</text>')
    for name, line in sorted(lines.items(), key=lambda item: -item[1][-1][1]):
        mix, side = name.split()
        points = " ".join(f"{along(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[side]}" stroke-width="2" stroke-dasharray="{DASHES[mix]}"/>')
    for number, (side, colour) in enumerate(COLOURS.items()):
        y = TOP + 14 + 18 * number
        text = {"ours": "Patronus", "linear": "nft, linear rules", "map": "nft, map by hand", "none": "no table"}[side]
        parts.append(f'<line x1="{WIDTH - RIGHT + 10}" y1="{y - 4}" x2="{WIDTH - RIGHT + 34}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>'
                     f'<text x="{WIDTH - RIGHT + 40}" y="{y}">{text}</text>')
    for number, (mix, dashes) in enumerate(DASHES.items()):
        y = TOP + 100 + 18 * number
        parts.append(f'<line x1="{WIDTH - RIGHT + 10}" y1="{y - 4}" x2="{WIDTH - RIGHT + 34}" y2="{y - 4}" stroke="black" stroke-width="2" '
                     f'stroke-dasharray="{dashes}"/><text x="{WIDTH - RIGHT + 40}" y="{y}">{mix}</text>')
    parts.append("</svg>")
    pathlib.Path(path).write_text("\n".join(parts) + "\n")


def of_results(text):
    """The lines of all figures "forward.MIX.COUNT.vs-linear" in a file of JSON objects."""
    lines = {}
    for row in map(json.loads, filter(None, text.splitlines())):
        benchmark, *rest = row["name"].split(".")
        if benchmark != "forward" or len(rest) != 3 or rest[2] != "vs-linear":
            continue
        for side, value in row["ours"].items():
            lines.setdefault(f"{rest[0]} {side.removesuffix('_ns')}", []).append((int(rest[1]), value))
    return {name: sorted(line) for name, line in lines.items()}
