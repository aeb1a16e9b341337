"""How much is measured: all of it, or the same things smaller (BENCH=quick)."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    #: Rounds in which the sides of a ratio take turns.
    rounds: int
    #: Claims that one round drains, and rows that one round inserts.
    claims: int
    #: Purchases of each of the 64 clients that take a lock each.
    purchases_each: int
    #: Calls of a script in one round.
    calls: int
    #: Clients of the strategies, each count once a round of the sweep.
    clients: tuple[int, ...]
    sweeps: int
    #: Seconds that one run of it takes at the most.
    sweep_seconds: float
    #: Units on sale in the sweep: for the queue, and for those who take them one by one.
    queue_units: int
    units: int
    batch_sizes: tuple[int, ...]
    #: Claims in a queue whose `sync` is timed.
    queue_lengths: tuple[int, ...]
    #: Seconds of twenty clicks on Buy a second.
    click_seconds: int
    #: Clicks on Buy of one round over HTTP, as fast as they are answered.
    clicks: int
    #: Rounds of nginx's two sides, whose turns are so short that one says little.
    nginx_rounds: int
    #: Shoppers who join the lobby.
    entrants: int
    #: Rows in reservations and in movements, at the most.
    rows: int


FULL = Size(
    rounds=5,
    claims=5000,
    purchases_each=10,
    calls=40_000,
    clients=(1, 4, 16, 64, 256),
    sweeps=3,
    sweep_seconds=6.0,
    queue_units=3000,
    units=400,
    batch_sizes=(25, 50, 100, 250, 500, 1000),
    queue_lengths=(100, 1000, 10_000, 100_000),
    click_seconds=20,
    clicks=10_000,
    nginx_rounds=25,
    entrants=10_000_000,
    rows=10_000_000,
)
QUICK = Size(
    rounds=5,
    claims=1500,
    purchases_each=4,
    calls=8000,
    clients=(1, 4, 16, 64, 256),
    sweeps=1,
    sweep_seconds=2.0,
    queue_units=600,
    units=100,
    batch_sizes=(25, 100, 250, 1000),
    queue_lengths=(100, 1000, 10_000),
    click_seconds=6,
    clicks=3000,
    nginx_rounds=5,
    entrants=200_000,
    rows=1_000_000,
)


def wanted() -> Size:
    return QUICK if os.environ.get("BENCH") == "quick" else FULL
