"""The three strategies and a naive read-then-write on one SKU, from one client to 256, until the units are gone."""

import statistics
import time
from typing import Any

from bench import stage, ways
from bench.crowd import Crowd, Outcome
from bench.size import Size
from flashsale import drain
from flashsale.models import Sale

NAMES = ("redis", "lock", "version", "naive")
#: Seconds that the drain of a queue with nothing in it waits before it looks again: what the bell costs, at the least.
REST_SECONDS = 0.002


def sweep(size: Size, crowd: Crowd) -> list[dict[str, Any]]:
    """A row for each strategy and number of clients: the run with the middle rate, and the units oversold in all."""
    ways.make_scratch_tables()
    runs: dict[tuple[str, int], list[tuple[Outcome, int]]] = {}
    for _ in range(size.sweeps):
        for clients in size.clients:
            for name in NAMES:
                units = size.queue_units if name == "redis" else size.units
                run = _run(crowd, name, clients=clients, units=units, seconds=size.sweep_seconds)
                runs.setdefault((name, clients), []).append(run)
    return [_row(name, clients, known) for (name, clients), known in runs.items()]


def _run(
    crowd: Crowd, name: str, *, clients: int, units: int, seconds: float
) -> tuple[Outcome, int]:
    """What the clients met, and how many units too many were promised."""
    is_naive = name == "naive"
    strategy = Sale.Strategy.REDIS if is_naive else Sale.Strategy(name)
    sale = stage.open_sale(units=units, strategy=strategy)
    if is_naive:
        ways.stock_scratch_table(sale, units=units)

    def settle() -> None:
        drained = drain.drain(sale, consumer="bench")
        if not drained.held + drained.refused:
            time.sleep(REST_SECONDS)

    outcome = crowd.buy(
        way=name,
        sale=sale.slug,
        clients=clients,
        shoppers=len(stage.shoppers()),
        seconds=seconds,
        **({"meanwhile": settle} if name == "redis" else {}),
    )
    return outcome, max(0, ways.promised(sale, naive=is_naive) - units)


def _row(name: str, clients: int, runs: list[tuple[Outcome, int]]) -> dict[str, Any]:
    middle = statistics.median_low([outcome.rate for outcome, _ in runs])
    outcome = next(outcome for outcome, _ in runs if outcome.rate == middle)
    return {
        "strategy": name,
        "clients": clients,
        "holds_per_second": round(outcome.rate, 1),
        "p50_ms": outcome.percentile(50),
        "p99_ms": outcome.percentile(99),
        "retries": outcome.retries,
        "told_busy": outcome.busy,
        "held": outcome.held,
        "oversold": sum(oversold for _, oversold in runs),
        "rates": [round(known.rate, 1) for known, _ in runs],
    }
