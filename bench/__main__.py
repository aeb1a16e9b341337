"""`make bench`: measure on real servers of its own under var/bench, print a table, write var/bench/summary.json.

Ratios are measured side by side: the sides take turns on the same servers, and the medians are compared. The
machine is noisy; a rate alone says little. BENCH=quick makes fewer rounds of smaller size.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config import embedded

HOME = Path(__file__).resolve().parent.parent / "var" / "bench"


def rounds(sides: dict[str, Callable[[], float]], *, count: int) -> dict[str, list[float]]:
    """Let the sides take turns `count` times; their rates per second, in order."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(count):
        for name, side in sides.items():
            figures[name].append(round(side(), 1))
    return figures


def ratio(figures: dict[str, list[float]], side: str, over: str) -> float:
    return round(statistics.median(figures[side]) / statistics.median(figures[over]), 2)


def main() -> int:
    os.environ |= {"HOLDFAST_ENV": "demo", "PURCHASES_PER_SECOND": "1000000", "LOG_LEVEL": "ERROR"}
    embedded.prepare_environment(home=HOME)
    import django  # noqa: PLC0415 -- the environment is ready now

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from bench import engine  # noqa: PLC0415 -- needs Django

    quick = os.environ.get("BENCH") == "quick"
    engine.prepare(claims=1000 if quick else 5000)
    figures = rounds(engine.SIDES, count=5)
    summary: dict[str, dict[str, Any]] = {
        name: {
            "value": ratio(figures, side, over),
            "unit": "ratio",
            "target": target,
            "at_least": True,
            "sides": {side: figures[side], over: figures[over]},
        }
        for name, side, over, target in engine.RATIOS
    }
    for name, row in summary.items():
        print(f"{name:<32} {row['value']:>8} (target {row['target']})")
        for side, rates in row["sides"].items():
            print(f"    {side:<28} {statistics.median(rates):>10,.0f} per s  {rates}")
    (HOME / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"Written: {(HOME / 'summary.json').relative_to(HOME.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
