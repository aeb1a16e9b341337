"""A click on Buy: three ways to take the units, one kind of answer.

`redis`: the gate says a provisional yes and queues the claim; a batch settles it a moment later. `lock` and `version`:
the claim is settled in PostgreSQL at once. A sale on `redis` goes the way of its fallback while Redis is away. All
ways meet in `settling`, under the same purchase id, so changing over in the middle of a sale, by hand or by a fault,
makes no second purchase of one attempt.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import redis
from django.db import OperationalError

from flashsale import admissions, breaker, gate, settling, soldout
from flashsale.gate import Answer
from flashsale.models import Purchase
from flashsale.purchases import State, name_purchase, recount, state_of
from flashsale.sales import Phase, SaleInfo, Strategy, phase_by_clock
from flashsale.settling import AccountClosed, AlreadyDecided, Claim, KeyReused
from inventory import holdings
from inventory.allocation import Contended, Method
from inventory.batches import BatchOutcome

log = logging.getLogger(__name__)

METHODS = {Strategy.LOCK: Method.LOCK, Strategy.VERSION: Method.VERSION}


class Refusal(StrEnum):
    SOLD_OUT = "sold_out"
    LIMIT_REACHED = "limit_reached"
    NOT_OPEN = "not_open"
    UNKNOWN_ITEM = "unknown_item"
    BAD_QUANTITY = "bad_quantity"
    NO_ADMISSION = "no_admission"
    KEY_REUSED = "idempotency_key_reused"
    ACCOUNT_CLOSED = "account_closed"
    BUSY = "busy"


#: Refusals after which there may be nothing left to do inside.
DEFINITE = (Refusal.SOLD_OUT, Refusal.LIMIT_REACHED)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The purchase is known: queued, to be settled in a moment, or already held. `ring`: ask for a drain."""

    purchase: UUID
    state: State = State.QUEUED
    ring: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was taken. `purchase` is the shopper's own one that stands in the way, if one does."""

    reason: Refusal
    purchase: UUID | None = None


def buy(
    *, sale: SaleInfo, shopper: UUID, item: int, quantity: int, attempt: str, now: datetime
) -> Accepted | Refused:
    """Claim units for a shopper whose signed admission, where one is needed, the caller has checked.

    After a definite no that leaves them nothing to do inside, the admission goes to the next in line.
    """
    result = _take(
        sale=sale, shopper=shopper, item=item, quantity=quantity, attempt=attempt, now=now
    )
    if isinstance(result, Refused) and result.reason in DEFINITE:
        _let_out_if_done(sale, shopper)
    return result


def _take(
    *, sale: SaleInfo, shopper: UUID, item: int, quantity: int, attempt: str, now: datetime
) -> Accepted | Refused:
    if phase_by_clock(sale, now=now) is not Phase.OPEN:
        return Refused(Refusal.NOT_OPEN)
    if sale.item(item) is None:
        return Refused(Refusal.UNKNOWN_ITEM)
    if quantity < 1:
        return Refused(Refusal.BAD_QUANTITY)
    if quantity > sale.limit:
        return Refused(Refusal.LIMIT_REACHED)
    if soldout.is_known(sale_id=sale.id, item=item, quantity=quantity, shopper=shopper):
        return Refused(Refusal.SOLD_OUT)
    claim = Claim(
        purchase=name_purchase(
            sale_id=sale.id, shopper=shopper, attempt=attempt, item=item, quantity=quantity
        ),
        shopper=shopper,
        item=item,
        quantity=quantity,
        claimed_at=now,
    )
    if sale.strategy == Strategy.REDIS and _redis_is_there(sale, now):
        try:
            return _through_the_gate(sale, claim)
        except redis.RedisError:
            # Whether the gate took the claim is not known. The database is asked under the same id.
            log.exception("Redis is away: %s goes on with %s", sale.slug, sale.fallback)
            breaker.claims.failed()
    return _through_the_database(sale, claim)


def _redis_is_there(sale: SaleInfo, now: datetime) -> bool:
    if not breaker.claims.is_open:
        return True
    if not breaker.claims.may_try():
        return False
    breaker.calls.worked()  # as far as this look goes
    try:
        gate.sync(sale, now=now)
    except redis.RedisError:
        breaker.claims.failed()
        return False
    breaker.claims.worked()
    log.warning("Redis is back")
    return True


def _through_the_gate(sale: SaleInfo, claim: Claim) -> Accepted | Refused:
    claimed = _claim(sale, claim)
    if claimed.answer in (Answer.LOST, Answer.STALE) and gate.sync(sale, now=claim.claimed_at):
        # Redis lost the gate, nobody has set it yet, or beat is down and holds have ended since.
        claimed = _claim(sale, claim)
    if claimed.answer is Answer.LIMIT_REACHED and recount(sale, claim.shopper):
        claimed = _claim(sale, claim)
    match claimed.answer:
        case Answer.QUEUED | Answer.AGAIN:
            return Accepted(purchase=claim.purchase, ring=claimed.ring)
        case Answer.LOST | Answer.STALE:
            return Refused(Refusal.BUSY)
        case Answer.SOLD_OUT:
            soldout.remember(
                sale_id=sale.id,
                item=claim.item,
                quantity=claim.quantity,
                takers=lambda: gate.takers_of(sale.id),
            )
    return Refused(Refusal(claimed.answer), claimed.purchase)


def _claim(sale: SaleInfo, claim: Claim) -> gate.Claimed:
    return gate.claim(
        sale_id=sale.id,
        shopper=claim.shopper,
        item=claim.item,
        quantity=claim.quantity,
        purchase=claim.purchase,
        now=claim.claimed_at,
        needs_admission=sale.has_line,
    )


def _through_the_database(sale: SaleInfo, claim: Claim) -> Accepted | Refused:
    method = METHODS[Strategy(sale.fallback if sale.strategy == Strategy.REDIS else sale.strategy)]
    if not _is_inside(sale, claim):
        return Refused(Refusal.NO_ADMISSION)
    try:
        outcome = settling.settle_at_once(sale, claim, method=method)
    except AlreadyDecided:
        known = Purchase.objects.select_related("reservation", "order").get(pk=claim.purchase)
        return Accepted(purchase=claim.purchase, state=state_of(known))
    except KeyReused as reused:
        return Refused(Refusal.KEY_REUSED, reused.purchase)
    except AccountClosed:
        return Refused(Refusal.ACCOUNT_CLOSED)
    except Contended:
        return Refused(Refusal.BUSY)
    except OperationalError:
        log.exception("%s could not take a claim in the database", sale.slug)
        return Refused(Refusal.BUSY)
    match outcome:
        case BatchOutcome.HELD:
            _let_out(sale, claim)
            return Accepted(purchase=claim.purchase, state=State.HELD)
        case BatchOutcome.SOLD_OUT:
            soldout.remember(
                sale_id=sale.id,
                item=claim.item,
                quantity=claim.quantity,
                takers=lambda: holdings.holders(scope=sale.scope, most=soldout.MOST_TAKERS),
            )
            return Refused(Refusal.SOLD_OUT)
        case BatchOutcome.LIMIT_REACHED:
            _let_out(sale, claim)
            return Refused(Refusal.LIMIT_REACHED, _latest_purchase(sale, claim.shopper))


def _is_inside(sale: SaleInfo, claim: Claim) -> bool:
    """Whether the shopper's admission is live. Without Redis the signature, which the caller checked, is enough."""
    if not sale.has_line or breaker.claims.is_open:
        return True
    try:
        return admissions.is_inside(sale, shopper=claim.shopper, now=claim.claimed_at)
    except redis.RedisError:
        breaker.claims.failed()
        return True


def _let_out(sale: SaleInfo, claim: Claim) -> None:
    """The last unit of the limit uses the admission up, as at the gate; without Redis it runs out by itself."""
    if not sale.has_line or breaker.claims.is_open:
        return
    if holdings.units_of(scope=sale.scope, holder=str(claim.shopper)) >= sale.limit:
        try:
            admissions.leave(sale, shopper=claim.shopper)
        except redis.RedisError:
            breaker.claims.failed()


def _let_out_if_done(sale: SaleInfo, shopper: UUID) -> None:
    """By what the gate knows; what it does not know of, such as the takers of a sale on `lock`, lets nobody out."""
    if not sale.has_line or breaker.claims.is_open:
        return
    try:
        admissions.leave_if_done(sale, shopper=shopper)
    except redis.RedisError:
        breaker.claims.failed()


def _latest_purchase(sale: SaleInfo, shopper: UUID) -> UUID | None:
    own = Purchase.objects.filter(sale_id=sale.id, shopper__shopper_id=shopper, refusal="")
    return own.order_by("-claimed_at").values_list("pk", flat=True).first()
