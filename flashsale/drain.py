"""The purchase queue's other end: claims are settled in batches, each in one PostgreSQL transaction.

A batch costs one lock of the hot stock row instead of one a claim. A claim may be delivered twice (its
worker died, or was slow); the purchase's primary key makes the second time a no-op. The claim leaves the
queue after the commit, so a crash at any point repeats work and loses none.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection, transaction

from flashsale import gate, store
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.sales import ItemInfo, SaleInfo
from inventory import holdings, reservations
from inventory.reservations import BatchClaim, BatchOutcome
from shop.models import User

log = logging.getLogger(__name__)

GROUP = "drain"
#: Batches that one run settles before it lets other sales have the worker.
MOST_BATCHES = 40

#: One row a claim, as if each were held; what was settled before keeps its row and is not returned.
INSERT_PURCHASES = """
    INSERT INTO flashsale_purchase
        (id, sale_id, item_id, shopper_id, quantity, unit_price, refusal, reservation_id,
         claimed_at, settled_at)
    SELECT id, %(sale)s, item, shopper, quantity, price, '', id, claimed_at, now()
    FROM unnest(%(ids)s::uuid[], %(items)s::bigint[], %(shoppers)s::uuid[], %(quantities)s::int[],
        %(prices)s::numeric[], %(moments)s::timestamptz[])
        AS claim (id, item, shopper, quantity, price, claimed_at)
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class QueuedClaim:
    """An entry of the purchase queue."""

    stream_id: str
    purchase: UUID
    shopper: UUID
    item: int
    quantity: int
    claimed_at: datetime

    @classmethod
    def parse(cls, stream_id: str, fields: dict[str, str]) -> "QueuedClaim":
        return cls(
            stream_id=stream_id,
            purchase=UUID(fields["purchase"]),
            shopper=UUID(fields["shopper"]),
            item=int(fields["item"]),
            quantity=int(fields["quantity"]),
            claimed_at=datetime.fromtimestamp(int(fields["at"]) / 1000, tz=UTC),
        )


@dataclass(frozen=True, slots=True)
class Drained:
    held: int
    refused: int
    is_empty: bool


def drain(sale: SaleInfo, *, consumer: str) -> Drained:
    """Settle claims until the queue is empty, `MOST_BATCHES` at the most, at the configured rate."""
    held = refused = 0
    is_empty = False
    for _ in range(MOST_BATCHES):
        started = time.monotonic()
        claims = take(sale_id=sale.id, consumer=consumer)
        if not claims:
            is_empty = True
            break
        outcomes = settle(sale, claims)
        gate.acknowledge(
            sale_id=sale.id, group=GROUP, stream_ids=[claim.stream_id for claim in claims]
        )
        counted = sum(outcome is BatchOutcome.HELD for outcome in outcomes.values())
        held, refused = held + counted, refused + len(outcomes) - counted
        pace = len(claims) / settings.PURCHASES_PER_SECOND - (time.monotonic() - started)
        if pace > 0 and len(claims) == settings.PURCHASE_BATCH_SIZE:
            time.sleep(pace)
    return Drained(held=held, refused=refused, is_empty=is_empty)


def take(*, sale_id: int, consumer: str) -> list[QueuedClaim]:
    """Claims to settle: first those whose worker went silent for a lease, then new ones."""
    stream = key(sale_id, "claims")
    client = store.client()
    count = settings.PURCHASE_BATCH_SIZE
    try:
        _, entries, *_ = client.xautoclaim(
            stream, GROUP, consumer, settings.CLAIM_LEASE_SECONDS * 1000, count=count
        )
        if not entries:
            answer = client.xreadgroup(GROUP, consumer, {stream: ">"}, count=count)
            entries = answer[0][1] if answer else []
    except redis.ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
        _make_group(stream)
        return take(sale_id=sale_id, consumer=consumer)
    claims = []
    for stream_id, fields in entries:
        try:
            claims.append(QueuedClaim.parse(stream_id, fields))
        except (KeyError, ValueError):
            log.exception("Claim %s is not readable and was dropped: %s", stream_id, fields)
            gate.acknowledge(sale_id=sale_id, group=GROUP, stream_ids=[stream_id])
    return claims


def _make_group(stream: str) -> None:
    """For the first drain of a sale, or the first one since Redis lost everything; another may be at it."""
    try:
        store.client().xgroup_create(stream, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def settle(sale: SaleInfo, claims: Sequence[QueuedClaim]) -> dict[UUID, BatchOutcome]:
    """Decide claims in one transaction; return the outcomes of those that were not decided before."""
    stock_ids = [item.stock_id for item in sale.items if item.stock_id is not None]
    reservations.expire(stock_ids=stock_ids)
    with transaction.atomic():
        new = _insert_purchases(sale, claims)
        by_item: dict[int, list[BatchClaim]] = defaultdict(list)
        for claim in claims:
            if claim.purchase in new:
                # Once, though a Redis that lost its takers queues a repeated click a second time.
                new.remove(claim.purchase)
                by_item[claim.item].append(
                    BatchClaim(
                        key=claim.purchase, holder=str(claim.shopper), quantity=claim.quantity
                    )
                )
        if len(by_item) > 1:
            # Holdings come before stock, and the second item's would come after the first one's stock.
            holders = (claim.holder for batch in by_item.values() for claim in batch)
            holdings.hold_still(scope=sale.scope, limit=sale.limit, holders=holders)
        outcomes: dict[UUID, BatchOutcome] = {}
        for item in sorted(sale.items, key=lambda item: item.sku):
            if item.id in by_item and item.stock_id is not None:
                outcomes |= reservations.reserve_batch(
                    stock_id=item.stock_id,
                    scope=sale.scope,
                    limit=sale.limit,
                    claims=by_item[item.id],
                    seconds=sale.hold_seconds,
                )
        for refusal in (BatchOutcome.LIMIT_REACHED, BatchOutcome.SOLD_OUT):
            refused = [known for known, outcome in outcomes.items() if outcome is refusal]
            if refused:
                Purchase.objects.filter(pk__in=refused).update(refusal=refusal, reservation=None)
    return outcomes


def _insert_purchases(sale: SaleInfo, claims: Sequence[QueuedClaim]) -> set[UUID]:
    items = {item.id: item for item in sale.items if item.stock_id is not None}
    shoppers = set(
        User.objects.filter(
            shopper_id__in={claim.shopper for claim in claims}, is_active=True
        ).values_list("shopper_id", flat=True)
    )
    sound: list[tuple[QueuedClaim, ItemInfo]] = []
    for claim in claims:
        if claim.shopper in shoppers and claim.item in items and claim.quantity > 0:
            sound.append((claim, items[claim.item]))
        else:
            log.warning("Claim %s was dropped: no such shopper, item or quantity", claim)
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_PURCHASES,
            {
                "sale": sale.id,
                "ids": [claim.purchase for claim, _ in sound],
                "items": [claim.item for claim, _ in sound],
                "shoppers": [claim.shopper for claim, _ in sound],
                "quantities": [claim.quantity for claim, _ in sound],
                "prices": [item.price for _, item in sound],
                "moments": [claim.claimed_at for claim, _ in sound],
            },
        )
        return {known for (known,) in cursor.fetchall()}
