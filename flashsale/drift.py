"""The drift monitor: does the gate in Redis agree with what PostgreSQL has free minus what waits in the queue?

It may disagree for a moment, and rightly: a hold was let go and the next `sync` is due, or a batch has committed and
is not acknowledged yet. `sync` runs every second, so drift that stands in readings over many seconds means that
something is broken: beat stands still, a script was changed, or somebody wrote to Redis. That is an alert, once an
episode.

When Redis is away: nothing is read, recorded or decided, and the log says so once a process.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import redis
from django.utils import timezone

from flashsale import store
from flashsale.gate import SUMMED_CLAIMS
from flashsale.keys import key
from flashsale.models import Drift, Sale
from flashsale.sales import SaleInfo, Strategy, count_units, describe
from inventory import alerts

log = logging.getLogger(__name__)

#: Drift counts when it stood for as long as this, which is twenty runs of `sync`, ...
SPAN_SECONDS = 20.0
#: ... and in as many readings, all to the same side. Under a full load about one reading in fifty falls between a
#: commit and its acknowledgement, or after a `sync` that did.
LEAST_READINGS = 6
#: Readings kept, and the seconds after which they are forgotten when no further one comes.
MOST_READINGS, KEPT_SECONDS = 20, 60
#: Times that a reading is tried while batches are acknowledged in its middle.
TRIES = 5


@dataclass(frozen=True, slots=True)
class ItemReading:
    """One item's counts of one moment; `gate` is None when Redis has none."""

    item: int
    gate: int | None
    available: int
    queued: int

    @property
    def drift(self) -> int | None:
        """Units by which the gate is too high."""
        return None if self.gate is None else self.gate - max(0, self.available - self.queued)


@dataclass(frozen=True, slots=True)
class Reading:
    """A sale's items at `at`, in seconds since the epoch."""

    at: float
    items: tuple[ItemReading, ...]

    def item(self, item_id: int) -> ItemReading | None:
        return next((item for item in self.items if item.item == item_id), None)


class Verdict(Enum):
    """What readings say of one item."""

    AGREES = "agrees"
    UNSURE = "unsure"
    DRIFTS = "drifts"


def read(sale: SaleInfo, *, now: datetime) -> Reading | None:
    """Read both sides under the fence of `gate.sync`.

    None when batches were acknowledged meanwhile, each time, or while the queue is too long to be summed.

    Raises:
        redis.RedisError: Redis is away.
    """
    keys = [key(sale.id, "gate"), key(sale.id, "claims")]
    for _ in range(TRIES):
        before = store.client().hget(keys[0], "acks") or "0"
        units = count_units(sale)
        seen = store.script("look")(keys=keys, args=[SUMMED_CLAIMS])
        if not seen:
            return None
        after, free, queued = seen
        if after == before:
            gate, waiting = _by_item(free), _by_item(queued)
            return Reading(
                at=now.timestamp(),
                items=tuple(
                    ItemReading(
                        item=item.id,
                        gate=gate.get(item.id),
                        available=units.left_by_item[item.id],
                        queued=waiting.get(item.id, 0),
                    )
                    for item in sale.items
                ),
            )
    return None


def _by_item(pairs: Sequence[str]) -> dict[int, int]:
    return {
        int(item): int(units)
        for item, units in zip(pairs[::2], pairs[1::2], strict=True)
        if item.isdigit()
    }


def judge(readings: Sequence[Reading], *, item: int) -> Verdict:
    """Decide about one item from its sale's readings, the oldest first."""
    drifts = [(reading.at, known.drift) for reading in readings if (known := reading.item(item))]
    if not drifts or drifts[-1][1] is None:
        return Verdict.UNSURE
    if drifts[-1][1] == 0:
        return Verdict.AGREES
    too_high = drifts[-1][1] > 0
    standing = []
    for at, drift in reversed(drifts):
        if not drift or (drift > 0) is not too_high:
            break
        standing.append(at)
    stood_long = standing[0] - standing[-1] >= SPAN_SECONDS
    return Verdict.DRIFTS if stood_long and len(standing) >= LEAST_READINGS else Verdict.UNSURE


_told_of_redis = False


def watch(*, now: datetime) -> None:
    """Read every current sale that claims through the gate; open, alert of and end episodes.

    Two at once do no harm: an item has one open episode, and whoever opened it alerts.
    """
    global _told_of_redis
    watched = Sale.objects.filter(
        status__in=[Sale.Status.SCHEDULED, Sale.Status.PAUSED],
        strategy=Strategy.REDIS,
        closes_at__gt=now,
    )
    Drift.objects.filter(ended_at=None).exclude(sale__in=watched).update(ended_at=now)
    try:
        for sale in watched:
            _watch_one(describe(sale), now=now)
    except redis.RedisError as error:
        if not _told_of_redis:
            log.warning("Redis is away: the drift monitor waits for it (%s)", error)
        _told_of_redis = True
        return
    _told_of_redis = False


def _watch_one(sale: SaleInfo, *, now: datetime) -> None:
    reading = read(sale, now=now)
    if reading is None:
        return
    readings = _remember(sale.id, reading)
    for item in reading.items:
        match judge(readings, item=item.item):
            case Verdict.AGREES:
                Drift.objects.filter(item_id=item.item, ended_at=None).update(ended_at=now)
            case Verdict.DRIFTS:
                _open(sale, item, now=now)


def _remember(sale_id: int, reading: Reading) -> list[Reading]:
    """Keep a reading and return those that are kept, the oldest first."""
    name = key(sale_id, "readings")
    pipeline = store.client().pipeline()
    pipeline.lpush(name, _dump(reading))
    pipeline.ltrim(name, 0, MOST_READINGS - 1)
    pipeline.expire(name, KEPT_SECONDS)
    pipeline.lrange(name, 0, -1)
    *_, kept = pipeline.execute()
    return [_load(text) for text in reversed(kept)]


def _dump(reading: Reading) -> str:
    items = [[item.item, item.gate, item.available, item.queued] for item in reading.items]
    return json.dumps([reading.at, items])


def _load(text: str) -> Reading:
    at, items = json.loads(text)
    return Reading(at=at, items=tuple(ItemReading(*item) for item in items))


def _open(sale: SaleInfo, reading: ItemReading, *, now: datetime) -> None:
    """Begin an episode and tell people; nothing when it has begun already."""
    item = sale.item(reading.item)
    if item is None or reading.gate is None:
        return
    _, is_new = Drift.objects.get_or_create(
        item_id=reading.item,
        ended_at=None,
        defaults={
            "sale_id": sale.id,
            "began_at": now,
            "gate": reading.gate,
            "available": reading.available,
            "queued": reading.queued,
        },
    )
    if is_new:
        alerts.alert(
            subject=f"the gate of {sale.name} has drifted: {item.sku}",
            body=f"{reading.gate} units of {item.name} ({item.sku}) may be claimed in Redis. PostgreSQL has "
            f"{reading.available} free and {reading.queued} wait in the purchase queue, so it should be "
            f"{max(0, reading.available - reading.queued)}.\n"
            f"It did not follow for {SPAN_SECONDS:.0f} seconds, until {timezone.localtime(now):%Y-%m-%d %H:%M:%S %Z}; "
            "beat sets it every second. Nothing is oversold by this: PostgreSQL decides. Shoppers may be turned "
            "away although units are free, or queue for units that are gone.\n"
            "Look whether beat and the worker of the queue `line` run.",
        )
