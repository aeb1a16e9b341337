"""What a measurement yields: a figure under its name, its target, and the raw sides of a ratio."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Sides = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """`target` is reached from above (`at_least`) or from below; None: there is none."""

    value: float
    unit: str = "ratio"
    target: float | None = None
    at_least: bool = True
    sides: Sides = field(default_factory=dict)

    @property
    def is_met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_json(self) -> dict[str, Any]:
        """A row of summary.json, in the form that docs/performance.md describes."""
        row: dict[str, Any] = {"value": self.value, "unit": self.unit, "target": self.target}
        if self.target is not None:
            row["at_least" if self.at_least else "at_most"] = True
        return row | {"sides": self.sides}


def take_turns(sides: Mapping[str, Callable[[], float]], *, rounds: int) -> Sides:
    """Let the sides take turns, so that a slow moment of the machine meets all of them; what each yielded, in order."""
    figures: Sides = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            figures[name].append(round(side(), 1))
    return figures


def ratio(figures: Sides, side: str, over: str, *, target: float | None = None) -> Figure:
    """The median of one side over the median of another."""
    value = statistics.median(figures[side]) / statistics.median(figures[over])
    sides = {side: figures[side], over: figures[over]}
    return Figure(value=round(value, 3), target=target, sides=sides)


def median_of(figures: Sides, side: str, *, unit: str) -> Figure:
    """The median of one side alone."""
    value = round(statistics.median(figures[side]), 1)
    return Figure(value=value, unit=unit, sides={side: figures[side]})


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile of values in any order."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
