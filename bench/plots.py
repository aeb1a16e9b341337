"""The plots that docs/performance.md shows. The same figures give the same bytes."""

import itertools
import math
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from bench.figures import Sides
from bench.line_simulation import Run

#: Told apart without colour, too: each has a marker of its own.
LOOKS = {
    "redis": ("#0b7a75", "o"),
    "lock": ("#b5532a", "s"),
    "version": ("#5b4b8a", "^"),
    "naive": ("#8a8a8a", "x"),
}

mpl.rcParams.update(
    {
        "svg.hashsalt": "holdfast",
        "svg.fonttype": "path",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def draw_strategies(rows: list[dict[str, Any]], path: Path) -> None:
    canvas = Canvas(figsize=(9, 3.8), layout="constrained")
    rate, wait = canvas.subplots(1, 2)
    for name, (colour, marker) in LOOKS.items():
        own = [row for row in rows if row["strategy"] == name]
        clients = [row["clients"] for row in own]
        look: dict[str, Any] = {"color": colour, "marker": marker, "label": name}
        rate.plot(clients, [row["holds_per_second"] for row in own], **look)
        wait.plot(clients, [row["p99_ms"] for row in own], **look)
    for axes, title in ((rate, "Holds a second"), (wait, "Buy to held, p99, in ms")):
        _logarithmic(axes, x=[row["clients"] for row in rows], title=title)
        axes.set_xlabel("clients on one SKU")
    rate.legend(frameon=False)
    _save(canvas, path)


def draw_batches(figures: Sides, path: Path) -> None:
    canvas = Canvas(figsize=(6, 3.4), layout="constrained")
    axes = canvas.subplots()
    sizes = [int(size) for size in figures]
    rates = [statistics.median(known) for known in figures.values()]
    colour, marker = LOOKS["redis"]
    axes.plot(sizes, rates, color=colour, marker=marker)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_title("Holds a second by claims in one transaction", loc="left")
    axes.set_xlabel("claims in one transaction")
    _save(canvas, path)


def draw_line(runs: list[Run], path: Path) -> None:
    """A row for each scenario of the line's simulation: the serving number, who is inside, and calls, by the minute."""
    canvas = Canvas(figsize=(9, 1.6 * len(runs)), layout="constrained")
    grid = canvas.subplots(len(runs), 3, sharex=True, squeeze=False)
    look: dict[str, Any] = {"color": LOOKS["redis"][0], "linewidth": 1}
    for row, run in zip(grid, runs, strict=True):
        # Every tenth second: calls of one are whole shoppers, and flicker.
        seconds = run.seconds[::10]
        minutes = [second.at / 60 for second in seconds]
        served = [second.served for second in seconds]
        calls = [(after - before) / 10 for before, after in itertools.pairwise(served)]
        row[0].plot(minutes, served, **look)
        row[1].plot(minutes, [second.inside for second in seconds], **look)
        row[1].axhline(run.scenario.cap, color=LOOKS["lock"][0], linewidth=1, linestyle="dashed")
        row[2].plot(minutes[1:], calls, **look)
        # The burst of the opening would make everything after it look flat.
        row[2].set_ylim(0, 1.2 * max(calls[3:]))
        row[0].set_title(run.scenario.name, loc="left", fontsize=10)
        for axes in row:
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter("{x:,.0f}")
    grid[0][1].set_title("inside, and the cap", loc="left", fontsize=10)
    grid[0][2].set_title("calls a second", loc="left", fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("minutes after the opening")
    _save(canvas, path)


def _logarithmic(axes: Axes, *, x: list[int], title: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted(set(x))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
    axes.grid(axis="y", color="#e2e2e2")
    axes.set_title(title, loc="left")


def _save(canvas: Canvas, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, format="svg", metadata={"Date": None})
