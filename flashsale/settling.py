"""Deciding claims in PostgreSQL: hundreds from the purchase queue in one transaction, or one at once.

Invariant kept here: a claim is decided once. The purchase's primary key makes a claim that comes again a no-op,
whichever way it came the first time: through the gate, the queue, or straight to the database.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from flashsale.models import Purchase, SetAsideClaim
from flashsale.purchases import other_of_attempt
from flashsale.sales import ItemInfo, SaleInfo, describe
from inventory import batches, holdings, reservations
from inventory.allocation import Method
from inventory.arrays import array
from inventory.batches import BatchClaim, BatchOutcome

log = logging.getLogger(__name__)

#: One row a claim of a live account, as if each were held. What was decided before keeps its row and is not returned.
#: ON CONFLICT names no column: two of one id meet in the reservation's unique index as well as in the primary key, and
#: an index that is not asked for conflicts raises (or deadlocks) instead.
#: OFFSET 0 keeps the planner from reading a small table of accounts whole, which takes longer than all the rest.
INSERT_PURCHASES = """
    INSERT INTO flashsale_purchase
        (id, sale_id, item_id, shopper_id, quantity, unit_price, refusal, reservation_id,
         claimed_at, settled_at)
    SELECT claim.id, %(sale)s, item, shopper, quantity, price, '', claim.id,
        to_timestamp(claimed_at), now()
    FROM unnest(%(ids)s::uuid[], %(items)s::bigint[], %(shoppers)s::uuid[], %(quantities)s::int[],
        %(prices)s::numeric[], %(moments)s::float8[])
        AS claim (id, item, shopper, quantity, price, claimed_at)
    CROSS JOIN LATERAL (
        SELECT FROM shop_user WHERE shopper_id = claim.shopper AND is_active OFFSET 0
    ) AS account
    ORDER BY claim.id
    ON CONFLICT DO NOTHING
    RETURNING id
"""


@dataclass(slots=True)
class Claim:
    """Units of a sale item that a shopper clicked on, named by the purchase that it becomes.

    Nobody changes one; to freeze it would make the claims of a batch take three times as long to read.
    """

    purchase: UUID
    shopper: UUID
    item: int
    quantity: int
    claimed_at: datetime


class AlreadyDecided(Exception):
    """The claim came before: its purchase is there."""


class KeyReused(Exception):
    """The attempt has made a purchase of something else."""

    def __init__(self, purchase: UUID) -> None:
        self.purchase = purchase


class AccountClosed(Exception):
    """No live account is behind this claim."""


class NotReadable(Exception):
    """Nothing can be made of this claim: dismiss it."""


class _RefusedError(Exception):
    """Rolls back what was decided: something was refused that may yet be had, or nothing is to be left of it."""


def settle(sale: SaleInfo, claims: Sequence[Claim]) -> dict[UUID, BatchOutcome]:
    """Decide claims in one transaction; return the outcomes of those that were not decided before.

    A claim that cannot become a purchase (no such item, no live account) is set aside in the same transaction.
    """
    try:
        return _settle_together(sale, claims, is_final=False)
    except _RefusedError:
        # Dead holds are tidied away when somebody would go without for them, and not with every batch.
        reservations.expire(stock_ids=sale.stock_ids)
        return _settle_together(sale, claims, is_final=True)


def _settle_together(
    sale: SaleInfo, claims: Sequence[Claim], *, is_final: bool
) -> dict[UUID, BatchOutcome]:
    with transaction.atomic():
        outcomes = _decide(sale, claims, method=Method.CONDITIONAL)
        refused: dict[BatchOutcome, list[UUID]] = defaultdict(list)
        for known, outcome in outcomes.items():
            if outcome is not BatchOutcome.HELD:
                refused[outcome].append(known)
        if refused and not is_final:
            raise _RefusedError
        for refusal, ids in refused.items():
            Purchase.objects.filter(pk__in=ids).update(refusal=refusal, reservation=None)
        if len(outcomes) < len(claims):
            _set_unfit_aside(sale, claims, decided=outcomes)
    return outcomes


def settle_at_once(sale: SaleInfo, claim: Claim, *, method: Method) -> BatchOutcome:
    """Decide one claim in a transaction of its own, and write nothing unless it is held.

    Raises:
        AlreadyDecided: its purchase is there; the claim changed nothing.
        KeyReused: another purchase of the same attempt is there; the claim changed nothing.
        AccountClosed: nobody is behind it.
        inventory.allocation.Contended: `version` lost every try.
        django.db.OperationalError: a row could not be had in time, or the database is away.
    """
    outcome = _settle_alone(sale, claim, method)
    if outcome is not BatchOutcome.HELD and reservations.expire(stock_ids=sale.stock_ids):
        outcome = _settle_alone(sale, claim, method)
    return outcome


def _settle_alone(sale: SaleInfo, claim: Claim, method: Method) -> BatchOutcome:
    outcome = BatchOutcome.HELD
    try:
        with transaction.atomic():
            outcomes = _decide(sale, [claim], method=method)
            if not outcomes:
                raise (
                    AlreadyDecided
                    if Purchase.objects.filter(pk=claim.purchase).exists()
                    else AccountClosed
                )
            # After the holder's row is ours, so that two purchases of one attempt cannot both miss the other.
            other = other_of_attempt(claim.purchase)
            if other is not None:
                raise KeyReused(other)
            outcome = outcomes[claim.purchase]
            if outcome is not BatchOutcome.HELD:
                raise _RefusedError
    except _RefusedError:
        pass
    return outcome


def _decide(sale: SaleInfo, claims: Sequence[Claim], *, method: Method) -> dict[UUID, BatchOutcome]:
    new = _insert_purchases(sale, claims)
    by_item: dict[int, list[BatchClaim]] = defaultdict(list)
    for claim in claims:
        if claim.purchase in new:
            # Once, though a Redis that lost its takers queues a repeated click a second time.
            new.remove(claim.purchase)
            by_item[claim.item].append(
                BatchClaim(key=claim.purchase, holder=str(claim.shopper), quantity=claim.quantity)
            )
    if len(by_item) > 1:
        # Holdings come before stock, and the second item's would come after the first one's stock.
        holders = (claim.holder for batch in by_item.values() for claim in batch)
        holdings.hold_still(scope=sale.scope, limit=sale.limit, holders=holders)
    outcomes: dict[UUID, BatchOutcome] = {}
    for item in sorted(sale.items, key=lambda item: item.sku):
        if item.id in by_item and item.stock_id is not None:
            outcomes |= batches.reserve_batch(
                stock_id=item.stock_id,
                scope=sale.scope,
                limit=sale.limit,
                claims=by_item[item.id],
                seconds=sale.hold_seconds,
                method=method,
            )
    return outcomes


def _insert_purchases(sale: SaleInfo, claims: Sequence[Claim]) -> set[UUID]:
    items = _items_with_stock(sale)
    fit = [claim for claim in claims if _is_fit(claim, items)]
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_PURCHASES,
            {
                "sale": sale.id,
                "ids": array(claim.purchase.hex for claim in fit),
                "items": array(claim.item for claim in fit),
                "shoppers": array(claim.shopper.hex for claim in fit),
                "quantities": array(claim.quantity for claim in fit),
                "prices": array(items[claim.item].price for claim in fit),
                "moments": array(claim.claimed_at.timestamp() for claim in fit),
            },
        )
        if cursor.rowcount == len(fit):
            return {claim.purchase for claim in fit}
        return {known for (known,) in cursor.fetchall()}


def _items_with_stock(sale: SaleInfo) -> dict[int, ItemInfo]:
    return {item.id: item for item in sale.items if item.stock_id is not None}


def _is_fit(claim: Claim, items: dict[int, ItemInfo]) -> bool:
    return claim.item in items and claim.quantity > 0


def _set_unfit_aside(
    sale: SaleInfo, claims: Sequence[Claim], *, decided: dict[UUID, BatchOutcome]
) -> None:
    left = [claim for claim in claims if claim.purchase not in decided]
    known = set(
        Purchase.objects.filter(pk__in=[claim.purchase for claim in left]).values_list(
            "pk", flat=True
        )
    )
    items = _items_with_stock(sale)
    for claim in left:
        if claim.purchase not in known:
            reason = "no live account" if _is_fit(claim, items) else "no such item or quantity"
            set_claim_aside(sale_id=sale.id, claim=claim, reason=reason)


def set_aside(
    *,
    sale_id: int,
    name: str,
    content: dict[str, str],
    reason: str,
    shopper: str = "",
    claimed_at: datetime | None = None,
) -> None:
    """Keep a claim that cannot be decided where staff see it. Repeating it keeps it once."""
    log.error("Claim %s of sale %s is set aside: %s", name, sale_id, reason)
    SetAsideClaim.objects.get_or_create(
        sale_id=sale_id,
        name=name,
        defaults={
            "shopper": shopper,
            "content": content,
            "reason": reason[:200],
            "claimed_at": claimed_at,
        },
    )


def set_claim_aside(*, sale_id: int, claim: Claim, reason: str) -> None:
    """`set_aside` for a claim that could be read."""
    set_aside(
        sale_id=sale_id,
        name=str(claim.purchase),
        content={"item": str(claim.item), "quantity": str(claim.quantity)},
        reason=reason,
        shopper=str(claim.shopper),
        claimed_at=claim.claimed_at,
    )


def try_again(row: SetAsideClaim) -> BatchOutcome:
    """Decide a claim that was set aside, at today's limit, price and stock.

    Raises:
        NotReadable, AccountClosed: it cannot be decided this time either.
        django.db.DatabaseError: what it was set aside for happened again.
    """
    sale = describe(row.sale)
    try:
        claim = Claim(
            purchase=UUID(row.name),
            shopper=UUID(row.shopper),
            item=int(row.content["item"]),
            quantity=int(row.content["quantity"]),
            claimed_at=row.claimed_at or row.created_at,
        )
    except (KeyError, ValueError) as error:
        raise NotReadable from error
    if not _is_fit(claim, _items_with_stock(sale)):
        raise NotReadable
    try:
        return settle_at_once(sale, claim, method=Method.LOCK)
    except AlreadyDecided:
        return BatchOutcome.HELD
