"""How fast the line is served: a pure function of what is known, run once a second by `line.renew`.

It only calls; who gets in is decided at the door (`scripts/admit.lua`), which never lets in more than the cap or the
units free. A wrong guess here makes somebody wait, and can do no more.

A call is a whole step of the serving number. Not everybody who is called comes: browsers that nobody looks at, and
bots without cookies, stand in line and never ask. So the controller measures which share of those who are called come
(the show-up share), and how long they stay, and calls as many as fill the room that is left. Before anything was
measured, everybody is taken to come, and to stay half as long as they may.
"""

import itertools
import json
import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

#: Seconds between two runs. Without the next run the serving number stands still after as long.
PERIOD_SECONDS = 1.0
#: Seconds within which those who are called come, evenly spread: a browser asks every two seconds for a
#: document that may be a second old, and one without JavaScript comes every six.
RESPONSE_SECONDS = 5.0
#: Seconds after which what was measured counts for a third (1/e): long enough to be smooth, short enough to follow.
MEMORY_SECONDS = 60.0
#: Calls that are assumed to have been answered before any was, and the same for stays.
PRIOR_CALLS, PRIOR_STAYS = 10.0, 10.0
#: The show-up share is never taken to be less: it bounds how many are called for one who comes.
LEAST_SHOW_UP = 0.05
#: With a pace: seconds in which a difference is made up, the most of it that is remembered (in seconds of the pace),
#: and the most calls at one time, as a multiple of the pace. So a stall is followed by no burst.
SETTLE_SECONDS, CATCH_UP_SECONDS, FASTEST = 2.0, 10.0, 1.5
#: Seconds of work in the purchase queue above which nobody is called: shoppers wait in line and not after their click.
BACKLOG_SECONDS = 5.0
#: Seconds by which the last run may seem to be in the future: clocks of several machines differ by less.
MOST_SKEW_SECONDS = 5.0
#: Seconds after which a number that nobody carried on says nothing about a wait any more.
SILENT_SECONDS = 10.0
#: A place is served when the serving number is no further away than this: floats are not exact.
TOLERANCE = 1e-6


class Reason(StrEnum):
    """What kept the controller from calling more."""

    CLOSED = "closed"
    PAUSED = "paused"
    EVERYONE_SERVED = "everyone_served"
    CAP = "cap"
    UNITS = "units"
    PACE = "pace"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving number as a function of time: `base + rate * (min(t, until) - at)`; times are epoch seconds.

    Attributes:
        pace: places a second in the longer run, behind `until`; None when nobody can say.
    """

    base: float
    rate: float
    at: float
    until: float
    pace: float | None = None

    def number_at(self, moment: float) -> float:
        return self.base + self.rate * max(0.0, min(moment, self.until) - self.at)

    def has_reached(self, place: int, moment: float) -> bool:
        return place <= self.number_at(moment) + TOLERANCE

    def seconds_to(self, place: int, moment: float) -> float | None:
        """Seconds until a place is served, as far as anybody can say."""
        if self.has_reached(place, moment):
            return 0.0
        if self.has_reached(place, self.until):
            return (place - self.number_at(moment)) / self.rate
        if not self.pace or moment - self.until > SILENT_SECONDS:
            return None
        return max(0.0, self.until - moment) + (place - self.number_at(self.until)) / self.pace


@dataclass(frozen=True, slots=True)
class Point:
    """The serving number and the admissions given so far, at one moment."""

    at: float
    served: float
    entered: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers from run to run.

    Attributes:
        serving: what it said last.
        reason: why it said no more.
        start: where it began: at the opening, or after the loss of Redis.
        points: the last RESPONSE_SECONDS, the oldest first.
        active: shoppers inside at the last run.
        came, expected: shoppers who came, and who would have if everybody did, counted when the time for it is over: so
            more seem to come than do while calls grow, and nobody is taken for a no-show early; both fade.
        stayed, left: seconds that shoppers were inside, all added, and how many went out; both fade.
        entries, watched: shoppers who came in, and the seconds in which they did; both fade.
        debt: with a pace, shoppers that are missing from it.
    """

    serving: Serving
    reason: Reason = Reason.CLOSED
    start: Point | None = None
    points: tuple[Point, ...] = ()
    active: int = 0
    came: float = 0.0
    expected: float = 0.0
    stayed: float = 0.0
    left: float = 0.0
    entries: float = 0.0
    watched: float = 0.0
    debt: float = 0.0

    @property
    def show_up(self) -> float:
        """The share of called shoppers who come."""
        share = (self.came + PRIOR_CALLS) / (self.expected + PRIOR_CALLS)
        return min(1.0, max(LEAST_SHOW_UP, share))

    @property
    def entry_rate(self) -> float:
        """Shoppers who come in a second, as measured over the last minute or so."""
        return self.entries / self.watched if self.watched > 0 else 0.0

    @property
    def entered(self) -> int:
        """Admissions given so far."""
        return int(self.points[-1].entered) if self.points else 0

    @property
    def no_shows(self) -> int:
        """Shoppers whose turn came so long ago that they are not expected any more, since the start."""
        if self.start is None:
            return 0
        called = _ripe(self.points) - self.start.served
        return max(0, int(called - (self.points[-1].entered - self.start.entered)))

    def mean_stay(self, longest: float) -> float:
        """Seconds that a shopper is inside (shopper-seconds over leavings, which is Little's law).

        Args:
            longest: seconds that an admission lasts.
        """
        stay = (self.stayed + PRIOR_STAYS * longest / 2) / (self.left + PRIOR_STAYS)
        return min(longest, max(PERIOD_SECONDS, stay))

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Memory":
        value = json.loads(text)
        return cls(
            **value
            | {
                "serving": Serving(**value["serving"]),
                "reason": Reason(value["reason"]),
                "start": value["start"] and Point(**value["start"]),
                "points": tuple(Point(**point) for point in value["points"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one decision is made of; counts are whole shoppers or units.

    Attributes:
        now: epoch seconds.
        last_place: the last place that anybody has.
        active: shoppers inside.
        entered: admissions given so far.
        admission_seconds: how long an admission lasts.
        pace: shoppers to be let in a second; None: as many as there is room for.
        backlog_seconds: how long the purchase queue takes to settle.
    """

    now: float
    last_place: int
    active: int
    entered: int
    cap: int
    units_free: int
    is_open: bool
    admission_seconds: float
    is_paused: bool = False
    pace: float | None = None
    backlog_seconds: float = 0.0


def decide(memory: Memory, inputs: Inputs) -> Memory:
    """Say how far to serve in the next period: as far as room, pace and the last place allow, whichever ends first."""
    known = _observe(memory, inputs)
    now, served = known.points[-1].at, known.points[-1].served
    share, coming = known.show_up, _coming(known)
    target, reason = served, Reason.PAUSED if inputs.is_paused else Reason.CLOSED
    pace = None
    if inputs.is_open:
        limits = [
            (float(inputs.last_place), Reason.EVERYONE_SERVED),
            # Whole shoppers: a single unit that came back would else be approached for ever.
            (
                _whole(served) + _whole(_room(known, inputs, coming) / share),
                _bound(inputs),
            ),
        ]
        if inputs.pace is not None:
            limits.append((served + _wanted(known, inputs.pace, coming) / share, Reason.PACE))
        if inputs.backlog_seconds > BACKLOG_SECONDS:
            limits.append((served, Reason.BACKLOG))
        target, reason = min(limits, key=lambda limit: limit[0])
        pace = _long_run(known, inputs)
    return replace(
        known,
        reason=reason,
        serving=Serving(
            base=served,
            rate=max(0.0, target - served) / PERIOD_SECONDS,
            at=now,
            until=now + PERIOD_SECONDS,
            pace=pace,
        ),
    )


def _bound(inputs: Inputs) -> Reason:
    return Reason.CAP if inputs.cap <= inputs.units_free else Reason.UNITS


def _room(known: Memory, inputs: Inputs, coming: float) -> float:
    """Shoppers for whom there will be room when they come.

    Those who leave meanwhile make room below the cap. Of the units they leave none behind: they took them.
    """
    leaving = inputs.active / known.mean_stay(inputs.admission_seconds) * RESPONSE_SECONDS / 2
    room = min(inputs.cap - inputs.active + leaving, inputs.units_free - inputs.active) - coming
    return max(0.0, room)


def _wanted(known: Memory, pace: float, coming: float) -> float:
    """Shoppers to be called for in one period, so that they come at a pace; those who are on their way count."""
    missing = known.debt + pace * RESPONSE_SECONDS / 2 - coming
    rate = pace + missing / SETTLE_SECONDS
    return min(FASTEST * pace, max(0.0, rate)) * PERIOD_SECONDS


def _long_run(known: Memory, inputs: Inputs) -> float | None:
    """Places a second that the line moves on by: what the cap or the units let through, at the most at the pace."""
    rate = min(inputs.cap, inputs.units_free) / known.mean_stay(inputs.admission_seconds)
    if inputs.pace is not None:
        rate = min(rate, inputs.pace)
    return rate / known.show_up if rate > 0 else None


def _observe(memory: Memory, inputs: Inputs) -> Memory:
    """Add what has happened since the last run to what is remembered."""
    if memory.serving.at - inputs.now > MOST_SKEW_SECONDS:
        # A clock was ahead and was set right: nobody waits until it would have been that late.
        standing = replace(memory.serving, rate=0.0, at=inputs.now, until=inputs.now)
        memory = replace(memory, serving=standing, points=(), debt=0.0)
    # Another machine's clock may be a little behind; the serving number must not go back with it.
    now = max(inputs.now, memory.serving.at)
    served = memory.serving.number_at(now)
    last = memory.points[-1] if memory.points else Point(now, served, inputs.entered)
    stopped = Point(min(now, max(last.at, memory.serving.until)), served, last.entered)
    points = (*(memory.points or (last,)), stopped, Point(now, served, inputs.entered))
    elapsed = now - last.at
    entered = max(0.0, inputs.entered - last.entered)
    expected = _ripe(points) - _ripe(memory.points) if memory.points else 0.0
    # Nobody comes through a shut door: then only more than was expected says anything.
    is_shut = not inputs.is_open or inputs.active >= min(inputs.cap, inputs.units_free)
    came = max(entered, memory.show_up * expected) if is_shut else entered
    left = max(0.0, entered - (inputs.active - memory.active)) if memory.points else 0.0
    fade = math.exp(-elapsed / MEMORY_SECONDS)
    debt = 0.0
    if inputs.pace is not None and memory.reason is Reason.PACE:
        # What was not called for in a stall is not made up.
        debt = memory.debt + inputs.pace * min(elapsed, 2 * PERIOD_SECONDS) - entered
        most = inputs.pace * CATCH_UP_SECONDS
        debt = min(most, max(-most, debt))
    return replace(
        memory,
        start=memory.start or last,
        points=_since(points, now - RESPONSE_SECONDS),
        active=inputs.active,
        came=memory.came * fade + came,
        expected=memory.expected * fade + expected,
        stayed=memory.stayed * fade + elapsed * (memory.active + inputs.active) / 2,
        left=memory.left * fade + left,
        entries=memory.entries * fade + entered,
        watched=memory.watched * fade + elapsed,
        debt=debt,
    )


def _since(points: tuple[Point, ...], start: float) -> tuple[Point, ...]:
    """The points from `start` on, and the last one before."""
    older = [point for point in points if point.at < start]
    return (*older[-1:], *(point for point in points if point.at >= start))


def _ripe(points: tuple[Point, ...]) -> float:
    """The serving number so long ago that all of those who were called by then have come, or will not."""
    return _at(points, points[-1].at - RESPONSE_SECONDS).served


def _coming(known: Memory) -> float:
    """Shoppers who were called, are expected and have not come.

    By the time since they were called, as if they came evenly spread; or by what was expected of the last calls and
    has not come, when that is more: after one large call nobody is written off early.
    """
    last = known.points[-1]
    first = _at(known.points, last.at - RESPONSE_SECONDS)
    inside = [first, *(point for point in known.points if point.at > first.at)]
    called = _whole(last.served)
    area = sum(
        (after.at - before.at) * (called - (before.served + after.served) / 2)
        for before, after in itertools.pairwise(inside)
    )
    by_time = known.show_up * area / RESPONSE_SECONDS
    by_count = known.show_up * (called - _whole(first.served)) - (last.entered - first.entered)
    return max(0.0, by_time, by_count)


def _whole(number: float) -> int:
    """Whole shoppers: nobody is called by half a step."""
    return int(number + TOLERANCE)


def _at(points: tuple[Point, ...], moment: float) -> Point:
    """Between two points, by a straight line; before the first one as at the first."""
    before = points[0]
    for after in points:
        if after.at > moment:
            part = (moment - before.at) / (after.at - before.at) if after.at > before.at else 0.0
            part = max(0.0, part)
            return Point(
                at=moment,
                served=before.served + part * (after.served - before.served),
                entered=before.entered + part * (after.entered - before.entered),
            )
        before = after
    return replace(before, at=moment)
