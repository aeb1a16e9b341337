"""Many promises on one stock row, in order, at the cost of one hot-row lock: what the purchase queue settles with.

Rows are taken in the order that `reservations` states: holdings, then the stock row, and it last.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import compress
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from inventory import holdings
from inventory.allocation import Method, allocate
from inventory.arrays import array
from inventory.models import Stock

#: Holds of one batch on one stock row, each with its claim's key as its id, and the movement that covers them.
INSERT_BATCH = """
    WITH claim AS (
        SELECT * FROM unnest(%(keys)s::uuid[], %(holders)s::text[], %(quantities)s::int[])
            AS claim (key, holder, quantity)
    ), movement AS (
        INSERT INTO inventory_stockmovement
            (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor)
        SELECT %(stock)s, 'allocate', 0, sum(quantity), count(*), '', '' FROM claim
    )
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at)
    SELECT key, key, %(stock)s, quantity, holder, %(scope)s, 'held',
        now() + make_interval(secs => %(seconds)s)
    FROM claim
"""


class BatchClaim(NamedTuple):
    """One claim of a batch: the reservation that it makes has `key` as its id, too."""

    key: UUID
    holder: str
    quantity: int


class BatchOutcome(StrEnum):
    HELD = "held"
    LIMIT_REACHED = "limit_reached"
    SOLD_OUT = "sold_out"


def reserve_batch(
    *,
    stock_id: int,
    scope: str,
    limit: int,
    claims: Sequence[BatchClaim],
    seconds: int,
    method: Method = Method.CONDITIONAL,
) -> dict[UUID, BatchOutcome]:
    """Settle many claims on one stock row, in order, at the cost of one hot-row lock.

    At most `limit` units per holder within `scope`. Keys must be new: the caller weeds out what was
    settled before, in the same transaction. Dead holds still count: after a refusal, call
    `expire(stock_ids=...)` in a transaction of its own and try again.

    Returns:
        The outcome of every claim, by key.

    Raises:
        inventory.allocation.Contended: `method` is VERSION and lost every try.
    """
    with transaction.atomic(savepoint=False):
        counted = holdings.count(
            scope=scope, limit=limit, wanted=[(claim.holder, claim.quantity) for claim in claims]
        )
        within = list(compress(claims, counted))
        taken = _take_in_order(stock_id=stock_id, claims=within, method=method)
        outcomes = dict.fromkeys((claim.key for claim in taken), BatchOutcome.HELD)
        if len(taken) < len(claims):
            sold_out = [claim for claim in within if claim.key not in outcomes]
            holdings.uncount([(scope, claim.holder, claim.quantity) for claim in sold_out])
            outcomes |= dict.fromkeys((claim.key for claim in sold_out), BatchOutcome.SOLD_OUT)
            for claim in claims:
                outcomes.setdefault(claim.key, BatchOutcome.LIMIT_REACHED)
        if taken:
            _insert_holds(stock_id=stock_id, scope=scope, claims=taken, seconds=seconds)
        return outcomes


def _take_in_order(
    *, stock_id: int, claims: Sequence[BatchClaim], method: Method
) -> list[BatchClaim]:
    """Allocate for all claims, or for those that fit, first come first."""
    if not claims:
        return []
    if allocate(stock_id=stock_id, units=sum(claim.quantity for claim in claims), method=method):
        return list(claims)
    if len(claims) == 1:
        return []
    stock = Stock.objects.select_for_update(no_key=True).get(pk=stock_id)
    fitting: list[BatchClaim] = []
    left = stock.available
    for claim in claims:
        if claim.quantity <= left:
            fitting.append(claim)
            left -= claim.quantity
    if fitting:
        allocate(stock_id=stock_id, units=stock.available - left)
    return fitting


def _insert_holds(*, stock_id: int, scope: str, claims: Sequence[BatchClaim], seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_BATCH,
            {
                "stock": stock_id,
                "scope": scope,
                "seconds": seconds,
                "keys": array(claim.key.hex for claim in claims),
                "holders": array(claim.holder for claim in claims),
                "quantities": array(claim.quantity for claim in claims),
            },
        )
