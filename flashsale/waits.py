"""How long shoppers waited who were let in: a histogram for each sale, of which the merchant sees quantiles.

A wait counts from the opening, or from joining where that was later. `scripts/admit.lua` counts it with the admission;
who left, or was let out by a pause, and comes in again counts again.

When Redis is away: nobody is let in, so there is nothing to count, and what was counted cannot be told.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import redis

from flashsale import store
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo

#: Upper bounds of the buckets in seconds, up to seven hours; longer waits are in one without a bound. Each is at most
#: half as long again as the one before it, so a quantile is wrong by less than that.
BOUNDS: tuple[float, ...] = tuple(step * 2**power for power in range(15) for step in (1.0, 1.5))
NO_BOUND = "inf"
NAME = "holdfast_line_wait_seconds"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Seconds that half, nine in ten and 99 in 100 of those who were let in waited at the most."""

    median: float
    ninety: float
    ninety_nine: float


def seconds_waited(sale: SaleInfo, *, joined_at: int, now: datetime) -> float:
    """Seconds since somebody joined (`joined_at`, since the epoch) or the sale opened, whichever was later."""
    return max(0.0, now.timestamp() - max(joined_at, sale.opens_at.timestamp()))


def bucket_of(seconds: float) -> str:
    """The name of the bucket of a wait: its upper bound, which belongs to it."""
    place = bisect_left(BOUNDS, seconds)
    return str(BOUNDS[place]) if place < len(BOUNDS) else NO_BOUND


def quantiles(sale: SaleInfo) -> Quantiles | None:
    """The waits of a sale; None when nobody was let in yet, or Redis is away."""
    try:
        counts, _ = _read(sale.id)
    except redis.RedisError:
        return None
    if not sum(counts):
        return None
    return Quantiles(*(_quantile(counts, share) for share in (0.5, 0.9, 0.99)))


def _read(sale_id: int) -> tuple[list[int], float]:
    """Waits in each bucket, the one without a bound last, and the sum of all waits in seconds."""
    fields = store.client().hgetall(key(sale_id, "waits"))
    counts = [int(fields.get(str(bound), 0)) for bound in (*BOUNDS, NO_BOUND)]
    return counts, int(fields.get("sum", 0)) / 1000


def _quantile(counts: list[int], share: float) -> float:
    """Linear within the bucket, as Prometheus' `histogram_quantile` does it; past the last bound, that bound."""
    rank = share * sum(counts)
    below, lower = 0, 0.0
    for count, upper in zip(counts, BOUNDS, strict=False):
        if count and below + count >= rank:
            return lower + (upper - lower) * (rank - below) / count
        below, lower = below + count, upper
    return BOUNDS[-1]


def metrics(*, now: datetime) -> Iterator[str]:
    """Waits of the sales that run now, as lines of a Prometheus histogram; none while Redis is away."""
    running = Sale.objects.filter(
        status__in=[Sale.Status.SCHEDULED, Sale.Status.PAUSED], opens_at__lte=now, closes_at__gt=now
    ).exclude(queue_mode=Sale.QueueMode.NONE)
    try:
        read = {slug: _read(pk) for pk, slug in running.values_list("pk", "slug").order_by("slug")}
    except redis.RedisError:
        return
    if read:
        yield f"# HELP {NAME} How long shoppers in line waited who were let in."
        yield f"# TYPE {NAME} histogram"
    for slug, (counts, total) in read.items():
        so_far = 0
        for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
            so_far += count
            yield f'{NAME}_bucket{{sale="{slug}",le="{bound}"}} {so_far}'
        yield f'{NAME}_sum{{sale="{slug}"}} {total:g}'
        yield f'{NAME}_count{{sale="{slug}"}} {so_far}'
