"""How fast the line is served: a pure function of what is known, and the once-a-second run around it."""

import json
from dataclasses import asdict, dataclass

#: Seconds that a served shopper is given to come before their turn counts as missed.
CALL_SECONDS = 8.0
#: Seconds between two runs. Without the next run the serving number stands still after as long.
PERIOD_SECONDS = 1.0
#: A place is served when the serving number is no further away than this: floats are not exact.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving number as a function of time: `base + rate * (min(t, until) - at)`; times are epoch seconds."""

    base: float
    rate: float
    at: float
    until: float

    def number_at(self, moment: float) -> float:
        return self.base + self.rate * max(0.0, min(moment, self.until) - self.at)

    def has_reached(self, place: int, moment: float) -> bool:
        return place <= self.number_at(moment) + TOLERANCE


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers from run to run: what it last said, and (time, served) samples."""

    serving: Serving
    samples: tuple[tuple[float, float], ...] = ()

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Memory":
        value = json.loads(text)
        return cls(
            serving=Serving(**value["serving"]),
            samples=tuple((at, served) for at, served in value["samples"]),
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one decision is made of; counts are whole shoppers or units."""

    now: float
    last_place: int
    active: int
    entered: int
    cap: int
    units_free: int
    is_open: bool


def decide(memory: Memory, inputs: Inputs) -> Memory:
    """Serve as many more whole shoppers as there is room for, spread over one period.

    Room is what the cap and the free units leave beside those who are in and those who were called and
    may still come. The serving number stands still once it has reached that, so a run that does not
    happen lets nobody in.
    """
    now = inputs.now
    served = min(memory.serving.number_at(now), float(inputs.last_place))
    called = int(served + TOLERANCE)
    recent = [sample for sample in memory.samples if sample[0] > now - CALL_SECONDS]
    older = [sample for sample in memory.samples if sample[0] <= now - CALL_SECONDS][-1:]
    came_or_missed = max([inputs.entered, *(int(number + TOLERANCE) for _, number in older)])
    coming = max(0, called - came_or_missed)
    room = max(0, min(inputs.cap, inputs.units_free) - inputs.active - coming)
    target = min(called + room, inputs.last_place) if inputs.is_open else served
    rate = max(0.0, target - served) / PERIOD_SECONDS
    return Memory(
        serving=Serving(base=served, rate=rate, at=now, until=now + PERIOD_SECONDS),
        samples=(*older, *recent, (now, served)),
    )
