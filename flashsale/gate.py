"""The gate: units that may still be claimed, in Redis. Claims lower it; only `sync` sets it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flashsale import soldout, store
from flashsale.keys import ALL as ALL_KEYS
from flashsale.keys import KEEP_SECONDS, key
from flashsale.sales import Phase, SaleInfo, count_units, is_current, phase_by_clock

#: Milliseconds for which one ring of the doorbell counts; a ring that was lost is rung again after it.
BELL_MILLISECONDS = 2000
#: Seconds after which a gate that says sold out is not believed: beat sets it every second, unless it is down.
STALE_SECONDS = 3
#: Claims in a queue that `sync` sums from the stream itself, at some 5 microseconds each in which Redis serves nobody
#: else. What a longer queue holds is worked out from counts that change with it in one step.
SUMMED_CLAIMS = 500
#: Times that `sync` reads again when batches keep settling in between; the beat tries again anyway.
SYNC_TRIES = 5


class Answer(StrEnum):
    """What the claim script says; see `scripts/claim.lua`."""

    QUEUED = "queued"
    AGAIN = "again"
    KEY_REUSED = "idempotency_key_reused"
    LIMIT_REACHED = "limit_reached"
    SOLD_OUT = "sold_out"
    NOT_OPEN = "not_open"
    UNKNOWN_ITEM = "unknown_item"
    LOST = "lost"
    STALE = "stale"
    NO_ADMISSION = "no_admission"


@dataclass(frozen=True, slots=True)
class Claimed:
    answer: Answer
    purchase: UUID | None
    ring: bool


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def claim(
    *,
    sale_id: int,
    shopper: UUID,
    item: int,
    quantity: int,
    purchase: UUID,
    now: datetime,
    needs_admission: bool = False,
) -> Claimed:
    """Lower the gate and queue the claim, or say why not.

    Raises:
        redis.RedisError: Redis is away, and whether it took the claim is unknown; repeating is safe.
    """
    keys = [key(sale_id, name) for name in ("gate", "takers", "claims", "active")]
    own = str(purchase)
    answer, about, ring = store.run(
        "claim",
        keys=keys,
        args=[
            milliseconds(now),
            str(shopper),
            item,
            quantity,
            own,
            BELL_MILLISECONDS,
            STALE_SECONDS,
            int(needs_admission),
        ],
    )
    about_purchase = purchase if about == own else UUID(about) if about else None
    return Claimed(answer=Answer(answer), purchase=about_purchase, ring=bool(ring))


def hear_bell(sale_id: int) -> None:
    """Somebody drains the queue from here on: the next claim rings again."""
    store.client().hdel(key(sale_id, "gate"), "rung")


def acknowledge(
    *,
    sale_id: int,
    group: str,
    stream_ids: Sequence[str],
    units: Mapping[int, int] | None = None,
) -> int:
    """Take settled claims out of the purchase queue; return how many were still in it.

    `units` by item are those of all these claims; without them the script looks at each claim.
    """
    if not stream_ids:
        return 0
    keys = [key(sale_id, "claims"), key(sale_id, "gate")]
    pairs = [part for pair in (units or {}).items() for part in pair]
    args: list[str | int] = [group, len(pairs) // 2, *pairs, *stream_ids]
    return int(store.script("ack")(keys=keys, args=args))


def sync(sale: SaleInfo, *, now: datetime) -> bool:
    """Set the gate to what PostgreSQL has free minus the claims in the queue; False: try again later."""
    redis = store.client()
    keys = [key(sale.id, "gate"), key(sale.id, "claims")]
    for _ in range(SYNC_TRIES):
        acks = redis.hget(keys[0], "acks") or "0"
        units = count_units(sale)
        # The script compares the clock with both ends, so the gate may be set before the opening.
        shut = phase_by_clock(sale, now=now) in (Phase.PAUSED, Phase.ENDED, Phase.CANCELLED)
        free = [part for item in sale.items for part in (item.id, units.left_by_item[item.id])]
        args = [acks, "closed" if shut else "open"]
        args += [milliseconds(sale.opens_at), milliseconds(sale.closes_at), sale.limit]
        args += [0 if is_current(sale) else KEEP_SECONDS, SUMMED_CLAIMS, *free]
        if store.script("sync")(keys=keys, args=args):
            if units.left:
                soldout.forget(sale.id)
            return True
    return False


def takers_of(sale_id: int) -> Collection[str] | None:
    """Shoppers who have claimed, by their ids; None when they are too many to be read in one go."""
    takers = key(sale_id, "takers")
    if store.client().hlen(takers) > soldout.MOST_TAKERS:
        return None
    known: list[str] = store.client().hkeys(takers)
    return known


def record_of(*, sale_id: int, shopper: UUID) -> str | None:
    """What the gate remembers of a shopper: "units purchase purchase ...", or None."""
    record = store.client().hget(key(sale_id, "takers"), str(shopper))
    return str(record) if record is not None else None


def recount(*, sale_id: int, shopper: UUID, record: str, units: int) -> bool:
    """Count `units` for a shopper, unless something was added since `record` was read."""
    keys = [key(sale_id, "takers")]
    return bool(store.script("recount")(keys=keys, args=[str(shopper), record, units]))


def let_keys_expire(sale_id: int) -> None:
    """A sale is over: its keys go away by themselves. Repeating it gives none more time."""
    pipeline = store.client().pipeline(transaction=False)
    for name in ALL_KEYS:
        pipeline.expire(key(sale_id, name), KEEP_SECONDS, nx=True)
    pipeline.execute()
