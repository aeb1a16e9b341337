"""The purchase queue's other end: claims are settled in batches, each in one PostgreSQL transaction.

A batch costs one lock of the hot stock row instead of one a claim. A claim may be delivered twice (its
worker died, or was slow); the purchase's primary key makes the second time a no-op. The claim leaves the
queue after the commit, so a crash at any point repeats work and loses none.

A worker holds one batch and nothing more in memory. It works for a slice of time and then lets other sales have
their turn; told to stop, it finishes the batch first.
"""

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from flashsale import gate, settling, store
from flashsale.keys import key
from flashsale.sales import SaleInfo
from flashsale.settling import Claim
from inventory.batches import BatchOutcome

log = logging.getLogger(__name__)

GROUP = "drain"
#: Seconds that one run settles before it lets other sales have the worker: what a shopper of another sale may have
#: to wait for this one.
SLICE_SECONDS = 0.5
#: Deliveries after which a claim that cannot be settled, although the database answers, is set aside.
MOST_TRIES = 3
#: What a claim, and not the database's health, is to blame for.
CLAIMS_FAULT = (DatabaseError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(slots=True)
class QueuedClaim(Claim):
    """A claim in the purchase queue."""

    stream_id: str

    @classmethod
    def parse(cls, stream_id: str, fields: dict[str, str]) -> "QueuedClaim":
        # Twice as fast as UUID(text), which strips what we never write.
        return cls(
            purchase=UUID(int=int(fields["purchase"].replace("-", ""), 16)),
            shopper=UUID(int=int(fields["shopper"].replace("-", ""), 16)),
            item=int(fields["item"]),
            quantity=int(fields["quantity"]),
            claimed_at=datetime.fromtimestamp(int(fields["at"]) / 1000, tz=UTC),
            stream_id=stream_id,
        )


@dataclass(frozen=True, slots=True)
class Drained:
    """What a run did.

    Attributes:
        wasted: claims that the gate had counted and that took no unit: refused, set aside, or decided before. Their
            units are for sale again with the next `sync`.
    """

    held: int
    refused: int
    is_empty: bool
    wasted: int = field(default=0, compare=False)


def drain(sale: SaleInfo, *, consumer: str) -> Drained:
    """Settle claims until the queue is empty or the slice of time is over, at the configured rate."""
    held = refused = wasted = 0
    ends = time.monotonic() + SLICE_SECONDS
    reclaim = True
    while True:
        started = time.monotonic()
        with _finishing_first():
            claims = take(sale_id=sale.id, consumer=consumer, reclaim=reclaim)
            reclaim = False
            outcomes = _settle_and_acknowledge(sale, claims, consumer=consumer)
        counted = sum(outcome is BatchOutcome.HELD for outcome in outcomes.values())
        held, refused = held + counted, refused + len(outcomes) - counted
        wasted += len(claims) - counted
        is_empty = len(claims) < settings.PURCHASE_BATCH_SIZE
        if is_empty or time.monotonic() >= ends:
            return Drained(held=held, refused=refused, is_empty=is_empty, wasted=wasted)
        pace = len(claims) / settings.PURCHASES_PER_SECOND - (time.monotonic() - started)
        if pace > 0:
            time.sleep(pace)


@contextmanager
def _finishing_first() -> Iterator[None]:
    """Told to end in the middle of a batch, this process finishes the batch, and then ends.

    A handler and not a mask: a mask holds for one thread, and libraries have threads of their own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Whoever runs threads ends them, and not a signal.
        return
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        if told:
            os.kill(os.getpid(), signal.SIGTERM)


def take(*, sale_id: int, consumer: str, reclaim: bool = True) -> list[QueuedClaim]:
    """A batch of claims to settle: with `reclaim` first those whose worker went silent for a lease, then new ones."""
    stream = key(sale_id, "claims")
    client = store.client()
    count = settings.PURCHASE_BATCH_SIZE
    entries = []
    try:
        if reclaim:
            lease = settings.CLAIM_LEASE_SECONDS * 1000
            _, entries, *_ = client.xautoclaim(stream, GROUP, consumer, lease, count=count)
        if len(entries) < count:
            answer = client.xreadgroup(GROUP, consumer, {stream: ">"}, count=count - len(entries))
            entries += answer[0][1] if answer else []
    except redis.ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
        _make_group(stream)
        return take(sale_id=sale_id, consumer=consumer)
    claims = []
    for stream_id, fields in entries:
        try:
            claims.append(QueuedClaim.parse(stream_id, fields))
        except (KeyError, ValueError, OverflowError):
            settling.set_aside(
                sale_id=sale_id, name=stream_id, content=fields, reason="it is not readable"
            )
            gate.acknowledge(sale_id=sale_id, group=GROUP, stream_ids=[stream_id])
    return claims


def hand_back(*, sale_id: int, consumer: str, claims: Sequence[QueuedClaim]) -> None:
    """Let the next worker have these at once, as if their lease were over."""
    store.client().xclaim(
        key(sale_id, "claims"),
        GROUP,
        consumer,
        0,
        [claim.stream_id for claim in claims],
        idle=settings.CLAIM_LEASE_SECONDS * 1000,
        justid=True,
    )


def _make_group(stream: str) -> None:
    """For the first drain of a sale, or the first one since Redis lost everything; another may be at it."""
    try:
        store.client().xgroup_create(stream, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def _settle_and_acknowledge(
    sale: SaleInfo, claims: Sequence[QueuedClaim], *, consumer: str
) -> dict[UUID, BatchOutcome]:
    if not claims:
        return {}
    try:
        outcomes = settling.settle(sale, claims)
    except (OperationalError, InterfaceError):
        # The database is away, or somebody has held a row for too long: not the claims' fault.
        hand_back(sale_id=sale.id, consumer=consumer, claims=claims)
        raise
    except CLAIMS_FAULT:
        log.exception("A batch of %s could not be settled: its claims are tried alone", sale.slug)
        return _settle_apart(sale, claims)
    _acknowledge(sale, claims)
    return outcomes


def _settle_apart(sale: SaleInfo, claims: Sequence[QueuedClaim]) -> dict[UUID, BatchOutcome]:
    """Settle claim by claim, so that one claim spoils only itself. It is set aside after a few tries."""
    outcomes: dict[UUID, BatchOutcome] = {}
    for claim in claims:
        try:
            outcomes |= settling.settle(sale, [claim])
        except (OperationalError, InterfaceError):
            raise
        except CLAIMS_FAULT as error:
            if _tries(sale, claim) < MOST_TRIES:
                log.exception("Claim %s of %s could not be settled", claim.purchase, sale.slug)
                continue
            reason = f"{type(error).__name__}: {error}"
            settling.set_claim_aside(sale_id=sale.id, claim=claim, reason=reason)
        _acknowledge(sale, [claim])
    return outcomes


def _tries(sale: SaleInfo, claim: QueuedClaim) -> int:
    """How often the claim was given to a worker."""
    pending = store.client().xpending_range(
        key(sale.id, "claims"), GROUP, claim.stream_id, claim.stream_id, 1
    )
    return int(pending[0]["times_delivered"]) if pending else 0


def _acknowledge(sale: SaleInfo, claims: Sequence[QueuedClaim]) -> None:
    units: Counter[int] = Counter()
    for claim in claims:
        units[claim.item] += claim.quantity
    stream_ids = [claim.stream_id for claim in claims]
    gate.acknowledge(sale_id=sale.id, group=GROUP, stream_ids=stream_ids, units=units)
