"""Tables, and the document that shows them: what stands between its markers is written by the bench alone."""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure, Sides


class NoSuchTableError(Exception):
    """The page asks for a table that is not made."""


def write(path: Path, tables: Mapping[str, str], *, run: str = "bench") -> None:
    """Put each table of a run between its markers. Raises `NoSuchTableError`."""
    marked = re.compile(rf"(<!-- {run}: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

    def filled(found: re.Match[str]) -> str:
        if found[2] not in tables:
            raise NoSuchTableError(found[2])
        return f"{found[1]}\n{tables[found[2]]}\n\n{found[3]}"

    path.write_text(marked.sub(filled, path.read_text()))


def summary_table(summary: Mapping[str, Figure]) -> str:
    rows = [
        [
            f"`{name}`",
            number(figure.value) + ("" if figure.unit == "ratio" else f" {figure.unit}"),
            _target(figure),
            "; ".join(_side(name, values, figure.unit) for name, values in figure.sides.items()),
        ]
        for name, figure in summary.items()
    ]
    return table(["figure", "value", "target", "sides (medians)"], rows)


def audit_table(seconds: Mapping[str, float]) -> str:
    """The slowest checks, and all of them together."""
    slowest = sorted(seconds.items(), key=lambda item: item[1], reverse=True)[:6]
    rows = [[f"`{name}`", number(taken)] for name, taken in slowest]
    rows.append([f"all {len(seconds)}", number(sum(seconds.values()))])
    return table(["check", "seconds"], rows)


def strategies_table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ["strategy", "clients", "holds/s", "p50 ms", "p99 ms", "retries", "held", "oversold"]
    keys = ["strategy", "clients", "holds_per_second", "p50_ms", "p99_ms"]
    keys += ["retries", "held", "oversold"]
    known = sorted(
        rows, key=lambda row: ("redis lock version naive".find(row["strategy"]), row["clients"])
    )
    cells = [[str(row["strategy"]), *[number(row[key]) for key in keys[1:]]] for row in known]
    return table(heads, cells)


def batches_table(figures: Sides) -> str:
    rows = [[size, number(statistics.median(rates))] for size, rates in figures.items()]
    return table(["claims in one transaction", "holds/s"], rows)


def sync_table(rows: Sequence[Mapping[str, float]]) -> str:
    cells = [[number(row["queued"]), f"{row['milliseconds']:.2f}"] for row in rows]
    return table(["claims in the queue", "ms that `sync` keeps Redis"], cells)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _side(name: str, values: Sequence[float], unit: str) -> str:
    if unit == "ms":
        return f"{len(values)} clicks"
    return f"{name} {number(statistics.median(values))}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    bound = "at least" if figure.at_least else "at most"
    return f"{bound} {figure.target:g}: {'met' if figure.is_met else 'missed'}"


def number(value: float) -> str:
    """A figure as people read it: whole above a hundred, else three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
