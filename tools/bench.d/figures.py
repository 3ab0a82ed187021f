# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark yields."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    name: str
    value: float | None  # None: it could not be measured
    unit: str  # "ms", or "x": how many times better than the peer
    goal: str = ""  # "<= 12" or ">= 2.5"; empty: for information
    ours: dict = dataclasses.field(default_factory=dict)  # what the value was made of
    peer: dict = dataclasses.field(default_factory=dict)
    error: str = ""

    @property
    def ok(self):
        if self.value is None:
            return False
        if not self.goal:
            return True
        sign, limit = self.goal.split()
        return self.value <= float(limit) if sign == "<=" else self.value >= float(limit)

    def line(self):
        if self.value is None:
            return f"{self.name:34} FAILED: {self.error}"
        verdict = "" if not self.goal else "ok" if self.ok else "MISSED"
        sides = "; ".join(f"{side}: " + ", ".join(f"{key} {value}" for key, value in figures.items())
                          for side, figures in (("ours", self.ours), ("peer", self.peer)) if figures)
        return f"{self.name:34} {self.value:10.2f} {self.unit:3} {self.goal:8} {verdict:7} {sides}"


def attempt(name, figures):
    """Yields the figures; what cannot be measured is a figure that missed, and the next benchmark goes on."""
    try:
        yield from figures
    except RuntimeError as error:
        yield Figure(name, None, "", error=str(error))


def costs(cost, *extra):
    """A Cost as a part of a figure: wall and CPU always beside each other."""
    figures = {"wall_ms": round(cost.wall, 2), "cpu_ms": round(cost.cpu, 2)}
    figures.update({f"{key}_ms": round(cost.extra[key], 3) for key in extra if key in cost.extra})
    return figures
