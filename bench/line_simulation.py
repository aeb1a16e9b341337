"""`python -m bench.line_simulation`: the real controller and the door's rule, with shoppers made of random numbers.

Time goes in steps of a tenth of a second. Everything else is as in the shop: the controller runs once a second and
says a serving number as a function of time; a shopper whose place it reaches finds out when their browser next asks,
goes to the door, is let in or told that it is full, stays for a while, and buys or does not. The same seed gives the
same figures. Nothing here needs Django, a server or a clock.
"""

import heapq
import itertools
import json
import math
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import pages
from flashsale.controller import Inputs, Memory, Reason, Serving, decide

#: Steps in a second, and runs of the controller in one.
STEPS = 10
#: Seconds between two askings for the wait, how many places are asked about, and the shortest wait that counts: below
#: it the page says "under a minute" anyway, and one period of the controller would be more than a tenth.
ASK_SECONDS, ASKED, SHORTEST_WAIT = 10, 20, 15.0
#: Seconds after which somebody who was told "full" asks again (`admissions.RETRY_SECONDS`, with a browser's jitter).
RETRY_SECONDS = (1.5, 2.5)
#: How much stays differ: the deviation of their logarithm.
STAY_DEVIATION = 0.6
#: How much longer stays are, and how much less the drain settles, while the backend is slow.
SLOWER = 3
#: From this second on the cap is full, or never will be.
FILLED_SECONDS = 120
#: The targets: for the entries of each minute, as a share of the pace; for the median error of the wait, as a share of
#: the wait.
RATE_TARGET, WAIT_TARGET = 0.02, 0.10
SEED = 1
SUMMARY = Path("var/bench/line-simulation.json")
PICTURE = Path("docs/pictures/line-simulation.svg")
PAGE = Path("docs/performance.md")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A sale and its crowd. Times are seconds from the opening.

    Attributes:
        crowd: shoppers in line at the opening.
        arrivals: shoppers who join, a second.
        comes: the share of places whose shopper comes when called.
        stay: seconds that a shopper is inside, the mean of a log-normal distribution, before `longest` cuts it off.
        slow: from when to when the backend is slow.
        away: from when to when the controller does not run.
        buys, pays: the share of those inside who buy, and of the buyers who pay.
        hold: seconds after which a unit that was not paid comes back.
        purchases_per_second: what the drain settles.
    """

    name: str
    minutes: int = 20
    crowd: int = 20_000
    arrivals: float = 0.0
    comes: float = 1.0
    cap: int = 500
    pace: float | None = None
    stay: float = 30.0
    longest: float = 180.0
    slow: tuple[float, float] = (0.0, 0.0)
    away: tuple[float, float] = (0.0, 0.0)
    units: int = 1_000_000
    buys: float = 0.5
    pays: float = 0.7
    hold: float = 120.0
    purchases_per_second: float = 50.0


SCENARIOS = (
    Scenario("steady crowd", crowd=1000, arrivals=10.5, pace=10.0),
    Scenario("burst", stay=60.0),
    Scenario("half never come", crowd=50_000, comes=0.5, cap=1000, pace=20.0),
    Scenario("half never come, no pace", comes=0.5, stay=60.0),
    Scenario("slow backend", pace=10.0, slow=(480.0, 660.0)),
    Scenario("paused worker", pace=10.0, away=(570.0, 600.0)),
    Scenario("sell-out", comes=0.8, units=3000),
)

Rule = Callable[[Memory, Inputs], Memory]


@dataclass(frozen=True, slots=True)
class Second:
    """What was true at the start of a second; `entered` counts from the opening."""

    at: int
    served: float
    inside: int
    entered: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody was told of their wait, in seconds; None when nobody could say."""

    at: int
    place: int
    wait: float | None


@dataclass(slots=True)
class Run:
    """What happened.

    Attributes:
        breaches: steps in which more were inside than the cap or the units allow.
        full: how often somebody was told at the door to ask again.
    """

    scenario: Scenario
    breaches: int = 0
    full: int = 0
    seconds: list[Second] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def entries_by_minute(self) -> list[int]:
        totals = [second.entered for second in self.seconds[::60]]
        return [after - before for before, after in itertools.pairwise(totals)]

    def rate_errors(self) -> list[float]:
        """How far the entries of a minute were from the pace, as a share of it; for each minute in which only the
        pace held the line up, and the controller ran in it and in the one before."""
        pace, (gone, back) = self.scenario.pace, self.scenario.away
        if pace is None:
            return []
        return [
            abs(entries / (60 * pace) - 1)
            for minute, entries in enumerate(self.entries_by_minute())
            if {second.reason for second in self.seconds[60 * minute : 60 * minute + 60]}
            == {Reason.PACE}
            and not gone - 60 < 60 * minute < back + 60
        ]

    def wait_errors(self) -> list[float]:
        """How far each wait that was told, and that came to its end, was from the truth, as a share of the truth."""
        reached: dict[int, int] = {}
        for second in self.seconds:
            for place in range(len(reached) + 1, int(second.served) + 1):
                reached[place] = second.at
        waits = [
            (told.wait, reached[told.place] - told.at)
            for told in self.told
            if told.wait is not None and told.place in reached
        ]
        return [abs(said - true) / true for said, true in waits if true >= SHORTEST_WAIT]

    def use_of_cap(self) -> float | None:
        """The mean share of the cap that was used, once it was filled, while nothing else held the line up."""
        used = [
            second.inside / self.scenario.cap
            for second in self.seconds[FILLED_SECONDS:]
            if second.reason is Reason.CAP
        ]
        return statistics.mean(used) if used else None

    def summary(self) -> dict[str, Any]:
        rates, waits, use = self.rate_errors(), self.wait_errors(), self.use_of_cap()
        return {
            "scenario": asdict(self.scenario),
            "cap_exceeded_steps": self.breaches,
            "entered": self.seconds[-1].entered,
            "served": int(self.seconds[-1].served),
            "told_full": self.full,
            "entries_by_minute": self.entries_by_minute(),
            "worst_minute_error": round(max(rates), 4) if rates else None,
            "minutes_at_pace": len(rates),
            "use_of_cap": round(use, 3) if use is not None else None,
            "median_wait_error": round(statistics.median(waits), 3) if waits else None,
            "waits_judged": len(waits),
        }


class _Sale:
    """The sale of one run, as it is now."""

    def __init__(self, scenario: Scenario, rng: random.Random) -> None:
        self.scenario, self.rng = scenario, rng
        self.now, self.line = 0.0, float(scenario.crowd)
        self.inside, self.entered, self.full, self.called = 0, 0, 0, 0
        self.units, self.queued = scenario.units, 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.ties = itertools.count()

    @property
    def room(self) -> int:
        return min(self.scenario.cap, self.units)

    @property
    def slowness(self) -> int:
        since, until = self.scenario.slow
        return SLOWER if since <= self.now < until else 1

    def inputs(self) -> Inputs:
        scenario = self.scenario
        return Inputs(
            now=self.now,
            last_place=int(self.line),
            active=self.inside,
            entered=self.entered,
            cap=scenario.cap,
            units_free=self.units,
            is_open=True,
            admission_seconds=scenario.longest,
            pace=scenario.pace,
            backlog_seconds=self.queued / scenario.purchases_per_second,
        )

    def go_to(self, now: float) -> None:
        step, self.now = now - self.now, now
        settled = self.scenario.purchases_per_second / self.slowness * step
        self.line += self.scenario.arrivals * step
        self.queued = max(0.0, self.queued - settled)
        while self.events and self.events[0][0] <= now:
            heapq.heappop(self.events)[2]()

    def call(self, serving: Serving) -> None:
        """Let the shoppers whose places have been reached find out when their browsers next ask."""
        while serving.has_reached(self.called + 1, self.now):
            self.called += 1
            if self.rng.random() < self.scenario.comes:
                # The document may be a second old, and is asked for every 2.25 to 3.75 seconds.
                age, poll = self.rng.random(), self.rng.uniform(2.25, 3.75)
                self._later(age + poll * self.rng.random(), self._knock)

    def _knock(self) -> None:
        if self.inside >= self.room:
            self.full += 1
            self._later(self.rng.uniform(*RETRY_SECONDS), self._knock)
            return
        self.inside += 1
        self.entered += 1
        median = math.log(self.scenario.stay) - STAY_DEVIATION**2 / 2
        stay = self.slowness * self.rng.lognormvariate(median, STAY_DEVIATION)
        self._later(min(stay, self.scenario.longest), self._go)

    def _go(self) -> None:
        self.inside -= 1
        if self.rng.random() < self.scenario.buys:
            self.units -= 1
            self.queued += 1
            if self.rng.random() >= self.scenario.pays:
                self._later(self.scenario.hold, self._come_back)

    def _come_back(self) -> None:
        self.units += 1

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.ties), event))


def simulate(scenario: Scenario, *, seed: int = SEED, rule: Rule = decide) -> Run:
    """Run a scenario from its opening to its last minute."""
    rng = random.Random(seed)
    sale, run = _Sale(scenario, rng), Run(scenario)
    memory = Memory(serving=Serving(base=0.0, rate=0.0, at=0.0, until=0.0))
    for step in range(scenario.minutes * 60 * STEPS + 1):
        sale.go_to(step / STEPS)
        run.breaches += sale.inside > sale.room
        if step % STEPS == 0:
            second = step // STEPS
            if not scenario.away[0] <= second < scenario.away[1]:
                memory = rule(memory, sale.inputs())
            served = memory.serving.number_at(sale.now)
            run.seconds.append(Second(second, served, sale.inside, sale.entered, memory.reason))
            if second % ASK_SECONDS == 0 and sale.line >= served + 1:
                for _ in range(ASKED):
                    place = rng.randint(int(served) + 1, int(sale.line))
                    run.told.append(Told(second, place, _wait(memory.serving, sale, place)))
        sale.call(memory.serving)
    run.full = sale.full
    return run


def _wait(serving: Serving, sale: _Sale, place: int) -> float | None:
    """As `line.position` has it."""
    if place - 1 - int(serving.number_at(sale.now)) >= sale.units:
        return None
    return serving.seconds_to(place, sale.now)


HEADS = (
    "scenario",
    "over the cap",
    "worst minute",
    "use of the cap",
    "error of the wait",
    "told full",
    "came in",
)


def _cells(summary: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table."""
    return (
        summary["scenario"]["name"],
        "never" if not summary["cap_exceeded_steps"] else f"{summary['cap_exceeded_steps']} steps",
        _percent(summary["worst_minute_error"]),
        _percent(summary["use_of_cap"]),
        _percent(summary["median_wait_error"]),
        f"{summary['told_full']:,}",
        f"{summary['entered']:,}",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def is_good(summary: dict[str, Any]) -> bool:
    """Whether a scenario met the targets that apply to it."""
    return (
        summary["cap_exceeded_steps"] == 0
        and (summary["worst_minute_error"] or 0.0) <= RATE_TARGET
        and (summary["median_wait_error"] or 0.0) <= WAIT_TARGET
    )


def main() -> int:
    from bench import plots  # noqa: PLC0415 -- the tests simulate without matplotlib

    runs = [simulate(scenario) for scenario in SCENARIOS]
    summaries = [run.summary() for run in runs]
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps(summaries, indent=1) + "\n")
    plots.draw_line(runs, PICTURE)
    table = pages.table(HEADS, [_cells(summary) for summary in summaries])
    pages.write(PAGE, {"line": table}, run="simulation")
    print(table)
    return 0 if all(is_good(summary) for summary in summaries) else 1


if __name__ == "__main__":
    sys.exit(main())
